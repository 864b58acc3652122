//! Devices: code of a kernel for a device's shard, launches there, and what goes wrong as
//! diagnostics.
//!
//! A device is opened when something is first launched on it; its absence is no fact about the
//! program, so it is asked again at the next launch.

use crate::backend::{Shard, ShardCode, ShardLinked};
use crate::calls::{CallOptions, CallReport, Failed, Route};
use crate::edits::EditFailure;
use crate::failure;
use crate::session::{Inner, Session};
use std::path::PathBuf;
use std::sync::Arc;
use worldage_cranelift::Grid;
use worldage_engine::engine::DemandError;
use worldage_engine::{Mi, TableId, ViewId};
use worldage_opencl::cache::Folder;
use worldage_opencl::{Device, Error, Kernel};
use worldage_wir::compiler::Backend;
use worldage_wir::device::{FailKind, Fault};
use worldage_wir::diag::Code;
use worldage_wir::error::{RunError, Site};
use worldage_wir::ir::Failure;
use worldage_wir::module::{At, Unsupported};
use worldage_wir::value::Value;

/// Why there is no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeviceError(pub String);

/// Where the command keeps what drivers of devices have built: in the store's folder, unless
/// `WORLDAGE_NO_CACHE` is set.
#[must_use]
pub fn default_device_cache() -> Option<PathBuf> {
    let folder = worldage_store::folder::default_folder();
    let folder = folder.filter(|_| !worldage_store::folder::is_disabled());
    folder.map(|folder| folder.join("opencl"))
}

impl Session {
    /// The OpenCL device of this session, opened: its name.
    ///
    /// # Errors
    /// Why there is none, and how to get one.
    pub fn opencl_device(&self) -> Result<String, DeviceError> {
        let device = self.inner.opencl_device();
        let device = device.map_err(|error| DeviceError(error.to_string()))?;
        Ok(device.identity().name.clone())
    }

    /// Runs a kernel like [`Session::launch`], on a shard of any kind.
    pub fn launch_on(
        &self,
        shard: Shard,
        kernel: &str,
        args: Vec<Value>,
        grid: Grid,
        options: &CallOptions,
    ) -> CallReport {
        match shard {
            Shard::Host(opt) => {
                let options = CallOptions {
                    opt: Some(opt),
                    ..options.clone()
                };
                self.launch(kernel, args, grid, &options)
            }
            Shard::OpenCl => self.report(options, |inner, route| {
                crate::launch::check_grid(grid)?;
                let mi = inner.kernel(route, kernel, &args)?;
                let after = inner.launch_opencl(route, mi, &args, grid)?;
                Ok(Value::tuple(&inner.universe, after))
            }),
        }
    }

    /// The kernels of the program whose parameters all have concrete types, sorted:
    /// `saxpy(Float32, Array{Float32}, Array{Float32})`.
    pub fn kernels(&self) -> Vec<String> {
        let inner = &*self.inner;
        let (world, types) = (inner.engine.world(), inner.universe.types());
        let methods = inner.engine.methods_in(TableId::BASE, world).into_iter();
        let kernels = methods.filter(|method| {
            let source = inner.engine.source(*method, world);
            let info = inner.engine.method(*method);
            info.sig.vars.is_empty()
                && types.is_concrete(info.sig.params)
                && matches!(
                    source.as_deref(),
                    Some(worldage_wir::source::Source::Method(source)) if source.def.kernel
                )
        });
        let mut names: Vec<String> = kernels
            .map(|method| inner.engine.method_name(method, world))
            .collect();
        names.sort();
        names
    }

