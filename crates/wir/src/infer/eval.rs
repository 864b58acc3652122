//! What each untyped operation gives for what is known of its operands.

use super::intrinsics::Expansion;
use super::lattice::{JOIN_LIMIT, Known, Lat};
use super::plan::Plan;
use super::solve::Solver;
use crate::builtins::Recipe;
use crate::ir::{Failure, UnknownKind};
use crate::lower::untyped::{Args, TyIx, UOp, UVal};
use crate::prim::{Prim, Scalar, ScalarValue};
use smallvec::SmallVec;
use std::sync::Arc;
use worldage_dispatch::{Symbol, Ty, TyKind};
use worldage_engine::{Resolved, Stop};

pub(crate) type Tys = SmallVec<[Ty; 4]>;

impl Solver<'_> {
    /// Evaluates an operation; how it fails or calls is noted as its plan.
    pub(crate) fn eval(&mut self, v: UVal) -> Result<Lat, Stop> {
        let p = *self.u.prelude();
        Ok(match self.low.ops[v.0 as usize] {
            UOp::Param(_) => self.lat(v),
            UOp::Int(i) => Lat::scalar(self.u, ScalarValue::I64(i)),
            UOp::Float(bits) => Lat::scalar(self.u, ScalarValue::F64(f64::from_bits(bits))),
            UOp::Bool(b) => Lat::scalar(self.u, ScalarValue::Bool(b)),
            UOp::Str(ix) => Lat {
                ty: p.string,
                known: Some(Known::Str(ix)),
            },
            UOp::Tune(n) => Lat::scalar(self.u, self.schedule.values()[n as usize].1.value()),
            UOp::Nothing => Lat::of(p.nothing),
            UOp::Function(name) => {
                if self.intr.is_builtin(name) || self.ask.is_function(name)? {
                    Lat::of(self.u.function_ty(name))
                } else {
                    self.fail(v, Failure::Unknown(UnknownKind::Name, name))
                }
            }
            UOp::Call(function, args) => self.call(v, function, args)?,
            UOp::CallValue(callee, args) => {
                let ty = self.lat(callee).ty;
                match self.u.function_of(ty) {
                    Some(function) => self.call(v, function, args)?,
                    None if self.types.intersect(ty, p.function) == Ty::BOTTOM => {
                        self.fail(v, Failure::TypeMismatch(p.function, ty))
                    }
                    None => self.planned(v, Plan::DynValue),
                }
            }
            UOp::CallType(ty, args) => self.call_type(v, ty, args)?,
            UOp::New(ty, args) => match self.named(ty)? {
                Ok(ty) => self.construct(v, ty, args),
                Err(failure) => self.fail(v, failure),
            },
            UOp::Tuple(args) => {
                let elems = self.arg_tys(args);
                match self.types.try_tuple(&elems, None) {
                    Ok(ty) => Lat::of(ty),
                    Err(_) => self.fail(v, Failure::TypeLimit(self.types.symbol("Tuple"))),
                }
            }
            UOp::Field(x, name) => self.field(v, self.lat(x).ty, name),
            UOp::Index(xs, i) => self.index(v, self.lat(xs).ty, self.lat(i)),
            UOp::SetIndex(args) => {
                let tys = self.arg_tys(args);
                match self.set_index(tys[0], tys[1], tys[2]) {
                    Ok(()) => Lat::of(p.nothing),
                    Err(failure) => self.fail(v, failure),
                }
            }
            UOp::IsA(x, ty) => match self.named(ty)? {
                Ok(ty) => match self.is_a(self.lat(x).ty, ty) {
                    Some(known) => Lat::scalar(self.u, ScalarValue::Bool(known)),
                    None => Lat::of(p.bool),
                },
                Err(failure) => self.fail(v, failure),
            },
            UOp::Refine(x, ty, holds) => match self.named(ty)? {
                Ok(ty) => self.refine(self.lat(x), ty, holds),
                Err(failure) => self.fail(v, failure),
            },
            UOp::AsBool(x) => self.as_type(v, self.lat(x), p.bool),
            UOp::AsType(x, ty) => match self.named(ty)? {
                Ok(ty) => self.as_type(v, self.lat(x), ty),
                Err(failure) => self.fail(v, failure),
            },
            UOp::Array(ty, n) => self.array(v, ty, n)?,
            UOp::Shared(ty, n) => self.shared(v, ty, n)?,
            UOp::TruncTo(ty, x) => self.trunc_to(v, ty, x)?,
            UOp::Invoke(sig, args) => self.invoke(v, sig, args)?,
            UOp::Latest(_) => Lat::of(Ty::ANY),
            UOp::External(ix) => {
                let key = self.low.strs[ix as usize].clone();
                match self.ask.external(&key)? {
                    Some((ty, value)) => {
                        self.set_plan(v, Plan::Constant(value));
                        Lat::of(ty)
                    }
                    None => {
                        let name = self.types.symbol(&key);
                        self.fail(v, Failure::Unknown(UnknownKind::External, name))
                    }
                }
            }
            UOp::Bound(a, b, last) => self.bound(v, self.lat(a), self.lat(b), last),
            UOp::Below(a, b) => self.scalar_op(&[a, b], Prim::Lt, p.bool),
            UOp::Next(a) => {
                let ty = self.lat(a).ty;
                Lat::of(ty)
            }
        })
    }

    // Plans.

    pub(crate) fn plan_of(&self, v: UVal) -> &Plan {
        &self.state.plans[self.state.plan[v.0 as usize] as usize]
    }

    fn set_plan(&mut self, v: UVal, plan: Plan) {
        let at = &mut self.state.plan[v.0 as usize];
        if *at == 0 {
            *at = self.state.plans.len() as u32;
            self.state.plans.push(plan);
        } else {
            self.state.plans[*at as usize] = plan;
        }
    }

    fn planned(&mut self, v: UVal, plan: Plan) -> Lat {
        let ret = plan.ret(self.u.prelude().bool);
        self.set_plan(v, plan);
        Lat::of(ret)
    }

    fn fail(&mut self, v: UVal, failure: Failure) -> Lat {
        self.planned(v, Plan::Fail(failure))
    }

    pub(crate) fn arg_tys(&self, args: Args) -> Tys {
        self.low
            .args(args)
            .iter()
            .map(|v| self.lat(*v).ty)
            .collect()
    }

    // Calls.

    fn call(&mut self, v: UVal, function: Symbol, args: Args) -> Result<Lat, Stop> {
        if let Some(lat) = self.call_operator(v, function, args)? {
            return Ok(lat);
        }
        let tys = self.arg_tys(args);
        let plan = self.plan(function, &tys, self.low.is_used(v))?;
        if let Plan::Expand(expansion) = plan {
            let lats = self.low.args(args).iter().map(|v| self.lat(*v));
            let lats: SmallVec<[Lat; 4]> = lats.collect();
            return Ok(self.expand(v, expansion, &lats));
        }
        Ok(self.planned(v, plan))
    }

    /// A built-in method on one or two operands of concrete types, as most calls are: `call`
    /// without lists.
    fn call_operator(
        &mut self,
        v: UVal,
        function: Symbol,
        args: Args,
    ) -> Result<Option<Lat>, Stop> {
        let operands = self.low.args(args);
        if !matches!(operands.len(), 1 | 2) {
            return Ok(None);
        }
        let (mut lats, mut tys) = ([Lat::BOTTOM; 2], [Ty::BOTTOM; 2]);
        for (at, operand) in operands.iter().enumerate() {
            lats[at] = self.lat(*operand);
            tys[at] = lats[at].ty;
            if !self.types.is_concrete(tys[at]) {
                return Ok(None);
            }
        }
        let count = operands.len();
        Ok(match self.protected(function, &tys[..count])? {
            Some(e) if !matches!(e.recipe, Recipe::Via { .. } | Recipe::FieldsEq { .. }) => {
                Some(self.expand(v, e, &lats[..count]))
            }
            _ => None,
        })
    }

    /// A built-in operation: its value, where that is known already.
    fn expand(&mut self, v: UVal, expansion: Arc<Expansion>, args: &[Lat]) -> Lat {
        let lat = match self.fold(&expansion, args) {
            Some(Ok(lat)) => lat,
            Some(Err(error)) => return self.fail(v, Failure::Prim(error)),
            None => Lat::of(expansion.ret),
        };
        self.set_plan(v, Plan::Expand(expansion));
        lat
    }

    fn call_type(&mut self, v: UVal, ty: TyIx, args: Args) -> Result<Lat, Stop> {
        let ty = match self.named(ty)? {
            Ok(ty) => ty,
            Err(failure) => return Ok(self.fail(v, failure)),
        };
        let TyKind::Nominal { decl, .. } = self.types.kind(ty) else {
            let written = self.types.display(ty).to_string();
            let message = format!("`{written}` has no constructor");
            return Ok(self.fail(v, Failure::BadType(Arc::from(message))));
        };
        if self.u.fields(ty).is_some() {
            return Ok(self.construct(v, ty, args));
        }
        self.call(v, self.types.decl(*decl).name, args)
    }

    /// `P{A}(x)`: exactly this type, nothing is looked up.
    fn construct(&mut self, v: UVal, ty: Ty, args: Args) -> Lat {
        let tys = self.arg_tys(args);
        let name = match self.types.kind(ty) {
            TyKind::Nominal { decl, .. } => self.types.decl(*decl).name,
            _ => self.types.symbol("Tuple"),
        };
        let fits = self.types.is_concrete(ty)
            && self.u.fields(ty).is_some_and(|fields| {
                let overlap = |(a, b): (&Ty, &Ty)| self.types.intersect(*a, *b) != Ty::BOTTOM;
                fields.info.is_some()
                    && fields.tys.len() == tys.len()
                    && tys.iter().zip(fields.tys.iter()).all(overlap)
            });
        let plan = if fits {
            Plan::Make(ty)
        } else {
            self.no_method(name, &tys)
        };
        self.planned(v, plan)
    }

    fn invoke(&mut self, v: UVal, sig: TyIx, args: Args) -> Result<Lat, Stop> {
        let sig = match self.named(sig)? {
            Ok(sig) => sig,
            Err(failure) => return Ok(self.fail(v, failure)),
        };
        let tys = self.arg_tys(args);
        let function_ty = self.u.prelude().function;
        let Some(function) = self.u.function_of(tys[0]) else {
            let failure = if self.types.intersect(tys[0], function_ty) == Ty::BOTTOM {
                Failure::TypeMismatch(function_ty, tys[0])
            } else {
                Failure::BadType("`invoke` needs a function that is known where it stands".into())
            };
            return Ok(self.fail(v, failure));
        };
        let tys = &tys[1..];
        let Ok(tuple) = self.types.try_tuple(tys, None) else {
            return Ok(self.fail(v, Failure::TypeLimit(function)));
        };
        if self.types.intersect(tuple, sig) == Ty::BOTTOM {
            return Ok(self.fail(v, Failure::NoInvoke(function, sig)));
        }
        if !self.types.is_concrete(tuple) {
            self.set_plan(v, Plan::DynInvoke(function, sig));
            return Ok(Lat::of(Ty::ANY));
        }
        let plan = match self.ask.invoke(function, sig, tuple)? {
            Resolved::Method(mi) => self.plan_method(function, mi, tys, self.low.is_used(v))?,
            Resolved::NoMethod => Plan::Fail(Failure::NoInvoke(function, sig)),
            Resolved::Ambiguous(_) => Plan::Fail(Failure::Ambiguous(function, sig)),
        };
        Ok(self.planned(v, plan))
    }

    // Fields and elements.

    /// The type of a field of a concrete type.
    pub(crate) fn field_ty(&self, ty: Ty, name: Symbol) -> Option<(u32, Ty)> {
        let fields = self.u.fields(ty)?;
        let at = fields
            .info
            .as_ref()?
            .field_index(self.types.symbol_str(name))?;
        Some((at as u32, fields.tys[at]))
    }

    fn field(&mut self, v: UVal, ty: Ty, name: Symbol) -> Lat {
        let Some(members) = self.members(ty) else {
            return Lat::of(Ty::ANY);
        };
        let mut joined = Ty::BOTTOM;
        for member in &members {
            if let Some((_, field)) = self.field_ty(*member, name) {
                joined = self.types.join(joined, field, JOIN_LIMIT);
            }
        }
        if joined == Ty::BOTTOM {
            return self.fail(v, Failure::MissingField(ty, name));
        }
        Lat::of(joined)
    }

    fn index(&mut self, v: UVal, xs: Ty, i: Lat) -> Lat {
        if let Err(failure) = self.check_index(i.ty) {
            return self.fail(v, failure);
        }
        let Some(members) = self.members(xs) else {
            return Lat::of(self.element_of(xs, i));
        };
        let mut joined = Ty::BOTTOM;
        let mut failed = None;
        for member in &members {
            match self.element(*member, i) {
                Ok(elem) => joined = self.types.join(joined, elem, JOIN_LIMIT),
                Err(failure) => failed = Some(failure),
            }
        }
        match failed {
            Some(failure) if joined == Ty::BOTTOM => self.fail(v, failure),
            _ => Lat::of(joined),
        }
    }

    /// The element of a dynamic type: what its type says, if it is a tuple type.
    fn element_of(&self, xs: Ty, i: Lat) -> Ty {
        match (self.types.kind(xs), constant_index(i)) {
            (TyKind::Tuple { elems, tail: None }, Some(i)) => usize::try_from(i)
                .ok()
                .and_then(|i| elems.get(i))
                .copied()
                .unwrap_or(Ty::ANY),
            _ => Ty::ANY,
        }
    }

    /// The type of an element of a concrete type, or why there is none.
    pub(crate) fn element(&self, xs: Ty, i: Lat) -> Result<Ty, Failure> {
        if let Some(elem) = self.u.array_elem(xs) {
            return Ok(elem);
        }
        let Some(elems) = self.u.tuple_elems(xs) else {
            let written = self.types.display(xs).to_string();
            return Err(Failure::BadType(
                format!("a value of type `{written}` has no elements").into(),
            ));
        };
        match constant_index(i) {
            Some(i) => usize::try_from(i)
                .ok()
                .and_then(|i| elems.get(i))
                .copied()
                .ok_or(Failure::Bounds),
            None if elems.is_empty() => Err(Failure::Bounds),
            None => {
                let join = |a, b: &Ty| self.types.join(a, *b, JOIN_LIMIT);
                Ok(elems.iter().fold(Ty::BOTTOM, join))
            }
        }
    }

    pub(crate) fn check_index(&self, ty: Ty) -> Result<(), Failure> {
        let integer = self.u.prelude().integer;
        if self.is_int(ty) || self.types.intersect(ty, integer) != Ty::BOTTOM {
            return Ok(());
        }
        Err(Failure::TypeMismatch(integer, ty))
    }

    pub(crate) fn is_int(&self, ty: Ty) -> bool {
        self.u.scalar_of(ty).is_some_and(Scalar::is_int)
    }

    pub(crate) fn set_index(&self, xs: Ty, i: Ty, value: Ty) -> Result<(), Failure> {
        self.check_index(i)?;
        let Some(members) = self.members(xs) else {
            return Ok(());
        };
        let mut failed = None;
        for member in members {
            match self.stored(member, value) {
                Ok(_) => return Ok(()),
                Err(failure) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The element type that a value is stored with in a concrete type.
    pub(crate) fn stored(&self, xs: Ty, value: Ty) -> Result<Ty, Failure> {
        match self.u.array_elem(xs) {
            Some(elem) if self.types.intersect(elem, value) != Ty::BOTTOM => Ok(elem),
            Some(elem) => Err(Failure::TypeMismatch(elem, value)),
            None => {
                let written = self.types.display(xs).to_string();
                Err(Failure::BadType(
                    format!("the elements of a `{written}` cannot be assigned").into(),
                ))
            }
        }
    }

    // Types.

    /// Whether every value of the type is one of the other, or none.
    pub(crate) fn is_a(&self, ty: Ty, of: Ty) -> Option<bool> {
        if ty == of || self.types.subtype(ty, of) {
            Some(true)
        } else if self.types.is_concrete(ty) || self.types.intersect(ty, of) == Ty::BOTTOM {
            Some(false)
        } else {
            None
        }
    }

    fn refine(&self, lat: Lat, of: Ty, holds: bool) -> Lat {
        match (self.is_a(lat.ty, of), holds) {
            (Some(known), _) if known == holds => lat,
            (Some(_), _) => Lat::BOTTOM,
            (None, true) => Lat::of(self.types.intersect(lat.ty, of)),
            (None, false) => match self.types.kind(lat.ty) {
                TyKind::Union(members) => {
                    let left = members.iter().filter(|ty| !self.types.subtype(**ty, of));
                    Lat::of(self.types.union(&left.copied().collect::<Tys>()))
                }
                _ => lat,
            },
        }
    }

    fn as_type(&mut self, v: UVal, lat: Lat, of: Ty) -> Lat {
        match self.is_a(lat.ty, of) {
            Some(true) => lat,
            Some(false) => self.fail(v, Failure::TypeMismatch(of, lat.ty)),
            None => Lat::of(self.types.intersect(lat.ty, of)),
        }
    }

    // Forms.

    fn array(&mut self, v: UVal, ty: TyIx, n: UVal) -> Result<Lat, Stop> {
        let elem = match self.named(ty)? {
            Ok(elem) => elem,
            Err(failure) => return Ok(self.fail(v, failure)),
        };
        if let Err(failure) = self.check_index(self.lat(n).ty) {
            return Ok(self.fail(v, failure));
        }
        Ok(match self.u.array_ty(elem) {
            Ok(ty) => Lat::of(ty),
            Err(_) => self.fail(v, Failure::TypeLimit(self.types.symbol("Array"))),
        })
    }

    fn shared(&mut self, v: UVal, ty: TyIx, n: UVal) -> Result<Lat, Stop> {
        let n = self.lat(n);
        let lat = match constant_index(n) {
            Some(0..) => match self.named(ty)? {
                Ok(elem) => self
                    .u
                    .array_ty(elem)
                    .map_err(|_| Failure::TypeLimit(self.types.symbol("Array"))),
                Err(failure) => Err(failure),
            },
            _ => Err(Failure::Unsupported(
                "`shared` needs a constant number of elements".into(),
            )),
        };
        Ok(match lat {
            Ok(ty) => Lat::of(ty),
            Err(failure) => self.fail(v, failure),
        })
    }

    fn trunc_to(&mut self, v: UVal, ty: TyIx, x: UVal) -> Result<Lat, Stop> {
        let to = match self.named(ty)? {
            Ok(ty) => ty,
            Err(failure) => return Ok(self.fail(v, failure)),
        };
        let lat = self.lat(x);
        let trunc = self.types.symbol("trunc");
        let Some(target) = self.u.scalar_of(to).filter(|s| *s != Scalar::Bool) else {
            return Ok(match self.no_method(trunc, &[lat.ty]) {
                Plan::Fail(failure) => self.fail(v, failure),
                _ => Lat::BOTTOM,
            });
        };
        if let Some(value) = lat.as_scalar().filter(|x| x.scalar() != Scalar::Bool) {
            return Ok(match Prim::TruncTo(value.scalar(), target).eval(&[value]) {
                Ok(value) => Lat::scalar(self.u, value),
                Err(error) => self.fail(v, Failure::Prim(error)),
            });
        }
        if self.types.intersect(lat.ty, self.u.prelude().number) == Ty::BOTTOM
            || (self.types.is_concrete(lat.ty) && self.u.scalar_of(lat.ty).is_none())
        {
            let plan = self.no_method(trunc, &[lat.ty]);
            return Ok(self.planned(v, plan));
        }
        Ok(Lat::of(to))
    }

    // Counting loops.

    /// The bounds of `a..b` are integers; they meet in the type of their sum.
    fn bound(&mut self, v: UVal, a: Lat, b: Lat, last: bool) -> Lat {
        let own = if last { b } else { a };
        if let Err(failure) = self.check_index(own.ty) {
            return self.fail(v, failure);
        }
        match self.range_scalar(a.ty, b.ty) {
            Some(common) => match own.as_scalar() {
                Some(value) => {
                    let cast = Prim::Cast(value.scalar(), common).eval(&[value]);
                    cast.map_or(Lat::BOTTOM, |value| Lat::scalar(self.u, value))
                }
                None => Lat::of(self.u.scalar_ty(common)),
            },
            None => Lat::of(self.u.prelude().int64),
        }
    }

    /// The type that a loop counts in, if the types of both bounds are known.
    pub(crate) fn range_scalar(&self, a: Ty, b: Ty) -> Option<Scalar> {
        let a = self.u.scalar_of(a).filter(|s| s.is_int())?;
        let b = self.u.scalar_of(b).filter(|s| s.is_int())?;
        Some(crate::builtins::promote(a, b))
    }

    fn scalar_op(&self, args: &[UVal], prim: fn(Scalar) -> Prim, ret: Ty) -> Lat {
        let values: Option<SmallVec<[ScalarValue; 2]>> =
            args.iter().map(|v| self.lat(*v).as_scalar()).collect();
        let folded = values.and_then(|values| prim(values[0].scalar()).eval(&values).ok());
        folded.map_or(Lat::of(ret), |value| Lat::scalar(self.u, value))
    }
}

/// A constant index, if it is one; a UInt64 beyond Int64 is out of every bound.
pub(crate) fn constant_index(i: Lat) -> Option<i64> {
    let i = i.as_scalar()?.as_int()?;
    Some(i64::try_from(i).unwrap_or(i64::MAX))
}
