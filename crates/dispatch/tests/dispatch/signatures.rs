//! Matching, bindings, subtyping and intersection of signatures with variables.

use expect_test::{Expect, expect};

use crate::fixture::Fixture;
use worldage_dispatch::*;

/// The static parameters of a call, or that it does not match.
#[track_caller]
fn check_match(sig: &str, args: &str, expected: Expect) {
    let fixture = Fixture::new();
    let (types, sig, args) = (&fixture.types, fixture.sig(sig), fixture.args(args));
    let shown = match sig_bindings(types, args, &sig) {
        None => "no match".to_owned(),
        Some(values) => {
            let each = values.iter().zip(sig.vars.iter());
            let each = each.map(|(value, var)| {
                format!(
                    "{} = {}",
                    types.symbol_str(var.name),
                    types.display_arg(*value)
                )
            });
            each.collect::<Vec<_>>().join(", ")
        }
    };
    assert_eq!(
        shown != "no match",
        sig_matches(types, args, &sig),
        "both agree whether it matches"
    );
    expected.assert_eq(&shown);
}

#[track_caller]
fn check_accepts(sig: &str, args: &str, accepted: bool) {
    let fixture = Fixture::new();
    assert_eq!(
        sig_matches(&fixture.types, fixture.args(args), &fixture.sig(sig)),
        accepted
    );
}

/// `a <: b`, and the other way round.
#[track_caller]
fn check_order(a: &str, b: &str, forward: bool, backward: bool) {
    let fixture = Fixture::new();
    let (types, a, b) = (&fixture.types, fixture.sig(a), fixture.sig(b));
    assert_eq!(
        (sig_subtype(types, &a, &b), sig_subtype(types, &b, &a)),
        (forward, backward)
    );
    assert_eq!(sig_equal(types, &a, &b), forward && backward);
}

#[track_caller]
fn check_intersection(sig: &str, args: &str, expected: Expect) {
    let fixture = Fixture::new();
    expected.assert_eq(&fixture.show(sig_intersect(
        &fixture.types,
        fixture.args(args),
        &fixture.sig(sig),
    )));
}

#[track_caller]
fn check_disjoint(a: &str, b: &str, disjoint: bool) {
    let fixture = Fixture::new();
    let (a, b) = (fixture.sig(a), fixture.sig(b));
    assert_eq!(sig_disjoint(&fixture.types, &a, &b), disjoint);
    assert_eq!(sig_disjoint(&fixture.types, &b, &a), disjoint);
}

#[test]
fn signatures_print_as_written() {
    let fixture = Fixture::new();
    let show = |name, text| display_sig(&fixture.types, name, &fixture.sig(text));
    expect!["f(Any, Vararg{Int64})"].assert_eq(&show("f", "Any, Vararg{Int64}"));
    expect!["g(T, T) where T <: Number"].assert_eq(&show("g", "T, T where T <: Number"));
    expect!["h(T, S) where T <: Any, S <: Array{T}"]
        .assert_eq(&show("h", "T, S where T, S <: Array{T}"));
    expect!["k()"].assert_eq(&show("k", ""));
}

#[test]
fn a_variable_used_once_is_its_bound() {
    check_match("T where T <: Number", "Int64", expect!["T = Int64"]);
    check_match("T where T <: Number", "String", expect!["no match"]);
    check_accepts("T where T <: Number", "Number", true);
    check_accepts("T where T <: Number", "Union{Int64, Float64}", true);
}

#[test]
fn a_diagonal_variable_is_one_concrete_type() {
    check_match(
        "T, T where T <: Number",
        "Int64, Int64",
        expect!["T = Int64"],
    );
    check_match(
        "T, T where T <: Number",
        "Int64, Float64",
        expect!["no match"],
    );
    check_match(
        "T, T where T <: Number",
        "String, String",
        expect!["no match"],
    );
    check_accepts("T, T where T", "Number, Number", false);
    check_accepts("T, T where T", "Union{Int64, String}, Int64", false);
    check_match(
        "Vararg{T} where T",
        "Int64, Int64, Int64",
        expect!["T = Int64"],
    );
    check_match("Vararg{T} where T", "Int64, String", expect!["no match"]);
    check_match("Vararg{T} where T <: Number", "", expect!["T = Number"]);
    check_accepts("Vararg{T} where T", "Number", true);
    check_accepts("Vararg{T} where T", "Vararg{Number}", false);
    check_accepts("Vararg{T} where T", "Vararg{Int64}", true);
    check_match(
        "Tuple{T, Int64}, T where T",
        "Tuple{String, Int64}, String",
        expect!["T = String"],
    );
}

