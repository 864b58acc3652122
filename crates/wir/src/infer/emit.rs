//! Emission: typed SSA from what the solver found out. Asks nothing.
//!
//! Only what is reached is emitted; a known value is a constant where it is read; blocks in a row
//! become one.

use super::eval::constant_index;
use super::lattice::{constant, scalar_const};
use super::out::Out;
use super::plan::Plan;
use super::solve::Solver;
use crate::ast::NodeId;
use crate::ir::{Blk, Body, Const, Failure, Op, Target, Term, Val, Vals};
use crate::lower::untyped::{Args, UOp, UTarget, UTerm, UVal};
use crate::prim::{Prim, Scalar, ScalarValue};
use smallvec::SmallVec;
use worldage_dispatch::{Symbol, Ty};

const NONE: u32 = u32::MAX;

/// Where each untyped block and value went.
#[derive(Clone, Copy)]
struct Place {
    /// How many taken ways lead to the block.
    ways: u32,
    /// Its typed block, once something leads there.
    block: u32,
}

pub(crate) struct Emit<'e, 'a> {
    pub(crate) s: &'e mut Solver<'a>,
    pub(crate) out: Out,
    room: Room,
}

/// What is noted of blocks and values; kept between inferences for its memory.
#[derive(Default)]
pub(crate) struct Room {
    places: Vec<Place>,
    /// The typed value of each untyped one.
    vals: Vec<u32>,
    /// For a known value: the block where it was last made, and its value there.
    made: Vec<(u32, u32)>,
}

impl Room {
    fn reset(&mut self, blocks: usize, values: usize) {
        let (ways, block) = (0, NONE);
        self.places.clear();
        self.places.resize(blocks, Place { ways, block });
        self.vals.clear();
        self.vals.resize(values, NONE);
        self.made.clear();
        self.made.resize(values, (NONE, NONE));
    }
}

impl<'e, 'a> Emit<'e, 'a> {
    pub(crate) fn new(s: &'e mut Solver<'a>) -> Emit<'e, 'a> {
        let mut room = std::mem::take(&mut s.state.emit);
        room.reset(s.low.blocks.len(), s.low.ops.len());
        for (info, state) in s.low.blocks.iter().zip(&s.state.blocks) {
            let mut way = 0;
            crate::lower::Lowered::targets(info.term, |target| {
                room.places[target.block as usize].ways += u32::from(state.taken[way]);
                way += 1;
            });
        }
        Emit {
            s,
            out: Out::new(),
            room,
        }
    }

    /// Emits the whole body; `args` are the instance's argument types.
    pub(crate) fn body(mut self, args: &[Ty]) -> Body {
        self.params(args);
        for block in 0..self.s.low.blocks.len() {
            if self.s.state.blocks[block].reached && (block == 0 || self.begin(block)) {
                self.block(block);
            }
        }
        self.s.state.emit = self.room;
        self.out.finish(self.s.ret, self.s.mi)
    }

    /// The instance's arguments, and the tuple of those that a trailing `Vararg` takes.
    fn params(&mut self, args: &[Ty]) {
        let entry = self.out.cur();
        let flat: Vals = args.iter().map(|ty| self.out.param(entry, *ty)).collect();
        let info = self.s.low.blocks[0];
        let fixed = info.params as usize - usize::from(self.s.low.vararg);
        for (ix, val) in flat[..fixed].iter().enumerate() {
            self.room.vals[ix] = val.0;
        }
        if self.s.low.vararg {
            let (ty, node) = (self.s.state.lat[fixed].ty, self.s.low.nodes[fixed]);
            let tuple = self.out.inst(Op::Make(flat[fixed..].into()), ty, node);
            self.room.vals[fixed] = tuple.0;
        }
    }

    fn begin(&mut self, block: usize) -> bool {
        let place = self.room.places[block].block;
        if place == NONE {
            // The solver reached it from a block that was found not to end after all.
            return false;
        }
        self.out.switch(Blk(place));
        true
    }

    fn block(&mut self, block: usize) {
        let info = self.s.low.blocks[block];
        self.out.reserve((info.end - info.start) as usize);
        for ix in info.start + info.params..info.end {
            if !self.op(UVal(ix)) {
                return;
            }
        }
        self.end(block, info.term, info.node);
    }

    // Values.

    pub(crate) fn node(&self, v: UVal) -> NodeId {
        self.s.low.nodes[v.0 as usize]
    }

