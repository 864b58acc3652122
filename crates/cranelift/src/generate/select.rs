//! Branches that only choose between cheap integers become conditional moves: they are often
//! unpredictable, and never cost more than a few instructions.

use super::leaf_type;
use super::lower::{Leaves, Lower};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value};
use smallvec::SmallVec;
use worldage_wir::ir::{Blk, Const, Inst, Op, Target, Term};
use worldage_wir::prim::Prim;

/// Instructions that are computed in vain at most, over both ways.
const MAX_COST: u32 = 4;
/// Values that are chosen at most.
const MAX_CHOSEN: usize = 4;

/// One way of a branch: the block that it goes through, if any, and where it comes out.
type Way<'a> = (Option<Blk>, &'a Target);

impl<'a> Lower<'a> {
    /// Ends the current block with a choice if both ways of a branch soon meet. The blocks in
    /// between are done then.
    pub(super) fn select(&mut self, cond: Value, then: &'a Target, other: &'a Target) -> bool {
        let body = self.body;
        let mut cost = 0;
        let (a, b) = (
            self.through(then, &mut cost),
            self.through(other, &mut cost),
        );
        let (a, b): (Way<'a>, Way<'a>) = match (a, b) {
            (Some(a), Some(b)) if a.1.block == b.1.block => (a, b),
            (Some(a), _) if a.1.block == other.block => (a, (None, other)),
            (_, Some(b)) if b.1.block == then.block => ((None, then), b),
            _ => return false,
        };
        if cost > MAX_COST || !self.are_integers(a.1, b.1) {
            return false;
        }
        for (blk, _) in [a, b] {
            let Some(blk) = blk else { continue };
            self.skip(blk);
            for inst in &body.blocks[blk.0 as usize].insts {
                self.inst(inst);
            }
        }
        let mut args: SmallVec<[BlockArg; 8]> = SmallVec::new();
        for (x, y) in a.1.args.iter().zip(&b.1.args) {
            let (x, y): (Leaves, Leaves) = (self.leaves(*x), self.leaves(*y));
            for (x, y) in x.into_iter().zip(y) {
                let chosen = match x == y {
                    true => x,
                    false => self.cur.ins().select(cond, x, y),
                };
                args.push(chosen.into());
            }
        }
        let join = self.block_of(a.1.block);
        self.cur.ins().jump(join, &args);
        true
    }

    /// A block with one way in that does a little and jumps on.
    fn through(&self, target: &'a Target, cost: &mut u32) -> Option<Way<'a>> {
        let blk = target.block;
        let body = self.body;
        let block = &body.blocks[blk.0 as usize];
        let Term::Jump(next) = &block.term else {
            return None;
        };
        if !block.params.is_empty() || !self.has_one_way_in(blk) || next.block == blk {
            return None;
        }
        for (at, inst) in block.insts.iter().enumerate() {
            *cost += self.cheap(inst, &block.insts[..at])?;
        }
        Some((Some(blk), next))
    }

    /// The cost of an operation that may run in vain.
    fn cheap(&self, inst: &Inst, before: &[Inst]) -> Option<u32> {
        let Op::Prim(prim, args) = &inst.op else {
            return match &inst.op {
                Op::Const(Const::Str(_)) => None,
                Op::Const(_) => Some(0),
                _ => None,
            };
        };
        if prim.failure().is_some() || prim.result().is_float() || prim.operands().0.is_float() {
            return None;
        }
        match prim {
            Prim::Add(_) | Prim::Sub(_) | Prim::Neg(_) | Prim::BitNot(_) | Prim::Not => Some(1),
            Prim::And(_) | Prim::Or(_) | Prim::Xor(_) => Some(1),
            Prim::Eq(_) | Prim::Lt(_) | Prim::Le(_) | Prim::Cast(..) => Some(1),
            Prim::Mul(_) => Some(2),
            Prim::Shl(_) | Prim::Shr(_) => {
                let amount = args[1];
                let is_const = |i: &Inst| i.result == amount && matches!(i.op, Op::Const(_));
                (self.constant_of(amount).is_some() || before.iter().any(is_const)).then_some(1)
            }
            _ => None,
        }
    }

    fn are_integers(&self, a: &Target, b: &Target) -> bool {
        let differ = a.args.iter().zip(&b.args).filter(|(x, y)| x != y);
        let mut count = 0;
        for (x, _) in differ {
            let rep = self.layouts.rep(self.ty(*x));
            if rep.leaves.iter().any(|leaf| !leaf_type(*leaf).is_int()) {
                return false;
            }
            count += rep.leaves.len();
        }
        count <= MAX_CHOSEN
    }
}
