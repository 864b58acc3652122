//! Run lines of a file: cold, again from memory, and after an edit of one function.
//!
//! Beside every answer the stages that ran are compared with those that had to, which follow
//! from the calls in the text alone, not from what the engine recorded.

use crate::compiler::Clif;
use crate::file::{Checked, File, error};
use cranelift_codegen::data_value::{DataValue, DisplayDataValues};
use cranelift_codegen::ir::{Function, StackSlotData, StackSlotKind};
use cranelift_reader::{Comparison, ParseError, RunCommand};
use petgraph::algo::has_path_connecting;
use petgraph::graphmap::DiGraphMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use worldage::embed::native::{NativeCaller, NativeError, ValueTypes};
use worldage::embed::{Linked, Session, Stages, Ty};

/// What came of a file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Run lines that can be run here.
    pub(crate) lines: usize,
    /// How often one was run: cold, from memory and after an edit, in every shard.
    pub(crate) runs: usize,
    /// What `print` lines print.
    pub(crate) printed: Vec<String>,
    /// What was not checked, and why.
    pub(crate) skips: Vec<String>,
    /// What does not hold.
    pub(crate) failures: Vec<ParseError>,
}

/// Functions by name.
type Set<'a> = BTreeSet<&'a str>;

/// Whether a file is checked further: not behind a function that cannot be compiled here, nor,
/// without one, behind a failure that is told.
type Outcome<'a> = Result<(), Option<(&'a Checked, NativeError)>>;

/// A shard, and what calls its code.
type Target<'a> = (&'a String, &'a NativeCaller);

/// Checks a file; `running` is told the number of each line before it runs, so that somebody
/// outlives code that ends the process.
pub(crate) fn check(file: &File, running: &mut dyn FnMut(usize)) -> Report {
    let mut skips = file.skips.clone();
    let mut roots: Vec<&Checked> = file.functions.iter().collect();
    roots.retain(|root| !root.runs.is_empty());
    // What cannot be compiled here is found by trying; the rest then starts anew, cold.
    loop {
        let (targets, types) = (Arc::clone(&file.targets), ValueTypes::default());
        let mut checking = Checking {
            session: Session::new(Clif { targets, types }),
            running,
            report: Report::default(),
        };
        let Err(Some((root, why))) = checking.run(&file.functions, &roots) else {
            checking.report.lines = roots.iter().map(|root| root.runs.len()).sum();
            checking.report.skips = skips;
            return checking.report;
        };
        skips.extend(root.runs.iter().map(|_| format!("run line: {why}")));
        roots.retain(|other| other.name != root.name);
    }
}

/// A file in a session: a shard per target and opt level, over one view.
struct Checking<'r> {
    session: Session<Clif>,
    running: &'r mut dyn FnMut(usize),
    report: Report,
}

