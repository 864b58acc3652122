//! Scenarios: sessions under edits, and what every command prints.
//!
//! The verbs and their output are those of the reference in `tests/scenarios/README.md`. After
//! every call the answer is compared with that of a session from scratch and of the interpreter.

use crate::block::{self, Block, Piece};
use crate::oracle::{self, Step};
use crate::{Outcome, diff};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;
use worldage::store::memory::Memory;
use worldage::store::{Layer, Store};
use worldage::{
    CallOptions, EditFailure, Explanation, Linking, LookupReport, OptLevel, Session,
    SessionOptions, World,
};

/// Runs a scenario: its outcome, and its text with what was found, if that differs.
#[must_use]
pub fn run(name: &str, text: &str) -> (Outcome, Option<String>) {
    let pieces = match block::parse(text) {
        Ok(pieces) => pieces,
        Err((line, reason)) => {
            return (Outcome::Failed(format!("{name}:{line}:1: {reason}")), None);
        }
    };
    let mut runner = Runner::default();
    let (mut report, mut wrong, mut found) = (String::new(), String::new(), Vec::new());
    for piece in pieces {
        let Piece::Block(block) = piece else {
            found.push(piece);
            continue;
        };
        let at = format!("{name}:{}", block.line);
        let said = match runner.block(&block) {
            Ok(said) => said,
            Err(Problem::Missing(what)) => return (Outcome::Ignored(what), None),
            Err(Problem::Wrong(reason)) => {
                return (Outcome::Failed(format!("{at}:1: {reason}\n")), None);
            }
        };
        if let Some(reason) = &said.oracle {
            let _ = writeln!(wrong, "{at}: `{}`: {reason}", block.command);
        }
        if said.output != block.expected {
            let _ = writeln!(
                report,
                "{at}: `{}`\n{}",
                block.command,
                diff(&block.expected, &said.output)
            );
        } else if said.failed != block.fails {
            let what = match said.failed {
                true => "fails; write `!` before a command that must fail",
                false => "does not fail, and `!` says that it must",
            };
            let _ = writeln!(report, "{at}: `{}` {what}", block.command);
        }
        found.push(Piece::Block(block.with(&said.output, said.failed)));
    }
    match (wrong.is_empty(), report.is_empty()) {
        (true, true) => (Outcome::Passed, None),
        (true, false) => (Outcome::Failed(report), Some(block::print(&found))),
        // A wrong answer is never blessed.
        (false, _) => (Outcome::Failed(report + &wrong), None),
    }
}

/// Why a block cannot be run at all.
enum Problem {
    /// Something is missing here.
    Missing(String),
    /// The scenario is wrong.
    Wrong(String),
}

fn wrong(reason: impl Into<String>) -> Problem {
    Problem::Wrong(reason.into())
}

/// What a block said.
struct Said {
    output: String,
    failed: bool,
    /// What the oracle says against it.
    oracle: Option<String>,
}

impl Said {
    fn nothing() -> Said {
        Said {
            output: String::new(),
            failed: false,
            oracle: None,
        }
    }

    fn lines<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Said {
        let mut said = Said::nothing();
        lines
            .into_iter()
            .for_each(|line| said.output.push_str(&format!("{}\n", line.as_ref())));
        said
    }

    fn failure(failure: &EditFailure) -> Said {
        Said {
            failed: true,
            ..Said::lines([failure.log_line()])
        }
    }
}

/// A session of a scenario, with what made it what it is.
struct Named {
    session: Session,
    options: SessionOptions,
    steps: Vec<Step>,
}

impl Named {
    fn new(options: SessionOptions) -> Result<Named, Problem> {
        let session = Session::new(options.clone());
        let session = session.map_err(|error| Problem::Missing(error.to_string()))?;
        Ok(Named {
            session,
            options,
            steps: Vec::new(),
        })
    }
}

#[derive(Default)]
struct Runner {
    sessions: BTreeMap<String, Named>,
    /// The store of the file's sessions, once one of them turns it on.
    store: Option<Arc<Store>>,
}

/// An empty store, which is gone after the file. What it warns of is part of the test: nothing.
fn store() -> Arc<Store> {
    let layers: Vec<Box<dyn Layer>> = vec![Box::new(Memory::default())];
    Arc::new(Store::with_layers(layers, Box::new(|_| ())))
}

