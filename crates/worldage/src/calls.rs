//! Calls from the host: an expression to a value, and which stages ran for it.

use crate::backend::Shard;
use crate::failure;
use crate::options::OptLevel;
use crate::session::{Inner, Session, SessionCompiler};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use worldage_cranelift::{CallError, Callee, Context};
use worldage_dispatch::{Symbol, Ty, World};
use worldage_engine::engine::DemandError;
use worldage_engine::events::Origin;
use worldage_engine::{Linking, Mi, Resolved, ShardId, Stage, ViewId, WorldGuard};
use worldage_wir::ast::{Expr, ExprKind, TypeExpr};
use worldage_wir::define::Intrinsic;
use worldage_wir::diag::{Code, Diagnostic};
use worldage_wir::env::resolve_type;
use worldage_wir::error::RunError;
use worldage_wir::ir::Failure;
use worldage_wir::syntax;
use worldage_wir::value::Value;

/// Where and how a call runs.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let old = CallOptions { world: Some(session.world()), ..CallOptions::default() };
/// session.define("g.wir", "noinline fn g(x) { 0 }", None).unwrap();
/// assert_eq!(session.call("f(20)", &old).shown(&session), "42");
/// assert_eq!(session.call("f(20)", &CallOptions::default()).shown(&session), "0");
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// The world; `None` is the newest.
    pub world: Option<World>,
    /// Raise the call from its world to the newest.
    pub latest: bool,
    /// The opt level; `None` is the session's.
    pub opt: Option<OptLevel>,
    /// The table on top of the view; `None` is the base alone.
    pub view: Option<String>,
}

/// What a call did.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let report = session.call("f(20)", &CallOptions::default());
/// assert_eq!(report.stages[0], (Stage::Infer, vec!["f(Int64)".into(), "g(Int64)".into()]));
/// assert_eq!((report.printed.as_str(), report.result.unwrap().as_int()), ("", Some(42)));
/// ```
#[derive(Debug)]
pub struct CallReport {
    /// The stages that ran with the names of the instances, sorted; `stored:` stands before those
    /// whose result came from the store. Stages that did not run are left out. Intrinsics never
    /// appear.
    pub stages: Vec<(Stage, Vec<String>)>,
    /// What the program printed, unless the session sends it somewhere.
    pub printed: String,
    /// The value, or why there is none.
    pub result: Result<Value, CallFailure>,
}

/// Why a call gave no value.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let failure = session.call("f(\"a\")", &CallOptions::default()).result.unwrap_err();
/// assert_eq!(failure.diagnostic.code, Code::NoMatchingMethod);
/// assert_eq!(failure.log_lines[1], "  called from g(String)");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.log_lines.first().map_or("", String::as_str))]
pub struct CallFailure {
    /// For people, with positions.
    pub diagnostic: Box<Diagnostic>,
    /// For logs: the error, candidates, the calls that led there; no positions.
    pub log_lines: Vec<String>,
}

impl CallReport {
    /// The value as `=>` shows it, or the first line of the failure.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let shown = |call: &str| session.call(call, &CallOptions::default()).shown(&session);
    /// assert_eq!(shown("f(1.5)"), "5.0");
    /// assert_eq!(shown("h()"), "error: no-matching-method: h() in world 1");
    /// ```
    pub fn shown(&self, session: &Session) -> String {
        match &self.result {
            Ok(value) => value.show(session.universe()).to_string(),
            Err(failure) => failure.to_string(),
        }
    }
}

thread_local! {
    /// What the running calls of this thread have printed, where no sink is set.
    static PRINTED: RefCell<String> = const { RefCell::new(String::new()) };
}

