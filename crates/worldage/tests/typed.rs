//! Typed handles: functions of a program as Rust function types.

use worldage::{
    CallError, CallOptions, FnHandle, HandleOptions, Linking, OptLevel, Session, SessionOptions,
};

fn session(program: &str) -> Session {
    let session = Session::new(SessionOptions::default()).expect("a host");
    session
        .define("typed.wir", program, None)
        .expect("a program");
    session
}

fn failed<T>(result: Result<T, CallError>) -> String {
    result.map(drop).expect_err("it fails").to_string()
}

#[test]
fn every_scalar_goes_in_and_out() {
    let session = session(
        "fn same(x) { x }
         fn none() { nothing }
         fn five(a: Int64, b: Float64, c: Bool, d: UInt8, e: Float32) {
             if c { float(a) + b + float(d) + Float64(e) } else { 0.0 }
         }",
    );
    macro_rules! same {
        ($($ty:ty: $($value:expr),+;)+) => {$(
            let same = session.handle::<fn($ty) -> $ty>("same").expect("a method");
            session.enter(|scope| {
                let same = scope.get(&same).expect("compiled");
                $(assert_eq!(same.call(($value,)).expect("a value"), $value);)+
            });
        )+};
    }
    same! {
        i8: -1, i8::MIN; i16: -300; i32: i32::MIN; i64: i64::MIN, 7;
        u8: 255; u16: 65_535; u32: u32::MAX; u64: u64::MAX;
        f32: 1.5, -0.0; f64: 1e300; bool: true, false;
    }
    let none = session.handle::<fn() -> ()>("none").expect("a method");
    let five = session
        .handle::<fn(i64, f64, bool, u8, f32) -> f64>("five")
        .expect("a method");
    session.enter(|scope| {
        scope
            .get(&none)
            .expect("compiled")
            .call(())
            .expect("nothing");
        let five = scope.get(&five).expect("compiled");
        assert_eq!(five.call((1, 2.0, true, 4, 8.0)).expect("a value"), 15.0);
        assert_eq!(five.call((1, 2.0, false, 4, 8.0)).expect("a value"), 0.0);
    });
}

#[test]
fn wrong_types_and_names_are_errors() {
    let session = session("fn half(x: Int64) { x / 2 }\nfn half(x: Float64) { x / 2.0 }");
    let int = session.handle::<fn(i64) -> i64>("half");
    assert!(failed(int).starts_with("half(Int64) returns Float64, and the handle Int64"));
    session.handle::<fn(i64) -> f64>("half").expect("a method");
    assert!(failed(session.handle::<fn(bool) -> f64>("half")).contains("no-matching-method"));
    assert!(failed(session.handle::<fn() -> f64>("nobody")).contains("no-matching-method"));
}

#[test]
fn a_failing_program_is_an_error_and_the_next_call_works() {
    let session = session(
        "fn at(i: Int64) { var xs = array(Int64, 3); xs[1] = 7; xs[i] }
         noinline fn deep(n: Int64) { if n == 0 { 10 / 0; div(1, n) } else { deep(n - 1) + 1 } }
         noinline fn endless(n: Int64) { endless(n + 1) + 1 }",
    );
    let at = session.handle::<fn(i64) -> i64>("at").expect("a method");
    let deep = session.handle::<fn(i64) -> i64>("deep").expect("a method");
    let endless = session
        .handle::<fn(i64) -> i64>("endless")
        .expect("a method");
    session.enter(|scope| {
        let at = scope.get(&at).expect("compiled");
        let deep = scope.get(&deep).expect("compiled");
        let endless = scope.get(&endless).expect("compiled");
        // Locals of the host's own loop live in registers that compiled code does not keep.
        let (mut sum, mut failures) = (0, 0);
        for i in 0..40 {
            match at.call((i % 4,)) {
                Ok(x) => sum += x,
                Err(error) => {
                    assert!(error.to_string().contains("index-out-of-bounds"), "{error}");
                    failures += 1;
                }
            }
            let error = failed(deep.call((i * 100,)));
            assert!(error.contains("division-error"), "{error}");
        }
        assert_eq!((sum, failures), (70, 10));
        assert!(failed(endless.call((0,))).contains("stack-overflow"));
        assert_eq!(at.call((1,)).expect("a value"), 7);
    });
}

