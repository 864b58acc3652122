//! Tokens to the AST: the state that all grammar rules share.
//!
//! Recursive descent with one token of lookahead; operators, `else if` and postfix forms are
//! loops, so only brackets and braces recurse. Invariants: [`MAX_NESTING`] bounds the recursion
//! and [`MAX_HEIGHT`] the height of every tree, so that later passes may recurse over it; each
//! rule that fails has reported why; every loop consumes a token per turn, so time is linear.

mod exprs;
mod items;
mod recover;
mod room;
mod stmts;
mod tune;
mod types;

pub(super) use exprs::decode_int;

use std::sync::Arc;

use room::{Node, Room};

use super::lexer::Lexer;
use super::number;
use super::token::{Bad, Kind, Token};
use crate::ast::*;
use crate::diag::{Code, Diagnostic, FileId};

/// How deeply brackets and braces may nest.
pub const MAX_NESTING: u32 = 256;

/// How many levels the tree of one definition may have: terms of `a + b + …`, branches of
/// `else if`, links of `a.b.c`, nested calls and blocks.
pub const MAX_HEIGHT: u32 = 1000;

/// After this many errors in a file the parser gives up.
pub const MAX_ERRORS: usize = 100;

/// A rule failed and has reported why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

pub(super) type PResult<T> = Result<T, Reported>;

pub(super) struct Parser<'a> {
    text: &'a str,
    file: FileId,
    lexer: Lexer<'a>,
    /// The next token.
    tok: Token,
    /// Where the last consumed token ends.
    prev_hi: u32,
    /// What is not finished yet.
    room: Room,
    diagnostics: Vec<Diagnostic>,
    /// How many errors there were, counting those that were not worth a report.
    errors: u32,
    /// The position of the latest error; a second one there would only be noise.
    last_error: Option<u32>,
    context: Context,
    /// Where the current statement or definition begins.
    start: u32,
    nesting: u32,
    loops: u32,
    tuning: tune::Tuning,
}

/// What a bracket or a block changes and its end restores.
#[derive(Clone, Copy, Default)]
struct Context {
    /// Line ends mean nothing: inside `(`, `[` and type arguments.
    free_lines: bool,
    /// A block follows, as after `if`: a brace that touches a name may be a slip.
    before_block: bool,
}

