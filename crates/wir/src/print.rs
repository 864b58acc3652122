//! Typed SSA as text: stable, instances by name.

use crate::ir::{Body, Const, Failure, Inst, Op, Target, Term, Val};
use crate::universe::Universe;
use std::fmt::Write;
use worldage_dispatch::{Symbol, Ty};
use worldage_engine::Mi;

/// A body as text; `name` prints an instance.
#[must_use]
pub fn print_body(u: &Universe, body: &Body, name: &dyn Fn(Mi) -> String) -> String {
    let printer = Printer { u, body, name };
    let mut out = String::new();
    for (ix, block) in body.blocks.iter().enumerate() {
        let params: Vec<_> = block.params.iter().map(|val| printer.typed(*val)).collect();
        let _ = writeln!(out, "b{ix}({}):", params.join(", "));
        for inst in &block.insts {
            let _ = writeln!(out, "    {}", printer.inst(inst));
        }
        let _ = writeln!(out, "    {}", printer.term(&block.term));
    }
    let _ = writeln!(out, "-> {}", printer.ty(body.ret));
    out
}

struct Printer<'a> {
    u: &'a Universe,
    body: &'a Body,
    name: &'a dyn Fn(Mi) -> String,
}

impl Printer<'_> {
    fn ty(&self, ty: Ty) -> String {
        self.u.types().display(ty).to_string()
    }

    fn typed(&self, val: Val) -> String {
        format!("v{}: {}", val.0, self.ty(self.body.vals[val.0 as usize]))
    }

    fn vals(&self, vals: &[Val]) -> String {
        vals.iter()
            .map(|val| format!("v{}", val.0))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn target(&self, target: &Target) -> String {
        format!("b{}({})", target.block.0, self.vals(&target.args))
    }

    fn term(&self, term: &Term) -> String {
        match term {
            Term::Jump(target) => format!("jump {}", self.target(target)),
            Term::Branch(cond, yes, no) => {
                format!(
                    "branch v{} {} {}",
                    cond.0,
                    self.target(yes),
                    self.target(no)
                )
            }
            Term::Return(val) => format!("return v{}", val.0),
            Term::Fail(failure) => format!("fail {}", self.failure(failure)),
            Term::Unreachable => "unreachable".to_string(),
        }
    }

    /// By names, as everything: numbers of types and symbols differ from session to session.
    fn failure(&self, failure: &Failure) -> String {
        let symbol = |name: &Symbol| self.u.types().symbol_str(*name).to_string();
        match failure {
            Failure::NoMethod(f, ty) => format!("no_method {} {}", symbol(f), self.ty(*ty)),
            Failure::Ambiguous(f, ty) => format!("ambiguous {} {}", symbol(f), self.ty(*ty)),
            Failure::NoInvoke(f, ty) => format!("no_invoke {} {}", symbol(f), self.ty(*ty)),
            Failure::TypeMismatch(asked, found) => {
                format!("type_mismatch {} {}", self.ty(*asked), self.ty(*found))
            }
            Failure::MissingField(ty, name) => {
                format!("missing_field {} {}", self.ty(*ty), symbol(name))
            }
            Failure::Bounds => "bounds".to_string(),
            Failure::Prim(error) => format!("prim {error:?}"),
            Failure::Unknown(kind, name) => format!("unknown {kind:?} {}", symbol(name)),
            Failure::BadType(why) => format!("bad_type {why}"),
            Failure::TypeLimit(name) => format!("type_limit {}", symbol(name)),
            Failure::Unsupported(why) => format!("unsupported {why}"),
        }
    }

    fn inst(&self, inst: &Inst) -> String {
        format!("{} = {}", self.typed(inst.result), self.op(&inst.op))
    }

    fn op(&self, op: &Op) -> String {
        let symbol = |f: &Symbol| self.u.types().symbol_str(*f).to_string();
        let mut operands = Vec::new();
        op.each_operand(|val| operands.push(val));
        let operands = self.vals(&operands);
        match op {
            Op::Const(value) => match value {
                Const::Bool(x) => format!("const {x}"),
                Const::Int(x) => format!("const {x}"),
                Const::F32(bits) => format!("const {:?}", f32::from_bits(*bits)),
                Const::F64(bits) => format!("const {:?}", f64::from_bits(*bits)),
                Const::Str(s) => format!("const {s:?}"),
                Const::Unit => "const".to_string(),
            },
            Op::Prim(prim, _) => format!("{prim} {operands}"),
            Op::Field(_, ix) => format!("field {operands}.{ix}"),
            Op::IsA(_, ty) => format!("isa {operands} {}", self.ty(*ty)),
            Op::Call(mi, _) => format!("call {} ({operands})", (self.name)(*mi)),
            Op::Grid(query, _) => format!("{} {operands}", snake(&format!("{query:?}"))),
            Op::Shared(n) => format!("shared {n}"),
            Op::Atomic(atomic, _) => {
                format!("atomic_{} {operands}", snake(&format!("{atomic:?}")))
            }
            Op::FieldDyn(_, name) => format!("field_dyn {operands}.{}", symbol(name)),
            Op::CallDyn(f, _) => format!("call_dyn {} ({operands})", symbol(f)),
            Op::InvokeDyn(f, sig, _) => {
                format!("invoke_dyn {} {} ({operands})", symbol(f), self.ty(*sig))
            }
            other => {
                let debug = format!("{other:?}");
                let head = debug.split(['(', ' ']).next().unwrap_or_default();
                format!("{} {operands}", snake(head)).trim_end().to_string()
            }
        }
    }
}

/// `ArrayGet` as `array_get`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}
