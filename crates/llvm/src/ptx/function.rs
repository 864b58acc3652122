//! One function: its signature, its blocks, the values that they exchange.
//!
//! A function other than the entry gives a struct: whether it failed (0 no, 1 yes, 2 yes and the
//! error words are its own), then the parts of its result. Arrays are pointers without an address
//! space: LLVM finds where they lie once everything is inlined.

use super::Writer;
use super::helpers::Helper;
use crate::text::Text;
use std::fmt::Write;
use worldage_dispatch::Ty;
use worldage_wir::device::{Elem, FailKind, Leaf, reach};
use worldage_wir::ir::{Blk, Block, Body, Const, Pos, Target, Term, Val, Vals};
use worldage_wir::module::{Function, Unsupported};
use worldage_wir::prim::Scalar;

/// One part of a value: its name in the text.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Scalar(Scalar, String),
    Array {
        elem: Elem,
        at: String,
        length: String,
    },
}

/// A jump that has been written.
struct Jump {
    from: String,
    to: Blk,
    args: Vals,
}

pub(super) struct Emit<'w, 'a> {
    pub(super) w: &'w mut Writer<'a>,
    pub(super) function: &'a Function,
    pub(super) body: &'a Body,
    pub(super) text: Text,
    is_entry: bool,
    order: Vec<Blk>,
    needed: Vec<bool>,
    slots: Vec<Option<Vec<Slot>>>,
    jumps: Vec<Jump>,
    /// Index in the text of each block.
    begun: Vec<usize>,
    /// Accesses that need no check.
    in_bounds: Vec<bool>,
    ret: Vec<Leaf>,
}

impl<'w, 'a> Emit<'w, 'a> {
    pub(super) fn new(
        w: &'w mut Writer<'a>,
        function: &'a Function,
    ) -> Result<Emit<'w, 'a>, Unsupported> {
        let body = &function.body;
        let is_entry = function.mi == w.module.entry().mi;
        let ret = match is_entry || body.ret == Ty::BOTTOM {
            true => Vec::new(),
            false => w.leaves(body, super::ENTRY, body.ret)?,
        };
        let order = reach::order(body);
        let needed = reach::needed(body, &order, !ret.is_empty());
        Ok(Emit {
            w,
            function,
            body,
            text: Text::default(),
            is_entry,
            order,
            needed,
            slots: vec![None; body.vals.len()],
            jumps: Vec::new(),
            begun: vec![usize::MAX; body.blocks.len()],
            in_bounds: worldage_wir::opt::bounds::in_bounds(body),
            ret,
        })
    }

    /// Writes the function.
    pub(super) fn run(mut self, out: &mut String) -> Result<(), Unsupported> {
        let body = self.body;
        self.text.begin("entry");
        let params = self.params()?;
        if self.is_entry {
            self.clear_shared();
        }
        let entry_is_target = self.order.iter().any(|blk| {
            let mut hit = false;
            let term = &body.blocks[blk.0 as usize].term;
            term.each_target(|target| hit |= target.block == Blk(0));
            hit
        });
        if entry_is_target {
            self.jumps.push(Jump {
                from: self.text.here().to_string(),
                to: Blk(0),
                args: Vals::new(),
            });
            self.text.line("br label %b0");
        }
        let given = entry_is_target.then(|| self.enter_loop());
        for (ix, blk) in self.order.clone().into_iter().enumerate() {
            if ix > 0 || entry_is_target {
                self.begun[blk.0 as usize] = self.text.begin(format!("b{}", blk.0));
            }
            let block = &body.blocks[blk.0 as usize];
            if ix > 0 {
                self.block_params(block)?;
            }
            for inst in &block.insts {
                if self.needed[inst.result.0 as usize] || !inst.op.is_pure() {
                    self.inst(inst)?;
                }
            }
            self.term(block)?;
        }
        self.phis(given);
        let name = &self.w.names[&self.function.mi];
        let _ = writeln!(out, "; {}", self.function.shown);
        let _ = match self.is_entry {
            true => writeln!(out, "define ptx_kernel void @{name}({params}) {{"),
            false => writeln!(
                out,
                "define internal {} @{name}({params}) convergent {{",
                self.result_type(&self.ret)
            ),
        };
        self.text.render(out);
        out.push_str("}\n");
        Ok(())
    }

    /// Where a body begins with a loop, its parameters are phis of what was given; gives those.
    fn enter_loop(&mut self) -> Vec<Vec<Slot>> {
        let body = self.body;
        let mut given = Vec::new();
        for param in &body.blocks[0].params {
            let slots = self.slots_of(*param);
            let renamed = slots.iter().map(|slot| match slot {
                Slot::Scalar(scalar, _) => Slot::Scalar(*scalar, self.text.name()),
                Slot::Array { elem, .. } => Slot::Array {
                    elem: elem.clone(),
                    at: self.text.name(),
                    length: self.text.name(),
                },
            });
            let renamed = renamed.collect();
            given.push(slots);
            self.set(*param, renamed);
        }
        given
    }