/// A way back.
struct Mark<'a> {
    lexer: Lexer<'a>,
    tok: Token,
    prev_hi: u32,
    nodes: usize,
    diagnostics: usize,
    errors: u32,
    last_error: Option<u32>,
    open: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, file: FileId) -> Parser<'a> {
        let mut lexer = Lexer::new(text);
        let tok = lexer.next();
        Parser {
            text,
            file,
            lexer,
            tok,
            prev_hi: 0,
            room: Room::enter(),
            diagnostics: Vec::new(),
            errors: 0,
            last_error: None,
            context: Context::default(),
            start: 0,
            nesting: 0,
            loops: 0,
            tuning: tune::Tuning::NONE,
        }
    }

    /// What is wrong with the text, in its order.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.room.leave();
        self.diagnostics
    }

    // Tokens.

    fn bump(&mut self) -> Token {
        let tok = self.tok;
        self.prev_hi = tok.hi;
        self.tok = self.lexer.next();
        tok
    }

    fn at(&self, kind: Kind) -> bool {
        self.tok.kind == kind
    }

    fn eat(&mut self, kind: Kind) -> bool {
        let found = self.at(kind);
        if found {
            self.bump();
        }
        found
    }

    /// The token after the next one.
    fn peek(&self) -> Token {
        self.lexer.clone().next()
    }

    fn slice(&self, tok: Token) -> &'a str {
        &self.text[tok.lo as usize..tok.hi as usize]
    }

    /// Whether the next token stands on a new line, where that matters.
    fn line_ended(&self) -> bool {
        self.tok.begins_line && !self.context.free_lines
    }

    fn expect(&mut self, kind: Kind, what: &str) -> PResult<Token> {
        if self.at(kind) {
            return Ok(self.bump());
        }
        Err(self.unexpected(what))
    }

    /// A name; a keyword gets a hint.
    fn ident(&mut self, what: &str) -> PResult<(Name, Span)> {
        if self.at(Kind::Ident) {
            let tok = self.bump();
            return Ok((self.name(self.slice(tok)), span(tok)));
        }
        let text = self.slice(self.tok);
        if Kind::keyword(text).is_some() {
            let hint = format!("`{text}` is a keyword, so it cannot be a name");
            return Err(self.unexpected_with(what, Some(hint)));
        }
        Err(self.unexpected(what))
    }

    fn name(&mut self, text: &str) -> Name {
        self.room.name(text)
    }

    // Brackets.

    /// Enters a bracket whose opening token is next, consuming it.
    fn enter(&mut self) -> PResult<Context> {
        let tok = self.tok;
        self.deepen()?;
        let saved = self.context;
        if let Some(closer) = tok.kind.closer() {
            self.room.open.push((closer, span(tok)));
        }
        self.context = Context {
            free_lines: true,
            before_block: false,
        };
        self.bump();
        Ok(saved)
    }

    /// Counts one more level of recursion, which the caller uncounts.
    fn deepen(&mut self) -> PResult<()> {
        if self.nesting >= MAX_NESTING {
            let message = format!("this nests more than {MAX_NESTING} deep");
            let hint = "name inner parts with `var`, or move them into a function of their own";
            return Err(self.error(span(self.tok), message, Some(hint.to_string())));
        }
        self.nesting += 1;
        Ok(())
    }

    /// Runs a rule that may recurse. Up to [`MAX_NESTING`] levels fit no small stack in a build
    /// without optimisation, and callers should not have to care.
    fn on_enough_stack<T>(&mut self, rule: impl FnOnce(&mut Self) -> T) -> T {
        stacker::maybe_grow(128 << 10, 1 << 20, || rule(self))
    }

    /// Leaves a bracket after an attempt at its contents.
    fn leave<T>(&mut self, saved: Context, result: PResult<T>) -> PResult<T> {
        self.context = saved;
        self.nesting -= 1;
        result
    }

    /// Consumes the token that closes the innermost bracket.
    fn close(&mut self, what: &str) -> PResult<()> {
        let Some(&(closer, opened)) = self.room.open.last() else {
            unreachable!("a bracket is closed only after it was entered");
        };
        if self.eat(closer) {
            self.room.open.pop();
            return Ok(());
        }
        let reported = self.unexpected(what);
        self.label_last(opened, "opened here");
        Err(reported)
    }

    // Nodes.

    /// A provisional node from `lo` to the last consumed token, over children of this height.
    fn node(&mut self, lo: u32, children: u32) -> NodeId {
        let hi = self.prev_hi.max(lo);
        self.node_at(Span { lo, hi }, children)
    }

    fn node_at(&mut self, span: Span, children: u32) -> NodeId {
        let id = NodeId(self.room.nodes.len() as u32);
        let height = children + 1;
        self.room.nodes.push(Node { span, height });
        id
    }

    fn height(&self, id: NodeId) -> u32 {
        self.room.nodes[id.0 as usize].height
    }

    fn span(&self, id: NodeId) -> Span {
        self.room.nodes[id.0 as usize].span
    }

    // Ways back.

    fn mark(&self) -> Mark<'a> {
        Mark {
            lexer: self.lexer,
            tok: self.tok,
            prev_hi: self.prev_hi,
            nodes: self.room.nodes.len(),
            diagnostics: self.diagnostics.len(),
            errors: self.errors,
            last_error: self.last_error,
            open: self.room.open.len(),
        }
    }

    fn reset(&mut self, mark: Mark<'a>) {
        self.lexer = mark.lexer;
        self.tok = mark.tok;
        self.prev_hi = mark.prev_hi;
        self.room.nodes.truncate(mark.nodes);
        self.diagnostics.truncate(mark.diagnostics);
        self.errors = mark.errors;
        self.last_error = mark.last_error;
        self.room.open.truncate(mark.open);
    }

    // Errors.

    fn error(&mut self, at: Span, message: String, hint: Option<String>) -> Reported {
        self.report(Code::Syntax, at, message, hint);
        Reported
    }

    fn report(&mut self, code: Code, at: Span, message: String, hint: Option<String>) {
        self.errors += 1;
        if self.last_error == Some(at.lo) || self.diagnostics.len() > MAX_ERRORS {
            return;
        }
        self.last_error = Some(at.lo);
        if self.diagnostics.len() == MAX_ERRORS {
            let message = format!("more than {MAX_ERRORS} errors; the rest is not checked");
            let d = Diagnostic::error(Code::Syntax, message);
            self.diagnostics.push(d.at(self.file, at));
            self.lexer.stop();
            self.tok = self.lexer.next();
            return;
        }
        let mut d = Diagnostic::error(code, message).at(self.file, at);
        d.hint = hint;
        self.diagnostics.push(d);
    }

    /// Shows a second place with the latest error.
    fn label_last(&mut self, at: Span, text: &str) {
        if let Some(d) = self.diagnostics.pop() {
            let d = match d.labels.is_empty() {
                true => d.label(self.file, at, text),
                false => d,
            };
            self.diagnostics.push(d);
        }
    }

    fn unexpected(&mut self, what: &str) -> Reported {
        self.unexpected_with(what, None)
    }

    /// Reports that the next token is not what should stand here.
    fn unexpected_with(&mut self, what: &str, hint: Option<String>) -> Reported {
        if let Kind::Bad(bad) = self.tok.kind {
            return self.bad_token(bad);
        }
        let hint = hint.or_else(|| self.slip());
        // What is missing at the end of a line is missing there, not on the next one.
        let (at, found) = if self.at(Kind::Eof) {
            (self.after_prev(), "the end of the file".to_string())
        } else if self.line_ended() && self.tok.lo != self.start {
            (self.after_prev(), "the end of the line".to_string())
        } else {
            (span(self.tok), describe(self.slice(self.tok)))
        };
        self.error(at, format!("expected {what}, found {found}"), hint)
    }

    fn after_prev(&self) -> Span {
        Span {
            lo: self.prev_hi,
            hi: self.prev_hi,
        }
    }

    /// A hint for tokens that people bring from other languages.
    fn slip(&self) -> Option<String> {
        Some(match self.tok.kind {
            Kind::DotDot => "a range `a..b` stands only in `for i in a..b`".to_string(),
            Kind::Assign => "`=` assigns in a statement of its own; `==` compares".to_string(),
            Kind::Colon if self.text[..self.tok.lo as usize].ends_with(':') => {
                "a type is written after one colon: `x: T`".to_string()
            }
            Kind::LBrace
                if !self.tok.touches
                    && self.text[..self.prev_hi as usize].ends_with(char::is_alphanumeric) =>
            {
                "the `{` of type arguments touches the name: `Array{Int64}`".to_string()
            }
            Kind::Dot | Kind::LBracket if self.tok.lo == self.start => {
                "a field, an index or a call stands on the line of what it applies to".to_string()
            }
            kind if kind.binary_level().is_some() && self.tok.lo == self.start => {
                "a line that goes on in the next one ends with the operator".to_string()
            }
            Kind::Else => "`else` follows the `}` of an `if`".to_string(),
            _ => return None,
        })
    }

    /// Reports a token that the lexer could not make sense of.
    fn bad_token(&mut self, bad: Bad) -> Reported {
        let at = self.lexer.bad_span;
        let text = &self.text[at.lo as usize..at.hi as usize];
        let (message, hint) = recover::explain(bad, text);
        self.error(at, message, hint)
    }
}

