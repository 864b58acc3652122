//! Widening: the nearest closed type that holds a type with variables.

use crate::sig::{Sig, TypeVar};
use crate::ty::{Arg, Ty, TyKind};
use crate::types::Types;

/// A closed type that holds all calls of a signature.
pub(crate) fn widened(types: &Types, sig: &Sig) -> Ty {
    if sig.vars.is_empty() {
        return sig.params;
    }
    widen(types, sig.params, &uppers(types, &sig.vars))
}

/// For each variable, a closed type that holds all its values.
pub(crate) fn uppers(types: &Types, vars: &[TypeVar]) -> Vec<Arg> {
    let mut uppers: Vec<Arg> = Vec::with_capacity(vars.len());
    for var in vars {
        uppers.push(Arg::Ty(widen(types, var.upper, &uppers)));
    }
    uppers
}

/// A closed type that holds `ty`: covariant variables become their bounds, and a type with a
/// variable in an invariant place becomes the nearest supertype without.
pub(crate) fn widen(types: &Types, ty: Ty, uppers: &[Arg]) -> Ty {
    if !types.has_vars(ty) {
        return ty;
    }
    match types.kind(ty) {
        TyKind::Nominal { .. } => widen(types, types.supertype(ty), uppers),
        TyKind::Tuple { elems, tail } => {
            let elems: Vec<Ty> = elems.iter().map(|ty| widen(types, *ty, uppers)).collect();
            types.tuple_with_tail(&elems, tail.map(|ty| widen(types, ty, uppers)))
        }
        TyKind::Union(members) => {
            let members: Vec<Ty> = members.iter().map(|ty| widen(types, *ty, uppers)).collect();
            types.union(&members)
        }
        TyKind::Var(_) | TyKind::Bottom | TyKind::Any => types.substitute(ty, uppers),
    }
}
