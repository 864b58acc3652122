//! Code in the store: named by everything that it was generated from.
//!
//! What codegen will read is known only when it has run. So the newest keys of an instance's code
//! in a shard are kept too, each with what codegen read, in order: a key that can be built again
//! from what holds now names code that codegen would make. As soon as one part differs, the rest
//! of that key is not looked at.

use super::bytes::{Malformed, Portable, Reader, Writer};
use super::identity::ShardStart;
use super::key::{self, KeyWriter};
use super::{ArtifactKind, ArtifactStore};
use crate::compiler::Compiler;
use crate::cx::CodegenTrace;
use crate::events::Origin;
use crate::generate::Generated;
use crate::graph::{CodeId, CodeRead, Env, Graph, InferId, State};
use crate::ids::Mi;
use crate::settle;
use crate::summary::Summarize;
use rustc_hash::FxHashMap;
use std::time::Instant;

/// Keys that are kept of an instance and shard: as many variants of a program can take turns.
const KEYS: usize = 4;
/// Marks a read of a whole body, where others name a part.
pub(super) const BODY: u8 = u8::MAX;

/// The digest of the body of a unit.
fn body<C: Compiler>(env: Env<'_, C>, graph: &Graph<C>, id: InferId) -> Option<[u8; 32]> {
    let outcome = graph.infer(id).outcome.as_ref()?;
    let inferred = outcome.inferred.as_ref().ok()?;
    let body = outcome.body.get_or_init(|| {
        let mut w = Writer::new(env.shared);
        env.compiler.write_inferred(inferred, &mut w);
        w.finish()
            .map(|bytes| Box::new(blake3::hash(&bytes).into()))
    });
    body.as_deref().copied()
}

/// What is the same for all code of a unit's shard, and the name of the unit's list of keys.
fn list<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    producer: &str,
    id: CodeId,
) -> Option<(ShardStart, [u8; 32])> {
    let unit = graph.code(id);
    let start = env.shard_start(producer, unit.shard)?;
    let mut key = KeyWriter::default();
    key.digest("keys", &start.list);
    key.number("identity", env.instance_identity(unit.mi)?);
    Some((start, key.name()))
}

/// What all keys of an instance's code in a shard begin with.
fn begin_key<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    start: &ShardStart,
    id: CodeId,
) -> Option<KeyWriter> {
    let unit = graph.code(id);
    let mut key = KeyWriter::clone(&start.key);
    key.text("instance", &crate::names::instance_name(&env, unit.mi));
    key.number("identity", env.instance_identity(unit.mi)?);
    key.digest("inferred", &body(env, graph, unit.infer)?);
    Some(key)
}

fn add_read<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    key: &mut KeyWriter,
    (unit, name): (InferId, &str),
    part: u8,
) -> Option<()> {
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

/// One remembered key.
struct Remembered<'a> {
    /// Part by part, for people and for what it differs in.
    key: &'a [u8],
    /// The code that it names.
    name: [u8; 32],
    /// The digest of the inferred body.
    inferred: [u8; 32],
    /// What codegen read and a digest of it, in the order of the reads.
    reads: Reader<'a>,
}

fn read_remembered<'a, C: Compiler>(
    env: Env<'a, C>,
    bytes: &'a [u8],
) -> Result<Remembered<'a>, Malformed> {
    let mut reads = Reader::new(env.shared, bytes);
    Ok(Remembered {
        key: reads.bytes()?,
        name: reads.array()?,
        inferred: reads.array()?,
        reads,
    })
}

/// A part or body that codegen read, and its digest then.
struct Read {
    part: u8,
    mi: Mi,
    digest: ReadDigest,
}

#[derive(PartialEq)]
pub(super) enum ReadDigest {
    Part(u64),
    Body([u8; 32]),
}

fn next_read(reads: &mut Reader<'_>) -> Result<Read, Malformed> {
    let (part, mi) = (reads.byte()?, Mi::read(reads)?);
    let digest = match part {
        BODY => ReadDigest::Body(reads.array()?),
        _ => ReadDigest::Part(reads.bits()?),
    };
    Ok(Read { part, mi, digest })
}

fn write_read(read: &Read, w: &mut Writer<'_>) {
    w.byte(read.part);
    read.mi.write(w);
    match &read.digest {
        ReadDigest::Part(digest) => w.bits(*digest),
        ReadDigest::Body(digest) => w.raw(digest),
    }
}

