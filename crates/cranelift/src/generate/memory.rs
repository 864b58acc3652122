//! Arrays, structs and boxes.
//!
//! Invariants: an array's length never changes, so its load may move anywhere that its array is
//! known to be one; boxes are immutable after they are made; every pointer leaf that becomes an
//! SSA value is non-null.

use super::leaf_type;
use super::lower::{Leaves, Lower, constant, trusted};
use crate::code::{Content, Convention, Fault, RuntimeFn, Target as Symbolic};
use crate::heap::object::{DATA, LENGTH};
use cranelift_codegen::cursor::Cursor;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AliasRegionData, InstBuilder, MemFlagsData, StackSlotData, StackSlotKind, Value, types,
};
use smallvec::SmallVec;
use std::sync::Arc;
use worldage_dispatch::Ty;
use worldage_wir::ir::{Atomic, Val};
use worldage_wir::layout::{Leaf, Mem, Rep, Shape};
use worldage_wir::prim::Scalar;

/// What part of an array element holds.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// The element type.
    element: Ty,
    leaf: usize,
    /// Array and index.
    at: (Val, Val),
    value: Value,
}

/// The alias region of the lengths of arrays, which never change.
pub(crate) const LENGTHS: u32 = 9;

/// Where the contents of a box begin.
pub(crate) const BOX_DATA: i32 = 8;

