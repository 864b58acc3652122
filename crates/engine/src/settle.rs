//! Settling inference: brings every infer unit that a demand reaches up to date.
//!
//! Marked units are grouped into components. A component's edges are verified in the order in
//! which they were read; one that read nothing that changed is clean again without a run.
//! Otherwise it restarts from bottom: its units become *active*, run, and run again while a fact
//! that they read changes. A unit that was never
//! computed is run where it is asked for, to a bounded depth; beyond that the asker sees bottom
//! and the queue comes back. What a component settles to is the least fixpoint of its own
//! equations, so it does not depend on who asked first.

use crate::compiler::Compiler;
use crate::cx::InferCx;
use crate::error::{Failed, Stop};
use crate::events::{Origin, Stage, StageEvent};
use crate::explain::Why;
use crate::graph::{
    Env, Graph, InferEdge, InferId, InferUnit, Outcome, Published, Shared, State, external_digest,
    push_past,
};
use crate::retire::Retired;
use crate::walk::{self, Components, Edge, Ground, Walk};
use petgraph::graphmap::DiGraphMap;
use rustc_hash::{FxHashMap, FxHashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
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

/// Brings `root` and everything that it reads up to date.
pub(crate) fn settle<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>, root: InferId) {
    if graph.infer(root).state == State::Clean {
        return;
    }
    debug_assert!(graph.active.is_empty() && graph.queue.is_empty());
    crate::older::adopt_infer(shared, graph, root);
    crate::persist::load(shared, graph, root);
    // Each pass learns at least one edge that the recorded ones did not show.
    while graph.infer(root).state != State::Clean {
        if pass(shared, graph, root).is_err() {
            give_up_run(graph);
        }
    }
    graph.pending.clear();
    crate::persist::save(shared, graph);
}

/// A component on the way to being settled: its edges are verified in the order in which they
/// were read, and the first one that differs decides that it runs. What it would no longer read
/// is not looked at.
struct Visit {
    visit: u32,
    component: u32,
    /// The member that somebody asked for: a run begins here, and members that it does not reach
    /// any more are left alone.
    entry: InferId,
    /// Member and edge to go on with.
    at: (usize, usize),
}

/// What a component needs next.
enum Next {
    Settle(InferId),
    /// Because of this member.
    Run(InferId),
    /// A member has other edges now.
    Again,
    Restore,
}

/// Settles `root` along the edges that are known; an error is a run that met a marked unit which
/// the known edges do not lead to (then with that edge known, the components are other ones).
fn pass<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>, root: InferId) -> Result<(), Stop> {
    let components = components(graph, root);
    let mut visits = vec![visit_of(graph, root)];
    // Components that are being visited: one that waits for itself needs other components.
    let mut on_the_way = vec![false; components.len() as usize];
    on_the_way[visits[0].component as usize] = true;
    while let Some(visit) = visits.last_mut() {
        let component = components.members(visit.component);
        match next(shared, graph, component, visit) {
            Next::Settle(unit) if graph.infer(unit).walk.visit != components.visit => {
                return Err(Stop::Suspended);
            }
            Next::Settle(unit) => {
                let visit = visit_of(graph, unit);
                on_the_way[visit.component as usize] = true;
                visits.push(visit);
                continue;
            }
            Next::Again => return Err(Stop::Suspended),
            Next::Run(because) => {
                blame(shared, graph, component, because);
                visit.at = (0, 0);
                let first = graph.pending.len();
                let entry = visit.entry;
                for unit in component {
                    activate(graph, *unit);
                }
                enqueue(graph, entry);
                if let Err(stop) = drain(shared, graph) {
                    let Some(&(_, on)) = graph.pending.get(first) else {
                        return Err(stop);
                    };
                    give_up_run(graph);
                    let visit = visit_of(graph, on);
                    let known = visit.visit == components.visit;
                    if !known || on_the_way[visit.component as usize] {
                        return Err(stop);
                    }
                    on_the_way[visit.component as usize] = true;
                    visits.push(visit);
                    continue;
                }
                finish(shared, graph);
            }
            Next::Restore => {
                for unit in component {
                    restore(graph, *unit);
                }
            }
        }
        let done = visits.pop().expect("the visit that was looked at");
        on_the_way[done.component as usize] = false;
    }
    Ok(())
}

fn visit_of<C: Compiler>(graph: &Graph<C>, unit: InferId) -> Visit {
    let walk = graph.infer(unit).walk;
    Visit {
        visit: walk.visit,
        component: walk.component,
        entry: unit,
        at: (0, 0),
    }
}

/// Takes back what a suspended run activated; what it computed is computed again.
fn give_up_run<C: Compiler>(graph: &mut Graph<C>) {
    graph.queue.clear();
    for id in std::mem::take(&mut graph.active) {
        let unit = graph.infer_mut(id);
        unit.interrupted |= unit.runs > 0;
        deactivate(unit);
    }
}

