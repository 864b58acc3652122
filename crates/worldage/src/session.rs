//! A session: one program under edits, its worlds, and the code of its instances.

use crate::backend::{Backends, Shard};
use crate::dispatcher::Dispatcher;
use crate::edits::EditFailure;
use crate::options::{OptLevel, SessionOptions};
use crate::persist::{PRODUCER, Shelf};
use crate::places::Places;
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_cranelift as cranelift;
use worldage_dispatch::World;
use worldage_engine::events::Origin;
use worldage_engine::persist::ArtifactStore;
use worldage_engine::{
    Engine, Linking, Mi, Options, PINS, ShardId, Stage, StageEvent, TableId, ViewId, WorldGuard,
};
use worldage_store::Store;
use worldage_wir::compiler::Wir;
use worldage_wir::define::Written;
use worldage_wir::diag::{Code, Diagnostic, LineCol, Place};
use worldage_wir::error::Site;
use worldage_wir::universe::Universe;

/// The compiler of sessions.
pub(crate) type SessionCompiler = Wir<Backends>;

/// Why a session cannot begin: the environment lacks something.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no code generator for this machine.
    #[error("no host code generator: {0}")]
    NoHost(String),
    /// The built-in functions were refused: a mistake of this library.
    #[error("the built-in functions were refused: {0}")]
    Prelude(String),
}

/// Where compiled code prints.
pub(crate) type PrintSink = Box<dyn FnMut(&str) + Send>;

/// A table by name, and the view that stacks it over what it lies on.
#[derive(Clone)]
pub(crate) struct NamedTable {
    pub(crate) id: TableId,
    pub(crate) view: ViewId,
    /// Itself and the tables below it, top first, without the base.
    pub(crate) stack: Vec<TableId>,
}

/// What code can run in which context: its shard, and whether run-time dispatched calls follow
/// the newest world.
pub(crate) type ContextKey = (ShardId, bool);

/// What a session shares with the contexts that run its code.
pub(crate) struct Inner {
    pub(crate) universe: Arc<Universe>,
    pub(crate) engine: Engine<SessionCompiler>,
    pub(crate) loader: cranelift::Loader,
    pub(crate) written: Mutex<Written>,
    pub(crate) places: RwLock<Places>,
    pub(crate) tables: RwLock<FxHashMap<String, NamedTable>>,
    pub(crate) options: SessionOptions,
    /// Idle contexts by shard and whether they follow the newest world.
    pub(crate) contexts: Mutex<Vec<(ContextKey, cranelift::Context)>>,
    /// The shard and view of typed calls.
    pub(crate) base: (ShardId, ViewId),
    /// Idle contexts of typed calls, by pin.
    pub(crate) slots: cranelift::ContextSlots<ContextKey>,
    /// What runs now and follows the newest world: an edit is settled for it at once.
    pub(crate) following: Mutex<Vec<(Mi, ShardId)>>,
    pub(crate) print: Mutex<Option<PrintSink>>,
    pub(crate) log: Mutex<Vec<StageEvent>>,
    #[cfg(feature = "opencl")]
    pub(crate) opencl: Mutex<Option<Arc<worldage_opencl::Device>>>,
}

/// One program under edits: definitions make worlds, calls compile what they need.
///
/// Cheap to clone: clones are the same session. Calls may come from several threads.
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
}

/// What a session has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageStats {
    /// How often the stage ran.
    pub ran: u64,
    /// How often its result came from the store.
    pub stored: u64,
    /// Nanoseconds that it took.
    pub ns: u64,
}

/// Numbers of a session.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// The newest world.
    pub world: u64,
    /// Code units: instances times shards.
    pub instances: usize,
    /// Infer, codegen, link.
    pub stages: [StageStats; 3],
    /// Bytes of live code.
    pub code_live_bytes: usize,
    /// Bytes of free code memory.
    pub code_free_bytes: usize,
}

