//! Buffers, arguments and the index space of a launch.

use crate::cubin::Kernel;
use crate::device::Device;
use crate::error::Error;
use cudarc::driver::sys::CUdevice_attribute as Attribute;
use cudarc::driver::{CudaSlice, DevicePtr, result};
use std::ffi::c_void;
use std::sync::Arc;

/// Memory of a device.
#[derive(Debug)]
pub struct Buffer {
    memory: CudaSlice<u8>,
    /// A buffer is never empty; this is what was asked for.
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

impl Buffer {
    /// A buffer with these contents.
    ///
    /// # Errors
    /// What the driver says, such as that there is no memory.
    pub fn new(device: &Arc<Device>, contents: &[u8]) -> Result<Buffer, Error> {
        // No buffer is empty.
        let padding = [0u8];
        let given = if contents.is_empty() {
            &padding[..]
        } else {
            contents
        };
        let memory = device.stream.clone_htod(given);
        Ok(Buffer {
            memory: memory.map_err(Error::driver("cuMemAlloc"))?,
            bytes: contents.len(),
            device: Arc::clone(device),
        })
    }

    /// A copy of the contents; waits for what was launched before.
    ///
    /// # Errors
    /// What the driver says, also about a launch that went wrong.
    pub fn read(&self) -> Result<Vec<u8>, Error> {
        let stream = &self.device.stream;
        let contents = stream.clone_dtoh(&self.memory);
        let mut contents = contents.map_err(Error::driver("cuMemcpyDtoH"))?;
        let done = stream.synchronize();
        done.map_err(Error::driver("cuStreamSynchronize"))?;
        contents.truncate(self.bytes);
        Ok(contents)
    }
}

impl Grid {
    /// Groups in each dimension, if the sizes fit.
    fn groups(&self, device: &Device) -> Result<[u32; 3], Error> {
        let mut groups = [0; 3];
        for (d, groups) in groups.iter_mut().enumerate() {
            let (global, local) = (self.global[d], self.local[d]);
            if local == 0 || global == 0 || !global.is_multiple_of(local) {
                return Err(Error::Arguments(format!(
                    "the local size {local} does not divide the global size {global} of \
                     dimension {d}"
                )));
            }
            *groups = global / local;
        }
        let most = device.attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?;
        let items: u64 = self.local.iter().map(|size| u64::from(*size)).product();
        if items > u64::from(most) {
            return Err(Error::Arguments(format!(
                "a group of {items} work-items is larger than the device's {most}"
            )));
        }
        Ok(groups)
    }
}

impl Kernel {
    /// Launches the kernel and waits for its end.
    ///
    /// # Errors
    /// Sizes that do not fit, a buffer of another device, what the driver says.
    ///
    /// # Safety
    /// The arguments are those of the kernel's parameters, and it stays within the buffers.
    pub unsafe fn launch(&self, grid: Grid, args: &[Arg<'_>]) -> Result<(), Error> {
        let groups = grid.groups(&self.device)?;
        let mut words = Vec::with_capacity(args.len());
        let mut held = Vec::new();
        for arg in args {
            words.push(match arg {
                Arg::Bytes(bytes) => {
                    let mut word = [0u8; 8];
                    let place = word.get_mut(..bytes.len());
                    let place = place.ok_or_else(|| {
                        Error::Arguments("an argument of more than eight bytes".to_string())
                    })?;
                    place.copy_from_slice(bytes);
                    u64::from_le_bytes(word)
                }
                Arg::Buffer(buffer) if Arc::ptr_eq(&buffer.device, &self.device) => {
                    let (address, guard) = buffer.memory.device_ptr(&self.device.stream);
                    held.push(guard);
                    address
                }
                Arg::Buffer(_) => {
                    let message = "a buffer of another device";
                    return Err(Error::Arguments(message.to_string()));
                }
            });
        }
        let mut params: Vec<*mut c_void> = words
            .iter_mut()
            .map(|word| (&raw mut *word).cast())
            .collect();
        self.device.bind()?;
        let triple = |of: [u32; 3]| (of[0], of[1], of[2]);
        // SAFETY: the function is that of a loaded module; the parameters are addresses of words
        // that live until the driver has copied them, which it does before the call returns; the
        // rest is the caller's promise.
        let launched = unsafe {
            result::launch_kernel(
                self.function,
                triple(groups),
                triple(grid.local),
                0,
                self.device.stream.cu_stream(),
                &mut params,
            )
        };
        launched.map_err(Error::driver("cuLaunchKernel"))?;
        drop(held);
        let done = self.device.stream.synchronize();
        done.map_err(Error::driver("cuStreamSynchronize"))
    }
}
