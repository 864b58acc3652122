//! What is called: code instances, the cells that they are called through, and the front that
//! host callers hold.
//!
//! A cell is a promise: this instance, in this shard, with this summary. In pinned linking every
//! code instance has a cell of its own, which is written once; in live linking the code
//! instances that keep the promise follow one another in one cell. A front names the code
//! instance of the newest world or nothing ("ask the engine").

use crate::compiler::{Compiler, Linked};
use crate::ids::{Mi, ShardId};
use crate::sync::AtomicBool;
use arc_swap::{ArcSwapOption, Cache};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The word through which compiled code calls, with what is promised of it.
pub(crate) struct Cell {
    /// Equal for the same cell only.
    pub(crate) id: u64,
    entry: AtomicUsize,
    /// A digest of the summary's parts: whoever calls through the cell was compiled against them.
    pub(crate) promise: u64,
}

impl Cell {
    pub(crate) fn new(id: u64, promise: u64) -> Cell {
        let entry = AtomicUsize::new(0);
        Cell { id, entry, promise }
    }
}

/// An instance linked in a shard: the code of one world range.
pub struct CodeInstance<C: Compiler> {
    /// The instance.
    pub mi: Mi,
    /// The shard.
    pub shard: ShardId,
    /// Its callees' cells are patched: it is right in the newest world only.
    pub(crate) live: bool,
    pub(crate) cell: Arc<Cell>,
    linked: OnceLock<(C::Linked, Box<[u64]>)>,
    code: Arc<C::Code>,
}

impl<C: Compiler> CodeInstance<C> {
    pub(crate) fn new(
        mi: Mi,
        shard: ShardId,
        live: bool,
        cell: Arc<Cell>,
        code: Arc<C::Code>,
    ) -> Self {
        let linked = OnceLock::new();
        CodeInstance {
            mi,
            shard,
            live,
            cell,
            linked,
            code,
        }
    }

    /// The address of the cell: a word that holds the entry.
    pub fn cell(&self) -> *const usize {
        self.cell.entry.as_ptr()
    }

    /// Keeps what link gave; the cell leads to it once it is opened.
    pub(crate) fn set_linked(&self, linked: C::Linked, to: Box<[u64]>) {
        if self.linked.set((linked, to)).is_err() {
            unreachable!("a code instance is linked once");
        }
    }

    /// The numbers of the cells that it calls through, in the order of its calls.
    pub(crate) fn linked_to(&self) -> &[u64] {
        self.linked.get().map_or(&[], |(_, to)| to)
    }

    /// Points the cell at this code: from here on every call through it comes here.
    pub(crate) fn open(&self) {
        let entry = self.linked().entry();
        self.cell.entry.store(entry, Ordering::Release);
    }

    /// What link gave, if it has run: within a recursive group it may be yet to come.
    pub(crate) fn try_linked(&self) -> Option<&C::Linked> {
        self.linked.get().map(|(linked, _)| linked)
    }

    /// What link gave.
    ///
    /// # Panics
    /// Never for a code instance that the engine handed out: those are linked.
    pub fn linked(&self) -> &C::Linked {
        let linked = self.linked.get();
        &linked.expect("handed out code instances are linked").0
    }

    /// The portable code that it was linked from.
    pub fn code(&self) -> &Arc<C::Code> {
        &self.code
    }
}

/// What a host caller holds: follows the newest world.
pub struct Front<C: Compiler> {
    /// The instance.
    pub mi: Mi,
    /// The shard.
    pub shard: ShardId,
    /// Whether `current` is that of the newest world: closing and reopening a front is one store.
    open: AtomicBool,
    current: ArcSwapOption<CodeInstance<C>>,
}

/// One caller's view of a [`Front`]: as long as nothing changes, a look at it writes no memory,
/// so threads with a reader each do not slow one another down. What it named last is kept until
/// the next look.
pub struct FrontReader<C: Compiler> {
    front: Arc<Front<C>>,
    seen: Cache<Current<C>, Option<Arc<CodeInstance<C>>>>,
}

struct Current<C: Compiler>(Arc<Front<C>>);

impl<C: Compiler> Deref for Current<C> {
    type Target = ArcSwapOption<CodeInstance<C>>;

    fn deref(&self) -> &Self::Target {
        &self.0.current
    }
}

impl<C: Compiler> FrontReader<C> {
    /// As [`Front::get`].
    #[inline]
    pub fn get(&mut self) -> Option<&Arc<CodeInstance<C>>> {
        match self.front.open.load(Ordering::Acquire) {
            true => self.seen.load().as_ref(),
            false => None,
        }
    }
}

impl<C: Compiler> Front<C> {
    pub(crate) fn new(mi: Mi, shard: ShardId) -> Self {
        Front {
            mi,
            shard,
            open: AtomicBool::new(false),
            current: ArcSwapOption::empty(),
        }
    }

    /// The code instance of the newest world; `None` means "ask the engine".
    pub fn get(&self) -> Option<Arc<CodeInstance<C>>> {
        if self.open.load(Ordering::Acquire) {
            self.current.load_full()
        } else {
            None
        }
    }

    /// A view of it for one caller.
    pub fn reader(self: &Arc<Self>) -> FrontReader<C> {
        let front = Arc::clone(self);
        let seen = Cache::new(Current(Arc::clone(self)));
        FrontReader { front, seen }
    }

    /// Names the code instance of the newest world.
    pub(crate) fn set(&self, ci: Option<Arc<CodeInstance<C>>>) {
        self.current.store(ci);
        self.open.store(true, Ordering::Release);
    }

    /// From here on: ask the engine.
    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    /// What was named before is that of the newest world after all.
    pub(crate) fn reopen(&self) {
        self.open.store(true, Ordering::Release);
    }
}
