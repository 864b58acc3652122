//! OpenCL C as foreign IR: programs of which worldage knows the text, and what the driver tells of
//! their kernels.
//!
//! Reading order: this file (a program on a device), `sources` (files and what they include),
//! `shipped` (the files in the binary), `params` (what kernels take), `log` (why a build failed).

mod log;
mod params;
mod shipped;
mod sources;

pub use log::{Message, messages};
pub use params::{KernelInfo, Param, Space};
pub use shipped::{programs as shipped_programs, references as shipped_references};
pub use sources::{File, Sources};

use crate::cache::{BinaryCache, Recipe};
use crate::device::Device;
use crate::error::Error;
use crate::launch::{self, Form, Grid};
use crate::program::{self, Built, Program};
use opencl3::kernel::Kernel as ClKernel;
use parking_lot::Mutex;
use std::sync::Arc;
use worldage_wir::device::memory::{Args, Launched};
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

/// A program of foreign text, built for one device.
pub struct Foreign {
    device: Arc<Device>,
    built: Built,
    /// Sorted by name. A driver's kernel keeps its arguments, so one launch at a time.
    kernels: Vec<(KernelInfo, Mutex<ClKernel>)>,
}

impl std::fmt::Debug for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Foreign")
            .field("device", &self.device)
            .field("kernels", &self.kernels().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The options of a build: those of every build, and the program's own.
///
/// # Errors
/// [`Error::Arguments`] for a folder of includes: the key would not name what lies there.
pub fn options(device: &Device, own: &str) -> Result<String, Error> {
    if own
        .split_whitespace()
        .any(|option| option.starts_with("-I"))
    {
        let message =
            "-I is not taken: a file that is included lies beside the one that includes it";
        return Err(Error::Arguments(message.to_string()));
    }
    if own.contains('\0') {
        return Err(Error::Arguments("an option with a NUL".to_string()));
    }
    // What kernels take is asked of the driver, which keeps it only where it is told to.
    let mut all = program::options(device) + " -cl-kernel-arg-info";
    if !own.is_empty() {
        all.push(' ');
        all.push_str(own);
    }
    Ok(all)
}

impl Foreign {
    /// Builds a program for a device, or reloads it. `options`: those of [`options`].
    ///
    /// # Errors
    /// If the driver's compiler refuses the text or the options.
    pub fn build(
        device: &Arc<Device>,
        sources: &Sources,
        options: &str,
        cache: Option<&dyn BinaryCache>,
    ) -> Result<Foreign, Error> {
        let recipe = Recipe {
            name: sources.name(),
            source: sources.text(),
            options,
            device: device.identity(),
        };
        let mut program = Program::build(device, &recipe, cache)?;
        let mut kernels = Vec::new();
        for name in program.kernel_names() {
            let kernel = program.kernel(&name)?;
            kernels.push((KernelInfo::of(&kernel, &name)?, Mutex::new(kernel)));
        }
        program.keep(&recipe, cache);
        Ok(Foreign {
            device: Arc::clone(device),
            built: program.built,
            kernels,
        })
    }

    /// How it came to be.
    #[must_use]
    pub fn built(&self) -> Built {
        self.built
    }

    /// Its kernels, sorted by name.
    pub fn kernels(&self) -> impl Iterator<Item = &KernelInfo> {
        self.kernels.iter().map(|(info, _)| info)
    }

    /// Launches a kernel: scalars by value, arrays of scalars as pointers to their elements. Gives
    /// the arguments as they are afterwards; an array that the kernel promises not to write is the
    /// one that was given.
    ///
    /// # Safety
    /// The kernel must stay within the arrays that it is given.
    ///
    /// # Errors
    /// If there is no such kernel, or the arguments do not fit its parameters, or the grid not the
    /// device.
    pub unsafe fn launch(
        &self,
        kernel: &str,
        u: &Universe,
        values: &[Value],
        grid: Grid,
    ) -> Result<Launched, Error> {
        launch::check(&self.device, grid)?;
        let found = self.kernels.iter().find(|(info, _)| info.name == kernel);
        let (info, on_device) = found.ok_or_else(|| {
            let names: Vec<&str> = self.kernels().map(|info| &*info.name).collect();
            let names = names.join(", ");
            Error::Arguments(format!("there is no kernel `{kernel}`; there are: {names}"))
        })?;
        let (leaves, written) = info.pass(u, values)?;
        let args = Args::new(values, &leaves, &written)?;
        let on_device = on_device.lock();
        // SAFETY: sizes and kinds of arguments were checked, and are checked by the driver; the
        // rest is the caller's promise.
        let ran = unsafe {
            let all = (u, values, &args);
            launch::run(&self.device, &on_device, all, grid, Form::Foreign)
        };
        let (args, took) = ran?;
        Ok(Launched {
            args,
            fault: None,
            took,
        })
    }
}
