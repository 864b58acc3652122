//! Kernels for Nvidia devices: PTX, assembled where there is an assembler.

use super::DeviceCheck;
use crate::backend::{PtxKernel, Scheduled, Shard, ShardLinked, llvm_level};
use crate::calls::Failed;
use crate::edits::EditFailure;
use crate::options::OptLevel;
use crate::session::{Inner, Session};
use std::time::{Duration, Instant};
use worldage_engine::{Mi, ViewId};
use worldage_llvm::toolkit::AssembleError;
use worldage_llvm::{PtxTarget, Toolkit};
use worldage_wir::diag::Code;
use worldage_wir::error::RunError;
use worldage_wir::schedule::Schedule;

impl Session {
    /// What this session found of CUDA's toolkit.
    ///
    /// ```
    /// # let session = worldage::Session::new(worldage::SessionOptions::default()).unwrap();
    /// let _found = session.cuda_toolkit();
    /// ```
    pub fn cuda_toolkit(&self) -> &Toolkit {
        self.inner.ptx().toolkit()
    }

    /// How long LLVM itself has worked on this session's kernels, all threads together.
    ///
    /// ```
    /// # let session = worldage::Session::new(worldage::SessionOptions::default()).unwrap();
    /// assert!(session.time_in_llvm().is_zero());
    /// ```
    pub fn time_in_llvm(&self) -> Duration {
        self.inner.ptx().time_in_llvm()
    }
}

impl Inner {
    pub(super) fn ptx(&self) -> &worldage_llvm::Generator {
        &self.engine.compiler().backend().ptx
    }

    /// Assembles a kernel, where there is an assembler.
    pub(super) fn assemble(&self, linked: &ShardLinked) -> Result<DeviceCheck, Failed> {
        let ShardLinked::Ptx(PtxKernel { code, .. }) = linked else {
            unreachable!("PTX was asked of another shard")
        };
        let begun = Instant::now();
        let assembled = self.ptx().toolkit().assemble(&code.ptx, code.target.name());
        match assembled {
            Ok(_) => Ok(DeviceCheck::Built(begun.elapsed())),
            Err(AssembleError::Missing) => Ok(DeviceCheck::Generated),
            Err(error) => {
                let error = RunError::new(Code::UnsupportedOnTarget, error.to_string());
                Err(Box::new(error))
            }
        }
    }

    /// LLVM's text of a kernel for a target: nothing of it is kept.
    pub(crate) fn device_llvm(
        &self,
        mi: Mi,
        (target, opt): (PtxTarget, OptLevel),
        schedule: &Schedule,
        view: ViewId,
    ) -> Result<String, EditFailure> {
        let scheduled = Scheduled {
            shard: Shard::Ptx(target, opt),
            schedule: schedule.clone(),
        };
        let shard = self.engine.shard(scheduled, view);
        let text = self
            .engine
            .with_codegen(mi, shard, |compiler, cx, inferred| {
                let module = compiler.module(cx, mi, inferred)?;
                let text = self.ptx().llvm(target, llvm_level(opt), &module);
                text.map_err(worldage_engine::Stop::failed)
            });
        text.map_err(|error| self.of_device_failure(&error))
    }
}
