//! Answers of lookups by the host: what was answered in a world is the answer in that world.
//!
//! Invariants: an entry says in which world it was answered, and is an answer there only; the
//! memory is bounded.

use crate::cx::Resolved;
use crate::ids::ViewId;
use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use worldage_dispatch::{Symbol, Ty, World};

/// How many answers are kept.
const LIMIT: usize = 1 << 16;

/// A lookup: function, argument types, view.
pub(crate) type Asked = (Symbol, Ty, ViewId);

/// The memory of lookups.
#[derive(Default)]
pub(crate) struct Memo(DashMap<Asked, (World, Resolved), FxBuildHasher>);

impl Memo {
    /// The answer in a world, if it is known. Cost: one look into a concurrent map.
    pub(crate) fn get(&self, asked: &Asked, world: World) -> Option<Resolved> {
        let known = self.0.get(asked)?;
        (known.0 == world).then(|| known.1.clone())
    }

    /// Keeps the answer in a world that is committed.
    pub(crate) fn put(&self, asked: Asked, world: World, answer: &Resolved) {
        if self.0.len() >= LIMIT {
            self.0.clear();
        }
        self.0.insert(asked, (world, answer.clone()));
    }
}
