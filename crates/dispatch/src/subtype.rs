//! Subtyping, exact: `a` is below `b` iff every value of `a` is one of `b`, whatever is declared later.
//!
//! A type denotes the set of concrete types of its values. Since declarations are open, every
//! nominal type has a *generic point* that lies in no other type but its supertypes; so does a tuple
//! of such types. Hence a tuple without unions is below a union of tuples iff it is below one
//! member; unions (and lengths of tails) inside a tuple are split until that is so, and alternatives
//! that the same members contain are checked once. The question is co-NP-hard in general: a query
//! has [`STEPS`] steps and [`MAX_SPLITS`] nested splits, then the answer is *no*.

use std::cell::Cell;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::ty::{Arg, DeclId, Ty, TyKind};
use crate::types::Types;

const STEPS: u32 = 1 << 22;
/// How many splits may be nested: each takes stack.
const MAX_SPLITS: u32 = 96;

/// A variable that is held fixed: some unknown type below `upper`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rigid {
    pub(crate) upper: Ty,
    /// Whether it stands for a concrete type.
    pub(crate) concrete: bool,
}

/// A subtype query: types over `rigid` variables, and the steps that are left.
pub(crate) struct Cx<'a> {
    pub(crate) types: &'a Types,
    pub(crate) rigid: &'a [Rigid],
    steps: Cell<u32>,
    splits: Cell<u32>,
}

/// The elements and the tail of a tuple.
type Row<'a> = (&'a [Ty], Option<Ty>);

fn at((elems, tail): Row<'_>, column: usize) -> Ty {
    elems.get(column).copied().or(tail).unwrap_or(Ty::BOTTOM)
}

impl Types {
    /// Whether every value of `a` is a value of `b`. For closed types.
    pub fn subtype(&self, a: Ty, b: Ty) -> bool {
        a == b || Cx::closed(self).le(a, b)
    }

    /// Whether two closed types have the same values.
    pub fn type_equal(&self, a: Ty, b: Ty) -> bool {
        a == b || Cx::closed(self).eq(a, b)
    }
}

impl<'a> Cx<'a> {
    pub(crate) fn closed(types: &'a Types) -> Self {
        Cx::new(types, &[])
    }

    pub(crate) fn new(types: &'a Types, rigid: &'a [Rigid]) -> Self {
        Cx {
            types,
            rigid,
            steps: Cell::new(STEPS),
            splits: Cell::new(0),
        }
    }

    /// Takes a step; false = none is left.
    pub(crate) fn step(&self) -> bool {
        let left = self.steps.get();
        self.steps.set(left.saturating_sub(1));
        left > 0
    }

    /// Answers a question about a part; no, if parts are nested too deep.
    pub(crate) fn nested(&self, ask: impl FnOnce() -> bool) -> bool {
        let splits = self.splits.get();
        if splits == MAX_SPLITS {
            return false;
        }
        self.splits.set(splits + 1);
        let answer = ask();
        self.splits.set(splits);
        answer
    }

    fn upper(&self, var: u32) -> Ty {
        self.rigid
            .get(var as usize)
            .map_or(Ty::ANY, |rigid| rigid.upper)
    }

    /// Whether a value can have exactly this type.
    pub(crate) fn is_concrete(&self, ty: Ty) -> bool {
        if self.rigid.is_empty() || !self.types.has_vars(ty) {
            return self.types.is_concrete(ty);
        }
        match self.types.kind(ty) {
            TyKind::Var(ix) => self
                .rigid
                .get(*ix as usize)
                .is_some_and(|rigid| rigid.concrete),
            TyKind::Nominal { decl, .. } => {
                self.types.decl(*decl).kind == crate::ty::DeclKind::Concrete
            }
            TyKind::Tuple { elems, tail } => {
                tail.is_none() && elems.iter().all(|ty| self.is_concrete(*ty))
            }
            TyKind::Bottom | TyKind::Any | TyKind::Union(_) => false,
        }
    }

    /// `a` is a subtype of `b`.
    #[inline]
    pub(crate) fn le(&self, a: Ty, b: Ty) -> bool {
        a == b || b == Ty::ANY || a == Ty::BOTTOM || self.le_by_kind(a, b)
    }