thread_local! {
    /// Whether what this thread's calls print is left out.
    static MUTED: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, what calls of this thread print is left out: runs that only measure.
pub(crate) struct Muted {
    before: bool,
}

impl Muted {
    pub(crate) fn begin() -> Muted {
        Muted {
            before: MUTED.replace(true),
        }
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        MUTED.set(self.before);
    }
}

/// Takes one line that a program printed.
pub(crate) fn print(session: &Inner, text: &str) {
    if MUTED.get() {
        return;
    }
    match &mut *session.print.lock() {
        Some(sink) => sink(text),
        None => PRINTED.with_borrow_mut(|printed| printed.push_str(text)),
    }
}

/// Where a call goes.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) world: World,
    pub(crate) view: ViewId,
    pub(crate) shard: ShardId,
}

pub(crate) type Failed = Box<RunError>;

impl Session {
    /// Calls what an expression says: `f(20, P(1, 2.5), "a")`. Its arguments are literals, signed
    /// numbers, tuples and calls of constructors.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let report = session.call("f(-3)", &CallOptions::default());
    /// assert_eq!(report.shown(&session), "-4");
    /// ```
    pub fn call(&self, expr: &str, options: &CallOptions) -> CallReport {
        match syntax::parse_call(expr) {
            Ok(expr) => self.report(options, |inner, route| inner.eval(route, &expr)),
            Err(error) => {
                let diagnostic = failure::of_text(&self.inner, error);
                failed_report(failure::of_diagnostic(diagnostic))
            }
        }
    }

    /// Calls a function with values.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let report = session.call_values("f", vec![Value::float(0.5)], &CallOptions::default());
    /// assert_eq!(report.shown(&session), "3.0");
    /// ```
    pub fn call_values(
        &self,
        function: &str,
        args: Vec<Value>,
        options: &CallOptions,
    ) -> CallReport {
        self.report(options, |inner, route| {
            inner.apply(route, inner.universe.types().symbol(function), &args)
        })
    }

    /// Calls a function with values and tells nothing but the value; which stages ran is in
    /// [`Session::take_stages`].
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let value = session.value_of("f", &[Value::int(20)], &CallOptions::default()).unwrap();
    /// assert_eq!(value.as_int(), Some(42));
    /// ```
    ///
    /// # Errors
    /// If the call fails.
    pub fn value_of(
        &self,
        function: &str,
        args: &[Value],
        options: &CallOptions,
    ) -> Result<Value, CallFailure> {
        let inner = &self.inner;
        let (_guard, route) = inner.route(options)?;
        let result = inner.apply(&route, inner.universe.types().symbol(function), args);
        inner.keep_events(inner.engine.take_log());
        result.map_err(|error| failure::of_run(inner, *error, route.world))
    }

    pub(crate) fn report(
        &self,
        options: &CallOptions,
        call: impl FnOnce(&Arc<Inner>, &Route) -> Result<Value, Failed>,
    ) -> CallReport {
        let inner = &self.inner;
        let (_guard, route) = match inner.route(options) {
            Ok(route) => route,
            Err(failure) => return failed_report(failure),
        };
        let before = PRINTED.with_borrow(String::len);
        let result = call(inner, &route);
        let printed = PRINTED.with_borrow_mut(|printed| printed.split_off(before));
        let stages = inner.take_stages();
        let result = result.map_err(|error| failure::of_run(inner, *error, route.world));
        CallReport {
            stages,
            printed,
            result,
        }
    }
}

fn failed_report(failure: CallFailure) -> CallReport {
    CallReport {
        stages: Vec::new(),
        printed: String::new(),
        result: Err(failure),
    }
}

impl Inner {
    /// Where a call with these options goes; its world is held as long as the guard lives.
    fn route(
        &self,
        options: &CallOptions,
    ) -> Result<(WorldGuard<'_, SessionCompiler>, Route), CallFailure> {
        let (view, shard) = self.compiled_for(options.view.as_deref(), options.opt)?;
        let world = if options.latest { None } else { options.world };
        let guard = self.engine.hold(world).map_err(|error| {
            let error = failure::of_demand(&error);
            failure::of_run(self, error, self.engine.world())
        })?;
        let route = Route {
            world: guard.world,
            view,
            shard,
        };
        Ok((guard, route))
    }