#[test]
fn a_handle_sees_an_edit_at_the_next_enter() {
    for linking in [Linking::Pinned, Linking::Live] {
        let session = session("noinline fn g(x: Int64) { x + 1 }\nfn f(x) { g(x) * 2 }");
        session.set_linking(linking);
        let f = session.handle::<fn(i64) -> i64>("f").expect("a method");
        let call = |x| session.enter(|scope| scope.get(&f)?.call((x,)));
        assert_eq!(call(20).expect("a value"), 42);
        session.enter(|scope| {
            session
                .define("e.wir", "noinline fn g(x: Int64) { x + 2 }", None)
                .expect("an edit");
            if linking == Linking::Pinned {
                assert_eq!(
                    scope
                        .get(&f)
                        .expect("compiled")
                        .call((20,))
                        .expect("a value"),
                    42
                );
            }
        });
        assert_eq!(call(20).expect("a value"), 44);
        // A more specific method, then another type, then none.
        session
            .define("e.wir", "fn f(x: Int64) { x }", None)
            .expect("an edit");
        assert_eq!(call(20).expect("a value"), 20);
        session
            .define("e.wir", "fn f(x: Int64) { true }", None)
            .expect("an edit");
        assert!(failed(call(20)).starts_with("f(Int64) returns Bool"));
        session
            .define("e.wir", "fn f(x: Int64) { -x }", None)
            .expect("an edit");
        assert_eq!(call(20).expect("a value"), -20);
    }
}

#[test]
fn a_handle_of_another_session_is_refused() {
    let (one, other) = (session("fn f() { 1 }"), session("fn f() { 2 }"));
    let handle = one.handle::<fn() -> i64>("f").expect("a method");
    let refused = other.enter(|scope| scope.get(&handle).map(drop));
    assert!(matches!(refused, Err(CallError::ForeignHandle(name)) if &*name == "f()"));
}

#[test]
fn scopes_nest_and_threads_enter_at_once() {
    let session = session(
        "fn f(x: Int64) { var xs = array(Int64, 10); for i in 0..10 { xs[i] = x } xs[9] + 1 }",
    );
    let f = session.handle::<fn(i64) -> i64>("f").expect("a method");
    let nested = |depth: i64| {
        fn enter(session: &Session, f: &FnHandle<fn(i64) -> i64>, depth: i64) -> i64 {
            session.enter(|scope| {
                let own = scope
                    .get(f)
                    .expect("compiled")
                    .call((depth,))
                    .expect("a value");
                own + if depth == 0 {
                    0
                } else {
                    enter(session, f, depth - 1)
                }
            })
        }
        enter(&session, &f, depth)
    };
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                // More than there are pins.
                assert_eq!(nested(69), (1..=70).sum::<i64>());
                for _ in 0..20 {
                    assert_eq!(nested(3), 10);
                }
            });
        }
    });
}

fn options(opt: Option<OptLevel>, view: Option<&str>) -> HandleOptions {
    let view = view.map(str::to_string);
    HandleOptions { opt, view }
}

#[test]
fn handles_of_several_opt_levels_and_views_are_called_in_one_scope() {
    for linking in [Linking::Pinned, Linking::Live] {
        let session = session(
            "noinline fn g(x: Int64) { x + 1 }
             noinline fn f(x: Int64) { g(x) * 2 }
             noinline fn at(i: Int64) { var xs = array(Int64, 3); xs[g(i)] }",
        );
        session.set_linking(linking);
        session.table("top", None).expect("a new table");
        let in_top = |text| session.define("top.wir", text, Some("top")).map(drop);
        in_top("noinline fn g(x: Int64) { x + 100 }").expect("an edit");
        let made = [
            options(None, None),
            options(Some(OptLevel::None), None),
            options(None, Some("top")),
            options(Some(OptLevel::None), Some("top")),
        ]
        .map(|options| {
            let handle = |name| session.handle_with::<fn(i64) -> i64>(name, &options);
            (
                handle("f").expect("a method"),
                handle("at").expect("a method"),
            )
        });
        let all = |x| {
            session.enter(|scope| {
                let call = |handle| scope.get(handle)?.call((x,));
                // Twice, and each between others: contexts are not mixed up.
                let first = made.each_ref().map(|(f, _)| call(f).expect("a value"));
                let failed = made.each_ref().map(|(_, at)| failed(call(at)));
                assert!(
                    failed
                        .iter()
                        .all(|error| error.contains("index-out-of-bounds")),
                    "{failed:?}"
                );
                assert_eq!(
                    made.each_ref().map(|(f, _)| call(f).expect("a value")),
                    first
                );
                first
            })
        };
        assert_eq!(all(20), [42, 42, 240, 240]);
        session.take_stages();
        assert_eq!(all(20), [42, 42, 240, 240]);
        assert_eq!(session.take_stages().len(), 0);
        // A method of the table reaches those who stack it, and no other.
        in_top("noinline fn g(x: Int64) { x + 200 }").expect("an edit");
        assert_eq!(all(20), [42, 42, 440, 440]);
        session
            .define("e.wir", "noinline fn g(x: Int64) { x + 2 }", None)
            .expect("an edit");
        assert_eq!(all(20), [44, 44, 440, 440]);
    }
}

