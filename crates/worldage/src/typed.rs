//! Typed handles: a function of the program as a Rust `fn` type of scalars.
//!
//! A handle remembers what its call means in one world. In a scope of that world a call takes no
//! lock and asks nobody; in a later world the engine is asked once.

use crate::calls::CallFailure;
use crate::failure;
use crate::options::OptLevel;
use crate::session::{ContextKey, Inner, Session, SessionCompiler};
use arc_swap::{ArcSwapOption, Guard};
use std::cell::OnceCell;
use std::sync::Arc;
use worldage_cranelift::{self as cranelift, HostFn, HostScalar, TypedCallee, TypedContext};
use worldage_dispatch::{Symbol, Ty, World};
use worldage_engine::{Entered, Linking, ShardId, Unresolved, ViewId};
use worldage_wir::error::RunError;
use worldage_wir::ir::Failure;

/// Why a typed call gave no value.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let Err(error) = session.handle::<fn(i64) -> f64>("f") else { panic!() };
/// assert!(matches!(error, CallError::Returns { .. }));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such method, a stage failed, or the program did.
    #[error(transparent)]
    Failed(#[from] CallFailure),
    /// The instance returns another type than the handle.
    #[error("{call} returns {found}, and the handle {expected}: ask for a handle of that type")]
    Returns {
        /// The instance: `f(Int64)`.
        call: Arc<str>,
        /// The handle's type.
        expected: Arc<str>,
        /// The instance's.
        found: Arc<str>,
    },
    /// The handle belongs to another session.
    #[error("foreign-handle: the handle on {0} belongs to another session: ask this one for it")]
    ForeignHandle(Arc<str>),
}

/// A function of the program on scalars: `FnHandle<fn(i64) -> i64>`. It follows the newest world.
///
/// ```
/// use worldage::{Session, SessionOptions};
///
/// let session = Session::new(SessionOptions::default()).unwrap();
/// session.define("f.wir", "fn double(x: Int64) { x + x }", None).unwrap();
/// let double = session.handle::<fn(i64) -> i64>("double").unwrap();
/// let sum = session.enter(|scope| {
///     let double = scope.get(&double)?;
///     (0..10).try_fold(0, |sum, x| Ok::<_, worldage::CallError>(sum + double.call((x,))?))
/// });
/// assert_eq!(sum.unwrap(), 90);
/// ```
pub struct FnHandle<F: HostFn> {
    session: Arc<Inner>,
    function: Symbol,
    args: Ty,
    view: ViewId,
    shard: ShardId,
    newest: ArcSwapOption<InWorld<F>>,
}

struct InWorld<F> {
    world: World,
    callee: TypedCallee<F>,
}

/// The newest world at the time of [`Session::enter`]; it stays callable until the scope ends.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let f = session.handle::<fn(i64) -> i64>("f").unwrap();
/// session.enter(|scope| {
///     assert_eq!(scope.world(), World(1));
///     assert_eq!(scope.get(&f).unwrap().call((20,)).unwrap(), 42);
/// });
/// ```
pub struct FnScope<'s> {
    session: &'s Arc<Inner>,
    /// The contexts that calls of this scope run in.
    contexts: OnceCell<Box<IdleContext>>,
    live: bool,
    entered: Entered<'s, SessionCompiler>,
}

/// A context for code of one shard and, in a scope, those for others behind it.
pub(crate) struct IdleContext {
    key: ContextKey,
    context: TypedContext,
    next: OnceCell<Box<IdleContext>>,
}

/// What a handle means in the world of a scope.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let f = session.handle::<fn(f64) -> f64>("f").unwrap();
/// let sum = session.enter(|scope| {
///     let f = scope.get(&f)?;
///     Ok::<f64, CallError>(f.call((0.5,))? + f.call((1.0,))?)
/// });
/// assert_eq!(sum.unwrap(), 7.0);
/// ```
pub struct FnVersion<'s, F: HostFn> {
    scope: &'s FnScope<'s>,
    context: &'s TypedContext,
    view: ViewId,
    meaning: Meaning<F>,
}

/// What a handle means, taken from where all threads find it; never nothing.
type Meaning<F> = Guard<Option<Arc<InWorld<F>>>>;

/// What the code that a handle calls is compiled for.
///
/// ```
/// use worldage::{HandleOptions, OptLevel, Session, SessionOptions};
///
/// let session = Session::new(SessionOptions::default()).unwrap();
/// session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// session.table("loud", None).unwrap();
/// session.define("l.wir", "noinline fn g(x: Int64) { x + 100 }", Some("loud")).unwrap();
/// let plain = HandleOptions { opt: Some(OptLevel::None), ..HandleOptions::default() };
/// let loud = HandleOptions { view: Some("loud".into()), ..HandleOptions::default() };
/// let plain = session.handle_with::<fn(i64) -> i64>("f", &plain).unwrap();
/// let loud = session.handle_with::<fn(i64) -> i64>("f", &loud).unwrap();
/// session.enter(|scope| {
///     assert_eq!(scope.get(&plain).unwrap().call((20,)).unwrap(), 42);
///     assert_eq!(scope.get(&loud).unwrap().call((20,)).unwrap(), 240);
/// });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandleOptions {
    /// The opt level; `None` is the session's.
    pub opt: Option<OptLevel>,
    /// The table on top of the view; `None` is the base alone.
    pub view: Option<String>,
}

