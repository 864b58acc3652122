//! Functions of the host: called by compiled code of every opt level and by the interpreter, with
//! the same values and the same errors; redefined like any method.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use worldage::oracle::InterpreterSession;
use worldage::store::{Options, Store};
use worldage::{CallOptions, HostError, Linking, OptLevel, Session, SessionOptions, Stage, Value};

type Run = fn(&[Value]) -> Result<Value, HostError>;

fn session() -> Session {
    Session::new(SessionOptions::default()).expect("a host")
}

/// Calls an expression on every engine after the same definitions; all agree. Gives the value, or
/// the lines of the error.
#[track_caller]
fn on_all(hosts: &[(&str, Run)], program: &str, call: &str) -> String {
    let session = session();
    let mut oracle = InterpreterSession::new(Arc::clone(session.universe()));
    for (declaration, run) in hosts {
        session
            .host_method(declaration, None, *run)
            .expect("a declaration");
        oracle
            .host_method(declaration, None, *run)
            .expect("a declaration");
    }
    session
        .define("host.wir", program, None)
        .expect("a program");
    oracle.define("host.wir", program, None).expect("a program");
    let (printed, expected) = oracle.call(call, None, None);
    let world = session.world();
    let expected = match expected {
        Ok(value) => printed + &value.show(session.universe()).to_string(),
        Err(error) => {
            let shown = oracle.render(&error);
            printed + &worldage::log_lines(&error, world).join("\n") + "\n" + &shown
        }
    };
    for opt in [OptLevel::None, OptLevel::Speed] {
        let options = CallOptions {
            opt: Some(opt),
            ..CallOptions::default()
        };
        let report = session.call(call, &options);
        let shown = match &report.result {
            Ok(value) => value.show(session.universe()).to_string(),
            Err(failure) => {
                let shown = session.render(&failure.diagnostic);
                failure.log_lines.join("\n") + "\n" + &shown
            }
        };
        assert_eq!(report.printed + &shown, expected, "{opt:?}");
    }
    expected
}

fn int(value: &Value) -> i64 {
    i64::try_from(value.as_int().expect("an integer")).expect("an Int64")
}

