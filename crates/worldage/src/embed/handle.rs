//! Handles: what a host caller holds to call one function on one tuple of types again and again.
//!
//! A handle remembers the code instance of one world. In that world it is a load; in a later one
//! the engine is asked again, which runs the stages whose inputs changed, or none.

use super::error::Error;
use super::known::{Found, HandleId};
use super::scope::Scope;
use super::session::{Inner, Session};
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use worldage_dispatch::{Symbol, Ty, World};
use worldage_engine::{CodeInstance, Compiler, ShardId, ViewId};

/// Follows a function on argument types through the worlds of its session.
///
/// ```
/// # use worldage::embed::{example::{Sum, Sums}, *};
/// # let session = Session::new(Sums);
/// # session.edit(|e| {
/// #     e.define("one", &[], Sum::Number(1))?;
/// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
/// # })?;
/// let two = session.handle("two", &[])?;
/// assert_eq!(two.call(|x| **x)?, 2);
/// session.edit(|edit| edit.define("one", &[], Sum::Number(21)))?;
/// assert_eq!(two.call(|x| **x)?, 42);
/// # Ok::<(), Error>(())
/// ```
pub struct Handle<C: Compiler> {
    id: HandleId,
    session: Arc<Inner<C>>,
    function: Symbol,
    args: Ty,
    view: ViewId,
    shard: ShardId,
    newest: ArcSwapOption<InWorld<C>>,
}

/// What a handle means in one world.
pub(super) struct InWorld<C: Compiler> {
    world: World,
    ci: Arc<CodeInstance<C>>,
}

impl<C: Compiler> Handle<C> {
    pub(super) fn new(
        session: &Session<C>,
        function: Symbol,
        args: Ty,
        view: ViewId,
        shard: ShardId,
    ) -> Result<Handle<C>, Error> {
        let handle = Handle {
            id: HandleId::fresh(),
            session: Arc::clone(&session.inner),
            function,
            args,
            view,
            shard,
            newest: ArcSwapOption::empty(),
        };
        session.enter(|scope| handle.find(scope).map(drop))?;
        Ok(handle)
    }

    /// Brings the newest definition up to date and runs something with what link gave; its world
    /// stays callable meanwhile. A hit takes no lock.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(session.handle("two", &[])?.call(|value| **value + 40)?, 42);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unresolved`] if an edit took the method away, or [`Error::Demand`].
    pub fn call<R>(&self, run: impl FnOnce(&C::Linked) -> R) -> Result<R, Error> {
        let scope = Scope::of(&self.session);
        let found = self.find(&scope)?;
        Ok(run(found.ci.linked()))
    }

    /// The name of what is called: `f(Int64)`.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(session.handle("two", &[])?.name(), "two()");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn name(&self) -> String {
        self.session.engine.call_name(self.function, self.args)
    }

    #[inline]
    pub(super) fn of<'s>(&self, scope: &'s Scope<'_, C>) -> Result<&'s CodeInstance<C>, Error> {
        match scope.known.get(self.id) {
            Some(known) => Ok(&known.ci),
            None => self.first_of(scope),
        }
    }

    #[cold]
    fn first_of<'s>(&self, scope: &'s Scope<'_, C>) -> Result<&'s CodeInstance<C>, Error> {
        Ok(&scope.known.keep(self.id, self.find(scope)?).ci)
    }

    #[inline]
    fn find(&self, scope: &Scope<'_, C>) -> Result<Found<InWorld<C>>, Error> {
        if !std::ptr::eq(scope.session(), &*self.session) {
            return Err(Error::ForeignHandle(self.name().into()));
        }
        match Found::new(self.newest.load()) {
            Some(hit) if hit.world == scope.world() => Ok(hit),
            _ => self.miss(scope.world()),
        }
    }

    #[cold]
    fn miss(&self, world: World) -> Result<Found<InWorld<C>>, Error> {
        let engine = &self.session.engine;
        let mi = engine
            .find_instance(self.function, self.args, self.view, world)
            .map_err(|error| Error::Unresolved { error, world })?;
        let ci = engine.demand(mi, self.shard, Some(world))?;
        let made = Arc::new(InWorld { world, ci });
        // A scope that entered long ago does not take the handle back to its world.
        let newer = |known: &Arc<InWorld<C>>| known.world > world;
        if !self.newest.load().as_ref().is_some_and(newer) {
            self.newest.store(Some(Arc::clone(&made)));
        }
        Ok(Found::of(made))
    }
}