impl Session {
    /// A handle on the method of a function that takes these scalars, compiled for the session's
    /// opt level.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// assert!(session.handle::<fn(i64) -> i64>("f").is_ok());
    /// assert!(session.handle::<fn() -> i64>("f").is_err());
    /// ```
    ///
    /// # Errors
    /// [`CallError`]: no method takes them, it returns another type, or a stage failed.
    pub fn handle<F: HostFn>(&self, function: &str) -> Result<FnHandle<F>, CallError> {
        self.handle_with(function, &HandleOptions::default())
    }

    /// A handle on code of another opt level or view.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let options = HandleOptions { opt: Some(OptLevel::None), ..HandleOptions::default() };
    /// let f = session.handle_with::<fn(i64) -> i64>("f", &options).unwrap();
    /// assert_eq!(session.enter(|scope| scope.get(&f)?.call((20,))).unwrap(), 42);
    /// ```
    ///
    /// # Errors
    /// As of [`Session::handle`], or there is no such table.
    pub fn handle_with<F: HostFn>(
        &self,
        function: &str,
        options: &HandleOptions,
    ) -> Result<FnHandle<F>, CallError> {
        let inner = &self.inner;
        let (view, shard) = inner.compiled_for(options.view.as_deref(), options.opt)?;
        let universe = &inner.universe;
        let handle = FnHandle {
            session: Arc::clone(inner),
            function: universe.types().symbol(function),
            args: universe.types().tuple(&F::params(universe)),
            view,
            shard,
            newest: ArcSwapOption::empty(),
        };
        self.enter(|scope| scope.get(&handle).map(drop))?;
        Ok(handle)
    }

    /// Runs a closure in the newest world, which stays callable meanwhile: handles are called in
    /// it without a lock.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let f = session.handle::<fn(i64) -> i64>("f").unwrap();
    /// let value = session.enter(|scope| scope.get(&f)?.call((1,)));
    /// assert_eq!(value.unwrap(), 4);
    /// ```
    #[inline]
    pub fn enter<R>(&self, run: impl FnOnce(&FnScope<'_>) -> R) -> R {
        run(&FnScope::new(&self.inner))
    }
}

impl<'s> FnScope<'s> {
    #[inline]
    fn new(session: &'s Arc<Inner>) -> Self {
        FnScope {
            session,
            contexts: OnceCell::new(),
            live: session.engine.linking() == Linking::Live,
            entered: session.engine.enter(),
        }
    }

    /// The world.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let world = session.enter(|scope| scope.world());
    /// assert_eq!(world, session.world());
    /// ```
    #[inline]
    pub fn world(&self) -> World {
        self.entered.world()
    }

    /// What a handle means in this world. No lock where the handle was asked in it before.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let f = session.handle::<fn(i64) -> i64>("f").unwrap();
    /// session.delete("f(Any)", None).unwrap();
    /// assert!(session.enter(|scope| scope.get(&f).is_err()));
    /// ```
    ///
    /// # Errors
    /// As of [`Session::handle`], or the handle is another session's.
    #[inline]
    pub fn get<F: HostFn>(&'s self, handle: &FnHandle<F>) -> Result<FnVersion<'s, F>, CallError> {
        let meaning = handle.meaning(self)?;
        let context = self.context(handle.shard)?;
        Ok(FnVersion {
            scope: self,
            context: &context.context,
            view: handle.view,
            meaning,
        })
    }

    /// The context of this scope for code of a shard.
    #[inline]
    fn context(&self, shard: ShardId) -> Result<&IdleContext, CallError> {
        let mut place = &self.contexts;
        loop {
            match place.get() {
                Some(context) if context.key.0 == shard => return Ok(context),
                Some(other) => place = &other.next,
                None => return self.enter_context(place, shard),
            }
        }
    }

    #[inline]
    fn enter_context<'a>(
        &self,
        place: &'a OnceCell<Box<IdleContext>>,
        shard: ShardId,
    ) -> Result<&'a IdleContext, CallError> {
        let key = (shard, self.live);
        let mut context = match std::ptr::eq(place, &self.contexts) {
            true => self.idle_context(key)?,
            false => self.new_context(key)?,
        };
        context.context.enter(self.world().0);
        Ok(place.get_or_init(|| context))
    }

    /// The context of this pin, or another one.
    #[inline]
    fn idle_context(&self, key: ContextKey) -> Result<Box<IdleContext>, CallError> {
        let idle = match &self.entered {
            Entered::Pin(pin) => self.session.slots.take(pin.slot()),
            Entered::Guard(_) => None,
        };
        match idle {
            Some(context) if context.key == key => Ok(context),
            other => {
                if let Some(other) = other {
                    self.give_back(*other);
                }
                self.new_context(key)
            }
        }
    }

