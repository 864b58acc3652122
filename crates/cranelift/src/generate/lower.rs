//! One body to CLIF: blocks, operations, terminators, failures.
//!
//! Invariants: blocks are visited in reverse post-order, so every operand is defined before its
//! use; a value is the slice of its leaves; every failure is a branch to a cold block, which
//! goes to the function's one call of the raising runtime function.

use super::loops::Loops;
use super::memory::Seen;
use super::names::{Names, Tables};
use super::{instance_signature, leaf_type};
use crate::code::{Convention, Fault, RuntimeFn, Target as Symbolic};
use crate::runtime::VmCtx;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{
    self, BlockArg, Inst as ClifInst, InstBuilder, InstructionData, MemFlagsData, SourceLoc, Value,
    types,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ast::NodeId;
use worldage_wir::ir::{Blk, Body, Const, Failure, Inst, Op, Pos, Target, Term, Val};
use worldage_wir::layout::{Layouts, Rep};
use worldage_wir::prim::PrimError;

/// The leaves of one value.
pub(crate) type Leaves = SmallVec<[Value; 4]>;

/// Vectors that are reused between functions.
#[derive(Default)]
pub(crate) struct Buffers {
    reps: FxHashMap<Ty, Arc<Rep>>,
    leaves: Vec<Value>,
    starts: Vec<(u32, u32)>,
    blocks: Vec<Option<ir::Block>>,
    order: Vec<Blk>,
    consts: Vec<Option<i64>>,
    loops: Loops,
    /// Blocks whose operations stand elsewhere.
    skipped: Vec<bool>,
}

/// The state of one lowering.
pub(crate) struct Lower<'a> {
    pub(super) cur: FuncCursor<'a>,
    pub(super) layouts: &'a Layouts,
    pub(super) body: &'a Body,
    pub(super) names: &'a mut Names,
    pub(super) tables: Tables,
    pub(super) vmctx: Value,
    pub(super) convention: Convention,
    /// Where the results are stored that do not fit into registers.
    result_area: Option<Value>,
    buffers: &'a mut Buffers,
    returns: &'a dyn Fn(Mi) -> Ty,
    pos: u32,
    raise: Option<ir::Block>,
    raise_bounds: Option<ir::Block>,
    /// Array accesses that need no bounds check, by their result.
    in_bounds: Vec<bool>,
    /// What elements were seen to hold since the block began.
    pub(super) loaded: Vec<Seen>,
}

/// Accesses that cannot fault.
pub(crate) fn trusted() -> MemFlagsData {
    MemFlagsData::trusted()
}

/// Loads of what never changes once its address is known.
pub(crate) fn constant() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}

