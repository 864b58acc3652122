//! What devices there are, and one of them opened.

use crate::driver::{Driver, Handle};
use crate::error::Error;
use crate::libcuda::LibCuda;
use parking_lot::Mutex;
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

/// A device that was opened; its context lives as long as it.
#[derive(Debug)]
pub struct Device {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) context: Handle,
    /// The most work-items of a group.
    pub(crate) group_size: u32,
    /// Held while the driver's compiler runs.
    pub(crate) building: Mutex<()>,
    ordinal: usize,
    identity: Identity,
}

/// The devices of this machine in the driver's order.
///
/// # Errors
/// [`Error::NoDriver`] or [`Error::OldDriver`].
pub fn devices() -> Result<Vec<Identity>, Error> {
    devices_of(&LibCuda::load()?)
}

/// The devices of a driver.
///
/// # Errors
/// As [`devices`].
pub fn devices_of(driver: &dyn Driver) -> Result<Vec<Identity>, Error> {
    let version = new_enough(driver)?;
    (0..driver.count()?)
        .map(|ordinal| Ok(identity(driver, ordinal, version)?.0))
        .collect()
}

/// The driver's version, if it is new enough.
fn new_enough(driver: &dyn Driver) -> Result<i32, Error> {
    let version = driver.version()?;
    if version < OLDEST.0 {
        return Err(Error::OldDriver {
            found: format!("CUDA {}.{}", version / 1000, version % 1000 / 10),
            needed: OLDEST.1,
        });
    }
    Ok(version)
}

fn identity(driver: &dyn Driver, ordinal: usize, version: i32) -> Result<(Identity, u32), Error> {
    let properties = driver.properties(ordinal)?;
    let identity = Identity {
        name: properties.name,
        capability: properties.capability,
        driver: version,
    };
    Ok((identity, properties.group_size))
}

impl Device {
    /// Opens a device by its number.
    ///
    /// # Errors
    /// If there is no driver, no such device, or the driver refuses it.
    pub fn open(ordinal: usize) -> Result<Arc<Device>, Error> {
        Device::open_on(Arc::new(LibCuda::load()?), ordinal)
    }

    /// Opens a device of a driver.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub fn open_on(driver: Arc<dyn Driver>, ordinal: usize) -> Result<Arc<Device>, Error> {
        let version = new_enough(&*driver)?;
        let count = driver.count()?;
        if ordinal >= count {
            return Err(Error::NoDevice { ordinal, count });
        }
        let (identity, group_size) = identity(&*driver, ordinal, version)?;
        let context = driver.retain(ordinal)?;
        Ok(Arc::new(Device {
            driver,
            context,
            group_size,
            building: Mutex::new(()),
            ordinal,
            identity,
        }))
    }

    /// What it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.driver.release(self.ordinal);
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
}
