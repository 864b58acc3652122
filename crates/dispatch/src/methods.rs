//! The methods of one function in one table, with their history.

use crate::matching::sig_equal;
use crate::sig::Sig;
use crate::types::Types;
use crate::world::{World, WorldRange};

/// A method, numbered by the caller; unique in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodId(pub u32);

/// A method and the worlds in which it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodEntry {
    /// Its number.
    pub id: MethodId,
    /// What it accepts.
    pub sig: Sig,
    /// When it exists.
    pub range: WorldRange,
}

/// The methods of one function in one table.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    entries: Vec<MethodEntry>,
}

impl Methods {
    /// No methods.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a method from `world` on. A method with a type-equal signature is replaced: its range
    /// is closed, and it is returned.
    pub fn insert(
        &mut self,
        types: &Types,
        sig: Sig,
        id: MethodId,
        world: World,
    ) -> Option<MethodId> {
        let replaced = self.delete(types, &sig, world);
        self.entries.push(MethodEntry {
            id,
            sig,
            range: WorldRange::since(world),
        });
        replaced
    }

    /// Ends the method with this signature; `None` if there is none.
    pub fn delete(&mut self, types: &Types, sig: &Sig, world: World) -> Option<MethodId> {
        let id = self.find_exact(types, sig, world)?;
        let entry = self.entries.iter_mut().find(|entry| entry.id == id)?;
        entry.range.close_before(world);
        Some(id)
    }

    /// The method with a type-equal signature.
    pub fn find_exact(&self, types: &Types, sig: &Sig, world: World) -> Option<MethodId> {
        self.iter(world)
            .find(|entry| sig_equal(types, &entry.sig, sig))
            .map(|entry| entry.id)
    }

    /// A method by its number, also one that has ended.
    #[must_use]
    pub fn get(&self, id: MethodId) -> Option<&MethodEntry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// The methods that exist in a world.
    pub fn iter(&self, world: World) -> impl Iterator<Item = &MethodEntry> {
        self.entries
            .iter()
            .filter(move |entry| entry.range.contains(world))
    }

    /// Undoes every insert and delete made at `world`: the edit failed.
    pub fn rollback(&mut self, world: World) {
        self.entries.retain(|entry| entry.range.first != world);
        for entry in &mut self.entries {
            if entry.range.last.next() == world {
                entry.range.last = World::MAX;
            }
        }
    }

    /// Drops what ended before `world`: older worlds are no longer called.
    pub fn forget_before(&mut self, world: World) {
        self.entries.retain(|entry| entry.range.last >= world);
    }

    /// How many methods are kept, ended ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no method is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
