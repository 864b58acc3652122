//! Scalar operations: instructions that agree bit for bit with `Prim::eval`, with checks where an
//! operation can fail.

use super::function::{Emit, llvm_type};
use super::helpers::Helper;
use super::libdevice::{FMOD32, FMOD64};
use crate::toolkit;
use worldage_wir::device::FailKind;
use worldage_wir::ir::{Const, Failure, Pos, Val};
use worldage_wir::module::Unsupported;
use worldage_wir::prim::{Library, Prim, PrimError, Scalar};

/// What Nvidia devices have.
const LIBRARIES: [Library; 2] = [Library::Libdevice, Library::LibdeviceFast];

#[derive(Clone, Copy, PartialEq)]
enum Compare {
    Eq,
    Lt,
    Le,
}

impl Emit<'_, '_> {
    pub(super) fn prim(
        &mut self,
        prim: Prim,
        args: &[Val],
        result: Val,
        pos: Pos,
    ) -> Result<(), Unsupported> {
        if let Some(what) = prim.refused_by(&LIBRARIES) {
            return Err(self.refusal(pos, what));
        }
        let a = self.scalar(args[0]);
        let b = args.get(1).map_or(String::new(), |&val| self.scalar(val));
        if let Some(error) = prim.failure() {
            for bad in self.failing(prim, &a, &b) {
                self.fail_prim(&bad, error, pos);
            }
        }
        let value = match prim {
            Prim::Library(library, f, s) => self.libdevice(library.name(f, s), s, [&a, &b], pos)?,
            // PTX has no instruction for it.
            Prim::Rem(Scalar::F32) => self.libdevice(FMOD32, Scalar::F32, [&a, &b], pos)?,
            Prim::Rem(Scalar::F64) => self.libdevice(FMOD64, Scalar::F64, [&a, &b], pos)?,
            _ => self.pure(prim, &a, &b),
        };
        self.set_scalar(result, prim.result(), value);
        Ok(())
    }

    fn fail_prim(&mut self, bad: &str, error: PrimError, pos: Pos) {
        let kind = FailKind::Failure(Failure::Prim(error));
        self.unless(bad, |emit| emit.fail(kind, pos));
    }

    /// One instruction on operands of one type.
    fn of(&mut self, op: &str, s: Scalar, a: &str, b: &str) -> String {
        self.text
            .value(format_args!("{op} {} {a}, {b}", llvm_type(s)))
    }

    /// A call of an intrinsic that takes and gives one type.
    fn intrinsic(&mut self, name: &str, s: Scalar, args: &[&str]) -> String {
        let ty = llvm_type(s);
        let suffix = match s {
            Scalar::F32 => "f32".to_string(),
            Scalar::F64 => "f64".to_string(),
            _ => ty.to_string(),
        };
        let name = format!("llvm.{name}.{suffix}");
        let params = vec![ty; args.len()].join(", ");
        self.w.intrinsics.insert(format!("{ty} @{name}({params})"));
        let passed: Vec<String> = args.iter().map(|arg| format!("{ty} {arg}")).collect();
        let passed = passed.join(", ");
        self.text.value(format_args!("call {ty} @{name}({passed})"))
    }

    /// A function of libdevice.
    fn libdevice(
        &mut self,
        name: &str,
        s: Scalar,
        args: [&str; 2],
        pos: Pos,
    ) -> Result<String, Unsupported> {
        if !(self.w.has_libdevice)() {
            let what = format!(
                "`{name}` needs libdevice, which is not here ({})",
                toolkit::INSTALL
            );
            return Err(self.refusal(pos, what));
        }
        let ty = llvm_type(s);
        let args: Vec<String> = args
            .iter()
            .filter(|arg| !arg.is_empty())
            .map(|arg| format!("{ty} {arg}"))
            .collect();
        let params = vec![ty; args.len()].join(", ");
        self.w.libdevice.insert(format!("{ty} @{name}({params})"));
        let args = args.join(", ");
        Ok(self.text.value(format_args!("call {ty} @{name}({args})")))
    }

