//! A `.clif` file: its functions, the targets that it is made for, and its run lines.
//!
//! Invariant: nothing of the file is left out silently. What cannot be checked here is
//! counted with its reason, what is wrong is a [`ParseError`] with its line.

use crate::compiler::Targets;
use cranelift_codegen::ir::Function;
use cranelift_codegen::settings::{Flags, Value};
use cranelift_codegen::verify_function;
use cranelift_reader::{Feature, IsaSpec, Location, ParseError, RunCommand, TestFile};
use std::collections::HashSet;
use std::fmt::Display;
use std::panic::catch_unwind;
use std::sync::Arc;
use target_lexicon::Triple;
use worldage::embed::native::{Callee, NativeCaller, callees_of, host_isa_as, instance_name};

/// What is wrong with a file at a line.
pub(crate) fn error(line_number: usize, message: impl Display) -> ParseError {
    ParseError {
        location: Location { line_number },
        message: format!("error: {message}"),
        is_warning: false,
    }
}

/// A function with the lines that check it.
pub(crate) struct Checked {
    /// Its name with the types of its parameters.
    pub(crate) name: String,
    /// Its body.
    pub(crate) function: Function,
    /// The line of `function`.
    pub(crate) line: usize,
    /// What it calls, named likewise.
    pub(crate) calls: Vec<String>,
    /// The run lines behind it, with their line numbers.
    pub(crate) runs: Vec<(usize, RunCommand)>,
}

/// A file, ready to be compiled.
pub(crate) struct File {
    /// In the order of the text.
    pub(crate) functions: Vec<Checked>,
    /// What code is made for, by name: those of the file's targets that this machine can run,
    /// each at two opt levels.
    pub(crate) targets: Arc<Targets>,
    /// Why something is not checked, as often as it is a reason.
    pub(crate) skips: Vec<String>,
}

/// Features of the code generator that this build has.
const FEATURES: [&str; 4] = ["std", "unwind", "host-arch", "timing"];

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong: bytes that are no text, syntax, a body that the verifier
    /// refuses, a name defined twice, a run line that does not fit its function.
    pub(crate) fn read(bytes: &[u8]) -> Result<File, ParseError> {
        let text = std::str::from_utf8(bytes).map_err(|wrong| {
            error(
                line_at(bytes, wrong.valid_up_to()),
                "not UTF-8: this is no CLIF text",
            )
        })?;
        let mut skips = Vec::new();
        let (native, is_foreign) = with_native_targets(text, &mut skips);
        let parsed = parse(&native)?;
        if parsed.functions.is_empty() {
            return Err(error(1, "no function: a file defines at least one"));
        }
        let targets = match is_run_here(&parsed, &mut skips) {
            true => native_targets(&parsed.isa_spec, &is_foreign, &mut skips),
            false => Targets::new(),
        };
        Ok(File {
            functions: functions(&native, &parsed, targets.values().next(), &mut skips)?,
            targets: Arc::new(targets),
            skips,
        })
    }
}

/// Whether test and feature lines let run lines be run by this build.
fn is_run_here(parsed: &TestFile<'_>, skips: &mut Vec<String>) -> bool {
    let (mut runs, mut fits) = (false, true);
    for test in &parsed.commands {
        match test.command {
            "run" | "interpret" => runs = true,
            other => skips.push(format!("test line: `{other}` is not run here")),
        }
    }
    for feature in &parsed.features {
        let (Feature::With(name) | Feature::Without(name)) = feature;
        if FEATURES.contains(name) != matches!(feature, Feature::With(_)) {
            skips.push(format!("feature line: this build differs in {name:?}"));
            fits = false;
        }
    }
    runs && fits
}

