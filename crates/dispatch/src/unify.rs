//! Intersection and disjointness of signatures.
//!
//! Two signatures are met parameter by parameter with the variables of both open: invariant places
//! bind, covariant ones collect what a variable must share a value with. The result errs on the side
//! of *they meet*, which can only cost a check; without variables it is exact.

use smallvec::SmallVec;

use crate::matching::sig_matches;
use crate::sig::{Sig, TypeVar, VarKind};
use crate::subtype::{Cx, widest};
use crate::ty::{Arg, Ty, TyKind};
use crate::types::Types;
use crate::widen::{uppers, widen};

/// Into how many parts an intersection is split for the sake of variables used twice.
const MAX_PARTS: usize = 64;

/// The calls of `args`, a closed type, that `sig` accepts, as a closed type; [`Ty::BOTTOM`] if there are none.
///
/// Exact without variables, and for the tuples of a union of concrete types. It is a union of tuples where
/// a variable ties parameters together: `Tuple{Union{A, B}, Union{A, B}}` and `(T, T)` meet in
/// `Union{Tuple{A, A}, Tuple{B, B}}`. What no closed type describes (`(T, T)` over all numbers) is
/// widened.
pub fn sig_intersect(types: &Types, args: Ty, sig: &Sig) -> Ty {
    if sig.vars.is_empty() {
        return match types.tuple_parts(sig.params) {
            Some(_) => types.intersect(args, sig.params),
            None => Ty::BOTTOM,
        };
    }
    if let TyKind::Union(members) = types.kind(args) {
        let met: Vec<Ty> = members
            .iter()
            .map(|member| sig_intersect(types, *member, sig))
            .collect();
        return types.union(&met);
    }
    if sig_matches(types, args, sig) {
        return args;
    }
    if types.is_concrete(args) {
        return Ty::BOTTOM;
    }
    let mut parts = vec![args];
    split_tied(types, sig, &mut parts);
    let met: Vec<Ty> = parts
        .iter()
        .map(|part| meet_whole(types, *part, sig))
        .filter(|ty| *ty != Ty::BOTTOM)
        .collect();
    as_product(types, &met)
}

/// Whether no call is accepted by both. A *yes* is certain; a *no* is exact up to places where
/// variables stand in invariant unions.
pub fn sig_disjoint(types: &Types, a: &Sig, b: &Sig) -> bool {
    if a.vars.is_empty() && b.vars.is_empty() {
        return !types.overlaps(a.params, b.params);
    }
    let offset = a.vars.len();
    let (other, vars, kinds) = joined(types, a, b);
    debug_assert_eq!(vars.len(), offset + b.vars.len());
    let mut meet = Meet::new(types, &vars, &kinds);
    !(meet.overlap(a.params, other) && meet.settled())
}

/// `b`'s parameters and the variables of both, with those of `b` numbered after those of `a`.
pub(crate) fn joined(types: &Types, a: &Sig, b: &Sig) -> (Ty, Vec<TypeVar>, Vec<VarKind>) {
    let shift: Vec<Arg> = (a.vars.len()..)
        .take(b.vars.len())
        .map(|ix| Arg::Ty(types.var(ix as u32)))
        .collect();
    let mut vars = a.vars.to_vec();
    vars.extend(b.vars.iter().map(|var| TypeVar {
        name: var.name,
        upper: types.substitute(var.upper, &shift),
    }));
    let kinds = a.var_kinds().iter().chain(b.var_kinds()).copied().collect();
    (types.substitute(b.params, &shift), vars, kinds)
}

/// Splits unions in columns whose parameter is tied to others by a variable.
fn split_tied(types: &Types, sig: &Sig, parts: &mut Vec<Ty>) {
    let cx = Cx::closed(types);
    let Some((params, rest)) = types.tuple_parts(sig.params) else {
        return;
    };
    let mut column = 0;
    while let Some((elems, tail)) = parts.first().and_then(|part| types.tuple_parts(*part)) {
        let Some(elem) = elems.get(column) else {
            return;
        };
        let param = params.get(column).copied().or(rest).unwrap_or(Ty::BOTTOM);
        if mentions_tied(types, sig, param) && !cx.is_atom(*elem, widest(types, param)) {
            let alternatives = cx.alternatives(*elem, widest(types, param));
            if alternatives.len() * parts.len() > MAX_PARTS {
                column += 1;
                continue;
            }
            let put = |part: &Ty, elem: Ty| {
                let mut elems = types
                    .tuple_parts(*part)
                    .map_or(Vec::new(), |(elems, _)| elems.to_vec());
                elems[column] = elem;
                types.tuple_with_tail(&elems, tail)
            };
            *parts = parts
                .iter()
                .flat_map(|part| alternatives.iter().map(move |elem| put(part, *elem)))
                .collect();
            // The alternatives may have unions inside: look at this column again.
            if alternatives
                .iter()
                .any(|elem| !cx.is_atom(*elem, widest(types, param)))
            {
                continue;
            }
        }
        column += 1;
    }
}

