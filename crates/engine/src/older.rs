//! Results that were made in another world and hold in this one: by their range, or because every
//! edge still holds here.
//!
//! A graph of an older world is built when somebody calls there. Before a graph runs a stage for
//! the first time it looks for a result of another one: in the newest graph by its range; else
//! one that read no definition which differs here is taken over as *dirty*, and settling verifies
//! it as after an edit, in components, so recursion needs no care of its own.

pub(crate) mod code;

use crate::compiler::Compiler;
use crate::graph::{
    Env, Graph, InferEdge, InferId, InferUnit, Known, Outcome, State, external_digest,
};
use crate::ids::ViewId;
use std::sync::Arc;
use worldage_dispatch::{World, WorldRange};

/// Takes over the result of inference that holds in the graph's world, or may hold there, with
/// what it read.
pub(crate) fn adopt_infer<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, id: InferId) {
    // In world 0 nothing is defined yet.
    if env.is_alone() || graph.world == World(0) {
        return;
    }
    let mut work = vec![id];
    while let Some(id) = work.pop() {
        if graph.infer(id).state == State::New && !adopt_by_range(env, graph, id) {
            let found = others(env).find_map(|other| {
                let result = candidate(env, other, graph, id)?;
                Some((other, result))
            });
            if let Some((other, result)) = found {
                take_over(env, other, graph, id, result, &mut work);
            }
        }
    }
}

/// The graphs of other worlds, the newest first.
fn others<'a, C: Compiler>(env: Env<'a, C>) -> impl Iterator<Item = &'a Graph<C>> {
    env.newest.into_iter().chain(env.older.iter().copied())
}

/// Takes over another result in the place of one that does not hold: one that agrees with all
/// callees that are settled. False if there is none.
pub(crate) fn adopt_another<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    id: InferId,
) -> bool {
    if !graph.infer(id).taken_over {
        return false;
    }
    let found = others(env).find_map(|other| {
        let result = candidate(env, other, graph, id)?;
        Some((other, result))
    });
    let Some((other, result)) = found else {
        return false;
    };
    let mut work = Vec::new();
    take_over(env, other, graph, id, result, &mut work);
    work.into_iter()
        .for_each(|callee| adopt_infer(env, graph, callee));
    true
}

fn adopt_by_range<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, id: InferId) -> bool {
    let Some(newest) = env.newest else {
        return false;
    };
    let unit = graph.infer(id);
    let Some(known) = newest.find_infer(unit.mi, unit.view) else {
        return false;
    };
    let known = newest.infer(known);
    let world = graph.world;
    let current = range(known.first, known.marked, known.state);
    // What came from the store and waits was not found to hold anywhere.
    let current = current.filter(|_| !known.loaded);
    let past = known.past.iter().find(|(range, _)| range.contains(world));
    let outcome = match (&known.outcome, past) {
        (Some(outcome), _) if current.is_some_and(|range| range.contains(world)) => outcome,
        (_, Some((_, past))) => &past.outcome,
        _ => return false,
    };
    let outcome = Arc::clone(outcome);
    let unit = graph.infer_mut(id);
    unit.outcome = Some(outcome);
    unit.state = State::Clean;
    true
}

/// A result of another graph, by reference.
struct Result<'a, C: Compiler> {
    outcome: &'a Arc<Outcome<C>>,
    source: &'a Option<Arc<C::Source>>,
    edges: &'a [InferEdge],
}

impl<'a, C: Compiler> Result<'a, C> {
    fn of_unit(unit: &'a InferUnit<C>) -> Option<Self> {
        let outcome = unit.outcome.as_ref()?;
        let (source, edges) = (&unit.source, &unit.edges[..]);
        // One that was taken over by its range has no edges of its own.
        let whole = !unit.interrupted && !edges.is_empty();
        whole.then_some(Result {
            outcome,
            source,
            edges,
        })
    }

    fn of_past(known: &'a Known<C>) -> Self {
        let Known {
            outcome,
            source,
            edges,
        } = known;
        Result {
            outcome,
            source,
            edges,
        }
    }
}

fn results<C: Compiler>(unit: &InferUnit<C>) -> impl Iterator<Item = Result<'_, C>> {
    let past = unit.past.iter().map(|(_, known)| Result::of_past(known));
    Result::of_unit(unit).into_iter().chain(past)
}

