//! Positions and rendering.

use expect_test::{Expect, expect};

use super::{Code, Diagnostic, MAX_TRACE, Place, Sources};
use crate::ast::Span;

/// A diagnostic at the first `needle` of a text, changed by `change` and rendered.
#[track_caller]
fn check(
    text: &str,
    needle: &str,
    change: impl Fn(Diagnostic, Place) -> Diagnostic,
    expected: Expect,
) {
    let mut sources = Sources::new();
    sources.add("other.wir", "1\n2\n3\n");
    let file = sources.add("t.wir", text);
    let lo = text.find(needle).expect("the place is in the text");
    let span = Span {
        lo: lo as u32,
        hi: (lo + needle.len()) as u32,
    };
    let d = Diagnostic::error(Code::TypeMismatch, "this is wrong").at(file, span);
    let d = change(d, Place { file, span });
    expected.assert_eq(&d.render(&sources));
}

#[test]
fn places() {
    let plain = |d, _| d;
    check(
        "x",
        "x",
        plain,
        expect![[r#"
        t.wir:1:1: error[type-mismatch]: this is wrong
          |
        1 | x
          | ^
    "#]],
    );
    check(
        "",
        "",
        plain,
        expect![[r#"
        t.wir:1:1: error[type-mismatch]: this is wrong
          |
        1 |
          | ^
    "#]],
    );
    check(
        "a\n\n",
        "\n\n",
        plain,
        expect![[r#"
        t.wir:1:2: error[type-mismatch]: this is wrong
          |
        1 | a
          |  ^
    "#]],
    );
    check(
        "a\r\nbb cc\r\n",
        "cc",
        plain,
        expect![[r#"
        t.wir:2:4: error[type-mismatch]: this is wrong
          |
        2 | bb cc
          |    ^^
    "#]],
    );
    check(
        "é\té x",
        "x",
        plain,
        expect![[r#"
        t.wir:1:5: error[type-mismatch]: this is wrong
          |
        1 | é    é x
          |        ^
    "#]],
    );
    check(
        "if a {\n  b\n}\n",
        "{\n  b\n}",
        plain,
        expect![[r#"
        t.wir:1:6: error[type-mismatch]: this is wrong
          |
        1 | if a {
          |      ^
    "#]],
    );
    check(
        &("a\n".repeat(11) + "x"),
        "x",
        plain,
        expect![[r#"
        t.wir:12:1: error[type-mismatch]: this is wrong
           |
        12 | x
           | ^
    "#]],
    );
    check(
        "\u{1b}[31m \u{202e} x",
        "x",
        plain,
        expect![[r#"
        t.wir:1:9: error[type-mismatch]: this is wrong
          |
        1 | ␛[31m � x
          |         ^
    "#]],
    );
}

#[test]
fn what_stands_below() {
    check(
        "fn f() { g() }",
        "g()",
        |d, place| {
            d.label(place.file, Span { lo: 3, hi: 4 }, "in this method")
                .note("a fact")
                .note("another fact")
                .hint("do something")
        },
        expect![[r#"
            t.wir:1:10: error[type-mismatch]: this is wrong
              |
            1 | fn f() { g() }
              |          ^^^
            t.wir:1:4: note: in this method
              |
            1 | fn f() { g() }
              |    ^
              = note: a fact
              = note: another fact
              = hint: do something
        "#]],
    );
}

#[test]
fn calls_that_led_here() {
    let with_calls = |calls: usize| {
        move |mut d: Diagnostic, place: Place| {
            for i in 0..calls {
                let place = (i % 2 == 0).then_some(place);
                d.called_from(format!("f{i}(Int64)"), place);
            }
            d
        }
    };
    check(
        "g()",
        "g",
        with_calls(3),
        expect![[r#"
        t.wir:1:1: error[type-mismatch]: this is wrong
          |
        1 | g()
          | ^
          called from f0(Int64) at t.wir:1:1
          called from f1(Int64)
          called from f2(Int64) at t.wir:1:1
    "#]],
    );
    let mut d = Diagnostic::error(Code::StackOverflow, "calls nest too deeply");
    for _ in 0..1000 {
        d.called_from("f(Int64)", None);
    }
    assert_eq!((d.trace.len(), d.trace_more), (MAX_TRACE, 980));
    let rendered = d.render(&Sources::new());
    assert!(
        rendered.ends_with("  called from f(Int64)\n  … 980 more\n"),
        "{rendered}"
    );
}

#[test]
fn no_place_and_warnings() {
    let d = Diagnostic::warning(Code::AmbiguousCall, "f(Int64) may be ambiguous");
    expect![[r#"
        warning[ambiguous-call]: f(Int64) may be ambiguous
    "#]]
    .assert_eq(&d.render(&Sources::new()));
}

#[test]
fn positions_past_the_end_are_the_end() {
    let mut sources = Sources::new();
    let file = sources.add("t.wir", "ab\né");
    let at = |offset| {
        let at = sources.line_col(file, offset);
        (at.line, at.col)
    };
    let all: Vec<_> = (0..7).map(at).collect();
    // The second byte of é is where é is.
    assert_eq!(
        all,
        [(1, 1), (1, 2), (1, 3), (2, 1), (2, 1), (2, 2), (2, 2)]
    );
}

#[test]
fn codes_are_read_back() {
    for code in Code::ALL {
        assert_eq!(code.as_str().parse(), Ok(*code));
    }
    assert_eq!("no-code".parse::<Code>(), Err(()));
}
