//! What the printer writes, and that it is read back.

use expect_test::{Expect, expect};

use super::{items, parse};
use crate::syntax::print_file;

/// The printed form of a text; it is printed the same again and means the same.
#[track_caller]
fn check(text: &str, expected: Expect) {
    let printed = print_file(&parse(text).1.file);
    expected.assert_eq(&printed);
    assert_eq!(
        items(text),
        items(&printed),
        "the printed text means something else"
    );
    assert_eq!(print_file(&parse(&printed).1.file), printed);
}

#[test]
fn definitions() {
    check(
        "abstract type Shape
         abstract type Tree{T,U<:Number}<:Shape; struct Empty<:Shape {}
         struct Pair{A,B}{first:A
            second:B ; third}
         fn f(){} inline kernel fn +(a:Pair{T,T},b)->Int64 where T<:Number,U{a}
         kernel noinline fn !(xs:Vararg{Union{A,Tuple{}}}) where T -> T { }
         fn g(f: typeof(+), n: N{3, -4}) { }",
        expect![[r#"
            abstract type Shape

            abstract type Tree{T, U <: Number} <: Shape

            struct Empty <: Shape { }

            struct Pair{A, B} { first: A, second: B, third }

            fn f() { }

            inline kernel fn +(a: Pair{T, T}, b) -> Int64 where T <: Number, U {
                a
            }

            noinline kernel fn !(xs: Vararg{Union{A, Tuple{}}}) -> T where T { }

            fn g(f: typeof(+), n: N{3, -4}) { }
        "#]],
    );
}

#[test]
fn statements() {
    check(
        "fn f(n) { var x=(1+2)*3; x=x; xs[i]=2; (a+b)[i]=1; while x<n { break;continue }
         for i in 0..n+1 {return} return (if a {b}) }",
        expect![[r#"
            fn f(n) {
                var x = (1 + 2) * 3
                x = x
                xs[i] = 2
                (a + b)[i] = 1
                while x < n {
                    break
                    continue
                }
                for i in 0..n + 1 {
                    return
                }
                return if a {
                    b
                }
            }
        "#]],
    );
}

#[test]
fn expressions() {
    check(
        "fn f(n) { a-(b-c)-(d+e)*f; (a==b)==c; -(-a); -(5); -5; (-5).x; (5)(a); -a.b; (-a).b
          (if a {b} else {c})+1; f(if a {b}); (P{A})(x); P{A}(x); f(P{A}); (P{A}).x
          (if a {b})(c); a&&(b||c)&&d; (a,(b,),()); (+)(a,b); (+)(a); (+)(a,b,c); (-)(5); (!)
          \"\\u{1}\\n\\\"é\"; 1e300; 1.0; 1e-7; 123456789.125 }",
        expect![[r#"
            fn f(n) {
                a - (b - c) - (d + e) * f
                (a == b) == c
                --a
                -(5)
                -5
                (-5).x
                (5)(a)
                -a.b
                (-a).b
                (if a {
                    b
                } else {
                    c
                }) + 1
                f(if a {
                    b
                })
                (P{A})(x)
                P{A}(x)
                f(P{A})
                (P{A}).x
                (if a {
                    b
                })(c)
                a && (b || c) && d
                (a, (b,), ())
                a + b
                (+)(a)
                (+)(a, b, c)
                -(5)
                (!)
                "\u{1}\n\"é"
                1e300
                1.0
                1e-7
                123456789.125
            }
        "#]],
    );
}

#[test]
fn conditions() {
    check(
        "fn f(n) { if (if a {b}) {c} else if d {e} else { if g {h}; i }
          while (P{A}) {}; while (P{A}).x == y {}; while P{A}(x) {}; for i in (P{A})..(if a {b}) {} }",
        expect![[r#"
            fn f(n) {
                if (if a {
                    b
                }) {
                    c
                } else if d {
                    e
                } else {
                    if g {
                        h
                    }
                    i
                }
                while (P{A}) { }
                while (P{A}).x == y { }
                while P{A}(x) { }
                for i in (P{A})..(if a {
                    b
                }) { }
            }
        "#]],
    );
}
