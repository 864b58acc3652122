//! PTX of the kernels of `kernels/`, from parsed source to text: milliseconds, beside LLVM's own.
//!
//! `cargo bench -p worldage-benches --features llvm --bench ptx`
//!
//! Each file alone, in the first schedule of its kernels; then all of them as one program, compiled
//! at once, also on all threads and in every schedule. LLVM's own time is
//! that of reading the module, optimising it and writing PTX, counted on every thread in the same
//! run: divided by the threads it is what no order of work can go below. The first round of the
//! process pays for what is done once (LLVM's own start, cutting libdevice down); the rounds after it
//! use a new session each, so every stage runs again.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use worldage::{OptLevel, Session, SessionOptions, Shard};

/// Rounds after the first.
const ROUNDS: usize = 5;

fn main() {
    let folder = format!("{}/../kernels", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(&folder).expect("the project has kernels");
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|ext| ext == "wir"))
        .collect();
    files.sort();
    let target = "sm_90".parse().expect("a known target");
    let shard = Shard::Ptx(target, OptLevel::Speed);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let files: Vec<File> = files.iter().map(PathBuf::as_path).map(read).collect();
    let one_each: Vec<File> = files.iter().map(first_schedule).collect();
    let first = compile(&one_each, shard, cores);
    for file in &one_each {
        let (took, llvm) = best(std::slice::from_ref(file), shard, 1);
        println!("{:<16} {} ms, LLVM alone {}", file.0, ms(took), ms(llvm));
    }
    let once = |what: &str, files: &[File], threads| {
        let (took, llvm) = best(files, shard, threads);
        println!(
            "{what}, {threads} threads: {} ms; LLVM alone {} on all threads, {:.2} times its share",
            ms(took),
            ms(llvm),
            took.as_secs_f64() * threads as f64 / llvm.as_secs_f64(),
        );
    };
    once("a schedule of each", &one_each, 1);
    once("a schedule of each", &one_each, cores);
    once("every schedule of each", &files, cores);
    println!(
        "first round of the process, {cores} threads: {} ms",
        ms(first.0)
    );
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// The name of a program and its text.
type File = (String, String);

fn read(path: &Path) -> File {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let text = std::fs::read_to_string(path).expect("a readable file");
    (name.into_owned(), text)
}

/// The same with the first choice of every tuning parameter.
fn first_schedule((name, text): &File) -> File {
    let line = |line: &str| match line.split_once("tune(") {
        Some((before, tune)) => {
            let (choices, after) = tune.split_once(']').expect("a list of choices");
            let (first, _) = choices.split_once(", ").expect("a name and a list");
            let (_, list) = choices.split_once('[').expect("a list");
            let choice = list.split(',').next().unwrap_or(list);
            format!("{before}tune({first}, [{choice}]{after}\n")
        }
        None => format!("{line}\n"),
    };
    (name.clone(), text.lines().map(line).collect())
}

/// Of several rounds the fastest.
fn best(files: &[File], shard: Shard, threads: usize) -> (Duration, Duration) {
    let rounds = (0..ROUNDS).map(|_| compile(files, shard, threads));
    rounds.min().expect("several rounds")
}

/// All kernels of a program, after it was parsed and defined: how long it took, and LLVM's part.
fn compile(files: &[File], shard: Shard, threads: usize) -> (Duration, Duration) {
    let texts = files
        .iter()
        .map(|(name, text)| (name.clone(), text.clone().into_bytes()));
    let options = SessionOptions {
        threads,
        ..SessionOptions::default()
    };
    let session = Session::new(options).expect("a host");
    if let Err(failure) = session.define_files(texts.collect()) {
        panic!("{files:?}: {}", failure.log_line());
    }
    let kernels = session.kernels();
    let begun = Instant::now();
    if let Err(failure) = session.prepare_each(&kernels, shard) {
        panic!("{kernels:?}: {}", failure.log_line());
    }
    (begun.elapsed(), session.time_in_llvm())
}
