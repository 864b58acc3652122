//! How a call is carried out, once its argument types are known.
//!
//! The rules are those of `semantics.md`, 'Abstract arguments': concrete types are looked up;
//! others are split over the methods that may take them if those are few and their intersections
//! are concrete; what is left is dispatched at run time and has type `Any`.

use super::ask::Intrinsic;
use super::intrinsics::Expansion;
use super::lattice::{JOIN_LIMIT, Known, Lat};
use super::solve::Solver;
use crate::builtins::{Operand, Recipe};
use crate::ir::{Const, Failure};
use crate::prim::{Prim, PrimError, ScalarValue};
use smallvec::SmallVec;
use std::sync::Arc;
use worldage_dispatch::{DeclId, Symbol, Ty, TyKind};
use worldage_engine::{Candidate, Candidates, Mi, Resolved, Stop};

/// At most this many branches for one call with abstract arguments.
pub(crate) const SPLIT_LIMIT: usize = 4;

/// How one call is carried out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// No call, or one whose operation says it all.
    Plain,
    /// It always fails.
    Fail(Failure),
    /// A built-in operation.
    Expand(Arc<Expansion>),
    /// A struct of this type from its fields.
    Make(Ty),
    /// A call of an instance; what it returns, `Any` if nobody asked.
    Static(Mi, Ty),
    /// By another function.
    Via {
        swap: bool,
        negate: bool,
        plan: Box<Plan>,
    },
    /// Field by field with `==`.
    Fields { negate: bool, plans: Box<[Plan]> },
    /// A branch for each case; if they do not cover all, the rest is dispatched at run time,
    /// where it fails.
    Split {
        function: Symbol,
        cases: Box<[Case]>,
        covered: bool,
        ret: Ty,
    },
    /// Dispatched at run time.
    Dyn(Symbol),
    /// Dispatched at run time on the called value.
    DynValue,
    /// `invoke`, dispatched at run time.
    DynInvoke(Symbol, Ty),
    /// An external fact.
    Constant(Const),
}

/// A branch of a call with abstract arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    /// The argument types, all concrete.
    pub(crate) args: Box<[Ty]>,
    /// What to do with them.
    pub(crate) plan: Plan,
}

impl Plan {
    /// What the call gives.
    pub(crate) fn ret(&self, bool_ty: Ty) -> Ty {
        match self {
            Plan::Fail(_) => Ty::BOTTOM,
            Plan::Expand(e) => e.ret,
            Plan::Make(ty) | Plan::Static(_, ty) => *ty,
            Plan::Via {
                negate: true, plan, ..
            } if plan.ret(bool_ty) == Ty::BOTTOM => Ty::BOTTOM,
            Plan::Via { negate: true, .. } | Plan::Fields { .. } => bool_ty,
            Plan::Via { plan, .. } => plan.ret(bool_ty),
            Plan::Split { ret, .. } => *ret,
            Plan::Plain
            | Plan::Dyn(_)
            | Plan::DynValue
            | Plan::DynInvoke(..)
            | Plan::Constant(_) => Ty::ANY,
        }
    }
}

