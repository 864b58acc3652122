//! Passes over typed SSA: what inlining lays open, and what the code generator would not see.
//!
//! Reading order: `simplify` (forwards: copies, constants, parts of what was just made, tests of
//! known types), `tidy` (what nobody reads goes; order and numbers), `flow` (jumps around blocks
//! that only choose, blocks in a row), `join` (tests where values meet). [`bounds`] is asked by
//! backends.
//!
//! Invariants: a pass is linear in the body; no operation on floats is changed, reordered or
//! fused, except that one on constants is its value; a failure stays where it was. Common
//! subexpressions and loop invariants are left to the code generator.

pub mod bounds;
mod flow;
mod join;
mod simplify;
mod tidy;

use crate::ir::{Body, Term};
use crate::universe::Universe;

/// Rounds behind the first, where jumps went another way.
const ROUNDS: usize = 3;

/// Optimises a body as inference makes it: blocks in reverse postorder, all of them reachable,
/// nothing unread but what goes round a loop.
pub fn optimize(u: &Universe, body: &mut Body) {
    if simplify::simplify(u, body, &in_order(body)) {
        tidy::tidy(body);
    }
    again(u, body);
}

/// Optimises a body whose blocks may stand in any order and be unreachable.
pub fn optimize_spliced(u: &Universe, body: &mut Body) {
    let order = order(body);
    simplify::simplify(u, body, &order);
    tidy::tidy(body);
    again(u, body);
}

/// The rounds behind the first.
fn again(u: &Universe, body: &mut Body) {
    for _ in 0..ROUNDS {
        let changed = flow::thread(body);
        if !(join::split(u, body) || changed) {
            break;
        }
        let order = order(body);
        simplify::simplify(u, body, &order);
        tidy::tidy(body);
    }
}

/// The order of a body whose blocks stand in it.
fn in_order(body: &Body) -> Vec<u32> {
    (0..body.blocks.len() as u32).collect()
}

/// The reachable blocks in reverse postorder.
fn order(body: &Body) -> Vec<u32> {
    let mut order = Vec::with_capacity(body.blocks.len());
    let mut seen = vec![false; body.blocks.len()];
    seen[0] = true;
    let mut stack: Vec<(u32, u8)> = vec![(0, 0)];
    while let Some((block, way)) = stack.last_mut() {
        // The last way is walked first, so that the first stands nearer in the result.
        let next = match (&body.blocks[*block as usize].term, *way) {
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
