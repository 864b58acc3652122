//! The special forms: calls that take a type, a signature or a key instead of a value.
//!
//! A form is one only while no variable shadows its name and its arguments have its shape;
//! otherwise it is an ordinary call.

use super::build::Builder;
use super::untyped::*;
use crate::ast::{Expr, ExprKind, Name, TypeArg, TypeExpr};
use smallvec::SmallVec;

impl<'a> Builder<'a> {
    /// Whether `name` names the form here.
    pub(crate) fn is_form(&self, name: &str, form: &str) -> bool {
        name == form && self.lookup(name).is_none()
    }

    /// The operation, if a call of `name` (no variable) is a special form.
    pub(crate) fn form(&mut self, name: &str, callee: &Expr, args: &'a [Expr]) -> Option<UOp> {
        match (name, args) {
            ("array", [ty, n]) => {
                let ty = self.form_type(ty)?;
                Some(UOp::Array(ty, self.expr(n)))
            }
            ("shared", [ty, n]) => {
                let ty = self.form_type(ty)?;
                Some(UOp::Shared(ty, self.expr(n)))
            }
            ("trunc", [ty, x]) => {
                let ty = self.form_type(ty)?;
                Some(UOp::TruncTo(ty, self.expr(x)))
            }
            ("isa", [x, ty]) => {
                let ty = self.form_type(ty)?;
                Some(UOp::IsA(self.expr(x), ty))
            }
            ("invoke", [f, sig, rest @ ..]) => self.invoke(f, sig, rest),
            ("latest", [_, ..]) => Some(UOp::Latest(self.exprs(args))),
            (
                "external",
                [
                    Expr {
                        kind: ExprKind::Str(key),
                        ..
                    },
                ],
            ) => {
                self.out.strs.push(key.clone());
                Some(UOp::External(self.out.strs.len() as u32 - 1))
            }
            _ if self.def.vars.iter().any(|var| &*var.name == name) => {
                let ty = TypeExpr {
                    id: callee.id,
                    name: name.into(),
                    args: None,
                };
                let ty = self.ty(&ty);
                Some(UOp::CallType(ty, self.exprs(args)))
            }
            _ => None,
        }
    }

    fn invoke(&mut self, f: &'a Expr, sig: &'a Expr, rest: &'a [Expr]) -> Option<UOp> {
        let ExprKind::Tuple(elems) = &sig.kind else {
            return None;
        };
        let elems: Option<Vec<TypeArg>> = elems
            .iter()
            .map(|e| as_type(e).map(TypeArg::Type))
            .collect();
        let name = Name::from("Tuple");
        let sig = self.ty(&TypeExpr {
            id: sig.id,
            name,
            args: Some(elems?),
        });
        let mut operands: SmallVec<[UVal; 8]> = SmallVec::new();
        operands.push(self.expr(f));
        for e in rest {
            operands.push(self.expr(e));
        }
        Some(UOp::Invoke(sig, self.args(&operands)))
    }

    fn form_type(&mut self, e: &Expr) -> Option<TyIx> {
        as_type(e).map(|ty| self.ty(&ty))
    }
}

/// An expression read as a type.
fn as_type(e: &Expr) -> Option<TypeExpr> {
    match &e.kind {
        ExprKind::Type(ty) => Some((**ty).clone()),
        ExprKind::Name(name) => Some(TypeExpr {
            id: e.id,
            name: name.clone(),
            args: None,
        }),
        _ => None,
    }
}