#[test]
fn dispatch_is_on_the_declared_types() {
    let hosts: [(&str, Run); 4] = [
        ("kind(x: Int64) -> String", |_| Ok(Value::str("int"))),
        ("kind(x: Number) -> String", |_| Ok(Value::str("number"))),
        ("kind(x) -> String", |args| {
            Ok(Value::str(match &args[0] {
                Value::Str(_) => "text",
                _ => "else",
            }))
        }),
        ("count(xs: Vararg{Any}) -> Int64", |args| {
            Ok(Value::int(args.len() as i64))
        }),
    ];
    let program = "
        fn kind(x: Bool) { \"bool\" }
        fn any(x: Any) { kind(x) }
        fn f() { (kind(1), kind(2.5), kind(\"a\"), kind(true), kind(nothing), count(1, \"b\"), count()) }
        fn g(n: Int64) { var x = array(Any, 2); x[0] = n; x[1] = \"t\"; (kind(x[0]), kind(x[1])) }";
    assert_eq!(
        on_all(&hosts, program, "f()"),
        r#"("int", "number", "text", "bool", "else", 2, 0)"#
    );
    assert_eq!(on_all(&hosts, program, "g(3)"), r#"("int", "text")"#);
}

#[test]
fn values_of_every_kind_go_in_and_out() {
    let hosts: [(&str, Run); 3] = [
        ("same(x: T) -> T where T", |args| Ok(args[0].clone())),
        ("pick(xs: Array{T}, ix: Int64) -> T where T", |args| {
            let Value::Array(xs) = &args[0] else {
                return Err(HostError::new("no array"));
            };
            let ix = int(&args[1]) as usize;
            let found = (ix < xs.len()).then(|| xs.elems().get(ix)).flatten();
            found.ok_or_else(|| HostError::new(format!("there is no element {ix}")))
        }),
        ("untyped(x)", |args| Ok(args[0].clone())),
    ];
    let program = "
        struct P { x: Float64, name: String }
        fn f() {
            var xs = array(P, 2); xs[0] = P(1.0, \"a\"); xs[1] = P(2.5, \"b\")
            var p = same(pick(xs, 1))
            (p.x * 2.0, same(same), same(nothing), same((1, \"t\")), untyped(p).name, length(same(xs)))
        }
        fn out() { pick(array(Int64, 3), 7) }";
    assert_eq!(
        on_all(&hosts, program, "f()"),
        r#"(5.0, same, nothing, (1, "t"), "b", 2)"#
    );
    let error = on_all(&hosts, program, "out()");
    assert!(
        error.starts_with("error: host-error: pick(Array{Int64}, Int64)\n  called from out()\n"),
        "{error}"
    );
}

#[test]
fn errors_and_panics_have_the_position_of_the_call() {
    let hosts: [(&str, Run); 3] = [
        ("fails(x: Int64) -> Int64", |args| {
            Err(HostError::new(format!("{} is no good", int(&args[0]))))
        }),
        ("panics() -> Int64", |_| panic!("oh no")),
        ("lies() -> Int64", |_| Ok(Value::float(1.5))),
    ];
    let program = "noinline fn g(x) { fails(x) + 1 }\nfn f(x) {\n  g(x)\n}\n\
                   fn p() { panics() }\nfn l() { lies() }";
    assert_eq!(
        on_all(&hosts, program, "f(3)"),
        "error: host-error: fails(Int64)\n  called from g(Int64)\n  called from f(Int64)\n\
         host.wir:1:20: error[host-error]: the host function failed: 3 is no good\n  \
         |\n1 | noinline fn g(x) { fails(x) + 1 }\n  |                    ^^^^^^^^\n  \
         called from g(Int64) at host.wir:1:20\n  called from f(Int64) at host.wir:3:3\n  \
         = hint: look at the function that the host gave, or at its arguments\n"
    );
    let panicked = on_all(&hosts, program, "p()");
    assert!(
        panicked.contains("host.wir:5:10: error[host-error]: the host function panicked: oh no"),
        "{panicked}"
    );
    let session = session();
    session
        .host_method("lies() -> Int64", None, |_| Ok(Value::float(1.5)))
        .expect("a declaration");
    session
        .define("l.wir", "fn l() { lies() }", None)
        .expect("a program");
    let lied = session
        .call("l()", &CallOptions::default())
        .result
        .expect_err("a lie");
    assert_eq!(
        lied.log_lines,
        ["error: type-mismatch", "  called from l()"]
    );
    // The session goes on after a panic.
    assert!(on_all(&hosts, program, "f(4)").contains("4 is no good"));
}

#[test]
fn a_redefinition_runs_nothing_of_its_callers() {
    let session = session();
    session.host_function("rate", || 2i64).expect("a name");
    session
        .define(
            "r.wir",
            "noinline fn f(x) { x * rate() }\nfn g(x) { f(x) }",
            None,
        )
        .expect("a program");
    let call = CallOptions::default();
    let first = session.call("g(5)", &call);
    assert_eq!(first.shown(&session), "10");
    assert_eq!(first.stages[0].1, ["f(Int64)", "g(Int64)", "rate()"]);

    // Another closure of the same type: only its own inference is looked at again.
    let edit = session.host_function("rate", || 3i64).expect("a name");
    assert_eq!(edit.lines, ["~ rate()"]);
    let second = session.call("g(5)", &call);
    assert_eq!(second.shown(&session), "15");
    assert_eq!(second.stages, [(Stage::Infer, vec!["rate()".to_string()])]);
    // The old world keeps the old one.
    let old = CallOptions {
        world: Some(first_world(&edit)),
        ..CallOptions::default()
    };
    assert_eq!(session.call("g(5)", &old).shown(&session), "10");

    // Another type: its callers are compiled again.
    session.host_function("rate", || 0.5f64).expect("a name");
    let third = session.call("g(5)", &call);
    assert_eq!(third.shown(&session), "2.5");
    assert_eq!(third.stages[1].1, ["f(Int64)", "g(Int64)", "rate()"]);

    session.delete("rate()", None).expect("it is there");
    let gone = session.call("g(5)", &call).result.expect_err("it is gone");
    assert_eq!(
        gone.log_lines[0],
        "error: no-matching-method: rate() in world 5"
    );
    // A method of the program takes its place, and the other way round.
    session
        .define("m.wir", "fn rate() { 7 }", None)
        .expect("a program");
    assert_eq!(session.call("g(5)", &call).shown(&session), "35");
    session.host_function("rate", || 1i64).expect("a name");
    assert_eq!(session.call("g(5)", &call).shown(&session), "5");
}

/// The world before an edit.
fn first_world(edit: &worldage::EditReport) -> worldage::World {
    worldage::World(edit.world.0 - 1)
}

#[test]
fn a_running_loop_keeps_its_world_or_follows_the_newest() {
    for (linking, expected) in [(Linking::Pinned, 4), (Linking::Live, 22)] {
        let session = Session::new(SessionOptions {
            linking,
            ..SessionOptions::default()
        })
        .expect("a host");
        let again = session.clone();
        session.host_function("step", || 1i64).expect("a name");
        session
            .host_function("redefine", move |at: i64| {
                if at == 1 {
                    again
                        .host_function("step", || 10i64)
                        .map(drop)
                        .map_err(|e| e.to_string())?;
                }
                Ok::<i64, String>(0)
            })
            .expect("a name");
        let program = "fn f(n: Int64) { var sum = 0; for i in 0..n { sum = sum + step() + redefine(i) }; sum }";
        session
            .define("loop.wir", program, None)
            .expect("a program");
        let report = session.call("f(4)", &CallOptions::default());
        assert_eq!(report.shown(&session), expected.to_string(), "{linking:?}");
        assert_eq!(
            session
                .call("f(4)", &CallOptions::default())
                .shown(&session),
            "40"
        );
    }
}

#[test]
fn a_live_loop_is_never_given_another_type() {
    let session = Session::new(SessionOptions {
        linking: Linking::Live,
        ..SessionOptions::default()
    })
    .expect("a host");
    let again = session.clone();
    session.host_function("step", || 1i64).expect("a name");
    session
        .host_function("redefine", move |at: i64| {
            let done = match at {
                1 => again.host_function("step", || 10i64),
                2 => again.host_function("step", || 0.5f64),
                _ => return Ok(0),
            };
            done.map(|_| 0i64).map_err(|error| error.to_string())
        })
        .expect("a name");
    let program =
        "fn f(n: Int64) { var sum = 0; for i in 0..n { sum = sum + step() + redefine(i) }; sum }";
    session
        .define("loop.wir", program, None)
        .expect("a program");
    let call = CallOptions::default();
    assert_eq!(session.call("f(4)", &call).shown(&session), "22");
    assert_eq!(session.call("f(4)", &call).shown(&session), "2.0");
}

#[test]
fn the_host_may_come_back() {
    let session = session();
    let again = session.clone();
    session
        .host_function("twice", move |n: i64| -> Result<i64, HostError> {
            let report = again.call(&format!("f({n})"), &CallOptions::default());
            let value = report.result.map_err(HostError::from)?;
            Ok(2 * int(&value))
        })
        .expect("a name");
    let program =
        "fn f(n: Int64) { if n == 0 { 1 } else { twice(n - 1) } }\nfn bad(n) { twice(\"\") }";
    session.define("f.wir", program, None).expect("a program");
    assert_eq!(
        session
            .call("f(10)", &CallOptions::default())
            .shown(&session),
        "1024"
    );
    let handle = session.handle::<fn(i64) -> i64>("f").expect("a method");
    let value = session.enter(|scope| scope.get(&handle)?.call((5,)));
    assert_eq!(value.expect("a value"), 32);
}

#[test]
fn declarations_that_are_wrong_are_refused() {
    let session = session();
    let refused = |declaration: &str| {
        let edit = session.host_method(declaration, None, |_| Ok(Value::Nothing));
        edit.expect_err("it is wrong").log_line()
    };
    assert_eq!(refused("f(x: Nope)"), "error: unknown-type: Nope");
    assert_eq!(refused("f(x) -> Nope"), "error: unknown-type: Nope");
    assert_eq!(refused("f(x"), "error: syntax");
    assert_eq!(refused("f() { 1 }; fn g() "), "error: syntax");
    assert_eq!(
        refused("sqrt(x: Float64) -> Float64"),
        "error: duplicate-definition: sqrt(Float64)"
    );
    let table = session.host_method("f()", Some("t"), |_| Ok(Value::Nothing));
    assert_eq!(
        table.expect_err("no such table").log_line(),
        "error: unknown-name: t"
    );
    assert_eq!(session.world().0, 0);

    session.table("t", None).expect("a new name");
    session.host_function("f", || 1i64).expect("a name");
    session
        .host_method("f() -> Int64", Some("t"), |_| Ok(Value::int(2)))
        .expect("a declaration");
    let over = CallOptions {
        view: Some("t".into()),
        ..CallOptions::default()
    };
    assert_eq!(session.call("f()", &over).shown(&session), "2");
    assert_eq!(
        session.call("f()", &CallOptions::default()).shown(&session),
        "1"
    );
}

#[test]
fn a_program_that_is_replaced_keeps_the_host_and_a_struct_that_changes_moves_it() {
    let session = session();
    let call = CallOptions::default();
    let program = |fields: &str| {
        let text = format!("struct P {{ {fields} }}\nfn f(x) {{ width(P(x)) }}");
        vec![("p.wir".to_string(), text.into_bytes())]
    };
    session
        .replace_program(program("x: Int64"))
        .expect("a program");
    session
        .host_method("width(p: P) -> Int64", None, |args| match &args[0] {
            Value::Struct(p) => Ok(p.parts()[0].clone()),
            _ => Err(HostError::new("no P")),
        })
        .expect("a declaration");
    assert_eq!(session.call("f(3)", &call).shown(&session), "3");
    session
        .replace_program(program("y: Int64"))
        .expect("a program");
    assert_eq!(session.call("f(4)", &call).shown(&session), "4");
}

#[test]
fn all_of_it_is_stored_and_the_function_is_the_sessions() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |rate: i64, strict: bool| {
        let options = Options {
            folder: Some(dir.path().into()),
            ..Options::default()
        };
        let store = Arc::new(Store::open(&options, Box::new(|line| panic!("{line}"))));
        let session = Session::new(SessionOptions {
            store: Some(Arc::clone(&store)),
            ..SessionOptions::default()
        })
        .expect("a host");
        session.set_strict(strict);
        session.host_function("rate", move || rate).expect("a name");
        session
            .define("r.wir", "fn g(x: Int64) { x * rate() }", None)
            .expect("a program");
        let report = session.call("g(5)", &CallOptions::default());
        let shown = report.shown(&session);
        (shown, report.stages)
    };
    assert_eq!(run(2, false).0, "10");
    let (shown, stages) = run(3, true);
    assert_eq!(shown, "15");
    let stored = ["stored:g(Int64)".to_string(), "stored:rate()".to_string()];
    assert_eq!(stages[0].1, stored);
    assert_eq!(stages[1].1, stored);
}

#[test]
fn many_redefinitions_keep_no_closure() {
    let session = session();
    let alive = Arc::new(AtomicI64::new(0));
    struct Counted(Arc<AtomicI64>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    session
        .define("f.wir", "fn f() { number() }", None)
        .expect("a program");
    for number in 0..1000i64 {
        alive.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(&alive));
        session
            .host_function("number", move || {
                let _held = &counted;
                number
            })
            .expect("a name");
        let shown = session.call("f()", &CallOptions::default()).shown(&session);
        assert_eq!(shown, number.to_string());
    }
    let alive = alive.load(Ordering::Relaxed);
    assert!(
        alive <= 80,
        "{alive} closures are alive, and 64 worlds are callable"
    );
}
