//! Wir through LLVM: kernels as PTX for a table of Nvidia targets, and host code that may take
//! long to compile.
//!
//! Reading order: [`target`] (the devices that are known), `text` (LLVM's assembly while it is
//! written), [`ptx`] (typed SSA of a kernel to PTX), [`host`] (CLIF of a body to code of this host),
//! [`toolkit`] (where libdevice and `ptxas` are),
//! `passes` (what LLVM is asked to do).
//!
//! LLVM is given its own assembly as text: a module is a value that can be shown and tested, and no
//! call into LLVM can be wrong in more ways than one. Nothing here needs a GPU.

pub mod host;
mod passes;
pub mod ptx;
pub mod target;
mod text;
pub mod toolkit;

pub use passes::OptLevel;
pub use ptx::{Code, Generator};
pub use target::PtxTarget;
pub use toolkit::Toolkit;

/// The LLVM that this build is linked with: `LLVM 22.1.8`.
#[must_use]
pub fn version() -> String {
    let (major, minor, patch) = inkwell::support::get_llvm_version();
    format!("LLVM {major}.{minor}.{patch}")
}
