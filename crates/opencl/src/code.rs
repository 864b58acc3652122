//! The portable artifact of a kernel: its text, how it is called, what can fail in it.

use crate::data::Leaf;
use worldage_dispatch::Ty;
use worldage_wir::ir::Failure;
use worldage_wir::module::At;

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
    /// What can fail: the kernel writes the number of one, counted from 1, into its error word.
    pub sites: Vec<FailSite>,
    /// Whether the device must compute in double precision.
    pub needs_double: bool,
    /// Whether the device must have atomics on 64-bit integers.
    pub needs_long_atomics: bool,
}

/// A place where a work-item can fail, or a call on the way there.
#[derive(Clone, Debug, PartialEq)]
pub struct FailSite {
    /// How.
    pub kind: FailKind,
    /// Where, innermost first, with what was inlined.
    pub trace: Vec<At>,
}

/// How a work-item fails.
#[derive(Clone, Debug, PartialEq)]
pub enum FailKind {
    /// An index out of bounds; the launch says which.
    Bounds,
    /// As the body says.
    Failure(Failure),
    /// Not here, but in a function that is called here.
    Call,
}
