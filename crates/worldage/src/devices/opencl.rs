//! Launches on OpenCL devices.
//!
//! A device is opened when something is first launched on it; its absence is no fact about the
//! program, so it is asked again at the next launch.

use super::binaries::Binaries;
use super::{DeviceCheck, DeviceError};
use crate::backend::ShardLinked;
use crate::calls::{Failed, Route};
use crate::launch::Launched;
use crate::session::{Inner, Session};
use crate::tuning::table::Environment;
use std::sync::Arc;
use worldage_cranelift::Grid;
use worldage_engine::Mi;
use worldage_opencl::{Device, Error, Kernel};
use worldage_wir::value::Value;

impl Session {
    /// The OpenCL device of this session, opened: its name.
    ///
    /// ```
    /// # let session = worldage::Session::new(worldage::SessionOptions::default()).unwrap();
    /// match session.opencl_device() {
    ///     Ok(name) => assert!(!name.is_empty()),
    ///     Err(why) => assert!(!why.to_string().is_empty()),
    /// }
    /// ```
    ///
    /// # Errors
    /// Why there is none, and how to get one.
    pub fn opencl_device(&self) -> Result<String, DeviceError> {
        let device = self.inner.opencl_device();
        let device = device.map_err(|error| DeviceError(error.to_string()))?;
        Ok(device.identity().name.clone())
    }
}

/// The kernel of a device's shard.
fn kernel_of(linked: &ShardLinked) -> &Kernel {
    match linked {
        ShardLinked::OpenCl(kernel) => kernel,
        _ => unreachable!("an OpenCL kernel was asked of another shard"),
    }
}

fn of_device(error: &Error) -> Failed {
    super::of_device(error, matches!(error, Error::Arguments(_)))
}

impl Inner {
    /// Builds a kernel, where there is a device.
    pub(super) fn build_opencl(&self, linked: &ShardLinked) -> Result<DeviceCheck, Failed> {
        let Ok(device) = self.opencl_device() else {
            return Ok(DeviceCheck::Generated);
        };
        let cache = self.binaries();
        let built = kernel_of(linked).build(&device, cache.as_ref().map(|c| c as _));
        let built = built.map_err(|error| of_device(&error))?;
        Ok(match built.from_cache {
            true => DeviceCheck::Reloaded(built.took),
            false => DeviceCheck::Built(built.took),
        })
    }

    pub(super) fn opencl_device(&self) -> Result<Arc<Device>, Error> {
        let mut open = self.opencl.lock();
        if let Some(device) = &*open {
            return Ok(Arc::clone(device));
        }
        let device = Device::open(None)?;
        Ok(Arc::clone(open.insert(device)))
    }

    /// What measurements on the device depend on.
    pub(crate) fn opencl_environment(&self) -> Result<Environment, Failed> {
        let device = self.opencl_device();
        let device = device.map_err(|error| of_device(&error))?;
        let identity = device.identity();
        let parts = [
            ("platform", &identity.platform),
            ("platform version", &identity.platform_version),
            ("vendor", &identity.vendor),
            ("device", &identity.name),
            ("device version", &identity.version),
            ("driver", &identity.driver),
        ];
        let owned = parts.map(|(name, value)| (name.to_string(), value.clone()));
        Ok(Environment::from(owned))
    }

    /// Where what the driver builds is kept, if the session has a store.
    pub(super) fn binaries(&self) -> Option<Binaries> {
        self.store.read().clone().map(Binaries)
    }

    pub(crate) fn launch_opencl(
        &self,
        route: &Route,
        mi: Mi,
        args: &[Value],
        grid: Grid,
    ) -> Result<Launched, Failed> {
        self.launch_with(route, mi, |linked| {
            let kernel = kernel_of(linked);
            let device = self.opencl_device().map_err(|error| of_device(&error))?;
            let grid = worldage_opencl::Grid {
                global: grid.global,
                local: grid.local,
            };
            let cache = self.binaries();
            let cache = cache.as_ref().map(|cache| cache as _);
            let launched = kernel.launch(&device, &self.universe, args, grid, cache);
            let launched = launched.map_err(|error| of_device(&error))?;
            Ok((&kernel.code().sites[..], launched))
        })
    }
}
