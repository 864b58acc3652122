//! Images: what one start of a program came to, in a few large parts for the next one.
//!
//! A trace is verified question by question, because anything may have changed. Mostly nothing
//! has, or a few bodies, and then every question to the method tables has the answer that it had.
//! So an image is found by *all signatures that are defined*, and holds the results of a whole
//! session, each with a digest of its method's source: inference with its edges, as a trace has
//! them, and code. What is left to verify of a result are its source, external facts, and that
//! its callees hold; a result that differs is looked for among the traces, or made again, and
//! its readers wait for that as they would for a trace.
//!
//! An image is read in the world in which a session first asks for code, and written when the
//! session ends, if enough of what it had was not in one. What the session did not ask for stays
//! in the image: then it is one of several sessions, which need not agree, and is verified like
//! traces.
//!
//! Invariants: what an image gives, traces and keys would give; equal sessions write equal bytes.

use super::bytes::{MAX_RESERVED, Malformed, Portable, Reader, Writer};
use super::code::{self, ReadDigest};
use super::identity::ShardStart;
use super::key::KeyWriter;
use super::names::Names;
use super::packed::write_list;
use super::takeover;
use super::texts::{SourceThen, Texts};
use super::trace::{self, Trace};
use super::{ArtifactKind, ArtifactStore, Bytes};
use crate::compiler::Compiler;
use crate::cx::CodegenTrace;
use crate::events::Origin;
use crate::generate::Generated;
use crate::graph::{CodeId, CodeRead, Env, Graph, InferId, State};
use crate::ids::{Mi, MiKey, ShardId, ViewId};
use crate::settle;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use worldage_dispatch::{MethodId, Symbol, Ty, TyKind, World};

/// An image is written again when one in so many of its instances came from elsewhere.
const RENEWED: usize = 8;
/// Those of more instances are not written: the end of a session would wait for them, and they would
/// crowd out everything else.
const MAX_INSTANCES: usize = 200_000;
/// A part has so many bytes, and the rest of the last result in it.
const PART: usize = 1 << 19;
/// Room for most of these.
const REST: usize = 1 << 14;
/// Bytes that are hashed together.
const PIECE: usize = 1 << 16;

/// The images of a session.
pub(crate) struct Images<C: Compiler> {
    /// The world in which they hold.
    world: Option<World>,
    /// The shards that were asked for.
    opened: Vec<ShardId>,
    all: Vec<Arc<Image<C>>>,
}

impl<C: Compiler> Default for Images<C> {
    fn default() -> Self {
        Images {
            world: None,
            opened: Vec::new(),
            all: Vec::new(),
        }
    }
}

/// What an earlier session had of one shard.
pub(super) struct Image<C: Compiler> {
    shard: ShardId,
    view: ViewId,
    names: Names,
    parts: Vec<Part>,
    /// Where the parts are.
    store: Arc<dyn ArtifactStore>,
    target: Arc<str>,
    /// Whether all of it is of one session.
    agrees: bool,
    records: Vec<Record>,
    of: FxHashMap<Mi, u32>,
    /// The results of inference that were taken from here.
    taken: Vec<OnceLock<Arc<C::Inferred>>>,
}

/// Results that are read together, once one of them is asked for.
struct Part {
    name: [u8; 32],
    len: u32,
    /// Nothing if the store does not have it.
    bytes: OnceLock<Option<Bytes>>,
}

/// The results of an instance.
struct Record {
    /// Its place among the instances that are named.
    instance: u32,
    /// The part that has them.
    part: u32,
    /// Where in it its results begin, those of codegen begin, and both end.
    at: [u32; 3],
}

impl Record {
    /// The bytes of the result of inference.
    fn infer(&self) -> Range<usize> {
        self.at[0] as usize..self.at[1] as usize
    }

    /// The bytes of what codegen made.
    fn code(&self) -> Range<usize> {
        self.at[1] as usize..self.at[2] as usize
    }
}

