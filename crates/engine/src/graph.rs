//! The dependency graph of one world: units, what they read, and who read them.
//!
//! An *infer unit* is an instance in a view, a *code unit* an instance in a shard. Forward edges
//! say what a result was decided on, with the value that was seen; reverse edges say whom to
//! mark. The graph of the newest world lives through edits; a graph of an older world is built
//! when somebody calls there.
//!
//! Invariants: a clean unit reads clean units only; forward and reverse edges agree; an edge
//! stands once per reader.

use crate::answers::Answers;
use crate::chunks::Chunks;
use crate::code_instance::{CodeInstance, Front};
use crate::compiler::Compiler;
use crate::cx::ExternalKey;
use crate::definitions::{CallKey, Definitions};
use crate::error::Failed;
use crate::explain::Why;
use crate::ids::{Linking, Mi, ShardId, ViewId};
use crate::instances::Instances;
use crate::persist::{ArtifactStore, Identities, Stored};
use crate::recorded::{Asked, CallRecord};
use crate::retire::{Retired, question};
use crate::ripple::Ripple;
use crate::sync::{AtomicBool, AtomicU64, Mutex, RwLock};
use crate::walk::Walk;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use thin_vec::ThinVec;
use worldage_dispatch::{MethodId, Symbol, Types, World, WorldRange};

/// What all graphs of a session share.
pub(crate) struct Shared<C: Compiler> {
    pub(crate) compiler: C,
    pub(crate) types: Arc<Types>,
    pub(crate) definitions: Arc<RwLock<Definitions>>,
    pub(crate) sources: RwLock<crate::definitions::Sources<C::Source>>,
    pub(crate) instances: Instances,
    /// Every shard and the view that its inference sees.
    pub(crate) shards: RwLock<Vec<(C::Shard, ViewId)>>,
    pub(crate) threads: usize,
    pub(crate) live: AtomicBool,
    /// The number of the newest cell, of any graph.
    pub(crate) cells: AtomicU64,
    /// Where results are kept beyond the session.
    pub(crate) store: RwLock<Option<Arc<dyn ArtifactStore>>>,
    pub(crate) identities: Identities,
    /// What the store does not have is an error.
    pub(crate) strict: AtomicBool,
    /// Whether every stage is run twice and compared.
    pub(crate) checking: AtomicBool,
    /// Instances that one demand may reach anew.
    pub(crate) max_instances: usize,
    /// From how many methods and instances on images are kept.
    pub(crate) image_from: usize,
    /// Edits that have waited for long enough to cancel what runs.
    pub(crate) impatient: AtomicU64,
}

impl<C: Compiler> Shared<C> {
    pub(crate) fn linking(&self) -> Linking {
        match self.live.load(Ordering::Relaxed) {
            true => Linking::Live,
            false => Linking::Pinned,
        }
    }
}

/// What evaluation in one graph may look at beside the graph.
pub(crate) struct Env<'a, C: Compiler> {
    pub(crate) shared: &'a Shared<C>,
    /// For a graph of an older world: the graph of the newest one, whose results may hold there.
    pub(crate) newest: Option<&'a Graph<C>>,
    /// The other graphs of older worlds.
    pub(crate) older: &'a [&'a Graph<C>],
    /// Whether an edit that waits cancels this evaluation.
    pub(crate) gives_way: bool,
}

impl<'a, C: Compiler> Env<'a, C> {
    /// With no graph but the newest one, to the end.
    pub(crate) fn alone(shared: &'a Shared<C>) -> Self {
        Env {
            shared,
            newest: None,
            older: &[],
            gives_way: false,
        }
    }

    /// Whether there is no other graph.
    pub(crate) fn is_alone(&self) -> bool {
        self.newest.is_none() && self.older.is_empty()
    }

    /// The same, to the end even if an edit waits.
    pub(crate) fn to_the_end(self) -> Self {
        Env {
            gives_way: false,
            ..self
        }
    }

    /// Whether an edit waits for this evaluation to stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.gives_way && self.shared.impatient.load(Ordering::Relaxed) > 0
    }

    /// Whether what is linked now follows later definitions. Older worlds are pinned in every
    /// mode: nothing may be patched under them.
    pub(crate) fn is_live(&self) -> bool {
        self.newest.is_none() && self.shared.linking() == Linking::Live
    }
}

impl<C: Compiler> Clone for Env<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Compiler> Copy for Env<'_, C> {}

