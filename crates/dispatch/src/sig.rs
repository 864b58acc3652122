//! Signatures: the parameter types of a method, with its type variables and what each stands for.

use std::sync::Arc;

use crate::error::TypeError;
use crate::ty::{Arg, Symbol, Ty, TyKind};
use crate::types::{MAX_PARAMS, Types};

/// A method-level type variable, `T <: Number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeVar {
    /// The printed name.
    pub name: Symbol,
    /// The upper bound; it may mention earlier variables of the signature.
    pub upper: Ty,
}

/// What a variable stands for, decided by where the signature uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VarKind {
    /// Used at most once, covariantly: as good as its upper bound.
    Bound,
    /// Used covariantly only, at least twice (a Vararg counts as many): one concrete type.
    Diagonal,
    /// Used in an invariant place, which fixes it; other uses accept subtypes.
    Fixed,
}

/// The signature of a method.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sig {
    /// A tuple, maybe with a tail; it may mention `Var(i)`, the i-th of `vars`.
    ///
    /// Anything but a tuple (parameters beyond the limits) matches no call.
    pub params: Ty,
    /// The type variables.
    pub vars: Arc<[TypeVar]>,
    kinds: Arc<[VarKind]>,
}

impl Sig {
    /// A signature with variables.
    ///
    /// # Errors
    /// A variable out of scope, a parameter of the empty type, or parameters beyond the limits.
    pub fn new(
        types: &Types,
        params: &[Ty],
        tail: Option<Ty>,
        vars: Vec<TypeVar>,
    ) -> Result<Sig, TypeError> {
        if params.len() > MAX_PARAMS {
            return Err(TypeError::TooLarge {
                size: params.len(),
                limit: MAX_PARAMS,
            });
        }
        for (ix, var) in vars.iter().enumerate() {
            types.check_vars(var.upper, ix)?;
        }
        for (ix, param) in params.iter().chain(&tail).enumerate() {
            types.check_vars(*param, vars.len())?;
            if *param == Ty::BOTTOM {
                return Err(TypeError::Uninhabited { position: ix + 1 });
            }
        }
        Ok(Sig::of(types, types.try_tuple(params, tail)?, vars))
    }

    /// A signature without variables.
    pub fn closed(types: &Types, params: &[Ty]) -> Sig {
        Sig::of_args(types.tuple(params))
    }

    /// The signature that accepts exactly a closed tuple type.
    #[must_use]
    pub fn of_args(params: Ty) -> Sig {
        Sig {
            params,
            vars: Arc::new([]),
            kinds: Arc::new([]),
        }
    }

    /// A signature from a tuple type over `vars`.
    pub(crate) fn of(types: &Types, params: Ty, vars: Vec<TypeVar>) -> Sig {
        let kinds = var_kinds(types, params, &vars).into();
        Sig {
            params,
            vars: vars.into(),
            kinds,
        }
    }

    /// Other parameters over the same variables, which stand for what they stand for here.
    pub(crate) fn with_params(&self, params: Ty) -> Sig {
        Sig {
            params,
            vars: Arc::clone(&self.vars),
            kinds: Arc::clone(&self.kinds),
        }
    }

    /// The number of fixed parameters.
    pub fn arity(&self, types: &Types) -> usize {
        types
            .tuple_parts(self.params)
            .map_or(0, |(elems, _)| elems.len())
    }

    /// Whether any number of further arguments is accepted.
    pub fn is_vararg(&self, types: &Types) -> bool {
        types
            .tuple_parts(self.params)
            .is_some_and(|(_, tail)| tail.is_some())
    }

    /// What each variable stands for.
    #[must_use]
    pub fn var_kinds(&self) -> &[VarKind] {
        &self.kinds
    }

    /// Whether some variable stands for one concrete type.
    #[must_use]
    pub fn is_diagonal(&self) -> bool {
        self.kinds.contains(&VarKind::Diagonal)
    }
}

#[derive(Clone, Copy, Default)]
struct Uses {
    covariant: u32,
    invariant: bool,
    in_bound: bool,
}

fn var_kinds(types: &Types, params: Ty, vars: &[TypeVar]) -> Vec<VarKind> {
    let mut uses = vec![Uses::default(); vars.len()];
    count(types, params, 1, &mut |ix, weight| match weight {
        0 => uses[ix].invariant = true,
        n => uses[ix].covariant = uses[ix].covariant.saturating_add(n),
    });
    // A bound fixes an earlier variable where it uses it in an invariant place.
    for ix in (0..vars.len()).rev() {
        let used = uses[ix];
        if used.covariant > 0 || used.invariant || used.in_bound {
            count(
                types,
                vars[ix].upper,
                1,
                &mut |earlier, weight| match weight {
                    0 => uses[earlier].invariant = true,
                    _ => uses[earlier].in_bound = true,
                },
            );
        }
    }
    let kind = |(used, var): (Uses, &TypeVar)| match used {
        Uses {
            invariant: true, ..
        } => VarKind::Fixed,
        // Under a concrete bound there is one candidate only.
        Uses { covariant: 2.., .. } if !types.is_concrete(var.upper) => VarKind::Diagonal,
        _ => VarKind::Bound,
    };
    uses.into_iter().zip(vars).map(kind).collect()
}

/// Calls `found(variable, weight)` for each use: weight 0 = invariant, 2 = below a tail.
fn count(types: &Types, ty: Ty, weight: u32, found: &mut impl FnMut(usize, u32)) {
    if !types.has_vars(ty) {
        return;
    }
    match types.kind(ty) {
        TyKind::Var(ix) => found(*ix as usize, weight),
        TyKind::Nominal { args, .. } => {
            for arg in args {
                if let Arg::Ty(ty) = arg {
                    count(types, *ty, 0, found);
                }
            }
        }
        TyKind::Tuple { elems, tail } => {
            elems.iter().for_each(|ty| count(types, *ty, weight, found));
            if let Some(tail) = tail {
                count(types, *tail, weight.saturating_mul(2), found);
            }
        }
        TyKind::Union(members) => members
            .iter()
            .for_each(|ty| count(types, *ty, weight, found)),
        TyKind::Bottom | TyKind::Any => {}
    }
}
