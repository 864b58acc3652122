//! Inference: untyped SSA to typed SSA, for one method instance.
//!
//! Reading order: [`ask`] (what inference may learn, each question a dependency), `lattice`,
//! `solve` (the fixpoint), `eval` (what each operation gives), `plan` (how a call is carried
//! out), `named` (types as written), [`intrinsics`] (built-in methods without asking), `emit`,
//! `emit_plan` and `out` (typed SSA from what was found).
//!
//! Invariants: the result depends on nothing but the answers; emission asks nothing; the time is
//! linear in the method's text, however deep its control flow.

pub mod ask;
mod emit;
mod emit_plan;
mod eval;
pub mod intrinsics;
pub(crate) mod lattice;
mod named;
mod out;
mod plan;
mod solve;

pub use ask::{Ask, Intrinsic};
pub use intrinsics::Intrinsics;

use crate::ast::MethodDef;
use crate::inferred::Inferred;
use crate::ir::{Body, Failure, Op, Term, Val};
use crate::lower::Lowered;
use crate::lower::untyped::TyIx;
use crate::schedule::{Schedule, Space};
use emit::Emit;
use out::Out;
use solve::{Solver, State};
use std::cell::RefCell;
use worldage_dispatch::{Ty, TyKind};
use worldage_engine::{Mi, Stop};

thread_local! {
    /// States of inferences that ended here. A question may infer a callee at once, so several
    /// can be out at a time.
    static SPARE: RefCell<Vec<State>> = const { RefCell::new(Vec::new()) };
}

/// Spare states that a thread keeps.
const MAX_SPARE: usize = 8;

/// Infers a method for the argument types of an instance; gives the result and the body that it
/// was packed from (of a kernel with schedules that of the first).
///
/// # Errors
/// Whatever a question answers with [`Stop`]. A program that is wrong is no error here: it fails
/// when it gets there.
pub fn infer(
    intr: &Intrinsics,
    ask: &mut dyn Ask,
    mi: Mi,
    def: &MethodDef,
    low: &Lowered,
) -> Result<(Inferred, Body), Stop> {
    let mut state = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    let result = infer_with(intr, ask, mi, def, low, &mut state);
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < MAX_SPARE {
            spare.push(state);
        }
    });
    result
}

/// Infers an instance of a method that the host runs: it hands its arguments over, and returns
/// what is declared.
///
/// # Errors
/// As [`infer`].
pub fn infer_host(
    intr: &Intrinsics,
    ask: &mut dyn Ask,
    mi: Mi,
    def: &MethodDef,
    low: &Lowered,
) -> Result<(Inferred, Body), Stop> {
    let u = &**intr.universe();
    let args = ask.key(mi).args;
    let mut state = State::default();
    let mut solver = Solver::new(intr, ask, mi, def, low, &mut state);
    // The only type in a body without statements is that of the annotation.
    let ret = match def.ret {
        Some(_) => solver.named(TyIx(0))?,
        None => Ok(Ty::ANY),
    };
    let mut out = Out::new();
    let entry = out.cur();
    let args = u.tuple_elems(args).unwrap_or_default();
    let args: Vec<Val> = args.iter().map(|ty| out.param(entry, *ty)).collect();
    let body = match ret {
        Ok(ret) => {
            let result = out.inst(Op::CallHost(mi, args.into()), ret, def.id);
            out.term(Term::Return(result), def.id);
            out.finish(ret, mi)
        }
        Err(failure) => {
            out.term(Term::Fail(failure), def.id);
            out.finish(Ty::BOTTOM, mi)
        }
    };
    Ok((Inferred::new(u, &body, def), body))
}

fn infer_with(
    intr: &Intrinsics,
    ask: &mut dyn Ask,
    mi: Mi,
    def: &MethodDef,
    low: &Lowered,
    state: &mut State,
) -> Result<(Inferred, Body), Stop> {
    let u = &**intr.universe();
    let args: &[Ty] = match u.types().kind(ask.key(mi).args) {
        TyKind::Tuple { elems, .. } => elems,
        other => unreachable!("argument types are a tuple, not {other:?}"),
    };
    let params = params(intr, def, low, args);
    let mut body_of = |schedule: Schedule| {
        let mut solver = Solver::new(intr, ask, mi, def, low, state);
        solver.schedule = schedule;
        solver.solve(&params)?;
        let body = Emit::new(&mut solver).body(args);
        debug_assert_eq!(
            crate::verify::verify(u, &body),
            Ok(()),
            "inference made an ill-typed body"
        );
        Ok(body)
    };
    let space = Space::of(def);
    let body = body_of(space.schedule(0))?;
    if space.is_empty() {
        return Ok((Inferred::new(u, &body, def), body));
    }
    let rest = space.schedules().skip(1).map(&mut body_of);
    let mut rest = rest.collect::<Result<Vec<Body>, Stop>>()?;
    let ret = body.ret;
    for other in rest.iter_mut().filter(|other| other.ret != ret) {
        *other = refused(args, mi, def, ret);
    }
    Ok((Inferred::scheduled(u, &body, def, space, &rest), body))
}

/// The body of a schedule that returns another type than the first one: it fails.
fn refused(args: &[Ty], mi: Mi, def: &MethodDef, ret: Ty) -> Body {
    let mut out = Out::new();
    let entry = out.cur();
    for ty in args {
        out.param(entry, *ty);
    }
    let why = "the schedules of a kernel return values of one type";
    out.term(Term::Fail(Failure::Unsupported(why.into())), def.id);
    out.finish(ret, mi)
}

/// The types of a method's parameters: a trailing `Vararg` is one tuple.
fn params(intr: &Intrinsics, def: &MethodDef, low: &Lowered, args: &[Ty]) -> Vec<Ty> {
    let mut params = args.to_vec();
    if low.vararg {
        let fixed = def.params.len() - 1;
        let rest = intr.universe().types().tuple(&params[fixed..]);
        params.truncate(fixed);
        params.push(rest);
    }
    params
}
