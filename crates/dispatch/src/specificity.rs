//! Which of two signatures is more specific. Not transitive: never sort by it.

use std::cmp::Ordering;

use crate::matching::sig_subtype;
use crate::sig::Sig;
use crate::ty::{Ty, TyKind};
use crate::types::Types;
use crate::unify::sig_disjoint;

/// Whether `a` is more specific than `b`.
///
/// A strict subtype is. Otherwise, only where the two intersect, parameters are compared one by one
/// (a Vararg is repeated to the length of the other): each pair must be equal or one below the
/// other, at least one in favour of `a` and none in favour of `b`. If all are equal, a fixed arity
/// beats a Vararg, and then a diagonal beats a non-diagonal.
pub fn more_specific(types: &Types, a: &Sig, b: &Sig) -> bool {
    specificity(types, a, b) == Some(Ordering::Less)
}

/// Both directions of [`more_specific`] at once: `Less` = `a` is more specific, `Greater` = `b` is.
/// Never both, for each way to win is asymmetric.
pub(crate) fn specificity(types: &Types, a: &Sig, b: &Sig) -> Option<Ordering> {
    if a == b {
        return None;
    }
    match (sig_subtype(types, a, b), sig_subtype(types, b, a)) {
        (true, true) => None,
        (true, false) => Some(Ordering::Less),
        (false, true) => Some(Ordering::Greater),
        (false, false) if sig_disjoint(types, a, b) => None,
        (false, false) if wins_by_parameters(types, a, b) => Some(Ordering::Less),
        (false, false) => wins_by_parameters(types, b, a).then_some(Ordering::Greater),
    }
}

fn wins_by_parameters(types: &Types, a: &Sig, b: &Sig) -> bool {
    let (Some(a_parts), Some(b_parts)) = (types.tuple_parts(a.params), types.tuple_parts(b.params))
    else {
        return false;
    };
    let length = a_parts.0.len().max(b_parts.0.len());
    let at = |(elems, tail): (&[Ty], Option<Ty>), ix: usize| elems.get(ix).copied().or(tail);
    let mut pairs: Vec<(Ty, Ty)> = Vec::with_capacity(length + 1);
    for ix in 0..length {
        let (Some(x), Some(y)) = (at(a_parts, ix), at(b_parts, ix)) else {
            return false;
        };
        pairs.push((x, y));
    }
    pairs.extend(a_parts.1.zip(b_parts.1));
    pairs.sort_unstable();
    pairs.dedup();
    let mut better = false;
    for (x, y) in pairs {
        match compare(types, a, x, b, y) {
            Some(Ordering::Less) => better = true,
            Some(Ordering::Equal) => {}
            Some(Ordering::Greater) | None => return false,
        }
    }
    better
        || match (a_parts.1, b_parts.1) {
            (None, Some(_)) => true,
            (Some(_), None) => false,
            _ => a.is_diagonal() && !b.is_diagonal(),
        }
}

/// `Less` = the parameter `x` of `a` is strictly narrower than the parameter `y` of `b`.
fn compare(types: &Types, a: &Sig, x: Ty, b: &Sig, y: Ty) -> Option<Ordering> {
    if !types.has_vars(x) && !types.has_vars(y) {
        return match (types.subtype(x, y), types.subtype(y, x)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        };
    }
    // Alone, a variable that is not fixed by its own place counts as its bound.
    let alone = |sig: &Sig, ty| Sig::of(types, types.tuple(&[ty]), sig.vars.to_vec());
    let (one, other) = (alone(a, x), alone(b, y));
    match (
        sig_subtype(types, &one, &other),
        sig_subtype(types, &other, &one),
    ) {
        (true, true) => {
            // An unbounded variable still counts as narrower than a plain Any.
            let is_var = |ty| matches!(types.kind(ty), TyKind::Var(_));
            Some(match (is_var(x), is_var(y)) {
                (true, false) if y == Ty::ANY => Ordering::Less,
                (false, true) if x == Ty::ANY => Ordering::Greater,
                _ => Ordering::Equal,
            })
        }
        (true, false) => Some(Ordering::Less),
        (false, true) => Some(Ordering::Greater),
        (false, false) => None,
    }
}
