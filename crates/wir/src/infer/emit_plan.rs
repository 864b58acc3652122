//! Emission of calls as planned, and of branches over the concrete types of dynamic values.

use super::emit::Emit;
use super::intrinsics::Expansion;
use super::plan::Plan;
use crate::ast::NodeId;
use crate::builtins::{Operand, Recipe};
use crate::ir::{Atomic, Blk, Const, Failure, Op, Term, Val, Vals};
use crate::lower::untyped::UVal;
use crate::prim::{Prim, Scalar, ScalarValue};
use smallvec::{SmallVec, smallvec};
use worldage_dispatch::{Symbol, Ty, TyKind};

impl Emit<'_, '_> {
    /// Emits a call. `None` if it never returns: the block has ended. Where the result is not
    /// wanted, the value given stands for nothing.
    pub(crate) fn plan(
        &mut self,
        plan: &Plan,
        args: &[Val],
        want: bool,
        node: NodeId,
    ) -> Option<Val> {
        match plan {
            Plan::Plain | Plan::DynValue | Plan::Constant(_) => {
                unreachable!("the operation emits this itself: {plan:?}")
            }
            Plan::Fail(failure) => {
                self.out.fail(failure.clone(), node);
                None
            }
            Plan::Expand(expansion) => Some(self.expand(expansion, args, node)),
            Plan::Make(ty) => self.make(*ty, args, node),
            Plan::Static(mi, ret) => {
                let val = self.out.inst(Op::Call(*mi, args.into()), *ret, node);
                self.returning(val, node)
            }
            Plan::Via { swap, negate, plan } => {
                let mut args: SmallVec<[Val; 2]> = args.into();
                if *swap {
                    args.swap(0, 1);
                }
                let val = self.plan(plan, &args, want || *negate, node)?;
                Some(if *negate { self.not(val, node) } else { val })
            }
            Plan::Fields { negate, plans } => {
                let val = self.fields(plans, args, node)?;
                Some(if *negate { self.not(val, node) } else { val })
            }
            Plan::Split {
                function,
                cases,
                covered,
                ret,
            } => {
                let lists: Vec<&[Ty]> = cases.iter().map(|case| &*case.args).collect();
                let rest = (!covered).then_some(*function);
                let ret = want.then_some(*ret);
                self.cases(args, &lists, rest, ret, node, |this, args, case| {
                    this.plan(&cases[case].plan, args, want, node)
                })
            }
            Plan::Dyn(function) => Some(self.out.inst(
                Op::CallDyn(*function, args.into()),
                Ty::ANY,
                node,
            )),
            Plan::DynInvoke(function, sig) => {
                let op = Op::InvokeDyn(*function, *sig, args.into());
                Some(self.out.inst(op, Ty::ANY, node))
            }
        }
    }

    /// The value of a call, unless it never returns.
    fn returning(&mut self, val: Val, node: NodeId) -> Option<Val> {
        if self.out.ty(val) == Ty::BOTTOM {
            self.out.term(Term::Unreachable, node);
            return None;
        }
        Some(val)
    }

    fn not(&mut self, val: Val, node: NodeId) -> Val {
        let val = self.as_bool(val, node);
        self.prim(Prim::Not, &[val], node)
    }

    fn as_bool(&mut self, val: Val, node: NodeId) -> Val {
        let bool_ty = self.s.u.prelude().bool;
        self.check(val, bool_ty, node)
    }

    /// A struct from its fields; arguments that may not fit are checked as a call checks them.
    fn make(&mut self, ty: Ty, args: &[Val], node: NodeId) -> Option<Val> {
        let fields = self.s.u.fields(ty)?;
        let mut made = Vals::new();
        for (arg, field) in args.iter().zip(fields.tys.iter()) {
            let own = self.out.ty(*arg);
            if own != *field && !self.s.types.subtype(own, *field) {
                self.guard(*arg, *field, ty, args, node);
            }
            made.push(self.fit(*arg, *field, node));
        }
        Some(self.out.inst(Op::Make(made.as_slice().into()), ty, node))
    }

