//! Worlds: the numbers of the snapshots of all definitions, and ranges of them.

use std::fmt;

/// The number of one snapshot of all definitions. One committed edit makes exactly one new world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World(pub u64);

impl World {
    /// The first world.
    pub const FIRST: World = World(1);
    /// The end of a range that is still valid.
    pub const MAX: World = World(u64::MAX);

    /// The world after this one.
    #[must_use]
    pub fn next(self) -> World {
        World(self.0.saturating_add(1))
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == World::MAX {
            f.write_str("∞")
        } else {
            self.0.fmt(f)
        }
    }
}

/// The worlds in which something is valid: from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorldRange {
    /// The first valid world.
    pub first: World,
    /// The last valid world; [`World::MAX`] = still valid. Below `first`: valid nowhere.
    pub last: World,
}

impl WorldRange {
    /// From `first` on, still valid.
    #[must_use]
    pub fn since(first: World) -> Self {
        WorldRange {
            first,
            last: World::MAX,
        }
    }

    /// Whether `world` lies in the range.
    #[must_use]
    pub fn contains(&self, world: World) -> bool {
        self.first <= world && world <= self.last
    }

    /// Whether the range has not been closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.last == World::MAX
    }

    /// Closes the range: `world` is the first world in which it is no longer valid.
    ///
    /// A range that was closed earlier stays as it is.
    pub fn close_before(&mut self, world: World) {
        self.last = self.last.min(World(world.0.saturating_sub(1)));
    }
}

impl fmt::Display for WorldRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}
