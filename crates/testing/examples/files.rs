//! Runs test files: `cargo run -p worldage-testing --example files -- [--bless] PATH…`.
#![expect(clippy::print_stdout, reason = "a command; its report is its output")]

use std::path::Path;
use worldage_testing::{Outcome, find, run_path};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let bless = args.iter().any(|a| a == "--bless");
    let mut counts = [0; 3];
    for path in args.iter().filter(|a| !a.starts_with("--")) {
        for file in find(Path::new(path)).unwrap() {
            let start = std::time::Instant::now();
            let outcome = run_path(&file, bless);
            let ms = start.elapsed().as_millis();
            match outcome {
                Outcome::Passed => counts[0] += 1,
                Outcome::Ignored(why) => {
                    counts[1] += 1;
                    println!("IGNORED {} {why}", file.display());
                }
                Outcome::Failed(diff) => {
                    counts[2] += 1;
                    println!("FAILED {}\n{diff}", file.display());
                }
            }
            if ms > 2000 {
                println!("SLOW {} {ms} ms", file.display());
            }
        }
    }
    println!("{counts:?}");
}
