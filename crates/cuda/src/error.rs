//! What goes wrong with a device.

/// Why a device did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The driver's library is not here, or does not start.
    #[error("no CUDA driver: {0}; install that of an Nvidia GPU")]
    NoDriver(String),
    /// The driver is older than what is asked of it.
    #[error("the CUDA driver supports {found}, and {needed} is needed: update it")]
    OldDriver {
        /// What it supports: `11.4`.
        found: String,
        /// What is needed.
        needed: &'static str,
    },
    /// There is no device of this number.
    #[error("no CUDA device {ordinal}: there are {count}")]
    NoDevice {
        /// The number that was asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// The driver's compiler refused the PTX.
    #[error("the driver refuses the PTX: {log}")]
    Build {
        /// What it said.
        log: String,
    },
    /// Sizes, buffers or code that do not suit the device or the kernel.
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
        matches!(self, Error::Build { .. } | Error::Arguments(_))
    }
}
