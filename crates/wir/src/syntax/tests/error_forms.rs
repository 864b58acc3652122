//! What wrong programs are told about single forms: literals, assignments, loops, definitions.

use expect_test::expect;

use super::errors::check;

#[test]
fn assignments() {
    check(
        "fn f(x) { x.a = 1; f(x) = 2; (x) = 3; x += 1; if x = 1 { } }",
        expect![[r#"
        t.wir:1:11: error[syntax]: this cannot be assigned
          |
        1 | fn f(x) { x.a = 1; f(x) = 2; (x) = 3; x += 1; if x = 1 { } }
          |           ^^^
          = hint: structs are values and do not change; make a new one with the constructor
        t.wir:1:20: error[syntax]: this cannot be assigned
          |
        1 | fn f(x) { x.a = 1; f(x) = 2; (x) = 3; x += 1; if x = 1 { } }
          |                    ^^^^
          = hint: a variable or an array element can be assigned; `==` compares
        t.wir:1:30: error[syntax]: this cannot be assigned
          |
        1 | fn f(x) { x.a = 1; f(x) = 2; (x) = 3; x += 1; if x = 1 { } }
          |                              ^^^
          = hint: a variable or an array element can be assigned; `==` compares
        t.wir:1:42: error[syntax]: expected an expression, found `=`
          |
        1 | fn f(x) { x.a = 1; f(x) = 2; (x) = 3; x += 1; if x = 1 { } }
          |                                          ^
          = hint: `+=` is no operator; write `x = x + …`
        t.wir:1:52: error[syntax]: expected `{` of a block, found `=`
          |
        1 | fn f(x) { x.a = 1; f(x) = 2; (x) = 3; x += 1; if x = 1 { } }
          |                                                    ^
          = hint: `=` assigns in a statement of its own; `==` compares
    "#]],
    );
    check(
        "fn f(x) { var y; var z: Int64 = 1 }",
        expect![[r#"
        t.wir:1:16: error[syntax]: expected `=`, found `;`
          |
        1 | fn f(x) { var y; var z: Int64 = 1 }
          |                ^
          = hint: `var` introduces a variable with a value: `var x = 0`
        t.wir:1:23: error[syntax]: expected `=`, found `:`
          |
        1 | fn f(x) { var y; var z: Int64 = 1 }
          |                       ^
          = hint: a variable takes the type of its value; convert the value instead, as in `var x = Float64(y)`
    "#]],
    );
    check(
        "fn f(x) { g(a = 1) }",
        expect![[r#"
            t.wir:1:15: error[syntax]: expected `,` or `)` of the call, found `=`
              |
            1 | fn f(x) { g(a = 1) }
              |               ^
            t.wir:1:12: note: opened here
              |
            1 | fn f(x) { g(a = 1) }
              |            ^
              = hint: `=` assigns in a statement of its own; `==` compares
        "#]],
    );
}

#[test]
fn numbers() {
    check(
        "fn f() { 1. + 2 }",
        expect![[r#"
        t.wir:1:11: error[syntax]: a number needs a digit after its point
          |
        1 | fn f() { 1. + 2 }
          |           ^
          = hint: write `1.0`; to take a field of a number, put the number in parentheses
    "#]],
    );
    check(
        "fn f() { .5 }\nfn g() { 1_ }\nfn h() { 0x }",
        expect![[r#"
            t.wir:1:10: error[syntax]: a number needs a digit before its point
              |
            1 | fn f() { .5 }
              |          ^^
              = hint: write `0.5` rather than `.5`
            t.wir:2:11: error[syntax]: an underscore in a number stands between two digits
              |
            2 | fn g() { 1_ }
              |           ^
              = hint: write for example `1_000`
            t.wir:3:10: error[syntax]: this number has no digits
              |
            3 | fn h() { 0x }
              |          ^^
              = hint: write for example `0xff`, `0o17` or `0b101`
        "#]],
    );
    check(
        "fn f() { 9223372036854775808; -(9223372036854775808) }",
        expect![[r#"
        t.wir:1:10: error[syntax]: this number is too large for Int64
          |
        1 | fn f() { 9223372036854775808; -(9223372036854775808) }
          |          ^^^^^^^^^^^^^^^^^^^
          = hint: integers go from -9223372036854775808 to 9223372036854775807; a Float64 has a point: `1.0e19`
        t.wir:1:33: error[syntax]: this number is too large for Int64
          |
        1 | fn f() { 9223372036854775808; -(9223372036854775808) }
          |                                 ^^^^^^^^^^^^^^^^^^^
          = hint: integers go from -9223372036854775808 to 9223372036854775807; a Float64 has a point: `1.0e19`
    "#]],
    );
    check(
        "fn f() { 1e999; 5x }",
        expect![[r#"
        t.wir:1:10: error[syntax]: this number is too large for Float64
          |
        1 | fn f() { 1e999; 5x }
          |          ^^^^^
          = hint: the largest is about 1.8e308; infinity is `1.0 / 0.0`
        t.wir:1:18: error[syntax]: `x` does not belong to a number
          |
        1 | fn f() { 1e999; 5x }
          |                  ^
          = hint: put a space or an operator after the number; other types are made by a conversion, such as `Float32(1.5)`
    "#]],
    );
}

#[test]
fn strings() {
    check(
        "fn f() {\n  print(\"abc)\n  1\n}\nfn g() { \"a\\qb\" }",
        expect![[r#"
            t.wir:2:9: error[syntax]: this string has no end
              |
            2 |   print("abc)
              |         ^^^^^
              = hint: a string ends with `"` on its own line; a line end in it is written `\n`
            t.wir:5:12: error[syntax]: `\q` is no escape
              |
            5 | fn g() { "a\qb" }
              |            ^^
              = hint: the escapes are `\n`, `\t`, `\"`, `\\` and `\u{…}`
        "#]],
    );
    check(
        "fn f() { \"\\u{d800}\" }",
        expect![[r#"
        t.wir:1:11: error[syntax]: this escape names no character
          |
        1 | fn f() { "\u{d800}" }
          |           ^^^^^^^^
          = hint: `\u{…}` holds one to six hexadecimal digits, such as `\u{e9}` for é
    "#]],
    );
    check(
        "fn f() { print('a') }",
        expect![[r#"
        t.wir:1:16: error[syntax]: unexpected character `'`
          |
        1 | fn f() { print('a') }
          |                ^
          = hint: strings stand in double quotes
    "#]],
    );
}

#[test]
fn control_characters_and_line_ends() {
    check(
        "fn f() { 1\0 }",
        expect![[r#"
        t.wir:1:11: error[syntax]: a control character (U+0000) in the program
          |
        1 | fn f() { 1␀ }
          |           ^
          = hint: is this a text file?
    "#]],
    );
    check(
        "fn f() {\r\n\tx y\r\n}\r\n",
        expect![[r#"
        t.wir:2:4: error[syntax]: expected the end of the statement, found `y`
          |
        2 |     x y
          |       ^
          = hint: statements stand on lines of their own or have `;` between
    "#]],
    );
}

#[test]
fn loops() {
    check(
        "fn f() { break }\nfn g() { while true { } continue }",
        expect![[r#"
        t.wir:1:10: error[syntax]: `break` outside of a loop
          |
        1 | fn f() { break }
          |          ^^^^^
          = hint: it ends or repeats a `while` or `for`; `return` leaves the method
        t.wir:2:25: error[syntax]: `continue` outside of a loop
          |
        2 | fn g() { while true { } continue }
          |                         ^^^^^^^^
          = hint: it ends or repeats a `while` or `for`; `return` leaves the method
    "#]],
    );
}

#[test]
fn definitions() {
    check(
        "x = 1\nvar y = 2\nfn f() { }",
        expect![[r#"
        t.wir:1:1: error[syntax]: expected `fn`, `struct` or `abstract type`, found `x`
          |
        1 | x = 1
          | ^
          = hint: statements stand in the body of a method, such as `fn main() { … }`
        defined: f
    "#]],
    );
    check(
        "fn f() { fn g() { } }",
        expect![[r#"
        t.wir:1:10: error[syntax]: expected a statement, found `fn`
          |
        1 | fn f() { fn g() { } }
          |          ^^
          = hint: definitions stand at the top of a file, outside of every block
    "#]],
    );
    check(
        "fn if() { }\nfn &&(a, b) { }\nfn f{T}(x: T) { }\nfn () { }",
        expect![[r#"
        t.wir:1:4: error[syntax]: expected the name of a function, found `if`
          |
        1 | fn if() { }
          |    ^^
          = hint: `if` is a keyword, so it cannot be a name
        t.wir:2:4: error[syntax]: expected the name of a function, found `&&`
          |
        2 | fn &&(a, b) { }
          |    ^^
          = hint: `&&` and `||` decide whether their right side runs, so no method can replace them
        t.wir:3:5: error[syntax]: expected `(` of the parameters, found `{`
          |
        3 | fn f{T}(x: T) { }
          |     ^
          = hint: type variables stand in a `where` clause: `fn f(x: T) where T { … }`
        t.wir:4:4: error[syntax]: expected the name of a function, found `(`
          |
        4 | fn () { }
          |    ^
    "#]],
    );
    check(
        "inline noinline fn f() { }\nkernel kernel fn f() { }",
        expect![[r#"
        t.wir:1:8: error[syntax]: expected `fn`, found `noinline`
          |
        1 | inline noinline fn f() { }
          |        ^^^^^^^^
          = hint: a method is `inline` or `noinline`, and `kernel` or not
        t.wir:2:8: error[syntax]: expected `fn`, found `kernel`
          |
        2 | kernel kernel fn f() { }
          |        ^^^^^^
          = hint: a method is `inline` or `noinline`, and `kernel` or not
    "#]],
    );
    check(
        "struct S\nstruct T { a: Int64 b: Int64 }",
        expect![[r#"
            t.wir:1:9: error[syntax]: expected `{`, found the end of the line
              |
            1 | struct S
              |         ^
              = hint: a struct has its fields in braces: `struct S { }` if it has none
            t.wir:2:21: error[syntax]: expected `,` or `}` of the fields, found `b`
              |
            2 | struct T { a: Int64 b: Int64 }
              |                     ^
            t.wir:2:10: note: opened here
              |
            2 | struct T { a: Int64 b: Int64 }
              |          ^
        "#]],
    );
    check(
        "fn f(x, y, x) { var a = 1; var a = 2 }\nstruct S{T, T} { a, a }",
        expect![[r#"
        t.wir:1:12: error[duplicate-definition]: the parameter `x` is defined twice
          |
        1 | fn f(x, y, x) { var a = 1; var a = 2 }
          |            ^
        t.wir:1:6: note: first defined here
          |
        1 | fn f(x, y, x) { var a = 1; var a = 2 }
          |      ^
        t.wir:1:28: error[duplicate-definition]: the variable `a` is defined twice
          |
        1 | fn f(x, y, x) { var a = 1; var a = 2 }
          |                            ^^^^^^^^^
        t.wir:1:17: note: first defined here
          |
        1 | fn f(x, y, x) { var a = 1; var a = 2 }
          |                 ^^^^^^^^^
        t.wir:2:13: error[duplicate-definition]: the type parameter `T` is defined twice
          |
        2 | struct S{T, T} { a, a }
          |             ^
        t.wir:2:10: note: first defined here
          |
        2 | struct S{T, T} { a, a }
          |          ^
        t.wir:2:21: error[duplicate-definition]: the field `a` is defined twice
          |
        2 | struct S{T, T} { a, a }
          |                     ^
        t.wir:2:18: note: first defined here
          |
        2 | struct S{T, T} { a, a }
          |                  ^
    "#]],
    );
    check(
        "fn f(x::Int64) { }\nfn g(x: 5) { }\nfn h(x: Array{1.5}) { }",
        expect![[r#"
            t.wir:1:8: error[syntax]: expected a type, found `:`
              |
            1 | fn f(x::Int64) { }
              |        ^
              = hint: a type is written after one colon: `x: T`
            t.wir:2:9: error[syntax]: expected a type, found `5`
              |
            2 | fn g(x: 5) { }
              |         ^
            t.wir:3:15: error[syntax]: expected a type, found `1.5`
              |
            3 | fn h(x: Array{1.5}) { }
              |               ^^^
        "#]],
    );
}

#[test]
fn expressions() {
    check(
        "fn f() { var x = [1] }",
        expect![[r#"
        t.wir:1:18: error[syntax]: expected an expression, found `[`
          |
        1 | fn f() { var x = [1] }
          |                  ^
          = hint: arrays are made by `array(T, n)`; tuples are written `(a, b)`
    "#]],
    );
    check(
        "fn f() { fold(+, xs) }",
        expect![[r#"
        t.wir:1:15: error[syntax]: expected an expression, found `+`
          |
        1 | fn f() { fold(+, xs) }
          |               ^
          = hint: to pass the operator as a function, write `(+)`
    "#]],
    );
    check(
        "fn f() { x = return; while }",
        expect![[r#"
        t.wir:1:14: error[syntax]: expected an expression, found `return`
          |
        1 | fn f() { x = return; while }
          |              ^^^^^^
          = hint: `return` is a keyword and has no value
        t.wir:1:28: error[syntax]: expected an expression, found `}`
          |
        1 | fn f() { x = return; while }
          |                            ^
    "#]],
    );
    check(
        "fn f() { a ^ b }\nfn g() { a ≤ b }",
        expect![[r#"
        t.wir:1:12: error[syntax]: unexpected character `^`
          |
        1 | fn f() { a ^ b }
          |            ^
          = hint: write `pow(a, b)` for a power and `xor(a, b)` for exclusive or
        t.wir:2:12: error[syntax]: unexpected character `≤`
          |
        2 | fn g() { a ≤ b }
          |            ^
          = hint: names begin with a letter or `_`
    "#]],
    );
}
