//! A session: one program under edits, its worlds, and the code of its instances.

use crate::backend::{Backends, Shard};
use crate::dispatcher::Dispatcher;
use crate::edits::EditFailure;
use crate::options::{OptLevel, SessionOptions};
use crate::persist::{PRODUCER, Shelf};
use crate::places::Places;
use crate::tally::Tally;
use crate::tuning::Tables;
use crate::typed::IdleContext;
use parking_lot::{Mutex, ReentrantMutex, RwLock};
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
use worldage_store::usage::Usage;
use worldage_wir::compiler::Wir;
use worldage_wir::define::Written;
use worldage_wir::device::overlay::Overlay;
use worldage_wir::diag::{Diagnostic, LineCol, Place};
use worldage_wir::error::Site;
use worldage_wir::universe::Universe;

/// The compiler of sessions.
pub(crate) type SessionCompiler = Wir<Backends>;

/// Why a session cannot begin: the environment lacks something.
///
/// ```
/// let error = worldage::StartError::NoHost("an unknown machine".into());
/// assert_eq!(error.to_string(), "no host code generator: an unknown machine");
/// ```
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
    /// The session's opt level over the base view.
    pub(crate) base: ShardId,
    /// Idle contexts of typed calls, by pin.
    pub(crate) slots: cranelift::ContextSlots<IdleContext>,
    /// What runs now and follows the newest world: an edit is settled for it at once.
    pub(crate) following: Mutex<Vec<(Mi, ShardId)>>,
    pub(crate) print: Mutex<Option<PrintSink>>,
    pub(crate) log: Mutex<Vec<StageEvent>>,
    /// What is known about the schedules of kernels.
    pub(crate) tuned: Mutex<Tables>,
    /// Held while schedules are measured.
    pub(crate) measuring: ReentrantMutex<()>,
    /// Where results are kept beyond the session.
    pub(crate) store: RwLock<Option<Arc<Store>>>,
    /// What the store was good for.
    pub(crate) tally: Mutex<Tally>,
    #[cfg(feature = "cuda")]
    pub(crate) cuda: Mutex<Option<Arc<worldage_cuda::Device>>>,
    #[cfg(feature = "opencl")]
    pub(crate) opencl: Mutex<Option<Arc<worldage_opencl::Device>>>,
}

/// One program under edits: definitions make worlds, calls compile what they need.
///
/// Cheap to clone: clones are the same session. Calls may come from several threads.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let same = session.clone();
/// same.define("g.wir", "noinline fn g(x) { 0 }", None).unwrap();
/// assert_eq!(session.world(), World(2));
/// ```
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
}