fn options() -> SessionOptions {
    SessionOptions {
        opt: OptLevel::Speed,
        hold_all_worlds: true,
        ..SessionOptions::default()
    }
}

impl Runner {
    fn block(&mut self, block: &Block) -> Result<Said, Problem> {
        let named = match self.sessions.entry(block.session.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Named::new(options())?)
            }
        };
        let (verb, rest) = match block.command.split_once(char::is_whitespace) {
            Some((verb, rest)) => (verb, rest.trim()),
            None => (&*block.command, ""),
        };
        if verb != "define" && !block.body.trim().is_empty() {
            return Err(wrong(format!("`{verb}` takes no body")));
        }
        match verb {
            "define" => {
                let table = match rest.split_once(char::is_whitespace) {
                    Some(("in", table)) => Some(table.trim().to_owned()),
                    _ if rest.is_empty() => None,
                    _ => return Err(wrong("write `define` or `define in TABLE`")),
                };
                Ok(named.edit(Step::Define(table, block.body.clone())))
            }
            "delete" => {
                let (sig, table) = in_table(rest);
                Ok(named.edit(Step::Delete(table, sig)))
            }
            "table" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                match words[..] {
                    [name] => Ok(named.edit(Step::Table(name.into(), None))),
                    [name, "over", below] => {
                        Ok(named.edit(Step::Table(name.into(), Some(below.into()))))
                    }
                    _ => Err(wrong("write `table NAME` or `table NAME over NAME`")),
                }
            }
            "external" => {
                let (key, value) = rest
                    .split_once('=')
                    .ok_or_else(|| wrong("write `external KEY = VALUE`"))?;
                Ok(named.edit(Step::External(key.trim().into(), value.trim().into())))
            }
            "linking" => named.linking(rest),
            "store" => {
                let store = self.store.get_or_insert_with(store);
                named.options.store = match rest {
                    "on" => Some(Arc::clone(store)),
                    "off" => None,
                    _ => return Err(wrong("write `store on` or `store off`")),
                };
                named.session.set_store(named.options.store.as_ref());
                Ok(Said::nothing())
            }
            "fail" => match rest.strip_prefix("io ").map(str::parse) {
                Some(Ok(n)) => {
                    self.store.get_or_insert_with(store).fail_io(n);
                    Ok(Said::nothing())
                }
                _ => Err(wrong("write `fail io N`")),
            },
            "restart" => {
                // What the old session put there is to be found by the new one.
                self.store.iter().for_each(|store| store.flush());
                *named = Named::new(named.options.clone())?;
                Ok(Said::nothing())
            }
            "call" => named.call(rest),
            "lookup" => named.lookup(rest),
            "infer" => named.infer(rest),
            "valid" => Ok(Said::lines(named.session.valid())),
            "explain" => Ok(match named.session.explain(rest) {
                Ok(explanation) => Said::lines(explanation_lines(&explanation)),
                Err(failure) => Said::failure(&failure),
            }),
            other => Err(wrong(format!(
                "unknown command `{other}`: define, delete, table, linking, store, restart, fail, \
                 external, call, lookup, infer, valid or explain"
            ))),
        }
    }
}

impl Named {
    fn edit(&mut self, step: Step) -> Said {
        match step.take(&self.session) {
            Ok(report) => {
                self.steps.push(step);
                match report {
                    Some((world, lines)) => {
                        let lines = lines.into_iter().map(|line| format!("  {line}"));
                        Said::lines(std::iter::once(format!("world {world}")).chain(lines))
                    }
                    None => Said::nothing(),
                }
            }
            Err(failure) => Said::failure(&failure),
        }
    }

    fn linking(&mut self, mode: &str) -> Result<Said, Problem> {
        let linking = match mode {
            "pinned" => Linking::Pinned,
            "live" => Linking::Live,
            _ => return Err(wrong("write `linking pinned` or `linking live`")),
        };
        self.options.linking = linking;
        self.session.set_linking(linking);
        Ok(Said::nothing())
    }

