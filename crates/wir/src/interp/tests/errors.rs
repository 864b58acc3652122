//! Errors: position, message, the calls that led there.

use super::{check, values};
use expect_test::expect;

#[test]
fn position_and_trace() {
    check(
        "fn third(x: Int64) { div(1, x) }
fn second(x) { var y = third(x)
    y }
fn first() { second(0) }",
        "first()",
        expect![[r#"
            test.wir:1:22: error[division-error]: integer division by zero, or of the least integer by -1
              |
            1 | fn third(x: Int64) { div(1, x) }
              |                      ^^^^^^^^^
              called from third(Int64) at test.wir:1:22
              called from second(Int64) at test.wir:2:24
              called from first() at test.wir:4:14
        "#]],
    );
    check(
        "fn g(x: Float64) { x }
fn f(n: Int64) {
    for i in 0..n { g(i) }
}",
        "f(3)",
        expect![[r#"
            test.wir:3:21: error[no-matching-method]: no method matches g(Int64)
              |
            3 |     for i in 0..n { g(i) }
              |                     ^^^^
              called from f(Int64) at test.wir:3:21
              = note: there is g(Float64)
        "#]],
    );
    check(
        "fn h(a: Int64, b) { 1 }
fn h(a, b: Int64) { 2 }
fn f() { h(1, 2) }",
        "f()",
        expect![[r#"
            test.wir:3:10: error[ambiguous-call]: h(Int64, Int64) is ambiguous: no method is the most specific
              |
            3 | fn f() { h(1, 2) }
              |          ^^^^^^^
              called from f() at test.wir:3:10
              = note: candidate h(Any, Int64)
              = note: candidate h(Int64, Any)
              = note: resolved by h(Int64, Int64)
        "#]],
    );
    check(
        "struct P { x: Int64 }
struct Q { p: P }
fn f() { Q(P(1)) < Q(P(2)) }",
        "f()",
        expect![[r#"
    test.wir:3:10: error[no-matching-method]: no method matches <(Q, Q)
      |
    3 | fn f() { Q(P(1)) < Q(P(2)) }
      |          ^^^^^^^^^^^^^^^^^
      called from f() at test.wir:3:10
      = note: there is <(Bool, Bool)
      = note: there is <(Union{Float32, Float64, Int16, Int32, Int64, Int8, UInt16, UInt32, UInt64, UInt8}, Union{Float32, Float64, Int16, Int32, Int64, Int8, UInt16, UInt32, UInt64, UInt8})
"#]],
    );
    check(
        "struct P { size: Int64 }
fn f() { P(1).sice }",
        "f()",
        expect![[r#"
    test.wir:2:10: error[missing-field]: a value of type P has no field `sice`
      |
    2 | fn f() { P(1).sice }
      |          ^^^^^^^^^
      called from f() at test.wir:2:10
      = note: its fields are `size`
"#]],
    );
    check(
        "fn area(x) { x }
fn f() { aera(1) }",
        "f()",
        expect![[r#"
    test.wir:2:10: error[no-matching-method]: no method matches aera(Int64)
      |
    2 | fn f() { aera(1) }
      |          ^^^^^^^
      called from f() at test.wir:2:10
      = hint: did you mean `area`?
"#]],
    );
    check(
        "fn f() { var total = 1
totl = 2 }",
        "f()",
        expect![[r#"
    test.wir:2:1: error[unknown-name]: there is no variable `totl` to assign to
      |
    2 | totl = 2 }
      | ^^^^^^^^
      called from f() at test.wir:2:1
      = hint: introduce it with `var totl = …`
"#]],
    );
    check(
        "fn f() { isa(1, Nope) }",
        "f()",
        expect![[r#"
        test.wir:1:17: error[unknown-type]: the type `Nope` is not defined
          |
        1 | fn f() { isa(1, Nope) }
          |                 ^^^^
          called from f() at test.wir:1:17
    "#]],
    );
    check(
        "fn g(x) -> Int64 { x }
fn f() { g(1.5) }",
        "f()",
        expect![[r#"
    test.wir:1:20: error[type-mismatch]: the result must be of type Int64, and this is of type Float64
      |
    1 | fn g(x) -> Int64 { x }
      |                    ^
      called from g(Float64) at test.wir:1:20
      called from f() at test.wir:2:10
"#]],
    );
    check(
        "fn g(x: Int64) { x }
fn f() { invoke(g, (Number,), 1) }",
        "f()",
        expect![[r#"
    test.wir:2:10: error[no-matching-method]: no method answers the signature g(Number) for these arguments
      |
    2 | fn f() { invoke(g, (Number,), 1) }
      |          ^^^^^^^^^^^^^^^^^^^^^^^
      called from f() at test.wir:2:10
      = note: there is g(Int64)
"#]],
    );
    check(
        "fn f() { external(\"nope\") }",
        "f()",
        expect![[r#"
        test.wir:1:10: error[unknown-name]: there is no external fact "nope"
          |
        1 | fn f() { external("nope") }
          |          ^^^^^^^^^^^^^^^^
          called from f() at test.wir:1:10
    "#]],
    );
}

#[test]
fn deep_recursion_is_an_error_with_a_short_trace() {
    check(
        "fn down(n) { 1 + down(n + 1) }",
        "down(0)",
        expect![[r#"
            test.wir:1:18: error[stack-overflow]: calls nest too deeply
              |
            1 | fn down(n) { 1 + down(n + 1) }
              |                  ^^^^^^^^^^^
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              called from down(Int64) at test.wir:1:18
              … 19980 more
        "#]],
    );
    values(
        "fn down(n) { if n == 0 { 0 } else { 1 + down(n - 1) } }",
        "down(10000)",
        "10000",
    );
    values(
        "struct N { n: Any }\nfn make(k) { var x = N(0)\nfor i in 0..k { x = N(x) }\nx }",
        "make(5000) == make(5000)",
        "true",
    );
}

#[test]
fn errors_wait_until_they_are_reached() {
    values("", "if false { nope(1) }\n1", "1");
    values("", "if false { nope }\n1", "1");
    values("", "if false { isa(1, Nope) }\n1", "1");
    values("", "if false { x = 1 }\n1", "1");
    values("", "if false { (1).x }\n1", "1");
}
