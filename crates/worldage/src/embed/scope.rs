//! Scopes: a stretch of host code in one world, in which handles are called without a lock.

use super::error::Error;
use super::handle::{Handle, Version};
use super::session::{Inner, Session};
use worldage_dispatch::World;
use worldage_engine::{Compiler, Pin, WorldGuard};

/// The newest world at the time when [`Session::enter`] was called; it stays callable, and what
/// it reaches is kept, until the scope ends.
pub struct Scope<'s, C: Compiler> {
    session: &'s Inner<C>,
    held: Held<'s, C>,
}

enum Held<'s, C: Compiler> {
    Pin(Pin<'s, C>),
    /// All pins are taken.
    Guard(WorldGuard<'s, C>),
}

impl<'s, C: Compiler> Scope<'s, C> {
    #[inline]
    pub(super) fn new(session: &'s Session<C>) -> Self {
        Scope::of(&session.inner)
    }

    #[inline]
    pub(super) fn of(session: &'s Inner<C>) -> Self {
        let held = match session.engine.pin() {
            Some(pin) => Held::Pin(pin),
            None => Held::Guard(hold_newest(session)),
        };
        Scope { session, held }
    }

    #[inline]
    pub(super) fn session(&self) -> &'s Inner<C> {
        self.session
    }

    /// The world.
    #[inline]
    pub fn world(&self) -> World {
        match &self.held {
            Held::Pin(pin) => pin.world,
            Held::Guard(guard) => guard.world,
        }
    }

    /// What a handle means in this world. No lock where the handle was asked in it before.
    ///
    /// # Errors
    /// [`Error::ForeignHandle`], [`Error::Unresolved`] if an edit took the method away, or
    /// [`Error::Demand`].
    #[inline]
    pub fn get(&self, handle: &Handle<C>) -> Result<Version<C>, Error> {
        handle.version(self)
    }
}

#[cold]
fn hold_newest<C: Compiler>(session: &Inner<C>) -> WorldGuard<'_, C> {
    let held = session.engine.hold(None);
    held.unwrap_or_else(|_| unreachable!("the newest world is callable"))
}
