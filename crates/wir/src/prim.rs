//! Scalar operations: their types, their failures, and what they mean — the one place that the
//! interpreter and constant folding evaluate with, and that every backend must agree with.

/// A machine scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Scalar {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

/// Functions of one or two floats that are computed by the `libm` crate everywhere on the host,
/// so that results do not depend on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum MathFn {
    Sin,
    Cos,
    Tan,
    Exp,
    Log,
    Pow,
}

/// A monomorphic scalar operation. Operands have the named scalar type unless said otherwise;
/// comparisons give Bool, everything else the operand type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prim {
    /// `a + b`; integers wrap.
    Add(Scalar),
    /// `a - b`; integers wrap.
    Sub(Scalar),
    /// `a * b`; integers wrap.
    Mul(Scalar),
    /// Floats: IEEE division. Integers: truncating `div`, fails with [`PrimError::Division`] on
    /// zero and on `div(MIN, -1)`.
    Div(Scalar),
    /// Truncating remainder; integers fail on zero (`rem(MIN, -1)` is 0 as in Julia); floats as
    /// C's `fmod`.
    Rem(Scalar),
    /// `-a`; integers wrap.
    Neg(Scalar),
    /// `abs(a)`; `abs(MIN)` is MIN.
    Abs(Scalar),
    /// `~a` on integers.
    BitNot(Scalar),
    /// `!a` on Bool.
    Not,
    /// Bitwise and (integers and Bool).
    And(Scalar),
    /// Bitwise or.
    Or(Scalar),
    /// Bitwise exclusive or.
    Xor(Scalar),
    /// Shift left; the amount is Int64. A negative amount shifts right, an amount past the width
    /// gives 0 (Julia).
    Shl(Scalar),
    /// Shift right, arithmetic for signed types; the amount is Int64. A negative amount shifts
    /// left; past the width gives 0 or -1.
    Shr(Scalar),
    /// `a == b`
    Eq(Scalar),
    /// `a < b`
    Lt(Scalar),
    /// `a <= b`
    Le(Scalar),
    /// `a == b` for operands of two different number types, mathematically exact.
    EqMixed(Scalar, Scalar),
    /// `a < b`, likewise.
    LtMixed(Scalar, Scalar),
    /// `a <= b`, likewise.
    LeMixed(Scalar, Scalar),
    /// Smaller; NaN if one is NaN, -0.0 below 0.0 (Julia).
    Min(Scalar),
    /// Larger; NaN if one is NaN, -0.0 below 0.0.
    Max(Scalar),
    /// Correctly rounded square root of a float; NaN of a negative number.
    Sqrt(Scalar),
    /// Round a float down to a whole float.
    Floor(Scalar),
    /// Round up.
    Ceil(Scalar),
    /// Round to nearest, ties to even.
    Round(Scalar),
    /// An elementary function on F32 or F64 operands.
    Math(MathFn, Scalar),
    /// Integer power by squaring, wrapping; the exponent is Int64; fails with
    /// [`PrimError::Conversion`] if it is negative (unless the base is 1 or -1).
    PowInt(Scalar),
    /// Conversion from the first to the second type that never fails: promotion (sign or zero
    /// extension, integer to float rounding to nearest even, F32 to F64), F64 to F32 rounding,
    /// Bool to an integer or float (0 or 1), and the same type.
    Cast(Scalar, Scalar),
    /// `T(x)`: exact or [`PrimError::Conversion`] where the value does not fit (also a float with
    /// a fraction; Bool(x) accepts 0 and 1).
    Convert(Scalar, Scalar),
    /// `trunc(T, x)`: float to integer towards zero, or [`PrimError::Conversion`] out of range or
    /// NaN. Integer to integer like [`Prim::Convert`].
    TruncTo(Scalar, Scalar),
    /// `trunc(x)`: round a float towards zero to a whole float.
    Trunc(Scalar),
}

/// Why a scalar operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrimError {
    /// `division-error`
    Division,
    /// `conversion-error`
    Conversion,
}