/// The digest of all signatures that are defined in a world, with the numbers of their methods;
/// nothing for a small program, or one with something that has no name outside of this session.
fn signatures<C: Compiler>(env: Env<'_, C>, world: World) -> Option<[u8; 32]> {
    let first = env.identities.prelude_methods();
    let methods: Vec<MethodId> = {
        let sources = env.sources.read();
        let all = (first..env.definitions.read().count()).map(|ix| MethodId(ix as u32));
        all.filter(|id| sources.at(*id, world).is_some()).collect()
    };
    if methods.len() < env.image_from {
        return None;
    }
    let (mut w, mut hasher) = (Writer::new(env.shared), blake3::Hasher::new());
    for id in methods {
        let method = env.definitions.read().method(id).clone();
        w.number(u64::from(id.0));
        w.method(&method);
        if w.written().len() >= PIECE {
            hasher.update(w.written());
            w.clear();
        }
    }
    Some(hasher.update(&w.finish()?).finalize().into())
}

/// The name of a shard's image, and the name of its target.
fn name<C: Compiler>(
    env: Env<'_, C>,
    store: &dyn ArtifactStore,
    shard: ShardId,
    world: World,
) -> Option<([u8; 32], Arc<str>)> {
    let ShardStart { list, target, .. } = env.shard_start(store.producer(), shard)?;
    let mut key = KeyWriter::default();
    key.digest("image", &list);
    key.digest("signatures", &signatures(env, world)?);
    Some((key.name(), target))
}

/// Looks for the image of a shard, if this session has not yet done so and was not yet edited
/// since it first asked for code.
pub(crate) fn open<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>, root: CodeId) {
    let (state, shard) = (graph.code(root).state, graph.code(root).shard);
    let images = &graph.stored.images;
    let too_late = images.world.is_some_and(|world| world != graph.world);
    if state != State::New || too_late || images.opened.contains(&shard) {
        return;
    }
    let Some(store) = super::artifacts(env, graph) else {
        return;
    };
    graph.stored.images.world = Some(graph.world);
    graph.stored.images.opened.push(shard);
    let Some((name, target)) = name(env, &*store, shard, graph.world) else {
        return;
    };
    let payload = store.get_whole(ArtifactKind::Image, &name, &target);
    let read = |payload: Bytes| Image::read(env, shard, &payload, store, target);
    // What this session cannot name is another program's.
    if let Some(Ok(image)) = payload.map(read) {
        graph.expect_units(image.records.len());
        graph.stored.images.all.push(Arc::new(image));
    }
}

impl<C: Compiler> Images<C> {
    /// The images that hold results of a view in this world.
    pub(super) fn of_view(&self, view: ViewId, world: World) -> Vec<Arc<Image<C>>> {
        match self.world == Some(world) {
            true => {
                let all = self.all.iter().filter(|image| image.view == view);
                all.cloned().collect()
            }
            false => Vec::new(),
        }
    }

    fn of_shard(&self, shard: ShardId) -> Option<&Arc<Image<C>>> {
        self.all.iter().find(|image| image.shard == shard)
    }
}

