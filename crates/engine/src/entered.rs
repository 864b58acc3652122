//! Worlds that the host keeps callable: by a guard, or by a pin, which takes no lock.

use crate::compiler::Compiler;
use crate::engine::{DemandError, Engine};
use crate::holds::PINS;
use worldage_dispatch::World;

/// Keeps a world callable while it lives.
pub struct WorldGuard<'a, C: Compiler> {
    engine: &'a Engine<C>,
    /// The world.
    pub world: World,
}

impl<C: Compiler> Drop for WorldGuard<'_, C> {
    fn drop(&mut self) {
        self.engine.holds.release(self.world);
    }
}

/// Keeps the world that was the newest when it was made callable while it lives, without a lock.
pub struct Pin<'a, C: Compiler> {
    engine: &'a Engine<C>,
    slot: usize,
    /// The world.
    pub world: World,
}

impl<C: Compiler> Pin<'_, C> {
    /// The slot, below [`crate::PINS`].
    #[inline]
    pub fn slot(&self) -> usize {
        self.slot
    }
}

/// The world that was the newest when it was entered: pinned, or guarded where all pins are taken.
pub enum Entered<'a, C: Compiler> {
    /// Without a lock.
    Pin(Pin<'a, C>),
    /// All pins were taken.
    Guard(WorldGuard<'a, C>),
}

impl<C: Compiler> Entered<'_, C> {
    /// The world.
    #[inline]
    pub fn world(&self) -> World {
        match self {
            Entered::Pin(pin) => pin.world,
            Entered::Guard(guard) => guard.world,
        }
    }
}

impl<C: Compiler> Drop for Pin<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.engine.holds.unpin(self.slot);
    }
}

impl<C: Compiler> Engine<C> {
    /// Keeps a world callable until the guard is dropped; `None` is the newest.
    ///
    /// # Errors
    /// If the world is not callable any more, or not yet.
    pub fn hold(&self, world: Option<World>) -> Result<WorldGuard<'_, C>, DemandError> {
        let engine = self;
        loop {
            let asked = world.unwrap_or_else(|| self.world());
            self.check_exists(asked)?;
            if self.holds.hold(asked) {
                let world = asked;
                return Ok(WorldGuard { engine, world });
            }
            // What was the newest world may have expired in between; another one is the newest.
            if world.is_some() {
                return Err(DemandError::WorldExpired(asked));
            }
        }
    }

    /// Pins the newest world without a lock, in a slot that was free: whoever has the pin is
    /// alone in its slot. `None` if all [`crate::PINS`] are taken: then [`Engine::hold`] does.
    #[inline]
    pub fn pin(&self) -> Option<Pin<'_, C>> {
        let engine = self;
        let first = crate::holds::first_slot();
        (first..first + PINS)
            .map(|slot| slot % PINS)
            .find_map(|slot| {
                let world = self.holds.pin(slot)?;
                Some(Pin {
                    engine,
                    slot,
                    world,
                })
            })
    }

    /// Keeps the newest world callable, without a lock where a pin is free.
    #[inline]
    pub fn enter(&self) -> Entered<'_, C> {
        match self.pin() {
            Some(pin) => Entered::Pin(pin),
            None => Entered::Guard(self.hold_newest()),
        }
    }

    #[cold]
    fn hold_newest(&self) -> WorldGuard<'_, C> {
        let held = self.hold(None);
        held.unwrap_or_else(|_| unreachable!("the newest world is callable"))
    }
}
