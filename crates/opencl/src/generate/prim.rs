//! Scalar operations: expressions of C that agree bit for bit with `Prim::eval`, with checks where
//! an operation can fail.

use super::emit::{Emit, Operand};
use super::helpers::Helper;
use crate::data::c_type;
use worldage_wir::device::FailKind;
use worldage_wir::ir::{Const, Failure, Pos, Val};
use worldage_wir::module::Unsupported;
use worldage_wir::prim::{Library, Prim, Scalar};

/// What OpenCL C has.
const LIBRARIES: [Library; 2] = [Library::OpenCl, Library::OpenClNative];

impl Emit<'_, '_> {
    pub(super) fn prim(
        &mut self,
        prim: Prim,
        args: &[Val],
        result: Val,
        pos: Pos,
    ) -> Result<(), Unsupported> {
        let mut a = self.scalar(args[0]);
        let mut b = args
            .get(1)
            .map_or(Operand::plain(""), |&val| self.scalar(val));
        if let Some(what) = prim.refused_by(&LIBRARIES) {
            return Err(self.refuse(pos, what));
        }
        let (first, second) = prim.operands();
        if prim.failure().is_some() {
            // Operands are written in the check and in the operation.
            a = self.simple(first, a);
            if let Some(second) = second {
                b = self.simple(second, b);
            }
            for condition in failing(prim, &a.text, &b.text) {
                let error = prim.failure().expect("just asked");
                let kind = FailKind::Failure(Failure::Prim(error));
                self.fail_if(&condition, kind, "", pos);
            }
        }
        for scalar in [Some(first), second, Some(prim.result())]
            .into_iter()
            .flatten()
        {
            let _ = self.g.c_type(scalar);
        }
        let text = self.expression(prim, &mut a, &b);
        let mut value = Operand::join(text, &[&a, &b]);
        let pure = prim.failure().is_none();
        if !pure {
            value = self.guarded(prim.result(), value);
        }
        if self.is_needed(result) {
            self.define(result, prim.result(), value, pure);
        }
        Ok(())
    }

    fn expression(&mut self, prim: Prim, left: &mut Operand, right: &Operand) -> String {
        let (a, b) = (left.text.clone(), &right.text);
        match prim {
            Prim::Add(s) => wrapping(s, &a, "+", b),
            Prim::Sub(s) => wrapping(s, &a, "-", b),
            Prim::Mul(s) => wrapping(s, &a, "*", b),
            Prim::Div(s) if s.is_float() => format!("({a} / {b})"),
            Prim::Div(s) => format!("({})({a} / {b})", c_type(s)),
            Prim::Rem(s) if s.is_float() => format!("fmod({a}, {b})"),
            Prim::Rem(s) if s.is_signed() => {
                format!("{}({a}, {b})", self.g.helper(Helper::Rem(s)))
            }
            Prim::Rem(s) => format!("({})({a} % {b})", c_type(s)),
            Prim::Neg(s) if s.is_float() => format!("(-{a})"),
            Prim::Neg(s) => wrapping(s, &int_literal(s, 0), "-", &a),
            Prim::Abs(s) if s.is_float() => format!("fabs({a})"),
            Prim::Abs(s) if s.is_signed() => format!("({})abs({a})", c_type(s)),
            Prim::Abs(_) => a,
            Prim::BitNot(s) => format!("({})(~{a})", c_type(s)),
            Prim::Not => format!("(!{a})"),
            Prim::And(s) => format!("({})({a} & {b})", c_type(s)),
            Prim::Or(s) => format!("({})({a} | {b})", c_type(s)),
            Prim::Xor(s) => format!("({})({a} ^ {b})", c_type(s)),
            Prim::Shl(s) => self.shift(s, &a, b, true),
            Prim::Shr(s) => self.shift(s, &a, b, false),
            Prim::Eq(_) => format!("({a} == {b})"),
            Prim::Lt(_) => format!("({a} < {b})"),
            Prim::Le(_) => format!("({a} <= {b})"),
            Prim::EqMixed(s, t) => self.mixed(s, t, &a, b, ["== 0", "== 0"], "=="),
            Prim::LtMixed(s, t) => self.mixed(s, t, &a, b, ["< 0", "== 1"], "<"),
            Prim::LeMixed(s, t) => {
                let order = ["<= 0", ">> 1 == 0"];
                self.mixed(s, t, &a, b, order, "<=")
            }
            Prim::Min(s) if s.is_float() => format!("{}({a}, {b})", self.g.helper(Helper::Min(s))),
            Prim::Max(s) if s.is_float() => format!("{}({a}, {b})", self.g.helper(Helper::Max(s))),
            Prim::Min(s) => format!("min(({0}){a}, ({0}){b})", c_type(s)),
            Prim::Max(s) => format!("max(({0}){a}, ({0}){b})", c_type(s)),
            Prim::Sqrt(_) => format!("sqrt({a})"),
            Prim::Floor(_) => format!("floor({a})"),
            Prim::Ceil(_) => format!("ceil({a})"),
            Prim::Round(_) => format!("rint({a})"),
            Prim::Trunc(_) => format!("trunc({a})"),
            Prim::Library(library, f, s) => {
                let name = match library {
                    Library::OpenCl => f.name(),
                    _ => library.name(f, s),
                };
                match f.arity() {
                    1 => format!("{name}({a})"),
                    _ => format!("{name}({a}, {b})"),
                }
            }
            Prim::Math(..) => unreachable!("functions of the host were refused"),
            Prim::PowInt(s) => format!(
                "({})({}((ulong){a}, {b}))",
                c_type(s),
                self.g.helper(Helper::PowInt)
            ),
            Prim::Cast(s, t) | Prim::Convert(s, t) | Prim::TruncTo(s, t) => cast(s, t, &a),
        }
    }

