//! The contexts through which stages learn everything; each question records its edge.

use crate::code_instance::CodeInstance;
use crate::compiler::{Compiler, Part};
use crate::definitions::{Answer, CallKey, Question};
use crate::error::{StageFault, Stop};
use crate::events::Stage;
use crate::graph::{
    CallId, CodeRead, Env, Graph, InferEdge, InferId, Outcome, Published, State, external_digest,
};
use crate::ids::{Mi, MiKey, ShardId, ViewId};
use crate::solve;
use crate::summary::Summarize;
use crate::tool::{Tool, ToolError};
use std::sync::Arc;
use std::time::Instant;
use worldage_dispatch::{Arg, Lookup, Matches, MethodId, Symbol, Ty, Types, World, sig_bindings};

/// The answer to "which method takes this call?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// One method; the instance for these argument types.
    Method(Mi),
    /// No method takes them.
    NoMethod,
    /// Several do, none most specific: the candidates that no other match beats.
    Ambiguous(Arc<[MethodId]>),
}

/// One method that may take a call with abstract argument types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The method.
    pub method: MethodId,
    /// The argument types for which it is asked: its intersection with the call (a tuple type).
    pub args: Ty,
    /// The instance, where `args` is concrete.
    pub mi: Option<Mi>,
}

/// The answer to "which methods may take a call with these abstract argument types?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidates {
    /// At most the limit: the matches, whether together they cover every argument, and whether
    /// some argument would be ambiguous.
    Few {
        /// The matches.
        matches: Vec<Candidate>,
        /// Whether every argument is taken by one of them.
        covered: bool,
        /// Whether some arguments would be ambiguous.
        ambiguous: bool,
    },
    /// More than the limit.
    TooMany,
}

/// An external fact's name: its kind (for logs: `external`, `struct`, …) and key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalKey {
    /// `external`, `struct`, `abstract type`, …
    pub kind: &'static str,
    /// The name within the kind.
    pub name: Arc<str>,
}

/// What a stage `infer` may ask.
pub struct InferCx<'a, C: Compiler> {
    shared: Env<'a, C>,
    graph: &'a mut Graph<C>,
    unit: InferId,
    depth: u32,
    edges: Vec<InferEdge>,
    /// Time spent in nested runs, which they account for themselves.
    nested_ns: u64,
    /// Whether the engine needs something else first.
    suspended: bool,
    questions: u32,
}

/// Questions that one run of a stage may ask; a stage that asks more loops.
const QUESTIONS_LIMIT: u32 = 1 << 22;

/// What inference learned, and whether it was the engine that stopped it.
#[derive(Default)]
pub(crate) struct InferTrace {
    pub(crate) edges: Vec<InferEdge>,
    pub(crate) nested_ns: u64,
    pub(crate) suspended: bool,
}

/// One question more.
fn count(questions: &mut u32, stage: Stage) -> Result<(), Stop> {
    *questions += 1;
    if *questions > QUESTIONS_LIMIT {
        let limit = QUESTIONS_LIMIT;
        return Err(Stop::failed(StageFault::TooManyQuestions { stage, limit }));
    }
    Ok(())
}

/// A part that is one of the summary's.
fn check_part<C: Compiler, V>(stage: Stage, part: &Part<C::Summary, V>) -> Result<(), Stop> {
    let declared = C::Summary::PARTS.get(part.index);
    if declared.is_some_and(|declared| declared.name == part.name) {
        return Ok(());
    }
    let (index, name) = (part.index, part.name);
    Err(Stop::failed(StageFault::UnknownPart { stage, index, name }))
}

/// An instance that this session gave out.
fn check_known<C: Compiler>(env: &Env<'_, C>, stage: Stage, mi: Mi) -> Result<(), Stop> {
    if env.instances.is_known(mi) {
        return Ok(());
    }
    let number = mi.0;
    Err(Stop::failed(StageFault::UnknownInstance { stage, number }))
}

impl<'a, C: Compiler> InferCx<'a, C> {
    pub(crate) fn new(
        shared: Env<'a, C>,
        graph: &'a mut Graph<C>,
        unit: InferId,
        depth: u32,
    ) -> Self {
        InferCx {
            shared,
            graph,
            unit,
            depth,
            edges: Vec::new(),
            nested_ns: 0,
            suspended: false,
            questions: 0,
        }
    }

