//! One line for an edit: what it changed, and what that made of compiled code.

use std::time::Duration;
use worldage::{EditReport, Update};

/// More changes than this are counted, not named.
const NAMED: usize = 3;

/// How much of a program ran through the stages again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    /// How often infer, codegen and link ran.
    pub(crate) ran: [usize; 3],
    /// Compiled instances that stayed as they were.
    pub(crate) reused: usize,
    /// What it took.
    pub(crate) time: Duration,
}

impl From<&Update> for Work {
    fn from(update: &Update) -> Work {
        Work {
            ran: update.ran,
            reused: update.reused,
            time: Duration::from_nanos(update.ns),
        }
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [inferred, generated, relinked] = self.ran;
        let ms = self.time.as_secs_f64() * 1000.0;
        write!(
            f,
            "{inferred} inferred, {generated} generated, {relinked} relinked, {} reused, {ms:.1} ms",
            self.reused
        )
    }
}

/// What an edit changed: `area(Circle) replaced, g() deleted`.
pub(crate) fn changes(report: &EditReport) -> String {
    let word = |line: &str| match line.as_bytes().first() {
        Some(b'+') => "defined",
        Some(b'~') => "replaced",
        _ => "deleted",
    };
    let named: Vec<String> = report
        .lines
        .iter()
        .take(NAMED)
        .map(|line| format!("{} {}", line.get(2..).unwrap_or(line), word(line)))
        .collect();
    match report.lines.len().saturating_sub(NAMED) {
        0 if named.is_empty() => "nothing changed".to_string(),
        0 => named.join(", "),
        more => format!("{}, and {more} more", named.join(", ")),
    }
}

/// The line of an edit.
pub(crate) fn line(report: &EditReport, work: &Work) -> String {
    format!("{}: {work}\n", changes(report))
}
