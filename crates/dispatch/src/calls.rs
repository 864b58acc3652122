//! The recorded calls of one function: which of them can an edit of a signature affect.
//!
//! Calls of one length are listed, for each of their first arguments, under the head of its type
//! (see `index`). An edit looks at the position where the fewest calls have a related head (the
//! same, one below, or an abstract one above) and checks those.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use thin_vec::{ThinVec, thin_vec};

use crate::index::{Head, heads};
use crate::sig::Sig;
use crate::ty::Ty;
use crate::types::Types;
use crate::unify::sig_intersect;

/// How many positions are indexed.
const POSITIONS: usize = 3;

type List = FxHashSet<(Ty, u32)>;

/// The heads in use at or below a declaration.
#[derive(Clone, Debug, Default)]
struct Below {
    heads: FxHashSet<Head>,
    /// How many calls are listed under them.
    calls: usize,
}

#[derive(Clone, Debug, Default)]
struct Position {
    by_head: FxHashMap<Head, List>,
    below: FxHashMap<Head, Below>,
    /// Calls whose argument has no head.
    wide: List,
}

/// The calls of one length.
#[derive(Clone, Debug, Default)]
struct Calls {
    /// One per indexed argument, and at least one.
    positions: SmallVec<[Position; 1]>,
}

/// The argument tuples of recorded calls.
///
/// ```
/// # use worldage_dispatch::*;
/// # let types = Types::new();
/// # let leaf = |name| types.leaf(types.declare(Decl::leaf(types.symbol(name), DeclKind::Concrete, Ty::ANY)).unwrap());
/// let (int, string) = (leaf("Int64"), leaf("String"));
/// let mut calls = CallIndex::new();
/// calls.insert(&types, types.tuple(&[int]), 7);
/// calls.insert(&types, types.tuple(&[Ty::ANY]), 8);
/// assert_eq!(calls.affected(&types, &Sig::closed(&types, &[int])), [7, 8]);
/// assert_eq!(calls.affected(&types, &Sig::closed(&types, &[string])), [8]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallIndex(Held);

/// Most functions have one call, and there are many functions.
#[derive(Clone, Debug)]
enum Held {
    One(Option<(Ty, u32)>),
    /// So few that an index would cost more than it saves.
    Few(ThinVec<(Ty, u32)>),
    Many(Box<Many>),
}

impl Default for Held {
    fn default() -> Self {
        Held::One(None)
    }
}

impl Held {
    /// All calls, or the index of many.
    fn all(&self) -> Result<&[(Ty, u32)], &Many> {
        match self {
            Held::One(one) => Ok(one.as_slice()),
            Held::Few(few) => Ok(few),
            Held::Many(many) => Err(many),
        }
    }
}

/// How many calls are checked one by one.
const FEW: usize = 8;

/// An index of many calls.
#[derive(Clone, Debug, Default)]
struct Many {
    by_arity: FxHashMap<usize, Calls>,
    /// Calls with a Vararg, which may have any length.
    open: List,
    len: usize,
}

impl CallIndex {
    /// No calls.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a call with these argument types, concrete or abstract. Recording it twice changes nothing.
    pub fn insert(&mut self, types: &Types, args: Ty, call: u32) {
        if self.0.all().is_ok_and(|all| all.contains(&(args, call))) {
            return;
        }
        match &mut self.0 {
            Held::One(one @ None) => *one = Some((args, call)),
            Held::One(Some(first)) => self.0 = Held::Few(thin_vec![*first, (args, call)]),
            Held::Few(few) if few.len() < FEW => few.push((args, call)),
            Held::Few(few) => {
                let mut many = Box::<Many>::default();
                for (args, call) in few.iter().copied().chain([(args, call)]) {
                    many.insert(types, args, call);
                }
                self.0 = Held::Many(many);
            }
            Held::Many(many) => many.insert(types, args, call),
        }
    }

    /// Forgets a recorded call; whether it was there.
    pub fn remove(&mut self, types: &Types, args: Ty, call: u32) -> bool {
        match &mut self.0 {
            Held::One(one) => one.take_if(|one| *one == (args, call)).is_some(),
            Held::Few(few) => {
                let known = few.iter().position(|known| *known == (args, call));
                known.map(|ix| few.swap_remove(ix)).is_some()
            }
            Held::Many(many) => many.remove(types, args, call),
        }
    }

    /// How many calls are recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.all().map_or_else(|many| many.len, <[_]>::len)
    }

    /// Whether no call is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The calls that an edit of a method with this signature can affect, sorted: those that the
    /// signature accepts, in whole or in part.
    pub fn affected(&self, types: &Types, sig: &Sig) -> Vec<u32> {
        let mut hit = Vec::new();
        if types.tuple_parts(sig.params).is_none() {
            return hit;
        }
        let mut check = |(args, call): &(Ty, u32)| {
            let meets = if sig.vars.is_empty() {
                types.overlaps(*args, sig.params)
            } else {
                sig_intersect(types, *args, sig) != Ty::BOTTOM
            };
            if meets {
                hit.push(*call);
            }
        };
        match self.0.all() {
            Ok(all) => all.iter().for_each(check),
            Err(many) => many.each_candidate(types, sig, &mut check),
        }
        hit.sort_unstable();
        hit.dedup();
        hit
    }
}