    pub(crate) fn into_trace(self) -> InferTrace {
        InferTrace {
            edges: self.edges,
            nested_ns: self.nested_ns,
            suspended: self.suspended,
        }
    }

    /// The lattice.
    pub fn types(&self) -> &'a Types {
        &self.shared.shared.types
    }

    /// The compiler whose stage this is.
    pub fn compiler(&self) -> &'a C {
        &self.shared.shared.compiler
    }

    /// The view that this instance is inferred in.
    pub fn view(&self) -> ViewId {
        self.graph.infer(self.unit).view
    }

    /// What an instance stands for. No edge: an instance never changes its meaning.
    pub fn key(&self, mi: Mi) -> MiKey {
        self.shared.instances.key(mi)
    }

    /// The values of the method's type variables for this instance (static parameters).
    /// No edge: they follow from the instance and its method's signature.
    pub fn bindings(&self, mi: Mi) -> Vec<Arg> {
        let key = self.shared.instances.key(mi);
        let definitions = self.shared.definitions.read();
        let sig = definitions.sig_at(key.method, self.graph.world);
        if sig.vars.is_empty() {
            return Vec::new();
        }
        sig_bindings(&self.shared.types, key.args, sig).unwrap_or_default()
    }

    /// The embedder's number of an intrinsic method, if the instance's method is one. Intrinsics
    /// never change, have no stages and never appear in logs. No edge.
    pub fn intrinsic(&self, mi: Mi) -> Option<u32> {
        let key = self.shared.instances.key(mi);
        self.shared.definitions.read().method(key.method).intrinsic
    }

    /// Whether a table above the base holds methods of this function in this view; while it is
    /// false, an intrinsic that the embedder protects needs no lookup. *Lookup* edge, except in
    /// a view of the base table alone.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn overlaid(&mut self, function: Symbol) -> Result<bool, Stop> {
        let view = self.view();
        if self.shared.definitions.read().views[view.0 as usize].len() == 1 {
            return Ok(false);
        }
        let key = CallKey {
            function,
            view,
            question: Question::Overlaid,
            args: Ty::BOTTOM,
        };
        self.flag(key)
    }

    /// Whether any method of this function is defined. *Lookup* edge.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn is_defined(&mut self, function: Symbol) -> Result<bool, Stop> {
        let view = self.view();
        let key = CallKey {
            function,
            view,
            question: Question::Defined,
            args: Ty::BOTTOM,
        };
        self.flag(key)
    }

    fn flag(&mut self, key: CallKey) -> Result<bool, Stop> {
        match self.ask(key)? {
            Answer::Flag(yes) => Ok(yes),
            other => unreachable!("not an answer to this question: {other:?}"),
        }
    }

    /// The method for concrete argument types (a tuple type). *Lookup* edge.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn lookup(&mut self, function: Symbol, args: Ty) -> Result<Resolved, Stop> {
        let view = self.view();
        let key = CallKey {
            function,
            view,
            question: Question::Lookup,
            args,
        };
        self.resolved(key, args)
    }

    /// The instance that takes a call of a function by name. *Lookup* edge, also where nobody
    /// takes it.
    ///
    /// # Errors
    /// [`Stop`], to be passed on: a failure of this stage that is an
    /// [`Unresolved`](crate::error::Unresolved), unless exactly one method takes the call.
    pub fn callee(&mut self, function: &str, args: &[Ty]) -> Result<Mi, Stop> {
        let types = self.types();
        let (function, args) = (types.symbol(function), types.tuple(args));
        let candidates = match self.lookup(function, args)? {
            Resolved::Method(mi) => return Ok(mi),
            Resolved::NoMethod => None,
            Resolved::Ambiguous(candidates) => Some(candidates),
        };
        let definitions = self.shared.definitions.read();
        let (call, world) = ((function, args), self.graph.world);
        let unresolved =
            crate::names::unresolved(types, &definitions, call, candidates.as_deref(), world);
        Err(Stop::failed(unresolved))
    }

    /// The methods for abstract argument types. *Lookup* edge.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn find_all(
        &mut self,
        function: Symbol,
        args: Ty,
        limit: usize,
    ) -> Result<Candidates, Stop> {
        let view = self.view();
        let question = Question::FindAll(u32::try_from(limit).unwrap_or(u32::MAX));
        let answer = self.ask(CallKey {
            function,
            view,
            question,
            args,
        })?;
        let Answer::Many(matches) = answer else {
            unreachable!("not an answer to this question: {answer:?}")
        };
        Ok(match matches {
            Matches::TooMany => Candidates::TooMany,
            Matches::Matches {
                matches,
                covered,
                ambiguous,
            } => Candidates::Few {
                matches: matches
                    .into_iter()
                    .map(|m| Candidate {
                        method: m.method,
                        args: m.args,
                        mi: self.shared.types.is_concrete(m.args).then(|| {
                            let key = MiKey {
                                function,
                                method: m.method,
                                args: m.args,
                            };
                            self.shared.instances.intern(key)
                        }),
                    })
                    .collect(),
                covered,
                ambiguous,
            },
        })
    }

    /// Says that a call is dispatched at run time after all: what [`InferCx::find_all`] answered
    /// decided nothing that could change later, so its edge is dropped.
    pub fn dispatched_at_run_time(&mut self, function: Symbol, args: Ty, limit: usize) {
        let view = self.view();
        let question = Question::FindAll(u32::try_from(limit).unwrap_or(u32::MAX));
        let key = CallKey {
            function,
            view,
            question,
            args,
        };
        let asked = self.graph.call(&self.shared, key);
        self.edges
            .retain(|edge| !matches!(edge, InferEdge::Call { call, .. } if *call == asked));
    }

    /// The method that answers an explicit signature, instantiated for concrete argument types.
    /// *Lookup* edge on the signature.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn invoke(&mut self, function: Symbol, sig: Ty, args: Ty) -> Result<Resolved, Stop> {
        let view = self.view();
        let key = CallKey {
            function,
            view,
            question: Question::Invoke,
            args: sig,
        };
        self.resolved(key, args)
    }

    /// The instance of a method for concrete argument types that it takes. No edge.
    pub fn instance(&self, method: MethodId, args: Ty) -> Mi {
        let function = self.shared.definitions.read().method(method).function;
        self.shared.instances.intern(MiKey {
            function,
            method,
            args,
        })
    }

    /// A part of a callee's summary. *Summary* edge on that part. A callee that is being
    /// inferred (recursion) shows what is known of it so far, from bottom.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn read<V>(&mut self, callee: Mi, part: &Part<C::Summary, V>) -> Result<V, Stop> {
        check_part::<C, V>(Stage::Infer, part)?;
        let (unit, outcome) = self.outcome(callee)?;
        let index = part.index;
        let Some(outcome) = outcome else {
            let bottom = C::Summary::bottom();
            let digest = solve::digests(&self.shared, &bottom)[index];
            self.record_part(unit, index, digest);
            return Ok((part.get)(&bottom));
        };
        self.record_part(unit, index, outcome.parts[index]);
        match (&outcome.summary, &outcome.inferred) {
            (Some(summary), _) => Ok((part.get)(summary)),
            (None, Err(failed)) => Err(Stop::Failed(failed.clone())),
            (None, Ok(_)) => unreachable!("only a failed unit has no summary"),
        }
    }

    /// The value of an external fact; `None` if there is none. *External* edge, also on absence.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn external(&mut self, key: &ExternalKey) -> Result<Option<Arc<[u8]>>, Stop> {
        let id = self.graph.external(key);
        let value = self
            .shared
            .definitions
            .read()
            .external(key, self.graph.world)
            .cloned();
        let digest = external_digest(value.as_deref());
        self.record(InferEdge::External {
            external: id,
            digest,
        });
        Ok(value)
    }

    /// A tool that was registered under this name, for codegen to run. *External* edge on what it
    /// is and on its version: keep it in the result of inference, so that code is made anew by
    /// another one.
    ///
    /// # Errors
    /// [`Stop`], to be passed on: a failure of this stage that is a [`ToolError`], if there is no
    /// such tool.
    pub fn tool(&mut self, name: &str) -> Result<Tool, Stop> {
        let bytes = self.external(&Tool::fact(name))?;
        let tool = bytes.and_then(|bytes| Tool::from_bytes(&bytes));
        tool.ok_or_else(|| Stop::failed(ToolError::Unknown(name.into())))
    }

    /// An edge on the whole summary of an instance that the IR hides; where its inference failed,
    /// so does this one.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn depends_on(&mut self, callee: Mi) -> Result<(), Stop> {
        let (unit, outcome) = self.outcome(callee)?;
        let parts = match &outcome {
            Some(outcome) => outcome.parts,
            None => solve::digests(&self.shared, &C::Summary::bottom()),
        };
        for (index, digest) in parts.into_iter().enumerate() {
            self.record_part(unit, index, digest);
        }
        match outcome.as_deref().map(|outcome| &outcome.inferred) {
            Some(Err(failed)) => Err(Stop::Failed(failed.clone())),
            _ => Ok(()),
        }
    }

    /// What every question begins with: there is an end to them, and an edit that waits.
    fn question(&mut self) -> Result<(), Stop> {
        count(&mut self.questions, Stage::Infer)?;
        if self.shared.is_cancelled() {
            self.suspended = true;
            return Err(Stop::Cancelled);
        }
        Ok(())
    }

    fn outcome(&mut self, callee: Mi) -> Result<(InferId, Published<C>), Stop> {
        self.question()?;
        check_known(&self.shared, Stage::Infer, callee)?;
        let view = self.view();
        let unit = self.graph.infer_unit(&self.shared, callee, view);
        let start = (self.graph.infer(unit).state == State::New).then(Instant::now);
        let limit = self.shared.shared.max_instances;
        if start.is_some() && self.graph.active.len() >= limit {
            return Err(Stop::failed(StageFault::TooManyInstances { limit }));
        }
        let outcome = solve::value(self.shared, self.graph, self.unit, unit, self.depth);
        self.suspended |= outcome.is_err();
        let outcome = outcome?;
        if let Some(start) = start {
            self.nested_ns += start.elapsed().as_nanos() as u64;
        }
        Ok((unit, outcome))
    }

    fn resolved(&mut self, key: CallKey, args: Ty) -> Result<Resolved, Stop> {
        let function = key.function;
        Ok(match self.ask(key)? {
            Answer::One(Lookup::Method(method)) => {
                Resolved::Method(self.shared.instances.intern(MiKey {
                    function,
                    method,
                    args,
                }))
            }
            Answer::One(Lookup::NoMethod) => Resolved::NoMethod,
            Answer::One(Lookup::Ambiguous(methods)) => Resolved::Ambiguous(methods),
            other => unreachable!("not an answer to this question: {other:?}"),
        })
    }

    fn ask(&mut self, key: CallKey) -> Result<Answer, Stop> {
        self.question()?;
        let id: CallId = self.graph.call(&self.shared, key);
        let answer = self.graph.calls[id.ix()].current;
        self.record(InferEdge::Call { call: id, answer });
        Ok(self.graph.calls[id.ix()].answer().clone())
    }

    fn record_part(&mut self, unit: InferId, index: usize, digest: u64) {
        let part = u8::try_from(index).expect("at most four parts");
        self.record(InferEdge::Part { unit, part, digest });
    }

    fn record(&mut self, edge: InferEdge) {
        if !self.edges.contains(&edge) {
            self.edges.push(edge);
        }
    }
}

