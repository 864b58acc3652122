//! How a command ends: the statuses of the contract, and panics, which are ours.
//!
//! Invariant: a panic anywhere, also one that the engine turned into an error of a stage, ends the
//! process with status 70, whatever the command made of it.

use crate::terminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use worldage::{CallFailure, DumpError, EditFailure, Session, StartError};

/// Why a command did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The program, scenario or check is wrong; rendered diagnostics.
    #[error("{0}")]
    Program(String),
    /// The command was called wrongly.
    #[error("error: {0}\n")]
    Usage(String),
    /// The environment is missing something: what, and how to get it.
    #[error("error: {0}\n  = hint: {1}\n")]
    Missing(String, String),
    /// As the status says; everything has been said.
    #[error("")]
    Said(u8),
}

/// How a command ends.
pub(crate) type Done = Result<(), Failure>;

const BUG: u8 = 70;

static PANICKED: AtomicBool = AtomicBool::new(false);

impl Failure {
    /// Something of the contract that this build does not have.
    pub(crate) fn later(what: &str) -> Failure {
        Failure::Missing(
            format!("{what} is not in this build"),
            "a later version has it; `worldage help` lists what there is".to_string(),
        )
    }

    /// There is no device to run on.
    #[cfg(any(feature = "opencl", feature = "cuda"))]
    pub(crate) fn no_device(error: &worldage::DeviceError) -> Failure {
        let hint = "`worldage devices` shows what this machine offers and how to get more";
        Failure::Missing(error.to_string(), hint.to_string())
    }

    /// Code for a device that this build was made without.
    #[cfg(not(all(feature = "opencl", feature = "llvm")))]
    pub(crate) fn no_feature(what: &str, feature: &str) -> Failure {
        Failure::Missing(
            format!("code for {what} is not in this build: its feature `{feature}` is off"),
            format!("build the command with `--features {feature}`"),
        )
    }

    /// A refused edit, with positions.
    pub(crate) fn edit(session: &Session, failure: &EditFailure) -> Failure {
        let shown = failure.diagnostics.iter().map(|d| session.render(d));
        Failure::Program(shown.collect())
    }

    /// A folder of what was compiled that could not be written.
    pub(crate) fn dump(session: &Session, error: DumpError) -> Failure {
        match error {
            DumpError::Failed(failure) => Failure::edit(session, &failure),
            io @ DumpError::Io { .. } => Failure::Usage(io.to_string()),
        }
    }

    /// A failed call, with positions.
    pub(crate) fn call(session: &Session, failure: &CallFailure) -> Failure {
        Failure::Program(session.render(&failure.diagnostic))
    }

    fn status(&self) -> u8 {
        match self {
            Failure::Program(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Missing(..) => 3,
            Failure::Said(status) => *status,
        }
    }

    /// Says it on standard error; what is left is the status.
    pub(crate) fn say(&self) -> Failure {
        terminal::say(&self.to_string());
        Failure::Said(self.status())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        let hint = "worldage makes code for x86-64 and aarch64 machines with Linux";
        Failure::Missing(error.to_string(), hint.to_string())
    }
}

/// Makes every panic say that it is a bug of worldage and how to report it.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANICKED.store(true, Ordering::Relaxed);
        let what = info.payload_as_str().unwrap_or("a panic without a message");
        let place = info
            .location()
            .map_or(String::new(), |at| format!(" at {at}"));
        let backtrace = std::backtrace::Backtrace::capture();
        terminal::say(&format!(
            "error: internal error: {what}{place}\n\
             {backtrace:.0}\
             This is a bug of worldage, not of your program. Please report it with this message,\n\
             the command line, the files and the output of `worldage --version`.\n"
        ));
    }));
}

/// The exit status of what a command came to; says what is left to say.
pub(crate) fn status(ended: std::thread::Result<Done>) -> ExitCode {
    let status = match ended {
        Ok(Ok(())) => terminal::flush().err().map_or(0, |failure| {
            failure.say();
            failure.status()
        }),
        Ok(Err(failure)) => {
            failure.say();
            failure.status()
        }
        Err(_) => BUG,
    };
    if PANICKED.load(Ordering::Relaxed) {
        return ExitCode::from(BUG);
    }
    ExitCode::from(status)
}
