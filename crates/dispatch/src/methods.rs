//! The methods of one function in one table, with their history.
//!
//! Type-equal signatures form one *group*, whose versions follow one another in worlds: of a group
//! at most one method exists in a world. Invariants: versions are ordered by their first world;
//! every group is in the index; worlds of inserts and deletes never fall.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::group::Group;
use crate::index::{Query, SigIndex, Wanted};
use crate::matching::sig_equal;
use crate::sig::Sig;
use crate::ty::Ty;
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

/// A version of a method whose range is closed.
#[derive(Clone, Copy, Debug)]
struct Ended {
    last: World,
    id: MethodId,
    group: u32,
    first: World,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Inserted(MethodId),
    Ended(MethodId),
}

/// The methods of one function in one table.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    groups: Vec<Option<Group>>,
    free: Vec<u32>,
    index: SigIndex,
    /// Groups without variables by their parameters as written: the answer to a call with exactly these.
    exact: FxHashMap<Ty, u32>,
    by_id: FxHashMap<MethodId, (u32, World)>,
    /// Groups that lost their last version: out of the index at the next insert or delete.
    hollow: Vec<u32>,
    /// What ended, in the order of last worlds. A method that is defined again later has several
    /// versions of one number.
    ended: VecDeque<Ended>,
    /// The changes made at `journal_world`, for a rollback.
    journal: Vec<Change>,
    journal_world: Option<World>,
}

impl Methods {
    /// No methods.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a method from `world` on, which must not be below an earlier edit's. A method with a
    /// type-equal signature is replaced: its range is closed, and it is returned.
    ///
    /// Cost: the candidates of the index, not the number of methods.
    pub fn insert(
        &mut self,
        types: &Types,
        sig: Sig,
        id: MethodId,
        world: World,
    ) -> Option<MethodId> {
        self.drop_hollow(types);
        let group = self.group_of(types, &sig);
        let replaced = group.and_then(|group| self.end(group, world));
        let group = group.unwrap_or_else(|| self.add_group(types, &sig));
        let entry = MethodEntry {
            id,
            sig,
            range: WorldRange::since(world),
        };
        if let Some(group) = &mut self.groups[group as usize] {
            group.push(entry);
        }
        self.by_id.insert(id, (group, world));
        self.record(world, Change::Inserted(id));
        replaced
    }

    /// Ends the method with exactly this (a type-equal) signature before `world` and returns it;
    /// `None` if there is none.
    pub fn delete(&mut self, types: &Types, sig: &Sig, world: World) -> Option<MethodId> {
        self.drop_hollow(types);
        let group = self.group_of(types, sig)?;
        self.end(group, world)
    }

    /// The method with a type-equal signature.
    pub fn find_exact(&self, types: &Types, sig: &Sig, world: World) -> Option<MethodId> {
        self.group(self.group_of(types, sig)?)
            .at(world)
            .map(|entry| entry.id)
    }

    /// A method by its number, also one that has ended.
    #[must_use]
    pub fn get(&self, id: MethodId) -> Option<&MethodEntry> {
        let (group, first) = *self.by_id.get(&id)?;
        self.group(group).get(id, first)
    }

    /// The methods that exist in a world, in no particular but a reproducible order.
    pub fn iter(&self, world: World) -> impl Iterator<Item = &MethodEntry> {
        self.groups
            .iter()
            .flatten()
            .filter_map(move |group| group.at(world))
    }

    /// Undoes every insert and delete made at `world`: the edit failed. Only the latest world's can be undone.
    pub fn rollback(&mut self, world: World) {
        if self.journal_world != Some(world) {
            return;
        }
        for change in std::mem::take(&mut self.journal).into_iter().rev() {
            match change {
                Change::Inserted(id) => {
                    if let Some((group, first)) = self.by_id.get(&id).copied() {
                        self.drop_version(group, id, first);
                    }
                }
                Change::Ended(id) => {
                    if let Some((group, first)) = self.by_id.get(&id).copied()
                        && let Some(group) = &mut self.groups[group as usize]
                        && let Some(entry) = group.get_mut(id, first)
                    {
                        entry.range.last = World::MAX;
                    }
                    self.ended.pop_back();
                }
            }
        }
    }