    #[cold]
    fn new_context(&self, key: ContextKey) -> Result<Box<IdleContext>, CallError> {
        let context = self.session.context(key).map_err(|error| {
            let error = failure::no_stack(&error);
            failure::of_run(self.session, error, self.world())
        })?;
        Ok(Box::new(IdleContext {
            key,
            context: TypedContext::new(context),
            next: OnceCell::new(),
        }))
    }

    #[cold]
    fn raised(&self, view: ViewId, error: cranelift::CallError) -> CallError {
        let session = self.session;
        let error = failure::of_call(session, view, self.world(), error);
        failure::of_run(session, error, self.world()).into()
    }
}

impl Drop for FnScope<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.contexts.get().is_some() {
            self.leave();
        }
    }
}

impl FnScope<'_> {
    /// Keeps the contexts for others.
    fn leave(&mut self) {
        let Some(mut first) = self.contexts.take() else {
            return;
        };
        if let Some(others) = first.next.take() {
            self.leave_others(others);
        }
        match &self.entered {
            Entered::Pin(pin) => self.session.slots.put(pin.slot(), first),
            Entered::Guard(_) => self.give_back(*first),
        }
    }

    #[cold]
    fn leave_others(&self, first: Box<IdleContext>) {
        let mut rest = Some(first);
        while let Some(mut context) = rest {
            rest = context.next.take();
            self.give_back(*context);
        }
    }

    fn give_back(&self, idle: IdleContext) {
        self.session.give_back(idle.key, idle.context.into_inner());
    }
}

impl<F: HostFn> FnVersion<'_, F> {
    /// Calls the function with its arguments, a tuple.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("h.wir", "fn h(a: Int64, b: Int64) { div(a, b) }", None).unwrap();
    /// let h = session.handle::<fn(i64, i64) -> i64>("h").unwrap();
    /// session.enter(|scope| {
    ///     let h = scope.get(&h).unwrap();
    ///     assert_eq!(h.call((7, 2)).unwrap(), 3);
    ///     assert!(h.call((7, 0)).is_err());
    /// });
    /// ```
    ///
    /// # Errors
    /// The program failed.
    #[inline]
    pub fn call(&self, args: F::Args) -> Result<F::Ret, CallError> {
        let Some(meaning) = &*self.meaning else {
            unreachable!("a version is made of a meaning")
        };
        let result = self.context.call(&meaning.callee, args);
        result.map_err(|error| self.scope.raised(self.view, error))
    }
}

impl<F: HostFn> FnHandle<F> {
    /// The name of what is called: `f(Int64)`.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let f = session.handle::<fn(i64) -> i64>("f").unwrap();
    /// assert_eq!(f.name(), "f(Int64)");
    /// ```
    pub fn name(&self) -> String {
        self.session.engine.call_name(self.function, self.args)
    }

    #[inline]
    fn meaning(&self, scope: &FnScope<'_>) -> Result<Meaning<F>, CallError> {
        if !Arc::ptr_eq(scope.session, &self.session) {
            return Err(CallError::ForeignHandle(self.name().into()));
        }
        let known = self.newest.load();
        match &*known {
            Some(hit) if hit.world == scope.world() => Ok(known),
            _ => self.miss(scope.world()),
        }
    }

    #[cold]
    fn miss(&self, world: World) -> Result<Meaning<F>, CallError> {
        let session = &*self.session;
        let (shard, view) = (self.shard, self.view);
        let failed = |error: RunError| failure::of_run(session, error, world);
        let found = session
            .engine
            .find_instance(self.function, self.args, view, world);
        let mi = found.map_err(|error| {
            let failure = match error {
                Unresolved::NoMethod { .. } => Failure::NoMethod(self.function, self.args),
                Unresolved::Ambiguous { .. } => Failure::Ambiguous(self.function, self.args),
            };
            failed(failure::of_failure(session, view, world, &failure))
        })?;
        let callee = session.callee(mi, shard, world);
        let callee = callee.map_err(|error| failed(failure::of_demand(&error)))?;
        session.keep_events(session.engine.take_log());
        let universe = &session.universe;
        let callee = TypedCallee::new(callee, universe).map_err(|callee| {
            let show = |ty| universe.types().display(ty).to_string().into();
            CallError::Returns {
                call: self.name().into(),
                expected: show(<F::Ret as HostScalar>::ty(universe)),
                found: show(callee.ret),
            }
        })?;
        let made = Some(Arc::new(InWorld { world, callee }));
        // A scope that entered long ago does not take the handle back to its world.
        let newer = |known: &Arc<InWorld<F>>| known.world > world;
        if !self.newest.load().as_ref().is_some_and(newer) {
            self.newest.store(made.clone());
        }
        Ok(Guard::from_inner(made))
    }
}
