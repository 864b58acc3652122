//! One function in CLIF to LLVM's assembly, instruction by instruction.
//!
//! An address is a pointer into the object that CLIF's address is computed from, so that LLVM sees
//! what a loop walks over. Where something may be collected, that object's own address is also kept
//! in the frame: LLVM is free to keep nothing but a pointer past its end.

use super::names::{
    ATTRIBUTES, MAX_ELEMENTS, float_condition, int_condition, is_pure, label, llvm_type,
    never_returns, result_type, tbaa,
};
use crate::text::Text;
use cranelift_codegen::ir::{
    Block, BlockCall, Function, Inst, InstructionData, Opcode, Signature, StackSlot, Value,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::fmt::Write;
use worldage_cranelift::code::Target;
use worldage_cranelift::{Clif, Region};

/// The name of the function.
pub(super) const ENTRY: &str = "wir_instance";

/// The name of a symbol, by its number in the function.
pub(super) fn symbol(number: u32) -> String {
    format!("wir_{number}")
}

/// The module of a function.
pub(super) fn text(clif: &Clif) -> String {
    let mut writer = Writer::new(clif);
    let body = writer.function();
    writer.module(&body)
}

pub(super) struct Writer<'a> {
    clif: &'a Clif,
    pub(super) func: &'a Function,
    pub(super) text: Text,
    /// Integers and floats by CLIF's value.
    names: FxHashMap<Value, String>,
    /// The same value as a pointer, where it is an address.
    pointers: FxHashMap<Value, String>,
    /// Values that addresses are computed from.
    bases: FxHashSet<Value>,
    /// Whether an object may be collected while the function runs.
    collects: bool,
    /// What the frame holds besides: slots of CLIF, addresses that are kept.
    frame: Vec<String>,
    declared: BTreeMap<String, String>,
    begun: BTreeMap<Block, usize>,
    jumps: Vec<(String, Block, Vec<Value>)>,
}

impl<'a> Writer<'a> {
    fn new(clif: &'a Clif) -> Writer<'a> {
        let func = &clif.function;
        let mut writer = Writer {
            clif,
            func,
            text: Text::default(),
            names: FxHashMap::default(),
            pointers: FxHashMap::default(),
            bases: FxHashSet::default(),
            collects: false,
            frame: Vec::new(),
            declared: BTreeMap::new(),
            begun: BTreeMap::new(),
            jumps: Vec::new(),
        };
        for inst in func
            .layout
            .blocks()
            .flat_map(|b| func.layout.block_insts(b))
        {
            writer.collects |= writer.may_collect(inst);
            if let Some(address) = writer.address_of(inst) {
                let (base, _) = writer.parts(address);
                writer.bases.insert(base);
            }
        }
        writer
    }

    fn data(&self, inst: Inst) -> InstructionData {
        self.func.dfg.insts[inst]
    }

    pub(super) fn ty(&self, value: Value) -> &'static str {
        llvm_type(self.func.dfg.value_type(value))
    }

    /// Whether a call may make the heap look for garbage.
    fn may_collect(&self, inst: Inst) -> bool {
        match self.data(inst) {
            InstructionData::CallIndirect { .. } => true,
            InstructionData::Call { func_ref, .. } => {
                let name = &self.func.dfg.ext_funcs[func_ref].name;
                let (_, target) = self.clif.name(name);
                !matches!(target, Target::Runtime(function) if is_pure(function) || never_returns(function))
            }
            _ => false,
        }
    }

    /// The address that an instruction reads or writes.
    fn address_of(&self, inst: Inst) -> Option<Value> {
        match self.data(inst) {
            InstructionData::Load { arg, .. } => Some(self.func.dfg.resolve_aliases(arg)),
            InstructionData::Store { args, .. } => Some(self.func.dfg.resolve_aliases(args[1])),
            _ => None,
        }
    }