    /// Drops what ended before `world`: older worlds are no longer called. Not during an edit, which
    /// could then not be undone. Cost: what is dropped.
    pub fn forget_before(&mut self, world: World) {
        while let Some(ended) = self.ended.front().copied()
            && ended.last < world
        {
            self.ended.pop_front();
            self.drop_version(ended.group, ended.id, ended.first);
        }
    }

    /// How many methods are kept, ended ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether no method is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The method whose parameters are written exactly like these, if it exists.
    pub(crate) fn written(&self, params: Ty, world: World) -> Option<&MethodEntry> {
        self.group(*self.exact.get(&params)?).at(world)
    }

    /// The methods of a world that the index cannot rule out, each once, in a reproducible order.
    pub(crate) fn candidates(
        &self,
        query: &Query<'_>,
        world: World,
    ) -> SmallVec<[&MethodEntry; 8]> {
        let mut found: SmallVec<[u32; 16]> = SmallVec::new();
        self.index.search(query, &mut |ix| found.push(ix));
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .filter_map(|ix| self.group(ix).at(world))
            .collect()
    }

    /// The methods of a world that may accept some call that `sig` accepts.
    pub(crate) fn overlapping(
        &self,
        types: &Types,
        sig: &Sig,
        world: World,
    ) -> SmallVec<[&MethodEntry; 8]> {
        Query::of_sig(types, sig, Wanted::Overlapping)
            .map_or_else(SmallVec::new, |query| self.candidates(&query, world))
    }

    fn group(&self, ix: u32) -> &Group {
        self.groups[ix as usize]
            .as_ref()
            .expect("an indexed group exists")
    }

    fn group_of(&self, types: &Types, sig: &Sig) -> Option<u32> {
        if sig.vars.is_empty()
            && let Some(group) = self.exact.get(&sig.params)
        {
            return Some(*group);
        }
        let mut found: SmallVec<[u32; 16]> = SmallVec::new();
        self.index
            .search_equal(types, sig, &mut |ix| found.push(ix));
        found
            .into_iter()
            .find(|ix| sig_equal(types, &self.group(*ix).sig, sig))
    }

    fn add_group(&mut self, types: &Types, sig: &Sig) -> u32 {
        let group = Some(Group::new(sig.clone()));
        let ix = match self.free.pop() {
            Some(ix) => {
                self.groups[ix as usize] = group;
                ix
            }
            None => {
                self.groups.push(group);
                u32::try_from(self.groups.len() - 1).expect("fewer than 2^32 signatures")
            }
        };
        if sig.vars.is_empty() {
            self.exact.insert(sig.params, ix);
        }
        let groups = &self.groups;
        let sig_of = |other: u32| {
            &groups[other as usize]
                .as_ref()
                .expect("an indexed group exists")
                .sig
        };
        self.index.insert(types, sig_of(ix), ix, &sig_of);
        ix
    }

    fn end(&mut self, group: u32, world: World) -> Option<MethodId> {
        let last = self.groups[group as usize].as_mut()?.newest_mut()?;
        if !last.range.contains(world) {
            return None;
        }
        last.range.close_before(world);
        let WorldRange { first, last: end } = last.range;
        let id = last.id;
        self.ended.push_back(Ended {
            last: end,
            id,
            group,
            first,
        });
        self.record(world, Change::Ended(id));
        Some(id)
    }

    fn record(&mut self, world: World, change: Change) {
        if self.journal_world != Some(world) {
            self.journal.clear();
            self.journal_world = Some(world);
        }
        self.journal.push(change);
    }

    fn drop_version(&mut self, ix: u32, id: MethodId, first: World) {
        let Some(group) = &mut self.groups[ix as usize] else {
            return;
        };
        if !group.remove(id, first) {
            return;
        }
        if group.is_empty() {
            self.hollow.push(ix);
        }
        // The number stays that of another version, if there is one.
        match group.first_of(id) {
            Some(first) => self.by_id.insert(id, (ix, first)),
            None => self.by_id.remove(&id),
        };
    }

    fn drop_hollow(&mut self, types: &Types) {
        for ix in std::mem::take(&mut self.hollow) {
            let Some(group) = self.groups[ix as usize].take_if(|group| group.is_empty()) else {
                continue;
            };
            self.index.remove(types, &group.sig, ix);
            if group.sig.vars.is_empty() {
                self.exact.remove(&group.sig.params);
            }
            self.free.push(ix);
        }
    }
}
