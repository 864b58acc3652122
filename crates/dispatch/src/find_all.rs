//! Which methods a call with abstract arguments can mean.
//!
//! Defined by the calls with concrete arguments: a method is listed iff for some of them it can be
//! (part of) the answer of [`lookup`](crate::lookup()), up to what closed types can say about
//! diagonal signatures. In a stack, a match hides what lower tables have for the same calls.

use std::cell::Cell;
use std::cmp::Ordering;

use smallvec::SmallVec;

use crate::index::{Query, Wanted};
use crate::matching::sig_matches;
use crate::methods::{MethodEntry, MethodId, Methods};
use crate::sig::Sig;
use crate::specificity::{more_specific, specificity};
use crate::subtype::{Cx, widest};
use crate::ty::{Ty, TyKind};
use crate::types::Types;
use crate::unify::sig_intersect;
use crate::world::World;

/// How many parts of the arguments a question of cover may look at.
const COVER_STEPS: u32 = 1 << 12;
/// So few methods are looked at one by one.
const FEW: usize = 8;

/// A method that some of the calls mean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Match {
    /// The method.
    pub method: MethodId,
    /// The calls that it accepts: a tuple, or a union of tuples (see [`sig_intersect`]). Some of them
    /// may mean a more specific match.
    pub args: Ty,
    /// Whether it accepts all calls.
    pub covers: bool,
}

/// The answer to a call with abstract arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Matches {
    /// At most `limit` methods.
    Matches {
        /// Most specific first where comparable, else by number; upper tables first.
        matches: Vec<Match>,
        /// Whether every call has a match.
        covered: bool,
        /// Whether some call is ambiguous.
        ambiguous: bool,
    },
    /// More than `limit` methods.
    TooMany,
}

struct Found<'a> {
    entry: &'a MethodEntry,
    table: usize,
    args: Ty,
}

/// All methods that a call with these argument types (a closed tuple) can mean.
///
/// A match that more specific ones (or upper tables) wholly cover is dropped. `stack` is searched top
/// down until all calls have a match.
///
/// ```
/// # use worldage_dispatch::*;
/// # let types = Types::new();
/// # let leaf = |name| types.leaf(types.declare(Decl::leaf(types.symbol(name), DeclKind::Concrete, Ty::ANY)).unwrap());
/// let (int, string) = (leaf("Int64"), leaf("String"));
/// let mut f = Methods::new();
/// f.insert(&types, Sig::closed(&types, &[int]), MethodId(0), World(1));
///
/// let args = types.tuple(&[types.union(&[int, string])]);
/// let int_call = Match { method: MethodId(0), args: types.tuple(&[int]), covers: false };
/// let expected = Matches::Matches { matches: vec![int_call], covered: false, ambiguous: false };
/// assert_eq!(find_all(&types, &[&f], args, 4, World(1)), expected);
/// ```
pub fn find_all(
    types: &Types,
    stack: &[&Methods],
    args: Ty,
    limit: usize,
    world: World,
) -> Matches {
    let mut search = Search::new(types);
    let mut covered = false;
    for (table, methods) in stack.iter().enumerate() {
        let Some(query) = Query::new(types, args, Wanted::Overlapping) else {
            break;
        };
        let from = search.found.len();
        let candidates = methods.candidates(&query, world);
        for entry in candidates.iter().copied() {
            let common = sig_intersect(types, args, &entry.sig);
            if common == Ty::BOTTOM {
                continue;
            }
            search.found.push(Found {
                entry,
                table,
                args: common,
            });
            // Answers for concrete calls are final: many of them decide early.
            if types.is_concrete(common)
                && search.survives_call(methods, &candidates, common, entry, table, world)
            {
                search.kept.push(search.found.len() - 1);
                if search.kept.len() > limit {
                    return Matches::TooMany;
                }
            }
        }
        for ix in from..search.found.len() {
            if !types.is_concrete(search.found[ix].args) && search.survives(ix) {
                search.kept.push(ix);
                if search.kept.len() > limit {
                    return Matches::TooMany;
                }
            }
        }
        covered = search.is_covered(args);
        if covered {
            break;
        }
    }
    let matches = search.ordered();
    let ambiguous = search.is_ambiguous();
    let shown = |ix: usize| {
        let Found {
            entry,
            args: common,
            ..
        } = &search.found[ix];
        Match {
            method: entry.id,
            args: *common,
            covers: *common == args || sig_matches(types, args, &entry.sig),
        }
    };
    Matches::Matches {
        matches: matches.into_iter().map(shown).collect(),
        covered,
        ambiguous,
    }
}

