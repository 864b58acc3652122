//! Expressions. Operators are resolved with an explicit stack, so a chain of them needs no
//! recursion and precedence costs no stack frames.

use std::sync::Arc;

use super::room::Pending;
use super::{Kind, MAX_HEIGHT, PResult, Parser, span};
use crate::ast::*;
use crate::syntax::lexer::decode_scalar;
use crate::syntax::token::{Bad, Token, level};

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> PResult<Expr> {
        self.on_enough_stack(Self::operation)
    }

    fn operation(&mut self) -> PResult<Expr> {
        let first = self.room.pending.len();
        let result = self.operators(first);
        self.room.pending.truncate(first);
        result
    }

    /// Operands and the operators between them; those that wait stand behind `first`.
    fn operators(&mut self, first: usize) -> PResult<Expr> {
        let mut lo = self.tok.lo;
        let mut operand = self.unary()?;
        while let Some(level) = self.tok.kind.binary_level() {
            if self.line_ended() {
                break;
            }
            while let Some(top) = self.room.pending(first, level) {
                if top.level == level && level == level::COMPARE {
                    return Err(self.chained());
                }
                lo = top.lo;
                operand = self.combine(top, operand)?;
            }
            let op = self.bump();
            if self.at(Kind::Assign) && self.tok.touches {
                let op = self.slice(op);
                let hint = format!("`{op}=` is no operator; write `x = x {op} …`");
                return Err(self.unexpected_with("an expression", Some(hint)));
            }
            let lhs = operand;
            self.room.pending.push(Pending { lo, lhs, op, level });
            lo = self.tok.lo;
            operand = self.unary()?;
        }
        while let Some(top) = self.room.pending(first, level::LOOSEST) {
            operand = self.combine(top, operand)?;
        }
        Ok(operand)
    }

    fn chained(&mut self) -> super::Reported {
        let hint = "write `a < b && b < c`, or parenthesize one comparison";
        let message = "comparisons do not chain".to_string();
        self.error(span(self.tok), message, Some(hint.to_string()))
    }

    fn combine(&mut self, left: Pending, rhs: Expr) -> PResult<Expr> {
        let Pending { lo, lhs, op, .. } = left;
        let kind = match op.kind {
            Kind::AndAnd => ExprKind::And(Box::new((lhs, rhs))),
            Kind::OrOr => ExprKind::Or(Box::new((lhs, rhs))),
            _ => ExprKind::Call(Call::new(vec![self.operator(op), lhs, rhs])),
        };
        self.finish(lo, kind)
    }

    /// An operator as the name of a function.
    fn operator(&mut self, tok: Token) -> Expr {
        let name = self.name(tok.kind.operator().unwrap_or_default());
        let id = self.node_at(span(tok), 0);
        let kind = ExprKind::Name(name);
        Expr { id, kind }
    }

    /// A node without children.
    fn leaf(&mut self, lo: u32, kind: ExprKind) -> Expr {
        let id = self.node(lo, 0);
        Expr { id, kind }
    }

    /// A node over finished children, unless the tree would be too high.
    fn finish(&mut self, lo: u32, kind: ExprKind) -> PResult<Expr> {
        let h = |id: NodeId| self.height(id);
        let highest = |list: &[Expr]| list.iter().map(|e| h(e.id)).max().unwrap_or(0);
        let children = match &kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Nothing
            | ExprKind::Name(_) => 0,
            ExprKind::Call(call) => highest(call.all()),
            ExprKind::New(new) => h(new.ty.id).max(highest(&new.args)),
            ExprKind::Type(ty) => h(ty.id),
            ExprKind::Tuple(items) => highest(items),
            ExprKind::Field(field) => h(field.0.id),
            ExprKind::Index(both) | ExprKind::And(both) | ExprKind::Or(both) => {
                h(both.0.id).max(h(both.1.id))
            }
            ExprKind::If(parts) => {
                let otherwise = parts.otherwise.as_ref().map_or(0, |block| h(block.id));
                h(parts.cond.id).max(h(parts.then.id)).max(otherwise)
            }
        };
        if children >= MAX_HEIGHT {
            let at = Span {
                lo,
                hi: self.prev_hi,
            };
            let message = format!("this expression is more than {MAX_HEIGHT} levels high");
            let hint = "name parts of it with `var`, or move them into functions of their own";
            return Err(self.error(at, message, Some(hint.to_string())));
        }
        let id = self.node(lo, children);
        Ok(Expr { id, kind })
    }

    /// Signs and what they apply to.
    fn unary(&mut self) -> PResult<Expr> {
        if !self.tok.kind.is_unary() {
            return self.postfix();
        }
        let mut signs = Vec::new();
        while self.tok.kind.is_unary() {
            signs.push(self.bump());
        }
        let last = signs[signs.len() - 1];
        let mut operand = if last.kind == Kind::Minus && self.at_bare_number() {
            // A signed literal is one value, so that -2^63 can be written.
            signs.pop();
            let tok = self.bump();
            let kind = self.number(tok, true)?;
            self.leaf(last.lo, kind)
        } else {
            self.postfix()?
        };
        while let Some(sign) = signs.pop() {
            let call = Call::new(vec![self.operator(sign), operand]);
            operand = self.finish(sign.lo, ExprKind::Call(call))?;
        }
        Ok(operand)
    }

    /// Whether a number is next that is not the base of a call, an index or a field.
    fn at_bare_number(&self) -> bool {
        if !matches!(self.tok.kind, Kind::Int | Kind::Float) {
            return false;
        }
        let next = self.peek();
        match next.kind {
            Kind::LParen | Kind::LBracket => next.begins_line,
            Kind::Dot => false,
            _ => true,
        }
    }

    /// A primary with its calls, indices and fields.
    fn postfix(&mut self) -> PResult<Expr> {
        let lo = self.tok.lo;
        let mut expr = self.primary()?;
        loop {
            let kind = match self.tok.kind {
                // Even where line ends mean nothing these stand on the line of what they apply to.
                Kind::LParen if !self.tok.begins_line => {
                    // Most calls have one or two arguments.
                    let mut callee = Vec::with_capacity(3);
                    callee.push(expr);
                    ExprKind::Call(Call::new(self.args(callee)?))
                }
                Kind::LBracket if !self.tok.begins_line => {
                    let saved = self.enter()?;
                    let index = self.index();
                    let index = self.leave(saved, index)?;
                    ExprKind::Index(Box::new((expr, index)))
                }
                Kind::Dot if !self.line_ended() => {
                    self.bump();
                    let tok = self.tok;
                    let (name, _) = self.ident("the name of a field")?;
                    if self.at(Kind::LBrace) && self.tok.touches {
                        self.touching_brace(tok);
                    }
                    ExprKind::Field(Box::new((expr, name)))
                }
                _ => return Ok(expr),
            };
            expr = self.finish(lo, kind)?;
        }
    }

    /// `(a, b)` of a call, behind what stands in `list`.
    fn args(&mut self, list: Vec<Expr>) -> PResult<Vec<Expr>> {
        let saved = self.enter()?;
        let what = "`,` or `)` of the call";
        let args = self.list_onto(list, Kind::RParen, what, |p| p.expr());
        self.leave(saved, args)
    }

    fn index(&mut self) -> PResult<Expr> {
        let index = self.expr()?;
        self.close("`]` of the index")?;
        Ok(index)
    }

    fn primary(&mut self) -> PResult<Expr> {
        let tok = self.tok;
        let kind = match tok.kind {
            Kind::Ident => return self.name_or_type(),
            Kind::Int | Kind::Float => {
                self.bump();
                self.number(tok, false)?
            }
            Kind::Str => {
                self.bump();
                ExprKind::Str(self.string(tok))
            }
            Kind::True | Kind::False => {
                self.bump();
                ExprKind::Bool(tok.kind == Kind::True)
            }
            Kind::Nothing => {
                self.bump();
                ExprKind::Nothing
            }
            Kind::LParen => {
                let saved = self.enter()?;
                let result = self.parenthesized(tok.lo);
                return self.leave(saved, result);
            }
            Kind::If => return self.if_expr(),
            Kind::Bad(bad)
                if bad != Bad::UnterminatedString
                    && matches!(
                        self.text.as_bytes()[tok.lo as usize],
                        b'"' | b'.' | b'0'..=b'9'
                    ) =>
            {
                // What was meant is clear enough to go on; the item is dropped all the same.
                self.bad_token(bad);
                self.bump();
                ExprKind::Nothing
            }
            Kind::LBracket if self.tok.lo != self.start => {
                let hint = "arrays are made by `array(T, n)`; tuples are written `(a, b)`";
                return Err(self.unexpected_with("an expression", Some(hint.to_string())));
            }
            kind if kind.operator().is_some() => {
                let op = self.slice(tok);
                let hint = format!("to pass the operator as a function, write `({op})`");
                let next = self.peek().kind;
                let hint = matches!(next, Kind::Comma | Kind::RParen).then_some(hint);
                return Err(self.unexpected_with("an expression", hint));
            }
            kind => {
                let hint = Kind::keyword(self.slice(tok)).filter(|_| kind != Kind::Else);
                let hint =
                    hint.map(|_| format!("`{}` is a keyword and has no value", self.slice(tok)));
                return Err(self.unexpected_with("an expression", hint));
            }
        };
        Ok(self.leaf(tok.lo, kind))
    }

    /// A name, `P{A}(x)`, or `P{A}` as an argument.
    fn name_or_type(&mut self) -> PResult<Expr> {
        let tok = self.bump();
        let name = self.name(self.slice(tok));
        let args = self.type_args_after(tok, |next| next == Kind::LParen)?;
        if args.is_none() {
            return Ok(self.leaf(tok.lo, ExprKind::Name(name)));
        }
        let ty = self.finish_type(tok.lo, name, args)?;
        let kind = if self.at(Kind::LParen) && !self.tok.begins_line {
            let args = self.args(Vec::new())?;
            ExprKind::New(Box::new(New { ty, args }))
        } else {
            ExprKind::Type(Box::new(ty))
        };
        self.finish(tok.lo, kind)
    }

    /// The rest of `()`, `(a)`, `(a,)`, `(a, b)` or `(+)`.
    fn parenthesized(&mut self, lo: u32) -> PResult<Expr> {
        if self.tok.kind.operator().is_some() && self.peek().kind == Kind::RParen {
            let tok = self.bump();
            let operator = self.operator(tok);
            self.close("`)`")?;
            return Ok(operator);
        }
        let mut items = Vec::new();
        let mut tuple = true;
        while !self.at(Kind::RParen) {
            items.push(self.expr()?);
            tuple = self.eat(Kind::Comma);
            if !tuple {
                break;
            }
        }
        self.close("`,` or `)`")?;
        match items.pop() {
            Some(only) if items.is_empty() && !tuple => Ok(only),
            last => {
                items.extend(last);
                self.finish(lo, ExprKind::Tuple(items.into()))
            }
        }
    }

    /// `if c { … } else if d { … } else { … }`: the branches are collected, then linked from the
    /// last one, so that a long chain needs no recursion here.
    pub(super) fn if_expr(&mut self) -> PResult<Expr> {
        self.deepen()?;
        let result = self.if_chain();
        self.nesting -= 1;
        result
    }

    fn if_chain(&mut self) -> PResult<Expr> {
        let mut branches = Vec::new();
        let otherwise = loop {
            let lo = self.tok.lo;
            self.expect(Kind::If, "`if`")?;
            let cond = self.header(false, |p| p.expr())?;
            let then = self.block()?;
            branches.push((lo, cond, then));
            // `else` may begin a line.
            if !self.eat(Kind::Else) {
                break None;
            }
            if !self.at(Kind::If) {
                break Some(self.block()?);
            }
        };
        let mut otherwise = otherwise;
        loop {
            let Some((lo, cond, then)) = branches.pop() else {
                unreachable!("the last branch returns");
            };
            let parts = Box::new(If {
                cond,
                then,
                otherwise,
            });
            let expr = self.finish(lo, ExprKind::If(parts))?;
            if branches.is_empty() {
                return Ok(expr);
            }
            let stmt = self.finish_stmt(lo, StmtKind::Expr(expr))?;
            let id = self.node(lo, self.height(stmt.id) - 1);
            let stmts = vec![stmt];
            otherwise = Some(Block { id, stmts });
        }
    }

    /// The value of a number token, negated if a minus stands before.
    fn number(&mut self, tok: Token, negative: bool) -> PResult<ExprKind> {
        if tok.kind == Kind::Int {
            return self.int_value(tok, negative).map(ExprKind::Int);
        }
        let digits = self.slice(tok).replace('_', "");
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                Ok(ExprKind::Float(if negative { -value } else { value }))
            }
            _ => {
                let message = "this number is too large for Float64".to_string();
                let hint = "the largest is about 1.8e308; infinity is `1.0 / 0.0`";
                Err(self.error(span(tok), message, Some(hint.to_string())))
            }
        }
    }

    pub(super) fn int_value(&mut self, tok: Token, negative: bool) -> PResult<i64> {
        match decode_int(self.slice(tok), negative) {
            Some(value) => Ok(value),
            None => {
                let message = "this number is too large for Int64".to_string();
                let hint = "integers go from -9223372036854775808 to 9223372036854775807; a Float64 has a point: `1.0e19`";
                Err(self.error(span(tok), message, Some(hint.to_string())))
            }
        }
    }

    /// The characters of a string token, which the lexer has checked.
    fn string(&mut self, tok: Token) -> Arc<str> {
        let quoted = self.slice(tok);
        decode_string(&quoted[1..quoted.len() - 1])
    }
}

