//! What scalar operations compute: the semantics that every backend must agree with.
//!
//! Integers are computed in 128 bits and wrapped, which is slow and evidently right for every
//! width; the commonest operations on Int64, Float64 and Float32 have a short way of their own.

use super::{MathFn, Prim, PrimError, Scalar, ScalarValue};
use ScalarValue as V;
use std::cmp::Ordering;

type Evaluated = Result<ScalarValue, PrimError>;

impl Prim {
    /// The result for operands of exactly the types that [`Prim::operands`] names.
    ///
    /// # Errors
    /// As [`Prim::failure`] says.
    ///
    /// # Panics
    /// If the operands are not of these types: whoever made the operation is wrong.
    pub fn eval(self, operands: &[ScalarValue]) -> Evaluated {
        match *operands {
            [a] => self.eval1(a),
            [a, b] => self.eval2(a, b),
            _ => mismatch(self, operands),
        }
    }

    fn eval1(self, a: ScalarValue) -> Evaluated {
        use Prim::*;
        let (expected, second) = self.operands();
        if a.scalar() != expected || second.is_some() {
            return mismatch(self, &[a]);
        }
        Ok(match self {
            Not => V::Bool(a == V::Bool(false)),
            Cast(_, to) => cast(a, to),
            Convert(_, to) if to.is_float() => cast(a, to),
            Convert(_, to) => return exact(a, to),
            TruncTo(_, to) if to.is_float() => cast(a, to),
            TruncTo(_, to) => match a.as_float() {
                Some(x) => return exact(V::F64(x.trunc()), to),
                None => return exact(a, to),
            },
            _ => match a {
                V::F32(x) => V::F32(float1_32(self, x)),
                V::F64(x) => V::F64(float1_64(self, x)),
                int => {
                    let x = int.as_int().unwrap_or(0);
                    let result = match self {
                        Neg(_) => -x,
                        Abs(_) => x.abs(),
                        BitNot(_) => !x,
                        _ => return mismatch(self, &[a]),
                    };
                    V::wrap(expected, result)
                }
            },
        })
    }

    fn eval2(self, a: ScalarValue, b: ScalarValue) -> Evaluated {
        // The short ways.
        match (self, a, b) {
            (Prim::Add(Scalar::I64), V::I64(x), V::I64(y)) => return Ok(V::I64(x.wrapping_add(y))),
            (Prim::Sub(Scalar::I64), V::I64(x), V::I64(y)) => return Ok(V::I64(x.wrapping_sub(y))),
            (Prim::Mul(Scalar::I64), V::I64(x), V::I64(y)) => return Ok(V::I64(x.wrapping_mul(y))),
            (Prim::Lt(Scalar::I64), V::I64(x), V::I64(y)) => return Ok(V::Bool(x < y)),
            (Prim::Le(Scalar::I64), V::I64(x), V::I64(y)) => return Ok(V::Bool(x <= y)),
            (Prim::Eq(Scalar::I64), V::I64(x), V::I64(y)) => return Ok(V::Bool(x == y)),
            (Prim::Add(Scalar::F64), V::F64(x), V::F64(y)) => return Ok(V::F64(x + y)),
            (Prim::Sub(Scalar::F64), V::F64(x), V::F64(y)) => return Ok(V::F64(x - y)),
            (Prim::Mul(Scalar::F64), V::F64(x), V::F64(y)) => return Ok(V::F64(x * y)),
            (Prim::Div(Scalar::F64), V::F64(x), V::F64(y)) => return Ok(V::F64(x / y)),
            _ => {}
        }
        let (first, second) = self.operands();
        if a.scalar() != first || Some(b.scalar()) != second {
            return mismatch(self, &[a, b]);
        }
        match self {
            Prim::Eq(_) | Prim::EqMixed(..) => Ok(V::Bool(compare(a, b) == Some(Ordering::Equal))),
            Prim::Lt(_) | Prim::LtMixed(..) => Ok(V::Bool(compare(a, b) == Some(Ordering::Less))),
            Prim::Le(_) | Prim::LeMixed(..) => Ok(V::Bool(matches!(
                compare(a, b),
                Some(Ordering::Less | Ordering::Equal)
            ))),
            _ => match (a, b) {
                (V::F32(x), V::F32(y)) => Ok(V::F32(float2_32(self, x, y))),
                (V::F64(x), V::F64(y)) => Ok(V::F64(float2_64(self, x, y))),
                _ => {
                    let (x, y) = (a.as_int().unwrap_or(0), b.as_int().unwrap_or(0));
                    Ok(V::wrap(first, int2(self, first, x, y)?))
                }
            },
        }
    }
}

