//! CLIF text as foreign IR: each function of a `.clif` file is a method, the functions that it
//! names are its edges, and worldage knows nothing of either.
//!
//! This is the command, `clif FILE…`: exit status 0 if all that can be checked here holds, 1 if
//! something does not, 2 for wrong usage. Reading order: [`mod@file`] (a text to functions, targets and
//! run lines, with what is skipped), [`mod@compiler`] (the three stages), [`mod@check`] (run lines
//! through calls, repetition and an edit, with the stages that must run).
#![expect(clippy::print_stdout, reason = "a command prints what it found")]

mod check;
mod compiler;
mod file;

use check::Report;
use cranelift_reader::ParseError;
use file::{File, error};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

/// Says to check in this process and to tell each place on standard output before it runs.
const HERE: &str = "--here";
/// What such a place begins with.
const RUNNING: &str = "\u{1}";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((flag, paths)) if flag == HERE => here(paths),
        Some(_) => watched(&args).unwrap_or_else(|error| {
            eprintln!("error: no process to check in: {error}");
            ExitCode::FAILURE
        }),
        None => {
            eprintln!("usage: clif FILE…");
            ExitCode::from(2)
        }
    }
}

fn here(paths: &[String]) -> ExitCode {
    // A panic of the code generator is told as the error of its stage.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut lines, mut runs, mut failed) = (0, 0, 0);
    let mut skips: BTreeMap<String, usize> = BTreeMap::new();
    for path in paths {
        let report = match read(path) {
            Ok(file) => check::check(&file, &mut |line| println!("{RUNNING}{path}:{line}")),
            Err(wrong) => Report {
                failures: vec![wrong],
                ..Report::default()
            },
        };
        for line in &report.printed {
            println!("{path}:{line}");
        }
        for failure in &report.failures {
            eprintln!("{path}:{failure}");
        }
        failed += usize::from(!report.failures.is_empty());
        lines += report.lines;
        runs += report.runs;
        for why in report.skips {
            *skips.entry(why).or_default() += 1;
        }
    }
    let files = paths.len();
    println!("{files} files, {failed} failed; {lines} run lines, {runs} runs");
    for (why, times) in skips {
        println!("skipped {times:>5}  {why}");
    }
    ExitCode::from(u8::from(failed > 0))
}

fn read(path: &str) -> Result<File, ParseError> {
    let cannot = |why| error(1, format!("cannot be read: {why}"));
    File::read(&std::fs::read(path).map_err(cannot)?)
}

/// Checks in another process, because code that is run may end its process.
fn watched(paths: &[String]) -> std::io::Result<ExitCode> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(HERE).args(paths).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut place = String::new();
    let said = child.stdout.take().map(BufReader::new);
    for line in said.into_iter().flat_map(BufRead::lines) {
        let line = line?;
        match line.strip_prefix(RUNNING) {
            Some(running) => place = running.to_string(),
            None => writeln!(std::io::stdout(), "{line}")?,
        }
    }
    let status = child.wait()?;
    if matches!(status.code(), Some(0 | 1)) {
        return Ok(ExitCode::from(u8::from(!status.success())));
    }
    eprintln!("{place}: error: running this line ended the process ({status})");
    Ok(ExitCode::FAILURE)
}
