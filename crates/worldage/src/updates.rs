//! An edit and what it makes of compiled code: what it invalidates, brought up to date at once.

use crate::backend::{Scheduled, Shard};
use crate::edits::{EditFailure, EditReport};
use crate::session::{Inner, Session};
use rustc_hash::FxHashSet;
use std::time::Instant;
use worldage_dispatch::Symbol;
use worldage_engine::engine::DemandError;
use worldage_engine::events::Origin;
use worldage_engine::{Explanation, Mi, ShardId, Stage, TableId, ViewId};
use worldage_wir::diag::{Code, Diagnostic};

/// What an edit did to the compiled instances of a shard.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// session.compile("f(Int64)").unwrap();
/// let update = session.update(None, |session| session.define("g.wir", "noinline fn g(x) { x }", None)).unwrap();
/// assert_eq!((update.ran, update.reused), ([1, 1, 2], 0));
/// ```
#[derive(Clone, Debug)]
pub struct Update {
    /// The edit.
    pub edit: EditReport,
    /// What happened to each instance that it invalidated, sorted by name.
    pub explanations: Vec<Explanation>,
    /// Invalidated instances that cannot be brought up to date any more, sorted: their method is
    /// gone.
    pub gone: Vec<String>,
    /// How often infer, codegen and link ran.
    pub ran: [usize; 3],
    /// How many compiled instances the edit left as they were.
    pub reused: usize,
    /// From the edit's beginning until everything was up to date again, nanoseconds.
    pub ns: u64,
}

/// An instance in a shard.
type Compiled = (Mi, ShardId);

