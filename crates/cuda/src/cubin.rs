//! Device code: the bytes that the driver makes of PTX, which may be kept beyond the process, and
//! the handle of a kernel in this one.

use crate::device::{Device, Identity};
use crate::error::Error;
use cudarc::driver::{result, sys};
use std::ffi::{CString, c_void};
use std::ptr;
use std::sync::Arc;

/// What the driver made of a PTX text for a kind of device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cubin {
    /// The code. Only what a driver made is given to one: whoever stores it checks it.
    pub bytes: Vec<u8>,
    /// The kernels in it.
    pub entries: Vec<String>,
    /// What it was made for, and by which driver.
    pub device: Identity,
}

/// A kernel that was loaded onto a device; unloaded when dropped.
#[derive(Debug)]
pub struct Kernel {
    pub(crate) function: sys::CUfunction,
    module: sys::CUmodule,
    pub(crate) device: Arc<Device>,
}

// SAFETY: the driver's handles may be used from any thread that has bound the context.
unsafe impl Send for Kernel {}
// SAFETY: as above; the driver locks what it changes.
unsafe impl Sync for Kernel {}

/// Bytes for what the driver's compiler says.
const LOG: usize = 8192;

impl Device {
    /// Compiles PTX for this device.
    ///
    /// # Errors
    /// [`Error::Build`] with the compiler's words; [`Error::Arguments`] for a text with a NUL.
    pub fn compile(&self, ptx: &str, entries: &[&str]) -> Result<Cubin, Error> {
        let text = CString::new(ptx);
        let text = text.map_err(|_| Error::Arguments("PTX holds no NUL characters".to_string()))?;
        let _one = self.building.lock();
        self.bind()?;
        let mut log = vec![0u8; LOG];
        let mut options = [
            sys::CUjit_option::CU_JIT_ERROR_LOG_BUFFER,
            sys::CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
        ];
        let mut values: [*mut c_void; 2] =
            [log.as_mut_ptr().cast(), ptr::without_provenance_mut(LOG)];
        let mut state: sys::CUlinkState = ptr::null_mut();
        // SAFETY: two options with two values; the log lives until the state is destroyed.
        let created = unsafe {
            sys::cuLinkCreate_v2(2, options.as_mut_ptr(), values.as_mut_ptr(), &raw mut state)
        };
        created.result().map_err(Error::driver("cuLinkCreate"))?;
        // SAFETY: the state was created just now and is destroyed below.
        let linked = unsafe { link(state, &text) };
        let bytes = linked.map_err(|error| {
            let end = log.iter().position(|byte| *byte == 0).unwrap_or(LOG);
            let said = String::from_utf8_lossy(&log[..end]).trim().to_string();
            let log = if said.is_empty() {
                error.to_string()
            } else {
                said
            };
            Error::Build { log }
        });
        // SAFETY: created above; the bytes have been copied out.
        let destroyed = unsafe { sys::cuLinkDestroy(state) };
        let bytes = bytes?;
        destroyed.result().map_err(Error::driver("cuLinkDestroy"))?;
        Ok(Cubin {
            bytes,
            entries: entries.iter().map(|entry| (*entry).to_string()).collect(),
            device: self.identity().clone(),
        })
    }

    /// Loads a kernel.
    ///
    /// # Errors
    /// [`Error::Arguments`] for code of another device or an unknown name; else what the driver
    /// says.
    pub fn load(self: &Arc<Self>, cubin: &Cubin, entry: &str) -> Result<Kernel, Error> {
        if cubin.device != *self.identity() {
            let (made, here) = (&cubin.device.name, &self.identity().name);
            let message = format!("code for {made} does not run on {here}");
            return Err(Error::Arguments(message));
        }
        let name = CString::new(entry).ok();
        let name = name.filter(|_| cubin.entries.iter().any(|known| known == entry));
        let name = name.ok_or_else(|| Error::Arguments(format!("there is no kernel `{entry}`")))?;
        self.bind()?;
        // SAFETY: the bytes are those of a driver's own compiler for this very device.
        let module = unsafe { result::module::load_data(cubin.bytes.as_ptr().cast()) };
        let module = module.map_err(Error::driver("cuModuleLoadData"))?;
        let mut kernel = Kernel {
            function: ptr::null_mut(),
            module,
            device: Arc::clone(self),
        };
        // SAFETY: the module was loaded just now.
        let function = unsafe { result::module::get_function(module, name) };
        kernel.function = function.map_err(Error::driver("cuModuleGetFunction"))?;
        Ok(kernel)
    }
}

/// Adds a text and completes the link; a copy of the code.
///
/// # Safety
/// The state was created and not yet destroyed.
unsafe fn link(
    state: sys::CUlinkState,
    text: &CString,
) -> Result<Vec<u8>, cudarc::driver::DriverError> {
    let bytes = text.as_bytes_with_nul();
    // SAFETY: the driver reads as many bytes as it is told, and keeps none of them.
    let added = unsafe {
        sys::cuLinkAddData_v2(
            state,
            sys::CUjitInputType::CU_JIT_INPUT_PTX,
            bytes.as_ptr().cast_mut().cast(),
            bytes.len(),
            c"kernel.ptx".as_ptr(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    added.result()?;
    let (mut code, mut size) = (ptr::null_mut(), 0);
    // SAFETY: writes an address and a size; both hold until the state is destroyed.
    unsafe { sys::cuLinkComplete(state, &raw mut code, &raw mut size) }.result()?;
    // SAFETY: as many bytes as the driver has said.
    Ok(unsafe { std::slice::from_raw_parts(code.cast::<u8>(), size) }.to_vec())
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // A context that cannot be bound has lost its modules.
        if self.device.bind().is_ok() {
            // SAFETY: loaded by `Device::load`, and nothing else unloads it; launches wait for
            // their end.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}
