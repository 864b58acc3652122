//! Which methods a call with abstract arguments can mean.
//!
//! Defined by the calls with concrete arguments: a method is listed iff for some of them it can be
//! (part of) the answer of [`lookup`](crate::lookup()), up to what closed types can say about
//! diagonal signatures. In a stack, a match hides what lower tables have for the same calls.

use crate::index::{Query, Wanted};
use crate::matching::sig_matches;
use crate::methods::{MethodEntry, MethodId, Methods};
use crate::sig::Sig;
use crate::specificity::more_specific;
use crate::subtype::{Cx, widest};
use crate::ty::{Ty, TyKind};
use crate::types::Types;
use crate::unify::sig_intersect;
use crate::world::World;

/// How many parts of the arguments a question of cover may look at.
const COVER_STEPS: u32 = 1 << 12;

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
    let mut search = Search {
        types,
        found: Vec::new(),
        kept: Vec::new(),
    };
    let mut covered = false;
    for (table, methods) in stack.iter().enumerate() {
        let Some(query) = Query::new(types, args, Wanted::Overlapping) else {
            break;
        };
        let from = search.found.len();
        for entry in methods.candidates(query, world) {
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
                && search.survives_index(methods, common, entry, table, world)
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
    found: Vec<Found<'a>>,
    /// Places in `found`.
    kept: Vec<usize>,
}

impl<'a> Search<'a> {
    /// Whether `a` is preferred where both match.
    fn beats(&self, a: &Found<'_>, b: &Found<'_>) -> bool {
        a.table < b.table
            || (a.table == b.table && more_specific(self.types, &a.entry.sig, &b.entry.sig))
    }

    /// Whether every call of `args` has a match among those that are kept.
    fn is_covered(&self, args: Ty) -> bool {
        let kept = || self.kept.iter().map(|ix| &self.found[*ix]);
        // Without variables an intersection is exact.
        let takes_all = |found: &Found<'_>| found.args == args && found.entry.sig.vars.is_empty();
        if kept().any(takes_all) {
            return true;
        }
        let sigs: Vec<&Sig> = kept().map(|found| &found.entry.sig).collect();
        covers(self.types, args, &sigs)
    }

    /// Whether some of the calls of a match are not taken by better ones.
    fn survives(&self, ix: usize) -> bool {
        let this = &self.found[ix];
        let better = self.found.iter().filter(|other| {
            other.entry.id != this.entry.id
                && self.types.overlaps(other.args, this.args)
                && self.beats(other, this)
        });
        let better: Vec<&Sig> = better.map(|other| &other.entry.sig).collect();
        !covers(self.types, this.args, &better)
    }

    /// [`Search::survives`] for one concrete call, before all matches are known.
    fn survives_index(
        &self,
        methods: &'a Methods,
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
        let Some(query) = Query::new(types, call, Wanted::Covering) else {
            return false;
        };
        !methods.candidates(query, world).iter().any(|other| {
            other.id != entry.id
                && sig_matches(types, call, &other.sig)
                && more_specific(types, &other.sig, &entry.sig)
        })
    }

    /// Most specific first where comparable, else by number.
    fn ordered(&self) -> Vec<usize> {
        let mut rest: Vec<usize> = self.kept.clone();
        rest.sort_unstable_by_key(|ix| (self.found[*ix].table, self.found[*ix].entry.id));
        let mut order = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            let unbeaten = rest.iter().position(|ix| {
                !rest
                    .iter()
                    .any(|other| other != ix && self.beats(&self.found[*other], &self.found[*ix]))
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
                let (a, b) = (&self.found[*a], &self.found[*b]);
                if self.beats(a, b) || self.beats(b, a) {
                    return false;
                }
                let common = sig_intersect(types, a.args, &b.entry.sig);
                if common == Ty::BOTTOM {
                    return false;
                }
                let better = self
                    .found
                    .iter()
                    .filter(|other| self.beats(other, a) || self.beats(other, b));
                let better: Vec<&Sig> = better.map(|other| &other.entry.sig).collect();
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
