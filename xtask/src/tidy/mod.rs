//! The rules that neither rustc nor clippy knows: layering, file rules, names in documents.
//!
//! Each rule is a pure function from what was read to the places that break it, so it is
//! tested without a checkout; this file does the reading.

mod docs;
mod examples;
mod layers;
mod sources;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{cargo, output_of};

/// A place that breaks a rule, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    place: String,
    message: String,
}

impl Violation {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Violation {
            place: place.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Checks the whole project and prints what breaks a rule; whether nothing does.
///
/// # Errors
/// When cargo or git cannot be started, or a file cannot be read.
pub(crate) fn run() -> Result<bool> {
    let mut violations = layers::check(&layers::Package::parse_all(&metadata()?)?);
    let files = project_files()?;
    for path in &files {
        let is_rust = path.ends_with(".rs");
        let is_manifest = path.ends_with("Cargo.toml");
        let is_document = path.ends_with(".md");
        if !(is_rust || is_manifest || is_document) {
            continue;
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        if is_rust {
            violations.extend(sources::check_rust(path, &text));
            violations.extend(examples::check(path, &text));
        }
        if is_manifest {
            violations.extend(sources::check_manifest(path, &text));
        }
        if is_document {
            violations.extend(docs::check(path, &text, |named| Path::new(named).exists()));
        }
    }
    violations.sort();
    for violation in &violations {
        println!("{violation}");
    }
    println!(
        "tidy: {} files, {} violations",
        files.len(),
        violations.len()
    );
    Ok(violations.is_empty())
}

/// What cargo knows of the packages of this workspace, as JSON.
fn metadata() -> Result<String> {
    output_of(&mut cargo([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--locked",
        "--offline",
    ]))
}

/// Every file that git tracks or would track, with `/` between folders.
fn project_files() -> Result<Vec<String>> {
    let listed = output_of(Command::new("git").args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    Ok(listed
        .split('\0')
        .filter(|path| !path.is_empty() && Path::new(path).is_file())
        .map(str::to_owned)
        .collect())
}
