//! Tests of the syntax, by part.

mod error_forms;
mod errors;
mod lexer;
mod limits;
mod parser;
mod printer;
mod random;
mod reference;

use crate::ast::ItemKind;
use crate::diag::Sources;
use crate::syntax::{Parsed, parse_file};

fn parse(text: &str) -> (Sources, Parsed) {
    let mut sources = Sources::new();
    let file = sources.add("t.wir", text);
    let parsed = parse_file(&sources, file);
    (sources, parsed)
}

/// The definitions of a text that must be right.
#[track_caller]
fn items(text: &str) -> Vec<ItemKind> {
    let (sources, parsed) = parse(text);
    if let Some(d) = parsed.diagnostics.first() {
        panic!("{}", d.render(&sources));
    }
    parsed
        .file
        .items
        .into_iter()
        .map(|item| item.kind)
        .collect()
}
