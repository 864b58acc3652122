//! The methods that every session has in the overlay tables of devices.

use super::{Written, WrittenMethod};
use crate::ast::{MethodDef, NodeId, TypeArg, TypeExpr};
use crate::device::overlay::Overlay;
use crate::env::{NoTypes, resolve_type};
use crate::source::Source;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_dispatch::{Sig, Ty};
use worldage_engine::Edit;

/// Unions that were made already, by their members.
pub(super) type Unions = FxHashMap<Vec<TypeArg>, Ty>;

impl Written {
    /// Defines the methods of a kind of device. Few types stand in all their signatures, so a union
    /// is made once.
    pub(super) fn ship(
        &mut self,
        overlay: Overlay,
        unions: &mut Unions,
        prelude: &mut Edit<Source>,
    ) {
        let [_, table] = overlay.stack();
        for source in overlay.methods() {
            let sig = self.shipped_sig(&source.def, unions);
            let function = self.universe.types().symbol(&source.def.name);
            let method = Source::Method(Arc::clone(source));
            prelude.define(table, function, sig.clone(), method);
            let source = Arc::clone(source);
            let methods = self.methods.entry((table, function)).or_default();
            methods.push(WrittenMethod { sig, source });
        }
    }

    fn shipped_sig(&self, def: &MethodDef, unions: &mut Unions) -> Sig {
        let u = &self.universe;
        let mut resolve = |ty: &TypeExpr| {
            let ty_of = || resolve_type(u, &NoTypes, &[], ty).expect("a built-in type");
            let Some(members) = &ty.args else {
                return ty_of();
            };
            let without_place = |arg: &TypeArg| match arg {
                TypeArg::Type(ty) => TypeArg::Type(TypeExpr {
                    id: NodeId(0),
                    ..ty.clone()
                }),
                TypeArg::Int(_, n) => TypeArg::Int(NodeId(0), *n),
            };
            let members = members.iter().map(without_place).collect();
            *unions.entry(members).or_insert_with(ty_of)
        };
        let params = def.params.iter().map(|param| {
            let ty = param.ty.as_ref().expect("shipped methods take numbers");
            resolve(ty)
        });
        let params: Vec<Ty> = params.collect();
        Sig::new(u.types(), &params, None, Vec::new()).expect("a signature of numbers")
    }
}
