//! Printing, normal forms, subtyping and intersection of closed types.

use expect_test::{Expect, expect};

use crate::fixture::Fixture;
use worldage_dispatch::*;

#[track_caller]
fn check_display(text: &str, expected: Expect) {
    let fixture = Fixture::new();
    expected.assert_eq(&fixture.show(fixture.ty(text)));
}

/// `a <: b`, and the other way round.
#[track_caller]
fn check_order(a: &str, b: &str, forward: bool, backward: bool) {
    let fixture = Fixture::new();
    let (a, b) = (fixture.ty(a), fixture.ty(b));
    let types = &fixture.types;
    assert_eq!(
        (types.subtype(a, b), types.subtype(b, a)),
        (forward, backward)
    );
}

#[track_caller]
fn check_intersection(a: &str, b: &str, expected: Expect) {
    let fixture = Fixture::new();
    let (a, b) = (fixture.ty(a), fixture.ty(b));
    let there = fixture.types.intersect(a, b);
    assert!(
        fixture
            .types
            .type_equal(there, fixture.types.intersect(b, a)),
        "symmetric"
    );
    expected.assert_eq(&fixture.show(there));
}

#[track_caller]
fn check_error(result: Result<impl Sized, TypeError>, expected: Expect) {
    expected.assert_eq(&result.err().expect("an error").to_string());
}

#[test]
fn types_print_as_written() {
    check_display(
        "Pair{Int64, Union{Nothing, Array{Any}}}",
        expect!["Pair{Int64, Union{Array{Any}, Nothing}}"],
    );
    check_display(
        "Tuple{Int64, Vararg{String}}",
        expect!["Tuple{Int64, Vararg{String}}"],
    );
    check_display("Tuple{}", expect!["Tuple{}"]);
    check_display("Union{}", expect!["Union{}"]);
    check_display("Pair{3, :metre}", expect!["Pair{3, :metre}"]);
}

#[test]
fn unions_are_flat_without_redundancy_and_ordered_by_name() {
    check_display(
        "Union{String, Union{Nothing, Int64}}",
        expect!["Union{Int64, Nothing, String}"],
    );
    check_display(
        "Union{String, Int64, Number, Integer}",
        expect!["Union{Number, String}"],
    );
    check_display("Union{Int64, Int64}", expect!["Int64"]);
    check_display("Union{Int64, Any}", expect!["Any"]);
    check_display(
        "Union{Tuple{Int64}, Tuple{Number}}",
        expect!["Tuple{Number}"],
    );
    check_display(
        "Union{Array{Int64}, AbstractArray{Int64}}",
        expect!["AbstractArray{Int64}"],
    );
    check_display(
        "Union{Array{Union{Tuple{Int64}, Tuple{String}}}, Array{Tuple{Union{Int64, String}}}}",
        expect!["Array{Tuple{Union{Int64, String}}}"],
    );
}

#[test]
fn empty_parts_make_a_tuple_empty_or_shorter() {
    check_display("Tuple{Int64, Union{}}", expect!["Union{}"]);
    check_display("Tuple{Int64, Vararg{Union{}}}", expect!["Tuple{Int64}"]);
    check_display("Array{Union{}}", expect!["Array{Union{}}"]);
}

#[test]
fn nominal_types_follow_their_declarations() {
    check_order("Int64", "Number", true, false);
    check_order("Int64", "String", false, false);
    check_order("Array{Int64}", "AbstractArray{Int64}", true, false);
    check_order("Array{Int64}", "Array{Number}", false, false);
    check_order("Box{Int64}", "AbstractArray{Array{Int64}}", true, false);
    check_order("Union{}", "Int64", true, false);
    check_order("Pair{1, Any}", "Pair{2, Any}", false, false);
}

