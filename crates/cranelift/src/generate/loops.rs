//! The innermost loop of every block: which way of a branch leaves it.
//!
//! Cranelift walks the dominator tree with a stack of the loops that it is in, and forgets a loop
//! once it has met a block outside of it; among the ways of a branch it walks the first one last.
//! So where a branch may leave its loop, the way out must come first, or nothing is hoisted out of
//! what is left of the loop.

use worldage_wir::ir::{Blk, Body};

const NONE: u32 = u32::MAX;

/// The loops of one body.
#[derive(Default)]
pub(crate) struct Loops {
    /// The header of the innermost loop of each block.
    of: Vec<u32>,
    /// For each header the header of the next outer loop.
    outer: Vec<u32>,
    any: bool,
    place: Vec<u32>,
    ways: Vec<(u32, u32)>,
    first: Vec<u32>,
    work: Vec<u32>,
}

impl Loops {
    /// Finds the loops of a body whose reachable blocks stand in `order`, a reverse postorder.
    ///
    /// Headers are taken from the innermost: the blocks from which its backward jumps come, and
    /// all before them up to the header, are in its loop; of inner loops only the headers are
    /// visited again.
    pub(crate) fn find(&mut self, body: &Body, order: &[Blk]) {
        let count = body.blocks.len();
        self.any = false;
        self.place.clear();
        self.place.resize(count, NONE);
        for (at, blk) in order.iter().enumerate() {
            self.place[blk.0 as usize] = at as u32;
        }
        self.first.clear();
        self.first.resize(count, NONE);
        self.ways.clear();
        for blk in order {
            body.blocks[blk.0 as usize].term.each_target(|to| {
                let to = to.block.0 as usize;
                self.any |= self.place[to] <= self.place[blk.0 as usize];
                self.ways.push((blk.0, self.first[to]));
                self.first[to] = (self.ways.len() - 1) as u32;
            });
        }
        if !self.any {
            return;
        }
        self.of.clear();
        self.of.resize(count, NONE);
        self.outer.clear();
        self.outer.resize(count, NONE);
        for header in order.iter().rev().map(|blk| blk.0) {
            self.before(header, |place, from| {
                place[from as usize] >= place[header as usize]
            });
            while let Some(block) = self.work.pop() {
                let top = self.outermost(block);
                if top == header {
                    continue;
                }
                if top == NONE {
                    if block == header {
                        continue;
                    }
                    self.of[block as usize] = header;
                    self.before(block, |_, _| true);
                } else {
                    self.outer[top as usize] = header;
                    self.before(top, |_, _| true);
                }
            }
            if self.is_header(header) {
                self.of[header as usize] = header;
            }
        }
    }

    /// Puts the blocks from which a jump leads to `block` on the stack.
    fn before(&mut self, block: u32, wanted: impl Fn(&[u32], u32) -> bool) {
        let mut way = self.first[block as usize];
        while way != NONE {
            let (from, next) = self.ways[way as usize];
            if wanted(&self.place, from) {
                self.work.push(from);
            }
            way = next;
        }
    }

    fn is_header(&self, block: u32) -> bool {
        let mut way = self.first[block as usize];
        while way != NONE {
            let (from, next) = self.ways[way as usize];
            if self.place[from as usize] >= self.place[block as usize] {
                return true;
            }
            way = next;
        }
        false
    }

    /// The header of the outermost known loop around a block.
    fn outermost(&self, block: u32) -> u32 {
        let mut at = self.of[block as usize];
        while at != NONE && self.outer[at as usize] != NONE {
            at = self.outer[at as usize];
        }
        at
    }

    /// Whether but one jump leads to a block.
    pub(crate) fn has_one_way_in(&self, blk: Blk) -> bool {
        let way = self.first[blk.0 as usize];
        way != NONE && self.ways[way as usize].1 == NONE && blk.0 != 0
    }

    /// Whether a jump from a block to another leaves the innermost loop of the first.
    pub(crate) fn leaves(&self, from: Blk, to: Blk) -> bool {
        if !self.any {
            return false;
        }
        let own = self.of[from.0 as usize];
        if own == NONE {
            return false;
        }
        let mut at = self.of[to.0 as usize];
        while at != NONE && at != own {
            at = self.outer[at as usize];
        }
        at != own
    }
}
