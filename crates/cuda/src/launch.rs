//! Buffers, arguments and the index space of a launch.

use crate::cubin::Kernel;
use crate::device::Device;
use crate::driver::Handle;
use crate::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Memory of a device; freed when dropped. Nothing is copied unless it is asked for.
#[derive(Debug)]
pub struct Buffer {
    memory: Handle,
    bytes: usize,
    device: Arc<Device>,
}

/// One argument of a kernel, in the order of its parameters.
#[derive(Debug)]
pub enum Arg<'a> {
    /// A number: its little-endian bytes, at most eight.
    Bytes(&'a [u8]),
    /// The address of a buffer.
    Buffer(&'a Buffer),
}

/// The index space of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Work-items in each dimension.
    pub global: [u32; 3],
    /// Work-items of a group in each dimension; divides `global`.
    pub local: [u32; 3],
}

/// The most groups of a grid: in the first dimension, and in the others.
const MAX_GROUPS: [u32; 3] = [i32::MAX.unsigned_abs(), 65_535, 65_535];

impl Buffer {
    /// A buffer with these contents.
    ///
    /// # Errors
    /// What the driver says, such as that there is no memory.
    pub fn new(device: &Arc<Device>, contents: &[u8]) -> Result<Buffer, Error> {
        // No buffer is empty.
        let memory = device
            .driver
            .allocate(device.context, contents.len().max(1))?;
        let buffer = Buffer {
            memory,
            bytes: contents.len(),
            device: Arc::clone(device),
        };
        buffer.write(contents)?;
        Ok(buffer)
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes
    }

    /// The device that it lies on.
    #[must_use]
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Copies contents of its size to the device.
    ///
    /// # Errors
    /// [`Error::Arguments`] for another size; what the driver says.
    pub fn write(&self, contents: &[u8]) -> Result<(), Error> {
        if contents.len() != self.bytes {
            let (size, given) = (self.bytes, contents.len());
            let message = format!("{given} bytes do not fit a buffer of {size}");
            return Err(Error::Arguments(message));
        }
        if contents.is_empty() {
            return Ok(());
        }
        let device = &self.device;
        device.driver.write(device.context, self.memory, contents)
    }

    /// A copy of the contents.
    ///
    /// # Errors
    /// What the driver says, also about a launch that went wrong.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        let mut contents = vec![0; self.bytes];
        self.read_into(&mut contents)?;
        Ok(contents)
    }

    /// Copies the contents, of as many bytes.
    ///
    /// # Errors
    /// [`Error::Arguments`] for another size; what the driver says.
    pub fn read_into(&self, contents: &mut [u8]) -> Result<(), Error> {
        if contents.len() != self.bytes {
            let (size, given) = (self.bytes, contents.len());
            let message = format!("a buffer of {size} bytes does not fit {given}");
            return Err(Error::Arguments(message));
        }
        if contents.is_empty() {
            return Ok(());
        }
        let device = &self.device;
        device.driver.read(device.context, self.memory, contents)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.device.driver.free(self.device.context, self.memory);
    }
}

impl Grid {
    /// Groups in each dimension, if the sizes fit the device and the kernel.
    fn groups(&self, kernel: &Kernel) -> Result<[u32; 3], Error> {
        let wrong = |message: String| Err(Error::Arguments(message));
        let mut groups = [0; 3];
        for (d, groups) in groups.iter_mut().enumerate() {
            let (global, local) = (self.global[d], self.local[d]);
            if local == 0 || global == 0 || !global.is_multiple_of(local) {
                return wrong(format!(
                    "the local size {local} does not divide the global size {global} of \
                     dimension {d}"
                ));
            }
            *groups = global / local;
            if *groups > MAX_GROUPS[d] {
                let (groups, most) = (*groups, MAX_GROUPS[d]);
                return wrong(format!(
                    "{groups} groups in dimension {d} are more than the {most} of CUDA"
                ));
            }
        }
        // In 128 bits three sizes of 32 cannot overflow.
        let items: u128 = self.local.iter().map(|size| u128::from(*size)).product();
        let (device, own) = (kernel.device.group_size, kernel.group_size);
        if items > u128::from(device.min(own)) {
            let (whose, most) = match own < device {
                true => ("kernel", own),
                false => ("device", device),
            };
            return wrong(format!(
                "a group of {items} work-items is larger than the {whose}'s {most}"
            ));
        }
        Ok(groups)
    }
}

/// The words that a kernel is given.
fn words(device: &Arc<Device>, args: &[Arg<'_>]) -> Result<Vec<u64>, Error> {
    let word = |arg: &Arg<'_>| match arg {
        Arg::Bytes(bytes) => {
            let mut word = [0u8; 8];
            let place = word.get_mut(..bytes.len()).ok_or_else(|| {
                Error::Arguments("an argument of more than eight bytes".to_string())
            })?;
            place.copy_from_slice(bytes);
            Ok(u64::from_le_bytes(word))
        }
        Arg::Buffer(buffer) if Arc::ptr_eq(&buffer.device, device) => Ok(buffer.memory.0),
        Arg::Buffer(_) => Err(Error::Arguments("a buffer of another device".to_string())),
    };
    args.iter().map(word).collect()
}

impl Kernel {
    /// Launches the kernel and waits for its end; how long it ran.
    ///
    /// # Errors
    /// Sizes that do not fit, a buffer of another device, what the driver says.
    ///
    /// # Safety
    /// The arguments are those of the kernel's parameters, and it stays within the buffers.
    pub unsafe fn launch(&self, grid: Grid, args: &[Arg<'_>]) -> Result<Duration, Error> {
        let groups = grid.groups(self)?;
        let words = words(&self.device, args)?;
        let device = &self.device;
        // SAFETY: the buffers are borrowed until the launch has ended; the rest is the caller's
        // promise.
        unsafe {
            device
                .driver
                .launch(device.context, self.function, groups, grid.local, &words)
        }
    }
}
