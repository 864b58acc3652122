//! Where values of known types meet and their type is tested at once, each goes where its type
//! leads: what was widened for the meeting (a struct in a box, even) need not be.

use crate::ir::{Body, Op, Target, Term, Val};
use crate::universe::Universe;
use crate::verify::{dominates, dominators};
use worldage_dispatch::Ty;

/// Tests that are looked at, at most: each looks at the whole body.
const MAX_TESTS: usize = 32;

/// Splits tests of types. True if there was one.
pub(super) fn split(u: &Universe, body: &mut Body) -> bool {
    let is_short = |ix: &usize| {
        let insts = &body.blocks[*ix].insts;
        matches!(&insts[..], [inst] if matches!(inst.op, Op::IsA(..)))
    };
    let short: Vec<usize> = (0..body.blocks.len())
        .filter(is_short)
        .take(MAX_TESTS)
        .collect();
    let mut any = false;
    for ix in short {
        any |= is_test(u, body, ix) && split_test(u, body, ix);
    }
    any
}

/// Whether a block does nothing but test the type of a parameter, whose type is known on some way
/// in; none of them goes back.
fn is_test(u: &Universe, body: &Body, ix: usize) -> bool {
    let block = &body.blocks[ix];
    let ([inst], Term::Branch(cond, then, other)) = (&block.insts[..], &block.term) else {
        return false;
    };
    let Op::IsA(val, _) = inst.op else {
        return false;
    };
    let Some(at) = block.params.iter().position(|param| *param == val) else {
        return false;
    };
    let own = |target: &Target| target.block.0 as usize == ix || target.args.contains(cond);
    if ix == 0 || *cond != inst.result || then.block == other.block || own(then) || own(other) {
        return false;
    }
    let (mut ahead, mut known) = (true, false);
    let mut ways = [0, 0];
    for (from, before) in body.blocks.iter().enumerate() {
        before.term.each_target(|to| {
            ways[0] += u32::from(to.block == then.block);
            ways[1] += u32::from(to.block == other.block);
            if to.block.0 as usize == ix {
                ahead &= from < ix;
                known |= widened(u, body, from, to.args[at]).is_some();
            }
        });
    }
    ahead && known && ways == [1, 1]
}

/// The concrete type that a value was widened from, in this block.
fn widened(u: &Universe, body: &Body, block: usize, val: Val) -> Option<Ty> {
    let mut insts = body.blocks[block].insts.iter().rev();
    let inst = insts.find(|inst| inst.result == val)?;
    let Op::Widen(inner) = inst.op else {
        return None;
    };
    let ty = body.vals[inner.0 as usize];
    u.types().is_concrete(ty).then_some(ty)
}

fn split_test(u: &Universe, body: &mut Body, ix: usize) -> bool {
    let block = &body.blocks[ix];
    let params = block.params.clone();
    let (Term::Branch(cond, then, other), Op::IsA(tested, of)) =
        (block.term.clone(), block.insts[0].op.clone())
    else {
        return false;
    };
    let at = params.iter().position(|param| *param == tested);
    let at = at.expect("a test is of a parameter");
    let ways = [then.block.0 as usize, other.block.0 as usize];
    let idom = dominators(body);
    // Each block that reads the parameters lies behind one of the ways.
    let mut behind: Vec<Option<usize>> = vec![None; body.blocks.len()];
    for (user, block) in body.blocks.iter().enumerate() {
        if user == ix || idom[user].is_none() {
            continue;
        }
        behind[user] = (0..2).find(|way| dominates(&idom, ways[*way], user));
        let mut reads = false;
        let mut check = |v: Val| reads |= v == cond || params.contains(&v);
        block
            .insts
            .iter()
            .for_each(|inst| inst.op.each_operand(&mut check));
        block.term.each_operand(&mut check);
        if reads && behind[user].is_none() {
            return false;
        }
    }
    // The parameters go on as parameters of both ways.
    let mut copies = [Vec::new(), Vec::new()];
    for (way, copy) in ways.iter().zip(&mut copies) {
        for param in &params {
            let ty = body.vals[param.0 as usize];
            body.vals.push(ty);
            copy.push(Val(body.vals.len() as u32 - 1));
        }
        body.blocks[*way].params.extend_from_slice(copy);
    }
    for (user, way) in behind.iter().enumerate() {
        let Some(way) = *way else { continue };
        let rename = |v: Val| match params.iter().position(|param| *param == v) {
            Some(at) => copies[way][at],
            None => v,
        };
        let block = &mut body.blocks[user];
        for inst in &mut block.insts {
            inst.op.map_operands(rename);
        }
        block.term.map_operands(rename);
    }
    let extended = [then, other].map(|mut target| {
        target.args.extend_from_slice(&params);
        target
    });
    body.blocks[ix].term = Term::Branch(cond, extended[0].clone(), extended[1].clone());
    // Who knows the type goes there at once.
    for from in 0..body.blocks.len() {
        let mut term = std::mem::replace(&mut body.blocks[from].term, Term::Unreachable);
        term.each_target_mut(|to| {
            if to.block.0 as usize != ix {
                return;
            }
            let Some(ty) = widened(u, body, from, to.args[at]) else {
                return;
            };
            let next = &extended[usize::from(!u.types().subtype(ty, of))];
            let through = |v: &Val| match params.iter().position(|param| param == v) {
                Some(at) => to.args[at],
                None => *v,
            };
            *to = Target {
                block: next.block,
                args: next.args.iter().map(through).collect(),
            };
        });
        body.blocks[from].term = term;
    }
    true
}
