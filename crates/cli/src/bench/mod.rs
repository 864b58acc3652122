//! `worldage bench`: what recompilation and starts cost, beside their limits.
//!
//! Reading order: `graph` (who calls whom), `program` (the text and its answers), `minimal` (what
//! must run after an edit), `recompile` (the measurement), `limit` (the bare code generator),
//! `alloc` (heap bytes), `report` (JSON and text); `store` (new processes), `start` (one of them).

pub(crate) mod alloc;
mod graph;
mod limit;
mod minimal;
mod program;
mod recompile;
mod report;
mod start;
mod store;

use crate::failure::Done;

/// The benches of the command.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Recompilation after an edit, beside the bare code generator
    Recompile(recompile::Args),
    /// Starts in new processes with and without a store, beside their targets
    Store(store::Args),
}

/// Runs one.
pub(crate) fn run(command: &Command) -> Done {
    match command {
        Command::Recompile(args) => recompile::run(args),
        Command::Store(args) => store::run(args),
    }
}
