//! What things of a session are called outside of it.
//!
//! An identity is a digest of what a [`Writer`] writes of the thing: equal in every session that
//! defines it alike, and `None` for what has no meaning elsewhere (then nothing that mentions it
//! is stored).

use super::FORMAT;
use super::bytes::{Portable, Writer};
use super::key::KeyWriter;
use crate::compiler::Compiler;
use crate::cx::ExternalKey;
use crate::definitions::{Answer, Definitions, MethodInfo};
use crate::graph::Shared;
use crate::ids::{Mi, MiKey, ShardId, TableId, ViewId};
use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use std::sync::{Arc, OnceLock};
use worldage_dispatch::{DeclId, Lookup, Matches, MethodId, Sig, Symbol, Ty, Types, World};

/// What writers and readers ask of the session; each name is found or unambiguous, or there is
/// none.
pub(crate) trait Session {
    fn types(&self) -> &Types;
    fn base(&self) -> Base;
    fn decl_identity(&self, decl: DeclId) -> Option<u64>;
    fn find_decl(&self, name: Symbol, identity: u64) -> Option<DeclId>;
    fn method(&self, method: MethodId) -> MethodInfo;
    fn function_of(&self, method: MethodId) -> Symbol;
    fn table_name(&self, table: TableId) -> Option<Arc<str>>;
    fn intrinsic_identity(&self, number: u32) -> Option<u64>;
    fn find_method(
        &self,
        table: &str,
        function: Symbol,
        sig: &Sig,
        intrinsic: Option<u64>,
    ) -> Option<MethodId>;
    /// A method without variables that was found before, in the newest world.
    fn known_method(&self, simple: SimpleMethod) -> Option<MethodId>;
    fn know_method(&self, simple: SimpleMethod, method: MethodId);
    fn key(&self, mi: Mi) -> MiKey;
    fn intern(&self, key: MiKey) -> Mi;
}

/// Function, name of the table, parameters: all that there is to a method of an embedder's
/// source without variables.
pub(crate) type SimpleMethod = (Symbol, Symbol, Ty);

/// How many symbols and types every session of the compiler begins with, in this order: they need
/// no other name. That it is the same ones is part of every key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base {
    pub(super) symbols: usize,
    pub(super) types: usize,
}

/// Identities that were computed before.
#[derive(Default)]
pub(crate) struct Identities {
    /// Symbols and types that there were when the session began.
    begun: OnceLock<(usize, usize)>,
    /// Methods that there were then.
    prelude_methods: OnceLock<usize>,
    base: OnceLock<(Base, [u8; 32])>,
    /// What keys of a view's and a shard's artifacts begin with, and how many tables there were
    /// when it was made.
    views: DashMap<ViewId, (usize, Option<[u8; 32]>), FxBuildHasher>,
    shards: DashMap<ShardId, (usize, Option<ShardStart>), FxBuildHasher>,
    types: DashMap<Ty, Option<u64>, FxBuildHasher>,
    instances: DashMap<Mi, Option<u64>, FxBuildHasher>,
    decls: DashMap<DeclId, Option<u64>, FxBuildHasher>,
    /// Methods, with the world that they were found in.
    methods: DashMap<SimpleMethod, (World, MethodId), FxBuildHasher>,
    targets: DashMap<ShardId, Option<TargetIdentity>, FxBuildHasher>,
}

/// What is the same for all code of a shard.
#[derive(Clone)]
pub(super) struct ShardStart {
    /// What the names of all lists of keys begin with, as a digest.
    pub(super) list: [u8; 32],
    /// What all keys begin with.
    pub(super) key: Arc<KeyWriter>,
    pub(super) target: Arc<str>,
}

/// The name of a target, and the digest of its details.
type TargetIdentity = (Arc<str>, [u8; 32]);

impl Identities {
    /// The session has what all sessions have.
    pub(crate) fn begin(&self, types: &Types, definitions: &Definitions) {
        types.symbol(&definitions.tables[0]);
        let _begun_once = self.begun.set(types.counts());
        let _begun_once = self.prelude_methods.set(definitions.count());
    }

    /// How many methods the session began with.
    pub(super) fn prelude_methods(&self) -> usize {
        self.prelude_methods.get().copied().unwrap_or_default()
    }
}

/// Digest of bytes, 64 bits: what edges compare.
pub(crate) fn short(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"))
}

impl<C: Compiler> Session for Shared<C> {
    fn types(&self) -> &Types {
        &self.types
    }

    fn base(&self) -> Base {
        self.base_and_digest().0
    }