#[test]
fn tuples_are_covariant() {
    check_order("Tuple{Int64, String}", "Tuple{Number, Any}", true, false);
    check_order("Tuple{Int64}", "Tuple{Int64, Int64}", false, false);
    check_order(
        "Tuple{Int64, Int64}",
        "Tuple{Int64, Vararg{Number}}",
        true,
        false,
    );
    check_order(
        "Tuple{Int64, Vararg{Int64}}",
        "Tuple{Vararg{Int64}}",
        true,
        false,
    );
    check_order("Tuple{Vararg{Int64}}", "Tuple{Int64}", false, true);
    check_order("Tuple{}", "Tuple{Vararg{Int64}}", true, false);
}

#[test]
fn tuples_distribute_over_unions() {
    check_order(
        "Tuple{Union{Int64, String}}",
        "Union{Tuple{Int64}, Tuple{String}}",
        true,
        true,
    );
    check_order(
        "Tuple{Union{Int64, String}, Union{Int64, String}}",
        "Union{Tuple{Int64, Any}, Tuple{Any, String}}",
        false,
        false,
    );
    check_order(
        "Tuple{Union{Int64, String}, Union{Int64, String}}",
        "Union{Tuple{Int64, Any}, Tuple{String, Int64}, Tuple{Any, String}}",
        true,
        false,
    );
    check_order(
        "Array{Tuple{Union{Int64, String}}}",
        "Array{Union{Tuple{Int64}, Tuple{String}}}",
        true,
        true,
    );
    check_order(
        "Tuple{Tuple{Union{Int64, String}}, Int64}",
        "Union{Tuple{Tuple{Int64}, Number}, Tuple{Tuple{String}, Int64}}",
        true,
        false,
    );
    // An abstract type has more values than the subtypes declared so far.
    check_order(
        "Tuple{Integer}",
        "Union{Tuple{Int64}, Tuple{Int32}}",
        false,
        true,
    );
}

#[test]
fn tails_are_split_by_length() {
    check_order(
        "Tuple{Vararg{Int64}}",
        "Union{Tuple{}, Tuple{Int64, Vararg{Int64}}}",
        true,
        true,
    );
    check_order(
        "Tuple{Vararg{Int64}}",
        "Union{Tuple{}, Tuple{Int64}, Tuple{Int64, Int64, Vararg{Number}}}",
        true,
        false,
    );
    check_order(
        "Tuple{Vararg{Int64}}",
        "Union{Tuple{}, Tuple{Int64, Int64, Vararg{Int64}}}",
        false,
        true,
    );
    check_order(
        "Tuple{Vararg{Union{Int64, String}}}",
        "Union{Tuple{Vararg{Int64}}, Tuple{Vararg{String}}}",
        false,
        true,
    );
    check_order(
        "Tuple{Tuple{Vararg{Int64}}}",
        "Union{Tuple{Tuple{}}, Tuple{Tuple{Int64, Vararg{Any}}}}",
        true,
        false,
    );
}

#[test]
fn intersections() {
    check_intersection("Number", "Int64", expect!["Int64"]);
    check_intersection("Number", "String", expect!["Union{}"]);
    check_intersection(
        "Union{Int64, String}",
        "Union{Number, Nothing}",
        expect!["Int64"],
    );
    check_intersection(
        "Tuple{Number, Any}",
        "Tuple{Any, String}",
        expect!["Tuple{Number, String}"],
    );
    check_intersection(
        "Tuple{Vararg{Number}}",
        "Tuple{Any, Int64, Vararg{Any}}",
        expect!["Tuple{Number, Int64, Vararg{Number}}"],
    );
    check_intersection(
        "Tuple{Vararg{Int64}}",
        "Tuple{Vararg{String}}",
        expect!["Tuple{}"],
    );
    check_intersection("Array{Int64}", "AbstractArray{Number}", expect!["Union{}"]);
    check_intersection(
        "Array{Int64}",
        "AbstractArray{Int64}",
        expect!["Array{Int64}"],
    );
    check_intersection(
        "Union{Tuple{Int64, Any}, Tuple{String, Any}}",
        "Union{Tuple{Any, Int64}, Tuple{Any, Nothing}}",
        expect![
            "Union{Tuple{Int64, Int64}, Tuple{Int64, Nothing}, Tuple{String, Int64}, Tuple{String, Nothing}}"
        ],
    );
}

