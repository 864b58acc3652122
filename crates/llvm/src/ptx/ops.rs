//! Operations: arrays, structs, calls, coordinates, atomics.

use super::function::{Emit, Slot, llvm_type, memory_type};
use super::helpers::{AtomicOp, Helper};
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::device::{self, Elem, FailKind, Leaf};
use worldage_wir::ir::{Atomic, GridQuery, Inst, Op, Pos, Val};
use worldage_wir::module::{Unsupported, trace};
use worldage_wir::prim::Scalar;

impl Emit<'_, '_> {
    pub(super) fn inst(&mut self, inst: &Inst) -> Result<(), Unsupported> {
        let (result, pos) = (inst.result, inst.pos);
        match &inst.op {
            Op::Const(constant) => self.constant(result, constant, pos)?,
            Op::Prim(prim, args) => self.prim(*prim, args, result, pos)?,
            Op::Make(fields) => {
                // The type is asked first: what it cannot hold is told of the whole.
                self.w.leaves(self.body, pos, self.ty(result))?;
                let slots = fields.iter().flat_map(|field| self.slots_of(*field));
                let slots = slots.collect();
                self.set(result, slots);
            }
            Op::Field(val, n) => self.field(*val, *n, result, pos)?,
            Op::TupleIndex(tuple, index) => self.tuple_index(*tuple, *index, result, pos)?,
            Op::ArrayLen(array) => {
                let (_, _, length) = self.array(*array);
                self.set_scalar(result, Scalar::I64, length);
            }
            Op::ArrayGet(array, index) => {
                let (elem, at, index) = self.element(*array, *index, result, pos);
                let slots = match self.is_needed(result) {
                    true => self.load(&elem, &at, &index),
                    false => Vec::new(),
                };
                self.set(result, slots);
            }
            Op::ArraySet(array, index, value) => {
                let (elem, at, index) = self.element(*array, *index, result, pos);
                self.store(&elem, &at, &index, *value);
                self.set(result, Vec::new());
            }
            Op::Call(callee, args) => self.call(*callee, args, result, pos)?,
            Op::Grid(query, dimension) => {
                let value = self.grid(*query, *dimension);
                self.set_scalar(result, Scalar::I64, value);
            }
            Op::Barrier => {
                self.barrier();
                self.set(result, Vec::new());
            }
            Op::Shared(length) => self.share(*length, result),
            Op::Atomic(atomic, args) => self.atomic(*atomic, args, result, pos)?,
            other => return Err(self.refusal(pos, device::refusal(other))),
        }
        Ok(())
    }

    pub(super) fn refusal(&self, pos: Pos, what: impl Into<String>) -> Unsupported {
        Unsupported {
            what: what.into(),
            trace: trace(self.body, pos),
        }
    }

    /// Fails with `index-out-of-bounds` unless `0 <= index < length`.
    fn check_bounds(&mut self, index: &str, length: &str, pos: Pos) {
        let known = |text: &str| text.parse::<u64>().ok();
        if let (Some(index), Some(length)) = (known(index), known(length))
            && index < length
        {
            return;
        }
        let site = self.w.site(FailKind::Bounds, self.body, pos);
        self.w.helpers.insert(Helper::Fail);
        self.w.helpers.insert(Helper::Bounds);
        let bad = self
            .text
            .value(format_args!("icmp uge i64 {index}, {length}"));
        self.unless(&bad, |emit| {
            let claimed = emit.text.value(format_args!(
                "call i32 @wa_bounds(ptr %error, i32 {site}, i64 {index}, i64 {length})"
            ));
            emit.stop(&claimed);
        });
    }

    // Structs and tuples.

    fn field(&mut self, of: Val, n: u32, result: Val, pos: Pos) -> Result<(), Unsupported> {
        let fields = self.w.layouts.universe().fields(self.ty(of));
        let fields = fields.ok_or_else(|| self.refusal(pos, device::refusal(&Op::Field(of, n))))?;
        let mut before = 0;
        for ty in fields.tys.iter().take(n as usize) {
            before += self.w.leaves(self.body, pos, *ty)?.len();
        }
        let count = self.w.leaves(self.body, pos, self.ty(result))?.len();
        let slots = self.slots_of(of)[before..before + count].to_vec();
        self.set(result, slots);
        Ok(())
    }

