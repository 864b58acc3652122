//! Blocks: jumps to a block that does nothing but go on go where it goes, and a block with one
//! way in continues the one before.

use crate::ir::{Body, Const, Op, Target, Term, Val};

/// A jump with a constant to a block that only branches on it goes on at once; so does a jump to
/// a block that only jumps. True if there was one: then more may be known.
pub(super) fn thread(body: &mut Body) -> bool {
    let order = super::order(body);
    let passing = passing(body, &order);
    if !passing.iter().any(|passes| *passes) {
        return false;
    }
    let mut bools: Vec<Option<bool>> = vec![None; body.vals.len()];
    for block in &order {
        for inst in &body.blocks[*block as usize].insts {
            if let Op::Const(Const::Bool(value)) = inst.op {
                bools[inst.result.0 as usize] = Some(value);
            }
        }
    }
    let mut any = false;
    for block in order {
        let mut term = std::mem::replace(&mut body.blocks[block as usize].term, Term::Unreachable);
        term.each_target_mut(|target| {
            // Each step leaves a block; a bound keeps it from going round.
            for _ in 0..4 {
                let via = target.block.0 as usize;
                if via == block as usize || !passing[via] {
                    break;
                }
                let Some(next) = step(body, target, &bools) else {
                    break;
                };
                *target = next;
                any = true;
            }
        });
        body.blocks[block as usize].term = term;
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
fn passing(body: &Body, order: &[u32]) -> Vec<bool> {
    // Whether a value is read outside of the terminator of the block whose parameter it is.
    let mut elsewhere = vec![false; body.vals.len()];
    let mut passing = vec![false; body.blocks.len()];
    for ix in order {
        let block = &body.blocks[*ix as usize];
        for inst in &block.insts {
            inst.op.each_operand(|v| elsewhere[v.0 as usize] = true);
        }
        let own = |v: &Val| block.params.contains(v);
        block.term.each_operand(|v| {
            if !own(&v) {
                elsewhere[v.0 as usize] = true;
            }
        });
    }
    for ix in order {
        let block = &body.blocks[*ix as usize];
        let leads_on = match &block.term {
            Term::Jump(_) => true,
            Term::Branch(cond, ..) => block.params.contains(cond),
            _ => false,
        };
        passing[*ix as usize] = *ix != 0
            && leads_on
            && block.insts.is_empty()
            && block.params.iter().all(|v| !elsewhere[v.0 as usize]);
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
