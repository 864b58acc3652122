//! Calls with abstract arguments.

use expect_test::{Expect, expect};

use crate::fixture::{Fixture, NOW, define};
use worldage_dispatch::*;

fn show(fixture: &Fixture, answer: &Matches) -> String {
    let Matches::Matches {
        matches,
        covered,
        ambiguous,
    } = answer
    else {
        return "too many".to_owned();
    };
    let mut out = String::new();
    for m in matches {
        out += &format!(
            "{} {}{}\n",
            m.method.0,
            fixture.show(m.args),
            if m.covers { " covers" } else { "" }
        );
    }
    out += if *covered { "covered" } else { "partial" };
    out += if *ambiguous { ", ambiguous" } else { "" };
    out
}

#[track_caller]
fn check(sigs: &[&str], args: &str, expected: Expect) {
    check_stack(&[], sigs, args, expected);
}

/// Numbers of the overlay's methods go on after those of the base.
#[track_caller]
fn check_stack(overlay: &[&str], base: &[&str], args: &str, expected: Expect) {
    let fixture = Fixture::new();
    let base_methods = define(&fixture, base);
    let mut top = Methods::new();
    for (ix, sig) in (base.len() as u32..).zip(overlay) {
        top.insert(&fixture.types, fixture.sig(sig), MethodId(ix), World(1));
    }
    let answer = find_all(
        &fixture.types,
        &[&top, &base_methods],
        fixture.args(args),
        4,
        NOW,
    );
    expected.assert_eq(&show(&fixture, &answer));
}

#[test]
fn matches_come_most_specific_first() {
    check(
        &["Any", "Number", "Int64"],
        "Any",
        expect![[r#"
        2 Tuple{Int64}
        1 Tuple{Number}
        0 Tuple{Any} covers
        covered"#]],
    );
    check(
        &["Int64", "String"],
        "Any",
        expect![[r#"
        0 Tuple{Int64}
        1 Tuple{String}
        partial"#]],
    );
    check(&["Int64"], "String", expect!["partial"]);
}

#[test]
fn what_better_matches_cover_is_dropped() {
    check(
        &["Any", "Number", "Int64"],
        "Int64",
        expect![[r#"
        2 Tuple{Int64} covers
        covered"#]],
    );
    check(
        &["Any", "Number"],
        "Union{Int64, Float64}",
        expect![[r#"
        1 Tuple{Union{Float64, Int64}} covers
        covered"#]],
    );
    // Together, the two leave nothing to the third.
    check(
        &["Any", "Int64", "String"],
        "Union{Int64, String}",
        expect![[r#"
        1 Tuple{Int64}
        2 Tuple{String}
        covered"#]],
    );
}

#[test]
fn the_limit_counts_what_is_kept() {
    let five = ["Int64", "Int32", "Float64", "String", "Nothing"];
    check(&five, "Any", expect!["too many"]);
    check(
        &five,
        "Number",
        expect![[r#"
        0 Tuple{Int64}
        1 Tuple{Int32}
        2 Tuple{Float64}
        partial"#]],
    );
}

#[test]
fn ambiguity_is_of_some_call() {
    let crossed = ["Number, Any", "Any, Number"];
    check(
        &crossed,
        "Any, Any",
        expect![[r#"
        0 Tuple{Number, Any}
        1 Tuple{Any, Number}
        partial, ambiguous"#]],
    );
    check(
        &crossed,
        "Int64, String",
        expect![[r#"
        0 Tuple{Int64, String} covers
        covered"#]],
    );
    check(
        &crossed,
        "Union{Int64, String}, String",
        expect![[r#"
        0 Tuple{Int64, String}
        partial"#]],
    );
    check(
        &["Number, Any", "Any, Number", "Number, Number"],
        "Any, Number",
        expect![[r#"
        2 Tuple{Number, Number}
        1 Tuple{Any, Number} covers
        covered"#]],
    );
    // Two methods resolve it together.
    check(
        &[
            "Union{Int64, String}, Any",
            "Any, Int64",
            "Int64, Int64",
            "String, Int64",
        ],
        "Union{Int64, String}, Int64",
        expect![[r#"
            2 Tuple{Int64, Int64}
            3 Tuple{String, Int64}
            covered"#]],
    );
}

#[test]
fn diagonal_matches() {
    check(
        &["T, T where T", "Any, Any"],
        "Union{Int64, String}, Int64",
        expect![[r#"
        0 Tuple{Int64, Int64}
        1 Tuple{Union{Int64, String}, Int64} covers
        covered"#]],
    );
    check(
        &["T, T where T", "Any, Any"],
        "Union{Int64, String}, Union{Int64, String}",
        expect![[r#"
        0 Union{Tuple{Int64, Int64}, Tuple{String, String}}
        1 Tuple{Union{Int64, String}, Union{Int64, String}} covers
        covered"#]],
    );
}

#[test]
fn overlays_hide_what_they_cover() {
    check_stack(
        &["Int64"],
        &["Any", "Int64"],
        "Any",
        expect![[r#"
        2 Tuple{Int64}
        0 Tuple{Any} covers
        covered"#]],
    );
    check_stack(
        &["Any"],
        &["Int64"],
        "Any",
        expect![[r#"
        1 Tuple{Any} covers
        covered"#]],
    );
    check_stack(
        &["Number"],
        &["Int64", "String"],
        "Union{Int64, String}",
        expect![[r#"
        2 Tuple{Int64}
        1 Tuple{String}
        covered"#]],
    );
    // The overlay decides the crossed calls.
    check_stack(
        &["Number, Number"],
        &["Number, Any", "Any, Number"],
        "Any, Number",
        expect![[r#"
        2 Tuple{Number, Number}
        1 Tuple{Any, Number} covers
        covered"#]],
    );
}
