//! Ambiguities between methods, and the signature that would resolve one.

use crate::methods::{MethodId, Methods};
use crate::sig::Sig;
use crate::specificity::more_specific;
use crate::ty::Ty;
use crate::types::Types;
use crate::unify::{sig_disjoint, sig_intersect, widened};
use crate::world::World;

/// Two methods of which some calls mean neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguity {
    /// The new method.
    pub a: MethodId,
    /// The other.
    pub b: MethodId,
    /// A method with this signature would resolve it.
    pub resolved_by: Sig,
}

/// The ambiguities that a method brings, which is one of `methods` in `world`: a definition-time diagnostic.
pub fn ambiguities(types: &Types, methods: &Methods, new: &Sig, world: World) -> Vec<Ambiguity> {
    let Some(a) = methods.find_exact(types, new, world) else {
        return Vec::new();
    };
    methods
        .iter(world)
        .filter(|entry| {
            entry.id != a
                && !sig_disjoint(types, new, &entry.sig)
                && !more_specific(types, new, &entry.sig)
                && !more_specific(types, &entry.sig, new)
        })
        .map(|entry| Ambiguity {
            a,
            b: entry.id,
            resolved_by: resolving_signature(types, &[new, &entry.sig]),
        })
        .collect()
}

/// The signature that would resolve a call for which all of `sigs` stand.
pub fn resolving_signature(types: &Types, sigs: &[&Sig]) -> Sig {
    let common = sigs
        .iter()
        .fold(types.tuple_with_tail(&[], Some(Ty::ANY)), |common, sig| {
            types.intersect(common, widened(types, sig))
        });
    Sig::of_args(
        sigs.iter()
            .fold(common, |common, sig| sig_intersect(types, common, sig)),
    )
}