/// A result of the other graph that read no definition which differs here, and whose callees may
/// be what it saw.
fn candidate<'a, C: Compiler>(
    env: Env<'_, C>,
    other: &'a Graph<C>,
    graph: &mut Graph<C>,
    id: InferId,
) -> Option<Result<'a, C>> {
    let unit = graph.infer(id);
    let (mi, view) = (unit.mi, unit.view);
    let known = other.infer(other.find_infer(mi, view)?);
    results(known).find(|result| {
        same_definitions(env, other, graph, result)
            && result.edges.iter().all(|edge| match *edge {
                InferEdge::Part { unit, part, digest } => {
                    may_be(env, other, graph, (unit, view), part, digest)
                }
                _ => true,
            })
    })
}

/// Whether a callee may have this digest here: it is known, or it must run, or a result of it that
/// may hold here has it.
fn may_be<C: Compiler>(
    env: Env<'_, C>,
    other: &Graph<C>,
    graph: &mut Graph<C>,
    (callee, view): (InferId, ViewId),
    part: u8,
    digest: u64,
) -> bool {
    let known = other.infer(callee);
    let of = |outcome: &Outcome<C>| outcome.parts[usize::from(part)] == digest;
    let here = graph.find_infer(known.mi, view).map(|id| graph.infer(id));
    if let Some(here) = here.filter(|here| here.state == State::Clean) {
        return here.outcome.as_deref().is_some_and(of);
    }
    let mut must_run = true;
    for result in results(known) {
        if same_definitions(env, other, graph, &result) {
            if of(result.outcome) {
                return true;
            }
            must_run = false;
        }
    }
    must_run
}

/// Whether the definitions that a result read are the same in the graph's world: source, answers,
/// external facts.
fn same_definitions<C: Compiler>(
    env: Env<'_, C>,
    other: &Graph<C>,
    graph: &mut Graph<C>,
    result: &Result<'_, C>,
) -> bool {
    let world = graph.world;
    result.edges.iter().all(|edge| match *edge {
        InferEdge::Source(method) => {
            let sources = env.sources.read();
            match (result.source, sources.at(method, world)) {
                (Some(then), Some(now)) => Arc::ptr_eq(then, now) || **then == **now,
                _ => false,
            }
        }
        InferEdge::Call { call, answer } => {
            let record = &other.calls[call.ix()];
            let now = graph.call(&env, record.key);
            graph.calls[now.ix()].answer() == record.given(answer)
        }
        InferEdge::External { external, digest } => {
            let key = &other.externals[external.ix()].key;
            let definitions = env.definitions.read();
            external_digest(definitions.external(key, world).map(|v| &**v)) == digest
        }
        InferEdge::Part { .. } => true,
    })
}

/// Makes a result of another graph one of this graph, still to be verified.
fn take_over<C: Compiler>(
    env: Env<'_, C>,
    other: &Graph<C>,
    graph: &mut Graph<C>,
    id: InferId,
    result: Result<'_, C>,
    work: &mut Vec<InferId>,
) {
    let (world, view) = (graph.world, graph.infer(id).view);
    let here = |edge: &InferEdge| match *edge {
        InferEdge::Source(method) => InferEdge::Source(method),
        InferEdge::Call { call, .. } => {
            let call = graph.call(&env, other.calls[call.ix()].key);
            let answer = graph.calls[call.ix()].current;
            InferEdge::Call { call, answer }
        }
        InferEdge::External { external, digest } => {
            let external = graph.external(&other.externals[external.ix()].key);
            InferEdge::External { external, digest }
        }
        InferEdge::Part { unit, part, digest } => {
            let unit = graph.infer_unit(&env, other.infer(unit).mi, view);
            work.push(unit);
            InferEdge::Part { unit, part, digest }
        }
    };
    let edges = result.edges.iter().map(here).collect();
    let unit = graph.infer_mut(id);
    unit.outcome = Some(Arc::clone(result.outcome));
    unit.source.clone_from(result.source);
    unit.state = State::Dirty;
    unit.interrupted = false;
    unit.taken_over = true;
    // Marked as if by the edit that made this world, so that its range begins here if it holds.
    unit.first = world;
    unit.marked = Some(WorldRange {
        first: world,
        last: world,
    });
    graph.set_edges(id, edges);
}

/// The worlds for which a current result is known to be valid.
fn range(first: World, marked: Option<WorldRange>, state: State) -> Option<WorldRange> {
    match (state, marked) {
        (State::New, _) => None,
        (_, None) => Some(WorldRange {
            first,
            last: World::MAX,
        }),
        (_, Some(marked)) => Some(WorldRange {
            first,
            last: World(marked.first.0 - 1),
        }),
    }
}
