//! Token by token.

use expect_test::{Expect, expect};

use crate::syntax::lexer::Lexer;
use crate::syntax::token::Kind;

/// Kinds and texts; `¶` before a token that begins a line, `‿` before one that touches the last.
#[track_caller]
fn check(text: &str, expected: Expect) {
    let mut lexer = Lexer::new(text);
    let mut out = Vec::new();
    loop {
        let tok = lexer.next();
        let mark = match (tok.begins_line, tok.touches) {
            (true, _) => "¶",
            (_, true) => "‿",
            _ => "",
        };
        let slice = text[tok.lo as usize..tok.hi as usize].replace('\0', "␀");
        match tok.kind {
            Kind::Eof => break,
            Kind::Bad(bad) => {
                let at = lexer.bad_span;
                out.push(format!("{mark}{bad:?}({slice} at {}..{})", at.lo, at.hi));
            }
            kind => out.push(format!("{mark}{kind:?}({slice})")),
        }
    }
    expected.assert_eq(&out.join(" "));
}

#[test]
fn words_and_keywords() {
    check(
        "fn f where_ été _x1 x’",
        expect!["‿Fn(fn) Ident(f) Ident(where_) Ident(été) Ident(_x1) Ident(x) ‿Char(’ at 23..26)"],
    );
    check(
        "abstract type inline kernel",
        expect!["‿Ident(abstract) Ident(type) Ident(inline) Ident(kernel)"],
    );
}

#[test]
fn spaces_lines_and_comments() {
    check(
        "a b\nc # d\n\n e\r\nf\tg#",
        expect!["‿Ident(a) Ident(b) ¶Ident(c) ¶Ident(e) ¶Ident(f) Ident(g)"],
    );
    check("\u{feff}a", expect!["‿Ident(a)"]);
}

#[test]
fn operators_take_the_longest() {
    check(
        "a<=b<<c<:d<e >= >>> -> - > != ! = == && & || | .. .",
        expect![
            "‿Ident(a) ‿Le(<=) ‿Ident(b) ‿Shl(<<) ‿Ident(c) ‿Subtype(<:) ‿Ident(d) ‿Lt(<) ‿Ident(e) Ge(>=) Shr(>>) ‿Gt(>) Arrow(->) Minus(-) Gt(>) NotEq(!=) Not(!) Assign(=) EqEq(==) AndAnd(&&) And(&) OrOr(||) Or(|) DotDot(..) Dot(.)"
        ],
    );
    check(
        "P{A}(x) p {",
        expect![
            "‿Ident(P) ‿LBrace({) ‿Ident(A) ‿RBrace(}) ‿LParen(() ‿Ident(x) ‿RParen()) Ident(p) LBrace({)"
        ],
    );
}

#[test]
fn numbers() {
    check(
        "0 1_000 0xff 0xDEAD_beef 0o17 0b1010 007",
        expect!["‿Int(0) Int(1_000) Int(0xff) Int(0xDEAD_beef) Int(0o17) Int(0b1010) Int(007)"],
    );
    check(
        "1.5 1e9 1E9 1e-9 1.5e+3 1_000.000_1 0..n 1.5..2",
        expect![
            "‿Float(1.5) Float(1e9) Float(1E9) Float(1e-9) Float(1.5e+3) Float(1_000.000_1) Int(0) ‿DotDot(..) ‿Ident(n) Float(1.5) ‿DotDot(..) ‿Int(2)"
        ],
    );
}

#[test]
fn wrong_numbers() {
    check(
        "1. 1.x .5 1.5.5",
        expect![
            "‿DigitAfterPoint(1. at 1..2) DigitAfterPoint(1.x at 4..5) DigitBeforePoint(.5 at 7..9) Float(1.5) ‿DigitBeforePoint(.5 at 13..15)"
        ],
    );
    check(
        "1e 1e+ 1ex 0x 0xg 0b12 12ab 1.5f0",
        expect![
            "‿Exponent(1e at 1..2) Exponent(1e+ at 4..6) Exponent(1ex at 8..10) NoDigits(0x at 11..13) Suffix(0xg at 16..17) Suffix(0b12 at 21..22) Suffix(12ab at 25..27) Suffix(1.5f0 at 31..33)"
        ],
    );
    check(
        "1__0 1_ 1_.5 1._5 1_e5 1e_5 0x_f 0xf_",
        expect![
            "‿Underscore(1__0 at 1..2) Underscore(1_ at 6..7) Underscore(1_.5 at 9..10) DigitAfterPoint(1._5 at 14..15) Underscore(1_e5 at 19..20) Exponent(1e_5 at 24..27) Underscore(0x_f at 30..31) Underscore(0xf_ at 36..37)"
        ],
    );
}

#[test]
fn strings() {
    check(
        r#""" "a b" "\n\t\"\\" "\u{e9}\u{10ffff}" "#,
        expect![[r#"‿Str("") Str("a b") Str("\n\t\"\\") Str("\u{e9}\u{10ffff}")"#]],
    );
    check(
        "\"a\tb\" \"# no comment\" \"é\"",
        expect![[r##"‿Str("a	b") Str("# no comment") Str("é")"##]],
    );
}

#[test]
fn wrong_strings() {
    check("\"abc", expect![[r#"‿UnterminatedString("abc at 0..4)"#]]);
    check(
        "\"abc\nx\"",
        expect![[r#"‿UnterminatedString("abc at 0..4) ¶Ident(x) ‿UnterminatedString(" at 6..7)"#]],
    );
    check(
        "\"abc\r\nx",
        expect![[r#"‿UnterminatedString("abc at 0..4) ¶Ident(x)"#]],
    );
    check(
        r#""a\qb" "\" "#,
        expect![[r#"‿Escape("a\qb" at 2..4) UnterminatedString("\"  at 7..11)"#]],
    );
    check(
        r#""\u{}" "\u{110000}" "\u{1234567}" "\u{d800}" "\u41" "\u{12" "#,
        expect![[
            r#"‿UnicodeEscape("\u{}" at 1..5) UnicodeEscape("\u{110000}" at 8..18) UnicodeEscape("\u{1234567}" at 21..32) UnicodeEscape("\u{d800}" at 35..43) UnicodeEscape("\u41" at 46..48) UnicodeEscape("\u{12" at 53..58)"#
        ]],
    );
    check(
        "\"a\0b\" \"\\é\"",
        expect![[r#"‿ControlInString("a␀b" at 2..3) Escape("\é" at 7..10)"#]],
    );
}

#[test]
fn what_is_no_token() {
    check(
        "a @ 'b' \0 ^ ≤ \u{a0} 😀",
        expect![
            "‿Ident(a) Char(@ at 2..3) Char(' at 4..5) ‿Ident(b) ‿Char(' at 6..7) Control(␀ at 8..9) Char(^ at 10..11) Char(≤ at 12..15) Char(  at 16..18) Char(😀 at 19..23)"
        ],
    );
}
