//! Everything that must hold before a merge, in the order in which a mistake is cheapest to find.

use anyhow::Result;

use crate::process::{cargo, is_available, succeeds};
use crate::report::{Outcome, Report};
use crate::setup::{self, DENY, NEXTEST, Part};
use crate::tidy;

/// Sets up, runs every step also where an earlier one failed, and prints the summary;
/// whether nothing failed.
///
/// All steps use the dev profile, so what one compiles serves the next; those of the nightly
/// run use the release profile, for they run long.
pub(crate) fn run(nightly: bool) -> bool {
    let mut report = Report::default();
    setup::steps(&mut report, &[]);
    // A driver for the CPU, so that kernels run on OpenCL too; LLVM and the assembler of CUDA.
    for part in [Part::Opencl, Part::Llvm, Part::Ptx] {
        setup::offer(&mut report, part);
    }

    let missing: Vec<(Part, String)> = Part::ALL
        .into_iter()
        .filter(|part| part.folder().exists())
        .filter_map(|part| part.missing().map(|why| (part, why)))
        .collect();
    let excluded: Vec<String> = missing
        .iter()
        .filter_map(|(part, _)| part.package_that_cannot_build())
        .map(|package| format!("--exclude={package}"))
        .collect();

    report.step("rustfmt", || {
        succeeds(&mut cargo(["fmt", "--all", "--", "--check"])).map(Outcome::from)
    });
    report.step("tidy", || tidy::run().map(Outcome::from));
    report.step("clippy", || {
        succeeds(
            cargo(["clippy", "--locked", "--workspace", "--all-targets"])
                .args(&excluded)
                .args(["--", "-D", "warnings"]),
        )
        .map(Outcome::from)
    });
    report.step("unit, file and scenario tests", || {
        let tests = Selection {
            packages: &["--workspace"],
            features: None,
        };
        succeeds(tests.command().args(&excluded)).map(Outcome::from)
    });
    report.step("interleavings of threads in the engine", || {
        // Whoever else is compiled with this feature would wait for shuttle: the one package alone.
        let tests = Selection {
            packages: &["-pworldage-engine", "interleavings"],
            features: Some("shuttle"),
        };
        succeeds(&mut tests.command()).map(Outcome::from)
    });
    report.step("tests with the portable code memory", || {
        let tests = Selection {
            packages: &["-pworldage-cranelift", "-pworldage", "-pworldage-tests"],
            features: Some("worldage-cranelift/portable,worldage-tests/portable"),
        };
        succeeds(&mut tests.command()).map(Outcome::from)
    });
    if Part::Llvm.missing().is_none() {
        report.step("clippy with LLVM", || {
            let packages = ["-pworldage", "-pworldage-cli", "-pworldage-tests"];
            let clippy = |features: &str| {
                succeeds(
                    cargo([
                        "clippy",
                        "--locked",
                        "--all-targets",
                        "--features",
                        features,
                    ])
                    .args(packages)
                    .args(["--", "-D", "warnings"]),
                )
            };
            let llvm = clippy("worldage-cli/llvm,worldage-cli/opencl,worldage-tests/llvm")?;
            let cuda = clippy("worldage-cli/cuda,worldage-cli/opencl,worldage-tests/cuda")?;
            Ok(Outcome::from(llvm && cuda))
        });
        report.step("tests through LLVM", || {
            let tests = Selection {
                packages: &["-pworldage-tests", "-pworldage-llvm"],
                features: Some("worldage-tests/cuda"),
            };
            succeeds(&mut tests.command()).map(Outcome::from)
        });
    }
    for long in LONG.iter().filter(|_| nightly) {
        report.step(long.name, || {
            succeeds(&mut long.command()).map(Outcome::from)
        });
    }
    report.step("doctests", || {
        succeeds(
            cargo(["test", "--locked", "--workspace", "--no-fail-fast", "--doc"]).args(&excluded),
        )
        .map(Outcome::from)
    });
    report.step("rustdoc", || {
        succeeds(
            cargo(["doc", "--locked", "--workspace", "--no-deps"])
                .args(&excluded)
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
        .map(Outcome::from)
    });
    report.step("licences and sources of dependencies", || {
        let checks = ["deny", "--locked", "check", "bans", "licenses", "sources"];
        if_deny_is_present(|| succeeds(&mut cargo(checks)).map(Outcome::from))
    });
    report.step("advisories on dependencies", || {
        if_deny_is_present(|| {
            if !is_available(&mut cargo(["deny", "fetch", "db"])) {
                return Ok(Outcome::Skipped(
                    "the RustSec advisory database cannot be reached".to_owned(),
                ));
            }
            let checks = ["deny", "--locked", "check", "--disable-fetch", "advisories"];
            succeeds(&mut cargo(checks)).map(Outcome::from)
        })
    });
    for (part, why) in missing {
        report.step(&format!("tests that need {part:?}"), || {
            Ok(Outcome::Skipped(why))
        });
    }
    report.finish()
}

/// A test that can run as long as one likes.
struct Long {
    name: &'static str,
    package: &'static str,
    test: &'static str,
    /// Variables that say how long.
    sizes: &'static [(&'static str, &'static str)],
}

/// What a nightly run does beyond the usual one.
const LONG: &[Long] = &[
    Long {
        name: "100,000 random edits",
        package: "worldage-tests",
        test: "edits",
        sizes: &[("WORLDAGE_EDITS", "100000")],
    },
    Long {
        name: "20,000 mutated inputs per fuzz target",
        package: "worldage-fuzz-targets",
        test: "replay",
        sizes: &[("WORLDAGE_FUZZ_RUNS", "20000")],
    },
    Long {
        name: "200 killed writers of a store",
        package: "worldage-store",
        test: "main",
        sizes: &[("WORLDAGE_KILL_ROUNDS", "200")],
    },
    Long {
        name: "300 random programs on a store",
        package: "worldage",
        test: "store",
        sizes: &[("WORLDAGE_SEEDS", "300")],
    },
];

impl Long {
    fn command(&self) -> std::process::Command {
        let mut command = cargo(["test", "--locked", "--release", "--no-fail-fast"]);
        command.args(["-p", self.package, "--test", self.test]);
        command.envs(self.sizes.iter().copied());
        command
    }
}

/// Which tests run, and how they are built.
struct Selection {
    packages: &'static [&'static str],
    features: Option<&'static str>,
}

impl Selection {
    /// The run by nextest, or where that is missing by cargo.
    fn command(&self) -> std::process::Command {
        let mut command = if NEXTEST.is_present() {
            cargo(["nextest", "run", "--locked", "--no-fail-fast"])
        } else {
            println!(
                "`cargo test` runs the tests: nextest is not here ({})",
                NEXTEST.how_to_install()
            );
            let targets = ["--lib", "--bins", "--tests"];
            let mut command = cargo(["test", "--locked", "--no-fail-fast"]);
            command.args(targets);
            command
        };
        command.args(self.packages);
        if let Some(features) = self.features {
            command.args(["--features", features]);
        }
        command
    }
}

fn if_deny_is_present(check: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
    if DENY.is_present() {
        check()
    } else {
        Ok(Outcome::Skipped(
            "cargo-deny not found (cargo xtask setup)".to_owned(),
        ))
    }
}
