//! The names that logs and errors use.

use crate::compiler::Compiler;
use crate::graph::Shared;
use crate::ids::Mi;
use worldage_dispatch::TyKind;

/// `f(Int64, Pair{Int64, Int64})`
pub(crate) fn instance_name<C: Compiler>(shared: &Shared<C>, mi: Mi) -> String {
    let key = shared.instances.key(mi);
    let mut name = shared.types.symbol_str(key.function).to_string();
    name.push('(');
    if let TyKind::Tuple { elems, .. } = shared.types.kind(key.args) {
        for (ix, ty) in elems.iter().enumerate() {
            let comma = if ix == 0 { "" } else { ", " };
            name.push_str(&format!("{comma}{}", shared.types.display(*ty)));
        }
    }
    name.push(')');
    name
}
