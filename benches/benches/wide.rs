//! One leaf with 1,000 callers, all called after each edit (pinned); an overlay method in another
//! view.
//!
//! `cargo bench -p worldage-benches --bench wide`

use std::fmt::Write as _;
use std::time::Instant;
use worldage::{CallOptions, Session, SessionOptions, Stage, Value};
use worldage_benches::figures::{figure, median, us};

const CALLERS: i64 = 1_000;

fn main() {
    let session = Session::new(SessionOptions::default()).expect("a host");
    let mut text = "noinline fn leaf(x: Int64) { x + 0 }\n".to_string();
    // Groups of ten callers under one function, as the peers have them.
    for ix in 0..CALLERS {
        let _ = writeln!(text, "noinline fn c{ix}(x: Int64) {{ leaf(x) + {ix} }}");
    }
    let mut below: Vec<String> = (0..CALLERS).map(|ix| format!("c{ix}")).collect();
    let mut level = 0;
    while below.len() > 1 {
        let mut above = Vec::new();
        for (ix, group) in below.chunks(10).enumerate() {
            let name = format!("n{level}_{ix}");
            let calls: Vec<String> = group.iter().map(|callee| format!("{callee}(x)")).collect();
            let _ = writeln!(
                text,
                "noinline fn {name}(x: Int64) {{ {} }}",
                calls.join(" + ")
            );
            above.push(name);
        }
        below = above;
        level += 1;
    }
    let top = below.remove(0);
    session.define("wide.wir", &text, None).expect("a program");
    let call = |leaf: i64| {
        let value = session.value_of(&top, &[Value::int(1)], &CallOptions::default());
        let sum: i64 = (0..CALLERS).map(|ix| 1 + leaf + ix).sum();
        assert_eq!(value.expect("it runs").as_int(), Some(sum.into()));
    };
    call(0);
    session.take_stages();
    let mut times = Vec::new();
    for edit in 1..40 {
        let start = Instant::now();
        let text = format!("noinline fn leaf(x: Int64) {{ x + {edit} }}");
        session.define("edit.wir", &text, None).expect("a method");
        call(edit);
        times.push(us(start.elapsed()) / 1e3);
        let events = session.take_stages();
        let ran = |stage| events.iter().filter(|event| event.stage == stage).count();
        assert_eq!(
            (ran(Stage::Infer), ran(Stage::Codegen)),
            (1, 1),
            "only the leaf"
        );
    }
    figure(
        "one leaf with 1,000 callers, edit to answer",
        median(times),
        "ms",
        "under 4",
    );

    session.table("gpu", None).expect("a table");
    let mut times = Vec::new();
    for edit in 40..140 {
        let text = format!("noinline fn leaf(x: Int64) {{ x + {edit} }}");
        let start = Instant::now();
        session
            .define("edit.wir", &text, Some("gpu"))
            .expect("a method");
        times.push(us(start.elapsed()));
        call(39);
        assert!(
            session.take_stages().is_empty(),
            "the base view is as it was"
        );
    }
    figure(
        "an overlay method in another view",
        median(times),
        "us",
        "under 50, no stage runs",
    );
}
