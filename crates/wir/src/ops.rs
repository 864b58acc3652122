//! What passes over typed SSA ask of every operation: its operands, and whether it can go.

use crate::ir::{Block, Op, Target, Term, Val};

impl Op {
    /// Calls `f` with every operand, in order.
    pub fn each_operand(&self, mut f: impl FnMut(Val)) {
        match self {
            Op::Const(_) | Op::Barrier | Op::Shared(_) => {}
            Op::Field(a, _)
            | Op::Widen(a)
            | Op::Narrow(a)
            | Op::Check(a)
            | Op::IsA(a, _)
            | Op::ArrayNew(a)
            | Op::ArrayLen(a)
            | Op::StrLen(a)
            | Op::FieldDyn(a, _)
            | Op::Grid(_, a) => f(*a),
            Op::TupleIndex(a, b) | Op::ArrayGet(a, b) | Op::StrEq(a, b) | Op::IndexDyn(a, b) => {
                f(*a);
                f(*b);
            }
            Op::ArraySet(a, b, c) | Op::SetIndexDyn(a, b, c) => {
                f(*a);
                f(*b);
                f(*c);
            }
            Op::Prim(_, args)
            | Op::Make(args)
            | Op::TupleDyn(args)
            | Op::Call(_, args)
            | Op::CallDyn(_, args)
            | Op::InvokeDyn(_, _, args)
            | Op::CallHost(_, args)
            | Op::Print(args)
            | Op::Atomic(_, args) => args.iter().copied().for_each(f),
            Op::CallValue(a, args) | Op::Latest(a, args) => {
                f(*a);
                args.iter().copied().for_each(f);
            }
        }
    }

    /// Replaces every operand.
    pub fn map_operands(&mut self, mut f: impl FnMut(Val) -> Val) {
        match self {
            Op::Const(_) | Op::Barrier | Op::Shared(_) => {}
            Op::Field(a, _)
            | Op::Widen(a)
            | Op::Narrow(a)
            | Op::Check(a)
            | Op::IsA(a, _)
            | Op::ArrayNew(a)
            | Op::ArrayLen(a)
            | Op::StrLen(a)
            | Op::FieldDyn(a, _)
            | Op::Grid(_, a) => *a = f(*a),
            Op::TupleIndex(a, b) | Op::ArrayGet(a, b) | Op::StrEq(a, b) | Op::IndexDyn(a, b) => {
                *a = f(*a);
                *b = f(*b);
            }
            Op::ArraySet(a, b, c) | Op::SetIndexDyn(a, b, c) => {
                *a = f(*a);
                *b = f(*b);
                *c = f(*c);
            }
            Op::Prim(_, args)
            | Op::Make(args)
            | Op::TupleDyn(args)
            | Op::Call(_, args)
            | Op::CallDyn(_, args)
            | Op::InvokeDyn(_, _, args)
            | Op::CallHost(_, args)
            | Op::Print(args)
            | Op::Atomic(_, args) => args.iter_mut().for_each(|a| *a = f(*a)),
            Op::CallValue(a, args) | Op::Latest(a, args) => {
                *a = f(*a);
                args.iter_mut().for_each(|a| *a = f(*a));
            }
        }
    }

    /// Whether it can go where nothing reads its result: it has no effect and never fails.
    #[must_use]
    pub fn is_pure(&self) -> bool {
        match self {
            Op::Prim(prim, _) => prim.failure().is_none(),
            Op::Const(_)
            | Op::Make(_)
            | Op::TupleDyn(_)
            | Op::Field(..)
            | Op::Widen(_)
            | Op::Narrow(_)
            | Op::IsA(..)
            | Op::ArrayLen(_)
            | Op::StrEq(..)
            | Op::StrLen(_)
            | Op::Grid(..) => true,
            _ => false,
        }
    }
}

impl Term {
    /// Calls `f` with every jump.
    pub fn each_target(&self, mut f: impl FnMut(&Target)) {
        match self {
            Term::Jump(target) => f(target),
            Term::Branch(_, then, other) => {
                f(then);
                f(other);
            }
            Term::Return(_) | Term::Fail(_) | Term::Unreachable => {}
        }
    }

    /// Calls `f` with every jump, to change it.
    pub fn each_target_mut(&mut self, mut f: impl FnMut(&mut Target)) {
        match self {
            Term::Jump(target) => f(target),
            Term::Branch(_, then, other) => {
                f(then);
                f(other);
            }
            Term::Return(_) | Term::Fail(_) | Term::Unreachable => {}
        }
    }

    /// Calls `f` with every parameter of these blocks that a jump sets, and what it sets it to.
    pub fn each_passed(&self, blocks: &[Block], mut f: impl FnMut(Val, Val)) {
        self.each_target(|target| {
            let params = &blocks[target.block.0 as usize].params;
            for (param, arg) in params.iter().zip(&target.args) {
                f(*param, *arg);
            }
        });
    }

    /// Calls `f` with every value that is read, jump arguments last.
    pub fn each_operand(&self, mut f: impl FnMut(Val)) {
        if let Term::Branch(v, ..) | Term::Return(v) = self {
            f(*v);
        }
        self.each_target(|target| target.args.iter().copied().for_each(&mut f));
    }

    /// Replaces every value that is read.
    pub fn map_operands(&mut self, mut f: impl FnMut(Val) -> Val) {
        if let Term::Branch(v, ..) | Term::Return(v) = self {
            *v = f(*v);
        }
        self.each_target_mut(|target| target.args.iter_mut().for_each(|v| *v = f(*v)));
    }
}
