//! What goes wrong with a device: the environment, a build, a launch.

/// Why a device did not do it. A work-item that fails is no error of the device: see [`Fault`].
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
    #[error("{0}")]
    Include(String),
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

impl Error {
    /// Whether it would be the same tomorrow on this machine: the program is wrong, not the
    /// environment.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        matches!(
            self,
            Error::Build { .. } | Error::Include(_) | Error::Arguments(_)
        )
    }

    pub(crate) fn driver(call: &'static str) -> impl Fn(opencl3::error_codes::ClError) -> Error {
        move |error| Error::Driver {
            call,
            error: error.to_string(),
        }
    }
}

/// How a work-item failed: the first one that said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The site, an index into [`crate::Code::sites`].
    pub site: usize,
    /// The index and the length, if the index was out of bounds.
    pub bounds: Option<(i64, i64)>,
    /// The calls that led there, innermost first; indices into [`crate::Code::sites`].
    pub calls: Vec<usize>,
}
