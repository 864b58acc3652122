//! Run lines of a file: cold, again from memory, and after an edit of one function.
//!
//! Beside every answer the stages that ran are compared with those that had to, which follow
//! from the calls in the text alone, not from what the engine recorded.

use crate::compiler::Clif;
use crate::file::{Error, File, Skips, skip};
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::data_value::{DataValue, DisplayDataValues};
use cranelift_codegen::ir::{
    Function, InstBuilder, StackSlotData, StackSlotKind, UserFuncName, types,
};
use cranelift_reader::{Comparison, RunCommand};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use worldage::dispatch::{Sig, Symbol, Ty, Types};
use worldage::embed::native::{NativeCaller, NativeError, callees_of};
use worldage::engine::{
    DemandError, Edit, Engine, Linked, Mi, Options, Resolved, ShardId, Stage, TableId,
};

/// What came of a file.
#[derive(Debug, Default)]
pub struct Report {
    /// Run lines that were run: cold, from memory and after an edit, in every shard.
    pub lines: usize,
    /// In how many shards.
    pub shards: usize,
    /// What `print` lines print.
    pub printed: Vec<String>,
    /// What was not checked, and why.
    pub skips: Skips,
    /// What does not hold.
    pub failures: Vec<Error>,
}

/// Functions by their place in the file.
type Set = BTreeSet<usize>;

/// Checks a file; `running` is told the number of each line before it runs, so that somebody
/// outlives code that ends the process.
pub fn check(file: &File, running: &mut dyn FnMut(usize)) -> Report {
    let mut skips = file.skips.clone();
    let lines = |root: usize| file.functions[root].runs.len();
    let mut roots: Set = (0..file.functions.len())
        .filter(|ix| lines(*ix) > 0)
        .collect();
    if file.isas.is_empty() {
        let why = "run line: no target of its file is for this machine";
        roots
            .iter()
            .for_each(|root| skip(&mut skips, why, lines(*root)));
        roots.clear();
    }
    // What cannot be compiled here is found by trying; the rest then starts anew, cold.
    loop {
        let mut session = Session::new(file);
        match session.check(&roots, running) {
            Ok(()) => {
                session.report.lines = roots.iter().copied().map(lines).sum();
                session.report.skips = skips;
                return session.report;
            }
            Err((root, why)) => {
                skip(&mut skips, &format!("run line: {why}"), lines(root));
                roots.remove(&root);
            }
        }
    }
}

/// A file in an engine: one table, and a shard per target and opt level with the same view.
struct Session<'a> {
    file: &'a File,
    engine: Engine<Clif>,
    shards: Vec<(ShardId, String, NativeCaller)>,
    calls: Calls,
    report: Report,
}

impl<'a> Session<'a> {
    fn new(file: &'a File) -> Self {
        let (clif, types) = (Clif::new(file.isas.clone()), Arc::new(Types::new()));
        let engine = Engine::new(clif, types, Options::default(), Edit::new());
        let engine = engine.expect("nothing is defined yet");
        let shards = file.isas.iter().map(|(name, isa)| {
            let id = engine.shard(name.clone(), engine.view(&[]));
            (id, name.clone(), NativeCaller::new(Arc::clone(isa)))
        });
        Session {
            file,
            shards: shards.collect(),
            engine,
            calls: Calls::of(file),
            report: Report::default(),
        }
    }

    fn check(
        &mut self,
        roots: &Set,
        running: &mut dyn FnMut(usize),
    ) -> Result<(), (usize, NativeError)> {
        let functions = &self.file.functions;
        let all = closure(&self.calls.callees, roots);
        self.define(functions.iter().map(|checked| checked.function.clone()));
        self.pass("cold", roots, [&all; 3], running)?;
        if all.is_empty() || !self.report.failures.is_empty() {
            return Ok(());
        }
        let none = Set::new();
        self.pass("from memory", roots, [&none; 3], running)?;
        // The function whose edit concerns most others. What calls itself is inferred as a whole,
        // the edited function is generated, and who calls it, however indirectly, is linked.
        let above = |function: usize| closure(&self.calls.callers, &Set::from([function]));
        let edited = all
            .iter()
            .copied()
            .rev()
            .max_by_key(|function| above(*function).len());
        let edited = Set::from_iter(edited);
        let above = closure(&self.calls.callers, &edited);
        let component = &above & &closure(&self.calls.callees, &edited);
        self.define(
            edited
                .iter()
                .map(|ix| with_another_frame(&functions[*ix].function)),
        );
        let when = format!("after an edit of {}", self.names(&edited));
        self.pass(
            &when,
            roots,
            [&component, &edited, &(&above & &all)],
            running,
        )
    }

    fn key(&self, function: &Function) -> (Symbol, Ty) {
        let types = self.engine.types();
        let args = self.engine.compiler().args(types, &function.signature);
        (types.symbol(&function.name.to_string()), args)
    }

    /// One edit that defines these functions.
    fn define(&self, functions: impl Iterator<Item = Function>) {
        let mut edit = Edit::new();
        for function in functions {
            let (symbol, args) = self.key(&function);
            edit.define(
                TableId::BASE,
                symbol,
                Sig::of_args(args),
                Arc::new(function),
            );
        }
        self.engine
            .commit(edit)
            .expect("definitions alone are never refused");
    }

    fn mi(&self, function: usize) -> Mi {
        let (symbol, args) = self.key(&self.file.functions[function].function);
        match self
            .engine
            .lookup(symbol, args, self.engine.view(&[]), self.engine.world())
        {
            Resolved::Method(mi) => mi,
            other => unreachable!("each function is a method: {other:?}"),
        }
    }

