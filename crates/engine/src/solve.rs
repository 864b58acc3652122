//! Solving components: units run from bottom, and again while a fact that they read changes.
//!
//! A unit that was never computed is run where it is asked for, to a bounded depth; beyond that
//! the asker sees bottom and the queue comes back. What a component settles to is the least
//! fixpoint of its own equations, so it does not depend on who asked first.

use crate::compiler::Compiler;
use crate::cx::{InferCx, InferTrace};
use crate::error::{Failed, StageFault, Stop, equal};
use crate::events::{Origin, Stage, StageEvent};
use crate::graph::{
    CodeUnit, Env, Graph, InferEdge, InferId, Outcome, Published, Shared, State, push_past,
};
use crate::retire::Retired;
use crate::settle::deactivate;
use crate::summary::Summarize;
use petgraph::graphmap::DiGraphMap;
use rustc_hash::FxHashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use worldage_dispatch::{World, WorldRange};

/// Nested runs below one settling step; each needs a few kilobytes of stack.
const DEPTH_LIMIT: u32 = 96;
/// Runs of one unit before its component is solved in canonical order.
const RUNS_LIMIT: u32 = 64;
/// Rounds of the canonical solution before summaries are widened.
const WIDEN_AFTER: u32 = 16;
/// Rounds before the engine gives up: the embedder's widening does not settle.
const GIVE_UP_AFTER: u32 = 256;

/// Units of a component in an order that depends on their names alone.
pub(crate) fn canonical<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    mut component: Vec<InferId>,
) -> Vec<InferId> {
    if component.len() > 1 {
        component.sort_by_cached_key(|unit| {
            let unit = graph.infer(*unit);
            (crate::names::instance_name(&shared, unit.mi), unit.view)
        });
    }
    component
}

/// Makes an unsettled unit ready to run from nothing when it is asked for.
pub(crate) fn activate<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    let unit = graph.infer_mut(id);
    if unit.state == State::Clean {
        return;
    }
    unit.state = State::Active;
    unit.fresh = None;
    unit.runs = 0;
    graph.active.push(id);
}

/// Runs active units until none has read a value that is no longer there.
pub(crate) fn drain<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>) -> Result<(), Stop> {
    while let Some(id) = graph.queue.pop_front() {
        graph.infer_mut(id).queued = false;
        if graph.infer(id).runs >= RUNS_LIMIT {
            solve_canonically(shared, graph, id)?;
        } else {
            run(shared, graph, id, 0, false)?;
        }
    }
    Ok(())
}

/// The component of an unsettled unit, without a mark in any: the pass that runs needs its own.
fn component_of<C: Compiler>(graph: &Graph<C>, id: InferId) -> Vec<InferId> {
    let mut edges: DiGraphMap<InferId, ()> = DiGraphMap::new();
    let mut work = vec![id];
    edges.add_node(id);
    while let Some(unit) = work.pop() {
        for edge in &graph.infer(unit).edges {
            if let InferEdge::Part { unit: callee, .. } = *edge
                && graph.infer(callee).state != State::Clean
            {
                if !edges.contains_node(callee) {
                    work.push(callee);
                }
                edges.add_edge(unit, callee, ());
            }
        }
    }
    let components = petgraph::algo::tarjan_scc(&edges);
    let own = components.into_iter().find(|members| members.contains(&id));
    own.expect("a unit is in its component")
}

/// Solves the component of a unit that does not settle: from bottom, in the order of names, in
/// rounds, widening after a while. The result depends on the component alone.
fn solve_canonically<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: InferId,
) -> Result<(), Stop> {
    let component = component_of(graph, id);
    let component = canonical(shared, graph, component);
    for unit in &component {
        graph.infer_mut(*unit).fresh = None;
    }
    for round in 0..GIVE_UP_AFTER {
        let mut changed = false;
        for unit in &component {
            let before = graph.infer(*unit).fresh.as_ref().map(|fresh| fresh.parts);
            run(shared, graph, *unit, 0, round >= WIDEN_AFTER)?;
            changed |= before != graph.infer(*unit).fresh.as_ref().map(|fresh| fresh.parts);
        }
        if !changed {
            for unit in &component {
                graph.infer_mut(*unit).runs = 0;
            }
            graph.queue.retain(|unit| !component.contains(unit));
            for unit in &component {
                graph.infer_mut(*unit).queued = false;
            }
            return Ok(());
        }
    }
    for unit in component {
        let failed = failed_outcome(Failed(Arc::new(StageFault::DoesNotSettle)));
        let edges = graph.infer(unit).edges.clone();
        publish(graph, unit, failed, edges);
        graph.infer_mut(unit).runs = 0;
    }
    Ok(())
}

