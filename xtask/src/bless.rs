//! Accepting what the tests produced as what is expected.

use anyhow::Result;

use crate::process::{cargo, succeeds};

/// Runs the tests with `UPDATE_EXPECT=1`; `args` are passed on to `cargo test`.
///
/// `cargo test` and not nextest: two processes that rewrite the snapshots of one source file
/// at once would overwrite each other, and nextest starts one process per test.
///
/// # Errors
/// When cargo or git cannot be started.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    let mut command = cargo(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    if !args
        .iter()
        .any(|arg| arg == "-p" || arg.starts_with("--package"))
    {
        command.arg("--workspace");
    }
    let passed = succeeds(command.args(args).env("UPDATE_EXPECT", "1"))?;
    succeeds(std::process::Command::new("git").args(["--no-pager", "diff", "--stat"]))?;
    println!("read every changed expectation before you commit it");
    Ok(passed)
}
