//! Programs: source to something that can be launched, by the driver's compiler or from a binary.

use crate::cache::{BinaryCache, Recipe};
use crate::device::Device;
use crate::error::Error;
use opencl3::kernel::Kernel as ClKernel;
use opencl3::program::Program as ClProgram;
use std::time::{Duration, Instant};

/// How a program came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// Whether the driver's compiler was spared.
    pub from_cache: bool,
    /// How long it took.
    pub took: Duration,
}

/// A built program.
pub(crate) struct Program {
    program: ClProgram,
    kept: bool,
    pub(crate) built: Built,
}

/// The options of every build: results must be those of the host, bit for bit.
pub(crate) fn options(device: &Device) -> String {
    let mut options = String::from("-cl-std=CL1.2");
    if device.abilities().correctly_rounded {
        options.push_str(" -cl-fp32-correctly-rounded-divide-sqrt");
    }
    options
}

impl Program {
    /// From a binary in the cache, else by the driver's compiler.
    pub(crate) fn build(
        device: &Device,
        recipe: &Recipe<'_>,
        cache: Option<&dyn BinaryCache>,
    ) -> Result<Program, Error> {
        let _one = device.building.lock();
        let start = Instant::now();
        let kept = cache.and_then(|cache| Self::reload(device, recipe, cache));
        let from_cache = kept.is_some();
        let program = match kept {
            Some(program) => program,
            None => Self::compile(device, recipe)?,
        };
        let took = start.elapsed();
        let did = if from_cache { "reloaded" } else { "built" };
        let (name, on) = (recipe.name, &device.identity().name);
        let ms = took.as_secs_f64() * 1e3;
        tracing::info!(target: "worldage::device", "{did} {name} for {on}: {ms:.1} ms");
        Ok(Program {
            program,
            kept: from_cache,
            built: Built { from_cache, took },
        })
    }

    fn reload(device: &Device, recipe: &Recipe<'_>, cache: &dyn BinaryCache) -> Option<ClProgram> {
        let binary = cache.get(recipe)?;
        let context = &device.context;
        let options = recipe.options;
        let program = ClProgram::create_and_build_from_binary(context, &[&binary], options);
        if let Err(error) = &program {
            cache.refuse(recipe, &error.to_string());
        }
        program.ok()
    }

    fn compile(device: &Device, recipe: &Recipe<'_>) -> Result<ClProgram, Error> {
        let mut program = ClProgram::create_from_source(&device.context, recipe.source)
            .map_err(Error::driver("clCreateProgramWithSource"))?;
        if let Err(error) = program.build(device.context.devices(), recipe.options) {
            let log = program.get_build_log(device.context.devices()[0]);
            let log = log.ok().filter(|log| !log.trim().is_empty());
            return Err(Error::Build {
                name: recipe.name.to_string(),
                log: log.unwrap_or_else(|| error.to_string()).trim().to_string(),
            });
        }
        Ok(program)
    }

    /// A kernel of the program.
    pub(crate) fn kernel(&self, name: &str) -> Result<ClKernel, Error> {
        ClKernel::create(&self.program, name).map_err(Error::driver("clCreateKernel"))
    }

    /// Keeps the binary for other processes. Law: after the kernels were made and launched, since
    /// some drivers compile no sooner.
    pub(crate) fn keep(&mut self, recipe: &Recipe<'_>, cache: Option<&dyn BinaryCache>) {
        let Some(cache) = cache.filter(|_| !std::mem::replace(&mut self.kept, true)) else {
            return;
        };
        if let Ok(binaries) = self.program.get_binaries()
            && let [binary] = &binaries[..]
            && !binary.is_empty()
        {
            cache.put(recipe, binary);
        }
    }

    /// The names of the kernels, sorted.
    pub(crate) fn kernel_names(&self) -> Vec<String> {
        let names = self.program.kernel_names().split(';');
        let mut names: Vec<String> = names
            .filter(|name| !name.is_empty())
            .map(str::to_string)
            .collect();
        names.sort();
        names
    }
}
