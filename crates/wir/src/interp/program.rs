//! A program as of one world: its types, methods and external facts, built from scratch by applying
//! definitions and deletions in order.

use super::machine::{Interp, Limits};
use crate::ast::{File, Item, ItemKind, MethodDef, Name, NodeId, Span};
use crate::builtins::{Builtin, BuiltinId, builtins, hidden_by};
use crate::device::overlay::Overlay;
use crate::diag::{Code, FileId, Place};
use crate::env::{NoTypes, ResolveError, TypeDef, TypeScope as _, TypeTable, resolve_sig};
use crate::error::{RunError, Site};
use crate::host::HostBody;
use crate::universe::Universe;
use crate::value::Value;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use worldage_dispatch::{DeclId, MethodId, Methods, Sig, Symbol, World, display_sig, sig_equal};

/// The only world of the method tables: a program is one world.
pub(super) const NOW: World = World::FIRST;

/// Why a definition was not accepted; the program is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditError {
    /// The function or type whose definition is at fault.
    pub name: Name,
    /// What is wrong; its node is one of that definition.
    pub error: ResolveError,
}

/// What a method entry stands for.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Builtin(BuiltinId),
    Constructor(DeclId),
    User(usize),
}

/// A method that the program wrote.
#[derive(Clone, Debug)]
pub(super) struct UserMethod {
    pub(super) def: Arc<MethodDef>,
    pub(super) host: Option<Arc<HostBody>>,
    table: usize,
    sig: Option<Sig>,
    file: FileId,
    spans: Arc<[Span]>,
}

#[derive(Clone, Debug, Default)]
struct Table {
    /// The tables below it, by number; the base has none.
    over: Option<usize>,
    functions: FxHashMap<Symbol, Methods>,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Program {
    u: Arc<Universe>,
    intrinsics: Arc<[Builtin]>,
    type_defs: BTreeMap<Name, TypeDef>,
    /// Structs without their own constructor: a method took its place.
    no_constructor: FxHashSet<Name>,
    pub(super) types: TypeTable,
    /// Every method ever defined; those without a signature are gone.
    methods: Vec<UserMethod>,
    bodies: FxHashMap<MethodId, Body>,
    table_names: BTreeMap<Name, usize>,
    tables: Vec<Table>,
    externals: BTreeMap<Arc<str>, Value>,
    limits: Limits,
}

impl Program {
    /// A program with nothing but the built-in functions and the overlays of devices.
    #[must_use]
    pub fn new(u: Arc<Universe>) -> Program {
        let intrinsics: Arc<[Builtin]> = builtins(&u).into();
        let mut program = Program {
            u,
            intrinsics,
            type_defs: BTreeMap::new(),
            no_constructor: FxHashSet::default(),
            types: TypeTable::default(),
            methods: Vec::new(),
            bodies: FxHashMap::default(),
            table_names: BTreeMap::new(),
            tables: vec![Table::default()],
            externals: BTreeMap::new(),
            limits: Limits::default(),
        };
        let mut shipped = Vec::new();
        for overlay in Overlay::ALL {
            let table = program.tables.len();
            program.add_table(overlay.shipped_name(), None);
            program.add_table(overlay.name(), Some(overlay.shipped_name()));
            let methods = overlay.methods().iter();
            shipped.extend(methods.map(|source| UserMethod {
                def: Arc::clone(&source.def),
                host: None,
                table,
                sig: resolve_sig(&program.u, &NoTypes, &source.def).ok(),
                // What is shipped stands in no text of the program.
                file: FileId(0),
                spans: Arc::from([]),
            }));
        }
        program.rebuild(TypeTable::default(), shipped);
        program
    }

    /// The types that it lives in.
    #[must_use]
    pub fn universe(&self) -> &Arc<Universe> {
        &self.u
    }

    /// What type names mean.
    #[must_use]
    pub fn types(&self) -> &TypeTable {
        &self.types
    }

    /// Sets how deep calls may nest and how much memory a call may use.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Declares a method table over another one, over the base if `over` is `None`.
    pub fn add_table(&mut self, name: &str, over: Option<&str>) {
        let over = over
            .and_then(|over| self.table_names.get(over).copied())
            .unwrap_or(0);
        let over = Some(over);
        self.table_names.insert(name.into(), self.tables.len());
        self.tables.push(Table {
            over,
            ..Table::default()
        });
    }

