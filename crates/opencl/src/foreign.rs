//! OpenCL C as foreign IR: files of which worldage knows only the text and the kernels' names.
//!
//! Includes are put into the text before the driver sees it, so the key of a program names
//! everything that it was made from, and `#line` keeps the driver's positions right.

use crate::cache::BinaryCache;
use crate::data::{Elem, Leaf};
use crate::device::Device;
use crate::error::Error;
use crate::launch::{self, Form, Grid};
use crate::program::{self, Built, Program};
use std::fmt::Write as _;
use std::sync::Arc;
use worldage_wir::device::memory::Args;
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

/// A file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// As `#include` and positions name it.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// A program of foreign text, built for one device.
pub struct Foreign {
    device: Arc<Device>,
    program: Program,
}

impl std::fmt::Debug for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Foreign")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// The text of a file with its includes in their places: each `#include "name"` that one of
/// `includes` provides. Others are left to the driver.
///
/// # Errors
/// A file that includes itself.
///
/// ```
/// use worldage_opencl::foreign::{File, expand};
/// let main = File { name: "main.cl", text: "#include \"two.h\"\nint f() { return TWO; }" };
/// let two = File { name: "two.h", text: "#define TWO 2" };
/// let text = expand(main, &[two]).unwrap();
/// assert_eq!(text, "#line 1 \"main.cl\"\n#line 1 \"two.h\"\n#define TWO 2\n\
///                   #line 2 \"main.cl\"\nint f() { return TWO; }\n");
/// ```
pub fn expand(main: File<'_>, includes: &[File<'_>]) -> Result<String, Error> {
    let mut out = String::new();
    let mut open = Vec::new();
    insert(main, includes, &mut open, &mut out)?;
    Ok(out)
}

fn insert<'a>(
    file: File<'a>,
    includes: &[File<'a>],
    open: &mut Vec<&'a str>,
    out: &mut String,
) -> Result<(), Error> {
    if open.contains(&file.name) {
        let path = open.join("` includes `");
        let name = file.name;
        return Err(Error::Include(format!("`{path}` includes `{name}`")));
    }
    open.push(file.name);
    let _ = writeln!(out, "#line 1 \"{}\"", file.name);
    for (ix, line) in file.text.lines().enumerate() {
        let named = included(line);
        match named.and_then(|name| includes.iter().find(|file| file.name == name)) {
            Some(include) => {
                insert(*include, includes, open, out)?;
                let _ = writeln!(out, "#line {} \"{}\"", ix + 2, file.name);
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    open.pop();
    Ok(())
}

/// The name in `#include "name"`.
fn included(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('#')?.trim_start();
    let rest = rest.strip_prefix("include")?.trim_start();
    let (name, _) = rest.strip_prefix('"')?.split_once('"')?;
    Some(name)
}

impl Foreign {
    /// Builds a program for a device, or reloads it.
    ///
    /// # Errors
    /// If an include is wrong or the driver's compiler refuses the text.
    pub fn build(
        device: &Arc<Device>,
        main: File<'_>,
        includes: &[File<'_>],
        options: &str,
        cache: Option<&dyn BinaryCache>,
    ) -> Result<Foreign, Error> {
        let text = expand(main, includes)?;
        let mut all = program::options(device);
        if !options.is_empty() {
            all.push(' ');
            all.push_str(options);
        }
        let mut program = Program::build(device, main.name, &text, &all, cache)?;
        program.make_kernels();
        program.keep(cache);
        Ok(Foreign {
            device: Arc::clone(device),
            program,
        })
    }

    /// How it came to be.
    #[must_use]
    pub fn built(&self) -> Built {
        self.program.built
    }

    /// The names of its kernels, sorted.
    #[must_use]
    pub fn kernels(&self) -> Vec<String> {
        self.program.kernel_names()
    }

    /// Launches a kernel: scalars by value, arrays of scalars as pointers to their elements. Gives
    /// the arguments as they are afterwards.
    ///
    /// # Safety
    /// The kernel must stay within the arrays that it is given.
    ///
    /// # Errors
    /// If there is no such kernel, or the arguments are not of its parameters' sizes.
    pub unsafe fn launch(
        &self,
        kernel: &str,
        u: &Universe,
        values: &[Value],
        grid: Grid,
    ) -> Result<Vec<Value>, Error> {
        launch::check(&self.device, grid)?;
        let leaves: Vec<Vec<Leaf>> = values
            .iter()
            .map(|value| Ok(vec![leaf(u, value)?]))
            .collect::<Result<_, Error>>()?;
        let args = Args::new(values, &leaves)?;
        let kernel = self.program.kernel(kernel)?;
        // SAFETY: the driver checks sizes and kinds of arguments; the rest is the caller's
        // promise.
        let ran = unsafe { launch::run(&self.device, &kernel, &args, grid, Form::Foreign) };
        let (buffers, _) = ran?;
        args.download(u, values, &buffers, |buffer, bytes| {
            launch::read(&self.device, buffer, bytes)
        })
    }
}

fn leaf(u: &Universe, value: &Value) -> Result<Leaf, Error> {
    match value {
        Value::Scalar(x) => Ok(Leaf::Scalar(x.scalar())),
        Value::Array(array) => {
            let scalar = u.scalar_of(array.elem_ty());
            let scalar = scalar.ok_or_else(|| {
                Error::Arguments("foreign kernels take arrays of numbers".to_string())
            })?;
            Ok(Leaf::Array(Elem {
                ty: array.elem_ty(),
                fields: vec![(scalar, 0)],
                size: scalar.bytes(),
            }))
        }
        _ => Err(Error::Arguments(
            "foreign kernels take numbers and arrays".to_string(),
        )),
    }
}