impl Checking<'_> {
    fn run<'a>(&mut self, functions: &'a [Checked], roots: &[&'a Checked]) -> Outcome<'a> {
        let calls = functions.iter().flat_map(|caller| {
            let callees = caller.calls.iter();
            callees.map(|callee| (&*caller.name, &**callee))
        });
        let calls: DiGraphMap<&str, ()> = DiGraphMap::from_edges(calls);
        let leads = |from: &'a str, to: &'a str| has_path_connecting(&calls, from, to, None);
        let is_called = |name: &'a str| roots.iter().any(|root| leads(&root.name, name));
        let names = functions.iter().map(|function| &*function.name);
        let all: Set = names.filter(|name| is_called(name)).collect();
        self.define(functions.iter().map(|checked| checked.function.clone()));
        self.pass("cold", roots, [&all; 3])?;
        if !self.report.failures.is_empty() {
            return Ok(());
        }
        self.pass("from memory", roots, [&Set::new(); 3])?;
        // The function whose edit concerns most others. What calls itself is inferred as a whole,
        // the edited function is generated, and who calls it, however indirectly, is linked.
        let above = |callee: &'a str| all.iter().copied().filter(move |name| leads(name, callee));
        let Some(edited) = all.iter().max_by_key(|callee| above(callee).count()) else {
            return Ok(());
        };
        let is_edited = |function: &&Checked| function.name == **edited;
        self.define(functions.iter().find(is_edited).map(in_larger_frame));
        let linked: Set = above(edited).collect();
        let component = above(edited).filter(|name| leads(edited, name)).collect();
        let ran = [&component, &Set::from([*edited]), &linked];
        self.pass(&format!("after an edit of {edited}"), roots, ran)
    }

    fn args(&self, function: &Function) -> Vec<Ty> {
        let (types, params) = (self.session.types(), &function.signature.params);
        self.session.compiler().types.of(types, params)
    }

    /// One edit that defines these functions.
    fn define(&self, functions: impl IntoIterator<Item = Function>) {
        let edited = self.session.edit(|edit| {
            functions.into_iter().try_for_each(|function| {
                let (name, args) = (function.name.to_string(), self.args(&function));
                edit.define(&name, &args, Arc::new(function))
            })
        });
        edited.expect("definitions alone are never refused");
    }

    /// Runs every line in every shard, and compares the functions that each stage ran for with
    /// those for which it must; what is inferred for one shard is so for all.
    fn pass<'a>(&mut self, when: &str, roots: &[&'a Checked], must: [&Set; 3]) -> Outcome<'a> {
        let (mut must, inferred) = (must, Set::new());
        for target in &*Arc::clone(&self.session.compiler().targets) {
            for root in roots {
                self.run_lines(when, root, target)?;
            }
            let (ran, expected) = (self.session.take_stages(), Stages::of_names(must));
            if ran.names != expected.names {
                let why = format!("{when} these stages ran:\n{ran}and these must:\n{expected}");
                self.report.failures.push(error(1, why));
            }
            must[0] = &inferred;
        }
        Ok(())
    }

    /// Runs the lines of a function in a shard.
    fn run_lines<'a>(&mut self, when: &str, root: &'a Checked, target: Target) -> Outcome<'a> {
        let (shard, caller) = target;
        let (name, signature) = (root.function.name.to_string(), &root.function.signature);
        let (args, failures) = (self.args(&root.function), &mut self.report.failures);
        let code = self.session.on(shard.clone()).compile(&name, &args);
        let code = code.map_err(|failed| {
            if let Some(why @ NativeError::Unsupported(_)) = failed.stage_error() {
                return Some((root, why.clone()));
            }
            failures.push(error(root.line, failed));
            None
        })?;
        for (line, run) in &root.runs {
            (self.running)(*line);
            let (RunCommand::Print(call) | RunCommand::Run(call, ..)) = run;
            #[expect(unsafe_code, reason = "the file asks for its code to be run")]
            // SAFETY: this is the code of the function; whether it is right to run is what the
            // file is for.
            let actual = unsafe { caller.call(code.linked().entry(), signature, &call.args) };
            let actual = actual.map_err(|why| Some((root, why)))?;
            self.report.runs += 1;
            let shown = DisplayDataValues(&actual);
            if !holds(run, &actual) {
                let why = format!("{run} does not hold {when} for {shard}: it is {shown}");
                failures.push(error(*line, why));
            } else if let (RunCommand::Print(_), "cold") = (run, when) {
                (self.report.printed).push(format!("{line}: {call} -> {shown}, {shard}"));
            }
        }
        Ok(())
    }
}

/// The function with other code that does the same.
fn in_larger_frame(checked: &Checked) -> Function {
    let mut function = checked.function.clone();
    function.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3));
    function
}

fn holds(run: &RunCommand, actual: &[DataValue]) -> bool {
    let RunCommand::Run(_, comparison, expected) = run else {
        return true;
    };
    let equal =
        actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, b)| a.bitwise_eq(b));
    equal == (*comparison == Comparison::Equals)
}