/// What a stage `codegen` may ask.
pub struct CodegenCx<'a, C: Compiler> {
    shared: Env<'a, C>,
    graph: &'a Graph<C>,
    shard: C::Shard,
    view: ViewId,
    reads: Vec<CodeRead<C>>,
    calls: Vec<Mi>,
    /// An instance that inference never reached; it must be settled before codegen can go on.
    missing: Option<Mi>,
    questions: u32,
}

/// What codegen learned: its reads, its calls, and what it needs first.
pub(crate) struct CodegenTrace<C: Compiler> {
    pub(crate) reads: Vec<CodeRead<C>>,
    pub(crate) calls: Vec<Mi>,
    pub(crate) missing: Option<Mi>,
}

impl<C: Compiler> CodegenTrace<C> {
    /// Whether another run asked the same.
    pub(crate) fn asked_as(&self, other: &CodegenTrace<C>) -> bool {
        let same = |(a, b): (&CodeRead<C>, &CodeRead<C>)| {
            a.unit() == b.unit()
                && match (a, b) {
                    (CodeRead::Part { part: a, .. }, CodeRead::Part { part: b, .. }) => a == b,
                    _ => a.is_body() && b.is_body(),
                }
        };
        self.reads.len() == other.reads.len()
            && self.reads.iter().zip(&other.reads).all(same)
            && self.calls == other.calls
    }
}