    /// Sets an external fact.
    pub fn set_external(&mut self, key: &str, value: Value) {
        self.externals.insert(key.into(), value);
    }

    pub(super) fn external(&self, key: &str) -> Option<&Value> {
        self.externals.get(key)
    }

    pub(super) fn externals(&self) -> impl Iterator<Item = &Value> {
        self.externals.values()
    }

    /// Defines everything in a file, in the base table. See [`Program::define`].
    ///
    /// # Errors
    /// As [`Program::define`].
    pub fn define_file(&mut self, file: &File, id: FileId) -> Result<(), EditError> {
        self.define(None, &file.items, id)
    }

    /// Applies one edit: definitions, which stand in any order; a type or a method with a type-equal
    /// signature that exists is replaced. Types have no table. `file` is where the items' spans are.
    ///
    /// # Errors
    /// A type or signature that cannot be resolved, also of an older method whose types changed; a
    /// method that is there twice, or that would hide a built-in function of the base table.
    pub fn define(
        &mut self,
        table: Option<&str>,
        items: &[Item],
        file: FileId,
    ) -> Result<(), EditError> {
        self.define_as(table, items, file, None)
    }

    /// Defines a method by its declaration; the host runs it.
    ///
    /// # Errors
    /// As [`Program::define`].
    pub fn define_host(
        &mut self,
        table: Option<&str>,
        declaration: &Item,
        file: FileId,
        body: &Arc<HostBody>,
    ) -> Result<(), EditError> {
        self.define_as(table, std::slice::from_ref(declaration), file, Some(body))
    }

    fn define_as(
        &mut self,
        table: Option<&str>,
        items: &[Item],
        file: FileId,
        host: Option<&Arc<HostBody>>,
    ) -> Result<(), EditError> {
        let table = self.table_number(table);
        let mut type_defs = self.type_defs.clone();
        let mut new = Vec::new();
        let mut named = FxHashSet::default();
        for item in items {
            let def = match &item.kind {
                ItemKind::Abstract(def) => TypeDef::Abstract(def.clone()),
                ItemKind::Struct(def) => TypeDef::Struct(def.clone()),
                ItemKind::Method(def) => {
                    new.push(UserMethod {
                        def: def.clone(),
                        host: host.cloned(),
                        table,
                        sig: None,
                        file,
                        spans: item.spans.clone(),
                    });
                    continue;
                }
            };
            let name = def.name().clone();
            if !named.insert(name.clone()) {
                return Err(EditError::duplicate(&name, def.id(), &name));
            }
            type_defs.insert(name, def);
        }
        let types = TypeTable::resolve(&self.u, type_defs.values()).map_err(|error| EditError {
            name: error.name,
            error: error.error,
        })?;
        let mut sigs = Vec::new();
        let live = self.methods.iter().filter(|method| method.sig.is_some());
        for method in live.chain(&new) {
            let def = &method.def;
            let sig = resolve_sig(&self.u, &types, def).map_err(|error| EditError {
                name: def.name.clone(),
                error,
            })?;
            sigs.push(sig);
        }
        let added = &sigs[sigs.len() - new.len()..];
        self.check_duplicates(table, &types, &new, added, items)?;
        let constructors = self.new_constructors(&types, items);
        let is_replaced = |method: &UserMethod, sig: &Sig| {
            let lattice = self.u.types();
            let mut replacing = constructors.iter();
            method.table == 0
                && replacing
                    .any(|(name, of)| *name == method.def.name && sig_equal(lattice, of, sig))
        };
        let mut left = sigs.into_iter();
        for method in self
            .methods
            .iter_mut()
            .filter(|method| method.sig.is_some())
        {
            method.sig = left.next().filter(|sig| !is_replaced(method, sig));
        }
        new.iter_mut().for_each(|method| method.sig = left.next());
        for (name, _) in constructors {
            self.no_constructor.remove(&name);
        }
        self.type_defs = type_defs;
        self.rebuild(types, new);
        Ok(())
    }