/// What a session has done so far.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// session.prepare("f(Int64)", OptLevel::Speed).unwrap();
/// let [infer, ..] = session.stats(&session.take_stages()).stages;
/// assert_eq!((infer.ran, infer.stored), (2, 0));
/// ```
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
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// session.prepare("f(Int64)", OptLevel::Speed).unwrap();
/// let stats = session.stats(&session.take_stages());
/// assert!(stats.world == 1 && stats.code_live_bytes > 0);
/// ```
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
    /// ```
    /// use worldage::{Session, SessionOptions, World};
    /// let session = Session::new(SessionOptions::default()).unwrap();
    /// assert_eq!(session.world(), World(0));
    /// ```
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
            tables: Overlay::tables(),
            linking: options.linking,
            image_from: options.image_from,
            ..Options::default()
        };
        let types = Arc::clone(universe.types_arc());
        let engine = Engine::new(compiler, types, engine_options, prelude)
            .map_err(|error| StartError::Prelude(error.to_string()))?;
        engine.set_store(shelf(options.store.as_ref()));
        let store = options.store.clone();
        let view = engine.view(&[]);
        let base = engine.shard(Shard::Host(options.opt).into(), view);
        let tables =
            Overlay::ALL.map(|overlay| (overlay.name().into(), of_device(&engine, overlay)));
        Ok(Session {
            inner: Arc::new(Inner {
                universe,
                engine,
                loader,
                written: Mutex::new(written),
                places: RwLock::default(),
                tables: RwLock::new(tables.into_iter().collect()),
                options,
                contexts: Mutex::default(),
                base,
                slots: cranelift::ContextSlots::new(PINS),
                following: Mutex::default(),
                print: Mutex::new(None),
                log: Mutex::default(),
                tuned: Mutex::default(),
                measuring: ReentrantMutex::default(),
                store: RwLock::new(store),
                tally: Mutex::default(),
                #[cfg(feature = "cuda")]
                cuda: Mutex::default(),
                #[cfg(feature = "opencl")]
                opencl: Mutex::default(),
            }),
        })
    }

    /// The code generator and the features of this machine that it uses, as text.
    ///
    /// ```
    /// assert!(!worldage::Session::host().unwrap().is_empty());
    /// ```
    ///
    /// # Errors
    /// A sentence, where there is no code generator for this machine.
    pub fn host() -> Result<String, String> {
        let isa = cranelift::HostIsa::detect()?;
        Ok(isa.description(cranelift::OptLevel::Speed))
    }

    /// The store that the session began with.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// assert!(session.store().is_none());
    /// ```
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.inner.options.store.as_ref()
    }

    /// The types that the session's values live in.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let value = session.value_of("f", &[Value::int(1)], &CallOptions::default()).unwrap();
    /// assert_eq!(value.show(session.universe()).to_string(), "4");
    /// ```
    pub fn universe(&self) -> &Arc<Universe> {
        &self.inner.universe
    }

    /// The engine below: for embedders and tools.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.prepare("f(Int64)", OptLevel::Speed).unwrap();
    /// assert!(session.engine().counts().0 >= 2);
    /// ```
    pub fn engine(&self) -> &Engine<impl worldage_engine::Compiler> {
        &self.inner.engine
    }

    /// The newest world.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// assert_eq!(session.world(), World(1));
    /// ```
    pub fn world(&self) -> World {
        self.inner.engine.world()
    }

    /// How redefinitions reach linked code from here on.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.set_linking(Linking::Live);
    /// session.call("f(1)", &CallOptions::default());
    /// session.define("g.wir", "noinline fn g(x) { x + 2 }", None).unwrap();
    /// let report = session.call("f(1)", &CallOptions::default());
    /// // The new code took the place of the old one: nobody is linked again.
    /// assert_eq!(report.stages[2].1, ["g(Int64)"]);
    /// ```
    pub fn set_linking(&self, linking: Linking) {
        self.inner.engine.set_linking(linking);
    }

    /// Where results are kept beyond the session from here on; `None`: nowhere.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// # let folder = std::env::temp_dir().join(format!("worldage-doc-{}", std::process::id()));
    /// let options = store::Options { folder: Some(folder.clone()), ..store::Options::default() };
    /// let store = store::Store::open(&options, Box::new(|warning| eprintln!("{warning}")));
    /// session.set_store(Some(&std::sync::Arc::new(store)));
    /// assert_eq!(session.call("f(1)", &CallOptions::default()).shown(&session), "4");
    /// # session.set_store(None);
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// ```
    pub fn set_store(&self, store: Option<&Arc<Store>>) {
        self.inner.engine.set_store(shelf(store));
        *self.inner.store.write() = store.cloned();
    }

    /// Whether an infer or codegen that would run is an error instead, which says why. What was
    /// refused may run once strict mode is over.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.set_strict(true);
    /// let refused = session.call("f(1)", &CallOptions::default()).result.unwrap_err();
    /// assert!(refused.diagnostic.message.contains("there is no store"));
    /// session.set_strict(false);
    /// assert_eq!(session.call("f(1)", &CallOptions::default()).shown(&session), "4");
    /// ```
    pub fn set_strict(&self, strict: bool) {
        self.inner.engine.set_strict(strict);
    }

    /// Compiles an instance, such as `f(Int64)`, and what it calls, without calling it.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.prepare("f(Int64)", OptLevel::None).unwrap();
    /// assert_eq!(session.take_stages().len(), 6);
    /// ```
    ///
    /// # Errors
    /// If there is no such instance, or a stage fails.
    pub fn prepare(&self, instance: &str, opt: OptLevel) -> Result<(), EditFailure> {
        self.prepare_on(instance, Shard::Host(opt))
    }

    /// As [`Session::prepare`], for a shard of any kind: of a kernel in every schedule. No device
    /// is needed, and none is asked.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "kernel fn k(n: Int64) { tune(a, [1, 2])\n div(n, a) }";
    /// session.define("k.wir", text, None).unwrap();
    /// session.prepare_on("k(Int64)", Shard::Host(OptLevel::Speed)).unwrap();
    /// let stages = session.take_stages();
    /// assert_eq!(stages.iter().filter(|event| event.stage == Stage::Codegen).count(), 2);
    /// ```
    ///
    /// # Errors
    /// As [`Session::prepare`]; what a device cannot do, such as launch what is no kernel.
    pub fn prepare_on(&self, instance: &str, shard: Shard) -> Result<(), EditFailure> {
        self.prepare_each(&[instance], shard)
    }

    /// As [`Session::prepare_on`], of several instances: code is generated on all threads.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "kernel fn k(n: Int64) { div(n, 2) }\nkernel fn l(n: Int64) { div(n, 3) }";
    /// session.define("k.wir", text, None).unwrap();
    /// let host = Shard::Host(OptLevel::Speed);
    /// session.prepare_each(&["k(Int64)", "l(Int64)"], host).unwrap();
    /// assert_eq!(session.take_stages().len(), 6);
    /// ```
    ///
    /// # Errors
    /// As [`Session::prepare_on`], of the first that fails.
    pub fn prepare_each(
        &self,
        instances: &[impl AsRef<str>],
        shard: Shard,
    ) -> Result<(), EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_on(shard, inner.view_id(None)?);
        let world = inner.engine.world();
        let named = instances.iter();
        let instances = named.map(|name| inner.instance(name.as_ref(), view, world));
        let instances: Vec<Mi> = instances.collect::<Result<_, _>>()?;
        let compiled = inner.compile_each(&instances, shard, (view, world));
        drop(inner.take_stages());
        compiled
            .map(drop)
            .map_err(|error| EditFailure::of(error.to_diagnostic(|site| inner.place(site, world))))
    }

    /// Keeps a world callable while the guard lives.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let held = session.hold(None).unwrap();
    /// session.define("g.wir", "noinline fn g(x) { 0 }", None).unwrap();
    /// let old = CallOptions { world: Some(held.world), ..CallOptions::default() };
    /// assert_eq!(session.call("f(1)", &old).shown(&session), "4");
    /// ```
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
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// # session.define("p.wir", "fn p() { print(1, 2) }", None).unwrap();
    /// let (sender, lines) = std::sync::mpsc::channel();
    /// session.on_print(Box::new(move |line| sender.send(line.to_string()).unwrap()));
    /// session.call("p()", &CallOptions::default());
    /// assert_eq!(lines.recv().unwrap(), "1 2\n");
    /// ```
    pub fn on_print(&self, sink: Box<dyn FnMut(&str) + Send>) {
        *self.inner.print.lock() = Some(sink);
    }

    /// A diagnostic as text for people, with positions, carets and what to do about it.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let failure = session.define("h.wir", "fn h(x: Nope) { x }", None).unwrap_err();
    /// assert!(session.render(&failure.diagnostics[0]).starts_with("h.wir:1:9: error[unknown-type]"));
    /// ```
    pub fn render(&self, diagnostic: &Diagnostic) -> String {
        crate::failure::for_people(diagnostic).render(&self.inner.places.read().sources)
    }

    /// Where a place stands, for people.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let failure = session.define("h.wir", "fn h(x: Nope) { x }", None).unwrap_err();
    /// let at = session.line_col(failure.diagnostics[0].place.unwrap());
    /// assert_eq!((at.line, at.col), (1, 9));
    /// ```
    pub fn line_col(&self, place: Place) -> LineCol {
        self.inner
            .places
            .read()
            .sources
            .line_col(place.file, place.span.lo)
    }

    /// The stages that ran since this was last asked.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.prepare("f(Int64)", OptLevel::Speed).unwrap();
    /// assert_eq!(session.take_stages().len(), 6);
    /// assert!(session.take_stages().is_empty());
    /// ```
    pub fn take_stages(&self) -> Vec<StageEvent> {
        std::mem::take(&mut *self.inner.log.lock())
    }

    /// The name of an instance: `f(Int64)`.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.prepare("g(Int64)", OptLevel::Speed).unwrap();
    /// assert_eq!(session.name(session.take_stages()[0].mi), "g(Int64)");
    /// ```
    pub fn name(&self, mi: Mi) -> String {
        self.inner.engine.name(mi)
    }

    /// Numbers for `--stats`, over the stages in `events`.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.call("f(1)", &CallOptions::default());
    /// let stats = session.stats(&session.take_stages());
    /// assert_eq!(stats.stages.map(|stage| stage.ran), [2, 2, 2]);
    /// ```
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