impl Solver<'_> {
    /// How to call `function` on these argument types. `used`: whether the result is read.
    pub(crate) fn plan(&mut self, function: Symbol, args: &[Ty], used: bool) -> Result<Plan, Stop> {
        let types = self.types;
        if !args.iter().all(|ty| types.is_concrete(*ty)) {
            return self.plan_abstract(function, args, used);
        }
        if let Some(expansion) = self.protected(function, args)? {
            return self.plan_expansion(function, expansion, args, used);
        }
        self.plan_lookup(function, args, used)
    }

    fn plan_lookup(&mut self, function: Symbol, args: &[Ty], used: bool) -> Result<Plan, Stop> {
        let Ok(tuple) = self.types.try_tuple(args, None) else {
            return Ok(Plan::Fail(Failure::TypeLimit(function)));
        };
        match self.ask.lookup(function, tuple)? {
            Resolved::Method(mi) => self.plan_method(function, mi, args, used),
            Resolved::NoMethod => Ok(Plan::Fail(Failure::NoMethod(function, tuple))),
            Resolved::Ambiguous(_) => Ok(Plan::Fail(Failure::Ambiguous(function, tuple))),
        }
    }

    /// The call of an instance, or the expansion of an intrinsic.
    pub(crate) fn plan_method(
        &mut self,
        function: Symbol,
        mi: Mi,
        args: &[Ty],
        used: bool,
    ) -> Result<Plan, Stop> {
        match self.ask.intrinsic(mi) {
            None if used => Ok(Plan::Static(mi, self.ask.ret_type(mi)?)),
            None if self.ask.returns(mi)? => Ok(Plan::Static(mi, Ty::ANY)),
            None => Ok(Plan::Static(mi, Ty::BOTTOM)),
            Some(Intrinsic::Builtin(id)) => match self.intr.expand(id, args) {
                Some(expansion) => self.plan_expansion(function, Arc::new(expansion), args, used),
                None => Ok(self.no_method(function, args)),
            },
            Some(Intrinsic::Constructor(decl)) => Ok(self.plan_constructor(mi, decl)),
        }
    }

    fn plan_constructor(&self, mi: Mi, decl: DeclId) -> Plan {
        match self.types.nominal(decl, &self.ask.bindings(mi)) {
            Ok(ty) => Plan::Make(ty),
            Err(_) => Plan::Fail(Failure::TypeLimit(self.types.decl(decl).name)),
        }
    }

    pub(crate) fn no_method(&self, function: Symbol, args: &[Ty]) -> Plan {
        Plan::Fail(match self.types.try_tuple(args, None) {
            Ok(tuple) => Failure::NoMethod(function, tuple),
            Err(_) => Failure::TypeLimit(function),
        })
    }

    fn plan_expansion(
        &mut self,
        function: Symbol,
        expansion: Arc<Expansion>,
        args: &[Ty],
        used: bool,
    ) -> Result<Plan, Stop> {
        match expansion.recipe {
            Recipe::Via {
                function: other,
                swap,
                negate,
            } => {
                let other = self.types.symbol(other);
                let mut operands: SmallVec<[Ty; 2]> = args.into();
                if swap {
                    operands.swap(0, 1);
                }
                let plan = Box::new(self.plan(other, &operands, used || negate)?);
                Ok(Plan::Via { swap, negate, plan })
            }
            Recipe::FieldsEq { negate } => self.plan_fields(function, args, negate),
            _ => Ok(Plan::Expand(expansion)),
        }
    }

    fn plan_fields(&mut self, function: Symbol, args: &[Ty], negate: bool) -> Result<Plan, Stop> {
        let &[a, b] = args else {
            return Ok(self.no_method(function, args));
        };
        let (Some(a), Some(b)) = (self.u.fields(a), self.u.fields(b)) else {
            return Ok(self.no_method(function, args));
        };
        let equal = self.intr.equal;
        let each = a.tys.iter().zip(b.tys.iter());
        let plans = each.map(|(a, b)| self.plan(equal, &[*a, *b], true));
        Ok(Plan::Fields {
            negate,
            plans: plans.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn protected(
        &mut self,
        function: Symbol,
        args: &[Ty],
    ) -> Result<Option<Arc<Expansion>>, Stop> {
        match self.intr.protected(function, args) {
            Some(expansion) if !self.is_overlaid(function)? => Ok(Some(expansion)),
            _ => Ok(None),
        }
    }

    // Abstract arguments.

    fn plan_abstract(&mut self, function: Symbol, args: &[Ty], used: bool) -> Result<Plan, Stop> {
        // A union of built-in types on a protected built-in: all known without asking.
        if let Some(lists) = self.concrete_lists(args)
            && lists
                .iter()
                .all(|list| self.intr.protected(function, list).is_some())
            && !self.is_overlaid(function)?
        {
            return self.split(function, lists, true, used, None);
        }
        let Ok(tuple) = self.types.try_tuple(args, None) else {
            return Ok(Plan::Fail(Failure::TypeLimit(function)));
        };
        let found = self.ask.find_all(function, tuple, SPLIT_LIMIT)?;
        let Candidates::Few {
            matches,
            covered,
            ambiguous,
        } = found
        else {
            return Ok(self.at_run_time(function, tuple));
        };
        let Some(lists) = self.branches(&matches) else {
            return Ok(self.at_run_time(function, tuple));
        };
        // Where matches overlap, the more specific stands first; an ambiguous call must be asked.
        let known = (!ambiguous).then_some(&matches[..]);
        self.split(function, lists, covered, used, known)
    }

    /// No lookup edge: whichever methods there will be, the call asks when it is reached.
    fn at_run_time(&mut self, function: Symbol, tuple: Ty) -> Plan {
        self.ask
            .dispatched_at_run_time(function, tuple, SPLIT_LIMIT);
        Plan::Dyn(function)
    }

    /// The argument types of each branch, if all are concrete and they are at most the limit.
    fn branches(&self, matches: &[Candidate]) -> Option<Vec<Box<[Ty]>>> {
        let mut lists: Vec<Box<[Ty]>> = Vec::new();
        for candidate in matches {
            let TyKind::Tuple { elems, tail: None } = self.types.kind(candidate.args) else {
                return None;
            };
            for list in self.concrete_lists(elems)? {
                if !lists.contains(&list) {
                    lists.push(list);
                }
            }
        }
        (lists.len() <= SPLIT_LIMIT).then_some(lists)
    }

    /// All lists of concrete types that these types stand for, if they are at most the limit.
    fn concrete_lists(&self, args: &[Ty]) -> Option<Vec<Box<[Ty]>>> {
        let mut lists: Vec<Vec<Ty>> = vec![Vec::with_capacity(args.len())];
        for &arg in args {
            let members = self.members(arg)?;
            if lists.len() * members.len() > SPLIT_LIMIT {
                return None;
            }
            lists = lists
                .into_iter()
                .flat_map(|list| {
                    members.iter().map(move |member| {
                        let mut list = list.clone();
                        list.push(*member);
                        list
                    })
                })
                .collect();
        }
        Some(lists.into_iter().map(Vec::into_boxed_slice).collect())
    }

    /// The concrete types that a type stands for, if they are at most the limit.
    pub(crate) fn members(&self, ty: Ty) -> Option<SmallVec<[Ty; 4]>> {
        if self.types.is_concrete(ty) {
            return Some(SmallVec::from_slice(&[ty]));
        }
        match self.types.kind(ty) {
            TyKind::Union(members) => {
                let small = members.len() <= JOIN_LIMIT.max(SPLIT_LIMIT);
                let concrete = members.iter().all(|member| self.types.is_concrete(*member));
                (small && concrete).then(|| members.iter().copied().collect())
            }
            _ => None,
        }
    }

    fn split(
        &mut self,
        function: Symbol,
        lists: Vec<Box<[Ty]>>,
        covered: bool,
        used: bool,
        known: Option<&[Candidate]>,
    ) -> Result<Plan, Stop> {
        let mut cases = Vec::with_capacity(lists.len());
        let mut ret = Ty::BOTTOM;
        for args in lists {
            let plan = match self.known_instance(&args, known) {
                Some(mi) => self.plan_method(function, mi, &args, used)?,
                None => self.plan(function, &args, used)?,
            };
            ret = self
                .types
                .join(ret, plan.ret(self.u.prelude().bool), JOIN_LIMIT);
            cases.push(Case { args, plan });
        }
        let cases = cases.into_boxed_slice();
        Ok(Plan::Split {
            function,
            cases,
            covered,
            ret,
        })
    }

    /// The instance that the matches name for these types: that of the first that takes them.
    fn known_instance(&self, args: &[Ty], known: Option<&[Candidate]>) -> Option<Mi> {
        let tuple = self.types.try_tuple(args, None).ok()?;
        let first = known?.iter().find(|c| self.types.subtype(tuple, c.args))?;
        first.mi.filter(|_| first.args == tuple)
    }

    // Constants.

    /// The result of an expansion on known operands, if it is known then.
    pub(crate) fn fold(
        &self,
        expansion: &Expansion,
        args: &[Lat],
    ) -> Option<Result<Lat, PrimError>> {
        match &expansion.recipe {
            Recipe::TupleLen(n) => Some(Ok(Lat::scalar(self.u, ScalarValue::I64(i64::from(*n))))),
            Recipe::Const(Const::Bool(b)) => Some(Ok(Lat::scalar(self.u, ScalarValue::Bool(*b)))),
            Recipe::Identity => args.first().copied().map(Ok),
            Recipe::Scalar { .. } | Recipe::Steps(_) => {
                let mut operands: SmallVec<[ScalarValue; 2]> = SmallVec::new();
                for arg in args {
                    operands.push(arg.as_scalar()?);
                }
                let value = evaluate(&expansion.recipe, &operands)?;
                Some(value.map(|value| Lat {
                    ty: expansion.ret,
                    known: Some(Known::Scalar(value)),
                }))
            }
            _ => None,
        }
    }
}

/// Applies a scalar recipe to constants.
fn evaluate(recipe: &Recipe, args: &[ScalarValue]) -> Option<Result<ScalarValue, PrimError>> {
    match recipe {
        Recipe::Scalar {
            casts,
            swap,
            op,
            negate,
        } => Some((|| {
            let mut operands: SmallVec<[ScalarValue; 2]> = SmallVec::new();
            for (arg, cast) in args.iter().zip(casts) {
                operands.push(cast.map_or(Ok(*arg), |cast| cast.eval(&[*arg]))?);
            }
            if *swap {
                operands.swap(0, 1);
            }
            let value = op.eval(&operands)?;
            if *negate {
                Prim::Not.eval(&[value])
            } else {
                Ok(value)
            }
        })()),
        Recipe::Steps(steps) => {
            let mut values: SmallVec<[ScalarValue; 4]> = SmallVec::new();
            for step in steps {
                let operands = step.operands.iter().map(|operand| match *operand {
                    Operand::Arg(n) => args[n],
                    Operand::Step(n) => values[n],
                    Operand::Const(value) => value,
                });
                let operands: SmallVec<[ScalarValue; 2]> = operands.collect();
                match step.op.eval(&operands) {
                    Ok(value) => values.push(value),
                    Err(error) => return Some(Err(error)),
                }
            }
            values.pop().map(Ok)
        }
        _ => None,
    }
}
