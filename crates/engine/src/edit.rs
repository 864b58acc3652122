//! Edits: any number of definitions make one new world, or none.
//!
//! Committing changes the definitions, finds the recorded questions whose answer changed, marks
//! their readers and, by one walk over reverse edges, everything above them. No stage runs.

use crate::compiler::Compiler;
use crate::cx::ExternalKey;
use crate::definitions::{Definitions, Sources};
use crate::error::equal;
use crate::explain::{Cause, ChangeKind, Why};
use crate::graph::{CallId, Graph, Readers, Shared};
use crate::ids::TableId;
use crate::mark::mark_dirty;
use crate::retire::Retired;
use crate::ripple::Ripple;
use std::sync::Arc;
use worldage_dispatch::{MethodId, Sig, Symbol, World, display_sig};

/// A set of changes that will be committed together.
pub struct Edit<S> {
    pub(crate) changes: Vec<Change<S>>,
}

pub(crate) enum Change<S> {
    Define {
        table: TableId,
        function: Symbol,
        sig: Sig,
        source: Arc<S>,
        intrinsic: Option<u32>,
    },
    Delete {
        table: TableId,
        function: Symbol,
        sig: Sig,
    },
    External {
        key: ExternalKey,
        value: Option<Arc<[u8]>>,
    },
}

impl<S> Default for Edit<S> {
    fn default() -> Self {
        Edit {
            changes: Vec::new(),
        }
    }
}

impl<S> Edit<S> {
    /// An empty edit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Defines a method; replaces the one with a type-equal signature.
    pub fn define(&mut self, table: TableId, function: Symbol, sig: Sig, source: S) -> &mut Self {
        let source = Arc::new(source);
        self.changes.push(Change::Define {
            table,
            function,
            sig,
            source,
            intrinsic: None,
        });
        self
    }

    /// Defines an intrinsic method with the embedder's number for it.
    pub fn define_intrinsic(
        &mut self,
        table: TableId,
        function: Symbol,
        sig: Sig,
        source: S,
        number: u32,
    ) -> &mut Self {
        let (source, intrinsic) = (Arc::new(source), Some(number));
        self.changes.push(Change::Define {
            table,
            function,
            sig,
            source,
            intrinsic,
        });
        self
    }

    /// Deletes the method with exactly this signature.
    pub fn delete(&mut self, table: TableId, function: Symbol, sig: Sig) -> &mut Self {
        self.changes.push(Change::Delete {
            table,
            function,
            sig,
        });
        self
    }

    /// Sets or removes an external fact.
    pub fn external(&mut self, key: ExternalKey, value: Option<Arc<[u8]>>) -> &mut Self {
        self.changes.push(Change::External { key, value });
        self
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Why an edit was refused; the world is as before.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    /// Deleting what is not there.
    #[error(
        "no-such-method: {sig} in {table} in world {world}: define it first, or name its table"
    )]
    NoSuchMethod {
        /// The signature, printed.
        sig: String,
        /// The table's name.
        table: Arc<str>,
        /// The newest world.
        world: World,
    },
    /// A table that this session does not have.
    #[error("unknown-table: number {0}: make it with `Engine::table`")]
    UnknownTable(u32),
    /// An edit from inside a stage.
    #[error("edit-during-stage: a stage may not edit the session that runs it")]
    DuringStage,
}

/// What one change of a committed edit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// A method.
    Method {
        /// What was done.
        change: ChangeKind,
        /// The method.
        method: MethodId,
        /// Its signature as it was defined.
        sig: Sig,
        /// The generic function.
        function: Symbol,
        /// The table.
        table: TableId,
    },
    /// An external fact.
    External {
        /// What was done.
        change: ChangeKind,
        /// The fact.
        key: ExternalKey,
    },
}

/// A committed edit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The world that it made.
    pub world: World,
    /// What was done, in order.
    pub changes: Vec<Committed>,
}

