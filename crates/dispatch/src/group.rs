//! Methods with type-equal signatures: one after the other, at most one in each world.
//!
//! The newest stands in the group itself, for nearly every question is about it. Invariant:
//! versions are ordered by their first world.

use std::collections::VecDeque;

use crate::methods::{MethodEntry, MethodId};
use crate::sig::Sig;
use crate::world::World;

#[derive(Clone, Debug)]
pub(crate) struct Group {
    newest: Option<MethodEntry>,
    /// As the first of them was written.
    pub(crate) sig: Sig,
    older: VecDeque<MethodEntry>,
}

impl Group {
    pub(crate) fn new(sig: Sig) -> Self {
        Group {
            newest: None,
            sig,
            older: VecDeque::new(),
        }
    }

    /// The version of a world.
    #[inline]
    pub(crate) fn at(&self, world: World) -> Option<&MethodEntry> {
        let newest = self.newest.as_ref()?;
        if newest.range.first <= world {
            return newest.range.contains(world).then_some(newest);
        }
        let next = self
            .older
            .partition_point(|entry| entry.range.first <= world);
        self.older
            .get(next.checked_sub(1)?)
            .filter(|entry| entry.range.contains(world))
    }

    /// The version of this number that began at `first`.
    pub(crate) fn get(&self, id: MethodId, first: World) -> Option<&MethodEntry> {
        match self.place(id, first)? {
            Place::Newest => self.newest.as_ref(),
            Place::Older(place) => self.older.get(place),
        }
    }

    /// [`Group::get`], to change its range.
    pub(crate) fn get_mut(&mut self, id: MethodId, first: World) -> Option<&mut MethodEntry> {
        match self.place(id, first)? {
            Place::Newest => self.newest.as_mut(),
            Place::Older(place) => self.older.get_mut(place),
        }
    }

    pub(crate) fn newest_mut(&mut self) -> Option<&mut MethodEntry> {
        self.newest.as_mut()
    }

    pub(crate) fn push(&mut self, entry: MethodEntry) {
        if let Some(before) = self.newest.replace(entry) {
            self.older.push_back(before);
        }
        debug_assert!(
            self.older.back().map(|before| before.range.first)
                <= self.newest.as_ref().map(|entry| entry.range.first),
            "worlds never fall"
        );
    }

    /// Takes a version out; whether it was there. The oldest and the newest cost O(1).
    pub(crate) fn remove(&mut self, id: MethodId, first: World) -> bool {
        match self.place(id, first) {
            Some(Place::Newest) => self.newest = self.older.pop_back(),
            Some(Place::Older(place)) => {
                self.older.remove(place);
            }
            None => return false,
        }
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// The first world of the newest version of a number.
    pub(crate) fn first_of(&self, id: MethodId) -> Option<World> {
        let newest_first = self.newest.iter().chain(self.older.iter().rev());
        newest_first
            .into_iter()
            .find(|entry| entry.id == id)
            .map(|entry| entry.range.first)
    }

    fn place(&self, id: MethodId, first: World) -> Option<Place> {
        let is_it = |entry: &MethodEntry| entry.id == id && entry.range.first >= first;
        let start = self
            .older
            .partition_point(|entry| entry.range.first < first);
        let older = self
            .older
            .iter()
            .skip(start)
            .position(is_it)
            .map(|ix| Place::Older(start + ix));
        older.or_else(|| {
            self.newest
                .as_ref()
                .is_some_and(is_it)
                .then_some(Place::Newest)
        })
    }
}

enum Place {
    Newest,
    Older(usize),
}