#[test]
fn an_invariant_place_fixes_a_variable() {
    check_match(
        "Array{T}, T where T",
        "Array{Number}, Int64",
        expect!["T = Number"],
    );
    check_match(
        "T, Array{T} where T",
        "Int64, Array{Number}",
        expect!["T = Number"],
    );
    check_match(
        "Array{T}, T where T",
        "Array{Int64}, Number*",
        expect!["no match"],
    );
    check_match(
        "Array{T}, T, T where T",
        "Array{Number}, Int64, Float64",
        expect!["T = Number"],
    );
    check_match(
        "Array{T} where T <: Integer",
        "Array{Number}",
        expect!["no match"],
    );
    check_match(
        "AbstractArray{T} where T",
        "Box{Int64}",
        expect!["T = Array{Int64}"],
    );
    check_match(
        "AbstractArray{Array{T}} where T",
        "Box{Int64}",
        expect!["T = Int64"],
    );
    check_match(
        "Pair{T, T} where T",
        "Pair{Int64, Number}",
        expect!["no match"],
    );
    check_match("Pair{N, Any} where N", "Pair{3, Any}", expect!["N = 3"]);
    check_match(
        "Pair{N, Any} where N <: Number",
        "Pair{3, Any}",
        expect!["no match"],
    );
    check_accepts(
        "Array{T} where T",
        "Union{Array{Int64}, Array{String}}",
        true,
    );
    check_accepts(
        "Array{T}, Array{T} where T",
        "Union{Array{Int64}, Array{String}}, Array{Int64}",
        false,
    );
}

#[test]
fn bounds_mention_earlier_variables() {
    check_match(
        "S where T, S <: Array{T}",
        "Array{Int64}",
        expect!["T = Int64, S = Array{Int64}"],
    );
    check_match(
        "S, T where T, S <: Array{T}",
        "Array{Number}, Int64",
        expect!["T = Number, S = Array{Number}"],
    );
    check_match(
        "S, T where T, S <: Array{T}",
        "Array{Int64}, String",
        expect!["no match"],
    );
    check_match(
        "S, S where T <: Number, S <: Array{T}",
        "Array{Int64}, Array{Int64}",
        expect!["T = Int64, S = Array{Int64}"],
    );
    check_match(
        "S, S where T <: Number, S <: Array{T}",
        "Array{String}, Array{String}",
        expect!["no match"],
    );
}

#[test]
fn unions_with_variables_are_searched() {
    check_match(
        "Union{T, Nothing}, Array{T} where T",
        "Nothing, Array{Int64}",
        expect!["T = Int64"],
    );
    check_match(
        "Union{Array{T}, Pair{T, Any}}, T where T",
        "Pair{Int64, Any}, Int64",
        expect!["T = Int64"],
    );
    check_match(
        "Union{Array{T}, Nothing} where T <: Number",
        "Nothing",
        expect!["T = Number"],
    );
    check_match(
        "Array{Union{T, Nothing}} where T",
        "Array{Union{Int64, Nothing}}",
        expect!["T = Int64"],
    );
    check_match(
        "Array{Union{T, Nothing}} where T",
        "Array{Union{Int64, String}}",
        expect!["no match"],
    );
    check_match(
        "Union{Pair{A, B}, Pair{B, A}}, A, Array{B} where A, B",
        "Pair{Int64, String}, Nothing, Array{Int64}",
        expect!["no match"],
    );
    check_match(
        "Union{Pair{A, B}, Pair{B, A}}, Array{A}, Array{B} where A, B",
        "Pair{Int64, String}, Array{String}, Array{Int64}",
        expect!["A = String, B = Int64"],
    );
}

