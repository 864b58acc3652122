//! The best schedule of a launch: looked up, or measured on the device.

use super::table::{DispatchTable, Environment, MeasuredSchedule, TunedSize};
use super::{Chosen, Extent, LaunchSize, wrong};
use crate::backend::{Scheduled, Shard};
use crate::calls::{Failed, Muted, Route};
use crate::launch::Launched;
use crate::persist::PRODUCER;
use crate::session::Inner;
use rustc_hash::FxHashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use worldage_dispatch::World;
use worldage_engine::{Mi, ShardId};
use worldage_store::Fingerprint;
use worldage_wir::diag::Code;
use worldage_wir::schedule::{Schedule, Space};
use worldage_wir::value::Value;

/// Runs of a schedule that are timed, after one that is not.
const RUNS: u32 = 5;
/// No further run begins once a schedule's runs took this long.
const LONG: Duration = Duration::from_millis(200);

/// A launch of a kernel with a tuning space.
pub(super) struct Launch<'a> {
    pub(super) shard: Shard,
    pub(super) mi: Mi,
    pub(super) space: &'a Space,
    pub(super) args: &'a [Value],
    pub(super) size: &'a LaunchSize,
}

/// What it did.
pub(super) struct Tuned {
    pub(super) schedule: Schedule,
    pub(super) chosen: Chosen,
    pub(super) took: Duration,
    /// The arguments afterwards.
    pub(super) after: Vec<Value>,
}

/// The dispatch tables of a session.
#[derive(Default)]
pub(crate) struct Tables {
    by_kernel: FxHashMap<(Mi, ShardId), Known>,
}

struct Known {
    /// The world that the digest of the code was last computed in.
    world: World,
    table: DispatchTable,
    /// The sizes that the store had.
    stored: Vec<String>,
}

impl Launch<'_> {
    /// The bucket of its size: powers of two of the index space and of the arrays, and how groups
    /// are measured out.
    fn bucket(&self) -> String {
        let powers = |sizes: &mut dyn Iterator<Item = u64>| {
            let power = |size: u64| format!("2^{}", size.checked_ilog2().unwrap_or(0));
            sizes.map(power).collect::<Vec<_>>().join(" ")
        };
        let global = powers(&mut self.size.global.iter().map(|size| (*size).into()));
        let local = self.size.local.iter().map(|extent| match extent {
            Extent::Items(items) => items.to_string(),
            Extent::Parameter(name) => name.to_string(),
        });
        let local = local.collect::<Vec<_>>().join(" ");
        let arrays = powers(&mut self.args.iter().filter_map(|arg| match arg {
            Value::Array(array) => Some(array.elems().len() as u64),
            _ => None,
        }));
        let mut bucket = format!("global {global}, local {local}");
        if !arrays.is_empty() {
            let _ = write!(bucket, ", arrays {arrays}");
        }
        bucket
    }
}

impl Inner {
    /// Launches in the best schedule, which is measured if it is not known.
    pub(super) fn launch_best(
        self: &Arc<Self>,
        route: &Route,
        launch: &Launch<'_>,
    ) -> Result<Tuned, Failed> {
        let bucket = launch.bucket();
        let key = self.current_table(route, launch)?;
        if let Some((schedule, chosen)) = self.known_best(key, &bucket, launch)
            && let Ok(grid) = launch.size.grid(&schedule)
        {
            let at = Scheduled {
                shard: launch.shard,
                schedule,
            };
            let Launched { args, took } =
                self.launch_once(route, launch.mi, &at, launch.args, grid)?;
            return Ok(Tuned {
                schedule: at.schedule,
                chosen,
                took,
                after: args,
            });
        }
        // Two at once would disturb each other; a launch inside of one is let through.
        let _one = self.measuring.lock();
        let (tuned, measured) = self.measure(route, launch)?;
        let size = TunedSize {
            best: tuned.schedule.to_string(),
            measured,
        };
        let mut tables = self.tuned.lock();
        if let Some(known) = tables.by_kernel.get_mut(&key) {
            known.stored.retain(|stored| *stored != bucket);
            known.table.sizes.insert(bucket, size);
            if let Some(store) = self.store.read().as_deref() {
                known.table.keep(store, PRODUCER);
            }
        }
        Ok(tuned)
    }

