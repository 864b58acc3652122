//! Project tasks: `cargo xtask setup|test|tidy|bless|miri`.
//!
//! Reading order: [`report`] (steps and their summary), [`setup`] (what the tasks need),
//! [`mod@test`] (everything that must hold before a merge), [`tidy`] (the rules that neither
//! rustc nor clippy knows), [`bless`] (accept the new expected outputs), [`miri`] (undefined
//! behaviour, by an interpreter).
//!
//! Invariant: a task never waits for input and never needs the network for anything but
//! what it installs, so it runs unattended.
#![expect(
    clippy::print_stdout,
    reason = "xtask is a command; its report is its output"
)]

mod bless;
mod miri;
mod process;
mod report;
mod setup;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

/// Set-up, test, tidy and bless.
#[derive(Parser)]
#[command(name = "cargo xtask", version, about)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need and the machine lacks
    Setup {
        /// Also install the system packages of these optional parts (needs root and apt)
        #[arg(long, value_delimiter = ',')]
        with: Vec<setup::Part>,
    },
    /// Set up, then run every check and every test, and sum up
    Test {
        /// Also the long runs: random edits, mutated inputs and killed processes by the thousand
        #[arg(long)]
        nightly: bool,
    },
    /// Check the layering, the file rules and the names in documents
    Tidy,
    /// Run what miri can run; skipped where it is missing
    Miri,
    /// Run the tests and accept what they produced as the expected output
    Bless {
        /// Passed on to `cargo test`, e.g. `-p worldage-dispatch`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Args::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything that ran passed.
fn run(task: Task) -> Result<bool> {
    // `cargo run` starts us wherever the user stands; every task speaks of the whole project.
    std::env::set_current_dir(project_root()?).context("cannot enter the project root")?;
    match task {
        Task::Setup { with } => Ok(setup::run(&with)),
        Task::Test { nightly } => Ok(test::run(nightly)),
        Task::Tidy => tidy::run(),
        Task::Miri => Ok(miri::run()),
        Task::Bless { args } => bless::run(&args),
    }
}

/// The folder of the workspace's `Cargo.toml`.
fn project_root() -> Result<PathBuf> {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set: start this through `cargo xtask`")?;
    let mut root = PathBuf::from(xtask);
    root.pop();
    Ok(root)
}
