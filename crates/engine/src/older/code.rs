//! Code and code instances that were made in another world and are the same in this one.

use super::{others, range};
use crate::code_instance::CodeInstance;
use crate::compiler::Compiler;
use crate::graph::{CodeId, CodeRead, CodeUnit, Env, Graph, KnownCode, State};
use crate::settle;
use std::sync::Arc;

/// Takes over the code instance of the newest graph whose range holds the graph's world.
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

/// Code of another graph with what it was generated from, by reference.
struct Artifact<'a, C: Compiler> {
    code: &'a Arc<C::Code>,
    inferred: &'a Arc<C::Inferred>,
    reads: &'a [CodeRead<C>],
    calls: &'a [CodeId],
}

fn artifacts<C: Compiler>(unit: &CodeUnit<C>) -> impl Iterator<Item = Artifact<'_, C>> {
    let current = match (&unit.code, &unit.inferred) {
        (Some(Ok(code)), Some(inferred)) => Some(Artifact {
            code,
            inferred,
            reads: &unit.reads,
            calls: &unit.calls,
        }),
        _ => None,
    };
    let past = unit.past_code.iter().map(|(_, past)| {
        let KnownCode {
            code,
            inferred,
            reads,
            calls,
        } = past;
        Artifact {
            code,
            inferred,
            reads,
            calls,
        }
    });
    current.into_iter().chain(past)
}

/// Takes over code that was generated from exactly what it would be generated from here; it is
/// linked to what it calls here.
pub(crate) fn adopt_artifact<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, id: CodeId) {
    let unit = graph.code(id);
    let (mi, shard, infer) = (unit.mi, unit.shard, unit.infer);
    if env.is_alone() || unit.code.is_some() {
        return;
    }
    settle::settle(env, graph, infer);
    for other in others(env) {
        let Some(known) = other.find_code(mi, shard) else {
            continue;
        };
        for artifact in artifacts(other.code(known)) {
            if let Some(reads) = reads_here(env, other, graph, id, &artifact) {
                take_over(env, other, graph, id, &artifact, reads);
                return;
            }
        }
    }
}

fn same<T: PartialEq>(now: &Arc<T>, then: &Arc<T>) -> bool {
    Arc::ptr_eq(now, then) || **now == **then
}

/// What the code read as it is here, if all of it is the same.
fn reads_here<C: Compiler>(
    env: Env<'_, C>,
    other: &Graph<C>,
    graph: &mut Graph<C>,
    id: CodeId,
    artifact: &Artifact<'_, C>,
) -> Option<Vec<CodeRead<C>>> {
    let infer = graph.code(id).infer;
    let view = graph.infer(infer).view;
    let own = graph.infer(infer).outcome.as_ref()?;
    if !same(own.inferred.as_ref().ok()?, artifact.inferred) {
        return None;
    }
    let mut reads = Vec::with_capacity(artifact.reads.len());
    for read in artifact.reads {
        let unit = graph.infer_unit(&env, other.infer(read.unit()).mi, view);
        settle::settle(env, graph, unit);
        let now = graph.infer(unit).outcome.as_ref()?;
        reads.push(match read {
            &CodeRead::Part { part, digest, .. } => {
                let same = now.parts[usize::from(part)] == digest;
                same.then_some(CodeRead::Part { unit, part, digest })?
            }
            CodeRead::Body { inferred: then, .. } => {
                let now = now.inferred.as_ref().ok()?;
                let inferred = same(now, then).then(|| Arc::clone(now))?;
                CodeRead::Body { unit, inferred }
            }
        });
    }
    Some(reads)
}

fn take_over<C: Compiler>(
    env: Env<'_, C>,
    other: &Graph<C>,
    graph: &mut Graph<C>,
    id: CodeId,
    artifact: &Artifact<'_, C>,
    reads: Vec<CodeRead<C>>,
) {
    let (shard, infer) = (graph.code(id).shard, graph.code(id).infer);
    for read in reads
        .iter()
        .map(CodeRead::unit)
        .filter(|unit| *unit != infer)
    {
        let readers = &mut graph.infer_mut(read).code_readers;
        if !readers.contains(&id) {
            readers.push(id);
        }
    }
    let mut calls = Vec::with_capacity(artifact.calls.len());
    for callee in artifact.calls {
        let callee = graph.code_unit(&env, other.code(*callee).mi, shard);
        graph.code_mut(callee).callers.push(id);
        calls.push(callee);
    }
    // The fact that codegen compares with is the one of this graph.
    let own = graph.infer(infer).outcome.as_ref();
    let inferred = own.and_then(|own| own.inferred.clone().ok());
    let unit = graph.code_mut(id);
    unit.code = Some(Ok(Arc::clone(artifact.code)));
    unit.inferred = inferred;
    (unit.reads, unit.calls) = (reads.into(), calls.into());
}

/// Takes over code instances that are linked as they would be linked here: from the same code to
/// the same callees. Callees outside of the group are linked already.
pub(crate) fn adopt_links<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, group: &[CodeId]) {
    if env.is_alone() || env.is_live() || group.iter().any(|id| graph.code(*id).ci.is_some()) {
        return;
    }
    for other in others(env) {
        let known: Option<Vec<&CodeUnit<C>>> = group
            .iter()
            .map(|id| {
                let unit = graph.code(*id);
                Some(other.code(other.find_code(unit.mi, unit.shard)?))
            })
            .collect();
        let Some(known) = known else { continue };
        let current: Option<Vec<_>> = known.iter().map(|unit| unit.ci.clone()).collect();
        let past = known[0].past.iter().filter(|_| group.len() == 1);
        let past = past.map(|(_, ci)| vec![Arc::clone(ci)]);
        for found in current.into_iter().chain(past) {
            if linked_alike(graph, group, &found) {
                let world = graph.world;
                for (id, ci) in group.iter().zip(found) {
                    let unit = graph.code_mut(*id);
                    unit.ci = Some(ci);
                    unit.first = world;
                }
                return;
            }
        }
    }
}

/// Whether these code instances are what linking the group would give.
fn linked_alike<C: Compiler>(
    graph: &Graph<C>,
    group: &[CodeId],
    found: &[Arc<CodeInstance<C>>],
) -> bool {
    group.iter().zip(found).all(|(id, ci)| {
        let unit = graph.code(*id);
        let same_code = matches!(&unit.code, Some(Ok(code)) if Arc::ptr_eq(code, ci.code()));
        let callees = unit.calls.iter().map(|callee| {
            let member = group.iter().position(|member| member == callee);
            let ci = match member {
                Some(ix) => Some(&found[ix]),
                None => graph.code(*callee).ci.as_ref(),
            };
            ci.map(|ci| ci.cell.id)
        });
        same_code && !ci.live && callees.eq(ci.linked_to().iter().map(|cell| Some(*cell)))
    })
}
