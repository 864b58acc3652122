//! Which method a call with concrete arguments, or an explicit signature, means.

use std::sync::Arc;

use crate::matching::sig_matches;
use crate::methods::{MethodEntry, MethodId, Methods};
use crate::specificity::more_specific;
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
    invoke(types, stack, args, world)
}

/// The most specific method that accepts all of an explicit signature, a closed tuple.
pub fn invoke(types: &Types, stack: &[&Methods], sig_args: Ty, world: World) -> Lookup {
    for methods in stack {
        let matches: Vec<_> = methods
            .iter(world)
            .filter(|entry| sig_matches(types, sig_args, &entry.sig))
            .collect();
        if !matches.is_empty() {
            return decide(types, &matches);
        }
    }
    Lookup::NoMethod
}

/// The answer among the matches of one table.
pub(crate) fn decide(types: &Types, matches: &[&MethodEntry]) -> Lookup {
    let mut best: Vec<MethodId> = matches
        .iter()
        .filter(|entry| {
            !matches
                .iter()
                .any(|other| more_specific(types, &other.sig, &entry.sig))
        })
        .map(|entry| entry.id)
        .collect();
    if best.is_empty() {
        best = matches.iter().map(|entry| entry.id).collect();
    }
    best.sort_unstable();
    match best.as_slice() {
        [] => Lookup::NoMethod,
        [only] => Lookup::Method(*only),
        _ => Lookup::Ambiguous(best.into()),
    }
}
