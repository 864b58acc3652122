//! The slow twin of incremental evaluation: everything that is up to date, made again from
//! nothing and compared.
//!
//! The twin asks the method tables directly and shares no result with the session, so a result
//! that stayed although something that it was decided on has changed is found here.

use crate::compiler::Compiler;
use crate::generate;
use crate::graph::{CodeId, Env, Graph, Shared, State};
use crate::names::instance_name;

/// Every clean code unit whose inference or code differs from what is made from nothing, named
/// with the stage that differs.
pub(crate) fn differences<C: Compiler>(shared: &Shared<C>, graph: &Graph<C>) -> Vec<String> {
    let mut twin = Graph::new(graph.world, None);
    let env = Env {
        shared,
        newest: None,
        older: &[],
    };
    let mut differences = Vec::new();
    for ix in 0..graph.codes.len() {
        let unit = &graph.codes[ix];
        if unit.state != State::Clean {
            continue;
        }
        let root = twin.code_unit(shared, unit.mi, unit.shard);
        if let Err(failed) = generate::demand(env, &mut twin, root) {
            differences.push(failed.to_string());
            continue;
        }
        differences.extend(difference(shared, graph, CodeId(ix as u32), &twin, root));
    }
    differences.sort();
    differences
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
