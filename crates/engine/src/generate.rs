//! Codegen: from settled facts to code, and on to code instances (`link`).
//!
//! A demand walks down marked code units only. What must be generated is generated in batches on
//! all threads (codegen reads settled facts, so it needs no lock); then the touched units are
//! linked in components, callees first, members of a recursive group together.

use crate::code_instance::CodeInstance;
use crate::compiler::Compiler;
use crate::cx::{CodegenCx, CodegenTrace};
use crate::error::{Failed, StageFault, Stop, equal};
use crate::events::{Origin, Stage, StageEvent};
use crate::explain::Why;
use crate::graph::{CodeId, CodeRead, Env, Graph, InferId, KnownCode, State, push_past};
use crate::ids::Mi;
use crate::link;
use crate::older::code as older;
use crate::retire::Retired;
use crate::settle::{self, Cancelled};
use rustc_hash::FxHashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use worldage_dispatch::{World, WorldRange};

/// A stage of an instance failed: the embedder's error, or a panic.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{stage} of {name} failed: {error}")]
pub struct StageFailed {
    /// The stage.
    pub stage: Stage,
    /// The instance, printed.
    pub name: String,
    /// The instance.
    pub mi: Mi,
    /// The embedder's error.
    pub error: Failed,
}

/// Why a demand ended without code.
#[derive(Debug)]
pub(crate) enum Halt {
    Failed(StageFailed),
    /// An edit waits.
    Cancelled,
}

impl From<StageFailed> for Halt {
    fn from(failed: StageFailed) -> Self {
        Halt::Failed(failed)
    }
}

impl From<Cancelled> for Halt {
    fn from(_: Cancelled) -> Self {
        Halt::Cancelled
    }
}

/// Fewer units than this are not worth waking other threads for.
const PARALLEL_FROM: usize = 8;

/// Brings a code unit and everything that it calls up to date and gives its code instance.
pub(crate) fn demand<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    root: CodeId,
) -> Result<Arc<CodeInstance<C>>, Halt> {
    if graph.code(root).state == State::Clean {
        return Ok(Arc::clone(
            graph
                .code(root)
                .ci
                .as_ref()
                .expect("a clean unit is linked"),
        ));
    }
    let mut all = demand_all(shared, graph, &[root], PARALLEL_FROM)?;
    Ok(all.swap_remove(0))
}

/// As [`demand`], of several code units: what they need is generated on all threads from so many
/// units on.
pub(crate) fn demand_all<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    roots: &[CodeId],
    parallel_from: usize,
) -> Result<Vec<Arc<CodeInstance<C>>>, Halt> {
    let mut old = Vec::new();
    for root in roots {
        older::adopt_code(shared, graph, *root);
        crate::persist::open_image(shared, graph, *root);
        crate::ripple::settle_code(shared, graph, *root)?;
        if graph.code(*root).state != State::Clean && !old.contains(root) {
            old.push(*root);
        }
    }
    if !old.is_empty() {
        let touched = generate(shared, graph, &old, parallel_from)?;
        link::link(shared, graph, touched)?;
    }
    let linked =
        |root: &CodeId| Arc::clone(graph.code(*root).ci.as_ref().expect("linked just now"));
    Ok(roots.iter().map(linked).collect())
}

