//! The façade of the engine: one session's definitions, worlds and code.
//!
//! All evaluation and every edit hold one lock; a hit ([`Front::get`]) takes none. Compiled code
//! never runs under the lock, so it may come back and ask for more.

use crate::answers::Answers;
use crate::code_instance::{CodeInstance, Front};
use crate::compiler::Compiler;
use crate::cx::{CodegenCx, ExternalKey, Resolved};
use crate::definitions::{Answer, CallKey, Definitions, MethodInfo, Question, Sources};
use crate::edit::{Commit, Edit, EditError};
use crate::error::{Failed, Stop, Unresolved};
use crate::events::{Stage, StageEvent};
use crate::generate::{self, Halt, StageFailed};
use crate::graph::{CodeId, Env, Graph, Shared};
use crate::holds::Holds;
use crate::ids::{Linking, Mi, MiKey, ShardId, TableId, ViewId};
use crate::instances::Instances;
use crate::link;
use crate::memo::Memo;
use crate::names::{call_name, unresolved};
use crate::settle::{self, Cancelled};
use crate::sync::{
    AtomicBool, AtomicU64, Mutex, MutexGuard, RwLock, lock_within, thread_local, yield_now,
};
use rustc_hash::FxHashMap;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use worldage_dispatch::{Lookup, MethodId, Methods, Sig, Symbol, Ty, Types, World, display_sig};

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads for codegen; at least 1.
    pub threads: usize,
    /// How many of the newest worlds stay callable without being held.
    pub callable_worlds: u64,
    /// What a redefinition means for code that is linked already.
    pub linking: Linking,
    /// Instances that one demand may reach anew: a recursion on ever new types ends here.
    pub max_instances: usize,
    /// Tables that are there before the prelude, by name: `TableId(1)` is the first.
    pub tables: Vec<Arc<str>>,
    /// From how many methods and instances on a session leaves an image in the store, and looks
    /// for one: smaller programs start as fast from what is stored of each instance.
    pub image_from: usize,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Options {
            threads,
            callable_worlds: 64,
            linking: Linking::default(),
            max_instances: 1 << 24,
            tables: Vec::new(),
            image_from: 64,
        }
    }
}

/// Why a demand failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DemandError {
    /// A stage failed.
    #[error(transparent)]
    Stage(#[from] StageFailed),
    /// The world is older than any that is held or among the newest.
    #[error("world-expired: world {0} is no longer callable: hold it with `Engine::hold`")]
    WorldExpired(World),
    /// The world is yet to come.
    #[error("world {asked} does not exist: the newest is {newest}")]
    NoSuchWorld {
        /// The world that was asked for.
        asked: World,
        /// The newest world.
        newest: World,
    },
    /// A demand from inside a stage: a stage asks its context.
    #[error("a stage asked a session: ask the stage's context instead")]
    DuringStage,
}

/// Why a call by its types has no code instance.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallDemandError {
    /// No method takes it, or several do.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// A stage failed.
    #[error(transparent)]
    Demand(#[from] DemandError),
}

/// How long an edit waits for a demand before it cancels it.
const PATIENCE: Duration = Duration::from_millis(2);
/// How often one demand gives way to edits; then it goes on to its end.
const CANCELLATIONS: u32 = 8;
/// How often a demand that was cancelled looks whether the edit has begun.
const YIELDS: u32 = 10_000;

/// Graphs by world.
pub(crate) struct Worlds<C: Compiler> {
    pub(crate) newest: Graph<C>,
    older: FxHashMap<World, Graph<C>>,
}

/// One session: definitions, worlds, code.
pub struct Engine<C: Compiler> {
    pub(crate) shared: Shared<C>,
    worlds: Mutex<Worlds<C>>,
    pub(crate) holds: Holds,
    memo: Memo<C>,
}

thread_local! {
    /// Set while this thread evaluates: a stage must not come back to the session.
    static EVALUATING: Cell<bool> = const { Cell::new(false) };
}