    fn pure(&mut self, prim: Prim, a: &str, b: &str) -> String {
        match prim {
            Prim::Add(s) if s.is_float() => self.of("fadd", s, a, b),
            Prim::Add(s) => self.of("add", s, a, b),
            Prim::Sub(s) if s.is_float() => self.of("fsub", s, a, b),
            Prim::Sub(s) => self.of("sub", s, a, b),
            Prim::Mul(s) if s.is_float() => self.of("fmul", s, a, b),
            Prim::Mul(s) => self.of("mul", s, a, b),
            Prim::Div(s) if s.is_float() => self.of("fdiv", s, a, b),
            Prim::Div(s) if s.is_signed() => self.of("sdiv", s, a, b),
            Prim::Div(s) => self.of("udiv", s, a, b),
            Prim::Rem(s) if s.is_signed() => {
                // MIN / -1 is not defined; the remainder by -1 is that by 1.
                let ty = llvm_type(s);
                let minus = self.of("icmp eq", s, b, "-1");
                let b = self
                    .text
                    .value(format_args!("select i1 {minus}, {ty} 1, {ty} {b}"));
                self.of("srem", s, a, &b)
            }
            Prim::Rem(s) => self.of("urem", s, a, b),
            Prim::Neg(s) if s.is_float() => {
                self.text.value(format_args!("fneg {} {a}", llvm_type(s)))
            }
            Prim::Neg(s) => self.of("sub", s, "0", a),
            Prim::Abs(s) if s.is_float() => self.intrinsic("fabs", s, &[a]),
            Prim::Abs(s) if s.is_signed() => {
                let ty = llvm_type(s);
                let minus = self.of("sub", s, "0", a);
                let below = self.of("icmp slt", s, a, "0");
                self.text
                    .value(format_args!("select i1 {below}, {ty} {minus}, {ty} {a}"))
            }
            Prim::Abs(_) => a.to_string(),
            Prim::BitNot(s) => self.of("xor", s, a, "-1"),
            Prim::Not => self.of("xor", Scalar::Bool, a, "true"),
            Prim::And(s) => self.of("and", s, a, b),
            Prim::Or(s) => self.of("or", s, a, b),
            Prim::Xor(s) => self.of("xor", s, a, b),
            Prim::Shl(s) => self.shift(s, a, b, true),
            Prim::Shr(s) => self.shift(s, a, b, false),
            Prim::Eq(s) => self.compare(Compare::Eq, s, a, b),
            Prim::Lt(s) => self.compare(Compare::Lt, s, a, b),
            Prim::Le(s) => self.compare(Compare::Le, s, a, b),
            Prim::EqMixed(s, t) => self.compare_mixed(Compare::Eq, (s, a), (t, b)),
            Prim::LtMixed(s, t) => self.compare_mixed(Compare::Lt, (s, a), (t, b)),
            Prim::LeMixed(s, t) => self.compare_mixed(Compare::Le, (s, a), (t, b)),
            Prim::Min(s) if s.is_float() => self.intrinsic("minimum", s, &[a, b]),
            Prim::Max(s) if s.is_float() => self.intrinsic("maximum", s, &[a, b]),
            Prim::Min(s) => self.extreme(Compare::Lt, s, a, b),
            Prim::Max(s) => self.extreme(Compare::Lt, s, b, a),
            Prim::Sqrt(s) => self.intrinsic("sqrt", s, &[a]),
            Prim::Floor(s) => self.intrinsic("floor", s, &[a]),
            Prim::Ceil(s) => self.intrinsic("ceil", s, &[a]),
            Prim::Round(s) => self.intrinsic("roundeven", s, &[a]),
            Prim::Trunc(s) => self.intrinsic("trunc", s, &[a]),
            Prim::PowInt(s) => {
                self.w.helpers.insert(Helper::PowInt);
                let wide = self.cast(s, Scalar::I64, a);
                let power = self
                    .text
                    .value(format_args!("call i64 @wa_powint(i64 {wide}, i64 {b})"));
                self.cast(Scalar::I64, s, &power)
            }
            Prim::Cast(s, t) | Prim::Convert(s, t) | Prim::TruncTo(s, t) => self.cast(s, t, a),
            Prim::Math(..) | Prim::Library(..) => unreachable!("refused, or called"),
        }
    }

