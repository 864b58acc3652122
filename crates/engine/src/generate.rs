//! Codegen and link: from settled facts to code instances.
//!
//! A demand walks down marked code units only. What must be generated is generated in batches on
//! all threads (codegen reads settled facts, so it needs no lock); then the touched units are
//! linked in components, callees first, members of a recursive group together.

use crate::code_instance::{Cell, CodeInstance};
use crate::compiler::Compiler;
use crate::cx::{CodegenCx, CodegenTrace, LinkCx};
use crate::error::{Failed, StageFault, Stop, equal};
use crate::events::{Origin, Stage, StageEvent};
use crate::explain::Why;
use crate::graph::{CodeId, CodeRead, CodeReadKind, Env, Graph, KnownCode, State, push_past};
use crate::ids::{Mi, ShardId};
use crate::older::code as older;
use crate::retire::Retired;
use crate::settle;
use crate::walk::{self, Edge, Ground, Walk};
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

/// Fewer units than this are not worth waking other threads for.
const PARALLEL_FROM: usize = 8;

/// Brings a code unit and everything that it calls up to date and gives its code instance.
pub(crate) fn demand<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    root: CodeId,
) -> Result<Arc<CodeInstance<C>>, StageFailed> {
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
) -> Result<Vec<Arc<CodeInstance<C>>>, StageFailed> {
    let mut old = Vec::new();
    for root in roots {
        older::adopt_code(shared, graph, *root);
        crate::ripple::settle_code(shared, graph, *root)?;
        if graph.code(*root).state != State::Clean && !old.contains(root) {
            old.push(*root);
        }
    }
    if !old.is_empty() {
        let touched = generate(shared, graph, &old, parallel_from)?;
        link(shared, graph, touched)?;
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
) -> Result<Vec<CodeId>, StageFailed> {
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
            settle_facts(shared, graph, id);
            touched.push(id);
            if touched.len() > shared.max_instances {
                return Err(too_many(shared, graph, id));
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
                            Some(failed) => return Err(failed),
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
        for (id, result) in run_batch(shared, graph, &batch, parallel_from) {
            if let Some(missing) = result.trace.missing {
                missed += 1;
                if missed > shared.max_instances {
                    return Err(too_many(shared, graph, id));
                }
                let view = graph.infer(graph.code(id).infer).view;
                let unit = graph.infer_unit(&shared, missing, view);
                settle::settle(shared, graph, unit);
                work.push(id);
                touched.retain(|unit| *unit != id);
                continue;
            }
            store(shared, graph, id, result)?;
            push_callees(graph, id, visit, &mut work);
        }
        batch.clear();
    }
    Ok(touched)
}

/// Settles what a code unit was generated from, in that order and up to the first that differs:
/// what comes after it may not be read any more. The inference of its callers leads there only if
/// it read more of the unit than which method it is.
fn settle_facts<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>, id: CodeId) {
    settle::settle(shared, graph, graph.code(id).infer);
    if own_differs(graph, id) {
        return;
    }
    for ix in 0..graph.code(id).reads.len() {
        settle::settle(shared, graph, graph.code(id).reads[ix].unit);
        if read_differs(graph, &graph.code(id).reads[ix]) {
            return;
        }
    }
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
    Some(match read.what {
        CodeReadKind::Part(part, _) => Why::Part(read.unit, part),
        CodeReadKind::Body(_) => Why::Body(read.unit),
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
    let outcome = graph.infer(read.unit).outcome.as_ref();
    let same = match (&read.what, outcome) {
        (CodeReadKind::Part(part, digest), Some(now)) => now.parts[usize::from(*part)] == *digest,
        (CodeReadKind::Body(then), Some(now)) => now
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

/// Runs codegen of all units of the batch, on all threads.
fn run_batch<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    batch: &[CodeId],
    parallel_from: usize,
) -> Vec<(CodeId, Generated<C>)> {
    let threads = shared.threads.min(batch.len());
    if threads <= 1 || batch.len() < parallel_from {
        return batch
            .iter()
            .map(|id| (*id, run(shared, graph, *id)))
            .collect();
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        // A thread of our own may not come back to the session either.
        let _evaluating = crate::engine::Evaluating::begin();
        let mut done = Vec::new();
        loop {
            let ix = next.fetch_add(1, Ordering::Relaxed);
            let Some(id) = batch.get(ix) else { return done };
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
    for read in &generated.trace.reads {
        let known = graph.code(id).reads.iter().any(|old| old.unit == read.unit);
        if read.unit != infer && !known {
            let readers = &mut graph.infer_mut(read.unit).code_readers;
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
        .map(|read| read.unit)
        .filter(|unit| *unit != infer && !generated.trace.reads.iter().any(|r| r.unit == *unit))
        .collect();
    for unit in gone {
        graph
            .infer_mut(unit)
            .code_readers
            .retain(|reader| *reader != id);
    }
    let calls: Vec<CodeId> = generated
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
    let old_reads = std::mem::replace(&mut unit.reads, generated.trace.reads);
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
    unit.stored_in = match generated.origin {
        Origin::Ran => World(0),
        Origin::Stored => world,
    };
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

/// Links the touched units whose code or callees changed; restores the others.
fn link<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    touched: Vec<CodeId>,
) -> Result<(), StageFailed> {
    let visit = graph.new_visit();
    let components = walk::components(&mut Touched(graph), visit, touched);
    let mut group = Vec::new();
    for number in 0..components.len() {
        let component = components.members(number);
        older::adopt_links(shared, graph, component);
        group.clear();
        for id in component {
            let unit = graph.code(*id);
            // A unit that is only marked calls what it called, and that has the cells it had.
            if unit.state == State::Marked {
                continue;
            }
            let inside = |callee: CodeId| graph.code(callee).walk.is_in(visit, number);
            if let Some(why) = why_link(shared, graph, *id, &inside) {
                group.push((*id, why));
                graph.code_mut(*id).linking = true;
            }
        }
        if let Some((first, _)) = group.first().copied() {
            for id in component {
                if !graph.code(*id).linking
                    && let Some(why) = why_link_with(shared, graph, *id, first)
                {
                    group.push((*id, why));
                    graph.code_mut(*id).linking = true;
                }
            }
        }
        for id in component {
            if !std::mem::take(&mut graph.code_mut(*id).linking) {
                restore(graph, *id);
            }
        }
        link_group(shared, graph, &group)?;
    }
    Ok(())
}

/// Code units that are not up to date, by what they call.
struct Touched<'g, C: Compiler>(&'g mut Graph<C>);

impl<C: Compiler> Ground<CodeId> for Touched<'_, C> {
    fn walk(&mut self, id: CodeId) -> &mut Walk {
        &mut self.0.code_mut(id).walk
    }

    fn edge(&self, id: CodeId, at: usize) -> Edge<CodeId> {
        match self.0.code(id).calls.get(at) {
            None => Edge::End,
            Some(callee) if self.0.code(*callee).state == State::Clean => Edge::Skip,
            Some(callee) => Edge::To(*callee),
        }
    }
}

/// Why a member of a recursive group is linked because others of it are: in pinned linking the
/// group is linked together, in live linking only who calls a member whose cell is a new one.
fn why_link_with<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    id: CodeId,
    first: CodeId,
) -> Option<Why> {
    if !shared.is_live() {
        return Some(Why::Code(first));
    }
    let renewed = |callee: &&CodeId| {
        graph.code(**callee).linking && kept_cell(shared, graph, **callee).is_none()
    };
    let callee = graph.code(id).calls.iter().find(renewed);
    callee.map(|callee| Why::Code(*callee))
}

/// The digests of the summary's parts as they are now.
fn promise<C: Compiler>(graph: &Graph<C>, id: CodeId) -> [u64; 4] {
    let outcome = graph.infer(graph.code(id).infer).outcome.as_ref();
    outcome.map_or([0; 4], |outcome| outcome.parts)
}

/// The cell that new code of the unit takes over, because its promise holds.
fn kept_cell<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>, id: CodeId) -> Option<Arc<Cell>> {
    let ci = graph.code(id).ci.as_ref().filter(|_| shared.is_live())?;
    (ci.cell.promise == promise(graph, id)).then(|| Arc::clone(&ci.cell))
}

/// Why a unit must be linked, beside what happens in its own group.
fn why_link<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    id: CodeId,
    inside: &dyn Fn(CodeId) -> bool,
) -> Option<Why> {
    let unit = graph.code(id);
    let Some(ci) = &unit.ci else {
        return Some(Why::FirstCall);
    };
    let same_code = matches!(&unit.code, Some(Ok(code)) if Arc::ptr_eq(code, ci.code()));
    let broken = shared.is_live() && ci.cell.promise != promise(graph, id);
    if !same_code || broken {
        return Some(Why::Own);
    }
    unit.calls
        .iter()
        .zip(ci.linked_to())
        .find(|(callee, then)| {
            !inside(**callee)
                && graph
                    .code(**callee)
                    .ci
                    .as_ref()
                    .is_none_or(|now| now.cell.id != **then)
        })
        .map(|(callee, _)| Why::Code(*callee))
}

/// Whether bringing the unit up to date would run codegen or link, as far as can be seen without
/// settling inference.
pub(crate) fn would_generate_or_link<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    id: CodeId,
) -> bool {
    why_generate(graph, id).is_some() || why_link(shared, graph, id, &|_| false).is_some()
}

/// Takes the links of every unit back, so that what is called next is linked anew.
pub(crate) fn unlink<C: Compiler>(graph: &mut Graph<C>) {
    let (world, oldest) = (graph.world, graph.oldest);
    let mut retired = Vec::new();
    for (ix, unit) in graph.codes.iter_mut().enumerate() {
        if let Some(ci) = unit.ci.take() {
            let end = unit.marked.map_or(world, |marked| marked.first);
            let range = WorldRange {
                first: unit.first,
                last: World(end.0.saturating_sub(1)),
            };
            push_past(&mut unit.past, range, ci, oldest);
            unit.first = world;
            unit.state = State::Dirty;
            unit.front.close();
            retired.push((range.last, CodeId(ix as u32)));
        }
    }
    for (last, id) in retired {
        graph.retire(last, Retired::Code(id));
    }
}

/// Since when what a group is linked from holds: since the last edit that marked it, unless
/// something that it was not made from before is younger.
fn begin<C: Compiler>(graph: &Graph<C>, group: &[(CodeId, Why)]) -> World {
    let mut begin = World(0);
    for (id, _) in group {
        let unit = graph.code(*id);
        let marked = unit.marked.map_or(graph.world, |marked| marked.last);
        let read = unit.reads.iter().map(|read| graph.infer(read.unit).first);
        // A callee within the group still has the begin of what it replaces, which is older.
        let called = unit.calls.iter().map(|callee| graph.code(*callee).first);
        let own = graph.infer(unit.infer).first;
        begin = read
            .chain(called)
            .chain([own, marked])
            .fold(begin, World::max);
    }
    begin
}

/// Links a recursive group (or a single unit): cells first, then every member.
fn link_group<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    group: &[(CodeId, Why)],
) -> Result<(), StageFailed> {
    let oldest = graph.oldest;
    let begin = begin(graph, group);
    let mut retired = Vec::new();
    let mut renewed = Vec::with_capacity(group.len());
    for (id, why) in group {
        let kept = kept_cell(shared, graph, *id);
        renewed.push(kept.is_none());
        let cell = kept.unwrap_or_else(|| {
            let number = shared.cells.fetch_add(1, Ordering::Relaxed);
            Arc::new(Cell::new(number, promise(graph, *id)))
        });
        let unit = graph.code_mut(*id);
        let Some(Ok(code)) = &unit.code else {
            unreachable!("failed code is never linked")
        };
        let code = Arc::clone(code);
        let ci = CodeInstance::new(unit.mi, unit.shard, shared.is_live(), cell, code);
        if let (Some(old), Some(marked)) = (unit.ci.take(), unit.marked) {
            let range = WorldRange {
                first: unit.first,
                last: World(marked.first.0 - 1),
            };
            push_past(&mut unit.past, range, old, oldest);
            retired.push((range.last, *id));
        }
        unit.ci = Some(Arc::new(ci));
        unit.first = begin;
        unit.why_link = *why;
    }
    for (last, id) in retired {
        graph.retire(last, Retired::Code(id));
    }
    for (id, _) in group {
        if let Err(failed) = link_one(shared, graph, *id) {
            // The others of the group may call through a cell that leads nowhere.
            for (id, _) in group {
                graph.code_mut(*id).ci = None;
            }
            return Err(failed);
        }
    }
    for ((id, _), renewed) in group.iter().zip(renewed) {
        let unit = graph.code_mut(*id);
        unit.marked = None;
        unit.state = State::Clean;
        unit.ci.as_ref().expect("linked just now").open();
        unit.front.set(unit.ci.clone());
        if !renewed {
            continue;
        }
        // Callers are linked to the new cell; what they were generated from is the same.
        for ix in 0..graph.code(*id).callers.len() {
            let caller = graph.code(*id).callers[ix];
            let caller = graph.code_mut(caller);
            if caller.state == State::Marked {
                caller.state = State::Dirty;
                graph.ripple.give_up();
            }
        }
    }
    Ok(())
}