fn mentions_tied(types: &Types, sig: &Sig, param: Ty) -> bool {
    types.has_vars(param)
        && match types.kind(param) {
            TyKind::Var(ix) => {
                let place = *ix as usize;
                sig.var_kinds()[place] != VarKind::Bound
                    || mentions_tied(types, sig, sig.vars[place].upper)
            }
            _ => types
                .children(param)
                .any(|child| mentions_tied(types, sig, child)),
        }
}

/// One tuple with the same values as the union of `parts`, if there is one; else that union.
fn as_product(types: &Types, parts: &[Ty]) -> Ty {
    let union = types.union(parts);
    let Some((first, tail)) = parts.first().and_then(|part| types.tuple_parts(*part)) else {
        return union;
    };
    let mut columns: Vec<Vec<Ty>> = vec![Vec::new(); first.len()];
    for part in parts {
        match types.tuple_parts(*part) {
            Some((elems, other)) if elems.len() == first.len() && other == tail => {
                columns
                    .iter_mut()
                    .zip(elems)
                    .for_each(|(column, ty)| column.push(*ty));
            }
            _ => return union,
        }
    }
    let hull: Vec<Ty> = columns.iter().map(|column| types.union(column)).collect();
    let hull = types.tuple_with_tail(&hull, tail);
    if types.subtype(hull, union) {
        hull
    } else {
        union
    }
}

fn meet_whole(types: &Types, args: Ty, sig: &Sig) -> Ty {
    if sig_matches(types, args, sig) {
        return args;
    }
    if types.is_concrete(args) {
        return Ty::BOTTOM;
    }
    let mut meet = Meet::new(types, &sig.vars, sig.var_kinds());
    if !meet.overlap(args, sig.params)
        || !meet.settled()
        || !concrete_columns_match(types, args, sig)
    {
        return Ty::BOTTOM;
    }
    let values = meet.values();
    meet.narrowed(args, sig.params, &values)
}

/// Whether the concrete arguments alone are accepted, which `matching` decides exactly.
fn concrete_columns_match(types: &Types, args: Ty, sig: &Sig) -> bool {
    let (Some((elems, _)), Some((params, rest))) =
        (types.tuple_parts(args), types.tuple_parts(sig.params))
    else {
        return false;
    };
    let columns = elems.iter().enumerate().filter_map(|(column, ty)| {
        let param = params.get(column).copied().or(rest)?;
        (types.has_vars(param) && types.is_concrete(*ty)).then_some((*ty, param))
    });
    let (known, their_params): (Vec<Ty>, Vec<Ty>) = columns.unzip();
    if known.is_empty() {
        return true;
    }
    // What a variable stands for is decided by all of the signature.
    let part = sig.with_params(types.tuple(&their_params));
    sig_matches(types, types.tuple(&known), &part)
}

/// Two types over common variables, being met.
#[derive(Clone)]
struct Meet<'a> {
    types: &'a Types,
    vars: &'a [TypeVar],
    kinds: &'a [VarKind],
    bound: SmallVec<[Option<Arg>; 4]>,
    /// A variable must have a value in common with a type.
    shared: SmallVec<[(u32, Ty); 4]>,
}

impl<'a> Meet<'a> {
    fn new(types: &'a Types, vars: &'a [TypeVar], kinds: &'a [VarKind]) -> Self {
        Meet {
            types,
            vars,
            kinds,
            bound: SmallVec::from_elem(None, vars.len()),
            shared: SmallVec::new(),
        }
    }