/// What code is made for: each of the targets that this machine can run, with its features; for
/// no target in particular, all that this machine has.
fn native_targets(spec: &IsaSpec, is_foreign: &[bool], skips: &mut Vec<String>) -> Targets {
    let mut asked: Vec<(&Flags, Option<Vec<Value>>)> = Vec::new();
    match spec {
        IsaSpec::None(flags) => asked.push((flags, None)),
        IsaSpec::Some(isas) => {
            for (isa, _) in isas.iter().zip(is_foreign).filter(|asked| !asked.1) {
                asked.push((isa.flags(), Some(isa.isa_flags())));
            }
        }
    }
    let mut targets = Targets::new();
    for (number, (flags, features)) in (1..).zip(&asked) {
        for level in ["none", "speed"] {
            let mut changes = vec![("opt_level", level)];
            if features.is_none() {
                changes.push(("enable_llvm_abi_extensions", "true"));
            }
            let name = format!("target {number} at {level}");
            match host_isa_as(flags, &changes, features.as_deref()) {
                Ok(isa) => drop(targets.insert(name, NativeCaller::new(isa))),
                Err(why) => skips.push(format!("target line, at {level}: {why}")),
            }
        }
    }
    targets
}

/// The reader, which may itself fall over what it is given.
fn parse(text: &str) -> Result<TestFile<'_>, ParseError> {
    let parsed = catch_unwind(|| cranelift_reader::parse_test(text, Default::default()));
    let parsed = parsed.map_err(|_| error(1, "the reader of CLIF panicked at this file"))?;
    parsed.map_err(|wrong| error(wrong.location.line_number.max(1), wrong.message))
}

fn functions(
    text: &str,
    parsed: &TestFile<'_>,
    target: Option<&NativeCaller>,
    skips: &mut Vec<String>,
) -> Result<Vec<Checked>, ParseError> {
    let mut names = HashSet::new();
    let mut functions = Vec::new();
    for (function, details) in &parsed.functions {
        let (name, line) = (&function.name, details.location.line_number);
        // Of files that are not run here, functions are not linked: names may be anything.
        if !names.insert(name) && target.is_some() {
            return Err(error(
                line,
                format!("function {name} is defined twice: rename one"),
            ));
        }
        let verified = target.map(|target| verify_function(function, &**target.isa()));
        if let Some(Err(errors)) = verified {
            let first = &errors.0[0];
            let at = details.map.location(first.location);
            let line = at.map_or(line, |at| at.line_number);
            return Err(error(line, format!("in {name}: {first}")));
        }
        let mut runs = Vec::new();
        for comment in &details.comments {
            let line = line_of(text, comment.text);
            let run = cranelift_reader::parse_run_command(comment.text, &function.signature);
            match (target, run) {
                (Some(_), Ok(run)) => runs.extend(run.map(|run| (line, run))),
                (Some(_), Err(wrong)) => return Err(error(line, wrong.message)),
                (None, Ok(Some(_))) => skips.push("run line: no target is for this machine".into()),
                (None, _) => {}
            }
        }
        let named = |callee: Callee| instance_name(&callee.name, &callee.signature);
        functions.push(Checked {
            name: instance_name(name, &function.signature),
            calls: callees_of(function).into_iter().map(named).collect(),
            function: function.clone(),
            line,
            runs,
        });
    }
    Ok(functions)
}

/// The line of a part of the text.
fn line_of(text: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    line_at(text.as_bytes(), offset)
}

fn line_at(text: &[u8], offset: usize) -> usize {
    1 + text[..offset].iter().filter(|byte| **byte == b'\n').count()
}

/// The text with this machine in place of each other one in its target lines, so that the reader
/// goes on; and for each of these lines whether it named another one.
fn with_native_targets(text: &str, skips: &mut Vec<String>) -> (String, Vec<bool>) {
    let host = Triple::host().architecture;
    let mut is_foreign = Vec::new();
    let lines = text.split('\n').map(|line| {
        let mut words = line.split_whitespace();
        if let (Some("target"), Some(name)) = (words.next(), words.next()) {
            // A name that is none is left for the reader to refuse.
            let target = name.parse().ok().map(|triple: Triple| triple.architecture);
            is_foreign.push(target.is_some_and(|target| target != host));
            if is_foreign.ends_with(&[true]) {
                skips.push(format!("target line: {name} is another machine"));
                return format!("target {host}");
            }
        }
        line.to_string()
    });
    let lines: Vec<String> = lines.collect();
    (lines.join("\n"), is_foreign)
}
