//! The shape of a body's control flow: order, dominators, loops, and where each block is written
//! so that C's `if` and `for` say it.
//!
//! After Norman Ramsey, "Beyond Relooper" (2022): a block is written inside the branch that alone
//! reaches it, or after the block that dominates it; and what a loop dominates but does not hold
//! comes after the loop.
//!
//! Wir's own control flow is structured, so every loop has one entry; where an optimiser has made a
//! second one, the blocks are written one after the other, with `goto`.

use worldage_wir::device::reach;
use worldage_wir::ir::{Blk, Body, Term};

pub(super) struct Flow {
    /// Reachable blocks in reverse post-order.
    pub(super) order: Vec<Blk>,
    /// Blocks that are written after a block, in order.
    follows: Vec<Vec<Blk>>,
    /// Blocks that are written inside the branch that reaches them.
    nested: Vec<bool>,
    /// Blocks that only end the function: written wherever something jumps there.
    returns: Vec<bool>,
    /// For a loop's header: which blocks it holds.
    loops: Vec<Option<Vec<bool>>>,
}

const UNSEEN: usize = usize::MAX;

impl Flow {
    ///
    /// `void`: what the body returns is not read.
    pub(super) fn new(body: &Body, void: bool) -> Flow {
        Flow::structured(body, void).unwrap_or_else(|| {
            let count = body.blocks.len();
            let order = reach::order(body);
            let mut follows: Vec<Vec<Blk>> = vec![Vec::new(); count];
            follows[0] = order[1..].to_vec();
            Flow {
                order,
                follows,
                nested: vec![false; count],
                returns: vec![false; count],
                loops: vec![None; count],
            }
        })
    }

    /// `None` if a loop has several entries.
    fn structured(body: &Body, void: bool) -> Option<Flow> {
        let count = body.blocks.len();
        let order = reach::order(body);
        let mut rank = vec![UNSEEN; count];
        for (ix, blk) in order.iter().enumerate() {
            rank[blk.0 as usize] = ix;
        }
        let mut preds: Vec<Vec<usize>> = vec![Vec::new(); count];
        for blk in &order {
            body.blocks[blk.0 as usize]
                .term
                .each_target(|target| preds[target.block.0 as usize].push(blk.0 as usize));
        }
        let idom = dominators(&order, &rank, &preds);
        let dominates = |a: usize, mut b: usize| loop {
            if a == b {
                return true;
            }
            if rank[b] == 0 {
                return false;
            }
            b = idom[b];
        };
        let mut loops: Vec<Option<Vec<bool>>> = vec![None; count];
        for blk in &order {
            let header = blk.0 as usize;
            for &from in preds[header].iter().filter(|p| rank[**p] >= rank[header]) {
                if !dominates(header, from) {
                    return None;
                }
                let held = loops[header].get_or_insert_with(|| vec![false; count]);
                held[header] = true;
                let mut work = vec![from];
                while let Some(at) = work.pop() {
                    if !std::mem::replace(&mut held[at], true) {
                        work.extend(&preds[at]);
                    }
                }
            }
        }
        let mut follows: Vec<Vec<Blk>> = vec![Vec::new(); count];
        let mut nested = vec![false; count];
        let mut returns = vec![false; count];
        for &blk in &order[1..] {
            let at = blk.0 as usize;
            let block = &body.blocks[at];
            let idle = block.insts.iter().all(|inst| inst.op.is_pure());
            if void && idle && matches!(block.term, Term::Return(_)) {
                returns[at] = true;
                continue;
            }
            let above = idom[at];
            // The outermost loop that holds the dominator and not the block.
            let left = order
                .iter()
                .map(|header| header.0 as usize)
                .find(|&header| loops[header].as_ref().is_some_and(|l| l[above] && !l[at]));
            let forward = preds[at].iter().filter(|p| rank[**p] < rank[at]).count();
            let branches = matches!(body.blocks[above].term, Term::Branch(..));
            match left {
                Some(header) => follows[header].push(blk),
                None if forward == 1 && branches => nested[at] = true,
                None => follows[above].push(blk),
            }
        }
        Some(Flow {
            order,
            follows,
            nested,
            returns,
            loops,
        })
    }

    pub(super) fn is_nested(&self, blk: Blk) -> bool {
        self.nested[blk.0 as usize]
    }

    pub(super) fn is_return(&self, blk: Blk) -> bool {
        self.returns[blk.0 as usize]
    }

    pub(super) fn is_header(&self, blk: Blk) -> bool {
        self.loops[blk.0 as usize].is_some()
    }

    /// What is written after a block: inside of its loop if it is a header, and after the loop.
    pub(super) fn follows(&self, blk: Blk) -> (Vec<Blk>, Vec<Blk>) {
        let all = self.follows[blk.0 as usize].iter().copied();
        match &self.loops[blk.0 as usize] {
            Some(held) => all.partition(|follow| held[follow.0 as usize]),
            None => (all.collect(), Vec::new()),
        }
    }

    /// Whether a loop holds the block.
    pub(super) fn in_loop(&self, blk: Blk) -> bool {
        let mut loops = self.loops.iter().flatten();
        loops.any(|held| held[blk.0 as usize])
    }
}

/// Immediate dominators after Cooper, Harvey and Kennedy.
fn dominators(order: &[Blk], rank: &[usize], preds: &[Vec<usize>]) -> Vec<usize> {
    let mut idom = vec![UNSEEN; rank.len()];
    idom[0] = 0;
    let mut changed = true;
    while changed {
        changed = false;
        for blk in &order[1..] {
            let at = blk.0 as usize;
            let mut new = UNSEEN;
            for &pred in preds[at].iter().filter(|p| idom[**p] != UNSEEN) {
                new = match new {
                    UNSEEN => pred,
                    other => common(&idom, rank, pred, other),
                };
            }
            if idom[at] != new {
                idom[at] = new;
                changed = true;
            }
        }
    }
    idom
}

fn common(idom: &[usize], rank: &[usize], mut a: usize, mut b: usize) -> usize {
    while a != b {
        while rank[a] > rank[b] {
            a = idom[a];
        }
        while rank[b] > rank[a] {
            b = idom[b];
        }
    }
    a
}
