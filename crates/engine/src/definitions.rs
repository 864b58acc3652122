//! What is defined: tables, methods, sources and external facts, each with its history by world.
//!
//! Invariant: only a commit changes anything here, and it closes or opens ranges at exactly one
//! world; everything a callable world can see stays until [`Definitions::forget_before`].

use crate::cx::ExternalKey;
use crate::ids::{TableId, ViewId};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_dispatch::{
    Lookup, Matches, MethodId, Methods, Sig, Symbol, Ty, Types, World, find_all, invoke, lookup,
};

/// What is fixed about a method: a redefinition with a type-equal signature keeps all of it but
/// `sig`, which is as last written.
#[derive(Clone, Debug)]
pub struct MethodInfo {
    /// The generic function.
    pub function: Symbol,
    /// The table that it stands in.
    pub table: TableId,
    /// The signature as last defined.
    pub sig: Sig,
    /// The embedder's number if it is an intrinsic: it has no stages and never appears in logs.
    pub intrinsic: Option<u32>,
}

/// A value by world: the entries' worlds ascend; `None` is absence from that world on.
#[derive(Debug)]
pub(crate) struct History<T>(Vec<(World, Option<T>)>);

impl<T> Default for History<T> {
    fn default() -> Self {
        History(Vec::new())
    }
}

impl<T: Clone> History<T> {
    /// The value in a world.
    pub(crate) fn at(&self, world: World) -> Option<&T> {
        let after = self.0.partition_point(|(first, _)| *first <= world);
        self.0[..after].last().and_then(|(_, value)| value.as_ref())
    }

    /// Since when the value of a world holds.
    fn since(&self, world: World) -> World {
        let after = self.0.partition_point(|(first, _)| *first <= world);
        self.0[..after].last().map_or(World(0), |(first, _)| *first)
    }

    fn set(&mut self, world: World, value: Option<T>) {
        match self.0.last_mut() {
            Some(last) if last.0 == world => last.1 = value,
            _ => self.0.push((world, value)),
        }
    }

    fn rollback(&mut self, world: World) {
        while self.0.last().is_some_and(|(first, _)| *first >= world) {
            self.0.pop();
        }
    }

    fn forget_before(&mut self, world: World) {
        let after = self.0.partition_point(|(first, _)| *first <= world);
        self.0.drain(..after.saturating_sub(1));
    }
}

/// The question that a lookup edge records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// Concrete argument types.
    Lookup,
    /// Abstract argument types, with a limit.
    FindAll(u32),
    /// An explicit signature.
    Invoke,
    /// Whether a table above the base holds methods of the function.
    Overlaid,
    /// Whether any table holds methods of the function.
    Defined,
}

/// One question to the tables of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallKey {
    pub(crate) function: Symbol,
    pub(crate) view: ViewId,
    pub(crate) question: Question,
    pub(crate) args: Ty,
}

/// The answer to a [`CallKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    One(Lookup),
    Many(Matches),
    Flag(bool),
}

/// Everything that is defined, without the sources (their type is the embedder's).
pub(crate) struct Definitions {
    pub(crate) types: Arc<Types>,
    /// Name of every table; the index is the [`TableId`].
    pub(crate) tables: Vec<Arc<str>>,
    /// The tables of every view, top first, the base last.
    pub(crate) views: Vec<Vec<TableId>>,
    functions: FxHashMap<(TableId, Symbol), Methods>,
    methods: Vec<MethodInfo>,
    /// Signatures of methods that were replaced by a type-equal one that is written otherwise.
    spellings: FxHashMap<MethodId, History<Sig>>,
    /// Ids of all signatures ever defined: a method that is defined again is the same method.
    /// An intrinsic with another number is another method.
    ids: FxHashMap<(TableId, Symbol, Sig, Option<u32>), MethodId>,
    /// The newest world.
    pub(crate) newest: World,
    externals: FxHashMap<ExternalKey, History<Arc<[u8]>>>,
}

impl Definitions {
    pub(crate) fn new(types: Arc<Types>) -> Self {
        Definitions {
            types,
            tables: vec!["base".into()],
            views: vec![vec![TableId::BASE]],
            functions: FxHashMap::default(),
            methods: Vec::new(),
            spellings: FxHashMap::default(),
            ids: FxHashMap::default(),
            newest: World(0),
            externals: FxHashMap::default(),
        }
    }

