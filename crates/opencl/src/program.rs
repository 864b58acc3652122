//! Programs: source to something that can be launched, by the driver's compiler or from a binary.

use crate::cache::{self, BinaryCache};
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
    key: cache::Key,
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
        name: &str,
        source: &str,
        options: &str,
        cache: Option<&dyn BinaryCache>,
    ) -> Result<Program, Error> {
        let _one = device.building.lock();
        let start = Instant::now();
        let key = cache::key(source, options, device.identity());
        if let Some(binary) = cache.and_then(|cache| cache.get(&key))
            && let Ok(program) =
                ClProgram::create_and_build_from_binary(&device.context, &[&binary], options)
        {
            return Ok(Program {
                program,
                key,
                kept: true,
                built: Built {
                    from_cache: true,
                    took: start.elapsed(),
                },
            });
        }
        let mut program = ClProgram::create_from_source(&device.context, source)
            .map_err(Error::driver("clCreateProgramWithSource"))?;
        if let Err(error) = program.build(device.context.devices(), options) {
            let log = program.get_build_log(device.context.devices()[0]);
            let log = log.ok().filter(|log| !log.trim().is_empty());
            return Err(Error::Build {
                name: name.to_string(),
                log: log.unwrap_or_else(|| error.to_string()).trim().to_string(),
            });
        }
        Ok(Program {
            program,
            key,
            kept: false,
            built: Built {
                from_cache: false,
                took: start.elapsed(),
            },
        })
    }

    /// A kernel of the program.
    pub(crate) fn kernel(&self, name: &str) -> Result<ClKernel, Error> {
        ClKernel::create(&self.program, name).map_err(Error::driver("clCreateKernel"))
    }

    /// Keeps the binary for other processes. Law: after the kernels were made and launched, since
    /// some drivers compile no sooner.
    pub(crate) fn keep(&mut self, cache: Option<&dyn BinaryCache>) {
        let Some(cache) = cache.filter(|_| !std::mem::replace(&mut self.kept, true)) else {
            return;
        };
        if let Ok(binaries) = self.program.get_binaries()
            && let [binary] = &binaries[..]
            && !binary.is_empty()
        {
            cache.put(&self.key, binary);
        }
    }
}

impl Program {
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

    /// Makes every kernel once: some drivers compile no sooner.
    pub(crate) fn make_kernels(&self) {
        for name in self.kernel_names() {
            drop(self.kernel(&name));
        }
    }
}