impl<C: Compiler> Image<C> {
    fn read(
        env: Env<'_, C>,
        shard: ShardId,
        payload: &[u8],
        store: Arc<dyn ArtifactStore>,
        target: Arc<str>,
    ) -> Result<Self, Malformed> {
        let view = env.shards.read()[shard.0 as usize].1;
        let mut r = Reader::new(env.shared, payload);
        let symbols: Vec<Symbol> = Vec::read(&mut r)?;
        let types: Vec<Ty> = Vec::read(&mut r)?;
        let known = env.definitions.read().count();
        let method = |r: &mut Reader<'_>| {
            let id = u32::read(r)?;
            match (id as usize) < known {
                true => Ok(MethodId(id)),
                false => Err(Malformed("a method is not defined here")),
            }
        };
        let methods: Vec<MethodId> = (0..r.count()?)
            .map(|_| method(&mut r))
            .collect::<Result<_, _>>()?;
        let instance = |r: &mut Reader<'_>| {
            let (method, args) = (method(r)?, Ty::read(r)?);
            if !matches!(env.types.kind(args), TyKind::Tuple { .. }) {
                return Err(Malformed("the argument types are no tuple"));
            }
            let function = env.definitions.read().method(method).function;
            Ok(env.instances.intern(MiKey {
                function,
                method,
                args,
            }))
        };
        let instances: Vec<Mi> = (0..r.count()?)
            .map(|_| instance(&mut r))
            .collect::<Result<_, _>>()?;
        let agrees = bool::read(&mut r)?;
        // No more than there are bytes.
        let count = r.count()?;
        let mut records: Vec<Record> = Vec::with_capacity(count);
        let mut of = FxHashMap::with_capacity_and_hasher(count, FxBuildHasher);
        let mut parts = Vec::new();
        while records.len() < count {
            let (name, part) = (r.array()?, parts.len() as u32);
            let mut end = 0u32;
            for _ in 0..r.count()? {
                let instance = u32::read(&mut r)?;
                let start = end;
                let code = start.saturating_add(u32::read(&mut r)?);
                end = code.saturating_add(u32::read(&mut r)?);
                let mi = instances.get(instance as usize);
                let mi = *mi.ok_or(Malformed("no such instance"))?;
                of.insert(mi, records.len() as u32);
                records.push(Record {
                    instance,
                    part,
                    at: [start, code, end],
                });
            }
            parts.push(Part {
                name,
                len: end,
                bytes: OnceLock::new(),
            });
        }
        r.finish()?;
        Ok(Image {
            shard,
            view,
            names: Names::new(&symbols, &types, &methods, &instances),
            parts,
            store,
            target,
            agrees,
            of,
            taken: (0..records.len()).map(|_| OnceLock::new()).collect(),
            records,
        })
    }

    /// Whether all of it is of one session.
    pub(super) fn agrees(&self) -> bool {
        self.agrees
    }

    /// The part that has a result; nothing if it is lost.
    fn part(&self, record: &Record) -> Option<&Bytes> {
        let part = &self.parts[record.part as usize];
        let bytes = part.bytes.get_or_init(|| {
            let found = self
                .store
                .get_whole(ArtifactKind::Part, &part.name, &self.target);
            found.filter(|bytes| bytes.len() == part.len as usize)
        });
        bytes.as_ref()
    }

    fn infer_reader(&self, record: &Record) -> Option<Reader<'_>> {
        let part = self.part(record)?;
        Some(Reader::of_part(&self.names, part, record.infer()))
    }

    fn code_reader(&self, record: &Record) -> Option<Reader<'_>> {
        let part = self.part(record)?;
        Some(Reader::of_part(&self.names, part, record.code()))
    }

    /// The place of an instance's results.
    fn find(&self, mi: Mi) -> Option<usize> {
        self.of.get(&mi).map(|ix| *ix as usize)
    }

    /// The result of inference of a unit, if its source and the external facts that it read are
    /// the same.
    pub(super) fn infer(
        &self,
        env: Env<'_, C>,
        graph: &mut Graph<C>,
        id: InferId,
    ) -> Option<Trace<C>> {
        let mi = graph.infer(id).mi;
        let ix = self.find(mi)?;
        let mut r = self.infer_reader(&self.records[ix])?;
        let then = SourceThen::read(&mut r).ok()?;
        let (texts, world) = (&mut graph.stored.texts, graph.world);
        let source = texts.same(env, mi, world, &then)?;
        let trace = trace::read_result(env, graph, id, source, &mut r, true).ok()?;
        r.finish().ok()?;
        let inferred = trace.outcome.inferred.as_ref().ok()?;
        let _known = self.taken[ix].set(Arc::clone(inferred));
        Some(trace)
    }

    /// Whether the result of inference that a unit has now is the one that was taken from here.
    pub(super) fn gave(&self, graph: &Graph<C>, id: InferId) -> Option<&Arc<C::Inferred>> {
        let unit = graph.infer(id);
        let taken = self.taken[self.find(unit.mi)?].get()?;
        let outcome = unit.outcome.as_ref().filter(|_| unit.view == self.view)?;
        let now = outcome.inferred.as_ref().ok()?;
        (unit.state == State::Clean && Arc::ptr_eq(now, taken)).then_some(taken)
    }
}

