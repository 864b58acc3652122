//! The portable artifact of a kernel: its text, how it is called, what can fail in it.

use crate::data::Leaf;
use worldage_dispatch::Ty;
use worldage_engine::portable;
use worldage_wir::device::FailSite;

/// A kernel and its callees in OpenCL C. Law: the same for every device and every process.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// OpenCL C, complete.
    pub text: String,
    /// The name of the `__kernel` function.
    pub entry: String,
    /// The types of the arguments.
    pub params: Vec<Ty>,
    /// What the kernel is given for each argument, in order.
    pub(crate) leaves: Vec<Vec<Leaf>>,
    /// For each array among them, whether the kernel may write it.
    pub(crate) written: Vec<bool>,
    /// What can fail: the kernel writes the number of one, counted from 1, into its error word.
    pub sites: Vec<FailSite>,
    /// Whether the device must compute in double precision.
    pub needs_double: bool,
    /// Whether the device must have atomics on 64-bit integers.
    pub needs_long_atomics: bool,
}

portable!(struct Code { text, entry, params, leaves, written, sites, needs_double, needs_long_atomics });