#[test]
fn a_view_that_is_not_there_is_an_error() {
    let session = session("fn f() { 1 }");
    let handle = session.handle_with::<fn() -> i64>("f", &options(None, Some("nowhere")));
    assert!(failed(handle).contains("nowhere"));
}

#[test]
fn a_scope_keeps_more_handles_apart_than_it_has_places_for() {
    let functions = 0..40;
    let texts = functions
        .clone()
        .map(|n| format!("noinline fn f{n}(x: Int64) {{ x + {n} }}"));
    let session = session(&texts.collect::<Vec<_>>().join("\n"));
    let handle = |n| session.handle::<fn(i64) -> i64>(&format!("f{n}"));
    let handles: Vec<_> = functions.map(|n| handle(n).expect("a method")).collect();
    let sum_of = |scope: &worldage::FnScope<'_>| -> i64 {
        let call = |handle| scope.get(handle)?.call((0,));
        handles
            .iter()
            .map(|handle| call(handle).expect("a value"))
            .sum()
    };
    session.enter(|scope| {
        assert_eq!(sum_of(scope), (0..40).sum::<i64>());
        session
            .define("e.wir", "noinline fn f3(x: Int64) { 1000 }", None)
            .expect("an edit");
        // The scope is of its world.
        assert_eq!(sum_of(scope), (0..40).sum::<i64>());
        session.enter(|inner| assert_eq!(sum_of(inner), (0..40).sum::<i64>() + 997));
        assert_eq!(sum_of(scope), (0..40).sum::<i64>());
    });
}

#[test]
fn scopes_on_threads_are_of_one_world_each_while_another_edits() {
    let session = session("noinline fn g(x: Int64) { 1 }\nnoinline fn f(x: Int64) { g(x) }");
    let options = [options(None, None), options(Some(OptLevel::None), None)];
    let handles = options.map(|options| {
        let made = session.handle_with::<fn(i64) -> i64>("f", &options);
        made.expect("a method")
    });
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..200 {
                    session.enter(|scope| {
                        // What `g` gives is the number of its world.
                        let expected = scope.world().0.cast_signed();
                        for handle in handles.iter().chain(&handles) {
                            let got = scope.get(handle).and_then(|f| f.call((0,)));
                            assert_eq!(got.expect("a value"), expected);
                        }
                    });
                }
            });
        }
        for world in 2..60 {
            let text = format!("noinline fn g(x: Int64) {{ {world} }}");
            session.define("e.wir", &text, None).expect("an edit");
        }
    });
}

#[test]
fn leaves_are_called_as_other_instances_are() {
    for linking in [Linking::Pinned, Linking::Live] {
        let session = session(
            "noinline fn share(x: Int64, n: Int64) { div(x, n) }
             noinline fn narrow(x: Float64) { trunc(Int64, x) }",
        );
        session.set_linking(linking);
        let share = session
            .handle::<fn(i64, i64) -> i64>("share")
            .expect("a method");
        let narrow = session
            .handle::<fn(f64) -> i64>("narrow")
            .expect("a method");
        session.enter(|scope| {
            let (share, narrow) = (scope.get(&share).unwrap(), scope.get(&narrow).unwrap());
            assert_eq!(share.call((7, 2)).unwrap(), 3);
            let Err(CallError::Failed(failure)) = share.call((7, 0)) else {
                panic!("a division by zero")
            };
            assert_eq!(
                failure.log_lines,
                ["error: division-error", "  called from share(Int64, Int64)"]
            );
            assert!(failed(narrow.call((1e300,))).contains("conversion-error"));
            assert_eq!(narrow.call((-2.9,)).unwrap(), -2);
            let edited = "noinline fn share(x: Int64, n: Int64) { x + n }";
            session.define("e.wir", edited, None).expect("an edit");
            let report = session.call("share(7, 2)", &CallOptions::default());
            assert_eq!(report.shown(&session), "9");
            // In live linking the new code is in the place of the old one.
            let expected = if linking == Linking::Live { 9 } else { 3 };
            assert_eq!(share.call((7, 2)).unwrap(), expected);
        });
        let value = session.enter(|scope| scope.get(&share)?.call((7, 2)));
        assert_eq!(value.unwrap(), 9);
    }
}
