//! Built-in methods by name and operand types, found without asking.
//!
//! A call that a protected built-in method takes can belong to no method of the program, unless
//! a table above the base has methods of the function. So it needs no lookup.

use crate::builtins::{Builtin, BuiltinId, Recipe, builtins, recipe};
use crate::ir::{Atomic, Const};
use crate::prim::Prim;
use crate::universe::Universe;
use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};
use worldage_dispatch::{Symbol, Ty, sig_matches};

/// A built-in operation on known operand types.
#[derive(Clone, Debug, PartialEq)]
pub struct Expansion {
    /// What it does.
    pub recipe: Recipe,
    /// The result's type; `Ty::ANY` where it is that of another call.
    pub ret: Ty,
    /// For a plain scalar operation (no casts, nothing negated): the operation.
    pub prim: Option<Prim>,
}

type Key = (Symbol, [Ty; 2]);
type Known = Option<Arc<Expansion>>;

/// Places for what is asked first: a program asks for a few operators on a few types.
const PLACES: usize = 1 << 10;

/// The built-in methods of a universe, indexed.
pub struct Intrinsics {
    u: Arc<Universe>,
    all: Vec<Builtin>,
    by_name: FxHashMap<Symbol, Vec<BuiltinId>>,
    /// What was asked first, each in its place: read without a lock.
    first: Box<[OnceLock<(Key, Known)>]>,
    /// What found its place taken.
    memo: DashMap<Key, Known, FxBuildHasher>,
    /// `==`, `!`
    pub(crate) equal: Symbol,
}

impl std::fmt::Debug for Intrinsics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intrinsics")
            .field("builtins", &self.all.len())
            .finish_non_exhaustive()
    }
}

impl Intrinsics {
    /// Indexes the built-in methods.
    #[must_use]
    pub fn new(u: Arc<Universe>) -> Intrinsics {
        let all = builtins(&u);
        let mut by_name: FxHashMap<Symbol, Vec<BuiltinId>> = FxHashMap::default();
        for builtin in &all {
            by_name
                .entry(u.types().symbol(builtin.name))
                .or_default()
                .push(builtin.id);
        }
        let equal = u.types().symbol("==");
        Intrinsics {
            u,
            all,
            by_name,
            first: (0..PLACES).map(|_| OnceLock::new()).collect(),
            memo: DashMap::default(),
            equal,
        }
    }

    /// The universe.
    #[must_use]
    pub fn universe(&self) -> &Arc<Universe> {
        &self.u
    }

    /// Whether a built-in function has this name.
    #[must_use]
    pub fn is_builtin(&self, function: Symbol) -> bool {
        self.by_name.contains_key(&function)
    }

    /// What a protected built-in method does with these concrete operands.
    #[must_use]
    pub fn protected(&self, function: Symbol, args: &[Ty]) -> Option<Arc<Expansion>> {
        // Other functions take no place.
        let ids = self.by_name.get(&function)?;
        let key = match *args {
            [a] => (function, [a, Ty::BOTTOM]),
            [a, b] => (function, [a, b]),
            _ => return self.find(ids, args),
        };
        // The high bits of this hash are the good ones.
        let place = FxBuildHasher.hash_one(key) >> (u64::BITS - PLACES.trailing_zeros());
        let place = &self.first[place as usize];
        match place.get() {
            Some((taken, known)) if *taken == key => return known.clone(),
            Some(_) => {
                if let Some(known) = self.memo.get(&key) {
                    return known.clone();
                }
            }
            None => {}
        }
        let found = self.find(ids, args);
        if place.set((key, found.clone())).is_err() {
            self.memo.insert(key, found.clone());
        }
        found
    }

    fn find(&self, ids: &[BuiltinId], args: &[Ty]) -> Option<Arc<Expansion>> {
        let types = self.u.types();
        let tuple = types.try_tuple(args, None).ok()?;
        let protected = ids.iter().filter(|id| self.all[id.0 as usize].protected);
        let id = protected
            .copied()
            .find(|id| sig_matches(types, tuple, &self.all[id.0 as usize].sig))?;
        self.expand(id, args).map(Arc::new)
    }

    /// What a built-in method does with these concrete operands; `None` if it does not take them
    /// after all.
    #[must_use]
    pub fn expand(&self, id: BuiltinId, args: &[Ty]) -> Option<Expansion> {
        let recipe = recipe(&self.u, id, args)?;
        let p = self.u.prelude();
        let ret = match &recipe {
            Recipe::Scalar { op, .. } => self.u.scalar_ty(op.result()),
            Recipe::Steps(steps) => self.u.scalar_ty(steps.last()?.op.result()),
            Recipe::Identity => *args.first()?,
            Recipe::FieldsEq { .. } | Recipe::StrEq { .. } => p.bool,
            Recipe::Const(Const::Bool(_)) => p.bool,
            Recipe::Const(_) => p.nothing,
            Recipe::Via { .. } => Ty::ANY,
            Recipe::StrLen | Recipe::ArrayLen | Recipe::TupleLen(_) | Recipe::Grid(_) => p.int64,
            Recipe::Print | Recipe::Barrier => p.nothing,
            Recipe::Atomic(Atomic::Add | Atomic::Min | Atomic::Max | Atomic::Cas) => {
                self.u.array_elem(*args.first()?)?
            }
        };
        let prim = match &recipe {
            Recipe::Scalar {
                casts,
                swap: false,
                op,
                negate: false,
            } if casts.iter().all(Option::is_none) => Some(*op),
            _ => None,
        };
        Some(Expansion { recipe, ret, prim })
    }
}