/// The program's table of a kind of device.
fn of_device(engine: &Engine<SessionCompiler>, overlay: Overlay) -> NamedTable {
    let stack = overlay.stack();
    NamedTable {
        id: stack[0],
        view: engine.view(&stack),
        stack: stack.into(),
    }
}

fn shelf(store: Option<&Arc<Store>>) -> Option<Arc<dyn ArtifactStore>> {
    Some(Shelf::new(store?, PRODUCER))
}

/// Tells the store what it was good for.
impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(store) = &self.options.store {
            let engine = &self.engine;
            let tally = self.tally.get_mut();
            let mut usage = tally.usage(|mi| engine.name(mi), |shard| engine.shard_name(shard));
            if !usage.is_empty() {
                let stats = store.stats();
                usage.push(Usage {
                    hits: stats.hits,
                    misses: stats.misses,
                    read_bytes: stats.bytes_read,
                    ..Usage::default()
                });
                store.note(usage);
            }
        }
    }
}

impl Inner {
    /// The shard of an opt level over a named view.
    pub(crate) fn shard(&self, opt: OptLevel, view: ViewId) -> ShardId {
        self.engine.shard(Shard::Host(opt).into(), view)
    }

    /// What a shard sees of a program that is seen in a view: with the tables of its device below
    /// the view's own, unless the view has chosen among them.
    pub(crate) fn view_on(&self, shard: Shard, view: ViewId) -> ViewId {
        let Some(overlay) = shard.overlay() else {
            return view;
        };
        let tables = self.tables.read();
        let named = tables.values().find(|named| named.view == view);
        let stack = named.map_or(&[][..], |named| &named.stack);
        let of_device = overlay.stack();
        match of_device.iter().any(|table| stack.contains(table)) {
            true => view,
            false => self.engine.view(&[stack, &of_device].concat()),
        }
    }

