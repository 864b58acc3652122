//! What the tasks need, and how it gets onto the machine.
//!
//! Invariant: what is present is left as it is, and nothing that fails to install stops the
//! tests that do without it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::process::{cargo, is_available, output_of, succeeds};
use crate::report::{Outcome, Report};

/// A cargo subcommand that the tests use.
pub(crate) struct Tool {
    /// As in `cargo NAME`.
    pub(crate) name: &'static str,
    /// The package that brings it, and the arguments that install it.
    install: &'static [&'static str],
}

/// Runs each test in a process of its own, and ends one that hangs. Used where it is present and
/// not installed: `cargo test` runs the same tests, and building it takes longer than they do.
pub(crate) const NEXTEST: Tool = Tool {
    name: "nextest",
    install: &["cargo-nextest", "--locked"],
};

/// Checks licences, sources and advisories of the dependencies. Built without optimisation:
/// that takes one minute rather than many, and its run two seconds rather than one.
pub(crate) const DENY: Tool = Tool {
    name: "deny",
    install: &["cargo-deny@0.20.2", "--locked", "--debug"],
};

impl Tool {
    /// Whether cargo finds it.
    pub(crate) fn is_present(&self) -> bool {
        is_available(&mut cargo([self.name, "--version"]))
    }

    /// How a user gets it.
    pub(crate) fn how_to_install(&self) -> String {
        format!("cargo install {}", self.install.join(" "))
    }

    fn ensure(&self) -> Result<Outcome> {
        if self.is_present() {
            println!("cargo {} is present", self.name);
            return Ok(Outcome::Passed);
        }
        let mut command = cargo(["install", "--quiet"]);
        if succeeds(command.args(self.install))? && self.is_present() {
            return Ok(Outcome::Passed);
        }
        Ok(Outcome::Skipped(format!(
            "cargo {} could not be installed ({})",
            self.name,
            self.how_to_install()
        )))
    }
}

/// A component of the Rust toolchain: cargo's subcommand, and rustup's name for it.
const COMPONENTS: &[(&str, &str)] = &[("fmt", "rustfmt"), ("clippy", "clippy")];

/// A part of the project that rests on system packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// PTX and host code through LLVM 22
    Llvm,
    /// The assembler and the elementary functions of CUDA, which need no GPU
    Ptx,
    /// OpenCL on the CPU
    Opencl,
}

impl Part {
    /// Every part, in the order in which they are reported.
    pub(crate) const ALL: [Part; 3] = [Part::Llvm, Part::Ptx, Part::Opencl];