struct Search<'a> {
    types: &'a Types,
    found: SmallVec<[Found<'a>; 4]>,
    /// Places in `found`.
    kept: SmallVec<[usize; 8]>,
    /// How the first [`FEW`] of `found` are ordered, as far as it was asked.
    orders: [[Cell<Order>; FEW]; FEW],
}

/// Which of two methods is preferred where both match.
#[derive(Clone, Copy, Default)]
enum Order {
    #[default]
    NotAsked,
    Known(Option<Ordering>),
}

impl<'a> Search<'a> {
    fn new(types: &'a Types) -> Self {
        Search {
            types,
            found: SmallVec::new(),
            kept: SmallVec::new(),
            orders: Default::default(),
        }
    }

    /// Whether `a` is preferred where both match; both are places in `found`.
    fn beats(&self, a: usize, b: usize) -> bool {
        let (first, second) = (a.min(b), a.max(b));
        let wins = if a < b {
            Ordering::Less
        } else {
            Ordering::Greater
        };
        let order = || {
            let (first, second) = (&self.found[first], &self.found[second]);
            match first.table.cmp(&second.table) {
                Ordering::Equal => specificity(self.types, &first.entry.sig, &second.entry.sig),
                upper => Some(upper),
            }
        };
        let Some(remembered) = self.orders.get(first).and_then(|row| row.get(second)) else {
            return order() == Some(wins);
        };
        if let Order::NotAsked = remembered.get() {
            remembered.set(Order::Known(order()));
        }
        matches!(remembered.get(), Order::Known(Some(order)) if order == wins)
    }

    /// Whether every call of `args` has a match among those that are kept.
    fn is_covered(&self, args: Ty) -> bool {
        let kept = || self.kept.iter().map(|ix| &self.found[*ix]);
        // Without variables an intersection is exact.
        let takes_all = |found: &Found<'_>| found.args == args && found.entry.sig.vars.is_empty();
        if kept().any(takes_all) {
            return true;
        }
        let sigs: SmallVec<[&Sig; 8]> = kept().map(|found| &found.entry.sig).collect();
        covers(self.types, args, &sigs)
    }

    /// Whether some of the calls of a match are not taken by better ones.
    fn survives(&self, ix: usize) -> bool {
        let this = &self.found[ix];
        let better = self.found.iter().enumerate().filter(|(place, other)| {
            *place != ix && self.types.overlaps(other.args, this.args) && self.beats(*place, ix)
        });
        let better: SmallVec<[&Sig; 8]> = better.map(|(_, other)| &other.entry.sig).collect();
        !covers(self.types, this.args, &better)
    }

    /// [`Search::survives`] for one concrete call, before all matches are known: the methods that
    /// accept it are among `candidates`, and the index has them if those are many.
    fn survives_call(
        &self,
        methods: &'a Methods,
        candidates: &[&MethodEntry],
        call: Ty,
        entry: &MethodEntry,
        table: usize,
        world: World,
    ) -> bool {
        let types = self.types;
        let hidden = self
            .found
            .iter()
            .any(|other| other.table < table && sig_matches(types, call, &other.entry.sig));
        if hidden {
            return false;
        }
        // A signature of just these concrete types is below every other match.
        if entry.sig.params == call {
            return true;
        }
        let beats = |other: &&MethodEntry| {
            other.id != entry.id
                && sig_matches(types, call, &other.sig)
                && more_specific(types, &other.sig, &entry.sig)
        };
        if candidates.len() <= FEW {
            return !candidates.iter().any(beats);
        }
        Query::new(types, call, Wanted::Covering)
            .is_some_and(|query| !methods.candidates(&query, world).iter().any(beats))
    }

