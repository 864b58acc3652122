//! Scalar operations: their types, their failures, and what they mean — the one place that the
//! interpreter and constant folding evaluate with, and that every backend must agree with.

mod eval;
mod library;
mod scalar;

pub use eval::{math, math32};
pub use library::Library;
pub use scalar::ScalarValue;

use crate::diag::Code;
use std::fmt;

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
    /// An elementary function of a device's library on F32 or F64 operands; here it is evaluated
    /// as the [`Prim::Math`] of the same name.
    Library(Library, MathFn, Scalar),
}

/// Why a scalar operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrimError {
    /// `division-error`
    Division,
    /// `conversion-error`
    Conversion,
}

impl Prim {
    /// The operand types: one or two.
    #[must_use]
    pub fn operands(self) -> (Scalar, Option<Scalar>) {
        use Prim::*;
        match self {
            Add(s)
            | Sub(s)
            | Mul(s)
            | Div(s)
            | Rem(s)
            | And(s)
            | Or(s)
            | Xor(s)
            | Eq(s)
            | Lt(s)
            | Le(s)
            | Min(s)
            | Max(s)
            | Math(MathFn::Pow, s)
            | Library(_, MathFn::Pow, s) => (s, Some(s)),
            Shl(s) | Shr(s) | PowInt(s) => (s, Some(Scalar::I64)),
            EqMixed(a, b) | LtMixed(a, b) | LeMixed(a, b) => (a, Some(b)),
            Neg(s)
            | Abs(s)
            | BitNot(s)
            | Sqrt(s)
            | Floor(s)
            | Ceil(s)
            | Round(s)
            | Trunc(s)
            | Math(_, s)
            | Library(_, _, s) => (s, None),
            Not => (Scalar::Bool, None),
            Cast(from, _) | Convert(from, _) | TruncTo(from, _) => (from, None),
        }
    }

    /// The result type.
    #[must_use]
    pub fn result(self) -> Scalar {
        use Prim::*;
        match self {
            Eq(_) | Lt(_) | Le(_) | EqMixed(..) | LtMixed(..) | LeMixed(..) => Scalar::Bool,
            Cast(_, to) | Convert(_, to) | TruncTo(_, to) => to,
            _ => self.operands().0,
        }
    }

    /// How it may fail; `None` if it never does. Such an operation can be removed where its result
    /// is not used.
    #[must_use]
    pub fn failure(self) -> Option<PrimError> {
        use Prim::*;
        match self {
            Div(s) | Rem(s) if s.is_int() => Some(PrimError::Division),
            PowInt(_) => Some(PrimError::Conversion),
            TruncTo(from, to) | Convert(from, to) if !from.fits_in(to) && !to.is_float() => {
                Some(PrimError::Conversion)
            }
            _ => None,
        }
    }

    /// The operation's name without its types.
    #[must_use]
    pub fn name(self) -> &'static str {
        use Prim::*;
        match self {
            Add(_) => "add",
            Sub(_) => "sub",
            Mul(_) => "mul",
            Div(_) => "div",
            Rem(_) => "rem",
            Neg(_) => "neg",
            Abs(_) => "abs",
            BitNot(_) => "bitnot",
            Not => "not",
            And(_) => "and",
            Or(_) => "or",
            Xor(_) => "xor",
            Shl(_) => "shl",
            Shr(_) => "shr",
            Eq(_) | EqMixed(..) => "eq",
            Lt(_) | LtMixed(..) => "lt",
            Le(_) | LeMixed(..) => "le",
            Min(_) => "min",
            Max(_) => "max",
            Sqrt(_) => "sqrt",
            Floor(_) => "floor",
            Ceil(_) => "ceil",
            Round(_) => "round",
            Math(f, _) => f.name(),
            PowInt(_) => "powint",
            Cast(..) => "cast",
            Convert(..) => "convert",
            TruncTo(..) => "truncto",
            Trunc(_) => "trunc",
            Library(library, f, s) => library.name(f, s),
        }
    }
}

/// `add.Int64`, `lt.Int64.Float64`, `convert.Float64.Int8`.
impl fmt::Display for Prim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Prim::*;
        f.write_str(self.name())?;
        match *self {
            Not => Ok(()),
            EqMixed(a, b)
            | LtMixed(a, b)
            | LeMixed(a, b)
            | Cast(a, b)
            | Convert(a, b)
            | TruncTo(a, b) => write!(f, ".{a}.{b}"),
            _ => write!(f, ".{}", self.operands().0),
        }
    }
}

impl MathFn {
    /// As Wir spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MathFn::Sin => "sin",
            MathFn::Cos => "cos",
            MathFn::Tan => "tan",
            MathFn::Exp => "exp",
            MathFn::Log => "log",
            MathFn::Pow => "pow",
        }
    }
}

impl PrimError {
    /// The code that users see.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            PrimError::Division => Code::DivisionError,
            PrimError::Conversion => Code::ConversionError,
        }
    }
}

#[cfg(test)]
mod tests;
