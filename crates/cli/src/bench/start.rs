//! One process of `bench store`: a program from a file, one call of its root, times on one line.

use super::recompile::Wrong;
use crate::compile::Opt;
use crate::failure::Failure;
use crate::terminal;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use worldage::store::{Options, Store};
use worldage::{CallOptions, Session, SessionOptions, Value};

/// What a process is to do.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Start {
    /// The program of one of the bench's processes: a file, the root's arguments.
    #[arg(long, hide = true, num_args = 3, value_names = ["FILE", "WAY", "X"])]
    pub(super) start: Option<Vec<String>>,
    /// The folder of its store.
    #[arg(long, hide = true, value_name = "DIR", requires = "start")]
    pub(super) folder: Option<PathBuf>,
}

/// What a process tells.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Started {
    /// Process start to the first world: reading, parsing, defining.
    pub(super) define_us: f64,
    /// From there to the root's first answer.
    pub(super) call_us: f64,
    /// The part of it in which this thread had a processor, where the system tells.
    pub(super) processor_us: Option<f64>,
    /// Infer, codegen: how often each ran, and how often its result came from the store.
    pub(super) ran: [u64; 2],
    pub(super) stored: [u64; 2],
    /// What the root answered.
    pub(super) answer: i64,
    /// Bytes of machine code.
    pub(super) code_bytes: usize,
}

/// Runs the process that `bench store` started.
pub(super) fn run(
    words: &[String],
    folder: Option<&Path>,
    opt: Opt,
    threads: usize,
) -> Result<(), Failure> {
    let wrong = |error: String| {
        terminal::say(&format!("error: {error}\n"));
        Failure::Said(70)
    };
    let begin = Instant::now();
    let store = folder.map(|folder| {
        let options = Options {
            folder: Some(folder.into()),
            ..Options::default()
        };
        Arc::new(Store::open(&options, Box::new(crate::store::warn)))
    });
    let session = Session::new(SessionOptions {
        threads,
        opt: opt.level()?,
        store,
        log_limit: usize::MAX,
        ..SessionOptions::default()
    })?;
    let [file, way, x] = words else {
        return Err(Failure::Usage("three words are asked for".to_string()));
    };
    crate::files::define(&session, &[file.into()])?;
    let defined = begin.elapsed();
    let number = |word: &String| word.parse::<i64>().map(Value::int);
    let args = [number(way), number(x)];
    let args: Result<Vec<Value>, _> = args.into_iter().collect();
    let args = args.map_err(|error| wrong(error.to_string()))?;
    let started = call(&session, &args).map_err(wrong)?;
    let started = Started {
        define_us: defined.as_secs_f64() * 1e6,
        ..started
    };
    terminal::line(&serde_json::to_string(&started).expect("numbers are JSON"))
}

fn call(session: &Session, args: &[Value]) -> Result<Started, Wrong> {
    let before = processor_us();
    let begin = Instant::now();
    let value = session.value_of("f0", args, &CallOptions::default());
    let call = begin.elapsed();
    let after = processor_us();
    let value = value.map_err(|failure| format!("the root's call failed: {failure}"))?;
    let answer = value.as_int().and_then(|answer| i64::try_from(answer).ok());
    let answer = answer.ok_or("the root's answer is no Int64")?;
    let stats = session.stats(&session.take_stages());
    let [infer, codegen, _] = stats.stages;
    Ok(Started {
        define_us: 0.0,
        call_us: call.as_secs_f64() * 1e6,
        processor_us: before.zip(after).map(|(before, after)| after - before),
        ran: [infer.ran, codegen.ran],
        stored: [infer.stored, codegen.stored],
        answer,
        code_bytes: session.machine_code_bytes(),
    })
}

/// How long this thread has had a processor: what it took is the same on a busy machine, but for
/// what threads do to one another's caches.
fn processor_us() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let ns: f64 = stat.split(' ').next()?.parse().ok()?;
    Some(ns / 1e3)
}