    /// What an address is computed from, and what is added to it.
    fn parts(&self, address: Value) -> (Value, Option<Value>) {
        let of = self.func.dfg.value_def(address).inst();
        match of.map(|inst| self.data(inst)) {
            Some(InstructionData::Binary {
                opcode: Opcode::Iadd,
                args: [base, added],
            }) => {
                let dfg = &self.func.dfg;
                (dfg.resolve_aliases(base), Some(dfg.resolve_aliases(added)))
            }
            _ => (address, None),
        }
    }

    // The function.

    fn function(&mut self) -> String {
        let func = self.func;
        let entry = func.layout.entry_block().expect("a function has a block");
        let mut params = Vec::new();
        for (ix, &param) in func.dfg.block_params(entry).iter().enumerate() {
            let name = format!("%p{ix}");
            params.push(format!("{} noundef {name}", self.ty(param)));
            self.names.insert(param, name);
        }
        for block in order(func, entry) {
            let index = self.text.begin(label(block));
            self.begun.insert(block, index);
            if block != entry {
                for &param in func.dfg.block_params(block) {
                    let name = self.text.name();
                    self.names.insert(param, name);
                }
            }
            for &param in func.dfg.block_params(block) {
                // The context is no object of the heap.
                let is_object = block != entry || self.names[&param] != "%p0";
                self.base(param, is_object);
            }
            for inst in func.layout.block_insts(block) {
                self.inst(inst);
            }
        }
        self.phis(entry);
        let mut out = format!(
            "define {} @{ENTRY}({}) #0 !dbg !4 {{\n",
            result_type(&func.signature),
            params.join(", ")
        );
        if !self.frame.is_empty() {
            let _ = writeln!(out, "frame:");
            for line in &self.frame {
                let _ = writeln!(out, "  {line}");
            }
            let _ = writeln!(out, "  br label %{}", label(entry));
        }
        self.text.render(&mut out);
        out.push_str("}\n");
        out
    }

    fn phis(&mut self, entry: Block) {
        for (block, index) in self.begun.clone() {
            if block == entry {
                continue;
            }
            for (n, &param) in self.func.dfg.block_params(block).iter().enumerate() {
                let ways = self.jumps.iter().filter(|(_, to, _)| *to == block);
                let ways: Vec<String> = ways
                    .map(|(from, _, args)| format!("[ {}, %{from} ]", self.names[&args[n]]))
                    .collect();
                let (name, ty) = (&self.names[&param], self.ty(param));
                let phi = format!("{name} = phi {ty} {}", ways.join(", "));
                self.text.phi(index, phi);
            }
        }
    }