    fn tuple_index(
        &mut self,
        tuple: Val,
        index: Val,
        result: Val,
        pos: Pos,
    ) -> Result<(), Unsupported> {
        let leaves = self.w.leaves(self.body, pos, self.ty(result))?;
        let slots = self.slots_of(tuple);
        let fields = self.w.layouts.universe().fields(self.ty(tuple));
        let count = fields.map_or(0, |fields| fields.tys.len());
        let index = self.scalar(index);
        self.check_bounds(&index, &count.to_string(), pos);
        let Some(last) = slots.len().checked_sub(leaves.len()) else {
            self.set(result, Vec::new());
            return Ok(());
        };
        // All elements are of one type: the parts of the last one, unless an earlier one is meant.
        let mut chosen = slots[last..].to_vec();
        for n in (0..count.saturating_sub(1)).rev() {
            let hit = self.text.value(format_args!("icmp eq i64 {index}, {n}"));
            let this = &slots[n * leaves.len()..(n + 1) * leaves.len()];
            chosen = this
                .iter()
                .zip(&chosen)
                .map(|(this, other)| self.select(&hit, this, other))
                .collect();
        }
        self.set(result, chosen);
        Ok(())
    }

    fn select(&mut self, hit: &str, this: &Slot, other: &Slot) -> Slot {
        let text = &mut self.text;
        let mut choose = |ty: &str, a: &str, b: &str| {
            text.value(format_args!("select i1 {hit}, {ty} {a}, {ty} {b}"))
        };
        match (this, other) {
            (Slot::Scalar(scalar, a), Slot::Scalar(_, b)) => {
                Slot::Scalar(*scalar, choose(llvm_type(*scalar), a, b))
            }
            (
                Slot::Array { elem, at, length },
                Slot::Array {
                    at: other_at,
                    length: other_length,
                    ..
                },
            ) => Slot::Array {
                elem: elem.clone(),
                at: choose("ptr", at, other_at),
                length: choose("i64", length, other_length),
            },
            _ => unreachable!("elements of one type have the same parts"),
        }
    }

    // Arrays.

    fn array(&self, val: Val) -> (Elem, String, String) {
        match &self.slots_of(val)[..] {
            [Slot::Array { elem, at, length }] => (elem.clone(), at.clone(), length.clone()),
            other => unreachable!("an array was expected: {other:?}"),
        }
    }

    /// An array and an index within its bounds.
    fn element(&mut self, array: Val, index: Val, access: Val, pos: Pos) -> (Elem, String, String) {
        let (elem, at, length) = self.array(array);
        let index = self.scalar(index);
        if !self.is_in_bounds(access) {
            self.check_bounds(&index, &length, pos);
        }
        (elem, at, index)
    }

    /// The address of one scalar of an element.
    fn place(&mut self, elem: &Elem, at: &str, index: &str, part: usize) -> (Scalar, String) {
        if let Some(scalar) = elem.scalar() {
            let ty = memory_type(scalar);
            let place = format!("getelementptr inbounds {ty}, ptr {at}, i64 {index}");
            return (scalar, self.text.value(place));
        }
        let (scalar, offset) = elem.fields[part];
        let size = elem.size;
        let first = self.text.value(format_args!(
            "getelementptr inbounds [{size} x i8], ptr {at}, i64 {index}"
        ));
        let place = format!("getelementptr inbounds i8, ptr {first}, i64 {offset}");
        (scalar, self.text.value(place))
    }

    fn load(&mut self, elem: &Elem, at: &str, index: &str) -> Vec<Slot> {
        let mut slots = Vec::new();
        for part in 0..elem.fields.len() {
            let (scalar, place) = self.place(elem, at, index, part);
            let (ty, align) = (memory_type(scalar), scalar.bytes());
            let mut value = self
                .text
                .value(format_args!("load {ty}, ptr {place}, align {align}"));
            if scalar == Scalar::Bool {
                value = self.text.value(format_args!("icmp ne i8 {value}, 0"));
            }
            slots.push(Slot::Scalar(scalar, value));
        }
        slots
    }

