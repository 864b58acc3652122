//! Code in the store: named by everything that it was generated from.
//!
//! What codegen will read is known only when it has run. So the newest keys of an instance's code
//! in a shard are kept too, each with what codegen read, in order: a key that can be built again
//! from what holds now names code that codegen would make. As soon as one part differs, the rest
//! of that key is not looked at.

use super::bytes::{Malformed, Portable, Reader, Writer};
use super::key::{self, KeyWriter};
use super::{ArtifactKind, ArtifactStore, FORMAT};
use crate::compiler::Compiler;
use crate::cx::CodegenTrace;
use crate::events::Origin;
use crate::generate::Generated;
use crate::graph::{CodeId, CodeRead, CodeReadKind, Env, Graph, InferId, State};
use crate::ids::Mi;
use crate::settle;
use crate::summary::Summarize;
use std::sync::Arc;
use std::time::Instant;

/// Keys that are kept of an instance and shard: as many variants of a program can take turns.
const KEYS: usize = 4;
/// Marks a read of a whole body, where others name a part.
const BODY: u8 = u8::MAX;

/// What all keys of an instance's code in a shard begin with.
struct Start {
    key: KeyWriter,
    target: Arc<str>,
}

/// The digest of the body of a unit.
fn body<C: Compiler>(env: Env<'_, C>, graph: &Graph<C>, id: InferId) -> Option<[u8; 32]> {
    let outcome = graph.infer(id).outcome.as_ref()?;
    let inferred = outcome.inferred.as_ref().ok()?;
    *outcome.body.get_or_init(|| {
        let mut w = Writer::new(env.shared);
        env.compiler.write_inferred(inferred, &mut w);
        w.finish().map(|bytes| blake3::hash(&bytes).into())
    })
}

/// The name of the list of keys, and what each of them begins with.
fn start<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    producer: &str,
    id: CodeId,
) -> Option<([u8; 32], Start)> {
    let unit = graph.code(id);
    let (shard, view) = env.shards.read()[unit.shard.0 as usize].clone();
    let (target, details) = env.target(unit.shard)?;
    let mut key = KeyWriter::default();
    key.number("format", FORMAT);
    key.text("compiler", producer);
    key.text("instance", &crate::names::instance_name(&env, unit.mi));
    key.number("identity", env.instance_identity(unit.mi)?);
    key.text("shard", &shard.to_string());
    key.text("target", &target);
    key.digest("details", &details);
    let mut list = key.clone();
    list.text("view", &env.view_name(view)?);
    Some((list.name(), Start { key, target }))
}

fn add_read<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    key: &mut KeyWriter,
    unit: InferId,
    part: u8,
) -> Option<()> {
    let name = crate::names::instance_name(&env, graph.infer(unit).mi);
    let outcome = graph.infer(unit).outcome.as_ref()?;
    if part == BODY {
        key.digest(&format!("body {name}"), &body(env, graph, unit)?);
        return Some(());
    }
    let summary = outcome.summary.as_ref()?;
    if let Some(ty) = env.compiler.type_part(part.into(), summary) {
        env.type_identity(ty)?;
    }
    let of = C::Summary::PARTS.get(usize::from(part))?;
    let digest = *outcome.parts.get(usize::from(part))?;
    key.number(&format!("{} {name}", of.name), digest);
    Some(())
}

/// One remembered key: its bytes, and what codegen read.
struct Remembered {
    key: Vec<u8>,
    reads: Vec<(u8, Mi)>,
}

fn read_remembered<C: Compiler>(env: Env<'_, C>, bytes: &[u8]) -> Result<Remembered, Malformed> {
    let mut r = Reader::new(env.shared, bytes);
    let key = r.bytes()?.to_vec();
    let reads = (0..r.count()?)
        .map(|_| Ok((r.byte()?, Mi::read(&mut r)?)))
        .collect::<Result<_, Malformed>>()?;
    r.finish()?;
    Ok(Remembered { key, reads })
}

/// The remembered keys, each as it was written.
fn split(payload: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut rest = payload;
    while let Some((len, after)) = rest.split_first_chunk() {
        let Some((one, after)) = after.split_at_checked(u32::from_le_bytes(*len) as usize) else {
            break;
        };
        all.push(one.to_vec());
        rest = after;
    }
    all
}

fn keys(store: &dyn ArtifactStore, list: &[u8; 32], target: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    store.get(ArtifactKind::Keys, list, target, &mut |payload| {
        all = split(payload)
    });
    all
}

/// What codegen of a unit would make, if the store has it.
pub(crate) fn find_code<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    id: CodeId,
) -> Option<Generated<C>> {
    let store = super::artifacts(env, graph)?;
    let begin = Instant::now();
    let infer = graph.code(id).infer;
    settle::settle(env, graph, infer);
    let (list, mut start) = start(env, graph, store.producer(), id)?;
    let target = Arc::clone(&start.target);
    let own = body(env, graph, infer)?;
    start.key.digest("inferred", &own);
    for bytes in keys(&*store, &list, &target) {
        // What this session cannot name is another program's.
        let Ok(remembered) = read_remembered(env, &bytes) else {
            continue;
        };
        let Some((name, reads)) = rebuild(env, graph, id, &start.key, &remembered) else {
            continue;
        };
        let mut result = None;
        store.get(ArtifactKind::Code, &name, &target, &mut |payload| {
            let mut r = Reader::new(env.shared, payload);
            let code = Vec::<Mi>::read(&mut r)
                .and_then(|calls| Ok((calls, env.compiler.read_code(&mut r)?)))
                .and_then(|code| r.finish().map(|()| code));
            result = Some(code);
        });
        match result {
            Some(Ok((calls, code))) => {
                let outcome = graph.infer(infer).outcome.as_ref()?;
                return Some(Generated {
                    code: Ok(code),
                    inferred: outcome.inferred.clone().ok(),
                    trace: CodegenTrace {
                        reads,
                        calls,
                        missing: None,
                    },
                    ns: begin.elapsed().as_nanos() as u64,
                    origin: Origin::Stored,
                });
            }
            Some(Err(why)) => store.reject(ArtifactKind::Code, &name, &why),
            None => {}
        }
    }
    None
}