/// What codegen of a unit would make, if an image has it: its inference came from there, and all
/// that codegen read of other units is the same.
pub(super) fn find_code<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    id: CodeId,
) -> Option<Generated<C>> {
    let begin = Instant::now();
    let image = Arc::clone(graph.stored.images.of_shard(graph.code(id).shard)?);
    let (mi, infer) = (graph.code(id).mi, graph.code(id).infer);
    let inferred = Arc::clone(image.gave(graph, infer)?);
    let ix = image.find(mi)?;
    let mut r = image.code_reader(&image.records[ix])?;
    if !bool::read(&mut r).ok()? {
        return None;
    }
    let count = r.count().ok()?;
    let mut reads = Vec::with_capacity(count.min(MAX_RESERVED));
    for _ in 0..count {
        let (part, mi) = (r.byte().ok()?, Mi::read(&mut r).ok()?);
        let unit = graph.infer_unit(&env, mi, image.view);
        settle::settle(env, graph, unit);
        reads.push(match part {
            code::BODY => {
                let inferred = Arc::clone(image.gave(graph, unit)?);
                CodeRead::Body { unit, inferred }
            }
            _ => {
                let digest = r.bits().ok()?;
                let same = code::digest_now(env, graph, unit, part)? == ReadDigest::Part(digest);
                same.then_some(CodeRead::Part { unit, part, digest })?
            }
        });
    }
    let calls = Vec::<Mi>::read(&mut r).ok()?;
    let code = env.compiler.read_code(&mut r).ok()?;
    r.finish().ok()?;
    Some(Generated {
        code: Ok(code),
        inferred: Some(inferred),
        trace: CodegenTrace {
            reads,
            calls,
            missing: None,
        },
        ns: begin.elapsed().as_nanos() as u64,
        origin: Origin::Stored,
    })
}

/// Writes the images of all shards of which enough is new.
pub(crate) fn save<C: Compiler>(env: Env<'_, C>, graph: &mut Graph<C>) {
    let Some(store) = super::artifacts(env, graph) else {
        return;
    };
    let shards = env.shards.read().len();
    let mut texts = std::mem::take(&mut graph.stored.texts);
    for shard in (0..shards).map(|ix| ShardId(ix as u32)) {
        let units = units(graph, shard);
        let image = graph.stored.images.of_shard(shard).cloned();
        let gave = |id: &&InferId| {
            image
                .as_ref()
                .is_some_and(|i| i.gave(graph, **id).is_some())
        };
        let new = units.len() - units.iter().filter(gave).count();
        if units.is_empty() || units.len() < env.image_from || new * RENEWED < units.len() {
            continue;
        }
        let kept = image.map(|image| (unasked(env, graph, &mut texts, &image, &units), image));
        let kept = kept.filter(|(kept, _)| !kept.is_empty());
        let all = units.len() + kept.as_ref().map_or(0, |(kept, _)| kept.len());
        if new * RENEWED < all || all > MAX_INSTANCES {
            continue;
        }
        let Some((name, target)) = name(env, &*store, shard, graph.world) else {
            continue;
        };
        let put = &mut |bytes: Vec<u8>| {
            let part = part_name(&name, &bytes);
            store.put(ArtifactKind::Part, &part, &target, bytes);
            part
        };
        if let Some(payload) = write(env, graph, &mut texts, shard, units, kept, put) {
            store.put(ArtifactKind::Image, &name, &target, payload);
        }
    }
}

/// The records of an image that this session did not ask for, and that may hold.
fn unasked<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    texts: &mut Texts,
    image: &Image<C>,
    units: &[InferId],
) -> Vec<usize> {
    let asked = units.iter().map(|id| graph.infer(*id).mi);
    let asked: FxHashSet<Mi> = asked.collect();
    let may_hold = |ix: &usize| {
        let record = &image.records[*ix];
        let mi = Mi(image.names.instances()[record.instance as usize]);
        let source = image.infer_reader(record);
        let source = source.and_then(|mut r| SourceThen::read(&mut r).ok());
        let same = |source| texts.same(env, mi, graph.world, &source).is_some();
        !asked.contains(&mi) && source.is_some_and(same)
    };
    (0..image.records.len()).filter(may_hold).collect()
}

