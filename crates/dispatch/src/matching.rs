//! Solving a signature's variables: does a call match, with which bindings; is a signature below another.
//!
//! `∃ variables: args ⊆ params`, where a diagonal variable stands for one concrete type and every
//! variable lies below its bound. Places that are plain subtype questions go to `subtype`; invariant
//! places bind; unions with variables branch, after everything else has bound what it can; those in
//! invariant places come last, for they leave a choice.
//! Unions in the arguments are split where the whole does not match.

use smallvec::SmallVec;

use crate::sig::{Sig, VarKind};
use crate::subtype::{Cx, Rigid, widest};
use crate::ty::{Arg, Ty, TyKind};
use crate::types::Types;

/// How many unions with variables may be undecided at once.
const MAX_CHOICES: u32 = 64;

/// Whether a call with these closed argument types is accepted for all their values.
///
/// Exact for concrete tuples; for abstract ones up to the step budget of `subtype`.
pub fn sig_matches(types: &Types, args: Ty, sig: &Sig) -> bool {
    if sig.vars.is_empty() {
        return types.tuple_parts(sig.params).is_some() && types.subtype(args, sig.params);
    }
    matches_in(&Cx::closed(types), args, sig)
}

/// The static parameters of a call with a concrete tuple: the value of each variable, or `None` if
/// the call does not match. A variable that nothing fixes gets its upper bound.
pub fn sig_bindings(types: &Types, args: Ty, sig: &Sig) -> Option<Vec<Arg>> {
    let cx = Cx::closed(types);
    let solved = Matcher::new(&cx, sig).run(args)?;
    let mut values: Vec<Arg> = Vec::with_capacity(sig.vars.len());
    for (ix, var) in sig.vars.iter().enumerate() {
        let upper = Arg::Ty(types.substitute(var.upper, &values));
        values.push(solved.bound[ix].unwrap_or(upper));
    }
    Some(values)
}

/// Whether every call that `a` accepts is accepted by `b`.
pub fn sig_subtype(types: &Types, a: &Sig, b: &Sig) -> bool {
    if a == b {
        return true;
    }
    if a.vars.is_empty() {
        return sig_matches(types, a.params, b);
    }
    if types.tuple_parts(a.params).is_none() || types.tuple_parts(b.params).is_none() {
        return false;
    }
    let (params, rigid) = rigid(types, a);
    matches_in(&Cx::new(types, &rigid), params, b)
}

/// Whether two signatures accept the same calls: the later one replaces the earlier.
pub fn sig_equal(types: &Types, a: &Sig, b: &Sig) -> bool {
    a == b || (sig_subtype(types, a, b) && sig_subtype(types, b, a))
}

/// The parameters with each variable that is as good as its bound replaced, and the other variables
/// as unknown but fixed types.
fn rigid(types: &Types, sig: &Sig) -> (Ty, Vec<Rigid>) {
    let mut values: Vec<Arg> = Vec::with_capacity(sig.vars.len());
    let mut rigid = Vec::with_capacity(sig.vars.len());
    for (ix, (var, kind)) in (0..).zip(sig.vars.iter().zip(sig.var_kinds())) {
        let upper = types.substitute(var.upper, &values);
        rigid.push(Rigid {
            upper,
            concrete: *kind == VarKind::Diagonal,
        });
        values.push(Arg::Ty(if *kind == VarKind::Bound {
            upper
        } else {
            types.var(ix)
        }));
    }
    (types.substitute(sig.params, &values), rigid)
}

