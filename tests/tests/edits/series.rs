//! Runs a series: every answer against the interpreter, some against a session from scratch, and
//! the stages that ran against what the edits could touch.

use crate::minimal::{self, Meant, Minimal};
use crate::program::{Call, FUNCTIONS, Method, Op, PRELUDE, Signature, Struct, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use worldage::oracle::InterpreterSession;
use worldage::{
    CallOptions, Linking, OptLevel, Session, SessionOptions, Stage, StageEvent, Universe, World,
};
use worldage_testing::oracle::{Step, answer, check, comparable, interpreted};

/// A session and the interpreter under the same edits, and a plain model of the program.
struct Series {
    session: Session,
    options: SessionOptions,
    interpreter: InterpreterSession,
    steps: Vec<Step>,
    model: Model,
    /// The program that each call of the newest world saw last, where it gave a value.
    seen: BTreeMap<String, String>,
    minimal: Minimal,
    /// The commands so far, as a scenario.
    script: String,
    edits: usize,
    calls: Vec<Call>,
}

/// What the program is, by text.
#[derive(Default)]
struct Model {
    methods: BTreeMap<(Table, Signature), Method>,
    structs: BTreeMap<&'static str, Struct>,
    /// Declarations that changed a struct: each makes another type.
    struct_changes: BTreeMap<&'static str, usize>,
    externals: BTreeMap<u8, i8>,
    /// How often each signature of the base table was deleted.
    deletions: BTreeMap<Signature, usize>,
}

impl minimal::Program for Model {
    fn identity(&self, signature: &str) -> String {
        let of_signature = |sig: &Signature| sig.to_string() == signature;
        let deleted = self.deletions.iter().find(|(sig, _)| of_signature(sig));
        format!("{signature} #{}", deleted.map_or(0, |(_, times)| *times))
    }

    fn types_in(&self, text: &str) -> String {
        let mentioned = self
            .struct_changes
            .iter()
            .filter(|(name, _)| text.contains(**name));
        mentioned
            .map(|(name, times)| format!(" {name} #{times}"))
            .collect()
    }

    fn asked(&self, signature: &str) -> String {
        let base = self
            .methods
            .iter()
            .filter(|((table, _), _)| table.is_none());
        let base: Vec<_> = base.map(|((_, sig), method)| (*sig, method)).collect();
        let mut callees = Vec::new();
        if let Some((_, method)) = base.iter().find(|(sig, _)| sig.to_string() == signature) {
            method.body.callees(&mut callees);
        }
        let mut out = format!("{:?}", self.externals);
        for (sig, _) in base
            .iter()
            .filter(|(sig, _)| callees.contains(&sig.function))
        {
            let _ = write!(out, "; {}", self.identity(&sig.to_string()));
        }
        out
    }
}

impl Model {
    /// Everything that a call of `function` could depend on, over-approximated by name.
    fn reachable(&self, function: u8, view: Table) -> String {
        let is_visible = |table: Table| table.is_none() || view == Some("T2") || table == view;
        let visible: Vec<_> = self
            .methods
            .iter()
            .filter(|((table, _), _)| is_visible(*table))
            .collect();
        let mut reached = BTreeSet::from([function]);
        let mut todo = vec![function];
        while let Some(function) = todo.pop() {
            let of_function = visible
                .iter()
                .filter(|((_, sig), _)| sig.function == function);
            let mut callees = Vec::new();
            of_function.for_each(|(_, method)| method.body.callees(&mut callees));
            todo.extend(callees.into_iter().filter(|callee| reached.insert(*callee)));
        }
        let mut out = format!("{:?} {:?}\n", self.struct_changes, self.externals);
        for ((table, sig), method) in visible {
            if reached.contains(&sig.function) {
                let _ = writeln!(out, "{table:?} {method}");
            }
        }
        out
    }

    fn nth(&self, index: proptest::sample::Index) -> Option<(Table, Method)> {
        if self.methods.is_empty() {
            return None;
        }
        let ((table, _), method) = self.methods.iter().nth(index.index(self.methods.len()))?;
        Some((*table, method.clone()))
    }
}

/// Runs a series; the number of edits that were accepted.
///
/// # Errors
/// What differs, below the scenario that led there.
pub(crate) fn run(ops: &[Op], linking: Linking) -> Result<usize, String> {
    let options = SessionOptions {
        opt: OptLevel::Speed,
        hold_all_worlds: true,
        linking,
        stack_bytes: 1 << 20,
        ..SessionOptions::default()
    };
    let mut series = Series {
        session: Session::new(options.clone()).map_err(|error| error.to_string())?,
        options,
        interpreter: InterpreterSession::new(Arc::new(Universe::new())),
        steps: Vec::new(),
        model: Model::default(),
        seen: BTreeMap::new(),
        minimal: Minimal::default(),
        script: String::new(),
        edits: 0,
        calls: Vec::new(),
    };
    if linking == Linking::Live {
        series.script.push_str("linking live\n----\n\n");
    }
    // A panic is a failure whose scenario is worth as much as any other's.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| series.all(ops)));
    let result = result.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref().map(|said: &&str| (*said).to_owned()));
        Err(format!("a panic: {}", said.unwrap_or_default()))
    });
    result.map_err(|reason| format!("{}\n{reason}", series.script))?;
    Ok(series.edits)
}