    /// Declares the parameters; gives their text.
    fn params(&mut self) -> Result<String, Unsupported> {
        let mut texts = Vec::new();
        for (ix, &param) in self.body.blocks[0].params.iter().enumerate() {
            let leaves = self.w.leaves(self.body, super::ENTRY, self.ty(param))?;
            let mut slots = Vec::new();
            for (part, leaf) in leaves.into_iter().enumerate() {
                let name = format!("%p{ix}_{part}");
                match leaf {
                    Leaf::Scalar(Scalar::Bool) if self.is_entry => {
                        texts.push(format!("i8 {name}"));
                        let bit = self.text.value(format_args!("icmp ne i8 {name}, 0"));
                        slots.push(Slot::Scalar(Scalar::Bool, bit));
                    }
                    Leaf::Scalar(scalar) => {
                        texts.push(format!("{} {name}", llvm_type(scalar)));
                        slots.push(Slot::Scalar(scalar, name));
                    }
                    Leaf::Array(elem) => {
                        let length = format!("{name}_n");
                        let at = if self.is_entry {
                            texts.push(format!("ptr addrspace(1) align 16 {name}"));
                            self.generic(&name)
                        } else {
                            texts.push(format!("ptr {name}"));
                            name
                        };
                        texts.push(format!("i64 {length}"));
                        slots.push(Slot::Array { elem, at, length });
                    }
                }
            }
            self.set(param, slots);
        }
        if self.is_entry {
            texts.push("ptr addrspace(1) align 16 %error_words".to_string());
            self.text
                .line("%error = addrspacecast ptr addrspace(1) %error_words to ptr");
        } else {
            texts.push("ptr %error".to_string());
        }
        Ok(texts.join(", "))
    }

    fn generic(&mut self, pointer: &str) -> String {
        let cast = format!("addrspacecast ptr addrspace(1) {pointer} to ptr");
        self.text.value(cast)
    }

    /// The work-items of a group clear what they share, and wait for one another.
    fn clear_shared(&mut self) {
        if self.w.shared.is_empty() {
            return;
        }
        let mut of = |what: &str, d: &str| {
            let name = format!("llvm.nvvm.read.ptx.sreg.{what}.{d}");
            self.w.intrinsics.insert(format!("i32 @{name}()"));
            self.text.value(format_args!("call i32 @{name}()"))
        };
        let (tx, ty, tz) = (of("tid", "x"), of("tid", "y"), of("tid", "z"));
        let (nx, ny, nz) = (of("ntid", "x"), of("ntid", "y"), of("ntid", "z"));
        let t = &mut self.text;
        let rows = t.value(format_args!("mul i32 {tz}, {ny}"));
        let rows = t.value(format_args!("add i32 {rows}, {ty}"));
        let first = t.value(format_args!("mul i32 {rows}, {nx}"));
        let first = t.value(format_args!("add i32 {first}, {tx}"));
        let step = t.value(format_args!("mul i32 {nx}, {ny}"));
        let step = t.value(format_args!("mul i32 {step}, {nz}"));
        let first = t.value(format_args!("zext i32 {first} to i64"));
        let step = t.value(format_args!("zext i32 {step} to i64"));
        for (ix, words) in self.w.shared.iter().map(super::Shared::words).enumerate() {
            let before = t.here().to_string();
            let (head, store, done) = (t.label("clear"), t.label("store"), t.label("cleared"));
            t.line(format!("br label %{head}"));
            t.begin(head.clone());
            let (at, next) = (t.name(), t.name());
            t.line(format!(
                "{at} = phi i64 [ {first}, %{before} ], [ {next}, %{store} ]"
            ));
            let more = t.value(format_args!("icmp ult i64 {at}, {words}"));
            t.line(format!("br i1 {more}, label %{store}, label %{done}"));
            t.begin(store);
            let place = t.value(format_args!(
                "getelementptr inbounds i32, ptr addrspace(3) @shared{ix}, i64 {at}"
            ));
            t.line(format!("store i32 0, ptr addrspace(3) {place}, align 4"));
            t.line(format!("{next} = add i64 {at}, {step}"));
            t.line(format!("br label %{head}"));
            t.begin(done);
        }
        self.barrier();
    }

    /// Waits for the work-items of the group that have not ended.
    pub(super) fn barrier(&mut self) {
        let name = "llvm.nvvm.barrier.cta.sync.all";
        let declared = format!("void @{name}(i32) convergent nounwind");
        self.w.intrinsics.insert(declared);
        self.text.line(format!("call void @{name}(i32 0)"));
    }