/// One applied change, with what is needed to take it back.
enum Applied<S> {
    Method {
        change: ChangeKind,
        method: MethodId,
        function: Symbol,
        table: TableId,
        sig: Sig,
        replaced: Option<Sig>,
        old: Option<Arc<S>>,
        new: Option<Arc<S>>,
    },
    External {
        change: ChangeKind,
        key: ExternalKey,
        differs: bool,
    },
}

/// Commits an edit to the newest graph as `world`.
pub(crate) fn commit_in<C: Compiler>(
    shared: &Shared<C>,
    graph: &mut Graph<C>,
    edit: Edit<C::Source>,
    world: World,
) -> Result<Commit, EditError> {
    let applied = {
        let mut definitions = shared.definitions.write();
        let mut sources = shared.sources.write();
        let mut applied = Vec::with_capacity(edit.changes.len());
        for change in edit.changes {
            match apply(&mut definitions, &mut sources, change, world) {
                Ok(done) => applied.push(done),
                Err(error) => {
                    take_back(&mut definitions, &mut sources, applied, world);
                    return Err(error);
                }
            }
        }
        definitions.newest = world;
        applied
    };
    graph.world = world;
    graph.ripple = Ripple::Still(world);
    let last = World(world.0.saturating_sub(1));
    for change in &applied {
        mark_change(shared, graph, change, world);
        match change {
            Applied::Method { change, .. } if *change == ChangeKind::Inserted => {}
            Applied::Method { method, .. } => graph.retire(last, Retired::Method(*method)),
            Applied::External { key, .. } => graph.retire(last, Retired::External(key.clone())),
        }
    }
    let changes = applied
        .into_iter()
        .map(|change| match change {
            Applied::Method {
                change,
                method,
                sig,
                function,
                table,
                ..
            } => Committed::Method {
                change,
                method,
                sig,
                function,
                table,
            },
            Applied::External { change, key, .. } => Committed::External { change, key },
        })
        .collect();
    Ok(Commit { world, changes })
}

fn apply<S: PartialEq>(
    definitions: &mut Definitions,
    sources: &mut Sources<S>,
    change: Change<S>,
    world: World,
) -> Result<Applied<S>, EditError> {
    match change {
        Change::Define {
            table,
            function,
            sig,
            source,
            intrinsic,
        } => {
            check_table(definitions, table)?;
            let defined = definitions.define(table, function, sig.clone(), intrinsic, world);
            let method = defined.id;
            let old = sources.at(method, world).cloned();
            // A replacement by an equal source keeps the source that everything was made from.
            let new = match &old {
                Some(old) if equal(&**old, &*source) => Arc::clone(old),
                _ => source,
            };
            sources.set(method, world, Some(Arc::clone(&new)));
            let change = match defined.replaced {
                Some(_) => ChangeKind::Replaced,
                None => ChangeKind::Inserted,
            };
            let (replaced, new) = (defined.replaced, Some(new));
            Ok(Applied::Method {
                change,
                method,
                function,
                table,
                sig,
                replaced,
                old,
                new,
            })
        }
        Change::Delete {
            table,
            function,
            sig,
        } => {
            check_table(definitions, table)?;
            let Some(method) = definitions.delete(table, function, &sig, world) else {
                let name = definitions.types.symbol_str(function).to_string();
                return Err(EditError::NoSuchMethod {
                    sig: display_sig(&definitions.types, &name, &sig),
                    table: Arc::clone(&definitions.tables[table.0 as usize]),
                    world: World(world.0 - 1),
                });
            };
            let old = sources.at(method, world).cloned();
            sources.set(method, world, None);
            let sig = definitions.method(method).sig.clone();
            let change = ChangeKind::Deleted;
            Ok(Applied::Method {
                change,
                method,
                function,
                table,
                sig,
                replaced: None,
                old,
                new: None,
            })
        }
        Change::External { key, value } => {
            let old = definitions.external(&key, world).cloned();
            let change = match (&old, &value) {
                (None, _) => ChangeKind::Inserted,
                (Some(_), Some(_)) => ChangeKind::Replaced,
                (Some(_), None) => ChangeKind::Deleted,
            };
            let differs = old != value;
            definitions.set_external(&key, value, world);
            Ok(Applied::External {
                change,
                key,
                differs,
            })
        }
    }
}