fn matches_in(cx: &Cx<'_>, args: Ty, sig: &Sig) -> bool {
    if let TyKind::Union(members) = cx.types.kind(args) {
        return members.iter().all(|member| matches_in(cx, *member, sig));
    }
    if sig.vars.is_empty() {
        return cx.le(args, sig.params);
    }
    if !cx.step() {
        return false;
    }
    if Matcher::new(cx, sig).run(args).is_some() {
        return true;
    }
    let types = cx.types;
    let (Some((elems, tail)), Some((params, rest))) =
        (types.tuple_parts(args), types.tuple_parts(sig.params))
    else {
        return args == Ty::BOTTOM;
    };
    // Only where variables are involved can a part match that the whole does not.
    let split = elems.iter().enumerate().find_map(|(column, ty)| {
        let param = params.get(column).copied().or(rest)?;
        let widest = widest(types, param);
        (types.has_vars(param) && !cx.is_atom(*ty, widest)).then_some((column, widest))
    });
    split.is_some_and(|(column, widest)| {
        let mut elems = elems.to_vec();
        cx.nested(|| {
            cx.alternatives(elems[column], widest)
                .into_iter()
                .all(|alternative| {
                    elems[column] = alternative;
                    matches_in(cx, types.tuple_with_tail(&elems, tail), sig)
                })
        })
    })
}

#[derive(Clone)]
struct Matcher<'a> {
    cx: &'a Cx<'a>,
    sig: &'a Sig,
    bound: SmallVec<[Option<Arg>; 4]>,
    /// `ty` lies below a fixed variable: checked when its value is known.
    lower: SmallVec<[(u32, Ty); 4]>,
    /// Unions with variables that a type must lie below: alternatives, decided after what binds.
    later: SmallVec<[(Ty, Ty); 2]>,
    /// Unions with variables in invariant places: decided last, for they leave a choice of values.
    equal_later: SmallVec<[(Ty, Ty); 2]>,
    unchecked: usize,
    choices: u32,
    /// What is compared is the value of a fixed variable, not the types of some arguments.
    is_value: bool,
}

impl<'a> Matcher<'a> {
    fn new(cx: &'a Cx<'a>, sig: &'a Sig) -> Self {
        Matcher {
            cx,
            sig,
            bound: SmallVec::from_elem(None, sig.vars.len()),
            lower: SmallVec::new(),
            later: SmallVec::new(),
            equal_later: SmallVec::new(),
            unchecked: sig.vars.len(),
            choices: 0,
            is_value: false,
        }
    }

    fn run(mut self, args: Ty) -> Option<Self> {
        (self.below(args, self.sig.params) && self.solve()).then_some(self)
    }

