//! A session: one program under edits in an embedder's language.

use super::edit::Edit;
use super::error::Error;
use super::handle::Handle;
use super::scope::Scope;
use super::stages::Stages;
use super::target::Target;
use crate::persist::Shelf;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_dispatch::{Decl, DeclKind, Sig, Ty, TypeError, Types, World};
use worldage_engine::persist::ArtifactStore;
use worldage_engine::{
    CodeInstance, Commit, Compiler, Engine, Explanation, Linking, Options, TableId, WorldGuard,
};
use worldage_store::Store;

/// What the handles of a session share with it.
pub(super) struct Inner<C: Compiler> {
    pub(super) engine: Engine<C>,
    names: Mutex<Names>,
}

/// What the session's names mean.
#[derive(Default)]
struct Names {
    types: FxHashMap<Arc<str>, Ty>,
    tables: FxHashMap<Arc<str>, TableId>,
}

/// One program under edits: definitions make worlds, calls compile what they need.
///
/// Cheap to clone: clones are the same session. Calls and edits may come from several threads.
///
/// ```
/// # use worldage::embed::{example::{Sum, Sums}, *};
/// # let session = Session::new(Sums);
/// # session.edit(|e| {
/// #     e.define("one", &[], Sum::Number(1))?;
/// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
/// # })?;
/// let same = session.clone();
/// same.edit(|edit| edit.define("one", &[], Sum::Number(21)))?;
/// assert_eq!(session.call("two", &[], |value| **value)?, 42);
/// # Ok::<(), Error>(())
/// ```
pub struct Session<C: Compiler> {
    pub(super) inner: Arc<Inner<C>>,
}

impl<C: Compiler> Clone for Session<C> {
    fn clone(&self) -> Self {
        let inner = Arc::clone(&self.inner);
        Session { inner }
    }
}