    fn module(&self, body: &str) -> String {
        let mut out = String::new();
        for line in self.declared.values() {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(body);
        out.push_str(ATTRIBUTES);
        let mut regions: Vec<Region> = Vec::new();
        for n in 1..=MAX_ELEMENTS {
            regions.push(Region::Elements(n));
        }
        regions.push(Region::Length);
        out.push_str("!10 = !{!\"wir\"}\n");
        for region in regions {
            let number = tbaa(region);
            let _ = writeln!(
                out,
                "!{number} = !{{!{0}, !{0}, i64 0}}\n!{0} = !{{!\"{region:?}\", !10, i64 0}}",
                number + 50
            );
        }
        out
    }

    // Values.

    pub(super) fn name(&self, value: Value) -> String {
        let value = self.func.dfg.resolve_aliases(value);
        self.names[&value].clone()
    }

    pub(super) fn define(&mut self, inst: Inst, name: String) {
        let result = self.func.dfg.first_result(inst);
        self.names.insert(result, name);
        self.base(result, true);
    }

    /// Makes a pointer of a value that addresses are computed from, where it is defined.
    fn base(&mut self, value: Value, is_object: bool) {
        if !self.bases.contains(&value) || self.pointers.contains_key(&value) {
            return;
        }
        let name = self.names[&value].clone();
        if is_object && self.collects {
            let kept = format!("%kept{}", value.as_u32());
            self.frame.push(format!("{kept} = alloca i64, align 8"));
            self.text
                .line(format!("store volatile i64 {name}, ptr {kept}, align 8"));
        }
        let pointer = self.text.value(format_args!("inttoptr i64 {name} to ptr"));
        self.pointers.insert(value, pointer);
    }

    /// The pointer that a load or store goes through.
    fn pointer(&mut self, address: Value, offset: i32) -> String {
        let address = self.func.dfg.resolve_aliases(address);
        let (base, added) = self.parts(address);
        let mut pointer = self.pointers[&base].clone();
        if let Some(added) = added {
            let added = self.name(added);
            pointer = self
                .text
                .value(format_args!("getelementptr i8, ptr {pointer}, i64 {added}"));
        }
        if offset != 0 {
            pointer = self.text.value(format_args!(
                "getelementptr i8, ptr {pointer}, i64 {offset}"
            ));
        }
        pointer
    }

    fn slot(&mut self, slot: StackSlot) -> String {
        let name = format!("%slot{}", slot.as_u32());
        let data = &self.func.sized_stack_slots[slot];
        let line = format!(
            "{name} = alloca [{} x i8], align {}",
            data.size,
            1u32 << data.align_shift
        );
        if !self.frame.contains(&line) {
            self.frame.push(line);
        }
        name
    }

    // Instructions.

    fn inst(&mut self, inst: Inst) {
        let data = self.data(inst);
        let opcode = data.opcode();
        match data {
            InstructionData::UnaryImm { imm, .. } => {
                let bits = self
                    .func
                    .dfg
                    .value_type(self.func.dfg.first_result(inst))
                    .bits();
                // Sign-extended from its own width, as LLVM prints it.
                let value = imm.bits() << (64 - bits) >> (64 - bits);
                self.define(inst, value.to_string());
            }
            InstructionData::UnaryIeee32 { imm, .. } => {
                let value = f64::from(f32::from_bits(imm.bits()));
                self.define(inst, format!("0x{:016X}", value.to_bits()));
            }
            InstructionData::UnaryIeee64 { imm, .. } => {
                self.define(inst, format!("0x{:016X}", imm.bits()));
            }
            InstructionData::UnaryGlobalValue { global_value, .. } => {
                let (number, _) = self.clif.global(global_value);
                let name = symbol(number);
                let line = format!("@{name} = external global i8");
                self.declared.insert(name.clone(), line);
                let result = self.func.dfg.first_result(inst);
                self.pointers.insert(result, format!("@{name}"));
                self.define(inst, format!("ptrtoint (ptr @{name} to i64)"));
            }
            InstructionData::IntCompare { args, cond, .. } => {
                let bit = self.compare(&format!("icmp {}", int_condition(cond)), args);
                self.bool(inst, &bit);
            }
            InstructionData::FloatCompare { args, cond, .. } => {
                let bit = self.compare(&format!("fcmp {}", float_condition(cond)), args);
                self.bool(inst, &bit);
            }
            InstructionData::Unary { arg, .. } => self.unary(inst, opcode, arg),
            InstructionData::Binary { args, .. } => self.binary(inst, opcode, args),
            InstructionData::Ternary { args, .. } => self.select(inst, args),
            InstructionData::LoadNoOffset { arg, .. } => {
                let (from, to) = (self.ty(arg), self.result(inst));
                let arg = self.name(arg);
                let value = self
                    .text
                    .value(format_args!("bitcast {from} {arg} to {to}"));
                self.define(inst, value);
            }
            InstructionData::Load { arg, offset, .. } => {
                let pointer = self.pointer(arg, offset.into());
                let (ty, flags) = (self.result(inst), self.flags(inst));
                let value = self
                    .text
                    .value(format_args!("load {ty}, ptr {pointer}{flags}"));
                self.define(inst, value);
            }
            InstructionData::Store { args, offset, .. } => {
                let pointer = self.pointer(args[1], offset.into());
                let (ty, value) = (self.ty(args[0]), self.name(args[0]));
                let flags = self.flags(inst);
                self.text
                    .line(format!("store {ty} {value}, ptr {pointer}{flags}"));
            }
            InstructionData::StackAddr {
                stack_slot, offset, ..
            } => {
                let slot = self.slot(stack_slot);
                let offset = i32::from(offset);
                let at = self
                    .text
                    .value(format_args!("getelementptr i8, ptr {slot}, i64 {offset}"));
                let value = self.text.value(format_args!("ptrtoint ptr {at} to i64"));
                let result = self.func.dfg.first_result(inst);
                self.pointers.insert(result, at);
                self.define(inst, value);
            }
            InstructionData::NullAry {
                opcode: Opcode::GetStackPointer,
            } => {
                let name = "llvm.read_register.i64";
                self.declare(name, "i64", "metadata", "");
                let value = self
                    .text
                    .value(format_args!("call i64 @{name}(metadata !{{!\"rsp\\00\"}})"));
                self.define(inst, value);
            }
            InstructionData::Call { func_ref, .. } => {
                let external = &self.func.dfg.ext_funcs[func_ref];
                let (number, target) = self.clif.name(&external.name);
                let sig = &self.func.dfg.signatures[external.signature];
                let name = symbol(number);
                let Target::Runtime(function) = target else {
                    unreachable!("only the run-time system is called by name")
                };
                let params: Vec<&str> =
                    sig.params.iter().map(|p| llvm_type(p.value_type)).collect();
                let attributes = if is_pure(function) {
                    " memory(none) nounwind willreturn"
                } else if never_returns(function) {
                    " cold noreturn nounwind"
                } else {
                    " nounwind"
                };
                let ret = result_type(sig);
                self.declare(&name, &ret, &params.join(", "), attributes);
                let args = self.func.dfg.inst_args(inst).to_vec();
                self.call(inst, sig, &format!("@{name}"), &args);
            }
            InstructionData::CallIndirect { sig_ref, .. } => {
                let args = self.func.dfg.inst_args(inst).to_vec();
                let callee = self.name(args[0]);
                let callee = self
                    .text
                    .value(format_args!("inttoptr i64 {callee} to ptr"));
                let sig = &self.func.dfg.signatures[sig_ref];
                self.call(inst, sig, &callee, &args[1..]);
            }
            InstructionData::MultiAry {
                opcode: Opcode::Return,
                ..
            } => self.give(inst),
            InstructionData::Jump { destination, .. } => {
                let to = self.jump(&destination);
                self.text.line(format!("br label %{}", label(to)));
            }
            InstructionData::Brif { arg, blocks, .. } => self.branch(arg, &blocks),
            InstructionData::Trap { .. } => self.text.line("unreachable"),
            other => unreachable!("CLIF that the generator does not make: {other:?}"),
        }
    }

    pub(super) fn result(&self, inst: Inst) -> &'static str {
        self.ty(self.func.dfg.first_result(inst))
    }

