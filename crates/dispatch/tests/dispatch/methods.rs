//! The history of a table: replacement, deletion, rollback, forgetting.

use expect_test::{Expect, expect};

use crate::fixture::Fixture;
use worldage_dispatch::*;

/// Runs edits, one per line (`3 + Int64` = insert in world 3, `-` delete, `3 undo`, `3 forget`), and shows what
/// each reported and what is left.
#[track_caller]
fn check(script: &str, expected: Expect) {
    let fixture = Fixture::new();
    let types = &fixture.types;
    let mut methods = Methods::new();
    let mut out = String::new();
    let mut known = 0;
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let mut words = line.splitn(3, ' ');
        let world = World(words.next().unwrap().parse().unwrap());
        let (action, sig) = (words.next().unwrap(), words.next());
        let report = match action {
            "+" => {
                known += 1;
                methods.insert(types, fixture.sig(sig.unwrap()), MethodId(known - 1), world)
            }
            "-" => methods.delete(types, &fixture.sig(sig.unwrap()), world),
            "undo" => {
                methods.rollback(world);
                None
            }
            _ => {
                methods.forget_before(world);
                None
            }
        };
        out += &format!(
            "{line}{}\n",
            report.map_or(String::new(), |id| format!(" => ends {}", id.0))
        );
    }
    for entry in (0..known).filter_map(|id| methods.get(MethodId(id))) {
        out += &format!(
            "{} {} in {}\n",
            entry.id.0,
            display_sig(types, "f", &entry.sig),
            entry.range
        );
        if entry.range.first <= entry.range.last {
            assert_eq!(
                methods.find_exact(types, &entry.sig, entry.range.last),
                Some(entry.id)
            );
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn a_type_equal_signature_replaces() {
    check(
        "1 + Number\n2 + T where T <: Number\n3 + Int64",
        expect![[r#"
        1 + Number
        2 + T where T <: Number => ends 0
        3 + Int64
        0 f(Number) in 1..=1
        1 f(T) where T <: Number in 2..=∞
        2 f(Int64) in 3..=∞
    "#]],
    );
}

#[test]
fn deleting_does_not_bring_back_and_not_twice() {
    check(
        "1 + Int64\n2 + Int64\n3 - Int64\n4 - Int64\n5 + Int64",
        expect![[r#"
        1 + Int64
        2 + Int64 => ends 0
        3 - Int64 => ends 1
        4 - Int64
        5 + Int64
        0 f(Int64) in 1..=1
        1 f(Int64) in 2..=2
        2 f(Int64) in 5..=∞
    "#]],
    );
}

#[test]
fn deletion_is_of_the_exact_signature() {
    check(
        "1 + Number\n2 - Int64\n3 - Any",
        expect![[r#"
        1 + Number
        2 - Int64
        3 - Any
        0 f(Number) in 1..=∞
    "#]],
    );
}

#[test]
fn a_failed_edit_changes_nothing() {
    check(
        "1 + Int64\n1 + String\n2 + Int64\n2 - String\n2 + Any\n2 - Any\n2 + Any\n2 undo\n2 undo\n3 + String",
        expect![[r#"
            1 + Int64
            1 + String
            2 + Int64 => ends 0
            2 - String => ends 1
            2 + Any
            2 - Any => ends 3
            2 + Any
            2 undo
            2 undo
            3 + String => ends 1
            0 f(Int64) in 1..=∞
            1 f(String) in 1..=2
            5 f(String) in 3..=∞
        "#]],
    );
}

#[test]
fn one_edit_may_define_twice() {
    check(
        "1 + Int64\n1 + Int64",
        expect![[r#"
        1 + Int64
        1 + Int64 => ends 0
        0 f(Int64) in 1..=0
        1 f(Int64) in 1..=∞
    "#]],
    );
}

#[test]
fn what_no_world_can_call_is_forgotten() {
    check(
        "1 + Int64\n2 + Int64\n3 - Int64\n4 + Any\n2 forget",
        expect![[r#"
        1 + Int64
        2 + Int64 => ends 0
        3 - Int64 => ends 1
        4 + Any
        2 forget
        1 f(Int64) in 2..=2
        2 f(Any) in 4..=∞
    "#]],
    );
    check(
        "1 + Int64\n2 - Int64\n9 forget\n9 + Int64\n10 + Any",
        expect![[r#"
        1 + Int64
        2 - Int64 => ends 0
        9 forget
        9 + Int64
        10 + Any
        1 f(Int64) in 9..=∞
        2 f(Any) in 10..=∞
    "#]],
    );
}

#[test]
fn a_method_that_comes_back_outlives_its_earlier_versions() {
    let fixture = Fixture::new();
    let (types, sig) = (&fixture.types, fixture.sig("Int64"));
    let (id, mut methods) = (MethodId(7), Methods::new());
    methods.insert(types, sig.clone(), id, World(1));
    assert_eq!(methods.delete(types, &sig, World(3)), Some(id));
    methods.insert(types, sig.clone(), id, World(5));
    methods.forget_before(World(4));
    assert_eq!(methods.find_exact(types, &sig, World(5)), Some(id));
    assert_eq!(
        methods.get(id).map(|entry| entry.range.first),
        Some(World(5))
    );
    // Nor does taking an edit back lose what stood before it.
    assert_eq!(methods.delete(types, &sig, World(6)), Some(id));
    methods.insert(types, sig.clone(), id, World(6));
    methods.rollback(World(6));
    assert_eq!(methods.find_exact(types, &sig, World(6)), Some(id));
}