    fn known_best(
        &self,
        key: (Mi, ShardId),
        bucket: &str,
        launch: &Launch<'_>,
    ) -> Option<(Schedule, Chosen)> {
        let tables = self.tuned.lock();
        let known = tables.by_kernel.get(&key)?;
        let schedule = known.table.best(bucket, launch.space)?;
        let stored = known.stored.iter().any(|stored| stored == bucket);
        let chosen = if stored {
            Chosen::Stored
        } else {
            Chosen::Known
        };
        Some((schedule, chosen))
    }

    /// Brings what is known about a kernel up to date: it is looked for in the store when it is
    /// first asked, and when the kernel's code is no more what it was.
    fn current_table(&self, route: &Route, launch: &Launch<'_>) -> Result<(Mi, ShardId), Failed> {
        let key = (
            launch.mi,
            self.engine.shard(launch.shard.into(), route.view),
        );
        let is_current = |known: &Known| known.world == route.world;
        if self
            .tuned
            .lock()
            .by_kernel
            .get(&key)
            .is_some_and(is_current)
        {
            return Ok(key);
        }
        let code = self.code_of_schedules(route, launch)?;
        if let Some(known) = self.tuned.lock().by_kernel.get_mut(&key)
            && known.table.code == code.to_string()
        {
            known.world = route.world;
            return Ok(key);
        }
        let known = self.new_table(route, launch, code)?;
        self.tuned.lock().by_kernel.insert(key, known);
        Ok(key)
    }

    fn new_table(
        &self,
        route: &Route,
        launch: &Launch<'_>,
        code: Fingerprint,
    ) -> Result<Known, Failed> {
        let (name, shard) = (self.engine.name(launch.mi), launch.shard.to_string());
        let environment = self.environment(launch.shard)?;
        let mut table = DispatchTable::new(name, shard, code, environment);
        if let Some(store) = self.store.read().as_deref() {
            table.load(store, PRODUCER);
        }
        Ok(Known {
            world: route.world,
            stored: table.sizes.keys().cloned().collect(),
            table,
        })
    }

    /// The digest of a kernel with everything that it calls, in every schedule. What is dispatched
    /// at run time is not part of it.
    fn code_of_schedules(&self, route: &Route, launch: &Launch<'_>) -> Result<Fingerprint, Failed> {
        let mut text = String::new();
        for schedule in launch.space.schedules() {
            let _ = writeln!(text, "schedule {schedule}");
            let scheduled = Scheduled {
                shard: launch.shard,
                schedule,
            };
            let shard = self.engine.shard(scheduled, route.view);
            let (mi, world) = (launch.mi, Some(route.world));
            let printed =
                self.engine
                    .with_codegen_in(mi, shard, world, |compiler, cx, inferred| {
                        let functions = compiler.functions(cx, mi, inferred)?;
                        let mut out = String::new();
                        for function in &functions {
                            let name = |mi: Mi| self.engine.name(mi);
                            let (u, body) = (&self.universe, &function.body);
                            let body = worldage_wir::print::print_body(u, body, &name);
                            let _ = writeln!(out, "{}\n{body}", function.shown);
                        }
                        Ok(out)
                    });
            text += &printed.map_err(|error| Box::new(self.of_device_demand(&error)))?;
        }
        Ok(Fingerprint::of(text.as_bytes()))
    }

