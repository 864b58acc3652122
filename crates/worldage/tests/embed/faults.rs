//! Stages that misbehave: each is a typed error that names it, and poisons nothing.

use crate::odd::{Odd, PLAIN, Script, define, read, session, value};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use worldage::embed::*;

/// Calls `f` of a program and expects this fault; another method of the session still works, and
/// so does `f` once it is defined well.
#[track_caller]
fn check(script: Script, expected: &str) {
    let session = session(&[("f", script), ("g", PLAIN)]);
    check_in(&session, expected);
    assert_eq!(value(&session, "g").expect("g is well"), 1);
    define(&session, &[("f", PLAIN)]);
    assert_eq!(value(&session, "f").expect("f is well again"), 1);
}

#[track_caller]
fn check_in(session: &Session<Odd>, expected: &str) {
    let error = value(session, "f").expect_err("f misbehaves");
    assert_eq!(error.to_string(), expected);
    assert!(error.stage().is_some(), "a stage is named: {error}");
    // It fails alike however often it is asked.
    let again = value(session, "f").expect_err("f misbehaves");
    assert_eq!(again.to_string(), expected);
}

#[test]
fn a_panic_is_an_error_of_its_stage() {
    let infer = Script {
        infer: |_, _| panic!("boom {}", 1),
        number: 1,
        ..PLAIN
    };
    check(infer, "infer of f() failed: stage `infer` panicked: boom 1");
    let codegen = Script {
        codegen: |_, _, _| panic!("boom"),
        number: 2,
        ..PLAIN
    };
    check(
        codegen,
        "codegen of f() failed: stage `codegen` panicked: boom",
    );
    let link = Script {
        link: |_, _, _| panic!("boom"),
        number: 3,
        ..PLAIN
    };
    check(link, "link of f() failed: stage `link` panicked: boom");
}

#[test]
fn a_panic_in_a_digest_is_an_error_of_inference() {
    let script = Script {
        infer: |_, _| Ok(-14),
        number: 1,
        ..PLAIN
    };
    check(
        script,
        "infer of f() failed: stage `infer` panicked: -14 has no digest",
    );
}

#[test]
fn what_cannot_be_compared_is_never_equal() {
    let script = |number| Script {
        infer: |_, _| Ok(-13),
        number,
        ..PLAIN
    };
    let session = session(&[("f", script(1))]);
    assert_eq!(value(&session, "f").expect("a value"), -13);
    define(&session, &[("f", script(2))]);
    assert_eq!(value(&session, "f").expect("a value"), -13);
    assert_eq!(session.take_stages().counts(), [2, 2, 2]);
}

#[test]
fn an_unknown_method_is_named() {
    let script = Script {
        infer: |cx, _| read(cx, "nobody"),
        number: 1,
        ..PLAIN
    };
    check(script, "infer of f() failed: no-matching-method: nobody()");
}

#[test]
fn instances_of_nowhere_are_refused() {
    let infer = Script {
        infer: |cx, _| cx.depends_on(Mi(1 << 30)).map(|()| 1),
        number: 1,
        ..PLAIN
    };
    let what = "asked about instance 1073741824, which this session does not have";
    check(infer, &format!("infer of f() failed: stage `infer` {what}"));
    let codegen = Script {
        codegen: |cx, _, x| {
            cx.calls(Mi(1 << 30));
            Ok(x)
        },
        number: 2,
        ..PLAIN
    };
    check(
        codegen,
        &format!("codegen of f() failed: stage `codegen` {what}"),
    );
    let link = Script {
        link: |cx, _, _| Ok(cx.cell(Mi(1 << 30)) as i64),
        number: 3,
        ..PLAIN
    };
    check(link, &format!("link of f() failed: stage `link` {what}"));
}

#[test]
fn a_part_that_the_summary_has_not_is_refused() {
    let script = Script {
        infer: |cx, _| {
            let callee = cx.callee("g", &[])?;
            let part = Part {
                index: 3,
                name: "effects",
                get: |_| 0,
            };
            cx.read(callee, &part)
        },
        number: 1,
        ..PLAIN
    };
    let what = "stage `infer` read part 3 `effects` of a summary, which has no such part";
    check(script, &format!("infer of f() failed: {what}"));
}

#[test]
fn link_gets_only_what_codegen_declared() {
    let script = Script {
        link: |cx, mi, _| cx.linked(mi).map(|x| **x),
        number: 1,
        ..PLAIN
    };
    let what = "link asked for the cell of f(), which codegen did not declare with `calls`";
    check(script, &format!("link of f() failed: {what}"));
    let recursive = Script {
        codegen: |cx, mi, x| {
            cx.calls(mi);
            Ok(x)
        },
        number: 2,
        ..script
    };
    let what = "f() can be called through its cell only: it calls back, or linking is live";
    check(recursive, &format!("link of f() failed: {what}"));
}

