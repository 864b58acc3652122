//! The language reference says what is so: its programs parse, and its lists are complete.

use super::{items, parse};
use crate::diag::Code;
use crate::syntax::token::Kind;

const REFERENCE: &str = include_str!("../../../../../ir/language.md");

/// The fenced blocks of the reference.
fn blocks() -> impl Iterator<Item = &'static str> {
    REFERENCE.split("```").skip(1).step_by(2)
}

#[test]
fn programs_parse() {
    let begins = ["# comments", "abstract", "kernel"];
    let programs: Vec<_> = blocks()
        .filter(|block| begins.iter().any(|b| block.trim_start().starts_with(b)))
        .collect();
    assert_eq!(programs.len(), 4);
    for program in programs {
        assert!(!items(program).is_empty());
    }
}

#[test]
fn error_codes_are_listed() {
    let section = REFERENCE.split("## Errors").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    listed.sort_unstable();
    codes.sort_unstable();
    assert_eq!(listed, codes);
}

#[test]
fn keywords_are_listed() {
    let listed = blocks().find(|block| block.contains("break continue else"));
    let listed: Vec<&str> = listed.unwrap_or_default().split_whitespace().collect();
    assert_eq!(listed.len(), 15);
    for word in &listed {
        assert!(Kind::keyword(word).is_some(), "{word}");
        let (_, parsed) = parse(&format!("fn f({word}) {{ }}"));
        assert_eq!(parsed.diagnostics.len(), 1, "{word}");
    }
}
