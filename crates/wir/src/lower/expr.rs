//! Expressions.

use super::build::{Builder, Edges};
use super::untyped::*;
use crate::ast::{Call, Expr, ExprKind, If, NodeId};
use smallvec::SmallVec;

impl<'a> Builder<'a> {
    /// Lowers an expression for its value.
    pub(crate) fn expr(&mut self, e: &'a Expr) -> UVal {
        let op = match &e.kind {
            ExprKind::Int(i) => UOp::Int(*i),
            ExprKind::Float(x) => UOp::Float(x.to_bits()),
            ExprKind::Bool(b) => UOp::Bool(*b),
            ExprKind::Str(s) => {
                self.out.strs.push(s.clone());
                UOp::Str(self.out.strs.len() as u32 - 1)
            }
            ExprKind::Nothing => UOp::Nothing,
            ExprKind::Name(name) => match self.lookup(name) {
                Some(var) => return self.value(var),
                None => UOp::Function(self.sym(name)),
            },
            ExprKind::Call(call) => return self.call(e, call),
            ExprKind::New(new) => {
                let ty = self.ty(&new.ty);
                let args = self.exprs(&new.args);
                UOp::New(ty, args)
            }
            // The parser lets a type with braces stand only where a form takes one.
            ExprKind::Type(ty) => UOp::Function(self.sym(&ty.name)),
            ExprKind::Tuple(elems) => {
                let elems = self.exprs(elems);
                UOp::Tuple(elems)
            }
            ExprKind::Field(field) => {
                let x = self.expr(&field.0);
                UOp::Field(x, self.sym(&field.1))
            }
            ExprKind::Index(both) => {
                let xs = self.expr(&both.0);
                UOp::Index(xs, self.expr(&both.1))
            }
            ExprKind::And(both) => return self.short_circuit(e, both, false),
            ExprKind::Or(both) => return self.short_circuit(e, both, true),
            ExprKind::If(parts) => {
                let value = self.if_else(parts, true, e.id);
                return value.expect("asked for a value");
            }
        };
        self.op(op, e.id)
    }

    /// Lowers an expression whose value nobody wants.
    pub(crate) fn effect(&mut self, e: &'a Expr) {
        match &e.kind {
            ExprKind::If(parts) => {
                self.if_else(parts, false, e.id);
            }
            _ => {
                self.expr(e);
            }
        }
    }

    pub(crate) fn exprs(&mut self, es: &'a [Expr]) -> Args {
        let values: SmallVec<[UVal; 8]> = es.iter().map(|e| self.expr(e)).collect();
        self.args(&values)
    }

    fn call(&mut self, e: &'a Expr, call: &'a Call) -> UVal {
        let (callee, args) = (call.callee(), call.args());
        let op = match &callee.kind {
            ExprKind::Name(name) => match self.lookup(name) {
                Some(var) => {
                    let callee = self.value(var);
                    UOp::CallValue(callee, self.exprs(args))
                }
                None => match self.form(name, callee, args) {
                    Some(op) => op,
                    None => {
                        let name = self.sym(name);
                        UOp::Call(name, self.exprs(args))
                    }
                },
            },
            _ => {
                let callee = self.expr(callee);
                UOp::CallValue(callee, self.exprs(args))
            }
        };
        self.op(op, e.id)
    }

    /// `a && b` (`settled` false) and `a || b` (`settled` true) for their value.
    fn short_circuit(&mut self, e: &'a Expr, (a, b): &'a (Expr, Expr), settled: bool) -> UVal {
        let early = self.op(UOp::Bool(settled), e.id);
        let mark = self.mark();
        let (then, other) = self.cond(a, mark);
        let (mut out, onward) = if settled {
            (then, other)
        } else {
            (other, then)
        };
        out.iter_mut().for_each(|edge| edge.value = Some(early));
        self.join(onward, mark, a.id);
        let v = self.expr(b);
        let v = self.op(UOp::AsBool(v), b.id);
        out.extend(self.exit(mark, Some(v), e.id));
        let value = self.join(out, mark, e.id);
        self.unmark();
        value.expect("every edge has a value")
    }

    /// `if`, for its value or for its effect.
    fn if_else(&mut self, parts: &'a If, want: bool, node: NodeId) -> Option<UVal> {
        let cond = &parts.cond;
        let mark = self.mark();
        let (yes, no) = self.cond(cond, mark);
        let mut out = Edges::new();
        self.join(yes, mark, cond.id);
        let v = self.block(&parts.then, want);
        out.extend(self.exit(mark, v, node));
        self.join(no, mark, cond.id);
        let v = match &parts.otherwise {
            Some(other) => self.block(other, want),
            None => want.then(|| self.op(UOp::Nothing, node)),
        };
        out.extend(self.exit(mark, v, node));
        let value = self.join(out, mark, node);
        self.unmark();
        value.filter(|_| want)
    }
}
