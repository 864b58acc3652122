//! The text form of scenarios: blocks of a command, an optional body, `----` and what it prints.
//!
//! A blank line ends what is printed. Output that holds a blank line stands between two pairs of
//! `----` lines instead. `#` begins a comment, between blocks and behind a command.

use std::fmt::Write;

/// A piece of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Comments and blank lines, as they are.
    Text(String),
    /// A command with what it should print.
    Block(Block),
}

/// A command with what it should print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The line of the command, from 1.
    pub line: usize,
    /// The command as it is written, with its prefixes and comment.
    pub written: String,
    /// The session; empty for the default one.
    pub session: String,
    /// The command must fail.
    pub fails: bool,
    /// The command without prefixes and comment.
    pub command: String,
    /// The lines between the command and `----`.
    pub body: String,
    /// What it should print; every line ends with a newline.
    pub expected: String,
}

const RULE: &str = "----";

/// Takes a scenario apart.
///
/// # Errors
/// The line and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Piece>, (usize, String)> {
    // Carriage returns at a line's end are none of it, however many an editor made of them.
    let lines = text.lines().map(|line| line.trim_end_matches('\r'));
    let lines: Vec<&str> = lines.collect();
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            plain.push_str(line);
            plain.push('\n');
            at += 1;
            continue;
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        let start = at;
        at += 1;
        let mut body = String::new();
        while lines.get(at).is_some_and(|line| line.trim_end() != RULE) {
            body.push_str(lines[at]);
            body.push('\n');
            at += 1;
        }
        if at == lines.len() {
            return Err((
                start + 1,
                "a command ends with `----`, and this one has none".into(),
            ));
        }
        at += 1;
        let doubled = lines.get(at).is_some_and(|line| line.trim_end() == RULE);
        let mut expected = String::new();
        if doubled {
            at += 1;
            let end = |at: usize| {
                let is_rule = |at: usize| lines.get(at).is_some_and(|line| line.trim_end() == RULE);
                is_rule(at) && is_rule(at + 1)
            };
            while !end(at) {
                let Some(line) = lines.get(at) else {
                    return Err((
                        start + 1,
                        "output that begins with two `----` ends with two".into(),
                    ));
                };
                expected.push_str(line);
                expected.push('\n');
                at += 1;
            }
            at += 2;
        } else {
            while lines.get(at).is_some_and(|line| !line.trim().is_empty()) {
                expected.push_str(lines[at].trim_end());
                expected.push('\n');
                at += 1;
            }
        }
        // The blank line that ends the block is printed with it.
        if lines.get(at).is_some_and(|line| line.trim().is_empty()) {
            at += 1;
        }
        let (session, fails, command) = prefixes(lines[start]);
        pieces.push(Piece::Block(Block {
            line: start + 1,
            written: lines[start].trim_end().to_owned(),
            session,
            fails,
            command,
            body,
            expected,
        }));
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

/// `!a: call f(1)  # why` is the session `a`, must fail, `call f(1)`.
fn prefixes(line: &str) -> (String, bool, String) {
    let mut rest = without_comment(line).trim();
    let (mut session, mut fails) = (String::new(), false);
    loop {
        if let Some(after) = rest.strip_prefix('!') {
            fails = true;
            rest = after.trim_start();
            continue;
        }
        let name_len = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        match rest[name_len..].strip_prefix(':') {
            Some(after) if name_len > 0 && session.is_empty() => {
                session = rest[..name_len].to_owned();
                rest = after.trim_start();
            }
            _ => return (session, fails, rest.to_owned()),
        }
    }
}

/// The command of a line: a `#` behind a space begins a comment, unless it stands in a string.
fn without_comment(line: &str) -> &str {
    let (mut quoted, mut escaped, mut after_space) = (false, false, true);
    for (ix, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted && after_space => return &line[..ix],
            _ => {}
        }
        after_space = c.is_whitespace();
    }
    line
}

/// Writes a scenario down.
#[must_use]
pub fn print(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for (ix, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Block(block) => {
                let _ = write!(out, "{}\n{}{RULE}\n", block.written, block.body);
                // In the plain form a blank line ends it, and white space at a line's end is lost.
                let is_plain = |line: &str| !line.is_empty() && line.trim_end() == line;
                match !block.expected.lines().all(is_plain) {
                    true => {
                        let _ = write!(out, "{RULE}\n{}{RULE}\n{RULE}\n", block.expected);
                    }
                    false => out.push_str(&block.expected),
                }
                if ix + 1 < pieces.len() {
                    out.push('\n');
                }
            }
        }
    }
    out
}

impl Block {
    /// The same block, saying what was found.
    #[must_use]
    pub fn with(&self, output: &str, failed: bool) -> Block {
        let written = match (self.fails, failed) {
            (false, true) => format!("!{}", self.written),
            (true, false) => self.written.replacen('!', "", 1),
            _ => self.written.clone(),
        };
        Block {
            written,
            fails: failed,
            expected: output.to_owned(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A comment.

define in gpu
  fn f(x) { x }   # kept

  fn g() { f(1) }
----
world 1
  + g()

!a: call g(\"# no comment\")  # a comment
----
error: type-mismatch

# Between.
call h()
----
----
one

=> nothing
----
----

table gpu
----
";

    #[test]
    fn printing_is_the_inverse_of_parsing() {
        assert_eq!(print(&parse(TEXT).unwrap()), TEXT);
    }

    #[test]
    fn prefixes_and_comments_are_taken_off() {
        let pieces = parse(TEXT).unwrap();
        let blocks = pieces.iter().filter_map(|piece| match piece {
            Piece::Block(block) => Some(block),
            Piece::Text(_) => None,
        });
        let found: Vec<_> = blocks
            .map(|block| {
                (
                    block.line,
                    &*block.session,
                    block.fails,
                    &*block.command,
                    &*block.expected,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (3, "", false, "define in gpu", "world 1\n  + g()\n"),
                (
                    11,
                    "a",
                    true,
                    "call g(\"# no comment\")",
                    "error: type-mismatch\n"
                ),
                (16, "", false, "call h()", "one\n\n=> nothing\n"),
                (25, "", false, "table gpu", ""),
            ]
        );
    }

    #[test]
    fn a_command_without_an_end_is_named() {
        let (line, reason) = parse("# x\n\ncall f()\n").unwrap_err();
        assert_eq!((line, reason.contains("----")), (3, true));
    }

    #[test]
    fn a_block_says_what_was_found() {
        let pieces = parse("a: call f()\n----\n=> 1\n").unwrap();
        let [Piece::Block(block)] = &pieces[..] else {
            panic!("one block: {pieces:?}");
        };
        let failed = block.with("error: division-error\n", true);
        assert_eq!((&*failed.written, failed.fails), ("!a: call f()", true));
        assert_eq!(failed.with("=> 1\n", false).written, "a: call f()");
    }
}
