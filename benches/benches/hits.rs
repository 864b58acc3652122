//! What is compiled already: engine hits, calls through cells, run-time dispatch.
//!
//! `cargo bench -p worldage-benches --bench hits`

use std::hint::black_box;
use std::time::Instant;
use worldage::engine::{Resolved, ShardId, ViewId};
use worldage::{CallOptions, Session, SessionOptions, Value};
use worldage_benches::figures::{figure, ns_each};

const PROGRAM: &str = "
struct A1 { v: Int64 }
struct A2 { v: Int64 }
struct A3 { v: Int64 }
struct A4 { v: Int64 }
struct A5 { v: Int64 }
struct A6 { v: Int64 }
noinline fn dd(a: A1) { a.v }
noinline fn dd(a: A2) { a.v }
noinline fn dd(a: A3) { a.v }
noinline fn dd(a: A4) { a.v }
noinline fn dd(a: A5) { a.v }
noinline fn dd(a: A6) { a.v }
noinline fn step(x: Int64) { x + 1 }
fn calls(n: Int64) { var s = 0; var i = 0; while i < n { s = step(s); i = i + 1 } s }
fn plain(n: Int64) { var s = 0; var i = 0; while i < n { s = xor(s, i) + 1; i = i + 1 } s }
fn sum(xs: Array{Any}, n: Int64) {
    var s = 0
    var i = 0
    while i < n {
        var r = dd(xs[i & 511])
        if isa(r, Int64) { s = s + r }
        i = i + 1
    }
    s
}
fn one(n: Int64) {
    var xs = array(Any, 512)
    for i in 0..512 { xs[i] = A1(1) }
    sum(xs, n)
}
fn six(n: Int64) {
    var xs = array(Any, 512)
    for i in 0..512 {
        var k = i % 6
        if k == 0 { xs[i] = A1(1) } else if k == 1 { xs[i] = A2(1) } else if k == 2 { xs[i] = A3(1) }
        else if k == 3 { xs[i] = A4(1) } else if k == 4 { xs[i] = A5(1) } else { xs[i] = A6(1) }
    }
    sum(xs, n)
}
";

fn main() {
    let session = Session::new(SessionOptions::default()).expect("a host");
    session
        .define("hits.wir", PROGRAM, None)
        .expect("a program");
    compiled_calls(&session);
    engine_hits(&session);
}

/// Nanoseconds of one round of a loop in a program, the fastest of several runs.
fn per_round(session: &Session, function: &str, rounds: i64, expected: impl Fn(i64) -> i64) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let start = Instant::now();
        let value = session.value_of(function, &[Value::int(rounds)], &CallOptions::default());
        let ns = start.elapsed().as_secs_f64() * 1e9 / rounds as f64;
        let value = value.expect("the program runs").as_int();
        assert_eq!(value, Some(expected(rounds).into()), "{function}");
        best = best.min(ns);
    }
    best
}

/// What Rust calls through a pointer that it does not know.
#[inline(never)]
fn step(x: i64) -> i64 {
    black_box(x) + 1
}

fn compiled_calls(session: &Session) {
    let rounds = 20_000_000;
    let cell = per_round(session, "calls", rounds, |n| n);
    let pointer: fn(i64) -> i64 = black_box(step);
    let mut sum = 0;
    let plain = ns_each(rounds as u64, || sum = pointer(sum));
    black_box(sum);
    figure(
        "call between compiled functions, through a cell",
        cell,
        "ns",
        "",
    );
    figure(
        "  beside an indirect call in Rust",
        cell / plain,
        "x",
        "at most 1.15",
    );
    let rounds = 4_000_000;
    let one = per_round(session, "one", rounds, |n| n);
    let six = per_round(session, "six", rounds, |n| n);
    figure(
        "run-time dispatch, one type (with the loop)",
        one,
        "ns",
        "at most 6",
    );
    figure(
        "run-time dispatch, six types (with the loop)",
        six,
        "ns",
        "at most 15",
    );
}

fn engine_hits(session: &Session) {
    let engine = session.engine();
    let types = engine.types();
    let function = types.symbol("step");
    let args = types.tuple(&[session.universe().prelude().int64]);
    // The base view and the first shard that was asked for.
    let (view, shard) = (ViewId(0), ShardId(0));
    let world = session.world();
    let mi = match engine.lookup(function, args, view, world) {
        Resolved::Method(mi) => mi,
        other => panic!("{other:?}"),
    };
    let front = engine.front(mi, shard);
    assert!(front.get().is_some(), "compiled above");
    let by_instance = ns_each(1_000_000, || drop(black_box(front.get())));
    figure(
        "engine hit, instance and shard known",
        by_instance,
        "ns",
        "at most 30",
    );
    let mut reader = front.reader();
    let by_reader = ns_each(1_000_000, || {
        black_box(reader.get());
    });
    figure("  through a reader of its own", by_reader, "ns", "");
    let demand = ns_each(1_000_000, || {
        drop(black_box(engine.demand(mi, shard, None)))
    });
    figure(
        "  the same by a demand (takes the session's lock)",
        demand,
        "ns",
        "",
    );
    let by_types = ns_each(200_000, || {
        drop(black_box(engine.demand_call(
            function,
            black_box(args),
            shard,
        )));
    });
    figure("engine hit by types", by_types, "ns", "at most 60");
    let rounds = 100_000_000;
    let look = || {
        let mut reader = front.reader();
        let start = Instant::now();
        for _ in 0..rounds {
            black_box(reader.get());
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(rounds)
    };
    let one = look();
    let two = std::thread::scope(|scope| {
        let threads = [scope.spawn(look), scope.spawn(look)];
        let each = threads.map(|thread| thread.join().expect("it looks"));
        each[0].max(each[1])
    });
    figure(
        "two threads on one instance, a reader each, hits per time",
        2.0 * one / two,
        "x",
        "at least 1.8",
    );
}
