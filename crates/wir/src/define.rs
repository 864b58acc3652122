//! From text to an edit: what a session has written, and what a parsed file changes in it.
//!
//! A [`Written`] is the session's definitions in Wir's own terms. [`Written::plan`] resolves a
//! file against it and gives an engine edit and the state after it, or diagnostics and nothing;
//! the caller commits the edit and then keeps the new state. A redefined type is another
//! declaration: methods whose signature mentions it are resolved again in the same edit.

use crate::ast::{Item, ItemKind, MethodDef, Name, Span};
use crate::builtins::{Builtin, BuiltinId, builtins, hidden_by};
use crate::device::overlay::Overlay;
use crate::diag::{Code, Diagnostic, FileId};
use crate::env::{ResolveError, TypeDef, TypeScope as _, TypeTable};
use crate::env::{resolve_sig, resolve_type, sig_errors, signature_types, var_names};
use crate::host::HostBody;
use crate::source::{MethodSource, Source};
use crate::syntax::print_item;
use crate::universe::Universe;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use worldage_dispatch::{DeclId, Sig, Symbol, display_sig, sig_equal};
use worldage_engine::{Edit, ExternalKey, TableId};

mod replace;
mod shipped;
mod types;

pub use replace::Unchanged;

/// The kind of external fact that binds a type's name to its declaration.
pub const TYPE_FACT: &str = "struct";

/// The external fact that says what a type's name means.
#[must_use]
pub fn type_fact(name: &str) -> ExternalKey {
    ExternalKey {
        kind: TYPE_FACT,
        name: name.into(),
    }
}

/// The value of a [`type_fact`].
#[must_use]
pub fn decl_bytes(decl: DeclId) -> Arc<[u8]> {
    Arc::from(decl.0.to_le_bytes())
}

/// The declaration in the value of a [`type_fact`].
#[must_use]
pub fn decl_of_bytes(bytes: &[u8]) -> Option<DeclId> {
    Some(DeclId(u32::from_le_bytes(bytes.try_into().ok()?)))
}

/// What an intrinsic method is: the meaning of the engine's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intrinsic {
    /// A built-in operation.
    Builtin(BuiltinId),
    /// The default constructor of a struct.
    Constructor(DeclId),
}

impl Intrinsic {
    /// The engine's number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Intrinsic::Builtin(id) => id.0 << 1,
            Intrinsic::Constructor(decl) => decl.0 << 1 | 1,
        }
    }

    /// From the engine's number.
    #[must_use]
    pub fn from_number(number: u32) -> Intrinsic {
        match number & 1 {
            0 => Intrinsic::Builtin(BuiltinId(number >> 1)),
            _ => Intrinsic::Constructor(DeclId(number >> 1)),
        }
    }
}

/// A method as it was written.
#[derive(Clone, Debug)]
pub struct WrittenMethod {
    /// Its resolved signature.
    pub sig: Sig,
    /// Its definition.
    pub source: Arc<MethodSource>,
}

/// Everything that a session has written and not taken back.
#[derive(Clone)]
pub struct Written {
    universe: Arc<Universe>,
    /// The built-in methods by their name.
    builtins: Arc<FxHashMap<&'static str, Vec<Builtin>>>,
    types: BTreeMap<Name, TypeDef>,
    table: TypeTable,
    methods: FxHashMap<(TableId, Symbol), Vec<WrittenMethod>>,
    /// Structs whose default constructor is there: no method has taken its place.
    standing: FxHashSet<DeclId>,
}

/// How many errors of one edit are told.
const MAX_ERRORS: usize = crate::syntax::MAX_ERRORS;

/// What one change of a planned edit is, for logs; parallel to the edit's changes.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A type definition: its keyword and name, and whether the name was free.
    Type {
        /// `struct` or `abstract type`.
        keyword: &'static str,
        /// The name.
        name: Name,
        /// Whether nothing had this name.
        new: bool,
    },
    /// A method of the text.
    Method {
        /// Its file.
        file: FileId,
        /// The positions of its nodes.
        spans: Arc<[Span]>,
        /// It is as it was, but its signature means something else: logs do not list it.
        moved: bool,
    },
    /// A type that the new text of a program lacks: its keyword and name.
    TypeGone(&'static str, Name),
    /// A method that the new text of a program lacks.
    MethodGone,
    /// A consequence (a constructor, a method resolved again), which logs do not list.
    Hidden,
}