impl Session {
    /// An empty session: world 0, nothing but the built-in functions.
    ///
    /// # Errors
    /// If there is no code generator for this machine.
    pub fn new(options: SessionOptions) -> Result<Session, StartError> {
        let isa = cranelift::HostIsa::detect().map_err(StartError::NoHost)?;
        let universe = Arc::new(Universe::new());
        let layouts = Arc::new(worldage_wir::layout::Layouts::new(Arc::clone(&universe)));
        let generator = Arc::new(cranelift::Generator::new(isa, Arc::clone(&layouts)));
        let loader = cranelift::Loader::new(Arc::clone(&generator));
        let backend = Backends {
            #[cfg(feature = "llvm")]
            ptx: worldage_llvm::Generator::new(Arc::clone(&layouts), options.cuda_toolkit.clone()),
            #[cfg(feature = "opencl")]
            layouts,
            generator,
            loader: loader.clone(),
        };
        let (written, prelude) = Written::new(Arc::clone(&universe));
        let compiler = Wir::new(Arc::clone(&universe), backend);
        let callable_worlds = if options.hold_all_worlds {
            u64::MAX
        } else {
            64
        };
        let engine_options = Options {
            threads: options.threads,
            callable_worlds,
            linking: options.linking,
            ..Options::default()
        };
        let types = Arc::clone(universe.types_arc());
        let engine = Engine::new(compiler, types, engine_options, prelude)
            .map_err(|error| StartError::Prelude(error.to_string()))?;
        engine.set_store(shelf(options.store.as_ref()));
        let view = engine.view(&[]);
        let base = (engine.shard(Shard::Host(options.opt), view), view);
        Ok(Session {
            inner: Arc::new(Inner {
                universe,
                engine,
                loader,
                written: Mutex::new(written),
                places: RwLock::default(),
                tables: RwLock::default(),
                options,
                contexts: Mutex::default(),
                base,
                slots: cranelift::ContextSlots::new(PINS),
                following: Mutex::default(),
                print: Mutex::new(None),
                log: Mutex::default(),
                #[cfg(feature = "opencl")]
                opencl: Mutex::default(),
            }),
        })
    }

    /// The code generator and the features of this machine that it uses, as text.
    ///
    /// # Errors
    /// A sentence, where there is no code generator for this machine.
    pub fn host() -> Result<String, String> {
        let isa = cranelift::HostIsa::detect()?;
        Ok(isa.description(cranelift::OptLevel::Speed))
    }

    /// The store that the session began with.
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.inner.options.store.as_ref()
    }

    /// The types that the session's values live in.
    pub fn universe(&self) -> &Arc<Universe> {
        &self.inner.universe
    }

    /// The engine below: for embedders and tools.
    pub fn engine(&self) -> &Engine<impl worldage_engine::Compiler> {
        &self.inner.engine
    }

    /// The newest world.
    pub fn world(&self) -> World {
        self.inner.engine.world()
    }

    /// How redefinitions reach linked code from here on.
    pub fn set_linking(&self, linking: Linking) {
        self.inner.engine.set_linking(linking);
    }

    /// Where results are kept beyond the session from here on; `None`: nowhere.
    pub fn set_store(&self, store: Option<&Arc<Store>>) {
        self.inner.engine.set_store(shelf(store));
    }

    /// Whether an infer or codegen that would run is an error instead, which says why.
    pub fn set_strict(&self, strict: bool) {
        self.inner.engine.set_strict(strict);
    }

    /// Compiles an instance, such as `f(Int64)`, and what it calls, without calling it.
    ///
    /// # Errors
    /// If there is no such instance, or a stage fails.
    pub fn prepare(&self, instance: &str, opt: OptLevel) -> Result<(), EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_id(None)?;
        let mi = inner.instance(instance, view, inner.engine.world())?;
        let shard = inner.shard(opt, view);
        let demanded = inner.engine.demand(mi, shard, None);
        drop(inner.take_stages());
        match demanded {
            Ok(_) => Ok(()),
            Err(error) => {
                let code = Code::UnsupportedOnTarget;
                Err(EditFailure::of(Diagnostic::error(code, error.to_string())))
            }
        }
    }

    /// Keeps a world callable while the guard lives.
    ///
    /// # Errors
    /// If the world is not callable any more, or not yet.
    pub fn hold(
        &self,
        world: Option<World>,
    ) -> Result<WorldGuard<'_, impl worldage_engine::Compiler>, worldage_engine::engine::DemandError>
    {
        self.inner.engine.hold(world)
    }

    /// Sends what programs print somewhere; without it, a call's report carries it.
    pub fn on_print(&self, sink: Box<dyn FnMut(&str) + Send>) {
        *self.inner.print.lock() = Some(sink);
    }

    /// A diagnostic as text for people, with positions, carets and what to do about it.
    pub fn render(&self, diagnostic: &Diagnostic) -> String {
        crate::failure::for_people(diagnostic).render(&self.inner.places.read().sources)
    }

    /// Where a place stands, for people.
    pub fn line_col(&self, place: Place) -> LineCol {
        self.inner
            .places
            .read()
            .sources
            .line_col(place.file, place.span.lo)
    }

    /// The stages that ran since this was last asked.
    pub fn take_stages(&self) -> Vec<StageEvent> {
        std::mem::take(&mut *self.inner.log.lock())
    }

    /// The name of an instance: `f(Int64)`.
    pub fn name(&self, mi: Mi) -> String {
        self.inner.engine.name(mi)
    }

    /// Numbers for `--stats`, over the stages in `events`.
    pub fn stats(&self, events: &[StageEvent]) -> Stats {
        let mut stages = [StageStats::default(); 3];
        for event in events {
            if self.inner.is_intrinsic(event.mi) {
                continue;
            }
            let stage = &mut stages[match event.stage {
                Stage::Infer => 0,
                Stage::Codegen => 1,
                Stage::Link => 2,
            }];
            match event.origin {
                Origin::Ran => stage.ran += 1,
                Origin::Stored => stage.stored += 1,
            }
            stage.ns += event.ns;
        }
        let memory = self.inner.loader.memory();
        Stats {
            world: self.world().0,
            instances: self.inner.engine.counts().1,
            stages,
            code_live_bytes: memory.live,
            code_free_bytes: memory.free,
        }
    }
}

