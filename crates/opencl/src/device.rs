//! Devices: what is there, and one of them opened.
//!
//! The driver is loaded at the first question; a machine without one answers with an error.

use crate::error::Error;
use opencl3::command_queue::{CL_QUEUE_PROFILING_ENABLE, CommandQueue};
use opencl3::context::Context;
use opencl3::device::{
    CL_DEVICE_TYPE_ACCELERATOR, CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_GPU, Device as ClDevice,
};
use opencl3::platform::{Platform, get_platforms};
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// Division and square root of Float32 can be correctly rounded (OpenCL 1.2, table 4.3).
const CORRECTLY_ROUNDED: u64 = 1 << 7;

/// What tells one device with its driver from another: a part of the key of program binaries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The platform's name.
    pub platform: String,
    /// The platform's version.
    pub platform_version: String,
    /// Who made the device.
    pub vendor: String,
    /// The device's name.
    pub name: String,
    /// The OpenCL version of the device.
    pub version: String,
    /// The driver's version.
    pub driver: String,
}

/// What a device can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Computes in double precision.
    pub double: bool,
    /// Has atomics on 64-bit integers.
    pub long_atomics: bool,
    /// Rounds division and square root of Float32 correctly when asked.
    pub correctly_rounded: bool,
    /// The most work-items of a group.
    pub group_size: usize,
    /// Bytes that a group may share.
    pub local_bytes: u64,
    /// A graphics processor or another accelerator.
    pub accelerator: bool,
}

/// A device that was opened: its context and queue.
pub struct Device {
    identity: Identity,
    abilities: Abilities,
    pub(crate) context: Context,
    pub(crate) queue: CommandQueue,
    /// Held while the driver's compiler runs: not every driver can do it twice at once.
    pub(crate) building: Mutex<()>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// The devices that are open. Held while a driver is asked for devices: some make their list at the
/// first question, and answer a second one meanwhile with nothing or with a crash.
static OPEN: Mutex<Vec<Weak<Device>>> = Mutex::new(Vec::new());

/// The devices of this machine, accelerators first, otherwise in the drivers' order.
///
/// # Errors
/// [`Error::NoDevice`], if there is no driver or no device.
pub fn devices() -> Result<Vec<(Identity, Abilities)>, Error> {
    let _one = OPEN.lock();
    let found = find()?;
    Ok(found
        .into_iter()
        .map(|(_, identity, abilities)| (identity, abilities))
        .collect())
}

fn find() -> Result<Vec<(ClDevice, Identity, Abilities)>, Error> {
    let platforms = get_platforms();
    let platforms = platforms.map_err(|error| {
        let hint = "install a driver, such as the package `pocl-opencl-icd`";
        Error::NoDevice(format!("there is no driver ({error}); {hint}"))
    })?;
    let mut found = Vec::new();
    for platform in &platforms {
        for id in platform.get_devices(CL_DEVICE_TYPE_ALL).unwrap_or_default() {
            let device = ClDevice::new(id);
            let asked = identity(platform, &device).and_then(|identity| {
                let abilities = abilities(&device)?;
                Ok((identity, abilities))
            });
            // A device that does not answer is not there.
            if let Ok((identity, abilities)) = asked {
                found.push((device, identity, abilities));
            }
        }
    }
    if found.is_empty() {
        let hint = "install one, such as the package `pocl-opencl-icd`";
        return Err(Error::NoDevice(format!("no driver offers one; {hint}")));
    }
    found.sort_by_key(|(.., abilities)| !abilities.accelerator);
    Ok(found)
}

fn identity(platform: &Platform, device: &ClDevice) -> opencl3::Result<Identity> {
    Ok(Identity {
        platform: platform.name()?,
        platform_version: platform.version()?,
        vendor: device.vendor()?,
        name: device.name()?,
        version: device.version()?,
        driver: device.driver_version()?,
    })
}

fn abilities(device: &ClDevice) -> opencl3::Result<Abilities> {
    let extensions = device.extensions()?;
    let has = |name: &str| extensions.split_whitespace().any(|known| known == name);
    let kind = device.dev_type()?;
    Ok(Abilities {
        double: has("cl_khr_fp64"),
        long_atomics: has("cl_khr_int64_base_atomics"),
        correctly_rounded: device.single_fp_config()? & CORRECTLY_ROUNDED != 0,
        group_size: device.max_work_group_size()?,
        local_bytes: device.local_mem_size()?,
        accelerator: kind & (CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR) != 0,
    })
}

impl Device {
    /// Opens the first device whose name contains a text (in any case), or the first of all. A
    /// device that is open in this process is shared.
    ///
    /// # Errors
    /// If there is none, or the driver refuses it.
    pub fn open(name: Option<&str>) -> Result<Arc<Device>, Error> {
        let wanted = name.unwrap_or_default().to_lowercase();
        let mut open = OPEN.lock();
        let found = find()?.into_iter();
        let mut fitting =
            found.filter(|(_, identity, _)| identity.name.to_lowercase().contains(&wanted));
        let (device, identity, abilities) = fitting
            .next()
            .ok_or_else(|| Error::NoDevice(format!("none is called like `{wanted}`")))?;
        let mut known = open.iter().filter_map(Weak::upgrade);
        if let Some(device) = known.find(|known| known.identity == identity) {
            return Ok(device);
        }
        let context = Context::from_device(&device).map_err(Error::driver("clCreateContext"))?;
        // The older call: devices of OpenCL 1.2 have no other.
        let queue = CommandQueue::create_default(&context, CL_QUEUE_PROFILING_ENABLE);
        let queue = queue.map_err(Error::driver("clCreateCommandQueue"))?;
        let device = Arc::new(Device {
            identity,
            abilities,
            context,
            queue,
            building: Mutex::new(()),
        });
        open.retain(|known| known.strong_count() > 0);
        open.push(Arc::downgrade(&device));
        Ok(device)
    }

    /// What it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it can do.
    #[must_use]
    pub fn abilities(&self) -> Abilities {
        self.abilities
    }

    pub(crate) fn unsuited(&self, what: impl Into<String>) -> Error {
        Error::Unsuited {
            device: self.identity.name.clone(),
            what: what.into(),
        }
    }
}
