//! The last step of a round: operations and block parameters that nobody reads go; blocks stand
//! in reverse postorder and values are numbered in order.

use crate::ir::{Blk, Block, Body, Term, Val};

const NONE: u32 = u32::MAX;

/// Where a value is defined.
#[derive(Clone, Copy)]
enum Def {
    Nowhere,
    /// Block and place among its operations.
    Inst(u32, u32),
    /// Block and place among its parameters.
    Param(u32, u32),
}

/// Drops what is never reached or read, and numbers blocks and values in order.
pub(super) fn tidy(body: &mut Body) {
    let mut order = super::order(body);
    let read = read(body, &order);
    drop_unread(body, &order, &read);
    super::flow::merge(body, &mut order);
    number(body, &order);
}

/// The values that something needs: what has an effect, or decides where control goes.
fn read(body: &Body, order: &[u32]) -> Vec<bool> {
    let mut defs = vec![Def::Nowhere; body.vals.len()];
    let mut work: Vec<Val> = Vec::new();
    // The jumps into every block, as a list that is linked through `ways`.
    let mut ways: Vec<(u32, u32, bool)> = Vec::new();
    let mut first = vec![NONE; body.blocks.len()];
    for ix in order {
        let block = &body.blocks[*ix as usize];
        for (at, param) in block.params.iter().enumerate() {
            defs[param.0 as usize] = Def::Param(*ix, at as u32);
        }
        for (at, inst) in block.insts.iter().enumerate() {
            defs[inst.result.0 as usize] = Def::Inst(*ix, at as u32);
            if !inst.op.is_pure() {
                inst.op.each_operand(|v| work.push(v));
            }
        }
        match &block.term {
            Term::Branch(cond, ..) => work.push(*cond),
            Term::Return(val) => work.push(*val),
            Term::Jump(_) | Term::Fail(_) | Term::Unreachable => {}
        }
        let mut second = false;
        block.term.each_target(|to| {
            let head = &mut first[to.block.0 as usize];
            ways.push((*ix, *head, second));
            *head = (ways.len() - 1) as u32;
            second = true;
        });
    }
    let mut read = vec![false; body.vals.len()];
    while let Some(val) = work.pop() {
        if std::mem::replace(&mut read[val.0 as usize], true) {
            continue;
        }
        match defs[val.0 as usize] {
            Def::Nowhere => {}
            Def::Inst(block, at) => {
                let inst = &body.blocks[block as usize].insts[at as usize];
                if inst.op.is_pure() {
                    inst.op.each_operand(|v| work.push(v));
                }
            }
            Def::Param(block, at) => {
                let mut way = first[block as usize];
                while way != NONE {
                    let (from, next, second) = ways[way as usize];
                    let mut nth = false;
                    body.blocks[from as usize].term.each_target(|to| {
                        if nth == second {
                            work.push(to.args[at as usize]);
                        }
                        nth = true;
                    });
                    way = next;
                }
            }
        }
    }
    read
}

fn drop_unread(body: &mut Body, order: &[u32], read: &[bool]) {
    let is_read = |v: Val| read[v.0 as usize];
    // Which parameters stay, those of each block behind those of the one before.
    let mut first = Vec::with_capacity(body.blocks.len());
    let mut keep = Vec::new();
    for (ix, block) in body.blocks.iter().enumerate() {
        first.push(keep.len());
        // The entry's are the instance's.
        keep.extend(block.params.iter().map(|v| ix == 0 || is_read(*v)));
    }
    let all = keep.iter().all(|keep| *keep);
    for ix in order {
        let block = &mut body.blocks[*ix as usize];
        block
            .insts
            .retain(|inst| is_read(inst.result) || !inst.op.is_pure());
        if all {
            continue;
        }
        let kept = |block: usize| {
            let mut keep = keep[first[block]..].iter();
            move || *keep.next().expect("one argument for each parameter")
        };
        block.term.each_target_mut(|to| {
            let mut kept = kept(to.block.0 as usize);
            to.args.retain(|_| kept());
        });
        let mut kept = kept(*ix as usize);
        block.params.retain(|_| kept());
    }
}

fn number(body: &mut Body, order: &[u32]) {
    let mut vals = Vec::with_capacity(body.vals.len());
    let mut number = vec![NONE; body.vals.len()];
    let mut place = vec![NONE; body.blocks.len()];
    for (ix, block) in order.iter().enumerate() {
        place[*block as usize] = ix as u32;
        let block = &mut body.blocks[*block as usize];
        let mut define = |v: &mut Val| {
            number[v.0 as usize] = vals.len() as u32;
            vals.push(body.vals[v.0 as usize]);
            *v = Val(vals.len() as u32 - 1);
        };
        block.params.iter_mut().for_each(&mut define);
        block
            .insts
            .iter_mut()
            .for_each(|inst| define(&mut inst.result));
    }
    let mut blocks = Vec::with_capacity(order.len());
    for ix in order {
        let old = &mut body.blocks[*ix as usize];
        let mut block = Block {
            params: std::mem::take(&mut old.params),
            insts: std::mem::take(&mut old.insts),
            term: std::mem::replace(&mut old.term, Term::Unreachable),
            term_pos: old.term_pos,
        };
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
    body.vals = vals;
    body.blocks = blocks;
}
