//! Lowering: a method's AST to untyped SSA, once per definition.
//!
//! Reading order: [`untyped`] (what comes out), `build` (blocks, variables, joins), `stmt`,
//! `expr`, `cond` (conditions and what their outcome says about variables), `forms` (the special
//! forms), `scan` (what loops assign).
//!
//! Invariants: lowering never fails, and takes time linear in the text for a fixed nesting; a
//! name is a variable if one is in scope, else a special form where it is called as one, else a
//! function. `isa` of a variable rebinds the variable, refined, where its outcome is known.

mod build;
mod cond;
mod expr;
mod forms;
pub(crate) mod recent;
mod scan;
mod stmt;
pub mod untyped;

pub use untyped::Lowered;

use crate::ast::MethodDef;
use build::Builder;
use worldage_dispatch::Types;

/// Lowers a method.
#[must_use]
pub fn lower(types: &Types, def: &MethodDef) -> Lowered {
    let mut b = Builder::new(types, def);
    let result = b.block(&def.body, true).expect("asked for a value");
    b.ret(result, def.body.value_node());
    b.finish()
}