/// A planned edit.
pub struct Plan {
    /// For the engine.
    pub edit: Edit<Source>,
    /// What its changes are, in order.
    pub shown: Vec<Shown>,
    /// Methods of the text that the edit does not touch, because they are as before.
    pub unchanged: Vec<Unchanged>,
    /// Takes effect with [`Written::apply`] once the edit is committed.
    pub after: After,
}

/// The part of the state that a plan changes.
pub struct After {
    types: Option<(BTreeMap<Name, TypeDef>, TypeTable)>,
    /// Default constructors that went, and that came.
    gone: Vec<DeclId>,
    constructors: Vec<(Symbol, DeclId, Sig)>,
    removed: Vec<(TableId, Symbol, Sig)>,
    added: Vec<(TableId, Symbol, WrittenMethod)>,
}

/// An item and the file that it stands in.
pub type Placed<'a> = (FileId, &'a Item);

impl Written {
    /// Nothing but the built-in functions and the overlays of devices, and the edit that defines
    /// them, for an engine that begins with [`Overlay::tables`].
    #[must_use]
    pub fn new(universe: Arc<Universe>) -> (Written, Edit<Source>) {
        let mut by_name: FxHashMap<&str, Vec<Builtin>> = FxHashMap::default();
        let mut prelude = Edit::new();
        for builtin in builtins(&universe) {
            let function = universe.types().symbol(builtin.name);
            let number = Intrinsic::Builtin(builtin.id).number();
            let source = Source::Builtin(builtin.id);
            prelude.define_intrinsic(TableId::BASE, function, builtin.sig.clone(), source, number);
            by_name.entry(builtin.name).or_default().push(builtin);
        }
        let mut written = Written {
            universe,
            builtins: Arc::new(by_name),
            types: BTreeMap::new(),
            table: TypeTable::default(),
            methods: FxHashMap::default(),
            standing: FxHashSet::default(),
        };
        let mut unions = FxHashMap::default();
        for overlay in Overlay::ALL {
            written.ship(overlay, &mut unions, &mut prelude);
        }
        (written, prelude)
    }

    /// What type names mean now.
    #[must_use]
    pub fn types(&self) -> &TypeTable {
        &self.table
    }

    /// The methods of a function in a table, as written.
    #[must_use]
    pub fn methods(&self, table: TableId, function: Symbol) -> &[WrittenMethod] {
        self.methods
            .get(&(table, function))
            .map_or(&[], Vec::as_slice)
    }

    /// All methods of a table, in no order.
    pub fn all_methods(&self, table: TableId) -> impl Iterator<Item = &WrittenMethod> {
        let of_table = self.methods.iter().filter(move |((t, _), _)| *t == table);
        of_table.flat_map(|(_, methods)| methods)
    }

    /// The program of a table as text: its types, then its methods, each as the printer writes
    /// it, sorted. What the host runs is a comment.
    #[must_use]
    pub fn text(&self, table: TableId) -> String {
        let types = self.types.values().map(|def| match def {
            TypeDef::Abstract(def) => print_item(&ItemKind::Abstract(Arc::clone(def))),
            TypeDef::Struct(def) => print_item(&ItemKind::Struct(Arc::clone(def))),
        });
        let types = types.filter(|_| table == TableId::BASE).collect::<Vec<_>>();
        let methods = self.all_methods(table).map(|method| {
            let text = print_item(&ItemKind::Method(Arc::clone(&method.source.def)));
            match method.source.host {
                Some(_) => text
                    .lines()
                    .map(|line| format!("# host: {line}\n"))
                    .collect(),
                None => text,
            }
        });
        let mut methods: Vec<String> = methods.collect();
        methods.sort_unstable();
        let all = types.iter().chain(&methods).map(|item| item.trim_end());
        all.map(|item| format!("{item}\n")).collect()
    }

