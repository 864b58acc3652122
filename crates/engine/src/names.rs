//! The names that logs and errors use.

use crate::compiler::Compiler;
use crate::definitions::Definitions;
use crate::error::Unresolved;
use crate::graph::Shared;
use crate::ids::Mi;
use worldage_dispatch::{MethodId, Symbol, Ty, TyKind, Types, World, display_sig};

/// `f(Int64, Pair{Int64, Int64})`
pub(crate) fn instance_name<C: Compiler>(shared: &Shared<C>, mi: Mi) -> String {
    let key = shared.instances.key(mi);
    call_name(&shared.types, key.function, key.args)
}

/// A call as its instance would be named.
pub(crate) fn call_name(types: &Types, function: Symbol, args: Ty) -> String {
    let mut name = types.symbol_str(function).to_string();
    name.push('(');
    if let TyKind::Tuple { elems, .. } = types.kind(args) {
        for (ix, ty) in elems.iter().enumerate() {
            let comma = if ix == 0 { "" } else { ", " };
            name.push_str(&format!("{comma}{}", types.display(*ty)));
        }
    }
    name.push(')');
    name
}

/// What is wrong with a call that no single method takes.
pub(crate) fn unresolved(
    types: &Types,
    definitions: &Definitions,
    (function, args): (Symbol, Ty),
    candidates: Option<&[MethodId]>,
    world: World,
) -> Unresolved {
    let call = call_name(types, function, args).into();
    let Some(candidates) = candidates else {
        return Unresolved::NoMethod { call };
    };
    let mut names: Vec<String> = candidates
        .iter()
        .map(|method| {
            let sig = definitions.sig_at(*method, world);
            display_sig(types, types.symbol_str(function), sig)
        })
        .collect();
    names.sort();
    let candidates = names.into();
    Unresolved::Ambiguous { call, candidates }
}
