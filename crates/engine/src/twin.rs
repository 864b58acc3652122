//! The slow twin of incremental evaluation: everything that is up to date, made again from
//! nothing and compared.
//!
//! The twin asks the method tables directly and shares no result with the session, so a result
//! that stayed although something that it was decided on has changed is found here. One thing may
//! differ: a call that was dispatched at run time, because too many methods matched, keeps being
//! so when methods are deleted, or when it comes from a store into a session with fewer methods (it
//! has no edge on them). Where the twin asks such a question and the session does not, the twin takes
//! the session's result over.

use crate::compiler::Compiler;
use crate::definitions::{CallKey, Question};
use crate::generate;
use crate::graph::{CodeId, Env, Graph, InferEdge, InferId, Shared, State};
use crate::names::instance_name;
use rustc_hash::FxHashSet;

/// Every clean code unit whose inference or code differs from what is made from nothing, named
/// with the stage that differs.
pub(crate) fn differences<C: Compiler>(shared: &Shared<C>, graph: &Graph<C>) -> Vec<String> {
    let mut taken_over: FxHashSet<InferId> = FxHashSet::default();
    loop {
        let (mut differences, loose) = compare(shared, graph, &taken_over);
        let known = taken_over.len();
        taken_over.extend(loose);
        if taken_over.len() == known {
            differences.sort();
            return differences;
        }
    }
}

/// What differs from a twin that has taken these results over; and of that, the results that stay
/// because a call in them is dispatched at run time.
fn compare<C: Compiler>(
    shared: &Shared<C>,
    graph: &Graph<C>,
    taken_over: &FxHashSet<InferId>,
) -> (Vec<String>, Vec<InferId>) {
    let mut twin = Graph::new(graph.world, None);
    let env = Env::alone(shared);
    for id in taken_over {
        let unit = graph.infer(*id);
        let again = twin.infer_unit(shared, unit.mi, unit.view);
        let again = twin.infer_mut(again);
        again.outcome.clone_from(&unit.outcome);
        again.state = State::Clean;
    }
    let (mut differences, mut loose) = (Vec::new(), Vec::new());
    let clean = (0..graph.codes.len()).map(|ix| CodeId(ix as u32));
    for id in clean.filter(|id| graph.code(*id).state == State::Clean) {
        let unit = graph.code(id);
        let again = twin.code_unit(shared, unit.mi, unit.shard);
        if let Err(halt) = generate::demand(env, &mut twin, again) {
            differences.push(format!("{halt:?}"));
            continue;
        }
        differences.extend(difference(shared, graph, id, &twin, again));
    }
    // Also what has no code of its own, for its body stands in another's.
    let settled = (0..graph.infers.len()).map(|ix| InferId(ix as u32));
    for id in settled.filter(|id| graph.infer(*id).state == State::Clean) {
        let unit = graph.infer(id);
        let again = twin.find_infer(unit.mi, unit.view);
        let asked = again.map(|again| split_calls(&twin, again));
        if asked.is_some_and(|asked| !asked.is_subset(&split_calls(graph, id))) {
            loose.push(id);
        }
    }
    (differences, loose)
}

/// The questions after all methods for abstract argument types that inference recorded.
fn split_calls<C: Compiler>(graph: &Graph<C>, id: InferId) -> FxHashSet<CallKey> {
    let edges = graph.infer(id).edges.iter();
    let asked = edges.filter_map(|edge| match edge {
        InferEdge::Call { call, .. } => Some(graph.calls[call.ix()].key),
        _ => None,
    });
    asked
        .filter(|key| matches!(key.question, Question::FindAll(_)))
        .collect()
}

fn difference<C: Compiler>(
    shared: &Shared<C>,
    graph: &Graph<C>,
    id: CodeId,
    twin: &Graph<C>,
    twin_id: CodeId,
) -> Option<String> {
    let (unit, again) = (graph.code(id), twin.code(twin_id));
    let outcome = |graph: &Graph<C>, id: CodeId| {
        let outcome = graph.infer(graph.code(id).infer).outcome.clone();
        outcome.map(|outcome| (outcome.inferred.clone().ok(), outcome.parts))
    };
    let stage = if outcome(graph, id) != outcome(twin, twin_id) {
        "infer"
    } else if unit.code != again.code {
        "codegen"
    } else {
        return None;
    };
    let name = instance_name(shared, unit.mi);
    Some(format!(
        "{stage} of {name} differs from what is made from nothing"
    ))
}
