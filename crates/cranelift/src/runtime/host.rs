//! What the run-time system asks of the engine: which instance a run-time dispatched call means,
//! host functions, output.

use super::context::Context;
use super::raise::RaiseKind;
use crate::code::Convention;
use crate::generate::ThunkKey;
use crate::heap::object::DynVal;
use crate::load::{LoadError, Loaded, Loader, PlacedSite};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::any::Any;
use std::mem::offset_of;
use std::num::NonZeroUsize;
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
    /// The entry of its code, if that is a leaf ([`crate::Code::is_leaf`]); not what the cell
    /// holds, which in live linking may be newer code.
    pub leaf: Option<NonZeroUsize>,
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

/// What a run-time dispatched call site calls, for the tags of its first two arguments; compiled
/// code reads it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Head {
    pub(crate) thunk: usize,
    /// The address of the word that holds the entry.
    pub(crate) cell: usize,
    /// [`PlacedSite::id`]; 0 for what is no target.
    site: u64,
    world: u64,
    tags: [u64; 2],
}

impl Head {
    pub(crate) const THUNK: i32 = offset_of!(Head, thunk) as i32;
    pub(crate) const CELL: i32 = offset_of!(Head, cell) as i32;
    pub(crate) const SITE: i32 = offset_of!(Head, site) as i32;
    pub(crate) const WORLD: i32 = offset_of!(Head, world) as i32;
    pub(crate) const TAGS: [i32; 2] = {
        let first = offset_of!(Head, tags) as i32;
        [first, first + 8]
    };
}

/// A target with what keeps it.
#[repr(C)]
pub(crate) struct Target {
    head: Head,
    key: Key,
    _keep: (Arc<Loaded>, Arc<dyn Any + Send + Sync>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    site: u64,
    world: u64,
    tags: SmallVec<[u64; 4]>,
}

impl Key {
    pub(crate) fn new(site: &PlacedSite, world: u64, args: &[DynVal]) -> Key {
        let tags = args.iter().map(|arg| arg.tag).collect();
        let site = site.id;
        Key { site, world, tags }
    }
}

/// Targets that a context keeps; beyond that it begins anew when nothing runs.
const MAX_TARGETS: usize = 1 << 16;

/// Places of [`TargetCache`].
const WAYS: usize = 1 << WAY_BITS;
const WAY_BITS: u32 = 10;

/// The hash is `tags[0] * TAG_FACTORS[0] + tags[1] * TAG_FACTORS[1] + site_salt(site)`; its highest
/// bits are the place. Fibonacci hashing: Knuth, The Art of Computer Programming, 6.4.
pub(crate) const TAG_FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

/// See [`TAG_FACTORS`].
pub(crate) const WAY_SHIFT: u32 = u64::BITS - WAY_BITS;

/// See [`TAG_FACTORS`].
pub(crate) fn site_salt(site: u64) -> u64 {
    site.wrapping_mul(0xd6e8_feb8_6659_fd93)
}

static NO_TARGET: Head = Head {
    thunk: 0,
    cell: 0,
    site: 0,
    world: 0,
    tags: [0; 2],
};

pub(crate) type Ways = [*const Head; WAYS];

struct NoWays(Ways);

// SAFETY: points at a constant that nobody writes.
unsafe impl Sync for NoWays {}

static NO_WAYS: NoWays = NoWays([&raw const NO_TARGET; WAYS]);

/// A table in which nothing is ever found.
pub(crate) fn no_ways() -> *const Ways {
    &raw const NO_WAYS.0
}

/// The targets that a context has met: a small direct-mapped table, which compiled code looks
/// into first, before a map.
pub(crate) struct TargetCache {
    recent: Box<Ways>,
    all: FxHashMap<Key, Box<Target>>,
    world: u64,
    /// Answers to `isa` by tested type and tag.
    is_a: FxHashMap<(Ty, u64), bool>,
}

impl TargetCache {
    pub(crate) fn new() -> TargetCache {
        TargetCache {
            recent: Box::new(NO_WAYS.0),
            all: FxHashMap::default(),
            world: 0,
            is_a: FxHashMap::default(),
        }
    }

    /// The table, which stays where it is.
    pub(crate) fn recent(&self) -> *const Ways {
        &raw const *self.recent
    }

    /// Forgets the targets of other worlds. Nothing that they keep alive may be running.
    pub(crate) fn enter(&mut self, world: u64) {
        if self.world != world || self.all.len() > MAX_TARGETS {
            self.recent.copy_from_slice(&NO_WAYS.0);
            self.all.clear();
            self.world = world;
        }
    }

    fn way(site: &PlacedSite, args: &[DynVal]) -> usize {
        let hash = args
            .iter()
            .zip(TAG_FACTORS)
            .fold(site.salt, |hash, (arg, factor)| {
                hash.wrapping_add(arg.tag.wrapping_mul(factor))
            });
        (hash >> WAY_SHIFT) as usize
    }

    #[inline]
    pub(crate) fn find(
        &mut self,
        site: &PlacedSite,
        world: u64,
        args: &[DynVal],
    ) -> Option<*const Head> {
        let way = Self::way(site, args);
        let recent = self.recent[way];
        // SAFETY: the table points at targets in `all` only, and is emptied with it, or at
        // `NO_TARGET`, which is no site's. A head stands first in its target.
        let hit = unsafe {
            (*recent).site == site.id && {
                let key = &(*recent.cast::<Target>()).key;
                key.world == world && key.tags.iter().eq(args.iter().map(|arg| &arg.tag))
            }
        };
        if hit {
            return Some(recent);
        }
        let known = self.all.get(&Key::new(site, world, args))?;
        let known = (&raw const **known).cast::<Head>();
        self.recent[way] = known;
        Some(known)
    }

    pub(crate) fn insert(
        &mut self,
        site: &PlacedSite,
        world: u64,
        args: &[DynVal],
        callee: Callee,
        loader: &Loader,
    ) -> Result<*const Head, LoadError> {
        let thunk_key = ThunkKey {
            convention: callee.convention,
            params: callee.params,
            ret: callee.ret,
        };
        let thunk = loader.thunk(&thunk_key)?;
        let key = Key::new(site, world, args);
        let tag = |at: usize| args.get(at).map_or(0, |arg| arg.tag);
        let head = Head {
            thunk: thunk.entry(),
            cell: callee.cell as usize,
            site: site.id,
            world,
            tags: [tag(0), tag(1)],
        };
        let target = Box::new(Target {
            head,
            key: key.clone(),
            _keep: (thunk, callee.keep),
        });
        // A nested call may have found it meanwhile: its target may be running.
        let known = &raw const **self.all.entry(key).or_insert(target);
        let known = known.cast::<Head>();
        self.recent[Self::way(site, args)] = known;
        Ok(known)
    }

    pub(crate) fn is_a(&mut self, ty: Ty, tag: u64, decide: impl FnOnce() -> bool) -> bool {
        *self.is_a.entry((ty, tag)).or_insert_with(decide)
    }
}
