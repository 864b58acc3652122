//! Schedules: a kernel with a tuning space is launched in the schedule that is the fastest for
//! launches of its size on this device, which is measured once and kept in a dispatch table.
//!
//! Reading order: this file (what a user asks), `measure` (a size is tuned), [`table`] (what is
//! known, and where it is kept).
//!
//! Invariants: a table is used only for the very code and environment that it was measured with;
//! what is chosen changes how long a launch takes, never what it gives.

mod measure;
pub(crate) mod table;

pub(crate) use measure::Tables;

use crate::backend::{Scheduled, Shard};
use crate::calls::{CallOptions, CallReport, Failed};
use crate::edits::EditFailure;
use crate::session::{Inner, Session};
use std::time::Duration;
use worldage_cranelift::Grid;
use worldage_dispatch::World;
use worldage_engine::{Mi, ViewId};
use worldage_wir::diag::Code;
use worldage_wir::error::RunError;
use worldage_wir::schedule::{Schedule, Space};
use worldage_wir::value::Value;

/// Work-items of a group in one dimension.
///
/// ```
/// use worldage::Extent;
/// assert_eq!(Extent::from(64), Extent::Items(64));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// So many.
    Items(u32),
    /// As many as a tuning parameter of the kernel says.
    Parameter(Box<str>),
}

impl From<u32> for Extent {
    fn from(items: u32) -> Extent {
        Extent::Items(items)
    }
}

/// The index space of a launch whose groups may be as large as the schedule says.
///
/// ```
/// use worldage::{Extent, Grid, LaunchSize};
/// let grid = Grid { global: [8, 1, 1], local: [4, 1, 1] };
/// let mut size = LaunchSize::from(grid);
/// assert_eq!(size.grid(&"".parse().unwrap()).unwrap(), grid);
/// size.local[0] = Extent::Parameter("block".into());
/// assert_eq!(size.grid(&"block=2".parse().unwrap()).unwrap().local, [2, 1, 1]);
/// assert!(size.grid(&"block=3".parse().unwrap()).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaunchSize {
    /// Work-items in each dimension.
    pub global: [u32; 3],
    /// Work-items of a group in each dimension.
    pub local: [Extent; 3],
}

impl From<Grid> for LaunchSize {
    fn from(grid: Grid) -> LaunchSize {
        LaunchSize {
            global: grid.global,
            local: grid.local.map(Extent::Items),
        }
    }
}

impl LaunchSize {
    /// The index space in a schedule.
    ///
    /// ```
    /// let size = worldage::LaunchSize { global: [6, 1, 1], local: [2.into(), 1.into(), 1.into()] };
    /// assert_eq!(size.grid(&worldage::Schedule::default()).unwrap().local, [2, 1, 1]);
    /// ```
    ///
    /// # Errors
    /// A sentence, if the sizes do not fit each other or the schedule lacks a parameter.
    pub fn grid(&self, schedule: &Schedule) -> Result<Grid, String> {
        let mut local = [1; 3];
        for (items, extent) in local.iter_mut().zip(&self.local) {
            *items = match extent {
                Extent::Items(items) => *items,
                Extent::Parameter(name) => {
                    let value = schedule.get(name);
                    let value = value.ok_or_else(|| format!("no tuning parameter `{name}`"))?;
                    let int = value.value().as_int().and_then(|x| u32::try_from(x).ok());
                    int.ok_or_else(|| format!("`{name}` is {value}, which is no group's size"))?
                }
            };
        }
        let grid = Grid {
            global: self.global,
            local,
        };
        crate::launch::check_grid(grid).map_err(|error| error.message.to_string())?;
        Ok(grid)
    }
}

/// Why a launch ran in its schedule.
///
/// ```
/// assert_eq!(worldage::Chosen::OnlyOne.to_string(), "the only one");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The kernel has no tuning space.
    OnlyOne,
    /// It was asked for.
    Asked,
    /// All schedules were measured for this launch.
    Measured,
    /// The dispatch table of this session had it.
    Known,
    /// The dispatch table of the store had it.
    Stored,
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Chosen::OnlyOne => "the only one",
            Chosen::Asked => "asked for",
            Chosen::Measured => "measured",
            Chosen::Known => "known",
            Chosen::Stored => "stored",
        })
    }
}