    pub(crate) fn ty(&self, v: UVal) -> Ty {
        self.s.lat(v).ty
    }

    /// The typed value, in the current block.
    pub(crate) fn read(&mut self, v: UVal) -> Val {
        let ix = v.0 as usize;
        if self.room.vals[ix] != NONE {
            return Val(self.room.vals[ix]);
        }
        let here = self.out.cur().0;
        if self.room.made[ix].0 == here {
            return Val(self.room.made[ix].1);
        }
        let lat = self.s.lat(v);
        let value = lat
            .known
            .map_or(Const::Unit, |known| constant(self.s.low, known));
        let val = self.out.constant(value, lat.ty, self.node(v));
        self.room.made[ix] = (here, val.0);
        val
    }

    pub(crate) fn read_all(&mut self, args: Args) -> Vals {
        let low = self.s.low;
        low.args(args).iter().map(|v| self.read(*v)).collect()
    }

    fn define(&mut self, v: UVal, val: Val) {
        let ty = self.ty(v);
        let val = self.fit(val, ty, self.node(v));
        self.room.vals[v.0 as usize] = val.0;
    }

    /// The value as one of type `ty`, which is known to hold.
    pub(crate) fn fit(&mut self, val: Val, ty: Ty, node: NodeId) -> Val {
        let own = self.out.ty(val);
        if own == ty {
            val
        } else if self.s.types.subtype(own, ty) && !self.s.types.is_concrete(ty) {
            self.out.inst(Op::Widen(val), ty, node)
        } else {
            self.out.inst(Op::Narrow(val), ty, node)
        }
    }

    pub(crate) fn prim(&mut self, prim: Prim, args: &[Val], node: NodeId) -> Val {
        let ty = self.s.u.scalar_ty(prim.result());
        self.out.inst(Op::Prim(prim, args.into()), ty, node)
    }

    pub(crate) fn scalar(&mut self, value: ScalarValue, node: NodeId) -> Val {
        let ty = self.s.u.scalar_ty(value.scalar());
        self.out.constant(scalar_const(value), ty, node)
    }

    // Operations.

    /// Emits an operation. False if control does not go on behind it.
    fn op(&mut self, v: UVal) -> bool {
        let lat = self.s.lat(v);
        if lat.known.is_some() {
            return true;
        }
        let node = self.node(v);
        if let Plan::Fail(failure) = self.s.plan_of(v) {
            let failure = failure.clone();
            self.out.fail(failure, node);
            return false;
        }
        let val = match self.s.low.ops[v.0 as usize] {
            // Known values and those that are the only ones of their type are made where read.
            UOp::Param(_)
            | UOp::Int(_)
            | UOp::Float(_)
            | UOp::Bool(_)
            | UOp::Str(_)
            | UOp::Tune(_)
            | UOp::Nothing
            | UOp::Function(_) => return true,
            UOp::Call(_, args) | UOp::CallType(_, args) | UOp::New(_, args) => {
                let args = self.read_all(args);
                self.planned(v, &args)
            }
            UOp::CallValue(callee, args) => {
                let args = self.read_all(args);
                if *self.s.plan_of(v) == Plan::DynValue {
                    let callee = self.read(callee);
                    let op = Op::CallValue(callee, args);
                    Some(self.out.inst(op, Ty::ANY, node))
                } else {
                    self.planned(v, &args)
                }
            }
            UOp::Invoke(_, args) => {
                let args = self.read_all(args);
                self.planned(v, &args[1..])
            }
            UOp::Latest(args) => {
                let args = self.read_all(args);
                let op = Op::Latest(args[0], args[1..].into());
                Some(self.out.inst(op, Ty::ANY, node))
            }
            UOp::External(_) => self.planned(v, &[]),
            UOp::Tuple(args) => {
                let elems = self.read_all(args);
                let op = match self.s.types.is_concrete(lat.ty) {
                    true => Op::Make(elems),
                    false => Op::TupleDyn(elems),
                };
                Some(self.out.inst(op, lat.ty, node))
            }
            UOp::Field(x, name) => self.field(v, x, name),
            UOp::Index(xs, i) => self.index(v, xs, i),
            UOp::SetIndex(args) => {
                self.set_index(args, node);
                // Gives nothing, which is made where it is read.
                return true;
            }
            UOp::IsA(x, ty) => {
                let x = self.read(x);
                let Some(Ok(of)) = self.s.state.tys[ty.0 as usize].clone() else {
                    return true;
                };
                Some(self.out.inst(Op::IsA(x, of), lat.ty, node))
            }
            UOp::Refine(x, ..) => {
                if lat.ty == Ty::BOTTOM {
                    self.out.term(Term::Unreachable, node);
                    return false;
                }
                if !self.s.low.is_used(v) {
                    return true;
                }
                Some(self.read(x))
            }
            UOp::AsBool(x) | UOp::AsType(x, _) => {
                let x = self.read(x);
                Some(self.check(x, lat.ty, node))
            }
            UOp::Array(_, n) => {
                let n = self.int64(n, node);
                Some(self.out.inst(Op::ArrayNew(n), lat.ty, node))
            }
            UOp::Shared(_, n) => {
                let n = constant_index(self.s.lat(n)).unwrap_or(0);
                Some(self.out.inst(Op::Shared(n.unsigned_abs()), lat.ty, node))
            }
            UOp::TruncTo(_, x) => self.trunc_to(x, lat.ty, node),
            UOp::Bound(a, b, last) => Some(self.bound(a, b, last, node)),
            UOp::Below(a, b) => {
                let (a, b) = (self.read(a), self.read(b));
                let scalar = self.scalar_of(a);
                Some(self.prim(Prim::Lt(scalar), &[a, b], node))
            }
            UOp::Next(a) => {
                let a = self.read(a);
                let scalar = self.scalar_of(a);
                let one = self.scalar(ScalarValue::wrap(scalar, 1), node);
                Some(self.prim(Prim::Add(scalar), &[a, one], node))
            }
        };
        match val {
            // What nobody reads has no type to be fitted to.
            Some(val) => {
                if self.s.low.is_used(v) {
                    self.define(v, val);
                }
                true
            }
            None => false,
        }
    }

