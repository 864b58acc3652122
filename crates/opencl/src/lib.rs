//! Wir kernels on OpenCL devices: a kernel and its callees as OpenCL C, programs built for the
//! device that is present, and launches.
//!
//! Nothing of OpenCL is needed to build this crate or to make text with it: the driver is loaded
//! when a [`Device`] is opened, and its absence is an error value.
//!
//! Reading order: [`code`] (the artifact), `generate` (typed SSA to OpenCL C), `error`, [`device`]
//! (what is there), `program` (build and reload), [`cache`] (program binaries between processes),
//! `memory` (values to buffers and back), `launch`.

pub mod code;
mod data;
mod generate;
mod kernel;

pub use code::{Code, FailKind, FailSite};
pub use generate::generate;
pub use kernel::Kernel;