/// What a demand came to, if no edit cancelled it.
fn finished<T>(demanded: Result<T, Halt>) -> Result<Result<T, StageFailed>, Cancelled> {
    match demanded {
        Ok(found) => Ok(Ok(found)),
        Err(Halt::Failed(failed)) => Ok(Err(failed)),
        Err(Halt::Cancelled) => Err(Cancelled),
    }
}

/// Marks this thread as one that runs stages; resets the mark also on a panic.
pub(crate) struct Evaluating;

impl Evaluating {
    pub(crate) fn begin() -> Option<Evaluating> {
        // A value that is made and not given out would take the mark away when it is dropped.
        EVALUATING.with(|flag| (!flag.replace(true)).then(|| Evaluating))
    }
}

impl Drop for Evaluating {
    fn drop(&mut self) {
        EVALUATING.with(|flag| flag.set(false));
    }
}

impl<C: Compiler> Engine<C> {
    /// A session in world 1, with nothing defined but what `prelude` commits without a world of
    /// its own (intrinsics).
    ///
    /// # Errors
    /// If the prelude is refused.
    pub fn new(
        compiler: C,
        types: Arc<Types>,
        options: Options,
        prelude: Edit<C::Source>,
    ) -> Result<Self, EditError> {
        let mut definitions = Definitions::new(Arc::clone(&types));
        definitions.tables.extend(options.tables);
        let definitions = Arc::new(RwLock::new(definitions));
        let answers = Answers::new(Arc::clone(&definitions));
        let shared = Shared {
            compiler,
            types,
            definitions,
            sources: RwLock::new(Sources::new()),
            instances: Instances::new(),
            shards: RwLock::new(Vec::new()),
            threads: options.threads.max(1),
            live: AtomicBool::new(options.linking == Linking::Live),
            cells: AtomicU64::new(1),
            store: RwLock::default(),
            identities: crate::persist::Identities::default(),
            strict: AtomicBool::new(false),
            checking: AtomicBool::new(false),
            max_instances: options.max_instances,
            image_from: options.image_from,
            impatient: AtomicU64::new(0),
        };
        // World 0 is the prelude's; the first edit of a user makes world 1.
        let mut newest = Graph::new(World(0), Some(answers));
        crate::edit::commit_in(&shared, &mut newest, prelude, World(0))?;
        let definitions = shared.definitions.read();
        shared.identities.begin(&shared.types, &definitions);
        drop(definitions);
        let worlds = Worlds {
            newest,
            older: FxHashMap::default(),
        };
        Ok(Engine {
            shared,
            worlds: Mutex::new(worlds),
            holds: Holds::new(options.callable_worlds.max(1)),
            memo: Memo::new(),
        })
    }

    /// The embedder's compiler.
    pub fn compiler(&self) -> &C {
        &self.shared.compiler
    }

    /// The lattice.
    pub fn types(&self) -> &Arc<Types> {
        &self.shared.types
    }

    /// What a redefinition means for code that is linked already.
    pub fn linking(&self) -> Linking {
        self.shared.linking()
    }

    /// Links in another mode from here on. Code that is linked already is linked again when it
    /// is next called; what runs goes on as it began.
    pub fn set_linking(&self, linking: Linking) {
        let mut worlds = self.graphs();
        let live = linking == Linking::Live;
        if self.shared.live.swap(live, Ordering::Relaxed) != live {
            link::unlink(&mut worlds.newest);
        }
    }

    /// The newest world.
    pub fn world(&self) -> World {
        self.holds.newest()
    }

    /// Where results are kept beyond the session from here on; `None`: nowhere.
    pub fn set_store(&self, store: Option<Arc<dyn crate::persist::ArtifactStore>>) {
        *self.shared.store.write() = store;
    }