/// Generates what must be generated below the roots, on several threads from so many units on;
/// gives the marked and new units that it met.
fn generate<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    roots: &[CodeId],
    parallel_from: usize,
) -> Result<Vec<CodeId>, Halt> {
    let visit = graph.new_visit();
    let mut touched = Vec::new();
    let mut work = roots.to_vec();
    let mut batch = Vec::new();
    // Instances that codegen asked for and inference had not reached.
    let mut missed = 0;
    for root in roots {
        graph.code_mut(*root).walk.visit = visit;
    }
    loop {
        while let Some(id) = work.pop() {
            older::adopt_code(shared, graph, id);
            if graph.code(id).state == State::Clean {
                continue;
            }
            if shared.is_cancelled() {
                return Err(Halt::Cancelled);
            }
            settle_facts(shared, graph, id)?;
            touched.push(id);
            if touched.len() > shared.max_instances {
                return Err(too_many(shared, graph, id).into());
            }
            if graph.code(id).state == State::Marked {
                // Nothing that it was generated from is different.
                push_callees(graph, id, visit, &mut work);
                continue;
            }
            older::adopt_artifact(shared, graph, id);
            match why_generate(graph, id) {
                Some(why) => {
                    graph.code_mut(id).why_codegen = why;
                    match crate::persist::find_code(shared, graph, id) {
                        Some(stored) => {
                            store(shared, graph, id, stored)?;
                            push_callees(graph, id, visit, &mut work);
                        }
                        None => match strict(shared, graph, id) {
                            Some(failed) => return Err(failed.into()),
                            None => batch.push(id),
                        },
                    }
                }
                // It failed before, and would fail again.
                None if matches!(graph.code(id).code, Some(Err(_))) => batch.push(id),
                None => push_callees(graph, id, visit, &mut work),
            }
        }
        if batch.is_empty() {
            break;
        }
        let done = run_batch(shared, graph, &batch, parallel_from);
        let cancelled = done.len() < batch.len();
        for (id, result) in done {
            if let Some(missing) = result.trace.missing {
                missed += 1;
                if missed > shared.max_instances {
                    return Err(too_many(shared, graph, id).into());
                }
                let view = graph.infer(graph.code(id).infer).view;
                let unit = graph.infer_unit(&shared, missing, view);
                settle::try_settle(shared, graph, unit)?;
                work.push(id);
                touched.retain(|unit| *unit != id);
                continue;
            }
            store(shared, graph, id, result)?;
            push_callees(graph, id, visit, &mut work);
        }
        if cancelled {
            return Err(Halt::Cancelled);
        }
        batch.clear();
    }
    Ok(touched)
}

/// Settles what a code unit was generated from, in that order and up to the first that differs:
/// what comes after it may not be read any more. The inference of its callers leads there only if
/// it read more of the unit than which method it is.
fn settle_facts<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: CodeId,
) -> Result<(), Cancelled> {
    settle::try_settle(shared, graph, graph.code(id).infer)?;
    if own_differs(graph, id) {
        return Ok(());
    }
    for ix in 0..graph.code(id).reads.len() {
        settle::try_settle(shared, graph, graph.code(id).reads[ix].unit())?;
        if read_differs(graph, &graph.code(id).reads[ix]) {
            return Ok(());
        }
    }
    Ok(())
}

/// In strict mode, the failure of a codegen that would run.
fn strict<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>, id: CodeId) -> Option<StageFailed> {
    let error = crate::persist::strict_codegen(shared, graph, id)?;
    let mi = graph.code(id).mi;
    let name = crate::names::instance_name(&shared, mi);
    Some(StageFailed {
        stage: Stage::Codegen,
        name,
        mi,
        error,
    })
}

/// The failure of a demand without end.
fn too_many<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>, id: CodeId) -> StageFailed {
    let limit = shared.max_instances;
    let mi = graph.code(id).mi;
    StageFailed {
        stage: Stage::Codegen,
        name: crate::names::instance_name(&shared, mi),
        mi,
        error: Failed(Arc::new(StageFault::TooManyInstances { limit })),
    }
}

fn push_callees<C: Compiler>(graph: &mut Graph<C>, id: CodeId, visit: u32, work: &mut Vec<CodeId>) {
    for ix in 0..graph.code(id).calls.len() {
        let callee = graph.code(id).calls[ix];
        let unit = graph.code_mut(callee);
        if unit.state != State::Clean && unit.walk.visit != visit {
            unit.walk.visit = visit;
            work.push(callee);
        }
    }
}

/// The first thing that the code was generated from and that differs now.
fn why_generate<C: Compiler>(graph: &Graph<C>, id: CodeId) -> Option<Why> {
    let unit = graph.code(id);
    if unit.code.is_none() {
        return Some(Why::FirstCall);
    }
    if own_differs(graph, id) {
        return Some(Why::Own);
    }
    let read = unit.reads.iter().find(|read| read_differs(graph, read))?;
    Some(match read {
        CodeRead::Part { unit, part, .. } => Why::Part(*unit, *part),
        CodeRead::Body { unit, .. } => Why::Body(*unit),
    })
}

/// Whether the result of inference is another one than the code was generated from.
fn own_differs<C: Compiler>(graph: &Graph<C>, id: CodeId) -> bool {
    let unit = graph.code(id);
    let outcome = graph.infer(unit.infer).outcome.as_ref();
    outcome.is_some_and(|outcome| match (&outcome.inferred, &unit.inferred) {
        (Ok(now), Some(then)) => !Arc::ptr_eq(now, then),
        (Err(_), None) => false,
        _ => true,
    })
}