/// A launch and its schedule.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// let text = "kernel fn k(n: Int64) { tune(block, [2, 4])\n div(n, block) }";
/// session.define("k.wir", text, None).unwrap();
/// let grid = Grid { global: [8, 1, 1], local: [1, 1, 1] };
/// let (host, args) = (Shard::Host(OptLevel::Speed), vec![Value::int(1)]);
/// let tuned = session.launch_tuned(host, "k", args, &grid.into(), &CallOptions::default());
/// assert!(tuned.report.result.is_ok() && tuned.chosen == Chosen::Measured);
/// ```
#[derive(Debug)]
pub struct TunedReport {
    /// What the launch did: of the schedules that were measured, the fastest.
    pub report: CallReport,
    /// The schedule.
    pub schedule: Schedule,
    /// Why it was this one.
    pub chosen: Chosen,
    /// How long the kernel ran.
    pub took: Duration,
}

impl Session {
    /// The schedules of a kernel on concrete types, in the order in which they are numbered; one
    /// without values, if it has no tuning space.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "kernel fn k(n: Int64) { tune(a, [1, 2])\n tune(b, [true, false])\n div(n, a) }";
    /// session.define("k.wir", text, None).unwrap();
    /// let schedules = session.schedules("k(Int64)").unwrap();
    /// assert_eq!((schedules.len(), schedules[1].to_string().as_str()), (4, "a=1,b=false"));
    /// ```
    ///
    /// # Errors
    /// If there is no such instance.
    pub fn schedules(&self, sig: &str) -> Result<Vec<Schedule>, EditFailure> {
        let inner = &*self.inner;
        let (view, world) = (inner.view_id(None)?, inner.engine.world());
        let mi = inner.instance(sig, view, world)?;
        Ok(inner.space(mi, world).schedules().collect())
    }

    /// Runs a kernel like [`Session::launch_on`], in a schedule. What the schedule does not say is
    /// the first choice.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "kernel fn k(x: Int64) { tune(a, [1, 2])\n div(x, a - 2) }";
    /// session.define("k.wir", text, None).unwrap();
    /// let size = LaunchSize::from(Grid { global: [1, 1, 1], local: [1, 1, 1] });
    /// let launch = |schedule: &str| {
    ///     let (shard, args) = (Shard::Host(OptLevel::Speed), vec![Value::int(1)]);
    ///     let schedule = schedule.parse().unwrap();
    ///     session.launch_in(shard, "k", args, &size, &schedule, &CallOptions::default())
    /// };
    /// assert!(launch("a=1").report.result.is_ok());
    /// assert_eq!(launch("a=2").report.shown(&session), "error: division-error");
    /// assert_eq!(launch("a=3").report.shown(&session), "error: invalid-argument");
    /// ```
    pub fn launch_in(
        &self,
        shard: Shard,
        kernel: &str,
        args: Vec<Value>,
        size: &LaunchSize,
        schedule: &Schedule,
        options: &CallOptions,
    ) -> TunedReport {
        let mut used = (schedule.clone(), Chosen::Asked, Duration::ZERO);
        let report = self.report(options, |inner, route| {
            let route = &inner.route_on(route, shard);
            let mi = inner.kernel(route, kernel, &args)?;
            let space = inner.space(mi, route.world);
            check_schedule(&space, schedule)?;
            used.0 = space.schedule(space.number(schedule));
            if space.is_empty() {
                used.1 = Chosen::OnlyOne;
            }
            let grid = size.grid(&used.0).map_err(wrong)?;
            let at = Scheduled {
                shard,
                schedule: used.0.clone(),
            };
            let launched = inner.launch_once(route, mi, &at, &args, grid)?;
            used.2 = launched.took;
            Ok(Value::tuple(&inner.universe, launched.args))
        });
        let (schedule, chosen, took) = used;
        TunedReport {
            report,
            schedule,
            chosen,
            took,
        }
    }

