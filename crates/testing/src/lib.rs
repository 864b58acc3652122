//! Tests as data: `.wir` file tests and `.scn` scenarios, each checked against every engine.
//!
//! Reading order: [`run_path`] (one file, whatever it is), [`filetest`] (programs with expected
//! results), [`block`] (the text form of scenarios), [`scenario`] (what the verbs do), [`oracle`]
//! (the same session from scratch, and in the interpreter).

pub mod block;
pub mod filetest;
pub mod oracle;
pub mod scenario;

use std::io;
use std::path::{Path, PathBuf};

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// It cannot run here, and why.
    Ignored(String),
    /// What differs, for people.
    Failed(String),
}

/// Every test below the paths, sorted: files that end in `.wir` or `.scn`. A path that is a file
/// is taken as it is.
///
/// # Errors
/// If a path does not exist or cannot be read.
pub fn find(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
        let entry = entry.map_err(io::Error::from)?;
        let is_test = entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "wir" || extension == "scn");
        if entry.file_type().is_file() && (is_test || entry.depth() == 0) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// Runs one test file. With `bless`, what it expects is rewritten to what was found.
///
/// A file that cannot be read or written fails its test.
#[must_use]
pub fn run_path(path: &Path, bless: bool) -> Outcome {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::Failed(format!("cannot read {}: {error}", path.display())),
    };
    let name = path.display().to_string();
    let is_scenario = path.extension().is_some_and(|extension| extension == "scn");
    let (outcome, blessed) = if is_scenario {
        match String::from_utf8(bytes) {
            Ok(text) => scenario::run(&name, &text),
            Err(error) => (Outcome::Failed(format!("{name}: {error}")), None),
        }
    } else {
        filetest::run(&name, &bytes)
    };
    match blessed {
        Some(text) if bless => match std::fs::write(path, text) {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("cannot write {name}: {error}")),
        },
        _ => outcome,
    }
}

/// The lines that differ, with what stands around them.
pub(crate) fn diff(expected: &str, found: &str) -> String {
    similar::TextDiff::from_lines(expected, found)
        .unified_diff()
        .context_radius(4)
        .header("expected", "found")
        .to_string()
}