    /// Runs every line in every shard, and compares the functions that each stage ran for.
    fn pass(
        &mut self,
        when: &str,
        roots: &Set,
        expected: [&Set; 3],
        running: &mut dyn FnMut(usize),
    ) -> Result<(), (usize, NativeError)> {
        let file = self.file;
        for shard in 0..self.shards.len() {
            for root in roots {
                let checked = &file.functions[*root];
                let code = match self
                    .engine
                    .demand(self.mi(*root), self.shards[shard].0, None)
                {
                    Ok(code) => code,
                    Err(error) => match reason(&error) {
                        Some(why) => return Err((*root, why)),
                        None => {
                            self.report.failures.push(Error::at(checked.line, error));
                            return Ok(());
                        }
                    },
                };
                for (line, run) in &checked.runs {
                    running(*line);
                    let (RunCommand::Print(call) | RunCommand::Run(call, ..)) = run;
                    let (_, name, caller) = &mut self.shards[shard];
                    let (entry, signature) = (code.linked().entry(), &checked.function.signature);
                    #[expect(unsafe_code, reason = "the file asks for its code to be run")]
                    // SAFETY: this is the code of the function; whether it is right to run is
                    // what the file is for.
                    let actual = unsafe { caller.call(entry, signature, &call.args) };
                    let actual = match actual {
                        Ok(actual) => actual,
                        Err(error) => return Err((*root, error)),
                    };
                    let shown = DisplayDataValues(&actual);
                    if !holds(run, &actual) {
                        let why = format!("{run} does not hold {when} for {name}: it is {shown}");
                        self.report.failures.push(Error::at(*line, why));
                    } else if let (RunCommand::Print(_), "cold") = (run, when) {
                        self.report
                            .printed
                            .push(format!("{line}: {call} -> {shown}, {name}"));
                    }
                }
            }
        }
        self.report.shards = self.shards.len();
        self.compare_stages(when, expected);
        Ok(())
    }

    fn compare_stages(&mut self, when: &str, expected: [&Set; 3]) {
        let count = self.file.functions.len();
        let number: HashMap<Mi, usize> = (0..count).map(|ix| (self.mi(ix), ix)).collect();
        let mut ran: BTreeMap<(Stage, Option<ShardId>), Set> = BTreeMap::new();
        for event in self.engine.take_log() {
            let ran = ran.entry((event.stage, event.shard)).or_default();
            ran.insert(number[&event.mi]);
        }
        let ids: Vec<Option<ShardId>> = self.shards.iter().map(|shard| Some(shard.0)).collect();
        let stages = [
            (Stage::Infer, &[None][..]),
            (Stage::Codegen, &ids),
            (Stage::Link, &ids),
        ];
        for ((stage, shards), expected) in stages.into_iter().zip(expected) {
            for shard in shards {
                let ran = ran.remove(&(stage, *shard)).unwrap_or_default();
                if ran != *expected {
                    let (ran, expected) = (self.names(&ran), self.names(expected));
                    let why = format!("{when}: {stage} ran for [{ran}], it must for [{expected}]");
                    self.report.failures.push(Error::at(1, why));
                }
            }
        }
    }

    fn names(&self, functions: &Set) -> String {
        let names = functions
            .iter()
            .map(|ix| self.file.functions[*ix].function.name.to_string());
        names.collect::<Vec<_>>().join(" ")
    }
}

/// Why a demand failed, if it is no fault of the file: right perhaps, but not here.
fn reason(error: &DemandError) -> Option<NativeError> {
    let DemandError::Stage(failed) = error else {
        return None;
    };
    let native = failed.error.downcast_ref::<NativeError>().cloned();
    native.filter(|error| matches!(error, NativeError::Unsupported(_)))
}

fn holds(run: &RunCommand, actual: &[DataValue]) -> bool {
    let RunCommand::Run(_, comparison, expected) = run else {
        return true;
    };
    let equal =
        actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, b)| a.bitwise_eq(b));
    equal == (*comparison == Comparison::Equals)
}

/// The function with other code that does the same: it writes into its frame first.
fn with_another_frame(function: &Function) -> Function {
    let mut edited = function.clone();
    let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3);
    let slot = edited.create_sized_stack_slot(slot);
    let mut cursor = FuncCursor::new(&mut edited);
    if let Some(entry) = cursor.layout().entry_block() {
        cursor.goto_first_insertion_point(entry);
        let value = cursor.ins().iconst(types::I64, 0x57);
        cursor.ins().stack_store(types::I64, value, slot, 0);
    }
    edited
}

/// Who calls whom, from the text.
struct Calls {
    callees: Vec<Set>,
    callers: Vec<Set>,
}

impl Calls {
    fn of(file: &File) -> Calls {
        let functions = file.functions.iter().map(|checked| &checked.function);
        let names = functions.clone().map(|function| &function.name);
        let number: HashMap<&UserFuncName, usize> = names.zip(0..).collect();
        let mut callers = vec![Set::new(); file.functions.len()];
        let mut callees = callers.clone();
        for (caller, function) in functions.enumerate() {
            for (_, name) in callees_of(function) {
                if let Some(callee) = number.get(&name) {
                    callees[caller].insert(*callee);
                    callers[*callee].insert(caller);
                }
            }
        }
        Calls { callees, callers }
    }
}

/// All that arrows lead to from somewhere.
fn closure(arrows: &[Set], from: &Set) -> Set {
    let mut reached = from.clone();
    let mut work: Vec<usize> = from.iter().copied().collect();
    while let Some(function) = work.pop() {
        work.extend(
            arrows[function]
                .iter()
                .filter(|next| reached.insert(**next)),
        );
    }
    reached
}
