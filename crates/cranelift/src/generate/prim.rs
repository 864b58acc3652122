//! Scalar operations: instructions that agree bit for bit with `Prim::eval`, with explicit checks
//! where an operation can fail.
//!
//! Both opt levels must give equal bits: nothing is fused, and elementary functions are calls of
//! `libm`, never of the system's mathematics.

use super::leaf_type;
use super::lower::Lower;
use crate::code::RuntimeFn;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};
use worldage_wir::ir::Val;
use worldage_wir::layout::Leaf;
use worldage_wir::prim::{MathFn, Prim, PrimError, Scalar};

/// The register type of a scalar.
trait ClifType {
    fn clif(self) -> ir::Type;
    /// How many bits say the value; a Bool has one of its eight.
    fn value_bits(self) -> u32;
}

impl ClifType for Scalar {
    fn clif(self) -> ir::Type {
        leaf_type(Leaf::of(self))
    }

    fn value_bits(self) -> u32 {
        if self == Scalar::Bool { 1 } else { self.bits() }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Compare {
    Eq,
    Lt,
    Le,
}

impl Lower<'_> {
    pub(super) fn prim(&mut self, prim: Prim, args: &[Val]) -> Value {
        let a = self.one(args[0]);
        let b = args.get(1).map(|&v| self.one(v));
        let second = || b.expect("a binary operation has two operands");
        match prim {
            Prim::Add(s) if s.is_float() => self.cur.ins().fadd(a, second()),
            Prim::Add(_) => self.cur.ins().iadd(a, second()),
            Prim::Sub(s) if s.is_float() => self.cur.ins().fsub(a, second()),
            Prim::Sub(_) => self.cur.ins().isub(a, second()),
            Prim::Mul(s) if s.is_float() => self.cur.ins().fmul(a, second()),
            Prim::Mul(_) => self.cur.ins().imul(a, second()),
            Prim::Div(s) if s.is_float() => self.cur.ins().fdiv(a, second()),
            Prim::Div(s) => self.int_div(s, a, second(), self.constant_of(args[1])),
            Prim::Rem(Scalar::F64) => self.call_runtime_value(RuntimeFn::Fmod64, &[a, second()]),
            Prim::Rem(Scalar::F32) => self.call_runtime_value(RuntimeFn::Fmod32, &[a, second()]),
            Prim::Rem(s) => self.int_rem(s, a, second(), self.constant_of(args[1])),
            Prim::Neg(s) if s.is_float() => self.cur.ins().fneg(a),
            Prim::Neg(_) => self.cur.ins().ineg(a),
            Prim::Abs(s) if s.is_float() => self.cur.ins().fabs(a),
            Prim::Abs(s) if s.is_signed() => self.cur.ins().iabs(a),
            Prim::Abs(_) => a,
            Prim::BitNot(_) => self.cur.ins().bnot(a),
            Prim::Not => {
                let one = self.cur.ins().iconst(types::I8, 1);
                self.cur.ins().bxor(a, one)
            }
            Prim::And(_) => self.cur.ins().band(a, second()),
            Prim::Or(_) => self.cur.ins().bor(a, second()),
            Prim::Xor(_) => self.cur.ins().bxor(a, second()),
            Prim::Shl(s) => self.shift(s, a, second(), self.constant_of(args[1]), true),
            Prim::Shr(s) => self.shift(s, a, second(), self.constant_of(args[1]), false),
            Prim::Eq(s) => self.compare(Compare::Eq, s, a, second()),
            Prim::Lt(s) => self.compare(Compare::Lt, s, a, second()),
            Prim::Le(s) => self.compare(Compare::Le, s, a, second()),
            Prim::EqMixed(s, t) => self.compare_mixed(Compare::Eq, (s, a), (t, second())),
            Prim::LtMixed(s, t) => self.compare_mixed(Compare::Lt, (s, a), (t, second())),
            Prim::LeMixed(s, t) => self.compare_mixed(Compare::Le, (s, a), (t, second())),
            Prim::Min(s) if s.is_float() => self.cur.ins().fmin(a, second()),
            Prim::Min(s) if s.is_signed() => self.cur.ins().smin(a, second()),
            Prim::Min(_) => self.cur.ins().umin(a, second()),
            Prim::Max(s) if s.is_float() => self.cur.ins().fmax(a, second()),
            Prim::Max(s) if s.is_signed() => self.cur.ins().smax(a, second()),
            Prim::Max(_) => self.cur.ins().umax(a, second()),
            Prim::Sqrt(_) => self.cur.ins().sqrt(a),
            Prim::Floor(_) => self.cur.ins().floor(a),
            Prim::Ceil(_) => self.cur.ins().ceil(a),
            Prim::Round(_) => self.cur.ins().nearest(a),
            Prim::Trunc(_) => self.cur.ins().trunc(a),
            // A device's library has its meaning from the host's function.
            Prim::Math(f, s) | Prim::Library(_, f, s) => {
                let function = math(f, s);
                match b {
                    Some(b) => self.call_runtime_value(function, &[a, b]),
                    None => self.call_runtime_value(function, &[a]),
                }
            }
            Prim::PowInt(s) => self.pow_int(s, a, second(), self.constant_of(args[1])),
            Prim::Cast(s, t) => self.cast(s, t, a),
            Prim::Convert(s, t) => self.convert(s, t, a),
            Prim::TruncTo(s, t) if t.is_float() => self.cast(s, t, a),
            Prim::TruncTo(s, t) if s.is_float() => {
                let whole = self.cur.ins().trunc(a);
                self.float_to_int(s, t, whole)
            }
            Prim::TruncTo(s, t) => self.convert(s, t, a),
        }
    }

    /// Zero of the width, or any constant given as its low bits.
    fn int_of(&mut self, s: Scalar, value: i64) -> Value {
        let ty = s.clif();
        let bits = if ty.bits() == 64 {
            value
        } else {
            value & ((1i64 << ty.bits()) - 1)
        };
        self.cur.ins().iconst(ty, bits)
    }

    /// To at least 32 bits, where the machine divides.
    fn widened(&mut self, s: Scalar, value: Value) -> Value {
        match (s.bits() < 32, s.is_signed()) {
            (true, true) => self.cur.ins().sextend(types::I32, value),
            (true, false) => self.cur.ins().uextend(types::I32, value),
            (false, _) => value,
        }
    }

    fn narrowed(&mut self, s: Scalar, value: Value) -> Value {
        if s.bits() < 32 {
            self.cur.ins().ireduce(s.clif(), value)
        } else {
            value
        }
    }

    fn check_divisor(&mut self, s: Scalar, b: Value, known: Option<i64>) {
        if known.is_none_or(|k| k == 0) {
            let zero = self.int_of(s, 0);
            let bad = self.cur.ins().icmp(IntCC::Equal, b, zero);
            self.fail_prim(bad, PrimError::Division);
        }
    }

    fn int_div(&mut self, s: Scalar, a: Value, b: Value, known: Option<i64>) -> Value {
        self.check_divisor(s, b, known);
        if s.is_signed() && known.is_none_or(|k| k == -1) {
            let minus_one = self.int_of(s, -1);
            let min = self.int_of(s, i64::MIN >> (64 - s.bits()));
            let by_minus_one = self.cur.ins().icmp(IntCC::Equal, b, minus_one);
            let of_min = self.cur.ins().icmp(IntCC::Equal, a, min);
            let bad = self.cur.ins().band(by_minus_one, of_min);
            self.fail_prim(bad, PrimError::Division);
        }
        let (x, y) = (self.widened(s, a), self.widened(s, b));
        let quotient = if s.is_signed() {
            self.cur.ins().sdiv(x, y)
        } else {
            self.cur.ins().udiv(x, y)
        };
        self.narrowed(s, quotient)
    }

    fn int_rem(&mut self, s: Scalar, a: Value, b: Value, known: Option<i64>) -> Value {
        self.check_divisor(s, b, known);
        let (x, mut y) = (self.widened(s, a), self.widened(s, b));
        let rest = if s.is_signed() {
            if known.is_none_or(|k| k == -1) {
                // The machine faults on MIN / -1; the remainder by -1 is that by 1.
                let ty = self.cur.func.dfg.value_type(y);
                let all_ones = if ty == types::I32 { 0xffff_ffff } else { -1 };
                let minus_one = self.cur.ins().iconst(ty, all_ones);
                let one = self.cur.ins().iconst(ty, 1);
                let by_minus_one = self.cur.ins().icmp(IntCC::Equal, y, minus_one);
                y = self.cur.ins().select(by_minus_one, one, y);
            }
            self.cur.ins().srem(x, y)
        } else {
            self.cur.ins().urem(x, y)
        };
        self.narrowed(s, rest)
    }

    fn shift(&mut self, s: Scalar, a: Value, n: Value, known: Option<i64>, left: bool) -> Value {
        let bits = i64::from(s.bits());
        if let Some(k) = known {
            let (left, k) = if k < 0 {
                (!left, k.unsigned_abs())
            } else {
                (left, k as u64)
            };
            return self.shift_known(s, a, k, left);
        }
        let m = self.cur.ins().ineg(n);
        let (to_left, to_right) = if left { (n, m) } else { (m, n) };
        let width = self.int(bits);
        let zero = self.int_of(s, 0);
        let shifted = self.cur.ins().ishl(a, to_left);
        let fits = self.cur.ins().icmp(IntCC::UnsignedLessThan, to_left, width);
        let lefted = self.cur.ins().select(fits, shifted, zero);
        let righted = if s.is_signed() {
            let most = self.int(bits - 1);
            let amount = self.cur.ins().umin(to_right, most);
            self.cur.ins().sshr(a, amount)
        } else {
            let shifted = self.cur.ins().ushr(a, to_right);
            let fits = self
                .cur
                .ins()
                .icmp(IntCC::UnsignedLessThan, to_right, width);
            self.cur.ins().select(fits, shifted, zero)
        };
        let none = self.int(0);
        let negative = self.cur.ins().icmp(IntCC::SignedLessThan, n, none);
        if left {
            self.cur.ins().select(negative, righted, lefted)
        } else {
            self.cur.ins().select(negative, lefted, righted)
        }
    }

    fn shift_known(&mut self, s: Scalar, a: Value, k: u64, left: bool) -> Value {
        let bits = u64::from(s.bits());
        if k >= bits && (left || !s.is_signed()) {
            return self.int_of(s, 0);
        }
        let amount = self.int(k.min(bits - 1) as i64);
        match (left, s.is_signed()) {
            (true, _) => self.cur.ins().ishl(a, amount),
            (false, true) => self.cur.ins().sshr(a, amount),
            (false, false) => self.cur.ins().ushr(a, amount),
        }
    }

    fn compare(&mut self, how: Compare, s: Scalar, a: Value, b: Value) -> Value {
        if s.is_float() {
            let cc = match how {
                Compare::Eq => FloatCC::Equal,
                Compare::Lt => FloatCC::LessThan,
                Compare::Le => FloatCC::LessThanOrEqual,
            };
            return self.cur.ins().fcmp(cc, a, b);
        }
        let cc = match (how, s.is_signed()) {
            (Compare::Eq, _) => IntCC::Equal,
            (Compare::Lt, true) => IntCC::SignedLessThan,
            (Compare::Lt, false) => IntCC::UnsignedLessThan,
            (Compare::Le, true) => IntCC::SignedLessThanOrEqual,
            (Compare::Le, false) => IntCC::UnsignedLessThanOrEqual,
        };
        self.cur.ins().icmp(cc, a, b)
    }

    /// Exact comparison across number types.
    fn compare_mixed(
        &mut self,
        how: Compare,
        (s, a): (Scalar, Value),
        (t, b): (Scalar, Value),
    ) -> Value {
        match (s.is_float(), t.is_float()) {
            (true, true) => {
                let (a, b) = (self.cast(s, Scalar::F64, a), self.cast(t, Scalar::F64, b));
                self.compare(how, Scalar::F64, a, b)
            }
            (false, false) => self.compare_ints(how, (s, a), (t, b)),
            (false, true) => {
                let b = self.cast(t, Scalar::F64, b);
                self.compare_int_float(how, s, a, b, true)
            }
            (true, false) => {
                let a = self.cast(s, Scalar::F64, a);
                self.compare_int_float(how, t, b, a, false)
            }
        }
    }

    fn compare_ints(
        &mut self,
        how: Compare,
        (s, a): (Scalar, Value),
        (t, b): (Scalar, Value),
    ) -> Value {
        let (x, y) = (self.extended(s, a), self.extended(t, b));
        match (s, t) {
            (Scalar::U64, _) if t.is_signed() => {
                // b below zero is below every a.
                let zero = self.int(0);
                let valid = self
                    .cur
                    .ins()
                    .icmp(IntCC::SignedGreaterThanOrEqual, y, zero);
                let result = self.compare(how, Scalar::U64, x, y);
                self.cur.ins().band(valid, result)
            }
            (_, Scalar::U64) if s.is_signed() => {
                let zero = self.int(0);
                let below = self.cur.ins().icmp(IntCC::SignedLessThan, x, zero);
                let result = self.compare(how, Scalar::U64, x, y);
                if how == Compare::Eq {
                    let valid = self
                        .cur
                        .ins()
                        .icmp(IntCC::SignedGreaterThanOrEqual, x, zero);
                    self.cur.ins().band(valid, result)
                } else {
                    self.cur.ins().bor(below, result)
                }
            }
            (Scalar::U64, _) | (_, Scalar::U64) => self.compare(how, Scalar::U64, x, y),
            _ => self.compare(how, Scalar::I64, x, y),
        }
    }

    /// An integer `x` with a Float64 `y`; `int_first` says in which order.
    fn compare_int_float(
        &mut self,
        how: Compare,
        s: Scalar,
        x: Value,
        y: Value,
        int_first: bool,
    ) -> Value {
        let rounded = self.cast(s, Scalar::F64, x);
        let order = |a, b| if int_first { (a, b) } else { (b, a) };
        if s.bits() < 64 {
            let (a, b) = order(rounded, y);
            return self.compare(how, Scalar::F64, a, b);
        }
        // Rounding keeps the order, so only where the rounded value equals y do integers decide.
        // There y is whole; only 2^63 (2^64) is outside of the integer type, above every x.
        let signed = s.is_signed();
        let limit = if signed {
            9_223_372_036_854_775_808.0
        } else {
            18_446_744_073_709_551_616.0
        };
        let limit = self.cur.ins().f64const(limit);
        let inside = self.cur.ins().fcmp(FloatCC::LessThan, y, limit);
        let whole = if signed {
            self.cur.ins().fcvt_to_sint_sat(types::I64, y)
        } else {
            self.cur.ins().fcvt_to_uint_sat(types::I64, y)
        };
        let same = self.cur.ins().fcmp(FloatCC::Equal, rounded, y);
        let (a, b) = order(x, whole);
        let ints = self.compare(how, s, a, b);
        if how == Compare::Eq {
            let exact = self.cur.ins().band(inside, ints);
            return self.cur.ins().band(same, exact);
        }
        let decided = if int_first {
            let outside = self.cur.ins().fcmp(FloatCC::GreaterThanOrEqual, y, limit);
            self.cur.ins().bor(outside, ints)
        } else {
            self.cur.ins().band(inside, ints)
        };
        let tie = self.cur.ins().band(same, decided);
        let (a, b) = order(rounded, y);
        let strictly = self.cur.ins().fcmp(FloatCC::LessThan, a, b);
        self.cur.ins().bor(strictly, tie)
    }

    /// Sign- or zero-extended by its own type.
    fn extended(&mut self, s: Scalar, value: Value) -> Value {
        match (s.clif().bits() == 64, s.is_signed()) {
            (true, _) => value,
            (false, true) => self.cur.ins().sextend(types::I64, value),
            (false, false) => self.cur.ins().uextend(types::I64, value),
        }
    }

    fn pow_int(&mut self, s: Scalar, base: Value, exp: Value, known: Option<i64>) -> Value {
        match known {
            Some(0) => return self.int_of(s, 1),
            Some(1) => return base,
            Some(2) => return self.cur.ins().imul(base, base),
            Some(3) => {
                let square = self.cur.ins().imul(base, base);
                return self.cur.ins().imul(square, base);
            }
            _ => {}
        }
        if known.is_none_or(|k| k < 0) {
            let zero = self.int(0);
            let one = self.int_of(s, 1);
            let negative = self.cur.ins().icmp(IntCC::SignedLessThan, exp, zero);
            let not_one = self.cur.ins().icmp(IntCC::NotEqual, base, one);
            let mut bad = self.cur.ins().band(negative, not_one);
            if s.is_signed() {
                let minus_one = self.int_of(s, -1);
                let other = self.cur.ins().icmp(IntCC::NotEqual, base, minus_one);
                bad = self.cur.ins().band(bad, other);
            }
            self.fail_prim(bad, PrimError::Conversion);
        }
        // Wrapping arithmetic in 64 bits has the low bits of every narrower one.
        let base = self.extended(s, base);
        let power = self.call_runtime_value(RuntimeFn::PowInt, &[base, exp]);
        if s.clif() == types::I64 {
            power
        } else {
            self.cur.ins().ireduce(s.clif(), power)
        }
    }

    /// Never fails.
    fn cast(&mut self, s: Scalar, t: Scalar, value: Value) -> Value {
        if s == t {
            return value;
        }
        match (s.is_float(), t.is_float()) {
            (true, true) if t == Scalar::F64 => self.cur.ins().fpromote(types::F64, value),
            (true, true) => self.cur.ins().fdemote(types::F32, value),
            (false, true) => match (s.clif().bits(), s.is_signed()) {
                (64, false) => self.cur.ins().fcvt_from_uint(t.clif(), value),
                (32.., true) => self.cur.ins().fcvt_from_sint(t.clif(), value),
                _ => {
                    let wide = self.extended(s, value);
                    self.cur.ins().fcvt_from_sint(t.clif(), wide)
                }
            },
            (false, false) => self.resize(s, t, value),
            (true, false) => self.float_to_int(s, t, value),
        }
    }

    /// Integer to integer by the low bits, extended by the source's sign.
    fn resize(&mut self, s: Scalar, t: Scalar, value: Value) -> Value {
        let (from, to) = (s.clif().bits(), t.clif().bits());
        match (to.cmp(&from), s.is_signed()) {
            (std::cmp::Ordering::Equal, _) => value,
            (std::cmp::Ordering::Less, _) => self.cur.ins().ireduce(t.clif(), value),
            (_, true) => self.cur.ins().sextend(t.clif(), value),
            (_, false) => self.cur.ins().uextend(t.clif(), value),
        }
    }

    /// Exact, or fails.
    fn convert(&mut self, s: Scalar, t: Scalar, value: Value) -> Value {
        if s == t {
            return value;
        }
        match (s.is_float(), t.is_float()) {
            (_, true) => self.cast(s, t, value),
            (true, false) => {
                let whole = self.cur.ins().trunc(value);
                let bad = self.cur.ins().fcmp(FloatCC::NotEqual, whole, value);
                self.fail_prim(bad, PrimError::Conversion);
                self.float_to_int(s, t, whole)
            }
            (false, false) => {
                if let Some(bad) = self.does_not_fit(s, t, value) {
                    self.fail_prim(bad, PrimError::Conversion);
                }
                self.resize(s, t, value)
            }
        }
    }

    fn does_not_fit(&mut self, s: Scalar, t: Scalar, value: Value) -> Option<Value> {
        let signed = (s.is_signed(), t.is_signed());
        // Value bits: a signed type has one less.
        let (have, room) = (
            s.value_bits() - u32::from(signed.0),
            t.value_bits() - u32::from(signed.1),
        );
        if have <= room && (signed.1 || !signed.0) {
            return None;
        }
        let wide = self.extended(s, value);
        Some(match signed {
            (true, true) => {
                let low = self.cur.ins().ireduce(t.clif(), wide);
                let back = self.cur.ins().sextend(types::I64, low);
                self.cur.ins().icmp(IntCC::NotEqual, back, wide)
            }
            // Seen as unsigned, a negative number is above every other one.
            _ => {
                let most = if room == 64 || (signed.0 && room >= 63) {
                    i64::MAX
                } else {
                    ((1u64 << room) - 1) as i64
                };
                let most = self.int(most);
                self.cur.ins().icmp(IntCC::UnsignedGreaterThan, wide, most)
            }
        })
    }

    /// A whole float to an integer or Bool, or fails out of range or on NaN.
    fn float_to_int(&mut self, s: Scalar, t: Scalar, whole: Value) -> Value {
        let constant = |this: &mut Self, x: f64| match s {
            Scalar::F32 => this.cur.ins().f32const(x as f32),
            _ => this.cur.ins().f64const(x),
        };
        let room = t.value_bits() - u32::from(t.is_signed());
        // Both bounds are powers of two (or zero), hence exact.
        let top = 2f64.powi(i32::try_from(room).expect("at most 64"));
        let low = constant(self, if t.is_signed() { -top } else { 0.0 });
        let high = constant(self, top);
        let above = self.cur.ins().fcmp(FloatCC::GreaterThanOrEqual, whole, low);
        let below = self.cur.ins().fcmp(FloatCC::LessThan, whole, high);
        let fits = self.cur.ins().band(above, below);
        let one = self.cur.ins().iconst(types::I8, 1);
        let bad = self.cur.ins().bxor(fits, one);
        self.fail_prim(bad, PrimError::Conversion);
        match t.clif().bits() {
            64 if t.is_signed() => self.cur.ins().fcvt_to_sint_sat(types::I64, whole),
            64 => self.cur.ins().fcvt_to_uint_sat(types::I64, whole),
            _ => {
                let wide = self.cur.ins().fcvt_to_sint_sat(types::I64, whole);
                self.cur.ins().ireduce(t.clif(), wide)
            }
        }
    }

    /// The bits of a scalar or pointer in a payload word, zero-extended.
    pub(super) fn payload_of(&mut self, leaf: Leaf, value: Value) -> Value {
        match leaf {
            Leaf::I8 | Leaf::I16 | Leaf::I32 => self.cur.ins().uextend(types::I64, value),
            Leaf::F32 => {
                let bits = self
                    .cur
                    .ins()
                    .bitcast(types::I32, MemFlagsData::new(), value);
                self.cur.ins().uextend(types::I64, bits)
            }
            Leaf::F64 => self
                .cur
                .ins()
                .bitcast(types::I64, MemFlagsData::new(), value),
            Leaf::I64 | Leaf::Ptr | Leaf::Box(_) | Leaf::Tag | Leaf::Payload => value,
        }
    }

    /// The reverse of [`Lower::payload_of`].
    pub(super) fn leaf_in(&mut self, leaf: Leaf, payload: Value) -> Value {
        match leaf {
            Leaf::I8 | Leaf::I16 | Leaf::I32 => self.cur.ins().ireduce(leaf_type(leaf), payload),
            Leaf::F32 => {
                let bits = self.cur.ins().ireduce(types::I32, payload);
                self.cur
                    .ins()
                    .bitcast(types::F32, MemFlagsData::new(), bits)
            }
            Leaf::F64 => self
                .cur
                .ins()
                .bitcast(types::F64, MemFlagsData::new(), payload),
            Leaf::I64 | Leaf::Ptr | Leaf::Box(_) | Leaf::Tag | Leaf::Payload => payload,
        }
    }
}

fn math(f: MathFn, s: Scalar) -> RuntimeFn {
    match (f, s) {
        (MathFn::Sin, Scalar::F32) => RuntimeFn::Sin32,
        (MathFn::Cos, Scalar::F32) => RuntimeFn::Cos32,
        (MathFn::Tan, Scalar::F32) => RuntimeFn::Tan32,
        (MathFn::Exp, Scalar::F32) => RuntimeFn::Exp32,
        (MathFn::Log, Scalar::F32) => RuntimeFn::Log32,
        (MathFn::Pow, Scalar::F32) => RuntimeFn::Pow32,
        (MathFn::Sin, _) => RuntimeFn::Sin64,
        (MathFn::Cos, _) => RuntimeFn::Cos64,
        (MathFn::Tan, _) => RuntimeFn::Tan64,
        (MathFn::Exp, _) => RuntimeFn::Exp64,
        (MathFn::Log, _) => RuntimeFn::Log64,
        (MathFn::Pow, _) => RuntimeFn::Pow64,
    }
}
