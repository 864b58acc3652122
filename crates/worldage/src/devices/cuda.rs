//! Launches on CUDA devices.
//!
//! A device is opened when something is first launched on it; its absence is no fact about the
//! program, so it is asked again at the next launch. What its driver makes of PTX is kept in the
//! store, whose checksum is verified before the driver sees it again.

use super::DeviceError;
use crate::backend::{PtxKernel, Shard, ShardLinked};
use crate::calls::{Failed, Route};
use crate::launch::Launched;
use crate::options::OptLevel;
use crate::session::{Inner, Session};
use crate::tuning::table::Environment;
use std::sync::Arc;
use worldage_cranelift::Grid;
use worldage_cuda::{Cubin, Device, Error, Identity, Kernel};
use worldage_engine::Mi;
use worldage_llvm::PtxTarget;
use worldage_store::{Artifact, Fingerprint, Key, Kind, Origin, Reject};
use worldage_wir::value::Value;

impl Session {
    /// The shard of this session's CUDA device, which is opened: code for the newest target that
    /// it runs.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// match session.cuda_shard(OptLevel::Speed) {
    ///     Ok(shard) => assert!(shard.to_string().starts_with("ptx:sm_")),
    ///     Err(why) => assert!(!why.to_string().is_empty()),
    /// }
    /// ```
    ///
    /// # Errors
    /// Why there is none, and how to get one.
    pub fn cuda_shard(&self, opt: OptLevel) -> Result<Shard, DeviceError> {
        let device = self.inner.cuda_device();
        let device = device.map_err(|error| DeviceError(error.to_string()))?;
        let (major, minor) = device.identity().capability;
        let target = PtxTarget::for_capability(major, minor).ok_or_else(|| {
            let name = &device.identity().name;
            DeviceError(format!(
                "{name} has compute capability {major}.{minor}, and 7.0 is needed"
            ))
        })?;
        Ok(Shard::Ptx(target, opt))
    }

    /// Launches on this CUDA device from here on, not on the first one.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// if let Ok(second) = cuda::Device::open(1) {
    ///     session.set_cuda_device(second);
    /// }
    /// ```
    pub fn set_cuda_device(&self, device: Arc<Device>) {
        *self.inner.cuda.lock() = Some(device);
    }
}

fn of_device(error: &Error) -> Failed {
    super::of_device(error, matches!(error, Error::Arguments(_)))
}

/// What device code is made from: the text, and the device with its driver.
fn key_of(ptx: &str, device: &Identity) -> Key {
    let mut key = Key::new();
    let (major, minor) = device.capability;
    key.text("what", "cubin 1")
        .digest("ptx", Fingerprint::of(ptx.as_bytes()))
        .text("device", &device.name)
        .text("capability", &format!("{major}.{minor}"))
        .text("driver", &device.driver.to_string());
    key
}

impl Inner {
    fn cuda_device(&self) -> Result<Arc<Device>, Error> {
        let mut open = self.cuda.lock();
        if let Some(device) = &*open {
            return Ok(Arc::clone(device));
        }
        let device = Device::open(0)?;
        Ok(Arc::clone(open.insert(device)))
    }

    /// What measurements on the device depend on.
    pub(crate) fn cuda_environment(&self) -> Result<Environment, Failed> {
        let device = self.cuda_device().map_err(|error| of_device(&error))?;
        let Identity {
            name,
            capability: (major, minor),
            driver,
        } = device.identity();
        Ok(Environment::from([
            ("device".to_string(), name.clone()),
            ("capability".to_string(), format!("{major}.{minor}")),
            ("driver".to_string(), driver.to_string()),
        ]))
    }

    pub(crate) fn launch_cuda(
        &self,
        route: &Route,
        mi: Mi,
        args: &[Value],
        grid: Grid,
    ) -> Result<Launched, Failed> {
        self.launch_with(route, mi, |linked| {
            let ShardLinked::Ptx(ptx) = linked else {
                unreachable!("a CUDA kernel was asked of another shard")
            };
            let device = self.cuda_device().map_err(|error| of_device(&error))?;
            let kernel = self.loaded(ptx, &device);
            let kernel = kernel.map_err(|error| of_device(&error))?;
            let grid = worldage_cuda::Grid {
                global: grid.global,
                local: grid.local,
            };
            let launched = ptx.code.launch(&kernel, &self.universe, args, grid);
            let launched = launched.map_err(|error| of_device(&error))?;
            Ok((&ptx.code.sites[..], launched))
        })
    }

    /// A kernel on a device: as it was loaded before, from the store, or built.
    fn loaded(&self, ptx: &PtxKernel, device: &Arc<Device>) -> Result<Arc<Kernel>, Error> {
        let mut loaded = ptx.loaded.lock();
        if let Some(kernel) = loaded
            .as_ref()
            .filter(|kernel| Arc::ptr_eq(kernel.device(), device))
        {
            return Ok(Arc::clone(kernel));
        }
        let (text, entry) = (&ptx.code.ptx, &*ptx.code.entry);
        let cubin = match self.stored_cubin(text, device) {
            Some(cubin) => cubin,
            None => {
                let cubin = device.compile(text, &[entry])?;
                self.keep_cubin(text, device, &cubin);
                cubin
            }
        };
        let kernel = Arc::new(device.load(&cubin, entry)?);
        Ok(Arc::clone(loaded.insert(kernel)))
    }

    fn stored_cubin(&self, ptx: &str, device: &Device) -> Option<Cubin> {
        let store = self.store.read().clone()?;
        let name = key_of(ptx, device.identity()).fingerprint();
        let payload = store.get(Kind::Code, &name, &origin(device.identity()))?;
        let cubin = Cubin::from_bytes(&payload);
        if cubin.is_none() {
            let why = Reject::Payload("it is no device code".to_string());
            store.reject(Kind::Code, &name, &why);
        }
        cubin
    }

    fn keep_cubin(&self, ptx: &str, device: &Device, cubin: &Cubin) {
        if let Some(store) = &*self.store.read() {
            store.put(Artifact {
                name: key_of(ptx, device.identity()).fingerprint(),
                kind: Kind::Code,
                origin: Arc::new(origin(device.identity())),
                payload: cubin.to_bytes().into(),
            });
        }
    }
}

/// A driver has made it, whichever worldage asked for it.
fn origin(device: &Identity) -> Origin {
    Origin {
        producer: format!("CUDA {}", device.driver).into(),
        target: device.name.as_str().into(),
    }
}