    /// Whether `x` and `y` can have a value in common; binds what that fixes.
    fn overlap(&mut self, x: Ty, y: Ty) -> bool {
        let types = self.types;
        if x == Ty::BOTTOM || y == Ty::BOTTOM {
            return false;
        }
        if !types.has_vars(x) && !types.has_vars(y) {
            return types.overlaps(x, y);
        }
        match (types.kind(x), types.kind(y)) {
            (TyKind::Var(ix), _) => self.overlap_var(*ix, y),
            (_, TyKind::Var(ix)) => self.overlap_var(*ix, x),
            (TyKind::Any, _) | (_, TyKind::Any) => true,
            (TyKind::Union(members), _) => self.overlap_any(members, y),
            (_, TyKind::Union(members)) => self.overlap_any(members, x),
            (TyKind::Nominal { decl, .. }, TyKind::Nominal { decl: other, .. }) => {
                let (x, y) = match (types.lift(x, *decl, *other), types.lift(y, *other, *decl)) {
                    (Some(x), _) => (x, y),
                    (None, Some(y)) => (x, y),
                    (None, None) => return false,
                };
                self.unify(Arg::Ty(x), Arg::Ty(y))
            }
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: others,
                    tail: other,
                },
            ) => {
                let length = elems.len().max(others.len());
                if (elems.len() < length && tail.is_none())
                    || (others.len() < length && other.is_none())
                {
                    return false;
                }
                (0..length).all(|ix| {
                    let at = |elems: &[Ty], tail: &Option<Ty>| {
                        elems.get(ix).copied().or(*tail).unwrap_or(Ty::BOTTOM)
                    };
                    self.overlap(at(elems, tail), at(others, other))
                })
            }
            _ => false,
        }
    }

    fn overlap_var(&mut self, ix: u32, y: Ty) -> bool {
        if matches!(self.types.kind(y), TyKind::Var(other) if *other == ix) {
            return true;
        }
        let place = ix as usize;
        if self.kinds[place] != VarKind::Bound {
            self.shared.push((ix, y));
        }
        if let TyKind::Var(other) = self.types.kind(y) {
            let other_place = *other as usize;
            if self.kinds[other_place] != VarKind::Bound {
                self.shared.push((*other, self.types.var(ix)));
            }
            return self.overlap(self.vars[place].upper, self.vars[other_place].upper);
        }
        self.overlap(self.vars[place].upper, y)
    }

    /// Binds only if one member is possible.
    fn overlap_any(&mut self, members: &[Ty], other: Ty) -> bool {
        let mut possible: Option<Self> = None;
        for member in members {
            let mut attempt = self.clone();
            if attempt.overlap(*member, other) {
                if possible.is_some() {
                    return true;
                }
                possible = Some(attempt);
            }
        }
        match possible {
            Some(only) => {
                *self = only;
                true
            }
            None => false,
        }
    }

    fn unify(&mut self, x: Arg, y: Arg) -> bool {
        let types = self.types;
        let (x, y) = (self.resolved(x), self.resolved(y));
        if x == y {
            return true;
        }
        for (var, value) in [(x, y), (y, x)] {
            if let Some(ix) = self.var_of(var) {
                let fits = !self.mentions(value, ix);
                self.bound[ix as usize] = Some(value);
                return fits;
            }
        }
        let (Arg::Ty(x), Arg::Ty(y)) = (x, y) else {
            return false;
        };
        if !types.has_vars(x) && !types.has_vars(y) {
            return types.type_equal(x, y);
        }
        match (types.kind(x), types.kind(y)) {
            (
                TyKind::Nominal { decl, args },
                TyKind::Nominal {
                    decl: other,
                    args: others,
                },
            ) => decl == other && args.iter().zip(others).all(|(x, y)| self.unify(*x, *y)),
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: others,
                    tail: other,
                },
            ) => {
                elems.len() == others.len()
                    && tail.is_some() == other.is_some()
                    && elems
                        .iter()
                        .chain(tail)
                        .zip(others.iter().chain(other))
                        .all(|(x, y)| self.unify(Arg::Ty(*x), Arg::Ty(*y)))
            }
            // Some instance of the union may be equal.
            (TyKind::Union(_), _) | (_, TyKind::Union(_)) => true,
            _ => false,
        }
    }

    fn var_of(&self, arg: Arg) -> Option<u32> {
        match arg {
            Arg::Ty(ty) => match self.types.kind(ty) {
                TyKind::Var(ix) => Some(*ix),
                _ => None,
            },
            Arg::Int(_) | Arg::Symbol(_) => None,
        }
    }

    fn resolved(&self, mut arg: Arg) -> Arg {
        while let Some(value) = self.var_of(arg).and_then(|ix| self.bound[ix as usize]) {
            arg = value;
        }
        arg
    }

    fn mentions(&self, arg: Arg, ix: u32) -> bool {
        let Arg::Ty(ty) = self.resolved(arg) else {
            return false;
        };
        self.types.has_vars(ty)
            && match self.types.kind(ty) {
                TyKind::Var(other) => *other == ix,
                _ => self
                    .types
                    .children(ty)
                    .any(|child| self.mentions(Arg::Ty(child), ix)),
            }
    }

    /// Whether the variables can have values at the same time.
    fn settled(&mut self) -> bool {
        for place in (0..self.vars.len()).rev() {
            let shared: SmallVec<[Ty; 8]> = self
                .shared
                .iter()
                .filter(|(var, _)| *var as usize == place)
                .map(|(_, ty)| *ty)
                .collect();
            let possible = match (
                self.kinds[place],
                self.bound[place].map(|value| self.resolved(value)),
            ) {
                (VarKind::Bound, _) | (VarKind::Fixed, None) => true,
                (VarKind::Fixed, Some(Arg::Ty(value))) => {
                    self.can_lie_below(value, self.vars[place].upper)
                        && shared.iter().all(|ty| self.clone().overlap(value, *ty))
                }
                (VarKind::Fixed, Some(_)) => shared.is_empty() && self.vars[place].upper == Ty::ANY,
                (VarKind::Diagonal, _) => {
                    let (open, closed): (Vec<Ty>, Vec<Ty>) =
                        shared.iter().partition(|ty| self.types.has_vars(**ty));
                    let upper = self.vars[place].upper;
                    let start = if self.types.has_vars(upper) {
                        Ty::ANY
                    } else {
                        upper
                    };
                    let common = closed
                        .iter()
                        .fold(start, |common, ty| self.types.intersect(common, *ty));
                    common != Ty::BOTTOM
                        && open.iter().all(|ty| {
                            // Another variable lists this one in turn.
                            matches!(self.types.kind(*ty), TyKind::Var(_))
                                || self.clone().overlap(common, *ty)
                        })
                }
            };
            if !possible {
                return false;
            }
        }
        true
    }

    fn can_lie_below(&mut self, value: Ty, upper: Ty) -> bool {
        let types = self.types;
        if !types.has_vars(value) && !types.has_vars(upper) {
            return types.subtype(value, upper);
        }
        match (types.kind(value), types.kind(upper)) {
            (TyKind::Nominal { decl, .. }, TyKind::Nominal { decl: to, .. }) => types
                .lift(value, *decl, *to)
                .is_some_and(|value| self.unify(Arg::Ty(value), Arg::Ty(upper))),
            (TyKind::Nominal { .. }, TyKind::Tuple { .. })
            | (TyKind::Tuple { .. }, TyKind::Nominal { .. }) => false,
            _ => true,
        }
    }

    /// For each variable, a closed type that holds its value; fixed ones are exact or stay variables.
    fn values(&self) -> Vec<Arg> {
        let value = |(ix, upper): (u32, Arg)| match self.kinds[ix as usize] {
            VarKind::Bound => upper,
            VarKind::Fixed => self.resolved(Arg::Ty(self.types.var(ix))),
            VarKind::Diagonal => {
                let shared = self
                    .shared
                    .iter()
                    .filter(|(var, ty)| *var == ix && !self.types.has_vars(*ty));
                let Arg::Ty(upper) = upper else { return upper };
                Arg::Ty(shared.fold(upper, |common, (_, ty)| self.types.intersect(common, *ty)))
            }
        };
        (0..)
            .zip(uppers(self.types, self.vars))
            .map(value)
            .collect()
    }

    /// A closed type that holds the values of `a` (closed) that are in `p`.
    fn narrowed(&self, a: Ty, p: Ty, values: &[Arg]) -> Ty {
        let types = self.types;
        if !types.has_vars(p) {
            return types.intersect(a, p);
        }
        match (types.kind(a), types.kind(p)) {
            (TyKind::Union(members), _) => {
                let possible = members
                    .iter()
                    .filter(|member| self.clone().overlap(**member, p));
                let common: Vec<Ty> = possible
                    .map(|member| self.narrowed(*member, p, values))
                    .collect();
                types.union(&common)
            }
            (_, TyKind::Union(members)) => {
                let possible = members
                    .iter()
                    .filter(|member| self.clone().overlap(a, **member));
                let common: Vec<Ty> = possible
                    .map(|member| self.narrowed(a, *member, values))
                    .collect();
                types.union(&common)
            }
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: params,
                    tail: rest,
                },
            ) => {
                let at = |elems: &[Ty], tail: &Option<Ty>, ix: usize| {
                    elems.get(ix).copied().or(*tail).unwrap_or(Ty::BOTTOM)
                };
                let common: Vec<Ty> = (0..elems.len().max(params.len()))
                    .map(|ix| self.narrowed(at(elems, tail, ix), at(params, rest, ix), values))
                    .collect();
                let tail = tail.zip(*rest).map(|(a, p)| self.narrowed(a, p, values));
                types.tuple_with_tail(&common, tail)
            }
            _ => {
                let p = types.substitute(p, values);
                // Fixed variables without a value leave the nearest closed supertype.
                types.intersect(a, widen(types, p, &uppers(types, self.vars)))
            }
        }
    }
}
