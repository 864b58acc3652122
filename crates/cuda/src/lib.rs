//! CUDA devices: PTX to device code by the driver, loading, buffers, launches.
//!
//! Nothing of CUDA is needed to build this crate: the driver is loaded when a [`Device`] is opened,
//! and its absence is an error value. This crate knows no IR: a kernel is a name in a [`Cubin`], and
//! its arguments are bytes and buffers.
//!
//! Reading order: [`error`], [`driver`] (what is asked of a driver), [`libcuda`] (Nvidia's),
//! [`device`] (what is there), [`cubin`] (the artifact, and the handle of this session), [`launch`]
//! (buffers, arguments, the index space), [`twin`] (a driver without a device).
//!
//! Everything above [`libcuda`] is tested with a driver that has its memory on the host and keeps a
//! record of what it is asked. [`libcuda`] itself has not run on a device: where this project is
//! tested there is none.

#![expect(unsafe_code, reason = "the driver is called through its C interface")]

pub mod cubin;
pub mod device;
pub mod driver;
pub mod error;
pub mod launch;
pub mod libcuda;
pub mod twin;

pub use cubin::{Cubin, Entry, Kernel};
pub use device::{Device, Identity, devices};
pub use driver::Driver;
pub use error::Error;
pub use launch::{Arg, Buffer, Grid};
