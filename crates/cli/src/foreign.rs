//! Files of OpenCL C, which several commands take in the place of a program in Wir: `launch`,
//! `run`, `emit`, `explain`.
//!
//! Reading order: this file (which files they are), `build` (to a program on the device, and why
//! not), then one file per command.

#[cfg(feature = "opencl")]
mod build;
#[cfg(feature = "opencl")]
mod check;
#[cfg(feature = "opencl")]
mod explain;
#[cfg(feature = "opencl")]
mod launch;

use crate::failure::{Done, Failure};
use std::path::{Path, PathBuf};

/// Whether these are files of OpenCL C: by their names.
pub(crate) fn is_foreign(paths: &[PathBuf]) -> bool {
    paths.iter().any(|path| is_opencl(path))
}

fn is_opencl(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "cl")
}

/// The one file that makes a program.
#[cfg(feature = "opencl")]
fn only(paths: &[PathBuf]) -> Result<&Path, Failure> {
    match paths {
        [path] => Ok(path),
        _ => Err(Failure::Usage(
            "one file of OpenCL C is a program: what it needs, it includes".to_string(),
        )),
    }
}

/// `worldage launch FILE.cl`
#[cfg(feature = "opencl")]
pub(crate) fn launch(args: &crate::launch::Args) -> Done {
    launch::run(args)
}

/// `worldage run FILE.cl`
#[cfg(feature = "opencl")]
pub(crate) fn check(args: &crate::run::Args) -> Done {
    check::run(args)
}

/// `worldage emit FILE.cl`
#[cfg(feature = "opencl")]
pub(crate) fn emit(paths: &[PathBuf], output: Option<&Path>) -> Done {
    let sources = build::sources(only(paths)?)?;
    crate::files::write(output, sources.text())
}

/// `worldage explain FILE.cl --after EDITED.cl`
#[cfg(feature = "opencl")]
pub(crate) fn explain(before: &Path, after: &Path, json: bool) -> Done {
    explain::run(before, after, json)
}

#[cfg(not(feature = "opencl"))]
fn missing() -> Done {
    Err(Failure::no_feature("files of OpenCL C", "opencl"))
}

#[cfg(not(feature = "opencl"))]
pub(crate) fn launch(_args: &crate::launch::Args) -> Done {
    missing()
}

#[cfg(not(feature = "opencl"))]
pub(crate) fn check(_args: &crate::run::Args) -> Done {
    missing()
}

#[cfg(not(feature = "opencl"))]
pub(crate) fn emit(_paths: &[PathBuf], _output: Option<&Path>) -> Done {
    missing()
}

#[cfg(not(feature = "opencl"))]
pub(crate) fn explain(_before: &Path, _after: &Path, _json: bool) -> Done {
    missing()
}
