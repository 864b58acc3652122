//! Unions in their normal form: flat, without redundant members, in an order of names.

use rustc_hash::FxHashMap;

use crate::error::TypeError;
use crate::index::{Query, SigIndex, Wanted};
use crate::sig::Sig;
use crate::ty::{DeclId, Ty, TyKind};
use crate::types::Types;

/// Up to this many members are compared pair by pair.
const FEW: usize = 16;

impl Types {
    /// The union of types. No member = [`Ty::BOTTOM`], one = itself.
    ///
    /// A union beyond the limits widens to Any. Near linear in the number of members.
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

    /// The union, or Any if it has more than `limit` members: what inference joins branches with.
    ///
    /// ```
    /// # use worldage_dispatch::*;
    /// # let types = Types::new();
    /// # let leaf = |name| types.leaf(types.declare(Decl::leaf(types.symbol(name), DeclKind::Concrete, Ty::ANY)).unwrap());
    /// let (int, nothing) = (leaf("Int64"), leaf("Nothing"));
    /// assert_eq!(types.display(types.join(int, nothing, 4)).to_string(), "Union{Int64, Nothing}");
    /// assert_eq!(types.join(int, nothing, 1), Ty::ANY);
    /// ```
    pub fn join(&self, a: Ty, b: Ty, limit: usize) -> Ty {
        let joined = match (self.subtype(a, b), self.subtype(b, a)) {
            (true, false) => b,
            (false, true) => a,
            _ => self.union(&[a, b]),
        };
        match self.kind(joined) {
            TyKind::Union(members) if members.len() > limit => Ty::ANY,
            _ => joined,
        }
    }

    /// Drops members below others; of type-equal members the first stays.
    fn drop_redundant(&self, flat: &mut Vec<Ty>) {
        let members: Vec<Ty> = flat.clone();
        let redundant = |a: usize, b: usize| {
            a != b
                && self.subtype(members[a], members[b])
                && (b < a || !self.subtype(members[b], members[a]))
        };
        let mut place = 0;
        if members.len() <= FEW {
            flat.retain(|_| {
                place += 1;
                !(0..members.len()).any(|other| redundant(place - 1, other))
            });
            return;
        }
        let tuples: Vec<Sig> = members.iter().map(|ty| Sig::of_args(*ty)).collect();
        let mut index = SigIndex::default();
        let mut heads: FxHashMap<DeclId, Vec<usize>> = FxHashMap::default();
        for (place, ty) in members.iter().enumerate() {
            match self.kind(*ty) {
                TyKind::Nominal { decl, .. } => heads.entry(*decl).or_default().push(place),
                _ => index.insert(self, &tuples[place], place as u32, &|other| {
                    &tuples[other as usize]
                }),
            }
        }
        flat.retain(|ty| {
            place += 1;
            let this = place - 1;
            let mut gone = false;
            match self.kind(*ty) {
                TyKind::Nominal { decl, .. } => {
                    let above = self
                        .decl_data(*decl)
                        .path
                        .iter()
                        .filter_map(|head| heads.get(head));
                    gone = above.flatten().any(|other| redundant(this, *other));
                }
                _ => {
                    if let Some(query) = Query::new(self, *ty, Wanted::Covering) {
                        index.search(&query, &mut |other| {
                            gone = gone || redundant(this, other as usize)
                        });
                    }
                }
            }
            !gone
        });
    }
}
