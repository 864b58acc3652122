//! Sessions end to end: text to worlds to values, and which stages ran.

use expect_test::{Expect, expect};
use std::fmt::Write;
use worldage::{CallOptions, Session, SessionOptions};

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
        fn +(a: P, b: P) { P(a.x + b.x, a.y + b.y) }
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
        fn area(c: Circle) { 3.0 * c.r * c.r }
        fn area(s: Square) { s.s * s.s }
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
