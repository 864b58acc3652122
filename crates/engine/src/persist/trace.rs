//! Verifying traces: results of inference with every edge that they were decided on.
//!
//! A trace is found by what was inferred: method, source, argument types, view. It is used if
//! every answer, external fact and part of a callee's summary that inference read is as it was
//! then. [`load`] reads the traces that a unit reaches, from the image of an earlier start where
//! it has them, and takes over those that hold.
//!
//! Each member of a recursive component names the component, and edges within it are marked: so
//! no solution is put together from two sessions that is not the least one.

use super::bytes::{MAX_RESERVED, Malformed, Portable, Reader, Writer};
use super::identity::short;
use super::image::Image;
use super::key::KeyWriter;
use super::takeover::{self, Loaded};
use super::texts::Texts;
use super::{ArtifactKind, ArtifactStore};
use crate::compiler::Compiler;
use crate::cx::ExternalKey;
use crate::definitions::{Answer, CallKey, Question};
use crate::events::{Origin, Stage, StageEvent};
use crate::explain::Why;
use crate::graph::{Env, Graph, InferEdge, InferId, Outcome, State, external_digest};
use crate::ids::{Mi, ViewId};
use crate::solve::digests;
use crate::summary::Summarize;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use worldage_dispatch::{Lookup, MethodId, Symbol, Ty};

const CALL: u8 = 1;
const EXTERNAL: u8 = 2;
const PART: u8 = 3;
/// A part of a member of the same recursive component.
const INNER: u8 = 4;
/// A question that one method answers.
const METHOD: u8 = 5;

/// Bytes of the digest of the result, which come first.
const DIGEST: usize = 32;

/// A trace that was read: its edges are those of this session, the definitions among them
/// verified.
pub(super) struct Trace<C: Compiler> {
    pub(super) outcome: Outcome<C>,
    source: Arc<C::Source>,
    edges: Vec<InferEdge>,
    /// Callees of the same recursive component.
    inner: Vec<InferId>,
    component: u64,
}

/// The name under which the result of a unit is stored.
pub(super) fn slot<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    producer: &str,
    id: InferId,
) -> Option<[u8; 32]> {
    let unit = graph.infer(id);
    let method = env.instances.key(unit.mi).method;
    let source = env.sources.read().at(method, graph.world).cloned()?;
    let source = env.compiler.source_identity(&source)?;
    let mut key = KeyWriter::default();
    key.digest("trace", &env.view_prefix(producer, unit.view)?);
    key.number("identity", env.instance_identity(unit.mi)?);
    key.digest("source", &source);
    Some(key.name())
}

/// Takes over from the store what it has of a unit that was never computed, and of all that this
/// reaches.
pub(crate) fn load<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, root: InferId) {
    if graph.infer(root).state != State::New {
        return;
    }
    let Some(store) = super::artifacts(env, graph) else {
        return;
    };
    if graph.stored.world != Some(graph.world) {
        graph.stored.world = Some(graph.world);
        graph.stored.asked.clear();
        graph.stored.texts = Texts::default();
    }
    let start = Instant::now();
    let images = graph
        .stored
        .images
        .of_view(graph.infer(root).view, graph.world);
    // With a second image, they could be of two sessions.
    let mut complete = matches!(&images[..], [image] if image.agrees());
    let mut loaded = Loaded::default();
    // What this load reads bears its stamp.
    let visit = graph.new_visit();
    let mut order = Vec::new();
    let mut work = vec![root];
    while let Some(id) = work.pop() {
        let unit = graph.infer(id);
        if unit.state != State::New || graph.stored.asked.contains_key(&id) {
            let gave = |image: &Arc<Image<C>>| image.gave(graph, id).is_some();
            complete &= unit.walk.visit == visit || images.iter().any(gave);
            continue;
        }
        let imaged = images.iter().find_map(|image| image.infer(env, graph, id));
        complete &= imaged.is_some();
        match imaged.map_or_else(|| read(env, graph, &*store, id), Ok) {
            Ok(trace) => {
                for edge in trace.edges.iter().rev() {
                    if let InferEdge::Part { unit, .. } = edge {
                        work.push(*unit);
                    }
                }
                loaded.insert(id, trace.component, trace.inner);
                order.push(id);
                let unit = graph.infer_mut(id);
                unit.outcome = Some(Arc::new(trace.outcome));
                unit.source = Some(trace.source);
                // Dirty: settling compares all that it read.
                unit.state = State::Dirty;
                unit.loaded = true;
                unit.walk.visit = visit;
                unit.interrupted = false;
                unit.why = Why::FirstCall;
                graph.set_edges(id, trace.edges.into());
            }
            Err(why) => {
                graph.stored.asked.insert(id, Some(why));
            }
        }
    }
    if !complete {
        let asked = order.iter().map(|id| (*id, None));
        graph.stored.asked.extend(asked);
    }
    takeover::take_over(graph, order, &loaded, complete, start);
}

