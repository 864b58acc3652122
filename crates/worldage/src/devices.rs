//! Devices: code of a kernel for a device's shard, and what a device cannot do as diagnostics.

use crate::backend::{Shard, ShardCode};
use crate::edits::EditFailure;
use crate::session::Inner;
use worldage_engine::engine::DemandError;
use worldage_engine::{Mi, ViewId};
use worldage_wir::compiler::Backend;
use worldage_wir::diag::Code;
use worldage_wir::error::{RunError, Site};
use worldage_wir::module::{At, Unsupported};

impl Inner {
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
        crate::failure::of_demand(error)
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
