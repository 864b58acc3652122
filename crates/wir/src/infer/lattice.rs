//! The lattice of inference: a type, and a constant where the value is known.

use crate::ir::Const;
use crate::lower::Lowered;
use crate::prim::ScalarValue;
use crate::universe::Universe;
use worldage_dispatch::{Ty, Types};

/// A join of more types than this is `Any`.
pub(crate) const JOIN_LIMIT: usize = 4;

/// A known value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Known {
    /// A scalar.
    Scalar(ScalarValue),
    /// A string of the method's [`Lowered::strs`].
    Str(u32),
}

/// What is known about a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lat {
    /// Its type; `Ty::BOTTOM` for a value that is never made.
    pub(crate) ty: Ty,
    /// The value itself.
    pub(crate) known: Option<Known>,
}

impl Lat {
    pub(crate) const BOTTOM: Lat = Lat {
        ty: Ty::BOTTOM,
        known: None,
    };

    pub(crate) fn of(ty: Ty) -> Lat {
        Lat { ty, known: None }
    }

    pub(crate) fn scalar(u: &Universe, value: ScalarValue) -> Lat {
        Lat {
            ty: u.scalar_ty(value.scalar()),
            known: Some(Known::Scalar(value)),
        }
    }

    pub(crate) fn as_scalar(self) -> Option<ScalarValue> {
        match self.known {
            Some(Known::Scalar(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn as_bool(self) -> Option<bool> {
        match self.known {
            Some(Known::Scalar(ScalarValue::Bool(b))) => Some(b),
            _ => None,
        }
    }

    pub(crate) fn join(self, other: Lat, types: &Types) -> Lat {
        if self == other || other.ty == Ty::BOTTOM {
            return self;
        }
        if self.ty == Ty::BOTTOM {
            return other;
        }
        if self.ty == other.ty {
            return Lat::of(self.ty);
        }
        Lat::of(types.join(self.ty, other.ty, JOIN_LIMIT))
    }
}

/// The constant of a known value.
pub(crate) fn constant(low: &Lowered, known: Known) -> Const {
    match known {
        Known::Str(ix) => Const::Str(low.strs[ix as usize].clone()),
        Known::Scalar(value) => scalar_const(value),
    }
}

/// The constant of a scalar.
pub(crate) fn scalar_const(value: ScalarValue) -> Const {
    match value {
        ScalarValue::Bool(b) => Const::Bool(b),
        ScalarValue::F32(x) => Const::F32(x.to_bits()),
        ScalarValue::F64(x) => Const::F64(x.to_bits()),
        int => {
            let x = int.as_int().expect("all others are integers");
            Const::Int(x as i64)
        }
    }
}
