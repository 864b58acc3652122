//! Ambiguities between methods, and the signature that would resolve one.

use crate::find_all::covers;
use crate::matching::{sig_matches, sig_subtype};
use crate::methods::{MethodEntry, MethodId, Methods};
use crate::sig::{Sig, TypeVar, VarKind};
use crate::specificity::more_specific;
use crate::ty::{Arg, Ty, TyKind};
use crate::types::Types;
use crate::unify::{joined, sig_disjoint, sig_intersect};
use crate::widen::widened;
use crate::world::World;

/// Two methods of which some calls mean neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguity {
    /// The new method.
    pub a: MethodId,
    /// The other.
    pub b: MethodId,
    /// A method with this signature would resolve it.
    pub resolved_by: Sig,
}

/// The ambiguities that a method brings, by the other's number: a definition-time diagnostic.
///
/// `new` is the signature of one of `methods` in `world`, that is: ask after the insert.
pub fn ambiguities(types: &Types, methods: &Methods, new: &Sig, world: World) -> Vec<Ambiguity> {
    let Some(a) = methods.find_exact(types, new, world) else {
        return Vec::new();
    };
    let near = methods.overlapping(types, new, world);
    let mut found: Vec<Ambiguity> = near
        .iter()
        .filter(|entry| entry.id != a && is_ambiguous(types, new, &entry.sig, &near))
        .map(|entry| Ambiguity {
            a,
            b: entry.id,
            resolved_by: resolving_signature(types, &[new, &entry.sig]),
        })
        .collect();
    found.sort_unstable_by_key(|ambiguity| ambiguity.b);
    found
}

/// Whether two signatures meet, neither is more specific, and better methods leave some of it open.
fn is_ambiguous(types: &Types, a: &Sig, b: &Sig, near: &[&MethodEntry]) -> bool {
    if sig_disjoint(types, a, b) || more_specific(types, a, b) || more_specific(types, b, a) {
        return false;
    }
    let better = near
        .iter()
        .filter(|other| more_specific(types, &other.sig, a) || more_specific(types, &other.sig, b));
    let better: Vec<&Sig> = better.map(|other| &other.sig).collect();
    if better.is_empty() {
        return true;
    }
    let resolving = resolving_signature(types, &[a, b]);
    !better
        .iter()
        .any(|other| sig_subtype(types, &resolving, other))
        && !covers(types, sig_intersect(types, widened(types, a), b), &better)
}

/// The signature that would resolve a call for which all of `sigs` stand: their intersection,
/// parameter by parameter.
///
/// Where no signature describes the intersection exactly, it is the nearest one found.
///
/// ```
/// # use worldage_dispatch::*;
/// # let types = Types::new();
/// # let int = types.leaf(types.declare(Decl::leaf(types.symbol("Int64"), DeclKind::Concrete, Ty::ANY)).unwrap());
/// let (a, b) = (Sig::closed(&types, &[int, Ty::ANY]), Sig::closed(&types, &[Ty::ANY, int]));
/// let sig = resolving_signature(&types, &[&a, &b]);
/// assert_eq!(display_sig(&types, "f", &sig), "f(Int64, Int64)");
/// ```
pub fn resolving_signature(types: &Types, sigs: &[&Sig]) -> Sig {
    let below_all = |sig: &Sig| sigs.iter().all(|other| sig_subtype(types, sig, other));
    let everything = types.tuple_with_tail(&[], Some(Ty::ANY));
    let common = sigs.iter().fold(everything, |common, sig| {
        types.intersect(common, widened(types, sig))
    });
    let closed = sigs
        .iter()
        .fold(common, |common, sig| sig_intersect(types, common, sig));
    if types.tuple_parts(closed).is_some() && sigs.iter().all(|sig| sig_matches(types, closed, sig))
    {
        return Sig::of_args(closed);
    }
    let Some((first, rest)) = sigs.split_first() else {
        return Sig::of_args(everything);
    };
    let combined = rest.iter().fold((*first).clone(), |common, sig| {
        combined(types, &common, sig)
    });
    if !below_all(&combined)
        && types.tuple_parts(closed).is_some()
        && below_all(&Sig::of_args(closed))
    {
        return Sig::of_args(closed);
    }
    combined
}

/// Parameter by parameter the narrower of two signatures, with the variables of both.
fn combined(types: &Types, a: &Sig, b: &Sig) -> Sig {
    let (other, mut vars, kinds) = joined(types, a, b);
    let (Some((elems, tail)), Some((others, rest))) =
        (types.tuple_parts(a.params), types.tuple_parts(other))
    else {
        return a.clone();
    };
    let at = |elems: &[Ty], tail: Option<Ty>, ix: usize| elems.get(ix).copied().or(tail);
    let length = elems.len().max(others.len());
    let mut params = Vec::with_capacity(length);
    for ix in 0..length {
        let (Some(x), Some(y)) = (at(elems, tail, ix), at(others, rest, ix)) else {
            return a.clone();
        };
        params.push(narrower(types, x, y, &mut vars, &kinds));
    }
    let tail = tail
        .zip(rest)
        .map(|(x, y)| narrower(types, x, y, &mut vars, &kinds));
    tidied(types, &params, tail, &vars)
}

fn narrower(types: &Types, x: Ty, y: Ty, vars: &mut [TypeVar], kinds: &[VarKind]) -> Ty {
    if !types.has_vars(x) && !types.has_vars(y) {
        return types.intersect(x, y);
    }
    for (var, other) in [(x, y), (y, x)] {
        // A variable used elsewhere stays one: its bound takes up the other parameter.
        if let TyKind::Var(ix) = types.kind(var)
            && kinds[*ix as usize] != VarKind::Bound
            && !types.has_vars(other)
            && !types.has_vars(vars[*ix as usize].upper)
        {
            let upper = &mut vars[*ix as usize].upper;
            *upper = types.intersect(*upper, other);
            return var;
        }
    }
    let alone = |ty| Sig::of(types, types.tuple(&[ty]), vars.to_vec());
    if sig_subtype(types, &alone(y), &alone(x)) {
        y
    } else {
        x
    }
}

/// A signature without variables that are unused or have one candidate only.
fn tidied(types: &Types, params: &[Ty], tail: Option<Ty>, vars: &[TypeVar]) -> Sig {
    let whole = types.tuple_with_tail(params, tail);
    let mut kept: Vec<TypeVar> = Vec::new();
    let mut values: Vec<Arg> = Vec::new();
    for (ix, var) in (0..).zip(vars) {
        let upper = types.substitute(var.upper, &values);
        if types.is_concrete(upper) || !mentions(types, whole, vars, ix) {
            values.push(Arg::Ty(upper));
        } else {
            values.push(Arg::Ty(types.var(kept.len() as u32)));
            kept.push(TypeVar {
                name: var.name,
                upper,
            });
        }
    }
    Sig::of(types, types.substitute(whole, &values), kept)
}

/// Whether a type, or the bound of a later variable, mentions a variable.
fn mentions(types: &Types, ty: Ty, vars: &[TypeVar], ix: u32) -> bool {
    let direct = |ty: Ty| types.mentions_var(ty, ix);
    direct(ty) || vars[ix as usize + 1..].iter().any(|var| direct(var.upper))
}
