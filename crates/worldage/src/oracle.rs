//! The interpreter with a session's questions: the oracle of every other engine.
//!
//! Each edit is applied to a program that is built from scratch, so an answer never depends on
//! what was cached.

use crate::edits::{EditFailure, unresolved};
use std::sync::Arc;
use worldage_dispatch::World;
use worldage_wir::ast::{ExprKind, Item};
use worldage_wir::compiler::external_literal;
use worldage_wir::device::overlay::Overlay;
use worldage_wir::diag::{Diagnostic, FileId, LineCol, Place, Sources};
use worldage_wir::env::resolve_sig;
use worldage_wir::error::RunError;
use worldage_wir::interp::Program;
use worldage_wir::schedule::Schedule;
use worldage_wir::syntax;
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

/// A program under edits, run by the interpreter.
///
/// ```
/// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
/// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
/// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
/// let (printed, result) = oracle.call("f(41)", None, None);
/// assert_eq!((printed.as_str(), result.unwrap().as_int()), ("", Some(42)));
/// ```
pub struct InterpreterSession {
    program: Program,
    sources: Sources,
    /// The program as of every world, the first edit's at 0.
    worlds: Vec<Program>,
    tables: Vec<String>,
}

impl InterpreterSession {
    /// An empty session over a universe.
    ///
    /// ```
    /// use worldage::{Session, SessionOptions, oracle::InterpreterSession};
    /// let session = Session::new(SessionOptions::default()).unwrap();
    /// // Over the types of a session, whose answers it is compared with.
    /// let oracle = InterpreterSession::new(session.universe().clone());
    /// assert!(oracle.call("f()", None, None).1.is_err());
    /// ```
    #[must_use]
    pub fn new(universe: Arc<Universe>) -> InterpreterSession {
        InterpreterSession {
            program: Program::new(universe),
            sources: Sources::default(),
            worlds: Vec::new(),
            tables: Overlay::ALL.map(|overlay| overlay.name().to_owned()).into(),
        }
    }

    fn commit(&mut self) {
        self.worlds.push(self.program.clone());
    }

    /// Defines what a text says; one world, if it says anything.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// assert!(oracle.define("g.wir", "fn g() { f(1) }", None).is_ok());
    /// assert!(oracle.define("g.wir", "fn g( {", None).is_err());
    /// ```
    ///
    /// # Errors
    /// What is wrong with it; nothing changes.
    pub fn define(
        &mut self,
        file_name: &str,
        text: &str,
        table: Option<&str>,
    ) -> Result<(), EditFailure> {
        self.edit(file_name, text, |program, items, file| {
            let result = program.define(table, items, file);
            result.map_err(|error| unresolved(error.error))
        })
    }

