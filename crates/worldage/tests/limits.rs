//! Big and deep types through text: an answer, or an error that says what and where, and then the
//! world is as before.

use std::fmt::Write;
use worldage::{CallOptions, LookupReport, Session, SessionOptions, World};

fn session() -> Session {
    let options = SessionOptions {
        threads: 1,
        ..SessionOptions::default()
    };
    Session::new(options).expect("a host")
}

/// `P{P{…{Int64}…}}`
fn nested(depth: usize) -> String {
    format!("{}Int64{}", "P{".repeat(depth), "}".repeat(depth))
}

#[test]
fn types_that_nest_too_deep_are_refused() {
    let session = session();
    let define = |text: &str| session.define("deep.wir", text, None);
    define("struct P{T} { x: T }").expect("a struct");
    define(&format!("fn f(x: {}) {{ 1 }}", nested(60))).expect("so deep types may nest");
    let found = session.lookup(&format!("f({})", nested(60)), None, None);
    assert!(matches!(found, Ok(LookupReport::Method(_))), "{found:?}");
    let before = session.world();
    for depth in [1_000, 100_000] {
        let deep = nested(depth);
        for text in [
            format!("fn g(x: {deep}) {{ 1 }}"),
            format!("fn g(x: T) where T <: {deep} {{ 1 }}"),
            format!("struct Q {{ x: {deep} }}"),
            format!("struct Q <: {deep} {{ }}"),
            format!("fn g(x) {{ isa(x, {deep}) }}"),
        ] {
            let failure = define(&text).expect_err("too deep");
            let first = &failure.diagnostics[0];
            let shown = session.render(first);
            assert!(shown.contains("deep.wir:1:"), "{shown:.300}");
        }
        session
            .lookup(&format!("f({deep})"), None, None)
            .expect_err("too deep");
        session
            .delete(&format!("f({deep})"), None)
            .expect_err("too deep");
        let report = session.call(
            &format!("f({})", "P(".repeat(depth)),
            &CallOptions::default(),
        );
        assert!(report.result.is_err());
    }
    assert_eq!(session.world(), before);
}

#[test]
fn a_union_of_ten_thousand_is_a_type() {
    const MEMBERS: usize = 10_000;
    let session = session();
    let mut text = String::from("abstract type Shape\nstruct Other { }\n");
    for ix in 0..MEMBERS {
        let _ = writeln!(text, "struct S{ix} <: Shape {{ }}");
    }
    let members: Vec<String> = (0..MEMBERS).map(|ix| format!("S{ix}")).collect();
    let _ = writeln!(text, "fn f(x: Union{{{}}}) {{ 1 }}", members.join(", "));
    text.push_str("fn f(x: Shape) { 2 }\nfn f(x: S7) { 3 }\n");
    session
        .define("wide.wir", &text, None)
        .expect("it is right");
    let call = |expr: &str| session.call(expr, &CallOptions::default()).shown(&session);
    assert_eq!(call("f(S0())"), "1");
    assert_eq!(call("f(S9999())"), "1");
    assert_eq!(call("f(S7())"), "3");
    let found = session.lookup("f(Other)", None, None);
    assert_eq!(found.expect("a signature"), LookupReport::NoMethod);
}

#[test]
fn a_method_may_have_a_thousand_parameters() {
    const PARAMS: usize = 1_000;
    let session = session();
    let params: Vec<String> = (0..PARAMS).map(|ix| format!("a{ix}: Int64")).collect();
    let text = format!(
        "noinline fn f({}) {{ a0 + a999 }}\nfn f(xs: Vararg{{Int64}}) {{ length(xs) }}",
        params.join(", ")
    );
    session
        .define("long.wir", &text, None)
        .expect("it is right");
    let args = |count: usize| {
        let args: Vec<String> = (1..=count).map(|x| x.to_string()).collect();
        format!("f({})", args.join(", "))
    };
    let call = |expr: &str| session.call(expr, &CallOptions::default()).shown(&session);
    assert_eq!(call(&args(PARAMS)), "1001");
    assert_eq!(call(&args(PARAMS - 1)), "999");
    // More than a signature may have.
    let many: Vec<String> = (0..20_000).map(|ix| format!("x{ix}: Int64")).collect();
    let failure = session.define(
        "longer.wir",
        &format!("fn g({}) {{ 1 }}", many.join(", ")),
        None,
    );
    let failure = failure.expect_err("too long");
    let shown = session.render(&failure.diagnostics[0]);
    assert!(shown.contains("longer.wir:1:"), "{shown:.300}");
    assert_eq!(session.world(), World(1));
}
