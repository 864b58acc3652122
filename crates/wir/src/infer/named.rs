//! Types as written in a body: what they mean in the world that is asked, for this instance.

use super::solve::Solver;
use crate::ast::{TypeArg, TypeExpr};
use crate::diag::Code;
use crate::env::{TypeScope, resolve_type};
use crate::ir::{Failure, UnknownKind};
use crate::lower::untyped::TyIx;
use smallvec::SmallVec;
use std::sync::Arc;
use worldage_dispatch::{DeclId, Ty};
use worldage_engine::Stop;

/// The declared names of one type, answered before it is resolved.
struct Answers<'a>(SmallVec<[(&'a str, Option<DeclId>); 4]>);

impl TypeScope for Answers<'_> {
    fn decl(&self, name: &str) -> Option<DeclId> {
        self.0.iter().find(|(known, _)| *known == name)?.1
    }
}

impl Solver<'_> {
    /// The type, or how the program fails where it stands.
    pub(crate) fn named(&mut self, ix: TyIx) -> Result<Result<Ty, Failure>, Stop> {
        if let Some(known) = &self.state.tys[ix.0 as usize] {
            return Ok(known.clone());
        }
        let low = self.low;
        let found = self.resolve(&low.types[ix.0 as usize])?;
        self.state.tys[ix.0 as usize] = Some(found.clone());
        Ok(found)
    }

    fn resolve(&mut self, expr: &TypeExpr) -> Result<Result<Ty, Failure>, Stop> {
        let mut answers = Answers(SmallVec::new());
        self.answer(expr, &mut answers)?;
        let (u, types) = (self.u, self.types);
        let (names, bindings) = self.bindings();
        let resolved = resolve_type(u, &answers, names, expr);
        Ok(match resolved {
            Ok(ty) => types
                .try_substitute(ty, bindings)
                .map_err(|_| Failure::TypeLimit(types.symbol(&expr.name))),
            Err(error) => Err(match error.code {
                Code::UnknownType => {
                    let name = error.subject.as_deref().unwrap_or(&expr.name);
                    Failure::Unknown(UnknownKind::Type, types.symbol(name))
                }
                Code::TypeLimit => Failure::TypeLimit(types.symbol(&expr.name)),
                _ => Failure::BadType(Arc::from(error.message)),
            }),
        })
    }

    fn answer<'e>(&mut self, expr: &'e TypeExpr, answers: &mut Answers<'e>) -> Result<(), Stop> {
        let name = &*expr.name;
        let is_var = self.def.vars.iter().any(|var| &*var.name == name);
        let is_known = answers.0.iter().any(|(known, _)| *known == name);
        if !is_var && !is_known && !self.u.is_reserved_type(name) {
            answers.0.push((name, self.ask.decl(name)?));
        }
        for arg in expr.args.iter().flatten() {
            if let TypeArg::Type(ty) = arg {
                self.answer(ty, answers)?;
            }
        }
        Ok(())
    }
}