fn span(tok: Token) -> Span {
    Span {
        lo: tok.lo,
        hi: tok.hi,
    }
}

/// A token in a message, cut when it is long.
fn describe(text: &str) -> String {
    const LONGEST: usize = 30;
    match text.char_indices().nth(LONGEST) {
        None => format!("`{text}`"),
        Some((at, _)) => format!("`{}…`", &text[..at]),
    }
}

impl Parser<'_> {
    /// Checks that nothing follows.
    pub(super) fn end(&mut self) -> PResult<()> {
        match self.at(Kind::Eof) {
            true => Ok(()),
            false => Err(self.unexpected("the end")),
        }
    }

    /// An expression that stands alone, numbered from 0.
    pub(super) fn lone_expr(&mut self) -> PResult<(Expr, Arc<[Span]>)> {
        let mut expr = self.expr()?;
        self.end()?;
        number::visit_expr(&mut expr, &mut self.room);
        Ok((expr, self.room.spans()))
    }

    /// A signature that stands alone: a name, types and variables, numbered in this order from 0.
    pub(super) fn lone_signature(&mut self) -> PResult<(Name, Vec<TypeExpr>, Vec<TypeParam>)> {
        let (name, _) = self.function_name()?;
        if !self.at(Kind::LParen) {
            return Err(self.unexpected("`(` and the parameter types"));
        }
        let saved = self.enter()?;
        let types = self.list(Kind::RParen, "`,` or `)`", |p| p.type_expr());
        let mut types = self.leave(saved, types)?;
        let mut vars = self.where_clause()?;
        self.end()?;
        let room = &mut self.room;
        types.iter_mut().for_each(|ty| number::visit_type(ty, room));
        number::visit_type_params(&mut vars, room);
        Ok((name, types, vars))
    }
}
