//! Numbers for things in the order of their first mention.

use crate::ids::Mi;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use worldage_dispatch::{MethodId, Symbol, Ty};

/// Things of one sort, numbered from 0.
pub(super) struct Numbering<K> {
    all: Vec<K>,
    /// Where they are, once there are too many to look through.
    index: FxHashMap<K, usize>,
}

/// Looking through so many is faster than hashing.
const LOOKED_THROUGH: usize = 12;

impl<K> Default for Numbering<K> {
    fn default() -> Self {
        Numbering {
            all: Vec::new(),
            index: FxHashMap::default(),
        }
    }
}

impl<K: Copy + Eq + Hash> Numbering<K> {
    pub(super) fn find(&self, key: K) -> Option<usize> {
        match self.all.len() {
            ..=LOOKED_THROUGH => self.all.iter().position(|known| *known == key),
            _ => self.index.get(&key).copied(),
        }
    }

    /// Numbers something that has no number yet.
    pub(super) fn add(&mut self, key: K) -> usize {
        self.all.push(key);
        let number = self.all.len() - 1;
        match number {
            ..LOOKED_THROUGH => {}
            LOOKED_THROUGH => self.index = self.all.iter().copied().zip(0..).collect(),
            _ => drop(self.index.insert(key, number)),
        }
        number
    }

    /// The number of something, a new one if it has none.
    pub(super) fn number(&mut self, key: K) -> u64 {
        let known = self.find(key);
        known.unwrap_or_else(|| self.add(key)) as u64
    }

    pub(super) fn all(&self) -> &[K] {
        &self.all
    }
}

/// What a packed value mentions, by sort: how many symbols, types and methods there are; these;
/// the instances. Nothing where it mentions nothing.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Names(Box<[u32]>);

const COUNTS: usize = 3;

impl Names {
    pub(super) fn new(
        symbols: &[Symbol],
        types: &[Ty],
        methods: &[MethodId],
        instances: &[Mi],
    ) -> Names {
        let counts = [symbols.len(), types.len(), methods.len()];
        let all = counts.iter().sum::<usize>() + instances.len();
        if all == 0 {
            return Names(Box::new([]));
        }
        let narrow = |n: usize| u32::try_from(n).expect("fewer than 2^32 names");
        let mut names = Vec::with_capacity(COUNTS + all);
        names.extend(counts.map(narrow));
        names.extend(symbols.iter().map(|symbol| narrow(symbol.index())));
        names.extend(types.iter().map(|ty| narrow(ty.index())));
        names.extend(methods.iter().map(|method| method.0));
        names.extend(instances.iter().map(|mi| mi.0));
        Names(names.into())
    }

    /// Symbols, types, methods, instances.
    fn sorts(&self) -> [&[u32]; 4] {
        let Some((counts, rest)) = self.0.split_first_chunk::<COUNTS>() else {
            return [&[]; 4];
        };
        let (symbols, rest) = rest.split_at(counts[0] as usize);
        let (types, rest) = rest.split_at(counts[1] as usize);
        let (methods, instances) = rest.split_at(counts[2] as usize);
        [symbols, types, methods, instances]
    }

    pub(super) fn symbols(&self) -> &[u32] {
        self.sorts()[0]
    }

    pub(super) fn types(&self) -> &[u32] {
        self.sorts()[1]
    }

    pub(super) fn methods(&self) -> &[u32] {
        self.sorts()[2]
    }

    pub(super) fn instances(&self) -> &[u32] {
        self.sorts()[3]
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.0)
    }
}
