//! Settling inference: brings every infer unit that a demand reaches up to date.
//!
//! Marked units are grouped into components. A component's edges are verified in the order in
//! which they were read; one that read nothing that changed is clean again without a run.
//! Otherwise it restarts from bottom: its units become *active* and are solved (`solve`).

use crate::compiler::Compiler;
use crate::error::Stop;
use crate::explain::Why;
use crate::graph::{Env, Graph, InferEdge, InferId, InferUnit, State, external_digest, push_past};
use crate::retire::Retired;
use crate::solve::{activate, drain, enqueue, finish, suspect_code, suspect_readers};
use crate::walk::{self, Components, Edge, Ground, Walk};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use worldage_dispatch::{World, WorldRange};

/// An edit waits: what is settled stays, the rest is as doubtful as before.
#[derive(Debug)]
pub(crate) struct Cancelled;

/// Brings `root` and everything that it reads up to date, even if an edit waits.
pub(crate) fn settle<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>, root: InferId) {
    try_settle(shared.to_the_end(), graph, root).expect("nothing cancels it");
}

/// Brings `root` and everything that it reads up to date, unless an edit waits.
pub(crate) fn try_settle<C: Compiler>(
    shared: Env<'_, C>,
    graph: &mut Graph<C>,
    root: InferId,
) -> Result<(), Cancelled> {
    if graph.infer(root).state == State::Clean {
        return Ok(());
    }
    crate::ripple::settle_infer(shared, graph, root)?;
    if graph.infer(root).state == State::Clean {
        return Ok(());
    }
    debug_assert!(graph.active.is_empty() && graph.queue.is_empty());
    crate::older::adopt_infer(shared, graph, root);
    crate::persist::load(shared, graph, root);
    // Each pass learns at least one edge that the recorded ones did not show.
    while graph.infer(root).state != State::Clean {
        if pass(shared, graph, root).is_err() {
            give_up_run(graph);
            if shared.is_cancelled() {
                break;
            }
        }
    }
    graph.pending.clear();
    crate::persist::save(shared, graph);
    match graph.infer(root).state {
        State::Clean => Ok(()),
        _ => Err(Cancelled),
    }
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
/// the known edges do not lead to (then with that edge known, the components are other ones), or
/// an edit that waits.
fn pass<C: Compiler>(shared: Env<'_, C>, graph: &mut Graph<C>, root: InferId) -> Result<(), Stop> {
    let components = components(graph, root);
    let mut visits = vec![visit_of(graph, root)];
    // Components that are being visited: one that waits for itself needs other components.
    let mut on_the_way = vec![false; components.len() as usize];
    on_the_way[visits[0].component as usize] = true;
    while let Some(visit) = visits.last_mut() {
        if shared.is_cancelled() {
            return Err(Stop::Cancelled);
        }
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
pub(crate) fn deactivate<C: Compiler>(unit: &mut InferUnit<C>) {
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
pub(crate) fn restore<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
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