/// What codegen would see now.
pub(super) fn digest_now<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    unit: InferId,
    part: u8,
) -> Option<ReadDigest> {
    Some(match part {
        BODY => ReadDigest::Body(body(env, graph, unit)?),
        _ => {
            let outcome = graph.infer(unit).outcome.as_ref()?;
            ReadDigest::Part(*outcome.parts.get(usize::from(part))?)
        }
    })
}

/// The remembered keys, each as it was written.
fn split(mut payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, after) = payload.split_first_chunk::<LENGTH>()?;
        let (one, rest) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        payload = rest;
        Some(one)
    })
}

/// Bytes of the length of a remembered key.
const LENGTH: usize = 4;

fn keys(store: &dyn ArtifactStore, list: &[u8; 32], target: &str) -> Vec<u8> {
    let mut all = Vec::new();
    store.get(ArtifactKind::Keys, list, target, &mut |payload| {
        all = payload.to_vec();
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
    if let Some(found) = super::image::find_code(env, graph, id) {
        return Some(found);
    }
    let (ShardStart { target, .. }, list) = list(env, graph, store.producer(), id)?;
    let own = body(env, graph, infer)?;
    let all = keys(&*store, &list, &target);
    let mut found = None;
    for bytes in split(&all) {
        // What this session cannot name is another program's.
        let Ok(remembered) = read_remembered(env, bytes) else {
            continue;
        };
        if remembered.inferred != own {
            continue;
        }
        let Some(reads) = verify(env, graph, id, remembered.reads) else {
            continue;
        };
        let mut result = None;
        store.get(
            ArtifactKind::Code,
            &remembered.name,
            &target,
            &mut |payload| {
                let mut r = Reader::new(env.shared, payload);
                let code = Vec::<Mi>::read(&mut r)
                    .and_then(|calls| Ok((calls, env.compiler.read_code(&mut r)?)))
                    .and_then(|code| r.finish().map(|()| code));
                result = Some(code);
            },
        );
        match result {
            Some(Ok((calls, code))) => {
                let outcome = graph.infer(infer).outcome.as_ref()?;
                found = Some(Generated {
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
                break;
            }
            Some(Err(why)) => store.reject(ArtifactKind::Code, &remembered.name, &why),
            None => {}
        }
    }
    if found.is_none() {
        // Codegen will run, and put its key before these.
        graph.stored.keys.insert(id, all);
    }
    found
}

/// What codegen read then, if all of it is the same now.
fn verify<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    id: CodeId,
    mut remembered: Reader<'_>,
) -> Option<Vec<CodeRead<C>>> {
    let view = graph.infer(graph.code(id).infer).view;
    let count = remembered.count().ok()?;
    let mut reads = Vec::with_capacity(count);
    for _ in 0..count {
        // Only while all that was read before is the same would codegen read this.
        let Read { part, mi, digest } = next_read(&mut remembered).ok()?;
        let unit = graph.infer_unit(&env, mi, view);
        settle::settle(env, graph, unit);
        debug_assert!(graph.infer(unit).state == State::Clean);
        if digest_now(env, graph, unit, part)? != digest {
            return None;
        }
        reads.push(match digest {
            ReadDigest::Part(digest) => CodeRead::Part { unit, part, digest },
            ReadDigest::Body(_) => {
                let outcome = graph.infer(unit).outcome.as_ref()?;
                let inferred = outcome.inferred.clone().ok()?;
                CodeRead::Body { unit, inferred }
            }
        });
    }
    remembered.finish().ok()?;
    Some(reads)
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
    let named = list(env, graph, store.producer(), id).and_then(|(start, list)| {
        let key = begin_key(env, graph, &start, id)?;
        Some((key, start.target, list))
    });
    let Some((mut start, target, list)) = named else {
        return ("it has no name outside of this session".to_owned(), None);
    };
    let all = keys(&*store, &list, &target);
    let Some(mut nearest) = split(&all).find_map(|bytes| read_remembered(env, bytes).ok()) else {
        let why = "nothing is stored for its shard";
        return (why.to_owned(), Some(list));
    };
    let view = graph.infer(graph.code(id).infer).view;
    for _ in 0..nearest.reads.count().unwrap_or(0) {
        let Ok(read) = next_read(&mut nearest.reads) else {
            break;
        };
        let unit = graph.find_infer(read.mi, view);
        let unit = unit.filter(|unit| graph.infer(*unit).state == State::Clean);
        let name = crate::names::instance_name(&env, read.mi);
        let added =
            unit.and_then(|unit| add_read(env, graph, &mut start, (unit, &name), read.part));
        if added.is_none() {
            break;
        }
    }
    let why = match key::first_difference(nearest.key, &start.bytes) {
        Some(part) => format!("`{part}` differs from the nearest key"),
        None => "its key is known, and the code is not there".to_owned(),
    };
    (why, Some(list))
}

/// Of code that was generated though the store had code of its instance and shard: the first part
/// in which its key differs from the nearest one there; nothing if that is its own inference,
/// which tells more.
pub(crate) fn differs<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    id: CodeId,
) -> Option<String> {
    let store = super::artifacts(env, graph)?;
    let (ShardStart { target, .. }, list) = list(env, graph, store.producer(), id)?;
    let own = code_key(env, graph, store.producer(), id)?;
    let all = keys(&*store, &list, &target);
    let remembered = split(&all).filter_map(|bytes| read_remembered(env, bytes).ok());
    // Its own key may be among them by now.
    let nearest = remembered.map(|one| one.key).find(|key| *key != own)?;
    let part = key::first_difference(nearest, &own).filter(|part| part != "inferred")?;
    Some(format!("store  `{part}` differs from the nearest key"))
}

/// Adds all that codegen read to a key; gives it as it is now.
fn add_reads<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    key: &mut KeyWriter,
    id: CodeId,
) -> Option<Vec<Read>> {
    let unit = graph.code(id);
    let mut names: FxHashMap<InferId, String> = FxHashMap::default();
    let mut reads = Vec::with_capacity(unit.reads.len());
    for read in &unit.reads {
        let (unit, part) = match read {
            CodeRead::Part { unit, part, .. } => (*unit, *part),
            CodeRead::Body { unit, .. } => (*unit, BODY),
        };
        let mi = graph.infer(unit).mi;
        let name = names.entry(unit);
        let name = name.or_insert_with(|| crate::names::instance_name(&env, mi));
        add_read(env, graph, key, (unit, name), part)?;
        let digest = digest_now(env, graph, unit, part)?;
        reads.push(Read { part, mi, digest });
    }
    Some(reads)
}

/// The bytes of the key of code that is up to date.
pub(crate) fn code_key<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    producer: &str,
    id: CodeId,
) -> Option<Vec<u8>> {
    let (start, _) = list(env, graph, producer, id)?;
    let mut key = begin_key(env, graph, &start, id)?;
    add_reads(env, graph, &mut key, id)?;
    Some(key.bytes)
}

