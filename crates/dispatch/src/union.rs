//! Unions in their normal form: flat, without redundant members, in an order of names.

use crate::error::TypeError;
use crate::ty::{DeclId, Ty, TyKind};
use crate::types::Types;

impl Types {
    /// The union of types. No member = [`Ty::BOTTOM`], one = itself.
    ///
    /// A union beyond the limits widens to Any. Linear in nominal members, quadratic in tuples.
    pub fn union(&self, members: &[Ty]) -> Ty {
        self.try_union(members).unwrap_or(Ty::ANY)
    }

    /// [`Types::union`], or why the result cannot be built.
    ///
    /// # Errors
    /// Too deep or too large.
    pub fn try_union(&self, members: &[Ty]) -> Result<Ty, TypeError> {
        let mut flat = Vec::with_capacity(members.len());
        for member in members {
            match self.kind(*member) {
                TyKind::Bottom => {}
                TyKind::Any => return Ok(Ty::ANY),
                TyKind::Union(inner) => flat.extend_from_slice(inner),
                _ => flat.push(*member),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        if flat.len() > 1 {
            // The order is fixed first: of two type-equal members the one with the first name stays.
            flat.sort_by_cached_key(|ty| (self.display(*ty).to_string(), *ty));
            self.drop_redundant(&mut flat);
        }
        match flat.as_slice() {
            [] => Ok(Ty::BOTTOM),
            [only] => Ok(*only),
            _ => self.intern(TyKind::Union(flat.into())),
        }
    }

    /// The union, or Any if it has more than `limit` members.
    pub fn join(&self, a: Ty, b: Ty, limit: usize) -> Ty {
        let joined = self.union(&[a, b]);
        match self.kind(joined) {
            TyKind::Union(members) if members.len() > limit => Ty::ANY,
            _ => joined,
        }
    }

    fn drop_redundant(&self, flat: &mut Vec<Ty>) {
        let mut heads: Vec<(DeclId, Ty)> = Vec::new();
        let mut others: Vec<Ty> = Vec::new();
        for ty in flat.iter() {
            match self.kind(*ty) {
                TyKind::Nominal { decl, .. } => heads.push((*decl, *ty)),
                _ => others.push(*ty),
            }
        }
        heads.sort_unstable();
        let place = |ty: Ty, flat: &[Ty]| flat.iter().position(|other| *other == ty);
        let snapshot = flat.clone();
        let mut gone = rustc_hash::FxHashSet::default();
        // `a` goes if it is below another `b`, unless they are equal and `a` is the first of them.
        let redundant = |a: Ty, b: Ty| {
            a != b
                && self.subtype(a, b)
                && (!self.subtype(b, a) || place(b, &snapshot) < place(a, &snapshot))
        };
        for a in &snapshot {
            let drops = match self.kind(*a) {
                TyKind::Nominal { decl, .. } => self.decl_data(*decl).path.iter().any(|head| {
                    let start = heads.partition_point(|(other, _)| other < head);
                    heads[start..]
                        .iter()
                        .take_while(|(other, _)| other == head)
                        .any(|(_, b)| redundant(*a, *b))
                }),
                TyKind::Tuple { .. } => others.iter().any(|b| redundant(*a, *b)),
                _ => false,
            };
            if drops {
                gone.insert(*a);
            }
        }
        flat.retain(|ty| !gone.contains(ty));
    }
}