    fn shift(&mut self, s: Scalar, a: &str, n: &str, left: bool) -> String {
        let known = n.strip_suffix('L').and_then(|n| n.parse::<u32>().ok());
        let t = c_type(s);
        match known {
            Some(n) if n < s.bits() && left => {
                format!("({t})(({}){a} << {n})", c_type(s.unsigned()))
            }
            Some(n) if n < s.bits() => format!("({t})({a} >> {n})"),
            _ => {
                let helper = if left { Helper::Shl(s) } else { Helper::Shr(s) };
                format!("{}({a}, {n})", self.g.helper(helper))
            }
        }
    }

    /// An exact comparison across number types; `order` is asked of -1, 0, 1 (2 for NaN) of the
    /// integer against the other, first as it stands and then with the sides exchanged.
    fn mixed(
        &mut self,
        s: Scalar,
        t: Scalar,
        a: &str,
        b: &str,
        order: [&str; 2],
        plain: &str,
    ) -> String {
        match (s.is_float(), t.is_float()) {
            (true, true) => format!(
                "({} {plain} {})",
                cast(s, Scalar::F64, a),
                cast(t, Scalar::F64, b)
            ),
            (false, false) if s == Scalar::U64 && t.is_signed() => {
                let compare = self.g.helper(Helper::CompareUnsigned);
                // b <= a in both orders: -1 and 0 of the exchanged sides are 1 and 0 here.
                match plain {
                    "==" => format!("({compare}({b}, {a}) == 0)"),
                    "<" => format!("({compare}({b}, {a}) == 1)"),
                    _ => format!("({compare}({b}, {a}) >= 0)"),
                }
            }
            (false, false) if t == Scalar::U64 && s.is_signed() => {
                let compare = self.g.helper(Helper::CompareUnsigned);
                format!("({compare}({a}, {b}) {})", order[0])
            }
            (false, false) => {
                let wide = if s == Scalar::U64 || t == Scalar::U64 {
                    "ulong"
                } else {
                    "long"
                };
                format!("(({wide}){a} {plain} ({wide}){b})")
            }
            (false, true) => self.int_with_float((s, a), (t, b), order[0], plain, true),
            (true, false) => self.int_with_float((t, b), (s, a), order[1], plain, false),
        }
    }

    fn int_with_float(
        &mut self,
        (s, int): (Scalar, &str),
        (t, float): (Scalar, &str),
        order: &str,
        plain: &str,
        int_first: bool,
    ) -> String {
        let _ = self.g.c_type(Scalar::F64);
        let float = cast(t, Scalar::F64, float);
        if s.bits() < 64 {
            let int = format!("(double){int}");
            return match int_first {
                true => format!("({int} {plain} {float})"),
                false => format!("({float} {plain} {int})"),
            };
        }
        let compare = self.g.helper(Helper::CompareDouble(s));
        format!("({compare}({int}, {float}) {order})")
    }
}