    /// Both are the same number for integers, so ties do not matter; `a` if it is below `b`.
    fn extreme(&mut self, how: Compare, s: Scalar, a: &str, b: &str) -> String {
        let ty = llvm_type(s);
        let below = self.compare(how, s, a, b);
        let (smaller, larger) = (a, b);
        self.text.value(format_args!(
            "select i1 {below}, {ty} {smaller}, {ty} {larger}"
        ))
    }

    fn shift(&mut self, s: Scalar, a: &str, n: &str, left: bool) -> String {
        let bits = s.bits();
        if let Some(n) = n.parse::<u32>().ok().filter(|n| *n < bits) {
            let op = match (left, s.is_signed()) {
                (true, _) => "shl",
                (false, true) => "ashr",
                (false, false) => "lshr",
            };
            return self.of(op, s, a, &n.to_string());
        }
        let ty = llvm_type(s);
        let opposite = self.of("sub", Scalar::I64, "0", n);
        let (to_left, to_right) = if left {
            (n.to_string(), opposite)
        } else {
            (opposite, n.to_string())
        };
        let width = bits.to_string();
        // What is shifted past the width is not defined, and not chosen.
        let fits = self.of("icmp ult", Scalar::I64, &to_left, &width);
        let amount = self.cast(Scalar::I64, s.unsigned(), &to_left);
        let shifted = self.of("shl", s, a, &amount);
        let lefted = self
            .text
            .value(format_args!("select i1 {fits}, {ty} {shifted}, {ty} 0"));
        let fits = self.of("icmp ult", Scalar::I64, &to_right, &width);
        let amount = self.cast(Scalar::I64, s.unsigned(), &to_right);
        let righted = if s.is_signed() {
            let amount = self.text.value(format_args!(
                "select i1 {fits}, {ty} {amount}, {ty} {}",
                bits - 1
            ));
            self.of("ashr", s, a, &amount)
        } else {
            let shifted = self.of("lshr", s, a, &amount);
            self.text
                .value(format_args!("select i1 {fits}, {ty} {shifted}, {ty} 0"))
        };
        let negative = self.of("icmp slt", Scalar::I64, n, "0");
        let (positive, otherwise) = if left {
            (lefted, righted)
        } else {
            (righted, lefted)
        };
        self.text.value(format_args!(
            "select i1 {negative}, {ty} {otherwise}, {ty} {positive}"
        ))
    }

    fn compare(&mut self, how: Compare, s: Scalar, a: &str, b: &str) -> String {
        let op = match (how, s.is_float(), s.is_signed()) {
            (Compare::Eq, true, _) => "fcmp oeq",
            (Compare::Lt, true, _) => "fcmp olt",
            (Compare::Le, true, _) => "fcmp ole",
            (Compare::Eq, false, _) => "icmp eq",
            (Compare::Lt, false, true) => "icmp slt",
            (Compare::Lt, false, false) => "icmp ult",
            (Compare::Le, false, true) => "icmp sle",
            (Compare::Le, false, false) => "icmp ule",
        };
        self.of(op, s, a, b)
    }

    /// Exact comparison across number types.
    fn compare_mixed(
        &mut self,
        how: Compare,
        (s, a): (Scalar, &str),
        (t, b): (Scalar, &str),
    ) -> String {
        match (s.is_float(), t.is_float()) {
            (true, true) => {
                let (a, b) = (self.cast(s, Scalar::F64, a), self.cast(t, Scalar::F64, b));
                self.compare(how, Scalar::F64, &a, &b)
            }
            (false, false) => self.compare_ints(how, (s, a), (t, b)),
            (false, true) => {
                let b = self.cast(t, Scalar::F64, b);
                self.compare_int_float(how, (s, a), &b, true)
            }
            (true, false) => {
                let a = self.cast(s, Scalar::F64, a);
                self.compare_int_float(how, (t, b), &a, false)
            }
        }
    }

