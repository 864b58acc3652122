//! Random types, signatures and method tables against the definition.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use crate::fixture::{Fixture, NOW, define};
use crate::oracle::{accepts, is_member, tuples, universe};
use worldage_dispatch::*;

const NOMINAL: [&str; 9] = [
    "Int64",
    "Integer",
    "Number",
    "String",
    "Any",
    "Array{Int64}",
    "Array{Number}",
    "AbstractArray{Int64}",
    "AbstractArray{Number}",
];

fn braced(head: &'static str) -> impl Fn(Vec<String>) -> String {
    move |parts| format!("{head}{{{}}}", parts.join(", "))
}

fn nominal() -> impl Strategy<Value = String> + Clone {
    select(&NOMINAL[..]).prop_map(str::to_owned)
}

/// A tuple of at most `longest` elements and maybe a tail.
fn tuple_of(
    elem: impl Strategy<Value = String> + Clone,
    longest: usize,
) -> impl Strategy<Value = String> + Clone {
    let tail = prop::option::weighted(0.3, elem.clone().prop_map(|ty| format!("Vararg{{{ty}}}")));
    (prop::collection::vec(elem, 0..=longest), tail).prop_map(|(mut parts, tail)| {
        parts.extend(tail);
        braced("Tuple")(parts)
    })
}

/// What can stand in a tuple: nominal types, unions of them, and small tuples.
fn element() -> impl Strategy<Value = String> + Clone {
    let inner = select(&["Int64", "Number", "Any"][..]).prop_map(str::to_owned);
    let simple = prop_oneof![4 => nominal(), 1 => tuple_of(inner, 1)];
    prop_oneof![
        3 => simple.clone(),
        1 => prop::collection::vec(simple, 2..=3).prop_map(braced("Union")),
    ]
}

/// A tuple, or a union of tuples.
fn tuple_type() -> impl Strategy<Value = String> {
    let tuple = tuple_of(element(), 2);
    prop_oneof![1 => tuple.clone(), 1 => prop::collection::vec(tuple, 2..=4).prop_map(braced("Union"))]
}

/// Parameters of a closed signature.
fn closed_sig() -> impl Strategy<Value = String> {
    tuple_of(element(), 2).prop_map(|text| text["Tuple{".len()..text.len() - 1].to_owned())
}

/// A signature, maybe with variables.
fn any_sig() -> impl Strategy<Value = String> {
    let with_vars = [
        "T",
        "T",
        "S",
        "Array{T}",
        "AbstractArray{T}",
        "Array{S}",
        "Tuple{T}",
        "Union{String, T}",
        "Array{Union{String, T}}",
        "Union{Array{T}, Tuple{S}}",
        "Int64",
        "Any",
    ];
    let elem = select(with_vars.to_vec()).prop_map(str::to_owned);
    let bound = || select(&["Any", "Number", "Integer"][..]);
    let later = select(&["Any", "Number", "Integer", "Array{T}", "T"][..]);
    let open = (tuple_of(elem, 3), bound(), later).prop_map(|(text, t, s)| {
        format!(
            "{} where T <: {t}, S <: {s}",
            &text["Tuple{".len()..text.len() - 1]
        )
    });
    prop_oneof![closed_sig(), open]
}

const FEW: [&str; 8] = [
    "Int64",
    "String",
    "Any*",
    "Number*",
    "Array{Int64}",
    "Array{Number}",
    "Tuple{Int64}",
    "Array{Union{Int64, String}}",
];

/// Short calls over few values, for what is slow to check.
fn few_calls(fixture: &Fixture) -> Vec<Ty> {
    tuples(fixture, &FEW.map(|text| fixture.ty(text)), 3)
}

/// The values that variables are tried with: enough for the few calls.
fn candidates(fixture: &Fixture) -> Vec<Ty> {
    FEW.iter()
        .chain(&[
            "Any",
            "Number",
            "Integer",
            "Union{Int64, String}",
            "Union{}",
        ])
        .map(|text| fixture.ty(text))
        .collect()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn closed_types_are_sets_of_values() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let values = tuples(&fixture, &universe(&fixture), 3);
    proptest!(config(100), |(a in tuple_type(), b in tuple_type(), c in tuple_type())| {
        let [a, b, c] = [a, b, c].map(|text| fixture.ty(&text));
        let [in_a, in_b] = [a, b].map(|ty| values.iter().map(|value| is_member(types, *value, ty)).collect::<Vec<_>>());
        let every = |f: &dyn Fn(bool, bool) -> bool| in_a.iter().zip(&in_b).all(|(a, b)| f(*a, *b));
        prop_assert_eq!(types.subtype(a, b), every(&|a, b| !a || b), "a <: b");
        prop_assert_eq!(types.subtype(b, a), every(&|a, b| !b || a), "b <: a");
        prop_assert_eq!(types.type_equal(a, b), every(&|a, b| a == b), "a = b");
        prop_assert_eq!(types.overlaps(a, b), !every(&|a, b| !(a && b)), "overlap");
        let (both, either) = (types.intersect(a, b), types.union(&[a, b]));
        for ((value, a), b) in values.iter().zip(&in_a).zip(&in_b) {
            prop_assert_eq!(is_member(types, *value, both), *a && *b, "in both: {}", fixture.show(*value));
            prop_assert_eq!(is_member(types, *value, either), *a || *b, "in either: {}", fixture.show(*value));
        }
        prop_assert!(types.subtype(a, a));
        prop_assert!(!(types.subtype(a, b) && types.subtype(b, c)) || types.subtype(a, c), "transitive");
    });
}

