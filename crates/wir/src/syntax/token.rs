//! The tokens of Wir and the tables about them: keywords, operators, how each is named in messages.

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// End of the text.
    Eof,
    /// A name that is no keyword.
    Ident,
    /// A decimal, hexadecimal, octal or binary integer.
    Int,
    /// A number with a point or an exponent.
    Float,
    /// A string with its quotes.
    Str,

    // Keywords.
    Fn,
    Struct,
    Var,
    If,
    Else,
    While,
    For,
    In,
    Return,
    Break,
    Continue,
    True,
    False,
    Nothing,
    Where,

    // Brackets.
    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,

    // Punctuation.
    Comma,
    Semi,
    Colon,
    Dot,
    DotDot,
    Arrow,
    Subtype,
    Assign,

    // Operators.
    OrOr,
    AndAnd,
    EqEq,
    NotEq,
    Lt,
    Le,
    Gt,
    Ge,
    Or,
    And,
    Shl,
    Shr,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Not,
    Tilde,

    /// Text that is no token.
    Bad(Bad),
}

/// What is wrong with text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// A string runs into the end of its line or of the file.
    UnterminatedString,
    /// A backslash and something that is no escape.
    Escape,
    /// `\u{…}` that names no character.
    UnicodeEscape,
    /// A control character in a string.
    ControlInString,
    /// `1.` or `1.x`.
    DigitAfterPoint,
    /// `.5`.
    DigitBeforePoint,
    /// `1e` or `1e+`.
    Exponent,
    /// `0x`.
    NoDigits,
    /// An underscore that is not between two digits.
    Underscore,
    /// Letters or wrong digits in or right after a number.
    Suffix,
    /// A control character outside of strings and comments.
    Control,
    /// A character that begins no token.
    Char,
}

impl Kind {
    /// The keyword that this text is, if any.
    pub(crate) fn keyword(text: &str) -> Option<Kind> {
        Some(match text {
            "fn" => Kind::Fn,
            "struct" => Kind::Struct,
            "var" => Kind::Var,
            "if" => Kind::If,
            "else" => Kind::Else,
            "while" => Kind::While,
            "for" => Kind::For,
            "in" => Kind::In,
            "return" => Kind::Return,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "true" => Kind::True,
            "false" => Kind::False,
            "nothing" => Kind::Nothing,
            "where" => Kind::Where,
            _ => return None,
        })
    }

    /// The name of the generic function that an operator calls.
    pub(crate) fn operator(self) -> Option<&'static str> {
        Some(match self {
            Kind::EqEq => "==",
            Kind::NotEq => "!=",
            Kind::Lt => "<",
            Kind::Le => "<=",
            Kind::Gt => ">",
            Kind::Ge => ">=",
            Kind::Or => "|",
            Kind::And => "&",
            Kind::Shl => "<<",
            Kind::Shr => ">>",
            Kind::Plus => "+",
            Kind::Minus => "-",
            Kind::Star => "*",
            Kind::Slash => "/",
            Kind::Percent => "%",
            Kind::Not => "!",
            Kind::Tilde => "~",
            _ => return None,
        })
    }

    /// The operator with this name.
    pub(crate) fn from_operator(name: &str) -> Option<Kind> {
        Some(match name {
            "==" => Kind::EqEq,
            "!=" => Kind::NotEq,
            "<" => Kind::Lt,
            "<=" => Kind::Le,
            ">" => Kind::Gt,
            ">=" => Kind::Ge,
            "|" => Kind::Or,
            "&" => Kind::And,
            "<<" => Kind::Shl,
            ">>" => Kind::Shr,
            "+" => Kind::Plus,
            "-" => Kind::Minus,
            "*" => Kind::Star,
            "/" => Kind::Slash,
            "%" => Kind::Percent,
            "!" => Kind::Not,
            "~" => Kind::Tilde,
            _ => return None,
        })
    }

    /// How tightly a binary operator binds, from 1 (loosest).
    pub(crate) fn binary_level(self) -> Option<u8> {
        Some(match self {
            Kind::OrOr => level::OR,
            Kind::AndAnd => level::AND,
            Kind::EqEq | Kind::NotEq | Kind::Lt | Kind::Le | Kind::Gt | Kind::Ge => level::COMPARE,
            Kind::Or => level::BIT_OR,
            Kind::And => level::BIT_AND,
            Kind::Shl | Kind::Shr => level::SHIFT,
            Kind::Plus | Kind::Minus => level::ADD,
            Kind::Star | Kind::Slash | Kind::Percent => level::MUL,
            _ => return None,
        })
    }

    /// Whether it may stand before its only operand.
    pub(crate) fn is_unary(self) -> bool {
        matches!(self, Kind::Minus | Kind::Not | Kind::Tilde)
    }

    /// The bracket that closes this one.
    pub(crate) fn closer(self) -> Option<Kind> {
        Some(match self {
            Kind::LParen => Kind::RParen,
            Kind::LBracket => Kind::RBracket,
            Kind::LBrace => Kind::RBrace,
            _ => return None,
        })
    }
}

/// How tightly things bind; the parser and the printer agree by sharing these.
pub(crate) mod level {
    pub(crate) const LOOSEST: u8 = 0;
    pub(crate) const OR: u8 = 1;
    pub(crate) const AND: u8 = 2;
    pub(crate) const COMPARE: u8 = 3;
    pub(crate) const BIT_OR: u8 = 4;
    pub(crate) const BIT_AND: u8 = 5;
    pub(crate) const SHIFT: u8 = 6;
    pub(crate) const ADD: u8 = 7;
    pub(crate) const MUL: u8 = 8;
    pub(crate) const UNARY: u8 = 9;
    pub(crate) const POSTFIX: u8 = 10;
}

/// A token: its kind, its bytes, and what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) lo: u32,
    pub(crate) hi: u32,
    /// A line end stands between this token and the one before.
    pub(crate) begins_line: bool,
    /// Nothing stands between this token and the one before.
    pub(crate) touches: bool,
}