    fn le_by_kind(&self, a: Ty, b: Ty) -> bool {
        if !self.step() {
            return false;
        }
        let types = self.types;
        match (types.kind(a), types.kind(b)) {
            (TyKind::Union(members), _) => members.iter().all(|member| self.le(*member, b)),
            (TyKind::Var(ix), TyKind::Union(members)) => {
                members.contains(&a) || self.le(self.upper(*ix), b)
            }
            (TyKind::Var(ix), _) => self.le(self.upper(*ix), b),
            (
                TyKind::Nominal { decl, args },
                TyKind::Nominal {
                    decl: to,
                    args: want,
                },
            ) => {
                if decl == to {
                    return self.eq_args(args, want);
                }
                if want.is_empty() {
                    return types.descends(*decl, *to);
                }
                types
                    .lift(a, *decl, *to)
                    .is_some_and(|lifted| match types.kind(lifted) {
                        TyKind::Nominal { args, .. } => self.eq_args(args, want),
                        _ => false,
                    })
            }
            (TyKind::Nominal { decl, .. }, TyKind::Union(_)) => {
                let heads = &types.data(b).by_head;
                types.decl_data(*decl).path.iter().any(|head| {
                    let start = heads.partition_point(|(other, _)| other < head);
                    heads[start..]
                        .iter()
                        .take_while(|(other, _)| other == head)
                        .any(|(_, m)| self.le(a, *m))
                })
            }
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: to,
                    tail: to_tail,
                },
            ) => self.le_product((elems, *tail), (to, *to_tail)),
            (TyKind::Tuple { elems, tail }, TyKind::Union(members)) => {
                if members.contains(&a) {
                    return true;
                }
                let rows: Vec<Row<'_>> = members
                    .iter()
                    .filter_map(|ty| types.tuple_parts(*ty))
                    .collect();
                rows.iter().any(|row| self.le_product((elems, *tail), *row))
                    || (types.data(a).splittable
                        && rows.len() > 1
                        && self.covered((elems, *tail), &rows))
            }
            _ => false,
        }
    }

    fn le_product(&self, a: Row<'_>, b: Row<'_>) -> bool {
        let Some((fixed, rest)) = a.0.split_at_checked(b.0.len()) else {
            return false;
        };
        let in_tail = |ty: &Ty| b.1.is_some_and(|tail| self.le(*ty, tail));
        fixed.iter().zip(b.0).all(|(ty, to)| self.le(*ty, *to))
            && rest.iter().chain(&a.1).all(in_tail)
    }

    /// `a` and `b` have the same values.
    pub(crate) fn eq(&self, a: Ty, b: Ty) -> bool {
        if a == b {
            return true;
        }
        match (self.types.kind(a), self.types.kind(b)) {
            (
                TyKind::Nominal { decl, args },
                TyKind::Nominal {
                    decl: other,
                    args: want,
                },
            ) => decl == other && self.step() && self.eq_args(args, want),
            (
                TyKind::Tuple { elems, tail },
                TyKind::Tuple {
                    elems: others,
                    tail: other,
                },
            ) => {
                elems.len() == others.len()
                    && tail.is_some() == other.is_some()
                    && self.step()
                    && elems.iter().zip(others).all(|(a, b)| self.eq(*a, *b))
                    && tail.iter().zip(other).all(|(a, b)| self.eq(*a, *b))
            }
            (TyKind::Union(_), _) | (_, TyKind::Union(_)) => self.le(a, b) && self.le(b, a),
            _ => false,
        }
    }

    fn eq_args(&self, a: &[Arg], b: &[Arg]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.eq_arg(*a, *b))
    }

    pub(crate) fn eq_arg(&self, a: Arg, b: Arg) -> bool {
        match (a, b) {
            (Arg::Ty(a), Arg::Ty(b)) => self.eq(a, b),
            _ => a == b,
        }
    }

    /// Whether a tuple lies in the union of tuples. Exact up to the step budget.
    pub(crate) fn covered(&self, a: Row<'_>, rows: &[Row<'_>]) -> bool {
        let (elems, Some(tail)) = a else {
            let rows: Vec<_> = rows
                .iter()
                .copied()
                .filter(|row| has_length(*row, a.0.len()))
                .collect();
            return self.covered_columns(&mut a.0.to_vec(), &rows);
        };
        let longest = rows
            .iter()
            .map(|row| row.0.len())
            .max()
            .unwrap_or(0)
            .max(elems.len());
        let mut columns = elems.to_vec();
        loop {
            // Exactly this many elements.
            let rows_here: Vec<_> = rows
                .iter()
                .copied()
                .filter(|row| has_length(*row, columns.len()))
                .collect();
            if !self.step() || !self.covered_columns(&mut columns.clone(), &rows_here) {
                return false;
            }
            if columns.len() == longest {
                break;
            }
            columns.push(tail);
        }
        // Longer ones: some continue with all of the tail's alternatives, so one row's tail must hold them all.
        let endless: Vec<_> = rows
            .iter()
            .copied()
            .filter(|row| row.1.is_some_and(|other| self.le(tail, other)))
            .collect();
        self.covered_columns(&mut columns, &endless)
    }

    /// Whether tuples of exactly these columns lie in the union of rows, which all have that length.
    fn covered_columns(&self, columns: &mut Vec<Ty>, rows: &[Row<'_>]) -> bool {
        if !self.step() {
            return false;
        }
        let atomic: Vec<bool> = columns
            .iter()
            .enumerate()
            .map(|(column, ty)| self.is_atom(*ty, widest_at(self.types, rows, column)))
            .collect();
        let mut split = None;
        let mut live = Vec::with_capacity(rows.len());
        'rows: for row in rows {
            let mut misses = None;
            for (column, ty) in columns.iter().enumerate() {
                if !self.le(*ty, at(*row, column)) {
                    // An atom's generic point lies outside of this row.
                    if atomic[column] {
                        continue 'rows;
                    }
                    misses = misses.or(Some(column));
                }
            }
            match misses {
                None => return true,
                Some(column) => split = split.or(Some(column)),
            }
            live.push(*row);
        }
        let Some(column) = split else { return false };
        self.nested(|| self.covered_by_split(columns, &live, column))
    }

    fn covered_by_split(&self, columns: &mut Vec<Ty>, rows: &[Row<'_>], column: usize) -> bool {
        let whole = columns[column];
        let widest = widest_at(self.types, rows, column);
        let candidates = Candidates::new(self.types, rows, column);
        let mut seen = FxHashSet::default();
        let mut covered = true;
        for alternative in self.alternatives(whole, widest) {
            columns[column] = alternative;
            if self.is_atom(alternative, widest) {
                let holding: Vec<u32> = candidates
                    .of(self.types, alternative)
                    .filter(|row| self.le(alternative, at(rows[*row as usize], column)))
                    .collect();
                let rows: Vec<_> = holding.iter().map(|row| rows[*row as usize]).collect();
                covered = !rows.is_empty()
                    && (!seen.insert(holding) || self.covered_columns(columns, &rows));
            } else {
                covered = self.covered_columns(columns, rows);
            }
            if !covered {
                break;
            }
        }
        columns[column] = whole;
        covered
    }

    /// Whether a type has a generic point, seen by rows whose tuples have at most `widest` elements.
    pub(crate) fn is_atom(&self, ty: Ty, widest: usize) -> bool {
        if !self.types.data(ty).splittable {
            return true;
        }
        match self.types.kind(ty) {
            TyKind::Tuple { elems, tail } => {
                (tail.is_none() || elems.len() > widest)
                    && elems.iter().all(|ty| self.is_atom(*ty, widest))
            }
            _ => false,
        }
    }

    /// Types whose union is `ty`, each nearer to an atom.
    pub(crate) fn alternatives(&self, ty: Ty, widest: usize) -> Vec<Ty> {
        let types = self.types;
        match types.kind(ty) {
            TyKind::Union(members) => members.to_vec(),
            TyKind::Tuple { elems, tail } => {
                if let Some(place) = elems.iter().position(|elem| !self.is_atom(*elem, widest)) {
                    let put = |elem| {
                        let mut elems = elems.to_vec();
                        elems[place] = elem;
                        types.tuple_with_tail(&elems, *tail)
                    };
                    return self
                        .alternatives(elems[place], widest)
                        .into_iter()
                        .map(put)
                        .collect();
                }
                match tail {
                    Some(tail) if elems.len() <= widest => {
                        let mut longer = elems.to_vec();
                        longer.push(*tail);
                        vec![
                            types.tuple(elems),
                            types.tuple_with_tail(&longer, Some(*tail)),
                        ]
                    }
                    _ => vec![ty],
                }
            }
            _ => vec![ty],
        }
    }
}

