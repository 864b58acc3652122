//! A program that is edited for a week: one method of a graph of 1,001 redefined again and again.
//!
//! Prints the growth of live memory (a counting allocator, and code memory), and the median time
//! of an edit with the call after it in ten windows. Every answer is checked.
//!
//! `cargo bench -p worldage-benches --bench redefinitions -- 1000000`

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::fmt::Write as _;
use std::time::Instant;
use worldage::{CallOptions, Session, SessionOptions};
use worldage_benches::counting::{Counting, live_bytes};

/// Methods of the graph: a binary tree.
const METHODS: usize = 1001;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let count: u64 = count.unwrap_or(20_000);
    let session = Session::new(SessionOptions::default()).expect("a host");
    let mut program = String::new();
    for ix in 0..METHODS {
        let (left, right) = (2 * ix + 1, 2 * ix + 2);
        let _ = match right < METHODS {
            true => writeln!(
                program,
                "noinline fn f{ix}(x: Int64) {{ if x % 2 == 0 {{ f{left}(div(x, 2)) + 1 }} else {{ f{right}(div(x, 2)) + 1 }} }}"
            ),
            false => writeln!(program, "noinline fn f{ix}(x: Int64) {{ x + {ix} }}"),
        };
    }
    session
        .define("tree.wir", &program, None)
        .expect("a program");
    let leaf = METHODS - 1;
    let call = format!("f0({})", path_to(leaf));
    let steps = depth(leaf);
    let mut times = Vec::with_capacity(usize::try_from(count).expect("fits"));
    let warm = count / 10;
    let (mut start_bytes, mut start_code) = (0, 0);
    for round in 0..count {
        if round == warm {
            let stats = session.stats(&[]);
            start_bytes = live_bytes();
            start_code = stats.code_live_bytes + stats.code_free_bytes;
        }
        let start = Instant::now();
        let text = format!("noinline fn f{leaf}(x: Int64) {{ x + {round} }}");
        session.define("leaf.wir", &text, None).expect("a method");
        let report = session.call(&call, &CallOptions::default());
        let ns = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
        times.push(ns);
        let expected = (round + steps as u64).to_string();
        assert_eq!(
            report.shown(&session),
            expected,
            "the answer of round {round}"
        );
    }
    let stats = session.stats(&[]);
    let log = times.capacity() * size_of::<u32>();
    let growth = live_bytes().saturating_sub(start_bytes);
    let code = (stats.code_live_bytes + stats.code_free_bytes).saturating_sub(start_code);
    println!("{count} redefinitions in a graph of {METHODS} ({log} bytes of measurements apart)");
    println!("growth of live memory {growth} B, of code memory {code} B");
    let tenth = times.len() / 10;
    for (ix, window) in times.chunks_mut(tenth.max(1)).take(10).enumerate() {
        window.sort_unstable();
        println!(
            "window {ix}: median {:.1} us",
            f64::from(window[window.len() / 2]) / 1e3
        );
    }
}

/// The argument that leads the root to a node.
fn path_to(node: usize) -> u64 {
    let (mut at, mut path) = (node, 0);
    while at > 0 {
        path = path * 2 + u64::from(at % 2 == 0);
        at = (at - 1) / 2;
    }
    path
}

fn depth(node: usize) -> usize {
    let mut at = node;
    let mut depth = 0;
    while at > 0 {
        at = (at - 1) / 2;
        depth += 1;
    }
    depth
}