/// The value of a unit for a stage that reads it; runs it first if it was never computed.
pub(crate) fn value<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    reader: InferId,
    id: InferId,
    depth: u32,
) -> Result<Published<C>, Stop> {
    if graph.infer(id).state == State::New {
        crate::older::adopt_infer(shared, graph, id);
        crate::persist::load(shared, graph, id);
    }
    match graph.infer(id).state {
        State::Clean => return Ok(graph.infer(id).outcome.clone()),
        State::Active => {}
        State::New => {
            activate(graph, id);
        }
        State::Marked | State::Dirty => {
            graph.pending.push((reader, id));
            return Err(Stop::Suspended);
        }
    }
    let unit = graph.infer(id);
    if unit.runs == 0 && unit.fresh.is_none() && !unit.queued {
        // Nobody asked for it since it became active.
        if depth >= DEPTH_LIMIT {
            enqueue(graph, id);
        } else if let Err(stop) = run(shared, graph, id, depth + 1, false) {
            graph.pending.push((reader, id));
            return Err(stop);
        }
    }
    Ok(graph.infer(id).fresh.clone())
}

/// Runs inference of an active unit once and publishes the provisional result.
fn run<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: InferId,
    depth: u32,
    widen: bool,
) -> Result<(), Stop> {
    let start = Instant::now();
    let unit = graph.infer_mut(id);
    if unit.superseded.is_none() && !unit.loaded {
        unit.superseded = unit.known().map(Box::new);
    }
    unit.running = true;
    unit.runs += 1;
    let (mi, world) = (unit.mi, graph.world);
    let method = shared.instances.key(mi).method;
    let source = shared.sources.read().at(method, world).cloned();
    let strict = crate::persist::strict_infer(shared, graph, id);
    if strict.is_some() {
        graph.refused.push(id);
    }
    let (result, mut trace) = match (&source, strict) {
        (Some(_), Some(strict)) => (Err(Stop::Failed(strict)), InferTrace::default()),
        (Some(source), None) => checked(shared, graph, id, depth, widen, source),
        (None, _) => {
            let failed = Failed::message("the method was deleted");
            (Err(Stop::Failed(failed)), InferTrace::default())
        }
    };
    graph.infer_mut(id).running = false;
    if trace.suspended {
        // Whatever the stage made of it.
        return Err(Stop::Suspended);
    }
    let outcome = result.unwrap_or_else(|stop| failed_outcome(stop.into_failed(Stage::Infer)));
    trace.edges.insert(0, InferEdge::Source(method));
    graph.infer_mut(id).source = source;
    publish(graph, id, outcome, trace.edges.into());
    let ns = start.elapsed().as_nanos() as u64;
    log_run(graph, id, ns.saturating_sub(trace.nested_ns));
    Ok(())
}