impl<C: Compiler> std::ops::Deref for Env<'_, C> {
    type Target = Shared<C>;
    fn deref(&self) -> &Shared<C> {
        self.shared
    }
}

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) u32);
        impl $name {
            pub(crate) fn ix(self) -> usize {
                self.0 as usize
            }
        }
    };
}
index!(
    /// An infer unit.
    InferId
);
index!(
    /// A code unit.
    CodeId
);
index!(
    /// A recorded question.
    CallId
);
index!(
    /// A recorded external fact.
    ExternalId
);

/// No infer unit.
const NONE: InferId = InferId(u32::MAX);

/// How far a unit's result can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Never computed.
    New,
    /// Valid in the graph's world.
    Clean,
    /// Something below changed; what it read itself may be equal.
    Marked,
    /// Something that it read itself changed.
    Dirty,
    /// Being settled: readers see the provisional value.
    Active,
}

/// The result of inference, or its failure.
pub(crate) struct Outcome<C: Compiler> {
    pub(crate) inferred: Result<Arc<C::Inferred>, Failed>,
    /// `None` only where inference failed.
    pub(crate) summary: Option<C::Summary>,
    /// Digests of the summary's parts.
    pub(crate) parts: [u64; 4],
    /// The digest of the body's bytes, once it is asked for; `None` if it has none.
    pub(crate) body: OnceLock<Option<Box<[u8; 32]>>>,
}

/// Units that read something; mostly one or two.
pub(crate) type Readers = SmallVec<[InferId; 4]>;

/// A result as readers see it; `None` stands for bottom.
pub(crate) type Published<C> = Option<Arc<Outcome<C>>>;

/// Something that inference read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InferEdge {
    /// The method's source (the unit keeps the one that was seen).
    Source(MethodId),
    /// An answer: its number in the record of the question.
    Call { call: CallId, answer: u32 },
    /// An external fact and the digest of the value that was seen.
    External { external: ExternalId, digest: u64 },
    /// A part of another unit's summary and the digest that was seen.
    Part {
        unit: InferId,
        part: u8,
        digest: u64,
    },
}

/// A result with everything that it was decided on.
pub(crate) struct Known<C: Compiler> {
    pub(crate) outcome: Arc<Outcome<C>>,
    pub(crate) source: Option<Arc<C::Source>>,
    pub(crate) edges: Box<[InferEdge]>,
}

impl<C: Compiler> InferUnit<C> {
    /// The current result.
    pub(crate) fn known(&self) -> Option<Known<C>> {
        let outcome = self.outcome.clone()?;
        Some(Known {
            outcome,
            source: self.source.clone(),
            edges: self.edges.clone(),
        })
    }
}

/// An instance in a view. What marking looks at comes first, so that it lies close together.
#[repr(C)]
pub(crate) struct InferUnit<C: Compiler> {
    pub(crate) state: State,
    /// On the evaluation stack now.
    pub(crate) running: bool,
    pub(crate) queued: bool,
    /// A run of its component was given up: it must run again.
    pub(crate) interrupted: bool,
    /// Its result is that of another graph, not verified yet.
    pub(crate) taken_over: bool,
    /// The result came from the store, and was not yet found to hold.
    pub(crate) loaded: bool,
    /// First and last world that marked it since it was clean.
    pub(crate) marked: Option<WorldRange>,
    pub(crate) readers: Readers,
    /// Code units that read this unit's parts or body, its own among them.
    pub(crate) code_readers: SmallVec<[CodeId; 4]>,
    pub(crate) mi: Mi,
    pub(crate) view: ViewId,
    /// The infer units of the same method that were made before and after it.
    older: InferId,
    newer: InferId,
    pub(crate) walk: Walk,
    pub(crate) outcome: Published<C>,
    pub(crate) edges: Box<[InferEdge]>,
    pub(crate) runs: u32,
    /// The source that `outcome` was made from.
    pub(crate) source: Option<Arc<C::Source>>,
    /// The provisional result while the unit is active.
    pub(crate) fresh: Published<C>,
    /// The world that the result is valid from.
    pub(crate) first: World,
    pub(crate) past: ThinVec<(WorldRange, Known<C>)>,
    /// The result that the running settling replaces.
    pub(crate) superseded: Option<Box<Known<C>>>,
    pub(crate) why: Why,
    /// The world that its stage ran in last, or a store's result was found to hold in.
    pub(crate) made_in: World,
    pub(crate) stored: bool,
}

