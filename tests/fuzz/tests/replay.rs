//! Replays the seeds of every target and a fixed number of mutations of them, on stable Rust.
//!
//! `WORLDAGE_FUZZ_RUNS=100000` sets the number of mutations per target, `WORLDAGE_SEED=7` another
//! series of them. A failure prints the input's bytes: put them under `fuzz/seeds/TARGET`.

use libtest_mimic::{Arguments, Failed, Trial};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use worldage_fuzz_targets::{TARGETS, Target};

/// What each target is seeded with, beside its own folder; and how many mutations a usual run
/// makes, by what one costs.
const PLANS: [(&str, &[&str], u64); 7] = [
    ("signature", &[], 20_000),
    ("source", &["ir"], 2_000),
    ("program", &["ir/infer", "ir/error"], 300),
    ("lookup", &[], 300),
    ("scenario", &["tests/scenarios"], 5_000),
    ("artifact", &[], 2_000),
    ("stored", &[], 300),
];

thread_local! {
    /// What panicked on this thread, also where somebody caught it: an engine makes an error of a
    /// panic of its stage.
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn main() -> std::process::ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        PANICKED.with_borrow_mut(|panicked| *panicked = Some(panic.to_string()));
    }));
    let trials = TARGETS.iter().zip(PLANS).map(|(target, plan)| {
        assert_eq!(target.0, plan.0, "every target has a plan");
        Trial::test(target.0, move || replay(*target, plan.1, plan.2))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn replay((name, body): Target, folders: &[&str], runs: u64) -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = root.join("fuzz/seeds").join(name);
    let folders = folders.iter().map(|folder| root.join(folder));
    let mut seeds = Vec::new();
    for folder in std::iter::once(own).chain(folders) {
        seeds.extend(files(&folder)?);
    }
    if seeds.is_empty() {
        return Err("there are no seeds".into());
    }
    for seed in &seeds {
        run(body, seed)?;
    }
    let runs = number("WORLDAGE_FUZZ_RUNS").unwrap_or(runs);
    let mut random = Random(number("WORLDAGE_SEED").unwrap_or(0));
    for _ in 0..runs {
        let input = mutated(&mut random, &seeds);
        run(body, &input)?;
    }
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The files below a folder, in order.
fn files(folder: &Path) -> Result<Vec<Vec<u8>>, Failed> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry?;
        if entry.file_type().is_file() {
            paths.push(entry.into_path());
        }
    }
    paths.sort();
    let read = paths.iter().map(|path| Ok(std::fs::read(path)?));
    read.collect()
}

fn run(body: fn(&[u8]), input: &[u8]) -> Result<(), Failed> {
    let ended = std::panic::catch_unwind(|| body(input));
    match (ended, PANICKED.take()) {
        (Ok(()), None) => Ok(()),
        (_, panicked) => {
            let said = panicked.unwrap_or_default();
            let input = input.escape_ascii();
            Err(Failed::from(format!("{said}\nthe input is b\"{input}\"")))
        }
    }
}

/// Numbers that only look random (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// A seed with a few changes: bytes flipped, removed, doubled, or taken from another seed.
fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let end = (at + 1 + random.below(16)).min(input.len());
        match random.below(5) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 => drop(input.drain(at..end)),
            2 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            3 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let to = (from + 1 + random.below(32)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
            _ => input.insert(at, random.next() as u8),
        }
    }
    input
}