fn shelf(store: Option<&Arc<Store>>) -> Option<Arc<dyn ArtifactStore>> {
    Some(Shelf::new(store?, PRODUCER))
}

impl Inner {
    /// The shard of an opt level over a named view.
    pub(crate) fn shard(&self, opt: OptLevel, view: ViewId) -> ShardId {
        self.engine.shard(Shard::Host(opt), view)
    }

    pub(crate) fn is_intrinsic(&self, mi: Mi) -> bool {
        self.engine
            .method(self.engine.key(mi).method)
            .intrinsic
            .is_some()
    }

    /// Where a node of a method stood in a world.
    pub(crate) fn place(&self, site: Site, world: World) -> Option<Place> {
        self.places.read().at(site, world)
    }

    /// Keeps events for [`Session::take_stages`]; of a session that nobody asks, the newest.
    pub(crate) fn keep_events(&self, events: Vec<StageEvent>) {
        let mut log = self.log.lock();
        log.extend(events);
        if log.len() / 2 > self.options.log_limit {
            let old = log.len() - self.options.log_limit;
            log.drain(..old);
        }
    }

    /// A context, a new one if none is idle.
    pub(crate) fn context(
        self: &Arc<Self>,
        key: ContextKey,
    ) -> std::io::Result<cranelift::Context> {
        let mut idle = self.contexts.lock();
        if let Some(ix) = idle.iter().position(|(of, _)| *of == key) {
            return Ok(idle.swap_remove(ix).1);
        }
        drop(idle);
        let (shard, live) = key;
        let mut options = cranelift::Options {
            stack_size: self.options.stack_bytes,
            live,
            ..cranelift::Options::default()
        };
        if let Some(limit) = self.options.memory_limit {
            options.memory_limit = limit;
        }
        let dispatcher = Dispatcher {
            session: Arc::downgrade(self),
            shard,
        };
        cranelift::Context::new(&self.loader, Arc::new(dispatcher), options)
    }

    pub(crate) fn give_back(&self, key: ContextKey, context: cranelift::Context) {
        self.contexts.lock().push((key, context));
    }

    /// In live linking, what is running has asked for every later definition: brings it up to
    /// date, so that its next calls reach the new code. An error stays for whoever calls next.
    pub(crate) fn settle_following(&self) {
        let following = self.following.lock().clone();
        for (mi, shard) in following {
            drop(self.engine.demand(mi, shard, None));
        }
    }
}
