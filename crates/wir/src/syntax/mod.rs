//! Wir text to AST and back.
//!
//! Reading order: `token`, `lexer` (text to tokens), `parser` (tokens to AST, by recursive descent
//! with recovery), `number` (node numbers), `printer` (AST to text), `lone` (signatures, calls and
//! arguments outside of files), `filetest` (what `# test parse` checks). The grammar is in
//! `ir/language.md`.
//!
//! Invariants: parsing never panics and takes time linear in the text; parsing what the printer
//! wrote gives the tree that it printed; a tree's height is at most [`MAX_HEIGHT`] expressions,
//! so later passes may recurse over it.

mod filetest;
mod lexer;
mod lone;
mod number;
mod parser;
mod printer;
mod token;

#[cfg(test)]
mod tests;

pub use filetest::{bless_parse_test, check_parse_test};
pub use lone::{Input, SigExpr, TextError, input_kind, parse_call, parse_sig, parse_value_arg};
pub use number::number;
pub use parser::{MAX_ERRORS, MAX_HEIGHT, MAX_NESTING};
pub use printer::{print_block, print_expr, print_file, print_item, print_type_expr};

use crate::ast;
use crate::diag::{BadText, Code, Diagnostic, FileId, Sources};
use std::sync::Arc;

/// What parsing a file gives.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The definitions that are right, in source order.
    pub file: ast::File,
    /// What is wrong with the others, in source order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a file. Several errors are found in one go, and definitions without one are there.
///
/// ```
/// use worldage_wir::{diag::Sources, syntax};
/// let mut sources = Sources::new();
/// let file = sources.add("demo.wir", "fn f(x: Int64) { x + }\nfn g() { 1 }\n");
/// let parsed = syntax::parse_file(&sources, file);
/// assert_eq!(parsed.file.items.len(), 1);
/// assert_eq!(parsed.diagnostics[0].code.as_str(), "syntax");
/// ```
pub fn parse_file(sources: &Sources, file: FileId) -> Parsed {
    if let Some(bad) = sources.bad(file) {
        return Parsed {
            file: ast::File::default(),
            diagnostics: vec![bad_text(bad, file)],
        };
    }
    let text = sources.shared_text(file);
    let mut parser = parser::Parser::new(&text, file);
    let mut file = parser.file();
    for item in &mut file.items {
        item.text = Arc::downgrade(&text);
    }
    Parsed {
        file,
        diagnostics: parser.into_diagnostics(),
    }
}

fn bad_text(bad: BadText, file: FileId) -> Diagnostic {
    match bad {
        BadText::InvalidUtf8(at) => {
            let at = ast::Span { lo: at, hi: at };
            Diagnostic::error(
                Code::InvalidUtf8,
                "the file is not valid UTF-8 from here on",
            )
            .at(file, at)
            .hint("save it as UTF-8")
        }
        BadText::TooLarge => Diagnostic::error(Code::Syntax, "the file is larger than 4 GiB")
            .at(file, ast::Span::default())
            .hint("split it into several files"),
    }
}
