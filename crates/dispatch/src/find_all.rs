//! Which methods a call with abstract arguments can mean.

use crate::matching::sig_matches;
use crate::methods::{MethodEntry, MethodId, Methods};
use crate::specificity::more_specific;
use crate::ty::Ty;
use crate::types::Types;
use crate::unify::sig_intersect;
use crate::world::World;

/// A method that some of the calls mean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Match {
    /// The method.
    pub method: MethodId,
    /// The calls that it accepts.
    pub args: Ty,
    /// Whether it accepts all calls.
    pub covers: bool,
}

/// The answer to a call with abstract arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Matches {
    /// At most `limit` methods.
    Matches {
        /// Most specific first where comparable, else by number.
        matches: Vec<Match>,
        /// Whether every call has a match.
        covered: bool,
        /// Whether some call is ambiguous.
        ambiguous: bool,
    },
    /// More than `limit` methods.
    TooMany,
}

/// All methods that a call with these argument types (a closed tuple) can mean.
pub fn find_all(
    types: &Types,
    stack: &[&Methods],
    args: Ty,
    limit: usize,
    world: World,
) -> Matches {
    let mut found: Vec<(&MethodEntry, Match)> = Vec::new();
    let mut covered = false;
    for methods in stack {
        let before = found.len();
        for entry in methods.iter(world) {
            let common = sig_intersect(types, args, &entry.sig);
            let hidden = found[..before]
                .iter()
                .any(|(upper, _)| sig_matches(types, common, &upper.sig));
            if common != Ty::BOTTOM && !hidden {
                let covers = sig_matches(types, args, &entry.sig);
                found.push((
                    entry,
                    Match {
                        method: entry.id,
                        args: common,
                        covers,
                    },
                ));
            }
        }
        covered |= found[before..].iter().any(|(_, m)| m.covers);
        if covered {
            break;
        }
    }
    let beats = |a: &MethodEntry, b: &MethodEntry| more_specific(types, &a.sig, &b.sig);
    let kept: Vec<_> = found
        .iter()
        .filter(|(entry, m)| {
            !found
                .iter()
                .any(|(other, _)| beats(other, entry) && sig_matches(types, m.args, &other.sig))
        })
        .collect();
    if kept.len() > limit {
        return Matches::TooMany;
    }
    let ambiguous = kept.iter().any(|(a, m)| {
        kept.iter().any(|(b, _)| {
            a.id != b.id
                && !beats(a, b)
                && !beats(b, a)
                && sig_intersect(types, m.args, &b.sig) != Ty::BOTTOM
        })
    });
    Matches::Matches {
        matches: kept.iter().map(|(_, m)| m.clone()).collect(),
        covered,
        ambiguous,
    }
}
