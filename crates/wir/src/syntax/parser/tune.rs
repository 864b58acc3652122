//! `tune(block, [64, 128, 256])`: a statement that declares what a kernel's schedules choose from.

use super::{Kind, PResult, Parser, span};
use crate::ast::*;
use crate::diag::Code;
use crate::schedule::MAX_SCHEDULES;

/// What the body of the current method may declare.
#[derive(Clone, Copy)]
pub(super) struct Tuning {
    /// The nesting of the kernel's body; elsewhere nothing is declared.
    body: Option<u32>,
    /// How many schedules there are so far.
    schedules: usize,
}

impl Tuning {
    /// No method, or one that is no kernel.
    pub(super) const NONE: Tuning = Tuning {
        body: None,
        schedules: 1,
    };

    /// The body of a method that stands at this nesting.
    pub(super) fn of(kernel: bool, nesting: u32) -> Tuning {
        Tuning {
            body: kernel.then_some(nesting + 1),
            ..Tuning::NONE
        }
    }
}

impl Parser<'_> {
    /// Whether a declaration follows: `tune(`, something, and a list. A function of a program may
    /// be called `tune`; no call has a list.
    pub(super) fn at_tune(&self) -> bool {
        if !self.at(Kind::Ident) || self.slice(self.tok) != "tune" {
            return false;
        }
        let mut lexer = self.lexer;
        let opens = lexer.next().kind == Kind::LParen;
        let _name = lexer.next();
        opens && lexer.next().kind == Kind::Comma && lexer.next().kind == Kind::LBracket
    }

    pub(super) fn tune_stmt(&mut self) -> PResult<StmtKind> {
        let at = span(self.bump());
        match self.tuning.body {
            None => {
                let hint = "only a `kernel fn` has schedules";
                let message = "`tune` outside of a kernel".to_string();
                self.error(at, message, Some(hint.to_string()));
            }
            Some(body) if body != self.nesting => {
                let hint = "declare it before the loops and conditions of the kernel";
                let message = "`tune` inside of a block".to_string();
                self.error(at, message, Some(hint.to_string()));
            }
            Some(_) => {}
        }
        let saved = self.enter()?;
        let declared = self.tune_args();
        let (name, choices) = self.leave(saved, declared)?;
        self.tuning.schedules = self.tuning.schedules.saturating_mul(choices.len().max(1));
        let schedules = self.tuning.schedules;
        if schedules > MAX_SCHEDULES && schedules / choices.len().max(1) <= MAX_SCHEDULES {
            let message = format!("this kernel has {schedules} schedules");
            let hint = format!("each is compiled, so there are at most {MAX_SCHEDULES}");
            self.report(Code::InvalidArgument, at, message, Some(hint));
        }
        Ok(StmtKind::Tune(name, choices))
    }

    fn tune_args(&mut self) -> PResult<(Name, Vec<Choice>)> {
        let (name, _) = self.ident("the name of a tuning parameter")?;
        self.expect(Kind::Comma, "`,` and the list of values")?;
        let opened = span(self.tok);
        let saved = self.enter()?;
        let choices = self.list(Kind::RBracket, "`,` or `]` of the values", |p| p.choice());
        let choices = self.leave(saved, choices)?;
        self.expect_close_of_tune()?;
        let at = Span {
            lo: opened.lo,
            hi: self.prev_hi,
        };
        let Some((_, first)) = choices.first().copied() else {
            let hint = "name at least one value: `tune(block, [64, 128])`";
            let message = format!("`{name}` has no values to choose from");
            return Err(self.error(at, message, Some(hint.to_string())));
        };
        for (ix, (at, choice)) in choices.iter().enumerate() {
            if choice.type_name() != first.type_name() {
                let (one, other) = (first.type_name(), choice.type_name());
                let message = format!("`{name}` is both {one} and {other}");
                let hint = "the values of a tuning parameter are of one type";
                self.report(Code::TypeMismatch, *at, message, Some(hint.to_string()));
            } else if choices[..ix].iter().any(|(_, before)| before == choice) {
                let message = format!("`{name}` has the value {choice} twice");
                self.report(Code::DuplicateDefinition, *at, message, None);
            }
        }
        Ok((
            name,
            choices.into_iter().map(|(_, choice)| choice).collect(),
        ))
    }

    fn expect_close_of_tune(&mut self) -> PResult<()> {
        self.eat(Kind::Comma);
        self.close("`)` of `tune`")
    }

    /// A literal.
    fn choice(&mut self) -> PResult<(Span, Choice)> {
        let lo = self.tok.lo;
        let value = self.expr()?;
        let at = Span {
            lo,
            hi: self.prev_hi,
        };
        let choice = match value.kind {
            ExprKind::Int(x) => Choice::Int(x),
            ExprKind::Float(x) => Choice::Float(x),
            ExprKind::Bool(x) => Choice::Bool(x),
            _ => {
                let message = "this is no literal".to_string();
                let hint = "the values of a tuning parameter are numbers, or `true` and `false`";
                return Err(self.error(at, message, Some(hint.to_string())));
            }
        };
        Ok((at, choice))
    }
}
