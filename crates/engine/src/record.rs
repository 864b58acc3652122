//! What code was made from, for people: the edges of each stage, and the key that stores know.

use crate::compiler::Compiler;
use crate::definitions::{Answer, Question};
use crate::engine::Engine;
use crate::events::Stage;
use crate::graph::{CodeId, CodeRead, Env, Graph, InferEdge, State};
use crate::ids::{Mi, ShardId};
use crate::names::{call_name, instance_name};
use crate::summary::Summarize;
use worldage_dispatch::{Lookup, MethodId, display_sig};

/// What the code of an instance in a shard was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What each stage read, in the order in which it did: `lookup g(Int64): g(Any)`.
    pub edges: Vec<(Stage, String)>,
    /// The bytes of the key under which a store keeps the code: named parts, as the document of
    /// the artifact format draws them. `None` if the code has no name outside of the session.
    pub key: Option<Vec<u8>>,
}

impl<C: Compiler> Engine<C> {
    /// What the code of an instance that is up to date in the newest world was made from; in its
    /// key the compiler has this name.
    pub fn record(&self, mi: Mi, shard: ShardId, producer: &str) -> Option<Record> {
        let worlds = self.graphs();
        let graph = &worlds.newest;
        let env = Env::alone(&self.shared);
        record(env, graph, graph.find_code(mi, shard)?, producer)
    }
}

/// The record of a code unit that is up to date.
pub(crate) fn record<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    id: CodeId,
    producer: &str,
) -> Option<Record> {
    let unit = graph.code(id);
    if unit.state != State::Clean || unit.ci.is_none() {
        return None;
    }
    let part = |part: u8| C::Summary::PARTS[usize::from(part)].name;
    let name = |unit| instance_name(&env, graph.infer(unit).mi);
    let inferred = graph
        .infer(unit.infer)
        .edges
        .iter()
        .map(|edge| match *edge {
            InferEdge::Source(id) => format!("source {}", method(env, graph, id)),
            InferEdge::Call { call, answer } => {
                let record = &graph.calls[call.ix()];
                let asked = call_name(&env.types, record.key.function, record.key.args);
                let question = match record.key.question {
                    Question::Lookup => "lookup",
                    Question::FindAll(_) => "find-all",
                    Question::Invoke => "invoke",
                    Question::Overlaid => "overlaid",
                    Question::Defined => "defined",
                };
                let answer = match record.given(answer) {
                    Answer::One(Lookup::Method(id)) => method(env, graph, *id),
                    other => format!("{other:?}"),
                };
                format!("{question} {asked}: {answer}")
            }
            InferEdge::External { external, .. } => {
                let key = &graph.externals[external.ix()].key;
                format!("{} {}", key.kind, key.name)
            }
            InferEdge::Part { unit, part: ix, .. } => format!("{} {}", part(ix), name(unit)),
        });
    let mut edges: Vec<_> = inferred.map(|edge| (Stage::Infer, edge)).collect();
    edges.extend(unit.reads.iter().map(|read| {
        let edge = match read {
            CodeRead::Part { unit, part: ix, .. } => format!("{} {}", part(*ix), name(*unit)),
            CodeRead::Body { unit, .. } => format!("body {}", name(*unit)),
        };
        (Stage::Codegen, edge)
    }));
    edges.extend(unit.calls.iter().map(|callee| {
        let edge = format!("code {}", name(graph.code(*callee).infer));
        (Stage::Link, edge)
    }));
    let key = crate::persist::code_key(env, graph, producer, id);
    Some(Record { edges, key })
}

/// A method's signature as it is written in the graph's world, and its table if that is not the
/// base.
fn method<C: Compiler>(env: Env<'_, C>, graph: &Graph<C>, id: MethodId) -> String {
    let definitions = env.definitions.read();
    let name = env.types.symbol_str(definitions.method(id).function);
    let sig = display_sig(&env.types, name, definitions.sig_at(id, graph.world));
    definitions.in_table(sig, id)
}
