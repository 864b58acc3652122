//! The interner of method instances.

use crate::ids::{Mi, MiKey};
use dashmap::DashMap;
use rustc_hash::FxBuildHasher;

/// All method instances of a session; immortal, read without a lock.
pub(crate) struct Instances {
    keys: boxcar::Vec<MiKey>,
    index: DashMap<MiKey, Mi, FxBuildHasher>,
}

impl Instances {
    pub(crate) fn new() -> Self {
        Instances {
            keys: boxcar::Vec::new(),
            index: DashMap::with_hasher(FxBuildHasher),
        }
    }

    pub(crate) fn intern(&self, key: MiKey) -> Mi {
        if let Some(mi) = self.index.get(&key) {
            return *mi;
        }
        *self.index.entry(key).or_insert_with(|| {
            Mi(u32::try_from(self.keys.push(key)).expect("fewer than 2^32 method instances"))
        })
    }

    /// Whether this session gave the number out.
    pub(crate) fn is_known(&self, mi: Mi) -> bool {
        (mi.0 as usize) < self.keys.count()
    }

    pub(crate) fn key(&self, mi: Mi) -> MiKey {
        self.keys[mi.0 as usize]
    }
}
