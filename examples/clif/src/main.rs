//! Checks `.clif` files: `clif FILE…`. Exit status 0 if all that can be checked here holds, 1 if
//! something does not, 2 for wrong usage.
#![expect(clippy::print_stdout, reason = "a command prints what it found")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use worldage_clif::check::{self, Report};
use worldage_clif::file::{Error, File};

/// Says to check in this process and to tell each place on standard output before it runs.
const HERE: &str = "--here";
/// What such a place begins with.
const RUNNING: &str = "\u{1}";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((flag, paths)) if flag == HERE => here(paths),
        Some(_) => watched(&args),
        None => {
            eprintln!("usage: clif FILE…");
            ExitCode::from(2)
        }
    }
}

fn here(paths: &[String]) -> ExitCode {
    // A panic of the code generator is told as the error of its stage.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut total, mut runs, mut failed) = (Report::default(), 0, 0);
    for path in paths {
        let report = std::fs::read(path)
            .map_err(|error| Error::at(1, format!("cannot be read: {error}")))
            .and_then(|bytes| File::read(&bytes))
            .map(|file| check::check(&file, &mut |line| println!("{RUNNING}{path}:{line}")));
        let report = report.unwrap_or_else(|error| Report {
            failures: vec![error],
            ..Report::default()
        });
        report
            .printed
            .iter()
            .for_each(|line| println!("{path}:{line}"));
        report
            .failures
            .iter()
            .for_each(|failure| eprintln!("{path}:{failure}"));
        failed += usize::from(!report.failures.is_empty());
        total.lines += report.lines;
        runs += report.lines * report.shards * 3;
        for (why, times) in report.skips {
            *total.skips.entry(why).or_default() += times;
        }
    }
    let (files, lines) = (paths.len(), total.lines);
    println!("{files} files, {failed} failed; {lines} run lines, {runs} runs");
    for (why, times) in total.skips {
        println!("skipped {times:>5}  {why}");
    }
    ExitCode::from(u8::from(failed > 0))
}

/// Checks in another process, because code that is run may end its process.
fn watched(paths: &[String]) -> ExitCode {
    let watch = || -> std::io::Result<ExitCode> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(HERE).args(paths).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut place = String::new();
        for line in child
            .stdout
            .take()
            .map(BufReader::new)
            .into_iter()
            .flat_map(BufRead::lines)
        {
            let line = line?;
            match line.strip_prefix(RUNNING) {
                Some(running) => place = running.to_string(),
                None => writeln!(std::io::stdout(), "{line}")?,
            }
        }
        let status = child.wait()?;
        if let Some(code) = status.code().filter(|code| *code <= 1) {
            return Ok(ExitCode::from(u8::from(code == 1)));
        }
        eprintln!("{place}: error: running this line ended the process ({status})");
        Ok(ExitCode::FAILURE)
    };
    watch().unwrap_or_else(|error| {
        eprintln!("error: no process to check in: {error}");
        ExitCode::FAILURE
    })
}
