//! Result annotations, host calls, host values.

use super::{check, values};
use expect_test::expect;

#[test]
fn result_annotations_are_checked_not_converted() {
    values("fn g(x) -> Int64 { x }", "g(1)", "1");
    values("fn g(x) -> Int64 { x }", "g(1.0)", "type-mismatch");
    values("fn g(x) -> Number { return x }", "g(1.0)", "1.0");
    values(
        "fn g(x) -> Number { return x\n1 }",
        "g(\"a\")",
        "type-mismatch",
    );
    values("fn g(x) -> Nothing { var y = x }", "g(1)", "nothing");
    values("fn g(x: T, y) -> T where T { y }", "g(1, 2)", "2");
    values(
        "fn g(x: T, y) -> T where T { y }",
        "g(1, true)",
        "type-mismatch",
    );
}

#[test]
fn host_expressions() {
    const P: &str = "struct P{T} { x: T, y: Float64 }\nfn f(x) { x }\nfn f(x, y) { (x, y) }";
    check(
        P,
        "f(-1)",
        expect![[r#"
        => -1
    "#]],
    );
    check(
        P,
        "f(-9223372036854775808)",
        expect![[r#"
        => -9223372036854775808
    "#]],
    );
    check(
        P,
        "f(P(1, -2.5), \"a\")",
        expect![[r#"
        => (P(1, -2.5), "a")
    "#]],
    );
    check(
        P,
        "f(P{Number}(1, -2.5))",
        expect![[r#"
        => P(1, -2.5)
    "#]],
    );
    check(
        P,
        "f((1, nothing))",
        expect![[r#"
        => (1, nothing)
    "#]],
    );
    check(
        P,
        "f(P(1, 2))",
        expect![[r#"
        error[no-matching-method]: no method matches P(Int64, Int64)
          = note: there is P(T, Float64) where T <: Any
    "#]],
    );
    check(
        P,
        "nope(1)",
        expect![[r#"
        error[no-matching-method]: no method matches nope(Int64)
    "#]],
    );
    check(
        P,
        "f()",
        expect![[r#"
        error[no-matching-method]: no method matches f()
          = note: there is f(Any)
          = note: there is f(Any, Any)
    "#]],
    );
}