    /// Fails with `no-matching-method` of the constructor unless the argument is of the type.
    fn guard(&mut self, arg: Val, field: Ty, ty: Ty, args: &[Val], node: NodeId) {
        let name = match self.s.types.kind(ty) {
            TyKind::Nominal { decl, .. } => self.s.types.decl(*decl).name,
            _ => self.s.types.symbol("Tuple"),
        };
        let tys: SmallVec<[Ty; 4]> = args.iter().map(|arg| self.out.ty(*arg)).collect();
        let bool_ty = self.s.u.prelude().bool;
        let fits = self.out.inst(Op::IsA(arg, field), bool_ty, node);
        let (then, other) = (self.out.new_block(), self.out.new_block());
        self.out.branch(fits, then, other, node);
        self.out.switch(other);
        let failure = match self.s.no_method(name, &tys) {
            Plan::Fail(failure) => failure,
            other => unreachable!("no method is a failure, not {other:?}"),
        };
        self.out.fail(failure, node);
        self.out.switch(then);
    }

    /// `==`, field by field.
    fn fields(&mut self, plans: &[Plan], args: &[Val], node: NodeId) -> Option<Val> {
        let bool_ty = self.s.u.prelude().bool;
        let (a, b) = (
            self.s.u.fields(self.out.ty(args[0]))?,
            self.s.u.fields(self.out.ty(args[1]))?,
        );
        let done = self.out.new_block();
        let result = self.out.param(done, bool_ty);
        for (at, plan) in plans.iter().enumerate() {
            let x = self
                .out
                .inst(Op::Field(args[0], at as u32), a.tys[at], node);
            let y = self
                .out
                .inst(Op::Field(args[1], at as u32), b.tys[at], node);
            let Some(equal) = self.plan(plan, &[x, y], true, node) else {
                // Never returns from here; an earlier field may have differed.
                if at == 0 {
                    return None;
                }
                break;
            };
            let equal = self.as_bool(equal, node);
            if at + 1 == plans.len() {
                self.out.jump(done, smallvec![equal], node);
            } else {
                let next = self.out.new_block();
                let no = self.scalar(ScalarValue::Bool(false), node);
                let to = |block, args| crate::ir::Target { block, args };
                let term = Term::Branch(equal, to(next, smallvec![]), to(done, smallvec![no]));
                self.out.term(term, node);
                self.out.switch(next);
            }
        }
        self.out.switch(done);
        Some(result)
    }

    // Built-in operations.

    fn expand(&mut self, expansion: &Expansion, args: &[Val], node: NodeId) -> Val {
        if let Some(prim) = expansion.prim {
            return self.prim(prim, args, node);
        }
        let p = *self.s.u.prelude();
        match &expansion.recipe {
            Recipe::Scalar {
                casts,
                swap,
                op,
                negate,
            } => {
                let mut operands = Vals::new();
                for (arg, cast) in args.iter().zip(casts) {
                    operands.push(match cast {
                        Some(cast) => self.prim(*cast, &[*arg], node),
                        None => *arg,
                    });
                }
                if *swap {
                    operands.swap(0, 1);
                }
                let val = self.prim(*op, &operands, node);
                if *negate {
                    self.prim(Prim::Not, &[val], node)
                } else {
                    val
                }
            }
            Recipe::Steps(steps) => {
                let mut vals = Vals::new();
                for step in steps {
                    let mut operands = Vals::new();
                    for operand in &step.operands {
                        operands.push(match *operand {
                            Operand::Arg(n) => args[n],
                            Operand::Step(n) => vals[n],
                            Operand::Const(value) => self.scalar(value, node),
                        });
                    }
                    vals.push(self.prim(step.op, &operands, node));
                }
                vals[vals.len() - 1]
            }
            Recipe::Identity => args[0],
            Recipe::Const(value) => self.out.constant(value.clone(), expansion.ret, node),
            Recipe::StrEq { negate } => {
                let val = self.out.inst(Op::StrEq(args[0], args[1]), p.bool, node);
                if *negate {
                    self.prim(Prim::Not, &[val], node)
                } else {
                    val
                }
            }
            Recipe::StrLen => self.out.inst(Op::StrLen(args[0]), p.int64, node),
            Recipe::ArrayLen => self.out.inst(Op::ArrayLen(args[0]), p.int64, node),
            Recipe::TupleLen(n) => self.scalar(ScalarValue::I64(i64::from(*n)), node),
            Recipe::Print => self.out.inst(Op::Print(args.into()), p.nothing, node),
            Recipe::Grid(query) => {
                let dim = self.as_int64(args[0], node);
                self.out.inst(Op::Grid(*query, dim), p.int64, node)
            }
            Recipe::Barrier => self.out.inst(Op::Barrier, p.nothing, node),
            Recipe::Atomic(atomic) => self.atomic(*atomic, expansion.ret, args, node),
            Recipe::Via { .. } | Recipe::FieldsEq { .. } => {
                unreachable!("planned as other calls")
            }
        }
    }

