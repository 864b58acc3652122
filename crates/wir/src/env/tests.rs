//! Resolving types and signatures.

use super::{TypeDef, TypeScope, TypeTable, resolve_sig};
use crate::ast::{ItemKind, MethodDef};
use crate::diag::Sources;
use crate::universe::Universe;
use expect_test::{Expect, expect};
use std::sync::Arc;
use worldage_dispatch::display_sig;

fn parse(text: &str) -> (Vec<TypeDef>, Vec<Arc<MethodDef>>) {
    let mut sources = Sources::new();
    let file = sources.add("test.wir", text);
    let parsed = crate::syntax::parse_file(&sources, file);
    // Names that are introduced twice are found by the parser too.
    let syntax = parsed
        .diagnostics
        .iter()
        .find(|d| d.code == crate::diag::Code::Syntax);
    assert!(syntax.is_none(), "{syntax:?}");
    let (mut types, mut methods) = (Vec::new(), Vec::new());
    for item in parsed.file.items {
        match item.kind {
            ItemKind::Abstract(def) => types.push(TypeDef::Abstract(def)),
            ItemKind::Struct(def) => types.push(TypeDef::Struct(def)),
            ItemKind::Method(def) => methods.push(def),
        }
    }
    (types, methods)
}

/// Prints every signature, or what is wrong.
#[track_caller]
fn check(text: &str, expected: Expect) {
    let u = Universe::new();
    let (types, methods) = parse(text);
    let mut out = String::new();
    match TypeTable::resolve(&u, &types) {
        Err(error) => {
            let (name, error) = (error.name, error.error);
            out = format!("{name}: {}: {}\n", error.code, error.message);
        }
        Ok(table) => {
            let mut names: Vec<_> = table.iter().collect();
            names.sort();
            for (name, decl) in names {
                if let Some(sig) = u
                    .struct_info(decl)
                    .and_then(|info| info.constructor.clone())
                {
                    out += &format!("new {}\n", display_sig(u.types(), name, &sig));
                }
            }
            for def in methods {
                match resolve_sig(&u, &table, &def) {
                    Ok(sig) => out += &format!("{}\n", display_sig(u.types(), &def.name, &sig)),
                    Err(error) => out += &format!("{}: {}\n", error.code, error.message),
                }
            }
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn signatures() {
    check(
        "abstract type Shape
         struct Pair{A, B <: Number} <: Shape { a: A, b: B }
         struct Node { next: Union{Node, Nothing}, rest }
         struct Phantom{T} {}
         fn f(x, y: Shape) { x }
         fn g(a: Pair{T, T}, b: T) where T <: Number { a }
         fn h(a: Int64, xs: Vararg{Union{Bool, Int8}}) { a }
         fn i(t: Tuple{Int64, Vararg{String}}, u: Tuple, xs: Vararg{Int64, 2}) { a }
         fn j(x: T, y: Array{U}) where T, U <: Array{T} { x }
         fn k(x: Union{}) { x }",
        expect![[r#"
            new Node(Union{Node, Nothing}, Any)
            new Pair(A, B) where A <: Any, B <: Number
            f(Any, Shape)
            g(Pair{T, T}, T) where T <: Number
            h(Int64, Vararg{Union{Bool, Int8}})
            i(Tuple{Int64, Vararg{String}}, Tuple{Vararg{Any}}, Int64, Int64)
            j(T, Array{U}) where T <: Any, U <: Array{T}
            type-mismatch: parameter 1 has the empty type: the method could never be called
        "#]],
    );
}

#[test]
fn wrong_signatures() {
    check(
        "struct P{T <: Number} { x: T }
         fn f(x: Nope) { x }
         fn f(x: int64) { x }
         fn f(x: P) { x }
         fn f(x: P{String}) { x }
         fn f(x: Int64{Int64}) { x }
         fn f(x: T{Int64}) where T { x }
         fn f(x, x) { x }
         fn f(x) where T, T { x }
         fn f(x: Vararg{Int64}, y) { x }
         fn f(x: Tuple{Int64, 3}) { x }
         fn f(x: T) where T <: U, U { x }",
        expect![[r#"
            new P(T) where T <: Number
            unknown-type: the type `Nope` is not defined
            unknown-type: the type `int64` is not defined
            type-mismatch: `P` takes 1 type arguments, 0 were given
            type-mismatch: `String` is not a valid argument for `T` of `P`: it must be a subtype of `Number`
            type-mismatch: `Int64` takes 0 type arguments, 1 were given
            type-mismatch: `T` takes no type arguments
            type-mismatch: `Vararg` stands only as the type of the last parameter, or last in a `Tuple`
            type-mismatch: `3` is not a type
            unknown-type: the type `U` is not defined
        "#]],
    );
}

#[test]
fn definitions_in_any_order() {
    check(
        "struct A <: S { b: Array{B} }
         struct B <: S { a: A }
         abstract type S <: Number",
        expect![[r#"
            new A(Array{B})
            new B(A)
        "#]],
    );
}

#[test]
fn wrong_types() {
    check(
        "struct A { a: A }",
        expect![[r#"
        A: type-mismatch: a `A` would contain itself in field `a`
    "#]],
    );
    check(
        "struct A { b: Tuple{Int64, B} }; struct B { a: A }",
        expect![[r#"
        A: type-mismatch: a `A` would contain itself in field `b`
    "#]],
    );
    check(
        "struct Box{T} { x: T }; struct A { b: Box{A} }",
        expect![[r#"
        A: type-mismatch: a `A` would contain itself in field `b`
    "#]],
    );
    check(
        "struct P{T} { x: Box{P{P{T}}} }; struct Box{T} { x: T }",
        expect![[r#"
        P: type-mismatch: a `P` would contain itself in field `x`
    "#]],
    );
    check(
        "struct Ghost{T} {}; struct A { b: Ghost{A} }",
        expect![[r#"
        new A(Ghost{A})
    "#]],
    );
    check(
        "struct Box{T} { x: T }; struct A { b: Box{Box{Int64}} }",
        expect![[r#"
        new A(Box{Box{Int64}})
        new Box(T) where T <: Any
    "#]],
    );
    check(
        "abstract type A <: B; abstract type B <: A",
        expect![[r#"
        A: type-mismatch: `A` needs itself as its own supertype or bound
    "#]],
    );
    check(
        "struct A <: Int64 {}",
        expect![[r#"
        A: type-mismatch: `A` cannot stand under the concrete type `Int64`: make `Int64` abstract
    "#]],
    );
    check(
        "struct Number {}",
        expect![[r#"
        Number: duplicate-definition: the type `Number` is built in
    "#]],
    );
    check(
        "struct A { x: Nope }",
        expect![[r#"
        A: unknown-type: the type `Nope` is not defined
    "#]],
    );
}

#[test]
fn declarations_are_a_function_of_the_definitions() {
    let u = Universe::new();
    let resolve = |text: &str| TypeTable::resolve(&u, &parse(text).0).expect("resolves");
    let first = resolve("struct A { x: Int64 }; struct B { a: A }; struct C { y: Int64 }");
    let second = resolve("struct C { y: Int64 }; struct A { x: Float64 }; struct B { a: A }");
    let third = resolve("struct B { a: A }\nstruct A { x: Int64 }");
    assert_ne!(first.decl("A"), second.decl("A"), "another definition");
    assert_ne!(first.decl("B"), second.decl("B"), "a part changed");
    assert_eq!(first.decl("C"), second.decl("C"), "untouched");
    assert_eq!(first.decl("A"), third.decl("A"), "taken back");
    assert_eq!(first.decl("B"), third.decl("B"), "taken back");
}
