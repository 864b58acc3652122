//! Which of two signatures is more specific.

use crate::fixture::Fixture;
use worldage_dispatch::*;

#[derive(Debug, PartialEq)]
enum Winner {
    First,
    Neither,
}

#[track_caller]
fn check(a: &str, b: &str, winner: Winner) {
    let fixture = Fixture::new();
    let (types, a, b) = (&fixture.types, fixture.sig(a), fixture.sig(b));
    let expected = (winner == Winner::First, false);
    assert_eq!(
        (more_specific(types, &a, &b), more_specific(types, &b, &a)),
        expected
    );
}

#[test]
fn a_strict_subtype_wins() {
    check("Int64", "Number", Winner::First);
    check("Int64, Int64", "Int64, Any", Winner::First);
    check("Int64", "Vararg{Any}", Winner::First);
    check("T, T where T", "Any, Any", Winner::First);
    check("Array{Int64}", "Array{T} where T", Winner::First);
    check("T, T where T <: Number", "T, T where T", Winner::First);
    check("Tuple{Int64}", "Tuple{Vararg{Int64}}", Winner::First);
}

#[test]
fn type_equal_signatures_tie() {
    check("T where T", "Any", Winner::Neither);
    check(
        "Array{T}, T where T",
        "Array{S}, S where S",
        Winner::Neither,
    );
}

#[test]
fn crossed_signatures_tie() {
    check("Int64, Any", "Any, Int64", Winner::Neither);
    check("Int64, Number", "Number, Int64", Winner::Neither);
    check(
        "Union{Int64, String}",
        "Union{Int64, Nothing}",
        Winner::Neither,
    );
    check(
        "Union{Int64, String}, Int64",
        "Union{Int64, Nothing}, Any",
        Winner::Neither,
    );
}

#[test]
fn disjoint_signatures_tie() {
    check("Int64, Int64", "String, Any", Winner::Neither);
    check("Int64, Int64", "Any, Any, Any", Winner::Neither);
    check(
        "Array{Int64}, Int64",
        "Array{T}, Any where T <: String",
        Winner::Neither,
    );
}

#[test]
fn parameters_decide_one_by_one_where_no_subtype_does() {
    // The Vararg accepts more calls, but its parameters are narrower or equal.
    check("Int64, Vararg{Any}", "Any, Any", Winner::First);
    check("Int64, Vararg{Number}", "Number, Number", Winner::First);
    check("Int64, Vararg{Any}", "Any, Int64", Winner::Neither);
    check(
        "Array{T}, T where T <: Number",
        "Array{T}, Any where T <: Integer",
        Winner::Neither,
    );
    check(
        "Array{T}, Int64 where T",
        "Array{T}, T where T",
        Winner::First,
    );
    check(
        "Number, T, T where T",
        "Any, Any, Vararg{Any}",
        Winner::First,
    );
}

#[test]
fn a_variable_counts_as_its_bound() {
    check(
        "T, T, Int64 where T <: Number",
        "Number, Number, Number",
        Winner::First,
    );
    check("Int64, Any", "T, T where T", Winner::Neither);
    check("Int64, Number", "T, T where T <: Number", Winner::First);
    check(
        "S, S, T, T where S, T",
        "Any, Any, T, T where T",
        Winner::First,
    );
    // Unbounded, it is still narrower than Any.
    check("T, Vararg{T} where T", "Any, Any", Winner::First);
    check("Int64, Any, Any", "T, T, Any where T", Winner::Neither);
}

#[test]
fn fixed_arity_beats_vararg_and_then_diagonal_beats_the_rest() {
    check(
        "Number, Number",
        "T, Vararg{T} where T <: Number",
        Winner::First,
    );
    check(
        "Array{T}, Array{S} where T, S",
        "Array{T}, Vararg{Array{T}} where T",
        Winner::First,
    );
    check(
        "T, T, Array{S} where T <: Number, S",
        "Number, Number, Array{S} where S",
        Winner::First,
    );
    check(
        "T, T, Array{A}, Array{B} where T <: Number, A, B",
        "Number, Number, Array{A}, Array{A} where A",
        Winner::First,
    );
    check(
        "Array{T}, T where T",
        "Array{T}, Any where T",
        Winner::First,
    );
}

#[test]
fn the_relation_is_not_transitive() {
    check("Int64, Vararg{Any}", "Any, Any", Winner::First);
    check("Any, Any", "Vararg{Any}", Winner::First);
    check("Int64, Vararg{Any}", "Vararg{Any}", Winner::First);
    let (a, b, c) = (
        "Tuple{Int64}, Vararg{Any}",
        "Any, Any",
        "Vararg{Union{Tuple{Int64}, Tuple{String}, Number}}",
    );
    check(a, b, Winner::First);
    check(c, b, Winner::First);
    check(a, c, Winner::Neither);
}
