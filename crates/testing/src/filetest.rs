//! File tests: a Wir program, and as comments at its end what it must do in every engine.
//!
//! The form is described in `ir/README.md`. Everything that a file expects is observed once per
//! engine (the interpreter, and the host at each opt level); each observation must be what the
//! file says, so all engines agree.

use crate::{Outcome, diff};
use worldage::engine::Mi;
use worldage::oracle::InterpreterSession;
use worldage::wir::syntax::{bless_parse_test, check_parse_test};
use worldage::{
    CallOptions, Code, Diagnostic, LineCol, OptLevel, Place, Session, SessionOptions, Sources,
    Universe,
};

/// What the first line asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Modes {
    parse: bool,
    infer: bool,
    inline: bool,
    run: bool,
}

/// One line of what a file expects.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expectation {
    Infer { sig: String },
    Inlined { sig: String },
    Calls { sig: String },
    Run { call: String },
    Error { call: String, detail: Detail },
    Refused,
    Print,
}

/// How much of an error's position a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Code,
    Place,
    Trace,
}

/// Runs a file test: its outcome, and its text with what was found, if that differs.
#[must_use]
pub fn run(name: &str, bytes: &[u8]) -> (Outcome, Option<String>) {
    let lossy = String::from_utf8_lossy(bytes);
    let header = lossy.lines().next().unwrap_or_default();
    let modes = match modes(header) {
        Ok(modes) => modes,
        Err(reason) => return (Outcome::Failed(format!("{name}:1:1: {reason}")), None),
    };
    if modes.parse {
        let mut sources = Sources::new();
        let file = sources.add_bytes(name, bytes.to_vec());
        if let Err(error) = check_parse_test(&sources, file) {
            let blessed = bless_parse_test(&sources, file);
            return (Outcome::Failed(format!("{name}:\n{error}")), Some(blessed));
        }
        if !(modes.infer || modes.inline || modes.run) {
            return (Outcome::Passed, None);
        }
    }
    check(name, &lossy, bytes, modes)
}

/// `# test infer run`
fn modes(header: &str) -> Result<Modes, String> {
    let mut modes = Modes::default();
    let Some(words) = header.strip_prefix("# test") else {
        return Err(
            "a file test begins with `# test` and what is tested: parse, infer, inline, run".into(),
        );
    };
    for word in words.split_whitespace() {
        match word {
            "parse" => modes.parse = true,
            "infer" => modes.infer = true,
            "inline" => modes.inline = true,
            "run" => modes.run = true,
            other => {
                return Err(format!(
                    "unknown test `{other}`: parse, infer, inline or run"
                ));
            }
        }
    }
    match modes == Modes::default() {
        true => Err("nothing is tested: say parse, infer, inline or run after `# test`".into()),
        false => Ok(modes),
    }
}

fn check(name: &str, text: &str, bytes: &[u8], modes: Modes) -> (Outcome, Option<String>) {
    let start = tail_start(text);
    let tail = &text[start..];
    let mut expectations = Vec::new();
    for (ix, line) in tail.lines().enumerate() {
        match expectation(line) {
            Ok(Some(found)) => expectations.push(found),
            Ok(None) => {}
            Err(reason) => {
                let number = text[..start].lines().count() + ix + 1;
                return (
                    Outcome::Failed(format!("{name}:{number}:1: {reason}")),
                    None,
                );
            }
        }
    }
    if expectations.is_empty() {
        let reason = "it expects nothing: add `# run: CALL => VALUE` after the program";
        return (Outcome::Failed(format!("{name}: {reason}")), None);
    }
    let mut report = String::new();
    let mut blessed = None;
    for mut engine in engines(modes) {
        let found = match engine.subject.start(name, bytes) {
            Ok(()) => rewrite(tail, |expectation| engine.subject.observe(expectation)),
            // The host says where; the interpreter only has to refuse, too.
            Err(_) if !engine.infers && expectations.contains(&Expectation::Refused) => {
                tail.to_owned()
            }
            Err(lines) => refused(tail, &lines),
        };
        let expected = match engine.infers {
            true => tail.to_owned(),
            // What this engine does not answer is not held against it.
            false => without_infer(tail),
        };
        let found = if engine.infers {
            found
        } else {
            without_infer(&found)
        };
        if expected != found {
            report.push_str(&format!(
                "{name} on {}:\n{}",
                engine.name,
                diff(&expected, &found)
            ));
            if engine.infers && blessed.is_none() {
                blessed = Some(format!("{}{found}", &text[..start]));
            }
        }
    }
    match report.is_empty() {
        true => (Outcome::Passed, None),
        false => (Outcome::Failed(report), blessed),
    }
}

/// Where the trailing comments and blank lines begin: after the last line of the program.
fn tail_start(text: &str) -> usize {
    let mut start = text.len();
    for line in text.split_inclusive('\n').rev() {
        let line_text = line.trim();
        if !line_text.is_empty() && !line_text.starts_with('#') {
            break;
        }
        start -= line.len();
    }
    // The header is never an expectation.
    start.max(text.find('\n').map_or(text.len(), |end| end + 1))
}

