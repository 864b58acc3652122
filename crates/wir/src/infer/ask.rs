//! What inference may ask: object-safe, so that it can be tested without the engine.
//!
//! Every question to `&mut self` is a dependency of the result; those to `&self` are facts that
//! never change.

use crate::ir::Const;
use worldage_dispatch::{Arg, DeclId, Symbol, Ty};
use worldage_engine::{Candidates, Mi, MiKey, Resolved, Stop};

pub use crate::define::Intrinsic;

/// The questions.
pub trait Ask {
    /// What an instance stands for.
    fn key(&self, mi: Mi) -> MiKey;
    /// The values of the type variables of the instance's method.
    fn bindings(&self, mi: Mi) -> Vec<Arg>;
    /// What the instance is, if its method is an intrinsic.
    fn intrinsic(&self, mi: Mi) -> Option<Intrinsic>;

    /// Whether a table above the base may have methods of the function.
    ///
    /// # Errors
    /// As every question: the stage ends early.
    fn overlaid(&mut self, function: Symbol) -> Result<bool, Stop>;
    /// The method for concrete argument types, a tuple type.
    ///
    /// # Errors
    /// The stage ends early.
    fn lookup(&mut self, function: Symbol, args: Ty) -> Result<Resolved, Stop>;
    /// The methods for argument types of which one is abstract, at most `limit`.
    ///
    /// # Errors
    /// The stage ends early.
    fn find_all(&mut self, function: Symbol, args: Ty, limit: usize) -> Result<Candidates, Stop>;
    /// Says that such a call is dispatched at run time, so that nothing depends on the answer.
    fn dispatched_at_run_time(&mut self, function: Symbol, args: Ty, limit: usize);
    /// The method that answers the signature `sig`, for concrete argument types.
    ///
    /// # Errors
    /// The stage ends early.
    fn invoke(&mut self, function: Symbol, sig: Ty, args: Ty) -> Result<Resolved, Stop>;
    /// Whether a callee ever returns.
    ///
    /// # Errors
    /// The stage ends early.
    fn returns(&mut self, callee: Mi) -> Result<bool, Stop>;
    /// What a callee returns; `Ty::BOTTOM` if it never does.
    ///
    /// # Errors
    /// The stage ends early.
    fn ret_type(&mut self, callee: Mi) -> Result<Ty, Stop>;
    /// An external fact: its value and type.
    ///
    /// # Errors
    /// The stage ends early.
    fn external(&mut self, key: &str) -> Result<Option<(Ty, Const)>, Stop>;
    /// The declaration that a type's name means; built-in names are not asked for.
    ///
    /// # Errors
    /// The stage ends early.
    fn decl(&mut self, name: &str) -> Result<Option<DeclId>, Stop>;
    /// Whether there is a function (with a method, in any table) of this name; built-in
    /// functions are not asked for.
    ///
    /// # Errors
    /// The stage ends early.
    fn is_function(&mut self, name: Symbol) -> Result<bool, Stop>;
}
