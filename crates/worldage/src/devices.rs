//! Devices: code of a kernel for a device's shard, launches there, and what goes wrong as
//! diagnostics.

#[cfg(feature = "opencl")]
mod binaries;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "opencl")]
mod foreign;
#[cfg(feature = "opencl")]
mod opencl;
#[cfg(feature = "llvm")]
mod ptx;

use crate::backend::Shard;
#[cfg(any(feature = "opencl", feature = "cuda"))]
use crate::backend::ShardLinked;
#[cfg(any(feature = "opencl", feature = "llvm"))]
use crate::backend::{Scheduled, ShardCode};
#[cfg(any(feature = "opencl", feature = "cuda"))]
use crate::calls::Route;
use crate::calls::{CallOptions, CallReport, Failed};
use crate::edits::EditFailure;
use crate::failure;
#[cfg(any(feature = "opencl", feature = "cuda"))]
use crate::launch::Launched;
use crate::launch::check_grid;
use crate::session::{Inner, Session};
use std::time::Duration;
use worldage_cranelift::Grid;
use worldage_dispatch::{MethodId, World};
use worldage_engine::TableId;
#[cfg(any(feature = "opencl", feature = "llvm"))]
use worldage_engine::ViewId;
use worldage_engine::engine::DemandError;
use worldage_engine::{Mi, ShardId};
#[cfg(any(feature = "opencl", feature = "llvm"))]
use worldage_wir::compiler::Backend;
#[cfg(any(feature = "opencl", feature = "cuda"))]
use worldage_wir::device::{FailKind, FailSite, Fault};
use worldage_wir::diag::Code;
use worldage_wir::error::{RunError, Site};
#[cfg(any(feature = "opencl", feature = "cuda"))]
use worldage_wir::ir::Failure;
use worldage_wir::module::{At, Unsupported};
use worldage_wir::source::Source;
use worldage_wir::value::Value;

#[cfg(feature = "opencl")]
pub use foreign::{ForeignLaunch, ForeignProgram};

/// Why there is no device.
///
/// ```
/// let error = worldage::DeviceError("there is no driver".into());
/// assert_eq!(error.to_string(), "there is no driver");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeviceError(pub String);

/// How far a kernel was checked.
///
/// ```
/// use worldage::DeviceCheck;
/// let shown = |check: &DeviceCheck| match check {
///     DeviceCheck::Generated => "not built".to_string(),
///     DeviceCheck::Built(time) | DeviceCheck::Reloaded(time) => format!("{} µs", time.as_micros()),
/// };
/// assert_eq!(shown(&DeviceCheck::Generated), "not built");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceCheck {
    /// Its code was made; nothing here could build it.
    Generated,
    /// The device's compiler, or an assembler, took it.
    Built(Duration),
    /// What the device's compiler had built before was taken.
    Reloaded(Duration),
}

impl Session {
    /// Runs a kernel like [`Session::launch`], on a shard of any kind.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// # session.define("k.wir", "kernel fn k(xs: Array{Int64}) { xs[global_id(0)] = 1 }", None).unwrap();
    /// let grid = Grid { global: [1, 1, 1], local: [1, 1, 1] };
    /// let host = Shard::Host(OptLevel::None);
    /// let report = session.launch_on(host, "k", vec![Value::int(1)], grid, &CallOptions::default());
    /// assert_eq!(report.shown(&session), "error: no-matching-method: k(Int64) in world 2");
    /// ```
    pub fn launch_on(
        &self,
        shard: Shard,
        kernel: &str,
        args: Vec<Value>,
        grid: Grid,
        options: &CallOptions,
    ) -> CallReport {
        self.report(options, |inner, route| {
            check_grid(grid)?;
            let route = &inner.route_on(route, shard);
            let mi = inner.kernel(route, kernel, &args)?;
            let launched = inner.launch_once(route, mi, &shard.into(), &args, grid)?;
            Ok(Value::tuple(&inner.universe, launched.args))
        })
    }

