//! The trees of right programs, shown with every operation as a call.

use expect_test::{Expect, expect};

use super::items;
use crate::ast::*;
use crate::syntax::print_type_expr;

fn show(e: &Expr) -> String {
    let list = |es: &[Expr]| es.iter().map(show).collect::<Vec<_>>().join(" ");
    match &e.kind {
        ExprKind::Int(v) => v.to_string(),
        ExprKind::Float(v) => format!("{v:?}"),
        ExprKind::Bool(v) => v.to_string(),
        ExprKind::Str(s) => format!("{s:?}"),
        ExprKind::Nothing => "nothing".into(),
        ExprKind::Name(n) => n.to_string(),
        ExprKind::Call(call) => format!("({})", list(call.all())),
        ExprKind::New(new) => format!("(new {} {})", print_type_expr(&new.ty), list(&new.args)),
        ExprKind::Type(t) => format!("<{}>", print_type_expr(t)),
        ExprKind::Tuple(es) => format!("(tuple {})", list(es)),
        ExprKind::Field(field) => format!("(. {} {})", show(&field.0), field.1),
        ExprKind::Index(both) => format!("([] {})", pair(both)),
        ExprKind::And(both) => format!("(&& {})", pair(both)),
        ExprKind::Or(both) => format!("(|| {})", pair(both)),
        ExprKind::If(parts) => {
            let blocks = std::iter::once(&parts.then).chain(&parts.otherwise);
            let blocks: Vec<_> = blocks.map(show_block).collect();
            format!("(if {} {})", show(&parts.cond), blocks.join(" "))
        }
    }
}

fn pair((a, b): &(Expr, Expr)) -> String {
    format!("{} {}", show(a), show(b))
}

fn show_block(b: &Block) -> String {
    let stmts: Vec<_> = b.stmts.iter().map(show_stmt).collect();
    format!("{{{}}}", stmts.join("; "))
}

fn show_stmt(s: &Stmt) -> String {
    match &s.kind {
        StmtKind::Var(n, e) => format!("var {n} {}", show(e)),
        StmtKind::Tune(n, choices) => format!("tune {n} {choices:?}"),
        StmtKind::Assign(n, e) => format!("set {n} {}", show(e)),
        StmtKind::AssignIndex(to, e) => format!("set[] {} {}", pair(to), show(e)),
        StmtKind::Expr(e) => show(e),
        StmtKind::While(c, b) => format!("while {} {}", show(c), show_block(b)),
        StmtKind::For(n, bounds, body) => {
            format!("for {n} {} {}", pair(bounds), show_block(body))
        }
        StmtKind::Return(None) => "return".into(),
        StmtKind::Return(Some(e)) => format!("return {}", show(e)),
        StmtKind::Break => "break".into(),
        StmtKind::Continue => "continue".into(),
    }
}

/// The statements of a body.
#[track_caller]
fn check(body: &str, expected: Expect) {
    let items = items(&format!("fn f() {{ while true {{ {body}\n}} }}"));
    let ItemKind::Method(def) = &items[0] else {
        panic!("a method was written");
    };
    let StmtKind::While(_, body) = &def.body.stmts[0].kind else {
        panic!("a loop was written");
    };
    let stmts: Vec<_> = body.stmts.iter().map(show_stmt).collect();
    expected.assert_eq(&stmts.join("; "));
}

#[test]
fn precedence() {
    check(
        "a || b && c == d | e & f << g + h * -i.x",
        expect!["(|| a (&& b (== c (| d (& e (<< f (+ g (* h (- (. i x))))))))))"],
    );
    check(
        "-a.b * c + d >> e & f | g < h && i || j",
        expect!["(|| (&& (< (| (& (>> (+ (* (- (. a b)) c) d) e) f) g) h) i) j)"],
    );
    check(
        "a - b - c; a / b * c % d; a << b >> c; a && b && c",
        expect!["(- (- a b) c); (% (* (/ a b) c) d); (>> (<< a b) c); (&& (&& a b) c)"],
    );
    check(
        "!a == b; ~a + b; -a[0]; -f(x); !!a; - -a",
        expect!["(== (! a) b); (+ (~ a) b); (- ([] a 0)); (- (f x)); (! (! a)); (- (- a))"],
    );
    check(
        "(a + b) * c; a - (b - c); (a == b) == c",
        expect!["(* (+ a b) c); (- a (- b c)); (== (== a b) c)"],
    );
}