    pub(crate) fn method(&self, id: MethodId) -> &MethodInfo {
        &self.methods[id.0 as usize]
    }
    /// A method's signature, and its table if that is not the base: `g(Int64) in gpu`.
    pub(crate) fn in_table(&self, sig: String, method: MethodId) -> String {
        match self.method(method).table {
            TableId::BASE => sig,
            table => format!("{sig} in {}", self.tables[table.0 as usize]),
        }
    }

    /// How many methods were ever defined: their numbers are below.
    pub(crate) fn count(&self) -> usize {
        self.methods.len()
    }

    pub(crate) fn methods_of(&self, table: TableId, function: Symbol) -> Option<&Methods> {
        self.functions.get(&(table, function))
    }

    /// All functions with methods valid in a world, in one table.
    pub(crate) fn functions_of(&self, table: TableId) -> impl Iterator<Item = (Symbol, &Methods)> {
        self.functions
            .iter()
            .filter(move |((t, _), _)| *t == table)
            .map(|((_, f), m)| (*f, m))
    }

    /// Answers a question in a world, from the tables alone.
    pub(crate) fn answer(&self, key: &CallKey, world: World) -> Answer {
        let tables = &self.views[key.view.0 as usize];
        let empty = Methods::new();
        let stack: smallvec::SmallVec<[&Methods; 4]> = tables
            .iter()
            .map(|table| self.methods_of(*table, key.function).unwrap_or(&empty))
            .collect();
        match key.question {
            Question::Lookup => Answer::One(lookup(&self.types, &stack, key.args, world)),
            Question::FindAll(limit) => Answer::Many(find_all(
                &self.types,
                &stack,
                key.args,
                limit as usize,
                world,
            )),
            Question::Invoke => Answer::One(invoke(&self.types, &stack, key.args, world)),
            Question::Overlaid => {
                let above = &stack[..stack.len() - 1];
                Answer::Flag(
                    above
                        .iter()
                        .any(|methods| methods.iter(world).next().is_some()),
                )
            }
            Question::Defined => Answer::Flag(
                stack
                    .iter()
                    .any(|methods| methods.iter(world).next().is_some()),
            ),
        }
    }

    pub(crate) fn external(&self, key: &ExternalKey, world: World) -> Option<&Arc<[u8]>> {
        self.externals
            .get(key)
            .and_then(|history| history.at(world))
    }

    /// Adds a method at `world`. `Ok(old)` where a type-equal signature is valid: the id stays.
    pub(crate) fn define(
        &mut self,
        table: TableId,
        function: Symbol,
        sig: Sig,
        intrinsic: Option<u32>,
        world: World,
    ) -> Defined {
        let types = Arc::clone(&self.types);
        let methods = self.functions.entry((table, function)).or_default();
        if let Some(id) = methods.find_exact(&types, &sig, world)
            && self.methods[id.0 as usize].intrinsic == intrinsic
        {
            let info = &mut self.methods[id.0 as usize];
            let old_sig = std::mem::replace(&mut info.sig, sig);
            if old_sig != info.sig {
                let spellings = self.spellings.entry(id).or_default();
                if spellings.0.is_empty() {
                    spellings.set(World(0), Some(old_sig.clone()));
                }
                spellings.set(world, Some(info.sig.clone()));
            }
            return Defined {
                id,
                replaced: Some(old_sig),
            };
        }
        let next = MethodId(u32::try_from(self.methods.len()).expect("fewer than 2^32 methods"));
        let key = (table, function, sig.clone(), intrinsic);
        let id = *self.ids.entry(key).or_insert(next);
        methods.insert(&types, sig.clone(), id, world);
        if id == next {
            self.methods.push(MethodInfo {
                function,
                table,
                sig,
                intrinsic,
            });
        }
        Defined { id, replaced: None }
    }

    /// Undoes the replacement part of [`Definitions::define`].
    pub(crate) fn restore(&mut self, id: MethodId, sig: Sig, world: World) {
        self.methods[id.0 as usize].sig = sig;
        if let Some(spellings) = self.spellings.get_mut(&id) {
            spellings.rollback(world);
        }
    }

