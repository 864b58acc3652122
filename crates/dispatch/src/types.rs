//! The interner: every type is built, and kept, here.
//!
//! Invariants: types and symbols are immortal, so a handle is always valid and reads take no lock
//! (append-only storage); interning locks one shard of a hash table. Depth, size, concreteness and
//! the supertype are computed once, when a type is first built.

use std::hash::BuildHasher;

use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::error::TypeError;
use crate::ty::{Arg, Decl, DeclId, DeclKind, Symbol, Ty, TyKind};

/// How deep types may nest, and how long a chain of supertypes may be. Recursion over types is
/// bounded by it, so it must fit a thread's stack many times over.
pub const MAX_DEPTH: usize = 256;
/// How many parts a type may have, counted as a tree.
pub const MAX_SIZE: usize = 1 << 17;
/// How many fixed elements a tuple or a signature may have.
pub const MAX_PARAMS: usize = 1 << 14;

pub(crate) struct TypeData {
    pub(crate) kind: TyKind,
    depth: u32,
    size: u32,
    concrete: bool,
    has_vars: bool,
    /// Whether a union or a Vararg occurs in a covariant place: whether it has proper alternatives.
    pub(crate) splittable: bool,
    supertype: Ty,
    /// For unions with many members: the nominal members, sorted by declaration.
    pub(crate) by_head: Box<[(DeclId, Ty)]>,
}

pub(crate) struct DeclData {
    decl: Decl,
    /// The declarations from the root down to this one: `d` descends from `a` iff `d.path[a.level] == a`.
    pub(crate) path: SmallVec<[DeclId; 4]>,
}

/// All types, declarations and symbols of a session. Shared by reference between threads.
pub struct Types {
    data: boxcar::Vec<TypeData>,
    interned: DashMap<u64, SmallVec<[Ty; 1]>, FxBuildHasher>,
    decls: boxcar::Vec<DeclData>,
    symbols: boxcar::Vec<Box<str>>,
    symbol_ids: DashMap<Box<str>, Symbol, FxBuildHasher>,
}

impl Default for Types {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Types {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Types")
            .field("types", &self.data.count())
            .field("decls", &self.decls.count())
            .finish_non_exhaustive()
    }
}

impl Types {
    /// An interner that knows [`Ty::BOTTOM`] and [`Ty::ANY`].
    #[must_use]
    pub fn new() -> Self {
        let types = Types {
            data: boxcar::Vec::new(),
            interned: DashMap::default(),
            decls: boxcar::Vec::new(),
            symbols: boxcar::Vec::new(),
            symbol_ids: DashMap::default(),
        };
        let bottom = types.intern_unchecked(TyKind::Bottom);
        let any = types.intern_unchecked(TyKind::Any);
        assert_eq!(
            (bottom, any),
            (Ty::BOTTOM, Ty::ANY),
            "the first two types have fixed handles"
        );
        types
    }

    /// The symbol for a string.
    pub fn symbol(&self, s: &str) -> Symbol {
        if let Some(symbol) = self.symbol_ids.get(s) {
            return *symbol;
        }
        *self
            .symbol_ids
            .entry(s.into())
            .or_insert_with(|| Symbol(handle(self.symbols.push(s.into()))))
    }

    /// The string of a symbol.
    pub fn symbol_str(&self, symbol: Symbol) -> &str {
        &self.symbols[symbol.0 as usize]
    }

    /// How many symbols and types have numbers by now.
    pub fn counts(&self) -> (usize, usize) {
        (self.symbols.count(), self.data.count())
    }

