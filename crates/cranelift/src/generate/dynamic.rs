//! Dynamic values: tags and payloads, tests, run-time dispatch.
//!
//! Invariant: a pointer that comes out of a payload is pinned below the test of its tag, or the
//! optimiser could hoist a load through it above that test.

use super::lower::{Leaves, Lower, trusted};
use super::memory::BOX_DATA;
use crate::code::{Fault, RuntimeFn, Site, Target as Symbolic};
use crate::isa::HOST_CONV;
use crate::load::PlacedSite;
use crate::runtime::VmCtx;
use crate::runtime::host::{Head, TAG_FACTORS, WAY_SHIFT};
use cranelift_codegen::cursor::Cursor;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature, Value, types};
use smallvec::SmallVec;
use worldage_dispatch::{Symbol, Ty, TyKind};
use worldage_wir::ir::{GridQuery, Op, Val};
use worldage_wir::layout::Leaf;

/// A test against more types than this is left to the run-time system.
const MAX_TAG_TESTS: usize = 4;

impl Lower<'_> {
    pub(super) fn tag(&mut self, ty: Ty) -> Value {
        self.symbol(Symbolic::Tag(ty))
    }

    pub(super) fn widen(&mut self, val: Val, to: Ty) -> Leaves {
        self.widen_leaves(self.ty(val), self.leaves(val), to)
    }

    pub(super) fn widen_leaves(&mut self, from: Ty, leaves: Leaves, to: Ty) -> Leaves {
        if from == to || !self.rep(to).is_dynamic() || self.rep(from).is_dynamic() {
            return leaves;
        }
        if from == Ty::BOTTOM {
            let never = self.int(0);
            return SmallVec::from_slice(&[never, never]);
        }
        let tag = self.tag(from);
        let rep = self.rep(from);
        let payload = match (&*leaves, &*rep.leaves) {
            ([], _) => self.int(0),
            ([value], [leaf]) => self.payload_of(*leaf, *value),
            _ => self.new_box(&rep, &leaves),
        };
        SmallVec::from_slice(&[tag, payload])
    }

    /// The leaves of a dynamic value that is known to be of type `to`.
    pub(super) fn narrow(&mut self, val: Val, to: Ty) -> Leaves {
        let leaves = self.leaves(val);
        if !self.rep(self.ty(val)).is_dynamic() {
            return leaves;
        }
        self.narrow_leaves(leaves[0], leaves[1], to)
    }

    pub(super) fn narrow_leaves(&mut self, tag: Value, payload: Value, to: Ty) -> Leaves {
        let rep = self.rep(to);
        if rep.is_dynamic() {
            return SmallVec::from_slice(&[tag, payload]);
        }
        match &*rep.leaves {
            [] => Leaves::new(),
            [Leaf::Ptr | Leaf::Box(_)] => {
                let expected = self.tag(to);
                let null = self.int(0);
                let same = self.cur.ins().icmp(IntCC::Equal, tag, expected);
                let pinned = self.cur.ins().select_spectre_guard(same, payload, null);
                SmallVec::from_slice(&[pinned])
            }
            [leaf] => SmallVec::from_slice(&[self.leaf_in(*leaf, payload)]),
            leaves => {
                let count = leaves.len();
                self.load_leaves(&rep.contents, 0..count, payload, BOX_DATA, trusted())
            }
        }
    }

    pub(super) fn check(&mut self, val: Val, to: Ty) -> Leaves {
        if to == Ty::ANY || self.ty(val) == to {
            return self.leaves(val);
        }
        let leaves = self.leaves(val);
        let is = self.is_a(val, to);
        if self.rep(self.ty(val)).is_dynamic() {
            let (ok, cold) = (self.new_block(), self.cold_block());
            self.cur.ins().brif(is, ok, &[], cold, &[]);
            self.cur.goto_bottom(cold);
            let number = self.failure_here(Fault::TypeMismatch(to));
            let number = self.int(number);
            self.call_runtime(RuntimeFn::RaiseType, &[self.vmctx, number, leaves[0]]);
            self.unreachable();
            self.cur.goto_bottom(ok);
            return self.narrow(val, to);
        }
        let one = self.cur.ins().iconst(types::I8, 1);
        let bad = self.cur.ins().bxor(is, one);
        self.fail_if(bad, Fault::TypeMismatch(to));
        self.widen(val, to)
    }

    pub(super) fn is_a(&mut self, val: Val, ty: Ty) -> Value {
        let of = self.ty(val);
        let lattice = self.layouts.types();
        if !self.rep(of).is_dynamic() || lattice.subtype(of, ty) {
            let holds = lattice.subtype(of, ty);
            return self.cur.ins().iconst(types::I8, i64::from(holds));
        }
        let tag = self.leaves(val)[0];
        // Either the members of the static type that pass, or those of the tested type.
        let passing: Option<SmallVec<[Ty; 4]>> = match (lattice.kind(of), lattice.kind(ty)) {
            (TyKind::Union(members), _) if members.iter().all(|&m| lattice.is_concrete(m)) => Some(
                members
                    .iter()
                    .copied()
                    .filter(|&m| lattice.subtype(m, ty))
                    .collect(),
            ),
            (_, TyKind::Union(members)) if members.iter().all(|&m| lattice.is_concrete(m)) => {
                Some(members.iter().copied().collect())
            }
            _ if lattice.is_concrete(ty) => Some(SmallVec::from_slice(&[ty])),
            _ => None,
        };
        match passing {
            Some(types_) if types_.len() <= MAX_TAG_TESTS => {
                let mut result = None;
                for ty in types_ {
                    let expected = self.tag(ty);
                    let same = self.cur.ins().icmp(IntCC::Equal, tag, expected);
                    result = Some(match result {
                        None => same,
                        Some(before) => self.cur.ins().bor(before, same),
                    });
                }
                result.unwrap_or_else(|| self.cur.ins().iconst(types::I8, 0))
            }
            _ => {
                let site = self.site(Site::IsA(ty));
                let args = [self.vmctx, site, tag];
                let holds = self.call_runtime_value(RuntimeFn::IsA, &args);
                self.cur.ins().ireduce(types::I8, holds)
            }
        }
    }

    fn site(&mut self, site: Site) -> Value {
        let target = self.tables.site(site);
        self.symbol(target)
    }

    /// The arguments as dynamic values in a row on the stack; its address.
    fn dynamic_args(&mut self, args: &[Val]) -> Value {
        self.tagged_args(args).0
    }

    /// The arguments as dynamic values in a row on the stack: its address, and the words.
    fn tagged_args(&mut self, args: &[Val]) -> (Value, SmallVec<[Value; 16]>) {
        let mut widened: SmallVec<[Value; 16]> = SmallVec::new();
        for &arg in args {
            widened.extend(self.widen(arg, Ty::ANY));
        }
        let slot = self.stack_words(widened.len().max(1));
        for (ix, &word) in widened.iter().enumerate() {
            self.cur.ins().store(trusted(), word, slot, ix as i32 * 8);
        }
        (slot, widened)
    }

    fn load_dynamic(&mut self, slot: Value, ty: Ty) -> Leaves {
        if ty == Ty::BOTTOM {
            return Leaves::new();
        }
        let tag = self.cur.ins().load(types::I64, trusted(), slot, 0);
        let payload = self.cur.ins().load(types::I64, trusted(), slot, 8);
        self.narrow_leaves(tag, payload, ty)
    }

    /// A call whose target the run-time system finds by the arguments' run-time types; the
    /// target is called from here, so that frames stand on one another.
    pub(super) fn call_dynamic(&mut self, op: &Op, ret: Ty) -> Leaves {
        let (site, args): (Site, SmallVec<[Val; 8]>) = match op {
            Op::CallDyn(function, args) => (Site::Call(*function), args.iter().copied().collect()),
            Op::InvokeDyn(function, sig, args) => (
                Site::Invoke(*function, *sig),
                args.iter().copied().collect(),
            ),
            Op::CallValue(f, args) => (
                Site::Value,
                std::iter::once(*f).chain(args.iter().copied()).collect(),
            ),
            Op::Latest(f, args) => (
                Site::Latest,
                std::iter::once(*f).chain(args.iter().copied()).collect(),
            ),
            Op::CallHost(mi, args) => (Site::Host(*mi, ret), args.iter().copied().collect()),
            other => unreachable!("{other:?} is not dispatched at run time"),
        };
        let count = self.int(args.len() as i64);
        let (slot, words) = self.tagged_args(&args);
        let result = self.stack_words(2);
        let raises_world = matches!(site, Site::Latest);
        let host = matches!(site, Site::Host(..));
        let called_value = matches!(site, Site::Value | Site::Latest);
        let site = self.site(site);
        if host {
            let args = [self.vmctx, site, slot, count, result];
            self.call_runtime(RuntimeFn::CallHost, &args);
            return self.load_dynamic(result, ret);
        }
        let world = raises_world.then(|| self.load_context(VmCtx::WORLD));
        // The table knows the tags of two arguments; more must be known here.
        let mut others = args.iter().skip(2);
        let known = others.all(|arg| !self.rep(self.ty(*arg)).is_dynamic());
        let asked = [self.vmctx, site, slot, count];
        let target = if known && !raises_world {
            let tags: SmallVec<[Value; 2]> = words.iter().step_by(2).take(2).copied().collect();
            self.recent_target(site, &tags, &asked)
        } else {
            self.call_runtime_value(RuntimeFn::Resolve, &asked)
        };
        let thunk = self
            .cur
            .ins()
            .load(types::I64, trusted(), target, Head::THUNK);
        let cell = self
            .cur
            .ins()
            .load(types::I64, trusted(), target, Head::CELL);
        let entry = self.cur.ins().load(types::I64, trusted(), cell, 0);
        let mut sig = Signature::new(HOST_CONV);
        sig.params.extend([AbiParam::new(types::I64); 4]);
        let sig = self.cur.func.import_signature(sig);
        let first = if called_value {
            let skip = self.int(16);
            self.cur.ins().iadd(slot, skip)
        } else {
            slot
        };
        let args = [self.vmctx, entry, first, result];
        self.cur.ins().call_indirect(sig, thunk, &args);
        if let Some(world) = world {
            self.cur
                .ins()
                .store(trusted(), world, self.vmctx, VmCtx::WORLD);
        }
        self.load_dynamic(result, ret)
    }

    /// The target of a call site for these tags: from the context's table, as `TargetCache::find`
    /// does, or from the run-time system.
    fn recent_target(&mut self, site: Value, tags: &[Value], asked: &[Value]) -> Value {
        let word = |this: &mut Self, of: Value, at: i32| {
            this.cur.ins().load(types::I64, trusted(), of, at)
        };
        let mut hash = word(self, site, PlacedSite::SALT);
        for (tag, factor) in tags.iter().zip(TAG_FACTORS) {
            let factor = self.int(factor as i64);
            let product = self.cur.ins().imul(*tag, factor);
            hash = self.cur.ins().iadd(hash, product);
        }
        let shift = self.int(i64::from(WAY_SHIFT));
        let way = self.cur.ins().ushr(hash, shift);
        let three = self.int(3);
        let way = self.cur.ins().ishl(way, three);
        let table = self.load_context(VmCtx::RECENT);
        let place = self.cur.ins().iadd(table, way);
        let head = word(self, place, 0);
        let id = word(self, site, PlacedSite::ID);
        let world = self.load_context(VmCtx::WORLD);
        let found = word(self, head, Head::SITE);
        let mut differs = self.cur.ins().bxor(found, id);
        let tags = tags.iter().copied().zip(Head::TAGS);
        for (expected, at) in std::iter::once((world, Head::WORLD)).chain(tags) {
            let found = word(self, head, at);
            let change = self.cur.ins().bxor(found, expected);
            differs = self.cur.ins().bor(differs, change);
        }
        let (known, cold) = (self.new_block(), self.cold_block());
        let target = self.cur.func.dfg.append_block_param(known, types::I64);
        self.cur
            .ins()
            .brif(differs, cold, &[], known, &[head.into()]);
        self.cur.goto_bottom(cold);
        let found = self.call_runtime_value(RuntimeFn::Resolve, asked);
        self.cur.ins().jump(known, &[found.into()]);
        self.cur.goto_bottom(known);
        target
    }

    pub(super) fn print(&mut self, args: &[Val]) {
        let count = self.int(args.len() as i64);
        let slot = self.dynamic_args(args);
        self.call_runtime(RuntimeFn::Print, &[self.vmctx, slot, count]);
    }

    pub(super) fn field_dyn(&mut self, of: Val, name: Symbol) -> Leaves {
        let slot = self.dynamic_args(&[of]);
        let result = self.stack_words(2);
        let site = self.site(Site::Field(name));
        self.call_runtime(RuntimeFn::FieldDyn, &[self.vmctx, site, slot, result]);
        self.load_dynamic(result, Ty::ANY)
    }

    pub(super) fn index_dyn(&mut self, of: Val, index: Val, ty: Ty) -> Leaves {
        let slot = self.dynamic_args(&[of, index]);
        let result = self.stack_words(2);
        self.call_runtime(RuntimeFn::IndexDyn, &[self.vmctx, slot, result]);
        self.load_dynamic(result, ty)
    }

    /// A tuple of values whose types are not all known.
    pub(super) fn make_tuple(&mut self, elements: &[Val]) -> Leaves {
        let slot = self.dynamic_args(elements);
        let result = self.stack_words(2);
        let count = self.int(elements.len() as i64);
        self.call_runtime(RuntimeFn::MakeTuple, &[self.vmctx, slot, count, result]);
        self.load_dynamic(result, Ty::ANY)
    }

    /// An element of a tuple whose type is not known, at an Int64.
    pub(super) fn index_tuple_dyn(&mut self, tuple: Val, index: Value, ty: Ty) -> Leaves {
        let leaves = self.leaves(tuple);
        let tag = self.tag(self.layouts.universe().prelude().int64);
        let slot = self.stack_words(4);
        for (ix, word) in [leaves[0], leaves[1], tag, index].into_iter().enumerate() {
            self.cur.ins().store(trusted(), word, slot, ix as i32 * 8);
        }
        let result = self.stack_words(2);
        self.call_runtime(RuntimeFn::IndexDyn, &[self.vmctx, slot, result]);
        self.load_dynamic(result, ty)
    }

    pub(super) fn set_index_dyn(&mut self, of: Val, index: Val, value: Val) {
        let slot = self.dynamic_args(&[of, index, value]);
        self.call_runtime(RuntimeFn::SetIndexDyn, &[self.vmctx, slot]);
    }

    /// A coordinate of the work-item; a dimension past the third has size 1 and index 0.
    pub(super) fn grid(&mut self, query: GridQuery, dimension: Value) -> Value {
        let (row, outside) = match query {
            GridQuery::GlobalId => (0, 0),
            GridQuery::GlobalSize => (1, 1),
            GridQuery::LocalId => (2, 0),
            GridQuery::LocalSize => (3, 1),
            GridQuery::GroupId => (4, 0),
            GridQuery::NumGroups => (5, 1),
        };
        let three = self.int(3);
        let zero = self.int(0);
        let inside = self
            .cur
            .ins()
            .icmp(IntCC::UnsignedLessThan, dimension, three);
        let index = self.cur.ins().select(inside, dimension, zero);
        let shift = self.int(3);
        let scaled = self.cur.ins().ishl(index, shift);
        let address = self.cur.ins().iadd(self.vmctx, scaled);
        let at = VmCtx::GRID + row * 24;
        let value = self.cur.ins().load(types::I64, trusted(), address, at);
        let outside = self.int(outside);
        self.cur.ins().select(inside, value, outside)
    }
}