/// Something that codegen read of an infer unit.
pub(crate) enum CodeRead<C: Compiler> {
    /// A part, with the digest that was seen.
    Part {
        unit: InferId,
        part: u8,
        digest: u64,
    },
    /// The body that was inlined or folded.
    Body {
        unit: InferId,
        inferred: Arc<C::Inferred>,
    },
}

impl<C: Compiler> CodeRead<C> {
    pub(crate) fn unit(&self) -> InferId {
        match self {
            CodeRead::Part { unit, .. } | CodeRead::Body { unit, .. } => *unit,
        }
    }

    pub(crate) fn is_body(&self) -> bool {
        matches!(self, CodeRead::Body { .. })
    }
}

/// Code with everything that it was generated from.
pub(crate) struct KnownCode<C: Compiler> {
    pub(crate) code: Arc<C::Code>,
    pub(crate) inferred: Arc<C::Inferred>,
    pub(crate) reads: Box<[CodeRead<C>]>,
    pub(crate) calls: Box<[CodeId]>,
}

/// An instance in a shard. What marking looks at comes first, so that it lies close together.
#[repr(C)]
pub(crate) struct CodeUnit<C: Compiler> {
    pub(crate) state: State,
    /// The edit that marked it last changed what code that it calls, or calls through others,
    /// was generated from.
    pub(crate) calls_edited: bool,
    /// Chosen by the linking that is under way.
    pub(crate) linking: bool,
    pub(crate) marked: Option<WorldRange>,
    /// What host callers hold, once one asked for it.
    pub(crate) front: Option<Arc<Front<C>>>,
    pub(crate) callers: SmallVec<[CodeId; 4]>,
    pub(crate) mi: Mi,
    pub(crate) shard: ShardId,
    pub(crate) infer: InferId,
    pub(crate) walk: Walk,
    pub(crate) calls: Box<[CodeId]>,
    pub(crate) ci: Option<Arc<CodeInstance<C>>>,
    pub(crate) code: Option<Result<Arc<C::Code>, Failed>>,
    /// What the code was generated from.
    pub(crate) inferred: Option<Arc<C::Inferred>>,
    pub(crate) reads: Box<[CodeRead<C>]>,
    pub(crate) first: World,
    pub(crate) past: ThinVec<(WorldRange, Arc<CodeInstance<C>>)>,
    /// Code that was replaced; it may hold in a world that is callable.
    pub(crate) past_code: ThinVec<(WorldRange, KnownCode<C>)>,
    pub(crate) why_codegen: Why,
    pub(crate) why_link: Why,
    pub(crate) generated_in: World,
    /// The code is the store's.
    pub(crate) stored: bool,
    pub(crate) linked_in: World,
}

impl<C: Compiler> CodeUnit<C> {
    /// What host callers hold, made if need be: most instances are called by compiled code alone.
    pub(crate) fn front(&mut self) -> Arc<Front<C>> {
        let front = self.front.get_or_insert_with(|| {
            let front = Front::new(self.mi, self.shard);
            front.set(self.ci.clone());
            if self.state != State::Clean {
                front.close();
            }
            Arc::new(front)
        });
        Arc::clone(front)
    }

    /// Its callers ask the engine from here on.
    pub(crate) fn close_front(&self) {
        if let Some(front) = &self.front {
            front.close();
        }
    }

    /// Its callers see the code instance that it has.
    pub(crate) fn open_front(&self) {
        if let Some(front) = &self.front {
            front.set(self.ci.clone());
        }
    }

    /// Its callers see what they saw before.
    pub(crate) fn reopen_front(&self) {
        if let Some(front) = &self.front {
            front.reopen();
        }
    }
}

/// A recorded external fact and who read it.
pub(crate) struct ExternalRecord {
    pub(crate) key: ExternalKey,
    pub(crate) readers: Readers,
    pub(crate) changed: Option<crate::explain::Cause>,
    /// The current value is known to hold since this world.
    pub(crate) since: World,
}

/// Which stages ran, since the log was last taken.
#[derive(Default)]
pub(crate) struct StageLog {
    pub(crate) events: Vec<crate::events::StageEvent>,
}

