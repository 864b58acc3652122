//! What is called: code instances with their cells, and the front that host callers hold.
//!
//! Invariant: the cell of a code instance is written once, when it is linked; a front names the
//! code instance of the newest world or nothing ("ask the engine").

use crate::compiler::{Compiler, Linked};
use crate::ids::{Mi, ShardId};
use arc_swap::ArcSwapOption;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An instance linked in a shard: the code of one world range.
pub struct CodeInstance<C: Compiler> {
    pub(crate) id: u64,
    /// The instance.
    pub mi: Mi,
    /// The shard.
    pub shard: ShardId,
    cell: AtomicUsize,
    linked: OnceLock<C::Linked>,
    pub(crate) code: std::sync::Arc<C::Code>,
}

impl<C: Compiler> CodeInstance<C> {
    pub(crate) fn new(id: u64, mi: Mi, shard: ShardId, code: std::sync::Arc<C::Code>) -> Self {
        CodeInstance {
            id,
            mi,
            shard,
            cell: AtomicUsize::new(0),
            linked: OnceLock::new(),
            code,
        }
    }

    /// The address of the cell: a word that holds the entry.
    pub fn cell(&self) -> *const usize {
        self.cell.as_ptr()
    }

    pub(crate) fn set_linked(&self, linked: C::Linked) {
        self.cell.store(linked.entry(), Ordering::Release);
        if self.linked.set(linked).is_err() {
            unreachable!("a code instance is linked once");
        }
    }

    /// What link gave.
    ///
    /// # Panics
    /// Never for a code instance that the engine handed out: those are linked.
    pub fn linked(&self) -> &C::Linked {
        self.linked
            .get()
            .expect("handed out code instances are linked")
    }

    /// The portable code that it was linked from.
    pub fn code(&self) -> &std::sync::Arc<C::Code> {
        &self.code
    }
}

/// What a host caller holds: follows the newest world.
pub struct Front<C: Compiler> {
    /// The instance.
    pub mi: Mi,
    /// The shard.
    pub shard: ShardId,
    current: ArcSwapOption<CodeInstance<C>>,
}

impl<C: Compiler> Front<C> {
    pub(crate) fn new(mi: Mi, shard: ShardId) -> Self {
        Front {
            mi,
            shard,
            current: ArcSwapOption::empty(),
        }
    }

    /// The code instance of the newest world; `None` means "ask the engine".
    pub fn get(&self) -> Option<std::sync::Arc<CodeInstance<C>>> {
        self.current.load_full()
    }

    pub(crate) fn set(&self, ci: Option<std::sync::Arc<CodeInstance<C>>>) {
        self.current.store(ci);
    }
}
