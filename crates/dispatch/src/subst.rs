//! Substitution: a type with its variables replaced.

use crate::error::TypeError;
use crate::ty::{Arg, Ty, TyKind};
use crate::types::Types;

impl Types {
    /// `ty` with `Var(i)` replaced by `args[i]`; variables beyond `args` stay.
    ///
    /// A constant in a covariant place has no values and gives the empty type. A result beyond the
    /// limits widens to Any.
    pub fn substitute(&self, ty: Ty, args: &[Arg]) -> Ty {
        self.try_substitute(ty, args).unwrap_or(Ty::ANY)
    }

    /// [`Types::substitute`], or why the result cannot be built.
    ///
    /// # Errors
    /// The result is too deep or too large.
    pub fn try_substitute(&self, ty: Ty, args: &[Arg]) -> Result<Ty, TypeError> {
        match self.substitute_arg(Arg::Ty(ty), args)? {
            Arg::Ty(ty) => Ok(ty),
            Arg::Int(_) | Arg::Symbol(_) => Ok(Ty::BOTTOM),
        }
    }

    fn substitute_arg(&self, arg: Arg, args: &[Arg]) -> Result<Arg, TypeError> {
        let Arg::Ty(ty) = arg else { return Ok(arg) };
        if !self.has_vars(ty) {
            return Ok(arg);
        }
        let each = |tys: &[Ty]| {
            tys.iter()
                .map(|ty| self.try_substitute(*ty, args))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Arg::Ty(match self.kind(ty) {
            TyKind::Var(ix) => return Ok(args.get(*ix as usize).copied().unwrap_or(arg)),
            TyKind::Nominal { decl, args: inner } => {
                let inner = inner
                    .iter()
                    .map(|arg| self.substitute_arg(*arg, args))
                    .collect::<Result<Vec<_>, _>>()?;
                self.nominal_unchecked(*decl, &inner)?
            }
            TyKind::Tuple { elems, tail } => {
                let tail = tail
                    .map(|tail| self.try_substitute(tail, args))
                    .transpose()?;
                self.try_tuple(&each(elems)?, tail)?
            }
            TyKind::Union(members) => self.try_union(&each(members)?)?,
            TyKind::Bottom | TyKind::Any => ty,
        }))
    }
}