fn has_length((elems, tail): Row<'_>, length: usize) -> bool {
    elems.len() == length || (tail.is_some() && elems.len() < length)
}

fn widest_at(types: &Types, rows: &[Row<'_>], column: usize) -> usize {
    rows.iter()
        .map(|row| widest(types, at(*row, column)))
        .max()
        .unwrap_or(0)
}

/// The most elements of a tuple in a covariant place of `ty`.
pub(crate) fn widest(types: &Types, ty: Ty) -> usize {
    match types.kind(ty) {
        TyKind::Tuple { elems, tail } => elems
            .iter()
            .chain(tail)
            .map(|ty| widest(types, *ty))
            .max()
            .unwrap_or(0)
            .max(elems.len()),
        TyKind::Union(members) => members
            .iter()
            .map(|ty| widest(types, *ty))
            .max()
            .unwrap_or(0),
        _ => 0,
    }
}

/// The rows that can hold a type in one column, by its declaration.
struct Candidates {
    by_head: FxHashMap<DeclId, Vec<u32>>,
    others: Vec<u32>,
}

impl Candidates {
    fn new(types: &Types, rows: &[Row<'_>], column: usize) -> Self {
        let mut candidates = Candidates {
            by_head: FxHashMap::default(),
            others: Vec::new(),
        };
        for (ix, row) in (0..).zip(rows) {
            match types.kind(at(*row, column)) {
                TyKind::Nominal { decl, .. } => {
                    candidates.by_head.entry(*decl).or_default().push(ix)
                }
                _ => candidates.others.push(ix),
            }
        }
        candidates
    }

    fn of<'a>(&'a self, types: &'a Types, ty: Ty) -> impl Iterator<Item = u32> + 'a {
        let path: &[DeclId] = match types.kind(ty) {
            TyKind::Nominal { decl, .. } => &types.decl_data(*decl).path,
            _ => &[],
        };
        // A rigid variable is held by what holds its bound: no head to go by.
        let everything =
            matches!(types.kind(ty), TyKind::Var(_)).then(|| self.by_head.values().flatten());
        let by_path = path
            .iter()
            .filter_map(|head| self.by_head.get(head))
            .flatten();
        everything
            .into_iter()
            .flatten()
            .chain(by_path)
            .chain(&self.others)
            .copied()
    }
}