/// Builds a remembered key again from what holds now; the code's name if it is the same.
fn rebuild<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    id: CodeId,
    start: &KeyWriter,
    remembered: &Remembered,
) -> Option<([u8; 32], Vec<CodeRead<C>>)> {
    let view = graph.infer(graph.code(id).infer).view;
    let mut key = start.clone();
    let mut reads = Vec::with_capacity(remembered.reads.len());
    for (part, mi) in &remembered.reads {
        // Only while all that was read before is the same would codegen read this.
        if !remembered.key.starts_with(&key.bytes) {
            return None;
        }
        let unit = graph.infer_unit(&env, *mi, view);
        settle::settle(env, graph, unit);
        debug_assert!(graph.infer(unit).state == State::Clean);
        add_read(env, graph, &mut key, unit, *part)?;
        let outcome = graph.infer(unit).outcome.as_ref()?;
        let what = match *part {
            BODY => CodeReadKind::Body(outcome.inferred.clone().ok()?),
            part => CodeReadKind::Part(part, *outcome.parts.get(usize::from(part))?),
        };
        reads.push(CodeRead { unit, what });
    }
    (key.bytes == remembered.key).then(|| (key.name(), reads))
}

/// Why the store has no code for a unit: the first part of the nearest remembered key that
/// differs; and where such keys are kept.
pub(super) fn miss<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    id: CodeId,
) -> (String, Option<[u8; 32]>) {
    let Some(store) = super::artifacts(env, graph) else {
        return ("there is no store".to_owned(), None);
    };
    let Some((list, mut start)) = start(env, graph, store.producer(), id) else {
        return ("it has no name outside of this session".to_owned(), None);
    };
    let all = keys(&*store, &list, &start.target);
    let Some(nearest) = all
        .iter()
        .find_map(|bytes| read_remembered(env, bytes).ok())
    else {
        let why = "nothing is stored for its shard";
        return (why.to_owned(), Some(list));
    };
    if let Some(own) = body(env, graph, graph.code(id).infer) {
        start.key.digest("inferred", &own);
    }
    let view = graph.infer(graph.code(id).infer).view;
    for (part, mi) in &nearest.reads {
        let unit = graph.find_infer(*mi, view);
        let unit = unit.filter(|unit| graph.infer(*unit).state == State::Clean);
        let added = unit.and_then(|unit| add_read(env, graph, &mut start.key, unit, *part));
        if added.is_none() {
            break;
        }
    }
    let why = match key::first_difference(&nearest.key, &start.key.bytes) {
        Some(part) => format!("`{part}` differs from the nearest key"),
        None => "its key is known, and the code is not there".to_owned(),
    };
    (why, Some(list))
}

/// Puts code that was just generated into the store, with its key.
pub(crate) fn save_code<C: Compiler>(env: Env<'_, C>, graph: &Graph<C>, id: CodeId) {
    let Some(store) = super::artifacts(env, graph) else {
        return;
    };
    let _not_storable = try_save(env, graph, &*store, id);
}

fn try_save<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    store: &dyn ArtifactStore,
    id: CodeId,
) -> Option<()> {
    let unit = graph.code(id);
    let Some(Ok(code)) = &unit.code else {
        return None;
    };
    let (list, Start { mut key, target }) = start(env, graph, store.producer(), id)?;
    key.digest("inferred", &body(env, graph, unit.infer)?);
    let mut w = Writer::new(env.shared);
    let mut reads = Vec::with_capacity(unit.reads.len());
    for read in &unit.reads {
        let part = match read.what {
            CodeReadKind::Part(part, _) => part,
            CodeReadKind::Body(_) => BODY,
        };
        add_read(env, graph, &mut key, read.unit, part)?;
        reads.push((part, graph.infer(read.unit).mi));
    }
    w.bytes(&key.bytes);
    w.number(reads.len() as u64);
    for (part, mi) in reads {
        w.byte(part);
        mi.write(&mut w);
    }
    let remembered = w.finish()?;
    let mut w = Writer::new(env.shared);
    let calls: Vec<Mi> = unit
        .calls
        .iter()
        .map(|callee| graph.code(*callee).mi)
        .collect();
    calls.write(&mut w);
    env.compiler.write_code(code, &mut w);
    let payload = w.finish()?;
    store.put(ArtifactKind::Code, &key.name(), &target, payload);
    let mut all = vec![remembered];
    let earlier = keys(store, &list, &target);
    let newest = all[0].clone();
    let others = earlier.into_iter().filter(|other| *other != newest);
    all.extend(others.take(KEYS - 1));
    let mut payload = Vec::with_capacity(all.iter().map(|one| one.len() + 4).sum());
    for one in &all {
        let len = u32::try_from(one.len()).ok()?;
        payload.extend_from_slice(&len.to_le_bytes());
        payload.extend_from_slice(one);
    }
    store.put(ArtifactKind::Keys, &list, &target, payload);
    Some(())
}
