//! Nvidia's driver, loaded when it is first asked.
//!
//! Invariant: the library is looked for before anything else is asked of it: without it every call
//! would panic; and a call that it lacks is an error, not a panic.

use crate::driver::{Driver, Handle, Properties};
use crate::error::Error;
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute};
use std::ffi::{CString, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::time::Duration;

/// Nvidia's driver: that it is there, and initialised.
#[derive(Debug)]
pub struct LibCuda(());

/// Bytes for what the driver's compiler says.
const LOG: usize = 8192;

fn check(result: sys::CUresult, call: &'static str) -> Result<(), Error> {
    result.result().map_err(|error| Error::Driver {
        call,
        error: error.to_string(),
    })
}

/// A function that the library lacks ends a call of its wrapper with a panic.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let why = "libcuda lacks a function";
        Err(Error::NoDriver(why.to_string()))
    })
}

fn pointer<T>(handle: Handle) -> *mut T {
    ptr::with_exposed_provenance_mut(usize::try_from(handle.0).unwrap_or(0))
}

fn handle<T>(pointer: *mut T) -> Handle {
    Handle(pointer.expose_provenance() as u64)
}

fn device(ordinal: usize) -> Result<sys::CUdevice, Error> {
    let mut device = 0;
    let ordinal = c_int::try_from(ordinal).unwrap_or(c_int::MAX);
    // SAFETY: writes one number.
    let asked = unsafe { sys::cuDeviceGet(&raw mut device, ordinal) };
    check(asked, "cuDeviceGet")?;
    Ok(device)
}

/// Makes a context that of the calling thread.
fn bind(context: Handle) -> Result<(), Error> {
    // SAFETY: the context was retained, and is released after everything in it is gone.
    let bound = unsafe { sys::cuCtxSetCurrent(pointer(context)) };
    check(bound, "cuCtxSetCurrent")
}

impl LibCuda {
    /// Loads and initialises it.
    ///
    /// # Errors
    /// [`Error::NoDriver`].
    pub fn load() -> Result<LibCuda, Error> {
        // SAFETY: loads the library, whose initialisers are the driver's own.
        let present = catch_unwind(|| unsafe { sys::is_culib_present() });
        if !matches!(present, Ok(true)) {
            return Err(Error::NoDriver("there is no libcuda".to_string()));
        }
        guarded(|| {
            // SAFETY: takes no pointer.
            let started = unsafe { sys::cuInit(0) }.result();
            started.map_err(|error| Error::NoDriver(error.to_string()))?;
            Ok(LibCuda(()))
        })
    }
}

impl Driver for LibCuda {
    fn version(&self) -> Result<i32, Error> {
        guarded(|| {
            let mut version = 0;
            // SAFETY: writes one number.
            let asked = unsafe { sys::cuDriverGetVersion(&raw mut version) };
            check(asked, "cuDriverGetVersion")?;
            Ok(version)
        })
    }

    fn count(&self) -> Result<usize, Error> {
        guarded(|| {
            let mut count = 0;
            // SAFETY: writes one number.
            let asked = unsafe { sys::cuDeviceGetCount(&raw mut count) };
            check(asked, "cuDeviceGetCount")?;
            Ok(usize::try_from(count).unwrap_or(0))
        })
    }

    fn properties(&self, ordinal: usize) -> Result<Properties, Error> {
        guarded(|| {
            let device = device(ordinal)?;
            let mut name = [0u8; 256];
            // SAFETY: writes at most as many bytes as it is told, with a NUL at the end.
            let asked = unsafe { sys::cuDeviceGetName(name.as_mut_ptr().cast(), 256, device) };
            check(asked, "cuDeviceGetName")?;
            let end = name
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(name.len());
            let attribute = |which: Attribute| {
                let mut value = 0;
                // SAFETY: writes one number.
                let asked = unsafe { sys::cuDeviceGetAttribute(&raw mut value, which, device) };
                check(asked, "cuDeviceGetAttribute")?;
                Ok(value.unsigned_abs())
            };
            Ok(Properties {
                name: String::from_utf8_lossy(&name[..end]).into_owned(),
                capability: (
                    attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                    attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
                ),
                group_size: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
            })
        })
    }

