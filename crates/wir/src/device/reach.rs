//! What of a body a backend has to write: the blocks that are reached, the values that are needed.
//!
//! A device can do less than the language: what nothing needs is not asked of it.

use crate::ir::{Blk, Body, Op, Term, Val};

/// The blocks that are reached, in reverse post-order.
#[must_use]
pub fn order(body: &Body) -> Vec<Blk> {
    let mut order = Vec::new();
    let mut seen = vec![false; body.blocks.len()];
    let mut stack = vec![(Blk(0), 0)];
    seen[0] = true;
    while let Some((blk, next)) = stack.last_mut() {
        let mut successors = Vec::new();
        body.blocks[blk.0 as usize]
            .term
            .each_target(|target| successors.push(target.block));
        // The last successor first, so that the first one follows its block in the order.
        successors.reverse();
        let Some(&successor) = successors.get(*next) else {
            order.push(*blk);
            stack.pop();
            continue;
        };
        *next += 1;
        if !std::mem::replace(&mut seen[successor.0 as usize], true) {
            stack.push((successor, 0));
        }
    }
    order.reverse();
    order
}

/// Which values the effects of a body need.
///
/// `order`: the blocks that are reached; `returns`: whether the value that is returned is read.
#[must_use]
pub fn needed(body: &Body, order: &[Blk], returns: bool) -> Vec<bool> {
    let mut needed = vec![false; body.vals.len()];
    let mut work: Vec<Val> = Vec::new();
    let mut made: Vec<Option<&Op>> = vec![None; body.vals.len()];
    // For a block parameter: what jumps pass.
    let mut passed: Vec<Vec<Val>> = vec![Vec::new(); body.vals.len()];
    for blk in order {
        let block = &body.blocks[blk.0 as usize];
        for inst in &block.insts {
            made[inst.result.0 as usize] = Some(&inst.op);
            if !inst.op.is_pure() {
                inst.op.each_operand(|val| work.push(val));
            }
        }
        match &block.term {
            Term::Branch(condition, ..) => work.push(*condition),
            Term::Return(val) if returns => work.push(*val),
            _ => {}
        }
        block.term.each_target(|target| {
            let params = &body.blocks[target.block.0 as usize].params;
            for (param, arg) in params.iter().zip(&target.args) {
                passed[param.0 as usize].push(*arg);
            }
        });
    }
    while let Some(val) = work.pop() {
        if std::mem::replace(&mut needed[val.0 as usize], true) {
            continue;
        }
        if let Some(op) = made[val.0 as usize] {
            op.each_operand(|operand| work.push(operand));
        }
        work.extend(&passed[val.0 as usize]);
    }
    needed
}
