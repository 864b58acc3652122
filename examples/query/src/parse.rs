//! Text to trees.
//!
//! ```text
//! fn tax(x: Float64) = x * 0.2          a user's function; a parameter without a type takes any
//! select price + tax(price) where count > 10 and price < 1e6
//! ```
//!
//! Loosest first: `or`, `and`, `not`, comparisons, `+ -`, `* /`, unary `-`.

use std::fmt;

/// An operator of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`, of floats
    Div,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `and`
    And,
    /// `or`
    Or,
}

impl Operator {
    /// Whether it compares numbers.
    pub fn is_comparison(self) -> bool {
        use Operator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(
            self,
            Less | LessEqual | Greater | GreaterEqual | Equal | NotEqual
        )
    }

    /// Whether it is `and` or `or`.
    pub fn is_logical(self) -> bool {
        matches!(self, Operator::And | Operator::Or)
    }
}

const OPERATORS: [&[(&str, Operator)]; 5] = [
    &[("or", Operator::Or)],
    &[("and", Operator::And)],
    &[
        ("<=", Operator::LessEqual),
        (">=", Operator::GreaterEqual),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Sub)],
    &[("*", Operator::Mul), ("/", Operator::Div)],
];

/// An expression over parameters, which have numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A parameter or column.
    Param(usize),
    /// `12`
    Int(i64),
    /// `1.5`
    Float(f64),
    /// `true`
    Bool(bool),
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// `x + y`
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `f(x)`
    Call(String, Vec<Expr>),
}

/// `fn NAME(PARAMS) = BODY`
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The names of its parameters, and their types' where they are said.
    pub params: Vec<(String, Option<String>)>,
    /// Its value.
    pub body: Expr,
}

/// `select VALUE where FILTER`
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// The columns that it reads, which are the parameters of both expressions.
    pub columns: Vec<String>,
    /// What is computed of each row.
    pub value: Expr,
    /// Which rows.
    pub filter: Option<Expr>,
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The column, in bytes from 1.
    pub column: usize,
    /// What was expected.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

/// How deep an expression may be.
const DEPTH: usize = 64;

/// Reads a definition.
///
/// # Errors
/// The first thing that is not the syntax above.
pub fn function(text: &str) -> Result<Function, SyntaxError> {
    let mut parser = Parser::new(text);
    parser.expect("fn")?;
    let name = parser.name()?;
    parser.expect("(")?;
    let mut params: Vec<(String, Option<String>)> = Vec::new();
    while !parser.accept(")") {
        if !params.is_empty() {
            parser.expect(",")?;
        }
        let param = parser.name()?;
        let ty = parser.accept(":").then(|| parser.name()).transpose()?;
        params.push((param, ty));
    }
    parser.expect("=")?;
    parser.names = params.iter().map(|(name, _)| name.clone()).collect();
    let body = parser.expr(0, 0)?;
    parser.end()?;
    Ok(Function { name, params, body })
}

/// Reads a query. Each name that is not called is a column.
///
/// # Errors
/// The first thing that is not the syntax above.
pub fn select(text: &str) -> Result<Select, SyntaxError> {
    let mut parser = Parser::new(text);
    parser.collects = true;
    parser.expect("select")?;
    let value = parser.expr(0, 0)?;
    let filter = parser
        .accept("where")
        .then(|| parser.expr(0, 0))
        .transpose()?;
    parser.end()?;
    Ok(Select {
        columns: parser.names,
        value,
        filter,
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    names: Vec<String>,
    /// Whether an unknown name is a new one rather than an error.
    collects: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Parser {
            text,
            at: 0,
            names: Vec::new(),
            collects: false,
        }
    }

    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn error<T>(&self, message: impl fmt::Display) -> Result<T, SyntaxError> {
        Err(SyntaxError {
            column: self.at + 1,
            message: message.to_string(),
        })
    }

    fn accept(&mut self, token: &str) -> bool {
        let rest = self.rest();
        let is_word = token.starts_with(|c: char| c.is_alphabetic());
        let found = if is_word {
            word(rest) == token
        } else {
            rest.starts_with(token)
        };
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), SyntaxError> {
        if self.accept(token) {
            return Ok(());
        }
        self.error(format!("expected `{token}`"))
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        match self.rest() {
            "" => Ok(()),
            _ => self.error("expected the end"),
        }
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        let name = word(self.rest());
        let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !starts || KEYWORDS.contains(&name) {
            return self.error("expected a name");
        }
        self.at += name.len();
        Ok(name.to_string())
    }

    fn expr(&mut self, level: usize, depth: usize) -> Result<Expr, SyntaxError> {
        if depth > DEPTH {
            return self.error(format!("an expression deeper than {DEPTH}"));
        }
        let Some(operators) = OPERATORS.get(level) else {
            return self.unary(depth);
        };
        // `not` is looser than comparisons and tighter than `and`.
        if level == 2 && self.accept("not") {
            return Ok(Expr::Not(Box::new(self.expr(level, depth + 1)?)));
        }
        let mut left = self.expr(level + 1, depth)?;
        let mut chained = depth;
        while let Some((_, operator)) = operators.iter().find(|(token, _)| self.accept(token)) {
            chained += 1;
            if chained > DEPTH {
                return self.error(format!("an expression deeper than {DEPTH}"));
            }
            let right = self.expr(level + 1, depth + 1)?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        if depth > DEPTH {
            return self.error(format!("an expression deeper than {DEPTH}"));
        }
        if self.accept("-") {
            return Ok(Expr::Negate(Box::new(self.unary(depth + 1)?)));
        }
        if self.accept("(") {
            let inner = self.expr(0, depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return self.number();
        }
        for (token, value) in [("true", true), ("false", false)] {
            if self.accept(token) {
                return Ok(Expr::Bool(value));
            }
        }
        let start = self.at;
        let name = self.name()?;
        if self.accept("(") {
            let mut args = Vec::new();
            while !self.accept(")") {
                if !args.is_empty() {
                    self.expect(",")?;
                }
                args.push(self.expr(0, depth + 1)?);
            }
            return Ok(Expr::Call(name, args));
        }
        let known = self.names.iter().position(|known| *known == name);
        match known {
            Some(ix) => Ok(Expr::Param(ix)),
            None if self.collects => {
                self.names.push(name);
                Ok(Expr::Param(self.names.len() - 1))
            }
            None => {
                self.at = start;
                self.error(format!("`{name}` is no parameter"))
            }
        }
    }

    fn number(&mut self) -> Result<Expr, SyntaxError> {
        let rest = self.rest();
        let mut length = 0;
        let mut before = ' ';
        for c in rest.chars() {
            let exponent_sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
            if !(c.is_ascii_alphanumeric() || c == '.' || exponent_sign) {
                break;
            }
            length += c.len_utf8();
            before = c;
        }
        let digits = &rest[..length];
        let number = match digits.contains(['.', 'e', 'E']) {
            true => digits.parse().ok().map(Expr::Float),
            false => digits.parse().ok().map(Expr::Int),
        };
        let Some(number) = number else {
            return self.error(format!("`{digits}` is no number"));
        };
        self.at += length;
        Ok(number)
    }
}

const KEYWORDS: [&str; 8] = ["fn", "select", "where", "and", "or", "not", "true", "false"];

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}