    fn decl_identity(&self, decl: DeclId) -> Option<u64> {
        if let Some(known) = self.identities.decls.get(&decl) {
            return *known;
        }
        let identity = self.compiler.decl_identity(decl);
        self.identities.decls.insert(decl, identity);
        identity
    }

    fn find_decl(&self, name: Symbol, identity: u64) -> Option<DeclId> {
        let name = self.types.symbol_str(name);
        let fact = |key: &ExternalKey| {
            let definitions = self.definitions.read();
            definitions.external(key, definitions.newest).cloned()
        };
        let decl = self.compiler.find_decl(name, &fact)?;
        (self.decl_identity(decl) == Some(identity)).then_some(decl)
    }

    fn method(&self, method: MethodId) -> MethodInfo {
        self.definitions.read().method(method).clone()
    }

    fn function_of(&self, method: MethodId) -> Symbol {
        self.definitions.read().method(method).function
    }

    fn known_method(&self, simple: SimpleMethod) -> Option<MethodId> {
        let known = self.identities.methods.get(&simple)?;
        let (world, method) = *known;
        (world == self.definitions.read().newest).then_some(method)
    }

    fn know_method(&self, simple: SimpleMethod, method: MethodId) {
        let world = self.definitions.read().newest;
        self.identities.methods.insert(simple, (world, method));
    }

    fn table_name(&self, table: TableId) -> Option<Arc<str>> {
        let definitions = self.definitions.read();
        let name = &definitions.tables[table.0 as usize];
        let alike = definitions.tables.iter().filter(|other| *other == name);
        (alike.count() == 1).then(|| Arc::clone(name))
    }

    fn intrinsic_identity(&self, number: u32) -> Option<u64> {
        self.compiler.intrinsic_identity(number)
    }

    fn find_method(
        &self,
        table: &str,
        function: Symbol,
        sig: &Sig,
        intrinsic: Option<u64>,
    ) -> Option<MethodId> {
        let definitions = self.definitions.read();
        let mut alike = definitions.tables.iter().enumerate();
        let (table, _) = alike.find(|(_, name)| ***name == *table)?;
        if alike.any(|(_, name)| **name == *definitions.tables[table]) {
            return None;
        }
        let table = TableId(u32::try_from(table).ok()?);
        let methods = definitions.methods_of(table, function)?;
        let id = methods.find_exact(&self.types, sig, definitions.newest)?;
        let found = definitions.method(id);
        let number = found.intrinsic;
        let same = found.sig == *sig;
        drop(definitions);
        let found = match number {
            None => None,
            Some(number) => Some(self.compiler.intrinsic_identity(number)?),
        };
        (same && found == intrinsic).then_some(id)
    }

    fn key(&self, mi: Mi) -> MiKey {
        self.instances.key(mi)
    }

    fn intern(&self, key: MiKey) -> Mi {
        self.instances.intern(key)
    }
}

/// Identities of things of a session.
impl<C: Compiler> Shared<C> {
    /// What every session begins with, and the digest of all of it; nothing, where something of
    /// it has no identity outside of this session.
    fn base_and_digest(&self) -> (Base, [u8; 32]) {
        *self.identities.base.get_or_init(|| {
            let begun = self.identities.begun.get();
            let (symbols, types) = begun.copied().unwrap_or_default();
            let mut w = Writer::in_full(self);
            (0..symbols).for_each(|ix| Symbol::from_index(ix).write(&mut w));
            (0..types).for_each(|ix| Ty::from_index(ix).write(&mut w));
            match w.finish() {
                Some(all) => (Base { symbols, types }, blake3::hash(&all).into()),
                None => (Base::default(), [0; 32]),
            }
        })
    }

    /// What all keys of a view's traces begin with, as a digest.
    pub(super) fn view_prefix(&self, producer: &str, view: ViewId) -> Option<[u8; 32]> {
        let tables = self.definitions.read().tables.len();
        if let Some(known) = self.identities.views.get(&view)
            && known.0 == tables
        {
            return known.1;
        }
        let prefix = self.view_name(view).map(|name| {
            let mut key = self.prefix("trace", producer);
            key.text("view", &name);
            key.name()
        });
        self.identities.views.insert(view, (tables, prefix));
        prefix
    }

    /// What all keys of a shard's code begin with.
    pub(super) fn shard_start(&self, producer: &str, shard: ShardId) -> Option<ShardStart> {
        let tables = self.definitions.read().tables.len();
        if let Some(known) = self.identities.shards.get(&shard)
            && known.0 == tables
        {
            return known.1.clone();
        }
        let start = self.compute_shard_start(producer, shard);
        self.identities
            .shards
            .insert(shard, (tables, start.clone()));
        start
    }