    /// The kernels of the program whose parameters all have concrete types, sorted:
    /// `saxpy(Float32, Array{Float32}, Array{Float32})`.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("k.wir", "kernel fn k(n: Int64) { div(1, n) }", None).unwrap();
    /// assert_eq!(session.kernels(), ["k(Int64)"]);
    /// ```
    pub fn kernels(&self) -> Vec<String> {
        let inner = &*self.inner;
        let world = inner.engine.world();
        let kernels = inner.kernels(world).into_iter();
        let mut names: Vec<String> = kernels
            .map(|method| inner.engine.method_name(method, world))
            .collect();
        names.sort();
        names
    }

    /// Compiles a kernel for a shard and, where there is a device or an assembler, builds it there.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("k.wir", "kernel fn k(n: Int64) { div(1, n) }", None).unwrap();
    /// let host = Shard::Host(OptLevel::Speed);
    /// assert!(matches!(session.check_kernel("k(Int64)", host), Ok(DeviceCheck::Generated)));
    /// ```
    ///
    /// # Errors
    /// What the device cannot do, or what its compiler says.
    pub fn check_kernel(&self, sig: &str, shard: Shard) -> Result<DeviceCheck, EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_on(shard, inner.view_id(None)?);
        let world = inner.engine.world();
        let mi = inner.instance(sig, view, world)?;
        let wrong = |error: &RunError| {
            EditFailure::of(error.to_diagnostic(|site| inner.place(site, world)))
        };
        let compiled = inner.compile_schedules(mi, shard, (view, world));
        inner.keep_events(inner.engine.take_log());
        let mut check = DeviceCheck::Generated;
        for at in compiled.map_err(|error| wrong(&error))? {
            let built = inner.build(mi, shard, at);
            check = check.and(built.map_err(|error| wrong(&error))?);
        }
        Ok(check)
    }
}

/// What a launch did, and what can fail in its kernel.
#[cfg(any(feature = "opencl", feature = "cuda"))]
type OnDevice<'a> = (&'a [FailSite], worldage_wir::device::memory::Launched);

/// What a device said: the launch is wrong, or the device cannot do it.
#[cfg(any(feature = "opencl", feature = "cuda"))]
fn of_device(error: &dyn std::fmt::Display, is_argument: bool) -> Failed {
    let code = match is_argument {
        true => Code::InvalidArgument,
        false => Code::UnsupportedOnTarget,
    };
    Box::new(RunError::new(code, error.to_string()))
}

impl DeviceCheck {
    /// Of several schedules: how far all got, and how long it took together.
    fn and(self, other: DeviceCheck) -> DeviceCheck {
        use DeviceCheck::{Built, Generated, Reloaded};
        match (self, other) {
            (Generated, other) => other,
            (one, Generated) => one,
            (Reloaded(one), Reloaded(other)) => Reloaded(one + other),
            (Built(one) | Reloaded(one), Built(other) | Reloaded(other)) => Built(one + other),
        }
    }
}

impl Inner {
    /// The kernels of the program whose parameters all have concrete types.
    pub(crate) fn kernels(&self, world: World) -> Vec<MethodId> {
        let types = self.universe.types();
        let mut methods = self.engine.methods_in(TableId::BASE, world);
        methods.retain(|method| {
            let source = self.engine.source(*method, world);
            let info = self.engine.method(*method);
            info.sig.vars.is_empty()
                && types.is_concrete(info.sig.params)
                && matches!(
                    source.as_deref(),
                    Some(Source::Method(source)) if source.def.kernel
                )
        });
        methods
    }

    /// Builds a compiled kernel, where there is what builds it.
    fn build(&self, mi: Mi, shard: Shard, at: ShardId) -> Result<DeviceCheck, Failed> {
        let ci = self.engine.demand(mi, at, None);
        let ci = ci.map_err(|error| Box::new(self.of_device_demand(&error)))?;
        match shard {
            Shard::Host(_) => {
                let _ = ci;
                Ok(DeviceCheck::Generated)
            }
            #[cfg(feature = "opencl")]
            Shard::OpenCl => self.build_opencl(ci.linked()),
            #[cfg(feature = "llvm")]
            Shard::Ptx(..) => self.assemble(ci.linked()),
        }
    }

