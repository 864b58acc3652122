//! The salsa database: memoised answers of the method tables, and nothing else.
//!
//! Inputs are the method sets (one per table and function) of the newest world; the tracked
//! function [`answer`] reads the sets that its view stacks. An edit touches the inputs of the
//! functions that it names; equal answers are backdated, so whoever read them stays valid.
//!
//! Invariant: this is the only module that names salsa. `World` is never salsa's revision: the
//! database knows only the newest world; older worlds ask the tables directly.

use crate::definitions::{Answer, CallKey, Definitions};
use crate::ids::TableId;
use crate::sync::RwLock;
use dashmap::DashMap;
use salsa::Setter;
use std::sync::Arc;
use worldage_dispatch::Symbol;

/// The methods of one function in one table, as a number that grows with every change.
#[salsa::input]
struct MethodSet {
    #[returns(copy)]
    version: u64,
}

/// A question; an input and not an interned value, because inputs are never collected.
#[salsa::input]
pub(crate) struct Call {
    #[returns(copy)]
    key: CallKey,
}

/// What the tracked function needs beside salsa's storage.
#[salsa::db]
trait Ask: salsa::Database {
    fn definitions(&self) -> &RwLock<Definitions>;
    fn method_set(&self, table: TableId, function: Symbol) -> MethodSet;
}

/// The database.
#[salsa::db]
#[derive(Clone)]
pub(crate) struct Answers {
    storage: salsa::Storage<Self>,
    definitions: Arc<RwLock<Definitions>>,
    sets: Arc<DashMap<(TableId, Symbol), MethodSet>>,
}

#[salsa::db]
impl salsa::Database for Answers {}

#[salsa::db]
impl Ask for Answers {
    fn definitions(&self) -> &RwLock<Definitions> {
        &self.definitions
    }

    fn method_set(&self, table: TableId, function: Symbol) -> MethodSet {
        *self
            .sets
            .entry((table, function))
            .or_insert_with(|| MethodSet::new(self, 0))
    }
}

/// The answer in the newest world.
#[salsa::tracked(returns(ref))]
fn answer(db: &dyn Ask, call: Call) -> Answer {
    let key = call.key(db);
    let definitions = db.definitions().read();
    for table in &definitions.views[key.view.0 as usize] {
        db.method_set(*table, key.function).version(db);
    }
    definitions.answer(&key, definitions.newest)
}

impl Answers {
    pub(crate) fn new(definitions: Arc<RwLock<Definitions>>) -> Self {
        Answers {
            storage: salsa::Storage::new(None),
            definitions,
            sets: Arc::default(),
        }
    }

    /// A new question.
    pub(crate) fn call(&self, key: CallKey) -> Call {
        Call::new(self, key)
    }

    /// Another question in the place of one that nobody asks any more.
    pub(crate) fn change(&mut self, call: Call, key: CallKey) -> Call {
        call.set_key(self).to(key);
        call
    }

    /// Its answer in the newest world.
    pub(crate) fn get(&self, call: Call) -> &Answer {
        answer(self, call)
    }

    /// Says that the methods of a function in a table changed.
    pub(crate) fn touch(&mut self, table: TableId, function: Symbol) {
        let set = self.method_set(table, function);
        let version = set.version(self);
        set.set_version(self).to(version + 1);
    }
}