    /// A method's signature as it was written in a world.
    pub(crate) fn sig_at(&self, id: MethodId, world: World) -> &Sig {
        let spelling = self.spellings.get(&id).and_then(|all| all.at(world));
        spelling.unwrap_or(&self.methods[id.0 as usize].sig)
    }

    /// Deletes the method with exactly this signature; `None` if there is none in `world`.
    pub(crate) fn delete(
        &mut self,
        table: TableId,
        function: Symbol,
        sig: &Sig,
        world: World,
    ) -> Option<MethodId> {
        let types = Arc::clone(&self.types);
        self.functions
            .get_mut(&(table, function))?
            .delete(&types, sig, world)
    }

    /// Undoes every insertion and deletion made at `world` in one function of one table.
    pub(crate) fn rollback(&mut self, table: TableId, function: Symbol, world: World) {
        if let Some(methods) = self.functions.get_mut(&(table, function)) {
            methods.rollback(world);
        }
    }

    pub(crate) fn set_external(
        &mut self,
        key: &ExternalKey,
        value: Option<Arc<[u8]>>,
        world: World,
    ) {
        self.externals
            .entry(key.clone())
            .or_default()
            .set(world, value);
    }

    pub(crate) fn rollback_external(&mut self, key: &ExternalKey, world: World) {
        if let Some(history) = self.externals.get_mut(key) {
            history.rollback(world);
        }
    }

    /// Drops what no world from `world` on can see of a method's function.
    pub(crate) fn forget_method(&mut self, id: MethodId, world: World) {
        let MethodInfo {
            table, function, ..
        } = self.methods[id.0 as usize];
        if let Some(methods) = self.functions.get_mut(&(table, function)) {
            methods.forget_before(world);
        }
        if let Some(spellings) = self.spellings.get_mut(&id) {
            spellings.forget_before(world);
            if spellings.0.len() == 1 {
                self.spellings.remove(&id);
            }
        }
    }

    /// Drops what no world from `world` on can see of an external fact.
    pub(crate) fn forget_external(&mut self, key: &ExternalKey, world: World) {
        if let Some(history) = self.externals.get_mut(key) {
            history.forget_before(world);
        }
    }
}

/// What [`Definitions::define`] did.
pub(crate) struct Defined {
    pub(crate) id: MethodId,
    /// The signature as it was written before, where a method was replaced.
    pub(crate) replaced: Option<Sig>,
}

/// The sources of all methods by world.
pub(crate) struct Sources<S>(Vec<History<Arc<S>>>);

impl<S> Sources<S> {
    pub(crate) fn new() -> Self {
        Sources(Vec::new())
    }

    pub(crate) fn at(&self, id: MethodId, world: World) -> Option<&Arc<S>> {
        self.0
            .get(id.0 as usize)
            .and_then(|history| history.at(world))
    }

    /// Since when the source of a world holds.
    pub(crate) fn since(&self, id: MethodId, world: World) -> World {
        let history = self.0.get(id.0 as usize);
        history.map_or(World(0), |history| history.since(world))
    }

    pub(crate) fn set(&mut self, id: MethodId, world: World, source: Option<Arc<S>>) {
        let ix = id.0 as usize;
        if self.0.len() <= ix {
            self.0.resize_with(ix + 1, History::default);
        }
        self.0[ix].set(world, source);
    }

    pub(crate) fn rollback(&mut self, id: MethodId, world: World) {
        if let Some(history) = self.0.get_mut(id.0 as usize) {
            history.rollback(world);
        }
    }

    /// Drops what no world from `world` on can see of a method.
    pub(crate) fn forget(&mut self, id: MethodId, world: World) {
        if let Some(history) = self.0.get_mut(id.0 as usize) {
            history.forget_before(world);
        }
    }

    /// Whether the method has a source in any world that is kept.
    pub(crate) fn exists(&self, id: MethodId) -> bool {
        let history = self.0.get(id.0 as usize);
        history.is_some_and(|history| history.0.iter().any(|(_, value)| value.is_some()))
    }
}
