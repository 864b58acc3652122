//! Calls with concrete arguments, explicit signatures, and stacks of tables.

use expect_test::{Expect, expect};

use crate::fixture::{Fixture, NOW, define};
use worldage_dispatch::*;

fn show(fixture: &Fixture, tables: &[&Methods], answer: &Lookup) -> String {
    let method = |id: MethodId| {
        let entry = tables.iter().find_map(|table| table.get(id)).unwrap();
        format!("{} {}", id.0, display_sig(&fixture.types, "f", &entry.sig))
    };
    match answer {
        Lookup::Method(id) => method(*id),
        Lookup::NoMethod => "no method".to_owned(),
        Lookup::Ambiguous(ids) => {
            let all: Vec<String> = ids.iter().map(|id| method(*id)).collect();
            format!("ambiguous: {}", all.join("; "))
        }
    }
}

#[track_caller]
fn check(sigs: &[&str], args: &str, expected: Expect) {
    let fixture = Fixture::new();
    let methods = define(&fixture, sigs);
    let answer = lookup(&fixture.types, &[&methods], fixture.args(args), NOW);
    expected.assert_eq(&show(&fixture, &[&methods], &answer));
}

#[track_caller]
fn check_invoke(sigs: &[&str], args: &str, expected: Expect) {
    let fixture = Fixture::new();
    let methods = define(&fixture, sigs);
    let answer = invoke(&fixture.types, &[&methods], fixture.args(args), NOW);
    expected.assert_eq(&show(&fixture, &[&methods], &answer));
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
    let stack = [&top, &base_methods];
    expected.assert_eq(&show(
        &fixture,
        &stack,
        &lookup(&fixture.types, &stack, fixture.args(args), NOW),
    ));
}

#[test]
fn the_most_specific_match_answers() {
    let sigs = ["Any", "Number", "Int64", "Any, Any"];
    check(&sigs, "Int64", expect!["2 f(Int64)"]);
    check(&sigs, "Int32", expect!["1 f(Number)"]);
    check(&sigs, "String", expect!["0 f(Any)"]);
    check(&sigs, "String, Int64", expect!["3 f(Any, Any)"]);
    check(&sigs, "", expect!["no method"]);
}

#[test]
fn abstract_arguments_are_no_call() {
    check(&["Any"], "Number", expect!["no method"]);
}

#[test]
fn crossed_methods_are_ambiguous_until_resolved() {
    let crossed = ["Int64, Any", "Any, Int64", "Any, Any"];
    check(
        &crossed,
        "Int64, Int64",
        expect!["ambiguous: 0 f(Int64, Any); 1 f(Any, Int64)"],
    );
    check(&crossed, "Int64, String", expect!["0 f(Int64, Any)"]);
    check(
        &["Int64, Any", "Any, Int64", "Int64, Int64"],
        "Int64, Int64",
        expect!["2 f(Int64, Int64)"],
    );
}

#[test]
fn one_unbeaten_match_answers_though_it_does_not_beat_all() {
    // 0 ties with 2, and 1 beats 2.
    let sigs = [
        "Int64, Integer, Any",
        "Any, Int64, Any",
        "Any, Int64, Vararg{Any}",
    ];
    check(
        &sigs,
        "Int64, Int32, Int64",
        expect!["0 f(Int64, Integer, Any)"],
    );
    check(
        &sigs,
        "Int64, Int64, Int64",
        expect!["ambiguous: 0 f(Int64, Integer, Any); 1 f(Any, Int64, Any)"],
    );
}

#[test]
fn variables_and_varargs() {
    let sigs = [
        "T, T where T",
        "Any, Any",
        "Array{T}, T where T",
        "Vararg{Any}",
        "Any, Vararg{Int64}",
    ];
    check(&sigs, "String, String", expect!["0 f(T, T) where T <: Any"]);
    check(&sigs, "String, Nothing", expect!["1 f(Any, Any)"]);
    check(
        &sigs,
        "Array{String}, String",
        expect!["2 f(Array{T}, T) where T <: Any"],
    );
    check(&sigs, "", expect!["3 f(Vararg{Any})"]);
    check(
        &sigs,
        "String, Int64, Int64",
        expect!["4 f(Any, Vararg{Int64})"],
    );
    check(&sigs, "String, Int64, String", expect!["3 f(Vararg{Any})"]);
}

#[test]
fn a_union_in_a_signature() {
    let sigs = ["Union{Int64, String}", "Union{Number, Nothing}", "Any"];
    check(&sigs, "String", expect!["0 f(Union{Int64, String})"]);
    check(&sigs, "Nothing", expect!["1 f(Union{Nothing, Number})"]);
    check(
        &sigs,
        "Int64",
        expect!["ambiguous: 0 f(Union{Int64, String}); 1 f(Union{Nothing, Number})"],
    );
}

#[test]
fn worlds_have_their_own_answers() {
    let fixture = Fixture::new();
    let methods = define(&fixture, &["Any", "Number", "Int64"]);
    let answers: Vec<String> = (0..4)
        .map(|world| {
            let answer = lookup(
                &fixture.types,
                &[&methods],
                fixture.args("Int64"),
                World(world),
            );
            format!("{world}: {}", show(&fixture, &[&methods], &answer))
        })
        .collect();
    expect![[r#"
        0: no method
        1: 0 f(Any)
        2: 1 f(Number)
        3: 2 f(Int64)"#]]
    .assert_eq(&answers.join("\n"));
}

#[test]
fn invoke_takes_the_most_specific_that_accepts_the_whole_signature() {
    let sigs = ["Any", "Number", "Int64", "Integer"];
    check_invoke(&sigs, "Number", expect!["1 f(Number)"]);
    check_invoke(&sigs, "Int64", expect!["2 f(Int64)"]);
    check_invoke(&sigs, "Union{Int64, Int32}", expect!["3 f(Integer)"]);
    check_invoke(&sigs, "Union{Int64, String}", expect!["0 f(Any)"]);
    check_invoke(&sigs, "Any, Any", expect!["no method"]);
    check_invoke(
        &["Number, Any", "Any, Number"],
        "Number, Number",
        expect!["ambiguous: 0 f(Number, Any); 1 f(Any, Number)"],
    );
    check_invoke(
        &["T, T where T", "Any, Any"],
        "Number, Number",
        expect!["1 f(Any, Any)"],
    );
}

#[test]
fn an_overlay_answers_first_even_if_less_specific() {
    check_stack(&["Any"], &["Int64"], "Int64", expect!["1 f(Any)"]);
    check_stack(&["String"], &["Int64"], "Int64", expect!["0 f(Int64)"]);
    check_stack(
        &["Int64, Any", "Any, Int64"],
        &["Int64, Int64"],
        "Int64, Int64",
        expect!["ambiguous: 1 f(Int64, Any); 2 f(Any, Int64)"],
    );
    check_stack(&[], &[], "Int64", expect!["no method"]);
}