impl Many {
    fn insert(&mut self, types: &Types, args: Ty, call: u32) {
        let added = match types.tuple_parts(args) {
            Some((elems, None)) => {
                self.by_arity
                    .entry(elems.len())
                    .or_default()
                    .insert(types, elems, (args, call))
            }
            _ => self.open.insert((args, call)),
        };
        self.len += usize::from(added);
    }

    fn remove(&mut self, types: &Types, args: Ty, call: u32) -> bool {
        let removed = match types.tuple_parts(args) {
            Some((elems, None)) => {
                let calls = self.by_arity.get_mut(&elems.len());
                calls.is_some_and(|calls| calls.remove(types, elems, (args, call)))
            }
            _ => self.open.remove(&(args, call)),
        };
        self.len -= usize::from(removed);
        removed
    }

    /// Visits every call that the signature may accept.
    fn each_candidate(&self, types: &Types, sig: &Sig, check: &mut impl FnMut(&(Ty, u32))) {
        let Some((elems, tail)) = types.tuple_parts(sig.params) else {
            return;
        };
        self.open.iter().for_each(&mut *check);
        if tail.is_none() {
            if let Some(calls) = self.by_arity.get(&elems.len()) {
                calls.each_candidate(types, sig, check);
            }
        } else {
            let longer = self
                .by_arity
                .iter()
                .filter(|(arity, _)| **arity >= elems.len());
            longer.for_each(|(_, calls)| calls.each_candidate(types, sig, check));
        }
    }
}

impl Calls {
    fn insert(&mut self, types: &Types, elems: &[Ty], call: (Ty, u32)) -> bool {
        self.positions
            .resize_with(elems.len().clamp(1, POSITIONS), Position::default);
        let mut added = false;
        for (column, position) in self.positions.iter_mut().enumerate() {
            let Some(heads) = elems.get(column).and_then(|ty| heads(types, *ty, &[])) else {
                added = position.wide.insert(call);
                continue;
            };
            for head in heads {
                added = position.by_head.entry(head).or_default().insert(call);
                if added {
                    for above in head.path(types) {
                        let below = position.below.entry(above).or_default();
                        below.heads.insert(head);
                        below.calls += 1;
                    }
                }
            }
        }
        added
    }

    fn remove(&mut self, types: &Types, elems: &[Ty], call: (Ty, u32)) -> bool {
        let mut removed = false;
        for (column, position) in self.positions.iter_mut().enumerate() {
            let Some(heads) = elems.get(column).and_then(|ty| heads(types, *ty, &[])) else {
                removed = position.wide.remove(&call);
                continue;
            };
            for head in heads {
                let Some(list) = position.by_head.get_mut(&head) else {
                    continue;
                };
                removed = list.remove(&call);
                let emptied = list.is_empty();
                if emptied {
                    position.by_head.remove(&head);
                }
                for above in head.path(types).filter(|_| removed) {
                    if let Some(below) = position.below.get_mut(&above) {
                        below.calls -= 1;
                        if emptied {
                            below.heads.remove(&head);
                        }
                        if below.calls == 0 {
                            position.below.remove(&above);
                        }
                    }
                }
            }
        }
        removed
    }

    /// Visits every call that the signature may accept, by the most selective position.
    fn each_candidate(&self, types: &Types, sig: &Sig, visit: &mut impl FnMut(&(Ty, u32))) {
        let Some((elems, tail)) = types.tuple_parts(sig.params) else {
            return;
        };
        let mut best: Option<(usize, &Position, SmallVec<[Head; 2]>)> = None;
        for (column, position) in self.positions.iter().enumerate() {
            let param = elems.get(column).copied().or(tail);
            let Some(heads) = param.and_then(|ty| heads(types, ty, &sig.vars)) else {
                continue;
            };
            let count = position.wide.len()
                + heads
                    .iter()
                    .map(|head| position.count(types, *head))
                    .sum::<usize>();
            if best.as_ref().is_none_or(|(fewest, ..)| count < *fewest) {
                best = Some((count, position, heads));
            }
        }
        match best {
            Some((_, position, heads)) => {
                position.wide.iter().for_each(&mut *visit);
                heads
                    .iter()
                    .for_each(|head| position.each_related(types, *head, visit));
            }
            None => {
                if let Some(position) = self.positions.first() {
                    position
                        .by_head
                        .values()
                        .chain([&position.wide])
                        .flatten()
                        .for_each(visit);
                }
            }
        }
    }
}

impl Position {
    fn count(&self, types: &Types, head: Head) -> usize {
        let below = self.below.get(&head).map_or(0, |below| below.calls);
        let above = head
            .path(types)
            .filter(|above| *above != head)
            .filter_map(|above| self.by_head.get(&above));
        below + above.map(FxHashSet::len).sum::<usize>()
    }

    /// Visits the calls at, below and above a head. Above it there are abstract types only.
    fn each_related(&self, types: &Types, head: Head, visit: &mut impl FnMut(&(Ty, u32))) {
        let below = self
            .below
            .get(&head)
            .into_iter()
            .flat_map(|below| below.heads.iter().copied());
        let above = head.path(types).filter(|above| *above != head);
        for related in below.chain(above) {
            self.by_head
                .get(&related)
                .into_iter()
                .flatten()
                .for_each(&mut *visit);
        }
    }
}