/// The valid infer units that the code of a shard stands on: all that they read are among them.
fn units<C: Compiler>(graph: &Graph<C>, shard: ShardId) -> Vec<InferId> {
    let mut work = Vec::new();
    for ix in 0..graph.codes.len() {
        let id = CodeId(ix as u32);
        let unit = graph.code(id);
        let is_valid = unit.shard == shard && unit.state == State::Clean;
        if is_valid && graph.find_code(unit.mi, shard) == Some(id) {
            work.push(unit.infer);
            work.extend(unit.reads.iter().map(CodeRead::unit));
        }
    }
    let mut seen: FxHashSet<InferId> = FxHashSet::default();
    let mut all = Vec::with_capacity(work.len());
    while let Some(id) = work.pop() {
        if seen.insert(id) {
            all.push(id);
            work.extend(takeover::callees(graph, id));
        }
    }
    let is_right = |id: InferId| {
        let unit = graph.infer(id);
        unit.state == State::Clean && trace::storable(graph, id).is_some()
    };
    let mut wrong: Vec<InferId> = all.iter().copied().filter(|id| !is_right(*id)).collect();
    while let Some(id) = wrong.pop() {
        if seen.remove(&id) {
            wrong.extend(&graph.infer(id).readers);
        }
    }
    all.retain(|id| seen.contains(id));
    all
}

/// The name of a part of an image of this name: equal for equal bytes.
fn part_name(image: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    let mut key = KeyWriter::default();
    key.digest("part", image);
    key.digest("content", blake3::hash(bytes).as_bytes());
    key.name()
}

/// What is written of an image: results are put away part by part.
struct Parts<'a> {
    put: &'a mut dyn FnMut(Vec<u8>) -> [u8; 32],
    /// The name of each part that was put away, and how many results it has.
    done: Vec<([u8; 32], usize)>,
    /// The results so far: the place of the instance, and the lengths of both.
    records: Vec<[u64; 3]>,
    /// How many of them are in parts that were put away.
    in_parts: usize,
}

impl Parts<'_> {
    /// Puts away what was written, if that is enough for a part.
    fn end_result(&mut self, w: &mut Writer<'_>, record: [u64; 3]) {
        self.records.push(record);
        if w.written().len() >= PART {
            self.end_part(w);
        }
    }

    fn end_part(&mut self, w: &mut Writer<'_>) {
        let count = self.records.len() - self.in_parts;
        if count > 0 {
            let name = (self.put)(w.take(PART + REST));
            self.done.push((name, count));
            self.in_parts = self.records.len();
        }
    }

    /// As they stand in an image.
    fn write(&self, w: &mut Writer<'_>) {
        w.number(self.records.len() as u64);
        let mut rest = &self.records[..];
        for (name, count) in &self.done {
            let (own, later) = rest.split_at(*count);
            rest = later;
            w.raw(name);
            w.number(*count as u64);
            own.iter().flatten().for_each(|n| w.number(*n));
        }
    }
}

