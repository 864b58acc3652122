//! Which stages run after which edit, with a compiler that only knows calls: the engine's own
//! behaviour, independent of any language. Every case is a program, its edits and all that they
//! run, side by side.
//!
//! Reading order: `language` (the compiler), `script` (commands to a session of it), then the cases.

mod edges;
mod language;
mod recursion;
mod script;
mod stages;
mod worlds;
