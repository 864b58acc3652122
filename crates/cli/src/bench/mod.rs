//! `worldage bench`: what recompilation costs, beside its limit.
//!
//! Reading order: `graph` (who calls whom), `program` (the text and its answers), `minimal` (what
//! must run after an edit), `recompile` (the measurement), `limit` (the bare code generator),
//! `alloc` (heap bytes), `report` (JSON and text).

pub(crate) mod alloc;
mod graph;
mod limit;
mod minimal;
mod program;
mod recompile;
mod report;

use crate::failure::Done;

/// The benches of the command.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Recompilation after an edit, beside the bare code generator
    Recompile(recompile::Args),
}

/// Runs one.
pub(crate) fn run(command: &Command) -> Done {
    match command {
        Command::Recompile(args) => recompile::run(args),
    }
}