    #[cfg(any(feature = "opencl", feature = "cuda"))]
    /// The error of a work-item that failed.
    fn of_fault(&self, route: &Route, sites: &[FailSite], fault: &Fault) -> RunError {
        let site = &sites[fault.site];
        let mut error = match (&site.kind, fault.bounds) {
            (FailKind::Bounds, Some((index, length))) => RunError::new(
                Code::IndexOutOfBounds,
                format!("index {index} is out of bounds for length {length}"),
            ),
            (FailKind::Failure(failure), _) => {
                failure::of_failure(self, route.view, route.world, failure)
            }
            _ => failure::of_failure(self, route.view, route.world, &Failure::Bounds),
        };
        self.add_trace(&mut error, &site.trace);
        for call in &fault.calls {
            self.add_trace(&mut error, &sites[*call].trace);
        }
        error
    }

    /// Launches on a device: `launch` is given the code instance of the route's shard, and gives
    /// what the launch did and what can fail in it.
    #[cfg(any(feature = "opencl", feature = "cuda"))]
    fn launch_with(
        &self,
        route: &Route,
        mi: Mi,
        launch: impl FnOnce(&ShardLinked) -> Result<OnDevice<'_>, Failed>,
    ) -> Result<Launched, Failed> {
        let ci = self.engine.demand(mi, route.shard, Some(route.world));
        let ci = ci.map_err(|error| Box::new(self.of_device_demand(&error)))?;
        let (sites, launched) = launch(ci.linked())?;
        match launched.fault {
            None => Ok(Launched {
                args: launched.args,
                took: launched.took,
            }),
            Some(fault) => Err(Box::new(self.of_fault(route, sites, &fault))),
        }
    }

    /// Code of a kernel for a device, made without a device: nothing of it is kept.
    #[cfg(any(feature = "opencl", feature = "llvm"))]
    pub(crate) fn device_code(
        &self,
        mi: Mi,
        shard: Scheduled,
        view: ViewId,
    ) -> Result<ShardCode, EditFailure> {
        let id = self.engine.shard(shard.clone(), view);
        let code = self.engine.with_codegen(mi, id, |compiler, cx, inferred| {
            let module = compiler.module(cx, mi, inferred)?;
            compiler.backend().codegen_module(&shard, &module)
        });
        code.map_err(|error| self.of_device_failure(&error))
    }

    /// Why there is no code for a device, as a diagnostic.
    #[cfg(any(feature = "opencl", feature = "llvm"))]
    pub(crate) fn of_device_failure(&self, error: &DemandError) -> EditFailure {
        let error = self.of_device_demand(error);
        EditFailure::of(error.to_diagnostic(|site| self.place(site, self.engine.world())))
    }

    /// Why a stage gave no code for a device: with the place, where the program asks for what the
    /// device cannot do.
    pub(crate) fn of_device_demand(&self, error: &DemandError) -> RunError {
        if let DemandError::Stage(failed) = error
            && let Some(unsupported) = failed.error.downcast_ref::<Unsupported>()
        {
            let mut error = RunError::new(Code::UnsupportedOnTarget, unsupported.what.clone());
            self.add_trace(&mut error, &unsupported.trace);
            return error;
        }
        failure::of_demand(error)
    }

    /// Adds places, innermost first.
    pub(crate) fn add_trace(&self, error: &mut RunError, trace: &[At]) {
        for at in trace.iter().filter(|at| self.is_written(at.mi)) {
            let method = self.engine.key(at.mi).method;
            let node = at.node;
            error.unwind(Site { method, node }, || self.engine.name(at.mi));
        }
    }
}