#[test]
fn subtypes_of_signatures() {
    check_order("T where T <: Number", "Number", true, true);
    check_order("T, T where T", "Any, Any", true, false);
    check_order("T, T where T <: Number", "T, T where T", true, false);
    check_order("T, T where T <: Number", "Number, Number", true, false);
    check_order("Int64, Int64", "T, T where T", true, false);
    check_order("T, T where T <: Int64", "Int64, Int64", true, true);
    check_order("T, T where T", "Vararg{T} where T", true, false);
    check_order("Array{Int64}", "Array{T} where T <: Number", true, false);
    check_order("Array{T}, T where T", "Array{S}, S where S", true, true);
    check_order(
        "Array{T}, T where T <: Number",
        "Array{T}, Number where T",
        true,
        false,
    );
    check_order("T, S where T, S", "Any, Any", true, true);
    check_order(
        "Array{T}, Array{T} where T",
        "Array{T}, Array{S} where T, S",
        true,
        false,
    );
    check_order(
        "Array{T}, Array{S} where T, S <: T",
        "Array{T}, Array{S} where T, S",
        true,
        false,
    );
    check_order(
        "Box{T} where T",
        "AbstractArray{Array{T}} where T",
        true,
        false,
    );
    check_order("Any, Vararg{Any}", "Vararg{Any}", true, false);
}

#[test]
fn intersections_with_variables() {
    check_intersection(
        "T, T where T",
        "Union{Int64, String}, Int64",
        expect!["Tuple{Int64, Int64}"],
    );
    check_intersection(
        "T, T where T",
        "Union{Int64, String}, Union{Int64, String}",
        expect!["Union{Tuple{Int64, Int64}, Tuple{String, String}}"],
    );
    check_intersection(
        "T, T where T",
        "Number, Any",
        expect!["Tuple{Number, Number}"],
    );
    check_intersection("T, T where T", "Number, String", expect!["Union{}"]);
    check_intersection("T, T where T", "Int64, Any", expect!["Tuple{Int64, Int64}"]);
    // Fixed by an invariant use, even where the tail that has it is empty.
    check_intersection(
        "T, T, Vararg{Array{T}} where T",
        "Int64, String, Vararg{Any}",
        expect!["Tuple{Int64, String, Vararg{Any}}"],
    );
    check_intersection(
        "Array{T}, T where T",
        "Any, Number",
        expect!["Tuple{Any, Number}"],
    );
    check_intersection(
        "Array{T}, T where T",
        "Array{Int64}, Any",
        expect!["Tuple{Array{Int64}, Int64}"],
    );
    check_intersection(
        "Array{T}, T where T",
        "AbstractArray{Int64}, Any",
        expect!["Tuple{Array{Int64}, Int64}"],
    );
    check_intersection(
        "Array{T} where T <: Number",
        "Union{Array{Int64}, Array{String}, Nothing}",
        expect!["Tuple{Array{Int64}}"],
    );
    check_intersection(
        "T, String where T <: Number",
        "Any, Any",
        expect!["Tuple{Number, String}"],
    );
    check_intersection(
        "Array{T}, Array{T} where T",
        "Array{Int64}, Array{String}",
        expect!["Union{}"],
    );
}

#[test]
fn disjoint_signatures() {
    check_disjoint("T, T where T", "Int64, String", true);
    check_disjoint("T, T where T", "Number, Any", false);
    check_disjoint(
        "T, T where T <: Number",
        "S, S where S <: Array{Int64}",
        true,
    );
    check_disjoint(
        "Array{T}, T where T",
        "Array{Int64}, S where S <: Number",
        false,
    );
    check_disjoint("Array{T}, T where T", "Array{Int64}, String", true);
    check_disjoint(
        "Array{T} where T <: Number",
        "Array{T} where T <: Array{Any}",
        false,
    );
    check_disjoint("Int64, Vararg{Int64}", "Int64", false);
    check_disjoint("Int64, Int64, Vararg{Int64}", "Int64", true);
    check_disjoint(
        "Pair{T, Array{T}} where T",
        "Pair{Array{S}, S} where S",
        true,
    );
}
