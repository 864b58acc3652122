//! What wrong programs are told, rendered: recovery, lines, brackets, texts outside of files.

use expect_test::{Expect, expect};

use super::parse;
use crate::ast::ItemKind;
use crate::diag::Sources;
use crate::syntax::{parse_call, parse_file, parse_sig};

/// The rendered errors, then the names of the definitions that survived.
#[track_caller]
pub(super) fn check(text: &str, expected: Expect) {
    let (sources, parsed) = parse(text);
    let mut out: String = parsed
        .diagnostics
        .iter()
        .map(|d| d.render(&sources))
        .collect();
    let names: Vec<&str> = parsed
        .file
        .items
        .iter()
        .map(|item| match &item.kind {
            ItemKind::Abstract(def) => &*def.name,
            ItemKind::Struct(def) => &*def.name,
            ItemKind::Method(def) => &*def.name,
        })
        .collect();
    if !names.is_empty() {
        out.push_str(&format!("defined: {}\n", names.join(" ")));
    }
    expected.assert_eq(&out);
}

#[test]
fn nothing_is_no_error() {
    check("", expect![]);
    check("\n # only a comment", expect![]);
}

#[test]
fn several_errors_in_one_go() {
    check(
        "fn f(x) { x + }\nfn g() { 1 }\nfn h( { 2 }\nstruct S { a: }\nfn i() {\n  var = 3\n  f(1 2)\n  3\n}\nfn j() { 4 }\n",
        expect![[r#"
            t.wir:1:15: error[syntax]: expected an expression, found `}`
              |
            1 | fn f(x) { x + }
              |               ^
            t.wir:3:7: error[syntax]: expected the name of a parameter, found `{`
              |
            3 | fn h( { 2 }
              |       ^
            t.wir:4:15: error[syntax]: expected a type, found `}`
              |
            4 | struct S { a: }
              |               ^
            t.wir:6:7: error[syntax]: expected the name of a variable, found `=`
              |
            6 |   var = 3
              |       ^
              = hint: `=` assigns in a statement of its own; `==` compares
            t.wir:7:7: error[syntax]: expected `,` or `)` of the call, found `2`
              |
            7 |   f(1 2)
              |       ^
            t.wir:7:4: note: opened here
              |
            7 |   f(1 2)
              |    ^
            defined: g j
        "#]],
    );
}

#[test]
fn touching_braces() {
    check(
        "fn f(a, n) {\n  if a < n{ a = 1 }\n  a\n}\n",
        expect![[r#"
        t.wir:2:11: error[syntax]: `{` touches `n`, so it begins type arguments
          |
        2 |   if a < n{ a = 1 }
          |           ^
          = hint: add a space before the brace of the block: `n {`
    "#]],
    );
    check(
        "fn f(n) { while n{ n = g(n) } }",
        expect![[r#"
        t.wir:1:18: error[syntax]: `{` touches `n`, so it begins type arguments
          |
        1 | fn f(n) { while n{ n = g(n) } }
          |                  ^
          = hint: add a space before the brace of the block: `n {`
    "#]],
    );
    check(
        "fn f(n) { for i in 0..n{ g(i) } }",
        expect![[r#"
        t.wir:1:24: error[syntax]: `{` touches `n`, so it begins type arguments
          |
        1 | fn f(n) { for i in 0..n{ g(i) } }
          |                        ^
          = hint: add a space before the brace of the block: `n {`
    "#]],
    );
    check(
        "fn f(n) { if n.x{ 1 } else if n{ 2 } }",
        expect![[r#"
        t.wir:1:17: error[syntax]: `{` touches `x`, so it begins type arguments
          |
        1 | fn f(n) { if n.x{ 1 } else if n{ 2 } }
          |                 ^
          = hint: add a space before the brace of the block: `x {`
        t.wir:1:32: error[syntax]: `{` touches `n`, so it begins type arguments
          |
        1 | fn f(n) { if n.x{ 1 } else if n{ 2 } }
          |                                ^
          = hint: add a space before the brace of the block: `n {`
    "#]],
    );
    check(
        "fn f(n) -> Int64{ 1 }",
        expect![[r#"
        t.wir:1:17: error[syntax]: `{` touches `Int64`, so it begins type arguments
          |
        1 | fn f(n) -> Int64{ 1 }
          |                 ^
          = hint: add a space before the brace of the block: `Int64 {`
    "#]],
    );
    check(
        "fn f(n) where T <: Number{ 1 }",
        expect![[r#"
        t.wir:1:26: error[syntax]: `{` touches `Number`, so it begins type arguments
          |
        1 | fn f(n) where T <: Number{ 1 }
          |                          ^
          = hint: add a space before the brace of the block: `Number {`
    "#]],
    );
    check(
        "struct P{ x: Int64 }\nstruct Q{}\nstruct R <: A{ }",
        expect![[r#"
        t.wir:1:9: error[syntax]: `{` touches `P`, so it begins type parameters
          |
        1 | struct P{ x: Int64 }
          |         ^
          = hint: add a space before the brace of the fields: `P {`
        t.wir:2:9: error[syntax]: `{` touches `Q`, so it begins type parameters
          |
        2 | struct Q{}
          |         ^
          = hint: add a space before the brace of the fields: `Q {`
        t.wir:3:14: error[syntax]: `{` touches `A`, so it begins type arguments
          |
        3 | struct R <: A{ }
          |              ^
          = hint: add a space before the brace of the block: `A {`
    "#]],
    );
}

#[test]
fn braces_that_should_touch() {
    check(
        "fn f(xs: Array {Int64}) { P {Int64}(1) }\nfn g() { P {Int64}(1) }",
        expect![[r#"
            t.wir:1:16: error[syntax]: expected `,` or `)` of the parameters, found `{`
              |
            1 | fn f(xs: Array {Int64}) { P {Int64}(1) }
              |                ^
            t.wir:1:5: note: opened here
              |
            1 | fn f(xs: Array {Int64}) { P {Int64}(1) }
              |     ^
              = hint: the `{` of type arguments touches the name: `Array{Int64}`
            t.wir:2:12: error[syntax]: expected the end of the statement, found `{`
              |
            2 | fn g() { P {Int64}(1) }
              |            ^
              = hint: the `{` of type arguments touches the name: `Array{Int64}`
        "#]],
    );
}

#[test]
fn comparisons_do_not_chain() {
    check(
        "fn f(a) { a < 2 < 3 }",
        expect![[r#"
        t.wir:1:17: error[syntax]: comparisons do not chain
          |
        1 | fn f(a) { a < 2 < 3 }
          |                 ^
          = hint: write `a < b && b < c`, or parenthesize one comparison
    "#]],
    );
    check(
        "fn f(a) { a == 2 + 1 != 3 && a }",
        expect![[r#"
        t.wir:1:22: error[syntax]: comparisons do not chain
          |
        1 | fn f(a) { a == 2 + 1 != 3 && a }
          |                      ^^
          = hint: write `a < b && b < c`, or parenthesize one comparison
    "#]],
    );
}

#[test]
fn ranges_stand_only_in_for() {
    check(
        "fn f(n) { var x = 0..n }",
        expect![[r#"
        t.wir:1:20: error[syntax]: expected the end of the statement, found `..`
          |
        1 | fn f(n) { var x = 0..n }
          |                    ^^
          = hint: a range `a..b` stands only in `for i in a..b`
    "#]],
    );
    check(
        "fn f(n) { for i in n { } }",
        expect![[r#"
        t.wir:1:22: error[syntax]: expected `..`, found `{`
          |
        1 | fn f(n) { for i in n { } }
          |                      ^
          = hint: a loop reads `for i in a..b { … }`
    "#]],
    );
    check(
        "fn f(n) { for i in (0..n) { } }",
        expect![[r#"
            t.wir:1:22: error[syntax]: expected `,` or `)`, found `..`
              |
            1 | fn f(n) { for i in (0..n) { } }
              |                      ^^
            t.wir:1:20: note: opened here
              |
            1 | fn f(n) { for i in (0..n) { } }
              |                    ^
              = hint: a range `a..b` stands only in `for i in a..b`
        "#]],
    );
}

#[test]
fn lines() {
    check(
        "fn f(a, b) {\n  a\n  + b\n}",
        expect![[r#"
            t.wir:3:3: error[syntax]: expected an expression, found `+`
              |
            3 |   + b
              |   ^
              = hint: a line that goes on in the next one ends with the operator
        "#]],
    );
    check(
        "fn f(a, b) { a b }",
        expect![[r#"
        t.wir:1:16: error[syntax]: expected the end of the statement, found `b`
          |
        1 | fn f(a, b) { a b }
          |                ^
          = hint: statements stand on lines of their own or have `;` between
    "#]],
    );
    check(
        "fn f(a, b) { g\n [1] }",
        expect![[r#"
            t.wir:2:2: error[syntax]: expected an expression, found `[`
              |
            2 |  [1] }
              |  ^
              = hint: a field, an index or a call stands on the line of what it applies to
        "#]],
    );
    check(
        "fn f(a, b) { (g\n (1)) }",
        expect![[r#"
            t.wir:2:2: error[syntax]: expected `,` or `)`, found `(`
              |
            2 |  (1)) }
              |  ^
            t.wir:1:14: note: opened here
              |
            1 | fn f(a, b) { (g
              |              ^
        "#]],
    );
    check(
        "fn f(a, b) { a\n .x }",
        expect![[r#"
            t.wir:2:2: error[syntax]: expected an expression, found `.`
              |
            2 |  .x }
              |  ^
              = hint: a field, an index or a call stands on the line of what it applies to
        "#]],
    );
    check(
        "fn f(a, b) { return a b }",
        expect![[r#"
        t.wir:1:23: error[syntax]: expected the end of the statement, found `b`
          |
        1 | fn f(a, b) { return a b }
          |                       ^
          = hint: statements stand on lines of their own or have `;` between
    "#]],
    );
    check(
        "abstract type A abstract type B",
        expect![[r#"
        t.wir:1:17: error[syntax]: expected the end of the line, found `abstract`
          |
        1 | abstract type A abstract type B
          |                 ^^^^^^^^
          = hint: an abstract type has no fields; a definition ends with its line or `;`
    "#]],
    );
    check(
        "abstract type A { }",
        expect![[r#"
        t.wir:1:17: error[syntax]: expected the end of the line, found `{`
          |
        1 | abstract type A { }
          |                 ^
          = hint: an abstract type has no fields; a definition ends with its line or `;`
    "#]],
    );
}

#[test]
fn brackets() {
    check(
        "fn f() { g(1, (2, 3 }\nfn h() { }",
        expect![[r#"
            t.wir:1:21: error[syntax]: expected `,` or `)`, found `}`
              |
            1 | fn f() { g(1, (2, 3 }
              |                     ^
            t.wir:1:15: note: opened here
              |
            1 | fn f() { g(1, (2, 3 }
              |               ^
            defined: h
        "#]],
    );
    check(
        "fn f() {\n  while true {\n    g(\n  }\n}\nfn h() { }",
        expect![[r#"
        t.wir:4:3: error[syntax]: expected an expression, found `}`
          |
        4 |   }
          |   ^
        defined: h
    "#]],
    );
    check(
        "fn f() {\n  if a { 1\n\nfn h() { }",
        expect![[r#"
            t.wir:4:1: error[syntax]: this block is not closed before the next definition
              |
            4 | fn h() { }
              | ^^
            t.wir:2:8: note: opened here
              |
            2 |   if a { 1
              |        ^
              = hint: add the missing `}`
            defined: h
        "#]],
    );
    check(
        "fn f() { 1 }\n}\nfn h() { }",
        expect![[r#"
            t.wir:2:1: error[syntax]: expected `fn`, `struct` or `abstract type`, found `}`
              |
            2 | }
              | ^
              = hint: no block is open here
            defined: f h
        "#]],
    );
    check(
        "fn f() { g(1]) }",
        expect![[r#"
            t.wir:1:13: error[syntax]: expected `,` or `)` of the call, found `]`
              |
            1 | fn f() { g(1]) }
              |             ^
            t.wir:1:11: note: opened here
              |
            1 | fn f() { g(1]) }
              |           ^
        "#]],
    );
    check(
        "fn f() {",
        expect![[r#"
            t.wir:1:9: error[syntax]: expected `}` of the block, found the end of the file
              |
            1 | fn f() {
              |         ^
            t.wir:1:8: note: opened here
              |
            1 | fn f() {
              |        ^
        "#]],
    );
    check(
        "fn f(a,\n  b c,\n  d) { }\nfn h() { g(1,\n 2 3,\n 4)\n 5 6 }",
        expect![[r#"
            t.wir:2:5: error[syntax]: expected `,` or `)` of the parameters, found `c`
              |
            2 |   b c,
              |     ^
            t.wir:1:5: note: opened here
              |
            1 | fn f(a,
              |     ^
            t.wir:5:4: error[syntax]: expected `,` or `)` of the call, found `3`
              |
            5 |  2 3,
              |    ^
            t.wir:4:11: note: opened here
              |
            4 | fn h() { g(1,
              |           ^
            t.wir:7:4: error[syntax]: expected the end of the statement, found `6`
              |
            7 |  5 6 }
              |    ^
              = hint: statements stand on lines of their own or have `;` between
        "#]],
    );
}

#[test]
fn invalid_utf8() {
    let mut sources = Sources::new();
    let file = sources.add_bytes("t.wir", b"fn f() {\n  \"\xc3\xa9 \xff\" }\n".to_vec());
    let parsed = parse_file(&sources, file);
    let rendered: String = parsed
        .diagnostics
        .iter()
        .map(|d| d.render(&sources))
        .collect();
    expect![[r#"
        t.wir:2:6: error[invalid-utf8]: the file is not valid UTF-8 from here on
          |
        2 |   "é �" }
          |      ^
          = hint: save it as UTF-8
    "#]]
    .assert_eq(&rendered);
}

#[test]
fn long_lines_are_cut() {
    let spaces = " ".repeat(1000);
    check(
        &format!("fn f() {{{spaces}x y{spaces}z }}"),
        expect![[r#"
        t.wir:1:1011: error[syntax]: expected the end of the statement, found `y`
          |
        1 | …                                                          x y                                                           …
          |                                                              ^
          = hint: statements stand on lines of their own or have `;` between
    "#]],
    );
    check(
        &format!("fn f() {{ x y{spaces}}}"),
        expect![[r#"
        t.wir:1:12: error[syntax]: expected the end of the statement, found `y`
          |
        1 | fn f() { x y                                                                                                            …
          |            ^
          = hint: statements stand on lines of their own or have `;` between
    "#]],
    );
}

/// The error of a text outside of files.
#[track_caller]
fn check_lone<T: std::fmt::Debug>(result: Result<T, crate::syntax::TextError>, expected: Expect) {
    expected.assert_eq(&result.expect_err("the text is wrong").to_string());
}

#[test]
fn lone_texts() {
    check_lone(
        parse_sig("f"),
        expect![[r#"
        <signature>:1:2: error[syntax]: expected `(` and the parameter types, found the end of the file
          |
        1 | f
          |  ^"#]],
    );
    check_lone(
        parse_sig("f(Int64) where"),
        expect![[r#"
        <signature>:1:15: error[syntax]: expected a type variable, found the end of the file
          |
        1 | f(Int64) where
          |               ^"#]],
    );
    check_lone(
        parse_sig("f(Int64) x"),
        expect![[r#"
        <signature>:1:10: error[syntax]: expected the end, found `x`
          |
        1 | f(Int64) x
          |          ^"#]],
    );
    check_lone(
        parse_call("f(1"),
        expect![[r#"
            <call>:1:4: error[syntax]: expected `,` or `)` of the call, found the end of the file
              |
            1 | f(1
              |    ^
            <call>:1:2: note: opened here
              |
            1 | f(1
              |  ^"#]],
    );
    check_lone(
        parse_call("12"),
        expect![[r#"
        <call>:1:1: error[syntax]: this is not a call
          |
        1 | 12
          | ^^
          = hint: write for example `f(20, "a")`"#]],
    );
    check_lone(
        parse_call(""),
        expect![[r#"
        <call>:1:1: error[syntax]: expected an expression, found the end of the file
          |
        1 |
          | ^"#]],
    );
}