    /// What these items change.
    ///
    /// # Errors
    /// Everything that is wrong with them; then nothing changes.
    pub fn plan(&self, items: &[Placed<'_>], table: TableId) -> Result<Plan, Vec<Diagnostic>> {
        let mut planner = Planner::new(self, table);
        let types = planner.types(items);
        let scope = types.as_ref().map_or(&self.table, |(_, table)| table);
        planner.methods(items, scope);
        if let Some((_, table)) = &types
            && planner.errors.is_empty()
        {
            planner.resolve_again(table);
        }
        planner.finish(types)
    }

    /// What a declaration changes whose body is the host's.
    ///
    /// # Errors
    /// As [`Written::plan`].
    pub fn plan_host(
        &self,
        declaration: Placed<'_>,
        table: TableId,
        body: Arc<HostBody>,
    ) -> Result<Plan, Vec<Diagnostic>> {
        let mut planner = Planner::new(self, table);
        planner.host = Some(body);
        planner.methods(&[declaration], &self.table);
        if let ItemKind::Method(def) = &declaration.1.kind {
            planner.check_result_type(declaration, def);
        }
        planner.finish(None)
    }

    /// Takes over what a committed plan changed.
    pub fn apply(&mut self, after: After) {
        if let Some((types, table)) = after.types {
            (self.types, self.table) = (types, table);
        }
        let universe = Arc::clone(&self.universe);
        let types = universe.types();
        for decl in &after.gone {
            self.standing.remove(decl);
        }
        for (function, decl, sig) in after.constructors {
            self.standing.insert(decl);
            if let Some(methods) = self.methods.get_mut(&(TableId::BASE, function)) {
                methods.retain(|method| !sig_equal(types, &method.sig, &sig));
            }
        }
        for (table, function, sig) in &after.removed {
            if let Some(methods) = self.methods.get_mut(&(*table, *function)) {
                methods.retain(|method| !sig_equal(types, &method.sig, sig));
            }
        }
        for (table, function, method) in after.added {
            let decl = self.table.decl(types.symbol_str(function));
            let info = decl.and_then(|decl| universe.struct_info(decl));
            let constructor = info.as_ref().and_then(|info| info.constructor.as_ref());
            if let (TableId::BASE, Some(decl), Some(sig)) = (table, decl, constructor)
                && sig_equal(types, sig, &method.sig)
            {
                self.standing.remove(&decl);
            }
            let methods = self.methods.entry((table, function)).or_default();
            methods.retain(|old| old.sig != method.sig && !sig_equal(types, &old.sig, &method.sig));
            methods.push(method);
        }
    }

    /// Takes over that a method was deleted.
    pub fn deleted(&mut self, table: TableId, function: Symbol, sig: &Sig) {
        let removed = vec![(table, function, sig.clone())];
        self.apply(After {
            types: None,
            gone: Vec::new(),
            constructors: Vec::new(),
            removed,
            added: Vec::new(),
        });
    }
}

struct Planner<'a> {
    written: &'a Written,
    table: TableId,
    /// The text is the whole program: what it lacks is deleted.
    whole: bool,
    /// The text is one declaration, and this its body.
    host: Option<Arc<HostBody>>,
    unchanged: Vec<Unchanged>,
    edit: Edit<Source>,
    shown: Vec<Shown>,
    gone: Vec<DeclId>,
    constructors: Vec<(Symbol, DeclId, Sig)>,
    removed: Vec<(TableId, Symbol, Sig)>,
    added: Vec<(TableId, Symbol, WrittenMethod)>,
    errors: Vec<Diagnostic>,
    /// Types that are wrong, and those that mention one: what mentions them is not judged.
    broken: FxHashSet<Name>,
}