#[test]
fn signatures_are_sets_of_calls() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let (calls, candidates) = (few_calls(&fixture), candidates(&fixture));
    proptest!(config(50), |(a in any_sig(), b in any_sig(), args in tuple_of(element(), 3))| {
        let (a, b, args) = (fixture.sig(&a), fixture.sig(&b), fixture.ty(&args));
        let [in_a, in_b] =
            [&a, &b].map(|sig| calls.iter().map(|call| accepts(&fixture, *call, sig, &candidates)).collect::<Vec<_>>());
        let common = sig_intersect(types, args, &a);
        let whole = sig_matches(types, args, &a);
        for ((call, a_accepts), b_accepts) in calls.iter().zip(&in_a).zip(&in_b) {
            prop_assert_eq!(sig_matches(types, *call, &a), *a_accepts, "{}", fixture.show(*call));
            prop_assert_eq!(sig_bindings(types, *call, &a).is_some(), *a_accepts, "{}", fixture.show(*call));
            if is_member(types, *call, args) {
                prop_assert!(!whole || *a_accepts, "args within a: {}", fixture.show(*call));
                prop_assert!(!a_accepts || is_member(types, *call, common), "in the intersection: {}", fixture.show(*call));
            }
            if sig_subtype(types, &a, &b) {
                prop_assert!(!a_accepts || *b_accepts, "a <: b: {}", fixture.show(*call));
            }
            if sig_disjoint(types, &a, &b) {
                prop_assert!(!(*a_accepts && *b_accepts), "disjoint: {}", fixture.show(*call));
            }
        }
        prop_assert!(!(more_specific(types, &a, &b) && more_specific(types, &b, &a)), "asymmetric");
        if sig_subtype(types, &a, &b) && !sig_subtype(types, &b, &a) {
            prop_assert!(more_specific(types, &a, &b));
        }
    });
}

/// The answer by the definition: of the tables' matches, the first table's that no other beats.
fn answer(fixture: &Fixture, stack: &[&Methods], call: Ty, candidates: &[Ty]) -> Lookup {
    let types = &fixture.types;
    for methods in stack {
        let matches: Vec<_> = methods
            .iter(NOW)
            .filter(|entry| accepts(fixture, call, &entry.sig, candidates))
            .collect();
        let mut unbeaten: Vec<MethodId> = matches
            .iter()
            .filter(|entry| {
                !matches
                    .iter()
                    .any(|other| more_specific(types, &other.sig, &entry.sig))
            })
            .map(|entry| entry.id)
            .collect();
        if unbeaten.is_empty() {
            unbeaten = matches.iter().map(|entry| entry.id).collect();
        }
        unbeaten.sort_unstable();
        match unbeaten.as_slice() {
            [] => {}
            [only] => return Lookup::Method(*only),
            _ => return Lookup::Ambiguous(unbeaten.into()),
        }
    }
    Lookup::NoMethod
}

fn tables(fixture: &Fixture, sigs: &[String], overlay: usize) -> (Methods, Methods) {
    let sigs: Vec<&str> = sigs.iter().map(String::as_str).collect();
    let (top, base) = sigs.split_at(overlay.min(sigs.len()));
    let mut over = Methods::new();
    for (ix, sig) in (1000..).zip(top) {
        over.insert(&fixture.types, fixture.sig(sig), MethodId(ix), World(1));
    }
    (over, define(fixture, base))
}

#[test]
fn lookup_agrees_with_all_pairs() {
    let fixture = Fixture::new();
    let (calls, candidates) = (few_calls(&fixture), candidates(&fixture));
    proptest!(config(30), |(sigs in prop::collection::vec(any_sig(), 1..20), overlay in 0..4usize)| {
        let (over, base) = tables(&fixture, &sigs, overlay);
        let stack = [&over, &base];
        for call in calls.iter().step_by(3) {
            let expected = answer(&fixture, &stack, *call, &candidates);
            prop_assert_eq!(lookup(&fixture.types, &stack, *call, NOW), expected, "{}", fixture.show(*call));
        }
    });
}