    fn store(&mut self, elem: &Elem, at: &str, index: &str, value: Val) {
        let slots = self.slots_of(value);
        for (part, slot) in slots.iter().enumerate() {
            let Slot::Scalar(scalar, value) = slot else {
                unreachable!("an element holds scalars")
            };
            let (_, place) = self.place(elem, at, index, part);
            let (ty, align) = (memory_type(*scalar), scalar.bytes());
            let value = match scalar {
                Scalar::Bool => self.text.value(format_args!("zext i1 {value} to i8")),
                _ => value.clone(),
            };
            self.text
                .line(format!("store {ty} {value}, ptr {place}, align {align}"));
        }
    }

    fn share(&mut self, length: u64, result: Val) {
        let place = (self.function.mi, result.0);
        let known = self.w.shared.iter().position(|one| one.place == place);
        let ix = known.expect("shared arrays were found before");
        let slot = Slot::Array {
            elem: self.w.shared[ix].elem.clone(),
            at: format!("addrspacecast (ptr addrspace(3) @shared{ix} to ptr)"),
            length: length.to_string(),
        };
        self.set(result, vec![slot]);
    }

    fn atomic(
        &mut self,
        atomic: Atomic,
        args: &[Val],
        result: Val,
        pos: Pos,
    ) -> Result<(), Unsupported> {
        let (elem, at, index) = self.element(args[0], args[1], result, pos);
        let Some(scalar) = elem.scalar().filter(|s| s.bits() >= 32) else {
            let what = "a device has atomics on numbers of 32 and 64 bits only";
            return Err(self.refusal(pos, what));
        };
        let (_, place) = self.place(&elem, &at, &index, 0);
        let (ty, bits, align) = (llvm_type(scalar), scalar.bits(), scalar.bytes());
        let operand = self.scalar(args[2]);
        let order = "syncscope(\"device\") monotonic";
        let old = match atomic {
            Atomic::Cas => {
                let new = self.scalar(args[3]);
                let (expected, new) = (self.bits_of(scalar, &operand), self.bits_of(scalar, &new));
                let pair = self.text.value(format_args!(
                    "cmpxchg ptr {place}, i{bits} {expected}, i{bits} {new} {order} monotonic, \
                     align {align}"
                ));
                let old = self
                    .text
                    .value(format_args!("extractvalue {{ i{bits}, i1 }} {pair}, 0"));
                match scalar.is_float() {
                    true => self
                        .text
                        .value(format_args!("bitcast i{bits} {old} to {ty}")),
                    false => old,
                }
            }
            // The device's own addition of Float32 takes subnormal numbers for zero.
            _ if scalar.is_float() => {
                let op = match atomic {
                    Atomic::Min => AtomicOp::Min,
                    Atomic::Max => AtomicOp::Max,
                    Atomic::Add | Atomic::Cas => AtomicOp::Add,
                };
                let helper = Helper::AtomicFloat(op, scalar);
                self.w.helpers.insert(helper);
                let name = helper.name();
                self.text.value(format_args!(
                    "call {ty} @{name}(ptr {place}, {ty} {operand})"
                ))
            }
            _ => {
                let op = match (atomic, scalar.is_signed()) {
                    (Atomic::Min, true) => "min",
                    (Atomic::Min, false) => "umin",
                    (Atomic::Max, true) => "max",
                    (Atomic::Max, false) => "umax",
                    (Atomic::Add | Atomic::Cas, _) => "add",
                };
                self.text.value(format_args!(
                    "atomicrmw {op} ptr {place}, {ty} {operand} {order}, align {align}"
                ))
            }
        };
        self.set_scalar(result, scalar, old);
        Ok(())
    }

    fn bits_of(&mut self, scalar: Scalar, value: &str) -> String {
        if !scalar.is_float() {
            return value.to_string();
        }
        let (ty, bits) = (llvm_type(scalar), scalar.bits());
        self.text
            .value(format_args!("bitcast {ty} {value} to i{bits}"))
    }

    // The grid.