/// An active unit that has no new result is as doubtful as before.
fn deactivate<C: Compiler>(unit: &mut InferUnit<C>) {
    unit.state = match unit.outcome {
        Some(_) => State::Dirty,
        None => State::New,
    };
    (unit.queued, unit.fresh) = (false, None);
}

fn next<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    component: &[InferId],
    visit: &mut Visit,
) -> Next {
    if visit.at == (0, 0) {
        if graph.infer(visit.entry).state == State::Clean {
            return Next::Restore;
        }
        for unit in component {
            if let Some(why) = definition_changed(shared, graph, *unit) {
                graph.infer_mut(*unit).why = why;
                return Next::Run(*unit);
            }
        }
    }
    while visit.at.0 < component.len() {
        let id = component[visit.at.0];
        let unit = graph.infer(id);
        let Some(edge) = unit.edges.get(visit.at.1) else {
            visit.at = (visit.at.0 + 1, 0);
            continue;
        };
        if let InferEdge::Part {
            unit: callee,
            part,
            digest,
        } = *edge
        {
            let read = graph.infer(callee);
            let settled = read.state == State::Clean;
            if !settled && !read.walk.is_in(visit.visit, visit.component) {
                return Next::Settle(callee);
            }
            // Members of one component saw one another, unless they come from different worlds.
            let mixed = !settled && (unit.taken_over || read.taken_over);
            if mixed && read.outcome.is_some() && differs(read, part, digest) {
                graph.infer_mut(id).why = Why::Part(callee, part);
                return Next::Run(id);
            }
            // Whoever changes a part makes those dirty that read it.
            if settled && unit.state == State::Dirty && differs(read, part, digest) {
                if crate::older::adopt_another(shared, graph, id) {
                    return Next::Again;
                }
                graph.infer_mut(id).why = Why::Part(callee, part);
                return Next::Run(id);
            }
        }
        visit.at.1 += 1;
    }
    Next::Restore
}

/// Says of the other members of a component why they run with the one that must: their own
/// definitions, or the member that they read and that must.
fn blame<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    component: &[InferId],
    because: InferId,
) {
    if component.len() == 1 {
        return;
    }
    let mut blamed = vec![because];
    for unit in component.iter().filter(|unit| **unit != because) {
        if let Some(why) = definition_changed(shared, graph, *unit) {
            graph.infer_mut(*unit).why = why;
            blamed.push(*unit);
        }
    }
    let mut left: FxHashSet<InferId> = component.iter().copied().collect();
    left.retain(|unit| !blamed.contains(unit));
    let mut at = 0;
    while let Some(&callee) = blamed.get(at) {
        for ix in 0..graph.infer(callee).readers.len() {
            let reader = graph.infer(callee).readers[ix];
            let edges = &graph.infer(reader).edges;
            let part = edges.iter().find_map(|edge| match edge {
                InferEdge::Part { unit, part, .. } if *unit == callee => Some(*part),
                _ => None,
            });
            if let Some(part) = part
                && left.remove(&reader)
            {
                graph.infer_mut(reader).why = Why::Part(callee, part);
                blamed.push(reader);
            }
        }
        at += 1;
    }
}

fn differs<C: Compiler>(read: &InferUnit<C>, part: u8, digest: u64) -> bool {
    let outcome = read.outcome.as_ref().expect("clean units have one");
    outcome.parts[usize::from(part)] != digest
}

/// The unsettled units that `root` reaches, in components, callees first.
fn components<C: Compiler>(graph: &mut Graph<C>, root: InferId) -> Components<InferId> {
    let visit = graph.new_visit();
    let mut pending: FxHashMap<InferId, Vec<InferId>> = FxHashMap::default();
    for (reader, on) in &graph.pending {
        pending.entry(*reader).or_default().push(*on);
    }
    walk::components(&mut Unsettled { graph, pending }, visit, [root])
}

/// Unsettled units, by what they read and what they waited for.
struct Unsettled<'g, C: Compiler> {
    graph: &'g mut Graph<C>,
    pending: FxHashMap<InferId, Vec<InferId>>,
}

impl<C: Compiler> Ground<InferId> for Unsettled<'_, C> {
    fn walk(&mut self, id: InferId) -> &mut Walk {
        &mut self.graph.infer_mut(id).walk
    }

    fn edge(&self, id: InferId, at: usize) -> Edge<InferId> {
        let edges = &self.graph.infer(id).edges;
        let to = match edges.get(at) {
            Some(InferEdge::Part { unit, .. }) => *unit,
            Some(_) => return Edge::Skip,
            None => {
                let pending = self.pending.get(&id);
                match pending.and_then(|on| on.get(at - edges.len())) {
                    Some(on) => *on,
                    None => return Edge::End,
                }
            }
        };
        match self.graph.infer(to).state {
            State::Clean => Edge::Skip,
            _ => Edge::To(to),
        }
    }
}