    fn planned(&mut self, v: UVal, args: &[Val]) -> Option<Val> {
        let at = self.s.state.plan[v.0 as usize] as usize;
        let plan = std::mem::replace(&mut self.s.state.plans[at], Plan::Plain);
        let want = self.s.low.is_used(v);
        let node = self.node(v);
        match plan {
            Plan::Constant(value) => {
                let ty = self.ty(v);
                Some(self.out.constant(value, ty, node))
            }
            plan => self.plan(&plan, args, want, node),
        }
    }

    pub(crate) fn scalar_of(&self, v: Val) -> Scalar {
        self.s
            .u
            .scalar_of(self.out.ty(v))
            .expect("the solver found a scalar")
    }

    /// The value, checked to be of the type unless that is known.
    pub(crate) fn check(&mut self, val: Val, ty: Ty, node: NodeId) -> Val {
        let own = self.out.ty(val);
        if own == ty || self.s.types.subtype(own, ty) {
            return self.fit(val, ty, node);
        }
        self.out.inst(Op::Check(val), ty, node)
    }

    // Fields and elements.

    fn field(&mut self, v: UVal, x: UVal, name: Symbol) -> Option<Val> {
        let (x_ty, ty, node) = (self.ty(x), self.ty(v), self.node(v));
        let x = self.read(x);
        let Some(members) = self.s.members(x_ty) else {
            return Some(self.out.inst(Op::FieldDyn(x, name), Ty::ANY, node));
        };
        if let [only] = members[..] {
            let (at, field) = self.s.field_ty(only, name)?;
            return Some(self.out.inst(Op::Field(x, at), field, node));
        }
        let lists: Vec<&[Ty]> = members.chunks(1).collect();
        self.cases(
            &[x],
            &lists,
            None,
            Some(ty),
            node,
            |this, args, case| match this.s.field_ty(members[case], name) {
                Some((at, field)) => Some(this.out.inst(Op::Field(args[0], at), field, node)),
                None => {
                    this.out
                        .fail(Failure::MissingField(members[case], name), node);
                    None
                }
            },
        )
    }

