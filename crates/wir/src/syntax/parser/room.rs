//! What a parser builds up before it is a tree, in memory that the next parser takes over: most
//! texts are short, and are edits of one that was read before.

use std::cell::Cell;
use std::hash::Hasher;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use smallvec::SmallVec;

use super::{Kind, Token};
use crate::ast::*;
use crate::syntax::number::Visit;

/// How many names are kept for the next text.
const MAX_NAMES: usize = 1024;
/// For how many nodes room is kept.
const MAX_NODES: usize = 1 << 14;

/// A finished node before its item is: nodes are numbered as they are finished.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) height: u32,
}

/// A left operand and its operator that wait for the right operand.
pub(super) struct Pending {
    pub(super) lo: u32,
    pub(super) lhs: Expr,
    pub(super) op: Token,
    pub(super) level: u8,
}

/// Names and where each was met last: a few are searched, more are hashed.
#[derive(Default)]
pub(super) struct Met {
    few: SmallVec<[(Name, Span); 4]>,
    many: FxHashMap<Name, Span>,
}

impl Met {
    /// Says where the name is met now; gives where it was met before.
    pub(super) fn meet(&mut self, name: &Name, at: Span) -> Option<Span> {
        if let Some((_, before)) = self.few.iter_mut().find(|(met, _)| met == name) {
            return Some(std::mem::replace(before, at));
        }
        if self.few.len() < self.few.inline_size() {
            self.few.push((Name::clone(name), at));
            return None;
        }
        self.many.insert(Name::clone(name), at)
    }
}

/// What is not finished yet.
#[derive(Default)]
pub(super) struct Room {
    /// The nodes of the item, by provisional number.
    pub(super) nodes: Vec<Node>,
    /// The spans of a finished tree's nodes in pre-order, as far as it was visited.
    spans: Vec<Span>,
    /// What was visited, but for positions.
    checksum: FxHasher,
    /// The brackets that are open: which token closes each, and where it was opened.
    pub(super) open: Vec<(Kind, Span)>,
    /// The operators that wait, innermost expression last.
    pub(super) pending: Vec<Pending>,
    /// The statements so far of the blocks that are open, innermost last.
    pub(super) stmts: Vec<Stmt>,
    /// Equal names are one.
    names: FxHashSet<Name>,
}

thread_local! {
    static LAST: Cell<Room> = Cell::default();
}

impl Room {
    /// The room that the last parser of this thread left.
    pub(super) fn enter() -> Room {
        LAST.take()
    }

    /// Leaves it to the next parser.
    pub(super) fn leave(mut self) {
        if self.nodes.capacity() > MAX_NODES {
            return;
        }
        self.begin_item();
        self.open.clear();
        self.pending.clear();
        self.stmts.clear();
        if self.names.len() > MAX_NAMES {
            self.names = FxHashSet::default();
        }
        LAST.set(self);
    }

    /// Forgets the nodes of the last item.
    pub(super) fn begin_item(&mut self) {
        self.nodes.clear();
        self.spans.clear();
        self.checksum = FxHasher::default();
    }

    pub(super) fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.names.get(text) {
            return Name::clone(name);
        }
        let name = Name::from(text);
        self.names.insert(Name::clone(&name));
        name
    }

    /// Takes the latest operator that waits behind `first`, if it binds at least so tightly.
    pub(super) fn pending(&mut self, first: usize, level: u8) -> Option<Pending> {
        match self.pending.len() > first {
            true => self.pending.pop_if(|top| top.level >= level),
            false => None,
        }
    }

    /// Equal trees that were visited have equal ones.
    pub(super) fn checksum(&self) -> u64 {
        let mut checksum = self.checksum.clone();
        checksum.write_usize(self.spans.len());
        checksum.finish()
    }

    /// The spans of the tree that was visited.
    pub(super) fn spans(&self) -> Arc<[Span]> {
        Arc::from(&self.spans[..])
    }
}

/// Puts the nodes of a finished tree into pre-order.
impl Visit for Room {
    fn node(&mut self, id: &mut NodeId) {
        let new = NodeId(self.spans.len() as u32);
        self.spans.push(self.nodes[id.0 as usize].span);
        *id = new;
    }

    fn word(&mut self, word: u64) {
        self.checksum.write_u64(word);
    }
}