    /// Whether an infer or codegen that would run is an error instead, which says why. What was
    /// refused may run once strict mode is over.
    pub fn set_strict(&self, strict: bool) {
        let mut worlds = self.graphs();
        if self.shared.strict.swap(strict, Ordering::Relaxed) && !strict {
            crate::mark::doubt_refused(&mut worlds.newest);
        }
    }

    /// Whether every stage that runs is run twice and compared: an impure one fails with
    /// [`crate::StageFault::Impure`].
    pub fn set_checking(&self, checking: bool) {
        self.shared.checking.store(checking, Ordering::Relaxed);
    }

    /// Makes a table; a name may be used again and makes another table.
    pub fn table(&self, name: &str) -> TableId {
        let mut definitions = self.shared.definitions.write();
        definitions.tables.push(name.into());
        TableId(u32::try_from(definitions.tables.len() - 1).expect("fewer than 2^32 tables"))
    }

    /// The name of a table.
    pub fn table_name(&self, table: TableId) -> Arc<str> {
        Arc::clone(&self.shared.definitions.read().tables[table.0 as usize])
    }

    /// The view that stacks these tables over the base, top first (the base is implied).
    pub fn view(&self, tables: &[TableId]) -> ViewId {
        let mut stack = tables.to_vec();
        stack.retain(|table| *table != TableId::BASE);
        stack.push(TableId::BASE);
        let mut definitions = self.shared.definitions.write();
        let known = definitions.views.iter().position(|view| *view == stack);
        let ix = known.unwrap_or_else(|| {
            definitions.views.push(stack);
            definitions.views.len() - 1
        });
        ViewId(u32::try_from(ix).expect("fewer than 2^32 views"))
    }

    /// The shard with this value over this view.
    pub fn shard(&self, shard: C::Shard, view: ViewId) -> ShardId {
        let mut shards = self.shared.shards.write();
        let known = shards
            .iter()
            .position(|known| known.0 == shard && known.1 == view);
        let ix = known.unwrap_or_else(|| {
            shards.push((shard, view));
            shards.len() - 1
        });
        ShardId(u32::try_from(ix).expect("fewer than 2^32 shards"))
    }

    /// The name of a shard, as keys have it.
    pub fn shard_name(&self, shard: ShardId) -> String {
        self.shared.shards.read()[shard.0 as usize].0.to_string()
    }

    /// The view of a shard.
    pub fn view_of(&self, shard: ShardId) -> ViewId {
        self.shared.shards.read()[shard.0 as usize].1
    }

    /// Commits an edit: one new world, or an error and no change.
    ///
    /// # Errors
    /// [`EditError`]; the session is as before.
    pub fn commit(&self, edit: Edit<C::Source>) -> Result<Commit, EditError> {
        let _evaluating = Evaluating::begin().ok_or(EditError::DuringStage)?;
        let mut worlds = self.lock_for_edit();
        let world = World(worlds.newest.world.0 + 1);
        let commit = crate::edit::commit_in(&self.shared, &mut worlds.newest, edit, world)?;
        let oldest = self.holds.advance(commit.world);
        worlds.newest.oldest = oldest;
        worlds.older.retain(|world, _| *world >= oldest);
        worlds.newest.expire(&self.shared);
        Ok(commit)
    }

