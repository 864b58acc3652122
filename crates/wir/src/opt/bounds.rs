//! Array accesses whose index is known to be within bounds, for every backend.
//!
//! Two reasons are found: the same access was checked in a block that dominates this one, and an
//! index that counts up from zero or more below the array's length. Lengths never change.
//!
//! Invariant: nothing is said about an access unless it holds on every way that leads to it.

use crate::ir::{Body, Const, Op, Term, Val};
use crate::prim::{Prim, Scalar};
use crate::verify::{dominates, dominators};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use worldage_dispatch::Ty;

/// Steps up the dominator tree, and through definitions, that are worth it.
const MAX_STEPS: usize = 64;
const MAX_DEPTH: usize = 4;

/// What an integer or array is made of, as far as proofs need it.
#[derive(Clone, Copy)]
enum Made {
    Otherwise,
    Int(i64),
    /// One more than a value, in this block.
    Next(Val, u32),
    /// The length of an array.
    Length(Val),
    /// An array of this length.
    Array(Val),
    /// From an unsigned type.
    Natural,
    /// A parameter of this block, and which.
    Param(u32, u32),
}

struct Facts<'a> {
    body: &'a Body,
    /// A value that is equal to each value; itself, if none is known.
    same: Vec<Val>,
    made: Vec<Made>,
    idom: Vec<Option<usize>>,
    /// What holds on entry to a block: the first is less than the second.
    less: Vec<Option<(Val, Val)>>,
    /// The blocks that jump to each block.
    before: Vec<SmallVec<[u32; 2]>>,
}

/// For each value: whether it is the result of an array access that cannot be out of bounds.
/// Empty if there is none.
#[must_use]
pub fn in_bounds(body: &Body) -> Vec<bool> {
    let mut insts = body.blocks.iter().flat_map(|block| &block.insts);
    if !insts.any(|inst| matches!(inst.op, Op::ArrayGet(..) | Op::ArraySet(..))) {
        return Vec::new();
    }
    let facts = Facts::new(body);
    let mut proven = vec![false; body.vals.len()];
    let mut any = false;
    let mut checked: FxHashMap<(Val, Val), SmallVec<[u32; 2]>> = FxHashMap::default();
    for (ix, block) in body.blocks.iter().enumerate() {
        if facts.idom[ix].is_none() {
            continue;
        }
        for inst in &block.insts {
            let (Op::ArrayGet(array, index) | Op::ArraySet(array, index, _)) = inst.op else {
                continue;
            };
            let access = (facts.same(array), facts.same(index));
            let earlier = checked.entry(access).or_default();
            let again = earlier
                .iter()
                .any(|at| dominates(&facts.idom, *at as usize, ix));
            if again || facts.is_below_length(index, array, ix) && facts.is_natural(index) {
                proven[inst.result.0 as usize] = true;
                any = true;
            }
            if !again {
                earlier.push(ix as u32);
            }
        }
    }
    if any { proven } else { Vec::new() }
}

