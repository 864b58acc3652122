//! What devices there are, and one of them opened.
//!
//! Invariant: the library is looked for before anything else is asked of it: without it every call
//! would panic.

use crate::error::Error;
use cudarc::driver::{CudaContext, CudaStream, sys};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The oldest driver that is supported, as its own number and as people write it.
const OLDEST: (i32, &str) = (12_000, "CUDA 12.0");

/// What a device is: what code for it depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its compute capability: 9, 0.
    pub capability: (u32, u32),
    /// The newest CUDA that the driver supports: 12080.
    pub driver: i32,
}

/// A device that was opened.
pub struct Device {
    identity: Identity,
    pub(crate) context: Arc<CudaContext>,
    pub(crate) stream: Arc<CudaStream>,
    /// Held while the driver's compiler runs.
    pub(crate) building: Mutex<()>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// The devices of this machine in the driver's order.
///
/// # Errors
/// [`Error::NoDriver`] or [`Error::OldDriver`].
pub fn devices() -> Result<Vec<Identity>, Error> {
    let driver = driver()?;
    (0..count()?)
        .map(|ordinal| Ok(open(ordinal, driver)?.identity))
        .collect()
}

/// The driver's version, once it is there and new enough.
fn driver() -> Result<i32, Error> {
    // SAFETY: loads the library, whose initialisers are the driver's own.
    let present = catch_unwind(|| unsafe { sys::is_culib_present() });
    if !matches!(present, Ok(true)) {
        return Err(Error::NoDriver("there is no libcuda".to_string()));
    }
    // A library that lacks a function ends a call with a panic.
    let started = catch_unwind(|| {
        cudarc::driver::result::init()?;
        let mut version = 0;
        // SAFETY: writes one number.
        unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
        Ok::<i32, cudarc::driver::DriverError>(version)
    });
    let version = match started {
        Ok(Ok(version)) => version,
        Ok(Err(error)) => return Err(Error::NoDriver(error.to_string())),
        Err(_) => return Err(Error::NoDriver("libcuda lacks a function".to_string())),
    };
    if version < OLDEST.0 {
        return Err(Error::OldDriver {
            found: format!("CUDA {}.{}", version / 1000, version % 1000 / 10),
            needed: OLDEST.1,
        });
    }
    Ok(version)
}

fn count() -> Result<usize, Error> {
    let count = CudaContext::device_count().map_err(Error::driver("cuDeviceGetCount"))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

fn open(ordinal: usize, driver: i32) -> Result<Device, Error> {
    let context = CudaContext::new(ordinal).map_err(Error::driver("cuDevicePrimaryCtxRetain"))?;
    let name = context.name().map_err(Error::driver("cuDeviceGetName"))?;
    let (major, minor) = context
        .compute_capability()
        .map_err(Error::driver("cuDeviceGetAttribute"))?;
    let stream = context.default_stream();
    Ok(Device {
        identity: Identity {
            name,
            capability: (major.unsigned_abs(), minor.unsigned_abs()),
            driver,
        },
        context,
        stream,
        building: Mutex::new(()),
    })
}

impl Device {
    /// Opens a device by its number.
    ///
    /// # Errors
    /// If there is no driver, no such device, or the driver refuses it.
    pub fn open(ordinal: usize) -> Result<Arc<Device>, Error> {
        let driver = driver()?;
        let count = count()?;
        if ordinal >= count {
            return Err(Error::NoDevice { ordinal, count });
        }
        // What the driver lacks ends a call of its wrapper with a panic.
        let opened = catch_unwind(AssertUnwindSafe(|| open(ordinal, driver)));
        let opened = opened.unwrap_or_else(|_| {
            let why = "libcuda lacks a function";
            Err(Error::NoDriver(why.to_string()))
        });
        opened.map(Arc::new)
    }

    /// What it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Makes this device's context that of the calling thread.
    pub(crate) fn bind(&self) -> Result<(), Error> {
        let bound = self.context.bind_to_thread();
        bound.map_err(Error::driver("cuCtxSetCurrent"))
    }

    pub(crate) fn attribute(&self, which: sys::CUdevice_attribute) -> Result<u32, Error> {
        let value = self.context.attribute(which);
        let value = value.map_err(Error::driver("cuDeviceGetAttribute"))?;
        Ok(value.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::{Device, devices};
    use crate::error::Error;

    /// Where there is a driver the same calls succeed: both answers are right, a panic is not.
    #[test]
    fn a_missing_driver_is_an_error_value() {
        match devices() {
            Ok(devices) => {
                let past = Device::open(devices.len()).unwrap_err();
                let (ordinal, count) = (devices.len(), devices.len());
                assert_eq!(past, Error::NoDevice { ordinal, count });
            }
            Err(error) => {
                assert!(matches!(
                    error,
                    Error::NoDriver(_) | Error::OldDriver { .. }
                ));
                assert_eq!(Device::open(0).unwrap_err(), error);
                assert!(!error.is_deterministic());
            }
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let old = Error::OldDriver {
            found: "CUDA 11.4".to_string(),
            needed: super::OLDEST.1,
        };
        assert_eq!(
            old.to_string(),
            "the CUDA driver supports CUDA 11.4, and CUDA 12.0 is needed: update it"
        );
    }
}
