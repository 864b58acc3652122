//! Operations: arrays, structs, calls, coordinates, atomics; checks and what follows where one
//! fails.

use super::emit::{Emit, Operand, Slot, part_name};
use super::helpers::{AtomicOp, Helper};
use crate::data::{Elem, Leaf, Space, c_memory_type, c_type};
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::device::{FailKind, refusal};
use worldage_wir::ir::{Atomic, GridQuery, Inst, Op, Pos, Val};
use worldage_wir::module::{Unsupported, trace};
use worldage_wir::prim::Scalar;

impl Emit<'_, '_> {
    pub(super) fn inst(&mut self, inst: &Inst) -> Result<(), Unsupported> {
        let (result, pos) = (inst.result, inst.pos);
        match &inst.op {
            Op::Const(constant) => self.constant(result, constant, pos),
            Op::Prim(prim, args) => self.prim(*prim, args, result, pos),
            Op::Make(fields) => {
                // The type is asked first: what it cannot hold is told of the whole.
                self.g.leaves(self.body, pos, self.ty(result))?;
                let slots = fields.iter().flat_map(|field| self.slots_of(*field));
                let slots = slots.collect();
                self.set(result, slots);
                Ok(())
            }
            Op::Field(val, n) => self.field(*val, *n, result, pos),
            Op::TupleIndex(tuple, index) => self.tuple_index(*tuple, *index, result, pos),
            Op::ArrayLen(array) => {
                let (_, _, _, length) = self.array(*array);
                self.set(result, vec![Slot::Scalar(Scalar::I64, length)]);
                Ok(())
            }
            Op::ArrayGet(array, index) => {
                let (elem, space, at, index) = self.element(*array, *index, result, pos);
                self.load(&elem, space, &at, &index, result)
            }
            Op::ArraySet(array, index, value) => {
                let (elem, space, at, index) = self.element(*array, *index, result, pos);
                self.store(&elem, space, &at, &index, *value);
                self.set(result, Vec::new());
                Ok(())
            }
            Op::Call(callee, args) => self.call(*callee, args, result, pos),
            Op::Grid(query, dimension) => {
                let value = self.grid(*query, *dimension);
                let cheap = !self.in_loop();
                self.define(result, Scalar::I64, value, cheap);
                Ok(())
            }
            Op::Barrier => {
                self.text
                    .line("barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);");
                self.set(result, Vec::new());
                Ok(())
            }
            Op::Shared(length) => self.share(*length, result, pos),
            Op::Atomic(atomic, args) => self.atomic(*atomic, args, result, pos),
            other => Err(self.refuse(pos, refusal(other))),
        }
    }

    pub(super) fn refuse(&self, pos: Pos, what: impl Into<String>) -> Unsupported {
        Unsupported {
            what: what.into(),
            trace: trace(self.body, pos),
        }
    }

    // Failing.

    /// Writes that the work-item stops with a site's error where the condition holds.
    pub(super) fn fail_if(&mut self, condition: &str, kind: FailKind, details: &str, pos: Pos) {
        let helper = match kind {
            FailKind::Bounds => Helper::Bounds,
            _ => Helper::Fail,
        };
        let site = self.g.site(kind, self.body, pos);
        let fail = format!("{}(wa_error, {site}{details})", self.g.helper(helper));
        self.text.line(if self.waits() {
            format!("if (!*wa_stopped && ({condition})) {{ {fail}; *wa_stopped = true; }}")
        } else if self.is_entry {
            format!("if ({condition}) {{ {fail}; return; }}")
        } else {
            format!("if ({condition}) return {fail};")
        });
    }

    /// An expression that must not be computed by a work-item that has failed.
    pub(super) fn guarded(&self, scalar: Scalar, value: Operand) -> Operand {
        if !self.waits() {
            return value;
        }
        let text = format!("(*wa_stopped ? ({})0 : {})", c_type(scalar), value.text);
        Operand::join(text, &[&value])
    }

    /// Writes a bounds check, unless both values are known.
    fn check_bounds(&mut self, index: &str, length: &str, pos: Pos) {
        let known = |text: &str| text.strip_suffix('L').and_then(|n| n.parse::<u64>().ok());
        if let (Some(index), Some(length)) = (known(index), known(length))
            && index < length
        {
            return;
        }
        let condition = format!("(ulong){index} >= (ulong){length}");
        let details = format!(", {index}, {length}");
        self.fail_if(&condition, FailKind::Bounds, &details, pos);
    }

