//! How types and signatures are printed. Names only: nothing depends on the order of interning.

use std::fmt;

use crate::sig::{Sig, TypeVar};
use crate::ty::{Arg, Ty, TyKind};
use crate::types::Types;

struct Shown<'a> {
    types: &'a Types,
    arg: Arg,
    vars: &'a [TypeVar],
}

impl Types {
    /// A type as users write it: `Pair{Int64, Union{A, B}}`, `Tuple{A, Vararg{B}}`, `Union{}`.
    pub fn display(&self, ty: Ty) -> impl fmt::Display {
        self.display_in(ty, &[])
    }

    /// A type whose variables have the names of `vars`.
    pub fn display_in<'a>(&'a self, ty: Ty, vars: &'a [TypeVar]) -> impl fmt::Display {
        Shown {
            types: self,
            arg: Arg::Ty(ty),
            vars,
        }
    }

    /// A type argument.
    pub fn display_arg(&self, arg: Arg) -> impl fmt::Display {
        Shown {
            types: self,
            arg,
            vars: &[],
        }
    }
}

impl Shown<'_> {
    fn part(&self, ty: Ty) -> Self {
        Shown {
            arg: Arg::Ty(ty),
            ..*self
        }
    }

    fn list(
        &self,
        f: &mut fmt::Formatter<'_>,
        args: impl Iterator<Item = Arg>,
        tail: Option<Ty>,
    ) -> fmt::Result {
        let mut separator = "";
        for arg in args {
            f.write_str(separator)?;
            fmt::Display::fmt(&Shown { arg, ..*self }, f)?;
            separator = ", ";
        }
        if let Some(tail) = tail {
            write!(f, "{separator}Vararg{{{}}}", self.part(tail))?;
        }
        Ok(())
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ty = match self.arg {
            Arg::Ty(ty) => ty,
            Arg::Int(n) => return write!(f, "{n}"),
            Arg::Symbol(symbol) => return write!(f, ":{}", self.types.symbol_str(symbol)),
        };
        match self.types.kind(ty) {
            TyKind::Bottom => f.write_str("Union{}"),
            TyKind::Any => f.write_str("Any"),
            TyKind::Var(ix) => match self.vars.get(*ix as usize) {
                Some(var) => f.write_str(self.types.symbol_str(var.name)),
                None => write!(f, "_{ix}"),
            },
            TyKind::Nominal { decl, args } => {
                f.write_str(self.types.symbol_str(self.types.decl(*decl).name))?;
                if args.is_empty() {
                    return Ok(());
                }
                f.write_str("{")?;
                self.list(f, args.iter().copied(), None)?;
                f.write_str("}")
            }
            TyKind::Tuple { elems, tail } => {
                f.write_str("Tuple{")?;
                self.list(f, elems.iter().map(|ty| Arg::Ty(*ty)), *tail)?;
                f.write_str("}")
            }
            TyKind::Union(members) => {
                f.write_str("Union{")?;
                self.list(f, members.iter().map(|ty| Arg::Ty(*ty)), None)?;
                f.write_str("}")
            }
        }
    }
}

/// A method's signature: `g(T, T) where T <: Number`, `f(Any, Vararg{Int64})`.
pub fn display_sig(types: &Types, name: &str, sig: &Sig) -> String {
    let shown = Shown {
        types,
        arg: Arg::Ty(sig.params),
        vars: &sig.vars,
    };
    let params = fmt::from_fn(|f| match types.kind(sig.params) {
        TyKind::Tuple { elems, tail } => shown.list(f, elems.iter().map(|ty| Arg::Ty(*ty)), *tail),
        _ => fmt::Display::fmt(&shown, f),
    });
    let mut out = format!("{name}({params})");
    for (ix, var) in sig.vars.iter().enumerate() {
        out.push_str(if ix == 0 { " where " } else { ", " });
        out.push_str(&format!(
            "{} <: {}",
            types.symbol_str(var.name),
            shown.part(var.upper)
        ));
    }
    out
}
