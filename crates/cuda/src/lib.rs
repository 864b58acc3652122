//! CUDA devices: PTX to device code by the driver, loading, buffers, launches.
//!
//! Nothing of CUDA is needed to build this crate: the driver is loaded when a [`Device`] is opened,
//! and its absence is an error value. This crate knows no IR: a kernel is a name in a [`Cubin`], and
//! its arguments are bytes and buffers.
//!
//! Reading order: [`error`], [`device`] (what is there), [`cubin`] (the artifact, and the handle of
//! this session), [`launch`] (buffers, arguments, the index space).

#![expect(unsafe_code, reason = "the driver is called through its C interface")]

pub mod cubin;
pub mod device;
pub mod error;
pub mod launch;

pub use cubin::{Cubin, Kernel};
pub use device::{Device, Identity, devices};
pub use error::Error;
pub use launch::{Arg, Buffer, Grid};