/// Says that a result from the store holds.
pub(crate) fn log<C: Compiler>(graph: &mut Graph<C>, id: InferId, ns: u64) {
    let world = graph.world;
    let unit = graph.infer_mut(id);
    (unit.made_in, unit.stored) = (world, true);
    let event = StageEvent {
        stage: Stage::Infer,
        mi: unit.mi,
        view: unit.view,
        shard: None,
        origin: Origin::Stored,
        ns,
    };
    graph.log.events.push(event);
}

/// Reads the trace of a unit and verifies its definitions; otherwise says what differs.
fn read<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    store: &dyn ArtifactStore,
    id: InferId,
) -> Result<Trace<C>, String> {
    let name = slot(env, graph, store.producer(), id);
    let name = name.ok_or_else(|| "it has no name outside of this session".to_owned())?;
    let mut result = None;
    let found = store.get(ArtifactKind::Trace, &name, "", &mut |payload| {
        result = Some(parse(env, graph, id, payload));
    });
    match result {
        Some(Ok(trace)) => Ok(trace),
        Some(Err(Differs::Edge(edge))) => Err(edge),
        Some(Err(Differs::Malformed(why))) => {
            // Names that this session lacks are an ordinary difference; the trace may be right
            // for another. It is replaced when this unit is stored.
            Err(why.to_string())
        }
        None if found => Err("it could not be read".to_owned()),
        None => Err("nothing is stored for its source".to_owned()),
    }
}

/// Why a trace is not used.
pub(super) enum Differs {
    /// This edge is another one now.
    Edge(String),
    Malformed(Malformed),
}

impl From<Malformed> for Differs {
    fn from(why: Malformed) -> Self {
        Differs::Malformed(why)
    }
}

fn parse<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    id: InferId,
    payload: &[u8],
) -> Result<Trace<C>, Differs> {
    let mut r = Reader::new(env.shared, payload);
    let body = OnceLock::from(Some(Box::new(r.array()?)));
    let method = env.instances.key(graph.infer(id).mi).method;
    let source = env.sources.read().at(method, graph.world).cloned();
    let source = source.ok_or(Malformed("the method was deleted"))?;
    let trace = read_result(env, graph, id, source, &mut r, false)?;
    r.finish()?;
    let outcome = Outcome {
        body,
        ..trace.outcome
    };
    Ok(Trace { outcome, ..trace })
}