/// Runs the stage; in checking mode twice, and what differs is a failure.
fn checked<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: InferId,
    depth: u32,
    widen: bool,
    source: &C::Source,
) -> (Result<Outcome<C>, Stop>, InferTrace) {
    let (first, trace) = infer(shared, graph, id, depth, widen, source);
    if trace.suspended || !shared.checking.load(Ordering::Relaxed) {
        return (first, trace);
    }
    let (second, again) = infer(shared, graph, id, depth, widen, source);
    if again.suspended {
        return (second, again);
    }
    let same = match (&first, &second) {
        (Ok(first), Ok(second)) => {
            let inferred = first
                .inferred
                .as_ref()
                .ok()
                .zip(second.inferred.as_ref().ok());
            inferred.is_some_and(|(a, b)| equal(&**a, &**b)) && first.parts == second.parts
        }
        (Err(Stop::Failed(first)), Err(Stop::Failed(second))) => first == second,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    let what = match same {
        false => "results",
        true if trace.edges != again.edges => "questions",
        true => return (first, trace),
    };
    let stage = Stage::Infer;
    let impure = Stop::failed(StageFault::Impure { stage, what });
    (Err(impure), trace)
}

/// Runs the stage, and everything of the embedder that belongs to its result, once.
fn infer<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: InferId,
    depth: u32,
    widen: bool,
    source: &C::Source,
) -> (Result<Outcome<C>, Stop>, InferTrace) {
    let unit = graph.infer(id);
    let mi = unit.mi;
    let old = match widen {
        true => unit.fresh.as_ref().map(|fresh| fresh.summary.clone()),
        false => None,
    };
    let mut cx = InferCx::new(shared, graph, id, depth);
    let result = stacker::maybe_grow(256 << 10, 4 << 20, || {
        catch_unwind(AssertUnwindSafe(|| {
            let inferred = shared.compiler.infer(&mut cx, mi, source)?;
            let mut summary = C::Summary::of(&inferred);
            if widen {
                let old = old.flatten().unwrap_or_else(C::Summary::bottom);
                if old != summary {
                    summary = shared.compiler.widen(mi, &old, &summary);
                }
            }
            let parts = digests(&shared, &summary);
            Ok(Outcome {
                inferred: Ok(Arc::new(inferred)),
                summary: Some(summary),
                parts,
                body: OnceLock::new(),
            })
        }))
        .unwrap_or_else(|panic| Err(Stop::Failed(Failed::panicked(Stage::Infer, &*panic))))
    });
    (result, cx.into_trace())
}

fn failed_outcome<C: Compiler>(failed: Failed) -> Outcome<C> {
    Outcome {
        parts: [failed.digest(); 4],
        inferred: Err(failed),
        summary: None,
        body: OnceLock::new(),
    }
}

/// Makes a provisional result visible and queues the active readers that saw another value.
fn publish<C: Compiler>(
    graph: &mut Graph<C>,
    id: InferId,
    outcome: Outcome<C>,
    edges: Box<[InferEdge]>,
) {
    let parts = outcome.parts;
    let unit = graph.infer_mut(id);
    let changed = unit.fresh.as_ref().is_none_or(|fresh| fresh.parts != parts);
    unit.fresh = Some(Arc::new(outcome));
    graph.set_edges(id, edges);
    if stale(graph, id) {
        enqueue(graph, id);
    }
    if changed {
        for ix in 0..graph.infer(id).readers.len() {
            let reader = graph.infer(id).readers[ix];
            if stale(graph, reader) {
                enqueue(graph, reader);
            }
        }
    }
}

/// Digests of all parts of a summary.
pub(crate) fn digests<C: Compiler>(shared: &Shared<C>, summary: &C::Summary) -> [u64; 4] {
    let mut digests = [0; 4];
    for (ix, (digest, part)) in digests.iter_mut().zip(C::Summary::PARTS).enumerate() {
        *digest = match shared.compiler.type_part(ix, summary) {
            Some(ty) => shared.type_identity(ty).unwrap_or(ty.index() as u64),
            None => (part.digest)(summary),
        };
    }
    digests
}

/// Whether an active unit with a result has read a provisional value that is no longer there.
fn stale<C: Compiler>(graph: &Graph<C>, id: InferId) -> bool {
    let unit = graph.infer(id);
    unit.state == State::Active
        && !unit.running
        && unit.fresh.is_some()
        && unit.edges.iter().any(|edge| match *edge {
            InferEdge::Part { unit, part, digest } => {
                let callee = graph.infer(unit);
                let outcome = match callee.state {
                    State::Active => &callee.fresh,
                    _ => &callee.outcome,
                };
                outcome
                    .as_ref()
                    .is_some_and(|o| o.parts[usize::from(part)] != digest)
            }
            _ => false,
        })
}

pub(crate) fn enqueue<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    if !std::mem::replace(&mut graph.infer_mut(id).queued, true) {
        graph.queue.push_back(id);
    }
}