    fn guard(&self) -> &'static str {
        if self.waits() {
            "if (!*wa_stopped) "
        } else {
            ""
        }
    }

    /// An expression that can be written several times.
    pub(super) fn simple(&mut self, scalar: Scalar, value: Operand) -> Operand {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if value.text.chars().all(is_plain) {
            return value;
        }
        let name = self.temporary();
        let ty = self.g.c_type(scalar);
        let text = super::emit::bare(&value.text);
        self.text.line(format!("const {ty} {name} = {text};"));
        Operand::plain(name)
    }

    // Structs and tuples.

    fn field(&mut self, of: Val, n: u32, result: Val, pos: Pos) -> Result<(), Unsupported> {
        let fields = self.g.layouts.universe().fields(self.ty(of));
        let fields = fields.ok_or_else(|| self.refuse(pos, refusal(&Op::Field(of, n))))?;
        let mut before = 0;
        for ty in fields.tys.iter().take(n as usize) {
            before += self.g.leaves(self.body, pos, *ty)?.len();
        }
        let count = self.g.leaves(self.body, pos, self.ty(result))?.len();
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
        let leaves = self.g.leaves(self.body, pos, self.ty(result))?;
        let slots = self.slots_of(tuple);
        let index = self.scalar(index);
        let index = self.simple(Scalar::I64, index);
        self.check_bounds(&index.text, &format!("{}L", slots.len()), pos);
        let [Leaf::Scalar(scalar)] = leaves[..] else {
            return Err(self.refuse(
                pos,
                "a tuple of structs is indexed by a constant on a device",
            ));
        };
        let parts: Vec<Operand> = slots
            .into_iter()
            .filter_map(|slot| match slot {
                Slot::Scalar(_, operand) => Some(operand),
                Slot::Array { .. } => None,
            })
            .collect();
        let mut text = String::from("(");
        for (n, part) in parts.iter().enumerate() {
            if n + 1 < parts.len() {
                text.push_str(&format!("{} == {n}L ? {} : ", index.text, part.text));
            } else {
                text.push_str(&part.text);
            }
        }
        text.push_str(if parts.is_empty() { "0)" } else { ")" });
        let reads: Vec<&Operand> = parts.iter().chain([&index]).collect();
        self.define(result, scalar, Operand::join(text, &reads), false);
        Ok(())
    }

    // Arrays.

    fn array(&self, val: Val) -> (Elem, Space, Operand, Operand) {
        match &self.slots_of(val)[..] {
            [
                Slot::Array {
                    elem,
                    space,
                    at,
                    length,
                },
            ] => (elem.clone(), *space, at.clone(), length.clone()),
            other => unreachable!("an array was expected: {other:?}"),
        }
    }

    /// An array and an index within its bounds.
    fn element(
        &mut self,
        array: Val,
        index: Val,
        access: Val,
        pos: Pos,
    ) -> (Elem, Space, Operand, Operand) {
        let (elem, space, at, length) = self.array(array);
        let index = self.scalar(index);
        if elem.scalar().is_some() && self.is_in_bounds(access) {
            return (elem, space, at, index);
        }
        let index = self.simple(Scalar::I64, index);
        if self.is_in_bounds(access) {
            return (elem, space, at, index);
        }
        self.check_bounds(&index.text, &length.text, pos);
        (elem, space, at, index)
    }

    fn load(
        &mut self,
        elem: &Elem,
        space: Space,
        at: &Operand,
        index: &Operand,
        result: Val,
    ) -> Result<(), Unsupported> {
        if !self.is_needed(result) {
            self.set(result, Vec::new());
            return Ok(());
        }
        if let Some(scalar) = elem.scalar() {
            let value = self.guarded(
                scalar,
                place(scalar, &place_text(elem, space, at, index, 0)),
            );
            self.define(result, scalar, value, false);
            return Ok(());
        }
        let slots = self.variables(result, super::ENTRY)?;
        for (part, slot) in slots.iter().enumerate() {
            if let Slot::Scalar(scalar, to) = slot {
                let from = place(*scalar, &place_text(elem, space, at, index, part));
                let guard = self.guard();
                self.text
                    .line(format!("{guard}{} = {};", to.text, from.text));
            }
        }
        self.set(result, slots);
        Ok(())
    }

    fn store(&mut self, elem: &Elem, space: Space, at: &Operand, index: &Operand, value: Val) {
        let slots = self.slots_of(value);
        for (part, slot) in slots.iter().enumerate() {
            if let Slot::Scalar(_, value) = slot {
                let to = place_text(elem, space, at, index, part);
                let guard = self.guard();
                let value = super::emit::bare(&value.text);
                self.text.line(format!("{guard}{to} = {value};"));
            }
        }
    }

    fn share(&mut self, length: u64, result: Val, pos: Pos) -> Result<(), Unsupported> {
        let leaves = self.g.leaves(self.body, pos, self.ty(result))?;
        let [Leaf::Array(elem)] = &leaves[..] else {
            unreachable!("`shared` makes an array")
        };
        // One place in the program is one array, whoever calls the function.
        let name = format!("wa_shared_{}_{}", self.function.mi.0, result.0);
        let name = match self.g.shared.iter().position(|shared| shared.key == name) {
            Some(ix) => {
                self.shared.insert(ix);
                self.g.shared[ix].name.clone()
            }
            None => {
                let number = self.g.shared.len();
                let shared = super::Shared {
                    key: name,
                    name: format!("wa_shared{number}"),
                    elem: elem.clone(),
                    length,
                };
                self.shared.insert(number);
                self.g.shared.push(shared);
                format!("wa_shared{number}")
            }
        };
        let slot = Slot::Array {
            elem: elem.clone(),
            space: Space::Local,
            at: Operand::plain(name),
            length: Operand::plain(format!("{length}L")),
        };
        self.set(result, vec![slot]);
        Ok(())
    }

    fn atomic(
        &mut self,
        atomic: Atomic,
        args: &[Val],
        result: Val,
        pos: Pos,
    ) -> Result<(), Unsupported> {
        let (elem, space, at, index) = self.element(args[0], args[1], result, pos);
        let Some(scalar) = elem.scalar().filter(|s| s.bits() >= 32) else {
            let what = "a device has atomics on numbers of 32 and 64 bits only";
            return Err(self.refuse(pos, what));
        };
        let place = place_text(&elem, space, &at, &index, 0);
        let operand = self.scalar(args[2]);
        let wide = scalar.bits() == 64;
        self.g.needs_long_atomics |= wide;
        let prefix = if wide { "atom" } else { "atomic" };
        let t = c_type(scalar);
        let text = match atomic {
            Atomic::Cas if scalar.is_float() => {
                let bits = if wide { "ulong" } else { "uint" };
                let new = self.scalar(args[3]).text;
                format!(
                    "as_{t}({prefix}_cmpxchg((volatile {space} {bits} *)&{place}, \
                     as_{bits}({}), as_{bits}({new})))",
                    operand.text
                )
            }
            Atomic::Cas => {
                let new = self.scalar(args[3]).text;
                format!("{prefix}_cmpxchg(&{place}, {}, {new})", operand.text)
            }
            op => {
                let (op, name) = match op {
                    Atomic::Min => (AtomicOp::Min, "min"),
                    Atomic::Max => (AtomicOp::Max, "max"),
                    Atomic::Add | Atomic::Cas => (AtomicOp::Add, "add"),
                };
                if scalar.is_float() {
                    let local = space == Space::Local;
                    let function = self.g.helper(Helper::AtomicFloat(op, scalar, local));
                    format!("{function}(&{place}, {})", operand.text)
                } else {
                    format!("{prefix}_{name}(&{place}, {})", operand.text)
                }
            }
        };
        if self.is_needed(result) {
            let value = self.guarded(scalar, Operand::plain(text));
            self.define(result, scalar, value, false);
        } else {
            let guard = self.guard();
            self.text.line(format!("{guard}{text};"));
            self.set(result, Vec::new());
        }
        Ok(())
    }

    // The grid.

    fn grid(&mut self, query: GridQuery, dimension: Val) -> Operand {
        let (function, outside) = match query {
            GridQuery::GlobalId => ("get_global_id", 0),
            GridQuery::GlobalSize => ("get_global_size", 1),
            GridQuery::LocalId => ("get_local_id", 0),
            GridQuery::LocalSize => ("get_local_size", 1),
            GridQuery::GroupId => ("get_group_id", 0),
            GridQuery::NumGroups => ("get_num_groups", 1),
        };
        let dimension = self.scalar(dimension);
        if let Some(known) = dimension.text.strip_suffix('L')
            && let Ok(known) = known.parse::<u64>()
        {
            return Operand::plain(match known {
                0..3 => format!("(long){function}({known})"),
                _ => format!("{outside}L"),
            });
        }
        let d = self.simple(Scalar::I64, dimension);
        let text = format!(
            "((ulong){0} < 3UL ? (long){function}((uint){0}) : {outside}L)",
            d.text
        );
        Operand::join(text, &[&d])
    }

    // Calls.

    fn call(&mut self, callee: Mi, args: &[Val], result: Val, pos: Pos) -> Result<(), Unsupported> {
        let function = self.g.callee(callee);
        let (mut texts, mut reads, mut spaces) = (Vec::new(), Vec::new(), Vec::new());
        for arg in args {
            for slot in self.slots_of(*arg) {
                match slot {
                    Slot::Scalar(_, operand) => {
                        texts.push(super::emit::bare(&operand.text).to_string());
                        reads.push(operand);
                    }
                    Slot::Array {
                        space, at, length, ..
                    } => {
                        spaces.push(space);
                        texts.push(at.text);
                        texts.push(length.text);
                    }
                }
            }
        }
        let traits = self.g.traits(callee);
        let ret = match function.body.ret {
            Ty::BOTTOM => Vec::new(),
            ty => self.g.leaves(self.body, pos, ty)?,
        };
        let (_, ret_spaces) = self.g.spaces(callee, &spaces)?;
        let made = self.g.function(callee, spaces)?;
        let (name, shared) = (
            self.g.made[made].name.clone(),
            self.g.made[made].shared.clone(),
        );
        let direct = !traits.fails && matches!(ret[..], [] | [Leaf::Scalar(_)]);
        let slots = match direct {
            true => Vec::new(),
            false => self.results(&ret, &ret_spaces, result, &mut texts),
        };
        for ix in &shared {
            texts.push(self.g.shared[*ix].name.clone());
        }
        self.shared.extend(&shared);
        if traits.fails {
            texts.push("wa_error".to_string());
        }
        let goes_on = traits.fails && traits.waits;
        if goes_on {
            texts.push("wa_stopped".to_string());
        }
        let call = format!("{name}({})", texts.join(", "));
        match ret[..] {
            [Leaf::Scalar(scalar)] if direct => {
                if self.is_needed(result) {
                    let reads: Vec<&Operand> = reads.iter().collect();
                    let value = Operand::join(call, &reads);
                    self.define(result, scalar, value, !traits.waits);
                } else if traits.waits {
                    self.text.line(format!("{call};"));
                }
                return Ok(());
            }
            [] if direct => {
                if traits.waits {
                    self.text.line(format!("{call};"));
                }
                self.set(result, Vec::new());
                return Ok(());
            }
            _ => {}
        }
        self.set(result, slots);
        if !traits.fails || goes_on {
            self.text.line(format!("{call};"));
            return Ok(());
        }
        let site = self.g.site(FailKind::Call, self.body, pos);
        let called = self.g.helper(Helper::Called);
        let claimed = self.temporary();
        if self.waits() {
            self.text.open("if (!*wa_stopped) {");
            self.text.line(format!("const int {claimed} = {call};"));
            self.text.line(format!(
                "if ({claimed}) {{ {called}(wa_error, {claimed}, {site}); *wa_stopped = true; }}"
            ));
            self.text.close("}");
            return Ok(());
        }
        self.text.line(format!("const int {claimed} = {call};"));
        self.text.line(if self.is_entry {
            format!("if ({claimed}) {{ {called}(wa_error, {claimed}, {site}); return; }}")
        } else {
            format!("if ({claimed}) return {called}(wa_error, {claimed}, {site});")
        });
        Ok(())
    }

    /// Declares what a call writes through pointers, and passes the pointers.
    fn results(
        &mut self,
        ret: &[Leaf],
        spaces: &[Option<Space>],
        result: Val,
        args: &mut Vec<String>,
    ) -> Vec<Slot> {
        let mut spaces = spaces.iter();
        let mut slots = Vec::new();
        for (part, leaf) in ret.iter().enumerate() {
            let name = part_name(&format!("v{}", result.0), part, ret.len());
            args.push(format!("&{name}"));
            match leaf {
                Leaf::Scalar(scalar) => {
                    let ty = self.g.c_type(*scalar);
                    self.declare(format!("{ty} {name} = 0;"));
                    slots.push(Slot::Scalar(*scalar, Operand::plain(name)));
                }
                Leaf::Array(elem) => {
                    let space = spaces.next().copied().flatten().unwrap_or(Space::Global);
                    let pointer = self.g.pointer(elem, space);
                    self.declare(format!("{pointer}{name} = 0;"));
                    self.declare(format!("long {name}_n = 0;"));
                    args.push(format!("&{name}_n"));
                    slots.push(Slot::Array {
                        elem: elem.clone(),
                        space,
                        length: Operand::plain(format!("{name}_n")),
                        at: Operand::plain(name),
                    });
                }
            }
        }
        slots
    }
}

/// The memory of one scalar of an element.
fn place_text(elem: &Elem, space: Space, at: &Operand, index: &Operand, part: usize) -> String {
    if elem.scalar().is_some() {
        return format!("{}[{}]", at.text, super::emit::bare(&index.text));
    }
    let (scalar, offset) = elem.fields[part];
    format!(
        "*({space} {} *)({} + {} * {}L + {offset})",
        c_memory_type(scalar),
        at.text,
        index.text,
        elem.size
    )
}

fn place(scalar: Scalar, text: &str) -> Operand {
    Operand::plain(match scalar {
        Scalar::Bool => format!("({text} != 0)"),
        _ => text.to_string(),
    })
}