/// The graph of one world.
pub(crate) struct Graph<C: Compiler> {
    pub(crate) world: World,
    /// No world before this one is callable.
    pub(crate) oldest: World,
    /// The database of answers; only the newest world has one.
    pub(crate) answers: Option<Mutex<Answers>>,
    pub(crate) infers: Chunks<InferUnit<C>>,
    infer_ix: FxHashMap<(Mi, ViewId), InferId>,
    pub(crate) codes: Chunks<CodeUnit<C>>,
    code_ix: FxHashMap<(Mi, ShardId), CodeId>,
    pub(crate) calls: Chunks<CallRecord>,
    pub(crate) call_ix: FxHashMap<CallKey, CallId>,
    /// Recorded questions by function, to find those that an edit can affect.
    pub(crate) asked: FxHashMap<Symbol, Asked>,
    pub(crate) externals: Vec<ExternalRecord>,
    external_ix: FxHashMap<ExternalKey, ExternalId>,
    /// The newest infer unit of a method; each names the one before it.
    of_method: FxHashMap<MethodId, InferId>,
    /// The last change of a method's source, for explanations.
    pub(crate) source_changed: FxHashMap<MethodId, crate::explain::Cause>,
    /// The last edit that changed an answer, for explanations.
    pub(crate) answer_changed: FxHashMap<CallId, crate::explain::Cause>,
    /// What the newest edit marked.
    pub(crate) ripple: Ripple,
    pub(crate) log: StageLog,
    pub(crate) visits: u32,
    /// Infer units to run again, while settling.
    pub(crate) queue: std::collections::VecDeque<InferId>,
    /// Units activated since the settling began.
    pub(crate) active: Vec<InferId>,
    /// Edges that suspended a run: reader and what must be settled first.
    pub(crate) pending: Vec<(InferId, InferId)>,
    /// What was superseded, by the last world that can see it.
    pub(crate) retired: std::collections::BTreeMap<World, Vec<Retired>>,
    /// Methods that exist in no callable world and still have instances.
    pub(crate) doomed: Vec<MethodId>,
    pub(crate) doomed_grew: bool,
    free_infers: Vec<InferId>,
    free_codes: Vec<CodeId>,
    pub(crate) free_calls: Vec<CallId>,
    /// What the store was asked for, and what is to be put there.
    pub(crate) stored: Stored<C>,
    /// Units that strict mode did not let run.
    pub(crate) refused: Vec<InferId>,
}

/// Equal values of an external fact give equal digests.
pub(crate) fn external_digest(value: Option<&[u8]>) -> u64 {
    match value {
        None => 0,
        Some(value) => {
            let hash = blake3::hash(value);
            u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes")) | 1
        }
    }
}

impl<C: Compiler> Graph<C> {
    pub(crate) fn new(world: World, answers: Option<Answers>) -> Self {
        Graph {
            world,
            oldest: World(0),
            answers: answers.map(Mutex::new),
            infers: Chunks::new(),
            infer_ix: FxHashMap::default(),
            codes: Chunks::new(),
            code_ix: FxHashMap::default(),
            calls: Chunks::new(),
            call_ix: FxHashMap::default(),
            asked: FxHashMap::default(),
            externals: Vec::new(),
            external_ix: FxHashMap::default(),
            of_method: FxHashMap::default(),
            source_changed: FxHashMap::default(),
            answer_changed: FxHashMap::default(),
            ripple: Ripple::Lost,
            log: StageLog::default(),
            visits: 0,
            queue: std::collections::VecDeque::new(),
            active: Vec::new(),
            pending: Vec::new(),
            retired: std::collections::BTreeMap::new(),
            doomed: Vec::new(),
            doomed_grew: false,
            free_infers: Vec::new(),
            free_codes: Vec::new(),
            free_calls: Vec::new(),
            stored: Stored::default(),
            refused: Vec::new(),
        }
    }

    pub(crate) fn infer(&self, id: InferId) -> &InferUnit<C> {
        &self.infers[id.ix()]
    }

    pub(crate) fn infer_mut(&mut self, id: InferId) -> &mut InferUnit<C> {
        &mut self.infers[id.ix()]
    }

    pub(crate) fn code(&self, id: CodeId) -> &CodeUnit<C> {
        &self.codes[id.ix()]
    }

    pub(crate) fn code_mut(&mut self, id: CodeId) -> &mut CodeUnit<C> {
        &mut self.codes[id.ix()]
    }

    pub(crate) fn find_infer(&self, mi: Mi, view: ViewId) -> Option<InferId> {
        self.infer_ix.get(&(mi, view)).copied()
    }