    // Blocks.

    /// Names the parameters of a block; the phis are written when all jumps are known.
    fn block_params(&mut self, block: &Block) -> Result<(), Unsupported> {
        for &param in &block.params {
            if !self.needed[param.0 as usize] {
                continue;
            }
            let leaves = self.w.leaves(self.body, block.term_pos, self.ty(param))?;
            let slots = leaves.into_iter().map(|leaf| match leaf {
                Leaf::Scalar(scalar) => Slot::Scalar(scalar, self.text.name()),
                Leaf::Array(elem) => Slot::Array {
                    elem,
                    at: self.text.name(),
                    length: self.text.name(),
                },
            });
            let slots = slots.collect();
            self.set(param, slots);
        }
        Ok(())
    }

    /// `given`: what a loop at the very beginning is entered with.
    fn phis(&mut self, given: Option<Vec<Vec<Slot>>>) {
        let body = self.body;
        for blk in self.order.clone() {
            let params = &body.blocks[blk.0 as usize].params;
            if blk == Blk(0) && given.is_none() {
                continue;
            }
            for (n, &param) in params.iter().enumerate() {
                let Some(slots) = self.slots[param.0 as usize].clone() else {
                    continue;
                };
                let (mut names, mut ways) = (Vec::new(), Vec::new());
                slots
                    .iter()
                    .for_each(|slot| slot.each(|ty, name| names.push((ty, name))));
                for jump in self.jumps.iter().filter(|jump| jump.to == blk) {
                    let passed = match (jump.args.get(n), &given) {
                        (Some(arg), _) => self.slots_of(*arg),
                        (None, Some(given)) => given[n].clone(),
                        (None, None) => unreachable!("a jump passes every parameter"),
                    };
                    let mut values = Vec::new();
                    passed
                        .iter()
                        .for_each(|slot| slot.each(|_, name| values.push(name)));
                    ways.push((jump.from.clone(), values));
                }
                for (part, (ty, name)) in names.iter().enumerate() {
                    let incoming = ways
                        .iter()
                        .map(|(from, values)| format!("[ {}, %{from} ]", values[part]));
                    let incoming: Vec<String> = incoming.collect();
                    let phi = format!("{name} = phi {ty} {}", incoming.join(", "));
                    self.text.phi(self.begun[blk.0 as usize], phi);
                }
            }
        }
    }

    fn term(&mut self, block: &Block) -> Result<(), Unsupported> {
        match &block.term {
            Term::Jump(target) => {
                self.jump(target);
                self.text.line(format!("br label %b{}", target.block.0));
            }
            Term::Branch(condition, then, other) => {
                let condition = self.scalar(*condition);
                if then.block == other.block {
                    return self.same_target(&condition, then, other);
                }
                self.jump(then);
                self.jump(other);
                self.text.line(format!(
                    "br i1 {condition}, label %b{}, label %b{}",
                    then.block.0, other.block.0
                ));
            }
            Term::Return(val) => self.give(*val),
            Term::Fail(failure) => {
                self.fail(FailKind::Failure(failure.clone()), block.term_pos);
            }
            Term::Unreachable => self.text.line("unreachable"),
        }
        Ok(())
    }

    /// A phi tells its ways apart by the block that they come from: one way gets a block.
    fn same_target(
        &mut self,
        condition: &str,
        then: &Target,
        other: &Target,
    ) -> Result<(), Unsupported> {
        let between = self.text.label("way");
        self.jump(other);
        let to = other.block.0;
        self.text
            .line(format!("br i1 {condition}, label %{between}, label %b{to}"));
        self.text.begin(between);
        self.jump(then);
        self.text.line(format!("br label %b{to}"));
        Ok(())
    }

    fn jump(&mut self, target: &Target) {
        self.jumps.push(Jump {
            from: self.text.here().to_string(),
            to: target.block,
            args: target.args.clone(),
        });
    }

    fn give(&mut self, val: Val) {
        if self.is_entry {
            self.text.line("ret void");
            return;
        }
        let ty = self.result_type(&self.ret);
        let mut parts = Vec::new();
        if !self.ret.is_empty() {
            for slot in self.slots_of(val) {
                slot.each(|ty, name| parts.push((ty, name)));
            }
        }
        let mut all = format!("{ty} zeroinitializer");
        for (ix, (part, name)) in parts.iter().enumerate() {
            let with = format!("insertvalue {all}, {part} {name}, {}", ix + 1);
            all = format!("{ty} {}", self.text.value(with));
        }
        self.text.line(format!("ret {all}"));
    }

    // Failing.

