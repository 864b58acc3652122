//! Which variables each loop of a method assigns: found before the first of them is lowered, so
//! that a loop's header can take exactly those as parameters.
//!
//! Names stand for variables here; a name that an inner `var` shadows costs a parameter that
//! carries the same value round, no more.

use crate::ast::{Block, Expr, ExprKind, MethodDef, Stmt, StmtKind};

/// The names assigned in a method, and for every loop (in pre-order) its run of them.
#[derive(Debug, Default)]
pub(crate) struct Assigned<'a> {
    names: Vec<&'a str>,
    loops: Vec<(u32, u32)>,
}

impl<'a> Assigned<'a> {
    /// Scans a method.
    pub(crate) fn scan(def: &'a MethodDef) -> Assigned<'a> {
        let mut assigned = Assigned::default();
        assigned.block(&def.body);
        assigned
    }

    /// The names that the n-th loop assigns, with repetitions.
    pub(crate) fn of_loop(&self, n: usize) -> impl Iterator<Item = &'a str> {
        let (from, to) = self.loops[n];
        self.names[from as usize..to as usize].iter().copied()
    }

    fn looped(&mut self, f: impl FnOnce(&mut Self)) {
        let (n, from) = (self.loops.len(), self.names.len() as u32);
        self.loops.push((from, from));
        f(self);
        self.loops[n].1 = self.names.len() as u32;
    }

    fn block(&mut self, block: &'a Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::Var(_, e) | StmtKind::Expr(e) | StmtKind::Return(Some(e)) => self.expr(e),
            StmtKind::Assign(name, e) => {
                self.expr(e);
                self.names.push(name);
            }
            StmtKind::AssignIndex(to, v) => {
                self.expr(&to.0);
                self.expr(&to.1);
                self.expr(v);
            }
            StmtKind::While(cond, body) => self.looped(|this| {
                this.expr(cond);
                this.block(body);
            }),
            StmtKind::For(_, bounds, body) => {
                self.expr(&bounds.0);
                self.expr(&bounds.1);
                self.looped(|this| this.block(body));
            }
            StmtKind::Tune(..) | StmtKind::Return(None) | StmtKind::Break | StmtKind::Continue => {}
        }
    }

    fn expr(&mut self, e: &'a Expr) {
        match &e.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Nothing
            | ExprKind::Name(_)
            | ExprKind::Type(_) => {}
            ExprKind::Call(call) => call.all().iter().for_each(|e| self.expr(e)),
            ExprKind::New(new) => new.args.iter().for_each(|e| self.expr(e)),
            ExprKind::Tuple(elems) => elems.iter().for_each(|e| self.expr(e)),
            ExprKind::Field(field) => self.expr(&field.0),
            ExprKind::Index(both) | ExprKind::And(both) | ExprKind::Or(both) => {
                self.expr(&both.0);
                self.expr(&both.1);
            }
            ExprKind::If(parts) => {
                self.expr(&parts.cond);
                self.block(&parts.then);
                parts.otherwise.iter().for_each(|block| self.block(block));
            }
        }
    }
}