    fn compute_shard_start(&self, producer: &str, shard: ShardId) -> Option<ShardStart> {
        let (target, details) = self.target(shard)?;
        let (value, view) = self.shards.read()[shard.0 as usize].clone();
        let add = |key: &mut KeyWriter| {
            key.text("shard", &value.to_string());
            key.text("target", &target);
            key.digest("details", &details);
        };
        let mut list = self.prefix("keys", producer);
        add(&mut list);
        list.text("view", &self.view_name(view)?);
        let mut key = self.prefix("code", producer);
        add(&mut key);
        Some(ShardStart {
            list: list.name(),
            key: Arc::new(key),
            target,
        })
    }

    fn prefix(&self, kind: &str, producer: &str) -> KeyWriter {
        let mut key = KeyWriter::default();
        key.text("kind", kind);
        key.number("format", FORMAT);
        key.text("compiler", producer);
        key.digest("base", &self.base_and_digest().1);
        key
    }

    /// Of anything that can be written.
    pub(crate) fn identity(&self, thing: &impl Portable) -> Option<u64> {
        let mut w = Writer::new(self);
        thing.write(&mut w);
        w.finish().map(|bytes| short(&bytes))
    }

    /// Of an instance; cached, since it is part of every name.
    pub(crate) fn instance_identity(&self, mi: Mi) -> Option<u64> {
        if let Some(known) = self.identities.instances.get(&mi) {
            return *known;
        }
        let identity = self.identity(&mi);
        self.identities.instances.insert(mi, identity);
        identity
    }

    /// Of a type; cached, since inference asks for those of all results.
    pub(crate) fn type_identity(&self, ty: Ty) -> Option<u64> {
        if let Some(known) = self.identities.types.get(&ty) {
            return *known;
        }
        let identity = self.identity(&ty);
        self.identities.types.insert(ty, identity);
        identity
    }

    /// Of the answer to a question: what it says, not by which numbers.
    pub(crate) fn answer_identity(&self, answer: &Answer) -> Option<u64> {
        let mut w = Writer::new(self);
        match answer {
            Answer::One(Lookup::Method(method)) => {
                w.byte(0);
                method.write(&mut w);
            }
            Answer::One(Lookup::NoMethod) => w.byte(1),
            Answer::One(Lookup::Ambiguous(methods)) => {
                w.byte(2);
                // Their order follows from their numbers, which say nothing.
                let all = methods.iter().map(|method| self.identity(method));
                let mut all = all.collect::<Option<Vec<u64>>>()?;
                all.sort_unstable();
                all.write(&mut w);
            }
            Answer::Many(Matches::TooMany) => w.byte(3),
            Answer::Many(Matches::Matches {
                matches,
                covered,
                ambiguous,
            }) => {
                w.byte(4);
                covered.write(&mut w);
                ambiguous.write(&mut w);
                w.number(matches.len() as u64);
                for one in matches {
                    one.method.write(&mut w);
                    one.args.write(&mut w);
                }
            }
            Answer::Flag(yes) => {
                w.byte(5);
                yes.write(&mut w);
            }
        }
        w.finish().map(|bytes| short(&bytes))
    }

    /// Of an external fact's value in a world.
    pub(crate) fn external_identity(&self, key: &ExternalKey, world: World) -> Option<u64> {
        let value = self.definitions.read().external(key, world).cloned();
        match value {
            None => Some(0),
            Some(value) => self.compiler.external_identity(key, &value),
        }
    }

    /// What code of a shard is made for: the name, and the digest of the details.
    pub(crate) fn target(&self, shard: ShardId) -> Option<TargetIdentity> {
        if let Some(known) = self.identities.targets.get(&shard) {
            return known.clone();
        }
        let value = self.shards.read()[shard.0 as usize].0.clone();
        let target = self.compiler.target(&value).map(|target| {
            let details = blake3::hash(target.details.as_bytes()).into();
            (target.name.into(), details)
        });
        self.identities.targets.insert(shard, target.clone());
        target
    }

    /// The names of a view's tables, top first.
    pub(crate) fn view_name(&self, view: ViewId) -> Option<String> {
        let tables = self.definitions.read().views[view.0 as usize].clone();
        let names = tables.iter().map(|table| self.table_name(*table));
        let names = names.collect::<Option<Vec<_>>>()?;
        Some(names.join(" over "))
    }
}