    /// How a memory access is marked.
    fn flags(&self, inst: Inst) -> String {
        let data = self.data(inst);
        let flags = data.memflags_data(&self.func.dfg).expect("a memory access");
        let ty = match data {
            InstructionData::Store { args, .. } => self.func.dfg.value_type(args[0]),
            _ => self.func.dfg.value_type(self.func.dfg.first_result(inst)),
        };
        let mut text = format!(", align {}", ty.bytes());
        if let Some(region) = self.clif.region(&flags) {
            let _ = write!(text, ", !tbaa !{}", tbaa(region));
            if region == Region::Length {
                text.push_str(", !invariant.load !5");
            }
        }
        text
    }

    pub(super) fn declare(&mut self, name: &str, ret: &str, params: &str, attributes: &str) {
        let line = format!("declare {ret} @{name}({params}){attributes}");
        self.declared.insert(name.to_string(), line);
    }

    // Calls.

    fn call(&mut self, inst: Inst, sig: &Signature, callee: &str, args: &[Value]) {
        let args: Vec<String> = args
            .iter()
            .map(|arg| format!("{} {}", self.ty(*arg), self.name(*arg)))
            .collect();
        let ret = result_type(sig);
        // One call for two positions would tell the wrong one.
        let call = format!(
            "call {ret} {callee}({}) nomerge{}",
            args.join(", "),
            self.at(inst)
        );
        let results = self.func.dfg.inst_results(inst).to_vec();
        match &results[..] {
            [] => self.text.line(call),
            [_] => {
                let value = self.text.value(call);
                self.define(inst, value);
            }
            several => {
                let all = self.text.value(call);
                for (ix, result) in several.iter().enumerate() {
                    let part = self
                        .text
                        .value(format_args!("extractvalue {ret} {all}, {ix}"));
                    self.names.insert(*result, part);
                    self.base(*result, true);
                }
            }
        }
    }

