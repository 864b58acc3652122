//! Which recorded calls an edit can affect.

use crate::fixture::Fixture;
use worldage_dispatch::*;

/// The calls, by place in `calls`, that an edit of `sig` affects.
#[track_caller]
fn check(calls: &[&str], sig: &str, expected: &[u32]) {
    let fixture = Fixture::new();
    let mut index = CallIndex::new();
    for (call, args) in (0..).zip(calls) {
        index.insert(&fixture.types, fixture.args(args), call);
        index.insert(&fixture.types, fixture.args(args), call);
    }
    assert_eq!(index.len(), calls.len());
    assert_eq!(index.affected(&fixture.types, &fixture.sig(sig)), expected);
    for (call, args) in (0..).zip(calls) {
        assert!(index.remove(&fixture.types, fixture.args(args), call));
        assert!(!index.remove(&fixture.types, fixture.args(args), call));
        let left: Vec<u32> = expected
            .iter()
            .copied()
            .filter(|other| *other > call)
            .collect();
        assert_eq!(
            index.affected(&fixture.types, &fixture.sig(sig)),
            left,
            "after {call} is forgotten"
        );
    }
    assert!(index.is_empty());
}

const CALLS: [&str; 10] = [
    "Int64",
    "String",
    "Any",
    "Number",
    "Int64, String",
    "Union{Int64, String}",
    "",
    "Vararg{Int64}",
    "Tuple{Int64}",
    "Array{Int64}",
];

#[test]
fn calls_meet_signatures_above_below_and_beside() {
    check(&CALLS, "Int64", &[0, 2, 3, 5, 7]);
    check(&CALLS, "Number", &[0, 2, 3, 5, 7]);
    check(&CALLS, "Any", &[0, 1, 2, 3, 5, 7, 8, 9]);
    check(&CALLS, "Float64", &[2, 3]);
    check(&CALLS, "Tuple{Any}", &[2, 8]);
    check(&CALLS, "AbstractArray{T} where T <: Integer", &[2, 9]);
    check(&CALLS, "AbstractArray{T} where T <: String", &[2]);
    check(&CALLS, "", &[6, 7]);
    check(&CALLS, "Vararg{String}", &[1, 2, 5, 6, 7]);
    check(&CALLS, "Int64, Vararg{String}", &[0, 2, 3, 4, 5, 7]);
    check(&CALLS, "Any, Nothing", &[]);
}

#[test]
fn few_calls_need_no_index() {
    check(&CALLS[..4], "Int64", &[0, 2, 3]);
    check(&CALLS[4..], "Int64", &[1, 3]);
    check(&CALLS[4..], "Int64, Vararg{String}", &[0, 1, 3]);
    check(&CALLS[..1], "Any, Nothing", &[]);
}
