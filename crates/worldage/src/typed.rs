//! Typed handles: a function of the program as a Rust `fn` type of scalars.
//!
//! A handle remembers what its call means in one world. In a scope of that world a call takes no
//! lock and asks nobody; in a later world the engine is asked once.

use crate::calls::CallFailure;
use crate::failure;
use crate::session::{ContextKey, Inner, Session, SessionCompiler};
use arc_swap::{ArcSwapOption, Guard};
use std::cell::RefCell;
use std::sync::Arc;
use worldage_cranelift::{self as cranelift, Context, HostFn, HostScalar, TypedCallee};
use worldage_dispatch::{Symbol, Ty, World};
use worldage_engine::{Entered, Linking, Unresolved};
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
    entered: Entered<'s, SessionCompiler>,
    context: RefCell<Option<Box<(ContextKey, Context)>>>,
    key: ContextKey,
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
    version: Guard<Option<Arc<InWorld<F>>>>,
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
        let universe = &self.inner.universe;
        let handle = FnHandle {
            session: Arc::clone(&self.inner),
            function: universe.types().symbol(function),
            args: universe.types().tuple(&F::params(universe)),
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
        let live = session.engine.linking() == Linking::Live;
        let key = (session.base.0, live);
        FnScope {
            session,
            entered: session.engine.enter(),
            context: RefCell::new(None),
            key,
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
        let version = handle.version(self)?;
        self.enter_context()?;
        let scope = self;
        Ok(FnVersion { scope, version })
    }

    #[inline]
    fn enter_context(&self) -> Result<(), CallError> {
        let mut context = self.context.borrow_mut();
        let context = match &mut *context {
            Some(context) => context,
            none => none.insert(self.idle_context()?),
        };
        context.1.enter(self.world().0);
        Ok(())
    }

    /// The context of this pin, or another one.
    #[inline]
    fn idle_context(&self) -> Result<Box<(ContextKey, Context)>, CallError> {
        let idle = match &self.entered {
            Entered::Pin(pin) => self.session.slots.take(pin.slot()),
            Entered::Guard(_) => None,
        };
        match idle.filter(|context| context.0 == self.key) {
            Some(context) => Ok(context),
            None => self.new_context(),
        }
    }

    #[cold]
    fn new_context(&self) -> Result<Box<(ContextKey, Context)>, CallError> {
        let context = self.session.context(self.key).map_err(|error| {
            let error = failure::no_stack(&error);
            failure::of_run(self.session, error, self.world())
        })?;
        Ok(Box::new((self.key, context)))
    }

    #[cold]
    fn raised(&self, error: cranelift::CallError) -> CallError {
        let session = self.session;
        let error = failure::of_call(session, session.base.1, self.world(), error);
        failure::of_run(session, error, self.world()).into()
    }
}

impl Drop for FnScope<'_> {
    #[inline]
    fn drop(&mut self) {
        match (&self.entered, self.context.get_mut().take()) {
            (Entered::Pin(pin), Some(context)) => self.session.slots.put(pin.slot(), context),
            (Entered::Guard(_), Some(context)) => self.session.give_back(context.0, context.1),
            (_, None) => {}
        }
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
        let mut context = self.scope.context.borrow_mut();
        let (Some(context), Some(version)) = (&mut *context, &*self.version) else {
            unreachable!("a version is made of code in a scope with a context")
        };
        let result = context.1.call_typed(&version.callee, args);
        result.map_err(|error| self.scope.raised(error))
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
    fn version(&self, scope: &FnScope<'_>) -> Result<Guard<Option<Arc<InWorld<F>>>>, CallError> {
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
    fn miss(&self, world: World) -> Result<Guard<Option<Arc<InWorld<F>>>>, CallError> {
        let session = &*self.session;
        let (shard, view) = session.base;
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