    fn compare_ints(
        &mut self,
        how: Compare,
        (s, a): (Scalar, &str),
        (t, b): (Scalar, &str),
    ) -> String {
        let (x, y) = (self.cast(s, Scalar::I64, a), self.cast(t, Scalar::I64, b));
        match (s, t) {
            (Scalar::U64, _) if t.is_signed() => {
                // b below zero is below every a.
                let valid = self.of("icmp sge", Scalar::I64, &y, "0");
                let result = self.compare(how, Scalar::U64, &x, &y);
                self.of("and", Scalar::Bool, &valid, &result)
            }
            (_, Scalar::U64) if s.is_signed() => {
                let below = self.of("icmp slt", Scalar::I64, &x, "0");
                let result = self.compare(how, Scalar::U64, &x, &y);
                if how == Compare::Eq {
                    let valid = self.of("xor", Scalar::Bool, &below, "true");
                    self.of("and", Scalar::Bool, &valid, &result)
                } else {
                    self.of("or", Scalar::Bool, &below, &result)
                }
            }
            (Scalar::U64, _) | (_, Scalar::U64) => self.compare(how, Scalar::U64, &x, &y),
            _ => self.compare(how, Scalar::I64, &x, &y),
        }
    }

    /// An integer `x` with a Float64 `y`; `int_first` says in which order.
    fn compare_int_float(
        &mut self,
        how: Compare,
        (s, x): (Scalar, &str),
        y: &str,
        int_first: bool,
    ) -> String {
        let rounded = self.cast(s, Scalar::F64, x);
        let in_order = |a, b| if int_first { (a, b) } else { (b, a) };
        let (a, b) = in_order(&*rounded, y);
        if s.bits() < 64 {
            return self.compare(how, Scalar::F64, a, b);
        }
        // Rounding keeps the order, so only where the rounded value equals y do integers decide.
        // There y is whole; only 2^63 (2^64) is outside of the integer type, above every x.
        let (limit, to) = match s.is_signed() {
            true => (9_223_372_036_854_775_808.0_f64, "fptosi"),
            false => (18_446_744_073_709_551_616.0, "fptoui"),
        };
        let limit = double(limit);
        let inside = self.of("fcmp olt", Scalar::F64, y, &limit);
        let name = format!("llvm.{to}.sat.i64.f64");
        self.w.intrinsics.insert(format!("i64 @{name}(double)"));
        let whole = self
            .text
            .value(format_args!("call i64 @{name}(double {y})"));
        let same = self.of("fcmp oeq", Scalar::F64, &rounded, y);
        let (first, second) = in_order(x, &*whole);
        let ints = self.compare(how, s, first, second);
        if how == Compare::Eq {
            let exact = self.of("and", Scalar::Bool, &inside, &ints);
            return self.of("and", Scalar::Bool, &same, &exact);
        }
        let decided = if int_first {
            let outside = self.of("fcmp oge", Scalar::F64, y, &limit);
            self.of("or", Scalar::Bool, &outside, &ints)
        } else {
            self.of("and", Scalar::Bool, &inside, &ints)
        };
        let tie = self.of("and", Scalar::Bool, &same, &decided);
        let strictly = self.of("fcmp olt", Scalar::F64, a, b);
        self.of("or", Scalar::Bool, &strictly, &tie)
    }

    /// The value in another type; from a float to an integer only what fits.
    fn cast(&mut self, s: Scalar, t: Scalar, a: &str) -> String {
        let (from, to) = (llvm_type(s), llvm_type(t));
        let bits = |s: Scalar| if s == Scalar::Bool { 1 } else { s.bits() };
        let op = match (s.is_float(), t.is_float()) {
            _ if t == Scalar::Bool && s != Scalar::Bool => {
                return match s.is_float() {
                    true => self.of("fcmp une", s, a, "0.0"),
                    false => self.of("icmp ne", s, a, "0"),
                };
            }
            (true, true) if bits(s) < bits(t) => "fpext",
            (true, true) if bits(s) > bits(t) => "fptrunc",
            (true, true) => return a.to_string(),
            (true, false) if t.is_signed() => "fptosi",
            (true, false) => "fptoui",
            (false, true) if s.is_signed() => "sitofp",
            (false, true) => "uitofp",
            (false, false) if bits(s) > bits(t) => "trunc",
            (false, false) if bits(s) == bits(t) => return a.to_string(),
            (false, false) if s.is_signed() => "sext",
            (false, false) => "zext",
        };
        self.text.value(format_args!("{op} {from} {a} to {to}"))
    }

