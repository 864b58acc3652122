//! Dispatch: which method a call means, `invoke`, `latest`, overlays, redefinition.

use super::{check, program, run, values};
use crate::diag::Sources;
use crate::env::resolve_sig;
use expect_test::expect;

#[test]
fn the_most_specific_method() {
    const G: &str = "abstract type A
        struct B <: A {}
        struct C <: A {}
        fn g(x) { \"any\" }
        fn g(x: Number) { \"number\" }
        fn g(x: Int64) { \"int\" }
        fn g(x: A) { \"a\" }
        fn g(x: B) { \"b\" }
        fn h(a: Integer, b) { 1 }
        fn h(a, b: Integer) { 2 }
        fn same(a: T, b: T) where T { true }
        fn same(a, b) { false }
        fn elem(xs: Array{T}, x: T) where T { true }
        fn elem(xs, x) { false }
        fn v(a: Int64) { 1 }
        fn v(a: Int64, xs: Vararg{Int64}) { 2 }
        fn u(x: Union{Int64, String}) { 1 }
        fn u(x) { 2 }";
    for (expression, expected) in [
        ("g(1)", "\"int\""),
        ("g(1.5)", "\"number\""),
        ("g(true)", "\"any\""),
        ("g(B())", "\"b\""),
        ("g(C())", "\"a\""),
        ("g(1, 2)", "no-matching-method"),
        ("h(1, 1.0)", "1"),
        ("h(1.0, 1)", "2"),
        ("h(1, 1)", "ambiguous-call"),
        ("h(1.0, 1.0)", "no-matching-method"),
        ("same(1, 2)", "true"),
        ("same(1, 2.0)", "false"),
        ("elem(array(Number, 1), 1)", "true"),
        ("elem(array(Int64, 1), 1.0)", "false"),
        ("v(1)", "1"),
        ("v(1, 2)", "2"),
        ("u(1)", "1"),
        ("u(\"a\")", "1"),
        ("u(1.0)", "2"),
    ] {
        values(G, expression, expected);
    }
}

#[test]
fn dispatch_is_on_run_time_types() {
    values(
        "abstract type S
         struct A <: S {}
         struct B <: S {}
         fn name(a: A) { \"a\" }
         fn name(b: B) { \"b\" }",
        "var xs = array(S, 2)\nxs[0] = A()\nxs[1] = B()\nprint(name(xs[0]), name(xs[1]))\nlength(xs)",
        "a b\n2",
    );
    values(
        "fn g(x: Int64) { 1 }\nfn g(x: Float64) { 2 }\nfn id(x) { x }",
        "var x = id(1)\nvar y = g(x)\nx = id(1.0)\n(y, g(x))",
        "(1, 2)",
    );
}

#[test]
fn new_types_get_operators() {
    const M: &str = "struct M <: Number { c: Int64 }
        fn +(a: M, b: M) { M(a.c + b.c) }
        fn <(a: M, b: M) { a.c < b.c }
        fn -(a: M) { M(-a.c) }
        fn *(a: M, k: Int64) { M(a.c * k) }
        struct P { a: Float64, b: Any }
        struct Q { x: Int64 }
        fn ==(a: Q, b: Q) { rem(a.x, 10) == rem(b.x, 10) }
        struct R { q: Q }
        struct W { x: Int64 }
        fn ==(a: W, b: W) { 1 }";
    for (expression, expected) in [
        ("M(1) + M(2)", "M(3)"),
        ("-M(1)", "M(-1)"),
        ("M(2) * 3", "M(6)"),
        ("M(2) * 3.0", "no-matching-method"),
        ("M(1) < M(2)", "true"),
        ("M(1) > M(2)", "false"),
        ("M(1) <= M(2)", "no-matching-method"),
        ("M(1) >= M(2)", "no-matching-method"),
        ("M(1) == M(1)", "true"),
        ("M(1) != M(1)", "false"),
        ("P(0.5, \"x\") == P(0.5, \"x\")", "true"),
        ("P(0.5, 1) == P(0.5, 1.0)", "true"),
        ("P(0.5, 1) == P(0.5, nothing)", "false"),
        ("P(0.0 / 0.0, 1) == P(0.0 / 0.0, 1)", "false"),
        ("P(-0.0, 1) == P(0.0, 1)", "true"),
        ("Q(1) == Q(11)", "true"),
        ("Q(1) != Q(11)", "false"),
        ("R(Q(1)) == R(Q(11))", "true"),
        ("W(1) == W(1)", "1"),
        ("W(1) != W(1)", "type-mismatch"),
        ("nothing == nothing", "true"),
        ("nothing == 1", "false"),
        ("\"a\" == \"a\"", "true"),
        ("\"a\" != \"b\"", "true"),
        ("\"a\" < \"b\"", "no-matching-method"),
        ("true == 1", "false"),
        ("array(Int64, 1) == array(Int64, 1)", "no-matching-method"),
    ] {
        values(M, expression, expected);
    }
}

#[test]
fn invoke_and_latest() {
    const G: &str = "fn g(x: Int64) { 1 }
        fn g(x: Integer) { 2 }
        fn g(x) { 3 }
        fn all(a, xs: Vararg{Any}) { length(xs) }";
    values(G, "invoke(g, (Integer,), 1)", "2");
    values(G, "invoke(g, (Any,), 1)", "3");
    values(G, "invoke(g, (Int64,), 1)", "1");
    values(G, "invoke(g, (Int8,), 1)", "no-matching-method");
    values(G, "invoke(g, (Union{Int64, Int8},), 1)", "2");
    values(G, "invoke(g, (String,), \"a\")", "3");
    values(G, "invoke(g, (), )", "no-matching-method");
    values(G, "invoke(all, (Any, Any, Int64), 1, 2, 3)", "2");
    values(
        "fn k(x: T, y) where T <: Number { invoke(g, (T,), y) }\nfn g(x: Number) { T2(x) }\nfn T2(x) { 9 }",
        "k(1.0, 2.0)",
        "9",
    );
    values(G, "latest(g, 1)", "1");
    values(G, "latest(g, 1, 2)", "no-matching-method");
}

#[test]
fn overlays() {
    let mut sources = Sources::new();
    let mut p = program(
        &mut sources,
        "fn g(x) { 1 }\nfn h(x) { g(x) }\nfn s(x) { sin(x) }",
    );
    p.add_table("gpu", None);
    p.add_table("fast", Some("gpu"));
    for (table, text) in [
        ("gpu", "fn g(x: Int64) { 2 }\nfn sin(x: Float64) { 7.0 }"),
        ("fast", "fn g(x: Any) { 3 }"),
    ] {
        let file = sources.add("overlay.wir", text);
        let items = crate::syntax::parse_file(&sources, file).file.items;
        p.define(Some(table), &items, file).expect("defines");
    }
    let mut out = String::new();
    for (view, call) in [
        (None, "h(1)"),
        (Some("gpu"), "h(1)"),
        (Some("gpu"), "h(1.0)"),
        (Some("fast"), "h(1)"),
        (Some("gpu"), "s(0.5)"),
        (Some("fast"), "s(0.5)"),
        (None, "s(0.0)"),
    ] {
        out += &format!("{view:?} {call} {}", run(&p, &sources, view, call));
    }
    expect![[r#"
        None h(1) => 1
        Some("gpu") h(1) => 2
        Some("gpu") h(1.0) => 1
        Some("fast") h(1) => 3
        Some("gpu") s(0.5) => 7.0
        Some("fast") s(0.5) => 7.0
        None s(0.0) => 0.0
    "#]]
    .assert_eq(&out);
}

/// Applies edits one after the other: a text defines, `-SIG {}` deletes; calls after each.
#[track_caller]
fn edits(steps: &[(&str, &str)], expected: expect_test::Expect) {
    let mut sources = Sources::new();
    let mut p = program(&mut sources, "");
    let mut out = String::new();
    for (text, call) in steps {
        let (delete, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, *text),
        };
        let file = sources.add("edit.wir", text);
        let items = crate::syntax::parse_file(&sources, file).file.items;
        if delete {
            let crate::ast::ItemKind::Method(def) = &items[0].kind else {
                panic!("a method")
            };
            let sig = resolve_sig(p.universe(), &p.types, def).expect("resolves");
            let done = p.delete(None, &def.name, &sig);
            out += if done { "" } else { "no-such-method\n" };
        } else if let Err(error) = p.define(None, &items, file) {
            out += &format!("{}: {}\n", error.code(), error.error.message);
        }
        out += &run(&p, &sources, None, call);
    }
    expected.assert_eq(&out);
}

#[test]
fn edits_replace_shadow_and_uncover() {
    edits(
        &[
            ("fn g(x) { 1 }", "g(5)"),
            ("fn g(x) { 2 }", "g(5)"),
            ("fn g(x: Int64) { 3 }", "g(5)"),
            ("-fn g(x: Int64) {}", "g(5)"),
            ("-fn g(x: Int64) {}", "g(5)"),
            ("-fn g(x) {}", "g(5)"),
        ],
        expect![[r#"
            => 1
            => 2
            => 3
            => 2
            no-such-method
            => 2
            error[no-matching-method]: no method matches g(Int64)
        "#]],
    );
}

#[test]
fn struct_redefinition() {
    edits(
        &[
            (
                "struct P { x: Int64 }\nfn get(p: P) { p.x }\nfn make() { P(1) }\nstruct Q { p: P }\nfn q() { Q(make()).p.x }",
                "get(make())",
            ),
            (
                "struct P { y: Int64, x: Int64 }\nfn make() { P(1, 2) }",
                "get(make())",
            ),
            ("fn other() { 1 }", "q()"),
            ("struct P { y: Int64 }", "make()"),
            ("fn make() { P(1) }", "get(make())"),
            ("struct P{T} { y: T }", "make()"),
            ("struct R { x: Nope }", "make()"),
        ],
        expect![[r#"
            => 1
            => 2
            => 2
            edit.wir:2:13: error[no-matching-method]: no method matches P(Int64, Int64)
              |
            2 | fn make() { P(1, 2) }
              |             ^^^^^^^
              called from make() at edit.wir:2:13
              = note: there is P(Int64)
            edit.wir:2:16: error[missing-field]: a value of type P has no field `x`
              |
            2 | fn get(p: P) { p.x }
              |                ^^^
              called from get(P) at edit.wir:2:16
              = note: its fields are `y`
            type-mismatch: `P` takes 1 type arguments, 0 were given
            => P(1)
            unknown-type: the type `Nope` is not defined
            => P(1)
        "#]],
    );
}

#[test]
fn functions_of_one_name_in_a_cycle() {
    check(
        "fn even(n: Int64) { if n == 0 { true } else { odd(n - 1) } }
         fn odd(n: Int64) { if n == 0 { false } else { even(n - 1) } }",
        "even(10)",
        expect![[r#"
            => true
        "#]],
    );
}