impl<'a, C: Compiler> CodegenCx<'a, C> {
    pub(crate) fn new(
        shared: Env<'a, C>,
        graph: &'a Graph<C>,
        shard: C::Shard,
        view: ViewId,
    ) -> Self {
        CodegenCx {
            shared,
            graph,
            shard,
            view,
            reads: Vec::new(),
            calls: Vec::new(),
            missing: None,
            questions: 0,
        }
    }

    pub(crate) fn into_trace(self) -> CodegenTrace<C> {
        CodegenTrace {
            reads: self.reads,
            calls: self.calls,
            missing: self.missing,
        }
    }

    /// The lattice.
    pub fn types(&self) -> &'a Types {
        &self.shared.shared.types
    }

    /// The shard that code is made for.
    pub fn shard(&self) -> &C::Shard {
        &self.shard
    }

    /// What an instance stands for.
    pub fn key(&self, mi: Mi) -> MiKey {
        self.shared.instances.key(mi)
    }

    /// The embedder's number of an intrinsic method.
    pub fn intrinsic(&self, mi: Mi) -> Option<u32> {
        let key = self.shared.instances.key(mi);
        self.shared.definitions.read().method(key.method).intrinsic
    }

    /// A part of a callee's summary. *Summary* edge on that part.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn read<V>(&mut self, callee: Mi, part: &Part<C::Summary, V>) -> Result<V, Stop> {
        check_part::<C, V>(Stage::Codegen, part)?;
        let (unit, outcome) = self.outcome(callee)?;
        let index = u8::try_from(part.index).expect("at most four parts");
        let digest = outcome.parts[part.index];
        let known = self.reads.iter().any(|read| {
            matches!(*read, CodeRead::Part { unit: u, part: p, digest: d }
                if (u, p, d) == (unit, index, digest))
        });
        if !known {
            let part = index;
            self.reads.push(CodeRead::Part { unit, part, digest });
        }
        match (&outcome.summary, &outcome.inferred) {
            (Some(summary), _) => Ok((part.get)(summary)),
            (None, Err(failed)) => Err(Stop::Failed(failed.clone())),
            (None, Ok(_)) => unreachable!("only a failed unit has no summary"),
        }
    }

    /// Looks at a callee's summary beyond the parts that were read. No edge: the law is that
    /// the code depends on nothing that the read parts do not determine.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn peek<V>(&mut self, callee: Mi, get: fn(&C::Summary) -> V) -> Result<V, Stop> {
        let (_, outcome) = self.outcome(callee)?;
        match (&outcome.summary, &outcome.inferred) {
            (Some(summary), _) => Ok(get(summary)),
            (None, Err(failed)) => Err(Stop::Failed(failed.clone())),
            (None, Ok(_)) => unreachable!("only a failed unit has no summary"),
        }
    }

    /// A callee's body, to inline or fold it. *Body* edge.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn inferred(&mut self, callee: Mi) -> Result<Arc<C::Inferred>, Stop> {
        let (unit, outcome) = self.outcome(callee)?;
        let inferred = outcome.inferred.clone().map_err(Stop::Failed)?;
        let known = self
            .reads
            .iter()
            .any(|read| read.unit() == unit && read.is_body());
        if !known {
            let inferred = Arc::clone(&inferred);
            self.reads.push(CodeRead::Body { unit, inferred });
        }
        Ok(inferred)
    }

    /// Runs a tool that inference asked its context for. No edge: the result of inference holds
    /// the tool.
    ///
    /// # Errors
    /// [`Stop`], to be passed on: a failure of this stage that is a [`ToolError`].
    pub fn run_tool(
        &self,
        tool: &Tool,
        args: &[&str],
        inputs: &[(&str, &[u8])],
        output: &str,
    ) -> Result<Vec<u8>, Stop> {
        tool.run(args, inputs, output).map_err(Stop::failed)
    }

    /// Declares that the code calls this instance through its cell. *Code* edge; link may then
    /// ask for the cell.
    ///
    /// # Panics
    /// If this session has no such instance: a mistake of the embedder, reported as the failure
    /// of this stage.
    pub fn calls(&mut self, callee: Mi) {
        if !self.shared.instances.is_known(callee) {
            let (stage, number) = (Stage::Codegen, callee.0);
            std::panic::panic_any(StageFault::UnknownInstance { stage, number });
        }
        if !self.calls.contains(&callee) {
            self.calls.push(callee);
        }
    }

    fn outcome(&mut self, callee: Mi) -> Result<(InferId, &'a Outcome<C>), Stop> {
        count(&mut self.questions, Stage::Codegen)?;
        check_known(&self.shared, Stage::Codegen, callee)?;
        let unit = self.graph.find_infer(callee, self.view);
        let settled = unit.filter(|unit| self.graph.infer(*unit).state == State::Clean);
        match settled {
            Some(unit) => {
                let outcome = self.graph.infer(unit).outcome.as_deref();
                Ok((unit, outcome.expect("a clean unit has a result")))
            }
            None => {
                self.missing = Some(callee);
                Err(Stop::Suspended)
            }
        }
    }
}