    /// Conditions under which an operation fails.
    fn failing(&mut self, prim: Prim, a: &str, b: &str) -> Vec<String> {
        let known = b.parse::<i64>().ok();
        match prim {
            Prim::Div(s) | Prim::Rem(s) => {
                let mut bad = Vec::new();
                if known.is_none_or(|known| known == 0) {
                    bad.push(self.of("icmp eq", s, b, "0"));
                }
                let is_div = matches!(prim, Prim::Div(_));
                if is_div && s.is_signed() && known.is_none_or(|known| known == -1) {
                    let least = (i64::MIN >> (64 - s.bits())).to_string();
                    let minus = self.of("icmp eq", s, b, "-1");
                    let of_least = self.of("icmp eq", s, a, &least);
                    bad.push(self.of("and", Scalar::Bool, &minus, &of_least));
                }
                bad
            }
            Prim::PowInt(s) => {
                if known.is_some_and(|known| known >= 0) {
                    return Vec::new();
                }
                let mut bad = self.of("icmp slt", Scalar::I64, b, "0");
                let bases: &[&str] = if s.is_signed() { &["1", "-1"] } else { &["1"] };
                for base in bases {
                    let other = self.of("icmp ne", s, a, base);
                    bad = self.of("and", Scalar::Bool, &bad, &other);
                }
                vec![bad]
            }
            Prim::Convert(s, t) if s.is_float() => {
                let whole = self.intrinsic("trunc", s, &[a]);
                let fraction = self.of("fcmp une", s, &whole, a);
                let outside = self.outside(s, t, &whole);
                vec![self.of("or", Scalar::Bool, &fraction, &outside)]
            }
            Prim::TruncTo(s, t) if s.is_float() => {
                let whole = self.intrinsic("trunc", s, &[a]);
                vec![self.outside(s, t, &whole)]
            }
            Prim::Convert(s, Scalar::Bool) | Prim::TruncTo(s, Scalar::Bool) => {
                vec![self.of("icmp ugt", s, a, "1")]
            }
            Prim::Convert(s, t) | Prim::TruncTo(s, t) => {
                let there = self.cast(s, t, a);
                let back = self.cast(t, s, &there);
                let lost = self.of("icmp ne", s, &back, a);
                // The same bits mean another number where one type has a sign.
                let negative = match (s.is_signed(), t.is_signed()) {
                    (true, false) => Some(self.of("icmp slt", s, a, "0")),
                    (false, true) => Some(self.of("icmp slt", t, &there, "0")),
                    _ => None,
                };
                vec![match negative {
                    Some(negative) => self.of("or", Scalar::Bool, &lost, &negative),
                    None => lost,
                }]
            }
            _ => Vec::new(),
        }
    }

    /// Whether a whole float is outside of an integer type (also NaN).
    fn outside(&mut self, s: Scalar, t: Scalar, whole: &str) -> String {
        let bits = if t == Scalar::Bool { 1 } else { t.bits() };
        let room = i32::try_from(bits).expect("few bits") - i32::from(t.is_signed());
        // Powers of two are exact in both float types.
        let end = 2f64.powi(room);
        let (low, high) = (if t.is_signed() { -end } else { 0.0 }, end);
        let above = self.of("fcmp oge", s, whole, &double(low));
        let below = self.of("fcmp olt", s, whole, &double(high));
        let inside = self.of("and", Scalar::Bool, &above, &below);
        self.of("xor", Scalar::Bool, &inside, "true")
    }
}

/// A float as LLVM writes it: the bits of the same number in double precision.
fn double(x: f64) -> String {
    format!("0x{:016X}", x.to_bits())
}

/// A constant as LLVM writes it.
pub(super) fn literal(scalar: Scalar, constant: &Const) -> String {
    match constant {
        Const::Bool(x) => x.to_string(),
        Const::Int(x) if scalar == Scalar::U64 => x.cast_unsigned().to_string(),
        Const::Int(x) => x.to_string(),
        Const::F32(bits) => double(f64::from(f32::from_bits(*bits))),
        Const::F64(bits) => double(f64::from_bits(*bits)),
        Const::Str(_) | Const::Unit => unreachable!("no scalar"),
    }
}