impl Lower<'_> {
    pub(super) fn make(&mut self, result: Val, fields: &[Val]) -> Leaves {
        let rep = self.rep(self.ty(result));
        if rep.is_dynamic() {
            return self.make_tuple(fields);
        }
        let leaves: Leaves = fields.iter().flat_map(|&f| self.leaves(f)).collect();
        if rep.is_boxed() {
            let object = self.new_box(&rep, &leaves);
            return SmallVec::from_slice(&[object]);
        }
        leaves
    }

    /// A box of the contents of a struct or tuple.
    pub(super) fn new_box(&mut self, rep: &Rep, leaves: &[Value]) -> Value {
        let descriptor = self.symbol(Symbolic::Descriptor(rep.ty, Content::Box));
        let object = self.call_runtime_value(RuntimeFn::NewBox, &[self.vmctx, descriptor]);
        self.store_leaves(&rep.contents, object, BOX_DATA, leaves, trusted());
        object
    }

    pub(super) fn store_leaves(
        &mut self,
        mem: &Mem,
        base: Value,
        offset: i32,
        leaves: &[Value],
        flags: MemFlagsData,
    ) {
        for (&leaf, &at) in leaves.iter().zip(&*mem.offsets) {
            self.cur.ins().store(flags, leaf, base, offset + at as i32);
        }
    }

    /// Loads leaves `first..first + count`. The null of a zero struct becomes the zero struct.
    pub(super) fn load_leaves(
        &mut self,
        mem: &Mem,
        range: std::ops::Range<usize>,
        base: Value,
        offset: i32,
        flags: MemFlagsData,
    ) -> Leaves {
        let mut leaves = Leaves::new();
        for ix in range {
            let at = offset + mem.offsets[ix] as i32;
            let leaf = mem.leaves[ix];
            let value = self.cur.ins().load(leaf_type(leaf), flags, base, at);
            leaves.push(match leaf {
                Leaf::Box(ty) => self.zero_struct_of_null(ty, value),
                _ => value,
            });
        }
        leaves
    }

    fn zero_struct_of_null(&mut self, ty: Ty, pointer: Value) -> Value {
        if !self.rep(ty).zero {
            return pointer;
        }
        let null = self.int(0);
        let is_null = self.cur.ins().icmp(IntCC::Equal, pointer, null);
        let (cold, done) = (self.cold_block(), self.new_block());
        let result = self.cur.func.dfg.append_block_param(done, types::I64);
        self.cur
            .ins()
            .brif(is_null, cold, &[], done, &[pointer.into()]);
        self.cur.goto_bottom(cold);
        let descriptor = self.symbol(Symbolic::Descriptor(ty, Content::Box));
        let object = self.call_runtime_value(RuntimeFn::NewBox, &[self.vmctx, descriptor]);
        self.jump(done, &[object]);
        self.cur.goto_bottom(done);
        result
    }

    /// A field; the result type is read only where the tuple's own type is not known.
    pub(super) fn field(&mut self, of: Val, n: u32, ty: Ty) -> Leaves {
        let rep = self.rep(self.ty(of));
        if rep.is_dynamic() {
            let index = self.int(i64::from(n));
            return self.index_tuple_dyn(of, index, ty);
        }
        let field = rep.fields[n as usize];
        let range = field.first as usize..(field.first + field.count) as usize;
        if !rep.is_boxed() {
            return self.leaves(of)[range].into();
        }
        let object = self.one(of);
        self.load_leaves(&rep.contents, range, object, BOX_DATA, constant())
    }

    /// An element of a tuple at a run-time index.
    pub(super) fn tuple_index(&mut self, tuple: Val, index: Val, ty: Ty) -> Leaves {
        let rep = self.rep(self.ty(tuple));
        let index = self.one(index);
        if rep.is_dynamic() {
            return self.index_tuple_dyn(tuple, index, ty);
        }
        let length = self.int(rep.fields.len() as i64);
        self.check_bounds(index, length);
        let done = self.new_block();
        let target = self.rep(ty);
        let results: Leaves = target
            .leaves
            .iter()
            .map(|&leaf| self.cur.func.dfg.append_block_param(done, leaf_type(leaf)))
            .collect();
        let last = rep.fields.len().saturating_sub(1);
        for n in 0..rep.fields.len() {
            let other = (n < last).then(|| {
                let (this, other) = (self.new_block(), self.new_block());
                let n = self.int(n as i64);
                let hit = self.cur.ins().icmp(IntCC::Equal, index, n);
                self.cur.ins().brif(hit, this, &[], other, &[]);
                self.cur.goto_bottom(this);
                other
            });
            let leaves = self.field(tuple, n as u32, ty);
            let leaves = self.widen_leaves(rep.fields[n].ty, leaves, ty);
            self.jump(done, &leaves);
            if let Some(other) = other {
                self.cur.goto_bottom(other);
            }
        }
        if rep.fields.is_empty() {
            // The bounds check has failed before.
            self.unreachable();
        }
        self.cur.goto_bottom(done);
        results
    }

    pub(super) fn array_new(&mut self, length: Val, ty: Ty) -> Leaves {
        let element = self.element_type(ty);
        let descriptor = self.symbol(Symbolic::Descriptor(element, Content::Array));
        let args = [self.vmctx, descriptor, self.one(length)];
        SmallVec::from_slice(&[self.call_runtime_value(RuntimeFn::NewArray, &args)])
    }

    /// An array that the work-items of a group share.
    pub(super) fn shared(&mut self, length: u64, ty: Ty) -> Leaves {
        let element = self.element_type(ty);
        let descriptor = self.symbol(Symbolic::Descriptor(element, Content::Array));
        let length = self.int(length as i64);
        let args = [self.vmctx, descriptor, length];
        SmallVec::from_slice(&[self.call_runtime_value(RuntimeFn::Shared, &args)])
    }

    fn element_type(&mut self, array: Ty) -> Ty {
        match self.rep(array).shape {
            Shape::Array(element) => element,
            ref other => unreachable!("an array operation on {other:?}"),
        }
    }

    pub(super) fn length(&mut self, array: Value) -> Value {
        let mut flags = constant();
        if self.convention == Convention::System {
            // Other code generators are told that nothing else overlaps it.
            let data = AliasRegionData {
                user_id: LENGTHS,
                description: "lengths".into(),
            };
            flags.set_alias_region(Some(self.cur.func.dfg.alias_regions.insert(data)));
        }
        self.cur.ins().load(types::I64, flags, array, LENGTH)
    }

    /// Accesses to elements: those of different machine types never overlap.
    fn element_flags(&mut self, leaf: Leaf) -> MemFlagsData {
        let (user_id, description) = match leaf {
            Leaf::I8 => (1, "elements i8"),
            Leaf::I16 => (2, "elements i16"),
            Leaf::I32 => (3, "elements i32"),
            Leaf::I64 => (4, "elements i64"),
            Leaf::F32 => (5, "elements f32"),
            Leaf::F64 => (6, "elements f64"),
            Leaf::Ptr | Leaf::Box(_) => (7, "elements ptr"),
            Leaf::Tag | Leaf::Payload => (8, "elements dyn"),
        };
        let data = AliasRegionData {
            user_id,
            description: description.into(),
        };
        let region = self.cur.func.dfg.alias_regions.insert(data);
        trusted().with_alias_region(Some(region))
    }

    /// The address of an element, less [`DATA`], after the bounds check; `access` is the result
    /// of the operation.
    fn element(&mut self, access: Val, array: Val, index: Val) -> (Arc<Rep>, Value) {
        let element = self.element_type(self.ty(array));
        let rep = self.rep(element);
        let (array, index) = (self.one(array), self.one(index));
        if !self.is_in_bounds(access) {
            let length = self.length(array);
            self.check_bounds(index, length);
        }
        let size = rep.mem.size;
        let scaled = match size {
            0 | 1 => index,
            _ if size.is_power_of_two() => {
                let shift = self.int(i64::from(size.trailing_zeros()));
                self.cur.ins().ishl(index, shift)
            }
            _ => {
                let size = self.int(i64::from(size));
                self.cur.ins().imul(index, size)
            }
        };
        let address = self.cur.ins().iadd(array, scaled);
        (rep, address)
    }

    pub(super) fn array_get(&mut self, access: Val, array: Val, index: Val) -> Leaves {
        let (rep, address) = self.element(access, array, index);
        let mut leaves = Leaves::new();
        for (ix, &leaf) in rep.leaves.iter().enumerate() {
            let flags = self.element_flags(leaf);
            let loaded = self.load_leaves(&rep.mem, ix..ix + 1, address, DATA, flags);
            self.loaded.push(Seen {
                element: rep.ty,
                leaf: ix,
                at: (array, index),
                value: loaded[0],
            });
            leaves.extend(loaded);
        }
        if let Some(witness) = rep.witness() {
            let null = self.int(0);
            let unwritten = self.cur.ins().icmp(IntCC::Equal, leaves[witness], null);
            self.fail_if(unwritten, Fault::Uninitialized);
        }
        leaves
    }

    pub(super) fn array_set(&mut self, access: Val, array: Val, index: Val, value: Val) {
        let (rep, address) = self.element(access, array, index);
        let leaves = self.leaves(value);
        for (ix, &leaf) in rep.leaves.iter().enumerate() {
            let seen = Seen {
                element: rep.ty,
                leaf: ix,
                at: (array, index),
                value: leaves[ix],
            };
            if self.loaded.contains(&seen) {
                // It is there already: the rest of a struct of which one field was changed.
                continue;
            }
            // Another index may be the same, and another array of this type, too.
            self.loaded
                .retain(|other| (other.element, other.leaf) != (rep.ty, ix));
            let flags = self.element_flags(leaf);
            let at = DATA + rep.mem.offsets[ix] as i32;
            self.cur.ins().store(flags, leaves[ix], address, at);
        }
    }

    /// An atomic of a kernel: on the host one thread runs all work-items of a launch, so plain
    /// accesses are atomic.
    pub(super) fn atomic(&mut self, result: Val, op: Atomic, args: &[Val]) -> Leaves {
        let (rep, address) = self.element(result, args[0], args[1]);
        let Shape::Scalar(scalar) = rep.shape else {
            unreachable!("an atomic on {:?}", rep.shape)
        };
        let flags = self.element_flags(rep.leaves[0]);
        let ty = leaf_type(rep.leaves[0]);
        let old = self.cur.ins().load(ty, flags, address, DATA);
        let operand = self.one(args[2]);
        let float = matches!(scalar, Scalar::F32 | Scalar::F64);
        let signed = matches!(scalar, Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64);
        let new = match op {
            Atomic::Add if float => self.cur.ins().fadd(old, operand),
            Atomic::Add => self.cur.ins().iadd(old, operand),
            Atomic::Min if float => self.cur.ins().fmin(old, operand),
            Atomic::Min if signed => self.cur.ins().smin(old, operand),
            Atomic::Min => self.cur.ins().umin(old, operand),
            Atomic::Max if float => self.cur.ins().fmax(old, operand),
            Atomic::Max if signed => self.cur.ins().smax(old, operand),
            Atomic::Max => self.cur.ins().umax(old, operand),
            Atomic::Cas => {
                let replacement = self.one(args[3]);
                let hit = self.equal_bits(old, operand, rep.leaves[0]);
                self.cur.ins().select(hit, replacement, old)
            }
        };
        self.cur.ins().store(flags, new, address, DATA);
        SmallVec::from_slice(&[old])
    }

    /// Compare-and-swap compares bits, also of floats.
    fn equal_bits(&mut self, a: Value, b: Value, leaf: Leaf) -> Value {
        let (a, b) = (self.payload_of(leaf, a), self.payload_of(leaf, b));
        self.cur.ins().icmp(IntCC::Equal, a, b)
    }

    /// A slot in the frame for this many words; its address.
    pub(super) fn stack_words(&mut self, words: usize) -> Value {
        let bytes = u32::try_from(words * 8).expect("a small slot");
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 3);
        let slot = self.cur.func.create_sized_stack_slot(data);
        self.cur.ins().stack_addr(types::I64, slot, 0)
    }
}