/// Reads a result of inference, which was made from this source, and verifies its edges; where all
/// signatures are known to be as they were, calls have the answers that they had.
pub(super) fn read_result<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    id: InferId,
    source: Arc<C::Source>,
    r: &mut Reader<'_>,
    same_signatures: bool,
) -> Result<Trace<C>, Differs> {
    let (mi, view, world) = {
        let unit = graph.infer(id);
        (unit.mi, unit.view, graph.world)
    };
    let method = env.instances.key(mi).method;
    let inferred = env.compiler.read_inferred(r)?;
    let count = r.count()?;
    let mut edges = Vec::with_capacity(count.min(MAX_RESERVED) + 1);
    edges.push(InferEdge::Source(method));
    let mut inner = Vec::new();
    for _ in 0..count {
        let tag = r.byte()?;
        edges.push(match tag {
            METHOD if same_signatures => {
                let key = read_call(r, view)?;
                let answer = Answer::One(Lookup::Method(MethodId::read(r)?));
                debug_assert_eq!(env.definitions.read().answer(&key, world), answer);
                let call = graph.call_with(&env, key, answer);
                let answer = graph.calls[call.ix()].current;
                InferEdge::Call { call, answer }
            }
            CALL | METHOD => {
                let key = read_call(r, view)?;
                let call = graph.call(&env, key);
                let record = &graph.calls[call.ix()];
                let same = match tag {
                    METHOD => {
                        let then = MethodId::read(r)?;
                        *record.answer() == Answer::One(Lookup::Method(then))
                    }
                    _ => env.answer_identity(record.answer()) == Some(r.bits()?),
                };
                if !same {
                    let function = env.types.symbol_str(key.function);
                    let args = env.types.display(key.args);
                    let edge = format!("lookup {function} {args} has another answer");
                    return Err(Differs::Edge(edge));
                }
                InferEdge::Call {
                    call,
                    answer: record.current,
                }
            }
            EXTERNAL => {
                let key = read_external(env, r)?;
                if env.external_identity(&key, world) != Some(r.bits()?) {
                    let edge = format!("{} {} has another value", key.kind, key.name);
                    return Err(Differs::Edge(edge));
                }
                let digest = {
                    let definitions = env.definitions.read();
                    external_digest(definitions.external(&key, world).map(|value| &**value))
                };
                let external = graph.external(&key);
                InferEdge::External { external, digest }
            }
            PART | INNER => {
                let callee = Mi::read(r)?;
                let part = r.byte()?;
                let digest = r.bits()?;
                if usize::from(part) >= C::Summary::PARTS.len() {
                    return Err(Malformed("no such part of a summary").into());
                }
                let unit = graph.infer_unit(&env, callee, view);
                if tag == INNER {
                    inner.push(unit);
                }
                InferEdge::Part { unit, part, digest }
            }
            _ => return Err(Malformed("no such kind of edge").into()),
        });
    }
    let component = r.bits()?;
    let summary = C::Summary::of(&inferred);
    let parts = digests(&env, &summary);
    let outcome = Outcome {
        inferred: Ok(Arc::new(inferred)),
        summary: Some(summary),
        parts,
        body: OnceLock::new(),
    };
    Ok(Trace {
        outcome,
        source,
        edges,
        inner,
        component,
    })
}

fn read_call(r: &mut Reader<'_>, view: ViewId) -> Result<CallKey, Malformed> {
    let question = match r.byte()? {
        0 => Question::Lookup,
        1 => Question::FindAll(u32::read(r)?),
        2 => Question::Invoke,
        3 => Question::Overlaid,
        4 => Question::Defined,
        _ => return Err(Malformed("no such question")),
    };
    Ok(CallKey {
        function: Symbol::read(r)?,
        view,
        question,
        args: Ty::read(r)?,
    })
}

fn write_call(key: &CallKey, w: &mut Writer<'_>) {
    match key.question {
        Question::Lookup => w.byte(0),
        Question::FindAll(limit) => {
            w.byte(1);
            limit.write(w);
        }
        Question::Invoke => w.byte(2),
        Question::Overlaid => w.byte(3),
        Question::Defined => w.byte(4),
    }
    key.function.write(w);
    key.args.write(w);
}

fn read_external<C: Compiler>(
    env: Env<'_, C>,
    r: &mut Reader<'_>,
) -> Result<ExternalKey, Malformed> {
    let kind = Arc::<str>::read(r)?;
    let name = Arc::<str>::read(r)?;
    let kinds = env.compiler.external_kinds().iter();
    let kind = kinds.copied().find(|known| *known == &*kind);
    let kind = kind.ok_or(Malformed("no such kind of external fact"))?;
    Ok(ExternalKey { kind, name })
}

