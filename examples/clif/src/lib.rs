//! CLIF text as foreign IR: each function of a `.clif` file is a method, the functions that it
//! names are its edges, and worldage knows nothing of either.
//!
//! Reading order: [`mod@file`] (a text to functions, targets and run lines, with what is skipped),
//! [`mod@compiler`] (the three stages), [`mod@check`] (run lines through calls, repetition and an edit, with the stages that must run).

pub mod check;
pub mod compiler;
pub mod file;
