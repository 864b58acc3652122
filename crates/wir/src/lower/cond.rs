//! Conditions: control flow instead of values, and what an outcome says about variables.
//!
//! `!`, `&&` and `||` over conditions that are certainly Bool become control flow, so a fact
//! about a variable reaches exactly the blocks where it holds.

use super::build::{Builder, Edges, Mark};
use super::untyped::*;
use crate::ast::{Expr, ExprKind};

impl<'a> Builder<'a> {
    /// Lowers a condition: the ways on which it is true, and those on which it is false.
    pub(crate) fn cond(&mut self, e: &'a Expr, mark: Mark) -> (Edges, Edges) {
        match &e.kind {
            ExprKind::And(both) => {
                let (a, b) = &**both;
                let (then, mut other) = self.cond(a, mark);
                self.join(then, mark, a.id);
                let (then, late) = self.cond(b, mark);
                other.extend(late);
                (then, other)
            }
            ExprKind::Or(both) => {
                let (a, b) = &**both;
                let (mut then, other) = self.cond(a, mark);
                self.join(other, mark, a.id);
                let (late, other) = self.cond(b, mark);
                then.extend(late);
                (then, other)
            }
            ExprKind::Call(call) => match (&call.callee().kind, call.args()) {
                (ExprKind::Name(name), [x]) if &**name == "!" && self.is_certain(x) => {
                    let (then, other) = self.cond(x, mark);
                    (other, then)
                }
                (ExprKind::Name(name), [x, ty]) if self.is_form(name, "isa") => {
                    self.isa(e, x, ty, mark)
                }
                _ => self.plain(e, mark),
            },
            _ => self.plain(e, mark),
        }
    }

    fn plain(&mut self, e: &'a Expr, mark: Mark) -> (Edges, Edges) {
        let v = self.expr(e);
        self.branch(v, mark, e.id)
    }

    fn isa(&mut self, e: &'a Expr, x: &'a Expr, ty: &'a Expr, mark: Mark) -> (Edges, Edges) {
        let var = match &x.kind {
            ExprKind::Name(name) => self.lookup(name),
            _ => None,
        };
        let v = self.expr(e);
        let (mut then, mut other) = self.branch(v, mark, e.id);
        if let (Some(var), UOp::IsA(_, ty)) = (var, self.out.ops[v.0 as usize]) {
            then.iter_mut()
                .for_each(|edge| edge.facts.push((var, ty, true)));
            other
                .iter_mut()
                .for_each(|edge| edge.facts.push((var, ty, false)));
        } else {
            debug_assert!(
                var.is_none() || !matches!(ty.kind, ExprKind::Type(_)),
                "isa is a form"
            );
        }
        (then, other)
    }

    /// Whether an expression is a Bool whatever methods there are.
    fn is_certain(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Bool(_) | ExprKind::And(..) | ExprKind::Or(..) => true,
            ExprKind::Call(call) => match (&call.callee().kind, call.args()) {
                (ExprKind::Name(name), [x]) => &**name == "!" && self.is_certain(x),
                (ExprKind::Name(name), [_, _]) => self.is_form(name, "isa"),
                _ => false,
            },
            _ => false,
        }
    }
}
