//! Sessions on one store: what an earlier one made is taken, and only if it is still right.

use expect_test::{Expect, expect};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use worldage::store::{Options, Store};
use worldage::{CallOptions, Linking, Session, SessionOptions};

fn open(folder: &Path) -> Arc<Store> {
    let options = Options {
        folder: Some(folder.into()),
        ..Options::default()
    };
    Arc::new(Store::open(&options, Box::new(|line| panic!("{line}"))))
}

fn session(store: Option<&Arc<Store>>) -> Session {
    session_with(store, SessionOptions::default().image_from)
}

fn session_with(store: Option<&Arc<Store>>, image_from: usize) -> Session {
    let options = SessionOptions {
        store: store.cloned(),
        image_from,
        ..SessionOptions::default()
    };
    Session::new(options).expect("a host")
}

/// Runs sessions on one store, `--` between them: definitions and calls (`> f(1)`). Every answer
/// is compared with that of a session without a store. With images of sessions, the same is
/// asked for, and what is stored without them is stored with them.
#[track_caller]
fn check(script: &str, expected: Expect) {
    let out = run_sessions(script, usize::MAX);
    expected.assert_eq(&out);
    let imaged = run_sessions(script, 1);
    let asked = |out: &str| out.replace("stored:", "");
    assert_eq!(asked(&imaged), asked(&out));
    for (imaged, line) in imaged.lines().zip(out.lines()) {
        let mut stored = line.split(' ').filter(|word| word.starts_with("stored:"));
        assert!(stored.all(|word| imaged.contains(word)), "{line}: {imaged}");
    }
}

fn run_sessions(script: &str, image_from: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut out = String::new();
    for (number, part) in script.split("--\n").enumerate() {
        let store = open(folder.path());
        let (with, without) = (session_with(Some(&store), image_from), session(None));
        if number > 0 {
            out.push_str("--\n");
        }
        run(part, &with, &without, &mut out);
        // In the order in which a session and its store end.
        drop(with);
        assert_eq!(store.warnings(), 0);
    }
    out
}

fn run(script: &str, with: &Session, without: &Session, out: &mut String) {
    let mut text = String::new();
    let define = |text: &mut String| {
        if !text.trim().is_empty() {
            with.define("test.wir", text, None).unwrap();
            without.define("test.wir", text, None).unwrap();
        }
        text.clear();
    };
    for line in script.lines() {
        let Some(call) = line.trim_start().strip_prefix("> ") else {
            text += line;
            text.push('\n');
            continue;
        };
        define(&mut text);
        let report = with.call(call, &CallOptions::default());
        for (stage, names) in &report.stages {
            if stage.to_string() != "link" {
                let _ = writeln!(out, "{stage:<8} {}", names.join(" "));
            }
        }
        let shown = report.shown(with);
        let fresh = without.call(call, &CallOptions::default());
        assert_eq!(shown, fresh.shown(without), "{call}");
        assert_eq!(report.printed, fresh.printed, "{call}");
        if let (Err(one), Err(other)) = (&report.result, &fresh.result) {
            assert_eq!(
                with.render(&one.diagnostic),
                without.render(&other.diagnostic)
            );
        }
        let _ = writeln!(out, "{}=> {shown}", report.printed);
        let differ = with.differences_from_scratch();
        assert!(differ.is_empty(), "{call}: {differ:?}");
    }
    define(&mut text);
}

