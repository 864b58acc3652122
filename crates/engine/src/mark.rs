//! Marking: what an edit may have changed, by one walk over reverse edges. No stage runs.
//!
//! Invariant: a unit is entered once for a world, and everything above it then is marked, too.

use crate::compiler::Compiler;
use crate::explain::Why;
use crate::graph::{CodeId, Graph, InferId, State};
use worldage_dispatch::{World, WorldRange};

/// Doubts the units that strict mode did not let run, and everything that failed with them.
pub(crate) fn doubt_refused<C: Compiler>(graph: &mut Graph<C>) {
    let world = graph.world;
    for id in std::mem::take(&mut graph.refused) {
        let outcome = graph.infer(id).outcome.as_ref();
        if outcome.is_some_and(|outcome| outcome.inferred.is_err()) {
            mark_dirty(graph, id, Why::FirstCall, world);
            graph.infer_mut(id).interrupted = true;
        }
    }
    graph.ripple.give_up();
}

/// Marks a unit that read what changed, and everything above it.
pub(crate) fn mark_dirty<C: Compiler>(graph: &mut Graph<C>, id: InferId, why: Why, world: World) {
    if graph.infer(id).state == State::New {
        return;
    }
    let (infers, codes) = mark(graph, id, world);
    graph.ripple.spread(id, infers, codes);
    let unit = graph.infer_mut(id);
    unit.state = State::Dirty;
    unit.why = why;
}

/// Marks a unit and everything above it; gives what this world had not marked before. Both lists
/// are the work that is left as well: a unit is marked when it is put there.
fn mark<C: Compiler>(
    graph: &mut Graph<C>,
    from: InferId,
    world: World,
) -> (Vec<InferId>, Vec<CodeId>) {
    let mut codes = Vec::new();
    for edited in graph.made_from(from) {
        mark_code(graph, edited, world, true, &mut codes);
    }
    let called = mark_callers(graph, &mut codes, 0, world, true);
    let mut infers = Vec::new();
    mark_infer(graph, from, world, &mut infers);
    let mut next = 0;
    while let Some(id) = infers.get(next).copied() {
        next += 1;
        for ix in 0..graph.infer(id).readers.len() {
            let reader = graph.infer(id).readers[ix];
            mark_infer(graph, reader, world, &mut infers);
        }
        for ix in 0..graph.infer(id).code_readers.len() {
            let reader = graph.infer(id).code_readers[ix];
            mark_code(graph, reader, world, false, &mut codes);
        }
    }
    mark_callers(graph, &mut codes, called, world, false);
    (infers, codes)
}

#[inline]
fn mark_infer<C: Compiler>(
    graph: &mut Graph<C>,
    id: InferId,
    world: World,
    infers: &mut Vec<InferId>,
) {
    let unit = graph.infer_mut(id);
    if !extend_mark(&mut unit.marked, world) {
        return;
    }
    if unit.state == State::Clean {
        unit.state = State::Marked;
    }
    infers.push(id);
}

#[inline]
fn mark_code<C: Compiler>(
    graph: &mut Graph<C>,
    id: CodeId,
    world: World,
    calls_edited: bool,
    codes: &mut Vec<CodeId>,
) {
    let unit = graph.code_mut(id);
    if unit.state == State::New || !extend_mark(&mut unit.marked, world) {
        return;
    }
    if unit.state == State::Clean {
        unit.state = State::Marked;
    }
    unit.calls_edited = calls_edited;
    unit.close_front();
    codes.push(id);
}

/// Marks what calls the code units from a place of the list on, directly or through others; gives
/// where the list ends then.
fn mark_callers<C: Compiler>(
    graph: &mut Graph<C>,
    codes: &mut Vec<CodeId>,
    mut next: usize,
    world: World,
    calls_edited: bool,
) -> usize {
    while let Some(id) = codes.get(next).copied() {
        next += 1;
        for ix in 0..graph.code(id).callers.len() {
            let caller = graph.code(id).callers[ix];
            mark_code(graph, caller, world, calls_edited, codes);
        }
    }
    next
}

/// Adds a world to the worlds that marked a unit; false if it was there.
#[inline]
fn extend_mark(marked: &mut Option<WorldRange>, world: World) -> bool {
    match marked {
        Some(range) if range.last == world => false,
        Some(range) => {
            range.last = world;
            true
        }
        None => {
            *marked = Some(WorldRange {
                first: world,
                last: world,
            });
            true
        }
    }
}
