//! Scalar operations against straightforward models in 128 bits and exact rationals.

use super::{MathFn, Prim, PrimError, Scalar, ScalarValue};
use ScalarValue::{Bool, F32, F64, I8, I64};
use proptest::prelude::*;
use std::cmp::Ordering;

const INTS: [Scalar; 8] = [
    Scalar::I8,
    Scalar::I16,
    Scalar::I32,
    Scalar::I64,
    Scalar::U8,
    Scalar::U16,
    Scalar::U32,
    Scalar::U64,
];

/// Bits that are often near the ends of a type's range, near zero, or near a power of two.
fn bits() -> impl Strategy<Value = u64> {
    let near = (0..64u32, -2..3i64).prop_map(|(shift, d)| (1u64 << shift).wrapping_add_signed(d));
    prop_oneof![
        any::<u64>(),
        near.clone(),
        near.prop_map(|x| !x),
        (-3..4i64).prop_map(|x| x as u64)
    ]
}

fn int_of(ty: Scalar) -> impl Strategy<Value = ScalarValue> {
    bits().prop_map(move |bits| ScalarValue::from_bits(ty, bits))
}

fn int() -> impl Strategy<Value = ScalarValue> {
    (prop::sample::select(&INTS[..]), bits())
        .prop_map(|(ty, bits)| ScalarValue::from_bits(ty, bits))
}

fn float() -> impl Strategy<Value = ScalarValue> {
    let special = prop::sample::select(vec![
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.5,
        1.5,
        2.5,
        -0.5,
        9_007_199_254_740_993.0,
        9_223_372_036_854_775_808.0,
        18_446_744_073_709_551_616.0,
        -9_223_372_036_854_775_808.0,
        f64::MIN_POSITIVE,
        f64::MAX,
    ]);
    let of_int = bits().prop_map(|bits| bits as i64 as f64);
    let value = prop_oneof![
        special,
        of_int,
        any::<u64>().prop_map(f64::from_bits),
        -1e3..1e3
    ];
    (value, any::<bool>()).prop_map(|(x, narrow)| match narrow {
        true => F32(x as f32),
        false => F64(x),
    })
}

fn number() -> impl Strategy<Value = ScalarValue> {
    prop_oneof![int(), float()]
}

fn pair() -> impl Strategy<Value = (ScalarValue, ScalarValue)> {
    prop::sample::select(&INTS[..]).prop_flat_map(|ty| (int_of(ty), int_of(ty)))
}

fn n(x: ScalarValue) -> i128 {
    x.as_int().expect("an integer")
}

/// The number of an integer type that is `x` modulo 2^width.
fn modulo(ty: Scalar, x: i128) -> ScalarValue {
    let width = 1i128 << ty.bits();
    let (lo, hi) = ty.int_range().expect("an integer type");
    let mut x = x.rem_euclid(width);
    if x > hi {
        x -= width;
    }
    assert!(lo <= x && x <= hi);
    ScalarValue::wrap(ty, x)
}