    /// Compiles a kernel for a device's shard and, where there is a device, builds it there;
    /// whether the driver's compiler was spared, and how long that took.
    ///
    /// # Errors
    /// What the device cannot do, or what its compiler says.
    pub fn check_kernel(
        &self,
        sig: &str,
        shard: Shard,
    ) -> Result<Option<(bool, f64)>, EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_id(None)?;
        let world = inner.engine.world();
        let mi = inner.instance(sig, view, world)?;
        let wrong = |error: &RunError| {
            EditFailure::of(error.to_diagnostic(|site| inner.place(site, world)))
        };
        if let Shard::Host(opt) = shard {
            let ci = inner.engine.demand(mi, inner.shard(opt, view), None);
            inner.keep_events(inner.engine.take_log());
            return match ci {
                Ok(_) => Ok(None),
                Err(error) => Err(wrong(&inner.of_device_demand(&error))),
            };
        }
        let id = inner.engine.shard(shard, view);
        let ci = inner.engine.demand(mi, id, None);
        let ci = ci.map_err(|error| wrong(&inner.of_device_demand(&error)))?;
        inner.keep_events(inner.engine.take_log());
        let Ok(device) = inner.opencl_device() else {
            return Ok(None);
        };
        let cache = inner.device_cache();
        let built = kernel_of(ci.linked()).build(&device, cache.as_ref().map(|c| c as _));
        let built = built.map_err(|error| wrong(&of_device(&error)))?;
        Ok(Some((built.from_cache, built.took.as_secs_f64())))
    }
}

/// The kernel of a device's shard.
fn kernel_of(linked: &ShardLinked) -> &Kernel {
    match linked {
        ShardLinked::OpenCl(kernel) => kernel,
        ShardLinked::Host(_) => unreachable!("a kernel was asked of a host shard"),
    }
}

/// What a device said.
fn of_device(error: &Error) -> RunError {
    let code = match error {
        Error::Arguments(_) => Code::InvalidArgument,
        _ => Code::UnsupportedOnTarget,
    };
    RunError::new(code, error.to_string())
}

impl Inner {
    fn opencl_device(&self) -> Result<Arc<Device>, Error> {
        let mut open = self.opencl.lock();
        if let Some(device) = &*open {
            return Ok(Arc::clone(device));
        }
        let device = Device::open(None)?;
        Ok(Arc::clone(open.insert(device)))
    }

    fn device_cache(&self) -> Option<Folder> {
        self.options.device_cache.as_deref().map(Folder::new)
    }

    fn launch_opencl(
        &self,
        route: &Route,
        mi: Mi,
        args: &[Value],
        grid: Grid,
    ) -> Result<Vec<Value>, Failed> {
        let shard = self.engine.shard(Shard::OpenCl, route.view);
        let ci = self.engine.demand(mi, shard, Some(route.world));
        let ci = ci.map_err(|error| Box::new(self.of_device_demand(&error)))?;
        let kernel = kernel_of(ci.linked());
        let device = self
            .opencl_device()
            .map_err(|error| Box::new(of_device(&error)))?;
        let grid = worldage_opencl::Grid {
            global: grid.global,
            local: grid.local,
        };
        let cache = self.device_cache();
        let cache = cache.as_ref().map(|cache| cache as _);
        let launched = kernel.launch(&device, &self.universe, args, grid, cache);
        let launched = launched.map_err(|error| Box::new(of_device(&error)))?;
        match launched.fault {
            None => Ok(launched.args),
            Some(fault) => Err(Box::new(self.of_fault(route, kernel.code(), &fault))),
        }
    }

    /// The error of a work-item that failed.
    fn of_fault(&self, route: &Route, code: &worldage_opencl::Code, fault: &Fault) -> RunError {
        let site = &code.sites[fault.site];
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
            self.add_trace(&mut error, &code.sites[*call].trace);
        }
        error
    }

    /// Code of a kernel for a device, made without a device: nothing of it is kept.
    pub(crate) fn device_code(
        &self,
        mi: Mi,
        shard: Shard,
        view: ViewId,
    ) -> Result<ShardCode, EditFailure> {
        let id = self.engine.shard(shard, view);
        let code = self.engine.with_codegen(mi, id, |compiler, cx, inferred| {
            let module = compiler.module(cx, mi, inferred)?;
            compiler.backend().codegen_module(&shard, &module)
        });
        code.map_err(|error| {
            let error = self.of_device_demand(&error);
            EditFailure::of(error.to_diagnostic(|site| self.place(site, self.engine.world())))
        })
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
        for at in trace.iter().filter(|at| !self.is_intrinsic(at.mi)) {
            let method = self.engine.key(at.mi).method;
            let node = at.node;
            error.unwind(Site { method, node }, || self.engine.name(at.mi));
        }
    }
}