impl Session {
    /// Compiles one instance, `f(Int64)`, and all that it calls, without a call.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.compile("f(Int64)").unwrap();
    /// assert_eq!(session.valid(), ["f(Int64)", "g(Int64)"]);
    /// ```
    ///
    /// # Errors
    /// If the signature is wrong, no method takes it, or a stage fails.
    pub fn compile(&self, sig: &str) -> Result<(), EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_id(None)?;
        let mi = inner.instance(sig, view, inner.engine.world())?;
        inner.bring_up_to_date(mi).map_err(|error| {
            let diagnostic = Diagnostic::error(Code::UnsupportedOnTarget, error.to_string());
            EditFailure::of(diagnostic)
        })
    }

    /// Compiles every method of the base table that takes concrete types only, and all that these
    /// call; gives their names, sorted. What cannot be compiled is left out.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("h.wir", "fn h(x: Int64) { f(x) }", None).unwrap();
    /// assert_eq!(session.compile_all(), ["h(Int64)"]);
    /// ```
    pub fn compile_all(&self) -> Vec<String> {
        let inner = &*self.inner;
        let (types, world) = (inner.universe.types(), inner.engine.world());
        let mut names = Vec::new();
        for method in inner.engine.methods_in(TableId::BASE, world) {
            let info = inner.engine.method(method);
            let concrete = info.sig.vars.is_empty() && types.is_concrete(info.sig.params);
            if info.intrinsic.is_some() || !concrete {
                continue;
            }
            let mi = inner.engine.instance(method, info.sig.params);
            if inner.bring_up_to_date(mi).is_ok() {
                names.push(inner.engine.name(mi));
            }
        }
        names.sort();
        names
    }

    /// Makes an edit and brings what it invalidated up to date: every compiled instance, or only
    /// `only` and what it calls.
    ///
    /// ```
    /// use worldage::{CallOptions, Session, SessionOptions};
    /// let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "noinline fn g() { 1 }\nnoinline fn h() { 2 }\nfn f() { g() + h() }";
    /// session.define("a.wir", text, None).unwrap();
    /// session.call("f()", &CallOptions::default());
    /// let update = session
    ///     .update(None, |session| session.define("b.wir", "noinline fn g() { 3 }", None))
    ///     .unwrap();
    /// // One body changed; its caller is linked to the new code; `h` stays.
    /// assert_eq!((update.ran, update.reused), ([1, 1, 2], 1));
    /// ```
    ///
    /// # Errors
    /// As the edit, or if `only` is no instance after it.
    pub fn update(
        &self,
        only: Option<&str>,
        edit: impl FnOnce(&Session) -> Result<EditReport, EditFailure>,
    ) -> Result<Update, EditFailure> {
        self.update_on(Shard::Host(self.inner.options.opt), only, edit)
    }

    /// As [`Session::update`], of a shard of any kind. Code of a device holds a kernel and all that
    /// it calls, in every schedule: an edit of one function generates exactly the kernels that use
    /// it.
    ///
    /// ```
    /// use worldage::{OptLevel, Session, SessionOptions, Shard};
    /// # #[cfg(feature = "opencl")] {
    /// let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "noinline fn g() { 1 }\nnoinline fn h() { 2 }
    ///     kernel fn a(xs: Array{Int64}) { xs[0] = g() }
    ///     kernel fn b(xs: Array{Int64}) { xs[0] = h() }";
    /// session.define("a.wir", text, None).unwrap();
    /// session.prepare_each(&session.kernels(), Shard::OpenCl).unwrap();
    /// let update = session.update_on(Shard::OpenCl, None, |session| {
    ///     session.define("b.wir", "noinline fn g() { 3 }", None)
    /// });
    /// let update = update.unwrap();
    /// assert_eq!(update.explanations[0].name, "a(Array{Int64})");
    /// // The function is inferred; one kernel is generated and linked; the other stays.
    /// assert_eq!((update.ran, update.reused), ([1, 1, 1], 1));
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::update`].
    pub fn update_on(
        &self,
        shard: Shard,
        only: Option<&str>,
        edit: impl FnOnce(&Session) -> Result<EditReport, EditFailure>,
    ) -> Result<Update, EditFailure> {
        let inner = &*self.inner;
        let begun = Instant::now();
        let view = inner.view_on(shard, inner.view_id(None)?);
        let shards = inner.schedules_on(shard, view);
        let before = inner.valid_instances(&shards);
        let edit = edit(self)?;
        let after: FxHashSet<Compiled> = inner.valid_instances(&shards).into_iter().collect();
        let mut invalidated = before.clone();
        invalidated.retain(|compiled| !after.contains(compiled));
        let reused = before.len() - invalidated.len();
        let roots = match only {
            Some(sig) => {
                let world = inner.engine.world();
                let mi = inner.instance(sig, view, world)?;
                let schedules = inner.space(mi, world);
                let at = |schedule| inner.engine.shard(Scheduled { shard, schedule }, view);
                schedules
                    .schedules()
                    .map(|schedule| (mi, at(schedule)))
                    .collect()
            }
            None => invalidated.clone(),
        };
        inner.keep_events(inner.engine.take_log());
        let failed: FxHashSet<Compiled> = roots
            .into_iter()
            .filter(|(mi, shard)| {
                inner.is_gone(*mi) || inner.engine.demand(*mi, *shard, None).is_err()
            })
            .collect();
        let events = inner.engine.take_log();
        let mut ran = [0; 3];
        let events_that_ran = events
            .iter()
            .filter(|event| event.origin == Origin::Ran && !inner.is_intrinsic(event.mi));
        for event in events_that_ran {
            ran[match event.stage {
                Stage::Infer => 0,
                Stage::Codegen => 1,
                Stage::Link => 2,
            }] += 1;
        }
        let ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        inner.keep_events(events);

        let now: FxHashSet<Compiled> = inner.valid_instances(&shards).into_iter().collect();
        let (mut explanations, mut gone) = (Vec::new(), Vec::new());
        for (mi, at) in invalidated {
            let schedule = inner.schedule_in(shard, at);
            if failed.contains(&(mi, at)) || inner.is_gone(mi) {
                gone.push(inner.engine.name(mi) + &schedule);
            } else if now.contains(&(mi, at)) {
                explanations.extend(inner.engine.explain(mi, at).map(|mut explanation| {
                    explanation.name += &schedule;
                    explanation
                }));
            }
        }
        explanations.sort_by(|a, b| a.name.cmp(&b.name));
        gone.sort();
        Ok(Update {
            edit,
            explanations,
            gone,
            ran,
            reused,
            ns,
        })
    }
}

impl Inner {
    /// Compiled instances of these shards whose next call would run no stage.
    fn valid_instances(&self, shards: &[ShardId]) -> Vec<Compiled> {
        let mut all = Vec::new();
        for shard in shards {
            let mut valid = self.engine.valid(*shard);
            valid.retain(|mi| !self.is_intrinsic(*mi));
            all.extend(valid.into_iter().map(|mi| (mi, *shard)));
        }
        all
    }

    /// The shard, of a device in each schedule that a kernel of the program has.
    fn schedules_on(&self, shard: Shard, view: ViewId) -> Vec<ShardId> {
        let world = self.engine.world();
        let mut shards = vec![self.engine.shard(shard.into(), view)];
        let kernels = match shard {
            Shard::Host(_) => Vec::new(),
            #[cfg(any(feature = "opencl", feature = "llvm"))]
            _ => self.kernels(world),
        };
        for method in kernels {
            let params = self.engine.method(method).sig.params;
            let mi = self.engine.instance(method, params);
            for schedule in self.space(mi, world).schedules() {
                let at = self.engine.shard(Scheduled { shard, schedule }, view);
                if !shards.contains(&at) {
                    shards.push(at);
                }
            }
        }
        shards
    }

    /// Whether the method of an instance is not defined any more.
    fn is_gone(&self, mi: Mi) -> bool {
        let method = self.engine.method(self.engine.key(mi).method);
        let function: Symbol = method.function;
        let world = self.engine.world();
        self.engine
            .find_method(method.table, function, &method.sig, world)
            .is_none()
    }

    /// ` block=64`, or nothing.
    fn schedule_in(&self, shard: Shard, at: ShardId) -> String {
        let name = self.engine.shard_name(at);
        let schedule = name.strip_prefix(&shard.to_string());
        schedule.unwrap_or_default().to_string()
    }

    fn bring_up_to_date(&self, mi: Mi) -> Result<(), DemandError> {
        let shard = self.shard(self.options.opt, self.engine.view(&[]));
        self.engine.demand(mi, shard, None).map(drop)
    }
}