    /// Runs a kernel like [`Session::launch_on`], in the schedule that is the fastest here for
    /// launches of this size. If that is not known, all schedules are compiled at once, on all
    /// threads, and each is measured on the arguments. What was found is kept, in the store too,
    /// for this code, this device and its driver.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # let text = "kernel fn k(n: Int64) { tune(block, [2, 4])\n div(n, block) }";
    /// # session.define("k.wir", text, None).unwrap();
    /// let launch = |items| {
    ///     let mut size = LaunchSize::from(Grid { global: [items, 1, 1], local: [1, 1, 1] });
    ///     size.local[0] = Extent::Parameter("block".into());
    ///     let (shard, args) = (Shard::Host(OptLevel::Speed), vec![Value::int(1)]);
    ///     session.launch_tuned(shard, "k", args, &size, &CallOptions::default()).chosen
    /// };
    /// assert_eq!(launch(64), Chosen::Measured);
    /// assert_eq!(launch(100), Chosen::Known);
    /// assert_eq!(launch(128), Chosen::Measured);
    /// ```
    pub fn launch_tuned(
        &self,
        shard: Shard,
        kernel: &str,
        args: Vec<Value>,
        size: &LaunchSize,
        options: &CallOptions,
    ) -> TunedReport {
        let mut used = (Schedule::default(), Chosen::OnlyOne, Duration::ZERO);
        let report = self.report(options, |inner, route| {
            let route = &inner.route_on(route, shard);
            let mi = inner.kernel(route, kernel, &args)?;
            let space = inner.space(mi, route.world);
            let after = if space.is_empty() {
                let grid = size.grid(&used.0).map_err(wrong)?;
                let launched = inner.launch_once(route, mi, &shard.into(), &args, grid)?;
                used.2 = launched.took;
                launched.args
            } else {
                let launch = measure::Launch {
                    shard,
                    mi,
                    space: &space,
                    args: &args,
                    size,
                };
                let tuned = inner.launch_best(route, &launch)?;
                used = (tuned.schedule, tuned.chosen, tuned.took);
                tuned.after
            };
            Ok(Value::tuple(&inner.universe, after))
        });
        let (schedule, chosen, took) = used;
        TunedReport {
            report,
            schedule,
            chosen,
            took,
        }
    }
}

/// A launch that cannot begin.
pub(crate) fn wrong(message: String) -> Failed {
    Box::new(RunError::new(Code::InvalidArgument, message))
}

/// Whether a schedule names parameters of the space, with values that they have.
fn check_schedule(space: &Space, schedule: &Schedule) -> Result<(), Failed> {
    for (name, value) in schedule.values() {
        let known = space.parameters().iter().find(|(known, _)| known == name);
        let Some((_, choices)) = known else {
            return Err(wrong(format!(
                "the kernel has no tuning parameter `{name}`"
            )));
        };
        if !choices.contains(value) {
            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
            let choices = choices.join(", ");
            return Err(wrong(format!("`{name}` is one of {choices}, not {value}")));
        }
    }
    Ok(())
}

impl Inner {
    /// What the schedules of an instance choose from.
    pub(crate) fn space(&self, mi: Mi, world: World) -> Space {
        let source = self.engine.source(self.engine.key(mi).method, world);
        match source.as_deref() {
            Some(worldage_wir::source::Source::Method(source)) => Space::of(&source.def),
            _ => Space::default(),
        }
    }

    /// All schedules of an instance in a shard, compiled on all threads.
    pub(crate) fn compile_schedules(
        &self,
        mi: Mi,
        shard: Shard,
        at: (ViewId, World),
    ) -> Result<Vec<worldage_engine::ShardId>, Failed> {
        let compiled = self.compile_each(&[mi], shard, at)?;
        Ok(compiled.into_iter().map(|(_, shard)| shard).collect())
    }

    /// All schedules of several instances in a shard, compiled on all threads.
    pub(crate) fn compile_each(
        &self,
        instances: &[Mi],
        shard: Shard,
        (view, world): (ViewId, World),
    ) -> Result<Vec<(Mi, worldage_engine::ShardId)>, Failed> {
        let mut asked = Vec::with_capacity(instances.len());
        for mi in instances {
            for schedule in self.space(*mi, world).schedules() {
                let scheduled = Scheduled { shard, schedule };
                asked.push((*mi, self.engine.shard(scheduled, view)));
            }
        }
        let demanded = self.engine.demand_each(&asked, Some(world));
        demanded.map_err(|error| Box::new(self.of_device_demand(&error)))?;
        Ok(asked)
    }
}
