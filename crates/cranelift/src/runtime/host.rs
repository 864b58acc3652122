//! What the run-time system asks of the engine: which instance a run-time dispatched call means,
//! host functions, output.

use super::context::Context;
use super::raise::RaiseKind;
use crate::code::{Convention, Site};
use crate::generate::ThunkKey;
use crate::load::{LoadError, Loaded, Loader};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::any::Any;
use std::sync::Arc;
use worldage_dispatch::{Symbol, Ty};
use worldage_engine::Mi;
use worldage_wir::value::Value;

/// The engine's side of a context. Its methods run on the host's stack and may call back into
/// the context; they may be called from many threads at once.
pub trait Host: Send + Sync {
    /// The instance that takes a call in a world, compiled and linked.
    fn resolve(&self, cx: &mut Context, call: DynCall<'_>) -> Result<Callee, RaiseKind>;

    /// The world after the newest edit.
    fn newest_world(&self) -> u64;

    /// A call, in a world, of the host's function that is the body of an instance.
    fn call_host(&self, cx: &mut Context, call: HostCall<'_>) -> Result<Value, RaiseKind>;

    /// Output of `print`: one line with its newline.
    fn print(&self, text: &str);
}

/// A call that is dispatched at run time.
#[derive(Clone, Copy, Debug)]
pub struct DynCall<'a> {
    /// What is called.
    pub target: DynTarget,
    /// The exact types of the arguments.
    pub args: &'a [Ty],
    /// The world.
    pub world: u64,
}

/// A call of a function of the host.
#[derive(Clone, Copy, Debug)]
pub struct HostCall<'a> {
    /// The instance whose body it is.
    pub mi: Mi,
    /// The arguments.
    pub args: &'a [Value],
    /// What the code was promised to get.
    pub ret: Ty,
    /// The world of the running code.
    pub world: u64,
    /// Whether calls follow the newest world.
    pub live: bool,
}

/// What a run-time dispatched call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DynTarget {
    /// A generic function.
    Function(Symbol),
    /// The method that answers an explicit signature.
    Invoke(Symbol, Ty),
}

/// An instance that can be called.
#[derive(Clone)]
pub struct Callee {
    /// The word that holds its entry.
    pub cell: *const usize,
    /// Its argument types, concrete, one by one.
    pub params: Box<[Ty]>,
    /// Its result type.
    pub ret: Ty,
    /// How it is called.
    pub convention: Convention,
    /// Keeps the cell and the code alive.
    pub keep: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the cell is a word that any thread may read while `keep` lives.
unsafe impl Send for Callee {}
// SAFETY: as above.
unsafe impl Sync for Callee {}

impl std::fmt::Debug for Callee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callee")
            .field("params", &self.params)
            .field("ret", &self.ret)
            .finish_non_exhaustive()
    }
}

/// What a run-time dispatched call site calls; compiled code reads the first two words.
#[repr(C)]
pub(crate) struct Target {
    thunk: usize,
    cell: *const usize,
    key: Key,
    _keep: (Arc<Loaded>, Arc<dyn Any + Send + Sync>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) site: Site,
    pub(crate) world: u64,
    pub(crate) tags: SmallVec<[u64; 4]>,
}

const WAYS: usize = 1024;

/// The targets that a context has met: a small direct-mapped table before a map.
pub(crate) struct TargetCache {
    recent: Box<[*const Target; WAYS]>,
    all: FxHashMap<Key, Box<Target>>,
    world: u64,
    /// Answers to `isa` by tested type and tag.
    is_a: FxHashMap<(Ty, u64), bool>,
}

impl TargetCache {
    pub(crate) fn new() -> TargetCache {
        TargetCache {
            recent: Box::new([std::ptr::null(); WAYS]),
            all: FxHashMap::default(),
            world: 0,
            is_a: FxHashMap::default(),
        }
    }

    /// Forgets the targets of other worlds. Nothing that they keep alive may be running.
    pub(crate) fn enter(&mut self, world: u64) {
        if self.world != world {
            self.recent.fill(std::ptr::null());
            self.all.clear();
            self.world = world;
        }
    }

    fn way(site: &Site, tags: impl Iterator<Item = u64>) -> usize {
        use std::hash::{Hash, Hasher};
        let mut hasher = rustc_hash::FxHasher::default();
        site.hash(&mut hasher);
        for tag in tags {
            hasher.write_u64(tag);
        }
        (hasher.finish() >> 7) as usize % WAYS
    }

    #[inline]
    pub(crate) fn find(
        &mut self,
        site: &Site,
        world: u64,
        tags: impl Iterator<Item = u64> + Clone,
    ) -> Option<*const Target> {
        let way = Self::way(site, tags.clone());
        let recent = self.recent[way];
        if !recent.is_null() {
            // SAFETY: the table points at targets in `all` only, and is emptied with it.
            let key = unsafe { &(*recent).key };
            if key.world == world && key.site == *site && key.tags.iter().copied().eq(tags.clone())
            {
                return Some(recent);
            }
        }
        let key = Key {
            site: *site,
            world,
            tags: tags.collect(),
        };
        let known: *const Target = &raw const **self.all.get(&key)?;
        self.recent[way] = known;
        Some(known)
    }

    pub(crate) fn insert(
        &mut self,
        key: Key,
        callee: Callee,
        loader: &Loader,
    ) -> Result<*const Target, LoadError> {
        let thunk_key = ThunkKey {
            convention: callee.convention,
            params: callee.params,
            ret: callee.ret,
        };
        let thunk = loader.thunk(&thunk_key)?;
        let way = Self::way(&key.site, key.tags.iter().copied());
        let target = Box::new(Target {
            thunk: thunk.entry(),
            cell: callee.cell,
            key: key.clone(),
            _keep: (thunk, callee.keep),
        });
        // A nested call may have found it meanwhile: its target may be running.
        let known: *const Target = &raw const **self.all.entry(key).or_insert(target);
        self.recent[way] = known;
        Ok(known)
    }

    pub(crate) fn is_a(&mut self, ty: Ty, tag: u64, decide: impl FnOnce() -> bool) -> bool {
        *self.is_a.entry((ty, tag)).or_insert_with(decide)
    }
}