    /// `a`, without variables of the signature, lies below `p`.
    fn below(&mut self, a: Ty, p: Ty) -> bool {
        let types = self.cx.types;
        if !types.has_vars(p) {
            return self.cx.le(a, p);
        }
        if a == Ty::BOTTOM {
            return true;
        }
        if !self.cx.step() {
            return false;
        }
        match (types.kind(a), types.kind(p)) {
            (_, TyKind::Var(ix)) => self.below_var(a, *ix),
            (TyKind::Union(members), _) => members.iter().all(|member| self.below(*member, p)),
            (_, TyKind::Union(_)) => {
                self.later.push((a, p));
                true
            }
            (TyKind::Var(ix), _) => {
                let upper = self
                    .cx
                    .rigid
                    .get(*ix as usize)
                    .map_or(Ty::ANY, |rigid| rigid.upper);
                self.below(upper, p)
            }
            (
                TyKind::Nominal { decl, .. },
                TyKind::Nominal {
                    decl: to,
                    args: want,
                },
            ) => types
                .lift(a, *decl, *to)
                .is_some_and(|lifted| match types.kind(lifted) {
                    TyKind::Nominal { args, .. } => self.equal_args(args, want),
                    _ => false,
                }),
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: params,
                    tail: rest,
                },
            ) => {
                let lengths = match (tail, rest) {
                    (_, Some(_)) => elems.len() >= params.len(),
                    (None, None) => elems.len() == params.len(),
                    (Some(_), None) => false,
                };
                let param =
                    |column: usize| params.get(column).copied().or(*rest).unwrap_or(Ty::BOTTOM);
                lengths
                    && elems.iter().enumerate().all(|(column, ty)| self.below(*ty, param(column)))
                    // Twice: a tail may have two elements, which a diagonal variable must notice.
                    && tail.is_none_or(|tail| (0..2).all(|_| self.below(tail, param(usize::MAX))))
            }
            _ => false,
        }
    }

    fn below_var(&mut self, a: Ty, ix: u32) -> bool {
        let place = ix as usize;
        match self.sig.var_kinds()[place] {
            VarKind::Bound => {
                self.bound[place].get_or_insert(Arg::Ty(a));
                self.below(a, self.sig.vars[place].upper)
            }
            VarKind::Diagonal => match self.bound[place] {
                // Each argument alone may choose its own concrete type; a value has chosen.
                None => {
                    self.bound[place] = Some(Arg::Ty(a));
                    !self.is_value || self.cx.is_concrete(a)
                }
                Some(Arg::Ty(value)) => self.cx.is_concrete(a) && self.cx.eq(a, value),
                Some(Arg::Int(_) | Arg::Symbol(_)) => false,
            },
            VarKind::Fixed => {
                self.lower.push((ix, a));
                true
            }
        }
    }

    fn equal_args(&mut self, args: &[Arg], want: &[Arg]) -> bool {
        args.len() == want.len() && args.iter().zip(want).all(|(a, p)| self.equal_arg(*a, *p))
    }

    fn equal_arg(&mut self, a: Arg, p: Arg) -> bool {
        let types = self.cx.types;
        match (a, p) {
            (_, Arg::Ty(p)) if types.has_vars(p) => match (types.kind(p), a) {
                (TyKind::Var(ix), _) => match self.bound[*ix as usize] {
                    None => {
                        self.bound[*ix as usize] = Some(a);
                        true
                    }
                    Some(value) => self.cx.eq_arg(a, value),
                },
                (_, Arg::Ty(a)) => self.equal(a, p),
                (_, Arg::Int(_) | Arg::Symbol(_)) => false,
            },
            _ => self.cx.eq_arg(a, p),
        }
    }

    fn equal(&mut self, a: Ty, p: Ty) -> bool {
        let types = self.cx.types;
        if !self.cx.step() {
            return false;
        }
        match (types.kind(a), types.kind(p)) {
            (
                TyKind::Nominal { decl, args },
                TyKind::Nominal {
                    decl: other,
                    args: want,
                },
            ) => decl == other && self.equal_args(args, want),
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: params,
                    tail: rest,
                },
            ) => {
                elems.len() == params.len()
                    && tail.is_some() == rest.is_some()
                    && elems
                        .iter()
                        .zip(params)
                        .all(|(a, p)| self.equal_arg(Arg::Ty(*a), Arg::Ty(*p)))
                    && tail
                        .iter()
                        .zip(rest)
                        .all(|(a, p)| self.equal_arg(Arg::Ty(*a), Arg::Ty(*p)))
            }
            (_, TyKind::Union(_)) => {
                self.equal_later.push((a, p));
                true
            }
            _ => false,
        }
    }

    /// Decides what was put off, and the bounds, last variable first.
    fn solve(&mut self) -> bool {
        loop {
            if let Some((a, p)) = self.later.pop() {
                match self.choose(a, p) {
                    Choice::Forced => {}
                    Choice::Done(solved) => return solved,
                }
            } else if self.unchecked > 0 {
                self.unchecked -= 1;
                if !self.within_bound(self.unchecked) {
                    return false;
                }
            } else if let Some((a, p)) = self.equal_later.pop() {
                if !self.equal_union(a, p) {
                    return false;
                }
            } else {
                // Bounds and late values may have asked for more.
                return self
                    .lower
                    .iter()
                    .all(|(ix, ty)| match self.bound[*ix as usize] {
                        Some(Arg::Ty(value)) => self.cx.le(*ty, value),
                        _ => true,
                    });
            }
        }
    }

    fn choose(&mut self, a: Ty, p: Ty) -> Choice {
        let types = self.cx.types;
        let TyKind::Union(members) = types.kind(p) else {
            return Choice::Done(false);
        };
        // A member without variables constrains nothing, so it is always the best choice.
        if members
            .iter()
            .any(|member| !types.has_vars(*member) && self.cx.le(a, *member))
        {
            return Choice::Forced;
        }
        let open: SmallVec<[Ty; 4]> = members
            .iter()
            .copied()
            .filter(|member| types.has_vars(*member))
            .collect();
        if let [only] = open.as_slice() {
            return if self.below(a, *only) {
                Choice::Forced
            } else {
                Choice::Done(false)
            };
        }
        self.choices += 1;
        if self.choices > MAX_CHOICES {
            return Choice::Done(false);
        }
        for member in open {
            let mut attempt = self.clone();
            if attempt.below(a, member) && attempt.solve() {
                *self = attempt;
                return Choice::Done(true);
            }
        }
        Choice::Done(false)
    }

    /// `a` equals a union that mentions variables: what the known members leave over is matched with
    /// the others; a variable takes the smallest solution that its covariant uses allow.
    fn equal_union(&mut self, a: Ty, p: Ty) -> bool {
        let types = self.cx.types;
        let (TyKind::Union(wanted), cx) = (types.kind(p), self.cx) else {
            return false;
        };
        let given: &[Ty] = match types.kind(a) {
            TyKind::Union(given) => given,
            _ => std::slice::from_ref(&a),
        };
        let mut left: Vec<Ty> = given.to_vec();
        let mut open: Option<u32> = None;
        for want in wanted {
            let known = match types.kind(*want) {
                TyKind::Var(ix) => match self.bound[*ix as usize] {
                    Some(Arg::Ty(value)) => value,
                    Some(Arg::Int(_) | Arg::Symbol(_)) => return false,
                    None => {
                        open = Some(*ix);
                        continue;
                    }
                },
                _ if !types.has_vars(*want) => *want,
                _ => {
                    // Some member of `a` must be an instance of it.
                    let found = left.iter().position(|member| {
                        let mut attempt = self.clone();
                        let fits = attempt.equal(*member, *want);
                        if fits {
                            *self = attempt;
                        }
                        fits
                    });
                    let Some(found) = found else { return false };
                    left.swap_remove(found)
                }
            };
            if !cx.le(known, a) {
                return false;
            }
            left.retain(|member| !cx.le(*member, known));
        }
        match open {
            Some(ix) => {
                // It may take up known members too, where its covariant uses ask for them.
                let used = self.lower.iter().filter(|(var, _)| *var == ix);
                left.extend(used.map(|(_, ty)| *ty));
                self.bound[ix as usize] = Some(Arg::Ty(types.union(&left)));
                left.iter().all(|ty| cx.le(*ty, a)) && self.within_bound(ix as usize)
            }
            None => left.is_empty(),
        }
    }

    fn value_below(&mut self, value: Ty, upper: Ty, kind: VarKind) -> bool {
        self.is_value = kind == VarKind::Fixed;
        let below = self.below(value, upper);
        self.is_value = false;
        below
    }

    fn within_bound(&mut self, place: usize) -> bool {
        let upper = self.sig.vars[place].upper;
        let kind = self.sig.var_kinds()[place];
        if kind == VarKind::Bound {
            return true;
        }
        let lower: SmallVec<[Ty; 4]> = self
            .lower
            .iter()
            .filter(|(var, _)| *var as usize == place)
            .map(|(_, ty)| *ty)
            .collect();
        match self.bound[place] {
            Some(Arg::Ty(value)) => {
                lower.iter().all(|ty| self.cx.le(*ty, value))
                    && (upper == Ty::ANY || self.value_below(value, upper, kind))
            }
            Some(Arg::Int(_) | Arg::Symbol(_)) => lower.is_empty() && upper == Ty::ANY,
            // Nothing fixes it: the largest type it may be is the best.
            None => lower.iter().all(|ty| self.below(*ty, upper)),
        }
    }
}

enum Choice {
    /// Decided without alternatives: go on.
    Forced,
    /// All alternatives were followed to the end: whether one succeeded.
    Done(bool),
}
