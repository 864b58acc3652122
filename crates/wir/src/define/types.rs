//! The type definitions of an edit: what all names mean after it, and what changes with them.

use super::{Intrinsic, MAX_ERRORS, Placed, Planner, Shown, decl_bytes, span, type_fact};
use crate::ast::{Item, ItemKind, Name};
use crate::diag::{Code, Diagnostic, FileId};
use crate::env::{TypeDef, TypeScope as _, TypeTable};
use crate::source::Source;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::sync::Arc;
use worldage_dispatch::{DeclId, Sig, Symbol};
use worldage_engine::TableId;

/// Type definitions of a text, and where they stand.
type NewTypes<'a> = Vec<(FileId, &'a Item, TypeDef)>;

impl Planner<'_> {
    /// The type definitions after the edit, if it has any.
    pub(super) fn types(
        &mut self,
        items: &[Placed<'_>],
    ) -> Option<(BTreeMap<Name, TypeDef>, TypeTable)> {
        let mut new: NewTypes<'_> = Vec::new();
        for (file, item) in items {
            let def = match &item.kind {
                ItemKind::Abstract(def) => TypeDef::Abstract(Arc::clone(def)),
                ItemKind::Struct(def) => TypeDef::Struct(Arc::clone(def)),
                ItemKind::Method(_) => continue,
            };
            if let Some((first_file, first, _)) =
                new.iter().find(|(_, _, d)| d.name() == def.name())
            {
                let name = def.name();
                self.errors.push(
                    Diagnostic::error(
                        Code::DuplicateDefinition,
                        format!("the type `{name}` is defined twice"),
                    )
                    .at(*file, span(item, def.id()))
                    .subject(&**name)
                    .label(*first_file, span(first, def.id()), "first defined here")
                    .hint("remove one of them, or give it another name"),
                );
            } else {
                new.push((*file, item, def));
            }
        }
        if new.is_empty() && !self.whole {
            return None;
        }
        let mut defs = match self.whole {
            true => BTreeMap::new(),
            false => self.written.types.clone(),
        };
        defs.extend(
            new.iter()
                .map(|(_, _, def)| (def.name().clone(), def.clone())),
        );
        let table = self.resolve_types(&defs, &new);
        if !self.errors.is_empty() {
            return Some((defs, table));
        }
        for (_, _, def) in &new {
            self.type_changes(def.name(), Some(def), &table);
        }
        let named: FxHashSet<&Name> = new.iter().map(|(_, _, def)| def.name()).collect();
        let mut others: Vec<&Name> = self
            .written
            .types
            .keys()
            .filter(|name| !named.contains(name))
            .collect();
        others.sort();
        for name in others {
            match self.whole {
                true => self.type_gone(name),
                false => self.type_changes(name, None, &table),
            }
        }
        Some((defs, table))
    }

    /// What the definitions mean. Where some are wrong: what the others mean, and every error that
    /// does not follow from another one.
    fn resolve_types(&mut self, defs: &BTreeMap<Name, TypeDef>, new: &NewTypes<'_>) -> TypeTable {
        let mut left = defs.clone();
        loop {
            let error = match TypeTable::resolve(self.universe(), left.values()) {
                Ok(table) => return table,
                Err(error) => error,
            };
            let place = new.iter().find(|(_, _, def)| *def.name() == error.name);
            let place = place.map(|(file, item, _)| (*file, *item));
            for error in std::iter::once(error.error).chain(error.others) {
                self.error(place, error);
            }
            left.remove(&error.name);
            self.broken.insert(error.name);
            if self.errors.len() >= MAX_ERRORS {
                // Nothing more is judged.
                self.broken.extend(defs.keys().cloned());
                return TypeTable::default();
            }
            loop {
                let follows = |(name, def): (&Name, &TypeDef)| {
                    let mentions = def.mentions();
                    let is_broken = mentions.iter().any(|name| self.broken.contains(*name));
                    is_broken.then(|| name.clone())
                };
                let Some(name) = left.iter().find_map(follows) else {
                    break;
                };
                left.remove(&name);
                self.broken.insert(name);
            }
        }
    }

    /// The changes of the edit for one type name; `def` if the text defines it.
    fn type_changes(&mut self, name: &Name, def: Option<&TypeDef>, table: &TypeTable) {
        let (old, new) = (self.written.table.decl(name), table.decl(name));
        let new = new.expect("every definition was resolved");
        if (def.is_none() || self.whole) && old == Some(new) {
            return;
        }
        self.edit.external(type_fact(name), Some(decl_bytes(new)));
        self.shown.push(match def {
            Some(def) => Shown::Type {
                keyword: def.keyword(),
                name: name.clone(),
                new: old.is_none(),
            },
            None => Shown::Hidden,
        });
        if old == Some(new) {
            return;
        }
        let function = self.universe().types().symbol(name);
        if let Some(old) = old {
            self.delete_constructor(function, old);
        }
        // A struct that changes with its fields' types leaves a method that had taken its
        // constructor's place; one that is declared anew brings its own.
        let stood = old.is_none_or(|old| self.written.standing.contains(&old));
        if (def.is_some() || stood) && self.define_constructor(function, new) {
            self.shown.push(Shown::Hidden);
        }
    }

    /// Defines the default constructor of a struct; whether it has one.
    pub(super) fn define_constructor(&mut self, function: Symbol, decl: DeclId) -> bool {
        let Some(sig) = self.constructor(decl) else {
            return false;
        };
        let number = Intrinsic::Constructor(decl).number();
        let source = Source::Constructor(decl);
        self.edit
            .define_intrinsic(TableId::BASE, function, sig.clone(), source, number);
        self.constructors.push((function, decl, sig));
        true
    }

    /// Deletes the default constructor of a struct, unless a method of the program has taken its
    /// place.
    pub(super) fn delete_constructor(&mut self, function: Symbol, decl: DeclId) {
        let constructor = self.constructor(decl);
        if let Some(sig) = constructor.filter(|_| self.written.standing.contains(&decl)) {
            self.edit.delete(TableId::BASE, function, sig);
            self.shown.push(Shown::Hidden);
            self.gone.push(decl);
        }
    }

    pub(super) fn constructor(&self, decl: DeclId) -> Option<Sig> {
        let info = self.universe().struct_info(decl)?;
        info.constructor.clone()
    }
}