    fn atomic(&mut self, atomic: Atomic, elem: Ty, args: &[Val], node: NodeId) -> Val {
        let mut operands: Vals = args.into();
        operands[1] = self.as_int64(args[1], node);
        self.out
            .inst(Op::Atomic(atomic, operands.as_slice().into()), elem, node)
    }

    // Branches over concrete types.

    /// For each list of concrete types that the values may have, what `f` makes of them.
    ///
    /// If the lists cover not everything, `rest` is the function that is called for what is left,
    /// at run time and in vain. `ret` is the type of the result, if one is wanted.
    pub(crate) fn cases(
        &mut self,
        args: &[Val],
        lists: &[&[Ty]],
        rest: Option<Symbol>,
        ret: Option<Ty>,
        node: NodeId,
        mut f: impl FnMut(&mut Self, &[Val], usize) -> Option<Val>,
    ) -> Option<Val> {
        let mut done: Option<(Blk, Option<Val>)> = None;
        for (case, list) in lists.iter().enumerate() {
            let last = case + 1 == lists.len() && rest.is_none();
            let next = if last {
                None
            } else {
                self.test(args, list, node)
            };
            let mut narrow = Vals::new();
            for (arg, ty) in args.iter().zip(*list) {
                narrow.push(self.fit(*arg, *ty, node));
            }
            if let Some(val) = f(self, &narrow, case) {
                let (block, _) = *done.get_or_insert_with(|| {
                    let block = self.out.new_block();
                    (block, ret.map(|ty| self.out.param(block, ty)))
                });
                let given = match ret {
                    Some(ty) => smallvec![self.fit(val, ty, node)],
                    None => Vals::new(),
                };
                self.out.jump(block, given, node);
            }
            if let Some(next) = next {
                self.out.switch(next);
            } else if !last {
                // The last test always holds: nothing is left.
                return self.joined(done, node);
            }
        }
        if let Some(function) = rest {
            self.out
                .inst(Op::CallDyn(function, args.into()), Ty::BOTTOM, node);
            self.out.term(Term::Unreachable, node);
        }
        self.joined(done, node)
    }

    fn joined(&mut self, done: Option<(Blk, Option<Val>)>, node: NodeId) -> Option<Val> {
        let (block, val) = done?;
        self.out.switch(block);
        let nothing = self.s.u.prelude().nothing;
        Some(val.unwrap_or_else(|| self.out.constant(Const::Unit, nothing, node)))
    }

    /// Goes on where every value is of its type; gives the block for when one is not, if there
    /// was anything to test.
    fn test(&mut self, args: &[Val], list: &[Ty], node: NodeId) -> Option<Blk> {
        let bool_ty = self.s.u.prelude().bool;
        let mut next = None;
        for (arg, ty) in args.iter().zip(list) {
            if self.out.ty(*arg) == *ty {
                continue;
            }
            let other = *next.get_or_insert_with(|| self.out.new_block());
            let then = self.out.new_block();
            let is = self.out.inst(Op::IsA(*arg, *ty), bool_ty, node);
            self.out.branch(is, then, other, node);
            self.out.switch(then);
        }
        next
    }

    // Numbers of a type known at run time only.

    /// An untyped integer as Int64; its type may be dynamic.
    pub(crate) fn int64(&mut self, v: UVal, node: NodeId) -> Val {
        match super::eval::constant_index(self.s.lat(v)) {
            Some(known) => self.scalar(ScalarValue::I64(known), node),
            None => {
                let val = self.read(v);
                self.as_int64(val, node)
            }
        }
    }