    fn index(&mut self, v: UVal, xs: UVal, i: UVal) -> Option<Val> {
        let (xs_ty, ty, node) = (self.ty(xs), self.ty(v), self.node(v));
        let known = constant_index(self.s.lat(i));
        let static_index = self.s.is_int(self.ty(i));
        let xs = self.read(xs);
        if let (Some(_), true) = (self.s.u.array_elem(xs_ty), static_index) {
            let i = self.int64(i, node);
            return Some(self.out.inst(Op::ArrayGet(xs, i), ty, node));
        }
        if self.s.u.array_elem(xs_ty).is_some() {
            let i = self.read(i);
            return Some(self.out.inst(Op::IndexDyn(xs, i), ty, node));
        }
        if self.s.types.is_concrete(xs_ty) && static_index {
            return Some(match known {
                Some(n) => self.out.inst(Op::Field(xs, n as u32), ty, node),
                None => {
                    let i = self.int64(i, node);
                    self.out.inst(Op::TupleIndex(xs, i), ty, node)
                }
            });
        }
        let i = self.read(i);
        Some(self.out.inst(Op::IndexDyn(xs, i), Ty::ANY, node))
    }

    fn set_index(&mut self, args: Args, node: NodeId) {
        let args: SmallVec<[UVal; 3]> = self.s.low.args(args).into();
        let (xs, i) = (self.read(args[0]), args[1]);
        let nothing = self.s.u.prelude().nothing;
        match self.s.u.array_elem(self.out.ty(xs)) {
            Some(elem) if self.s.is_int(self.ty(i)) => {
                let value = self.read(args[2]);
                let value = self.check(value, elem, node);
                let i = self.int64(i, node);
                self.out.inst(Op::ArraySet(xs, i, value), nothing, node);
            }
            _ => {
                let (i, value) = (self.read(i), self.read(args[2]));
                self.out.inst(Op::SetIndexDyn(xs, i, value), nothing, node);
            }
        }
    }

    // Terminators.

    fn end(&mut self, block: usize, term: UTerm, node: NodeId) {
        match term {
            UTerm::Jump(target) => self.jump(target, node),
            UTerm::Branch(cond, then, other) => match self.s.lat(cond).as_bool() {
                Some(true) => self.jump(then, node),
                Some(false) => self.jump(other, node),
                None => self.branch(cond, then, other, node),
            },
            UTerm::Return(v) => {
                let val = self.read(v);
                let val = self.fit(val, self.s.ret, node);
                self.out.term(Term::Return(val), node);
            }
            UTerm::Unknown(kind, name) => self.out.fail(Failure::Unknown(kind, name), node),
            UTerm::Dead => unreachable!("block {block} is dead, and reached"),
        }
    }

    fn branch(&mut self, cond: UVal, then: UTarget, other: UTarget, node: NodeId) {
        let (ty, bool_ty) = (self.ty(cond), self.s.u.prelude().bool);
        if !self.s.may_be_bool(ty) {
            self.out.fail(Failure::TypeMismatch(bool_ty, ty), node);
            return;
        }
        let cond = self.read(cond);
        let cond = self.check(cond, bool_ty, node);
        let then = self.target(then, node);
        let other = self.target(other, node);
        self.out.term(Term::Branch(cond, then, other), node);
    }

    fn jump(&mut self, target: UTarget, node: NodeId) {
        let place = &mut self.room.places[target.block as usize];
        if place.ways != 1 {
            let target = self.target(target, node);
            self.out.term(Term::Jump(target), node);
            return;
        }
        // The only way there: what follows goes on in this block.
        place.block = self.out.cur().0;
        let low = self.s.low;
        let first = low.blocks[target.block as usize].start;
        for (param, arg) in (first..).map(UVal).zip(low.args(target.args)) {
            if low.is_used(param) && self.s.lat(param).known.is_none() {
                let val = self.read(*arg);
                self.define(param, val);
            }
        }
    }

    /// A jump's target, with the arguments that its block takes.
    fn target(&mut self, target: UTarget, node: NodeId) -> Target {
        let low = self.s.low;
        let info = low.blocks[target.block as usize];
        let mut place = self.room.places[target.block as usize].block;
        if place == NONE {
            let block = self.out.new_block();
            place = block.0;
            self.room.places[target.block as usize].block = place;
            for param in info.start..info.start + info.params {
                let lat = self.s.lat(UVal(param));
                if low.is_used(UVal(param)) && lat.known.is_none() {
                    self.room.vals[param as usize] = self.out.param(block, lat.ty).0;
                }
            }
        }
        let mut args = Vals::new();
        for (param, arg) in (info.start..).zip(low.args(target.args)) {
            if low.is_used(UVal(param)) && self.s.lat(UVal(param)).known.is_none() {
                let val = self.read(*arg);
                args.push(self.fit(val, self.ty(UVal(param)), node));
            }
        }
        Target {
            block: Blk(place),
            args,
        }
    }
}
