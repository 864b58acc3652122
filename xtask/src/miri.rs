//! The tests that miri can run, for data races and undefined behaviour.
//!
//! Compiled code is out of its reach: of the packages with tests these are the ones that run no
//! machine code of their own. It takes many minutes, so it is no part of `cargo xtask test`.

use anyhow::Result;

use crate::process::{is_available, succeeds};
use crate::report::{Outcome, Report};

/// What runs: a package and the arguments that choose its tests.
const TESTS: &[(&str, &[&str])] = &[
    ("worldage-engine", &["--test", "toy"]),
    ("worldage-wir", &["--lib", "value::"]),
];

/// Runs every choice of tests; whether none failed. Shown as skipped where miri is missing.
pub(crate) fn run() -> bool {
    let mut report = Report::default();
    for (package, choice) in TESTS {
        report.step(&format!("miri: {package}"), || check(package, choice));
    }
    report.finish()
}

fn check(package: &str, choice: &[&str]) -> Result<Outcome> {
    // `cargo +nightly` is rustup's: it works through the `cargo` on the path only.
    let mut version = std::process::Command::new("cargo");
    if !is_available(
        version
            .args(["+nightly", "miri", "--version"])
            .env_remove("RUSTUP_TOOLCHAIN"),
    ) {
        return Ok(Outcome::Skipped(
            "no miri (rustup toolchain install nightly --component miri)".to_owned(),
        ));
    }
    let mut command = std::process::Command::new("cargo");
    command
        .args(["+nightly", "miri", "test", "--locked", "-p", package])
        .args(choice)
        // Wall clocks and files are looked at by the engine's statistics and the tests' data.
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    succeeds(&mut command).map(Outcome::from)
}
