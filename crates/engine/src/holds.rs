//! Which worlds are in use: guards that keep a world callable, and pins that do the same for the
//! newest one without a lock.
//!
//! Invariant: a world that is held or pinned is not let go of. A commit stores the newest world
//! and *then* looks at guards and pins; whoever pins writes its slot and *then* looks whether the
//! world is still the newest. All four are sequentially consistent, so one sees the other.

use crate::sync::{AtomicU64, Mutex, thread_local};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use worldage_dispatch::World;

/// How many pins there can be at a time.
pub const PINS: usize = if cfg!(feature = "shuttle") { 4 } else { 64 };

thread_local! {
    /// Where this thread begins to look for a free slot.
    static FIRST: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Where this thread begins to look for a free slot: threads begin apart from one another.
#[inline]
pub(crate) fn first_slot() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    let first = FIRST.with(Cell::get);
    if first != usize::MAX {
        return first;
    }
    let first = THREADS.fetch_add(1, Ordering::Relaxed) % PINS;
    FIRST.with(|known| known.set(first));
    first
}

/// A pin on its own cache line: 0, or a world plus one.
#[derive(Default)]
#[repr(align(64))]
struct Slot(AtomicU64);

pub(crate) struct Holds {
    newest: AtomicU64,
    guards: Mutex<BTreeMap<World, usize>>,
    pins: Box<[Slot]>,
    /// How many of the newest worlds are callable without being held.
    recent: u64,
}

impl Holds {
    pub(crate) fn new(recent: u64) -> Holds {
        Holds {
            newest: AtomicU64::new(0),
            guards: Mutex::default(),
            pins: (0..PINS).map(|_| Slot::default()).collect(),
            recent,
        }
    }

    pub(crate) fn newest(&self) -> World {
        World(self.newest.load(Ordering::Acquire))
    }

    /// Makes a world the newest one, and gives the oldest that is still callable.
    pub(crate) fn advance(&self, world: World) -> World {
        self.newest.store(world.0, Ordering::SeqCst);
        let recent = World(world.0.saturating_sub(self.recent - 1));
        let guards = self.guards.lock();
        let held = guards.keys().next().copied();
        self.pinned().chain(held).fold(recent, World::min)
    }

    fn pinned(&self) -> impl Iterator<Item = World> + '_ {
        let pins = self.pins.iter().map(|pin| pin.0.load(Ordering::SeqCst));
        pins.filter_map(|world| world.checked_sub(1)).map(World)
    }

    pub(crate) fn is_callable(&self, world: World) -> bool {
        self.is_callable_with(&self.guards.lock(), world)
    }

    fn is_callable_with(&self, guards: &BTreeMap<World, usize>, world: World) -> bool {
        let recent = self.newest().0.saturating_sub(world.0) < self.recent;
        recent || guards.contains_key(&world) || self.pinned().any(|pinned| pinned == world)
    }

    /// Keeps a world until [`Holds::release`]; false if it is not callable any more.
    pub(crate) fn hold(&self, world: World) -> bool {
        let mut guards = self.guards.lock();
        let callable = self.is_callable_with(&guards, world);
        if callable {
            *guards.entry(world).or_insert(0) += 1;
        }
        callable
    }

    pub(crate) fn release(&self, world: World) {
        let mut guards = self.guards.lock();
        if let Some(count) = guards.get_mut(&world) {
            *count -= 1;
            if *count == 0 {
                guards.remove(&world);
            }
        }
    }

    /// Keeps the newest world until [`Holds::unpin`]; `None` if the slot is taken.
    #[inline]
    pub(crate) fn pin(&self, slot: usize) -> Option<World> {
        let slot = &self.pins[slot].0;
        let mut world = self.newest.load(Ordering::Relaxed);
        slot.compare_exchange(0, world + 1, Ordering::SeqCst, Ordering::Relaxed)
            .ok()?;
        loop {
            let newest = self.newest.load(Ordering::SeqCst);
            if newest == world {
                return Some(World(world));
            }
            world = newest;
            slot.store(world + 1, Ordering::SeqCst);
        }
    }

    #[inline]
    pub(crate) fn unpin(&self, slot: usize) {
        self.pins[slot].0.store(0, Ordering::Release);
    }
}