impl<C: Compiler> Session<C> {
    /// An empty session in world 0.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(Session::new(Sums).world(), World(0));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new(compiler: C) -> Session<C> {
        Session::with_options(compiler, Arc::new(Types::new()), Options::default())
    }

    /// An empty session over types that the compiler knows already.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let options = Options { threads: 1, ..Options::default() };
    /// let session = Session::with_options(Sums, std::sync::Arc::new(Types::new()), options);
    /// assert_eq!(session.world(), World(0));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn with_options(compiler: C, types: Arc<Types>, options: Options) -> Session<C> {
        let prelude = worldage_engine::Edit::new();
        let engine = Engine::new(compiler, types, options, prelude);
        let engine = engine.unwrap_or_else(|_| unreachable!("an empty prelude is never refused"));
        let names = Mutex::default();
        Session {
            inner: Arc::new(Inner { engine, names }),
        }
    }

    /// The embedder's compiler.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let Sums = session.compiler();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn compiler(&self) -> &C {
        self.inner.engine.compiler()
    }

    /// The engine below: everything that this façade does is asked there.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(session.engine().world(), session.world());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn engine(&self) -> &Engine<C> {
        &self.inner.engine
    }

    /// The type lattice.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let circle = session.concrete_type("Circle", Ty::ANY)?;
    /// assert!(session.types().subtype(circle, Ty::ANY));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn types(&self) -> &Arc<Types> {
        self.inner.engine.types()
    }

    /// Declares a type that others can stand under; [`Ty::ANY`] is above everything.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let shape = session.abstract_type("Shape", Ty::ANY)?;
    /// let circle = session.concrete_type("Circle", shape)?;
    /// assert!(session.types().subtype(circle, shape));
    /// assert!(matches!(session.abstract_type("Shape", Ty::ANY), Err(Error::DuplicateType(_))));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DuplicateType`], or [`Error::Type`]: nothing stands under a concrete type.
    pub fn abstract_type(&self, name: &str, parent: Ty) -> Result<Ty, Error> {
        self.declare(name, DeclKind::Abstract, parent)
    }

    /// Declares a type that values have.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let circle = session.concrete_type("Circle", Ty::ANY)?;
    /// assert!(session.types().is_concrete(circle));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As of [`Session::abstract_type`].
    pub fn concrete_type(&self, name: &str, parent: Ty) -> Result<Ty, Error> {
        self.declare(name, DeclKind::Concrete, parent)
    }

    fn declare(&self, name: &str, kind: DeclKind, parent: Ty) -> Result<Ty, Error> {
        let types = self.types();
        let mut names = self.inner.names.lock();
        if names.types.contains_key(name) {
            return Err(Error::DuplicateType(name.into()));
        }
        let decl = types.declare(Decl::leaf(types.symbol(name), kind, parent))?;
        let ty = types.leaf(decl);
        names.types.insert(name.into(), ty);
        Ok(ty)
    }

    /// A declared type.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let circle = session.concrete_type("Circle", Ty::ANY)?;
    /// assert_eq!(session.ty("Circle")?, circle);
    /// assert!(matches!(session.ty("Square"), Err(Error::UnknownType(_))));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownType`].
    pub fn ty(&self, name: &str) -> Result<Ty, Error> {
        let known = self.inner.names.lock().types.get(name).copied();
        known.ok_or_else(|| Error::UnknownType(name.into()))
    }

    /// The table of this name, made when it is first asked for.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(session.table("other"), session.table("other"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn table(&self, name: &str) -> TableId {
        let mut names = self.inner.names.lock();
        let known = names.tables.get(name).copied();
        known.unwrap_or_else(|| {
            let table = self.inner.engine.table(name);
            names.tables.insert(name.into(), table);
            table
        })
    }

    /// Commits what the closure changes as one new world; if it gives an error, or a change is
    /// refused, nothing has changed.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.edit(|edit| {
    ///     edit.define("one", &[], Sum::Number(2))?;
    ///     edit.define("three", &[], Sum::Of(vec!["two", "one"]))
    /// })?;
    /// assert_eq!(session.call("three", &[], |value| **value)?, 6);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The closure's, or [`Error::Edit`].
    pub fn edit(
        &self,
        changes: impl FnOnce(&mut Edit<'_, C>) -> Result<(), Error>,
    ) -> Result<Commit, Error> {
        let mut edit = Edit::new(&self.inner);
        changes(&mut edit)?;
        Ok(self.inner.engine.commit(edit.changes)?)
    }

    /// The newest world.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(session.world(), World(1));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn world(&self) -> World {
        self.inner.engine.world()
    }

    /// Keeps a world callable while the guard lives; `None` is the newest.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let held = session.hold(None)?;
    /// session.edit(|edit| edit.define("one", &[], Sum::Number(21)))?;
    /// assert_eq!(session.on(OneShard).in_world(held.world).call("two", &[], |value| **value)?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Demand`]: it is not callable any more, or not yet.
    pub fn hold(&self, world: Option<World>) -> Result<WorldGuard<'_, C>, Error> {
        Ok(self.inner.engine.hold(world)?)
    }

    /// Calls in a shard.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(session.on(OneShard).call("two", &[], |value| **value)?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn on(&self, shard: C::Shard) -> Target<'_, C> {
        Target::new(self, shard)
    }

    /// Runs a closure in the newest world, which stays callable meanwhile: handles called in it
    /// take no lock.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let two = session.handle("two", &[])?;
    /// let value = session.enter(|scope| scope.get(&two).map(|two| **two.linked()))?;
    /// assert_eq!(value, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn enter<R>(&self, run: impl FnOnce(&Scope<'_, C>) -> R) -> R {
        run(&Scope::new(self))
    }

    /// How redefinitions reach linked code from here on.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.set_linking(Linking::Live);
    /// assert_eq!(session.call("one", &[], |value| **value)?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_linking(&self, linking: Linking) {
        self.inner.engine.set_linking(linking);
    }

    /// Whether an infer or codegen that would run is an error instead, which says why.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.call("two", &[], |value| **value)?;
    /// session.set_strict(true);
    /// assert!(session.call("two", &[], |value| **value).is_ok());
    /// session.edit(|edit| edit.define("one", &[], Sum::Number(3)))?;
    /// assert!(session.call("two", &[], |value| **value).is_err());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_strict(&self, strict: bool) {
        self.inner.engine.set_strict(strict);
    }

    /// Whether every stage runs twice and an impure one is an error that names it.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.set_checking(true);
    /// assert_eq!(session.call("two", &[], |value| **value)?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_checking(&self, checking: bool) {
        self.inner.engine.set_checking(checking);
    }

    /// Where results are kept beyond the session. `producer` is the embedder's compiler and its
    /// version, down to the build: results of another one are never used.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// # use worldage::store;
    /// # let folder = std::env::temp_dir().join(format!("worldage-doc-embed-{}", std::process::id()));
    /// let options = store::Options { folder: Some(folder.clone()), ..store::Options::default() };
    /// let store = store::Store::open(&options, Box::new(|warning| eprintln!("{warning}")));
    /// session.set_store(&std::sync::Arc::new(store), "sums 1.0");
    /// assert_eq!(session.call("two", &[], |value| **value)?, 2);
    /// # drop(session);
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_store(&self, store: &Arc<Store>, producer: &str) {
        self.inner.engine.set_store(Some(shelf(store, producer)));
    }

    /// Keeps nothing beyond the session from here on.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| e.define("one", &[], Sum::Number(1)))?;
    /// session.unset_store();
    /// assert_eq!(session.call("one", &[], |value| **value)?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn unset_store(&self) {
        self.inner.engine.set_store(None);
    }

    /// The stages that ran since this was last asked.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.call("two", &[], |value| **value)?;
    /// assert_eq!(session.take_stages().counts(), [2, 1, 1]);
    /// assert_eq!(session.take_stages().counts(), [0, 0, 0]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn take_stages(&self) -> Stages {
        let engine = &self.inner.engine;
        Stages::of(engine, engine.take_log())
    }
}