/// Whether what codegen read of another unit is different now.
fn read_differs<C: Compiler>(graph: &Graph<C>, read: &CodeRead<C>) -> bool {
    let outcome = graph.infer(read.unit()).outcome.as_ref();
    let same = match (read, outcome) {
        (CodeRead::Part { part, digest, .. }, Some(now)) => {
            now.parts[usize::from(*part)] == *digest
        }
        (CodeRead::Body { inferred: then, .. }, Some(now)) => now
            .inferred
            .as_ref()
            .is_ok_and(|now| Arc::ptr_eq(now, then) || equal(&**now, &**then)),
        (_, None) => false,
    };
    !same
}

/// What codegen gave, or what it would have given.
pub(crate) struct Generated<C: Compiler> {
    pub(crate) code: Result<C::Code, Failed>,
    pub(crate) inferred: Option<Arc<C::Inferred>>,
    pub(crate) trace: CodegenTrace<C>,
    pub(crate) ns: u64,
    pub(crate) origin: Origin,
}

/// Runs codegen of all units of the batch, on all threads; of fewer if an edit waits.
fn run_batch<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    batch: &[CodeId],
    parallel_from: usize,
) -> Vec<(CodeId, Generated<C>)> {
    let threads = shared.threads.min(batch.len());
    if threads <= 1 || batch.len() < parallel_from {
        let ids = batch.iter().take_while(|_| !shared.is_cancelled());
        return ids.map(|id| (*id, run(shared, graph, *id))).collect();
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        // A thread of our own may not come back to the session either.
        let _evaluating = crate::engine::Evaluating::begin();
        let mut done = Vec::new();
        loop {
            let ix = next.fetch_add(1, Ordering::Relaxed);
            let Some(id) = batch.get(ix).filter(|_| !shared.is_cancelled()) else {
                return done;
            };
            done.push((ix, *id, run(shared, graph, *id)));
        }
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = worker();
        for other in others {
            all.extend(
                other
                    .join()
                    .expect("codegen catches the panics of its stage"),
            );
        }
        all
    });
    all.sort_unstable_by_key(|(ix, _, _)| *ix);
    all.into_iter()
        .map(|(_, id, generated)| (id, generated))
        .collect()
}

/// Runs codegen of one unit; in checking mode twice, and what differs is a failure.
fn run<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>, id: CodeId) -> Generated<C> {
    let first = run_once(shared, graph, id);
    if first.trace.missing.is_some() || !shared.checking.load(Ordering::Relaxed) {
        return first;
    }
    let second = run_once(shared, graph, id);
    let same = match (&first.code, &second.code) {
        (Ok(first), Ok(second)) => equal(first, second),
        (Err(first), Err(second)) => first == second,
        _ => false,
    };
    let what = match same {
        false => "results",
        true if !first.trace.asked_as(&second.trace) => "questions",
        true => return first,
    };
    let stage = Stage::Codegen;
    let code = Err(Failed(Arc::new(StageFault::Impure { stage, what })));
    Generated { code, ..first }
}

fn run_once<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>, id: CodeId) -> Generated<C> {
    let start = Instant::now();
    let unit = graph.code(id);
    let (shard, view) = shared.shards.read()[unit.shard.0 as usize].clone();
    let mut cx = CodegenCx::new(shared, graph, shard, view);
    let outcome = graph
        .infer(unit.infer)
        .outcome
        .as_ref()
        .expect("inference is settled");
    let (code, inferred) = match &outcome.inferred {
        Ok(inferred) => {
            let code = catch_unwind(AssertUnwindSafe(|| {
                shared.compiler.codegen(&mut cx, unit.mi, inferred)
            }))
            .unwrap_or_else(|panic| Err(Stop::Failed(Failed::panicked(Stage::Codegen, &*panic))));
            (code, Some(Arc::clone(inferred)))
        }
        Err(failed) => (Err(Stop::Failed(failed.clone())), None),
    };
    let code = code.map_err(|stop| stop.into_failed(Stage::Codegen));
    let ns = start.elapsed().as_nanos() as u64;
    Generated {
        code,
        inferred,
        trace: cx.into_trace(),
        ns,
        origin: Origin::Ran,
    }
}