    /// The view with a table on top and the shard of an opt level over it; `None` is the base, and
    /// the session's level.
    pub(crate) fn compiled_for(
        &self,
        view: Option<&str>,
        opt: Option<OptLevel>,
    ) -> Result<(ViewId, ShardId), CallFailure> {
        let view = self.view_id(view).map_err(|failure| {
            let first = failure.diagnostics.into_iter().next().expect("never empty");
            failure::of_diagnostic(first)
        })?;
        Ok((view, self.shard(opt.unwrap_or(self.options.opt), view)))
    }

    /// Where a launch goes on a shard: into the view that this shard has.
    pub(crate) fn route_on(&self, route: &Route, shard: Shard) -> Route {
        let view = self.view_on(shard, route.view);
        Route { view, ..*route }
    }

    /// The stages that ran, by stage and name.
    pub(crate) fn take_stages(&self) -> Vec<(Stage, Vec<String>)> {
        let events = self.engine.take_log();
        let named = |stage: Stage| {
            let of_stage = events.iter().filter(|event| event.stage == stage);
            let visible = of_stage.filter(|event| !self.is_intrinsic(event.mi));
            let mut names: Vec<(String, bool)> = visible
                .map(|event| (self.engine.name(event.mi), event.origin == Origin::Stored))
                .collect();
            // What ran after all is not listed as stored too.
            names.sort();
            names.dedup_by(|later, earlier| later.0 == earlier.0);
            let shown = |(name, stored)| match stored {
                true => format!("stored:{name}"),
                false => name,
            };
            (stage, names.into_iter().map(shown).collect::<Vec<_>>())
        };
        let stages = [Stage::Infer, Stage::Codegen, Stage::Link].map(named);
        self.keep_events(events);
        stages
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .collect()
    }

    /// The value of a host's expression.
    fn eval(self: &Arc<Self>, route: &Route, expr: &Expr) -> Result<Value, Failed> {
        Ok(match &expr.kind {
            ExprKind::Int(x) => Value::int(*x),
            ExprKind::Float(x) => Value::float(*x),
            ExprKind::Bool(x) => Value::bool(*x),
            ExprKind::Str(s) => Value::Str(Arc::clone(s)),
            ExprKind::Nothing => Value::Nothing,
            ExprKind::Tuple(items) => Value::tuple(&self.universe, self.eval_all(route, items)?),
            ExprKind::Name(name) => {
                let function = self.universe.types().symbol(name);
                Value::Function(function)
            }
            ExprKind::Call(call) => {
                let args = self.eval_all(route, call.args())?;
                let ExprKind::Name(name) = &call.callee().kind else {
                    return Err(not_a_host_expression());
                };
                self.apply(route, self.universe.types().symbol(name), &args)?
            }
            ExprKind::New(new) => {
                let args = self.eval_all(route, &new.args)?;
                self.construct(route, &new.ty, args)?
            }
            _ => return Err(not_a_host_expression()),
        })
    }

    fn eval_all(self: &Arc<Self>, route: &Route, exprs: &[Expr]) -> Result<Vec<Value>, Failed> {
        exprs.iter().map(|expr| self.eval(route, expr)).collect()
    }

    /// `P{A, B}(x, …)`: the fields must fit, nothing is converted.
    fn construct(
        self: &Arc<Self>,
        route: &Route,
        ty: &TypeExpr,
        args: Vec<Value>,
    ) -> Result<Value, Failed> {
        let scope = crate::edits::WorldTypes {
            session: self,
            world: route.world,
        };
        let resolved = resolve_type(&self.universe, &scope, &[], ty);
        let resolved = resolved.map_err(|error| {
            let mut failed = RunError::new(error.code, error.message);
            failed.subject = error.subject;
            Box::new(failed)
        })?;
        let fields = self.universe.fields(resolved);
        let fits = fields.is_some_and(|fields| {
            fields.tys.len() == args.len()
                && fields
                    .tys
                    .iter()
                    .zip(&args)
                    .all(|(ty, arg)| self.universe.types().subtype(arg.ty(&self.universe), *ty))
        });
        if fits {
            return Ok(Value::record(resolved, args));
        }
        let types = self.universe.types();
        let name = types.display(resolved).to_string();
        Err(Box::new(failure::no_method(
            self,
            &name,
            &self.types_of(&args),
        )))
    }