    pub(crate) fn is_intrinsic(&self, mi: Mi) -> bool {
        self.engine
            .method(self.engine.key(mi).method)
            .intrinsic
            .is_some()
    }

    /// Whether the program has the method: it is neither built in nor shipped for a device.
    pub(crate) fn is_written(&self, mi: Mi) -> bool {
        let method = self.engine.method(self.engine.key(mi).method);
        let shipped = Overlay::ALL.map(|overlay| overlay.stack()[1]);
        method.intrinsic.is_none() && !shipped.contains(&method.table)
    }

    /// Where a node of a method stood in a world.
    pub(crate) fn place(&self, site: Site, world: World) -> Option<Place> {
        self.places.read().at(site, world)
    }

    /// Keeps events for [`Session::take_stages`]; of a session that nobody asks, the newest.
    pub(crate) fn keep_events(&self, events: Vec<StageEvent>) {
        if tracing::enabled!(target: "worldage::stage", tracing::Level::DEBUG) {
            events.iter().for_each(|event| self.tell(event));
        }
        if self.options.store.is_some() {
            self.tally.lock().add(&events);
        }
        let mut log = self.log.lock();
        match log.is_empty() {
            true => *log = events,
            false => log.extend(events),
        }
        if log.len() / 2 > self.options.log_limit {
            let old = log.len() - self.options.log_limit;
            log.drain(..old);
        }
    }

    /// Says which stage ran, or came from the store.
    fn tell(&self, event: &StageEvent) {
        let (stage, name) = (event.stage, self.engine.name(event.mi));
        let shard = event.shard.map(|shard| self.engine.shard_name(shard));
        let shard = shard.map_or(String::new(), |shard| format!(" {shard}"));
        let ms = event.ns as f64 / 1e6;
        let stored = match event.origin {
            Origin::Ran => "",
            Origin::Stored => ", stored",
        };
        tracing::debug!(target: "worldage::stage", "{stage} {name}{shard}: {ms:.3} ms{stored}");
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
