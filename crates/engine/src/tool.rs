//! Tools: compilers and assemblers outside of the process, which codegen may run.
//!
//! Invariants: what a tool is and its version are an external fact that inference reads, so code
//! of another version is never taken for this one's; a run sees nothing but its inputs, in a
//! folder of its own; a run is bounded in time.

use crate::cx::ExternalKey;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a run may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// How much of what a tool says is kept.
const SAID_LIMIT: u64 = 64 << 10;

/// A program, and the version that it says it is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tool {
    path: String,
    version: String,
}

/// Why a tool gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// Nobody registered a tool of this name.
    #[error("unknown-tool: `{0}`: register it in an edit")]
    Unknown(Arc<str>),
    /// It cannot be run, or its files cannot be written or read.
    #[error("tool `{path}`: {message}")]
    Environment {
        /// The program.
        path: Arc<str>,
        /// What the system said.
        message: Arc<str>,
    },
    /// It says that its input is wrong.
    #[error("tool `{path}` failed: {said}")]
    Failed {
        /// The program.
        path: Arc<str>,
        /// What it wrote to its error stream.
        said: Arc<str>,
    },
    /// It took too long.
    #[error("tool `{path}` was stopped after {seconds} s")]
    TimedOut {
        /// The program.
        path: Arc<str>,
        /// The limit.
        seconds: u64,
    },
}

impl Tool {
    /// Asks a program for its version with these arguments (`--version`).
    ///
    /// # Errors
    /// [`ToolError`]: there is no such program, or it does not know its version.
    pub fn probe(path: &str, version_args: &[&str]) -> Result<Tool, ToolError> {
        let folder = tempfile::tempdir().map_err(|error| environment(path, &error))?;
        let version = execute(path, version_args, folder.path())?;
        let path = path.into();
        Ok(Tool { path, version })
    }

    /// What it said of its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The external fact that a tool of this name is.
    #[must_use]
    pub fn fact(name: &str) -> ExternalKey {
        let name = name.into();
        ExternalKey { kind: "tool", name }
    }

    /// The fact's value.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.path.as_bytes(), &[0], self.version.as_bytes()].concat()
    }

    /// Reads what [`Tool::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Tool> {
        let (path, version) = std::str::from_utf8(bytes).ok()?.split_once('\0')?;
        let (path, version) = (path.into(), version.into());
        Some(Tool { path, version })
    }

    /// Runs it in an empty folder with these files, and gives the file that it made there.
    ///
    /// # Errors
    /// [`ToolError`].
    pub fn run(
        &self,
        args: &[&str],
        inputs: &[(&str, &[u8])],
        output: &str,
    ) -> Result<Vec<u8>, ToolError> {
        let failed = |error: io::Error| environment(&self.path, &error);
        let folder = tempfile::tempdir().map_err(failed)?;
        for (name, bytes) in inputs {
            fs::write(folder.path().join(name), bytes).map_err(failed)?;
        }
        execute(&self.path, args, folder.path())?;
        fs::read(folder.path().join(output)).map_err(failed)
    }
}

fn environment(path: &str, error: &io::Error) -> ToolError {
    let (path, message) = (path.into(), error.to_string().into());
    ToolError::Environment { path, message }
}

/// Runs a program to its end and gives what it wrote to its output stream.
fn execute(path: &str, args: &[&str], folder: &Path) -> Result<String, ToolError> {
    let failed = |error: io::Error| environment(path, &error);
    // What it says goes to files: a pipe that nobody reads would hold it up.
    let said = |name: &str| fs::File::create(folder.join(name));
    let mut child = Command::new(path)
        .args(args.iter().map(OsStr::new))
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(said(".stdout").map_err(failed)?)
        .stderr(said(".stderr").map_err(failed)?)
        .spawn()
        .map_err(failed)?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if start.elapsed() > TIME_LIMIT {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            let (path, seconds) = (path.into(), TIME_LIMIT.as_secs());
            return Err(ToolError::TimedOut { path, seconds });
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let read = |name: &str| {
        let mut text = Vec::new();
        let file = fs::File::open(folder.join(name))?;
        file.take(SAID_LIMIT).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
    };
    if !status.success() {
        let said: Arc<str> = read(".stderr").map_err(failed)?.into();
        let path = path.into();
        return Err(ToolError::Failed { path, said });
    }
    read(".stdout").map_err(failed)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell() -> Tool {
        Tool::probe("/bin/sh", &["-c", "echo one"]).expect("a shell")
    }

    #[test]
    fn a_run_makes_a_file_of_files() {
        let args = ["-c", "tr a-z A-Z < in > out"];
        let made = shell().run(&args, &[("in", b"text")], "out");
        assert_eq!(made.expect("it runs"), b"TEXT");
    }

    #[test]
    fn what_it_says_of_itself_is_its_version() {
        let tool = shell();
        assert_eq!(tool.version(), "one");
        assert_eq!(Tool::from_bytes(&tool.to_bytes()), Some(tool));
        assert_eq!(Tool::from_bytes(b"no version"), None);
    }

    #[test]
    fn failures_are_typed() {
        let failed = shell().run(&["-c", "echo wrong >&2; exit 3"], &[], "out");
        let said = "wrong".into();
        let path: Arc<str> = "/bin/sh".into();
        let expected = ToolError::Failed { path, said };
        assert_eq!(failed, Err(expected));
        let missing = Tool::probe("/nowhere/cc", &["--version"]);
        assert!(matches!(missing, Err(ToolError::Environment { .. })));
        let silent = shell().run(&["-c", "true"], &[], "out");
        assert!(matches!(silent, Err(ToolError::Environment { .. })));
    }
}