    /// Most specific first where comparable, else by number.
    fn ordered(&self) -> SmallVec<[usize; 8]> {
        let mut rest = self.kept.clone();
        if rest.len() < 2 {
            return rest;
        }
        rest.sort_unstable_by_key(|ix| (self.found[*ix].table, self.found[*ix].entry.id));
        let mut order = SmallVec::with_capacity(rest.len());
        while !rest.is_empty() {
            let unbeaten = rest.iter().position(|ix| {
                !rest
                    .iter()
                    .any(|other| other != ix && self.beats(*other, *ix))
            });
            // In a circle of preferences, the number decides.
            order.push(rest.remove(unbeaten.unwrap_or(0)));
        }
        order
    }

    /// Whether for some call two matches are unbeaten.
    fn is_ambiguous(&self) -> bool {
        let types = self.types;
        self.kept.iter().enumerate().any(|(nth, a)| {
            self.kept[nth + 1..].iter().any(|b| {
                if self.beats(*a, *b) || self.beats(*b, *a) {
                    return false;
                }
                let common = sig_intersect(types, self.found[*a].args, &self.found[*b].entry.sig);
                if common == Ty::BOTTOM {
                    return false;
                }
                let better = (0..self.found.len()).filter(|other| {
                    let beats = |this: usize| *other != this && self.beats(*other, this);
                    beats(*a) || beats(*b)
                });
                let better: Vec<&Sig> = better.map(|other| &self.found[other].entry.sig).collect();
                !covers(types, common, &better)
            })
        })
    }
}

/// Whether every call of `args` (closed) is accepted by one of the signatures. Exact up to a step
/// budget; then the answer is *no*.
pub(crate) fn covers(types: &Types, args: Ty, sigs: &[&Sig]) -> bool {
    if sigs.is_empty() {
        return args == Ty::BOTTOM;
    }
    let cx = Cx::closed(types);
    if sigs.iter().all(|sig| sig.vars.is_empty())
        && let Some(row) = types.tuple_parts(args)
    {
        if sigs.iter().any(|sig| cx.le(args, sig.params)) {
            return true;
        }
        // One of the calls lies in no other type but supertypes of the whole (see `subtype`).
        if !types.data(args).splittable {
            return false;
        }
        let rows: Vec<_> = sigs
            .iter()
            .filter_map(|sig| types.tuple_parts(sig.params))
            .collect();
        return cx.covered(row, &rows);
    }
    covers_in(&cx, args, sigs, &mut COVER_STEPS.clone())
}

fn covers_in(cx: &Cx<'_>, args: Ty, sigs: &[&Sig], steps: &mut u32) -> bool {
    let types = cx.types;
    if let TyKind::Union(members) = types.kind(args) {
        return members
            .iter()
            .all(|member| covers_in(cx, *member, sigs, steps));
    }
    if sigs.iter().any(|sig| sig_matches(types, args, sig)) {
        return true;
    }
    *steps = steps.saturating_sub(1);
    let near: Vec<&Sig> = sigs
        .iter()
        .copied()
        .filter(|sig| sig_intersect(types, args, sig) != Ty::BOTTOM)
        .collect();
    if *steps == 0 || near.is_empty() {
        return false;
    }
    let longest = near
        .iter()
        .map(|sig| widest(types, sig.params))
        .max()
        .unwrap_or(0);
    let parts = cx.alternatives(args, longest);
    parts.len() > 1
        && parts
            .into_iter()
            .all(|part| covers_in(cx, part, &near, steps))
}
