//! The built-in functions: which operand types each takes, and what it does with them.
//!
//! A built-in is an *intrinsic method*: an ordinary entry of the base table, so dispatch,
//! ambiguity, overlays and user methods on new types treat it like any other, but without stages
//! of its own: a call of it is expanded by its [`Recipe`]. Signatures are over unions of concrete
//! types, so a user's struct under `Number` is not taken by `+`.
//!
//! Julia decides what operands of two types mean: see [`promote`] and the recipes below.

mod recipe;
mod table;

pub use recipe::{Operand, Recipe, Step, promote, recipe};
pub use table::builtins;

use crate::universe::Universe;
use worldage_dispatch::{Sig, more_specific, sig_disjoint};

/// The number of a built-in method: its place in [`builtins`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuiltinId(pub u32);

/// A built-in method.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// Its number.
    pub id: BuiltinId,
    /// The function's name.
    pub name: &'static str,
    /// What it takes.
    pub sig: Sig,
    /// Whether a program may not define a method in the base table that takes, or makes
    /// ambiguous, a call that this one takes.
    pub protected: bool,
}

/// The protected built-in method that a user method in the base table would hide or make
/// ambiguous: such a method is a `duplicate-definition`.
#[must_use]
pub fn hidden_by<'a>(
    u: &Universe,
    builtins: &'a [Builtin],
    name: &str,
    sig: &Sig,
) -> Option<&'a Builtin> {
    builtins.iter().find(|builtin| {
        builtin.protected
            && builtin.name == name
            && !sig_disjoint(u.types(), sig, &builtin.sig)
            && !more_specific(u.types(), &builtin.sig, sig)
    })
}

/// The forms that look like calls but take a type, a signature or a constant key. They are forms
/// only where the name is not that of a local variable.
pub const FORMS: &[&str] = &[
    "array", "shared", "trunc", "isa", "invoke", "latest", "external",
];

#[cfg(test)]
mod tests;
