//! Typed SSA of small functions: what inlining and the passes behind it leave.

use expect_test::{Expect, expect};
use worldage::{EmitStage, OptLevel, Session, SessionOptions};

#[track_caller]
fn check(program: &str, sig: &str, expected: Expect) {
    let session = Session::new(SessionOptions::default()).expect("a host");
    session
        .define("test.wir", program, None)
        .expect("a program");
    let text = session.emit(sig, EmitStage::Inlined, OptLevel::Speed);
    expected.assert_eq(&text.unwrap_or_else(|failure| failure.to_string()));
}

#[test]
fn structs_leave_nothing_behind() {
    check(
        "
        struct Complex { re: Float64, im: Float64 }
        fn *(a: Complex, b: Complex) { Complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re) }
        fn abs2(a: Complex) { a.re * a.re + a.im * a.im }
        fn f(x: Float64, y: Float64) { var z = Complex(x, y); abs2(z * z) }
        ",
        "f(Float64, Float64)",
        expect![[r#"
            b0(v0: Float64, v1: Float64):
                v2: Float64 = mul.Float64 v0, v0
                v3: Float64 = mul.Float64 v1, v1
                v4: Float64 = sub.Float64 v2, v3
                v5: Float64 = mul.Float64 v0, v1
                v6: Float64 = mul.Float64 v1, v0
                v7: Float64 = add.Float64 v5, v6
                v8: Float64 = mul.Float64 v4, v4
                v9: Float64 = mul.Float64 v7, v7
                v10: Float64 = add.Float64 v8, v9
                return v10
            -> Float64
        "#]],
    );
}

#[test]
fn constants_fold_through_inlined_bodies() {
    check(
        "
        inline fn scale(x: Int64, k: Int64) { if k == 1 { x } else { if k == 0 { 0 } else { x * k } } }
        inline fn limit() { 10 * 10 }
        fn f(x: Int64) { scale(x, 1) + scale(x, 0) + scale(x, limit()) }
        ",
        "f(Int64)",
        expect![[r#"
            b0(v0: Int64):
                v1: Int64 = const 0
                v2: Int64 = add.Int64 v0, v1
                v3: Int64 = const 100
                v4: Int64 = mul.Int64 v0, v3
                v5: Int64 = add.Int64 v2, v4
                return v5
            -> Int64
        "#]],
    );
}

#[test]
fn a_result_of_several_types_is_not_boxed_where_its_type_is_known() {
    check(
        "
        struct P { x: Float64, y: Float64 }
        inline fn either(n: Int64) { if n > 0 { P(1.0, float(n)) } else { n } }
        fn f(n: Int64) { var r = either(n); if isa(r, P) { r.y } else { 0.0 } }
        ",
        "f(Int64)",
        expect![[r#"
            b0(v0: Int64):
                v1: Int64 = const 0
                v2: Bool = lt.Int64 v1, v0
                branch v2 b1() b2()
            b1():
                v3: Float64 = cast.Int64.Float64 v0
                jump b3(v3)
            b2():
                v4: Float64 = const 0.0
                jump b3(v4)
            b3(v5: Float64):
                return v5
            -> Float64
        "#]],
    );
}

#[test]
fn a_predicate_branches_where_it_is_asked() {
    check(
        "
        inline fn between(x: Int64, a: Int64, b: Int64) { a <= x && x < b }
        fn f(x: Int64) { if between(x, 3, 7) { 1 } else { 2 } }
        ",
        "f(Int64)",
        expect![[r#"
            b0(v0: Int64):
                v1: Int64 = const 3
                v2: Int64 = const 7
                v3: Bool = le.Int64 v1, v0
                branch v3 b1() b3()
            b1():
                v4: Bool = lt.Int64 v0, v2
                branch v4 b2() b3()
            b2():
                v5: Int64 = const 1
                jump b4(v5)
            b3():
                v6: Int64 = const 2
                jump b4(v6)
            b4(v7: Int64):
                return v7
            -> Int64
        "#]],
    );
}

#[test]
fn a_body_with_a_loop_goes_on_where_it_returns() {
    check(
        "
        inline fn first(xs: Array{Int64}, x: Int64) {
            for i in 0..length(xs) { if xs[i] == x { return i } }
            -1
        }
        fn f(xs: Array{Int64}) { first(xs, 7) * 2 }
        ",
        "f(Array{Int64})",
        expect![[r#"
            b0(v0: Array{Int64}):
                v1: Int64 = const 7
                v2: Int64 = array_len v0
                v3: Int64 = const 0
                jump b1(v3)
            b1(v4: Int64):
                v5: Bool = lt.Int64 v4, v2
                branch v5 b2() b4()
            b2():
                v6: Int64 = array_get v0, v4
                v7: Bool = eq.Int64 v6, v1
                branch v7 b5(v4) b3()
            b3():
                v8: Int64 = const 1
                v9: Int64 = add.Int64 v4, v8
                jump b1(v9)
            b4():
                v10: Int64 = const -1
                jump b5(v10)
            b5(v11: Int64):
                v12: Int64 = const 2
                v13: Int64 = mul.Int64 v11, v12
                return v13
            -> Int64
        "#]],
    );
}

#[test]
fn failures_stay_where_they_are() {
    check(
        "
        inline fn ratio(a: Int64, b: Int64) { div(a, b) }
        fn f(a: Int64) { ratio(a, 0); ratio(6, 3) }
        ",
        "f(Int64)",
        expect![[r#"
            b0(v0: Int64):
                v1: Int64 = const 0
                v2: Int64 = div.Int64 v0, v1
                v3: Int64 = const 2
                return v3
            -> Int64
        "#]],
    );
}