/// The bytes of an image, of which the parts were put away before; nothing if something of it has
/// no name outside of this session.
fn write<C: Compiler>(
    env: Env<'_, C>,
    graph: &mut Graph<C>,
    texts: &mut Texts,
    shard: ShardId,
    mut units: Vec<InferId>,
    kept: Option<(Vec<usize>, Arc<Image<C>>)>,
    put: &mut dyn FnMut(Vec<u8>) -> [u8; 32],
) -> Option<Vec<u8>> {
    // An order that does not depend on what ran first.
    let key = |id: &InferId| env.instances.key(graph.infer(*id).mi);
    units.sort_by(|one, other| {
        let (one, other) = (key(one), key(other));
        one.method.0.cmp(&other.method.0).then_with(|| {
            let shown = |key: MiKey| env.types.display(key.args).to_string();
            shown(one).cmp(&shown(other))
        })
    });
    let mut component: FxHashMap<InferId, (u64, Arc<FxHashSet<InferId>>)> = FxHashMap::default();
    let components = takeover::components(graph, &units);
    for number in 0..components.len() {
        let members = components.members(number);
        if takeover::is_recursive(graph, members) {
            let all = Arc::new(members.iter().copied().collect());
            // Those of traces are odd: a component is taken over from one place.
            let name = (number as u64 + 1) << 1;
            let named = members.iter().map(|id| (*id, (name, Arc::clone(&all))));
            component.extend(named);
        }
    }
    let (none, graph) = (FxHashSet::default(), &*graph);
    let mut w = Writer::of_mentions(Vec::with_capacity(PART + REST));
    let agrees = kept.is_none();
    let mut parts = Parts {
        put,
        done: Vec::new(),
        records: Vec::with_capacity(units.len()),
        in_parts: 0,
    };
    if let Some((kept, image)) = kept {
        w.mention_all(&image.names);
        for record in kept.iter().map(|ix| &image.records[*ix]) {
            let (infer, code) = (record.infer(), record.code());
            w.raw(&image.part(record)?[infer.start..code.end]);
            let lengths = [infer.len(), code.len()].map(|n| n as u64);
            parts.end_result(&mut w, [record.instance.into(), lengths[0], lengths[1]]);
        }
    }
    for id in &units {
        w.mention(graph.infer(*id).mi);
    }
    for id in &units {
        let start = w.written().len();
        let mi = graph.infer(*id).mi;
        texts.source(env, mi, graph.world)?.write(&mut w);
        let (_, inferred) = trace::storable(graph, *id)?;
        env.compiler.write_inferred(inferred, &mut w);
        let (name, members) = match component.get(id) {
            Some((name, members)) => (*name, &**members),
            None => (0, &none),
        };
        trace::write_edges(env, graph, *id, members, &mut w)?;
        w.bits(name);
        let code = w.written().len();
        write_code(env, graph, graph.find_code(mi, shard), &mut w);
        let (infer, code) = (code - start, w.written().len() - code);
        let record = [w.mention(mi), infer as u64, code as u64];
        parts.end_result(&mut w, record);
    }
    parts.end_part(&mut w);
    let (_, names) = w.into_named()?;
    let mut w = Writer::new(env.shared);
    let symbol = |ix| Symbol::from_index(ix as usize);
    write_list(names.symbols(), symbol, &mut w);
    write_list(names.types(), |ix| Ty::from_index(ix as usize), &mut w);
    w.number(names.methods().len() as u64);
    names.methods().iter().for_each(|id| id.write(&mut w));
    w.number(names.instances().len() as u64);
    for mi in names.instances() {
        let key = env.instances.key(Mi(*mi));
        key.method.0.write(&mut w);
        key.args.write(&mut w);
    }
    agrees.write(&mut w);
    parts.write(&mut w);
    w.finish()
}

/// Whether there is valid code of a unit, what it was generated from, and the code.
fn write_code<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    id: Option<CodeId>,
    w: &mut Writer<'_>,
) {
    let unit = id.map(|id| graph.code(id));
    let unit = unit.filter(|unit| unit.state == State::Clean);
    let Some((unit, Some(Ok(code)))) = unit.map(|unit| (unit, &unit.code)) else {
        return false.write(w);
    };
    true.write(w);
    w.number(unit.reads.len() as u64);
    for read in &unit.reads {
        let mi = graph.infer(read.unit()).mi;
        match read {
            CodeRead::Part { part, digest, .. } => {
                w.byte(*part);
                mi.write(w);
                w.bits(*digest);
            }
            CodeRead::Body { .. } => {
                w.byte(code::BODY);
                mi.write(w);
            }
        }
    }
    w.number(unit.calls.len() as u64);
    let calls = unit.calls.iter().map(|callee| graph.code(*callee).mi);
    calls.for_each(|callee| callee.write(w));
    env.compiler.write_code(code, w);
}
