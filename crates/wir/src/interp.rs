//! The reference interpreter: Wir's semantics, directly on the syntax tree with dispatch at run
//! time. It is the oracle that every other engine is compared with, so it is written to be evidently
//! right first, and fast enough for real programs second.
//!
//! Reading order: [`program`] (a world built from definitions), `code` (a method with its variables
//! resolved to slots, once per method), `machine` (frames and expressions), `stmt` (statements),
//! `call` (from a call to a method), `ops` (built-in operations), `fast` (a short way for scalars),
//! `grid` (kernels), `cycles` (what reference
//! counts miss), `fail` (the errors).
//!
//! It shares with the compiler: types, names, scalar operations, recipes of built-in functions, and
//! printing; nothing of lowering or inference.

mod call;
mod code;
mod cycles;
mod fail;
mod fast;
mod grid;
mod machine;
mod ops;
pub mod program;
mod stmt;

pub use grid::Grid;
pub use machine::{Interp, Limits};
pub use program::{EditError, Program};

#[cfg(test)]
mod tests;
