//! Linking: cells first, then every member of a recursive group.
//!
//! A unit is linked where its code is another one, its cell's promise is broken, or it calls a
//! cell that is gone; what is only marked is clean again.

use crate::code_instance::{Cell, CodeInstance};
use crate::compiler::Compiler;
use crate::cx::LinkCx;
use crate::error::{Failed, StageFault, Stop};
use crate::events::{Origin, Stage, StageEvent};
use crate::explain::Why;
use crate::generate::StageFailed;
use crate::graph::{CodeId, Env, Graph, State, push_past};
use crate::ids::{Mi, ShardId};
use crate::older::code as older;
use crate::retire::Retired;
use crate::settle;
use crate::walk::{self, Edge, Ground, Walk};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use worldage_dispatch::{World, WorldRange};

/// Links the touched units whose code or callees changed; restores the others.
pub(crate) fn link<C: Compiler>(
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

/// One digest of all parts of the summary as they are now.
fn promise<C: Compiler>(graph: &Graph<C>, id: CodeId) -> u64 {
    let outcome = graph.infer(graph.code(id).infer).outcome.as_ref();
    let mut hasher = DefaultHasher::new();
    outcome.map(|outcome| outcome.parts).hash(&mut hasher);
    hasher.finish()
}

/// The cell that new code of the unit takes over, because its promise holds.
fn kept_cell<C: Compiler>(shared: Env<'_, C>, graph: &Graph<C>, id: CodeId) -> Option<Arc<Cell>> {
    let ci = graph.code(id).ci.as_ref().filter(|_| shared.is_live())?;
    (ci.cell.promise == promise(graph, id)).then(|| Arc::clone(&ci.cell))
}

/// Why a unit must be linked, beside what happens in its own group.
pub(crate) fn why_link<C: Compiler>(
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
            unit.close_front();
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
        let read = unit.reads.iter().map(|read| graph.infer(read.unit()).first);
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
        unit.open_front();
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
        State::Marked => unit.reopen_front(),
        _ => unit.open_front(),
    }
    if let Some(marked) = unit.marked.take()
        && let Some(range) = settle::doubtful(&mut unit.first, marked, world)
        && let Some(ci) = unit.ci.clone()
    {
        push_past(&mut unit.past, range, ci, oldest);
        graph.retire(range.last, Retired::Code(id));
    }
}