    /// A UInt64 beyond Int64 becomes the greatest Int64: out of every bound.
    fn as_int64(&mut self, val: Val, node: NodeId) -> Val {
        match self.s.u.scalar_of(self.out.ty(val)) {
            Some(scalar) => self.cast_int64(val, scalar, node),
            None => {
                let p = *self.s.u.prelude();
                let val = self.check_within(val, p.integer, node);
                let ints = Scalar::ALL.into_iter().filter(|s| s.is_int());
                self.each_scalar(val, ints, p.int64, node, |this, val, scalar| {
                    this.cast_int64(val, scalar, node)
                })
            }
        }
    }

    fn cast_int64(&mut self, val: Val, scalar: Scalar, node: NodeId) -> Val {
        match scalar {
            Scalar::I64 => val,
            Scalar::U64 => {
                let max = self.scalar(ScalarValue::U64(i64::MAX.unsigned_abs()), node);
                let val = self.prim(Prim::Min(scalar), &[val, max], node);
                self.prim(Prim::Cast(scalar, Scalar::I64), &[val], node)
            }
            _ => self.prim(Prim::Cast(scalar, Scalar::I64), &[val], node),
        }
    }

    /// A dynamic value, checked to be of an abstract type.
    fn check_within(&mut self, val: Val, ty: Ty, node: NodeId) -> Val {
        let own = self.out.ty(val);
        if self.s.types.subtype(own, ty) {
            return val;
        }
        let both = self.s.types.intersect(own, ty);
        self.out.inst(Op::Check(val), both, node)
    }

    /// A branch for every scalar type that the dynamic value may have.
    fn each_scalar(
        &mut self,
        val: Val,
        scalars: impl Iterator<Item = Scalar>,
        ret: Ty,
        node: NodeId,
        mut f: impl FnMut(&mut Self, Val, Scalar) -> Val,
    ) -> Val {
        let own = self.out.ty(val);
        let (u, types) = (self.s.u, self.s.types);
        let possible: SmallVec<[Scalar; 10]> = scalars
            .filter(|s| types.subtype(u.scalar_ty(*s), own))
            .collect();
        let tys: SmallVec<[Ty; 10]> = possible.iter().map(|s| u.scalar_ty(*s)).collect();
        let lists: Vec<&[Ty]> = tys.chunks(1).collect();
        let val = self.cases(&[val], &lists, None, Some(ret), node, |this, args, case| {
            Some(f(this, args[0], possible[case]))
        });
        val.expect("every case gives a value")
    }

    /// `trunc(T, x)`
    pub(crate) fn trunc_to(&mut self, x: UVal, to: Ty, node: NodeId) -> Option<Val> {
        let target = self.s.u.scalar_of(to)?;
        let val = self.read(x);
        let own = self.out.ty(val);
        if let Some(scalar) = self.s.u.scalar_of(own) {
            return Some(self.prim(Prim::TruncTo(scalar, target), &[val], node));
        }
        let number = self.s.u.prelude().number;
        let mut val = val;
        if !self.s.types.subtype(own, number) {
            let bool_ty = self.s.u.prelude().bool;
            let is = self.out.inst(Op::IsA(val, number), bool_ty, node);
            let (then, other) = (self.out.new_block(), self.out.new_block());
            self.out.branch(is, then, other, node);
            self.out.switch(other);
            let trunc = self.s.types.symbol("trunc");
            self.out
                .fail(Failure::NoMethod(trunc, self.s.types.tuple(&[own])), node);
            self.out.switch(then);
            val = self.fit(val, self.s.types.intersect(own, number), node);
        }
        let numbers = Scalar::ALL.into_iter().filter(|s| *s != Scalar::Bool);
        Some(
            self.each_scalar(val, numbers, to, node, |this, val, scalar| {
                this.prim(Prim::TruncTo(scalar, target), &[val], node)
            }),
        )
    }

    /// A bound of `a..b`, in the type that the loop counts in.
    pub(crate) fn bound(&mut self, a: UVal, b: UVal, last: bool, node: NodeId) -> Val {
        let own = if last { b } else { a };
        match self.s.range_scalar(self.ty(a), self.ty(b)) {
            Some(common) => {
                let val = self.read(own);
                match self.scalar_of(val) {
                    scalar if scalar == common => val,
                    scalar => self.prim(Prim::Cast(scalar, common), &[val], node),
                }
            }
            None => self.int64(own, node),
        }
    }
}
