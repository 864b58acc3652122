//! The backends of a session: one program, sharded over host code at several opt levels and over
//! devices.
//!
//! Host shards call through cells; a device's shard holds a kernel with all its callees (see
//! `worldage_wir::module`), and is built for the device that is there when it is first launched.

use crate::options::OptLevel;
use std::fmt;
use std::sync::Arc;
use worldage_cranelift as cranelift;
use worldage_dispatch::Ty;
use worldage_engine::persist::{Malformed, Portable as _, Reader, Writer};
use worldage_engine::{Linked, Mi, Stop, Target};
#[cfg(feature = "llvm")]
use worldage_llvm::{self as llvm, PtxTarget};
use worldage_wir::compiler::Backend;
use worldage_wir::device::overlay::Overlay;
use worldage_wir::ir::Body;
#[cfg(feature = "opencl")]
use worldage_wir::layout::Layouts;
use worldage_wir::module::Module;
use worldage_wir::schedule::Schedule;

/// What code is made for: what partitions a session's cache of code.
///
/// ```
/// use worldage::{OptLevel, Shard};
/// assert_eq!(Shard::Host(OptLevel::Speed).to_string(), "opt:speed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shard {
    /// This machine, through Cranelift.
    Host(OptLevel),
    /// OpenCL devices.
    #[cfg(feature = "opencl")]
    OpenCl,
    /// Nvidia devices of this target.
    #[cfg(feature = "llvm")]
    Ptx(PtxTarget, OptLevel),
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shard::Host(opt) => opt.fmt(f),
            #[cfg(feature = "opencl")]
            Shard::OpenCl => f.write_str("opencl"),
            #[cfg(feature = "llvm")]
            Shard::Ptx(target, opt) => write!(f, "ptx:{target} {opt}"),
        }
    }
}

impl Shard {
    /// The overlay that code for it is inferred with; `None` on the host.
    pub(crate) fn overlay(self) -> Option<Overlay> {
        match self {
            Shard::Host(_) => None,
            #[cfg(feature = "opencl")]
            Shard::OpenCl => Some(Overlay::OpenCl),
            #[cfg(feature = "llvm")]
            Shard::Ptx(..) => Some(Overlay::Ptx),
        }
    }
}

/// A shard and a schedule: what the engine keeps code by. The values of the schedule are a part of
/// the key of stored code.
///
/// ```
/// use worldage::{OptLevel, Scheduled, Shard};
/// assert_eq!(Scheduled::from(Shard::Host(OptLevel::Speed)).to_string(), "opt:speed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scheduled {
    pub(crate) shard: Shard,
    pub(crate) schedule: Schedule,
}

impl From<Shard> for Scheduled {
    fn from(shard: Shard) -> Scheduled {
        Scheduled {
            shard,
            schedule: Schedule::default(),
        }
    }
}

impl fmt::Display for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shard.fmt(f)?;
        match self.schedule.values() {
            [] => Ok(()),
            _ => write!(f, " {}", self.schedule),
        }
    }
}

/// All backends.
pub struct Backends {
    #[cfg(feature = "opencl")]
    pub(crate) layouts: Arc<Layouts>,
    pub(crate) generator: Arc<cranelift::Generator>,
    pub(crate) loader: cranelift::Loader,
    #[cfg(feature = "llvm")]
    pub(crate) ptx: llvm::Generator,
}

/// The portable artifact of a shard.
#[derive(Debug, PartialEq)]
pub enum ShardCode {
    /// Machine code of this host.
    Host(Arc<cranelift::Code>),
    /// A kernel in OpenCL C.
    #[cfg(feature = "opencl")]
    OpenCl(Arc<worldage_opencl::Code>),
    /// A kernel in PTX.
    #[cfg(feature = "llvm")]
    Ptx(Arc<llvm::Code>),
}

impl ShardCode {
    /// The machine code of a host shard.
    ///
    /// # Panics
    /// On code of a device: whoever asks knows the shard.
    pub(crate) fn host(&self) -> &cranelift::Code {
        match self {
            ShardCode::Host(code) => code,
            #[cfg(any(feature = "opencl", feature = "llvm"))]
            _ => unreachable!("host code was asked of a device's shard"),
        }
    }

