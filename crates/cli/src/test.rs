//! `worldage test`: file tests and scenarios, each on every engine; a line per file, diffs of
//! those that fail.

use crate::failure::{Done, Failure};
use crate::terminal;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use worldage_testing::{Outcome, find, run_path};

/// The arguments of `worldage test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, and folders that are searched for .wir and .scn files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Rewrite what the files expect to what was found
    #[arg(long)]
    bless: bool,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Stack of a thread that runs tests: the main thread's usual size.
const STACK: usize = 8 << 20;

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    let files = files(&args.paths)?;
    if files.is_empty() {
        let message = "there is no .wir or .scn file below these paths";
        return Err(Failure::Usage(message.to_string()));
    }
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = args.threads.unwrap_or(cores).get().min(files.len());
    let bar = bar(files.len());
    let next = AtomicUsize::new(0);
    let (send, results) = mpsc::channel();
    let mut counts = Counts::default();
    std::thread::scope(|scope| -> Done {
        for _ in 0..threads {
            let (send, next, files) = (send.clone(), &next, &files);
            let work = move || {
                while let Some((ix, file)) = take(next, files) {
                    let outcome = run_path(file, args.bless);
                    if send.send((ix, outcome)).is_err() {
                        return;
                    }
                }
            };
            let spawned = std::thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, work);
            spawned.map_err(|error| {
                let hint = "choose fewer with --threads".to_string();
                Failure::Missing(format!("cannot start a thread: {error}"), hint)
            })?;
        }
        drop(send);
        // Results are shown in the order of the files, whichever ends first.
        let mut early = BTreeMap::new();
        let mut shown = 0;
        for (ix, outcome) in results {
            bar.inc(1);
            early.insert(ix, outcome);
            while let Some(outcome) = early.remove(&shown) {
                bar.suspend(|| counts.show(&files[shown], &outcome))?;
                shown += 1;
            }
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    terminal::line(&format!(
        "{} passed, {} failed, {} ignored",
        counts.passed, counts.failed, counts.ignored
    ))?;
    match counts.failed {
        0 => Ok(()),
        _ => Err(Failure::Said(1)),
    }
}

fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let found = find(path).map_err(|error| {
            let why = match error.kind() {
                ErrorKind::NotFound => "there is no such file".to_string(),
                _ => error.to_string(),
            };
            Failure::Usage(format!("cannot read {}: {why}", path.display()))
        })?;
        files.extend(found);
    }
    Ok(files)
}

fn take<'a>(next: &AtomicUsize, files: &'a [PathBuf]) -> Option<(usize, &'a PathBuf)> {
    let ix = next.fetch_add(1, Ordering::Relaxed);
    files.get(ix).map(|file| (ix, file))
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Counts {
    fn show(&mut self, file: &std::path::Path, outcome: &Outcome) -> Done {
        let name = file.display();
        match outcome {
            Outcome::Passed => {
                self.passed += 1;
                terminal::line(&format!("ok       {name}"))
            }
            Outcome::Ignored(why) => {
                self.ignored += 1;
                terminal::line(&format!("ignored  {name}: {why}"))
            }
            Outcome::Failed(diff) => {
                self.failed += 1;
                terminal::line(&format!("FAILED   {name}"))?;
                terminal::say(diff);
                if !diff.ends_with('\n') {
                    terminal::say("\n");
                }
                Ok(())
            }
        }
    }
}

/// A bar on a terminal, once the tests have taken half a second; nothing elsewhere.
fn bar(files: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{elapsed} [{bar:40}] {pos}/{len}");
    let bar = ProgressBar::new(files as u64);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
