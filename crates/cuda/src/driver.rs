//! What this crate asks of a driver, in the order of a launch: the only door to it.
//!
//! Laws: a handle is used with the driver that gave it; a call waits until it is done; a call that
//! the driver refuses is an [`Error::Driver`] that names it. [`crate::libcuda`] is Nvidia's own; the
//! tests bring one that keeps a record and has its memory on the host.

use crate::error::Error;
use std::time::Duration;

/// A handle of the driver: an address or a number that means something to it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub u64);

/// What the driver says of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Its name.
    pub name: String,
    /// Its compute capability: 9, 0.
    pub capability: (u32, u32),
    /// The most work-items of a group.
    pub group_size: u32,
}

/// A driver. All calls may come from any thread.
pub trait Driver: Send + Sync + std::fmt::Debug {
    /// The newest CUDA that it supports: 12080.
    ///
    /// # Errors
    /// [`Error::NoDriver`].
    fn version(&self) -> Result<i32, Error>;

    /// How many devices there are.
    ///
    /// # Errors
    /// What the driver says.
    fn count(&self) -> Result<usize, Error>;

    /// What a device is.
    ///
    /// # Errors
    /// What the driver says.
    fn properties(&self, ordinal: usize) -> Result<Properties, Error>;

    /// A context on a device, which everything below lives in.
    ///
    /// # Errors
    /// What the driver says.
    fn retain(&self, ordinal: usize) -> Result<Handle, Error>;

    /// Gives a context back.
    fn release(&self, ordinal: usize);

    /// Compiles PTX.
    ///
    /// # Errors
    /// [`Error::Build`] with the compiler's words.
    fn link(&self, context: Handle, ptx: &str) -> Result<Vec<u8>, Error>;

    /// Loads device code. Law of the caller: the bytes are what [`Driver::link`] gave for such a
    /// device and driver, whole; a driver need not survive others.
    ///
    /// # Errors
    /// What the driver says.
    fn load(&self, context: Handle, cubin: &[u8]) -> Result<Handle, Error>;

    /// Gives device code back.
    fn unload(&self, context: Handle, module: Handle);

    /// A kernel of loaded code, and the most work-items of a group that it can run with.
    ///
    /// # Errors
    /// What the driver says, also that there is none of this name.
    fn function(&self, context: Handle, module: Handle, name: &str)
    -> Result<(Handle, u32), Error>;

    /// Memory of the device, at least one byte.
    ///
    /// # Errors
    /// What the driver says, also that there is not so much.
    fn allocate(&self, context: Handle, bytes: usize) -> Result<Handle, Error>;

    /// Gives memory back.
    fn free(&self, context: Handle, memory: Handle);

    /// Copies to the beginning of memory that is at least as large.
    ///
    /// # Errors
    /// What the driver says.
    fn write(&self, context: Handle, memory: Handle, bytes: &[u8]) -> Result<(), Error>;

    /// Copies from the beginning of memory that is at least as large.
    ///
    /// # Errors
    /// What the driver says, also about a launch that went wrong.
    fn read(&self, context: Handle, memory: Handle, bytes: &mut [u8]) -> Result<(), Error>;

    /// Launches a kernel on groups of work-items and waits for its end; how long it ran, by the
    /// device's own clock. Each argument is a word: a parameter takes as many of its low bytes as
    /// its type has.
    ///
    /// # Errors
    /// What the driver says.
    ///
    /// # Safety
    /// The arguments are those of the kernel's parameters, and it stays within the memory that
    /// they name.
    unsafe fn launch(
        &self,
        context: Handle,
        function: Handle,
        groups: [u32; 3],
        local: [u32; 3],
        args: &[u64],
    ) -> Result<Duration, Error>;
}