    pub(crate) fn find_code(&self, mi: Mi, shard: ShardId) -> Option<CodeId> {
        self.code_ix.get(&(mi, shard)).copied()
    }

    /// The infer unit of an instance in a view, made if need be.
    pub(crate) fn infer_unit(&mut self, shared: &Shared<C>, mi: Mi, view: ViewId) -> InferId {
        if let Some(id) = self.infer_ix.get(&(mi, view)) {
            return *id;
        }
        let unit = InferUnit {
            mi,
            view,
            older: NONE,
            newer: NONE,
            state: State::New,
            running: false,
            queued: false,
            runs: 0,
            outcome: None,
            source: None,
            fresh: None,
            edges: Box::default(),
            readers: SmallVec::new(),
            code_readers: SmallVec::new(),
            first: self.world,
            marked: None,
            past: ThinVec::new(),
            superseded: None,
            interrupted: false,
            taken_over: false,
            loaded: false,
            why: Why::FirstCall,
            made_in: World(0),
            stored: false,
            walk: Walk::default(),
        };
        let id = InferId(place(&mut self.infers, &mut self.free_infers, unit, |id| {
            id.0
        }));
        self.infer_ix.insert((mi, view), id);
        let method = shared.instances.key(mi).method;
        if let Some(older) = self.of_method.insert(method, id) {
            self.infers[older.ix()].newer = id;
            self.infers[id.ix()].older = older;
        }
        id
    }

    /// The infer units of a method, the newest first.
    pub(crate) fn units_of(&self, method: MethodId) -> impl Iterator<Item = InferId> {
        let newest = self.of_method.get(&method).copied();
        std::iter::successors(newest, |unit| {
            Some(self.infer(*unit).older).filter(|older| *older != NONE)
        })
    }

    /// Takes an infer unit out of the indices; its place is used again.
    pub(crate) fn forget_infer(&mut self, mi: Mi, view: ViewId, method: MethodId, id: InferId) {
        self.infer_ix.remove(&(mi, view));
        let InferUnit { older, newer, .. } = self.infers[id.ix()];
        if older != NONE {
            self.infers[older.ix()].newer = newer;
        }
        if newer != NONE {
            self.infers[newer.ix()].older = older;
        } else if older != NONE {
            self.of_method.insert(method, older);
        } else {
            self.of_method.remove(&method);
        }
        self.free_infers.push(id);
    }

    /// Takes a code unit out of the indices; its place is used again.
    pub(crate) fn forget_code(&mut self, mi: Mi, shard: ShardId, id: CodeId) {
        self.code_ix.remove(&(mi, shard));
        self.free_codes.push(id);
    }

    /// Makes room for so many more units and their questions.
    pub(crate) fn expect_units(&mut self, count: usize) {
        self.infer_ix.reserve(count);
        self.code_ix.reserve(count);
        self.call_ix.reserve(count);
        self.asked.reserve(count);
        self.of_method.reserve(count);
    }