#[test]
fn numbers() {
    check(
        "42; 1_000; 0xff; 0o17; 0b101; 1e-9; 1.5e300; 007",
        expect!["42; 1000; 255; 15; 5; 1e-9; 1.5e300; 7"],
    );
    check(
        "-5; - 5; -1.5; -0.0; -9223372036854775808; -0x8000000000000000",
        expect!["-5; -5; -1.5; -0.0; -9223372036854775808; -9223372036854775808"],
    );
    check(
        "-5[0]; -5(x); -(5); a-5; a -5; a - -5; --5; (-5)[0]",
        expect!["(- ([] 5 0)); (- (5 x)); (- 5); (- a 5); (- a 5); (- a -5); (- -5); ([] -5 0)"],
    );
}

#[test]
fn literals() {
    check(
        r#"true; false; nothing; ""; "a\n\t\"\\\u{e9}é""#,
        expect![[r#"true; false; nothing; ""; "a\n\t\"\\éé""#]],
    );
}

#[test]
fn calls_and_types() {
    check(
        "f(); f(a, b,); f (a); f(a)(b)[c].d(e)",
        expect!["(f); (f a b); (f a); ((. ([] ((f a) b) c) d) e)"],
    );
    check(
        "P{A, Union{B, C}, 3, -1}(1); array(P{A}, n); f(typeof)",
        expect!["(new P{A, Union{B, C}, 3, -1} 1); (array <P{A}> n); (f typeof)"],
    );
    check(
        "xs[i][j]; xs [i]; t[0].x",
        expect!["([] ([] xs i) j); ([] xs i); (. ([] t 0) x)"],
    );
    check("P{\n A,\n B\n}(\n1,\n2)", expect!["(new P{A, B} 1 2)"]);
}

#[test]
fn tuples_and_operators_as_values() {
    check(
        "(); (a); (a,); (a, b); (a, b,)",
        expect!["(tuple ); a; (tuple a); (tuple a b); (tuple a b)"],
    );
    check(
        "fold((+), xs); (-)(a, b); (-)(5); (!)",
        expect!["(fold + xs); (- a b); (- 5); !"],
    );
    check(
        "invoke(f, (Integer,), x)",
        expect!["(invoke f (tuple Integer) x)"],
    );
}

#[test]
fn lines() {
    check("a\n-b\n(c)\n!d", expect!["a; (- b); c; (! d)"]);
}

#[test]
fn lines_continue() {
    check("a +\n b *\n\n # comment\n c", expect!["(+ a (* b c))"]);
    check("(a\n + b\n)", expect!["(+ a b)"]);
    check("f(a,\n b\n , c\n)", expect!["(f a b c)"]);
    check("xs[\n i\n + 1 ]", expect!["([] xs (+ i 1))"]);
    check("(a\n .x)", expect!["(. a x)"]);
    check("var x =\n 1", expect!["var x 1"]);
    // A block's braces end what the bracket around them allows.
    check(
        "f(if a {\n b\n -c } else { d })",
        expect!["(f (if a {b; (- c)} {d}))"],
    );
    check(
        "(a && if b\n && c { d\n } else { e })",
        expect!["(&& a (if (&& b c) {d} {e}))"],
    );
}

#[test]
fn statements() {
    check(
        "var x = 1; x = x + 1; xs[0] = 2; f(x)[1][2] = 3",
        expect!["var x 1; set x (+ x 1); set[] xs 0 2; set[] ([] (f x) 1) 2 3"],
    );
    check(
        "return; return a\nreturn\nb",
        expect!["return; return a; return; b"],
    );
    check("break; continue; ;;; a", expect!["break; continue; a"]);
    check(
        "while a { b }\nfor i in 0..n { c }\nfor i in a + 1..b * 2 { }",
        expect!["while a {b}; for i 0 n {c}; for i (+ a 1) (* b 2) {}"],
    );
    check("while true {break}", expect!["while true {break}"]);
}

#[test]
fn statements_that_end_at_their_brace() {
    check("if a { b } -c", expect!["(if a {b}); (- c)"]);
    check(
        "if a { b } (c)\nwhile a { } b",
        expect!["(if a {b}); c; while a {}; b"],
    );
    check(
        "var x = if a { 1 } else { 2 } + 3; return if a { 1 } else { 2 } * 2",
        expect!["var x (+ (if a {1} {2}) 3); return (* (if a {1} {2}) 2)"],
    );
    check(
        "(if a { 1 } else { 2 }) + 3",
        expect!["(+ (if a {1} {2}) 3)"],
    );
}

#[test]
fn if_and_else() {
    check(
        "if a { 1 } else if b { 2 } else if c { 3 }",
        expect!["(if a {1} {(if b {2} {(if c {3})})})"],
    );
    check(
        "if a { 1 }\nelse if b { 2 }\n\n# so\nelse { 3 }",
        expect!["(if a {1} {(if b {2} {3})})"],
    );
    check("if a\n{ 1 }\nelse\n{ 2 }", expect!["(if a {1} {2})"]);
    check(
        "if a < n {x}; if a < f(P{A}) {x}; if P{A}(1) == b {x}",
        expect!["(if (< a n) {x}); (if (< a (f <P{A}>)) {x}); (if (== (new P{A} 1) b) {x})"],
    );
    check(
        "if (if a { b } else { c }) { d }; if if a { b } else { c } { d }",
        expect!["(if (if a {b} {c}) {d}); (if (if a {b} {c}) {d})"],
    );
}

/// The text of every node of the only item, in pre-order.
#[track_caller]
fn check_spans(text: &str, expected: Expect) {
    let (_, parsed) = super::parse(text);
    let item = &parsed.file.items[0];
    let spans = item.spans.iter();
    let texts: Vec<_> = spans
        .map(|span| &text[span.lo as usize..span.hi as usize])
        .collect();
    expected.assert_eq(&texts.join("\n"));
}

#[test]
fn spans() {
    check_spans(
        "fn f(x: P{T}, y) -> T where T <: A { var z = -(x + 1) * g(y)[0] }",
        expect![[r#"
            f
            x
            P{T}
            T
            y
            T
            A
            T
            { var z = -(x + 1) * g(y)[0] }
            var z = -(x + 1) * g(y)[0]
            -(x + 1) * g(y)[0]
            *
            -(x + 1)
            -
            x + 1
            +
            x
            1
            g(y)[0]
            g(y)
            g
            y
            0"#]],
    );
    check_spans(
        "struct P{T <: A} <: B { x: T }",
        expect![[r#"
        P
        T
        A
        B
        x
        T"#]],
    );
    check_spans(
        "fn f() { if a { 1 } else if b { 2 } }",
        expect![[r#"
        f
        { if a { 1 } else if b { 2 } }
        if a { 1 } else if b { 2 }
        if a { 1 } else if b { 2 }
        a
        { 1 }
        1
        1
        if b { 2 }
        if b { 2 }
        if b { 2 }
        b
        { 2 }
        2
        2"#]],
    );
    check_spans(
        "fn f() { xs[1] = (a, -5); return }",
        expect![[r#"
        f
        { xs[1] = (a, -5); return }
        xs[1] = (a, -5)
        xs
        1
        (a, -5)
        a
        -5
        return"#]],
    );
}

#[test]
fn input_kinds() {
    use crate::syntax::{Input, input_kind};
    for (text, kind) in [
        ("", Input::Empty),
        (" # x\n", Input::Empty),
        ("fn f(", Input::Incomplete),
        ("f(1,\n2", Input::Incomplete),
        ("f(1) +", Input::Incomplete),
        ("fn f(x) where", Input::Incomplete),
        ("struct S { }", Input::Definitions),
        ("abstract type A", Input::Definitions),
        ("inline kernel fn f() { }", Input::Definitions),
        ("inline(1)", Input::Call),
        ("f())", Input::Call),
        ("\"abc", Input::Call),
    ] {
        assert_eq!(input_kind(text), kind, "{text}");
    }
}
