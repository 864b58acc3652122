//! Command lines as data: `tests/cli/*.cli`, one trial per file.
//!
//! A file is a session in a fresh folder: `file NAME` writes the indented lines below it; `stdin`
//! keeps the indented lines below it for the next command; `$ ARGS` runs `worldage ARGS` (variables
//! of its environment, `WORLDAGE_LOG=info`, come first), and what follows is what it does: `? STATUS`, its standard output behind `| `, its standard error behind
//! `! `. A line `@ FEATURE` or `@ no FEATURE` before a command says which builds of the command it is
//! for; others leave it and what it does alone. Times are written `N ms`, names of artifacts `KEY`. `UPDATE_EXPECT=1` rewrites what commands do.

use libtest_mimic::{Arguments, Failed, Trial};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let mut trials = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of the tests") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "cli") {
            let name = path.file_stem().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            trials.push(Trial::test(name, move || check(&path)));
        }
    }
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn check(path: &Path) -> Result<(), Failed> {
    let expected = std::fs::read_to_string(path)?;
    let found = replay(&expected)?;
    if found == expected {
        return Ok(());
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, found)?;
        return Ok(());
    }
    let mut message = format!("{} differs (UPDATE_EXPECT=1 rewrites it)\n", path.display());
    for (n, (old, new)) in pairs(&expected, &found) {
        let _ = write!(message, "line {n}\n  expected {old}\n  found    {new}\n");
    }
    Err(message.into())
}

/// The lines that differ, the first few.
fn pairs<'a>(old: &'a str, new: &'a str) -> Vec<(usize, (&'a str, &'a str))> {
    let (mut old, mut new) = (old.lines(), new.lines());
    let mut out = Vec::new();
    for n in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (a, b) if a != b => out.push((n, (a.unwrap_or("<end>"), b.unwrap_or("<end>")))),
            _ => {}
        }
        if out.len() == 12 {
            break;
        }
    }
    out
}

/// Runs the commands of a file; the file with what they do.
fn replay(text: &str) -> Result<String, Failed> {
    let folder = tempfile::tempdir()?;
    let mut out = String::new();
    let mut stdin = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let ["?" | "|" | "!", ..] = line.split(' ').collect::<Vec<_>>()[..] {
            continue;
        }
        let _ = writeln!(out, "{line}");
        if line.starts_with("file ") || line == "stdin" {
            let mut block = String::new();
            while let Some(inner) = lines.next_if(|line| line.starts_with("  ")) {
                let _ = writeln!(out, "{inner}");
                let _ = writeln!(block, "{}", &inner[2..]);
            }
            match line.strip_prefix("file ") {
                Some(name) => std::fs::write(folder.path().join(name), block)?,
                None => stdin = block,
            }
        } else if let Some(build) = line.strip_prefix("@ ") {
            if !is_this_build(build) {
                // Up to the empty line that ends what the command does.
                while let Some(inner) = lines.next_if(|line| !line.is_empty()) {
                    let _ = writeln!(out, "{inner}");
                }
            }
        } else if let Some(args) = line.strip_prefix("$ ") {
            out.push_str(&run(folder.path(), args, &std::mem::take(&mut stdin))?);
        }
    }
    Ok(out)
}

/// Whether a feature, or `no` feature, is what the command was built with.
fn is_this_build(build: &str) -> bool {
    let is_there = |feature: &str| match feature {
        "cuda" => cfg!(feature = "cuda"),
        "llvm" => cfg!(feature = "llvm"),
        "opencl" => cfg!(feature = "opencl"),
        other => panic!("the command has no feature `{other}`"),
    };
    match build.strip_prefix("no ") {
        Some(feature) => !is_there(feature),
        None => is_there(build),
    }
}

/// What a command does, in the form of the file.
fn run(folder: &Path, args: &str, stdin: &str) -> Result<String, Failed> {
    let mut words = words(args);
    let own = words
        .iter()
        .take_while(|word| word.starts_with("WORLDAGE_"));
    let args = words.split_off(own.count());
    let mut child = Command::new(env!("CARGO_BIN_EXE_worldage"))
        .args(args)
        .current_dir(folder)
        .env("WORLDAGE_NO_CACHE", "1")
        .envs(words.iter().filter_map(|word| word.split_once('=')))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // A command that reads nothing closes its end.
    let _ = child
        .stdin
        .take()
        .expect("piped")
        .write_all(stdin.as_bytes());
    let output = child.wait_with_output()?;
    let mut out = match output.status.code() {
        Some(status) => format!("? {status}\n"),
        None => format!("? {}\n", output.status),
    };
    for (mark, bytes) in [("|", output.stdout), ("!", output.stderr)] {
        for line in String::from_utf8_lossy(&bytes).lines() {
            let _ = writeln!(
                out,
                "{}",
                format!("{mark} {}", without_times(line)).trim_end()
            );
        }
    }
    Ok(out)
}

/// Splits at spaces; quotes keep them.
fn words(args: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in args.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Numbers that differ from run to run become `N`: times, and sizes of code.
fn without_times(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let digits = number.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, after) = number.split_at(digits.unwrap_or(number.len()));
        out.push_str(before);
        let varies = after.starts_with(" ms")
            || after.starts_with(" bytes of code")
            || before.ends_with("us\":");
        out.push_str(if varies { "N" } else { number });
        rest = after;
    }
    out.push_str(rest);
    for kind in ["(trace ", "(keys "] {
        // Names of artifacts differ from build to build.
        if let Some((before, after)) = out.split_once(kind)
            && let Some((_, after)) = after.split_once(')')
        {
            out = format!("{before}{kind}KEY){after}");
        }
    }
    // The table of `--stats text` ends with microseconds.
    let words: Vec<&str> = out.split_whitespace().collect();
    if let ["infer" | "codegen" | "link", .., us] = words[..]
        && words.len() == 5
    {
        let stem = out.len() - us.len();
        out.truncate(stem);
        out = format!("{} N", out.trim_end());
    }
    out
}