    /// Adds a declaration. It is always a new one, also when the name exists (a redefinition).
    ///
    /// # Errors
    /// The parent must be Any or an abstract nominal type that mentions no variable but the
    /// declared parameters, and supertype chains are at most [`MAX_DEPTH`] long.
    pub fn declare(&self, decl: Decl) -> Result<DeclId, TypeError> {
        let name = || self.symbol_str(decl.name).to_owned();
        for (ix, param) in decl.params.iter().enumerate() {
            self.check_vars(param.upper, ix)?;
        }
        self.check_vars(decl.parent, decl.params.len())?;
        let above: &[DeclId] = match self.kind(decl.parent) {
            TyKind::Any => &[],
            TyKind::Nominal { decl: parent, .. }
                if self.decl(*parent).kind == DeclKind::Abstract =>
            {
                &self.decl_data(*parent).path
            }
            TyKind::Nominal { .. } => {
                let parent = self.display(decl.parent).to_string();
                return Err(TypeError::ParentConcrete {
                    name: name(),
                    parent,
                });
            }
            _ => {
                let parent = self.display(decl.parent).to_string();
                return Err(TypeError::UnknownParent {
                    name: name(),
                    parent,
                });
            }
        };
        if above.len() >= MAX_DEPTH {
            return Err(TypeError::TooDeep {
                depth: above.len() + 1,
                limit: MAX_DEPTH,
            });
        }
        let id = self.decls.push_with(|ix| {
            let path = above.iter().copied().chain([DeclId(handle(ix))]).collect();
            DeclData { decl, path }
        });
        Ok(DeclId(handle(id)))
    }

    /// A declaration by its id.
    pub fn decl(&self, decl: DeclId) -> &Decl {
        &self.decl_data(decl).decl
    }

    #[inline]
    pub(crate) fn decl_data(&self, decl: DeclId) -> &DeclData {
        &self.decls[decl.0 as usize]
    }

    /// Whether `decl` is `ancestor` or declared under it. O(1).
    #[inline]
    pub fn descends(&self, decl: DeclId, ancestor: DeclId) -> bool {
        let level = self.decl_data(ancestor).path.len() - 1;
        self.decl_data(decl).path.get(level) == Some(&ancestor)
    }

    /// A declared type with arguments.
    ///
    /// # Errors
    /// Wrong number of arguments, an argument out of its bound, or the type becomes too deep or
    /// too large. Arguments with variables are not checked against bounds.
    pub fn nominal(&self, decl: DeclId, args: &[Arg]) -> Result<Ty, TypeError> {
        let declared = self.decl(decl);
        let name = || self.symbol_str(declared.name).to_owned();
        if declared.params.len() != args.len() {
            let (expected, given) = (declared.params.len(), args.len());
            return Err(TypeError::WrongArity {
                name: name(),
                expected,
                given,
            });
        }
        for (param, arg) in declared.params.iter().zip(args) {
            let upper = self.try_substitute(param.upper, args)?;
            let inside = match arg {
                _ if upper == Ty::ANY => true,
                Arg::Ty(ty) if self.has_vars(*ty) || self.has_vars(upper) => true,
                Arg::Ty(ty) => self.subtype(*ty, upper),
                Arg::Int(_) | Arg::Symbol(_) => false,
            };
            if !inside {
                return Err(TypeError::OutOfBounds {
                    name: name(),
                    param: self.symbol_str(param.name).to_owned(),
                    upper: self.display(upper).to_string(),
                    arg: self.display_arg(*arg).to_string(),
                });
            }
        }
        self.nominal_unchecked(decl, args)
    }

    pub(crate) fn nominal_unchecked(&self, decl: DeclId, args: &[Arg]) -> Result<Ty, TypeError> {
        self.intern(TyKind::Nominal {
            decl,
            args: args.into(),
        })
    }

    /// The type of a declaration without parameters.
    ///
    /// # Panics
    /// If the declaration has parameters: a caller that cannot know uses [`Types::nominal`].
    pub fn leaf(&self, decl: DeclId) -> Ty {
        self.nominal(decl, &[]).expect("a leaf has no parameters")
    }

    /// A tuple of fixed length. See [`Types::tuple_with_tail`].
    pub fn tuple(&self, elems: &[Ty]) -> Ty {
        self.tuple_with_tail(elems, None)
    }

    /// A tuple; an empty element makes it empty, an empty tail is none.
    ///
    /// A tuple beyond the limits widens to Any, which is what inference wants;
    /// a front end that must report it uses [`Types::try_tuple`].
    pub fn tuple_with_tail(&self, elems: &[Ty], tail: Option<Ty>) -> Ty {
        self.try_tuple(elems, tail).unwrap_or(Ty::ANY)
    }