    /// The position of a call: a line, counted from 1; 0 is nowhere.
    fn at(&self, inst: Inst) -> String {
        let loc = self.func.srcloc(inst);
        let line = if loc.is_default() { 0 } else { loc.bits() + 1 };
        format!(", !dbg !DILocation(line: {line}, scope: !4)")
    }

    fn give(&mut self, inst: Inst) {
        let args = self.func.dfg.inst_args(inst).to_vec();
        match &args[..] {
            [] => self.text.line("ret void"),
            [one] => {
                let (ty, name) = (self.ty(*one), self.name(*one));
                self.text.line(format!("ret {ty} {name}"));
            }
            several => {
                let ty = result_type(&self.func.signature);
                let mut all = "poison".to_string();
                for (ix, part) in several.iter().enumerate() {
                    let (of, name) = (self.ty(*part), self.name(*part));
                    all = self
                        .text
                        .value(format_args!("insertvalue {ty} {all}, {of} {name}, {ix}"));
                }
                self.text.line(format!("ret {ty} {all}"));
            }
        }
    }

    // Jumps.

    fn jump(&mut self, call: &BlockCall) -> Block {
        let pool = &self.func.dfg.value_lists;
        let args = call.args(pool).filter_map(|arg| arg.as_value());
        let args = args.map(|arg| self.func.dfg.resolve_aliases(arg)).collect();
        let block = call.block(pool);
        let from = self.text.here().to_string();
        self.jumps.push((from, block, args));
        block
    }

    fn branch(&mut self, condition: Value, blocks: &[BlockCall; 2]) {
        let hit = self.condition(condition);
        let pool = &self.func.dfg.value_lists;
        let (then, other) = (blocks[0].block(pool), blocks[1].block(pool));
        let weights = match (self.is_cold(then), self.is_cold(other)) {
            (true, false) => ", !prof !{!\"branch_weights\", i32 1, i32 2000}",
            (false, true) => ", !prof !{!\"branch_weights\", i32 2000, i32 1}",
            _ => "",
        };
        if then != other {
            self.jump(&blocks[0]);
            self.jump(&blocks[1]);
            self.text.line(format!(
                "br i1 {hit}, label %{}, label %{}{weights}",
                label(then),
                label(other)
            ));
            return;
        }
        // A phi tells its ways apart by the block that they come from: one way gets a block.
        let between = self.text.label("way");
        self.jump(&blocks[1]);
        let to = label(other);
        self.text
            .line(format!("br i1 {hit}, label %{between}, label %{to}"));
        self.text.begin(between);
        self.jump(&blocks[0]);
        self.text.line(format!("br label %{to}"));
    }

    fn is_cold(&self, block: Block) -> bool {
        self.func.layout.is_cold(block)
    }
}

/// The blocks that are reached, in reverse post-order: what is used was written before.
fn order(func: &Function, entry: Block) -> Vec<Block> {
    let successors = |block: Block| -> Vec<Block> {
        let last = func.layout.last_inst(block).expect("a block ends");
        let pool = &func.dfg.value_lists;
        let ways = func.dfg.insts[last]
            .branch_destination(&func.dfg.jump_tables, &func.dfg.exception_tables);
        ways.iter().map(|way| way.block(pool)).collect()
    };
    let mut order = Vec::new();
    let mut seen = FxHashSet::default();
    let mut stack = vec![(entry, successors(entry))];
    seen.insert(entry);
    while let Some((block, left)) = stack.last_mut() {
        match left.pop() {
            Some(next) if seen.insert(next) => stack.push((next, successors(next))),
            Some(_) => {}
            None => {
                order.push(*block);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}
