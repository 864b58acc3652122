//! `bench store`: the same program in one new process after the other, with and without a store.
//!
//! Four kinds of start take turns, so that they share the machine's moods: without a store, with
//! an empty one, with a filled one, and with a filled one after a leaf was edited. Every answer
//! and every number of stages is checked. What is compared with its target is the median.

use super::graph::{Graph, Random, Shape};
use super::program::{Answer, Program};
use super::recompile::Wrong;
use super::report::{Series, round};
use super::start::{self, Start, Started};
use crate::compile::Opt;
use crate::failure::{Done, Failure};
use crate::terminal;
use serde::Serialize;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use worldage::store::local::Local;
use worldage::store::{Kind, Options};

/// Starts in new processes, beside their targets.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Method instances of the program.
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=4_000_000))]
    instances: u32,
    /// How hard the code generator tries.
    #[arg(long, value_enum, default_value = "speed")]
    opt: Opt,
    /// Threads of the compiler.
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// How often each kind of start is measured.
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    start: Start,
}

/// The program of `bench recompile`.
const SEED: u64 = 20_241_121;
/// The root's second argument.
const X: i64 = 13;

/// What the starts of one kind took.
#[derive(Clone, Debug, Default, Serialize)]
struct Starts {
    /// From the parsed program to the root's answer.
    call_us: Series,
    /// That, per function.
    call_us_per_function: f64,
    /// Per function, while the thread had a processor; 0 where the system does not tell.
    processor_us_per_function: f64,
    /// From the start of the process to its end.
    process_us: Series,
}

#[derive(Debug, Serialize)]
struct Report {
    instances: usize,
    opt: &'static str,
    threads: usize,
    rounds: u32,
    without: Starts,
    cold: Starts,
    warm: Starts,
    edited: Starts,
    /// Compiling beside a warm start: calls without a store by calls with a filled one.
    compile_to_warm: f64,
    /// How much longer than without a store a process with an empty one takes, in percent.
    cold_overhead_percent: f64,
    edited_to_warm: f64,
    /// Infer and codegen of the edited start.
    edited_ran: [u64; 2],
    /// Bytes of machine code, of code artifacts, of traces and of keys, per function.
    machine_code_bytes: f64,
    code_bytes: f64,
    trace_bytes: f64,
    key_bytes: f64,
    /// Bytes of the image of a whole session, per function.
    image_bytes: f64,
    /// Bytes on disk, per function.
    disk_bytes: f64,
}

/// Runs the bench and prints what it found.
pub(crate) fn run(args: &Args) -> Done {
    if let Some(words) = &args.start.start {
        return start::run(words, args.start.folder.as_deref(), args.opt, args.threads);
    }
    let report = measure(args).map_err(|error| {
        terminal::say(&format!("error: {error}\n"));
        Failure::Said(70)
    })?;
    let text = match args.json {
        true => serde_json::to_string(&report).expect("a report is JSON"),
        false => report.text(),
    };
    terminal::line(&text)
}

/// One kind of start, as it is measured.
#[derive(Default)]
struct Times {
    call: Vec<f64>,
    processor: Vec<f64>,
    process: Vec<f64>,
}

impl Times {
    fn add(&mut self, (started, process): &(Started, f64)) {
        self.call.push(started.call_us);
        self.processor.extend(started.processor_us);
        self.process.push(*process);
    }

    fn starts(self, instances: usize) -> Starts {
        let call_us = Series::of(self.call);
        Starts {
            call_us,
            call_us_per_function: round(call_us.median / instances as f64),
            processor_us_per_function: round(Series::of(self.processor).median / instances as f64),
            process_us: Series::of(self.process),
        }
    }
}

fn measure(args: &Args) -> Result<Report, Wrong> {
    let graph = Graph::new(Shape::Tree, args.instances as usize, SEED);
    let target = graph.targets(1, SEED);
    let way = graph.ways(&target).swap_remove(0);
    let mut program = Program::new(&graph, SEED);
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (file, filled) = (
        folder.path().join("bench.wir"),
        folder.path().join("filled"),
    );
    let mut random = Random::new(SEED, 5);
    let n = graph.len() as u64;
    let start = |program: &Program<'_>, store: Option<&Path>| {
        let Answer::Int(answer) = program.answer(&way, X) else {
            return Err("the root answers with a float".to_string());
        };
        let found = process(args, &file, program.selector(&way), store)?;
        match found.0.answer == answer {
            true => Ok(found),
            false => Err(format!("{} instead of {answer}", found.0.answer)),
        }
    };
    let write = |program: &Program<'_>| {
        let written = std::fs::write(&file, program.text(&[]));
        written.map_err(|error| error.to_string())
    };
    write(&program)?;
    // Fills the store, and the page cache.
    let first = start(&program, Some(&filled))?;
    expect("the first start", &first.0, [n, n], [0, 0])?;
    let sizes = sizes(&filled)?;
    let (mut without, mut cold) = (Times::default(), Times::default());
    let (mut warm, mut edited) = (Times::default(), Times::default());
    let mut edited_ran = [0, 0];
    for round in 0..args.rounds {
        without.add(&start(&program, None)?);
        let empty = folder.path().join(format!("empty-{round}"));
        let found = start(&program, Some(&empty))?;
        expect("a cold start", &found.0, [n, n], [0, 0])?;
        cold.add(&found);
        std::fs::remove_dir_all(&empty).map_err(|error| error.to_string())?;
        let found = start(&program, Some(&filled))?;
        expect("a warm start", &found.0, [0, 0], [n, n])?;
        warm.add(&found);
        program.set_constant(target[0], 100_000 + random.below(1 << 30) as i64);
        write(&program)?;
        let found = start(&program, Some(&filled))?;
        expect("an edited start", &found.0, [1, 1], [n - 1, n - 1])?;
        edited_ran = found.0.ran;
        edited.add(&found);
    }
    let per_function = |bytes: u64| round(bytes as f64 / n as f64);
    let [without, cold, warm, edited] =
        [without, cold, warm, edited].map(|times| times.starts(graph.len()));
    let ratio = |a: Series, b: Series| round(a.median / b.median);
    Ok(Report {
        instances: graph.len(),
        opt: args.opt.level().map_err(|_| "no such opt level")?.name(),
        threads: args.threads,
        rounds: args.rounds,
        compile_to_warm: ratio(without.call_us, warm.call_us),
        cold_overhead_percent: round(
            (cold.process_us.median / without.process_us.median - 1.0) * 100.0,
        ),
        edited_to_warm: ratio(edited.call_us, warm.call_us),
        edited_ran,
        machine_code_bytes: per_function(first.0.code_bytes as u64),
        code_bytes: per_function(sizes.of(Kind::Code)),
        trace_bytes: per_function(sizes.of(Kind::Trace)),
        key_bytes: per_function(sizes.of(Kind::Keys)),
        image_bytes: per_function(sizes.of(Kind::Image) + sizes.of(Kind::Part)),
        disk_bytes: per_function(sizes.disk),
        without,
        cold,
        warm,
        edited,
    })
}

