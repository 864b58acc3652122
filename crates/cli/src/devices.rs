//! `worldage devices`: what this machine offers, and why something is missing.
//!
//! A driver is asked in a child process: a broken one may end the process that loads it.

mod probe;

use crate::failure::Done;
use crate::terminal;
use serde::Serialize;
use std::fmt::Write;
use std::process::Command;

/// The arguments of `worldage devices`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Ask one driver, within this process
    #[arg(long, hide = true)]
    probe: Option<probe::Driver>,
}

#[derive(Debug, Serialize)]
struct Report {
    host: Found,
    cuda: Found,
    opencl: Found,
    llvm: Found,
}

/// One kind of target.
#[derive(Debug, Serialize, serde::Deserialize)]
struct Found {
    /// Whether it can be used on this machine.
    available: bool,
    /// Devices, or for the host and LLVM what they are.
    devices: Vec<String>,
    /// Why it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What installs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    install: Option<String>,
}

impl Found {
    fn there(devices: Vec<String>) -> Found {
        Found {
            available: true,
            devices,
            reason: None,
            install: None,
        }
    }

    fn missing(reason: impl Into<String>, install: &str) -> Found {
        Found {
            available: false,
            devices: Vec::new(),
            reason: Some(reason.into()),
            install: Some(install.to_string()),
        }
    }
}

const CUDA: &str = "install the driver of an Nvidia GPU: apt-get install nvidia-driver";
const OPENCL: &str = "apt-get install pocl-opencl-icd ocl-icd-libopencl1";
const LLVM: &str = "apt-get install --no-install-recommends llvm-22-dev";

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    if let Some(driver) = args.probe {
        let found = found(driver, driver.devices());
        return terminal::line(&serde_json::to_string(&found).unwrap_or_default());
    }
    let report = Report {
        host: host(),
        cuda: in_child(probe::Driver::Cuda),
        opencl: in_child(probe::Driver::OpenCl),
        llvm: llvm(),
    };
    match args.json {
        true => terminal::line(&serde_json::to_string(&report).unwrap_or_default()),
        false => terminal::out(&report.text()),
    }
}

impl Report {
    fn text(&self) -> String {
        let mut out = String::new();
        let all = [
            ("host", &self.host),
            ("cuda", &self.cuda),
            ("opencl", &self.opencl),
            ("llvm", &self.llvm),
        ];
        for (name, found) in all {
            for device in &found.devices {
                let _ = writeln!(out, "{name:<8}{device}");
            }
            if let Some(reason) = &found.reason {
                let _ = writeln!(out, "{name:<8}missing: {reason}");
            }
            if let Some(install) = &found.install {
                let _ = writeln!(out, "{:<8}  {install}", "");
            }
        }
        out
    }
}

/// The host's target and the processor features that the code generator uses.
fn host() -> Found {
    match worldage::Session::host() {
        Ok(description) => {
            // `cranelift VERSION TRIPLE setting=value …`: settings that are on are features.
            let mut words = description.split(' ');
            let (name, version) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let triple = words.next().unwrap_or("");
            let mut features: Vec<&str> = words
                .filter_map(|word| word.strip_prefix("has_")?.strip_suffix("=1"))
                .collect();
            features.sort_unstable();
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let mut devices = vec![format!("{triple}, {cores} cores, {name} {version}")];
            if !features.is_empty() {
                devices.push(features.join(" "));
            }
            Found::there(devices)
        }
        Err(reason) => Found::missing(reason, "use a machine with x86-64 or aarch64 and Linux"),
    }
}

/// Asks a driver in a process of its own.
fn in_child(driver: probe::Driver) -> Found {
    let asked = std::env::current_exe().and_then(|exe| {
        let name = driver.name();
        Command::new(exe)
            .args(["devices", "--probe", name])
            .output()
    });
    match asked {
        Ok(output) if output.status.success() => serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| found(driver, Err(format!("no answer: {error}")))),
        Ok(output) => found(
            driver,
            Err(format!("its driver ended the process: {}", output.status)),
        ),
        Err(error) => found(driver, Err(format!("cannot ask: {error}"))),
    }
}

fn found(driver: probe::Driver, devices: Result<Vec<String>, String>) -> Found {
    let install = match driver {
        probe::Driver::Cuda => CUDA,
        probe::Driver::OpenCl => OPENCL,
    };
    match devices {
        Ok(devices) if !devices.is_empty() => Found::there(devices),
        Ok(_) => Found::missing("the driver is there, but no device", install),
        Err(reason) => Found::missing(reason, install),
    }
}

fn llvm() -> Found {
    let mut old = None;
    if cfg!(feature = "llvm") {
        return Found::there(of_this_build());
    }
    for name in ["llvm-config-22", "llvm-config"] {
        let Ok(output) = Command::new(name).arg("--version").output() else {
            continue;
        };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_string();
        if version.starts_with("22.") {
            return Found::there(vec![format!("{version} ({name})")]);
        }
        old = Some(format!("{name} is of version {version}, and 22 is needed"));
    }
    let reason = old.unwrap_or_else(|| "there is no llvm-config-22 on the path".to_string());
    Found::missing(reason, LLVM)
}

/// The LLVM that this build is linked with, and what there is of CUDA's toolkit.
#[cfg(feature = "llvm")]
fn of_this_build() -> Vec<String> {
    use worldage::llvm::{Toolkit, toolkit};
    let mut found = vec![worldage::llvm::version()];
    let toolkit_found = Toolkit::find();
    found.push(match toolkit_found.ptxas_version() {
        Ok(version) => format!("ptxas {version}"),
        Err(error) => format!("ptx is not assembled: {error}"),
    });
    if toolkit_found.libdevice.is_none() {
        let install = toolkit::INSTALL;
        found.push(format!(
            "no libdevice for sin, cos, … in kernels ({install})"
        ));
    }
    found
}

#[cfg(not(feature = "llvm"))]
fn of_this_build() -> Vec<String> {
    Vec::new()
}
