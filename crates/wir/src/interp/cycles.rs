//! Arrays that only hold one another: found and emptied when the host's call returns, since counting
//! references does not see them.

use crate::value::{ArrayRef, Elems, Value, WeakArray};
use rustc_hash::FxHashSet;

/// The arrays that a call has made and that could be part of a cycle.
#[derive(Default)]
pub(super) struct Arrays {
    made: Vec<WeakArray>,
    /// How many may be listed before the dead ones are dropped from the list.
    limit: usize,
}

impl Arrays {
    /// Lists a new array.
    pub(super) fn add(&mut self, array: &ArrayRef) {
        if array.elems().scalar().is_some() {
            return;
        }
        if self.made.len() >= self.limit.max(1024) {
            self.made.retain(WeakArray::is_alive);
            self.limit = self.made.len() * 2;
        }
        self.made.push(array.downgrade());
    }

    /// Takes an array off the list: something outside of the call holds it.
    pub(super) fn forget(&mut self, array: &ArrayRef) {
        let is_other = |weak: &WeakArray| weak.upgrade().is_none_or(|other| !other.is(array));
        self.made.retain(is_other);
    }

    /// Empties the arrays that nothing reaches from these values, which are all that the host holds.
    pub(super) fn collect<'v>(&mut self, roots: impl Iterator<Item = &'v Value>) {
        let alive: Vec<ArrayRef> = std::mem::take(&mut self.made)
            .iter()
            .filter_map(WeakArray::upgrade)
            .collect();
        if alive.is_empty() {
            return;
        }
        let mut seen: FxHashSet<usize> = FxHashSet::default();
        let mut work: Vec<Value> = roots.cloned().collect();
        while let Some(value) = work.pop() {
            match &value {
                Value::Struct(record) | Value::Tuple(record) => {
                    if seen.insert(record.parts().as_ptr() as usize) {
                        work.extend(record.parts().iter().cloned());
                    }
                }
                Value::Array(array) => {
                    if seen.insert(array.identity())
                        && let Elems::Values(values) = &*array.elems()
                    {
                        work.extend(values.iter().flatten().cloned());
                    }
                }
                Value::Nothing | Value::Scalar(_) | Value::Str(_) | Value::Function(_) => {}
            }
        }
        for array in alive {
            if !seen.contains(&array.identity()) {
                let emptied = std::mem::replace(&mut *array.elems(), Elems::Values(Vec::new()));
                drop(emptied);
            }
        }
    }
}
