//! Steps, their outcomes, and the table that closes a run.
//!
//! Invariant: a step that fails does not keep the later ones from running.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ran and found nothing wrong.
    Passed,
    /// It ran and found something wrong, which it printed.
    Failed,
    /// It did not run; why, and how to make it run.
    Skipped(String),
}

impl From<bool> for Outcome {
    fn from(passed: bool) -> Self {
        if passed {
            Outcome::Passed
        } else {
            Outcome::Failed
        }
    }
}

/// The steps that ran so far.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    outcome: Outcome,
    took: Duration,
}

impl Report {
    /// Runs one step and records how it ended; an error counts as a failure.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> Result<Outcome>) {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = run().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Outcome::Failed
        });
        if let Outcome::Skipped(why) = &outcome {
            println!("skipped: {why}");
        }
        self.rows.push(Row {
            name: name.to_owned(),
            outcome,
            took: start.elapsed(),
        });
    }

    /// Prints the summary; whether nothing failed.
    pub(crate) fn finish(self) -> bool {
        print!("\n{}", table(&self.rows));
        self.rows.iter().all(|row| row.outcome != Outcome::Failed)
    }
}

/// One line per step: outcome, seconds, name, and for skipped ones the reason.
fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = String::from("=== summary\n");
    for Row {
        name,
        outcome,
        took,
    } in rows
    {
        let seconds = took.as_secs_f64();
        let (word, reason) = match outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed => ("FAILED", ""),
            Outcome::Skipped(why) => ("skipped", why.as_str()),
        };
        let line = format!("{word:<8} {seconds:>7.1} s  {name:<width$}  {reason}");
        writeln!(text, "{}", line.trim_end()).expect("a String takes any text");
    }
    let count = |wanted: fn(&Outcome) -> bool| rows.iter().filter(|r| wanted(&r.outcome)).count();
    writeln!(
        text,
        "{} passed, {} failed, {} skipped",
        count(|o| *o == Outcome::Passed),
        count(|o| *o == Outcome::Failed),
        count(|o| matches!(o, Outcome::Skipped(_))),
    )
    .expect("a String takes any text");
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(steps: &[(&str, Outcome, u64)], expected: Expect) {
        let rows: Vec<Row> = steps
            .iter()
            .map(|(name, outcome, millis)| Row {
                name: (*name).to_owned(),
                outcome: outcome.clone(),
                took: Duration::from_millis(*millis),
            })
            .collect();
        expected.assert_eq(&table(&rows));
    }

    #[test]
    fn every_outcome_has_its_word() {
        check(
            &[
                ("rustfmt", Outcome::Passed, 1_250),
                ("unit and file tests", Outcome::Failed, 93_000),
                ("llvm", Outcome::Skipped("LLVM 22 not found".to_owned()), 0),
            ],
            expect![[r#"
                === summary
                passed       1.2 s  rustfmt
                FAILED      93.0 s  unit and file tests
                skipped      0.0 s  llvm                 LLVM 22 not found
                1 passed, 1 failed, 1 skipped
            "#]],
        );
    }

    #[test]
    fn a_failing_step_does_not_stop_the_next() {
        let mut report = Report::default();
        let mut second_ran = false;
        report.step("first", || anyhow::bail!("broken on purpose"));
        report.step("second", || {
            second_ran = true;
            Ok(Outcome::Passed)
        });
        assert!(second_ran);
        assert!(!report.finish());
    }

    #[test]
    fn a_skipped_step_is_no_failure() {
        let mut report = Report::default();
        report.step("gpu", || Ok(Outcome::Skipped("no GPU".to_owned())));
        assert!(report.finish());
    }
}
