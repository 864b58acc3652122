//! Blocks and statements.

use super::room::Met;
use super::{Context, Kind, PResult, Parser, Reported, span};
use crate::ast::*;

impl Parser<'_> {
    /// `{ … }`; errors in its statements do not fail it.
    pub(super) fn block(&mut self) -> PResult<Block> {
        if !self.at(Kind::LBrace) {
            return Err(self.unexpected("`{` of a block"));
        }
        let lo = self.tok.lo;
        let saved = self.enter()?;
        self.context = Context::default();
        let first = self.room.stmts.len();
        let closed = self.on_enough_stack(Self::stmts);
        let stmts: Vec<Stmt> = self.room.stmts.drain(first..).collect();
        self.leave(saved, closed)?;
        let height = stmts.iter().map(|s| self.height(s.id)).max().unwrap_or(0);
        let id = self.node(lo, height.saturating_sub(1));
        Ok(Block { id, stmts })
    }

    fn loop_body(&mut self) -> PResult<Block> {
        self.loops += 1;
        let body = self.block();
        self.loops -= 1;
        body
    }

    /// The statements of a block and its end. They wait in the parser's room, so that the block
    /// gets a vector of the right length.
    fn stmts(&mut self) -> PResult<()> {
        let base = self.room.open.len();
        let mut vars = Met::default();
        loop {
            while self.eat(Kind::Semi) {}
            if matches!(self.tok.kind, Kind::RBrace | Kind::Eof) || self.misplaced_item()? {
                break;
            }
            let lo = self.tok.lo;
            self.start = lo;
            match self.stmt() {
                Ok(stmt) => {
                    if let StmtKind::Var(name, _) | StmtKind::Tune(name, _) = &stmt.kind {
                        let at = self.span(stmt.id);
                        if let Some(first) = vars.meet(name, at) {
                            self.duplicate(name, first, at, "variable");
                        }
                    }
                    let braced = ends_at_brace(&stmt.kind);
                    self.room.stmts.push(stmt);
                    if !braced && !self.stmt_ended() {
                        self.not_ended();
                        self.skip_stmt(base);
                    }
                }
                Err(Reported) => {
                    if self.tok.lo == lo && !self.at(Kind::RBrace) {
                        self.bump();
                    }
                    self.skip_stmt(base);
                }
            }
        }
        if self.at_item() {
            let message = "this block is not closed before the next definition".to_string();
            let reported = self.error(
                span(self.tok),
                message,
                Some("add the missing `}`".to_string()),
            );
            if let Some(&(_, opened)) = self.room.open.last() {
                self.label_last(opened, "opened here");
            }
            return Err(reported);
        }
        self.close("`}` of the block")
    }

    /// Whether a definition begins here, which no block may hold. At the beginning of a line it
    /// shows that a `}` is missing before.
    fn misplaced_item(&mut self) -> PResult<bool> {
        if !self.at_item() {
            return Ok(false);
        }
        if self.tok.begins_line {
            return Ok(true);
        }
        let hint = "definitions stand at the top of a file, outside of every block";
        Err(self.unexpected_with("a statement", Some(hint.to_string())))
    }

    fn stmt_ended(&self) -> bool {
        self.tok.begins_line || matches!(self.tok.kind, Kind::Semi | Kind::RBrace | Kind::Eof)
    }

    fn not_ended(&mut self) {
        // `x += 1` reaches here as a missing operand, `x y` as two statements.
        self.unexpected_with(
            "the end of the statement",
            self.slip().or_else(|| {
                Some("statements stand on lines of their own or have `;` between".to_string())
            }),
        );
    }

    fn stmt(&mut self) -> PResult<Stmt> {
        let lo = self.tok.lo;
        let kind = match self.tok.kind {
            Kind::Var => self.var_stmt()?,
            Kind::While => {
                self.bump();
                let cond = self.header(false, |p| p.expr())?;
                let body = self.loop_body()?;
                StmtKind::While(cond, Box::new(body))
            }
            Kind::For => self.for_stmt()?,
            Kind::Return => {
                self.bump();
                let bare = self.stmt_ended();
                StmtKind::Return(match bare {
                    true => None,
                    false => Some(self.expr()?),
                })
            }
            Kind::Break | Kind::Continue => {
                let tok = self.bump();
                if self.loops == 0 {
                    let text = self.slice(tok);
                    let message = format!("`{text}` outside of a loop");
                    let hint = "it ends or repeats a `while` or `for`; `return` leaves the method";
                    self.error(span(tok), message, Some(hint.to_string()));
                }
                match tok.kind {
                    Kind::Break => StmtKind::Break,
                    _ => StmtKind::Continue,
                }
            }
            Kind::If => {
                let expr = self.if_expr()?;
                StmtKind::Expr(expr)
            }
            _ if self.at_tune() => self.tune_stmt()?,
            _ => self.expr_stmt()?,
        };
        self.finish_stmt(lo, kind)
    }

    pub(super) fn finish_stmt(&mut self, lo: u32, kind: StmtKind) -> PResult<Stmt> {
        let h = |id: NodeId| self.height(id);
        let children = match &kind {
            StmtKind::Var(_, e) | StmtKind::Assign(_, e) | StmtKind::Expr(e) => h(e.id),
            StmtKind::AssignIndex(to, v) => h(to.0.id).max(h(to.1.id)).max(h(v.id)),
            StmtKind::While(c, body) => h(c.id).max(h(body.id)),
            StmtKind::For(_, bounds, body) => h(bounds.0.id).max(h(bounds.1.id)).max(h(body.id)),
            StmtKind::Return(value) => value.as_ref().map_or(0, |e| h(e.id)),
            StmtKind::Tune(..) | StmtKind::Break | StmtKind::Continue => 0,
        };
        // A statement and its block are no level of their own: the expressions in them are.
        let id = self.node(lo, children.saturating_sub(1));
        Ok(Stmt { id, kind })
    }

    fn var_stmt(&mut self) -> PResult<StmtKind> {
        self.bump();
        let (name, _) = self.ident("the name of a variable")?;
        if !self.at(Kind::Assign) {
            let hint = match self.tok.kind {
                Kind::Colon => {
                    "a variable takes the type of its value; convert the value instead, as in `var x = Float64(y)`"
                }
                _ => "`var` introduces a variable with a value: `var x = 0`",
            };
            return Err(self.unexpected_with("`=`", Some(hint.to_string())));
        }
        self.bump();
        Ok(StmtKind::Var(name, self.expr()?))
    }

    fn for_stmt(&mut self) -> PResult<StmtKind> {
        self.bump();
        let (name, _) = self.ident("the name of the loop variable")?;
        let hint = || Some("a loop reads `for i in a..b { … }`".to_string());
        if !self.at(Kind::In) {
            return Err(self.unexpected_with("`in`", hint()));
        }
        self.bump();
        let bounds = self.header(false, |p| {
            let from = p.expr()?;
            if !p.at(Kind::DotDot) {
                return Err(p.unexpected_with("`..`", hint()));
            }
            p.bump();
            Ok((from, p.expr()?))
        })?;
        let body = self.loop_body()?;
        Ok(StmtKind::For(name, Box::new(bounds), Box::new(body)))
    }

    /// An expression or an assignment.
    fn expr_stmt(&mut self) -> PResult<StmtKind> {
        let parenthesized = self.at(Kind::LParen);
        let lo = self.tok.lo;
        let target = self.expr()?;
        if !self.at(Kind::Assign) || self.tok.begins_line {
            return Ok(StmtKind::Expr(target));
        }
        let at = Span {
            lo,
            hi: self.prev_hi,
        };
        match target.kind {
            ExprKind::Name(name) if !parenthesized => {
                self.bump();
                Ok(StmtKind::Assign(name, self.expr()?))
            }
            ExprKind::Index(to) => {
                self.bump();
                Ok(StmtKind::AssignIndex(to, self.expr()?))
            }
            kind => {
                let hint = match kind {
                    ExprKind::Field(..) => {
                        "structs are values and do not change; make a new one with the constructor"
                    }
                    _ => "a variable or an array element can be assigned; `==` compares",
                };
                Err(self.error(
                    at,
                    "this cannot be assigned".to_string(),
                    Some(hint.to_string()),
                ))
            }
        }
    }
}

/// Whether a statement needs no separator after it.
fn ends_at_brace(kind: &StmtKind) -> bool {
    match kind {
        StmtKind::While(..) | StmtKind::For(..) => true,
        StmtKind::Expr(e) => matches!(e.kind, ExprKind::If(..)),
        _ => false,
    }
}
