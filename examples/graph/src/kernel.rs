//! Kernels: what a layer does with vectors, as Rust, as C, and as an object that was loaded.
#![expect(
    unsafe_code,
    reason = "an object of the external compiler is loaded and called"
)]

use crate::Op;
use libloading::Library;
use std::io::Write as _;

/// The portable artifact of a layer.
#[derive(Clone, PartialEq)]
pub enum Kernel {
    /// This program knows what to do.
    Here,
    /// A shared object with a function `kernel`.
    Object(Vec<u8>),
}

/// What a layer does.
pub(crate) fn run(op: Op, a: &[f64], b: &[f64]) -> Vec<f64> {
    let element = |(a, b): (&f64, &f64)| match op {
        Op::Input(_) => *a,
        Op::Scale => a * b,
        Op::Relu => a.max(0.0),
        Op::Add => a + b,
    };
    a.iter().zip(b).map(element).collect()
}

/// The same in C.
pub(crate) fn c_text(op: Op, width: usize) -> String {
    let element = match op {
        Op::Input(_) => "a[i]",
        Op::Scale => "a[i] * b[i]",
        Op::Relu => "a[i] > 0.0 ? a[i] : 0.0",
        Op::Add => "a[i] + b[i]",
    };
    format!(
        "void kernel(const double *a, const double *b, double *out) {{\n    \
         for (long i = 0; i < {width}; i++) out[i] = {element};\n}}\n"
    )
}

type Entry = unsafe extern "C" fn(*const f64, *const f64, *mut f64);

/// A loaded kernel. Its file is gone when it is.
pub(crate) struct Object {
    library: Library,
    _file: tempfile::TempPath,
}

impl Object {
    pub(crate) fn load(bytes: &[u8]) -> Result<Object, String> {
        let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        file.write_all(bytes).map_err(|error| error.to_string())?;
        let file = file.into_temp_path();
        // SAFETY: the object was made of our own C, which has no initialisers.
        let library =
            unsafe { Library::new(file.as_os_str()) }.map_err(|error| error.to_string())?;
        // SAFETY: the symbol is that of our C.
        unsafe { library.get::<Entry>(b"kernel") }.map_err(|error| error.to_string())?;
        Ok(Object {
            library,
            _file: file,
        })
    }

    /// Both vectors are of the width that the kernel was made for.
    pub(crate) fn run(&self, a: &[f64], b: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; a.len()];
        // SAFETY: the symbol was found when the object was loaded; the kernel reads and writes as
        // many elements as all three vectors have.
        unsafe {
            if let Ok(kernel) = self.library.get::<Entry>(b"kernel") {
                kernel(a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
            }
        }
        out
    }
}
