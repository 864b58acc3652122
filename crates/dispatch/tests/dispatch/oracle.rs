//! What types and signatures mean, straight from the definition: membership of concrete types.
//!
//! Nothing here asks for a subtype, except for the bounds of variables.

use crate::fixture::Fixture;
use worldage_dispatch::*;

/// Concrete types, enough to tell the types of the properties apart: every abstract type has a
/// value of its own, tuples are one longer than those that are compared.
pub(crate) fn universe(fixture: &Fixture) -> Vec<Ty> {
    let leaves: Vec<Ty> = LEAVES.iter().map(|text| fixture.ty(text)).collect();
    let nested: Vec<Ty> = ["Int64", "Number*", "Any*"]
        .iter()
        .map(|text| fixture.ty(text))
        .collect();
    let mut all = leaves;
    all.push(fixture.types.tuple(&[]));
    for a in &nested {
        all.push(fixture.types.tuple(&[*a]));
        all.extend(nested.iter().map(|b| fixture.types.tuple(&[*a, *b])));
    }
    all
}

const LEAVES: [&str; 10] = [
    "Int64",
    "Int32",
    "String",
    "Any*",
    "Number*",
    "Integer*",
    "Array{Int64}",
    "Array{Number}",
    "AbstractArray*{Int64}",
    "AbstractArray*{Number}",
];

/// The tuples of at most `longest` values.
pub(crate) fn tuples(fixture: &Fixture, values: &[Ty], longest: usize) -> Vec<Ty> {
    let mut rows: Vec<Vec<Ty>> = vec![vec![]];
    let mut from = 0;
    for _ in 0..longest {
        let to = rows.len();
        for row in from..to {
            rows.extend(
                values
                    .iter()
                    .map(|value| {
                        rows[row]
                            .iter()
                            .copied()
                            .chain([*value])
                            .collect::<Vec<_>>()
                    })
                    .collect::<Vec<_>>(),
            );
        }
        from = to;
    }
    rows.iter().map(|row| fixture.types.tuple(row)).collect()
}

/// Whether a value whose type is exactly `value` belongs to `ty`.
pub(crate) fn is_member(types: &Types, value: Ty, ty: Ty) -> bool {
    match (types.kind(ty), types.kind(value)) {
        (TyKind::Any, _) => true,
        (TyKind::Union(members), _) => members
            .iter()
            .any(|member| is_member(types, value, *member)),
        (TyKind::Nominal { .. }, TyKind::Nominal { .. }) => {
            let mut above = value;
            while above != ty && above != Ty::ANY {
                above = types.supertype(above);
            }
            above == ty
        }
        (TyKind::Tuple { elems, tail }, TyKind::Tuple { elems: values, .. }) => {
            (values.len() == elems.len() || (values.len() > elems.len() && tail.is_some()))
                && values.iter().enumerate().all(|(ix, value)| {
                    elems
                        .get(ix)
                        .or(tail.as_ref())
                        .is_some_and(|elem| is_member(types, *value, *elem))
                })
        }
        _ => false,
    }
}

/// Whether a call with a concrete tuple is accepted: some choice of the variables makes it a member.
pub(crate) fn accepts(fixture: &Fixture, call: Ty, sig: &Sig, candidates: &[Ty]) -> bool {
    choose(fixture, call, sig, candidates, &mut Vec::new())
}

fn choose(
    fixture: &Fixture,
    call: Ty,
    sig: &Sig,
    candidates: &[Ty],
    chosen: &mut Vec<Arg>,
) -> bool {
    let types = &fixture.types;
    let Some(var) = sig.vars.get(chosen.len()) else {
        return is_member(types, call, types.substitute(sig.params, chosen));
    };
    let ix = chosen.len() as u32;
    let (covariant, mut invariant) = uses(types, sig.params, ix);
    // The bound of a variable that is used fixes an earlier one where it uses it in an invariant place.
    for (later, var) in (0..).zip(sig.vars.iter()) {
        invariant |= uses(types, sig.params, later) != (0, false) && uses(types, var.upper, ix).1;
    }
    let upper = types.substitute(var.upper, chosen);
    let possible = candidates.iter().filter(|candidate| {
        types.subtype(**candidate, upper)
            && (invariant
                || covariant < 2
                || types.is_concrete(**candidate)
                || **candidate == Ty::BOTTOM)
    });
    possible.into_iter().any(|candidate| {
        chosen.push(Arg::Ty(*candidate));
        let accepted = choose(fixture, call, sig, candidates, chosen);
        chosen.pop();
        accepted
    })
}

/// How often a variable is used covariantly, and whether it has an invariant use.
fn uses(types: &Types, ty: Ty, ix: u32) -> (u32, bool) {
    let sum = |tys: &[Ty]| {
        let each = tys.iter().map(|ty| uses(types, *ty, ix));
        each.fold((0, false), |sum, one| (sum.0 + one.0, sum.1 || one.1))
    };
    match types.kind(ty) {
        TyKind::Var(other) => (u32::from(*other == ix), false),
        TyKind::Nominal { args, .. } => {
            let mentions = |arg: &Arg| matches!(arg, Arg::Ty(ty) if { let (n, inside) = uses(types, *ty, ix); n > 0 || inside });
            (0, args.iter().any(mentions))
        }
        TyKind::Tuple { elems, tail } => {
            let (fixed, rest) = (sum(elems), sum(tail.as_slice()));
            (fixed.0 + 2 * rest.0, fixed.1 || rest.1)
        }
        TyKind::Union(members) => sum(members),
        TyKind::Any | TyKind::Bottom => (0, false),
    }
}
