//! The short way for calls of built-in functions on scalars: no list of arguments, no lookup.

use super::call::{Target, Tys};
use crate::builtins::Recipe;
use crate::prim::{Prim, PrimError, Scalar, ScalarValue};
use crate::universe::Universe;

/// A scalar recipe of one or two operands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fast {
    pub(super) operands: (Scalar, Option<Scalar>),
    pub(super) casts: [Option<Prim>; 2],
    pub(super) swap: bool,
    pub(super) op: Prim,
    pub(super) negate: bool,
}

impl Fast {
    pub(super) fn of(u: &Universe, target: &Target, tys: &Tys) -> Option<Fast> {
        let Target::Builtin(Recipe::Scalar {
            casts,
            swap,
            op,
            negate,
        }) = target
        else {
            return None;
        };
        let (operands, casts) = match (&casts[..], &tys[..]) {
            (&[a], &[first]) => ((u.scalar_of(first)?, None), [a, None]),
            (&[a, b], &[first, second]) => {
                ((u.scalar_of(first)?, Some(u.scalar_of(second)?)), [a, b])
            }
            _ => return None,
        };
        Some(Fast {
            operands,
            casts,
            swap: *swap,
            op: *op,
            negate: *negate,
        })
    }

    pub(super) fn apply1(&self, x: ScalarValue) -> Result<ScalarValue, PrimError> {
        let x = self.casts[0].map_or(Ok(x), |cast| cast.eval(&[x]))?;
        self.finish(self.op.eval(&[x])?)
    }

    pub(super) fn apply2(&self, x: ScalarValue, y: ScalarValue) -> Result<ScalarValue, PrimError> {
        let x = self.casts[0].map_or(Ok(x), |cast| cast.eval(&[x]))?;
        let y = self.casts[1].map_or(Ok(y), |cast| cast.eval(&[y]))?;
        let operands = if self.swap { [y, x] } else { [x, y] };
        self.finish(self.op.eval(&operands)?)
    }

    fn finish(&self, result: ScalarValue) -> Result<ScalarValue, PrimError> {
        if self.negate {
            Prim::Not.eval(&[result])
        } else {
            Ok(result)
        }
    }
}