/// The listed methods are just the answers of the calls, which are all that `args` stands for.
fn check_find_all(
    fixture: &Fixture,
    stack: &[&Methods],
    args: Ty,
    calls: &[Ty],
) -> Result<(), TestCaseError> {
    let types = &fixture.types;
    let found = find_all(types, stack, args, 100, NOW);
    let Matches::Matches {
        matches,
        covered,
        ambiguous,
    } = found
    else {
        return Err(TestCaseError::fail("fewer than 100 methods"));
    };
    let (mut answers, mut missing, mut unclear) = (BTreeSet::new(), false, false);
    for call in calls.iter().filter(|call| is_member(types, **call, args)) {
        match lookup(types, stack, *call, NOW) {
            Lookup::Method(id) => {
                answers.insert(id);
            }
            Lookup::NoMethod => missing = true,
            Lookup::Ambiguous(ids) => {
                unclear = true;
                answers.extend(ids.iter().copied());
            }
        }
    }
    let listed: BTreeSet<MethodId> = matches.iter().map(|m| m.method).collect();
    prop_assert_eq!(&listed, &answers);
    prop_assert_eq!(covered, !missing);
    prop_assert_eq!(ambiguous, unclear);
    if !answers.is_empty() {
        prop_assert_eq!(
            find_all(types, stack, args, answers.len() - 1, NOW),
            Matches::TooMany
        );
    }
    Ok(())
}

#[test]
fn find_all_lists_just_the_answers_of_its_calls() {
    let fixture = Fixture::new();
    let calls = tuples(&fixture, &universe(&fixture), 3);
    let sigs = || prop::collection::vec(closed_sig(), 1..8);
    proptest!(config(80), |(sigs in sigs(), overlay in 0..4usize, args in tuple_of(element(), 2))| {
        let (over, base) = tables(&fixture, &sigs, overlay);
        check_find_all(&fixture, &[&over, &base], fixture.ty(&args), &calls)?;
    });
}

/// A tuple of unions of concrete types: finitely many calls.
fn finite_tuple() -> impl Strategy<Value = String> {
    let leaf = select(&FEW[..]).prop_map(str::to_owned);
    let elem = prop_oneof![
        1 => leaf.clone(),
        2 => prop::collection::vec(leaf, 2..=3).prop_map(braced("Union")),
    ];
    prop::collection::vec(elem, 0..=3).prop_map(braced("Tuple"))
}

#[test]
fn finite_calls_are_answered_exactly_with_variables_too() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let calls = few_calls(&fixture);
    let sigs = || prop::collection::vec(any_sig(), 1..8);
    proptest!(config(100), |(sigs in sigs(), overlay in 0..4usize, args in finite_tuple())| {
        let (over, base) = tables(&fixture, &sigs, overlay);
        let args = fixture.ty(&args);
        check_find_all(&fixture, &[&over, &base], args, &calls)?;
        for sig in sigs.iter().map(|text| fixture.sig(text)) {
            let (common, mut all) = (sig_intersect(types, args, &sig), true);
            for call in calls.iter().filter(|call| is_member(types, **call, args)) {
                let accepted = sig_matches(types, *call, &sig);
                all &= accepted;
                prop_assert_eq!(is_member(types, *call, common), accepted, "{}", fixture.show(*call));
            }
            prop_assert_eq!(sig_matches(types, args, &sig), all);
        }
    });
}

#[test]
fn find_all_with_variables_misses_no_answer() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let calls = few_calls(&fixture);
    let sigs = || prop::collection::vec(any_sig(), 1..8);
    proptest!(config(80), |(sigs in sigs(), overlay in 0..4usize, args in tuple_of(element(), 2))| {
        let (over, base) = tables(&fixture, &sigs, overlay);
        let stack = [&over, &base];
        let args = fixture.ty(&args);
        let Matches::Matches { matches, covered, ambiguous } = find_all(types, &stack, args, 100, NOW) else {
            return Err(TestCaseError::fail("fewer than 100 methods"));
        };
        let listed = |id: &MethodId, call| {
            matches.iter().any(|m| m.method == *id && is_member(types, call, m.args))
        };
        for call in calls.iter().filter(|call| is_member(types, **call, args)) {
            match lookup(types, &stack, *call, NOW) {
                Lookup::Method(id) => prop_assert!(listed(&id, *call), "{} is {}", fixture.show(*call), id.0),
                Lookup::NoMethod => prop_assert!(!covered, "{}", fixture.show(*call)),
                Lookup::Ambiguous(ids) => {
                    prop_assert!(ambiguous && ids.iter().all(|id| listed(id, *call)), "{}", fixture.show(*call));
                }
            }
        }
    });
}

