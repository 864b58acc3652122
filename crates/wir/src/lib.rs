//! Wir, the built-in language of worldage: a `Compiler` front half like any other.
//!
//! Reading order: [`ast`] (what the parser makes), `syntax` (text to AST and back), `universe`
//! (types), [`prim`] (what scalar operations mean), `builtins` (built-in functions), `lower`
//! (AST to untyped SSA, once per method), `infer` (untyped SSA to typed SSA, once per method
//! instance), [`ir`] (typed SSA), [`schedule`] (what a kernel's
//! tuning space lets vary), `inline` (bodies into callers, at codegen), [`module`] (a body
//! with its callees, for devices), [`device`] (what their backends share), `portable` (all of it beyond the session), [`host`] (methods that the host runs), `interp` (the
//! reference semantics, on the AST).

pub mod ast;
pub mod builtins;
pub mod compiler;
pub mod define;
pub mod device;
pub mod diag;
pub mod env;
pub mod error;
mod fresh;
pub mod host;
pub mod infer;
pub mod inferred;
pub mod inline;
pub mod interp;
pub mod ir;
pub mod layout;
pub mod lower;
pub mod module;
pub mod ops;
pub mod opt;
mod portable;
pub mod prim;
pub mod print;
pub mod schedule;
pub mod source;
pub mod syntax;
pub mod universe;
pub mod value;
pub mod verify;