    /// The constructors of structs that this edit declares anew: each replaces a method that was
    /// there before.
    fn new_constructors(&self, types: &TypeTable, items: &[Item]) -> Vec<(Name, Sig)> {
        let declared = items.iter().filter_map(|item| match &item.kind {
            ItemKind::Struct(def) => Some(&def.name),
            ItemKind::Abstract(_) | ItemKind::Method(_) => None,
        });
        declared
            .filter_map(|name| {
                let decl = types.decl(name)?;
                let is_new = self.types.decl(name) != Some(decl);
                let constructor = self.u.struct_info(decl)?.constructor.clone()?;
                is_new.then(|| (name.clone(), constructor))
            })
            .collect()
    }

    /// Whether the new methods, whose signatures are `sigs`, are of functions and signatures that
    /// this edit may define.
    fn check_duplicates(
        &self,
        table: usize,
        types: &TypeTable,
        new: &[UserMethod],
        sigs: &[Sig],
        items: &[Item],
    ) -> Result<(), EditError> {
        let lattice = self.u.types();
        let is_struct = |item: &Item, name: &Name| match &item.kind {
            ItemKind::Struct(def) => def.name == *name,
            ItemKind::Abstract(_) | ItemKind::Method(_) => false,
        };
        for (place, (method, sig)) in new.iter().zip(sigs).enumerate() {
            let def = &method.def;
            let of_function = |other: &UserMethod| other.def.name == def.name;
            let twice = new[..place]
                .iter()
                .zip(sigs)
                .any(|(other, before)| of_function(other) && sig_equal(lattice, before, sig));
            let hides =
                table == 0 && hidden_by(&self.u, &self.intrinsics, &def.name, sig).is_some();
            let is_constructor = table == 0
                && items.iter().any(|item| is_struct(item, &def.name))
                && types
                    .decl(&def.name)
                    .and_then(|decl| self.u.struct_info(decl))
                    .and_then(|info| info.constructor.clone())
                    .is_some_and(|constructor| sig_equal(lattice, &constructor, sig));
            if twice || hides || is_constructor {
                let shown = display_sig(lattice, &def.name, sig);
                return Err(EditError::duplicate(&def.name, def.id, &shown));
            }
        }
        Ok(())
    }

    /// Deletes the method with exactly this signature; whether there was one.
    pub fn delete(&mut self, table: Option<&str>, function: &str, sig: &Sig) -> bool {
        let table = self.table_number(table);
        let symbol = self.u.types().symbol(function);
        let Some(methods) = self.tables[table].functions.get_mut(&symbol) else {
            return false;
        };
        let found = methods.find_exact(self.u.types(), sig, NOW);
        let Some(Body::User(ix)) = found.and_then(|id| self.bodies.get(&id)).cloned() else {
            return false;
        };
        methods.delete(self.u.types(), sig, NOW);
        self.methods[ix].sig = None;
        true
    }

    fn table_number(&self, table: Option<&str>) -> usize {
        table
            .and_then(|name| self.table_names.get(name).copied())
            .unwrap_or(0)
    }

    /// Builds the tables: built-in functions, constructors, then the methods in their order.
    fn rebuild(&mut self, types: TypeTable, new: Vec<UserMethod>) {
        self.types = types;
        self.bodies.clear();
        self.tables
            .iter_mut()
            .for_each(|table| table.functions.clear());
        for builtin in self.intrinsics.clone().iter() {
            self.insert(0, builtin.name, &builtin.sig, Body::Builtin(builtin.id));
        }
        let mut structs: Vec<DeclId> = self.types.iter().map(|(_, decl)| decl).collect();
        structs.sort_unstable();
        for decl in structs {
            let Some(info) = self.u.struct_info(decl) else {
                continue;
            };
            if let Some(sig) = &info.constructor
                && !self.no_constructor.contains(&*info.name)
            {
                self.insert(0, &info.name, sig, Body::Constructor(decl));
            }
        }
        self.methods.extend(new);
        for ix in 0..self.methods.len() {
            let method = &self.methods[ix];
            let (def, table) = (method.def.clone(), method.table);
            if let Some(sig) = method.sig.clone() {
                let replaced = self.insert(table, &def.name, &sig, Body::User(ix));
                match replaced.and_then(|id| self.bodies.get(&id)) {
                    Some(Body::User(old)) => self.methods[*old].sig = None,
                    Some(Body::Constructor(_)) => {
                        self.no_constructor.insert(def.name.clone());
                    }
                    Some(Body::Builtin(_)) | None => {}
                }
            }
        }
    }