#[test]
fn an_edit_affects_no_other_than_the_listed_calls() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let recorded = || prop::collection::vec(tuple_of(element(), 3), 1..30);
    let sigs = || prop::collection::vec(any_sig(), 1..8);
    proptest!(config(80), |(recorded in recorded(), sigs in sigs(), new in any_sig())| {
        let recorded: Vec<Ty> = recorded.iter().map(|text| fixture.ty(text)).collect();
        let mut index = CallIndex::new();
        (0..).zip(&recorded).for_each(|(call, args)| index.insert(types, *args, call));
        let mut methods = define(&fixture, &sigs.iter().map(String::as_str).collect::<Vec<_>>());
        let new = fixture.sig(&new);
        methods.insert(types, new.clone(), MethodId(100), World(100));
        let affected = index.affected(types, &new);
        let at = |args, world| {
            (lookup(types, &[&methods], args, world), find_all(types, &[&methods], args, 4, world), invoke(types, &[&methods], args, world))
        };
        for (call, args) in (0..).zip(&recorded) {
            if at(*args, World(99)) != at(*args, World(100)) {
                prop_assert!(affected.contains(&call), "{}", fixture.show(*args));
            }
        }
    });
}

#[test]
fn ambiguities_are_reported_iff_some_call_shows_them() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let calls = tuples(&fixture, &universe(&fixture), 3);
    proptest!(config(60), |(sigs in prop::collection::vec(closed_sig(), 2..6))| {
        let methods = define(&fixture, &sigs.iter().map(String::as_str).collect::<Vec<_>>());
        let new = fixture.sig(&sigs[sigs.len() - 1]);
        let id = MethodId(sigs.len() as u32 - 1);
        let mut expected = BTreeSet::new();
        for call in &calls {
            if let Lookup::Ambiguous(ids) = lookup(types, &[&methods], *call, NOW)
                && ids.contains(&id)
            {
                expected.extend(ids.iter().copied().filter(|other| *other != id));
            }
        }
        let found: BTreeSet<MethodId> = ambiguities(types, &methods, &new, NOW).iter().map(|found| found.b).collect();
        prop_assert_eq!(found, expected);
    });
}

#[test]
fn history_agrees_with_a_list() {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let sigs: Vec<Sig> = [
        "Int64",
        "Number",
        "T where T <: Number",
        "Any",
        "Int64, Any",
        "Vararg{Int64}",
        "T, T where T",
    ]
    .map(|text| fixture.sig(text))
    .to_vec();
    // (what to do, which signature, whether the world goes on, whether the edit fails)
    let edits = prop::collection::vec(
        (
            0..3u8,
            0..sigs.len(),
            any::<bool>(),
            prop::bool::weighted(0.2),
        ),
        1..60,
    );
    proptest!(config(200), |(edits in edits)| {
        let mut methods = Methods::new();
        let mut list: Vec<MethodEntry> = Vec::new();
        let mut committed = list.clone();
        let mut world = World(1);
        for (ix, (what, sig, next, fails)) in (0..).zip(&edits) {
            let sig = &sigs[*sig];
            let old = list.iter_mut().find(|entry| entry.range.contains(world) && sig_equal(types, &entry.sig, sig));
            let old = old.map(|entry| {
                entry.range.close_before(world);
                entry.id
            });
            let ended = if *what == 0 {
                methods.delete(types, sig, world)
            } else {
                list.push(MethodEntry { id: MethodId(ix), sig: sig.clone(), range: WorldRange::since(world) });
                methods.insert(types, sig.clone(), MethodId(ix), world)
            };
            prop_assert_eq!(ended, old);
            if *fails {
                methods.rollback(world);
                list.clone_from(&committed);
            } else if *next {
                committed.clone_from(&list);
                world = world.next();
                let oldest = World(world.0.saturating_sub(5));
                methods.forget_before(oldest);
                list.retain(|entry| entry.range.last >= oldest);
                committed.retain(|entry| entry.range.last >= oldest);
            }
        }
        prop_assert_eq!(methods.len(), list.len());
        for at in (world.0.saturating_sub(5)..=world.0).map(World) {
            let mut there: Vec<&MethodEntry> = methods.iter(at).collect();
            there.sort_unstable_by_key(|entry| entry.id);
            let expected: Vec<&MethodEntry> = list.iter().filter(|entry| entry.range.contains(at)).collect();
            prop_assert_eq!(there, expected);
        }
    });
}