    /// The folder of the package that needs the part.
    pub(crate) fn folder(self) -> &'static Path {
        Path::new(match self {
            Part::Llvm | Part::Ptx => "crates/llvm",
            Part::Opencl => "crates/opencl",
        })
    }

    /// The package that does not even build without the part.
    pub(crate) fn package_that_cannot_build(self) -> Option<&'static str> {
        match self {
            Part::Llvm => Some("worldage-llvm"),
            // The OpenCL driver is loaded at run time, and the assembler is a program.
            Part::Opencl | Part::Ptx => None,
        }
    }

    fn apt_packages(self) -> &'static [&'static str] {
        match self {
            Part::Llvm => &["llvm-22-dev"],
            Part::Ptx => &["python3-pip"],
            Part::Opencl => &["pocl-opencl-icd", "ocl-icd-libopencl1"],
        }
    }

    /// The package of Python's index that holds the part, and the folder that it is unpacked to.
    fn wheel(self) -> Option<(&'static str, PathBuf)> {
        let folder_of = |name: &str| Some(PathBuf::from(std::env::var_os(name)?));
        let cache = folder_of("XDG_CACHE_HOME").or_else(|| Some(folder_of("HOME")?.join(".cache")));
        match self {
            Part::Ptx => Some((PTXAS, cache?.join("worldage/tools/cuda-nvcc"))),
            Part::Llvm | Part::Opencl => None,
        }
    }

    /// `None` where the part is here, otherwise what is missing and how to get it.
    pub(crate) fn missing(self) -> Option<String> {
        let (what, is_present) = match self {
            Part::Llvm => (
                "LLVM 22 not found",
                is_available(Command::new("llvm-config-22").arg("--version")),
            ),
            Part::Ptx => (
                "no ptxas and libdevice of CUDA",
                std::env::var_os("WORLDAGE_CUDA_TOOLKIT").is_some()
                    || self.wheel().is_some_and(|(_, folder)| folder.exists()),
            ),
            Part::Opencl => (
                "no OpenCL driver is registered in /etc/OpenCL/vendors",
                std::fs::read_dir("/etc/OpenCL/vendors")
                    .is_ok_and(|mut drivers| drivers.next().is_some()),
            ),
        };
        let install = match self.wheel() {
            Some((package, _)) => format!("pip download {package}, as `cargo xtask setup` does"),
            None => format!("apt-get install {}", self.apt_packages().join(" ")),
        };
        (!is_present).then(|| format!("{what} ({install})"))
    }

    fn ensure(self) -> Result<Outcome> {
        if self.missing().is_none() {
            println!("{self:?} is present");
            return Ok(Outcome::Passed);
        }
        if let Some((package, folder)) = self.wheel() {
            return unpack_wheel(package, &folder);
        }
        // dpkg sometimes fails the first time, so one retry.
        for _ in 0..2 {
            let mut apt = Command::new("apt-get");
            apt.env("DEBIAN_FRONTEND", "noninteractive")
                .args(["install", "--yes", "--no-install-recommends"])
                .args(self.apt_packages());
            if succeeds(&mut apt)? && self.missing().is_none() {
                return Ok(Outcome::Passed);
            }
            succeeds(Command::new("apt-get").arg("update"))?;
        }
        println!("still missing: {}", self.missing().unwrap_or_default());
        Ok(Outcome::Failed)
    }
}

/// Nvidia's compiler package: 40 MB, of which the assembler and libdevice are used.
const PTXAS: &str = "nvidia-cuda-nvcc-cu12==12.9.86";

/// Downloads a wheel and unpacks it into a folder; it is only looked into, not installed.
fn unpack_wheel(package: &str, folder: &Path) -> Result<Outcome> {
    for _ in 0..2 {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .args([folder.as_os_str()])
            .arg(package);
        if succeeds(&mut pip)? {
            return Ok(Outcome::Passed);
        }
        // What is there in part counts as missing.
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
    }
    Ok(Outcome::Failed)
}

/// Installs a part where that is allowed; otherwise says what is missing, and nothing fails.
pub(crate) fn offer(report: &mut Report, part: Part) {
    report.step(&format!("set-up: {part:?}"), || {
        let Some(why) = part.missing() else {
            println!("{part:?} is present");
            return Ok(Outcome::Passed);
        };
        if part.wheel().is_some() {
            return Ok(match part.ensure()? {
                Outcome::Failed => Outcome::Skipped(why),
                done => done,
            });
        }
        let is_root = output_of(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
        if !is_root || !is_available(Command::new("apt-get").arg("--version")) {
            return Ok(Outcome::Skipped(why));
        }
        Ok(match part.ensure()? {
            Outcome::Failed => Outcome::Skipped(why),
            done => done,
        })
    });
}

/// Installs what is missing; system packages only for the parts in `with`;
/// whether nothing failed.
pub(crate) fn run(with: &[Part]) -> bool {
    let mut report = Report::default();
    steps(&mut report, with);
    report.finish()
}

/// The steps of the set-up, for the report of a longer run.
pub(crate) fn steps(report: &mut Report, with: &[Part]) {
    for (subcommand, component) in COMPONENTS {
        report.step(&format!("set-up: {component}"), || {
            if is_available(&mut cargo([subcommand, "--version"])) {
                println!("cargo {subcommand} is present");
                return Ok(Outcome::Passed);
            }
            succeeds(Command::new("rustup").args(["component", "add", component]))
                .map(Outcome::from)
        });
    }
    report.step(&format!("set-up: cargo-{}", DENY.name), || DENY.ensure());
    for part in with {
        report.step(&format!("set-up: {part:?}"), || part.ensure());
    }
}
