//! A whole program in place of the one before: what is as it was stays untouched, what is gone is
//! deleted, all in one edit.

use super::{Placed, Plan, Planner, Shown, Written, WrittenMethod, type_fact};
use crate::ast::{Item, MethodDef, Name, Span};
use crate::diag::{Diagnostic, FileId};
use crate::env::{TypeScope, TypeTable};
use crate::source::MethodSource;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_dispatch::{Sig, Symbol, sig_equal};
use worldage_engine::TableId;

/// A method that an edit does not touch although its text may have moved.
#[derive(Clone, Debug)]
pub struct Unchanged {
    /// Its function.
    pub function: Symbol,
    /// Its signature.
    pub sig: Sig,
    /// Its file now.
    pub file: FileId,
    /// The positions of its nodes there.
    pub spans: Arc<[Span]>,
}

impl Written {
    /// The edit after which these items are the whole program in the base table. It is empty if
    /// they define what there is.
    ///
    /// # Errors
    /// Everything that is wrong with them; then nothing changes.
    pub fn plan_program(&self, items: &[Placed<'_>]) -> Result<Plan, Vec<Diagnostic>> {
        let mut planner = Planner::new(self, TableId::BASE);
        planner.whole = true;
        let types = planner.types(items);
        if let Some((_, table)) = &types {
            planner.methods(items, table);
            if planner.errors.is_empty() {
                planner.methods_gone(table);
                planner.resolve_again(table);
            }
        }
        planner.finish(types)
    }
}

fn is_text(method: &WrittenMethod, def: &Arc<MethodDef>) -> bool {
    method.source.host.is_none() && method.source.def == *def
}

/// The methods of one function that the text has: with a source where it is a new one.
type Kept = Vec<(Sig, Option<Arc<MethodSource>>)>;

impl Planner<'_> {
    /// Whether the program has this very method; then only its positions are noted.
    pub(super) fn is_unchanged(
        &mut self,
        file: FileId,
        item: &Item,
        def: &Arc<MethodDef>,
        sig: &Sig,
    ) -> bool {
        let function = self.universe().types().symbol(&def.name);
        let methods = self.written.methods(self.table, function);
        let same = methods
            .iter()
            .any(|method| method.sig == *sig && is_text(method, def));
        if same {
            self.unchanged.push(Unchanged {
                function,
                sig: sig.clone(),
                file,
                spans: Arc::clone(&item.spans),
            });
        }
        same
    }

    /// Whether the program has this method with a signature that means something else by now.
    pub(super) fn is_moved(&self, function: Symbol, def: &Arc<MethodDef>) -> bool {
        let methods = || self.written.methods(self.table, function).iter();
        self.whole && methods().any(|method| is_text(method, def))
    }

    /// A type that the text lacks: its name and its constructor go.
    pub(super) fn type_gone(&mut self, name: &Name) {
        let Some(old) = self.written.table.decl(name) else {
            return;
        };
        let def = self.written.types.get(name);
        let keyword = def.map_or("type", |def| def.keyword());
        self.edit.external(type_fact(name), None);
        self.shown.push(Shown::TypeGone(keyword, name.clone()));
        let function = self.universe().types().symbol(name);
        self.delete_constructor(function, old);
    }

    /// Deletes the methods that the text lacks, in the order of their names.
    fn methods_gone(&mut self, table: &TypeTable) {
        let written = self.written;
        let types = written.universe.types();
        let mut kept: FxHashMap<Symbol, Kept> = FxHashMap::default();
        for unchanged in &self.unchanged {
            let of_function = kept.entry(unchanged.function).or_default();
            of_function.push((unchanged.sig.clone(), None));
        }
        for (_, function, added) in &self.added {
            let source = Some(Arc::clone(&added.source));
            let of_function = kept.entry(*function).or_default();
            of_function.push((added.sig.clone(), source));
        }
        let of_base = written.methods.keys().filter(|(t, _)| *t == self.table);
        let mut functions: Vec<Symbol> = of_base.map(|(_, function)| *function).collect();
        functions.sort_by_key(|function| types.symbol_str(*function));
        for function in functions {
            let kept = kept.remove(&function).unwrap_or_default();
            // What the host defined is no part of the text.
            let methods = written.methods(self.table, function).iter();
            for method in methods.filter(|method| method.source.host.is_none()) {
                let same = |other: &Sig| {
                    *other == method.sig
                        || (other.arity(types) == method.sig.arity(types)
                            && sig_equal(types, other, &method.sig))
                };
                if kept.iter().any(|(sig, _)| same(sig)) {
                    continue;
                }
                // Where it had taken the place of a default constructor, that one comes back.
                let decl = table.decl(types.symbol_str(function));
                let back = decl.filter(|decl| self.constructor(*decl).is_some_and(|s| same(&s)));
                let sig = method.sig.clone();
                self.removed.push((self.table, function, sig.clone()));
                match back {
                    Some(decl) => {
                        self.define_constructor(function, decl);
                    }
                    None => {
                        self.edit.delete(self.table, function, sig);
                    }
                }
                let moved = kept.iter().any(|(_, source)| {
                    source
                        .as_ref()
                        .is_some_and(|source| *source == method.source)
                });
                self.shown.push(match moved {
                    true => Shown::Hidden,
                    false => Shown::MethodGone,
                });
            }
        }
    }
}
