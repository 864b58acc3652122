//! The command `worldage`: from arguments to the façade and to exit statuses.
//!
//! Reading order: this file (the commands), `failure` (how a command ends), `terminal` (streams and
//! colours), `progress`, `compile` (the options of a session), `files`, then one file per command.

mod bench;
mod cache;
mod check;
mod compile;
mod completions;
mod devices;
mod emit;
mod explain;
mod failure;
mod files;
mod foreign;
mod launch;
mod log;
mod progress;
mod repl;
mod run;
mod stats;
mod store;
mod summary;
mod terminal;
mod test;
mod watch;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

/// Counts live bytes for `bench`.
#[global_allocator]
static ALLOCATOR: bench::alloc::Counting = bench::alloc::Counting;

/// Compile and run programs method by method, and recompile exactly what an edit touches.
#[derive(Debug, Parser)]
#[command(
    name = "worldage",
    version,
    arg_required_else_help = true,
    after_help = AFTER_HELP,
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status: 0 done; 1 the program or check is wrong; 2 wrong usage; 3 the environment is missing
something; 70 a bug of worldage.

Environment: WORLDAGE_CACHE_DIR, WORLDAGE_SHARED_DIR, WORLDAGE_NO_CACHE=1, WORLDAGE_CACHE_KEY or
WORLDAGE_CACHE_KEY_FILE, WORLDAGE_LOG, NO_COLOR.

  worldage run ir/run/nbody.wir -- 100000
  worldage emit ir/run/gcd.wir --fn 'gcd(Int64, Int64)' --stage clif";

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile lazily, call the entry method that matches the arguments, print what it gives
    Run(run::Args),
    /// Enter definitions and calls; each edit is told with what it invalidated
    Repl(repl::Args),
    /// Run, and run again at each save: only what changed is compiled
    Watch(watch::Args),
    /// Show one stage of one method instance
    Emit(emit::Args),
    /// Tell what an edit invalidates, why, and what each stage does
    Explain(explain::Args),
    /// Run one kernel over a grid, with arguments from a JSON file
    Launch(launch::Args),
    /// Run .wir file tests and .scn scenarios
    Test(test::Args),
    /// Measure
    #[command(subcommand)]
    Bench(bench::Command),
    /// Show what this machine offers: host features, CUDA, OpenCL, LLVM; and why one is missing
    Devices(devices::Args),
    /// Write a completion script for a shell
    Completions(completions::Args),
    /// Inspect and maintain the store
    Cache(cache::Args),
    /// Draw the dependency graph (not in this build)
    Graph(Later),
}

/// A command that is announced and not built yet: it takes any arguments.
#[derive(Debug, clap::Args)]
struct Later {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<String>,
}

fn main() -> ExitCode {
    failure::report_panics();
    let cli = Cli::parse();
    let ended = std::panic::catch_unwind(|| log::start().and_then(|()| perform(cli.command)));
    failure::status(ended)
}

fn perform(command: Command) -> failure::Done {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Repl(args) => repl::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Launch(args) => launch::run(&args),
        Command::Emit(args) => emit::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Bench(command) => bench::run(&command),
        Command::Devices(args) => devices::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Cache(args) => cache::run(&args),
        Command::Graph(_) => Err(Failure::later("the command `graph`")),
    }
}
