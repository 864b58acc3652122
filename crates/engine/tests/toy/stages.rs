//! Stages that panic or come back to the session that runs them.

use crate::script::{check, run};
use expect_test::expect;
use std::fmt::Write;

#[test]
fn a_panic_is_the_error_of_its_stage() {
    check(
        "
        g = panic
        f = call:g
        f()
        g = type:A
        f()
        ",
        expect![[r#"
            > g = panic
            world 1
            > f = call:g
            world 2
            > f()
            infer    f() g()
            error: infer of f() failed: stage `infer` panicked: toy panic
            > g = type:A
            world 3
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (A) call 1
        "#]],
    );
}

#[test]
fn a_stage_cannot_edit_the_session_that_runs_it() {
    check(
        "
        g = type:A
        f = edit
        f()
        g()
        ",
        expect![[r#"
            > g = type:A
            world 1
            > f = edit
            world 2
            > f()
            infer    f()
            codegen  f()
            link     f()
            => T edit-during-stage: a stage may not edit the session that runs it | a stage asked a session: ask the stage's context instead
            > g()
            infer    g()
            codegen  g()
            link     g()
            => A 
        "#]],
    );
}

#[test]
fn nor_can_one_on_another_thread() {
    // So many that codegen uses all threads.
    let mut script = String::new();
    let mut calls = String::new();
    for ix in 0..64 {
        let _ = writeln!(script, "g{ix} = type:A late-edit");
        let _ = write!(calls, " call:g{ix}");
    }
    let _ = writeln!(script, "f ={calls}\nf()\ng0()\ng63()");
    let out = run(&script);
    let refused = "edit-during-stage: a stage may not edit the session that runs it";
    assert_eq!(out.matches(refused).count(), 2, "{out}");
}
