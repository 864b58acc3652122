//! Intersection of closed types, exact: nominal types form a tree, so two of them are nested or disjoint.

use smallvec::SmallVec;

use crate::ty::{Ty, TyKind};
use crate::types::Types;

impl Types {
    /// The type of the values that are in both. Exact.
    pub fn intersect(&self, a: Ty, b: Ty) -> Ty {
        if a == b || b == Ty::ANY {
            return a;
        }
        if a == Ty::ANY {
            return b;
        }
        match (self.kind(a), self.kind(b)) {
            (TyKind::Union(members), TyKind::Union(others)) => {
                let (inside, outside): (Vec<Ty>, Vec<Ty>) =
                    members.iter().partition(|ty| self.subtype(**ty, b));
                let mut common = inside;
                common.extend(others.iter().filter(|ty| self.subtype(**ty, a)));
                // Nominal members are nested or disjoint; only tuples can overlap.
                let tuples = |tys: &[Ty]| -> Vec<Ty> {
                    tys.iter()
                        .copied()
                        .filter(|ty| self.tuple_parts(*ty).is_some())
                        .collect()
                };
                let others = tuples(others);
                for a in tuples(&outside) {
                    common.extend(others.iter().map(|b| self.intersect(a, *b)));
                }
                self.union(&common)
            }
            (TyKind::Union(members), _) => self.intersect_members(members, a, b),
            (_, TyKind::Union(members)) => self.intersect_members(members, b, a),
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: others,
                    tail: other,
                },
            ) => {
                let length = elems.len().max(others.len());
                if (elems.len() < length && tail.is_none())
                    || (others.len() < length && other.is_none())
                {
                    return Ty::BOTTOM;
                }
                let at = |elems: &[Ty], tail: &Option<Ty>, ix: usize| {
                    elems.get(ix).copied().or(*tail).unwrap_or(Ty::BOTTOM)
                };
                let mut common: SmallVec<[Ty; 8]> = SmallVec::with_capacity(length);
                for ix in 0..length {
                    match self.intersect(at(elems, tail, ix), at(others, other, ix)) {
                        Ty::BOTTOM => return Ty::BOTTOM,
                        ty => common.push(ty),
                    }
                }
                let rest = tail.zip(*other).map(|(a, b)| self.intersect(a, b));
                // Most often one of the two is the answer: it is interned already.
                match common.as_slice() {
                    same if same == &**elems && rest == *tail => a,
                    same if same == &**others && rest == *other => b,
                    common => self.tuple_with_tail(common, rest),
                }
            }
            _ if self.subtype(a, b) => a,
            _ if self.subtype(b, a) => b,
            _ => Ty::BOTTOM,
        }
    }

    fn intersect_members(&self, members: &[Ty], union: Ty, other: Ty) -> Ty {
        if self.subtype(other, union) {
            return other;
        }
        let common: Vec<Ty> = members
            .iter()
            .map(|member| self.intersect(*member, other))
            .collect();
        self.union(&common)
    }

    /// Whether two closed types have a value in common. Exact.
    pub fn overlaps(&self, a: Ty, b: Ty) -> bool {
        if a == Ty::BOTTOM || b == Ty::BOTTOM {
            return false;
        }
        if a == b || a == Ty::ANY || b == Ty::ANY {
            return true;
        }
        match (self.kind(a), self.kind(b)) {
            (TyKind::Union(members), TyKind::Union(others)) => {
                let meets = |m: &Ty, other: Ty| match self.kind(*m) {
                    TyKind::Nominal { .. } => self.subtype(*m, other),
                    _ => self.overlaps(*m, other),
                };
                members.iter().any(|m| meets(m, b)) || others.iter().any(|m| meets(m, a))
            }
            (TyKind::Union(members), _) => members.iter().any(|m| self.overlaps(*m, b)),
            (_, TyKind::Union(members)) => members.iter().any(|m| self.overlaps(a, *m)),
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: others,
                    tail: other,
                },
            ) => {
                (elems.len() >= others.len() || tail.is_some())
                    && (others.len() >= elems.len() || other.is_some())
                    && (0..elems.len().max(others.len())).all(|ix| {
                        let at = |elems: &[Ty], tail: &Option<Ty>| {
                            elems.get(ix).copied().or(*tail).unwrap_or(Ty::BOTTOM)
                        };
                        self.overlaps(at(elems, tail), at(others, other))
                    })
            }
            _ => self.subtype(a, b) || self.subtype(b, a),
        }
    }
}
