//! Sessions end to end: text to worlds to values, and which stages ran.

use expect_test::{Expect, expect};
use std::fmt::Write;
use std::sync::Arc;
use worldage::engine::{CallDemandError, ShardId};
use worldage::{CallOptions, Linking, Session, SessionOptions, Value, World};

/// Runs definitions (blocks of text) and calls (`> f(1)`), and prints what they did.
#[track_caller]
fn check(script: &str, expected: Expect) {
    // A small stack: how deep an endless recursion gets is the machine's affair, not the test's.
    let options = SessionOptions {
        stack_bytes: 1 << 20,
        ..SessionOptions::default()
    };
    let session = Session::new(options).expect("a host");
    let mut out = String::new();
    let mut text = String::new();
    for line in script.lines().map(str::trim_end) {
        match line.trim_start().strip_prefix("> ") {
            Some(call) => {
                define(&session, &mut text, &mut out);
                let report = session.call(call, &CallOptions::default());
                for (stage, names) in &report.stages {
                    let _ = writeln!(out, "{stage:<8} {}", names.join(" "));
                }
                out.push_str(&report.printed);
                match &report.result {
                    Ok(_) => writeln!(out, "=> {}", report.shown(&session)),
                    Err(failure) => writeln!(out, "{}", without_depth(&failure.log_lines)),
                }
                .expect("a string");
            }
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    define(&session, &mut text, &mut out);
    expected.assert_eq(&out);
}

/// The lines of a failure; the number of calls that were left out becomes `N`.
fn without_depth(lines: &[String]) -> String {
    let shown = lines.iter().map(|line| {
        let left_out = line
            .strip_prefix("  … ")
            .and_then(|rest| rest.strip_suffix(" more"));
        match left_out.map(str::parse::<u64>) {
            Some(Ok(1000..)) => "  … N more",
            _ => line,
        }
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn define(session: &Session, text: &mut String, out: &mut String) {
    if text.trim().is_empty() {
        text.clear();
        return;
    }
    match session.define("test.wir", text, None) {
        Ok(report) => {
            let _ = writeln!(
                out,
                "world {}\n  {}",
                report.world,
                report.lines.join("\n  ")
            );
        }
        Err(failure) => {
            let _ = writeln!(out, "{}", failure.log_line());
        }
    }
    text.clear();
}

#[test]
fn an_edit_recompiles_what_depends_on_it() {
    check(
        "
        noinline fn g(x: Int64) { x + 1 }
        noinline fn f(x: Int64) { g(x) * 2 }
        > f(20)
        > f(20)
        noinline fn g(x: Int64) { x + 2 }
        > f(20)
        noinline fn g(x: Int64) { float(x) }
        > f(20)
        ",
        expect![[r#"
            world 1
              + f(Int64)
              + g(Int64)
            infer    f(Int64) g(Int64)
            codegen  f(Int64) g(Int64)
            link     f(Int64) g(Int64)
            => 42
            => 42
            world 2
              ~ g(Int64)
            infer    g(Int64)
            codegen  g(Int64)
            link     f(Int64) g(Int64)
            => 44
            world 3
              ~ g(Int64)
            infer    f(Int64) g(Int64)
            codegen  f(Int64) g(Int64)
            link     f(Int64) g(Int64)
            => 40.0
        "#]],
    );
}

#[test]
fn loops_arrays_and_structs() {
    check(
        r#"
        struct P { x: Float64, y: Float64 }
        noinline fn +(a: P, b: P) { P(a.x + b.x, a.y + b.y) }
        fn sum(n: Int64) {
            var xs = array(P, n)
            for i in 0..n { xs[i] = P(float(i), 0.5) }
            var total = P(0.0, 0.0)
            for i in 0..n { total = total + xs[i] }
            print("total", total)
            total
        }
        noinline fn fib(n: Int64) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
        > sum(10)
        > fib(20)
        "#,
        expect![[r#"
            world 1
              + +(P, P)
              + fib(Int64)
              + struct P
              + sum(Int64)
            infer    +(P, P) sum(Int64)
            codegen  +(P, P) sum(Int64)
            link     +(P, P) sum(Int64)
            total P(45.0, 5.0)
            => P(45.0, 5.0)
            infer    fib(Int64)
            codegen  fib(Int64)
            link     fib(Int64)
            => 6765
        "#]],
    );
}

#[test]
fn dispatch_at_run_time() {
    check(
        r#"
        abstract type Shape
        struct Circle <: Shape { r: Float64 }
        struct Square <: Shape { s: Float64 }
        noinline fn area(c: Circle) { 3.0 * c.r * c.r }
        noinline fn area(s: Square) { s.s * s.s }
        fn total() {
            var xs = array(Shape, 2)
            xs[0] = Circle(2.0)
            xs[1] = Square(3.0)
            area(xs[0]) + area(xs[1])
        }
        > total()
        "#,
        expect![[r#"
            world 1
              + abstract type Shape
              + area(Circle)
              + area(Square)
              + struct Circle
              + struct Square
              + total()
            infer    area(Circle) area(Square) total()
            codegen  area(Circle) area(Square) total()
            link     area(Circle) area(Square) total()
            => 21.0
        "#]],
    );
}

#[test]
fn errors_carry_the_calls_that_led_there() {
    check(
        r#"
        noinline fn g(x: Int64) { h(x) }
        fn f(x: Int64) { g(x) + 1 }
        > f(1)
        noinline fn at(n: Int64) { var xs = array(Int64, n); xs[n] }
        > at(3)
        > nothing_here(3)
        noinline fn down(n: Int64) { down(n + 1) + 1 }
        > down(0)
        > div(1, 0)
        "#,
        expect![[r#"
            world 1
              + f(Int64)
              + g(Int64)
            infer    f(Int64) g(Int64)
            codegen  f(Int64) g(Int64)
            link     f(Int64) g(Int64)
            error: no-matching-method: h(Int64) in world 1
              called from g(Int64)
              called from f(Int64)
            world 2
              + at(Int64)
            infer    at(Int64)
            codegen  at(Int64)
            link     at(Int64)
            error: index-out-of-bounds
              called from at(Int64)
            error: no-matching-method: nothing_here(Int64) in world 2
            world 3
              + down(Int64)
            infer    down(Int64)
            codegen  down(Int64)
            link     down(Int64)
            error: stack-overflow
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              called from down(Int64)
              … N more
            error: division-error
        "#]],
    );
}

#[test]
fn a_callee_that_is_only_inlined_has_no_code() {
    check(
        "
        inline fn g(x: Int64) { x + 1 }
        inline fn h(x: Int64) { g(x) * 2 }
        noinline fn f(x: Int64) { h(x) + g(x) }
        > f(20)
        inline fn g(x: Int64) { x + 2 }
        > f(20)
        noinline fn g(x: Int64) { x + 3 }
        > f(20)
        noinline fn g(x: Int64) { x + 4 }
        > f(20)
        ",
        expect![[r#"
            world 1
              + f(Int64)
              + g(Int64)
              + h(Int64)
            infer    f(Int64) g(Int64) h(Int64)
            codegen  f(Int64)
            link     f(Int64)
            => 63
            world 2
              ~ g(Int64)
            infer    g(Int64)
            codegen  f(Int64)
            link     f(Int64)
            => 66
            world 3
              ~ g(Int64)
            infer    g(Int64)
            codegen  f(Int64) g(Int64)
            link     f(Int64) g(Int64)
            => 69
            world 4
              ~ g(Int64)
            infer    g(Int64)
            codegen  g(Int64)
            link     f(Int64) g(Int64)
            => 72
        "#]],
    );
}

#[test]
fn inline_is_binding_except_at_recursive_calls() {
    check(
        "
        inline fn down(n: Int64) { if n == 0 { 0 } else { down(n - 1) + 1 } }
        inline fn even(n: Int64) { if n == 0 { true } else { odd(n - 1) } }
        inline fn odd(n: Int64) { if n == 0 { false } else { even(n - 1) } }
        noinline fn f(n: Int64) { down(n) }
        noinline fn g(n: Int64) { even(n) }
        > f(5)
        > g(5)
        ",
        expect![[r#"
            world 1
              + down(Int64)
              + even(Int64)
              + f(Int64)
              + g(Int64)
              + odd(Int64)
            infer    down(Int64) f(Int64)
            codegen  down(Int64) f(Int64)
            link     down(Int64) f(Int64)
            => 5
            infer    even(Int64) g(Int64) odd(Int64)
            codegen  even(Int64) g(Int64)
            link     even(Int64) g(Int64)
            => false
        "#]],
    );
}

#[test]
fn errors_name_inlined_calls() {
    check(
        "
        inline fn at(xs: Array{Int64}, i: Int64) { xs[i] }
        fn mid(xs: Array{Int64}, i: Int64) { at(xs, i) + 1 }
        noinline fn f(i: Int64) { var xs = array(Int64, 3); mid(xs, i) }
        inline fn never(x: Int64) { nothing_here(x) }
        noinline fn g(x: Int64) { if x > 2 { never(x) } else { x } }
        inline fn loops(n: Int64) { var i = n; while i > 0 { i = div(i, i - 1) }; i }
        noinline fn k(x: Int64) { loops(x) + loops(x + 1) }
        > f(2)
        > f(3)
        > g(1)
        > g(3)
        > k(1)
        ",
        expect![[r#"
            world 1
              + at(Array{Int64}, Int64)
              + f(Int64)
              + g(Int64)
              + k(Int64)
              + loops(Int64)
              + mid(Array{Int64}, Int64)
              + never(Int64)
            infer    at(Array{Int64}, Int64) f(Int64) mid(Array{Int64}, Int64)
            codegen  f(Int64)
            link     f(Int64)
            => 1
            error: index-out-of-bounds
              called from at(Array{Int64}, Int64)
              called from mid(Array{Int64}, Int64)
              called from f(Int64)
            infer    g(Int64) never(Int64)
            codegen  g(Int64)
            link     g(Int64)
            => 1
            error: no-matching-method: nothing_here(Int64) in world 1
              called from never(Int64)
              called from g(Int64)
            infer    k(Int64) loops(Int64)
            codegen  k(Int64)
            link     k(Int64)
            error: division-error
              called from loops(Int64)
              called from k(Int64)
        "#]],
    );
}

/// Values that the host holds across a redefinition of their type.
#[test]
fn a_held_value_keeps_its_old_type() {
    let session = Session::new(SessionOptions::default()).expect("a host");
    let newest = CallOptions::default();
    let first = CallOptions {
        world: Some(World(1)),
        ..CallOptions::default()
    };
    let define = |text: &str| session.define("test.wir", text, None).expect("it is right");
    let value = |function: &str, args: Vec<Value>, options: &CallOptions| {
        let report = session.call_values(function, args, options);
        report.result.expect("the call succeeds")
    };
    define(
        "
        struct P { x: Int64; y: Int64 }
        fn make(x: Int64) { P(x, x + 1) }
        fn many(n: Int64) { var ps = array(P, n); for i in 0..n { ps[i] = make(i) }; ps }
        fn sum(p: P) { p.x + p.y }
        fn of(ps: Array{P}) { sum(ps[0]) + length(ps) }
        fn any(x) { 1 }
        fn same(x) { x }
        fn is_p(x) { isa(x, P) }
        fn x_of(x) { x.x }
        ",
    );
    let hold = session.hold(None).expect("the newest world");
    let old = value("make", vec![Value::int(3)], &newest);
    let old_array = value("many", vec![Value::int(4)], &newest);
    define("struct P { y: Float64; x: Float64 }\nfn make(x: Int64) { P(0.5, float(x)) }");

    // It is never taken for the new type, whatever asks.
    let refused = |function: &str, arg: &Value| {
        let report = session.call_values(function, vec![arg.clone()], &newest);
        report.result.expect_err("it is of the old type").log_lines
    };
    let unfit = "error: no-matching-method: sum(P) in world 2";
    assert_eq!(refused("sum", &old), [unfit]);
    let unfit = "error: no-matching-method: of(Array{P}) in world 2";
    assert_eq!(refused("of", &old_array), [unfit]);
    let shown = |value: &Value| value.show(session.universe()).to_string();
    assert_eq!(shown(&value("is_p", vec![old.clone()], &newest)), "false");
    let new = value("make", vec![Value::int(3)], &newest);
    assert_eq!(shown(&value("is_p", vec![new.clone()], &newest)), "true");

    // Its layout is the old one, in both worlds, through compiled code too.
    assert_eq!(
        (shown(&old), shown(&new)),
        ("P(3, 4)".into(), "P(0.5, 3.0)".into())
    );
    for (value_of, x) in [(&old, "3"), (&new, "3.0")] {
        assert_eq!(shown(&value("x_of", vec![value_of.clone()], &newest)), x);
        let back = value("same", vec![value_of.clone()], &newest);
        assert_eq!(shown(&back), shown(value_of));
        assert_eq!(shown(&value("any", vec![value_of.clone()], &newest)), "1");
    }
    let array = value("same", vec![old_array.clone()], &newest);
    assert_eq!(shown(&array), "[P(0, 1), P(1, 2), P(2, 3), P(3, 4)]");

    // In its own world it is what it was, and the new one is none there.
    assert_eq!(shown(&value("sum", vec![old.clone()], &first)), "7");
    assert_eq!(shown(&value("of", vec![old_array], &first)), "5");
    assert_eq!(shown(&value("is_p", vec![old], &first)), "true");
    assert_eq!(shown(&value("is_p", vec![new], &first)), "false");
    drop(hold);
}

#[test]
fn code_by_types_follows_edits_and_linking() {
    let session = Session::new(SessionOptions::default()).expect("a host");
    let define = |text: &str| {
        session.define("f.wir", text, None).expect("it is right");
    };
    define("noinline fn f(x: Integer) { x }\nfn call(x) { f(x) }");
    // The session's shard is the first one that is asked for.
    let called = session.call("call(1)", &CallOptions::default());
    assert!(called.result.is_ok());
    let engine = session.engine();
    let types = engine.types();
    let (f, args) = (
        types.symbol("f"),
        types.tuple(&[session.universe().prelude().int64]),
    );
    let code = || engine.demand_call(f, args, ShardId(0));
    let first = code().expect("it is right");
    assert!(Arc::ptr_eq(&first, &code().expect("it is right")));

    session.set_linking(Linking::Live);
    let live = code().expect("it is right");
    assert!(!Arc::ptr_eq(&first, &live), "it is linked in another way");
    session.set_linking(Linking::Pinned);

    define("noinline fn f(x: Int64) { x + 1 }");
    let narrower = code().expect("it is right");
    assert_ne!(narrower.mi, first.mi);
    session.delete("f(Int64)", None).expect("it is there");
    assert_eq!(code().expect("it is right").mi, first.mi);
    session.delete("f(Integer)", None).expect("it is there");
    let error = code().map(|_| ()).expect_err("it is gone");
    assert!(matches!(error, CallDemandError::Unresolved(_)), "{error}");
}

#[test]
fn a_reader_of_a_front_follows_it() {
    let session = Session::new(SessionOptions::default()).expect("a host");
    let define = |text: &str| {
        session.define("f.wir", text, None).expect("it is right");
    };
    define("noinline fn f(x) { x }");
    let called = session.call("f(1)", &CallOptions::default());
    assert!(called.result.is_ok());
    let engine = session.engine();
    let types = engine.types();
    let args = types.tuple(&[session.universe().prelude().int64]);
    let first = engine.demand_call(types.symbol("f"), args, ShardId(0));
    let first = first.expect("it is right");
    let front = engine.front(first.mi, ShardId(0));
    let mut reader = front.reader();
    let seen = reader.get().expect("it is compiled");
    assert!(Arc::ptr_eq(seen, &first));

    define("noinline fn f(x) { x + 1 }");
    assert!(reader.get().is_none(), "ask the engine");
    let second = engine.demand_call(types.symbol("f"), args, ShardId(0));
    let second = second.expect("it is right");
    let seen = reader.get().expect("it is compiled again");
    assert!(Arc::ptr_eq(seen, &second) && !Arc::ptr_eq(seen, &first));
}

#[test]
fn a_wrong_number_of_type_arguments_is_advised_in_types() {
    let session = Session::new(SessionOptions::default()).expect("a host");
    let hint = |text: &str| {
        let refused = session.define("t.wir", text, None).expect_err("wrong");
        refused.diagnostics[0].hint.clone().expect("advice")
    };
    assert_eq!(
        hint("struct P{T} { x: T }\nfn f(x: P) { x }"),
        "write `P{…}` with one type, or let a variable stand for it"
    );
    assert_eq!(hint("fn f(x: Int64{Int64}) { x }"), "write `Int64` alone");
}
