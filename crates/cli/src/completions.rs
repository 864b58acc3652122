//! `worldage completions`: a script that makes a shell complete our commands and options.

use crate::failure::Done;
use crate::terminal;
use clap::CommandFactory;
use clap_complete::Shell;

/// The arguments of `worldage completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    let mut script = Vec::new();
    let mut command = crate::Cli::command();
    clap_complete::generate(args.shell, &mut command, "worldage", &mut script);
    terminal::out(&String::from_utf8_lossy(&script))
}