    fn call(&mut self, rest: &str) -> Result<Said, Problem> {
        let (expr, words) = trailing_options(rest);
        let mut call = CallOptions::default();
        for word in words {
            match word.split_once('=') {
                None => call.latest = true,
                Some(("world", n)) => call.world = Some(world(n)?),
                Some(("view", table)) => call.view = Some(table.to_owned()),
                Some((_, shard)) => call.opt = Some(OptLevel::from_str(shard).map_err(wrong)?),
            }
        }
        let report = self.session.call(&expr, &call);
        let mut answer = report.printed.clone();
        let mut said = Said::nothing();
        match &report.result {
            Ok(_) => {
                for (stage, names) in &report.stages {
                    let _ = writeln!(said.output, "{stage:<8} {}", names.join(" "));
                }
                let _ = writeln!(answer, "=> {}", report.shown(&self.session));
            }
            Err(failure) => {
                said.failed = true;
                failure
                    .log_lines
                    .iter()
                    .for_each(|line| answer.push_str(&format!("{line}\n")));
            }
        }
        said.output.push_str(&answer);
        let again = oracle::check(&self.steps, &self.options, &expr, &call, &answer);
        let differences = self.session.differences_from_scratch();
        said.oracle = again.err().or_else(|| {
            let none = differences.is_empty();
            (!none).then(|| format!("what is up to date is not: {}", differences.join(", ")))
        });
        Ok(said)
    }

    fn lookup(&self, rest: &str) -> Result<Said, Problem> {
        let (sig, words) = trailing_options(rest);
        let (mut view, mut at) = (None, None);
        for word in words {
            match word.split_once('=') {
                Some(("view", table)) => view = Some(table.to_owned()),
                Some(("world", n)) => at = Some(world(n)?),
                _ => return Err(wrong("write `lookup F(TYPES) [view=TABLE] [world=N]`")),
            }
        }
        Ok(match self.session.lookup(&sig, view.as_deref(), at) {
            Ok(LookupReport::Method(name)) => Said::lines([name]),
            Ok(LookupReport::NoMethod) => Said::lines(["no-matching-method"]),
            Ok(LookupReport::Ambiguous(candidates)) => {
                let candidates = candidates.into_iter().map(|sig| format!("  {sig}"));
                Said::lines(std::iter::once("ambiguous-call".to_owned()).chain(candidates))
            }
            Err(failure) => Said::failure(&failure),
        })
    }

    fn infer(&self, rest: &str) -> Result<Said, Problem> {
        let (sig, words) = trailing_options(rest);
        let at = match words[..] {
            [] => None,
            [word] if word.starts_with("world=") => Some(world(&word["world=".len()..])?),
            _ => return Err(wrong("write `infer F(TYPES) [world=N]`")),
        };
        Ok(match self.session.infer(&sig, at) {
            Ok(ty) => Said::lines([ty]),
            Err(failure) => Said::failure(&failure),
        })
    }
}

fn world(text: &str) -> Result<World, Problem> {
    text.parse()
        .map(World)
        .map_err(|_| wrong(format!("`{text}` is no number of a world")))
}

/// `SIG in TABLE`
fn in_table(text: &str) -> (String, Option<String>) {
    let words: Vec<&str> = text.rsplitn(3, char::is_whitespace).collect();
    match words[..] {
        [table, "in", sig] => (sig.trim().to_owned(), Some(table.to_owned())),
        _ => (text.to_owned(), None),
    }
}

/// Takes `world=N`, `latest`, `shard=…` and `view=…` off the end of a command.
fn trailing_options(text: &str) -> (String, Vec<&str>) {
    let (mut rest, mut words) = (text.trim_end(), Vec::new());
    while let Some((before, word)) = rest.rsplit_once(char::is_whitespace) {
        let known = ["world=", "shard=", "view="];
        if word != "latest" && !known.iter().any(|key| word.starts_with(key)) {
            break;
        }
        words.push(word);
        rest = before.trim_end();
    }
    (rest.to_owned(), words)
}

fn explanation_lines(explanation: &Explanation) -> Vec<String> {
    let mut lines = vec![explanation.name.clone()];
    for stage in &explanation.stages {
        let what = match (stage.ran, stage.stored) {
            (true, _) => "ran",
            (_, true) => "stored",
            _ => "reused",
        };
        lines.push(format!("  {:<8} {what}", stage.stage.to_string()));
        for (depth, line) in stage.because.iter().enumerate() {
            lines.push(format!("{:indent$}{line}", "", indent = 4 + 2 * depth));
        }
    }
    lines
}