#[cold]
fn mismatch(prim: Prim, operands: &[ScalarValue]) -> Evaluated {
    panic!("`{prim}` was applied to {operands:?}, which are not its operand types");
}

/// An elementary function, as the host computes it everywhere (`y` is read by `pow` only).
#[must_use]
pub fn math(f: MathFn, x: f64, y: f64) -> f64 {
    match f {
        MathFn::Sin => libm::sin(x),
        MathFn::Cos => libm::cos(x),
        MathFn::Tan => libm::tan(x),
        MathFn::Exp => libm::exp(x),
        MathFn::Log => libm::log(x),
        MathFn::Pow => libm::pow(x, y),
    }
}

/// Like [`math`] in Float32.
#[must_use]
pub fn math32(f: MathFn, x: f32, y: f32) -> f32 {
    match f {
        MathFn::Sin => libm::sinf(x),
        MathFn::Cos => libm::cosf(x),
        MathFn::Tan => libm::tanf(x),
        MathFn::Exp => libm::expf(x),
        MathFn::Log => libm::logf(x),
        MathFn::Pow => libm::powf(x, y),
    }
}

fn cast(a: ScalarValue, to: Scalar) -> ScalarValue {
    match (a, a.as_int()) {
        (_, Some(x)) => V::wrap(to, x),
        (V::F32(x), _) if to == Scalar::F32 => V::F32(x),
        (V::F32(x), _) => V::from_float(to, f64::from(x)),
        (V::F64(x), _) => V::from_float(to, x),
        _ => a,
    }
}

/// The same number in an integer type or Bool.
fn exact(a: ScalarValue, to: Scalar) -> Evaluated {
    let x = match (a.as_int(), a.as_float()) {
        (Some(x), _) => x,
        // Beyond 2^100 nothing fits anyway; below, the conversion to 128 bits is exact.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be a small whole number"
        )]
        (_, Some(x)) if x.trunc() == x && x.abs() < 1e30 => x as i128,
        _ => return Err(PrimError::Conversion),
    };
    let (lo, hi) = to.int_range().unwrap_or((i128::MIN, i128::MAX));
    if x < lo || x > hi {
        return Err(PrimError::Conversion);
    }
    Ok(V::wrap(to, x))
}

/// Mathematical comparison; `None` if one is NaN.
fn compare(a: ScalarValue, b: ScalarValue) -> Option<Ordering> {
    match (a.as_int(), b.as_int()) {
        (Some(x), Some(y)) => Some(x.cmp(&y)),
        (Some(x), None) => compare_int_float(x, b.as_float()?),
        (None, Some(y)) => compare_int_float(y, a.as_float()?).map(Ordering::reverse),
        (None, None) => a.as_float()?.partial_cmp(&b.as_float()?),
    }
}

fn compare_int_float(x: i128, y: f64) -> Option<Ordering> {
    if y.is_nan() {
        return None;
    }
    // No integer type reaches 1e30.
    if y.abs() >= 1e30 {
        return Some(if y > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        });
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 1e30")]
    let whole = y.trunc() as i128;
    Some(x.cmp(&whole).then_with(|| {
        let fraction = y - y.trunc();
        0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal)
    }))
}

