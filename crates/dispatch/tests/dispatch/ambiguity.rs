//! Definition-time ambiguities and the signatures that resolve them.

use expect_test::{Expect, expect};

use crate::fixture::{Fixture, NOW, define};
use worldage_dispatch::*;

/// The ambiguities that the last of `sigs` brings. What resolves one must be more specific than both.
#[track_caller]
fn check(sigs: &[&str], expected: Expect) {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let mut methods = define(&fixture, sigs);
    let new = fixture.sig(sigs[sigs.len() - 1]);
    let found = ambiguities(types, &methods, &new, NOW);
    let mut out = Vec::new();
    for ambiguity in &found {
        let Ambiguity { a, b, resolved_by } = ambiguity;
        out.push(format!(
            "{} and {}: define {}",
            a.0,
            b.0,
            display_sig(types, "f", resolved_by)
        ));
        for id in [a, b] {
            let sig = &methods.get(*id).unwrap().sig;
            assert!(
                more_specific(types, resolved_by, sig),
                "{out:?} is more specific than {}",
                id.0
            );
        }
    }
    expected.assert_eq(&out.join("\n"));
    for (ix, ambiguity) in (1000..).zip(found) {
        methods.insert(types, ambiguity.resolved_by, MethodId(ix), NOW);
    }
    assert_eq!(
        ambiguities(types, &methods, &new, NOW),
        [],
        "the advice resolves all"
    );
}

#[test]
fn crossed_methods() {
    check(
        &["Int64, Any", "Any, Int64"],
        expect!["1 and 0: define f(Int64, Int64)"],
    );
    check(&["Int64, Any", "Any, Any"], expect![""]);
    check(
        &["Int64, Any", "Any, String"],
        expect!["1 and 0: define f(Int64, String)"],
    );
    check(
        &["Union{Int64, String}", "Union{Int64, Nothing}"],
        expect!["1 and 0: define f(Int64)"],
    );
    check(
        &["Int64, Vararg{Any}", "Any, Int64, Vararg{Any}"],
        expect!["1 and 0: define f(Int64, Int64, Vararg{Any})"],
    );
}

#[test]
fn resolved_ambiguities_are_not_reported() {
    check(&["Int64, Any", "Int64, Int64", "Any, Int64"], expect![""]);
    check(
        &["Number, Any", "Int64, Int64", "Any, Int64"],
        expect!["2 and 0: define f(Number, Int64)"],
    );
    check(
        &[
            "Union{Int64, String}, Any",
            "Int64, Int64",
            "String, Int64",
            "Any, Int64",
        ],
        expect![""],
    );
}

#[test]
fn with_variables() {
    check(
        &["T, T where T <: Number", "Int64, Any"],
        expect!["1 and 0: define f(Int64, Int64)"],
    );
    check(
        &["T, T where T <: Number", "Integer, Any"],
        expect!["1 and 0: define f(T, T) where T <: Integer"],
    );
    check(
        &["Array{T}, Any where T", "Any, Array{T} where T"],
        expect!["1 and 0: define f(Array{T}, Array{T}) where T <: Any, T <: Any"],
    );
    check(
        &[
            "Array{T}, Any where T <: Number",
            "Array{Int64}, Vararg{Any}",
        ],
        expect![""],
    );
}

#[test]
fn three_way() {
    let fixture = Fixture::new();
    let sigs = [
        fixture.sig("Int64, Any, Any"),
        fixture.sig("Any, Int64, Any"),
        fixture.sig("Any, Any, String"),
    ];
    let sig = resolving_signature(&fixture.types, &[&sigs[0], &sigs[1], &sigs[2]]);
    expect!["f(Int64, Int64, String)"].assert_eq(&display_sig(&fixture.types, "f", &sig));
}