    fn retain(&self, ordinal: usize) -> Result<Handle, Error> {
        guarded(|| {
            let device = device(ordinal)?;
            let mut context: sys::CUcontext = ptr::null_mut();
            // SAFETY: writes one address.
            let retained = unsafe { sys::cuDevicePrimaryCtxRetain(&raw mut context, device) };
            check(retained, "cuDevicePrimaryCtxRetain")?;
            Ok(handle(context))
        })
    }

    fn release(&self, ordinal: usize) {
        let _gone = guarded(|| {
            let device = device(ordinal)?;
            // SAFETY: retained by `retain`, once.
            let released = unsafe { sys::cuDevicePrimaryCtxRelease_v2(device) };
            check(released, "cuDevicePrimaryCtxRelease")
        });
    }

    fn link(&self, context: Handle, ptx: &str) -> Result<Vec<u8>, Error> {
        let text = CString::new(ptx);
        let text = text.map_err(|_| Error::Arguments("PTX holds no NUL characters".to_string()))?;
        guarded(|| {
            bind(context)?;
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
            check(created, "cuLinkCreate")?;
            // SAFETY: the state was created just now and is destroyed below.
            let linked = unsafe { add_and_complete(state, &text) };
            // SAFETY: created above; the bytes have been copied out.
            let _destroyed = unsafe { sys::cuLinkDestroy(state) };
            linked.map_err(|error| {
                let end = log.iter().position(|byte| *byte == 0).unwrap_or(LOG);
                let said = String::from_utf8_lossy(&log[..end]).trim().to_string();
                let log = if said.is_empty() {
                    error.to_string()
                } else {
                    said
                };
                Error::Build { log }
            })
        })
    }

    fn load(&self, context: Handle, cubin: &[u8]) -> Result<Handle, Error> {
        guarded(|| {
            bind(context)?;
            let mut module: sys::CUmodule = ptr::null_mut();
            // SAFETY: the caller's law: the bytes are those of this driver's own compiler, whole.
            let loaded = unsafe { sys::cuModuleLoadData(&raw mut module, cubin.as_ptr().cast()) };
            check(loaded, "cuModuleLoadData")?;
            Ok(handle(module))
        })
    }

    fn unload(&self, context: Handle, module: Handle) {
        let _gone = guarded(|| {
            // A context that cannot be bound has lost its modules.
            bind(context)?;
            // SAFETY: loaded by `load`, and unloaded once; launches wait for their end.
            let unloaded = unsafe { sys::cuModuleUnload(pointer(module)) };
            check(unloaded, "cuModuleUnload")
        });
    }

    fn function(
        &self,
        context: Handle,
        module: Handle,
        name: &str,
    ) -> Result<(Handle, u32), Error> {
        let name = CString::new(name);
        let name = name.map_err(|_| Error::Arguments("a name holds no NUL".to_string()))?;
        guarded(|| {
            bind(context)?;
            let mut function: sys::CUfunction = ptr::null_mut();
            // SAFETY: the module is loaded; writes one address.
            let found = unsafe {
                sys::cuModuleGetFunction(&raw mut function, pointer(module), name.as_ptr())
            };
            check(found, "cuModuleGetFunction")?;
            let mut most = 0;
            let which = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK;
            // SAFETY: writes one number.
            let asked = unsafe { sys::cuFuncGetAttribute(&raw mut most, which, function) };
            check(asked, "cuFuncGetAttribute")?;
            Ok((handle(function), most.unsigned_abs()))
        })
    }

    fn allocate(&self, context: Handle, bytes: usize) -> Result<Handle, Error> {
        guarded(|| {
            bind(context)?;
            let mut memory = 0;
            // SAFETY: writes one address of the device.
            let allocated = unsafe { sys::cuMemAlloc_v2(&raw mut memory, bytes) };
            check(allocated, "cuMemAlloc")?;
            Ok(Handle(memory))
        })
    }

    fn free(&self, context: Handle, memory: Handle) {
        let _gone = guarded(|| {
            bind(context)?;
            // SAFETY: allocated by `allocate`, and freed once; launches wait for their end.
            check(unsafe { sys::cuMemFree_v2(memory.0) }, "cuMemFree")
        });
    }