/// Whether settling these units would find every input unchanged.
pub(crate) fn would_run_nothing<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    roots: Vec<InferId>,
) -> bool {
    let mut work = roots;
    let mut seen: FxHashSet<InferId> = work.iter().copied().collect();
    while let Some(id) = work.pop() {
        if graph.infer(id).state == State::Clean {
            continue;
        }
        if why_run(shared, graph, id).is_some() {
            return false;
        }
        for edge in &graph.infer(id).edges {
            if let InferEdge::Part { unit, .. } = edge
                && seen.insert(*unit)
            {
                work.push(*unit);
            }
        }
    }
    true
}

/// The first thing that a unit read and that differs now, as far as callees are settled.
fn why_run<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>, id: InferId) -> Option<Why> {
    definition_changed(shared, graph, id).or_else(|| {
        graph.infer(id).edges.iter().find_map(|edge| match *edge {
            InferEdge::Part { unit, part, digest } => {
                let now = graph.infer(unit).outcome.as_ref()?.parts[usize::from(part)];
                (now != digest).then_some(Why::Part(unit, part))
            }
            _ => None,
        })
    })
}

/// The first definition that a unit read and that differs now: source, answer, external fact.
fn definition_changed<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    id: InferId,
) -> Option<Why> {
    let unit = graph.infer(id);
    if unit.outcome.is_none() {
        return Some(Why::FirstCall);
    }
    if unit.interrupted {
        // Its edges may be those of the interrupted run; the reason is as it was found then.
        return Some(unit.why);
    }
    if unit.state != State::Dirty {
        return None;
    }
    unit.edges.iter().find_map(|edge| match *edge {
        InferEdge::Source(method) => {
            let sources = shared.sources.read();
            let same = match (&unit.source, sources.at(method, graph.world)) {
                (Some(then), Some(now)) => Arc::ptr_eq(then, now) || **then == **now,
                (None, None) => true,
                _ => false,
            };
            (!same).then_some(Why::Source(method))
        }
        InferEdge::Call { call, answer } => {
            (graph.calls[call.ix()].current != answer).then_some(Why::Call(call))
        }
        InferEdge::External { external, digest } => {
            let key = &graph.externals[external.ix()].key;
            let definitions = shared.definitions.read();
            let now = external_digest(definitions.external(key, graph.world).map(|v| &**v));
            (now != digest).then_some(Why::External(external))
        }
        InferEdge::Part { .. } => None,
    })
}

/// A marked unit that read nothing that changed is valid again.
fn restore<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    let (world, oldest) = (graph.world, graph.oldest);
    let unit = graph.infer_mut(id);
    if unit.state == State::Clean {
        return;
    }
    unit.state = State::Clean;
    let taken_over = std::mem::take(&mut unit.taken_over) || unit.loaded;
    let marked = unit.marked.take();
    if std::mem::take(&mut unit.loaded) {
        // It was not known to hold in any world before.
        unit.first = world;
        crate::persist::log(graph, id, 0);
    } else if let Some(marked) = marked
        && let Some(range) = doubtful(&mut unit.first, marked, world)
        && let Some(past) = unit.known()
    {
        push_past(&mut unit.past, range, past, oldest);
        graph.retire(range.last, Retired::Infer(id));
    }
    if taken_over {
        suspect_readers(graph, id);
        suspect_code(graph, id);
    }
}

/// Marked by the edit that made this world, a restored result was valid all along. Marked before,
/// the worlds in between were never looked at, and what it read may have come to the same by
/// something younger: the range ends before them and a new one begins here; gives the range that
/// ended.
pub(crate) fn doubtful(first: &mut World, marked: WorldRange, world: World) -> Option<WorldRange> {
    (marked.first != world).then(|| {
        let last = World(marked.first.0 - 1);
        let first = std::mem::replace(first, world);
        WorldRange { first, last }
    })
}