    /// How many infer units and code units there are.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.infer_ix.len(), self.code_ix.len())
    }

    /// The code unit of an instance in a shard, made if need be.
    pub(crate) fn code_unit(&mut self, shared: &Shared<C>, mi: Mi, shard: ShardId) -> CodeId {
        if let Some(id) = self.code_ix.get(&(mi, shard)) {
            return *id;
        }
        let view = shared.shards.read()[shard.0 as usize].1;
        let infer = self.infer_unit(shared, mi, view);
        let unit = CodeUnit {
            mi,
            shard,
            infer,
            state: State::New,
            code: None,
            inferred: None,
            reads: Box::default(),
            calls: Box::default(),
            callers: SmallVec::new(),
            ci: None,
            first: self.world,
            marked: None,
            calls_edited: false,
            past: ThinVec::new(),
            past_code: ThinVec::new(),
            front: None,
            why_codegen: Why::FirstCall,
            why_link: Why::FirstCall,
            generated_in: World(0),
            stored: false,
            linked_in: World(0),
            linking: false,
            walk: Walk::default(),
        };
        let id = CodeId(place(&mut self.codes, &mut self.free_codes, unit, |id| {
            id.0
        }));
        self.code_ix.insert((mi, shard), id);
        self.infers[infer.ix()].code_readers.push(id);
        id
    }

    /// The record of an external fact.
    pub(crate) fn external(&mut self, key: &ExternalKey) -> ExternalId {
        if let Some(id) = self.external_ix.get(key) {
            return *id;
        }
        let id = ExternalId(u32::try_from(self.externals.len()).expect("fewer than 2^32 facts"));
        self.external_ix.insert(key.clone(), id);
        self.externals.push(ExternalRecord {
            key: key.clone(),
            readers: SmallVec::new(),
            changed: None,
            since: self.world,
        });
        id
    }

    pub(crate) fn find_external(&self, key: &ExternalKey) -> Option<ExternalId> {
        self.external_ix.get(key).copied()
    }

    /// Replaces what a unit read, in both directions.
    pub(crate) fn set_edges(&mut self, id: InferId, edges: Box<[InferEdge]>) {
        let old = std::mem::take(&mut self.infers[id.ix()].edges);
        if old.is_empty() {
            for edge in &edges {
                self.add_reader(id, edge, &[]);
            }
        } else if !old.iter().map(target).eq(edges.iter().map(target)) {
            for edge in old
                .iter()
                .filter(|e| !edges.iter().any(|n| target(n) == target(e)))
            {
                self.remove_reader(id, edge);
            }
            for edge in &edges {
                self.add_reader(id, edge, &old);
            }
        }
        self.infers[id.ix()].edges = edges;
    }

    fn readers_mut(&mut self, edge: &InferEdge) -> Option<&mut Readers> {
        match edge {
            InferEdge::Source(_) => None,
            InferEdge::Call { call, .. } => Some(&mut self.calls[call.ix()].readers),
            InferEdge::External { external, .. } => {
                Some(&mut self.externals[external.ix()].readers)
            }
            InferEdge::Part { unit, .. } => Some(&mut self.infers[unit.ix()].readers),
        }
    }

    fn add_reader(&mut self, id: InferId, edge: &InferEdge, old: &[InferEdge]) {
        if old.iter().any(|o| target(o) == target(edge)) {
            return;
        }
        if let Some(readers) = self.readers_mut(edge)
            && readers.last() != Some(&id)
        {
            readers.push(id);
        }
    }

    fn remove_reader(&mut self, id: InferId, edge: &InferEdge) {
        let world = self.world;
        if let Some(readers) = self.readers_mut(edge) {
            readers.retain(|reader| *reader != id);
            let unread = readers.is_empty();
            if let Some(call) = question(edge).filter(|_| unread) {
                self.retire(world, Retired::Call(call));
            }
        }
    }

    /// The code units that were generated from a unit's body: its own ones, and those that took
    /// it over.
    pub(crate) fn made_from(&self, id: InferId) -> SmallVec<[CodeId; 4]> {
        let readers = self.infer(id).code_readers.iter().copied();
        let from_body = |read: &CodeRead<C>| read.unit() == id && read.is_body();
        readers
            .filter(|code| {
                let code = self.code(*code);
                code.infer == id || code.reads.iter().any(from_body)
            })
            .collect()
    }

    /// A fresh stamp for one walk.
    pub(crate) fn new_visit(&mut self) -> u32 {
        self.visits += 1;
        self.visits
    }
}

/// Puts something at a free place, or at the end; gives its index.
pub(crate) fn place<T, I: Copy>(
    all: &mut Chunks<T>,
    free: &mut Vec<I>,
    new: T,
    ix: fn(I) -> u32,
) -> u32 {
    match free.pop().map(ix) {
        Some(at) => {
            all[at as usize] = new;
            at
        }
        None => {
            all.push(new);
            u32::try_from(all.len() - 1).expect("fewer than 2^32 units, questions and facts")
        }
    }
}

/// Keeps a superseded result while a callable world can see it; lets go of those that none can.
pub(crate) fn push_past<T>(
    past: &mut ThinVec<(WorldRange, T)>,
    range: WorldRange,
    value: T,
    oldest: World,
) {
    past.retain(|(range, _)| range.last >= oldest);
    if range.last >= oldest && range.first <= range.last {
        past.push((range, value));
    }
}

/// What an edge points at, without the value that was seen.
fn target(edge: &InferEdge) -> (u8, u32) {
    match edge {
        InferEdge::Source(method) => (0, method.0),
        InferEdge::Call { call, .. } => (1, call.0),
        InferEdge::External { external, .. } => (2, external.0),
        InferEdge::Part { unit, .. } => (3, unit.0),
    }
}
