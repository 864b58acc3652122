//! Edits from text: each makes one world, or diagnostics and no change.

use crate::session::{Inner, NamedTable, Session};
use rustc_hash::FxHashSet;
use std::sync::Arc;
use worldage_dispatch::{MethodId, Sig, Symbol, World, ambiguities, display_sig};
use worldage_engine::{ChangeKind, Commit, Committed, Edit, EditError, TableId, ViewId};
use worldage_wir::ast::{Block, Inlining, Item, MethodDef, Name, NodeId, Param};
use worldage_wir::compiler::external_fact;
use worldage_wir::define::{Plan, Shown, Written};
use worldage_wir::diag::{Code, Diagnostic, FileId};
use worldage_wir::env::{ResolveError, TypeScope, resolve_sig};
use worldage_wir::error::Site;
use worldage_wir::source::Source;
use worldage_wir::syntax::{self, SigExpr};

/// What an edit did.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let edit = session.define("h.wir", "fn h() { f(1) }\nfn g(x: Int64) { 0 }", None).unwrap();
/// assert_eq!(edit.lines, ["+ g(Int64)", "+ h()"]);
/// assert_eq!((edit.world, edit.warnings.len()), (World(2), 0));
/// ```
#[derive(Clone, Debug)]
pub struct EditReport {
    /// The world that it made.
    pub world: World,
    /// One line per change, sorted: `+ f(Int64)`, `~ g(Int64) in gpu`, `- h()`, `+ struct P`.
    pub lines: Vec<String>,
    /// What the author should look at: methods that are ambiguous together.
    pub warnings: Vec<Diagnostic>,
    /// The texts that were read for it, in their order.
    pub files: Vec<FileId>,
}

