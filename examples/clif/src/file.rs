//! A `.clif` file: its functions, the targets that it is made for, and its run lines.
//!
//! Invariant: nothing of the file is left out silently. What cannot be checked here is
//! counted in [`Skips`] with its reason, what is wrong is an [`Error`] with its line.

use cranelift_codegen::ir::{Function, UserFuncName};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::Flags;
use cranelift_reader::{Feature, IsaSpec, ParseOptions, RunCommand, TestFile};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use target_lexicon::Triple;
use worldage::embed::native::{NativeError, host_isa};

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// What, and what to do about it.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: error: {}", self.line, self.message)
    }
}

impl Error {
    /// An error at a line.
    pub fn at(line: usize, message: impl fmt::Display) -> Error {
        let message = message.to_string();
        Error { line, message }
    }
}

/// Reasons, and how often each was one.
pub type Skips = BTreeMap<String, usize>;

/// A function with the lines that check it.
pub struct Checked {
    /// Its body.
    pub function: Function,
    /// The line of `function`.
    pub line: usize,
    /// The run lines behind it, with their line numbers.
    pub runs: Vec<(usize, RunCommand)>,
}

/// A file, ready to be compiled.
pub struct File {
    /// In the order of the text.
    pub functions: Vec<Checked>,
    /// What code is made for, by name: those of the file's targets that this machine can run,
    /// each at two opt levels.
    pub isas: BTreeMap<String, OwnedTargetIsa>,
    /// What will not be checked.
    pub skips: Skips,
}

/// Features of the code generator that this build has.
const FEATURES: [&str; 4] = ["std", "unwind", "host-arch", "timing"];

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong: bytes that are no text, syntax, a body that the verifier
    /// refuses, a name defined twice, a run line that does not fit its function.
    pub fn read(bytes: &[u8]) -> Result<File, Error> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            Error::at(line, "not UTF-8: this is no CLIF text")
        })?;
        let mut skips = Skips::new();
        let (native, foreign) = without_foreign_targets(text, &mut skips);
        let parsed = parse(&native)?;
        if parsed.functions.is_empty() {
            return Err(Error::at(1, "no function: a file defines at least one"));
        }
        let runs = |command: &str| matches!(command, "run" | "interpret");
        for test in parsed.commands.iter().filter(|test| !runs(test.command)) {
            skip(
                &mut skips,
                &format!("test line: `{}` is not run here", test.command),
                1,
            );
        }
        let mut usable = parsed.commands.iter().any(|test| runs(test.command));
        for feature in &parsed.features {
            let (Feature::With(name) | Feature::Without(name)) = feature;
            if FEATURES.contains(name) != matches!(feature, Feature::With(_)) {
                skip(
                    &mut skips,
                    &format!("feature line: this build differs in {name:?}"),
                    1,
                );
                usable = false;
            }
        }
        let asked: Vec<(&Flags, Option<&OwnedTargetIsa>)> = match &parsed.isa_spec {
            IsaSpec::Some(isas) => isas.iter().map(|isa| (isa.flags(), Some(isa))).collect(),
            IsaSpec::None(flags) if !foreign => vec![(flags, None)],
            IsaSpec::None(_) => Vec::new(),
        };
        let mut isas = BTreeMap::new();
        for (number, (flags, target)) in asked.into_iter().enumerate().filter(|_| usable) {
            for level in ["none", "speed"] {
                match isa(flags, target, level) {
                    Ok(isa) => drop(isas.insert(format!("target {} at {level}", number + 1), isa)),
                    Err(why) => skip(&mut skips, &format!("target line, at {level}: {why}"), 1),
                }
            }
        }
        let functions = functions(&native, &parsed, isas.values().next())?;
        Ok(File {
            functions,
            isas,
            skips,
        })
    }
}

/// The reader, which may itself fall over what it is given.
fn parse(text: &str) -> Result<TestFile<'_>, Error> {
    let options = ParseOptions {
        machine_code_cfg_info: true,
        ..ParseOptions::default()
    };
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        cranelift_reader::parse_test(text, options)
    }));
    match parsed {
        Ok(parsed) => {
            parsed.map_err(|error| Error::at(error.location.line_number.max(1), error.message))
        }
        Err(_) => Err(Error::at(1, "the reader of CLIF panicked at this file")),
    }
}

fn functions(
    text: &str,
    parsed: &TestFile<'_>,
    isa: Option<&OwnedTargetIsa>,
) -> Result<Vec<Checked>, Error> {
    let mut names: HashSet<&UserFuncName> = HashSet::new();
    let mut functions = Vec::new();
    for (function, details) in &parsed.functions {
        let line = details.location.line_number;
        // Of files that are not run here, functions are not linked: names may be anything.
        if !names.insert(&function.name) && isa.is_some() {
            let message = format!("function {} is defined twice: rename one", function.name);
            return Err(Error::at(line, message));
        }
        if let Some(isa) = isa {
            cranelift_codegen::verify_function(function, isa.as_ref()).map_err(|errors| {
                let first = &errors.0[0];
                let at = details.map.location(first.location);
                Error::at(
                    at.map_or(line, |at| at.line_number),
                    format!("in {}: {first}", function.name),
                )
            })?;
        }
        let mut runs = Vec::new();
        for comment in &details.comments {
            let line = line_of(text, comment.text);
            match cranelift_reader::parse_run_command(comment.text, &function.signature) {
                Ok(run) => runs.extend(run.map(|run| (line, run))),
                Err(error) if isa.is_some() => return Err(Error::at(line, error.message)),
                Err(_) => {}
            }
        }
        functions.push(Checked {
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
    1 + text.as_bytes()[..offset]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

/// The text with lines for other architectures left blank, so that line numbers stay; whether
/// there were such. A `set` line that only they would have read goes with them.
fn without_foreign_targets(text: &str, skips: &mut Skips) -> (String, bool) {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let mut sets = Vec::new();
    let mut foreign = false;
    for line in &mut lines {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("function"), _) => break,
            (Some("set"), _) => sets.push(line),
            (Some("target"), Some(name)) => {
                // A name that is none is left for the reader to refuse.
                let target = name.parse().ok().map(|triple: Triple| triple.architecture);
                if target.is_some_and(|target| target != Triple::host().architecture) {
                    skip(skips, &format!("target line: {name} is another machine"), 1);
                    foreign = true;
                    *line = "";
                } else {
                    sets.clear();
                }
            }
            _ => {}
        }
    }
    if foreign {
        sets.into_iter().for_each(|line| *line = "");
    }
    (lines.join("\n"), foreign)
}

/// An ISA of this machine with a file's settings, and the features of its target line or all that
/// this machine has.
fn isa(
    flags: &Flags,
    target: Option<&OwnedTargetIsa>,
    level: &str,
) -> Result<OwnedTargetIsa, NativeError> {
    let of_file: Vec<(&str, String)> = flags
        .iter()
        .map(|flag| (flag.name, flag.value_string()))
        .collect();
    let mut settings: Vec<(&str, &str)> = of_file
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    settings.push(("opt_level", level));
    if target.is_none() {
        // For no machine in particular: everything that this one can do.
        settings.push(("enable_llvm_abi_extensions", "true"));
    }
    let features = target.map(|target| target.isa_flags());
    host_isa(&settings, features.as_deref())
}

/// Counts a reason.
pub(crate) fn skip(skips: &mut Skips, why: &str, times: usize) {
    *skips.entry(why.to_string()).or_default() += times;
}