/// Puts the results of inference that were made since this was last called into the store.
pub(crate) fn save<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>) {
    let unsaved = std::mem::take(&mut graph.stored.unsaved);
    if unsaved.is_empty() {
        return;
    }
    let Some(store) = super::artifacts(env, graph) else {
        return;
    };
    let mut seen = FxHashSet::default();
    let mut units: Vec<InferId> = unsaved;
    units.retain(|id| graph.infer(*id).state == State::Clean && seen.insert(*id));
    let components = takeover::components(graph, &units);
    for number in 0..components.len() {
        let component = components.members(number);
        let recursive = takeover::is_recursive(graph, component);
        let members: FxHashSet<InferId> = match recursive {
            true => component.iter().copied().collect(),
            false => FxHashSet::default(),
        };
        let written: Option<Vec<_>> = component
            .iter()
            .map(|id| {
                let name = slot(env, graph, store.producer(), *id)?;
                Some((name, write(env, graph, *id, &members)?))
            })
            .collect();
        // A component is stored as a whole.
        let Some(mut written) = written else { continue };
        let mut name = 0;
        if recursive {
            written.sort();
            let mut all = blake3::Hasher::new();
            for (slot, payload) in &written {
                all.update(slot).update(blake3::hash(payload).as_bytes());
            }
            name = short(all.finalize().as_bytes()) | 1;
        }
        for (slot, mut payload) in written {
            payload.extend_from_slice(&name.to_le_bytes());
            store.put(ArtifactKind::Trace, &slot, "", payload);
        }
    }
}

/// A trace without the name of its component; `None` if it cannot be stored.
fn write<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    id: InferId,
    members: &FxHashSet<InferId>,
) -> Option<Vec<u8>> {
    let (outcome, inferred) = storable(graph, id)?;
    let mut w = Writer::new(env.shared);
    w.raw(&[0; DIGEST]);
    env.compiler.write_inferred(inferred, &mut w);
    let hash = || Some(Box::new(blake3::hash(&w.written()[DIGEST..]).into()));
    let body: [u8; DIGEST] = **outcome.body.get_or_init(hash).as_ref()?;
    w.patch(0, &body);
    write_edges(env, graph, id, members, &mut w)?;
    w.finish()
}

/// The result of a unit, unless it failed or is not that of the body (a widened summary).
pub(super) fn storable<C: Compiler>(
    graph: &Graph<C>,
    id: InferId,
) -> Option<(&Outcome<C>, &Arc<C::Inferred>)> {
    let outcome = graph.infer(id).outcome.as_deref()?;
    let inferred = outcome.inferred.as_ref().ok()?;
    let is_of_body = outcome.summary.as_ref() == Some(&C::Summary::of(inferred));
    is_of_body.then_some((outcome, inferred))
}

/// Writes what a unit read; `members` are those of its recursive component.
pub(super) fn write_edges<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    id: InferId,
    members: &FxHashSet<InferId>,
    w: &mut Writer<'_>,
) -> Option<()> {
    let edges = graph.infer(id).edges.iter();
    let edges: SmallVec<[&InferEdge; 16]> = edges
        .filter(|edge| !matches!(edge, InferEdge::Source(_)))
        .collect();
    w.number(edges.len() as u64);
    for edge in edges {
        match *edge {
            InferEdge::Source(_) => {}
            InferEdge::Call { call, answer } => {
                let record = &graph.calls[call.ix()];
                match record.given(answer) {
                    Answer::One(Lookup::Method(method)) => {
                        w.byte(METHOD);
                        write_call(&record.key, w);
                        method.write(w);
                    }
                    other => {
                        w.byte(CALL);
                        write_call(&record.key, w);
                        w.bits(env.answer_identity(other)?);
                    }
                }
            }
            InferEdge::External { external, .. } => {
                let key = &graph.externals[external.ix()].key;
                w.byte(EXTERNAL);
                w.bytes(key.kind.as_bytes());
                w.bytes(key.name.as_bytes());
                w.bits(env.external_identity(key, graph.world)?);
            }
            InferEdge::Part { unit, part, digest } => {
                let callee = graph.infer(unit);
                let summary = callee.outcome.as_ref()?.summary.as_ref()?;
                // The digest of a type without an identity is the session's own.
                if let Some(ty) = env.compiler.type_part(part.into(), summary) {
                    env.type_identity(ty)?;
                }
                w.byte(if members.contains(&unit) { INNER } else { PART });
                callee.mi.write(w);
                w.byte(part);
                w.bits(digest);
            }
        }
    }
    Some(())
}
