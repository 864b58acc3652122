//! Scalar instructions of CLIF: they mean the same in LLVM, or are made of what does.

use super::function::Writer;
use super::names::llvm_type;
use cranelift_codegen::ir::{Inst, Opcode, Value};

impl Writer<'_> {
    pub(super) fn compare(&mut self, op: &str, args: [Value; 2]) -> String {
        let ty = self.ty(args[0]);
        let (a, b) = (self.name(args[0]), self.name(args[1]));
        self.text.value(format_args!("{op} {ty} {a}, {b}"))
    }

    /// A Bool is a byte.
    pub(super) fn bool(&mut self, inst: Inst, bit: &str) {
        let value = self.text.value(format_args!("zext i1 {bit} to i8"));
        self.define(inst, value);
    }

    pub(super) fn unary(&mut self, inst: Inst, opcode: Opcode, arg: Value) {
        let (from, to, a) = (self.ty(arg), self.result(inst), self.name(arg));
        let cast = match opcode {
            Opcode::Uextend => Some("zext"),
            Opcode::Sextend => Some("sext"),
            Opcode::Ireduce => Some("trunc"),
            Opcode::Fpromote => Some("fpext"),
            Opcode::Fdemote => Some("fptrunc"),
            Opcode::FcvtFromSint => Some("sitofp"),
            Opcode::FcvtFromUint => Some("uitofp"),
            _ => None,
        };
        if let Some(cast) = cast {
            let value = self.text.value(format_args!("{cast} {from} {a} to {to}"));
            return self.define(inst, value);
        }
        let value = match opcode {
            Opcode::Ineg => self.text.value(format_args!("sub {to} 0, {a}")),
            Opcode::Bnot => self.text.value(format_args!("xor {to} {a}, -1")),
            Opcode::Fneg => self.text.value(format_args!("fneg {to} {a}")),
            Opcode::Iabs => {
                let minus = self.text.value(format_args!("sub {to} 0, {a}"));
                let below = self.text.value(format_args!("icmp slt {to} {a}, 0"));
                self.text
                    .value(format_args!("select i1 {below}, {to} {minus}, {to} {a}"))
            }
            Opcode::Fabs => self.intrinsic("fabs", to, &[(from, a)], ""),
            Opcode::Sqrt => self.intrinsic("sqrt", to, &[(from, a)], ""),
            Opcode::Floor => self.intrinsic("floor", to, &[(from, a)], ""),
            Opcode::Ceil => self.intrinsic("ceil", to, &[(from, a)], ""),
            Opcode::Trunc => self.intrinsic("trunc", to, &[(from, a)], ""),
            Opcode::Nearest => self.intrinsic("roundeven", to, &[(from, a)], ""),
            Opcode::FcvtToSintSat => self.intrinsic("fptosi.sat", to, &[(from, a)], from),
            Opcode::FcvtToUintSat => self.intrinsic("fptoui.sat", to, &[(from, a)], from),
            other => unreachable!("CLIF that the generator does not make: {other}"),
        };
        self.define(inst, value);
    }

    pub(super) fn binary(&mut self, inst: Inst, opcode: Opcode, args: [Value; 2]) {
        let ty = self.result(inst);
        let (a, b) = (self.name(args[0]), self.name(args[1]));
        let op = match opcode {
            Opcode::Iadd => "add",
            Opcode::Isub => "sub",
            Opcode::Imul => "mul",
            Opcode::Sdiv => "sdiv",
            Opcode::Udiv => "udiv",
            Opcode::Srem => "srem",
            Opcode::Urem => "urem",
            Opcode::Band => "and",
            Opcode::Bor => "or",
            Opcode::Bxor => "xor",
            Opcode::Fadd => "fadd",
            Opcode::Fsub => "fsub",
            Opcode::Fmul => "fmul",
            Opcode::Fdiv => "fdiv",
            Opcode::Ishl | Opcode::Ushr | Opcode::Sshr => {
                return self.shift(inst, opcode, args);
            }
            Opcode::Smin | Opcode::Smax | Opcode::Umin | Opcode::Umax => {
                let name = opcode.to_string();
                let value = self.intrinsic(&name, ty, &[(ty, a), (ty, b)], "");
                return self.define(inst, value);
            }
            Opcode::Fmin | Opcode::Fmax => {
                let name = if opcode == Opcode::Fmin {
                    "minimum"
                } else {
                    "maximum"
                };
                let value = self.intrinsic(name, ty, &[(ty, a), (ty, b)], "");
                return self.define(inst, value);
            }
            other => unreachable!("CLIF that the generator does not make: {other}"),
        };
        let value = self.text.value(format_args!("{op} {ty} {a}, {b}"));
        self.define(inst, value);
    }

    /// CLIF shifts by the low bits of the amount; LLVM defines no other amounts.
    fn shift(&mut self, inst: Inst, opcode: Opcode, args: [Value; 2]) {
        let op = match opcode {
            Opcode::Ishl => "shl",
            Opcode::Ushr => "lshr",
            _ => "ashr",
        };
        let dfg = &self.func.dfg;
        let bits = dfg.value_type(args[0]).bits();
        let wide = dfg.value_type(args[1]);
        let (ty, from) = (self.ty(args[0]), llvm_type(wide));
        let (a, mut amount) = (self.name(args[0]), self.name(args[1]));
        if wide.bits() > bits {
            amount = self
                .text
                .value(format_args!("trunc {from} {amount} to {ty}"));
        } else if wide.bits() < bits {
            amount = self
                .text
                .value(format_args!("zext {from} {amount} to {ty}"));
        }
        let amount = self
            .text
            .value(format_args!("and {ty} {amount}, {}", bits - 1));
        let value = self.text.value(format_args!("{op} {ty} {a}, {amount}"));
        self.define(inst, value);
    }

    /// Both kinds of choice: LLVM moves no load above the test of its address.
    pub(super) fn select(&mut self, inst: Inst, args: [Value; 3]) {
        let ty = self.result(inst);
        let hit = self.condition(args[0]);
        let (a, b) = (self.name(args[1]), self.name(args[2]));
        let value = self
            .text
            .value(format_args!("select i1 {hit}, {ty} {a}, {ty} {b}"));
        self.define(inst, value);
    }

    pub(super) fn condition(&mut self, value: Value) -> String {
        let (ty, name) = (self.ty(value), self.name(value));
        self.text.value(format_args!("icmp ne {ty} {name}, 0"))
    }

    fn intrinsic(
        &mut self,
        name: &str,
        ret: &str,
        args: &[(&'static str, String)],
        of: &str,
    ) -> String {
        let suffix = |ty: &str| match ty {
            "float" => ".f32".to_string(),
            "double" => ".f64".to_string(),
            "" => String::new(),
            other => format!(".{other}"),
        };
        let name = format!("llvm.{name}{}{}", suffix(ret), suffix(of));
        let params: Vec<&str> = args.iter().map(|(ty, _)| *ty).collect();
        self.declare(&name, ret, &params.join(", "), "");
        let args: Vec<String> = args
            .iter()
            .map(|(ty, name)| format!("{ty} {name}"))
            .collect();
        let args = args.join(", ");
        self.text.value(format_args!("call {ret} @{name}({args})"))
    }
}
