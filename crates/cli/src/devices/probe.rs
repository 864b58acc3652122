//! Asks the CUDA and OpenCL drivers which devices there are, through libraries loaded at run time.
//!
//! Only what a listing needs; compiling and launching belong to crates of their own.

#![expect(unsafe_code, reason = "foreign functions of drivers")]

use clap::ValueEnum;
use libloading::Library;
use std::error::Error;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;

/// A driver that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Driver {
    Cuda,
    #[value(name = "opencl")]
    OpenCl,
}

/// More devices than this are not listed.
const MOST: usize = 64;

impl Driver {
    pub(super) fn name(self) -> &'static str {
        match self {
            Driver::Cuda => "cuda",
            Driver::OpenCl => "opencl",
        }
    }

    /// The devices, or why they cannot be listed.
    pub(super) fn devices(self) -> Result<Vec<String>, String> {
        match self {
            Driver::Cuda => cuda(&load("libcuda.so.1")?),
            Driver::OpenCl => opencl(&load("libOpenCL.so.1")?),
        }
    }
}

fn load(name: &str) -> Result<Library, String> {
    // SAFETY: a driver's library, by its system name; its initialisers are the driver's own.
    unsafe { Library::new(name) }.map_err(|error| {
        // The source has the loader's own sentence, which names the library.
        error
            .source()
            .map_or(error.to_string(), ToString::to_string)
    })
}

/// A function of a library.
///
/// # Safety
/// `F` is the type that the library gives the function.
unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
    // SAFETY: as the caller says.
    let symbol = unsafe { library.get::<F>(name) };
    symbol
        .map(|symbol| *symbol)
        .map_err(|_| format!("its driver has no {name}"))
}

fn text(buffer: &[u8]) -> String {
    let text = CStr::from_bytes_until_nul(buffer).map_or(&b""[..], CStr::to_bytes);
    String::from_utf8_lossy(text).trim().to_string()
}

fn cuda(library: &Library) -> Result<Vec<String>, String> {
    type Init = unsafe extern "C" fn(c_uint) -> c_int;
    type Count = unsafe extern "C" fn(*mut c_int) -> c_int;
    type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    type Attribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
    // Their numbers in CUdevice_attribute.
    const MAJOR: c_int = 75;
    const MINOR: c_int = 76;
    let check = |what: &str, status: c_int| match status {
        0 => Ok(()),
        100 => Err("the driver is there, but no device".to_string()),
        status => Err(format!("{what} gives error {status}")),
    };
    // SAFETY: the types are those of cuda.h.
    let (init, count, name, attribute) = unsafe {
        (
            function::<Init>(library, "cuInit")?,
            function::<Count>(library, "cuDeviceGetCount")?,
            function::<Name>(library, "cuDeviceGetName")?,
            function::<Attribute>(library, "cuDeviceGetAttribute")?,
        )
    };
    // SAFETY: the only flags are 0.
    check("cuInit", unsafe { init(0) })?;
    let mut devices = 0;
    // SAFETY: writes one number.
    check("cuDeviceGetCount", unsafe { count(&raw mut devices) })?;
    let mut found = Vec::new();
    for device in 0..devices.min(MOST as c_int) {
        let mut buffer = [0u8; 256];
        let (mut major, mut minor) = (0, 0);
        // SAFETY: writes at most 256 bytes with a final NUL, and one number each; a device is its
        // ordinal.
        let status = unsafe {
            attribute(&raw mut major, MAJOR, device);
            attribute(&raw mut minor, MINOR, device);
            name(buffer.as_mut_ptr().cast(), 256, device)
        };
        check("cuDeviceGetName", status)?;
        found.push(format!("{}, sm_{major}{minor}", text(&buffer)));
    }
    Ok(found)
}

fn opencl(library: &Library) -> Result<Vec<String>, String> {
    type Platforms = unsafe extern "C" fn(c_uint, *mut *mut c_void, *mut c_uint) -> c_int;
    type Devices =
        unsafe extern "C" fn(*mut c_void, u64, c_uint, *mut *mut c_void, *mut c_uint) -> c_int;
    type Info = unsafe extern "C" fn(*mut c_void, c_uint, usize, *mut c_void, *mut usize) -> c_int;
    const ALL: u64 = 0xffff_ffff;
    const DEVICE_NAME: c_uint = 0x102b;
    const DEVICE_VERSION: c_uint = 0x102f;
    // SAFETY: the types are those of cl.h.
    let (platforms, devices, info) = unsafe {
        (
            function::<Platforms>(library, "clGetPlatformIDs")?,
            function::<Devices>(library, "clGetDeviceIDs")?,
            function::<Info>(library, "clGetDeviceInfo")?,
        )
    };
    let mut ids = [ptr::null_mut(); MOST];
    let mut count = 0;
    // SAFETY: writes at most as many ids as it is told.
    let status = unsafe { platforms(MOST as c_uint, ids.as_mut_ptr(), &raw mut count) };
    // -1001: the loader is there and knows no driver.
    if status == -1001 || (status == 0 && count == 0) {
        return Err("libOpenCL.so.1 is there, but no driver".to_string());
    }
    if status != 0 {
        return Err(format!("clGetPlatformIDs gives error {status}"));
    }
    let mut found = Vec::new();
    for platform in &ids[..(count as usize).min(MOST)] {
        let mut of_platform = [ptr::null_mut(); MOST];
        let mut count = 0;
        // SAFETY: the platform was given by the loader; writes at most as many ids as it is told.
        let status = unsafe {
            devices(
                *platform,
                ALL,
                MOST as c_uint,
                of_platform.as_mut_ptr(),
                &raw mut count,
            )
        };
        if status != 0 {
            continue;
        }
        for device in &of_platform[..(count as usize).min(MOST)] {
            let ask = |what| {
                let mut buffer = [0u8; 512];
                // SAFETY: the device was given by the platform; writes at most the buffer, and
                // the last byte stays NUL.
                unsafe {
                    info(
                        *device,
                        what,
                        511,
                        buffer.as_mut_ptr().cast(),
                        ptr::null_mut(),
                    )
                };
                text(&buffer)
            };
            found.push(format!("{}, {}", ask(DEVICE_NAME), ask(DEVICE_VERSION)));
        }
    }
    Ok(found)
}
