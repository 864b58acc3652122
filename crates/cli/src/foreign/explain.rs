//! `worldage explain FILE.cl --after EDITED.cl`: whether the driver would compile again, and which
//! files are why. A program of OpenCL C is one unit: all its kernels are built together.

use super::build;
use crate::failure::{Done, Failure};
use crate::terminal;
use serde::Serialize;
use std::path::Path;
use worldage::opencl::foreign::Sources;

#[derive(Debug, Serialize)]
struct Report<'a> {
    program: &'a str,
    build: &'static str,
    because: Vec<Change<'a>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Change<'a> {
    file: &'a str,
    did: &'static str,
}

/// Runs the command.
pub(super) fn run(before: &Path, after: &Path, json: bool) -> Done {
    let old = build::sources(before)?;
    // The edited file stands for the first one, whatever it is called.
    let new = build::sources(after)?.renamed(old.name());
    let new = new.map_err(|error| Failure::Program(format!("error: {error}\n")))?;
    let report = Report {
        program: old.name(),
        build: if old.text() == new.text() {
            "reused"
        } else {
            "ran"
        },
        because: changes(&old, &new),
    };
    if json {
        return terminal::line(&serde_json::to_string(&report).unwrap_or_default());
    }
    let mut out = format!("{}\n  build    {}\n", report.program, report.build);
    for Change { file, did } in &report.because {
        out += &format!("    file {file}  {did}\n");
    }
    terminal::out(&out)
}

/// The files that differ, sorted.
fn changes<'a>(old: &'a Sources, new: &'a Sources) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for file in old.files() {
        match new.files().iter().find(|other| other.name == file.name) {
            None => changes.push((&*file.name, "removed")),
            Some(other) if other.text != file.text => changes.push((&*file.name, "replaced")),
            Some(_) => {}
        }
    }
    let is_new = |name: &str| old.files().iter().all(|file| file.name != name);
    let added = new.files().iter().filter(|file| is_new(&file.name));
    changes.extend(added.map(|file| (&*file.name, "inserted")));
    let mut changes: Vec<Change<'_>> = changes
        .into_iter()
        .map(|(file, did)| Change { file, did })
        .collect();
    changes.sort();
    changes
}
