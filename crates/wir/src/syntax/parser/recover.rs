//! Going on after an error, and what the lexer's errors mean.
//!
//! Invariants: skipping never goes past a definition that begins a line, nor past the `}` of the
//! enclosing block; each skipped token is looked at once.

use super::{Kind, Parser};
use crate::syntax::token::Bad;

impl Parser<'_> {
    /// Whether the next token begins a definition.
    pub(in crate::syntax) fn at_item(&self) -> bool {
        match self.tok.kind {
            Kind::Fn | Kind::Struct => true,
            Kind::Ident => {
                let text = self.slice(self.tok);
                match text {
                    "abstract" => {
                        let next = self.peek();
                        next.kind == Kind::Ident && self.slice(next) == "type"
                    }
                    "inline" | "noinline" | "kernel" => {
                        let next = self.peek();
                        next.kind == Kind::Fn
                            || (next.kind == Kind::Ident
                                && !next.begins_line
                                && matches!(self.slice(next), "inline" | "noinline" | "kernel"))
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Skips the rest of a statement that failed, which began with `base` open brackets.
    pub(super) fn skip_stmt(&mut self, base: usize) {
        // Counts by kind say whether a closing bracket has a partner at all, so that finding
        // the partner below is linear over the whole skip.
        let open = self.room.open.drain(base..);
        let mut stack: Vec<Kind> = open.map(|(closer, _)| closer).collect();
        let mut counts = [0usize; 3];
        for &closer in &stack {
            counts[index(closer)] += 1;
        }
        loop {
            let kind = self.tok.kind;
            match kind {
                Kind::Eof => return,
                _ if self.tok.begins_line && self.at_item() => return,
                // A statement begins here unless a block that was opened since is open.
                Kind::Var | Kind::Return | Kind::While | Kind::For
                    if self.tok.begins_line && counts[index(Kind::RBrace)] == 0 =>
                {
                    return;
                }
                Kind::Semi if stack.is_empty() => return,
                _ if stack.is_empty() && self.tok.begins_line => return,
                _ => {}
            }
            if let Some(closer) = kind.closer() {
                counts[index(closer)] += 1;
                stack.push(closer);
            } else if matches!(kind, Kind::RParen | Kind::RBracket | Kind::RBrace) {
                if counts[index(kind)] > 0 {
                    while let Some(closer) = stack.pop() {
                        counts[index(closer)] -= 1;
                        if closer == kind {
                            break;
                        }
                    }
                } else if kind == Kind::RBrace {
                    return;
                }
            }
            self.bump();
            if kind == Kind::RBrace && stack.is_empty() && !self.at(Kind::Else) {
                // The statement ended with a block, as after a broken `if` condition.
                return;
            }
        }
    }

    /// Skips to the next definition that begins a line.
    pub(super) fn skip_item(&mut self) {
        self.room.open.clear();
        while !(self.at(Kind::Eof) || self.tok.begins_line && self.at_item()) {
            self.bump();
        }
    }
}

fn index(closer: Kind) -> usize {
    match closer {
        Kind::RParen => 0,
        Kind::RBracket => 1,
        _ => 2,
    }
}

/// Message and hint for text that is no token.
pub(super) fn explain(bad: Bad, text: &str) -> (String, Option<String>) {
    let (message, hint) = match bad {
        Bad::UnterminatedString => (
            "this string has no end".to_string(),
            "a string ends with `\"` on its own line; a line end in it is written `\\n`",
        ),
        Bad::Escape => (
            format!("{} is no escape", super::describe(text)),
            "the escapes are `\\n`, `\\t`, `\\\"`, `\\\\` and `\\u{…}`",
        ),
        Bad::UnicodeEscape => (
            "this escape names no character".to_string(),
            "`\\u{…}` holds one to six hexadecimal digits, such as `\\u{e9}` for é",
        ),
        Bad::ControlInString => (
            "a control character in a string".to_string(),
            "write it as an escape, such as `\\u{0}`",
        ),
        Bad::DigitAfterPoint => (
            "a number needs a digit after its point".to_string(),
            "write `1.0`; to take a field of a number, put the number in parentheses",
        ),
        Bad::DigitBeforePoint => (
            "a number needs a digit before its point".to_string(),
            "write `0.5` rather than `.5`",
        ),
        Bad::Exponent => (
            "this exponent has no digits".to_string(),
            "write for example `1e-9`",
        ),
        Bad::NoDigits => (
            "this number has no digits".to_string(),
            "write for example `0xff`, `0o17` or `0b101`",
        ),
        Bad::Underscore => (
            "an underscore in a number stands between two digits".to_string(),
            "write for example `1_000`",
        ),
        Bad::Suffix => (
            format!("{} does not belong to a number", super::describe(text)),
            "put a space or an operator after the number; other types are made by a conversion, such as `Float32(1.5)`",
        ),
        Bad::Control => {
            let code = text.chars().next().map_or(0, u32::from);
            (
                format!("a control character (U+{code:04X}) in the program"),
                "is this a text file?",
            )
        }
        Bad::Char => {
            let hint = match text {
                "'" | "`" => "strings stand in double quotes",
                "^" => "write `pow(a, b)` for a power and `xor(a, b)` for exclusive or",
                "@" | "$" | "?" | "\\" => {
                    "this sign has no meaning outside of strings and comments"
                }
                "\u{a0}" | "\u{3000}" => "this is a space of a special kind; write a plain one",
                _ => "names begin with a letter or `_`",
            };
            (
                format!("unexpected character {}", super::describe(text)),
                hint,
            )
        }
    };
    (message, Some(hint.to_string()))
}