/// Units of a component in an order that depends on their names alone.
fn canonical<C: Compiler>(
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
fn activate<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
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
fn drain<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>) -> Result<(), Stop> {
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
        let failed =
            Failed::message("inference does not settle: `widen` must reach an upper bound");
        let edges = graph.infer(unit).edges.clone();
        publish(shared, graph, unit, Err(failed), edges);
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
        unit.superseded = unit.known();
    }
    unit.running = true;
    unit.runs += 1;
    let (mi, world) = (unit.mi, graph.world);
    let method = shared.instances.key(mi).method;
    let source = shared.sources.read().at(method, world).cloned();
    let strict = crate::persist::strict_infer(shared, graph, id);
    let mut cx = InferCx::new(shared, graph, id, depth);
    let result = match (&source, strict) {
        (Some(_), Some(strict)) => Err(Stop::Failed(strict)),
        (Some(source), None) => stacker::maybe_grow(256 << 10, 4 << 20, || {
            catch_unwind(AssertUnwindSafe(|| {
                shared.compiler.infer(&mut cx, mi, source)
            }))
            .unwrap_or_else(|panic| Err(Stop::Failed(Failed::panicked("infer", &*panic))))
        }),
        (None, _) => Err(Stop::Failed(Failed::message("the method was deleted"))),
    };
    let (mut edges, nested_ns) = cx.into_edges();
    graph.infer_mut(id).running = false;
    let result = match result {
        Ok(inferred) => Ok(Arc::new(inferred)),
        Err(Stop::Failed(failed)) => Err(failed),
        Err(stop) => return Err(stop),
    };
    edges.insert(0, InferEdge::Source(method));
    let result = if widen {
        widened(shared, graph, id, result)
    } else {
        result.map(|i| (i, None))
    };
    graph.infer_mut(id).source = source;
    publish(shared, graph, id, result, edges);
    let ns = start.elapsed().as_nanos() as u64;
    log_run(graph, id, ns.saturating_sub(nested_ns));
    Ok(())
}

type Widened<C> = (
    Arc<<C as Compiler>::Inferred>,
    Option<<C as Compiler>::Summary>,
);

fn widened<C: Compiler>(
    shared: Env<'_, C>,
    graph: &Graph<C>,
    id: InferId,
    result: Result<Arc<C::Inferred>, Failed>,
) -> Result<Widened<C>, Failed> {
    let inferred = result?;
    let new = shared.compiler.summary(&inferred);
    let unit = graph.infer(id);
    let old = unit.fresh.as_ref().and_then(|fresh| fresh.summary.clone());
    let old = old.unwrap_or_else(|| shared.compiler.bottom(unit.mi));
    let summary = if old == new {
        new
    } else {
        shared.compiler.widen(unit.mi, &old, &new)
    };
    Ok((inferred, Some(summary)))
}

/// Makes a provisional result visible and queues the active readers that saw another value.
fn publish<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    id: InferId,
    result: Result<Widened<C>, Failed>,
    edges: Vec<InferEdge>,
) {
    let outcome = match result {
        Ok((inferred, summary)) => {
            let summary = summary.unwrap_or_else(|| shared.compiler.summary(&inferred));
            let parts = digests(&shared, &summary);
            Outcome {
                inferred: Ok(inferred),
                summary: Some(summary),
                parts,
                body: OnceLock::new(),
            }
        }
        Err(failed) => {
            let parts = [failed.digest(); 4];
            Outcome {
                inferred: Err(failed),
                summary: None,
                parts,
                body: OnceLock::new(),
            }
        }
    };
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
    for (ix, (digest, part)) in digests.iter_mut().zip(shared.compiler.parts()).enumerate() {
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

fn enqueue<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    if !std::mem::replace(&mut graph.infer_mut(id).queued, true) {
        graph.queue.push_back(id);
    }
}

/// Since when the fresh results of the active units hold: since the last edit that marked them,
/// unless something that they read now, and did not read before, is younger.
fn begins<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>) -> FxHashMap<InferId, World> {
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
fn finish<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>) {
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
                && was == is
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
                push_past(&mut unit.past, range, old, oldest);
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
        if parts || body {
            suspect_code(graph, id);
        }
        graph.stored.unsaved.push(id);
    }
    for (last, id) in retired {
        graph.retire(last, Retired::Infer(id));
    }
}

/// Those that read a part which has changed are looked at again; a reader that is only marked
/// needs no look: nothing that it read itself is different.
fn suspect_readers<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    for ix in 0..graph.infer(id).readers.len() {
        let reader = graph.infer(id).readers[ix];
        let reader = graph.infer_mut(reader);
        if reader.state == State::Marked {
            reader.state = State::Dirty;
        }
    }
}

/// The same for code that was generated from a part or a body which has changed.
fn suspect_code<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    for ix in 0..graph.infer(id).code_readers.len() {
        let reader = graph.infer(id).code_readers[ix];
        let reader = graph.code_mut(reader);
        if reader.state == State::Marked {
            reader.state = State::Dirty;
        }
    }
}

fn log_run<C: Compiler>(graph: &mut Graph<C>, id: InferId, ns: u64) {
    let world = graph.world;
    let unit = graph.infer_mut(id);
    (unit.ran_in, unit.stored_in) = (world, World(0));
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
