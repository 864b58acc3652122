//! Taking over what was read from the store: the largest set of results that holds together.
//!
//! Where only a callee still has to run, the result waits as a dirty unit, so that settling
//! verifies it like any other and stops early where the callee's result is equal. A recursive
//! component is taken over as it was settled once, or not at all.

use super::trace;
use crate::compiler::Compiler;
use crate::graph::{Graph, InferEdge, InferId, State};
use crate::walk::{self, Components, Edge, Ground, Walk};
use rustc_hash::{FxHashMap, FxHashSet};
use std::time::Instant;

/// The recursive components that the units that were read were settled with.
#[derive(Default)]
pub(super) struct Loaded(FxHashMap<InferId, (u64, Vec<InferId>)>);

impl Loaded {
    /// A unit that was settled in a component: the component's name, and the callees that the
    /// unit read within it.
    pub(super) fn insert(&mut self, id: InferId, component: u64, inner: Vec<InferId>) {
        if component != 0 || !inner.is_empty() {
            self.0.insert(id, (component, inner));
        }
    }

    /// As they were inserted; 0 and none for a unit in no component.
    fn get(&self, id: InferId) -> (u64, &[InferId]) {
        let of = self.0.get(&id);
        of.map_or((0, &[]), |(name, inner)| (*name, inner))
    }
}

/// Takes over those of the units that hold; the others wait, or run. `complete`: all of them, and
/// all that they read, are of one session.
pub(super) fn take_over<C: Compiler>(
    graph: &mut Graph<C>,
    mut order: Vec<InferId>,
    loaded: &Loaded,
    complete: bool,
    start: Instant,
) {
    if order.is_empty() {
        return;
    }
    let (holds, waits) = match complete && !cfg!(debug_assertions) {
        true => (order, Vec::new()),
        false => {
            let all = order.len();
            eject_broken_components(graph, &mut order, loaded);
            let accepted = consistent(graph, &order);
            debug_assert!(
                !complete || accepted.len() == all,
                "a session agrees with itself"
            );
            order.into_iter().partition(|id| accepted.contains(id))
        }
    };
    let ns = start.elapsed().as_nanos() as u64 / holds.len().max(1) as u64;
    // Of each, the three stages.
    graph.log.events.reserve(3 * holds.len());
    for id in holds {
        let world = graph.world;
        let unit = graph.infer_mut(id);
        (unit.state, unit.loaded, unit.first) = (State::Clean, false, world);
        trace::log(graph, id, ns);
    }
    if !waits.is_empty() {
        eject_cycles(graph, waits, loaded);
    }
}

/// The unit is as if it had never been read from the store: it will run.
fn eject<C: Compiler>(graph: &mut Graph<C>, id: InferId) {
    graph.set_edges(id, Box::default());
    let unit = graph.infer_mut(id);
    (unit.state, unit.loaded) = (State::New, false);
    (unit.outcome, unit.source) = (None, None);
    let why = "its recursive component changed".to_owned();
    graph.stored.asked.insert(id, Some(why));
}

/// What a unit reads of other units.
pub(super) fn callees<C: Compiler>(graph: &Graph<C>, id: InferId) -> impl Iterator<Item = InferId> {
    let edges = graph.infer(id).edges.iter();
    edges.filter_map(|edge| match edge {
        InferEdge::Part { unit, .. } => Some(*unit),
        _ => None,
    })
}

/// Some units, by what they read of one another.
struct Among<'g, C: Compiler> {
    graph: &'g mut Graph<C>,
    units: FxHashSet<InferId>,
}

impl<C: Compiler> Ground<InferId> for Among<'_, C> {
    fn walk(&mut self, id: InferId) -> &mut Walk {
        &mut self.graph.infer_mut(id).walk
    }

    fn edge(&self, id: InferId, at: usize) -> Edge<InferId> {
        match self.graph.infer(id).edges.get(at) {
            None => Edge::End,
            Some(InferEdge::Part { unit, .. }) if self.units.contains(unit) => Edge::To(*unit),
            Some(_) => Edge::Skip,
        }
    }
}

/// The components of these units.
pub(super) fn components<C: Compiler>(
    graph: &mut Graph<C>,
    units: &[InferId],
) -> Components<InferId> {
    let visit = graph.new_visit();
    let roots = units.iter().copied();
    let units = roots.clone().collect();
    walk::components(&mut Among { graph, units }, visit, roots)
}

