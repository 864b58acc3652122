//! Which method a call with concrete arguments, or an explicit signature, means.
//!
//! The answer is the one match that no other match beats. It need not beat all others itself, for
//! *more specific* is not transitive.

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::index::{Query, Wanted};
use crate::matching::sig_matches;
use crate::methods::{MethodEntry, MethodId, Methods};
use crate::specificity::{more_specific, specificity};
use crate::ty::Ty;
use crate::types::Types;
use crate::world::World;

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The one method that no other match beats.
    Method(MethodId),
    /// No method accepts the arguments.
    NoMethod,
    /// The matches that no other match beats, by number (all matches, if they beat one another in a circle).
    Ambiguous(Arc<[MethodId]>),
}

/// The method that a call with these argument types means.
///
/// `stack` is searched top down; the first table with a match decides. `args` that are no concrete
/// tuple match nothing.
pub fn lookup(types: &Types, stack: &[&Methods], args: Ty, world: World) -> Lookup {
    if !types.is_concrete(args) {
        return Lookup::NoMethod;
    }
    for methods in stack {
        // A signature of just these concrete types is below every other match.
        if let Some(entry) = methods.written(args, world) {
            return Lookup::Method(entry.id);
        }
        match covering(types, methods, args, world) {
            Lookup::NoMethod => {}
            found => return found,
        }
    }
    Lookup::NoMethod
}

/// The most specific method that accepts all of an explicit signature, a closed tuple.
///
/// `stack` is searched top down; the first table with such a method decides.
pub fn invoke(types: &Types, stack: &[&Methods], sig_args: Ty, world: World) -> Lookup {
    let answers = stack
        .iter()
        .map(|methods| covering(types, methods, sig_args, world));
    answers
        .into_iter()
        .find(|answer| *answer != Lookup::NoMethod)
        .unwrap_or(Lookup::NoMethod)
}

fn covering(types: &Types, methods: &Methods, args: Ty, world: World) -> Lookup {
    let Some(query) = Query::new(types, args, Wanted::Covering) else {
        return Lookup::NoMethod;
    };
    let mut matches = methods.candidates(&query, world);
    matches.retain(|entry| sig_matches(types, args, &entry.sig));
    decide(types, &matches)
}

/// The answer among the matches of one table.
fn decide(types: &Types, matches: &[&MethodEntry]) -> Lookup {
    let (mut champion, rest) = match matches {
        [] => return Lookup::NoMethod,
        [first, rest @ ..] => (*first, rest),
    };
    let beats = |a: &MethodEntry, b: &MethodEntry| more_specific(types, &a.sig, &b.sig);
    // Matches that the champion is not known to beat.
    let mut others: SmallVec<[&MethodEntry; 8]> = SmallVec::new();
    for (seen, entry) in (1..).zip(rest) {
        match specificity(types, &champion.sig, &entry.sig) {
            Some(Ordering::Less) => {}
            Some(Ordering::Greater) => {
                let lost = std::mem::replace(&mut champion, entry);
                others = matches[..seen].iter().copied().collect();
                others.retain(|other| other.id != lost.id);
            }
            _ => others.push(entry),
        }
    }
    if others.iter().all(|entry| beats(champion, entry)) {
        return Lookup::Method(champion.id);
    }
    let unbeaten = matches
        .iter()
        .filter(|entry| !matches.iter().any(|other| beats(other, entry)));
    let mut best: SmallVec<[MethodId; 8]> = unbeaten.map(|entry| entry.id).collect();
    if best.is_empty() {
        best = matches.iter().map(|entry| entry.id).collect();
    }
    best.sort_unstable();
    match best.as_slice() {
        [only] => Lookup::Method(*only),
        _ => Lookup::Ambiguous(best.as_slice().into()),
    }
}