#[test]
fn concreteness_is_of_one_exact_type() {
    let fixture = Fixture::new();
    let concrete = |text| fixture.types.is_concrete(fixture.ty(text));
    assert!(concrete("Int64") && concrete("Array{Any}") && concrete("Tuple{Int64, Tuple{}}"));
    assert!(!concrete("Number") && !concrete("Tuple{Number}") && !concrete("Tuple{Vararg{Int64}}"));
    assert!(!concrete("Union{Int64, String}") && !concrete("Any") && !concrete("Union{}"));
}

#[test]
fn joins_are_limited() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.ty("Union{Int64, String}"), fixture.ty("Nothing"));
    assert_eq!(
        fixture.show(fixture.types.join(a, b, 3)),
        "Union{Int64, Nothing, String}"
    );
    assert_eq!(fixture.types.join(a, b, 2), Ty::ANY);
}

#[test]
fn wrong_types_are_explained() {
    let mut fixture = Fixture::new();
    let int = fixture.ty("Int64");
    let string = fixture.ty("String");
    let decl = |fixture: &Fixture, text| match fixture.types.kind(fixture.ty(text)) {
        TyKind::Nominal { decl, .. } => *decl,
        _ => panic!("nominal"),
    };
    let (array, boxed) = (decl(&fixture, "Array{Any}"), decl(&fixture, "Box{Int64}"));
    check_error(
        fixture.types.nominal(array, &[]),
        expect!["`Array` takes 1 type arguments, 0 were given"],
    );
    check_error(
        fixture.types.nominal(boxed, &[Arg::Ty(string)]),
        expect![
            "`String` is not a valid argument for `T` of `Box`: it must be a subtype of `Number`"
        ],
    );
    check_error(
        fixture.types.nominal(boxed, &[Arg::Int(3)]),
        expect!["`3` is not a valid argument for `T` of `Box`: it must be a subtype of `Number`"],
    );
    check_error(
        fixture.declare(false, "Odd <: Int64"),
        expect!["`Odd` cannot stand under the concrete type `Int64`: make `Int64` abstract"],
    );
    check_error(
        fixture.declare(false, "Odd <: Union{Int64, String}"),
        expect![
            "`Odd` cannot stand under `Union{Int64, String}`: a supertype is a declared abstract type or Any"
        ],
    );
    check_error(
        Sig::new(&fixture.types, &[int, Ty::BOTTOM], None, vec![]),
        expect!["parameter 2 has the empty type: the method could never be called"],
    );
    check_error(
        Sig::new(&fixture.types, &[fixture.types.var(0)], None, vec![]),
        expect!["type variable number 0 is not in scope: 0 are declared before this place"],
    );
}

#[test]
fn a_redefinition_is_another_type() {
    let mut fixture = Fixture::new();
    let old = fixture.ty("Tuple{Int64}");
    fixture.declare(false, "Int64 <: Integer").unwrap();
    let new = fixture.ty("Tuple{Int64}");
    assert_ne!(old, new);
    assert!(!fixture.types.subtype(old, new) && !fixture.types.overlaps(old, new));
    assert_eq!(
        fixture.show(fixture.types.union(&[old, new])),
        "Union{Tuple{Int64}, Tuple{Int64}}"
    );
}

#[test]
fn threads_agree_on_handles() {
    let fixture = Fixture::new();
    let build = || -> Vec<Ty> {
        (0..500)
            .map(|ix| {
                let inner = fixture.ty(&format!("Pair{{{ix}, :s{ix}}}"));
                fixture
                    .types
                    .tuple(&[inner, fixture.ty("Array{Tuple{Int64}}")])
            })
            .collect()
    };
    let built: Vec<Vec<Ty>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(build)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(built.windows(2).all(|pair| pair[0] == pair[1]));
}
