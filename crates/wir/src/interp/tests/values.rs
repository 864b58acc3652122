//! What is printed, and how.

use super::check;
use expect_test::expect;

#[test]
fn print_writes_a_line() {
    check(
        "struct P { x: Int64, y }
         fn g(x) { x }
         fn f() {
             print()
             print(1)
             print(1, 2.5, true, nothing, \"a b\")
             print(P(1, 2.5), P(1, \"s\"), (\"t\", 1), g)
             var xs = array(Any, 2)
             xs[0] = \"q\\n\"
             print(xs)
             print(\"two\\nlines\")
             \"q\\n\"
         }",
        "f()",
        expect![[r#"

            1
            1 2.5 true nothing a b
            P(1, 2.5) P(1, "s") ("t", 1) g
            ["q\n", #undef]
            two
            lines
            => "q\n"
        "#]],
    );
}

#[test]
fn what_was_printed_before_an_error_is_not_lost() {
    check(
        "fn f() { print(\"before\")\ndiv(1, 0) }",
        "f()",
        expect![[r#"
            before
            test.wir:2:1: error[division-error]: integer division by zero, or of the least integer by -1
              |
            2 | div(1, 0) }
              | ^^^^^^^^^
              called from f() at test.wir:2:1
        "#]],
    );
}

#[test]
fn print_of_new_types() {
    check(
        "struct P { x: Int64 }
         fn print(p: P) { print(\"P is\", p.x) }
         fn f() { print(P(3))\nprint(P(3), 1) }",
        "f()",
        expect![[r#"
            P is 3
            P(3) 1
            => nothing
        "#]],
    );
}

#[test]
fn external_facts() {
    let mut sources = crate::diag::Sources::new();
    let mut p = super::program(&mut sources, "fn f() { external(\"k\") }");
    p.set_external("k", crate::value::Value::int(5));
    assert_eq!(super::run(&p, &sources, None, "f()"), "=> 5\n");
}