    pub(crate) fn types_of(&self, args: &[Value]) -> Vec<Ty> {
        args.iter().map(|arg| arg.ty(&self.universe)).collect()
    }

    /// Calls a function with values on their types.
    fn apply(
        self: &Arc<Self>,
        route: &Route,
        function: Symbol,
        args: &[Value],
    ) -> Result<Value, Failed> {
        let tys = self.types_of(args);
        let types = self.universe.types();
        let tuple = types.tuple(&tys);
        let mi = match self.engine.lookup(function, tuple, route.view, route.world) {
            Resolved::Method(mi) => mi,
            Resolved::NoMethod => {
                let failure = Failure::NoMethod(function, tuple);
                return Err(Box::new(failure::of_failure(
                    self,
                    route.view,
                    route.world,
                    &failure,
                )));
            }
            Resolved::Ambiguous(_) => {
                let failure = Failure::Ambiguous(function, tuple);
                return Err(Box::new(failure::of_failure(
                    self,
                    route.view,
                    route.world,
                    &failure,
                )));
            }
        };
        match self.constructor(mi, args) {
            Some(value) => Ok(value),
            None => self.run(route, mi, args),
        }
    }

    /// What a default constructor makes, without any stage.
    fn constructor(&self, mi: Mi, args: &[Value]) -> Option<Value> {
        let key = self.engine.key(mi);
        let number = self.engine.method(key.method).intrinsic?;
        let Intrinsic::Constructor(decl) = Intrinsic::from_number(number) else {
            return None;
        };
        let sig = self.engine.method(key.method).sig;
        let types = self.universe.types();
        let bindings = worldage_dispatch::sig_bindings(types, key.args, &sig)?;
        let ty = types.nominal(decl, &bindings).ok()?;
        Some(Value::record(ty, args.to_vec()))
    }

    fn run(self: &Arc<Self>, route: &Route, mi: Mi, args: &[Value]) -> Result<Value, Failed> {
        self.in_context(route, mi, |context, callee| {
            context.call(route.world.0, callee, args)
        })
    }

    /// Brings an instance up to date and enters it by `enter`, in a context of its shard.
    pub(crate) fn in_context<R>(
        self: &Arc<Self>,
        route: &Route,
        mi: Mi,
        enter: impl FnOnce(&mut Context, &Callee) -> Result<R, CallError>,
    ) -> Result<R, Failed> {
        let callee = self.callee(mi, route.shard, route.world);
        let callee = callee.map_err(|error: DemandError| Box::new(failure::of_demand(&error)))?;
        let live = self.engine.linking() == Linking::Live && route.world == self.engine.world();
        let key = (route.shard, live);
        let context = self.context(key);
        let mut context = context.map_err(|error| Box::new(failure::no_stack(&error)))?;
        if live {
            self.following.lock().push((mi, route.shard));
        }
        let result = enter(&mut context, &callee);
        if live {
            let mut following = self.following.lock();
            let own = following
                .iter()
                .rposition(|running| *running == (mi, route.shard));
            following.swap_remove(own.expect("pushed before the call"));
        }
        self.give_back(key, context);
        result.map_err(|error| Box::new(failure::of_call(self, route.view, route.world, error)))
    }
}

fn not_a_host_expression() -> Failed {
    let message = "a host's call has literals, signed numbers, tuples and constructor calls only";
    Box::new(RunError::new(Code::Syntax, message))
}
