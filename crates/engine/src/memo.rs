//! Answers to the host: what was answered in a world is the answer in that world.
//!
//! Invariants: an entry says in which world it was answered, and is an answer there only; the
//! memory is bounded; no code instance is kept by it.

use crate::code_instance::CodeInstance;
use crate::compiler::Compiler;
use crate::cx::Resolved;
use crate::ids::{Linking, ShardId, ViewId};
use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use worldage_dispatch::{Symbol, Ty, World};

/// How many answers are kept.
const LIMIT: usize = 1 << 16;

/// A lookup: function, argument types, view.
pub(crate) type Asked = (Symbol, Ty, ViewId);

/// A call: function, argument types, shard, and how its code is linked.
pub(crate) type Called = (Symbol, Ty, ShardId, Linking);

/// What was answered, with the world.
struct Answers<K, A>(DashMap<K, (World, A), FxBuildHasher>);

impl<K: Eq + Hash, A> Answers<K, A> {
    fn new() -> Self {
        Answers(DashMap::default())
    }

    /// Cost: one look into a concurrent map.
    fn get<R>(&self, key: &K, world: World, read: impl FnOnce(&A) -> R) -> Option<R> {
        let known = self.0.get(key)?;
        (known.0 == world).then(|| read(&known.1))
    }

    fn put(&self, key: K, world: World, answer: A) {
        if self.0.len() >= LIMIT {
            self.0.clear();
        }
        self.0.insert(key, (world, answer));
    }
}

/// The memory of lookups and of calls.
pub(crate) struct Memo<C: Compiler> {
    lookups: Answers<Asked, Resolved>,
    calls: Answers<Called, Weak<CodeInstance<C>>>,
}

impl<C: Compiler> Memo<C> {
    pub(crate) fn new() -> Self {
        Memo {
            lookups: Answers::new(),
            calls: Answers::new(),
        }
    }

    /// The answer of a lookup in a world, if it is known.
    pub(crate) fn lookup(&self, asked: &Asked, world: World) -> Option<Resolved> {
        self.lookups.get(asked, world, Resolved::clone)
    }

    /// Keeps the answer in a world that is committed.
    pub(crate) fn put_lookup(&self, asked: Asked, world: World, answer: &Resolved) {
        self.lookups.put(asked, world, answer.clone());
    }

    /// What a call runs in a world, if it is known and still there.
    pub(crate) fn call(&self, called: &Called, world: World) -> Option<Arc<CodeInstance<C>>> {
        self.calls.get(called, world, Weak::upgrade).flatten()
    }

    /// Keeps what a call runs in a world that is committed.
    pub(crate) fn put_call(&self, called: Called, world: World, ci: &Arc<CodeInstance<C>>) {
        self.calls.put(called, world, Arc::downgrade(ci));
    }
}
