//! Text to tokens, one at a time.
//!
//! Invariants: every call advances or returns `Eof`; a token costs time linear in its length;
//! tokens lie on character boundaries. Numbers and strings are checked for their form here and
//! decoded by the parser, which alone knows whether a minus stands before.

use super::token::{Bad, Kind, Token};
use crate::ast::Span;

/// The state is a position, so a copy of it is a way back.
#[derive(Clone, Copy)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    /// Which part of the latest `Bad` token is wrong.
    pub(crate) bad_span: Span,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Lexer<'a> {
        // A byte order mark is no part of the program.
        let pos = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Lexer {
            text,
            pos,
            bad_span: Span::default(),
        }
    }

    /// Makes the rest of the text invisible.
    pub(crate) fn stop(&mut self) {
        self.pos = self.text.len();
    }

    pub(crate) fn next(&mut self) -> Token {
        let before = self.pos;
        let begins_line = self.skip_space();
        let lo = self.pos;
        let kind = self.kind();
        Token {
            kind,
            lo: lo as u32,
            hi: self.pos as u32,
            begins_line,
            touches: lo == before,
        }
    }

    fn byte(&self, ahead: usize) -> u8 {
        // NUL is never a part of a token, so it can stand for the end.
        let bytes = self.text.as_bytes();
        bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    /// Skips white space and comments; returns whether a line ended.
    fn skip_space(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        let mut line_ended = false;
        let mut pos = self.pos;
        while let Some(&b) = bytes.get(pos) {
            match b {
                b' ' | b'\t' | b'\r' => pos += 1,
                b'\n' => {
                    line_ended = true;
                    pos += 1;
                }
                b'#' => {
                    let rest = &bytes[pos..];
                    let end = rest.iter().position(|b| *b == b'\n');
                    pos += end.unwrap_or(rest.len());
                }
                _ => break,
            }
        }
        self.pos = pos;
        line_ended
    }

    fn kind(&mut self) -> Kind {
        if self.pos >= self.text.len() {
            return Kind::Eof;
        }
        let kind = match self.byte(0) {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => return self.word(),
            b'0'..=b'9' => return self.number(),
            b'"' => return self.string(),
            b'.' => match self.byte(1) {
                b'.' => return self.two(Kind::DotDot),
                b'0'..=b'9' => {
                    let lo = self.pos;
                    self.pos += 1;
                    self.skip_word();
                    return self.bad(Bad::DigitBeforePoint, lo, self.pos);
                }
                _ => Kind::Dot,
            },
            b'<' => match self.byte(1) {
                b':' => return self.two(Kind::Subtype),
                b'=' => return self.two(Kind::Le),
                b'<' => return self.two(Kind::Shl),
                _ => Kind::Lt,
            },
            b'>' => match self.byte(1) {
                b'=' => return self.two(Kind::Ge),
                b'>' => return self.two(Kind::Shr),
                _ => Kind::Gt,
            },
            b'-' if self.byte(1) == b'>' => return self.two(Kind::Arrow),
            b'=' if self.byte(1) == b'=' => return self.two(Kind::EqEq),
            b'!' if self.byte(1) == b'=' => return self.two(Kind::NotEq),
            b'&' if self.byte(1) == b'&' => return self.two(Kind::AndAnd),
            b'|' if self.byte(1) == b'|' => return self.two(Kind::OrOr),
            b'(' => Kind::LParen,
            b')' => Kind::RParen,
            b'[' => Kind::LBracket,
            b']' => Kind::RBracket,
            b'{' => Kind::LBrace,
            b'}' => Kind::RBrace,
            b',' => Kind::Comma,
            b';' => Kind::Semi,
            b':' => Kind::Colon,
            b'=' => Kind::Assign,
            b'|' => Kind::Or,
            b'&' => Kind::And,
            b'+' => Kind::Plus,
            b'-' => Kind::Minus,
            b'*' => Kind::Star,
            b'/' => Kind::Slash,
            b'%' => Kind::Percent,
            b'!' => Kind::Not,
            b'~' => Kind::Tilde,
            _ => return self.other(),
        };
        self.pos += 1;
        kind
    }

    /// A token of two characters.
    fn two(&mut self, kind: Kind) -> Kind {
        self.pos += 2;
        kind
    }

    /// A character outside of ASCII, or one that begins no token.
    fn other(&mut self) -> Kind {
        let lo = self.pos;
        let c = self.text[lo..].chars().next().unwrap_or('\0');
        if c.is_alphabetic() {
            return self.word();
        }
        self.pos += c.len_utf8();
        let why = if c.is_control() {
            Bad::Control
        } else {
            Bad::Char
        };
        self.bad(why, lo, self.pos)
    }

    fn bad(&mut self, why: Bad, lo: usize, hi: usize) -> Kind {
        self.bad_span = Span {
            lo: lo as u32,
            hi: hi as u32,
        };
        Kind::Bad(why)
    }

    /// Skips letters, digits and underscores.
    #[inline]
    fn skip_word(&mut self) {
        let bytes = self.text.as_bytes();
        let mut pos = self.pos;
        while let Some(&b) = bytes.get(pos) {
            if b.is_ascii_alphanumeric() || b == b'_' {
                pos += 1;
            } else if b < 0x80 {
                break;
            } else {
                match self.text[pos..].chars().next() {
                    Some(c) if c.is_alphanumeric() => pos += c.len_utf8(),
                    _ => break,
                }
            }
        }
        self.pos = pos;
    }

    fn word(&mut self) -> Kind {
        let lo = self.pos;
        self.skip_word();
        Kind::keyword(&self.text[lo..self.pos]).unwrap_or(Kind::Ident)
    }

    fn skip_digits(&mut self) {
        let rest = &self.text.as_bytes()[self.pos..];
        let digit = |b: &u8| b.is_ascii_digit() || *b == b'_';
        self.pos += rest.iter().take_while(|b| digit(b)).count();
    }

    fn number(&mut self) -> Kind {
        let lo = self.pos;
        let radix = match (self.byte(0), self.byte(1)) {
            (b'0', b'x') => 16,
            (b'0', b'o') => 8,
            (b'0', b'b') => 2,
            _ => return self.decimal(),
        };
        self.pos += 2;
        let digits = self.pos;
        self.skip_word();
        if digits == self.pos {
            return self.bad(Bad::NoDigits, lo, self.pos);
        }
        let word = &self.text[digits..self.pos];
        match word
            .char_indices()
            .find(|(_, c)| *c != '_' && !c.is_digit(radix))
        {
            Some((at, _)) => self.bad(Bad::Suffix, digits + at, self.pos),
            None => self.checked(Kind::Int, lo, digits),
        }
    }

    fn decimal(&mut self) -> Kind {
        let lo = self.pos;
        let mut kind = Kind::Int;
        self.skip_digits();
        if self.byte(0) == b'.' && self.byte(1) != b'.' {
            if !self.byte(1).is_ascii_digit() {
                let point = self.pos;
                self.pos += 1;
                self.skip_word();
                return self.bad(Bad::DigitAfterPoint, point, point + 1);
            }
            kind = Kind::Float;
            self.pos += 1;
            self.skip_digits();
        }
        if matches!(self.byte(0), b'e' | b'E') {
            let e = self.pos;
            kind = Kind::Float;
            self.pos += 1;
            if matches!(self.byte(0), b'+' | b'-') {
                self.pos += 1;
            }
            if !self.byte(0).is_ascii_digit() {
                self.skip_word();
                return self.bad(Bad::Exponent, e, self.pos);
            }
            self.skip_digits();
        }
        let end = self.pos;
        self.skip_word();
        if self.pos > end {
            return self.bad(Bad::Suffix, end, self.pos);
        }
        self.checked(kind, lo, lo)
    }

    /// The kind, unless an underscore of the number is not between two digits.
    fn checked(&mut self, kind: Kind, lo: usize, digits: usize) -> Kind {
        let bytes = &self.text.as_bytes()[digits..self.pos];
        let digit = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(|b| b.is_ascii_hexdigit())
        };
        // In a decimal number the only letters are exponents, which no underscore may touch.
        let exponent = |at: usize| digits == lo && matches!(bytes.get(at), Some(b'e' | b'E'));
        let wrong = |at: usize| {
            !digit(at.checked_sub(1))
                || !digit(Some(at + 1))
                || exponent(at + 1)
                || (at > 0 && exponent(at - 1))
        };
        match (0..bytes.len()).find(|&at| bytes[at] == b'_' && wrong(at)) {
            Some(at) => self.bad(Bad::Underscore, digits + at, digits + at + 1),
            None => kind,
        }
    }

    fn string(&mut self) -> Kind {
        let bytes = self.text.as_bytes();
        let lo = self.pos;
        self.pos += 1;
        let mut wrong: Option<(Bad, usize, usize)> = None;
        loop {
            match bytes.get(self.pos) {
                None | Some(b'\n') => return self.bad(Bad::UnterminatedString, lo, self.pos),
                Some(b'\r') if bytes.get(self.pos + 1) == Some(&b'\n') => {
                    return self.bad(Bad::UnterminatedString, lo, self.pos);
                }
                Some(b'"') => {
                    self.pos += 1;
                    return match wrong {
                        None => Kind::Str,
                        Some((why, lo, hi)) => self.bad(why, lo, hi),
                    };
                }
                Some(b'\\') => {
                    let at = self.pos;
                    if let Some(why) = self.escape() {
                        wrong.get_or_insert((why, at, self.pos));
                    }
                }
                Some(&b) if b != b'\t' && b.is_ascii_control() => {
                    wrong.get_or_insert((Bad::ControlInString, self.pos, self.pos + 1));
                    self.pos += 1;
                }
                Some(_) => self.pos += 1,
            }
        }
    }

    /// Skips an escape; says what is wrong with it.
    fn escape(&mut self) -> Option<Bad> {
        self.pos += 1;
        match self.byte(0) {
            b'n' | b't' | b'"' | b'\\' => {
                self.pos += 1;
                None
            }
            b'u' => {
                self.pos += 1;
                if self.byte(0) != b'{' {
                    return Some(Bad::UnicodeEscape);
                }
                self.pos += 1;
                let lo = self.pos;
                while self.byte(0).is_ascii_hexdigit() {
                    self.pos += 1;
                }
                let value = decode_scalar(&self.text[lo..self.pos]);
                if self.byte(0) != b'}' {
                    return Some(Bad::UnicodeEscape);
                }
                self.pos += 1;
                value.is_none().then_some(Bad::UnicodeEscape)
            }
            _ => {
                // The character after the backslash belongs to the message, unless it ends the line.
                match self.text[self.pos..].chars().next() {
                    Some(c) if !c.is_control() => self.pos += c.len_utf8(),
                    _ => {}
                }
                Some(Bad::Escape)
            }
        }
    }
}

/// The character that the digits in `\u{…}` name.
pub(crate) fn decode_scalar(digits: &str) -> Option<char> {
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}
