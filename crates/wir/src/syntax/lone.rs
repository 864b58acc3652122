//! Pieces of Wir outside of files: signatures, calls and arguments of commands.

use std::sync::Arc;

use super::lexer::Lexer;
use super::parser::{PResult, Parser, decode_int};
use super::token::Kind;
use crate::ast::*;
use crate::diag::{Code, Diagnostic, FileId, Sources};

/// A signature as `delete`, `explain` and `--fn` take it.
#[derive(Clone, Debug, PartialEq)]
pub struct SigExpr {
    /// The generic function.
    pub name: Name,
    /// The parameter types.
    pub params: Vec<TypeExpr>,
    /// The variables of the `where` clause.
    pub vars: Vec<TypeParam>,
}

/// Why a piece of text is wrong, with the text, so that it can be shown.
#[derive(Clone, Debug)]
pub struct TextError {
    /// The text, as the only file.
    pub sources: Sources,
    /// The first error.
    pub diagnostic: Box<Diagnostic>,
}

impl std::fmt::Display for TextError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.diagnostic.render(&self.sources).trim_end())
    }
}

impl std::error::Error for TextError {}

/// Runs a rule over the whole of a text, which messages call `name`.
fn parse<T>(
    name: &str,
    text: &str,
    rule: impl FnOnce(&mut Parser<'_>) -> PResult<T>,
) -> Result<T, TextError> {
    let mut sources = Sources::new();
    let file = sources.add(name, text);
    let mut parser = Parser::new(sources.text(file), file);
    let result = rule(&mut parser);
    let first = parser.into_diagnostics().into_iter().next();
    match (result, first) {
        (Ok(value), None) => Ok(value),
        (_, first) => {
            let unknown = || Diagnostic::error(Code::Syntax, "this text is wrong");
            let diagnostic = Box::new(first.unwrap_or_else(unknown));
            Err(TextError {
                sources,
                diagnostic,
            })
        }
    }
}

/// Parses a signature: a function's name, its parameter types, and a `where` clause if there are
/// variables.
///
/// ```
/// let sig = worldage_wir::syntax::parse_sig("+(Pair{T, T}, Vararg{T}) where T <: Number").unwrap();
/// assert_eq!((&*sig.name, sig.params.len(), sig.vars.len()), ("+", 2, 1));
/// ```
pub fn parse_sig(text: &str) -> Result<SigExpr, TextError> {
    let (name, params, vars) = parse("<signature>", text, |p| p.lone_signature())?;
    Ok(SigExpr { name, params, vars })
}

/// Parses a call of a function or of a constructor, such as `f(20, P(1, -2.5), "a")`.
///
/// ```
/// assert!(worldage_wir::syntax::parse_call("f(20, P(1, -2.5))").is_ok());
/// assert!(worldage_wir::syntax::parse_call("20").is_err());
/// ```
pub fn parse_call(text: &str) -> Result<Expr, TextError> {
    let name = "<call>";
    let (expr, spans) = parse(name, text, |p| p.lone_expr())?;
    if matches!(expr.kind, ExprKind::Call(..) | ExprKind::New(..)) {
        return Ok(expr);
    }
    let mut sources = Sources::new();
    sources.add(name, text);
    let diagnostic = Diagnostic::error(Code::Syntax, "this is not a call")
        .at(FileId(0), spans[0])
        .hint("write for example `f(20, \"a\")`");
    Err(TextError {
        sources,
        diagnostic: Box::new(diagnostic),
    })
}

/// The value of a command line argument: `12` is an Int64, `1.5` a Float64, `true` a Bool, and
/// everything else a String. Numbers are written as in programs, with an optional minus.
///
/// ```
/// use worldage_wir::{ast::ExprKind, syntax::parse_value_arg};
/// assert_eq!(parse_value_arg("-12"), ExprKind::Int(-12));
/// assert_eq!(parse_value_arg("12x"), ExprKind::Str("12x".into()));
/// ```
pub fn parse_value_arg(text: &str) -> ExprKind {
    let value = match text {
        "true" => Some(ExprKind::Bool(true)),
        "false" => Some(ExprKind::Bool(false)),
        _ => number(text),
    };
    value.unwrap_or_else(|| ExprKind::Str(Arc::from(text)))
}

fn number(text: &str) -> Option<ExprKind> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let token = Lexer::new(digits).next();
    if token.lo != 0 || token.hi as usize != digits.len() {
        return None;
    }
    match token.kind {
        Kind::Int => decode_int(digits, negative).map(ExprKind::Int),
        Kind::Float => {
            let value: f64 = digits.replace('_', "").parse().ok()?;
            let value = if negative { -value } else { value };
            value.is_finite().then_some(ExprKind::Float(value))
        }
        _ => None,
    }
}

/// What somebody has typed so far, as an interactive session sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// White space and comments.
    Empty,
    /// A bracket is open, or an operator or a comma waits for what follows: read another line.
    Incomplete,
    /// It begins like a definition.
    Definitions,
    /// Anything else: a call.
    Call,
}

/// Says what kind of input a text is, from its tokens alone; the text need not be right.
///
/// ```
/// use worldage_wir::syntax::{Input, input_kind};
/// assert_eq!(input_kind("fn f(x) {"), Input::Incomplete);
/// assert_eq!(input_kind("kernel fn f(x) { x }"), Input::Definitions);
/// assert_eq!(input_kind("f(1)"), Input::Call);
/// ```
pub fn input_kind(text: &str) -> Input {
    let mut lexer = Lexer::new(text);
    let first = lexer.next();
    if first.kind == Kind::Eof {
        return Input::Empty;
    }
    let mut open = 0usize;
    let mut last = first.kind;
    let mut token = first;
    while token.kind != Kind::Eof {
        match token.kind {
            Kind::LParen | Kind::LBracket | Kind::LBrace => open += 1,
            // One too many is an error that the next line does not mend.
            Kind::RParen | Kind::RBracket | Kind::RBrace => open = open.saturating_sub(1),
            _ => {}
        }
        last = token.kind;
        token = lexer.next();
    }
    let waits = last.binary_level().is_some()
        || last.is_unary()
        || matches!(
            last,
            Kind::Comma | Kind::Assign | Kind::Arrow | Kind::Subtype | Kind::Where
        );
    if open > 0 || waits {
        return Input::Incomplete;
    }
    let mut sources = Sources::new();
    let file = sources.add("<input>", text);
    match Parser::new(sources.text(file), file).at_item() {
        true => Input::Definitions,
        false => Input::Call,
    }
}
