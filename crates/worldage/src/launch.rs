//! Launches of kernels on the host.

use crate::backend::{Scheduled, Shard};
use crate::calls::{CallFailure, CallOptions, CallReport, Failed, Route};
use crate::failure;
use crate::session::{Inner, Session};
use std::sync::Arc;
use std::time::{Duration, Instant};
use worldage_cranelift::Grid;
use worldage_dispatch::World;
use worldage_engine::{Mi, Resolved};
use worldage_wir::diag::Code;
use worldage_wir::error::RunError;
use worldage_wir::ir::Failure;
use worldage_wir::source::Source;
use worldage_wir::value::Value;

/// The most work-items of a group: each that waits at a barrier keeps a stack.
///
/// ```
/// assert!(worldage::MAX_LOCAL_SIZE >= 64);
/// ```
pub const MAX_LOCAL_SIZE: u64 = 1024;

/// The most work-items of a grid: beyond what any target ends in a day.
///
/// ```
/// assert!(worldage::MAX_WORK_ITEMS >= 1 << 32);
/// ```
pub const MAX_WORK_ITEMS: u64 = 1 << 40;

impl Session {
    /// Runs a kernel on every work-item of a grid; the value is the tuple of the arguments as
    /// they are afterwards. A work-item that fails stops; the others go on, and the first error
    /// is given.
    ///
    /// ```
    /// use worldage::{CallOptions, Grid, Session, SessionOptions, Value};
    /// let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "kernel fn add(x: Int64, last: Int64) { if global_id(0) > last { div(x, 0) } }";
    /// session.define("k.wir", text, None).unwrap();
    /// let grid = Grid { global: [8, 1, 1], local: [4, 1, 1] };
    /// let args = |last| vec![Value::int(1), Value::int(last)];
    /// let launched = session.launch("add", args(7), grid, &CallOptions::default());
    /// assert_eq!(launched.shown(&session), "(1, 7)");
    /// let launched = session.launch("add", args(6), grid, &CallOptions::default());
    /// assert_eq!(launched.shown(&session), "error: division-error");
    /// ```
    pub fn launch(
        &self,
        kernel: &str,
        args: Vec<Value>,
        grid: Grid,
        options: &CallOptions,
    ) -> CallReport {
        let shard = Shard::Host(options.opt.unwrap_or(self.inner.options.opt));
        self.launch_on(shard, kernel, args, grid, options)
    }
}

/// What a launch did.
pub(crate) struct Launched {
    /// The arguments afterwards.
    pub(crate) args: Vec<Value>,
    /// How long the kernel ran.
    pub(crate) took: Duration,
}

impl Inner {
    /// Runs a kernel once, in a shard and a schedule.
    pub(crate) fn launch_once(
        self: &Arc<Self>,
        route: &Route,
        mi: Mi,
        at: &Scheduled,
        args: &[Value],
        grid: Grid,
    ) -> Result<Launched, Failed> {
        let shard = self.engine.shard(at.clone(), route.view);
        let route = &Route { shard, ..*route };
        match at.shard {
            Shard::Host(_) => {
                let mut took = Duration::ZERO;
                let args = self.in_context(route, mi, |context, callee| {
                    let begun = Instant::now();
                    let after = context.launch(route.world.0, callee, args, grid);
                    took = begun.elapsed();
                    after
                })?;
                Ok(Launched { args, took })
            }
            #[cfg(feature = "opencl")]
            Shard::OpenCl => self.launch_opencl(route, mi, args, grid),
            #[cfg(feature = "cuda")]
            Shard::Ptx(..) => self.launch_cuda(route, mi, args, grid),
            #[cfg(all(feature = "llvm", not(feature = "cuda")))]
            Shard::Ptx(target, _) => {
                let message = format!("nothing here runs code for {target}");
                let error = RunError::new(Code::UnsupportedOnTarget, message);
                Err(Box::new(
                    error.hint("`check_kernel` compiles and assembles it"),
                ))
            }
        }
    }
}

