//! Wir kernels on OpenCL devices: a kernel and its callees as OpenCL C, programs built for the
//! device that is present, and launches.
//!
//! Nothing of OpenCL is needed to build this crate or to make text with it: the driver is loaded
//! when a [`Device`] is opened, and its absence is an error value.
//!
//! Reading order: [`code`] (the artifact), `generate` (typed SSA to OpenCL C), `error`, [`device`]
//! (what is there), `program` (build and reload), [`cache`] (program binaries between processes),
//! `launch`, `kernel` (all of it for a kernel of Wir),
//! [`foreign`] (files of OpenCL C).

#![expect(unsafe_code, reason = "drivers are called through their C interface")]

pub mod cache;
pub mod code;
mod data;
pub mod device;
mod error;
pub mod foreign;
mod generate;
mod kernel;
mod launch;
mod program;

pub use code::Code;
pub use device::{Device, devices};
pub use error::Error;
pub use generate::generate;
pub use kernel::Kernel;
pub use launch::Grid;
pub use program::Built;