/// Exact comparison by bits of mantissa and exponent: the sign, then the magnitude as m · 2^e.
fn exact(a: ScalarValue, b: ScalarValue) -> Option<Ordering> {
    fn parts(x: ScalarValue) -> Option<(bool, u128, i32)> {
        if let Some(x) = x.as_int() {
            return Some((x < 0, x.unsigned_abs(), 0));
        }
        let x = x.as_float()?;
        if x.is_nan() {
            return None;
        }
        if x.is_infinite() {
            return Some((x < 0.0, 1, 5000));
        }
        let bits = x.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i32;
        let fraction = u128::from(bits & ((1 << 52) - 1));
        let mantissa = if exponent == 0 {
            fraction
        } else {
            fraction | 1 << 52
        };
        Some((x < 0.0, mantissa, exponent.max(1) - 1075))
    }
    fn magnitude((_, m, e): (bool, u128, i32), (_, n, f): (bool, u128, i32)) -> Ordering {
        // By the place of the top bit, then by mantissas brought to one exponent.
        let top = |m: u128, e: i32| (128 - m.leading_zeros() as i32) + e;
        match (m, n) {
            (0, 0) => Ordering::Equal,
            (0, _) => Ordering::Less,
            (_, 0) => Ordering::Greater,
            _ => top(m, e)
                .cmp(&top(n, f))
                .then_with(|| (m << m.leading_zeros()).cmp(&(n << n.leading_zeros()))),
        }
    }
    let (a, b) = (parts(a)?, parts(b)?);
    let zero = |x: (bool, u128, i32)| x.1 == 0;
    Some(match (a.0 && !zero(a), b.0 && !zero(b)) {
        (false, false) => magnitude(a, b),
        (true, true) => magnitude(b, a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

proptest! {
    #[test]
    fn integer_arithmetic_wraps((a, b) in pair()) {
        let ty = a.scalar();
        let (x, y) = (n(a), n(b));
        prop_assert_eq!(Prim::Add(ty).eval(&[a, b]), Ok(modulo(ty, x + y)));
        prop_assert_eq!(Prim::Sub(ty).eval(&[a, b]), Ok(modulo(ty, x - y)));
        prop_assert_eq!(Prim::Neg(ty).eval(&[a]), Ok(modulo(ty, -x)));
        prop_assert_eq!(Prim::Abs(ty).eval(&[a]), Ok(modulo(ty, x.abs())));
        prop_assert_eq!(Prim::BitNot(ty).eval(&[a]), Ok(modulo(ty, -1 - x)));
        // The product modulo 2^64 is that of the factors modulo 2^64.
        let product = (x as u64).wrapping_mul(y as u64);
        prop_assert_eq!(Prim::Mul(ty).eval(&[a, b]), Ok(modulo(ty, i128::from(product))));
        prop_assert_eq!(Prim::Min(ty).eval(&[a, b]), Ok(modulo(ty, x.min(y))));
        prop_assert_eq!(Prim::Max(ty).eval(&[a, b]), Ok(modulo(ty, x.max(y))));
        prop_assert_eq!(Prim::And(ty).eval(&[a, b]), Ok(modulo(ty, x & y)));
        prop_assert_eq!(Prim::Or(ty).eval(&[a, b]), Ok(modulo(ty, x | y)));
        prop_assert_eq!(Prim::Xor(ty).eval(&[a, b]), Ok(modulo(ty, x ^ y)));
    }

    #[test]
    fn integer_division_truncates((a, b) in pair()) {
        let ty = a.scalar();
        let (x, y) = (n(a), n(b));
        let (quotient, rest) = (Prim::Div(ty).eval(&[a, b]), Prim::Rem(ty).eval(&[a, b]));
        if y == 0 {
            prop_assert_eq!(quotient, Err(PrimError::Division));
            prop_assert_eq!(rest, Err(PrimError::Division));
        } else {
            let exact = x / y;
            let fits = ty.int_range().is_some_and(|(lo, hi)| lo <= exact && exact <= hi);
            let expected = if fits { Ok(modulo(ty, exact)) } else { Err(PrimError::Division) };
            prop_assert_eq!(quotient, expected);
            prop_assert_eq!(rest, Ok(modulo(ty, x - exact * y)));
        }
    }

    #[test]
    fn shifts_are_multiplications(a in int(), k in prop_oneof![-70..70i64, any::<i64>()]) {
        let ty = a.scalar();
        let amount = I64(k);
        let model = |k: i128| {
            if k >= 0 {
                // Past the width everything is shifted out.
                modulo(ty, if k >= i128::from(ty.bits()) { 0 } else { n(a) << k })
            } else {
                modulo(ty, n(a).div_euclid(1i128 << (-k).min(100)))
            }
        };
        prop_assert_eq!(Prim::Shl(ty).eval(&[a, amount]), Ok(model(i128::from(k))));
        prop_assert_eq!(Prim::Shr(ty).eval(&[a, amount]), Ok(model(-i128::from(k))));
    }

    #[test]
    fn comparisons_are_exact(a in number(), b in number()) {
        let (x, y) = (a.scalar(), b.scalar());
        let order = exact(a, b);
        let mixed = x != y;
        let eq = if mixed { Prim::EqMixed(x, y) } else { Prim::Eq(x) };
        let lt = if mixed { Prim::LtMixed(x, y) } else { Prim::Lt(x) };
        let le = if mixed { Prim::LeMixed(x, y) } else { Prim::Le(x) };
        let bool = |b| Ok(Bool(b));
        prop_assert_eq!(eq.eval(&[a, b]), bool(order == Some(Ordering::Equal)));
        prop_assert_eq!(lt.eval(&[a, b]), bool(order == Some(Ordering::Less)));
        prop_assert_eq!(le.eval(&[a, b]), bool(order.is_some_and(Ordering::is_le)));
    }

    #[test]
    fn conversions_to_integers_are_exact_or_fail(a in number(), to in prop::sample::select(&INTS[..])) {
        let from = a.scalar();
        let result = Prim::Convert(from, to).eval(&[a]);
        match result {
            Ok(b) => {
                prop_assert_eq!(b.scalar(), to);
                prop_assert_eq!(exact(a, b), Some(Ordering::Equal));
            }
            Err(error) => {
                prop_assert_eq!(error, PrimError::Conversion);
                let (lo, hi) = to.int_range().expect("an integer type");
                let inside = match (a.as_int(), a.as_float()) {
                    (Some(x), _) => lo <= x && x <= hi,
                    (None, x) => x.is_some_and(|x| {
                        x.fract() == 0.0 && x >= lo as f64 && x < (hi + 1) as f64
                    }),
                };
                prop_assert!(!inside, "{:?} fits {}", a, to);
            }
        }
        // `trunc` is conversion of what is left of the point.
        let cut = a.as_float().map_or(a, |x| F64(x.trunc()));
        let expected = Prim::Convert(cut.scalar(), to).eval(&[cut]);
        prop_assert_eq!(Prim::TruncTo(from, to).eval(&[a]), expected);
    }

    #[test]
    fn integers_round_to_the_nearest_float(a in int()) {
        let ty = a.scalar();
        let Ok(F64(x)) = Prim::Cast(ty, Scalar::F64).eval(&[a]) else {
            return Err(TestCaseError::fail("a Float64"));
        };
        // No neighbour is nearer; on a tie the mantissa is even.
        let distance = |x: f64| (x as i128 - n(a)).abs();
        prop_assert!(distance(x) <= distance(x.next_up()));
        prop_assert!(distance(x) <= distance(x.next_down()));
        let tie = distance(x) == distance(x.next_up()) || distance(x) == distance(x.next_down());
        prop_assert!(!tie || x.to_bits() & 1 == 0);
    }

    #[test]
    fn powers_are_products(a in int(), k in 0..40i64) {
        let ty = a.scalar();
        let mut product = 1u64;
        for _ in 0..k {
            product = product.wrapping_mul(n(a) as u64);
        }
        let result = Prim::PowInt(ty).eval(&[a, I64(k)]);
        prop_assert_eq!(result, Ok(modulo(ty, i128::from(product))));
    }

    #[test]
    fn floats_follow_ieee(a in float(), b in float()) {
        let (F64(x), F64(y)) = (a, b) else { return Ok(()) };
        let same = |result: Result<ScalarValue, PrimError>, expected: f64| match result {
            Ok(F64(z)) => z.to_bits() == expected.to_bits() || z.is_nan() && expected.is_nan(),
            _ => false,
        };
        let of = |op: Prim| op.eval(&[a, b]);
        prop_assert!(same(of(Prim::Add(Scalar::F64)), x + y));
        prop_assert!(same(of(Prim::Sub(Scalar::F64)), x - y));
        prop_assert!(same(of(Prim::Mul(Scalar::F64)), x * y));
        prop_assert!(same(of(Prim::Div(Scalar::F64)), x / y));
        prop_assert!(same(of(Prim::Rem(Scalar::F64)), libm::fmod(x, y)));
        prop_assert!(same(Prim::Sqrt(Scalar::F64).eval(&[a]), libm::sqrt(x)));
        prop_assert!(same(Prim::Round(Scalar::F64).eval(&[a]), libm::rint(x)));
        prop_assert!(same(Prim::Floor(Scalar::F64).eval(&[a]), libm::floor(x)));
        let smaller = match x.partial_cmp(&y) {
            None => f64::NAN,
            Some(Ordering::Less) => x,
            Some(Ordering::Greater) => y,
            Some(Ordering::Equal) => if x.is_sign_negative() { x } else { y },
        };
        prop_assert!(same(of(Prim::Min(Scalar::F64)), smaller));
        let negated = [F64(-x), F64(-y)];
        let larger = Prim::Max(Scalar::F64).eval(&negated);
        prop_assert!(same(larger, -smaller));
    }

    #[test]
    fn printed_floats_read_back(a in float()) {
        let text = a.to_string();
        match a {
            F64(x) if x.is_finite() => {
                prop_assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(x.to_bits()));
                prop_assert!(text.contains(['.', 'e']));
            }
            F32(x) if x.is_finite() => {
                prop_assert_eq!(text.parse::<f32>().map(f32::to_bits), Ok(x.to_bits()));
                prop_assert!(text.contains(['.', 'e']));
            }
            _ => prop_assert!(["NaN", "Inf", "-Inf"].contains(&&*text)),
        }
    }

    #[test]
    fn only_what_says_so_fails(a in number(), b in number()) {
        let (x, y) = (a.scalar(), b.scalar());
        for op in [Prim::Cast(x, Scalar::F64), Prim::Convert(x, y), Prim::TruncTo(x, y), Prim::Convert(x, Scalar::Bool)] {
            if op.failure().is_none() {
                prop_assert!(op.eval(&[a]).is_ok(), "{} {:?}", op, a);
            }
            if let Ok(result) = op.eval(&[a]) {
                prop_assert_eq!(result.scalar(), op.result());
            }
        }
    }
}

#[track_caller]
fn check(op: Prim, operands: &[ScalarValue], expected: &str) {
    let shown = match op.eval(operands) {
        Ok(value) => value.to_string(),
        Err(error) => error.code().to_string(),
    };
    assert_eq!(shown, expected, "{op} {operands:?}");
}

#[test]
fn edges() {
    check(
        Prim::PowInt(Scalar::I64),
        &[I64(2), I64(-1)],
        "conversion-error",
    );
    check(Prim::PowInt(Scalar::I64), &[I64(1), I64(-5)], "1");
    check(Prim::PowInt(Scalar::I64), &[I64(-1), I64(-5)], "-1");
    check(Prim::PowInt(Scalar::I64), &[I64(-1), I64(i64::MIN)], "1");
    check(Prim::PowInt(Scalar::I8), &[I8(-2), I64(7)], "-128");
    check(Prim::Not, &[Bool(true)], "false");
    check(Prim::Xor(Scalar::Bool), &[Bool(true), Bool(true)], "false");
    check(Prim::Cast(Scalar::Bool, Scalar::F64), &[Bool(true)], "1.0");
    check(Prim::Cast(Scalar::F64, Scalar::F32), &[F64(0.1)], "0.1");
    check(Prim::Cast(Scalar::F64, Scalar::F32), &[F64(1e300)], "Inf");
    check(Prim::Round(Scalar::F32), &[F32(2.5)], "2.0");
    check(
        Prim::Math(MathFn::Pow, Scalar::F64),
        &[F64(2.0), F64(0.5)],
        "1.4142135623730951",
    );
    check(Prim::Convert(Scalar::F64, Scalar::I64), &[F64(-0.0)], "0");
    check(Prim::Shr(Scalar::I64), &[I64(-8), I64(i64::MAX)], "-1");
    check(Prim::Shl(Scalar::I64), &[I64(-8), I64(i64::MIN)], "-1");
}

#[test]
fn names() {
    assert_eq!(Prim::Add(Scalar::I64).to_string(), "add.Int64");
    assert_eq!(
        Prim::LtMixed(Scalar::I64, Scalar::F32).to_string(),
        "lt.Int64.Float32"
    );
    assert_eq!(Prim::Not.to_string(), "not");
    assert_eq!(
        Prim::Math(MathFn::Sin, Scalar::F32).to_string(),
        "sin.Float32"
    );
}
