//! PTX of the kernels of `kernels/`, from parsed source to text: milliseconds for each, and in all.
//!
//! `cargo bench -p worldage-benches --features llvm --bench ptx`
//!
//! The first round of the process pays for what is done once (LLVM's own start, cutting libdevice
//! down); the rounds after it use a new session each, so every stage runs again.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::path::PathBuf;
use std::time::{Duration, Instant};
use worldage::{EmitStage, OptLevel, PtxTarget, Session, SessionOptions};

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
    let target: PtxTarget = "sm_90".parse().expect("a known target");
    let first: Duration = files.iter().map(|file| in_all(file, target)).sum();
    let mut sum = Duration::ZERO;
    for file in &files {
        let best = (0..ROUNDS).map(|_| in_all(file, target)).min();
        let best = best.expect("several rounds");
        sum += best;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        println!("{name:<16} {:>8.2} ms", best.as_secs_f64() * 1e3);
    }
    println!(
        "{} files in all: {:.1} ms; in the first round of the process {:.1} ms",
        files.len(),
        sum.as_secs_f64() * 1e3,
        first.as_secs_f64() * 1e3
    );
}

/// All kernels of a file, after it was parsed and defined.
fn in_all(file: &PathBuf, target: PtxTarget) -> Duration {
    let text = std::fs::read_to_string(file).expect("a readable file");
    let session = Session::new(SessionOptions::default()).expect("a host");
    if let Err(failure) = session.define("kernel.wir", &text, None) {
        panic!("{}: {}", file.display(), failure.log_line());
    }
    let kernels = session.kernels();
    let begun = Instant::now();
    for kernel in kernels {
        let ptx = session.emit(&kernel, EmitStage::Ptx(target), OptLevel::Speed);
        if let Err(failure) = ptx {
            panic!("{kernel}: {}", failure.log_line());
        }
    }
    begun.elapsed()
}