impl<'a> Lower<'a> {
    pub(crate) fn new(
        layouts: &'a Layouts,
        body: &'a Body,
        func: &'a mut ir::Function,
        names: &'a mut Names,
        buffers: &'a mut Buffers,
        returns: &'a dyn Fn(Mi) -> Ty,
    ) -> Lower<'a> {
        buffers.reps.clear();
        buffers.leaves.clear();
        buffers.starts.clear();
        buffers.starts.resize(body.vals.len(), (0, 0));
        buffers.blocks.clear();
        buffers.blocks.resize(body.blocks.len(), None);
        buffers.order.clear();
        buffers.skipped.clear();
        buffers.skipped.resize(body.blocks.len(), false);
        buffers.consts.clear();
        buffers.consts.resize(body.vals.len(), None);
        let tables = Tables {
            frames: body.frames.clone(),
            ret: Some(body.ret),
            ..Tables::default()
        };
        Lower {
            cur: FuncCursor::new(func),
            layouts,
            body,
            names,
            tables,
            vmctx: Value::from_u32(0),
            convention: Convention::Tail,
            result_area: None,
            buffers,
            returns,
            pos: 0,
            raise: None,
            raise_bounds: None,
            in_bounds: worldage_wir::opt::bounds::in_bounds(body),
            loaded: Vec::new(),
        }
    }

    /// Builds the whole function.
    pub(crate) fn run(mut self, convention: Convention) -> Tables {
        self.convention = convention;
        let body = self.body;
        let entry_params = &body.blocks[0].params;
        self.tables.params = entry_params.iter().map(|&p| self.ty(p)).collect();
        let tys = entry_params.iter().map(|p| body.vals[p.0 as usize]);
        let (sig, area) = instance_signature(convention, self.layouts, tys, body.ret);
        self.cur.func.signature = sig;
        self.order_blocks();

        let entry = self.new_block();
        let param_types: SmallVec<[ir::Type; 16]> = self
            .cur
            .func
            .signature
            .params
            .iter()
            .map(|p| p.value_type)
            .collect();
        let params: SmallVec<[Value; 16]> = param_types
            .iter()
            .map(|&ty| self.cur.func.dfg.append_block_param(entry, ty))
            .collect();
        self.cur.goto_bottom(entry);
        self.vmctx = params[0];
        self.result_area = (area > 0).then(|| params[1]);
        let given = &params[if area > 0 { 2 } else { 1 }..];
        self.set_pos(Pos {
            frame: 0,
            node: NodeId(0),
        });
        if self.may_recurse() {
            self.check_stack();
        }
        let order = std::mem::take(&mut self.buffers.order);
        self.buffers.loops.find(body, &order);
        for &blk in &order[1..] {
            let block = self.new_block();
            self.buffers.blocks[blk.0 as usize] = Some(block);
            self.block_params(blk, block);
        }
        if self.is_target(Blk(0), &order) {
            let block = self.new_block();
            self.buffers.blocks[0] = Some(block);
            self.block_params(Blk(0), block);
            self.jump(block, given);
            self.cur.goto_bottom(block);
        } else {
            let mut next = 0;
            for &param in entry_params {
                let count = self.rep(self.ty(param)).leaves.len();
                let leaves: Leaves = given[next..next + count].into();
                next += count;
                self.define(param, &leaves);
            }
        }
        for (ix, &blk) in order.iter().enumerate() {
            if std::mem::take(&mut self.buffers.skipped[blk.0 as usize]) {
                continue;
            }
            if ix > 0 {
                let block = self.block_of(blk);
                self.cur.goto_bottom(block);
            }
            self.loaded.clear();
            let block = &body.blocks[blk.0 as usize];
            for inst in &block.insts {
                self.inst(inst);
            }
            self.set_pos(block.term_pos);
            self.term(blk, &block.term);
        }
        self.buffers.order = order;
        self.finish_raises();
        self.tables
    }

    /// Reachable blocks in reverse post-order.
    fn order_blocks(&mut self) {
        let body = self.body;
        let mut seen = vec![false; body.blocks.len()];
        let mut stack: Vec<(Blk, usize)> = vec![(Blk(0), 0)];
        seen[0] = true;
        while let Some((blk, next)) = stack.last_mut() {
            let successors = successors(&body.blocks[blk.0 as usize].term);
            // The last successor first, so that the first one follows its block in the order.
            let Some(&succ) = successors
                .len()
                .checked_sub(*next + 1)
                .map(|i| &successors[i])
            else {
                self.buffers.order.push(*blk);
                stack.pop();
                continue;
            };
            *next += 1;
            if !std::mem::replace(&mut seen[succ.0 as usize], true) {
                stack.push((succ, 0));
            }
        }
        self.buffers.order.reverse();
    }

    /// The CLIF block of a block.
    pub(super) fn block_of(&self, blk: Blk) -> ir::Block {
        self.buffers.blocks[blk.0 as usize].expect("a reachable block")
    }

    /// Says that a block's operations are done: it needs no code of its own.
    pub(super) fn skip(&mut self, blk: Blk) {
        self.buffers.skipped[blk.0 as usize] = true;
        let block = self.block_of(blk);
        self.cur.func.layout.remove_block(block);
    }

    pub(super) fn has_one_way_in(&self, blk: Blk) -> bool {
        self.buffers.loops.has_one_way_in(blk)
    }

    /// Whether an array access, named by its result, is known to be within bounds.
    pub(super) fn is_in_bounds(&self, access: Val) -> bool {
        self.in_bounds.get(access.0 as usize) == Some(&true)
    }

    fn is_target(&self, blk: Blk, order: &[Blk]) -> bool {
        let mut terms = order.iter().map(|b| &self.body.blocks[b.0 as usize].term);
        terms.any(|term| successors(term).contains(&blk))
    }

    fn block_params(&mut self, blk: Blk, block: ir::Block) {
        for &param in &self.body.blocks[blk.0 as usize].params {
            let rep = self.rep(self.ty(param));
            let dfg = &mut self.cur.func.dfg;
            let leaves: Leaves = rep
                .leaves
                .iter()
                .map(|&leaf| dfg.append_block_param(block, leaf_type(leaf)))
                .collect();
            self.define(param, &leaves);
        }
    }

    /// Whether a frame of this function can stand below another compiled frame.
    fn may_recurse(&self) -> bool {
        let mut ops = self
            .body
            .blocks
            .iter()
            .flat_map(|b| &b.insts)
            .map(|i| &i.op);
        ops.any(|op| {
            matches!(
                op,
                Op::Call(..)
                    | Op::CallDyn(..)
                    | Op::CallValue(..)
                    | Op::InvokeDyn(..)
                    | Op::Latest(..)
                    | Op::CallHost(..)
            )
        })
    }

    fn check_stack(&mut self) {
        let sp = self.cur.ins().get_stack_pointer(types::I64);
        let limit = self.load_context(VmCtx::STACK_LIMIT);
        let over = self.cur.ins().icmp(IntCC::UnsignedLessThan, sp, limit);
        self.fail_if(over, Fault::StackOverflow);
    }

    // Small words of the language of this file.

    pub(super) fn ty(&self, val: Val) -> Ty {
        self.body.vals[val.0 as usize]
    }

    pub(super) fn rep(&mut self, ty: Ty) -> Arc<Rep> {
        let layouts = self.layouts;
        Arc::clone(
            self.buffers
                .reps
                .entry(ty)
                .or_insert_with(|| layouts.rep(ty)),
        )
    }

    pub(super) fn leaves(&self, val: Val) -> Leaves {
        let (start, count) = self.buffers.starts[val.0 as usize];
        self.buffers.leaves[start as usize..(start + count) as usize].into()
    }

    /// The only leaf of a scalar or pointer.
    pub(super) fn one(&self, val: Val) -> Value {
        let (start, count) = self.buffers.starts[val.0 as usize];
        debug_assert_eq!(count, 1, "a value of one leaf");
        self.buffers.leaves[start as usize]
    }

    pub(super) fn define(&mut self, val: Val, leaves: &[Value]) {
        let start = u32::try_from(self.buffers.leaves.len()).expect("fewer than 2^32 leaves");
        let count = u32::try_from(leaves.len()).expect("few leaves");
        self.buffers.leaves.extend_from_slice(leaves);
        self.buffers.starts[val.0 as usize] = (start, count);
    }

    /// The value of an integer constant.
    pub(super) fn constant_of(&self, val: Val) -> Option<i64> {
        self.buffers.consts[val.0 as usize]
    }

    pub(super) fn new_block(&mut self) -> ir::Block {
        let block = self.cur.func.dfg.make_block();
        self.cur.func.layout.append_block(block);
        block
    }

    pub(super) fn cold_block(&mut self) -> ir::Block {
        let block = self.new_block();
        self.cur.func.layout.set_cold(block);
        block
    }

    pub(super) fn jump(&mut self, block: ir::Block, args: &[Value]) {
        let args: SmallVec<[BlockArg; 8]> = args.iter().map(|&v| v.into()).collect();
        self.cur.ins().jump(block, &args);
    }

    pub(super) fn int(&mut self, value: i64) -> Value {
        self.cur.ins().iconst(types::I64, value)
    }

    pub(super) fn symbol(&mut self, target: Symbolic) -> Value {
        let global = self.names.global(self.cur.func, target);
        self.cur.ins().symbol_value(types::I64, global)
    }

    pub(super) fn call_runtime(&mut self, function: RuntimeFn, args: &[Value]) -> ClifInst {
        let func = self.names.runtime(self.cur.func, function);
        self.cur.ins().call(func, args)
    }

    pub(super) fn call_runtime_value(&mut self, function: RuntimeFn, args: &[Value]) -> Value {
        let inst = self.call_runtime(function, args);
        self.cur.func.dfg.first_result(inst)
    }

    pub(super) fn load_context(&mut self, offset: i32) -> Value {
        self.cur
            .ins()
            .load(types::I64, trusted(), self.vmctx, offset)
    }

    pub(super) fn set_pos(&mut self, pos: Pos) {
        self.pos = self.tables.position(pos);
        self.cur.set_srcloc(SourceLoc::new(self.pos));
    }

    /// Goes to a cold block and fails there if `bad`.
    pub(super) fn fail_if(&mut self, bad: Value, fault: Fault) {
        let (ok, cold) = (self.new_block(), self.cold_block());
        self.cur.ins().brif(bad, cold, &[], ok, &[]);
        self.cur.goto_bottom(cold);
        self.fail(fault);
        self.cur.goto_bottom(ok);
    }

    /// The number of a failure at the current position.
    pub(super) fn failure_here(&mut self, fault: Fault) -> i64 {
        self.tables.failure(fault, self.pos)
    }

    /// Ends the current block with a failure.
    pub(super) fn fail(&mut self, fault: Fault) {
        let number = self.tables.failure(fault, self.pos);
        let number = self.int(number);
        let raise = match self.raise {
            Some(block) => block,
            None => {
                let block = self.cold_block();
                self.cur.func.dfg.append_block_param(block, types::I64);
                *self.raise.insert(block)
            }
        };
        self.jump(raise, &[number]);
    }

    /// Fails with `index-out-of-bounds` unless `0 <= index < length`.
    pub(super) fn check_bounds(&mut self, index: Value, length: Value) {
        let bad = self
            .cur
            .ins()
            .icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        let (ok, cold) = (self.new_block(), self.cold_block());
        self.cur.ins().brif(bad, cold, &[], ok, &[]);
        self.cur.goto_bottom(cold);
        let number = self.tables.failure(Fault::Bounds, self.pos);
        let number = self.int(number);
        let raise = match self.raise_bounds {
            Some(block) => block,
            None => {
                let block = self.cold_block();
                for _ in 0..3 {
                    self.cur.func.dfg.append_block_param(block, types::I64);
                }
                *self.raise_bounds.insert(block)
            }
        };
        self.jump(raise, &[number, index, length]);
        self.cur.goto_bottom(ok);
    }

    fn finish_raises(&mut self) {
        self.cur.set_srcloc(SourceLoc::default());
        let blocks = [
            (self.raise, RuntimeFn::Raise),
            (self.raise_bounds, RuntimeFn::RaiseBounds),
        ];
        for (block, function) in blocks {
            let Some(block) = block else { continue };
            self.cur.goto_bottom(block);
            let mut args: SmallVec<[Value; 4]> = SmallVec::from_slice(&[self.vmctx]);
            args.extend_from_slice(self.cur.func.dfg.block_params(block));
            self.call_runtime(function, &args);
            self.unreachable();
        }
    }

    /// What follows a call that does not return.
    pub(super) fn unreachable(&mut self) {
        self.cur.ins().trap(ir::TrapCode::unwrap_user(1));
    }

    pub(super) fn inst(&mut self, inst: &Inst) {
        self.set_pos(inst.pos);
        if !inst.op.is_pure()
            && !matches!(inst.op, Op::ArrayGet(..) | Op::ArraySet(..) | Op::Prim(..))
        {
            self.loaded.clear();
        }
        let result = inst.result;
        let leaves: Leaves = match &inst.op {
            Op::Const(constant) => self.constant(constant, result),
            Op::Prim(prim, args) => {
                let value = self.prim(*prim, args);
                SmallVec::from_slice(&[value])
            }
            Op::Make(fields) => self.make(result, fields),
            Op::TupleDyn(elements) => self.make_tuple(elements),
            Op::Field(of, n) => self.field(*of, *n, self.ty(result)),
            Op::TupleIndex(tuple, index) => self.tuple_index(*tuple, *index, self.ty(result)),
            Op::Widen(val) => self.widen(*val, self.ty(result)),
            Op::Narrow(val) => self.narrow(*val, self.ty(result)),
            Op::Check(val) => self.check(*val, self.ty(result)),
            Op::IsA(val, ty) => SmallVec::from_slice(&[self.is_a(*val, *ty)]),
            Op::ArrayNew(length) => self.array_new(*length, self.ty(result)),
            Op::ArrayLen(array) | Op::StrLen(array) => {
                let array = self.one(*array);
                SmallVec::from_slice(&[self.length(array)])
            }
            Op::ArrayGet(array, index) => self.array_get(result, *array, *index),
            Op::ArraySet(array, index, value) => {
                self.array_set(result, *array, *index, *value);
                Leaves::new()
            }
            Op::StrEq(a, b) => {
                let args = [self.one(*a), self.one(*b)];
                let equal = self.call_runtime_value(RuntimeFn::StrEq, &args);
                SmallVec::from_slice(&[self.cur.ins().ireduce(types::I8, equal)])
            }
            Op::Call(mi, args) => self.call(*mi, args, self.ty(result)),
            Op::FieldDyn(of, name) => self.field_dyn(*of, *name),
            Op::IndexDyn(of, index) => self.index_dyn(*of, *index, self.ty(result)),
            Op::SetIndexDyn(of, index, value) => {
                self.set_index_dyn(*of, *index, *value);
                Leaves::new()
            }
            Op::CallDyn(..)
            | Op::CallValue(..)
            | Op::InvokeDyn(..)
            | Op::Latest(..)
            | Op::CallHost(..) => self.call_dynamic(&inst.op, self.ty(result)),
            Op::Print(args) => {
                self.print(args);
                Leaves::new()
            }
            Op::Grid(query, dimension) => {
                let dimension = self.one(*dimension);
                SmallVec::from_slice(&[self.grid(*query, dimension)])
            }
            Op::Barrier => {
                self.call_runtime(RuntimeFn::Barrier, &[self.vmctx]);
                Leaves::new()
            }
            Op::Shared(length) => self.shared(*length, self.ty(result)),
            Op::Atomic(op, args) => self.atomic(result, *op, args),
        };
        self.define(result, &leaves);
    }

    fn constant(&mut self, constant: &Const, result: Val) -> Leaves {
        let value = match constant {
            Const::Unit => return Leaves::new(),
            Const::Bool(b) => self.cur.ins().iconst(types::I8, i64::from(*b)),
            Const::Int(i) => {
                self.buffers.consts[result.0 as usize] = Some(*i);
                let rep = self.rep(self.ty(result));
                let ty = leaf_type(rep.leaves[0]);
                // An immediate is the zero-extended bits of its type.
                let bits = match ty.bits() {
                    64 => *i,
                    n => *i & ((1i64 << n) - 1),
                };
                self.cur.ins().iconst(ty, bits)
            }
            Const::F32(bits) => self
                .cur
                .ins()
                .f32const(ir::immediates::Ieee32::with_bits(*bits)),
            Const::F64(bits) => self
                .cur
                .ins()
                .f64const(ir::immediates::Ieee64::with_bits(*bits)),
            Const::Str(text) => {
                let target = self.tables.string(text);
                self.symbol(target)
            }
        };
        SmallVec::from_slice(&[value])
    }

    /// A call through the cell of an instance.
    ///
    /// A result of type `Any` may be one that nothing uses: then what comes back is dropped.
    fn call(&mut self, callee: Mi, args: &[Val], used: Ty) -> Leaves {
        let ret = if used == Ty::ANY {
            (self.returns)(callee)
        } else {
            used
        };
        let tys = args.iter().map(|a| self.body.vals[a.0 as usize]);
        let tys: SmallVec<[Ty; 8]> = tys.collect();
        let cell = self.symbol(Symbolic::Cell(callee));
        let entry = self.cur.ins().load(types::I64, trusted(), cell, 0);
        let mut values: SmallVec<[Value; 16]> = SmallVec::new();
        for &arg in args {
            values.extend(self.leaves(arg));
        }
        let results = self.call_instance(self.convention, entry, &tys, ret, &values);
        if ret != used {
            let never_read = self.int(0);
            return SmallVec::from_slice(&[never_read, never_read]);
        }
        results
    }

    /// Calls the entry of an instance with its leaves.
    pub(super) fn call_instance(
        &mut self,
        convention: Convention,
        entry: Value,
        params: &[Ty],
        ret: Ty,
        leaves: &[Value],
    ) -> Leaves {
        let tys = params.iter().copied();
        let (sig, area) = instance_signature(convention, self.layouts, tys, ret);
        let sig = self.cur.func.import_signature(sig);
        let area = (area > 0).then(|| self.stack_words(area));
        let mut values: SmallVec<[Value; 16]> = SmallVec::from_slice(&[self.vmctx]);
        values.extend(area);
        values.extend_from_slice(leaves);
        let inst = self.cur.ins().call_indirect(sig, entry, &values);
        let Some(area) = area else {
            return self.cur.func.dfg.inst_results(inst).into();
        };
        let rep = self.rep(ret);
        let leaves = rep.leaves.iter().enumerate();
        leaves
            .map(|(ix, leaf)| {
                let (ty, at) = (leaf_type(*leaf), ix as i32 * 8);
                self.cur.ins().load(ty, trusted(), area, at)
            })
            .collect()
    }

    fn term(&mut self, blk: Blk, term: &'a Term) {
        match term {
            Term::Jump(target) => {
                let (block, args) = self.target(target);
                self.cur.ins().jump(block, &args);
            }
            Term::Branch(cond, then, other) => {
                let mut cond = self.one(*cond);
                if self.select(cond, then, other) {
                    return;
                }
                let (mut then, mut other) = (then, other);
                let loops = &self.buffers.loops;
                if loops.leaves(blk, other.block) && !loops.leaves(blk, then.block) {
                    cond = self.negated(cond);
                    std::mem::swap(&mut then, &mut other);
                }
                let (then, then_args) = self.target(then);
                let (other, other_args) = self.target(other);
                self.cur
                    .ins()
                    .brif(cond, then, &then_args, other, &other_args);
            }
            Term::Return(val) => {
                let leaves = self.leaves(*val);
                match self.result_area {
                    None => self.cur.ins().return_(&leaves),
                    Some(area) => {
                        for (ix, leaf) in leaves.iter().enumerate() {
                            let at = ix as i32 * 8;
                            self.cur.ins().store(trusted(), *leaf, area, at);
                        }
                        self.cur.ins().return_(&[])
                    }
                };
            }
            Term::Fail(failure) => self.fail(Fault::Failure(failure.clone())),
            Term::Unreachable => self.unreachable(),
        }
    }

    /// The opposite of a Bool, for a branch.
    fn negated(&mut self, cond: Value) -> Value {
        let dfg = &self.cur.func.dfg;
        let compared = dfg.value_def(cond).inst().map(|inst| dfg.insts[inst]);
        match compared {
            Some(InstructionData::IntCompare { args, cond, .. }) => {
                self.cur.ins().icmp(cond.complement(), args[0], args[1])
            }
            Some(InstructionData::FloatCompare { args, cond, .. }) => {
                self.cur.ins().fcmp(cond.complement(), args[0], args[1])
            }
            _ => {
                let zero = self.cur.ins().iconst(types::I8, 0);
                self.cur.ins().icmp(IntCC::Equal, cond, zero)
            }
        }
    }

    fn target(&mut self, target: &Target) -> (ir::Block, SmallVec<[BlockArg; 8]>) {
        let block = self.block_of(target.block);
        let args = target
            .args
            .iter()
            .flat_map(|&a| self.leaves(a))
            .map(BlockArg::from)
            .collect();
        (block, args)
    }

    pub(super) fn fail_prim(&mut self, bad: Value, error: PrimError) {
        self.fail_if(bad, Fault::Failure(Failure::Prim(error)));
    }
}

fn successors(term: &Term) -> SmallVec<[Blk; 2]> {
    match term {
        Term::Jump(target) => SmallVec::from_slice(&[target.block]),
        Term::Branch(_, a, b) => SmallVec::from_slice(&[a.block, b.block]),
        Term::Return(_) | Term::Fail(_) | Term::Unreachable => SmallVec::new(),
    }
}
