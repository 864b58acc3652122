//! Intersection and disjointness of signatures.

use crate::matching::sig_matches;
use crate::sig::Sig;
use crate::ty::{Arg, Ty, TyKind};
use crate::types::Types;

/// The calls of `args` that `sig` accepts, as a closed type; [`Ty::BOTTOM`] if there are none.
pub fn sig_intersect(types: &Types, args: Ty, sig: &Sig) -> Ty {
    if sig.vars.is_empty() {
        return types.intersect(args, sig.params);
    }
    if sig_matches(types, args, sig) {
        return args;
    }
    if types.is_concrete(args) {
        return Ty::BOTTOM;
    }
    types.intersect(args, widened(types, sig))
}

/// Whether no call is accepted by both.
pub fn sig_disjoint(types: &Types, a: &Sig, b: &Sig) -> bool {
    sig_intersect(types, widened(types, a), b) == Ty::BOTTOM
        || sig_intersect(types, widened(types, b), a) == Ty::BOTTOM
}

/// A closed type that holds all calls of a signature.
pub(crate) fn widened(types: &Types, sig: &Sig) -> Ty {
    let mut uppers: Vec<Arg> = Vec::new();
    for var in sig.vars.iter() {
        uppers.push(Arg::Ty(widen(types, var.upper, &uppers)));
    }
    widen(types, sig.params, &uppers)
}

/// A closed type that holds `ty`: covariant variables become their bounds, and a type with a
/// variable in an invariant place becomes the nearest supertype without.
fn widen(types: &Types, ty: Ty, uppers: &[Arg]) -> Ty {
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