fn link_one<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: CodeId,
) -> Result<(), StageFailed> {
    let start = Instant::now();
    let world = graph.world;
    let unit = graph.code(id);
    let ci = Arc::clone(unit.ci.as_ref().expect("made for linking"));
    let callees: Vec<(Mi, Arc<CodeInstance<C>>)> = unit
        .calls
        .iter()
        .map(|callee| {
            let callee = graph.code(*callee);
            (
                callee.mi,
                Arc::clone(callee.ci.as_ref().expect("callees are linked first")),
            )
        })
        .collect();
    let shard: (C::Shard, ShardId) = (
        shared.shards.read()[unit.shard.0 as usize].0.clone(),
        unit.shard,
    );
    let mut cx = LinkCx {
        shared,
        shard,
        world,
        callees: &callees,
        own_cell: ci.cell(),
    };
    let mut link = || {
        catch_unwind(AssertUnwindSafe(|| {
            shared.compiler.link(&mut cx, unit.mi, ci.code())
        }))
        .unwrap_or_else(|panic| Err(Stop::Failed(Failed::panicked(Stage::Link, &*panic))))
    };
    let mut linked = link();
    // What link gives cannot be compared, but whether it gives something can.
    if shared.checking.load(Ordering::Relaxed) && link().is_ok() != linked.is_ok() {
        let (stage, what) = (Stage::Link, "results");
        linked = Err(Stop::failed(StageFault::Impure { stage, what }));
    }
    let linked = linked.map_err(|stop| {
        let error = stop.into_failed(Stage::Link);
        let name = crate::names::instance_name(&shared, unit.mi);
        StageFailed {
            stage: Stage::Link,
            name,
            mi: unit.mi,
            error,
        }
    });
    let linked_to = callees.iter().map(|(_, ci)| ci.cell.id).collect();
    let view = graph.infer(graph.code(id).infer).view;
    let unit = graph.code_mut(id);
    match linked {
        Ok(linked) => ci.set_linked(linked, linked_to),
        Err(failed) => return Err(failed),
    }
    unit.linked_in = world;
    let (mi, shard) = (unit.mi, unit.shard);
    graph.log.events.push(StageEvent {
        stage: Stage::Link,
        mi,
        view,
        shard: Some(shard),
        origin: Origin::Ran,
        ns: start.elapsed().as_nanos() as u64,
    });
    Ok(())
}

/// A marked unit whose code and callees are the same is valid again.
pub(crate) fn restore<C: Compiler>(graph: &mut Graph<C>, id: CodeId) {
    let (world, oldest) = (graph.world, graph.oldest);
    let unit = graph.code_mut(id);
    match std::mem::replace(&mut unit.state, State::Clean) {
        State::Marked => unit.front.reopen(),
        _ => unit.front.set(unit.ci.clone()),
    }
    if let Some(marked) = unit.marked.take()
        && let Some(range) = settle::doubtful(&mut unit.first, marked, world)
        && let Some(ci) = unit.ci.clone()
    {
        push_past(&mut unit.past, range, ci, oldest);
        graph.retire(range.last, Retired::Code(id));
    }
}