    fn insert(&mut self, table: usize, name: &str, sig: &Sig, body: Body) -> Option<MethodId> {
        let id = match body {
            // Numbers of user methods stay when types change, for error positions.
            Body::User(ix) => MethodId(u32::try_from(ix).unwrap_or(u32::MAX)),
            Body::Builtin(id) => MethodId(u32::MAX / 2 + id.0),
            Body::Constructor(decl) => {
                MethodId(u32::MAX - u32::try_from(decl.index()).unwrap_or(0))
            }
        };
        self.bodies.insert(id, body);
        let symbol = self.u.types().symbol(name);
        let methods = self.tables[table].functions.entry(symbol).or_default();
        methods.insert(self.u.types(), sig.clone(), id, NOW)
    }

    /// The tables of a view, top down: a table, those that it lies over, the base.
    pub(super) fn stack(&self, view: Option<&str>) -> Vec<&FxHashMap<Symbol, Methods>> {
        let mut stack = Vec::new();
        let mut next = Some(self.table_number(view));
        while let Some(table) = next {
            stack.push(&self.tables[table].functions);
            next = self.tables[table].over;
        }
        stack
    }

    pub(super) fn body(&self, id: MethodId) -> Option<&Body> {
        self.bodies.get(&id)
    }

    pub(super) fn method(&self, ix: usize) -> &UserMethod {
        &self.methods[ix]
    }

    /// Whether a declared or built-in type has this name.
    pub(super) fn is_type(&self, name: &str) -> bool {
        self.type_defs.contains_key(name) || self.u.is_reserved_type(name)
    }

    /// Where a node stands in the text, for [`RunError::to_diagnostic`].
    #[must_use]
    pub fn place(&self, site: Site) -> Option<Place> {
        let Some(Body::User(ix)) = self.bodies.get(&site.method) else {
            return None;
        };
        let method = &self.methods[*ix];
        let span = *method.spans.get(site.node.0 as usize)?;
        let file = method.file;
        Some(Place { file, span })
    }

    /// Calls a function by name in a view (`None`: the base table alone); what it prints goes to
    /// `print`, line by line and at once.
    ///
    /// # Errors
    /// The program's error, with the calls that led to it.
    pub fn call(
        &self,
        view: Option<&str>,
        function: &str,
        args: Vec<Value>,
        print: &mut dyn FnMut(&str),
    ) -> Result<Value, Box<RunError>> {
        let symbol = self.u.types().symbol(function);
        Interp::new(self, view, print).call(symbol, args)
    }

    /// Evaluates a host's expression, as `call f(P(1), -2)` in a scenario has it: a call whose
    /// arguments are literals, signed numbers, tuples or calls of constructors.
    ///
    /// # Errors
    /// The program's error, with the calls that led to it.
    pub fn eval(
        &self,
        view: Option<&str>,
        expr: &crate::ast::Expr,
        print: &mut dyn FnMut(&str),
    ) -> Result<Value, Box<RunError>> {
        Interp::new(self, view, print).eval_host(expr)
    }

    /// Like [`Program::eval`], in an older world: what `latest` calls is the program of the newest
    /// world, whose number comes with it.
    ///
    /// # Errors
    /// As [`Program::eval`].
    pub fn eval_before(
        &self,
        newest: (&Program, u64),
        view: Option<&str>,
        expr: &crate::ast::Expr,
        print: &mut dyn FnMut(&str),
    ) -> Result<Value, Box<RunError>> {
        let mut interp = Interp::new(self, view, print);
        interp.newest = Some((newest.0, view, newest.1));
        interp.eval_host(expr)
    }
}

impl EditError {
    fn duplicate(name: &Name, node: NodeId, shown: &str) -> EditError {
        EditError {
            name: name.clone(),
            error: ResolveError {
                code: Code::DuplicateDefinition,
                node,
                message: format!("`{shown}` is defined already"),
                subject: Some(shown.to_owned()),
                hint: None,
            },
        }
    }

    /// The code, for `error: CODE: SUBJECT`.
    #[must_use]
    pub fn code(&self) -> Code {
        self.error.code
    }
}