    /// Reads a text and changes the program by what it defines; one world.
    pub(crate) fn edit(
        &mut self,
        file_name: &str,
        text: &str,
        change: impl FnOnce(&mut Program, &[Item], FileId) -> Result<(), EditFailure>,
    ) -> Result<(), EditFailure> {
        let file = self.sources.add(file_name, text);
        let parsed = syntax::parse_file(&self.sources, file);
        if parsed.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(EditFailure {
                diagnostics: parsed.diagnostics,
            });
        }
        change(&mut self.program, &parsed.file.items, file)?;
        if !parsed.file.items.is_empty() {
            self.commit();
        }
        Ok(())
    }

    /// Deletes a method; one world.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// assert!(oracle.delete("f(Any)", None).is_ok());
    /// assert!(oracle.delete("f(Any)", None).is_err());
    /// ```
    ///
    /// # Errors
    /// If the signature is wrong or there is no such method.
    pub fn delete(&mut self, sig: &str, table: Option<&str>) -> Result<(), EditFailure> {
        let expr = syntax::parse_sig(sig).map_err(|error| EditFailure::of(*error.diagnostic))?;
        let name = expr.name.clone();
        let def = crate::edits::method_of(expr);
        let scope = self.program.types();
        let sig = resolve_sig(self.program.universe(), scope, &def).map_err(unresolved)?;
        if !self.program.delete(table, &name, &sig) {
            let code = worldage_wir::diag::Code::NoSuchMethod;
            return Err(EditFailure::of(Diagnostic::error(code, "no such method")));
        }
        self.commit();
        Ok(())
    }

    /// Sets an external fact; one world.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// oracle.define("g.wir", "fn g() { external(\"rate\") }", None).unwrap();
    /// oracle.set_external("rate", "7");
    /// assert_eq!(oracle.call("g()", None, None).1.unwrap().as_int(), Some(7));
    /// ```
    pub fn set_external(&mut self, key: &str, value: &str) {
        let value = match external_literal(value) {
            ExprKind::Int(x) => Value::int(x),
            ExprKind::Float(x) => Value::float(x),
            ExprKind::Bool(x) => Value::bool(x),
            ExprKind::Str(s) => Value::Str(s),
            _ => Value::Nothing,
        };
        self.program.set_external(key, value);
        self.commit();
    }

    /// Makes a table; no world.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// oracle.table("other", None);
    /// oracle.define("f.wir", "fn f(x) { 0 }", Some("other")).unwrap();
    /// assert_eq!(oracle.call("f(1)", None, Some("other")).1.unwrap().as_int(), Some(0));
    /// ```
    pub fn table(&mut self, name: &str, over: Option<&str>) {
        self.tables.push(name.to_owned());
        self.program.add_table(name, over);
        for program in &mut self.worlds {
            program.add_table(name, over);
        }
    }

    /// The newest world: how many edits there were.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// assert_eq!(oracle.world().0, 1);
    /// ```
    #[must_use]
    pub fn world(&self) -> World {
        World(self.worlds.len() as u64)
    }

    /// The types that the program's values live in.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// let value = oracle.call("f(1)", None, None).1.unwrap();
    /// assert_eq!(value.show(oracle.universe()).to_string(), "2");
    /// ```
    pub fn universe(&self) -> &Universe {
        self.program.universe()
    }

    /// An error with its places.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// let error = oracle.call("f(\"a\")", None, None).1.unwrap_err();
    /// assert!(oracle.diagnostic(&error).place.is_some());
    /// ```
    pub fn diagnostic(&self, error: &RunError) -> Diagnostic {
        error.to_diagnostic(|site| self.program.place(site))
    }

    /// Where a place stands, for people.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// let error = oracle.call("f(\"a\")", None, None).1.unwrap_err();
    /// let at = oracle.line_col(oracle.diagnostic(&error).place.unwrap());
    /// assert_eq!((at.line, at.col), (1, 11));
    /// ```
    pub fn line_col(&self, place: Place) -> LineCol {
        self.sources.line_col(place.file, place.span.lo)
    }

    /// Evaluates a host's expression in a world (`None`: the newest): what it prints, and its
    /// value or error.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// let (_, result) = oracle.call("f(1.5)", None, None);
    /// assert_eq!(result.unwrap().show(oracle.universe()).to_string(), "2.5");
    /// ```
    pub fn call(
        &self,
        expr: &str,
        world: Option<World>,
        view: Option<&str>,
    ) -> (String, Result<Value, Box<RunError>>) {
        let program = match world {
            Some(world) if world.0 >= 1 => self.worlds.get(world.0 as usize - 1),
            _ => None,
        };
        let program = program.unwrap_or(&self.program);
        let mut printed = String::new();
        if let Err(error) = self.check_view(view) {
            return (printed, Err(error));
        }
        let expr = match syntax::parse_call(expr) {
            Ok(expr) => expr,
            Err(error) => {
                let diagnostic = error.diagnostic;
                return (
                    printed,
                    Err(Box::new(RunError::new(diagnostic.code, diagnostic.message))),
                );
            }
        };
        let mut print = |text: &str| printed.push_str(text);
        let result = if std::ptr::eq(program, &self.program) {
            program.eval(view, &expr, &mut print)
        } else {
            let newest = (&self.program, self.worlds.len() as u64);
            program.eval_before(newest, view, &expr, &mut print)
        };
        (printed, result)
    }

    /// Runs a kernel on every work-item of a grid in the newest world; arrays among the arguments
    /// are changed in place. What it prints, and its first error.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// oracle.define("k.wir", "kernel fn k(n: Int64) { div(1, n) }", None).unwrap();
    /// let grid = worldage::Grid { global: [1, 1, 1], local: [1, 1, 1] };
    /// assert!(oracle.launch("k", &[worldage::Value::int(1)], grid).1.is_ok());
    /// assert!(oracle.launch("k", &[worldage::Value::int(0)], grid).1.is_err());
    /// ```
    pub fn launch(
        &self,
        kernel: &str,
        args: &[Value],
        grid: crate::Grid,
    ) -> (String, Result<(), Box<RunError>>) {
        self.launch_in(kernel, args, grid, &Schedule::default(), None)
    }

    /// As [`InterpreterSession::launch`], in a schedule and a view.
    ///
    /// ```
    /// # let mut oracle = worldage::oracle::InterpreterSession::new(std::sync::Arc::new(worldage::Universe::new()));
    /// let text = "kernel fn k(n: Int64) { tune(a, [1, 2])\n div(n, a - 2) }";
    /// oracle.define("k.wir", text, None).unwrap();
    /// let grid = worldage::Grid { global: [1, 1, 1], local: [1, 1, 1] };
    /// let launch = |schedule: &str| {
    ///     let schedule = schedule.parse().unwrap();
    ///     oracle.launch_in("k", &[worldage::Value::int(1)], grid, &schedule, None).1
    /// };
    /// assert!(launch("a=1").is_ok() && launch("a=2").is_err());
    /// ```
    pub fn launch_in(
        &self,
        kernel: &str,
        args: &[Value],
        grid: crate::Grid,
        schedule: &Schedule,
        view: Option<&str>,
    ) -> (String, Result<(), Box<RunError>>) {
        let mut printed = String::new();
        let grid = worldage_wir::interp::Grid {
            global: grid.global,
            local: grid.local,
        };
        let result = crate::launch::check_grid(crate::Grid {
            global: grid.global,
            local: grid.local,
        });
        let result = result.and_then(|()| self.check_view(view));
        let result = result.and_then(|()| {
            let print = &mut |text: &str| printed.push_str(text);
            let grid = (grid, schedule);
            self.program.launch(view, kernel, args, grid, print)
        });
        (printed, result)
    }

    fn check_view(&self, view: Option<&str>) -> Result<(), Box<RunError>> {
        match view.filter(|view| !self.tables.iter().any(|table| table == view)) {
            None => Ok(()),
            Some(view) => {
                let message = format!("there is no table `{view}`");
                let error = RunError::new(worldage_wir::diag::Code::UnknownName, message);
                Err(Box::new(error.subject(view)))
            }
        }
    }

    /// An error as text for people, with positions and carets.
    ///
    /// ```
    /// # use worldage::{oracle::InterpreterSession, wir::universe::Universe};
    /// # let mut oracle = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    /// # oracle.define("f.wir", "fn f(x) { x + 1 }", None).unwrap();
    /// let error = oracle.call("f(\"a\")", None, None).1.unwrap_err();
    /// assert!(oracle.render(&error).starts_with("f.wir:1:11: error[no-matching-method]"));
    /// ```
    pub fn render(&self, error: &RunError) -> String {
        crate::failure::for_people(&self.diagnostic(error)).render(&self.sources)
    }
}