    /// The text of an OpenCL shard.
    ///
    /// # Panics
    /// On code of another shard.
    #[cfg(feature = "opencl")]
    pub(crate) fn opencl(&self) -> &worldage_opencl::Code {
        match self {
            ShardCode::OpenCl(code) => code,
            _ => unreachable!("OpenCL C was asked of another shard"),
        }
    }

    /// The text of a shard of Nvidia devices.
    ///
    /// # Panics
    /// On code of another shard.
    #[cfg(feature = "llvm")]
    pub(crate) fn ptx(&self) -> &llvm::Code {
        match self {
            ShardCode::Ptx(code) => code,
            _ => unreachable!("PTX was asked of another shard"),
        }
    }
}

/// A code instance that can be called or launched; freed when dropped.
#[derive(Debug)]
pub enum ShardLinked {
    /// Executable memory.
    Host(cranelift::Loaded),
    /// A kernel, and its program once it was built.
    #[cfg(feature = "opencl")]
    OpenCl(worldage_opencl::Kernel),
    /// A kernel in PTX, which a driver takes as it is.
    #[cfg(feature = "llvm")]
    Ptx(PtxKernel),
}

/// A kernel in PTX, and what a device made of it when it was first launched there.
///
/// ```
/// // It is what a shard of Nvidia devices is linked to.
/// let of = |linked: &worldage::ShardLinked| matches!(linked, worldage::ShardLinked::Ptx(_));
/// # let _ = of;
/// ```
#[cfg(feature = "llvm")]
#[derive(Debug)]
pub struct PtxKernel {
    pub(crate) code: Arc<llvm::Code>,
    #[cfg(feature = "cuda")]
    pub(crate) loaded: parking_lot::Mutex<Option<Arc<worldage_cuda::Kernel>>>,
}

impl ShardLinked {
    /// The entry of host code that is a leaf.
    pub(crate) fn leaf(&self) -> Option<std::num::NonZeroUsize> {
        match self {
            ShardLinked::Host(loaded) => loaded.leaf(),
            #[cfg(any(feature = "opencl", feature = "llvm"))]
            _ => None,
        }
    }
}

impl Linked for ShardLinked {
    fn entry(&self) -> usize {
        match self {
            ShardLinked::Host(loaded) => loaded.entry(),
            #[cfg(any(feature = "opencl", feature = "llvm"))]
            _ => 0,
        }
    }
}

pub(crate) fn level(opt: OptLevel) -> cranelift::OptLevel {
    match opt {
        OptLevel::None => cranelift::OptLevel::None,
        // Thunks and what figures are measured beside are Cranelift's at every level.
        OptLevel::Speed | OptLevel::Aggressive => cranelift::OptLevel::Speed,
    }
}

#[cfg(feature = "llvm")]
pub(crate) fn llvm_level(opt: OptLevel) -> llvm::OptLevel {
    match opt {
        OptLevel::None => llvm::OptLevel::None,
        OptLevel::Speed => llvm::OptLevel::Speed,
        OptLevel::Aggressive => llvm::OptLevel::Aggressive,
    }
}

impl Backends {
    /// Host code through LLVM.
    #[cfg(feature = "llvm")]
    fn aggressive(&self, body: &Body, ret: &dyn Fn(Mi) -> Ty) -> Result<ShardCode, Stop> {
        let code = llvm::host::compile(self.generator.in_clif(body, ret));
        code.map(|code| ShardCode::Host(Arc::new(code)))
            .map_err(Stop::failed)
    }

    #[cfg(not(feature = "llvm"))]
    fn aggressive(&self, _: &Body, _: &dyn Fn(Mi) -> Ty) -> Result<ShardCode, Stop> {
        let what = "opt:aggressive is not in this build: its feature `llvm` is off";
        Err(Stop::failed(what.to_string()))
    }
}

impl Backend for Backends {
    type Code = ShardCode;
    type Linked = ShardLinked;
    type Shard = Scheduled;