/// Conditions under which an operation fails.
fn failing(prim: Prim, a: &str, b: &str) -> Vec<String> {
    match prim {
        Prim::Div(s) if s.is_signed() => {
            let least = int_literal(s, least(s));
            match b.trim_end_matches('L').parse::<i64>() {
                Ok(known) if known != 0 => Vec::new(),
                _ => vec![format!("{b} == 0 || ({b} == -1 && {a} == {least})")],
            }
        }
        Prim::Div(_) | Prim::Rem(_) => match b.trim_end_matches(['L', 'U']).parse::<u64>() {
            Ok(known) if known != 0 => Vec::new(),
            _ => vec![format!("{b} == 0")],
        },
        Prim::PowInt(s) => {
            let minus = if s.is_signed() {
                format!(" && {a} != -1")
            } else {
                String::new()
            };
            match b.trim_end_matches('L').parse::<u64>() {
                Ok(_) => Vec::new(),
                Err(_) => vec![format!("{b} < 0 && {a} != 1{minus}")],
            }
        }
        Prim::Convert(s, t) if s.is_float() => {
            let range = outside(s, t, a);
            vec![format!("trunc({a}) != {a} || {range}")]
        }
        Prim::TruncTo(s, t) if s.is_float() => vec![outside(s, t, &format!("trunc({a})"))],
        Prim::Convert(_, Scalar::Bool) | Prim::TruncTo(_, Scalar::Bool) => {
            vec![format!("{a} != 0 && {a} != 1")]
        }
        Prim::Convert(s, t) | Prim::TruncTo(s, t) => {
            let back = format!("({})({}){a} != {a}", c_type(s), c_type(t));
            match (s.is_signed(), t.is_signed()) {
                (true, false) => vec![format!("{a} < 0 || {back}")],
                (false, true) => vec![format!("({}){a} < 0 || {back}", c_type(t))],
                _ => vec![back],
            }
        }
        _ => Vec::new(),
    }
}

/// Whether a whole float is outside of an integer type (also NaN).
fn outside(s: Scalar, t: Scalar, whole: &str) -> String {
    let bits = if t == Scalar::Bool { 1 } else { t.bits() };
    let room = bits - u32::from(t.is_signed());
    let suffix = if s == Scalar::F32 { "f" } else { "" };
    // Powers of two are exact in both float types.
    let low = match t.is_signed() {
        true => format!("-0x1p{room}{suffix}"),
        false => format!("0.0{suffix}"),
    };
    format!("!({whole} >= {low} && {whole} < 0x1p{room}{suffix})")
}

fn least(s: Scalar) -> i64 {
    i64::MIN >> (64 - s.bits())
}

/// Wrapping arithmetic: signed overflow has no meaning in C, unsigned has.
fn wrapping(s: Scalar, a: &str, op: &str, b: &str) -> String {
    if s.is_float() || matches!(s, Scalar::U32 | Scalar::U64) {
        return format!("({a} {op} {b})");
    }
    let wide = if s == Scalar::I64 { "ulong" } else { "uint" };
    format!("({})(({wide}){a} {op} ({wide}){b})", c_type(s))
}

fn cast(s: Scalar, t: Scalar, a: &str) -> String {
    match t {
        _ if s == t => a.to_string(),
        Scalar::Bool => format!("({a} != 0)"),
        _ => format!("({}){a}", c_type(t)),
    }
}

/// A constant as C writes it.
pub(super) fn literal(scalar: Scalar, constant: &Const) -> String {
    match constant {
        Const::Bool(x) => x.to_string(),
        Const::Int(x) => int_literal(scalar, *x),
        Const::F32(bits) => {
            let x = f32::from_bits(*bits);
            match x.is_finite() {
                true if x.is_sign_negative() => format!("({x:?}f)"),
                true => format!("{x:?}f"),
                false => format!("as_float(0x{bits:08x}U)"),
            }
        }
        Const::F64(bits) => {
            let x = f64::from_bits(*bits);
            match x.is_finite() {
                true if x.is_sign_negative() => format!("({x:?})"),
                true => format!("{x:?}"),
                false => format!("as_double(0x{bits:016x}UL)"),
            }
        }
        Const::Str(_) | Const::Unit => unreachable!("no scalar"),
    }
}

fn int_literal(s: Scalar, x: i64) -> String {
    match s {
        Scalar::I64 if x == i64::MIN => "(-9223372036854775807L - 1L)".to_string(),
        Scalar::I64 if x < 0 => format!("({x}L)"),
        Scalar::I64 => format!("{x}L"),
        Scalar::U64 => format!("{}UL", x.cast_unsigned()),
        Scalar::U32 => format!("{x}U"),
        Scalar::I32 if x == i64::from(i32::MIN) => "(-2147483647 - 1)".to_string(),
        Scalar::I32 if x < 0 => format!("({x})"),
        Scalar::I32 => format!("{x}"),
        other => format!("(({})({x}))", c_type(other)),
    }
}