/// What a line of the tail expects; `None` for a plain comment.
fn expectation(line: &str) -> Result<Option<Expectation>, String> {
    let Some(text) = line.trim().strip_prefix('#').map(str::trim) else {
        return Ok(None);
    };
    let Some((key, rest)) = text.split_once(':') else {
        return Ok(None);
    };
    let rest = rest.trim();
    Ok(Some(match key {
        "infer" => {
            let (sig, _) = rest
                .rsplit_once("->")
                .ok_or("write `# infer: SIG -> TYPE`")?;
            Expectation::Infer {
                sig: sig.trim().into(),
            }
        }
        "inlined" => {
            let (sig, _) = rest
                .split_once("<-")
                .ok_or("write `# inlined: SIG <- SIG; SIG`")?;
            Expectation::Inlined {
                sig: sig.trim().into(),
            }
        }
        "calls" => {
            let (sig, _) = rest
                .split_once("->")
                .ok_or("write `# calls: SIG -> SIG; SIG`")?;
            Expectation::Calls {
                sig: sig.trim().into(),
            }
        }
        "run" => {
            let (call, _) = split_result(rest).ok_or("write `# run: CALL => VALUE`")?;
            Expectation::Run { call: call.into() }
        }
        "error" => {
            let (call, result) = split_result(rest).ok_or("write `# error: CALL => CODE`")?;
            if call.is_empty() {
                return Ok(Some(Expectation::Refused));
            }
            let detail = match (result.contains(" at "), result.contains(" from ")) {
                (_, true) => Detail::Trace,
                (true, false) => Detail::Place,
                (false, false) => Detail::Code,
            };
            Expectation::Error {
                call: call.into(),
                detail,
            }
        }
        "print" => Expectation::Print,
        _ => return Ok(None),
    }))
}

/// `CALL => RESULT`, where a string in the call may hold an arrow.
fn split_result(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut escaped = false;
    for (ix, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '=' if !quoted && text[ix..].starts_with("=>") => {
                return Some((text[..ix].trim(), text[ix + 2..].trim()));
            }
            _ => {}
        }
    }
    None
}

/// The tail with every expectation replaced by what was observed.
fn rewrite(tail: &str, mut observe: impl FnMut(&Expectation) -> Option<Vec<String>>) -> String {
    let mut out = String::new();
    for line in tail.split_inclusive('\n') {
        match expectation(line) {
            Ok(Some(Expectation::Print)) => {}
            Ok(Some(found)) => match observe(&found) {
                Some(lines) => lines
                    .iter()
                    .for_each(|line| out.push_str(&format!("# {line}\n"))),
                None => out.push_str(line),
            },
            _ => out.push_str(line),
        }
    }
    out
}

/// The tail of a file that is not accepted: the errors stand where the first expectation stood.
fn refused(tail: &str, lines: &[String]) -> String {
    let mut out = String::new();
    let mut pending = Some(lines);
    for line in tail.split_inclusive('\n') {
        if !matches!(expectation(line), Ok(Some(_))) {
            out.push_str(line);
        } else if let Some(lines) = pending.take() {
            lines
                .iter()
                .for_each(|line| out.push_str(&format!("# {line}\n")));
        }
    }
    out
}

fn without_infer(tail: &str) -> String {
    let keep = |line: &&str| {
        let found = expectation(line);
        !matches!(
            found,
            Ok(Some(
                Expectation::Infer { .. } | Expectation::Inlined { .. } | Expectation::Calls { .. }
            ))
        )
    };
    tail.split_inclusive('\n').filter(keep).collect()
}

/// Something that runs programs.
trait Subject {
    /// Takes the program, or says why not: one `error: => …` line per diagnostic.
    fn start(&mut self, name: &str, bytes: &[u8]) -> Result<(), Vec<String>>;
    /// The lines that a file would have to hold for this expectation; `None`: not answered.
    fn observe(&mut self, expectation: &Expectation) -> Option<Vec<String>>;
}

struct Engine {
    name: String,
    infers: bool,
    subject: Box<dyn Subject>,
}

fn engines(modes: Modes) -> Vec<Engine> {
    let host = |opt: OptLevel| Engine {
        name: format!("host {opt}"),
        infers: true,
        subject: Box::new(Host {
            session: Session::new(SessionOptions {
                opt,
                ..SessionOptions::default()
            })
            .expect("this machine has a host code generator"),
            runs: modes.run,
        }),
    };
    let mut engines = vec![host(OptLevel::Speed)];
    if modes.run {
        let others = OptLevel::ALL.iter().filter(|opt| **opt != OptLevel::Speed);
        engines.extend(others.map(|opt| host(*opt)));
        engines.push(Engine {
            name: "interpreter".into(),
            infers: false,
            subject: Box::new(InterpreterSession::new(
                std::sync::Arc::new(Universe::new()),
            )),
        });
    }
    engines
}

