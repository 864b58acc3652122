//! Types, signatures and method tables: what a call means, as pure values without I/O.
//!
//! Reading order: [`world`] numbers the snapshots; [`ty`], [`types`] and [`error`] are the type lattice
//! (`subst`, `union`, `display` build and print it; `subtype`, `intersect` order it); [`sig`] adds
//! method-level variables (`matching` solves them, `unify` and `widen` meet them,
//! `specificity` ranks them);
//! [`methods`] holds the methods of a function (in `group`s, through `index`), [`mod@lookup`], [`mod@find_all`] and
//! [`ambiguity`] answer calls from them, and [`calls`] says which recorded calls an edit can affect.
//!
//! Invariants:
//! - Reading a type takes no lock, and no answer depends on time or on the order of interning.
//! - Types nest at most [`MAX_DEPTH`] deep, so recursion over them is bounded; searches that could
//!   branch carry a step budget and then give the safe answer (see `subtype`).
//!
//! ```
//! use worldage_dispatch::*;
//! let types = Types::new();
//! let number = types.declare(Decl::leaf(types.symbol("Number"), DeclKind::Abstract, Ty::ANY))?;
//! let number = types.leaf(number);
//! let int = types.declare(Decl::leaf(types.symbol("Int64"), DeclKind::Concrete, number))?;
//! let int = types.leaf(int);
//!
//! let mut f = Methods::new();
//! f.insert(&types, Sig::closed(&types, &[Ty::ANY]), MethodId(0), World(1));
//! f.insert(&types, Sig::closed(&types, &[number]), MethodId(1), World(2));
//!
//! let args = types.tuple(&[int]);
//! assert_eq!(lookup(&types, &[&f], args, World(1)), Lookup::Method(MethodId(0)));
//! assert_eq!(lookup(&types, &[&f], args, World(2)), Lookup::Method(MethodId(1)));
//! # Ok::<(), TypeError>(())
//! ```

pub mod ambiguity;
pub mod calls;
mod display;
pub mod error;
pub mod find_all;
mod group;
mod index;
mod intersect;
pub mod lookup;
mod matching;
pub mod methods;
pub mod sig;
mod specificity;
mod subst;
mod subtype;
pub mod ty;
pub mod types;
mod unify;
mod union;
mod widen;
pub mod world;

pub use ambiguity::{Ambiguity, ambiguities, resolving_signature};
pub use calls::CallIndex;
pub use display::display_sig;
pub use error::TypeError;
pub use find_all::{Match, Matches, find_all};
pub use lookup::{Lookup, invoke, lookup};
pub use matching::{sig_bindings, sig_equal, sig_matches, sig_subtype};
pub use methods::{MethodEntry, MethodId, Methods};
pub use sig::{Sig, TypeVar, VarKind};
pub use specificity::more_specific;
pub use ty::{Arg, Decl, DeclId, DeclKind, ParamDecl, Symbol, Ty, TyKind};
pub use types::{MAX_DEPTH, MAX_PARAMS, MAX_SIZE, Types};
pub use unify::{sig_disjoint, sig_intersect};
pub use world::{World, WorldRange};
