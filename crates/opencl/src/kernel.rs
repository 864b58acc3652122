//! A kernel that can be launched: built for a device at its first launch there.

use crate::cache::{BinaryCache, Recipe};
use crate::code::Code;
use crate::device::Device;
use crate::error::Error;
use crate::launch::{self, ErrorWords, Grid};
use crate::program::{self, Built, Program};
use opencl3::kernel::Kernel as ClKernel;
use parking_lot::Mutex;
use std::sync::Arc;
use worldage_wir::device::Fault;
use worldage_wir::device::memory::{Args, Launched};
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

/// A kernel of this session; its program is built when it is first launched.
pub struct Kernel {
    code: Arc<Code>,
    built: Mutex<Option<OnDevice>>,
}

struct OnDevice {
    device: Arc<Device>,
    options: String,
    program: Program,
    kernel: ClKernel,
    errors: ErrorWords,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel")
            .field("entry", &self.code.entry)
            .finish_non_exhaustive()
    }
}

impl Kernel {
    /// A kernel that was not built yet.
    #[must_use]
    pub fn new(code: &Arc<Code>) -> Kernel {
        Kernel {
            code: Arc::clone(code),
            built: Mutex::new(None),
        }
    }

    /// The artifact.
    #[must_use]
    pub fn code(&self) -> &Arc<Code> {
        &self.code
    }

    /// Builds it for a device, unless it is.
    ///
    /// # Errors
    /// If the device lacks something or its compiler refuses the text.
    pub fn build(
        &self,
        device: &Arc<Device>,
        cache: Option<&dyn BinaryCache>,
    ) -> Result<Built, Error> {
        let mut built = self.built.lock();
        let on = self.on(&mut built, device, cache)?;
        on.program.keep(&self.recipe(device, &on.options), cache);
        Ok(on.program.built)
    }

    fn recipe<'a>(&'a self, device: &'a Device, options: &'a str) -> Recipe<'a> {
        Recipe {
            name: &self.code.entry,
            source: &self.code.text,
            options,
            device: device.identity(),
        }
    }

    fn on<'b>(
        &self,
        built: &'b mut Option<OnDevice>,
        device: &Arc<Device>,
        cache: Option<&dyn BinaryCache>,
    ) -> Result<&'b mut OnDevice, Error> {
        let is_there = built
            .as_ref()
            .is_some_and(|on| Arc::ptr_eq(&on.device, device));
        if !is_there {
            let can = device.abilities();
            if self.code.needs_double && !can.double {
                return Err(device.unsuited("it does not compute in double precision"));
            }
            if self.code.needs_long_atomics && !can.long_atomics {
                return Err(device.unsuited("it has no atomics on 64-bit integers"));
            }
            let options = program::options(device);
            let program = Program::build(device, &self.recipe(device, &options), cache)?;
            let kernel = program.kernel(&self.code.entry)?;
            *built = Some(OnDevice {
                device: Arc::clone(device),
                options,
                program,
                kernel,
                errors: ErrorWords::new(),
            });
        }
        Ok(built.as_mut().expect("made just now"))
    }

    /// Runs it on every work-item. A work-item that fails stops; the others go on.
    ///
    /// # Errors
    /// If it does not build, the arguments or sizes are wrong, or the driver refuses.
    pub fn launch(
        &self,
        device: &Arc<Device>,
        u: &Universe,
        values: &[Value],
        grid: Grid,
        cache: Option<&dyn BinaryCache>,
    ) -> Result<Launched, Error> {
        launch::check(device, grid)?;
        let args = Args::new(values, &self.code.leaves, &self.code.written)?;
        let mut built = self.built.lock();
        let on = self.on(&mut built, device, cache)?;
        // SAFETY: the text of the kernel is ours: its parameters are, in order, those of the
        // leaves that the arguments were checked against, and it checks its indices.
        let (after, took) = unsafe {
            let form = launch::Form::Wir(&mut on.errors);
            launch::run(device, &on.kernel, (u, values, &args), grid, form)
        }?;
        on.program.keep(&self.recipe(device, &on.options), cache);
        Ok(Launched {
            args: after,
            fault: Fault::read(&self.code.sites, &on.errors.words),
            took,
        })
    }
}