impl EditReport {
    fn of(world: World, lines: Vec<String>) -> EditReport {
        let number = world.0;
        tracing::info!(target: "worldage::edit", "world {number}: {}", lines.join(", "));
        EditReport {
            world,
            lines,
            warnings: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// Why an edit was refused; the session is as before.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let failure = session.define("h.wir", "fn h(x: Nope) { x }", None).unwrap_err();
/// assert_eq!(failure.diagnostics.len(), 1);
/// assert_eq!(session.world(), World(1));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.log_line())]
pub struct EditFailure {
    /// What is wrong; never empty.
    pub diagnostics: Vec<Diagnostic>,
}

impl EditFailure {
    /// `error: CODE: SUBJECT`, of the first diagnostic.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let failure = session.define("h.wir", "fn h(x: Nope) { x }", None).unwrap_err();
    /// assert_eq!(failure.log_line(), "error: unknown-type: Nope");
    /// ```
    pub fn log_line(&self) -> String {
        let first = &self.diagnostics[0];
        match &first.subject {
            Some(subject) => format!("error: {}: {subject}", first.code),
            None => format!("error: {}", first.code),
        }
    }

    pub(crate) fn of(diagnostic: Diagnostic) -> EditFailure {
        EditFailure {
            diagnostics: vec![diagnostic],
        }
    }
}

impl Session {
    /// Defines what a Wir text says, in the base table or a named one.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("types.wir", "struct P { x: Int64 }\nfn h(p: P) { f(p.x) }", None).unwrap();
    /// assert_eq!(session.call("h(P(20))", &CallOptions::default()).shown(&session), "42");
    /// ```
    ///
    /// # Errors
    /// [`EditFailure`] with everything that is wrong with it.
    pub fn define(
        &self,
        file_name: &str,
        text: &str,
        table: Option<&str>,
    ) -> Result<EditReport, EditFailure> {
        self.define_bytes(file_name, text.as_bytes().to_vec(), table)
    }

    /// Like [`Session::define`], from what was read from a file.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// assert!(session.define_bytes("h.wir", b"fn h() { 1 }".to_vec(), None).is_ok());
    /// let failure = session.define_bytes("h.wir", vec![0xff], None).unwrap_err();
    /// assert_eq!(failure.log_line(), "error: invalid-utf8");
    /// ```
    ///
    /// # Errors
    /// As [`Session::define`]; also if the bytes are not UTF-8.
    pub fn define_bytes(
        &self,
        file_name: &str,
        bytes: Vec<u8>,
        table: Option<&str>,
    ) -> Result<EditReport, EditFailure> {
        self.define_in(vec![(file_name.to_string(), bytes)], table)
    }

    /// Defines what several files say, as one edit.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let file = |name: &str, text: &str| (name.to_string(), text.as_bytes().to_vec());
    /// let edit = session.define_files(vec![file("a.wir", "fn a() { b() }"), file("b.wir", "fn b() { 1 }")]);
    /// assert_eq!(edit.unwrap().world, World(2));
    /// ```
    ///
    /// # Errors
    /// As [`Session::define`].
    pub fn define_files(&self, files: Vec<(String, Vec<u8>)>) -> Result<EditReport, EditFailure> {
        self.define_in(files, None)
    }

    fn define_in(
        &self,
        files: Vec<(String, Vec<u8>)>,
        table: Option<&str>,
    ) -> Result<EditReport, EditFailure> {
        let table = self.inner.table_id(table)?;
        self.edit_text(files, |written, items| written.plan(items, table))
    }

    /// Makes the program of the base table exactly what these files say, as one edit: a method or
    /// type that they lack is deleted, one that is as before is not touched. Where nothing
    /// changes there is no edit and no new world.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let text = "noinline fn g(x) { x + 1 }\nfn h(x) { g(x) }";
    /// let edit = session.replace_program(vec![("f.wir".into(), text.into())]).unwrap();
    /// assert_eq!(edit.lines, ["- f(Any)", "+ h(Any)"]);
    /// ```
    ///
    /// # Errors
    /// As [`Session::define`].
    pub fn replace_program(
        &self,
        files: Vec<(String, Vec<u8>)>,
    ) -> Result<EditReport, EditFailure> {
        self.edit_text(files, Written::plan_program)
    }

    /// Reads files, plans an edit from what they define, and commits it.
    pub(crate) fn edit_text(
        &self,
        files: Vec<(String, Vec<u8>)>,
        plan: impl FnOnce(&Written, &[(FileId, &Item)]) -> Result<Plan, Vec<Diagnostic>>,
    ) -> Result<EditReport, EditFailure> {
        let inner = &*self.inner;
        let (parsed, mut warnings) = inner.parse(files)?;
        let items: Vec<(FileId, &Item)> = parsed
            .iter()
            .flat_map(|(file, items)| items.iter().map(|item| (*file, item)))
            .collect();
        let mut written = inner.written.lock();
        let plan = plan(&written, &items).map_err(|diagnostics| EditFailure { diagnostics })?;
        let (world, changes) = if plan.edit.is_empty() {
            (inner.engine.world(), Vec::new())
        } else {
            let commit = inner.commit(plan.edit)?;
            written.apply(plan.after);
            (commit.world, commit.changes)
        };
        drop(written);
        inner.settle_following();
        let mut lines = Vec::new();
        let mut places = inner.places.write();
        for (change, shown) in changes.iter().zip(&plan.shown) {
            if let (Committed::Method { method, .. }, Shown::Method { file, spans, .. }) =
                (change, shown)
            {
                places.set(*method, world, *file, Arc::clone(spans));
            } else if let Committed::Method { change, method, .. } = change
                && *change == ChangeKind::Deleted
            {
                places.end(*method, world);
            }
            if !matches!(shown, Shown::Hidden | Shown::Method { moved: true, .. }) {
                lines.extend(inner.line(change, shown));
            }
        }
        for method in &plan.unchanged {
            let (engine, base) = (&inner.engine, TableId::BASE);
            let id = engine.find_method(base, method.function, &method.sig, world);
            if let Some(id) = id {
                places.set(id, world, method.file, Arc::clone(&method.spans));
            }
        }
        places.expire(inner.engine.oldest_callable());
        drop(places);
        for (ix, change) in changes.iter().enumerate() {
            let later = &changes[ix + 1..];
            warnings.extend(inner.ambiguity_warnings(change, later, world));
        }
        sort_lines(&mut lines);
        let files = parsed.iter().map(|(file, _)| *file).collect();
        Ok(EditReport {
            warnings,
            files,
            ..EditReport::of(world, lines)
        })
    }

    /// Deletes the method with exactly this signature: `f(Int64, Vararg{T}) where T <: Number`.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let edit = session.delete("f(Any)", None).unwrap();
    /// assert_eq!(edit.lines, ["- f(Any)"]);
    /// assert_eq!(session.delete("f(Any)", None).unwrap_err().log_line(), "error: no-such-method: f(Any) in world 2");
    /// ```
    ///
    /// # Errors
    /// If there is none, or the signature is wrong.
    pub fn delete(&self, sig: &str, table: Option<&str>) -> Result<EditReport, EditFailure> {
        let inner = &*self.inner;
        let named = table;
        let table = inner.table_id(table)?;
        let (function, sig) = inner.parse_sig(sig, None)?;
        let world = inner.engine.world();
        let found = inner.engine.find_method(table, function, &sig, world);
        let user = found.filter(|method| inner.engine.method(*method).intrinsic.is_none());
        if user.is_none() {
            let name = inner.universe.types().symbol_str(function);
            let text = display_sig(inner.universe.types(), name, &sig);
            let place = named.map_or(String::new(), |table| format!(" in table {table}"));
            return Err(EditFailure::of(
                Diagnostic::error(
                    Code::NoSuchMethod,
                    format!("no method has the signature {text}{place}"),
                )
                .subject(format!("{text} in world {world}"))
                .hint("a deletion names the signature exactly as it was defined"),
            ));
        }
        let mut edit = Edit::new();
        edit.delete(table, function, sig.clone());
        let commit = inner.commit(edit)?;
        inner.written.lock().deleted(table, function, &sig);
        inner.settle_following();
        inner
            .places
            .write()
            .end(user.expect("found above"), commit.world);
        let lines = commit
            .changes
            .iter()
            .filter_map(|change| inner.line(change, &NO_SHOWN));
        Ok(EditReport::of(commit.world, lines.collect()))
    }

    /// Sets the external fact that a program reads as `external("KEY")`; the value is a literal
    /// as on the command line, or a quoted string.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("h.wir", "fn h() { external(\"rate\") * 2 }", None).unwrap();
    /// session.set_external("rate", "21").unwrap();
    /// assert_eq!(session.call("h()", &CallOptions::default()).shown(&session), "42");
    /// ```
    ///
    /// # Errors
    /// Never today; edits share one error type.
    pub fn set_external(&self, key: &str, value: &str) -> Result<EditReport, EditFailure> {
        let inner = &*self.inner;
        let mut edit = Edit::new();
        edit.external(external_fact(key), Some(value.as_bytes().into()));
        let commit = inner.commit(edit)?;
        inner.settle_following();
        let lines = commit
            .changes
            .iter()
            .filter_map(|change| inner.line(change, &NO_SHOWN));
        Ok(EditReport::of(commit.world, lines.collect()))
    }

    /// Makes a table over another one, over the base if none is named. No new world.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.table("exact", None).unwrap();
    /// session.define("g.wir", "fn g(x) { x }", Some("exact")).unwrap();
    /// let exact = CallOptions { view: Some("exact".into()), ..CallOptions::default() };
    /// assert_eq!(session.call("f(20)", &exact).shown(&session), "40");
    /// assert_eq!(session.call("f(20)", &CallOptions::default()).shown(&session), "42");
    /// ```
    ///
    /// # Errors
    /// If the table below is unknown, or the name is taken.
    pub fn table(&self, name: &str, over: Option<&str>) -> Result<(), EditFailure> {
        let inner = &*self.inner;
        let mut stack = match over {
            Some(over) => inner.named(over)?.stack,
            None => Vec::new(),
        };
        let mut tables = inner.tables.write();
        if tables.contains_key(name) || name == "base" {
            return Err(EditFailure::of(
                Diagnostic::error(
                    Code::DuplicateDefinition,
                    format!("there is a table `{name}` already"),
                )
                .subject(name)
                .hint("choose another name"),
            ));
        }
        let id = inner.engine.table(name);
        stack.insert(0, id);
        let view = inner.engine.view(&stack);
        tables.insert(name.to_string(), NamedTable { id, view, stack });
        Ok(())
    }
}

const NO_SHOWN: Shown = Shown::Hidden;

fn refused(error: &EditError) -> EditFailure {
    EditFailure::of(Diagnostic::error(Code::NoSuchMethod, error.to_string()))
}

/// Sorted by what stands after the mark.
fn sort_lines(lines: &mut [String]) {
    lines.sort_by(|a, b| a[2..].cmp(&b[2..]));
}

/// The items of every file.
type Parsed = Vec<(FileId, Vec<Item>)>;

impl Inner {
    fn commit(&self, edit: Edit<Source>) -> Result<Commit, EditFailure> {
        self.engine.commit(edit).map_err(|error| refused(&error))
    }

    /// Parses files; what the parser warns of stands beside.
    fn parse(
        &self,
        files: Vec<(String, Vec<u8>)>,
    ) -> Result<(Parsed, Vec<Diagnostic>), EditFailure> {
        let (mut parsed, mut diagnostics) = (Vec::new(), Vec::new());
        let mut places = self.places.write();
        places.trim();
        for (name, bytes) in files {
            let file = places.add_text(name, bytes);
            let result = syntax::parse_file(&places.sources, file);
            diagnostics.extend(result.diagnostics);
            parsed.push((file, result.file.items));
        }
        match diagnostics.iter().any(Diagnostic::is_error) {
            true => Err(EditFailure { diagnostics }),
            false => Ok((parsed, diagnostics)),
        }
    }

    /// The table of this name.
    pub(crate) fn named(&self, name: &str) -> Result<NamedTable, EditFailure> {
        self.tables.read().get(name).cloned().ok_or_else(|| {
            EditFailure::of(
                Diagnostic::error(Code::UnknownName, format!("there is no table `{name}`"))
                    .subject(name)
                    .hint("declare it first: table NAME [over NAME]"),
            )
        })
    }

    pub(crate) fn table_id(&self, name: Option<&str>) -> Result<TableId, EditFailure> {
        match name {
            None | Some("base") => Ok(TableId::BASE),
            Some(name) => Ok(self.named(name)?.id),
        }
    }

    /// The view of a table name; the base alone for `None`.
    pub(crate) fn view_id(&self, name: Option<&str>) -> Result<ViewId, EditFailure> {
        match name {
            None | Some("base") => Ok(self.engine.view(&[])),
            Some(name) => Ok(self.named(name)?.view),
        }
    }

    /// A signature as text, resolved in the newest world or an older one.
    pub(crate) fn parse_sig(
        &self,
        text: &str,
        world: Option<World>,
    ) -> Result<(Symbol, Sig), EditFailure> {
        let expr = syntax::parse_sig(text)
            .map_err(|error| EditFailure::of(crate::failure::of_text(self, error)))?;
        let function = self.universe.types().symbol(&expr.name);
        let def = method_of(expr);
        let scope = WorldTypes {
            session: self,
            world: world.unwrap_or(self.engine.world()),
        };
        let sig = resolve_sig(&self.universe, &scope, &def).map_err(unresolved)?;
        Ok((function, sig))
    }

    /// The line of one change in a log.
    fn line(&self, change: &Committed, shown: &Shown) -> Option<String> {
        let mark = |change: ChangeKind| match change {
            ChangeKind::Inserted => '+',
            ChangeKind::Replaced => '~',
            ChangeKind::Deleted => '-',
        };
        match (change, shown) {
            (
                Committed::Method {
                    change,
                    sig,
                    function,
                    table,
                    ..
                },
                Shown::Method { .. },
            )
            | (
                Committed::Method {
                    change: change @ ChangeKind::Deleted,
                    sig,
                    function,
                    table,
                    ..
                },
                Shown::Hidden | Shown::MethodGone,
            ) => {
                let types = self.universe.types();
                let name = display_sig(types, types.symbol_str(*function), sig);
                let mark = mark(*change);
                Some(match *table {
                    TableId::BASE => format!("{mark} {name}"),
                    table => format!("{mark} {name} in {}", self.engine.table_name(table)),
                })
            }
            (Committed::External { .. }, Shown::Type { keyword, name, new }) => {
                Some(format!("{} {keyword} {name}", if *new { '+' } else { '~' }))
            }
            (Committed::External { .. }, Shown::TypeGone(keyword, name)) => {
                Some(format!("- {keyword} {name}"))
            }
            // A default constructor came back in its place.
            (Committed::Method { sig, function, .. }, Shown::MethodGone) => {
                let types = self.universe.types();
                let name = display_sig(types, types.symbol_str(*function), sig);
                Some(format!("- {name}"))
            }
            (Committed::External { change, key }, Shown::Hidden) if key.kind == "external" => {
                Some(format!("{} external {}", mark(*change), key.name))
            }
            _ => None,
        }
    }

    /// Methods with which a new one is ambiguous; of two new ones the later says so.
    fn ambiguity_warnings(
        &self,
        change: &Committed,
        later: &[Committed],
        world: World,
    ) -> Vec<Diagnostic> {
        let Committed::Method {
            change: ChangeKind::Inserted,
            sig,
            function,
            table,
            method,
        } = change
        else {
            return Vec::new();
        };
        let types = self.universe.types();
        let name = types.symbol_str(*function);
        let found = self.engine.with_methods(*table, *function, |methods| {
            methods.map_or(Vec::new(), |methods| {
                ambiguities(types, methods, sig, world)
            })
        });
        if found.is_empty() {
            return Vec::new();
        }
        let later: FxHashSet<MethodId> = later
            .iter()
            .filter_map(|change| match change {
                Committed::Method { method, .. } => Some(*method),
                Committed::External { .. } => None,
            })
            .collect();
        let site = Site {
            method: *method,
            node: NodeId(0),
        };
        let place = self.place(site, world);
        let warn = |ambiguity: worldage_dispatch::Ambiguity| {
            let other = self.engine.method_name(ambiguity.b, world);
            let new = display_sig(types, name, sig);
            let resolved = display_sig(types, name, &ambiguity.resolved_by);
            let mut warning = Diagnostic::warning(
                Code::AmbiguousCall,
                format!("{new} and {other} are ambiguous: some calls match both"),
            )
            .hint(format!("define {resolved}"));
            warning.place = place;
            warning
        };
        let found = found.into_iter().filter(|found| !later.contains(&found.b));
        found.map(warn).collect()
    }
}

pub(crate) fn unresolved(error: ResolveError) -> EditFailure {
    let mut diagnostic = Diagnostic::error(error.code, error.message);
    diagnostic.subject = error.subject;
    diagnostic.hint = error.hint;
    EditFailure::of(diagnostic)
}

/// The types of a world.
pub(crate) struct WorldTypes<'a> {
    pub(crate) session: &'a Inner,
    pub(crate) world: World,
}

impl TypeScope for WorldTypes<'_> {
    fn decl(&self, name: &str) -> Option<worldage_dispatch::DeclId> {
        let fact = worldage_wir::define::type_fact(name);
        let value = self.session.engine.external(&fact, self.world)?;
        worldage_wir::define::decl_of_bytes(&value)
    }
}

/// A signature as a method without a body, so that it is resolved like one.
pub(crate) fn method_of(sig: SigExpr) -> MethodDef {
    let id = NodeId(0);
    let param = |(ix, ty)| {
        let name: Name = format!("x{ix}").into();
        Param {
            id,
            name,
            ty: Some(ty),
        }
    };
    MethodDef {
        id,
        name: sig.name,
        params: sig.params.into_iter().enumerate().map(param).collect(),
        vars: sig.vars,
        ret: None,
        inlining: Inlining::Auto,
        kernel: false,
        body: Block {
            id,
            stmts: Vec::new(),
        },
    }
}