impl<'a> Facts<'a> {
    fn new(body: &'a Body) -> Facts<'a> {
        let count = body.blocks.len();
        let mut before: Vec<SmallVec<[u32; 2]>> = vec![SmallVec::new(); count];
        for (ix, block) in body.blocks.iter().enumerate() {
            let to = |to: &crate::ir::Target| before[to.block.0 as usize].push(ix as u32);
            block.term.each_target(to);
        }
        let mut facts = Facts {
            body,
            same: (0..body.vals.len() as u32).map(Val).collect(),
            made: vec![Made::Otherwise; body.vals.len()],
            idom: dominators(body),
            less: vec![None; count],
            before,
        };
        facts.values();
        facts.branches();
        facts
    }

    fn same(&self, val: Val) -> Val {
        self.same[val.0 as usize]
    }

    fn made(&self, val: Val) -> Made {
        self.made[val.0 as usize]
    }

    /// Finds values that are equal because they are computed alike from equal ones.
    fn values(&mut self) {
        let mut known: FxHashMap<(Op, Ty), Val> = FxHashMap::default();
        let body = self.body;
        for (ix, block) in body.blocks.iter().enumerate() {
            for (at, param) in block.params.iter().enumerate() {
                self.made[param.0 as usize] = Made::Param(ix as u32, at as u32);
            }
            for inst in &block.insts {
                let result = inst.result.0 as usize;
                let counts = match &inst.op {
                    Op::Prim(prim, _) => prim.result() == Scalar::I64,
                    Op::Const(Const::Int(_)) | Op::Field(..) | Op::ArrayLen(_) | Op::Grid(..) => {
                        true
                    }
                    Op::ArrayNew(_) => false,
                    _ => continue,
                };
                self.made[result] = match &inst.op {
                    Op::Const(Const::Int(x)) => Made::Int(*x),
                    // Numbers of work-items and groups, and how many there are.
                    Op::Grid(..) => Made::Natural,
                    Op::Prim(Prim::Add(Scalar::I64), args) => {
                        match (self.made(args[0]), self.made(args[1])) {
                            (_, Made::Int(1)) => Made::Next(args[0], ix as u32),
                            (Made::Int(1), _) => Made::Next(args[1], ix as u32),
                            _ => Made::Otherwise,
                        }
                    }
                    Op::Prim(Prim::Cast(from, Scalar::I64), _) if !from.is_signed() => {
                        match from.bits() < 64 && !from.is_float() {
                            true => Made::Natural,
                            false => Made::Otherwise,
                        }
                    }
                    Op::ArrayLen(array) => Made::Length(*array),
                    Op::ArrayNew(length) => Made::Array(*length),
                    _ => Made::Otherwise,
                };
                if counts {
                    let mut op = inst.op.clone();
                    op.map_operands(|v| self.same(v));
                    // Constants of several types are written alike.
                    let key = (op, body.vals[result]);
                    self.same[result] = *known.entry(key).or_insert(inst.result);
                }
            }
        }
    }

    /// What the way into a block says, if there is but one.
    fn branches(&mut self) {
        for block in &self.body.blocks {
            let Term::Branch(cond, then, other) = &block.term else {
                continue;
            };
            if then.block == other.block {
                continue;
            }
            let compared = block.insts.iter().rev().find(|inst| inst.result == *cond);
            let (to, less) = match compared.map(|inst| &inst.op) {
                Some(Op::Prim(Prim::Lt(Scalar::I64), args)) => (then, (args[0], args[1])),
                Some(Op::Prim(Prim::Le(Scalar::I64), args)) => (other, (args[1], args[0])),
                _ => continue,
            };
            if self.before[to.block.0 as usize].len() == 1 && to.block.0 != 0 {
                self.less[to.block.0 as usize] = Some((self.same(less.0), self.same(less.1)));
            }
        }
    }

    /// Whether in a block some `(index, bound)` with a wanted bound is known to hold.
    fn is_less(&self, index: Val, block: usize, wanted: impl Fn(Val) -> bool) -> bool {
        let (index, mut at) = (self.same(index), block);
        for _ in 0..MAX_STEPS {
            if let Some((less, bound)) = self.less[at]
                && less == index
                && wanted(bound)
            {
                return true;
            }
            match self.idom[at] {
                Some(up) if up != at => at = up,
                _ => break,
            }
        }
        false
    }

    fn is_below_length(&self, index: Val, array: Val, block: usize) -> bool {
        let array = self.same(array);
        self.is_less(index, block, |bound| {
            matches!(self.made(bound), Made::Length(of) if self.same(of) == array)
                || matches!(self.made(array), Made::Array(length) if self.same(length) == bound)
        })
    }

    fn is_natural(&self, val: Val) -> bool {
        self.is_natural_if(val, &mut SmallVec::new())
    }

    /// Whether a value is never negative, if those on the way to it are not: a counter is not if
    /// it begins so and each step keeps it so. Equal values are no help here: what holds where one
    /// was computed may not hold where the other was.
    fn is_natural_if(&self, val: Val, assumed: &mut SmallVec<[Val; MAX_DEPTH]>) -> bool {
        match self.made(val) {
            Made::Int(x) => x >= 0,
            Made::Length(_) | Made::Natural => true,
            // Less than some Int64, so one more is no overflow.
            Made::Next(of, block) => {
                self.is_less(of, block as usize, |_| true) && self.is_natural_if(of, assumed)
            }
            Made::Param(..) if assumed.contains(&val) => true,
            Made::Param(block, at) if block != 0 && assumed.len() < MAX_DEPTH => {
                assumed.push(val);
                let ways = &self.before[block as usize];
                let holds = ways.iter().all(|from| {
                    let mut holds = true;
                    self.body.blocks[*from as usize].term.each_target(|to| {
                        if to.block.0 == block {
                            holds = holds && self.is_natural_if(to.args[at as usize], assumed);
                        }
                    });
                    holds
                });
                assumed.pop();
                holds
            }
            _ => false,
        }
    }
}