    /// Ends the block: the work-item fails here.
    pub(super) fn fail(&mut self, kind: FailKind, pos: Pos) {
        let site = self.w.site(kind, self.body, pos);
        self.w.helpers.insert(Helper::Fail);
        let claimed = self
            .text
            .value(format_args!("call i32 @wa_fail(ptr %error, i32 {site})"));
        self.stop(&claimed);
    }

    /// Ends the block: the work-item has failed.
    pub(super) fn stop(&mut self, claimed: &str) {
        if self.is_entry {
            self.text.line("ret void");
            return;
        }
        let ty = self.result_type(&self.ret);
        let failed = format!("insertvalue {ty} poison, i32 {claimed}, 0");
        let failed = self.text.value(failed);
        self.text.line(format!("ret {ty} {failed}"));
    }

    /// Goes on where the condition does not hold; where it does, what `otherwise` writes ends the
    /// work-item.
    pub(super) fn unless(&mut self, bad: &str, otherwise: impl FnOnce(&mut Self)) {
        let (stop, on) = (self.text.label("stop"), self.text.label("on"));
        self.text.line(format!(
            "br i1 {bad}, label %{stop}, label %{on}, !prof !{{!\"branch_weights\", i32 1, i32 2000}}"
        ));
        self.text.begin(stop);
        otherwise(self);
        self.text.begin(on);
    }

    // Values.

    pub(super) fn ty(&self, val: Val) -> Ty {
        self.body.vals[val.0 as usize]
    }

    pub(super) fn slots_of(&self, val: Val) -> Vec<Slot> {
        let slots = self.slots[val.0 as usize].clone();
        slots.expect("a value that is read was written before")
    }

    pub(super) fn set(&mut self, val: Val, slots: Vec<Slot>) {
        self.slots[val.0 as usize] = Some(slots);
    }

    pub(super) fn set_scalar(&mut self, val: Val, scalar: Scalar, name: String) {
        self.set(val, vec![Slot::Scalar(scalar, name)]);
    }

    /// The name of a scalar.
    pub(super) fn scalar(&self, val: Val) -> String {
        match &self.slots_of(val)[..] {
            [Slot::Scalar(_, name)] => name.clone(),
            other => unreachable!("a scalar was expected: {other:?}"),
        }
    }

    pub(super) fn is_needed(&self, val: Val) -> bool {
        self.needed[val.0 as usize]
    }

    /// Whether an access cannot be out of bounds.
    pub(super) fn is_in_bounds(&self, access: Val) -> bool {
        self.in_bounds.get(access.0 as usize) == Some(&true)
    }

    pub(super) fn constant(
        &mut self,
        val: Val,
        constant: &Const,
        pos: Pos,
    ) -> Result<(), Unsupported> {
        match constant {
            Const::Unit => self.set(val, Vec::new()),
            Const::Str(_) => {
                let why = worldage_wir::device::NoData::String;
                return Err(self.w.refuse(self.body, pos, &why));
            }
            _ => match &self.w.leaves(self.body, pos, self.ty(val))?[..] {
                [Leaf::Scalar(scalar)] => {
                    let name = super::prim::literal(*scalar, constant);
                    self.set_scalar(val, *scalar, name);
                }
                _ => unreachable!("a constant scalar is one"),
            },
        }
        Ok(())
    }

    /// What a function other than the entry gives.
    pub(super) fn result_type(&self, leaves: &[Leaf]) -> String {
        let mut text = String::from("{ i32");
        for leaf in leaves {
            match leaf {
                Leaf::Scalar(scalar) => {
                    let _ = write!(text, ", {}", llvm_type(*scalar));
                }
                Leaf::Array(_) => text.push_str(", ptr, i64"),
            }
        }
        text + " }"
    }
}

impl Slot {
    /// Calls `f` with the type and the name of every part.
    pub(super) fn each(&self, mut f: impl FnMut(&'static str, String)) {
        match self {
            Slot::Scalar(scalar, name) => f(llvm_type(*scalar), name.clone()),
            Slot::Array { at, length, .. } => {
                f("ptr", at.clone());
                f("i64", length.clone());
            }
        }
    }
}

/// The type of a scalar in registers: a Bool is a bit.
pub(super) fn llvm_type(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "i1",
        _ => memory_type(scalar),
    }
}

/// Its type in memory, where a Bool is a byte.
pub(super) fn memory_type(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool | Scalar::I8 | Scalar::U8 => "i8",
        Scalar::I16 | Scalar::U16 => "i16",
        Scalar::I32 | Scalar::U32 => "i32",
        Scalar::I64 | Scalar::U64 => "i64",
        Scalar::F32 => "float",
        Scalar::F64 => "double",
    }
}