    fn write(&self, context: Handle, memory: Handle, bytes: &[u8]) -> Result<(), Error> {
        guarded(|| {
            bind(context)?;
            // SAFETY: the memory has room for as many bytes, by the law of the call.
            let copied =
                unsafe { sys::cuMemcpyHtoD_v2(memory.0, bytes.as_ptr().cast(), bytes.len()) };
            check(copied, "cuMemcpyHtoD")
        })
    }

    fn read(&self, context: Handle, memory: Handle, bytes: &mut [u8]) -> Result<(), Error> {
        guarded(|| {
            bind(context)?;
            // SAFETY: the memory has as many bytes, by the law of the call.
            let copied =
                unsafe { sys::cuMemcpyDtoH_v2(bytes.as_mut_ptr().cast(), memory.0, bytes.len()) };
            check(copied, "cuMemcpyDtoH")
        })
    }

    unsafe fn launch(
        &self,
        context: Handle,
        function: Handle,
        groups: [u32; 3],
        local: [u32; 3],
        args: &[u64],
    ) -> Result<Duration, Error> {
        let mut words = args.to_vec();
        let mut params: Vec<*mut c_void> = words
            .iter_mut()
            .map(|word| (&raw mut *word).cast())
            .collect();
        guarded(|| {
            bind(context)?;
            let (begun, ended) = (Event::new()?, Event::new()?);
            begun.record()?;
            let ([gx, gy, gz], [lx, ly, lz]) = (groups, local);
            // SAFETY: the function is that of a loaded module; the parameters are addresses of
            // words that live until the driver has copied them, which it does before the call
            // returns; the rest is the caller's promise.
            let launched = unsafe {
                sys::cuLaunchKernel(
                    pointer(function),
                    gx,
                    gy,
                    gz,
                    lx,
                    ly,
                    lz,
                    0,
                    ptr::null_mut(),
                    params.as_mut_ptr(),
                    ptr::null_mut(),
                )
            };
            check(launched, "cuLaunchKernel")?;
            ended.record()?;
            // SAFETY: the event was recorded.
            let waited = unsafe { sys::cuEventSynchronize(ended.0) };
            check(waited, "cuEventSynchronize")?;
            let mut ms = 0f32;
            // SAFETY: both events have happened; writes one number.
            let asked = unsafe { sys::cuEventElapsedTime(&raw mut ms, begun.0, ended.0) };
            check(asked, "cuEventElapsedTime")?;
            Ok(Duration::from_secs_f64(f64::from(ms.max(0.0)) / 1e3))
        })
    }
}

/// A moment on the device's own clock.
struct Event(sys::CUevent);

impl Event {
    fn new() -> Result<Event, Error> {
        let mut event: sys::CUevent = ptr::null_mut();
        // SAFETY: writes one address.
        let created = unsafe { sys::cuEventCreate(&raw mut event, 0) };
        check(created, "cuEventCreate")?;
        Ok(Event(event))
    }

    fn record(&self) -> Result<(), Error> {
        // SAFETY: the event lives, and the stream is the default one.
        let recorded = unsafe { sys::cuEventRecord(self.0, ptr::null_mut()) };
        check(recorded, "cuEventRecord")
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: created by `new`, and destroyed once.
        let _ = unsafe { sys::cuEventDestroy_v2(self.0) };
    }
}

/// Adds a text and completes the link; a copy of the code.
///
/// # Safety
/// The state was created and not yet destroyed.
unsafe fn add_and_complete(state: sys::CUlinkState, text: &CString) -> Result<Vec<u8>, Error> {
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
    check(added, "cuLinkAddData")?;
    let (mut code, mut size) = (ptr::null_mut(), 0);
    // SAFETY: writes an address and a size; both hold until the state is destroyed.
    let completed = unsafe { sys::cuLinkComplete(state, &raw mut code, &raw mut size) };
    check(completed, "cuLinkComplete")?;
    // SAFETY: as many bytes as the driver has said.
    Ok(unsafe { std::slice::from_raw_parts(code.cast::<u8>(), size) }.to_vec())
}