struct Host {
    session: Session,
    runs: bool,
}

impl Subject for Host {
    fn start(&mut self, name: &str, bytes: &[u8]) -> Result<(), Vec<String>> {
        let defined = self.session.define_bytes(name, bytes.to_vec(), None);
        defined
            .map(drop)
            .map_err(|failure| refusals(&failure.diagnostics, |place| self.session.line_col(place)))
    }

    fn observe(&mut self, expectation: &Expectation) -> Option<Vec<String>> {
        match expectation {
            Expectation::Infer { sig } => Some(vec![match self.session.infer(sig, None) {
                Ok(ty) => format!("infer: {sig} -> {ty}"),
                Err(failure) => format!("infer: {sig} -> {failure}"),
            }]),
            Expectation::Inlined { sig } | Expectation::Calls { sig } => {
                let inlined = matches!(expectation, Expectation::Inlined { .. });
                let (key, arrow) = match inlined {
                    true => ("inlined", "<-"),
                    false => ("calls", "->"),
                };
                let composition = self.session.instance(sig);
                let composition = composition.and_then(|mi| self.session.composition(mi));
                let names = |mis: Vec<Mi>| {
                    let mut names: Vec<String> =
                        mis.into_iter().map(|mi| self.session.name(mi)).collect();
                    names.dedup();
                    names.join("; ")
                };
                let found = match composition {
                    Ok(found) if inlined => names(found.inlined),
                    Ok(found) => names(found.called),
                    Err(failure) => failure.to_string(),
                };
                Some(vec![
                    format!("{key}: {sig} {arrow} {found}").trim_end().into(),
                ])
            }
            Expectation::Run { call } | Expectation::Error { call, .. } if self.runs => {
                let report = self.session.call(call, &CallOptions::default());
                let mut lines = printed(&report.printed);
                lines.push(match &report.result {
                    Ok(_) => format!("run: {call} => {}", report.shown(&self.session)),
                    Err(failure) => error_line(call, expectation, &failure.diagnostic, |place| {
                        self.session.line_col(place)
                    }),
                });
                Some(lines)
            }
            _ => None,
        }
    }
}

impl Subject for InterpreterSession {
    fn start(&mut self, name: &str, bytes: &[u8]) -> Result<(), Vec<String>> {
        let text = String::from_utf8_lossy(bytes);
        let defined = self.define(name, &text, None);
        defined.map_err(|failure| refusals(&failure.diagnostics, |place| self.line_col(place)))
    }

    fn observe(&mut self, expectation: &Expectation) -> Option<Vec<String>> {
        match expectation {
            Expectation::Run { call } | Expectation::Error { call, .. } => {
                let (output, result) = self.call(call, None, None);
                let mut lines = printed(&output);
                lines.push(match result {
                    Ok(value) => format!("run: {call} => {}", value.show(self.universe())),
                    Err(error) => {
                        error_line(call, expectation, &self.diagnostic(&error), |place| {
                            self.line_col(place)
                        })
                    }
                });
                Some(lines)
            }
            _ => None,
        }
    }
}

fn printed(output: &str) -> Vec<String> {
    let lines = output.lines();
    lines
        .map(|line| format!("print: {line}").trim_end().to_owned())
        .collect()
}

fn refusals(found: &[Diagnostic], at: impl Fn(Place) -> LineCol) -> Vec<String> {
    let errors = found.iter().filter(|found| found.is_error());
    let line = |found: &Diagnostic| match found.place {
        Some(place) => format!("error: => {} at {}", found.code, show(at(place))),
        None => format!("error: => {}", found.code),
    };
    errors.map(line).collect()
}

/// The line of a call that failed, with as much of its position as the file says.
fn error_line(
    call: &str,
    expectation: &Expectation,
    found: &Diagnostic,
    at: impl Fn(Place) -> LineCol,
) -> String {
    let detail = match expectation {
        Expectation::Error { detail, .. } => *detail,
        _ => Detail::Place,
    };
    let mut line = format!("error: {call} => {}", found.code);
    // How deep a stack is differs by engine.
    let deep = matches!(found.code, Code::StackOverflow | Code::OutOfMemory);
    let said = !matches!(expectation, Expectation::Run { .. });
    if detail == Detail::Code || (deep && !said) {
        return line;
    }
    if let Some(place) = found.place {
        line.push_str(&format!(" at {}", show(at(place))));
    }
    if detail == Detail::Trace {
        let places = found.trace.iter().skip(1).filter_map(|frame| frame.place);
        let places: Vec<String> = places.map(|place| show(at(place))).collect();
        line.push_str(&format!(" from {}", places.join(", ")));
    }
    line
}

fn show(at: LineCol) -> String {
    format!("{}:{}", at.line, at.col)
}
