//! The recorded calls of one function: which of them can an edit of a signature affect.

use crate::sig::Sig;
use crate::ty::Ty;
use crate::types::Types;
use crate::unify::sig_intersect;

/// The argument tuples of recorded calls.
#[derive(Clone, Debug, Default)]
pub struct CallIndex {
    calls: Vec<(Ty, u32)>,
}

impl CallIndex {
    /// No calls.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a call with these argument types, concrete or abstract.
    pub fn insert(&mut self, _types: &Types, args: Ty, call: u32) {
        self.calls.push((args, call));
    }

    /// Forgets a recorded call; whether it was there.
    pub fn remove(&mut self, _types: &Types, args: Ty, call: u32) -> bool {
        let before = self.calls.len();
        self.calls.retain(|recorded| *recorded != (args, call));
        self.calls.len() < before
    }

    /// The calls that an edit of a method with this signature can affect, sorted.
    pub fn affected(&self, types: &Types, sig: &Sig) -> Vec<u32> {
        let hit = self
            .calls
            .iter()
            .filter(|(args, _)| sig_intersect(types, *args, sig) != Ty::BOTTOM);
        let mut calls: Vec<u32> = hit.map(|(_, call)| *call).collect();
        calls.sort_unstable();
        calls.dedup();
        calls
    }
}