#[test]
fn giving_up_without_being_asked_to_is_a_fault() {
    let script = Script {
        infer: |_, _| Err(Stop::Suspended),
        number: 1,
        ..PLAIN
    };
    let what = "was given up by itself: pass on only what the context returned";
    check(
        script,
        &format!("infer of f() failed: stage `infer` {what}"),
    );
    let script = Script {
        codegen: |_, _, _| Err(Stop::Cancelled),
        number: 2,
        ..PLAIN
    };
    check(
        script,
        &format!("codegen of f() failed: stage `codegen` {what}"),
    );
}

#[test]
fn a_stage_that_ignores_being_suspended_is_run_again() {
    let deep = Script {
        infer: |cx, _| Ok(read(cx, "g").unwrap_or(-1)),
        number: 1,
        ..PLAIN
    };
    let top = Script {
        infer: |cx, _| Ok(10 * read(cx, "f").unwrap_or(-1)),
        number: 2,
        ..PLAIN
    };
    let session = session(&[("h", top), ("f", deep), ("g", PLAIN)]);
    assert_eq!(value(&session, "h").expect("a value"), 10);
    let five = Script {
        infer: |_, _| Ok(5),
        number: 3,
        ..PLAIN
    };
    define(&session, &[("g", five)]);
    assert_eq!(value(&session, "h").expect("a value"), 50);
}

#[test]
fn inference_that_does_not_settle_is_bounded() {
    let script = Script {
        infer: |cx, _| Ok(read(cx, "f")? + 100),
        number: 1,
        ..PLAIN
    };
    check(
        script,
        "infer of f() failed: inference does not settle: `widen` must reach an upper bound",
    );
}

#[test]
fn a_stage_that_asks_without_end_is_stopped() {
    let script = Script {
        infer: |cx, _| {
            loop {
                read(cx, "g")?;
            }
        },
        number: 1,
        ..PLAIN
    };
    check(
        script,
        "infer of f() failed: stage `infer` asked more than 4194304 questions: it loops",
    );
}

/// `f` on `N{n}` asks for `f` on `N{n + 1}`.
#[test]
fn a_demand_that_reaches_ever_more_instances_is_stopped() {
    let next = |types: &Types, args: Ty| {
        let TyKind::Tuple { elems, .. } = types.kind(args) else {
            panic!("arguments are a tuple")
        };
        let TyKind::Nominal { decl, args } = types.kind(elems[0]) else {
            panic!("the argument is declared")
        };
        let Arg::Int(n) = args[0] else {
            panic!("its parameter is a number")
        };
        types.nominal(*decl, &[Arg::Int(n + 1)]).expect("a type")
    };
    static NEXT: OnceLock<fn(&Types, Ty) -> Ty> = OnceLock::new();
    NEXT.get_or_init(|| next);
    let infer = Script {
        infer: |cx, mi| {
            let arg = NEXT.get().expect("set above")(cx.types(), cx.key(mi).args);
            let callee = cx.callee("f", &[arg])?;
            Ok(cx.read(callee, &Whole::VALUE)?.map_or(0, |_| 1))
        },
        number: 1,
        ..PLAIN
    };
    let codegen = Script {
        infer: |cx, mi| {
            let arg = NEXT.get().expect("set above")(cx.types(), cx.key(mi).args);
            Ok(i64::from(cx.callee("f", &[arg])?.0))
        },
        codegen: |cx, _, callee| {
            cx.calls(Mi(callee as u32));
            Ok(callee)
        },
        number: 2,
        ..PLAIN
    };
    for script in [infer, codegen] {
        let types = Arc::new(Types::new());
        let param = ParamDecl {
            name: types.symbol("n"),
            upper: Ty::ANY,
        };
        let mut decl = Decl::leaf(types.symbol("N"), DeclKind::Concrete, Ty::ANY);
        decl.params.push(param);
        let decl = types.declare(decl).expect("a new type");
        let zero = types.nominal(decl, &[Arg::Int(0)]).expect("a type");
        let options = Options {
            max_instances: 500,
            ..Options::default()
        };
        let session = Session::with_options(Odd, types, options);
        session
            .edit(|e| e.define("f", &[Ty::ANY], script))
            .expect("a valid edit");
        let error = session
            .call("f", &[zero], |_| ())
            .expect_err("it has no end");
        let fault = error.stage_error::<StageFault>();
        assert_eq!(
            fault,
            Some(&StageFault::TooManyInstances { limit: 500 }),
            "{error}"
        );
    }
}