fn check_table(definitions: &Definitions, table: TableId) -> Result<(), EditError> {
    if (table.0 as usize) < definitions.tables.len() {
        Ok(())
    } else {
        Err(EditError::UnknownTable(table.0))
    }
}

fn take_back<S>(
    definitions: &mut Definitions,
    sources: &mut Sources<S>,
    applied: Vec<Applied<S>>,
    world: World,
) {
    for change in applied.into_iter().rev() {
        match change {
            Applied::Method {
                method,
                function,
                table,
                replaced,
                ..
            } => {
                definitions.rollback(table, function, world);
                sources.rollback(method, world);
                if let Some(sig) = replaced {
                    definitions.restore(method, sig, world);
                }
            }
            Applied::External { key, .. } => definitions.rollback_external(&key, world),
        }
    }
}

/// Marks what one applied change affects.
fn mark_change<C: Compiler>(
    shared: &Shared<C>,
    graph: &mut Graph<C>,
    change: &Applied<C::Source>,
    world: World,
) {
    match change {
        Applied::Method {
            change,
            method,
            function,
            table,
            sig,
            old,
            new,
            ..
        } => {
            let cause = Cause {
                change: *change,
                method: Some(*method),
                world,
            };
            let same_source = match (old, new) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                _ => false,
            };
            if *change == ChangeKind::Replaced {
                if !same_source {
                    graph.source_changed.insert(*method, cause);
                    for unit in units_of(graph, *method) {
                        mark_dirty(graph, unit, Why::Source(*method), world);
                    }
                }
                return;
            }
            // Instances of a method that is deleted are not valid; of one that is defined again
            // after a deletion they may be.
            graph.source_changed.insert(*method, cause);
            for unit in units_of(graph, *method) {
                mark_dirty(graph, unit, Why::Source(*method), world);
            }
            touch(graph, *table, *function);
            let affected = match graph.asked.get(function) {
                Some(asked) => {
                    let mut calls = asked.index.affected(&shared.types, sig);
                    calls.extend(asked.flags.iter().map(|call| call.0));
                    calls
                }
                None => Vec::new(),
            };
            for call in affected {
                reask(graph, CallId(call), cause, world);
            }
        }
        Applied::External {
            change,
            key,
            differs,
        } => {
            let Some(id) = graph.find_external(key).filter(|_| *differs) else {
                return;
            };
            let record = &mut graph.externals[id.ix()];
            record.changed = Some(Cause {
                change: *change,
                method: None,
                world,
            });
            record.since = world;
            for reader in graph.externals[id.ix()].readers.clone() {
                mark_dirty(graph, reader, Why::External(id), world);
            }
        }
    }
}

/// The infer units of a method, the oldest first.
fn units_of<C: Compiler>(graph: &Graph<C>, method: MethodId) -> Readers {
    let mut units: Readers = graph.units_of(method).collect();
    units.reverse();
    units
}

fn touch<C: Compiler>(graph: &mut Graph<C>, table: TableId, function: Symbol) {
    if let Some(answers) = &mut graph.answers {
        answers.get_mut().touch(table, function);
    }
}

/// Asks a recorded question again and marks its readers if the answer changed.
fn reask<C: Compiler>(graph: &mut Graph<C>, id: CallId, cause: Cause, world: World) {
    let record = &mut graph.calls[id.ix()];
    let Some(answers) = &mut graph.answers else {
        return;
    };
    let answers = answers.get_mut();
    let call = *record.call.get_or_insert_with(|| answers.call(record.key));
    let answer = answers.get(call).clone();
    if !record.set_answer(answer) {
        return;
    }
    record.since = world;
    let readers = record.readers.clone();
    graph.answer_changed.insert(id, cause);
    for reader in readers {
        mark_dirty(graph, reader, Why::Call(id), world);
    }
}