    /// The graphs, for an edit: whoever works in the newest world for long gives way.
    fn lock_for_edit(&self) -> MutexGuard<'_, Worlds<C>> {
        if let Some(worlds) = lock_within(&self.worlds, PATIENCE) {
            return worlds;
        }
        self.shared.impatient.fetch_add(1, Ordering::Relaxed);
        let worlds = self.worlds.lock();
        self.shared.impatient.fetch_sub(1, Ordering::Relaxed);
        worlds
    }

    /// The oldest world that may still be called: everything before it has been let go of.
    pub fn oldest_callable(&self) -> World {
        self.graphs().newest.oldest
    }

    pub(crate) fn check_exists(&self, asked: World) -> Result<(), DemandError> {
        let newest = self.world();
        match asked > newest {
            true => Err(DemandError::NoSuchWorld { asked, newest }),
            false => Ok(()),
        }
    }

    /// The graphs.
    ///
    /// # Panics
    /// In a stage, which must not come back to a session: reported as the failure of that stage.
    pub(crate) fn graphs(&self) -> MutexGuard<'_, Worlds<C>> {
        EVALUATING.with(|flag| assert!(!flag.get(), "{}", DemandError::DuringStage));
        self.worlds.lock()
    }

    /// What an instance stands for.
    pub fn key(&self, mi: Mi) -> MiKey {
        self.shared.instances.key(mi)
    }

    /// The instance of a method for concrete argument types that it takes.
    pub fn instance(&self, method: MethodId, args: Ty) -> Mi {
        let function = self.shared.definitions.read().method(method).function;
        self.shared.instances.intern(MiKey {
            function,
            method,
            args,
        })
    }

    /// `f(Int64)`
    pub fn name(&self, mi: Mi) -> String {
        crate::names::instance_name(&self.shared, mi)
    }

    /// A call as its instance would be named: `f(Int64)`.
    pub fn call_name(&self, function: Symbol, args: Ty) -> String {
        call_name(&self.shared.types, function, args)
    }

    /// What is fixed about a method.
    pub fn method(&self, method: MethodId) -> MethodInfo {
        self.shared.definitions.read().method(method).clone()
    }

    /// A method's signature as it was written in a world.
    pub fn method_sig(&self, method: MethodId, world: World) -> Sig {
        self.shared.definitions.read().sig_at(method, world).clone()
    }

    /// A method's signature, printed as it was written in a world.
    pub fn method_name(&self, method: MethodId, world: World) -> String {
        let function = self.method(method).function;
        let sig = self.method_sig(method, world);
        let types = &self.shared.types;
        display_sig(types, types.symbol_str(function), &sig)
    }

    /// A method's source in a world.
    pub fn source(&self, method: MethodId, world: World) -> Option<Arc<C::Source>> {
        self.shared.sources.read().at(method, world).cloned()
    }

    /// An external fact in a world.
    pub fn external(&self, key: &ExternalKey, world: World) -> Option<Arc<[u8]>> {
        self.shared.definitions.read().external(key, world).cloned()
    }

    /// Reads the methods of a function in a table.
    pub fn with_methods<R>(
        &self,
        table: TableId,
        function: Symbol,
        read: impl FnOnce(Option<&Methods>) -> R,
    ) -> R {
        read(self.shared.definitions.read().methods_of(table, function))
    }

    /// All methods of a table that are valid in a world: their ids, by function name.
    pub fn methods_in(&self, table: TableId, world: World) -> Vec<MethodId> {
        let definitions = self.shared.definitions.read();
        let mut all: Vec<_> = definitions
            .functions_of(table)
            .flat_map(|(_, methods)| methods.iter(world).map(|entry| entry.id))
            .collect();
        all.sort_unstable();
        all
    }

    /// The method with exactly this signature in a world.
    pub fn find_method(
        &self,
        table: TableId,
        function: Symbol,
        sig: &Sig,
        world: World,
    ) -> Option<MethodId> {
        let definitions = self.shared.definitions.read();
        definitions
            .methods_of(table, function)?
            .find_exact(&self.shared.types, sig, world)
    }

    /// The method for concrete argument types. Nothing is recorded; what was asked before in the
    /// newest world is remembered.
    pub fn lookup(&self, function: Symbol, args: Ty, view: ViewId, world: World) -> Resolved {
        let asked = (function, args, view);
        if let Some(known) = self.memo.lookup(&asked, world) {
            return known;
        }
        let key = CallKey {
            function,
            view,
            question: Question::Lookup,
            args,
        };
        let answer = self.resolve(key, args, world);
        // A world that is yet to come can get another meaning.
        if world == self.world() {
            self.memo.put_lookup(asked, world, &answer);
        }
        answer
    }

    /// The instance that takes a call with concrete argument types (nothing is recorded).
    ///
    /// # Errors
    /// [`Unresolved`], unless exactly one method takes the call.
    pub fn find_instance(
        &self,
        function: Symbol,
        args: Ty,
        view: ViewId,
        world: World,
    ) -> Result<Mi, Unresolved> {
        let candidates = match self.lookup(function, args, view, world) {
            Resolved::Method(mi) => return Ok(mi),
            Resolved::NoMethod => None,
            Resolved::Ambiguous(candidates) => Some(candidates),
        };
        let definitions = self.shared.definitions.read();
        let (types, call) = (&self.shared.types, (function, args));
        Err(unresolved(
            types,
            &definitions,
            call,
            candidates.as_deref(),
            world,
        ))
    }

    /// The method that answers an explicit signature, for concrete argument types.
    pub fn invoke(
        &self,
        function: Symbol,
        sig: Ty,
        args: Ty,
        view: ViewId,
        world: World,
    ) -> Resolved {
        self.resolve(
            CallKey {
                function,
                view,
                question: Question::Invoke,
                args: sig,
            },
            args,
            world,
        )
    }

    fn resolve(&self, key: CallKey, args: Ty, world: World) -> Resolved {
        let function = key.function;
        match self.shared.definitions.read().answer(&key, world) {
            Answer::One(Lookup::Method(method)) => {
                Resolved::Method(self.shared.instances.intern(MiKey {
                    function,
                    method,
                    args,
                }))
            }
            Answer::One(Lookup::Ambiguous(methods)) => Resolved::Ambiguous(methods),
            _ => Resolved::NoMethod,
        }
    }

    /// Brings an instance up to date in a shard and a world (`None`: the newest) and gives its
    /// code instance. Runs exactly the stages whose inputs changed.
    ///
    /// # Errors
    /// [`DemandError`]: a stage failed, or the world is not callable.
    pub fn demand(
        &self,
        mi: Mi,
        shard: ShardId,
        world: Option<World>,
    ) -> Result<Arc<CodeInstance<C>>, DemandError> {
        self.evaluate(world, |env, graph| {
            let unit = graph.code_unit(&env, mi, shard);
            finished(generate::demand(env, graph, unit))
        })?
        .map_err(DemandError::from)
    }

    /// Brings several instances up to date, each in a shard of a world (`None`: the newest), and
    /// gives their code instances in the same order. Codegen runs on all threads.
    ///
    /// # Errors
    /// [`DemandError`]: a stage failed, or the world is not callable.
    pub fn demand_each(
        &self,
        asked: &[(Mi, ShardId)],
        world: Option<World>,
    ) -> Result<Vec<Arc<CodeInstance<C>>>, DemandError> {
        self.evaluate(world, |env, graph| {
            let unit = |&(mi, shard): &_| graph.code_unit(&env, mi, shard);
            let units: Vec<_> = asked.iter().map(unit).collect();
            // Each is worth a thread.
            finished(generate::demand_all(env, graph, &units, 2))
        })?
        .map_err(DemandError::from)
    }

    /// Brings what a call on concrete argument types runs in the newest world up to date, and
    /// gives its code instance. What was given in this world before is given again at the cost
    /// of one look into a concurrent map, without the session's lock.
    ///
    /// # Errors
    /// [`CallDemandError`]: not exactly one method takes the call, or a stage failed.
    pub fn demand_call(
        &self,
        function: Symbol,
        args: Ty,
        shard: ShardId,
    ) -> Result<Arc<CodeInstance<C>>, CallDemandError> {
        let called = (function, args, shard, self.linking());
        let world = self.world();
        if let Some(known) = self.memo.call(&called, world) {
            return Ok(known);
        }
        let mi = self.find_instance(function, args, self.view_of(shard), world)?;
        let ci = self.demand(mi, shard, Some(world))?;
        self.memo.put_call(called, world, &ci);
        Ok(ci)
    }

    /// The front of an instance: follows the newest world without asking.
    pub fn front(&self, mi: Mi, shard: ShardId) -> Arc<Front<C>> {
        let mut worlds = self.graphs();
        let unit = worlds.newest.code_unit(&self.shared, mi, shard);
        worlds.newest.code_mut(unit).front()
    }

    /// The result of inference, brought up to date.
    ///
    /// # Errors
    /// [`DemandError`]: inference failed, or the world is not callable.
    pub fn inferred(
        &self,
        mi: Mi,
        view: ViewId,
        world: Option<World>,
    ) -> Result<Arc<C::Inferred>, DemandError> {
        let outcome = self.evaluate(world, |env, graph| {
            let unit = graph.infer_unit(&env, mi, view);
            settle::try_settle(env, graph, unit)?;
            let outcome = graph.infer(unit).outcome.as_ref();
            Ok(Arc::clone(outcome.expect("settled just now")))
        })?;
        match &outcome.inferred {
            Ok(inferred) => Ok(Arc::clone(inferred)),
            Err(error) => Err(self.stage_failed(Stage::Infer, mi, error.clone())),
        }
    }

    /// Runs something with the context that codegen of an instance would have, in the newest
    /// world: to show what a stage makes. Nothing is kept and no edge is recorded.
    ///
    /// # Errors
    /// [`DemandError`]: inference failed, or `work` did.
    pub fn with_codegen<R>(
        &self,
        mi: Mi,
        shard: ShardId,
        work: impl Fn(&C, &mut CodegenCx<'_, C>, &Arc<C::Inferred>) -> Result<R, Stop>,
    ) -> Result<R, DemandError> {
        self.with_codegen_in(mi, shard, None, work)
    }

    /// [`Engine::with_codegen`] in a world; `None` is the newest.
    ///
    /// # Errors
    /// [`DemandError`]: inference failed, `work` did, or the world is not callable.
    pub fn with_codegen_in<R>(
        &self,
        mi: Mi,
        shard: ShardId,
        world: Option<World>,
        work: impl Fn(&C, &mut CodegenCx<'_, C>, &Arc<C::Inferred>) -> Result<R, Stop>,
    ) -> Result<R, DemandError> {
        let view = self.view_of(shard);
        let value = self.shared.shards.read()[shard.0 as usize].0.clone();
        let inferred = self.inferred(mi, view, world)?;
        loop {
            let (result, missing) = self.evaluate(world, |env, graph| {
                let mut cx = CodegenCx::new(env, graph, value.clone(), view);
                let result = work(&env.shared.compiler, &mut cx, &inferred);
                Ok((result, cx.into_trace().missing))
            })?;
            match (result, missing) {
                (Err(_), Some(missing)) => drop(self.inferred(missing, view, world)?),
                (Ok(shown), _) => return Ok(shown),
                (Err(stop), None) => {
                    let error = stop.into_failed(Stage::Codegen);
                    return Err(self.stage_failed(Stage::Codegen, mi, error));
                }
            }
        }
    }

    fn stage_failed(&self, stage: Stage, mi: Mi, error: Failed) -> DemandError {
        StageFailed {
            stage,
            name: self.name(mi),
            mi,
            error,
        }
        .into()
    }

    /// Works in the graph of a world (`None`: the newest). An edit that waits cancels the work in
    /// the newest world; it begins again, and finds what was settled before.
    fn evaluate<R>(
        &self,
        world: Option<World>,
        mut work: impl FnMut(Env<'_, C>, &mut Graph<C>) -> Result<R, Cancelled>,
    ) -> Result<R, DemandError> {
        let _evaluating = Evaluating::begin().ok_or(DemandError::DuringStage)?;
        for cancelled in 0.. {
            let mut worlds = self.worlds.lock();
            let gives_way = cancelled < CANCELLATIONS;
            match self.evaluate_once(&mut worlds, world, gives_way, &mut work)? {
                Ok(result) => return Ok(result),
                Err(Cancelled) => self.give_way(worlds),
            }
        }
        unreachable!("the last time it does not give way")
    }

    /// Lets an edit that waits go first.
    fn give_way(&self, worlds: MutexGuard<'_, Worlds<C>>) {
        drop(worlds);
        for _ in 0..YIELDS {
            if self.shared.impatient.load(Ordering::Relaxed) == 0 {
                return;
            }
            yield_now();
        }
    }

    fn evaluate_once<R>(
        &self,
        worlds: &mut Worlds<C>,
        world: Option<World>,
        gives_way: bool,
        work: impl FnOnce(Env<'_, C>, &mut Graph<C>) -> Result<R, Cancelled>,
    ) -> Result<Result<R, Cancelled>, DemandError> {
        let world = world.unwrap_or(worlds.newest.world);
        self.check_exists(world)?;
        if !self.holds.is_callable(world) {
            return Err(DemandError::WorldExpired(world));
        }
        let Worlds { newest, older } = worlds;
        if world == newest.world {
            let others = newest_first(older);
            let env = Env {
                older: &others,
                gives_way,
                ..Env::alone(&self.shared)
            };
            return Ok(work(env, newest));
        }
        let graph = older.remove(&world);
        let mut graph = graph.unwrap_or_else(|| Graph::new(world, None));
        let others = newest_first(older);
        let env = Env {
            newest: Some(newest),
            older: &others,
            ..Env::alone(&self.shared)
        };
        let result = work(env, &mut graph);
        older.insert(world, graph);
        Ok(result)
    }

    /// The stages that ran since this was last asked, in the order in which they ended.
    pub fn take_log(&self) -> Vec<StageEvent> {
        let mut worlds = self.graphs();
        let mut events = std::mem::take(&mut worlds.newest.log.events);
        for graph in worlds.older.values_mut() {
            events.append(&mut graph.log.events);
        }
        events
    }

    /// Compiled instances of a shard whose next call in the newest world would run no stage.
    pub fn valid(&self, shard: ShardId) -> Vec<Mi> {
        let worlds = self.graphs();
        let graph = &worlds.newest;
        let env = Env::alone(&self.shared);
        let units = (0..graph.codes.len()).map(|ix| CodeId(ix as u32));
        units
            .filter(|id| graph.code(*id).shard == shard && graph.code(*id).ci.is_some())
            .filter(|id| generate::would_run_nothing(env, graph, *id))
            .map(|id| graph.code(id).mi)
            .collect()
    }

    /// Makes everything that is up to date again from nothing and compares: names what differs.
    /// For tests: it costs as much as compiling the whole program, and logs nothing.
    pub fn differences_from_scratch(&self) -> Vec<String> {
        let worlds = self.graphs();
        crate::twin::differences(&self.shared, &worlds.newest)
    }

    /// Numbers of units, for statistics: infer units, code units.
    pub fn counts(&self) -> (usize, usize) {
        let worlds = self.graphs();
        worlds.newest.counts()
    }
}

/// The store gets the image of the session for its next start.
impl<C: Compiler> Drop for Engine<C> {
    fn drop(&mut self) {
        let env = Env::alone(&self.shared);
        crate::persist::save_images(env, &mut self.worlds.get_mut().newest);
    }
}

/// Graphs of older worlds in an order that does not depend on hashes.
fn newest_first<C: Compiler>(older: &FxHashMap<World, Graph<C>>) -> Vec<&Graph<C>> {
    let mut graphs: Vec<&Graph<C>> = older.values().collect();
    graphs.sort_unstable_by_key(|graph| std::cmp::Reverse(graph.world));
    graphs
}