#[test]
fn a_second_session_runs_no_stage() {
    check(
        "
        noinline fn g(x: Int64) { x + 1 }
        fn f(x) { g(x) * 2 }
        > f(20)
        --
        noinline fn g(x: Int64) { x + 1 }
        fn f(x) { g(x) * 2 }
        > f(21)
        > f(2.5)
        --
        # Positions may move, and types of other programs be in the way.
        struct P { x: Int64 }
        fn f(x) { g(x) * 2 }


        noinline fn g(x: Int64) { x + 1 }
        > f(22)
        "
        .replace("        ", "")
        .as_str(),
        expect![[r#"
            infer    f(Int64) g(Int64)
            codegen  f(Int64) g(Int64)
            => 42
            --
            infer    stored:f(Int64) stored:g(Int64)
            codegen  stored:f(Int64) stored:g(Int64)
            => 44
            infer    f(Float64)
            codegen  f(Float64)
            => error: no-matching-method: g(Float64) in world 1
            --
            infer    stored:f(Int64) stored:g(Int64)
            codegen  stored:f(Int64) stored:g(Int64)
            => 46
        "#]],
    );
}

#[test]
fn an_edit_between_sessions_runs_the_minimal_stages() {
    check(
        "
        noinline fn leaf(x: Int64) { x + 1 }
        noinline fn mid(x: Int64) { leaf(x) * 2 }
        noinline fn top(x: Int64) { mid(x) + mid(x + 1) }
        > top(1)
        --
        noinline fn leaf(x: Int64) { x + 2 }
        noinline fn mid(x: Int64) { leaf(x) * 2 }
        noinline fn top(x: Int64) { mid(x) + mid(x + 1) }
        > top(1)
        --
        noinline fn leaf(x: Int64) { 0.5 }
        noinline fn mid(x: Int64) { leaf(x) * 2 }
        noinline fn top(x: Int64) { mid(x) + mid(x + 1) }
        > top(1)
        --
        noinline fn leaf(x: Int64) { x + 1 }
        noinline fn mid(x: Int64) { leaf(x) * 2 }
        noinline fn top(x: Int64) { mid(x) + mid(x + 1) }
        > top(1)
        "
        .replace("        ", "")
        .as_str(),
        expect![[r#"
            infer    leaf(Int64) mid(Int64) top(Int64)
            codegen  leaf(Int64) mid(Int64) top(Int64)
            => 10
            --
            infer    leaf(Int64) stored:mid(Int64) stored:top(Int64)
            codegen  leaf(Int64) stored:mid(Int64) stored:top(Int64)
            => 14
            --
            infer    leaf(Int64) mid(Int64) top(Int64)
            codegen  leaf(Int64) mid(Int64) top(Int64)
            => 2.0
            --
            infer    stored:leaf(Int64) mid(Int64) top(Int64)
            codegen  stored:leaf(Int64) stored:mid(Int64) stored:top(Int64)
            => 10
        "#]],
    );
}

#[test]
fn a_more_specific_method_is_seen() {
    check(
        "
        noinline fn g(x) { 1 }
        noinline fn f(x: Int64) { g(x) }
        > f(1)
        --
        noinline fn g(x) { 1 }
        noinline fn g(x: Int64) { 2 }
        noinline fn f(x: Int64) { g(x) }
        > f(1)
        --
        noinline fn g(x) { 1 }
        noinline fn f(x: Int64) { g(x) }
        > f(1)
        "
        .replace("        ", "")
        .as_str(),
        expect![[r#"
            infer    f(Int64) g(Int64)
            codegen  f(Int64) g(Int64)
            => 1
            --
            infer    f(Int64) g(Int64)
            codegen  f(Int64) g(Int64)
            => 2
            --
            infer    f(Int64) stored:g(Int64)
            codegen  stored:f(Int64) stored:g(Int64)
            => 1
        "#]],
    );
}

#[test]
fn structs_are_known_by_what_they_are() {
    check(
        "
        struct P { x: Int64, y: Float64 }
        noinline fn get(p: P) { p.y }
        noinline fn f(a: Int64) { get(P(a, 2.5)) }
        > f(1)
        --
        struct Q { z: Int64 }
        struct P { x: Int64, y: Float64 }
        noinline fn get(p: P) { p.y }
        noinline fn f(a: Int64) { get(P(a, 2.5)) }
        > f(1)
        --
        struct P { y: Float64, x: Int64 }
        noinline fn get(p: P) { p.y }
        noinline fn f(a: Int64) { get(P(2.5, a)) }
        > f(1)
        "
        .replace("        ", "")
        .as_str(),
        expect![[r#"
            infer    f(Int64) get(P)
            codegen  f(Int64) get(P)
            => 2.5
            --
            infer    stored:f(Int64) stored:get(P)
            codegen  stored:f(Int64) stored:get(P)
            => 2.5
            --
            infer    f(Int64) get(P)
            codegen  f(Int64) get(P)
            => 2.5
        "#]],
    );
}

#[test]
fn recursion_is_taken_as_a_whole_or_not_at_all() {
    check(
        "
        noinline fn even(n: Int64) { if n == 0 { true } else { odd(n - 1) } }
        noinline fn odd(n: Int64) { if n == 0 { false } else { even(n - 1) } }
        noinline fn fib(n: Int64) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
        > even(10)
        > fib(10)
        --
        noinline fn even(n: Int64) { if n == 0 { true } else { odd(n - 1) } }
        noinline fn odd(n: Int64) { if n == 0 { false } else { even(n - 1) } }
        noinline fn fib(n: Int64) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
        > odd(10)
        > fib(10)
        --
        noinline fn even(n: Int64) { if n == 0 { true } else { odd(n - 1) } }
        noinline fn odd(n: Int64) { if n == 0 { 1.5 } else { even(n - 1) } }
        > even(11)
        --
        noinline fn even(n: Int64) { if n == 0 { true } else { odd(n - 1) } }
        noinline fn odd(n: Int64) { if n == 0 { false } else { even(n - 1) } }
        > even(10)
        "
        .replace("        ", "")
        .as_str(),
        expect![[r#"
            infer    even(Int64) odd(Int64)
            codegen  even(Int64) odd(Int64)
            => true
            infer    fib(Int64)
            codegen  fib(Int64)
            => 55
            --
            infer    stored:even(Int64) stored:odd(Int64)
            codegen  stored:even(Int64) stored:odd(Int64)
            => false
            infer    stored:fib(Int64)
            codegen  stored:fib(Int64)
            => 55
            --
            infer    even(Int64) odd(Int64)
            codegen  even(Int64) odd(Int64)
            => 1.5
            --
            infer    even(Int64) odd(Int64)
            codegen  stored:even(Int64) stored:odd(Int64)
            => true
        "#]],
    );
}

#[test]
fn inlined_bodies_are_part_of_the_key() {
    check(
        "
        inline fn add(x: Int64) { x + 1 }
        noinline fn f(x: Int64) { add(x) }
        > f(1)
        --
        inline fn add(x: Int64) { x + 2 }
        noinline fn f(x: Int64) { add(x) }
        > f(1)
        --
        inline fn add(x: Int64) { x + 1 }
        noinline fn f(x: Int64) { add(x) }
        > f(1)
        "
        .replace("        ", "")
        .as_str(),
        expect![[r#"
            infer    add(Int64) f(Int64)
            codegen  f(Int64)
            => 2
            --
            infer    add(Int64) stored:f(Int64)
            codegen  f(Int64)
            => 3
            --
            infer    stored:add(Int64) stored:f(Int64)
            codegen  stored:f(Int64)
            => 2
        "#]],
    );
}

#[test]
fn errors_point_at_the_present_text() {
    check(
        "
        fn f(xs: Int64) { ys = array(Int64, 2); ys[xs] }
        > f(5)
        --

        # moved

        fn f(xs: Int64) {
            ys = array(Int64, 2)
            ys[xs] }
        > f(5)
        "
        .replace("        ", "")
        .replace("ys = ", "var ys = ")
        .as_str(),
        expect![[r#"
            infer    f(Int64)
            codegen  f(Int64)
            => error: index-out-of-bounds
            --
            infer    stored:f(Int64)
            codegen  stored:f(Int64)
            => error: index-out-of-bounds
        "#]],
    );
}

#[test]
fn run_time_dispatch_and_values_of_many_types() {
    let program = "
        abstract type Shape
        struct Circle <: Shape { r: Float64 }
        struct Square <: Shape { a: Float64 }
        noinline fn area(c: Circle) { c.r * c.r * 3.0 }
        noinline fn area(s: Square) { s.a * s.a }
        noinline fn pick(n: Int64) { if n == 0 { Circle(1.0) } else { Square(2.0) } }
        noinline fn f(n: Int64) { print(\"area\", area(pick(n)), (n, \"x\")); area(pick(n)) }
        > f(0)
        > f(1)
        ";
    let script = format!("{program}--\n{program}").replace("        ", "");
    check(
        &script,
        expect![[r#"
        infer    area(Circle) area(Square) f(Int64) pick(Int64)
        codegen  area(Circle) area(Square) f(Int64) pick(Int64)
        area 3.0 (0, "x")
        => 3.0
        area 4.0 (1, "x")
        => 4.0
        --
        infer    stored:area(Circle) stored:area(Square) stored:f(Int64) stored:pick(Int64)
        codegen  stored:area(Circle) stored:area(Square) stored:f(Int64) stored:pick(Int64)
        area 3.0 (0, "x")
        => 3.0
        area 4.0 (1, "x")
        => 4.0
    "#]],
    );
}

/// A small generator, so that every run sees the same programs.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

const FUNCTIONS: u64 = 7;

/// A function of a random program: it ends, since calls count down; it calls any other, so there
/// are cycles; its type changes with its constants.
fn function(random: &mut Random, ix: u64) -> String {
    let how = ["inline ", "noinline ", "noinline ", ""][random.below(4) as usize];
    let value = |random: &mut Random| match random.below(6) {
        0 => "2.5".to_owned(),
        1 => "x".to_owned(),
        2 => "P(x).v".to_owned(),
        3 => "external(\"k\")".to_owned(),
        _ => random.below(4).to_string(),
    };
    let call = |random: &mut Random| {
        let callee = random.below(FUNCTIONS);
        match random.below(3) {
            0 => value(random),
            1 => format!("f{callee}(x, n - 1)"),
            _ => format!("f{callee}({}, n - 1)", value(random)),
        }
    };
    let (end, one, two) = (value(random), call(random), call(random));
    let args = ["x, n: Int64", "x: Number, n: Int64", "x: Int64, n: Int64"];
    let args = args[random.below(3) as usize];
    format!("{how}fn f{ix}({args}) {{ if n <= 0 {{ {end} }} else {{ {one} + {two} }} }}\n")
}

fn random_program(random: &mut Random, functions: &[String]) -> String {
    let field = ["Int64", "Float64", "Any"][random.below(3) as usize];
    let mut order: Vec<&String> = functions.iter().collect();
    // Numbers of methods and types differ from session to session.
    order.rotate_left(random.below(FUNCTIONS) as usize);
    let structs = [
        format!("struct P {{ v: {field} }}\n"),
        "struct Q { w: Int64 }\n".to_owned(),
    ];
    let rest: String = order.into_iter().map(String::as_str).collect();
    match random.below(2) {
        0 => structs.concat() + &rest,
        _ => structs[1].clone() + &rest + &structs[0],
    }
}

/// Random programs under random edits, each in a session of its own and in one that is edited
/// further, all on one store: every answer is that of a session without a store, and everything
/// that is up to date is what is made from nothing.
#[test]
fn random_programs_on_one_store_are_right() {
    let mut stored = 0;
    // More of them in the nightly profile.
    let seeds = std::env::var("WORLDAGE_SEEDS").map_or(30, |seeds| seeds.parse().unwrap());
    for seed in 1..=seeds {
        let mut random = Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let layers: Vec<Box<dyn worldage::store::Layer>> =
            vec![Box::new(worldage::store::memory::Memory::default())];
        let store = Arc::new(Store::with_layers(
            layers,
            Box::new(|line| panic!("{line}")),
        ));
        let mut functions: Vec<String> =
            (0..FUNCTIONS).map(|ix| function(&mut random, ix)).collect();
        for _ in 0..5 {
            let (with, without) = (session(Some(&store)), session(None));
            for _ in 0..2 {
                let program = random_program(&mut random, &functions);
                let value = ["1", "2.5"][random.below(2) as usize];
                for session in [&with, &without] {
                    session.define("random.wir", &program, None).unwrap();
                    session.set_external("k", value).unwrap();
                }
                for _ in 0..3 {
                    let callee = random.below(FUNCTIONS);
                    let call = format!(
                        "f{callee}({}, {})",
                        ["3", "1.5"][random.below(2) as usize],
                        random.below(4)
                    );
                    let report = with.call(&call, &CallOptions::default());
                    let fresh = without.call(&call, &CallOptions::default());
                    let shown = report.shown(&with);
                    assert_eq!(
                        shown,
                        fresh.shown(&without),
                        "seed {seed}: {call}\n{program}"
                    );
                    let names = report.stages.iter().flat_map(|(_, names)| names);
                    stored += names.filter(|name| name.starts_with("stored:")).count();
                }
                let differ = with.differences_from_scratch();
                assert!(differ.is_empty(), "seed {seed}: {differ:?}\n{program}");
                // An edit; often one that is taken back later.
                let ix = random.below(FUNCTIONS);
                functions[ix as usize] = function(&mut random, ix);
            }
            store.flush();
        }
    }
    assert!(
        stored as u64 > seeds * 8,
        "{stored} results came from the store"
    );
}

/// The n-th operation of the store fails, for every n that happens: the answer is right, there is
/// at most one warning, and the next session finds what is there.
#[test]
fn every_operation_may_fail() {
    let text = "
        noinline fn h(x) { x * 3 }
        noinline fn g(x) { h(x) + h(float(x)) }
        fn small(x) { x + 1 }
        noinline fn odd(n: Int64) { if n == 0 { false } else { even(n - 1) } }
        noinline fn even(n: Int64) { if n == 0 { true } else { odd(n - 1) } }
        fn main(n: Int64) { if even(n) { g(small(n)) } else { h(n) } }";
    let run = |folder: &Path, fail: u64| {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let into = Arc::clone(&told);
        let options = Options {
            folder: Some(folder.into()),
            ..Options::default()
        };
        let sink = Box::new(move |line: &str| into.lock().unwrap().push(line.to_owned()));
        let store = Arc::new(Store::open(&options, sink));
        let session = session(Some(&store));
        store.fail_io(fail);
        session.define("test.wir", text, None).unwrap();
        let report = session.call("main(4)", &CallOptions::default());
        assert_eq!(report.shown(&session), "30.0", "operation {fail}");
        drop((session, store));
        let told = told.lock().unwrap();
        assert!(told.len() <= 1, "operation {fail}: {told:?}");
        !told.is_empty()
    };
    for filled in [false, true] {
        let mut failed = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            if filled {
                run(folder.path(), 0);
            }
            let told = run(folder.path(), failed + 1);
            assert!(!run(folder.path(), 0), "operation {failed}");
            if !told {
                break;
            }
            failed += 1;
        }
        assert!(
            failed > 10,
            "{failed} operations with a store filled: {filled}"
        );
    }
}

/// What strict mode refused is no result: without it everything is as if it had never been on.
#[test]
fn what_strict_mode_refused_runs_without_it() {
    for linking in [Linking::Pinned, Linking::Live] {
        let session = Session::new(SessionOptions {
            linking,
            ..SessionOptions::default()
        });
        let session = session.expect("a host");
        let define = |text: &str| drop(session.define("p.wir", text, None).expect("it is right"));
        let call = || {
            let report = session.call("top(3)", &CallOptions::default());
            (report.shown(&session), report.stages)
        };
        let refused = |what: &str| {
            let result = session.call("top(3)", &CallOptions::default()).result;
            let message = result.expect_err("it is refused").diagnostic.message;
            assert!(
                message.contains(&format!("strict: infer of {what}: ")),
                "{message}"
            );
        };
        define(
            "noinline fn leaf(x) { x + 1 }
             noinline fn mid(x) { leaf(x) * 2 }
             fn top(x) { mid(x) + leaf(x) }",
        );
        session.set_strict(true);
        refused("top(Int64)");
        session.set_strict(false);
        let (shown, stages) = call();
        assert_eq!(shown, "12");
        assert_eq!(stages[0].1, ["leaf(Int64)", "mid(Int64)", "top(Int64)"]);
        // In a program that ran, an edit that may not run, and a call above it.
        session.set_strict(true);
        define("noinline fn leaf(x) { x + 1.5 }");
        refused("leaf(Int64)");
        refused("leaf(Int64)");
        session.set_strict(false);
        let (shown, stages) = call();
        assert_eq!(shown, "13.5");
        assert_eq!(stages[0].1, ["leaf(Int64)", "mid(Int64)", "top(Int64)"]);
        assert_eq!(call(), ("13.5".into(), Vec::new()));
    }
}