    fn grid(&mut self, query: GridQuery, dimension: Val) -> String {
        let dimension = self.scalar(dimension);
        let outside = match query {
            GridQuery::GlobalId | GridQuery::LocalId | GridQuery::GroupId => "0",
            GridQuery::GlobalSize | GridQuery::LocalSize | GridQuery::NumGroups => "1",
        };
        if let Ok(known) = dimension.parse::<i64>() {
            return match usize::try_from(known).ok().filter(|d| *d < 3) {
                Some(d) => self.coordinate(query, d),
                None => outside.to_string(),
            };
        }
        let mut value = outside.to_string();
        for d in 0..3 {
            let this = self.coordinate(query, d);
            let hit = self
                .text
                .value(format_args!("icmp eq i64 {dimension}, {d}"));
            value = self
                .text
                .value(format_args!("select i1 {hit}, i64 {this}, i64 {value}"));
        }
        value
    }

    fn coordinate(&mut self, query: GridQuery, d: usize) -> String {
        match query {
            GridQuery::LocalId => self.register("tid", d),
            GridQuery::LocalSize => self.register("ntid", d),
            GridQuery::GroupId => self.register("ctaid", d),
            GridQuery::NumGroups => self.register("nctaid", d),
            GridQuery::GlobalSize => {
                let (groups, size) = (self.register("nctaid", d), self.register("ntid", d));
                self.text
                    .value(format_args!("mul nuw nsw i64 {groups}, {size}"))
            }
            GridQuery::GlobalId => {
                let (group, size) = (self.register("ctaid", d), self.register("ntid", d));
                let first = self
                    .text
                    .value(format_args!("mul nuw nsw i64 {group}, {size}"));
                let own = self.register("tid", d);
                self.text
                    .value(format_args!("add nuw nsw i64 {first}, {own}"))
            }
        }
    }

    fn register(&mut self, name: &str, d: usize) -> String {
        let d = ["x", "y", "z"][d];
        let name = format!("llvm.nvvm.read.ptx.sreg.{name}.{d}");
        self.w.intrinsics.insert(format!("i32 @{name}()"));
        let value = self.text.value(format_args!("call i32 @{name}()"));
        self.text.value(format_args!("zext i32 {value} to i64"))
    }

    // Calls.

    fn call(&mut self, callee: Mi, args: &[Val], result: Val, pos: Pos) -> Result<(), Unsupported> {
        let function = self.w.module.function(callee);
        let function = function.expect("a module holds what it calls");
        let mut passed = Vec::new();
        for arg in args {
            for slot in self.slots_of(*arg) {
                slot.each(|ty, name| passed.push(format!("{ty} {name}")));
            }
        }
        passed.push("ptr %error".to_string());
        let leaves = match function.body.ret {
            Ty::BOTTOM => Vec::new(),
            ty => self.w.leaves(self.body, pos, ty)?,
        };
        let ty = self.result_type(&leaves);
        let name = self.w.names[&callee].clone();
        let given = self
            .text
            .value(format_args!("call {ty} @{name}({})", passed.join(", ")));
        let claimed = self
            .text
            .value(format_args!("extractvalue {ty} {given}, 0"));
        let bad = self.text.value(format_args!("icmp ne i32 {claimed}, 0"));
        let site = self.w.site(FailKind::Call, self.body, pos);
        self.w.helpers.insert(Helper::Called);
        self.unless(&bad, |emit| {
            let claimed = emit.text.value(format_args!(
                "call i32 @wa_called(ptr %error, i32 {claimed}, i32 {site})"
            ));
            emit.stop(&claimed);
        });
        let mut part = 0;
        let mut next = |emit: &mut Self| {
            part += 1;
            emit.text
                .value(format_args!("extractvalue {ty} {given}, {part}"))
        };
        let mut slots = Vec::new();
        for leaf in leaves {
            slots.push(match leaf {
                Leaf::Scalar(scalar) => Slot::Scalar(scalar, next(self)),
                Leaf::Array(elem) => Slot::Array {
                    elem,
                    at: next(self),
                    length: next(self),
                },
            });
        }
        self.set(result, slots);
        Ok(())
    }
}