/// Whether the members of a component read one another.
pub(super) fn is_recursive<C: Compiler>(graph: &Graph<C>, component: &[InferId]) -> bool {
    component.len() > 1 || callees(graph, component[0]).any(|callee| callee == component[0])
}

/// Drops members of recursive components that were not all settled together.
fn eject_broken_components<C: Compiler>(
    graph: &mut Graph<C>,
    order: &mut Vec<InferId>,
    loaded: &Loaded,
) {
    let components = components(graph, order);
    let mut broken: FxHashSet<InferId> = FxHashSet::default();
    for number in 0..components.len() {
        let component = components.members(number);
        let recursive = is_recursive(graph, component);
        let (name, inner) = loaded.get(component[0]);
        if !recursive && name == 0 && inner.is_empty() {
            continue;
        }
        let members: FxHashSet<InferId> = component.iter().copied().collect();
        let whole = component.iter().all(|id| {
            let (of, inner) = loaded.get(*id);
            let mut within = callees(graph, *id).filter(|callee| members.contains(callee));
            of == name
                && inner.iter().all(|callee| members.contains(callee))
                && within.all(|callee| inner.contains(&callee))
        });
        if !whole || recursive != (name != 0) {
            broken.extend(component);
        }
    }
    order.retain(|id| !broken.contains(id));
    for id in broken {
        eject(graph, id);
    }
}

/// The largest set of loaded units of which all edges hold.
fn consistent<C: Compiler>(graph: &Graph<C>, order: &[InferId]) -> FxHashSet<InferId> {
    let mut holds: FxHashSet<InferId> = order.iter().copied().collect();
    let mut work = order.to_vec();
    while let Some(id) = work.pop() {
        if !holds.contains(&id) {
            continue;
        }
        let all = graph.infer(id).edges.iter().all(|edge| match *edge {
            InferEdge::Part { unit, part, digest } => {
                let callee = graph.infer(unit);
                (callee.state == State::Clean || holds.contains(&unit))
                    && callee
                        .outcome
                        .as_ref()
                        .is_some_and(|now| now.parts[usize::from(part)] == digest)
            }
            _ => true,
        });
        if !all {
            holds.remove(&id);
            work.extend(
                graph
                    .infer(id)
                    .readers
                    .iter()
                    .filter(|id| holds.contains(id)),
            );
        }
    }
    holds
}

/// Of the units that wait for a callee, drops those in a cycle of unsettled units, unless it is
/// a recursive component just as it was stored: settling takes the edges within a cycle for
/// granted.
fn eject_cycles<C: Compiler>(graph: &mut Graph<C>, waits: Vec<InferId>, loaded: &Loaded) {
    let mut seen: FxHashSet<InferId> = waits.iter().copied().collect();
    let waiting = seen.clone();
    let mut all = waits;
    let mut next = 0;
    while let Some(id) = all.get(next).copied() {
        next += 1;
        for callee in callees(graph, id).collect::<Vec<_>>() {
            if graph.infer(callee).state != State::Clean && seen.insert(callee) {
                all.push(callee);
            }
        }
    }
    let components = components(graph, &all);
    for number in 0..components.len() {
        let component = components.members(number);
        let recursive = is_recursive(graph, component);
        let name = |id: &InferId| match waiting.contains(id) {
            true => loaded.get(*id).0,
            false => 0,
        };
        let first = name(&component[0]);
        let members: FxHashSet<InferId> = component.iter().copied().collect();
        let as_stored = first != 0
            && component.iter().all(|id| name(id) == first)
            && component
                .iter()
                .all(|id| agrees_within(graph, *id, &members));
        let ejected = match recursive {
            true => !as_stored,
            // A member of a component of which the others are gone.
            false => first != 0,
        };
        if ejected {
            for id in component.iter().filter(|id| waiting.contains(id)) {
                eject(graph, *id);
            }
        }
    }
}

/// Whether what a unit read of these others is what they have.
fn agrees_within<C: Compiler>(graph: &Graph<C>, id: InferId, members: &FxHashSet<InferId>) -> bool {
    graph.infer(id).edges.iter().all(|edge| match *edge {
        InferEdge::Part { unit, part, digest } if members.contains(&unit) => graph
            .infer(unit)
            .outcome
            .as_ref()
            .is_some_and(|read| read.parts[usize::from(part)] == digest),
        _ => true,
    })
}