    /// What measurements depend on beside the code.
    fn environment(&self, shard: Shard) -> Result<Environment, Failed> {
        let mut environment = match shard {
            Shard::Host(_) => host_environment(self.engine.compiler().backend()),
            #[cfg(feature = "opencl")]
            Shard::OpenCl => self.opencl_environment()?,
            #[cfg(feature = "cuda")]
            Shard::Ptx(..) => self.cuda_environment()?,
            #[cfg(all(feature = "llvm", not(feature = "cuda")))]
            Shard::Ptx(target, _) => {
                Environment::from([("target".to_string(), target.to_string())])
            }
        };
        environment.insert("compiler".to_string(), PRODUCER.to_string());
        Ok(environment)
    }

    /// Runs every schedule; the fastest, and how all did. A schedule that the device or the size
    /// does not allow is left out; an error of the program is given.
    fn measure(
        self: &Arc<Self>,
        route: &Route,
        launch: &Launch<'_>,
    ) -> Result<(Tuned, Vec<MeasuredSchedule>), Failed> {
        let at = (route.view, route.world);
        self.compile_schedules(launch.mi, launch.shard, at)?;
        let mut best: Option<Tuned> = None;
        let mut all = Vec::with_capacity(launch.space.len());
        // What a kernel prints is printed once.
        let mut muted = None;
        for schedule in launch.space.schedules() {
            let mut measured = MeasuredSchedule {
                schedule: schedule.to_string(),
                ns: None,
                refused: None,
            };
            let run = self.measure_one(route, launch, &schedule, &mut muted);
            match run {
                Ok((took, after)) => {
                    measured.ns = Some(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
                    if best.as_ref().is_none_or(|best| took < best.took) {
                        let chosen = Chosen::Measured;
                        best = Some(Tuned {
                            schedule,
                            chosen,
                            took,
                            after,
                        });
                    }
                }
                Err(Refused::Schedule(why)) => measured.refused = Some(why),
                Err(Refused::Program(error)) => return Err(error),
            }
            all.push(measured);
        }
        match best {
            Some(best) => Ok((best, all)),
            None => {
                let why = all.iter().find_map(|measured| measured.refused.clone());
                let why = why.unwrap_or_default();
                Err(wrong(format!("no schedule of the kernel can run: {why}")))
            }
        }
    }

    /// The shortest of several runs, and the arguments after it.
    fn measure_one(
        self: &Arc<Self>,
        route: &Route,
        launch: &Launch<'_>,
        schedule: &Schedule,
        muted: &mut Option<Muted>,
    ) -> Result<(Duration, Vec<Value>), Refused> {
        let grid = launch.size.grid(schedule).map_err(Refused::Schedule)?;
        let at = Scheduled {
            shard: launch.shard,
            schedule: schedule.clone(),
        };
        let run = || {
            let launched = self.launch_once(route, launch.mi, &at, launch.args, grid);
            launched.map_err(|error| match error.code {
                Code::UnsupportedOnTarget => Refused::Schedule(error.message.to_string()),
                _ => Refused::Program(error),
            })
        };
        // The first run also builds what is built at the first launch.
        let Launched { args, took } = run()?;
        muted.get_or_insert_with(Muted::begin);
        let (mut shortest, mut all) = (Duration::MAX, took);
        for _ in 0..RUNS {
            let took = run()?.took;
            shortest = shortest.min(took);
            all += took;
            if all > LONG {
                break;
            }
        }
        Ok((shortest, args))
    }
}

/// Why a schedule was not measured.
enum Refused {
    /// The device or the size does not allow it.
    Schedule(String),
    /// The program fails.
    Program(Failed),
}

/// The processor and how code is made for it.
fn host_environment(backend: &crate::backend::Backends) -> Environment {
    let isa = backend.generator.isa();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let details = isa.description(worldage_cranelift::OptLevel::Speed);
    Environment::from([
        (
            "architecture".to_string(),
            std::env::consts::ARCH.to_string(),
        ),
        ("code generator".to_string(), details),
        ("cores".to_string(), cores.to_string()),
        ("processor".to_string(), processor()),
    ])
}

/// The processor's name, where the system tells it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or(String::new(), |(_, name)| name.trim().to_string())
}