    /// A tuple, or why it cannot be.
    ///
    /// # Errors
    /// Too deep, too large, or more than [`MAX_PARAMS`] elements.
    pub fn try_tuple(&self, elems: &[Ty], tail: Option<Ty>) -> Result<Ty, TypeError> {
        if elems.contains(&Ty::BOTTOM) {
            return Ok(Ty::BOTTOM);
        }
        if elems.len() > MAX_PARAMS {
            return Err(TypeError::TooLarge {
                size: elems.len(),
                limit: MAX_PARAMS,
            });
        }
        let tail = tail.filter(|tail| *tail != Ty::BOTTOM);
        self.intern(TyKind::Tuple {
            elems: elems.into(),
            tail,
        })
    }

    /// The i-th variable of a signature or parameter of a declaration.
    pub fn var(&self, ix: u32) -> Ty {
        self.intern_unchecked(TyKind::Var(ix))
    }

    /// The structure of a type.
    pub fn kind(&self, ty: Ty) -> &TyKind {
        &self.data(ty).kind
    }

    #[inline]
    pub(crate) fn data(&self, ty: Ty) -> &TypeData {
        &self.data[ty.index()]
    }

    /// Whether a value can have exactly this type: a concrete nominal type with closed arguments,
    /// or a tuple of such without tail. O(1).
    pub fn is_concrete(&self, ty: Ty) -> bool {
        self.data(ty).concrete
    }

    /// Whether the type mentions a variable. O(1).
    pub fn has_vars(&self, ty: Ty) -> bool {
        self.data(ty).has_vars
    }

    /// How deep the type nests; 1 for a leaf. O(1).
    pub fn depth(&self, ty: Ty) -> u32 {
        self.data(ty).depth
    }

    /// How many parts the type has, counted as a tree. O(1).
    pub fn size(&self, ty: Ty) -> u32 {
        self.data(ty).size
    }

    /// The declared supertype of a nominal type; Any for every other type. O(1).
    pub fn supertype(&self, ty: Ty) -> Ty {
        self.data(ty).supertype
    }

    /// The supertype of `ty` (or itself) that is an instance of `decl`, if `ty` stands under it.
    pub(crate) fn lift(&self, mut ty: Ty, from: DeclId, to: DeclId) -> Option<Ty> {
        let (below, above) = (&self.decl_data(from).path, &self.decl_data(to).path);
        if below.get(above.len() - 1) != Some(&to) {
            return None;
        }
        for _ in above.len()..below.len() {
            ty = self.supertype(ty);
        }
        Some(ty)
    }

    /// The parts of a tuple type.
    pub(crate) fn tuple_parts(&self, ty: Ty) -> Option<(&[Ty], Option<Ty>)> {
        match self.kind(ty) {
            TyKind::Tuple { elems, tail } => Some((elems, *tail)),
            _ => None,
        }
    }

    pub(crate) fn check_vars(&self, ty: Ty, known: usize) -> Result<(), TypeError> {
        if !self.has_vars(ty) {
            return Ok(());
        }
        match self.kind(ty) {
            TyKind::Var(index) if *index as usize >= known => Err(TypeError::UnboundVariable {
                index: *index,
                known,
            }),
            _ => self
                .children(ty)
                .try_for_each(|child| self.check_vars(child, known)),
        }
    }

    /// Whether a type mentions a certain variable.
    pub(crate) fn mentions_var(&self, ty: Ty, ix: u32) -> bool {
        self.has_vars(ty)
            && match self.kind(ty) {
                TyKind::Var(other) => *other == ix,
                _ => self.children(ty).any(|child| self.mentions_var(child, ix)),
            }
    }