/// Puts code that was just generated into the store, with its key.
pub(crate) fn save_code<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, id: CodeId) {
    let Some(store) = super::artifacts(env, graph) else {
        return;
    };
    let earlier = graph.stored.keys.remove(&id);
    let _not_storable = try_save(env, graph, &*store, id, earlier);
}

fn try_save<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    store: &dyn ArtifactStore,
    id: CodeId,
    earlier: Option<Vec<u8>>,
) -> Option<()> {
    let unit = graph.code(id);
    let Some(Ok(code)) = &unit.code else {
        return None;
    };
    let (start, list) = list(env, graph, store.producer(), id)?;
    let target = &*start.target;
    let mut key = begin_key(env, graph, &start, id)?;
    let reads = add_reads(env, graph, &mut key, id)?;
    let name = key.name();
    let mut w = Writer::new(env.shared);
    w.bytes(&key.bytes);
    w.raw(&name);
    w.raw(&body(env, graph, unit.infer)?);
    w.number(reads.len() as u64);
    reads.iter().for_each(|read| write_read(read, &mut w));
    let newest = w.finish()?;
    let mut w = Writer::new(env.shared);
    w.number(unit.calls.len() as u64);
    let calls = unit.calls.iter().map(|callee| graph.code(*callee).mi);
    calls.for_each(|callee| callee.write(&mut w));
    env.compiler.write_code(code, &mut w);
    let payload = w.finish()?;
    store.put(ArtifactKind::Code, &name, target, payload);
    let earlier = earlier.unwrap_or_else(|| keys(store, &list, target));
    let others = split(&earlier).filter(|other| *other != newest);
    let all = std::iter::once(&newest[..]).chain(others).take(KEYS);
    let mut payload = Vec::with_capacity(earlier.len() + newest.len() + LENGTH);
    for one in all {
        let len = u32::try_from(one.len()).ok()?;
        payload.extend_from_slice(&len.to_le_bytes());
        payload.extend_from_slice(one);
    }
    store.put(ArtifactKind::Keys, &list, target, payload);
    Some(())
}
