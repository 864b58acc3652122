//! Scopes: a stretch of host code in one world, in which handles are called without a lock.

use super::error::Error;
use super::handle::{Handle, InWorld};
use super::known::Known;
use super::session::{Inner, Session};
use worldage_dispatch::World;
use worldage_engine::{CodeInstance, Compiler, Entered};

/// The newest world at the time when [`Session::enter`] was called; it stays callable, and what
/// it reaches is kept, until the scope ends. A scope is for one thread: others enter by
/// themselves.
///
/// ```
/// # use worldage::embed::{example::{Sum, Sums}, *};
/// # let session = Session::new(Sums);
/// # session.edit(|e| {
/// #     e.define("one", &[], Sum::Number(1))?;
/// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
/// # })?;
/// let two = session.handle("two", &[])?;
/// let sum = session.enter(|scope| (0..3).map(|_| Ok(**scope.get(&two)?.linked())).sum::<Result<i64, Error>>())?;
/// assert_eq!(sum, 6);
/// # Ok::<(), Error>(())
/// ```
pub struct Scope<'s, C: Compiler> {
    session: &'s Inner<C>,
    pub(super) known: Known<InWorld<C>>,
    entered: Entered<'s, C>,
}

impl<'s, C: Compiler> Scope<'s, C> {
    #[inline]
    pub(super) fn new(session: &'s Session<C>) -> Self {
        Scope::of(&session.inner)
    }

    #[inline]
    pub(super) fn of(session: &'s Inner<C>) -> Self {
        let entered = session.engine.enter();
        let known = Known::new();
        Scope {
            session,
            entered,
            known,
        }
    }

    #[inline]
    pub(super) fn session(&self) -> &'s Inner<C> {
        self.session
    }

    /// The world.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// assert_eq!(session.enter(|scope| scope.world()), World(1));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn world(&self) -> World {
        self.entered.world()
    }

    /// What a handle means in this world. No lock where the handle was asked in it before; in
    /// this scope, nothing that threads share.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let two = session.handle("two", &[])?;
    /// session.edit(|edit| edit.delete("two", &[]))?;
    /// assert!(session.enter(|scope| scope.get(&two).is_err()));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ForeignHandle`], [`Error::Unresolved`] if an edit took the method away, or
    /// [`Error::Demand`].
    #[inline]
    pub fn get(&self, handle: &Handle<C>) -> Result<&CodeInstance<C>, Error> {
        handle.of(self)
    }
}