#[test]
fn an_impure_stage_is_found_by_running_it_twice() {
    static COUNT: AtomicI64 = AtomicI64::new(0);
    fn count() -> i64 {
        COUNT.fetch_add(1, Ordering::Relaxed)
    }
    let impure = [
        (
            Stage::Infer,
            "results",
            Script {
                infer: |_, _| Ok(count()),
                ..PLAIN
            },
        ),
        (
            Stage::Codegen,
            "results",
            Script {
                codegen: |_, _, _| Ok(count()),
                ..PLAIN
            },
        ),
        (
            Stage::Link,
            "results",
            Script {
                link: |_, _, x| match count() % 2 {
                    0 => Ok(x),
                    _ => Err(Stop::failed("odd")),
                },
                ..PLAIN
            },
        ),
        (
            Stage::Infer,
            "questions",
            Script {
                infer: |cx, _| {
                    read(cx, if count() % 2 == 0 { "g" } else { "h" })?;
                    Ok(1)
                },
                ..PLAIN
            },
        ),
    ];
    for (stage, what, script) in impure {
        let session = session(&[("f", script), ("g", PLAIN), ("h", PLAIN)]);
        session.set_checking(true);
        let error = value(&session, "f").expect_err("it is impure");
        let fault = error.stage_error::<StageFault>();
        assert_eq!(fault, Some(&StageFault::Impure { stage, what }), "{error}");
        assert_eq!(value(&session, "g").expect("g is pure"), 1);
    }
}

#[test]
fn checking_finds_nothing_in_pure_stages_that_call_one_another() {
    let even = Script {
        infer: |cx, _| Ok(read(cx, "odd")?.min(7)),
        number: 1,
        ..PLAIN
    };
    let odd = Script {
        infer: |cx, _| Ok((read(cx, "even")? + 1).min(7)),
        number: 2,
        ..PLAIN
    };
    let session = session(&[("even", even), ("odd", odd)]);
    session.set_checking(true);
    assert_eq!(value(&session, "even").expect("it settles"), 7);
}

static OWN: OnceLock<Session<Odd>> = OnceLock::new();

#[test]
fn a_stage_may_not_come_back_to_its_session() {
    let own = || OWN.get().expect("set below");
    let _ = own;
    let edits = Script {
        infer: |_, _| {
            let own = OWN.get().expect("set below");
            let edited = own.edit(|e| e.define("g", &[], PLAIN));
            edited.map(|_| 1).map_err(Stop::failed)
        },
        number: 1,
        ..PLAIN
    };
    let calls = Script {
        codegen: |_, _, _| value(OWN.get().expect("set below"), "g").map_err(Stop::failed),
        number: 2,
        ..PLAIN
    };
    let asks = Script {
        link: |_, _, _| Ok(OWN.get().expect("set below").take_stages().events.len() as i64),
        number: 3,
        ..PLAIN
    };
    let session = OWN.get_or_init(|| session(&[("f", edits), ("g", PLAIN)]));
    let refused = "edit-during-stage: a stage may not edit the session that runs it";
    check_in(session, &format!("infer of f() failed: {refused}"));
    define(session, &[("f", calls)]);
    let refused = "a stage asked a session: ask the stage's context instead";
    check_in(session, &format!("codegen of f() failed: {refused}"));
    define(session, &[("f", asks)]);
    check_in(
        session,
        &format!("link of f() failed: stage `link` panicked: {refused}"),
    );
    assert_eq!(value(session, "g").expect("g is well"), 1);
}

#[test]
fn a_handle_of_another_session_is_refused() {
    let (one, other) = (session(&[("f", PLAIN)]), session(&[("f", PLAIN)]));
    let handle = one.handle("f", &[]).expect("f is well");
    let error = other.enter(|scope| scope.get(&handle).map(|_| ()).expect_err("it is foreign"));
    assert!(
        matches!(&error, Error::ForeignHandle(name) if &**name == "f()"),
        "{error}"
    );
    assert_eq!(handle.call(|x| **x).expect("it is well at home"), 1);
}

#[test]
fn wrong_names_are_errors() {
    let session = session(&[("f", PLAIN)]);
    let wrong = |result: Result<(), Error>| result.expect_err("it is wrong").to_string();
    let ty = session.concrete_type("Int", Ty::ANY).expect("a new type");
    assert!(wrong(session.ty("Real").map(drop)).starts_with("unknown-type: `Real`"));
    assert!(wrong(session.concrete_type("Int", Ty::ANY).map(drop)).starts_with("duplicate-type"));
    assert!(wrong(session.concrete_type("Sub", ty).map(drop)).contains("concrete type `Int`"));
    let over = session.on(OneShard).over(&["gpu"]);
    assert!(wrong(over.map(drop)).starts_with("unknown-table: `gpu`"));
    let deleted = session.edit(|e| e.delete("f", &[ty]));
    assert!(wrong(deleted.map(drop)).starts_with("no-such-method: f(Int)"));
    let in_future = session.on(OneShard).in_world(World(99)).compile("f", &[]);
    assert!(wrong(in_future.map(drop)).starts_with("world 99 does not exist"));
    let bottom = session.edit(|e| e.define("f", &[Ty::BOTTOM], PLAIN));
    wrong(bottom.map(drop));
}
