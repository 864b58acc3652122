//! Blocks: jumps to a block that does nothing but go on go where it goes, and a block with one
//! way in continues the one before.

use crate::ir::{Block, Body, Const, Op, Target, Term, Val};

/// A jump with a constant to a block that only branches on it goes on at once; so does a jump to
/// a block that only jumps. True if there was one: then more may be known. Every block must be
/// reachable.
pub(super) fn thread(body: &mut Body) -> bool {
    let passing = passing(body);
    if !passing.iter().any(|passes| *passes) {
        return false;
    }
    let mut bools: Vec<Option<bool>> = vec![None; body.vals.len()];
    for block in &body.blocks {
        for inst in &block.insts {
            if let Op::Const(Const::Bool(value)) = inst.op {
                bools[inst.result.0 as usize] = Some(value);
            }
        }
    }
    let mut any = false;
    for block in 0..body.blocks.len() {
        let mut term = std::mem::replace(&mut body.blocks[block].term, Term::Unreachable);
        term.each_target_mut(|target| {
            // Each step leaves a block; a bound keeps it from going round.
            for _ in 0..4 {
                let via = target.block.0 as usize;
                if via == block || !passing[via] {
                    break;
                }
                let Some(next) = step(body, target, &bools) else {
                    break;
                };
                *target = next;
                any = true;
            }
        });
        body.blocks[block].term = term;
    }
    any
}

/// Where a jump to a passing block leads.
fn step(body: &Body, target: &Target, bools: &[Option<bool>]) -> Option<Target> {
    let via = &body.blocks[target.block.0 as usize];
    let through = |v: Val| {
        let param = via.params.iter().position(|param| *param == v);
        param.map_or(v, |at| target.args[at])
    };
    let next = match &via.term {
        Term::Jump(next) => next,
        Term::Branch(cond, then, other) => match bools[through(*cond).0 as usize]? {
            true => then,
            false => other,
        },
        _ => return None,
    };
    Some(Target {
        block: next.block,
        args: next.args.iter().map(|v| through(*v)).collect(),
    })
}

/// The blocks that do nothing but go on, and whose parameters are read by nobody else.
fn passing(body: &Body) -> Vec<bool> {
    let leads_on = |block: &Block| match &block.term {
        Term::Jump(_) => block.insts.is_empty(),
        Term::Branch(cond, ..) => block.insts.is_empty() && block.params.contains(cond),
        _ => false,
    };
    let mut passing: Vec<bool> = body.blocks.iter().map(leads_on).collect();
    // The entry's parameters are the instance's.
    passing[0] = false;
    if !passing.iter().any(|passes| *passes) {
        return passing;
    }
    // Whether a value is read outside of the terminator of the block whose parameter it is.
    let mut elsewhere = vec![false; body.vals.len()];
    for block in &body.blocks {
        for inst in &block.insts {
            inst.op.each_operand(|v| elsewhere[v.0 as usize] = true);
        }
        block.term.each_operand(|v| {
            if !block.params.contains(&v) {
                elsewhere[v.0 as usize] = true;
            }
        });
    }
    for (passes, block) in passing.iter_mut().zip(&body.blocks) {
        *passes &= block.params.iter().all(|v| !elsewhere[v.0 as usize]);
    }
    passing
}

/// Appends blocks without parameters to the only one that jumps to them, and takes them out of
/// the order.
pub(super) fn merge(body: &mut Body, order: &mut Vec<u32>) {
    let mut ways = vec![0u32; body.blocks.len()];
    ways[0] = 1;
    for block in &*order {
        let term = &body.blocks[*block as usize].term;
        term.each_target(|to| ways[to.block.0 as usize] += 1);
    }
    let mut gone = vec![false; body.blocks.len()];
    order.retain(|block| {
        if gone[*block as usize] {
            return false;
        }
        while let Term::Jump(to) = &body.blocks[*block as usize].term
            && to.args.is_empty()
            && to.block.0 != *block
            && ways[to.block.0 as usize] == 1
        {
            let next = to.block.0 as usize;
            gone[next] = true;
            let next = &mut body.blocks[next];
            let mut insts = std::mem::take(&mut next.insts);
            let term = std::mem::replace(&mut next.term, Term::Unreachable);
            let term_pos = next.term_pos;
            let block = &mut body.blocks[*block as usize];
            block.insts.append(&mut insts);
            block.term = term;
            block.term_pos = term_pos;
        }
        true
    });
}
