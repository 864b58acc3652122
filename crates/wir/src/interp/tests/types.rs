//! Types: declarations, type arguments, `isa`, functions as values, tuples, varargs.

use super::{check, values};
use expect_test::expect;

#[test]
fn isa_and_the_hierarchy() {
    for (expression, expected) in [
        ("isa(1, Int64)", "true"),
        ("isa(1, Integer)", "true"),
        ("isa(UInt8(1), Integer)", "true"),
        ("isa(1, Number)", "true"),
        ("isa(1, AbstractFloat)", "false"),
        ("isa(Float32(1), AbstractFloat)", "true"),
        ("isa(1.0, Number)", "true"),
        ("isa(true, Number)", "false"),
        ("isa(true, Bool)", "true"),
        ("isa(nothing, Nothing)", "true"),
        ("isa(\"a\", String)", "true"),
        ("isa(\"a\", Any)", "true"),
        ("isa(1, Union{Bool, Int64})", "true"),
        ("isa(1.0, Union{Bool, Int64})", "false"),
        ("isa(1, Union{})", "false"),
        ("isa(f, Function)", "true"),
        ("isa((1, true), Tuple{Int64, Bool})", "true"),
        ("isa((1, true), Tuple{Number, Any})", "true"),
        ("isa((1, 2), Tuple{Int64})", "false"),
        ("isa((1, 2), Tuple{Vararg{Integer}})", "true"),
        ("isa((), Tuple{})", "true"),
        ("isa(array(Int64, 1), Array{Int64})", "true"),
        ("isa(array(Int64, 1), Array{Integer})", "false"),
        ("isa(1, Nope)", "unknown-type"),
        ("isa(1, Array)", "type-mismatch"),
    ] {
        values("", expression, expected);
    }
}

#[test]
fn structs() {
    const P: &str = "abstract type Shape
        struct Circle <: Shape { radius: Float64 }
        struct Pair{A, B} { first: A, second: B }
        struct Small{T <: Integer} { x: T }
        struct Any2 { a, b: Number }
        struct Empty {}
        struct Money <: Number { cents: Int64 }
        struct Ghost{T} {}
        struct Maybe{T} { x: Union{T, Nothing} }";
    for (expression, expected) in [
        ("Circle(1.5)", "Circle(1.5)"),
        ("Circle(1.5).radius", "1.5"),
        ("Circle(1)", "no-matching-method"),
        ("Circle()", "no-matching-method"),
        ("Circle(1.5).r", "missing-field"),
        ("(1).r", "missing-field"),
        ("isa(Circle(1.5), Shape)", "true"),
        ("Pair(1, 2.5)", "Pair(1, 2.5)"),
        ("isa(Pair(1, 2.5), Pair{Int64, Float64})", "true"),
        ("isa(Pair(1, 2.5), Pair{Number, Number})", "false"),
        ("Pair{Int64, Int64}(1, 2)", "Pair(1, 2)"),
        ("Pair{Int64, Int64}(1, 2.5)", "no-matching-method"),
        ("isa(Pair{Number, Any}(1, 2), Pair{Number, Any})", "true"),
        ("Pair{Int64}(1, 2)", "type-mismatch"),
        ("Small(1)", "Small(1)"),
        ("Small(1.0)", "no-matching-method"),
        ("Small{String}(\"a\")", "type-mismatch"),
        ("Any2(\"x\", 1)", "Any2(\"x\", 1)"),
        ("Any2(\"x\", Money(3))", "Any2(\"x\", Money(3))"),
        ("Any2(1, \"x\")", "no-matching-method"),
        ("Empty()", "Empty()"),
        ("Money(1) + Money(2)", "no-matching-method"),
        ("isa(Money(1), Number)", "true"),
        ("Ghost{Int64}()", "Ghost()"),
        ("isa(Ghost{Int64}(), Ghost{Int64})", "true"),
        ("Ghost()", "no-matching-method"),
        ("Maybe{Int64}(nothing).x", "nothing"),
        ("isa(Maybe(1), Maybe{Int64})", "true"),
        ("Shape()", "no-matching-method"),
        ("Circle", "unknown-name"),
        ("Int64", "unknown-name"),
    ] {
        values(P, expression, expected);
    }
    values(
        "struct N { next: Union{N, Nothing} }",
        "N(N(nothing))",
        "N(N(nothing))",
    );
    values(
        "struct A { b: Array{B} }\nstruct B { x: Int64 }",
        "A(array(B, 2))",
        "A([B(0), B(0)])",
    );
    values(
        "struct P { x: Int64 }\nfn P(x: String) { P(length(x)) }",
        "P(\"four\")",
        "P(4)",
    );
    values("struct P { x: Int64 }\nfn P() { P(7) }", "P()", "P(7)");
}

