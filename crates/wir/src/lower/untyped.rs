//! Untyped SSA: a method's body with control flow made explicit and variables gone.
//!
//! Invariants: the values of a block stand in one contiguous range, its parameters first; a block
//! comes after every block that it can be reached from except over a loop's back edge, so the
//! order of the blocks is a reverse postorder; a definition dominates its uses. Types are still
//! names: what they mean depends on the world, so inference asks.

use crate::ast::{NodeId, TypeExpr};
use crate::ir::UnknownKind;
use std::sync::Arc;
use worldage_dispatch::Symbol;

/// An untyped value: its place in [`Lowered::ops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UVal(pub u32);

/// A type as written: its place in [`Lowered::types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TyIx(pub u32);

/// A run of operands in [`Lowered::pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Args {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// An untyped operation; it defines the value at its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UOp {
    /// The n-th parameter of its block.
    Param(u32),
    /// An Int64.
    Int(i64),
    /// The bits of a Float64.
    Float(u64),
    /// A Bool.
    Bool(bool),
    /// A string of [`Lowered::strs`].
    Str(u32),
    /// The schedule's choice for the n-th tuning parameter.
    Tune(u32),
    /// `nothing`
    Nothing,
    /// A name that is no variable: a function, if there is one.
    Function(Symbol),
    /// A call by name.
    Call(Symbol, Args),
    /// A call of a value.
    CallValue(UVal, Args),
    /// `T(x)` with a static parameter `T`.
    CallType(TyIx, Args),
    /// `P{A}(x)`
    New(TyIx, Args),
    /// `(a, b)`
    Tuple(Args),
    /// `x.field`
    Field(UVal, Symbol),
    /// `xs[i]`
    Index(UVal, UVal),
    /// `xs[i] = v`: array, index, value.
    SetIndex(Args),
    /// `isa(x, T)`
    IsA(UVal, TyIx),
    /// The same value, known to be (or not to be) of the type.
    Refine(UVal, TyIx, bool),
    /// The same value, or `type-mismatch` if it is no Bool.
    AsBool(UVal),
    /// The same value, or `type-mismatch` if it is not of the type (a result annotation).
    AsType(UVal, TyIx),
    /// `array(T, n)`
    Array(TyIx, UVal),
    /// `shared(T, n)`
    Shared(TyIx, UVal),
    /// `trunc(T, x)`
    TruncTo(TyIx, UVal),
    /// `invoke(f, sig, …)`: the function, then the arguments; the signature as a tuple type.
    Invoke(TyIx, Args),
    /// `latest(f, …)`: the function, then the arguments.
    Latest(Args),
    /// `external("KEY")`
    External(u32),
    /// The first (`false`) or the last (`true`) bound of `a..b`, in the type of the loop variable.
    Bound(UVal, UVal, bool),
    /// Whether a loop variable is below the bound.
    Below(UVal, UVal),
    /// The loop variable's next value.
    Next(UVal),
}

/// A jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UTarget {
    /// The block's index.
    pub block: u32,
    /// One argument per parameter.
    pub args: Args,
}

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UTerm {
    /// Go on.
    Jump(UTarget),
    /// On a condition, which must be a Bool.
    Branch(UVal, UTarget, UTarget),
    /// Return.
    Return(UVal),
    /// A name that means nothing here.
    Unknown(UnknownKind, Symbol),
    /// No block leads here.
    Dead,
}

/// A basic block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UBlock {
    /// Its first value.
    pub start: u32,
    /// How many of its values are parameters.
    pub params: u32,
    /// One past its last value.
    pub end: u32,
    /// How it ends.
    pub term: UTerm,
    /// Where the terminator comes from.
    pub node: NodeId,
}

/// What a reader of a definition should know before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub node: NodeId,
    /// What.
    pub kind: WarningKind,
}

/// The kinds of [`Warning`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// An assignment to a name that no `var` introduces.
    UnknownVariable(Symbol),
    /// A statement that control never reaches.
    Unreachable,
}

/// A method's body in untyped SSA. A function of the AST and the interner alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lowered {
    /// The values.
    pub ops: Vec<UOp>,
    /// Where each value comes from.
    pub nodes: Vec<NodeId>,
    /// The blocks; the first is the entry, its parameters are the method's.
    pub blocks: Vec<UBlock>,
    /// Operand lists.
    pub pool: Vec<UVal>,
    /// Types as written.
    pub types: Vec<TypeExpr>,
    /// String literals and external keys.
    pub strs: Vec<Arc<str>>,
    /// Whether the last parameter takes all further arguments.
    pub vararg: bool,
    /// Where the users of value `v` begin in `users`; one more entry than values.
    pub user_start: Vec<u32>,
    /// The values and, as `TERM | block`, the terminators that read a value.
    pub users: Vec<u32>,
    /// Per value, whether it is read; see [`Lowered::is_used`].
    pub used: Vec<bool>,
    /// Things worth saying at definition time.
    pub warnings: Vec<Warning>,
}

/// Marks a terminator in [`Lowered::users`].
pub(crate) const TERM: u32 = 1 << 31;

