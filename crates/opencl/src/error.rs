//! What goes wrong with a device: the environment, a build, a launch.

/// Why a device did not do it. A work-item that fails is no error of the device: see [`worldage_wir::device::Fault`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no OpenCL here.
    #[error("no OpenCL device: {0}")]
    NoDevice(String),
    /// The program does not suit the device.
    #[error("{device} cannot run it: {what}")]
    Unsuited {
        /// The device's name.
        device: String,
        /// What it lacks.
        what: String,
    },
    /// The driver's compiler refused the source.
    #[error("{name} does not build: {log}")]
    Build {
        /// The kernel or file.
        name: String,
        /// What the driver's compiler said, with its own positions.
        log: String,
    },
    /// An include that nothing provides, or that includes itself.
    #[error("{file}:{line}: {what}")]
    Include {
        /// The file that includes.
        file: String,
        /// Its line, counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        error: String,
    },
    /// The arguments are not those of the kernel.
    #[error("{0}")]
    Arguments(String),
    /// The driver refused a call.
    #[error("{call}: {error}")]
    Driver {
        /// What was asked.
        call: &'static str,
        /// The driver's answer.
        error: String,
    },
}

impl From<worldage_wir::device::memory::ArgumentError> for Error {
    fn from(error: worldage_wir::device::memory::ArgumentError) -> Error {
        Error::Arguments(error.0)
    }
}

impl Error {
    /// Whether it would be the same tomorrow on this machine: the program is wrong, not the
    /// environment.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        matches!(
            self,
            Error::Build { .. } | Error::Include { .. } | Error::Arguments(_)
        )
    }

    pub(crate) fn count(given: u32, expected: u32) -> Error {
        Error::Arguments(format!(
            "the kernel has {expected} parameters, and {given} arguments were given"
        ))
    }

    pub(crate) fn driver(call: &'static str) -> impl Fn(opencl3::error_codes::ClError) -> Error {
        move |error| Error::Driver {
            call,
            error: error.to_string(),
        }
    }
}
