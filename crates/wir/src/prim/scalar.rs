//! Scalar types and scalar values.

use super::Scalar;
use std::fmt;

impl Scalar {
    /// Every scalar type, in declaration order.
    pub const ALL: [Scalar; 11] = [
        Scalar::Bool,
        Scalar::I8,
        Scalar::I16,
        Scalar::I32,
        Scalar::I64,
        Scalar::U8,
        Scalar::U16,
        Scalar::U32,
        Scalar::U64,
        Scalar::F32,
        Scalar::F64,
    ];

    /// As Wir spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Scalar::Bool => "Bool",
            Scalar::I8 => "Int8",
            Scalar::I16 => "Int16",
            Scalar::I32 => "Int32",
            Scalar::I64 => "Int64",
            Scalar::U8 => "UInt8",
            Scalar::U16 => "UInt16",
            Scalar::U32 => "UInt32",
            Scalar::U64 => "UInt64",
            Scalar::F32 => "Float32",
            Scalar::F64 => "Float64",
        }
    }

    /// The width in memory, in bits (8 for Bool).
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Scalar::Bool | Scalar::I8 | Scalar::U8 => 8,
            Scalar::I16 | Scalar::U16 => 16,
            Scalar::I32 | Scalar::U32 | Scalar::F32 => 32,
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 64,
        }
    }

    /// The width in memory, in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bits() as usize / 8
    }

    /// One of the eight integer types.
    #[must_use]
    pub const fn is_int(self) -> bool {
        self.is_signed() || self.is_unsigned()
    }

    /// A signed integer type.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self, Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64)
    }

    /// An unsigned integer type.
    #[must_use]
    pub const fn is_unsigned(self) -> bool {
        matches!(self, Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64)
    }

    /// A float type.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Scalar::F32 | Scalar::F64)
    }

    /// The unsigned integer of the same width (itself for what is no integer).
    #[must_use]
    pub const fn unsigned(self) -> Scalar {
        match self {
            Scalar::I8 => Scalar::U8,
            Scalar::I16 => Scalar::U16,
            Scalar::I32 => Scalar::U32,
            Scalar::I64 => Scalar::U64,
            other => other,
        }
    }

    /// The signed integer of the same width (itself for what is no integer).
    #[must_use]
    pub const fn signed(self) -> Scalar {
        match self {
            Scalar::U8 => Scalar::I8,
            Scalar::U16 => Scalar::I16,
            Scalar::U32 => Scalar::I32,
            Scalar::U64 => Scalar::I64,
            other => other,
        }
    }

    /// The least and the greatest value of an integer type, or of Bool as a number.
    #[must_use]
    pub const fn int_range(self) -> Option<(i128, i128)> {
        match self {
            Scalar::Bool => Some((0, 1)),
            Scalar::F32 | Scalar::F64 => None,
            s if s.is_signed() => Some((-(1 << (s.bits() - 1)), (1 << (s.bits() - 1)) - 1)),
            s => Some((0, (1 << s.bits()) - 1)),
        }
    }

    /// Whether every value of this type is one of the other, so that a conversion cannot fail.
    /// Never true of a float and an integer type.
    #[must_use]
    pub fn fits_in(self, to: Scalar) -> bool {
        match (self.int_range(), to.int_range()) {
            (Some((lo, hi)), Some((to_lo, to_hi))) => to_lo <= lo && hi <= to_hi,
            (None, None) => self.bits() <= to.bits(),
            _ => false,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value of a scalar type. Equality is `===`: floats are compared by bits.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ScalarValue {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
}

impl PartialEq for ScalarValue {
    fn eq(&self, other: &Self) -> bool {
        self.scalar() == other.scalar() && self.to_bits() == other.to_bits()
    }
}

impl Eq for ScalarValue {}

impl std::hash::Hash for ScalarValue {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.scalar().hash(state);
        self.to_bits().hash(state);
    }
}

impl ScalarValue {
    /// Its type.
    #[must_use]
    pub const fn scalar(self) -> Scalar {
        match self {
            ScalarValue::Bool(_) => Scalar::Bool,
            ScalarValue::I8(_) => Scalar::I8,
            ScalarValue::I16(_) => Scalar::I16,
            ScalarValue::I32(_) => Scalar::I32,
            ScalarValue::I64(_) => Scalar::I64,
            ScalarValue::U8(_) => Scalar::U8,
            ScalarValue::U16(_) => Scalar::U16,
            ScalarValue::U32(_) => Scalar::U32,
            ScalarValue::U64(_) => Scalar::U64,
            ScalarValue::F32(_) => Scalar::F32,
            ScalarValue::F64(_) => Scalar::F64,
        }
    }

    /// The value of an integer or a Bool; `None` for floats.
    #[must_use]
    pub const fn as_int(self) -> Option<i128> {
        Some(match self {
            ScalarValue::Bool(x) => x as i128,
            ScalarValue::I8(x) => x as i128,
            ScalarValue::I16(x) => x as i128,
            ScalarValue::I32(x) => x as i128,
            ScalarValue::I64(x) => x as i128,
            ScalarValue::U8(x) => x as i128,
            ScalarValue::U16(x) => x as i128,
            ScalarValue::U32(x) => x as i128,
            ScalarValue::U64(x) => x as i128,
            ScalarValue::F32(_) | ScalarValue::F64(_) => return None,
        })
    }

    /// The value of a float, exactly; `None` for the rest.
    #[must_use]
    pub const fn as_float(self) -> Option<f64> {
        match self {
            ScalarValue::F32(x) => Some(x as f64),
            ScalarValue::F64(x) => Some(x),
            _ => None,
        }
    }

    /// Whether it is the expected value: equal, both not a number, or floats that differ by at most
    /// `within` of what is expected (of 1, where that is smaller).
    ///
    /// ```
    /// use worldage_wir::prim::ScalarValue::{F64, I64};
    /// assert!(F64(1000.1).is_close(F64(1000.0), 1e-3) && !F64(0.1).is_close(F64(0.0), 1e-3));
    /// assert!(F64(f64::NAN).is_close(F64(-f64::NAN), 0.0) && !I64(3).is_close(I64(4), 1.0));
    /// ```
    #[must_use]
    pub fn is_close(self, expected: ScalarValue, within: f64) -> bool {
        let of_floats = match (self.as_float(), expected.as_float()) {
            (Some(x), Some(y)) => {
                (x.is_nan() && y.is_nan()) || (x - y).abs() <= within * y.abs().max(1.0)
            }
            _ => false,
        };
        self == expected || of_floats
    }

    /// An integer brought into an integer type (or Bool) by keeping its low bits.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "that is the point")]
    pub const fn wrap(to: Scalar, x: i128) -> ScalarValue {
        match to {
            Scalar::Bool => ScalarValue::Bool(x & 1 == 1),
            Scalar::I8 => ScalarValue::I8(x as i8),
            Scalar::I16 => ScalarValue::I16(x as i16),
            Scalar::I32 => ScalarValue::I32(x as i32),
            Scalar::I64 => ScalarValue::I64(x as i64),
            Scalar::U8 => ScalarValue::U8(x as u8),
            Scalar::U16 => ScalarValue::U16(x as u16),
            Scalar::U32 => ScalarValue::U32(x as u32),
            Scalar::U64 => ScalarValue::U64(x as u64),
            Scalar::F32 => ScalarValue::F32(x as f32),
            Scalar::F64 => ScalarValue::F64(x as f64),
        }
    }

    /// A float brought into a type: rounded to a float type, towards zero and to the nearest end
    /// of its range for an integer type.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "that is the point")]
    pub fn from_float(to: Scalar, x: f64) -> ScalarValue {
        match to {
            Scalar::F32 => ScalarValue::F32(x as f32),
            Scalar::F64 => ScalarValue::F64(x),
            _ => {
                let (lo, hi) = to.int_range().unwrap_or((0, 0));
                ScalarValue::wrap(to, (x as i128).clamp(lo, hi))
            }
        }
    }

    /// The bits, zero-extended.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        match self {
            ScalarValue::Bool(x) => x as u64,
            ScalarValue::I8(x) => x as u8 as u64,
            ScalarValue::I16(x) => x as u16 as u64,
            ScalarValue::I32(x) => x as u32 as u64,
            ScalarValue::I64(x) => x as u64,
            ScalarValue::U8(x) => x as u64,
            ScalarValue::U16(x) => x as u64,
            ScalarValue::U32(x) => x as u64,
            ScalarValue::U64(x) => x,
            ScalarValue::F32(x) => x.to_bits() as u64,
            ScalarValue::F64(x) => x.to_bits(),
        }
    }

    /// From bits; those beyond the width are dropped.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "that is the point")]
    pub const fn from_bits(scalar: Scalar, bits: u64) -> ScalarValue {
        match scalar {
            Scalar::F32 => ScalarValue::F32(f32::from_bits(bits as u32)),
            Scalar::F64 => ScalarValue::F64(f64::from_bits(bits)),
            int => ScalarValue::wrap(int, bits as i128),
        }
    }

    /// All zero bits.
    #[must_use]
    pub const fn zero(scalar: Scalar) -> ScalarValue {
        ScalarValue::from_bits(scalar, 0)
    }
}

/// As Wir prints it: integers in decimal; `true`, `false`; floats with the fewest digits that read
/// back, always with a point or an exponent (`0.1`, `2.0`, `1e21`, `1.5e-9`), `Inf`, `-Inf`, `NaN`.
///
/// The exponent is used from 1e16 on and below 1e-4. Float32 has its own fewest digits.
impl fmt::Display for ScalarValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ScalarValue::Bool(x) => write!(f, "{x}"),
            ScalarValue::F32(x) if x.is_finite() => write!(f, "{x:?}"),
            ScalarValue::F64(x) if x.is_finite() => write!(f, "{x:?}"),
            float_or_int => match (float_or_int.as_float(), float_or_int.as_int()) {
                (Some(x), _) if x.is_nan() => f.write_str("NaN"),
                (Some(x), _) => f.write_str(if x > 0.0 { "Inf" } else { "-Inf" }),
                (None, x) => write!(f, "{}", x.unwrap_or(0)),
            },
        }
    }
}