/// Checks which stages ran: infer and codegen.
fn expect(what: &str, found: &Started, ran: [u64; 2], stored: [u64; 2]) -> Result<(), Wrong> {
    match (found.ran, found.stored) == (ran, stored) {
        true => Ok(()),
        false => Err(format!(
            "{what} ran {:?} and found {:?} of infer and codegen instead of {ran:?} and {stored:?}",
            found.ran, found.stored
        )),
    }
}

/// Starts a process; what it tells, and how long it lived.
fn process(
    args: &Args,
    file: &Path,
    way: i64,
    store: Option<&Path>,
) -> Result<(Started, f64), Wrong> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let opt = clap::ValueEnum::to_possible_value(&args.opt).expect("no level is hidden");
    let mut command = Command::new(this);
    command
        .args(["bench", "store", "--opt", opt.get_name()])
        .args(["--threads", &args.threads.to_string()])
        .arg("--start")
        .arg(file)
        .args([way.to_string(), X.to_string()]);
    if let Some(store) = store {
        command.arg("--folder").arg(store);
    }
    let begin = Instant::now();
    let output = command.output().map_err(|error| error.to_string())?;
    let process = begin.elapsed().as_secs_f64() * 1e6;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !said.is_empty() {
        return Err(format!("a process failed, or warned: {said}"));
    }
    let started = serde_json::from_slice(&output.stdout);
    let started = started.map_err(|error| format!("a process told no numbers: {error}"))?;
    Ok((started, process))
}

/// Bytes of a store.
struct Sizes {
    kinds: Vec<(Kind, u64)>,
    disk: u64,
}

impl Sizes {
    fn of(&self, kind: Kind) -> u64 {
        let found = self.kinds.iter().find(|(of, _)| *of == kind);
        found.map_or(0, |(_, bytes)| *bytes)
    }
}

fn sizes(folder: &Path) -> Result<Sizes, Wrong> {
    let limit = Options::default().limit_bytes;
    let local = Local::open(folder, limit, None).map_err(|error| error.to_string())?;
    let stats = local.stats().map_err(|error| error.to_string())?;
    let kinds = Kind::ALL.into_iter().zip(stats.kinds);
    Ok(Sizes {
        kinds: kinds.map(|(kind, (_, bytes))| (kind, bytes)).collect(),
        disk: stats.used_bytes,
    })
}

impl Report {
    /// For people.
    fn text(&self) -> String {
        let line = |name: &str, starts: &Starts| {
            format!(
                "  {name:<16} {:>8} µs per function ({} with a processor), {:>10} µs in all; process {:>10} µs",
                starts.call_us_per_function,
                starts.processor_us_per_function,
                starts.call_us.median,
                starts.process_us.median
            )
        };
        let lines = [
            format!(
                "tree of {} instances, opt {}, {} threads, {} rounds, medians",
                self.instances, self.opt, self.threads, self.rounds
            ),
            line("without a store", &self.without),
            line("an empty store", &self.cold),
            line("a filled store", &self.warm),
            line("a leaf edited", &self.edited),
            format!(
                "  warm start {} µs per function (target 5): compiling takes {} ×",
                self.warm.call_us_per_function, self.compile_to_warm
            ),
            format!(
                "  cold overhead {} % of the process (target 5)",
                self.cold_overhead_percent
            ),
            format!(
                "  a leaf edited {} × the warm start (target 2): infer {}, codegen {}",
                self.edited_to_warm, self.edited_ran[0], self.edited_ran[1]
            ),
            format!(
                "  bytes per function: code {} (target {}: 1.3 × {} of machine code + 64), trace {} \
                 (target 600), keys {}, image {}; on disk {}",
                self.code_bytes,
                round(1.3 * self.machine_code_bytes + 64.0),
                self.machine_code_bytes,
                self.trace_bytes,
                self.key_bytes,
                self.image_bytes,
                self.disk_bytes
            ),
        ];
        lines.join("\n")
    }
}
