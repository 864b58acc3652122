//! What an edit of an expression runs again, and what it does not.

use expect_test::{Expect, expect};
use worldage::embed::{Error, Session, Ty, Unresolved};
use worldage_calc::{Calc, Fault, define, value};

fn shapes(program: &str) -> Session<Calc> {
    let session = Session::new(Calc);
    let shape = session.abstract_type("Shape", Ty::ANY).expect("a new type");
    session.concrete_type("Circle", shape).expect("a new type");
    session.concrete_type("Square", shape).expect("a new type");
    define(&session, program).expect("a program");
    session
}

const PROGRAM: &str = "side(Shape) = 4
    area(Square) = side(Square) * side(Square)
    area(Circle) = 3 * side(Circle) * side(Circle)
    total() = area(Circle) + area(Square)";

#[track_caller]
fn check(session: &Session<Calc>, call: &str, expected: i64, counts: [usize; 3], ran: Expect) {
    assert_eq!(value(session, call).expect("a value"), expected);
    let stages = session.take_stages();
    assert_eq!(stages.counts(), counts);
    ran.assert_eq(&stages.to_string());
}

#[test]
fn only_what_depends_on_an_edit_runs() {
    let session = shapes(PROGRAM);
    check(
        &session,
        "total()",
        64,
        [5, 1, 1],
        expect![[r#"
            infer    area(Circle) area(Square) side(Circle) side(Square) total()
            codegen  total()
            link     total()
        "#]],
    );
    check(&session, "total()", 64, [0, 0, 0], expect![[""]]);
    // A more specific method takes one of the two calls over.
    define(&session, "side(Circle) = 2").expect("a definition");
    check(
        &session,
        "total()",
        28,
        [3, 1, 1],
        expect![[r#"
            infer    area(Circle) side(Circle) total()
            codegen  total()
            link     total()
        "#]],
    );
    // Another body with the same value stops at once.
    define(&session, "area(Square) = 8 + 8").expect("a definition");
    check(
        &session,
        "total()",
        28,
        [1, 0, 0],
        expect![[r#"
        infer    area(Square)
    "#]],
    );
}

#[test]
fn faults_are_values_of_the_embedder() {
    let session = shapes(
        "f() = 1 / zero()
         zero() = 2 - 2
         loops() = 1 + loops()
         big() = 9223372036854775807 + 1",
    );
    let fault = |call| {
        let error = value(&session, call).expect_err("no value");
        error.stage_error::<Fault>().cloned()
    };
    assert_eq!(fault("f()"), Some(Fault::Division));
    assert_eq!(fault("loops()"), Some(Fault::Recursion));
    assert_eq!(fault("big()"), Some(Fault::Overflow));
    define(&session, "zero() = 1").expect("a definition");
    assert_eq!(value(&session, "f()").expect("a value"), 1);
}

#[test]
fn a_missing_method_is_named_and_may_come_later() {
    let session = shapes("f() = g(Circle)");
    let error = value(&session, "f()").expect_err("no g");
    let unresolved = error.stage_error::<Unresolved>().expect("a call");
    assert_eq!(unresolved.to_string(), "no-matching-method: g(Circle)");
    define(&session, "g(Shape) = 7").expect("a definition");
    assert_eq!(value(&session, "f()").expect("a value"), 7);
}

#[test]
fn a_wrong_edit_changes_nothing() {
    let session = shapes("f() = 1");
    for wrong in [
        "f() = 2\nnonsense",
        "f() = 2\ng(Line) = 1",
        "f() = 1 +",
        "f() = (1",
        "f() = 1 1",
    ] {
        let world = session.world();
        define(&session, wrong).expect_err("it is wrong");
        assert_eq!(session.world(), world, "{wrong}");
    }
    assert_eq!(value(&session, "f()").expect("a value"), 1);
    let error = value(&session, "nowhere()").expect_err("no such function");
    assert!(matches!(error, Error::Unresolved { .. }), "{error}");
}

#[test]
fn the_language_takes_two_hundred_lines() {
    assert!(include_str!("../src/lib.rs").lines().count() <= 200);
}
