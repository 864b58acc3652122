//! Wir over Cranelift: the backend of host shards.

use crate::options::OptLevel;
use std::sync::Arc;
use worldage_cranelift as cranelift;
use worldage_dispatch::Ty;
use worldage_engine::{Linked, Mi, Stop};
use worldage_wir::compiler::Backend;
use worldage_wir::ir::Body;

/// Host code through Cranelift.
pub struct HostBackend {
    pub(crate) generator: Arc<cranelift::Generator>,
    pub(crate) loader: cranelift::Loader,
}

/// A code instance in executable memory; freed when dropped.
#[derive(Debug)]
pub struct HostLinked(cranelift::Loaded);

impl Linked for HostLinked {
    fn entry(&self) -> usize {
        self.0.entry()
    }
}

pub(crate) fn level(opt: OptLevel) -> cranelift::OptLevel {
    match opt {
        OptLevel::None => cranelift::OptLevel::None,
        OptLevel::Speed => cranelift::OptLevel::Speed,
    }
}

impl Backend for HostBackend {
    type Code = cranelift::Code;
    type Linked = HostLinked;
    type Shard = OptLevel;

    fn codegen(
        &self,
        shard: &OptLevel,
        body: &Body,
        ret: &dyn Fn(Mi) -> Ty,
    ) -> Result<cranelift::Code, Stop> {
        self.generator
            .compile(level(*shard), body, ret)
            .map_err(Stop::failed)
    }

    fn link(
        &self,
        code: &Arc<cranelift::Code>,
        cell: &mut dyn FnMut(Mi) -> *const usize,
    ) -> Result<HostLinked, Stop> {
        let loaded = self.loader.load(code, cell);
        loaded
            .map(HostLinked)
            .map_err(|error| Stop::failed(error.to_string()))
    }
}