impl Lowered {
    /// Empties what is built and keeps its room.
    pub(crate) fn clear(&mut self) {
        self.ops.clear();
        self.nodes.clear();
        self.blocks.clear();
        self.pool.clear();
        self.types.clear();
        self.strs.clear();
        self.warnings.clear();
    }

    /// The operands of a run.
    pub fn args(&self, args: Args) -> &[UVal] {
        &self.pool[args.start as usize..(args.start + args.len) as usize]
    }

    /// The values that read `v`, and the terminators that do.
    pub(crate) fn users(&self, v: UVal) -> &[u32] {
        let ix = v.0 as usize;
        &self.users[self.user_start[ix] as usize..self.user_start[ix + 1] as usize]
    }

    /// Whether anything but a block parameter that nothing reads reads `v`.
    pub fn is_used(&self, v: UVal) -> bool {
        self.used[v.0 as usize]
    }

    /// Calls `f` with every operand of an operation.
    pub(crate) fn operands(&self, op: UOp, mut f: impl FnMut(UVal)) {
        use UOp::*;
        match op {
            Param(_) | Int(_) | Float(_) | Bool(_) | Str(_) | Tune(_) | Nothing | Function(_)
            | External(_) => {}
            Call(_, args)
            | CallType(_, args)
            | New(_, args)
            | Tuple(args)
            | SetIndex(args)
            | Invoke(_, args)
            | Latest(args) => self.args(args).iter().copied().for_each(f),
            CallValue(callee, args) => {
                f(callee);
                self.args(args).iter().copied().for_each(f);
            }
            Field(x, _)
            | IsA(x, _)
            | Refine(x, _, _)
            | AsBool(x)
            | AsType(x, _)
            | Array(_, x)
            | Shared(_, x)
            | TruncTo(_, x)
            | Next(x) => f(x),
            Index(x, y) | Below(x, y) | Bound(x, y, _) => {
                f(x);
                f(y);
            }
        }
    }

    /// Calls `f` with every jump of a terminator.
    pub(crate) fn targets(term: UTerm, mut f: impl FnMut(UTarget)) {
        match term {
            UTerm::Jump(target) => f(target),
            UTerm::Branch(_, then, other) => {
                f(then);
                f(other);
            }
            UTerm::Return(_) | UTerm::Unknown(..) | UTerm::Dead => {}
        }
    }

    /// Calls `f` with every value that a terminator reads.
    pub(crate) fn term_operands(&self, term: UTerm, mut f: impl FnMut(UVal)) {
        if let UTerm::Branch(v, ..) | UTerm::Return(v) = term {
            f(v);
        }
        Self::targets(term, |target| {
            self.args(target.args).iter().copied().for_each(&mut f);
        });
    }

    /// Builds the reverse of the operand lists.
    pub(crate) fn index_users(&mut self) {
        let mut start = vec![0u32; self.ops.len() + 1];
        self.each_use(|v, _| start[v.0 as usize + 1] += 1);
        for ix in 1..start.len() {
            start[ix] += start[ix - 1];
        }
        let mut users = vec![0; *start.last().expect("one more than values") as usize];
        // Filling moves every start to its end; the ends are the starts of the next.
        self.each_use(|v, user| {
            let at = &mut start[v.0 as usize];
            users[*at as usize] = user;
            *at += 1;
        });
        start.rotate_right(1);
        start[0] = 0;
        self.user_start = start;
        self.users = users;
    }

    /// Finds the values that are read. A block parameter that nothing reads reads nothing.
    pub(crate) fn find_used(&mut self) {
        let mut used = vec![false; self.ops.len()];
        let mut carried: Vec<(u32, UVal)> = Vec::new();
        for block in self.blocks.iter().filter(|block| block.term != UTerm::Dead) {
            for ix in block.start..block.end {
                self.operands(self.ops[ix as usize], |v| used[v.0 as usize] = true);
            }
            if let UTerm::Branch(v, ..) | UTerm::Return(v) = block.term {
                used[v.0 as usize] = true;
            }
            Self::targets(block.term, |target| {
                let first = self.blocks[target.block as usize].start;
                carried.extend((first..).zip(self.args(target.args).iter().copied()));
            });
        }
        // Backwards, values are met after their readers, except over the back edges of loops.
        while !carried.is_empty() {
            let before = carried.len();
            carried.reverse();
            carried.retain(|&(param, v)| {
                if used[param as usize] {
                    used[v.0 as usize] = true;
                }
                !used[param as usize]
            });
            if carried.len() == before {
                break;
            }
            carried.reverse();
        }
        self.used = used;
    }

    fn each_use(&self, mut f: impl FnMut(UVal, u32)) {
        for (bx, block) in self.blocks.iter().enumerate() {
            if block.term == UTerm::Dead {
                continue;
            }
            for ix in block.start..block.end {
                self.operands(self.ops[ix as usize], |v| f(v, ix));
            }
            self.term_operands(block.term, |v| f(v, TERM | bx as u32));
        }
    }
}