/// Takes over the result of codegen: equal code stays the same artifact.
fn store<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: CodeId,
    generated: Generated<C>,
) -> Result<(), StageFailed> {
    let (mi, shard, infer) = {
        let unit = graph.code(id);
        (unit.mi, unit.shard, unit.infer)
    };
    let read_now = &generated.trace.reads;
    for read in read_now.iter().map(CodeRead::unit) {
        let known = graph.code(id).reads.iter().any(|old| old.unit() == read);
        if read != infer && !known {
            let readers = &mut graph.infer_mut(read).code_readers;
            // Nobody else has come between two reads of this unit.
            if readers.last() != Some(&id) {
                readers.push(id);
            }
        }
    }
    let gone: Vec<_> = graph
        .code(id)
        .reads
        .iter()
        .map(CodeRead::unit)
        .filter(|unit| *unit != infer && !read_now.iter().any(|read| read.unit() == *unit))
        .collect();
    for unit in gone {
        graph
            .infer_mut(unit)
            .code_readers
            .retain(|reader| *reader != id);
    }
    let calls: Box<[CodeId]> = generated
        .trace
        .calls
        .iter()
        .map(|callee| graph.code_unit(&shared, *callee, shard))
        .collect();
    let old_calls = std::mem::take(&mut graph.code_mut(id).calls);
    for callee in old_calls.iter().filter(|callee| !calls.contains(callee)) {
        graph
            .code_mut(*callee)
            .callers
            .retain(|caller| *caller != id);
    }
    for callee in calls.iter().filter(|callee| !old_calls.contains(callee)) {
        graph.code_mut(*callee).callers.push(id);
    }
    let (world, oldest) = (graph.world, graph.oldest);
    let view = graph.infer(infer).view;
    let unit = graph.code_mut(id);
    let old_reads = std::mem::replace(&mut unit.reads, generated.trace.reads.into());
    let old_inferred = std::mem::replace(&mut unit.inferred, generated.inferred);
    unit.calls = calls;
    let mut retired = None;
    if let (Some(Ok(code)), Some(inferred)) = (&unit.code, old_inferred) {
        let known = KnownCode {
            code: Arc::clone(code),
            inferred,
            reads: old_reads,
            calls: old_calls,
        };
        let range = WorldRange {
            first: unit.generated_in,
            last: World(world.0.saturating_sub(1)),
        };
        push_past(&mut unit.past_code, range, known, oldest);
        retired = Some(range.last);
    }
    let failed = generated.code.as_ref().err().cloned();
    unit.code = Some(match (generated.code, unit.code.take()) {
        (Ok(now), Some(Ok(then))) if equal(&now, &*then) => Ok(then),
        (Ok(now), _) => Ok(Arc::new(now)),
        (Err(failed), _) => Err(failed),
    });
    if let Some(error) = failed {
        let stage = if unit.inferred.is_some() {
            Stage::Codegen
        } else {
            Stage::Infer
        };
        let name = crate::names::instance_name(&shared, mi);
        return Err(StageFailed {
            stage,
            name,
            mi,
            error,
        });
    }
    unit.generated_in = world;
    unit.stored = generated.origin == Origin::Stored;
    if let Some(last) = retired {
        graph.retire(last, Retired::Code(id));
    }
    graph.log.events.push(StageEvent {
        stage: Stage::Codegen,
        mi,
        view,
        shard: Some(shard),
        origin: generated.origin,
        ns: generated.ns,
    });
    if generated.origin == Origin::Ran {
        crate::persist::save_code(shared, graph, id);
    }
    Ok(())
}

/// Whether a demand of the unit would find every input unchanged.
pub(crate) fn would_run_nothing<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    root: CodeId,
) -> bool {
    let mut codes = vec![root];
    let mut seen: FxHashSet<CodeId> = codes.iter().copied().collect();
    let mut infers: Vec<InferId> = Vec::new();
    while let Some(id) = codes.pop() {
        let unit = graph.code(id);
        if unit.state == State::Clean {
            continue;
        }
        if would_generate_or_link(env, graph, id) {
            return false;
        }
        infers.push(unit.infer);
        infers.extend(unit.reads.iter().map(CodeRead::unit));
        codes.extend(
            unit.calls
                .iter()
                .copied()
                .filter(|callee| seen.insert(*callee)),
        );
    }
    settle::would_run_nothing(env, graph, infers)
}

/// Whether bringing the unit up to date would run codegen or link, as far as can be seen without
/// settling inference.
fn would_generate_or_link<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>, id: CodeId) -> bool {
    why_generate(graph, id).is_some() || link::why_link(shared, graph, id, &|_| false).is_some()
}
