//! `lisp [--stages] FILE…` runs files; without a file it reads forms from standard input and
//! answers each. `--stages` tells what each form compiled. Exit status 1 if a form failed.
#![expect(clippy::print_stdout, reason = "a command prints what it found")]

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use worldage_lisp::read::Error;
use worldage_lisp::runtime::Value;
use worldage_lisp::{Image, Outcome};

fn main() -> ExitCode {
    let (mut files, mut stages) = (Vec::new(), false);
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            "--stages" => stages = true,
            flag if flag.starts_with('-') => {
                eprintln!("usage: lisp [--stages] [FILE…]");
                return ExitCode::from(2);
            }
            _ => files.push(arg),
        }
    }
    let image = Image::new(|line| print!("{line}")).and_then(|image| {
        let added = image.host("clock", &[], clock);
        added.map_err(|error| error.to_string())?;
        Ok(image)
    });
    let image = match image {
        Ok(image) => image,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(3);
        }
    };
    let run = match files.is_empty() {
        true => interact(&image, stages),
        false => files.iter().try_for_each(|path| {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
            let done = image.run(&text, |outcome| told(&image, &outcome, stages, false));
            done.map_err(|error| format!("{path}:{error}"))
        }),
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Seconds since some time: what `(clock)` asks of the host.
fn clock(_: &[Value]) -> Result<Value, String> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since = since.map_err(|error| error.to_string())?;
    Ok(Value::Float(since.as_secs_f64()))
}

/// Tells what a form did; of a file only what is asked for.
fn told(image: &Image, outcome: &Outcome, stages: bool, answer: bool) {
    match outcome {
        Outcome::Value(value) if answer => println!("{value}"),
        Outcome::Edit(what, world) if answer => println!("; {what} in world {world}"),
        _ => {}
    }
    let ran = image.take_stages().to_string();
    if stages {
        ran.lines().for_each(|line| println!("; {line}"));
    }
}

/// Reads forms line by line; a form may take several lines.
fn interact(image: &Image, stages: bool) -> Result<(), String> {
    let terminal = std::io::stdin().is_terminal();
    let prompt = |text: &str| {
        if terminal {
            print!("{text}");
            // If there is nobody to prompt, nobody misses it.
            let _ = std::io::stdout().flush();
        }
    };
    let mut text = String::new();
    prompt("> ");
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        text += &line;
        text.push('\n');
        let done = image.run(&text, |outcome| told(image, &outcome, stages, true));
        match done {
            Err(Error {
                unfinished: true, ..
            }) => {
                prompt("  ");
                continue;
            }
            Err(error) => println!("error: {}", error.message),
            Ok(()) => {}
        }
        text.clear();
        prompt("> ");
    }
    match text.is_empty() {
        true => Ok(()),
        false => Err("error: the input ends inside of a form".to_string()),
    }
}
