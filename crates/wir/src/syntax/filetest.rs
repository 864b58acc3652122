//! What `# test parse` in the header of a file test means.
//!
//! The expectations are the comments at the end of the file: `# error: => CODE at LINE:COL` for each
//! diagnostic, in order; `# equal: f g` and `# differ: f g` for two methods of one file whose
//! parameters, result and body are or are not the same tree. A file without `# error` must parse,
//! and printing must be the inverse of parsing on it.

use std::sync::Arc;

use super::{Parsed, parse_file, print_file};
use crate::ast::{File, ItemKind, MethodDef, NodeId};
use crate::diag::{Diagnostic, FileId, Sources};

/// Runs the parse part of a file test. The error is a text for people.
pub fn check_parse_test(sources: &Sources, file: FileId) -> Result<(), String> {
    let parsed = parse_file(sources, file);
    let expectations = expectations(sources.text(file));
    let expected: Vec<&str> = expectations.iter().filter_map(|l| error_of(l)).collect();
    let found: Vec<String> = parsed
        .diagnostics
        .iter()
        .map(|d| summary(d, sources))
        .collect();
    if expected != found {
        let rendered: String = parsed
            .diagnostics
            .iter()
            .map(|d| d.render(sources))
            .collect();
        let (expected, found) = (expected.join("\n  "), found.join("\n  "));
        return Err(format!(
            "expected errors:\n  {expected}\nfound errors:\n  {found}\n{rendered}"
        ));
    }
    if found.is_empty() {
        round_trip(&parsed)?;
    }
    for line in expectations {
        compare(&parsed.file, line)?;
    }
    Ok(())
}

/// The text of a file test with its `# error` lines as they should be.
pub fn bless_parse_test(sources: &Sources, file: FileId) -> String {
    let parsed = parse_file(sources, file);
    let text = sources.text(file);
    let end = text.len() - tail(text).len();
    let mut out = text[..end].to_string();
    let others = expectations(text).into_iter();
    for line in others.filter(|line| error_of(line).is_none()) {
        out.push_str(&format!("# {line}\n"));
    }
    for d in &parsed.diagnostics {
        out.push_str(&format!("# error: => {}\n", summary(d, sources)));
    }
    out
}

/// `CODE at LINE:COL`
fn summary(d: &Diagnostic, sources: &Sources) -> String {
    match d.place {
        Some(place) => {
            let at = sources.line_col(place.file, place.span.lo);
            format!("{} at {}:{}", d.code, at.line, at.col)
        }
        None => d.code.to_string(),
    }
}

/// The comment lines at the end of a text that are expectations, with the line ends between.
fn tail(text: &str) -> &str {
    let is_expectation = |line: &str| {
        let keys = ["# error:", "# equal:", "# differ:"];
        keys.iter().any(|key| line.starts_with(key))
    };
    let mut start = text.len();
    for line in text.split_inclusive('\n').rev() {
        if !is_expectation(line) {
            break;
        }
        start -= line.len();
    }
    &text[start..]
}

fn expectations(text: &str) -> Vec<&str> {
    tail(text)
        .lines()
        .map(|line| line.trim_start_matches("# ").trim_end())
        .collect()
}

fn error_of(expectation: &str) -> Option<&str> {
    expectation.strip_prefix("error: =>").map(str::trim)
}

fn round_trip(parsed: &Parsed) -> Result<(), String> {
    let kinds = |file: &File| -> Vec<ItemKind> {
        file.items.iter().map(|item| item.kind.clone()).collect()
    };
    let printed = print_file(&parsed.file);
    let mut sources = Sources::new();
    let file = sources.add("printed", printed.as_str());
    let again = parse_file(&sources, file);
    if let Some(d) = again.diagnostics.first() {
        return Err(format!(
            "the printed program is wrong:\n{}",
            d.render(&sources)
        ));
    }
    if kinds(&again.file) != kinds(&parsed.file) {
        return Err(format!(
            "the printed program means something else:\n{printed}"
        ));
    }
    let twice = print_file(&again.file);
    match twice == printed {
        true => Ok(()),
        false => Err(format!("printed twice:\n{twice}\nprinted once:\n{printed}")),
    }
}

fn compare(file: &File, expectation: &str) -> Result<(), String> {
    let (equal, names) = match expectation.split_once(':') {
        Some(("equal", names)) => (true, names),
        Some(("differ", names)) => (false, names),
        _ => return Ok(()),
    };
    let methods: Result<Vec<MethodDef>, String> = names
        .split_whitespace()
        .map(|name| method(file, name))
        .collect();
    let methods = methods?;
    for pair in methods.windows(2) {
        if (pair[0] == pair[1]) != equal {
            let what = if equal { "differ" } else { "are equal" };
            return Err(format!("these methods {what}:{names}"));
        }
    }
    match methods.len() {
        0 | 1 => Err(format!("`{expectation}` needs two names")),
        _ => Ok(()),
    }
}

/// The only method of a name, without its name.
fn method(file: &File, name: &str) -> Result<MethodDef, String> {
    let mut found = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Method(def) if &*def.name == name => Some(def),
        _ => None,
    });
    match (found.next(), found.next()) {
        (Some(def), None) => Ok(MethodDef {
            id: NodeId(0),
            name: Arc::from(""),
            ..MethodDef::clone(def)
        }),
        _ => Err(format!("`{name}` is not exactly one method of the file")),
    }
}
