//! Statements and blocks.

use super::build::{Builder, Edges, Loop};
use super::untyped::*;
use crate::ast::{Block, Expr, NodeId, Stmt, StmtKind};
use crate::ir::UnknownKind;

impl<'a> Builder<'a> {
    /// Lowers a block in a scope of its own; its value, if that is wanted.
    pub(crate) fn block(&mut self, block: &'a Block, want: bool) -> Option<UVal> {
        let since = self.enter();
        let mut value = None;
        for (ix, stmt) in block.stmts.iter().enumerate() {
            self.warn_dead(stmt.id);
            let last = want && ix + 1 == block.stmts.len();
            value = self.stmt(stmt, last);
        }
        self.leave(since);
        if want {
            Some(value.unwrap_or_else(|| self.op(UOp::Nothing, block.id)))
        } else {
            None
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt, want: bool) -> Option<UVal> {
        match &stmt.kind {
            StmtKind::Var(name, e) => {
                let v = self.expr(e);
                self.declare(name, v);
            }
            StmtKind::Tune(name, _) => {
                let v = self.op(UOp::Tune(self.tuned), stmt.id);
                self.tuned += 1;
                self.declare(name, v);
            }
            StmtKind::Assign(name, e) => {
                let v = self.expr(e);
                self.assign(name, v, stmt.id);
            }
            StmtKind::AssignIndex(to, v) => {
                let operands = [self.expr(&to.0), self.expr(&to.1), self.expr(v)];
                let args = self.args(&operands);
                self.op(UOp::SetIndex(args), stmt.id);
            }
            StmtKind::Expr(e) if want => return Some(self.expr(e)),
            StmtKind::Expr(e) => self.effect(e),
            StmtKind::While(cond, body) => self.while_loop(cond, body, stmt.id),
            StmtKind::For(name, bounds, body) => self.for_loop(name, bounds, body, stmt.id),
            StmtKind::Return(e) => {
                let v = match e {
                    Some(e) => self.expr(e),
                    None => self.op(UOp::Nothing, stmt.id),
                };
                self.ret(v, e.as_ref().map_or(stmt.id, |e| e.id));
                self.start(false);
            }
            StmtKind::Break => self.break_loop(stmt.id),
            StmtKind::Continue => self.continue_loop(stmt.id),
        }
        None
    }

    fn assign(&mut self, name: &'a str, v: UVal, node: NodeId) {
        if let Some(var) = self.lookup(name) {
            self.set(var, v);
            return;
        }
        let name = self.sym(name);
        let kind = WarningKind::UnknownVariable(name);
        self.out.warnings.push(Warning { node, kind });
        self.end_dead(UTerm::Unknown(UnknownKind::Name, name), node);
    }

    fn while_loop(&mut self, cond: &'a Expr, body: &'a Block, node: NodeId) {
        self.begin_loop(None, node);
        let mark = self.loops.last().expect("just begun").mark;
        let (then, done) = self.cond(cond, mark);
        self.join(then, mark, cond.id);
        self.block(body, false);
        self.end_loop(done, node);
    }

    fn for_loop(
        &mut self,
        name: &'a str,
        (from, to): &'a (Expr, Expr),
        body: &'a Block,
        node: NodeId,
    ) {
        let (a, b) = (self.expr(from), self.expr(to));
        let first = self.op(UOp::Bound(a, b, false), from.id);
        let last = self.op(UOp::Bound(a, b, true), to.id);
        let counter = self.begin_loop(Some(first), node).expect("a `for` counts");
        let mark = self.loops.last().expect("just begun").mark;
        let below = self.op(UOp::Below(counter, last), node);
        let (then, done) = self.branch(below, mark, node);
        self.join(then, mark, node);
        let since = self.enter();
        self.declare(name, counter);
        self.block(body, false);
        self.leave(since);
        self.end_loop(done, node);
    }

    /// Starts a loop's header. Gives the counter there.
    fn begin_loop(&mut self, first: Option<UVal>, node: NodeId) -> Option<UVal> {
        let carried = self.carried();
        let live = self.is_live();
        let header = self.out.blocks.len() as u32;
        self.jump_header(header, first, &carried, node);
        self.start(live);
        let counter = first.map(|_| self.param(node));
        for &var in &carried {
            let param = self.param(node);
            self.set(var, param);
        }
        let mark = self.mark();
        let breaks = Edges::new();
        self.loops.push(Loop {
            header,
            carried,
            counter,
            mark,
            breaks,
        });
        counter
    }

    /// Goes back to the header, then on behind the loop.
    fn end_loop(&mut self, mut done: Edges, node: NodeId) {
        self.go_round(node);
        let ended = self.loops.pop().expect("begun");
        done.extend(ended.breaks);
        self.join(done, ended.mark, node);
        self.unmark();
    }

    /// Jumps back to the innermost loop's header with the next count.
    fn go_round(&mut self, node: NodeId) {
        let innermost = self.loops.pop().expect("inside of a loop");
        let next = innermost.counter.map(|v| self.op(UOp::Next(v), node));
        self.jump_header(innermost.header, next, &innermost.carried, node);
        self.loops.push(innermost);
    }

    fn break_loop(&mut self, node: NodeId) {
        // The parser rejects `break` outside of a loop.
        let Some(mark) = self.loops.last().map(|innermost| innermost.mark) else {
            return;
        };
        let edge = self.exit(mark, None, node);
        self.loops
            .last_mut()
            .expect("checked above")
            .breaks
            .extend(edge);
        self.start(false);
    }

    fn continue_loop(&mut self, node: NodeId) {
        if !self.loops.is_empty() {
            self.go_round(node);
            self.start(false);
        }
    }
}