impl Session {
    /// Whether a launch would begin: the kernel takes these arguments, and the sizes fit.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("k.wir", "kernel fn k(n: Int64) { div(1, n) }", None).unwrap();
    /// let grid = |local| Grid { global: [8, 1, 1], local: [local, 1, 1] };
    /// assert!(session.check_launch("k", &[Value::int(1)], grid(4)).is_ok());
    /// assert!(session.check_launch("k", &[Value::int(1)], grid(3)).is_err());
    /// let empty = Grid { global: [0, 1, 1], local: [1, 1, 1] };
    /// assert!(session.check_launch("k", &[Value::int(1)], empty).is_err());
    /// ```
    ///
    /// # Errors
    /// Why it would not.
    pub fn check_launch(
        &self,
        kernel: &str,
        args: &[Value],
        grid: Grid,
    ) -> Result<(), CallFailure> {
        let checked = self.report(&CallOptions::default(), |inner, route| {
            check_grid(grid)?;
            inner.kernel(route, kernel, args)?;
            Ok(Value::Nothing)
        });
        checked.result.map(drop)
    }
}

impl Session {
    /// Whether there is a kernel of this name that takes these arguments.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// session.define("k.wir", "kernel fn k(n: Int64) { div(1, n) }", None).unwrap();
    /// assert!(session.check_kernel_args("k", &[Value::int(1)]).is_ok());
    /// assert!(session.check_kernel_args("k", &[]).is_err());
    /// ```
    ///
    /// # Errors
    /// Why not.
    pub fn check_kernel_args(&self, kernel: &str, args: &[Value]) -> Result<(), CallFailure> {
        let checked = self.report(&CallOptions::default(), |inner, route| {
            inner.kernel(route, kernel, args)?;
            Ok(Value::Nothing)
        });
        checked.result.map(drop)
    }
}

pub(crate) fn check_grid(grid: Grid) -> Result<(), Failed> {
    let wrong = |message: String| Err(Box::new(RunError::new(Code::InvalidArgument, message)));
    let (global, local) = (grid.global, grid.local);
    if let Some(d) = (0..3).find(|d| global[*d] == 0) {
        return wrong(format!(
            "the grid has no work-item: its global size of dimension {d} is 0"
        ));
    }
    if let Some(d) = (0..3).find(|d| local[*d] == 0 || !global[*d].is_multiple_of(local[*d])) {
        let (global, local) = (global[d], local[d]);
        return wrong(format!(
            "the local size {local} does not divide the global size {global} of dimension {d}"
        ));
    }
    // In 128 bits three sizes of 32 cannot overflow.
    let items = |sizes: [u32; 3]| sizes.map(u128::from).iter().product::<u128>();
    if items(local) > MAX_LOCAL_SIZE.into() {
        let items = items(local);
        return wrong(format!(
            "a group of {items} work-items is larger than {MAX_LOCAL_SIZE}"
        ));
    }
    if items(global) > MAX_WORK_ITEMS.into() {
        let items = items(global);
        return wrong(format!(
            "a grid of {items} work-items is larger than {MAX_WORK_ITEMS}"
        ));
    }
    Ok(())
}

impl Inner {
    /// Whether an instance can be launched.
    pub(crate) fn check_is_kernel(&self, mi: Mi, world: World) -> Result<(), Failed> {
        let source = self.engine.source(self.engine.key(mi).method, world);
        if matches!(source.as_deref(), Some(Source::Method(source)) if source.def.kernel) {
            return Ok(());
        }
        let name = self.engine.name(mi);
        let error = RunError::new(Code::InvalidArgument, format!("{name} is no kernel"));
        Err(Box::new(error.hint("define it with `kernel fn`")))
    }

    /// The kernel that takes these arguments.
    pub(crate) fn kernel(&self, route: &Route, kernel: &str, args: &[Value]) -> Result<Mi, Failed> {
        let types = self.universe.types();
        let (function, tys) = (types.symbol(kernel), self.types_of(args));
        let tuple = types.tuple(&tys);
        let failure = match self.engine.lookup(function, tuple, route.view, route.world) {
            Resolved::Method(mi) => {
                return self.check_is_kernel(mi, route.world).map(|()| mi);
            }
            Resolved::NoMethod => Failure::NoMethod(function, tuple),
            Resolved::Ambiguous(_) => Failure::Ambiguous(function, tuple),
        };
        let error = failure::of_failure(self, route.view, route.world, &failure);
        Err(Box::new(error))
    }
}