impl Series {
    fn all(&mut self, ops: &[Op]) -> Result<(), String> {
        let structs = ["Circle", "Square"].map(|name| Struct {
            name,
            field: "Int64",
        });
        let shapes = structs.map(|declared| declared.to_string()).join("\n");
        self.edit(Step::Define(None, format!("{PRELUDE}{shapes}\n")))?;
        self.model.structs = structs.map(|s| (s.name, s)).into();
        self.edit(Step::Table("T1".into(), None))?;
        self.edit(Step::Table("T2".into(), Some("T1".into())))?;
        for op in ops {
            self.op(op)?;
        }
        self.every_world()?;
        // From scratch is dear: the last call only.
        if let Some(call) = self.calls.last() {
            let options = call_options(call, None);
            let (found, _) = answer(&self.session, &call.expr(), &options);
            check(&self.steps, &self.options, &call.expr(), &options, &found)?;
        }
        Ok(())
    }

    fn op(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Define(table, methods) => self.define(*table, None, methods),
            Op::Struct(declared, method) => self.define(None, Some(*declared), method.as_slice()),
            Op::Replace(index, body) => match self.model.nth(*index) {
                Some((table, method)) => {
                    let body = body.clone();
                    self.define(table, None, &[Method { body, ..method }])
                }
                None => Ok(()),
            },
            Op::Repeat(index) => match self.model.nth(*index) {
                Some((table, method)) => self.define(table, None, &[method]),
                None => Ok(()),
            },
            Op::Delete(index) => match self.model.nth(*index) {
                Some((table, method)) => self.delete(table, method.signature),
                None => Ok(()),
            },
            Op::DeleteExactly(table, signature) => self.delete(*table, *signature),
            Op::External(key, value) => {
                self.edit(Step::External(format!("e{key}"), value.to_string()))?;
                self.model.externals.insert(*key, *value);
                Ok(())
            }
            Op::Call(call) => self.call(call),
        }
    }

    fn define(
        &mut self,
        table: Table,
        declared: Option<Struct>,
        methods: &[Method],
    ) -> Result<(), String> {
        let mut text = String::new();
        declared
            .iter()
            .for_each(|s| text.push_str(&format!("{s}\n")));
        methods
            .iter()
            .for_each(|m| text.push_str(&format!("{m}\n")));
        let mut signatures: Vec<Signature> = methods.iter().map(|m| m.signature).collect();
        signatures.sort_unstable();
        signatures.dedup();
        let step = Step::Define(table.map(str::to_owned), text);
        if signatures.len() < methods.len() {
            return self.duplicate(&step);
        }
        if !self.edit(step)? {
            return Ok(());
        }
        if let Some(declared) = declared {
            let before = self.model.structs.insert(declared.name, declared);
            if before != Some(declared) {
                *self.model.struct_changes.entry(declared.name).or_default() += 1;
            }
        }
        let methods = methods.iter().cloned();
        let methods = methods.map(|method| ((table, method.signature), method));
        self.model.methods.extend(methods);
        Ok(())
    }

    fn delete(&mut self, table: Table, signature: Signature) -> Result<(), String> {
        let step = Step::Delete(table.map(str::to_owned), signature.to_string());
        let there = self.model.methods.remove(&(table, signature)).is_some();
        if there && table.is_none() {
            *self.model.deletions.entry(signature).or_default() += 1;
        }
        if self.edit(step)? != there {
            return Err(format!(
                "the deletion should {}",
                if there { "succeed" } else { "fail" }
            ));
        }
        Ok(())
    }

    /// A batch that defines a method twice fails and changes nothing.
    fn duplicate(&mut self, step: &Step) -> Result<(), String> {
        self.write(step, "!");
        let before = self.session.world();
        if step.take_interpreted(&mut self.interpreter).is_ok() {
            return Err("the interpreter defines a method twice in one edit".into());
        }
        match step.take(&self.session) {
            Ok(_) => Err("a method is defined twice in one edit".into()),
            Err(_) if self.session.world() != before => Err("a failed edit made a world".into()),
            Err(_) => Ok(()),
        }
    }

    fn write(&mut self, step: &Step, mark: &str) {
        let command = match step {
            Step::Define(None, text) => format!("define\n{}", indented(text)),
            Step::Define(Some(table), text) => format!("define in {table}\n{}", indented(text)),
            Step::Delete(None, sig) => format!("delete {sig}\n"),
            Step::Delete(Some(table), sig) => format!("delete {sig} in {table}\n"),
            Step::Table(name, None) => format!("table {name}\n"),
            Step::Table(name, Some(over)) => format!("table {name} over {over}\n"),
            Step::External(key, value) => format!("external {key} = {value}\n"),
        };
        let _ = writeln!(self.script, "{mark}{command}----\n");
        note(&self.script);
    }

    /// Whether the session accepted the step; the interpreter must say the same.
    fn edit(&mut self, step: Step) -> Result<bool, String> {
        self.write(&step, "");
        let before = self.session.world();
        let taken = step.take(&self.session);
        let again = step.take_interpreted(&mut self.interpreter);
        match (&taken, again) {
            (Ok(_), Ok(())) => {
                self.edits += usize::from(!matches!(step, Step::Table(..)));
                self.steps.push(step);
            }
            (Err(_), Err(_)) if self.session.world() == before => {}
            (Err(_), Err(_)) => return Err("a failed edit made a world".into()),
            (Ok(_), Err(error)) => return Err(format!("only the interpreter fails: {error}")),
            (Err(error), Ok(())) => return Err(format!("only the session fails: {error}")),
        }
        Ok(taken.is_ok())
    }

    fn call(&mut self, call: &Call) -> Result<(), String> {
        let newest = self.session.world();
        let world = match call.back {
            0 => None,
            // World 1 has the types and no methods.
            back => Some(World(newest.0.saturating_sub(back).max(1))),
        };
        let options = call_options(call, world);
        let key = format!("{} {:?} {:?}", call.expr(), call.view, options.opt);
        let view = call
            .view
            .map_or(String::new(), |view| format!(" view={view}"));
        let opt = if call.is_quick { " shard=opt:none" } else { "" };
        let at = world.map_or(String::new(), |world| format!(" world={world}"));
        let _ = writeln!(self.script, "call {}{view}{opt}{at}\n----\n", call.expr());
        note(&self.script);
        self.session.take_stages();
        let found = self.agree(&call.expr(), &options)?;
        let stages = self.session.take_stages();
        if world.is_none() {
            let program = self.model.reachable(call.function, call.view);
            let before = match found.starts_with("=>") {
                true => self.seen.insert(key, program.clone()),
                false => self.seen.remove(&key),
            };
            if !stages.is_empty() && before == Some(program) {
                let ran = stages
                    .iter()
                    .map(|event| format!("{} {}", event.stage, self.session.name(event.mi)));
                let ran: Vec<String> = ran.collect();
                return Err(format!(
                    "nothing it could read has changed, and it ran {ran:?}"
                ));
            }
            if call.view.is_none() {
                self.check_minimal(call, &stages)?;
            }
        }
        self.calls.push(call.clone());
        Ok(())
    }

    /// Whether only stages ran whose inputs changed, as sessions from scratch tell them.
    fn check_minimal(&mut self, call: &Call, stages: &[StageEvent]) -> Result<(), String> {
        let opt = if call.is_quick {
            OptLevel::None
        } else {
            OptLevel::Speed
        };
        let options = SessionOptions {
            opt,
            ..self.options.clone()
        };
        let scratch = Session::new(options).map_err(|error| error.to_string())?;
        for step in &self.steps {
            step.take(&scratch).map_err(|error| error.to_string())?;
        }
        let ran: Vec<(Stage, String)> = stages
            .iter()
            .map(|event| (event.stage, minimal::instance(&self.session, event.mi)))
            .collect();
        let called = (call.expr(), call.instance(), call_options(call, None));
        match minimal::meant(&scratch, &called.0, &called.1, &called.2, &self.model) {
            Meant::Nothing if ran.is_empty() => Ok(()),
            Meant::Nothing => Err(format!("no instance is called, and it ran {ran:?}")),
            Meant::Call(root, reached) => self.minimal.check(&root, call.is_quick, &ran, &reached),
            Meant::Unknown => {
                self.minimal.forget();
                Ok(())
            }
        }
    }

    /// The answer of the session, if it is that of the interpreter.
    fn agree(&self, expr: &str, options: &CallOptions) -> Result<String, String> {
        let (found, _) = answer(&self.session, expr, options);
        let said = interpreted(&self.interpreter, self.session.world(), expr, options);
        if comparable(&found) != comparable(&said) {
            return Err(format!(
                "{expr} with {options:?}\nthe session says\n{found}the interpreter\n{said}"
            ));
        }
        Ok(found)
    }

    /// A call of every function in worlds all over the history.
    fn every_world(&self) -> Result<(), String> {
        let newest = self.session.world().0;
        let stride = (newest / 5).max(1) as usize;
        for world in (1..=newest).rev().step_by(stride) {
            for function in 0..FUNCTIONS {
                let options = CallOptions {
                    world: Some(World(world)),
                    ..CallOptions::default()
                };
                self.agree(&format!("f{function}(1, 1)"), &options)?;
            }
        }
        Ok(())
    }
}

fn call_options(call: &Call, world: Option<World>) -> CallOptions {
    CallOptions {
        world,
        latest: false,
        opt: call.is_quick.then_some(OptLevel::None),
        view: call.view.map(str::to_owned),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Leaves the scenario where it can be read after a crash.
fn note(script: &str) {
    if std::env::var_os("WORLDAGE_EDITS_NOTE").is_some() {
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/edits.scn");
        std::fs::write(path, script).expect("the target folder can be written");
    }
}