/// Since when the fresh results of the active units hold: since the last edit that marked them,
/// unless something that they read now, and did not read before, is younger.
pub(crate) fn begins<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
) -> FxHashMap<InferId, World> {
    let mut begins = FxHashMap::default();
    let sources = shared.sources.read();
    for &id in &graph.active {
        let unit = graph.infer(id);
        let marked = unit.marked.map_or(graph.world, |marked| marked.last);
        let read = unit.edges.iter().map(|edge| match *edge {
            InferEdge::Source(method) => sources.since(method, graph.world),
            InferEdge::Call { call, .. } => graph.calls[call.ix()].since,
            InferEdge::External { external, .. } => graph.externals[external.ix()].since,
            InferEdge::Part { unit, .. } => match graph.infer(unit).state {
                State::Active => World(0),
                _ => graph.infer(unit).first,
            },
        });
        begins.insert(id, read.fold(marked, World::max));
    }
    // What an active unit read of another one is as young as that one.
    let mut grew = true;
    while std::mem::take(&mut grew) {
        for &id in &graph.active {
            let own = begins[&id];
            let read = graph.infer(id).edges.iter().filter_map(|edge| match edge {
                InferEdge::Part { unit, .. } => begins.get(unit).copied(),
                _ => None,
            });
            let begin = read.fold(own, World::max);
            grew |= begin != own;
            begins.insert(id, begin);
        }
    }
    begins
}

/// Turns the provisional results of all active units into published ones.
pub(crate) fn finish<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>) {
    let oldest = graph.oldest;
    let begins = begins(shared, graph);
    let mut retired = Vec::new();
    for id in std::mem::take(&mut graph.active) {
        let unit = graph.infer_mut(id);
        let Some(mut fresh) = unit.fresh.take() else {
            // A member of the component that nothing reaches any more.
            deactivate(unit);
            continue;
        };
        let (mut parts, mut body) = (true, true);
        if let Some(old) = unit.outcome.take() {
            parts = old.parts != fresh.parts;
            // Early cutoff: an equal body stays the same body, so codegen sees no change.
            if let (Ok(was), Ok(is)) = (&old.inferred, &fresh.inferred)
                && equal(was, is)
            {
                body = false;
                let summary = fresh.summary.clone();
                let inferred = Ok(Arc::clone(was));
                fresh = Arc::new(Outcome {
                    inferred,
                    summary,
                    parts: fresh.parts,
                    body: OnceLock::new(),
                });
            }
            if let (Some(marked), Some(old)) = (unit.marked, unit.superseded.take()) {
                let range = WorldRange {
                    first: unit.first,
                    last: World(marked.first.0 - 1),
                };
                push_past(&mut unit.past, range, *old, oldest);
                retired.push((range.last, id));
            }
        }
        unit.outcome = Some(fresh);
        unit.superseded = None;
        (unit.interrupted, unit.taken_over, unit.loaded) = (false, false, false);
        unit.first = begins[&id];
        unit.marked = None;
        unit.state = State::Clean;
        if parts {
            suspect_readers(graph, id);
        }
        if parts {
            suspect_code(graph, id);
        } else if body {
            for code in graph.made_from(id) {
                suspect(graph.code_mut(code));
            }
        }
        graph.stored.unsaved.push(id);
    }
    for (last, id) in retired {
        graph.retire(last, Retired::Infer(id));
    }
}

/// Those that read a part which has changed are looked at again; a reader that is only marked
/// needs no look: nothing that it read itself is different.
pub(crate) fn suspect_readers<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    for ix in 0..graph.infer(id).readers.len() {
        let reader = graph.infer(id).readers[ix];
        let reader = graph.infer_mut(reader);
        if reader.state == State::Marked {
            reader.state = State::Dirty;
            graph.ripple.give_up();
        }
    }
}

/// The same for code that was generated from a part or a body which has changed.
pub(crate) fn suspect_code<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    for ix in 0..graph.infer(id).code_readers.len() {
        let reader = graph.infer(id).code_readers[ix];
        suspect(graph.code_mut(reader));
    }
}

fn suspect<C: Compiler>(code: &mut CodeUnit<C>) {
    if code.state == State::Marked {
        code.state = State::Dirty;
    }
}

fn log_run<C: Compiler>(graph: &mut Graph<C>, id: InferId, ns: u64) {
    let world = graph.world;
    let unit = graph.infer_mut(id);
    (unit.made_in, unit.stored) = (world, false);
    let event = StageEvent {
        stage: Stage::Infer,
        mi: unit.mi,
        view: unit.view,
        shard: None,
        origin: Origin::Ran,
        ns,
    };
    graph.log.events.push(event);
}
