//! Where the parts of Nvidia's toolkit are that need no GPU: libdevice (elementary functions as
//! bitcode) and `ptxas` (the assembler).
//!
//! Nothing of it is needed to make PTX, except libdevice for elementary functions.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that names the folder of a toolkit: the one that holds `bin` and `nvvm`.
pub const VARIABLE: &str = "WORLDAGE_CUDA_TOOLKIT";

/// How to get one.
pub const INSTALL: &str =
    "cargo xtask setup --with ptx, or install CUDA and set WORLDAGE_CUDA_TOOLKIT to its folder";

const LIBDEVICE: &str = "nvvm/libdevice/libdevice.10.bc";

/// What was found of a toolkit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolkit {
    /// The bitcode of elementary functions.
    pub libdevice: Option<PathBuf>,
    /// The assembler.
    pub ptxas: Option<PathBuf>,
}

/// Why the assembler did not take a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// There is no assembler here.
    #[error("there is no `ptxas` ({INSTALL})")]
    Missing,
    /// It could not be run.
    #[error("`{0}` cannot be run: {1}")]
    Tool(String, String),
    /// It refused the text.
    #[error("`ptxas` refuses the text for {target}: {log}")]
    Refused {
        /// The target.
        target: String,
        /// What it said.
        log: String,
    },
}

impl Toolkit {
    /// Looks in the folder that the environment names, else in those of installations: CUDA's own
    /// variables, the path, `/usr/local/cuda`, and where `cargo xtask setup` puts its copy.
    #[must_use]
    pub fn find() -> Toolkit {
        if let Some(folder) = folder_of(VARIABLE) {
            return Toolkit::within(&folder);
        }
        let mut folders: Vec<PathBuf> = ["CUDA_HOME", "CUDA_PATH"]
            .into_iter()
            .filter_map(folder_of)
            .collect();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let tools = std::env::split_paths(&path).filter(|folder| folder.join("ptxas").is_file());
        folders.extend(tools.filter_map(|folder| Some(folder.parent()?.to_path_buf())));
        folders.push("/usr/local/cuda".into());
        folders.extend(own_copy());
        let found = folders.iter().map(|folder| Toolkit::within(folder));
        found.fold(Toolkit::default(), |all, one| Toolkit {
            libdevice: all.libdevice.or(one.libdevice),
            ptxas: all.ptxas.or(one.ptxas),
        })
    }

    /// What a folder holds.
    #[must_use]
    pub fn within(folder: &Path) -> Toolkit {
        let existing = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        Toolkit {
            libdevice: existing(LIBDEVICE),
            ptxas: existing("bin/ptxas"),
        }
    }

    /// The assembler's version: `12.9.86`.
    ///
    /// # Errors
    /// If there is none, or it does not run.
    pub fn ptxas_version(&self) -> Result<String, AssembleError> {
        let ptxas = self.ptxas.as_ref().ok_or(AssembleError::Missing)?;
        let output = Command::new(ptxas).arg("--version").output();
        let output = output.map_err(|error| cannot_run(ptxas, &error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split(", V").nth(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            rest[..end.unwrap_or(rest.len())].to_string()
        });
        Ok(version.unwrap_or_else(|| "of unknown version".to_string()))
    }

    /// Assembles a text for a target; the device's code.
    ///
    /// # Errors
    /// If there is no assembler, or it refuses the text.
    pub fn assemble(&self, ptx: &str, target: &str) -> Result<Vec<u8>, AssembleError> {
        let ptxas = self.ptxas.as_ref().ok_or(AssembleError::Missing)?;
        let folder = Scratch::new().map_err(|error| cannot_run(ptxas, &error))?;
        let (source, cubin) = (folder.0.join("kernel.ptx"), folder.0.join("kernel.cubin"));
        std::fs::write(&source, ptx).map_err(|error| cannot_run(ptxas, &error))?;
        let mut command = Command::new(ptxas);
        command.arg(format!("-arch={target}")).arg("-o").arg(&cubin);
        let output = command.arg(&source).output();
        let output = output.map_err(|error| cannot_run(ptxas, &error))?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr);
            let target = target.to_string();
            let log = log.replace(&*source.to_string_lossy(), "kernel.ptx");
            let log = log.trim().to_string();
            return Err(AssembleError::Refused { target, log });
        }
        std::fs::read(&cubin).map_err(|error| cannot_run(ptxas, &error))
    }
}

fn cannot_run(tool: &Path, error: &std::io::Error) -> AssembleError {
    AssembleError::Tool(tool.display().to_string(), error.to_string())
}

fn folder_of(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable)?;
    (!folder.is_empty()).then(|| folder.into())
}

/// Where `cargo xtask setup --with ptx` puts the compiler package of CUDA.
fn own_copy() -> Option<PathBuf> {
    let cache = folder_of("XDG_CACHE_HOME").or_else(|| Some(folder_of("HOME")?.join(".cache")))?;
    Some(cache.join("worldage/tools/cuda-nvcc/nvidia/cuda_nvcc"))
}

/// A folder that is removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("worldage-ptxas-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
