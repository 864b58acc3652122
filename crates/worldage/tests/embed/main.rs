//! Sessions over embedders' compilers: what may go wrong in them, and that it stays theirs.

mod faults;
mod foreign;
mod many;
mod odd;
