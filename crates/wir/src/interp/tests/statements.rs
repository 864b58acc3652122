//! Statements, scope, control flow.

use super::{check, value, values};

use expect_test::expect;

const CONTRACT: &str = "
abstract type Shape
struct Circle <: Shape { radius: Float64 }
struct Pair{A, B} { first: A, second: B }

fn area(c: Circle) { 3.141592653589793 * c.radius * c.radius }
fn area(s) { 0.0 }                                    # untyped parameter = Any
fn scaled(s: T, k: Float64) where T <: Shape { area(s) * k }
fn +(a: Pair{T, T}, b: Pair{T, T}) where T <: Number { Pair(a.first + b.first, a.second + b.second) }
noinline fn fib(n: Int64) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }

fn main(n: Int64) {
    var xs = array(Float64, n)                        # zeroed, index from 0, bounds-checked
    for i in 0..n { xs[i] = sqrt(float(i)) }
    var total = 0.0
    var i = 0
    while i < n { total = total + xs[i]; i = i + 1 }
    if total > 10.0 { print(\"big\", total) }
    total
}

kernel fn saxpy(a: Float32, x: Array{Float32}, y: Array{Float32}) {
    var i = global_id(0)
    if i < length(y) { y[i] = a * x[i] + y[i] }
}
fn plus() { Pair(1, 2) + Pair(3, 4) }
fn launch() {
    var x = array(Float32, 2)
    var y = array(Float32, 2)
    x[0] = Float32(3.0)
    y[0] = Float32(1.0)
    y[1] = Float32(5.0)
    saxpy(Float32(2.0), x, y)
    y
}
";

#[test]
fn the_program_of_the_contract() {
    check(
        CONTRACT,
        "main(10)",
        expect![[r#"
        big 19.30600052603572
        => 19.30600052603572
    "#]],
    );
    check(
        CONTRACT,
        "fib(20)",
        expect![[r#"
        => 6765
    "#]],
    );
    check(
        CONTRACT,
        "scaled(Circle(2.0), 0.5)",
        expect![[r#"
        => 6.283185307179586
    "#]],
    );
    check(
        CONTRACT,
        "area(1)",
        expect![[r#"
        => 0.0
    "#]],
    );
    check(
        CONTRACT,
        "plus()",
        expect![[r#"
        => Pair(4, 6)
    "#]],
    );
    check(
        CONTRACT,
        "launch()",
        expect![[r#"
        => [7.0, 5.0]
    "#]],
    );
}

#[test]
fn the_last_expression_is_the_value() {
    value("1; 2", "2");
    value("", "nothing");
    value("var x = 1", "nothing");
    value("var x = 1; x = 2", "nothing");
    value("while false { }", "nothing");
    value("for i in 0..3 { i }", "nothing");
    value("if true { 1 } else { 2 }", "1");
    value("if false { 1 }", "nothing");
    value("if false { 1 } else if true { 2 } else { 3 }", "2");
    value("1 + if true { 1 } else { 2 }", "2");
    value("return", "nothing");
    value("return 1; 2", "1");
    value("var x = if true { return 5 } else { 1 }\nx", "5");
}

#[test]
fn scope_is_the_block() {
    value("var x = 1\nif true { var x = 2 }\nx", "1");
    value("var x = 1\nif true { x = 2 }\nx", "2");
    value(
        "var x = 1\nvar y = if true { var x = x + 1\nx } else { 0 }\n(x, y)",
        "(1, 2)",
    );
    value("if true { var x = 1 }\nx", "unknown-name");
    value("for i in 0..3 { }\ni", "unknown-name");
    value("var i = 7\nfor i in 0..3 { }\ni", "7");
    value("x = 1", "unknown-name");
    value("var x = 1\nx = \"a\"\nx", "\"a\"");
    values("fn g(x) { x = x + 1\nx }", "g(1)", "2");
    values("fn g(x) { var x = x + 1\nx }", "g(1)", "2");
    values(
        "fn g(n) { if n > 0 { var r = g(n - 1)\nn + r } else { 0 } }",
        "g(4)",
        "10",
    );
}

#[test]
fn loops() {
    value("var s = 0\nfor i in 0..5 { s = s + i }\ns", "10");
    value("var s = 0\nfor i in 3..3 { s = s + 1 }\ns", "0");
    value("var s = 0\nfor i in 5..3 { s = s + 1 }\ns", "0");
    value(
        "var s = 0\nfor i in 0..10 { if i == 3 { continue }\nif i == 6 { break }\ns = s + i }\ns",
        "12",
    );
    value("var s = 0\nfor i in 0..3 { i = 10\ns = s + 1 }\ns", "3");
    value(
        "var n = 3\nvar s = 0\nfor i in 0..n { n = 100\ns = s + 1 }\ns",
        "3",
    );
    value(
        "var i = 0\nwhile true { i = i + 1\nif i > 4 { break } }\ni",
        "5",
    );
    value(
        "var n = 0\nfor i in 0..3 { for j in 0..3 { if j > i { break }\nn = n + 1 } }\nn",
        "6",
    );
    value("for i in 0..3 { while true { return i } }", "0");
    value(
        "var s = Int8(0)\nfor i in Int8(0)..Int8(3) { s = s + i }\ns",
        "3",
    );
    value(
        "var t = 0\nfor i in Int8(0)..3 { t = i }\nisa(t, Int64)",
        "true",
    );
    value(
        "for i in 9223372036854775806..9223372036854775807 { return i }",
        "9223372036854775806",
    );
    value("for i in 0..1.5 { }", "type-mismatch");
    value("for i in 0.0..1 { }", "type-mismatch");
    value("for i in UInt64(0)..(-1) { }", "conversion-error");
}

#[test]
fn conditions_are_bool() {
    value("if 1 { 2 }", "type-mismatch");
    value("while nothing { }", "type-mismatch");
    value("true && 1", "type-mismatch");
    value("1 || true", "type-mismatch");
    value("false && 1", "false");
    value("true || 1", "true");
    value("false && div(1, 0) == 0", "false");
    value("true || div(1, 0) == 0", "true");
    value("true && false || true", "true");
}

#[test]
fn order_of_evaluation() {
    check(
        "fn say(x) { print(x)\nx }
         struct P { a, b }
         fn f() {
             var xs = array(Int64, 2)
             xs[say(0)] = say(1) + say(2) * say(3)
             P(say(\"a\"), (say(4), say(5)))
         }",
        "f()",
        expect![[r#"
            0
            1
            2
            3
            a
            4
            5
            => P("a", (4, 5))
        "#]],
    );
}
