//! Generated code at `opt:speed` (or `--opt LEVEL`) against the same algorithm in Rust at opt-level 3 with bounds
//! checks: one table, and the geometric mean of the ratios.
//!
//! `cargo bench -p worldage-benches --bench generated_code [-- [--opt LEVEL] NAME…]`; LLVM's code is
//! measured with `--features llvm` and `--opt aggressive`.
//!
//! Both sides run in turns in one process and the fastest run of each counts, so what is compared
//! is a ratio within one run. Every answer is checked. The last column is the time of stage
//! `codegen` (inlining, passes, code generation) of all instances that the call compiles, over the
//! time of the bare code generator on the same functions.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::time::{Duration, Instant};
use worldage::{CallOptions, OptLevel, Session, SessionOptions, Stage};
use worldage_benches::twins::{PROGRAMS, Program};

/// Runs of each side.
const RUNS: usize = 7;

fn main() {
    let mut args = std::env::args().skip(1);
    let (mut wanted, mut opt) = (Vec::new(), OptLevel::default());
    while let Some(arg) = args.next() {
        match &*arg {
            "--opt" => {
                let level = args.next().unwrap_or_default();
                opt = level.parse().unwrap_or_else(|error| panic!("{error}"));
            }
            // What cargo passes to every bench.
            _ if arg.starts_with('-') => {}
            _ => wanted.push(arg),
        }
    }
    println!(
        "{:<16} {:<24} {:>9} {:>9} {:>6} {:>9}",
        "program", "call", "wir ms", "rust ms", "ratio", "codegen"
    );
    let (mut logs, mut worst) = (Vec::new(), 0.0f64);
    for program in PROGRAMS {
        if !wanted.is_empty()
            && !wanted
                .iter()
                .any(|name| program.file.contains(name.as_str()))
        {
            continue;
        }
        let (ours, theirs) = measure(program, opt);
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!(
            "{:<16} {:<24} {:>9.2} {:>9.2} {:>6.2} {:>9.2}",
            program.file,
            program.call,
            ours.as_secs_f64() * 1e3,
            theirs.as_secs_f64() * 1e3,
            ratio,
            codegen(program, opt)
        );
        logs.push(ratio.ln());
        worst = worst.max(ratio);
    }
    let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
    println!("geometric mean {mean:.2}, worst {worst:.2}");
}

fn session(opt: OptLevel) -> Session {
    let options = SessionOptions {
        opt,
        ..SessionOptions::default()
    };
    Session::new(options).expect("a host")
}

/// Codegen of everything that a call compiles, beside the bare code generator.
fn codegen(program: &Program, opt: OptLevel) -> f64 {
    let path = format!(
        "{}/../ir/run/{}.wir",
        env!("CARGO_MANIFEST_DIR"),
        program.file
    );
    let text = std::fs::read_to_string(&path).expect("read before");
    let (mut ours, mut bare) = (u64::MAX, u64::MAX);
    for _ in 0..RUNS {
        let session = session(opt);
        session.define(&path, &text, None).expect("defined before");
        session.call(program.call, &CallOptions::default());
        let events = session.take_stages();
        let ran = events.iter().filter(|event| event.stage == Stage::Codegen);
        let (instances, times): (Vec<_>, Vec<u64>) = ran.map(|event| (event.mi, event.ns)).unzip();
        ours = ours.min(times.iter().sum());
        let mut generator = session
            .bare_generator(&instances, OptLevel::Speed)
            .expect("compiled before");
        for _ in 0..RUNS {
            let (took, _) = generator.compile().expect("compiled before");
            bare = bare.min(took.as_nanos() as u64);
        }
    }
    ours as f64 / bare as f64
}

/// The fastest run of each side; the first ones, which compile and check, do not count.
fn measure(program: &Program, opt: OptLevel) -> (Duration, Duration) {
    let path = format!(
        "{}/../ir/run/{}.wir",
        env!("CARGO_MANIFEST_DIR"),
        program.file
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let session = session(opt);
    if let Err(failure) = session.define(&path, &text, None) {
        panic!("{path}: {}", failure.log_line());
    }
    let options = CallOptions::default();
    let ours = || {
        let start = Instant::now();
        let report = session.call(program.call, &options);
        let took = start.elapsed();
        assert!(report.result.is_ok(), "{path}: {}", report.shown(&session));
        (took, report.shown(&session))
    };
    let theirs = || {
        let start = Instant::now();
        let value = (program.twin)();
        (start.elapsed(), value)
    };
    assert_eq!(ours().1, theirs().1, "{path}: {}", program.call);
    let (mut best, mut twin) = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        best = best.min(ours().0);
        twin = twin.min(theirs().0);
    }
    (best, twin)
}
