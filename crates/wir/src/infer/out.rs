//! The body under construction, and its last step: order, numbers, and what nobody needs.

use crate::ast::NodeId;
use crate::ir::{Blk, Block, Body, Const, Failure, Frame, Inst, Op, Pos, Target, Term, Val, Vals};
use worldage_dispatch::Ty;
use worldage_engine::Mi;

const NONE: u32 = u32::MAX;

/// A [`Body`] that grows. Blocks may be made in any order.
pub(crate) struct Out {
    pub(crate) vals: Vec<Ty>,
    blocks: Vec<Block>,
    cur: usize,
}

impl Out {
    pub(crate) fn new() -> Out {
        let mut out = Out {
            vals: Vec::with_capacity(16),
            blocks: Vec::with_capacity(4),
            cur: 0,
        };
        out.new_block();
        out
    }

    pub(crate) fn new_block(&mut self) -> Blk {
        self.blocks.push(Block {
            params: Vals::new(),
            insts: Vec::new(),
            term: Term::Unreachable,
            term_pos: pos(NodeId(0)),
        });
        Blk(self.blocks.len() as u32 - 1)
    }

    pub(crate) fn cur(&self) -> Blk {
        Blk(self.cur as u32)
    }

    pub(crate) fn switch(&mut self, block: Blk) {
        self.cur = block.0 as usize;
    }

    /// Makes room for this many more operations in the current block.
    pub(crate) fn reserve(&mut self, insts: usize) {
        self.blocks[self.cur].insts.reserve(insts);
    }

    pub(crate) fn val(&mut self, ty: Ty) -> Val {
        self.vals.push(ty);
        Val(self.vals.len() as u32 - 1)
    }

    pub(crate) fn param(&mut self, block: Blk, ty: Ty) -> Val {
        let v = self.val(ty);
        self.blocks[block.0 as usize].params.push(v);
        v
    }

    pub(crate) fn ty(&self, v: Val) -> Ty {
        self.vals[v.0 as usize]
    }

    pub(crate) fn inst(&mut self, op: Op, ty: Ty, node: NodeId) -> Val {
        let result = self.val(ty);
        self.blocks[self.cur].insts.push(Inst {
            result,
            op,
            pos: pos(node),
        });
        result
    }

    pub(crate) fn constant(&mut self, value: Const, ty: Ty, node: NodeId) -> Val {
        self.inst(Op::Const(value), ty, node)
    }

    pub(crate) fn term(&mut self, term: Term, node: NodeId) {
        let block = &mut self.blocks[self.cur];
        block.term = term;
        block.term_pos = pos(node);
    }

    pub(crate) fn jump(&mut self, block: Blk, args: Vals, node: NodeId) {
        self.term(Term::Jump(Target { block, args }), node);
    }

    pub(crate) fn branch(&mut self, cond: Val, then: Blk, other: Blk, node: NodeId) {
        let to = |block| Target {
            block,
            args: Vals::new(),
        };
        self.term(Term::Branch(cond, to(then), to(other)), node);
    }

    pub(crate) fn fail(&mut self, failure: Failure, node: NodeId) {
        self.term(Term::Fail(failure), node);
    }

    /// Brings the blocks into reverse postorder, drops what is never reached or read, and numbers
    /// values in order.
    pub(crate) fn finish(mut self, ret: Ty, mi: Mi) -> Body {
        let order = self.order();
        self.drop_unread(&order);
        let mut vals = Vec::with_capacity(self.vals.len());
        let mut number = vec![NONE; self.vals.len()];
        let mut define = |v: &mut Val| {
            number[v.0 as usize] = vals.len() as u32;
            vals.push(self.vals[v.0 as usize]);
            *v = Val(vals.len() as u32 - 1);
        };
        for block in &order {
            let block = &mut self.blocks[*block as usize];
            block.params.iter_mut().for_each(&mut define);
            block
                .insts
                .iter_mut()
                .for_each(|inst| define(&mut inst.result));
        }
        let mut place = vec![NONE; self.blocks.len()];
        for (ix, block) in order.iter().enumerate() {
            place[*block as usize] = ix as u32;
        }
        let mut blocks = Vec::with_capacity(order.len());
        for block in order {
            let empty = Block {
                params: Vals::new(),
                insts: Vec::new(),
                term: Term::Unreachable,
                term_pos: pos(NodeId(0)),
            };
            let mut block = std::mem::replace(&mut self.blocks[block as usize], empty);
            let renumber = |v: Val| Val(number[v.0 as usize]);
            for inst in &mut block.insts {
                inst.op.map_operands(renumber);
            }
            block.term.map_operands(renumber);
            block
                .term
                .each_target_mut(|to| to.block = Blk(place[to.block.0 as usize]));
            blocks.push(block);
        }
        Body {
            vals,
            blocks,
            ret,
            frames: vec![Frame { mi, call: None }],
        }
    }

    /// Reverse postorder, by an explicit stack.
    fn order(&self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.blocks.len());
        let mut seen = vec![false; self.blocks.len()];
        seen[0] = true;
        let mut stack: Vec<(u32, u8)> = vec![(0, 0)];
        while let Some((block, way)) = stack.last_mut() {
            // The last way is walked first, so that the first stands nearer in the result.
            let next = match (&self.blocks[*block as usize].term, *way) {
                (Term::Jump(to), 0) => Some(to.block.0),
                (Term::Branch(_, _, other), 0) => Some(other.block.0),
                (Term::Branch(_, then, _), 1) => Some(then.block.0),
                _ => None,
            };
            *way += 1;
            match next {
                Some(to) if !seen[to as usize] => {
                    seen[to as usize] = true;
                    stack.push((to, 0));
                }
                Some(_) => {}
                None => {
                    order.push(*block);
                    stack.pop();
                }
            }
        }
        order.reverse();
        order
    }

    /// Definitions dominate their uses, so one walk backwards meets every use first.
    fn drop_unread(&mut self, order: &[u32]) {
        let mut read = vec![false; self.vals.len()];
        for block in order.iter().rev() {
            let block = &mut self.blocks[*block as usize];
            block.term.each_operand(|v| read[v.0 as usize] = true);
            let mut dropped = false;
            for inst in block.insts.iter_mut().rev() {
                if !read[inst.result.0 as usize] && inst.op.is_pure() {
                    inst.result.0 = NONE;
                    dropped = true;
                } else {
                    inst.op.each_operand(|v| read[v.0 as usize] = true);
                }
            }
            if dropped {
                block.insts.retain(|inst| inst.result.0 != NONE);
            }
        }
    }
}

fn pos(node: NodeId) -> Pos {
    Pos { frame: 0, node }
}