/// The value of a well-formed integer token; 2^63 only if negative.
pub(in crate::syntax) fn decode_int(text: &str, negative: bool) -> Option<i64> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x', ..] => (16, &text[2..]),
        [b'0', b'o', ..] => (8, &text[2..]),
        [b'0', b'b', ..] => (2, &text[2..]),
        _ => (10, text),
    };
    let mut magnitude = 0u64;
    for digit in digits.bytes().filter(|digit| *digit != b'_') {
        let digit = char::from(digit).to_digit(radix)?;
        let shifted = magnitude.checked_mul(u64::from(radix))?;
        magnitude = shifted.checked_add(u64::from(digit))?;
    }
    match negative {
        true => 0i64.checked_sub_unsigned(magnitude),
        false => i64::try_from(magnitude).ok(),
    }
}

fn decode_string(text: &str) -> Arc<str> {
    if !text.contains('\\') {
        return Arc::from(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied();
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            Some(b'n') => out.push('\n'),
            Some(b't') => out.push('\t'),
            Some(b'u') => {
                let (digits, after) = rest.split_once('}').unwrap_or((rest, ""));
                out.extend(decode_scalar(digits.trim_start_matches('{')));
                rest = after;
            }
            Some(other) => out.push(char::from(other)),
            None => {}
        }
    }
    out.push_str(rest);
    Arc::from(out)
}
