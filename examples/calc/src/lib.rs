//! Arithmetic expressions as foreign IR: a method's body is an expression over numbers and calls,
//! and inference evaluates it. What a call depends on, and what an edit runs again, is worldage's.

use std::fmt;
use std::sync::Arc;
use worldage::embed::*;

/// A method's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A number.
    Number(i64),
    /// A call of a function on types: `area(Circle)`.
    Call(String, Vec<Ty>),
    /// Two expressions and `+ - * /` between them.
    Binary(Box<Expr>, char, Box<Expr>),
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A division by zero.
    Division,
    /// A result beyond 64 bits.
    Overflow,
    /// A function whose value depends on itself.
    Recursion,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The compiler: all the work is done by inference.
pub struct Calc;

impl Compiler for Calc {
    type Source = Expr;
    type Inferred = i64;
    type Summary = Whole<i64>;
    type Code = i64;
    type Linked = Arc<i64>;
    type Shard = OneShard;

    #[expect(
        clippy::only_used_in_recursion,
        reason = "inference of a part is that of the whole"
    )]
    fn infer(&self, cx: &mut InferCx<'_, Self>, mi: Mi, expr: &Expr) -> Result<i64, Stop> {
        let (a, operator, b) = match expr {
            Expr::Number(x) => return Ok(*x),
            Expr::Call(function, args) => {
                let callee = cx.callee(function, args)?;
                let value = cx.read(callee, &Whole::VALUE)?;
                return value.ok_or_else(|| Stop::failed(Fault::Recursion));
            }
            Expr::Binary(a, operator, b) => {
                (self.infer(cx, mi, a)?, operator, self.infer(cx, mi, b)?)
            }
        };
        let value = match operator {
            '+' => a.checked_add(b),
            '-' => a.checked_sub(b),
            '*' => a.checked_mul(b),
            _ if b == 0 => return Err(Stop::failed(Fault::Division)),
            _ => a.checked_div(b),
        };
        value.ok_or_else(|| Stop::failed(Fault::Overflow))
    }

    fn codegen(&self, _: &mut CodegenCx<'_, Self>, _: Mi, value: &Arc<i64>) -> Result<i64, Stop> {
        Ok(**value)
    }

    fn link(&self, _: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<i64>) -> Result<Arc<i64>, Stop> {
        Ok(Arc::clone(code))
    }
}

/// Defines methods, one per line: `area(Circle) = 3 * side(Circle)`. All of them, or none.
///
/// # Errors
/// A line that is not of this form, or an unknown type.
pub fn define(session: &Session<Calc>, program: &str) -> Result<World, Error> {
    let lines = program.lines().map(str::trim).filter(|l| !l.is_empty());
    let commit = session.edit(|edit| {
        for line in lines {
            let wrong = || Error::refused(format!("`{line}` is no definition"));
            let (head, body) = line.split_once('=').ok_or_else(wrong)?;
            match (parse(session, head)?, parse(session, body)?) {
                (Expr::Call(function, params), body) => edit.define(&function, &params, body)?,
                _ => return Err(wrong()),
            }
        }
        Ok(())
    })?;
    Ok(commit.world)
}

/// The value of a call, `area(Circle)`, in the newest world.
///
/// # Errors
/// A call that no method takes, or that has no value.
pub fn value(session: &Session<Calc>, call: &str) -> Result<i64, Error> {
    match parse(session, call)? {
        Expr::Call(function, args) => session.call(&function, &args, |value| **value),
        _ => Err(Error::refused(format!("`{call}` is no call"))),
    }
}

/// What is left to be parsed.
struct Text<'a> {
    session: &'a Session<Calc>,
    rest: &'a str,
}

fn parse(session: &Session<Calc>, text: &str) -> Result<Expr, Error> {
    let rest = text.trim();
    let mut text = Text { session, rest };
    let expr = text.sum()?;
    match text.rest {
        "" => Ok(expr),
        rest => Err(Error::refused(format!("`{rest}` is not expected here"))),
    }
}

impl<'a> Text<'a> {
    fn sum(&mut self) -> Result<Expr, Error> {
        self.chain(&['+', '-'], |text| text.chain(&['*', '/'], Text::operand))
    }

    /// Operands with operators of one precedence between them, from the left.
    fn chain(
        &mut self,
        operators: &[char],
        next: fn(&mut Self) -> Result<Expr, Error>,
    ) -> Result<Expr, Error> {
        let mut left = next(self)?;
        while let Some(operator) = operators.iter().copied().find(|c| self.eat(*c)) {
            left = Expr::Binary(Box::new(left), operator, Box::new(next(self)?));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr, Error> {
        if self.eat('(') {
            let inner = self.sum()?;
            return match self.eat(')') {
                true => Ok(inner),
                false => Err(Error::refused(format!(
                    "`)` is missing before `{}`",
                    self.rest
                ))),
            };
        }
        let word = self.word()?;
        if let Ok(number) = word.parse() {
            return Ok(Expr::Number(number));
        }
        let mut args = Vec::new();
        if !self.eat('(') {
            return Err(Error::refused(format!(
                "`{word}` is called nowhere: `{word}()`"
            )));
        }
        while !self.eat(')') {
            args.push(self.session.ty(self.word()?)?);
            self.eat(',');
        }
        Ok(Expr::Call(word.into(), args))
    }

    fn word(&mut self) -> Result<&'a str, Error> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric());
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        match word {
            "" => Err(Error::refused(format!("a word is missing before `{rest}`"))),
            word => Ok(word),
        }
    }

    fn eat(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.map_or(self.rest, str::trim_start);
        rest.is_some()
    }
}