    fn codegen(
        &self,
        shard: &Scheduled,
        body: &Body,
        ret: &dyn Fn(Mi) -> Ty,
    ) -> Result<ShardCode, Stop> {
        match &shard.shard {
            Shard::Host(OptLevel::Aggressive) => self.aggressive(body, ret),
            Shard::Host(opt) => self
                .generator
                .compile(level(*opt), body, ret)
                .map(|code| ShardCode::Host(Arc::new(code)))
                .map_err(Stop::failed),
            #[cfg(any(feature = "opencl", feature = "llvm"))]
            _ => unreachable!("a device is given modules"),
        }
    }

    fn is_device(&self, shard: &Scheduled) -> bool {
        !matches!(shard.shard, Shard::Host(_))
    }

    fn schedule(&self, shard: &Scheduled) -> Schedule {
        shard.schedule.clone()
    }

    fn codegen_module(&self, shard: &Scheduled, module: &Module) -> Result<ShardCode, Stop> {
        let _ = module;
        match &shard.shard {
            Shard::Host(_) => unreachable!("a host shard is given bodies"),
            #[cfg(feature = "opencl")]
            Shard::OpenCl => worldage_opencl::generate(&self.layouts, module)
                .map(|code| ShardCode::OpenCl(Arc::new(code)))
                .map_err(Stop::failed),
            #[cfg(feature = "llvm")]
            Shard::Ptx(target, opt) => {
                let code = self.ptx.generate(*target, llvm_level(*opt), module);
                let code = code.map_err(Stop::failed)?;
                Ok(ShardCode::Ptx(Arc::new(code)))
            }
        }
    }

    fn link(
        &self,
        code: &Arc<ShardCode>,
        cell: &mut dyn FnMut(Mi) -> *const usize,
    ) -> Result<ShardLinked, Stop> {
        match &**code {
            ShardCode::Host(host) => {
                let loaded = self.loader.load(host, cell);
                loaded
                    .map(ShardLinked::Host)
                    .map_err(|error| Stop::failed(error.to_string()))
            }
            #[cfg(feature = "opencl")]
            ShardCode::OpenCl(code) => Ok(ShardLinked::OpenCl(worldage_opencl::Kernel::new(code))),
            #[cfg(feature = "llvm")]
            ShardCode::Ptx(code) => Ok(ShardLinked::Ptx(PtxKernel {
                code: Arc::clone(code),
                #[cfg(feature = "cuda")]
                loaded: parking_lot::Mutex::default(),
            })),
        }
    }

    fn target(&self, shard: &Scheduled) -> Option<Target> {
        match &shard.shard {
            #[cfg(feature = "llvm")]
            Shard::Host(OptLevel::Aggressive) => Some(Target {
                name: std::env::consts::ARCH.into(),
                details: llvm::host::description(),
            }),
            Shard::Host(opt) => Some(Target {
                name: std::env::consts::ARCH.into(),
                details: self.generator.isa().description(level(*opt)),
            }),
            // The text is for every device; what a driver builds is cached with the device.
            #[cfg(feature = "opencl")]
            Shard::OpenCl => Some(Target {
                name: "opencl".into(),
                details: "OpenCL C".into(),
            }),
            #[cfg(feature = "llvm")]
            Shard::Ptx(target, opt) => Some(Target {
                name: target.name().into(),
                details: self.ptx.description(llvm_level(*opt)),
            }),
        }
    }

    fn write_code(&self, code: &ShardCode, w: &mut Writer<'_>) {
        match code {
            ShardCode::Host(code) => {
                w.byte(0);
                code.write(w);
            }
            #[cfg(feature = "opencl")]
            ShardCode::OpenCl(code) => {
                w.byte(1);
                code.write(w);
            }
            #[cfg(feature = "llvm")]
            ShardCode::Ptx(code) => {
                w.byte(2);
                code.write(w);
            }
        }
    }

    fn read_code(&self, r: &mut Reader<'_>) -> Result<ShardCode, Malformed> {
        match r.byte()? {
            0 => Ok(ShardCode::Host(Arc::new(cranelift::Code::read(r)?))),
            #[cfg(feature = "opencl")]
            1 => Ok(ShardCode::OpenCl(Arc::new(worldage_opencl::Code::read(r)?))),
            #[cfg(feature = "llvm")]
            2 => Ok(ShardCode::Ptx(Arc::new(llvm::Code::read(r)?))),
            _ => Err(Malformed("no such kind of code")),
        }
    }
}