/// What is called in the shard that a compiler begins with.
impl<C: Compiler<Shard: Default>> Session<C> {
    /// Compiles the instance of a function that takes these argument types, with all it calls.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(**session.compile("two", &[])?.linked(), 2);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unresolved`], or [`Error::Demand`]: a stage failed.
    pub fn compile(&self, function: &str, args: &[Ty]) -> Result<Arc<CodeInstance<C>>, Error> {
        self.on(C::Shard::default()).compile(function, args)
    }

    /// Brings the instance up to date and runs something with what link gave; its world stays
    /// callable meanwhile.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(session.call("two", &[], |value| **value)?, 2);
    /// assert!(matches!(session.call("three", &[], |_| ()), Err(Error::Unresolved { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As of [`Session::compile`].
    pub fn call<R>(
        &self,
        function: &str,
        args: &[Ty],
        run: impl FnOnce(&C::Linked) -> R,
    ) -> Result<R, Error> {
        self.on(C::Shard::default()).call(function, args, run)
    }

    /// A handle on what takes these argument types: it follows the newest world.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let two = session.handle("two", &[])?;
    /// assert_eq!(two.call(|value| **value)?, 2);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As of [`Session::compile`].
    pub fn handle(&self, function: &str, args: &[Ty]) -> Result<Handle<C>, Error> {
        self.on(C::Shard::default()).handle(function, args)
    }

    /// What bringing an instance up to date after the newest edit did, and why; `None` if it was
    /// never compiled.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.call("two", &[], |value| **value)?;
    /// session.edit(|edit| edit.define("one", &[], Sum::Number(3)))?;
    /// session.call("two", &[], |value| **value)?;
    /// let why = session.explain("two", &[])?.unwrap();
    /// assert_eq!(why.stages[0].because.last().unwrap().trim(), "source one()  replaced in world 2");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unresolved`].
    pub fn explain(&self, function: &str, args: &[Ty]) -> Result<Option<Explanation>, Error> {
        self.on(C::Shard::default()).explain(function, args)
    }
}

/// A store as an engine takes it; `producer` as for [`Session::set_store`], which is for those
/// who have a session.
///
/// ```
/// use worldage::{embed::{example::Sums, shelf, Session}, store::Store};
/// let store = Store::with_layers(Vec::new(), Box::new(|warning| eprintln!("{warning}")));
/// Session::new(Sums).engine().set_store(Some(shelf(&std::sync::Arc::new(store), "sums 1.0")));
/// ```
#[must_use]
pub fn shelf(store: &Arc<Store>, producer: &str) -> Arc<dyn ArtifactStore> {
    Shelf::new(store, producer)
}

impl<C: Compiler> Inner<C> {
    pub(super) fn find_table(&self, name: &str) -> Result<TableId, Error> {
        let known = self.names.lock().tables.get(name).copied();
        known.ok_or_else(|| Error::UnknownTable(name.into()))
    }

    pub(super) fn sig(&self, params: &[Ty]) -> Result<Sig, TypeError> {
        Sig::new(self.engine.types(), params, None, Vec::new())
    }
}
