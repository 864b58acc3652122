//! Results that hold in an older world: by their range, or because every edge still holds there.
//!
//! A graph of an older world is built when somebody calls there. Before it runs a stage it looks
//! for a result of the newest graph whose range holds the world; where the range is in doubt
//! (marked, and never looked at in that world), the recorded edges are verified one by one.

use crate::compiler::Compiler;
use crate::graph::{
    CodeId, CodeRead, CodeReadKind, Env, Graph, InferEdge, InferId, Known, KnownCode, State,
    external_digest,
};
use crate::settle;
use std::sync::Arc;
use worldage_dispatch::{World, WorldRange};

/// Takes over the result of inference that holds in the graph's world, if one is known.
pub(crate) fn adopt_infer<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, id: InferId) {
    let Some(newest) = env.newest else { return };
    if graph.infer(id).state != State::New {
        return;
    }
    let unit = graph.infer(id);
    let Some(known) = newest.find_infer(unit.mi, unit.view) else {
        return;
    };
    let known = newest.infer(known);
    let world = graph.world;
    let current = range(known.first, known.marked, known.state);
    let past = known.past.iter().find(|(range, _)| range.contains(world));
    let outcome = match (&known.outcome, past) {
        (Some(outcome), _) if current.is_some_and(|range| range.contains(world)) => {
            Some(Arc::clone(outcome))
        }
        (_, Some((_, past))) => Some(Arc::clone(&past.outcome)),
        // The range of none holds the world; one of them may hold there all the same.
        _ => known
            .known()
            .iter()
            .chain(known.past.iter().map(|(_, past)| past))
            .find(|result| holds(env, newest, graph, id, result))
            .map(|result| Arc::clone(&result.outcome)),
    };
    let Some(outcome) = outcome else { return };
    let unit = graph.infer_mut(id);
    unit.outcome = Some(outcome);
    unit.state = State::Clean;
}

/// Takes over the code instance that holds in the graph's world, if one is known.
pub(crate) fn adopt_code<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, id: CodeId) {
    let Some(newest) = env.newest else { return };
    if graph.code(id).state != State::New {
        return;
    }
    let unit = graph.code(id);
    let Some(known) = newest.find_code(unit.mi, unit.shard) else {
        return;
    };
    let known = newest.code(known);
    let world = graph.world;
    let current = range(known.first, known.marked, known.state);
    let past = known.past.iter().find(|(range, _)| range.contains(world));
    let ci = match (&known.ci, past) {
        (Some(ci), _) if current.is_some_and(|range| range.contains(world)) => ci,
        (_, Some((_, ci))) => ci,
        _ => return,
    };
    if ci.live {
        return;
    }
    let ci = Arc::clone(ci);
    let unit = graph.code_mut(id);
    unit.ci = Some(ci);
    unit.state = State::Clean;
}

/// Takes over code that was generated from exactly what it would be generated from here; it is
/// linked to what it calls here.
pub(crate) fn adopt_artifact<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, id: CodeId) {
    let Some(newest) = env.newest else { return };
    let unit = graph.code(id);
    let (mi, shard, infer) = (unit.mi, unit.shard, unit.infer);
    if unit.code.is_some() {
        return;
    }
    let Some(known) = newest.find_code(mi, shard).map(|known| newest.code(known)) else {
        return;
    };
    settle::settle(env, graph, infer);
    let view = graph.infer(infer).view;
    let current = match (&known.code, &known.inferred) {
        (Some(Ok(code)), Some(inferred)) => Some((code, inferred, &known.reads, &known.calls)),
        _ => None,
    };
    let past = known.past_code.iter().map(|(_, past)| {
        let KnownCode {
            code,
            inferred,
            reads,
            calls,
        } = past;
        (code, inferred, reads, calls)
    });
    for (code, inferred, reads, calls) in current.into_iter().chain(past) {
        let own = graph.infer(infer).outcome.as_ref();
        let same = |now: &Arc<C::Inferred>, then: &Arc<C::Inferred>| {
            Arc::ptr_eq(now, then) || **now == **then
        };
        if !own.is_some_and(|own| own.inferred.as_ref().is_ok_and(|now| same(now, inferred))) {
            continue;
        }
        let mut here = Vec::with_capacity(reads.len());
        let holds = reads.iter().all(|read| {
            let unit = graph.infer_unit(&env, newest.infer(read.unit).mi, view);
            settle::settle(env, graph, unit);
            here.push(unit);
            let now = graph
                .infer(unit)
                .outcome
                .as_ref()
                .expect("settled just now");
            match &read.what {
                CodeReadKind::Part(part, digest) => now.parts[usize::from(*part)] == *digest,
                CodeReadKind::Body(then) => now.inferred.as_ref().is_ok_and(|now| same(now, then)),
            }
        });
        if !holds {
            continue;
        }
        let calls = calls
            .iter()
            .map(|callee| graph.code_unit(&env, newest.code(*callee).mi, shard))
            .collect();
        let reads = reads.iter().zip(here).map(|(read, unit)| CodeRead {
            unit,
            what: read.what.clone(),
        });
        let reads = reads.collect();
        // The fact that codegen compares with is the one of this graph.
        let inferred = graph
            .infer(infer)
            .outcome
            .as_ref()
            .and_then(|own| own.inferred.clone().ok());
        let unit = graph.code_mut(id);
        unit.code = Some(Ok(Arc::clone(code)));
        unit.inferred = inferred;
        (unit.reads, unit.calls) = (reads, calls);
        return;
    }
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

/// Whether everything that a result read has the same value in the graph's world.
fn holds<C: Compiler>(
    env: Env<'_, C>,
    newest: &Graph<C>,
    graph: &mut Graph<C>,
    id: InferId,
    result: &Known<C>,
) -> bool {
    let (world, view) = (graph.world, graph.infer(id).view);
    result.edges.iter().all(|edge| match *edge {
        InferEdge::Source(method) => {
            let sources = env.sources.read();
            match (&result.source, sources.at(method, world)) {
                (Some(then), Some(now)) => Arc::ptr_eq(then, now) || **then == **now,
                _ => false,
            }
        }
        InferEdge::Call { call, answer } => {
            let record = &newest.calls[call.ix()];
            let now = graph.call(&env, record.key);
            *graph.calls[now.ix()].answer() == record.answers[answer as usize]
        }
        InferEdge::External { external, digest } => {
            let key = &newest.externals[external.ix()].key;
            let definitions = env.definitions.read();
            external_digest(definitions.external(key, world).map(|v| &**v)) == digest
        }
        InferEdge::Part { unit, part, digest } => {
            let callee = graph.infer_unit(&env, newest.infer(unit).mi, view);
            if callee == id {
                return true;
            }
            // Outside of a settling the callee can be settled first; inside of one only what is
            // settled already counts (the unit then runs, which is right if not minimal).
            if graph.active.is_empty() {
                stacker::maybe_grow(256 << 10, 4 << 20, || settle::settle(env, graph, callee));
            } else {
                adopt_infer(env, graph, callee);
            }
            let callee = graph.infer(callee);
            callee.state == State::Clean
                && callee
                    .outcome
                    .as_ref()
                    .is_some_and(|o| o.parts[usize::from(part)] == digest)
        }
    })
}