impl<'a> Planner<'a> {
    fn new(written: &'a Written, table: TableId) -> Planner<'a> {
        Planner {
            written,
            table,
            whole: false,
            host: None,
            unchanged: Vec::new(),
            edit: Edit::new(),
            shown: Vec::new(),
            gone: Vec::new(),
            constructors: Vec::new(),
            removed: Vec::new(),
            added: Vec::new(),
            errors: Vec::new(),
            broken: FxHashSet::default(),
        }
    }

    fn finish(
        mut self,
        types: Option<(BTreeMap<Name, TypeDef>, TypeTable)>,
    ) -> Result<Plan, Vec<Diagnostic>> {
        if !self.errors.is_empty() {
            // In the order of the text, whatever was looked at first.
            let place = |error: &Diagnostic| error.place.map(|at| (at.file, at.span.lo));
            self.errors.sort_by_key(place);
            return Err(self.errors);
        }
        let after = After {
            types,
            gone: self.gone,
            constructors: self.constructors,
            removed: self.removed,
            added: self.added,
        };
        Ok(Plan {
            edit: self.edit,
            shown: self.shown,
            unchanged: self.unchanged,
            after,
        })
    }

    fn universe(&self) -> &Universe {
        &self.written.universe
    }

    fn methods(&mut self, items: &[Placed<'_>], scope: &TypeTable) {
        let mut seen: FxHashMap<Symbol, Vec<(Sig, FileId, &Item, &MethodDef)>> =
            FxHashMap::default();
        for (file, item) in items {
            let ItemKind::Method(def) = &item.kind else {
                continue;
            };
            if self.mentions_broken(def) || self.errors.len() >= MAX_ERRORS {
                continue;
            }
            let Ok(sig) = resolve_sig(self.universe(), scope, def) else {
                for error in sig_errors(self.universe(), scope, def) {
                    self.error(Some((*file, item)), error);
                }
                continue;
            };
            let function = self.universe().types().symbol(&def.name);
            let types = self.written.universe.types();
            let mut earlier = seen.get(&function).into_iter().flatten();
            let same = earlier.find(|(other, ..)| {
                *other == sig
                    || (other.arity(types) == sig.arity(types) && sig_equal(types, other, &sig))
            });
            if let Some((_, first_file, first, first_def)) = same {
                let name = display_sig(types, &def.name, &sig);
                self.errors.push(
                    Diagnostic::error(
                        Code::DuplicateDefinition,
                        format!("the method `{name}` is defined twice in one file"),
                    )
                    .at(*file, span(item, def.id))
                    .subject(name)
                    .label(*first_file, span(first, first_def.id), "first defined here")
                    .hint("remove one of them, or change its signature"),
                );
                continue;
            }
            if self.table == TableId::BASE
                && let Some(builtins) = self.written.builtins.get(&*def.name)
                && let Some(builtin) = hidden_by(self.universe(), builtins, &def.name, &sig)
            {
                let name = display_sig(types, &def.name, &sig);
                let of = display_sig(types, builtin.name, &builtin.sig);
                self.errors.push(
                    Diagnostic::error(
                        Code::DuplicateDefinition,
                        format!("`{name}` would hide the built-in `{of}`"),
                    )
                    .at(*file, span(item, def.id))
                    .subject(name)
                    .hint("use a type of your own in the signature, or an overlay table"),
                );
                continue;
            }
            if items.len() > 1 {
                let of_function = seen.entry(function).or_default();
                of_function.push((sig.clone(), *file, item, def));
            }
            if let Some((struct_file, of)) = self.own_constructor(items, scope, def, &sig) {
                let name = display_sig(types, &def.name, &sig);
                self.errors.push(
                    Diagnostic::error(
                        Code::DuplicateDefinition,
                        format!("`{name}` is the constructor that the struct has by itself"),
                    )
                    .at(*file, span(item, def.id))
                    .subject(name)
                    .label(struct_file, of.span, "the struct stands here")
                    .hint("change its signature, or give the function another name"),
                );
                continue;
            }
            if self.whole && self.is_unchanged(*file, item, def, &sig) {
                continue;
            }
            let source = Arc::new(match &self.host {
                Some(host) => MethodSource::of_host(Arc::clone(def), Arc::clone(host)),
                None => MethodSource::read_from(item, Arc::clone(def)),
            });
            self.edit.define(
                self.table,
                function,
                sig.clone(),
                Source::Method(Arc::clone(&source)),
            );
            self.shown.push(Shown::Method {
                file: *file,
                spans: Arc::clone(&item.spans),
                moved: self.is_moved(function, def),
            });
            self.added
                .push((self.table, function, WrittenMethod { sig, source }));
        }
    }

    /// The result of a method that the host runs is all that callers know of it.
    fn check_result_type(&mut self, declaration: Placed<'_>, def: &MethodDef) {
        let (u, vars) = (self.universe(), var_names(def));
        let ret = def.ret.as_ref();
        let wrong = ret.and_then(|ret| resolve_type(u, &self.written.table, &vars, ret).err());
        if let Some(error) = wrong {
            self.error(Some(declaration), error);
        }
    }

    fn mentions_broken(&self, def: &MethodDef) -> bool {
        !self.broken.is_empty()
            && signature_types(def)
                .iter()
                .any(|name| self.broken.contains(name))
    }

    /// The struct of the same text whose default constructor has just this signature.
    fn own_constructor<'i>(
        &self,
        items: &[Placed<'i>],
        scope: &TypeTable,
        def: &MethodDef,
        sig: &Sig,
    ) -> Option<Placed<'i>> {
        if self.table != TableId::BASE {
            return None;
        }
        let info = self.universe().struct_info(scope.decl(&def.name)?)?;
        let types = self.universe().types();
        if !sig_equal(types, info.constructor.as_ref()?, sig) {
            return None;
        }
        let is_struct = |item: &Item| match &item.kind {
            ItemKind::Struct(of) => of.name == def.name,
            _ => false,
        };
        items.iter().copied().find(|(_, item)| is_struct(item))
    }

    /// Methods that stay but whose signature means something else now.
    fn resolve_again(&mut self, table: &TypeTable) {
        let old = &self.written.table;
        let changed: FxHashSet<&Name> = table
            .iter()
            .filter(|(name, decl)| old.decl(name).is_some_and(|old| old != *decl))
            .map(|(name, _)| name)
            .collect();
        if changed.is_empty() {
            return;
        }
        let mut keys: Vec<_> = self.written.methods.keys().copied().collect();
        keys.sort();
        for (of, function) in keys {
            for method in &self.written.methods[&(of, function)] {
                if self.whole && of == self.table && method.source.host.is_none() {
                    // The text has said what it is now.
                    continue;
                }
                let def = &method.source.def;
                if !signature_types(def)
                    .iter()
                    .any(|name| changed.contains(name))
                {
                    continue;
                }
                match resolve_sig(self.universe(), table, def) {
                    Ok(sig) => self.move_method(of, function, method, sig),
                    Err(error) => self.error(None, error),
                }
            }
        }
    }

    fn move_method(&mut self, of: TableId, function: Symbol, method: &WrittenMethod, sig: Sig) {
        let types = self.written.universe.types();
        self.edit.delete(of, function, method.sig.clone());
        self.shown.push(Shown::Hidden);
        self.removed.push((of, function, method.sig.clone()));
        let redefined = self
            .added
            .iter()
            .any(|(t, f, new)| (*t, *f) == (of, function) && sig_equal(types, &new.sig, &sig));
        if !redefined {
            let source = Source::Method(Arc::clone(&method.source));
            self.edit.define(of, function, sig.clone(), source);
            self.shown.push(Shown::Hidden);
            let source = Arc::clone(&method.source);
            self.added
                .push((of, function, WrittenMethod { sig, source }));
        }
    }

    fn error(&mut self, place: Option<Placed<'_>>, error: ResolveError) {
        let mut diagnostic = Diagnostic::error(error.code, error.message);
        if let Some((file, item)) = place {
            diagnostic = diagnostic.at(file, span(item, error.node));
        }
        if let Some(subject) = error.subject {
            diagnostic = diagnostic.subject(subject);
        }
        if let Some(hint) = error.hint {
            diagnostic = diagnostic.hint(hint);
        }
        self.errors.push(diagnostic);
    }
}

fn span(item: &Item, node: crate::ast::NodeId) -> Span {
    item.spans
        .get(node.0 as usize)
        .copied()
        .unwrap_or(item.span)
}