/// What a stage `link` may ask.
pub struct LinkCx<'a, C: Compiler> {
    pub(crate) shared: Env<'a, C>,
    pub(crate) shard: (C::Shard, ShardId),
    pub(crate) world: World,
    pub(crate) callees: &'a [(Mi, Arc<CodeInstance<C>>)],
    pub(crate) own_cell: *const usize,
}

impl<C: Compiler> LinkCx<'_, C> {
    /// The shard.
    pub fn shard(&self) -> (&C::Shard, ShardId) {
        (&self.shard.0, self.shard.1)
    }

    /// The world that this code instance starts in.
    pub fn world(&self) -> World {
        self.world
    }

    /// The address of the cell of a callee that codegen declared with [`CodegenCx::calls`]: a
    /// word that holds the entry to call, stable as long as this code instance lives.
    ///
    /// # Panics
    /// If codegen did not declare the callee: a mistake of the embedder, reported as the failure
    /// of this stage.
    pub fn cell(&self, callee: Mi) -> *const usize {
        match self.declared(callee) {
            Ok(ci) => ci.cell(),
            Err(fault) => std::panic::panic_any(fault),
        }
    }

    /// What link gave for a callee that codegen declared: for code that is no machine code and
    /// holds what it calls. Pinned linking only: live linking patches cells.
    ///
    /// # Errors
    /// [`Stop`], to be passed on: a callee that was not declared, or whose link waits for this
    /// one (recursion needs cells), or live linking.
    pub fn linked(&self, callee: Mi) -> Result<&C::Linked, Stop> {
        let ci = self.declared(callee).map_err(Stop::failed)?;
        match ci.try_linked() {
            Some(linked) if !ci.live => Ok(linked),
            _ => {
                let callee = crate::names::instance_name(&self.shared, callee).into();
                Err(Stop::failed(StageFault::NeedsCell { callee }))
            }
        }
    }

    fn declared(&self, callee: Mi) -> Result<&CodeInstance<C>, StageFault> {
        if let Some((_, ci)) = self.callees.iter().find(|(mi, _)| *mi == callee) {
            return Ok(ci);
        }
        if !self.shared.instances.is_known(callee) {
            let (stage, number) = (Stage::Link, callee.0);
            return Err(StageFault::UnknownInstance { stage, number });
        }
        let callee = crate::names::instance_name(&self.shared, callee).into();
        Err(StageFault::UndeclaredCallee { callee })
    }

    /// The lattice.
    pub fn types(&self) -> &Types {
        &self.shared.shared.types
    }

    /// The address of this code instance's own cell.
    pub fn own_cell(&self) -> *const usize {
        self.own_cell
    }

    /// What an instance stands for.
    pub fn key(&self, mi: Mi) -> MiKey {
        self.shared.instances.key(mi)
    }
}
