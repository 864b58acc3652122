//! A table engine in small: filters and projections over Arrow arrays, compiled per schema.
//!
//! Columns' types are argument types, so that one query on two schemas is two instances; users'
//! functions are methods, inlined into the queries that call them, so that redefining one
//! recompiles those queries and no other.
//!
//! Reading order: [`parse`] (text to trees), [`compiler`] (the three stages: types, machine code,
//! memory), `kernel` (a loop over rows), [`session`] (tables, definitions, queries over arrays).

pub mod compiler;
mod kernel;
pub mod parse;
pub mod session;

pub use session::{Query, QueryError, Session};
