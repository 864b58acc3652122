//! Data to standard output, everything else to standard error, in colours where they are wanted.
//!
//! Invariants: nobody reads any more is no error: the process ends quietly. A message that cannot
//! be written is dropped. Colours appear only on a terminal and without `NO_COLOR`.

use crate::failure::Failure;
use std::io::{self, ErrorKind, Write};

/// Writes data at once.
pub(crate) fn out(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).or_else(ended)
}

/// Writes one line of data.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    out(text)?;
    out("\n")
}

/// Writes what a program prints, from within its run: it cannot go on where nobody listens.
pub(crate) fn program_output(text: &str) {
    if let Err(failure) = out(text) {
        let Failure::Said(status) = failure.say() else {
            return;
        };
        std::process::exit(status.into());
    }
}

/// Hands everything written to the system.
pub(crate) fn flush() -> Result<(), Failure> {
    io::stdout().flush().or_else(ended)
}

fn ended(error: io::Error) -> Result<(), Failure> {
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    Err(Failure::Missing(
        format!("cannot write to standard output: {error}"),
        "check that there is room for the output".to_string(),
    ))
}

/// Says something on standard error.
pub(crate) fn say(text: &str) {
    let mut painted = String::with_capacity(text.len());
    text.split_inclusive('\n')
        .for_each(|line| paint(&mut painted, line));
    let _ = anstream::stderr().write_all(painted.as_bytes());
}

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[36m";
const BLUE: &str = "\x1b[34m";
const PLAIN: &str = "\x1b[0m";

/// Colours one line of a rendered diagnostic.
fn paint(out: &mut String, line: &str) {
    let text = line.trim_end_matches('\n');
    let end = &line[text.len()..];
    let inner = text.trim_start();
    let coloured = |from: usize, to: usize, colour: &str| {
        format!(
            "{}{colour}{}{PLAIN}{}",
            &text[..from],
            &text[from..to],
            &text[to..]
        )
    };
    let at = |what: &str| text.find(what).map(|at| (at, at + what.len()));
    let painted = if let Some(carets) = inner.strip_prefix("| ") {
        let from = text.len() - carets.len();
        match carets.contains('^') {
            true => coloured(from, text.len(), RED),
            false => text.to_string(),
        }
    } else if let Some((from, to)) = at("= hint:").or(at("= note:")) {
        coloured(from, to, CYAN)
    } else if let Some(from) = head(text, "error") {
        coloured(from, word_end(text, from), RED)
    } else if let Some(from) = head(text, "warning") {
        coloured(from, word_end(text, from), YELLOW)
    } else if let Some((from, to)) = at(": note:") {
        coloured(from + 2, to, BLUE)
    } else {
        text.to_string()
    };
    out.push_str(&painted);
    out.push_str(end);
}

/// Where `error` stands as the head of a diagnostic, alone or after a position.
fn head(text: &str, word: &str) -> Option<usize> {
    let heads = |at: usize| text[at + word.len()..].starts_with(['[', ':']);
    if text.starts_with(word) && heads(0) {
        return Some(0);
    }
    let at = text.find(&format!(": {word}"))? + 2;
    heads(at).then_some(at)
}

fn word_end(text: &str, from: usize) -> usize {
    text[from..].find(": ").map_or(text.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::paint;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let mut out = String::new();
        paint(&mut out, line);
        assert_eq!(out.replace('\x1b', "^["), expected);
    }

    #[test]
    fn heads_carets_and_hints_are_coloured() {
        check(
            "a.wir:1:2: error[syntax]: no\n",
            "a.wir:1:2: ^[[1;31merror[syntax]^[[0m: no\n",
        );
        check(
            "warning[ambiguous-call]: f",
            "^[[1;33mwarning[ambiguous-call]^[[0m: f",
        );
        check("  |   ^^", "  | ^[[1;31m  ^^^[[0m");
        check("3 | error: no head", "3 | error: no head");
        check("  = hint: try", "  ^[[36m= hint:^[[0m try");
    }
}