    /// The types directly inside a type.
    pub(crate) fn children(&self, ty: Ty) -> impl Iterator<Item = Ty> + '_ {
        let (args, tys, tail): (&[Arg], &[Ty], Option<Ty>) = match self.kind(ty) {
            TyKind::Nominal { args, .. } => (args, &[], None),
            TyKind::Tuple { elems, tail } => (&[], elems, *tail),
            TyKind::Union(members) => (&[], members, None),
            TyKind::Bottom | TyKind::Any | TyKind::Var(_) => (&[], &[], None),
        };
        let args = args.iter().filter_map(|arg| match arg {
            Arg::Ty(ty) => Some(*ty),
            Arg::Int(_) | Arg::Symbol(_) => None,
        });
        args.chain(tys.iter().copied()).chain(tail)
    }

    fn intern_unchecked(&self, kind: TyKind) -> Ty {
        self.intern(kind)
            .expect("a type without parts is within the limits")
    }

    pub(crate) fn intern(&self, kind: TyKind) -> Result<Ty, TypeError> {
        let hash = FxBuildHasher.hash_one(&kind);
        if let Some(found) = self.interned.get(&hash)
            && let Some(ty) = found.iter().find(|ty| self.kind(**ty) == &kind)
        {
            return Ok(*ty);
        }
        let data = self.describe(kind)?;
        let mut entry = self.interned.entry(hash).or_default();
        if let Some(ty) = entry.iter().find(|ty| self.kind(**ty) == &data.kind) {
            return Ok(*ty);
        }
        let ty = Ty(handle(self.data.push(data)));
        entry.push(ty);
        Ok(ty)
    }

    /// The cached facts of a new type. Its parts, and the supertype, are interned already.
    fn describe(&self, kind: TyKind) -> Result<TypeData, TypeError> {
        let supertype = match &kind {
            TyKind::Nominal { decl, args } => self.try_substitute(self.decl(*decl).parent, args)?,
            _ => Ty::ANY,
        };
        let mut data = TypeData {
            kind: TyKind::Bottom,
            depth: 1,
            size: 1,
            concrete: false,
            has_vars: matches!(kind, TyKind::Var(_)),
            splittable: false,
            supertype,
            by_head: Box::default(),
        };
        let mut part = |ty: Ty, nested: u32| {
            data.depth = data.depth.max(self.depth(ty) + nested);
            data.size = data.size.saturating_add(self.size(ty));
            data.has_vars |= self.has_vars(ty);
        };
        match &kind {
            TyKind::Nominal { args, .. } => args.iter().for_each(|arg| {
                if let Arg::Ty(ty) = arg {
                    part(*ty, 1);
                }
            }),
            TyKind::Tuple { elems, tail } => elems.iter().chain(tail).for_each(|ty| part(*ty, 1)),
            TyKind::Union(members) => members.iter().for_each(|ty| part(*ty, 1)),
            TyKind::Bottom | TyKind::Any | TyKind::Var(_) => {}
        }
        match &kind {
            TyKind::Nominal { decl, .. } => {
                data.concrete = !data.has_vars && self.decl(*decl).kind == DeclKind::Concrete;
            }
            TyKind::Tuple { elems, tail } => {
                data.concrete = tail.is_none() && elems.iter().all(|ty| self.is_concrete(*ty));
                data.splittable =
                    tail.is_some() || elems.iter().any(|ty| self.data(*ty).splittable);
            }
            TyKind::Union(members) => {
                data.splittable = true;
                data.by_head = self.heads(members);
            }
            TyKind::Bottom | TyKind::Any | TyKind::Var(_) => {}
        }
        data.kind = kind;
        let (depth, size) = (data.depth as usize, data.size as usize);
        if depth > MAX_DEPTH {
            return Err(TypeError::TooDeep {
                depth,
                limit: MAX_DEPTH,
            });
        }
        if size > MAX_SIZE {
            return Err(TypeError::TooLarge {
                size,
                limit: MAX_SIZE,
            });
        }
        Ok(data)
    }

    /// The nominal members of a union by declaration.
    fn heads(&self, members: &[Ty]) -> Box<[(DeclId, Ty)]> {
        let mut heads: Vec<(DeclId, Ty)> = members
            .iter()
            .filter_map(|ty| match self.kind(*ty) {
                TyKind::Nominal { decl, .. } => Some((*decl, *ty)),
                _ => None,
            })
            .collect();
        heads.sort_unstable();
        heads.into()
    }
}

fn handle(ix: usize) -> u32 {
    u32::try_from(ix).expect("fewer than 2^32 types, declarations and symbols")
}