fn int2(prim: Prim, ty: Scalar, x: i128, y: i128) -> Result<i128, PrimError> {
    let (lo, _) = ty.int_range().unwrap_or((0, 0));
    Ok(match prim {
        Prim::Add(_) => x + y,
        Prim::Sub(_) => x - y,
        Prim::Mul(_) => x.wrapping_mul(y),
        Prim::Div(_) if y == 0 || (lo < 0 && x == lo && y == -1) => {
            return Err(PrimError::Division);
        }
        Prim::Div(_) => x / y,
        Prim::Rem(_) if y == 0 => return Err(PrimError::Division),
        Prim::Rem(_) => x % y,
        Prim::And(_) => x & y,
        Prim::Or(_) => x | y,
        Prim::Xor(_) => x ^ y,
        Prim::Shl(_) => shift_left(ty, x, y),
        Prim::Shr(_) => shift_left(ty, x, -y),
        Prim::Min(_) => x.min(y),
        Prim::Max(_) => x.max(y),
        Prim::PowInt(_) => return pow_int(ty, x, y),
        _ => unreachable!("`{prim}` is no operation on two integers"),
    })
}

/// Left by `n` bits, right by `-n` (arithmetic, since `x` carries its sign).
fn shift_left(ty: Scalar, x: i128, n: i128) -> i128 {
    let width = i128::from(ty.bits());
    match n {
        _ if n >= width => 0,
        0.. => x << n,
        _ if n <= -width => x >> 127,
        _ => x >> -n,
    }
}

fn pow_int(ty: Scalar, base: i128, exponent: i128) -> Result<i128, PrimError> {
    let odd = exponent & 1 == 1;
    match (exponent < 0, base) {
        (false, _) => {}
        (true, 1) => return Ok(1),
        (true, -1) => return Ok(if odd { -1 } else { 1 }),
        (true, _) => return Err(PrimError::Conversion),
    }
    // Low bits of a product depend on low bits of its factors only.
    let mask = (1_i128 << ty.bits()) - 1;
    let (mut result, mut square, mut left) = (1_i128, base & mask, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = result.wrapping_mul(square) & mask;
        }
        square = square.wrapping_mul(square) & mask;
        left >>= 1;
    }
    Ok(result)
}

macro_rules! floats {
    ($one:ident, $two:ident, $float:ty, $math:path) => {
        fn $one(prim: Prim, x: $float) -> $float {
            match prim {
                Prim::Neg(_) => -x,
                Prim::Abs(_) => x.abs(),
                Prim::Sqrt(_) => x.sqrt(),
                Prim::Floor(_) => x.floor(),
                Prim::Ceil(_) => x.ceil(),
                Prim::Round(_) => x.round_ties_even(),
                Prim::Trunc(_) => x.trunc(),
                Prim::Math(f, _) | Prim::Library(_, f, _) => $math(f, x, 0.0),
                _ => unreachable!("`{prim}` is no operation on one float"),
            }
        }

        fn $two(prim: Prim, x: $float, y: $float) -> $float {
            match prim {
                Prim::Add(_) => x + y,
                Prim::Sub(_) => x - y,
                Prim::Mul(_) => x * y,
                Prim::Div(_) => x / y,
                Prim::Rem(_) => x % y,
                // NaN wins; of two zeros the negative one is the smaller.
                Prim::Min(_) | Prim::Max(_) if x.is_nan() || y.is_nan() => <$float>::NAN,
                Prim::Min(_) if x == y => {
                    if x.is_sign_negative() {
                        x
                    } else {
                        y
                    }
                }
                Prim::Min(_) => {
                    if x < y {
                        x
                    } else {
                        y
                    }
                }
                Prim::Max(_) if x == y => {
                    if x.is_sign_negative() {
                        y
                    } else {
                        x
                    }
                }
                Prim::Max(_) => {
                    if x > y {
                        x
                    } else {
                        y
                    }
                }
                Prim::Math(f, _) | Prim::Library(_, f, _) => $math(f, x, y),
                _ => unreachable!("`{prim}` is no operation on two floats"),
            }
        }
    };
}

floats!(float1_32, float2_32, f32, math32);
floats!(float1_64, float2_64, f64, math);
