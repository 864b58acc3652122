//! Text to forms: parentheses, numbers, strings, names. `'f` is `(quote f)`.

use std::fmt;
use std::sync::Arc;

/// A form, with the line that it begins on.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// From 1.
    pub line: usize,
    /// What it is.
    pub kind: FormKind,
}

/// What a form is.
#[derive(Clone, Debug, PartialEq)]
pub enum FormKind {
    /// `12`
    Int(i64),
    /// `1.5`
    Float(f64),
    /// `"a"`
    Str(Arc<str>),
    /// `x`
    Name(Arc<str>),
    /// `(f x)`
    List(Vec<Form>),
}

/// What is wrong with a text, or with a program while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The line of the form, from 1.
    pub line: usize,
    /// What, and what to do about it.
    pub message: String,
    /// The text ends inside of a form: more of it may be right.
    pub unfinished: bool,
}

impl Error {
    /// An error at a line.
    pub fn at(line: usize, message: impl fmt::Display) -> Error {
        Error {
            line,
            message: message.to_string(),
            unfinished: false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: error: {}", self.line, self.message)
    }
}

impl std::error::Error for Error {}

/// How deep forms may nest: what reads them recurses.
const MAX_DEPTH: usize = 200;

/// All forms of a text.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(text: &str) -> Result<Vec<Form>, Error> {
    let mut reader = Reader {
        rest: text,
        line: 1,
        depth: 0,
    };
    let mut forms = Vec::new();
    while reader.skip_space() {
        forms.push(reader.form()?);
    }
    Ok(forms)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Whether something follows.
    fn skip_space(&mut self) -> bool {
        loop {
            match self.rest.chars().next() {
                Some(';') => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = &self.rest[end..];
                }
                Some(c) if c.is_whitespace() => drop(self.take(c.len_utf8())),
                next => return next.is_some(),
            }
        }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn unfinished(&self, line: usize, what: &str) -> Error {
        let error = Error::at(line, format!("{what} that begins here does not end"));
        Error {
            unfinished: true,
            ..error
        }
    }

    fn form(&mut self) -> Result<Form, Error> {
        let line = self.line;
        let kind = match self.rest.as_bytes()[0] {
            b'(' => {
                self.take(1);
                FormKind::List(self.list(line)?)
            }
            b')' => return Err(Error::at(line, "`)` closes nothing")),
            b'"' => self.string(line)?,
            b'\'' => {
                self.take(1);
                if !self.skip_space() {
                    return Err(self.unfinished(line, "a quote"));
                }
                let quote = Form {
                    line,
                    kind: FormKind::Name("quote".into()),
                };
                FormKind::List(vec![quote, self.nested(line)?])
            }
            _ => self.atom(),
        };
        Ok(Form { line, kind })
    }

    fn nested(&mut self, line: usize) -> Result<Form, Error> {
        if self.depth == MAX_DEPTH {
            let why = format!("forms nest deeper than {MAX_DEPTH}: define a function for a part");
            return Err(Error::at(line, why));
        }
        self.depth += 1;
        let form = self.form();
        self.depth -= 1;
        form
    }

    fn list(&mut self, line: usize) -> Result<Vec<Form>, Error> {
        let mut forms = Vec::new();
        loop {
            if !self.skip_space() {
                return Err(self.unfinished(line, "a list"));
            }
            if self.rest.starts_with(')') {
                self.take(1);
                return Ok(forms);
            }
            forms.push(self.nested(line)?);
        }
    }

    fn string(&mut self, line: usize) -> Result<FormKind, Error> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.take(at + 1);
                    return Ok(FormKind::Str(text.into()));
                }
                '\\' => text.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, c)) => c,
                    None => break,
                }),
                c => text.push(c),
            }
        }
        Err(self.unfinished(line, "a string"))
    }

    fn atom(&mut self) -> FormKind {
        let ends = |c: char| c.is_whitespace() || "()\";'".contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let word = self.take(end);
        let is_number = word.starts_with(|c: char| c.is_ascii_digit())
            || word.len() > 1 && word.starts_with('-') && word.as_bytes()[1].is_ascii_digit();
        match (word.parse(), word.parse()) {
            (Ok(int), _) => FormKind::Int(int),
            (_, Ok(float)) if is_number => FormKind::Float(float),
            _ => FormKind::Name(word.into()),
        }
    }
}