#[test]
fn functions_are_values() {
    values(
        "fn inc(x) { x + 1 }\nfn twice(g, x) { g(g(x)) }",
        "twice(inc, 3)",
        "5",
    );
    values("fn inc(x) { x + 1 }", "var g = inc\ng(1)", "2");
    values("fn inc(x) { x + 1 }", "(inc)(1)", "2");
    values("fn inc(x) { x + 1 }", "inc", "inc");
    values("fn inc(x) { x + 1 }", "inc == inc", "true");
    values("fn inc(x) { x + 1 }\nfn pick() { inc }", "pick()(41)", "42");
    values("fn app(g, x) { g(x) }", "app(sqrt, 4.0)", "2.0");
    values("", "var g = 1\ng(2)", "type-mismatch");
    values(
        "fn g(x: Function) { 1 }\nfn g(x) { 2 }",
        "g(g) * 10 + g(1)",
        "12",
    );
    values("", "var sqrt = 3\nsqrt(4)", "type-mismatch");
    values("fn isa(a: Int64) { a }", "isa(3)", "3");
    values("", "nope", "unknown-name");
    values("", "nope(1)", "no-matching-method");
}

#[test]
fn tuples_and_varargs() {
    values("", "(1, \"a\", 2.5)", "(1, \"a\", 2.5)");
    values("", "(1,)", "(1,)");
    values("", "()", "()");
    values("", "(1, 2)[1]", "2");
    values("", "(1, 2)[2]", "index-out-of-bounds");
    values("", "(1, 2)[-1]", "index-out-of-bounds");
    values("", "length((1, 2, 3))", "3");
    values("", "var t = (1, 2)\nt[0] = 3", "type-mismatch");
    values("", "(1, 2).x", "missing-field");
    values("", "(1, 2) == (1, 2)", "true");
    values("", "(1, 2) == (1, 3)", "false");
    values("", "(1, 2) == (1.0, 2.0)", "true");
    values("", "(1, 2) == (1, 2, 3)", "false");
    const V: &str = "fn g(xs: Vararg{Int64}) { length(xs) }
        fn g(a: String, xs: Vararg{Any}) { xs }
        fn sum(xs: Vararg{T}) where T <: Number { var s = 0\nfor i in 0..length(xs) { s = s + xs[i] }\ns }
        fn two(a, xs: Vararg{Int64, 2}) { xs }";
    values(V, "g()", "0");
    values(V, "g(1, 2, 3)", "3");
    values(V, "g(1, 2.0)", "no-matching-method");
    values(V, "g(\"a\")", "()");
    values(V, "g(\"a\", 1, true)", "(1, true)");
    values(V, "sum(1, 2, 3)", "6");
    values(V, "sum(1, 2.0)", "no-matching-method");
    values(V, "two(0, 1, 2)", "(1, 2)");
    values(V, "two(0, 1)", "no-matching-method");
}

#[test]
fn type_variables_in_bodies() {
    values("fn g(x: T) where T { isa(x, T) }", "g(1)", "true");
    values("fn g(x: T, y) where T { isa(y, T) }", "g(1, 2.0)", "false");
    values("fn g(x: T) where T { array(T, 2) }", "g(1.5)", "[0.0, 0.0]");
    values("fn g(x: T, y) where T { T(y) }", "g(Int8(0), 7)", "7");
    values(
        "fn g(x: T, y) where T { T(y) }",
        "isa(g(Int8(0), 7), Int8)",
        "true",
    );
    values(
        "struct P{T} { x: T }\nfn g(x: T) where T { P{T}(x) }",
        "g(\"s\")",
        "P(\"s\")",
    );
    values(
        "struct P{T} { x: T }\nfn g(p: P{T}) where T { T(1.0) }",
        "g(P(1))",
        "1",
    );
    values(
        "struct P { x: Int64 }\nfn g(p: T) where T { T(4) }",
        "g(P(1))",
        "P(4)",
    );
    values(
        "struct P{T <: Number} { x: T }\nfn g(x: T) where T { P{T}(x) }",
        "g(\"s\")",
        "type-mismatch",
    );
    values(
        "fn g(x: Array{T}, y: T) where T { x[0] = y\nx }",
        "g(array(Number, 1), 3)",
        "[3]",
    );
    values("fn g(x: T) where T { x }", "g(T)", "unknown-name");
}

#[test]
fn deep_types() {
    check(
        "struct Box{T} { x: T }
         fn wrap(x, n: Int64) { if n == 0 { x } else { wrap(Box(x), n - 1) } }
         fn f(n: Int64) { wrap(1, n)\nn }",
        "f(64)",
        expect![[r#"
            => 64
        "#]],
    );
    values(
        "struct Box{T} { x: T }\nfn wrap(x) { wrap(Box(x)) }",
        "wrap(1)",
        "type-limit",
    );
    values("fn wrap(x) { wrap((x,)) }", "wrap(1)", "type-limit");
}
