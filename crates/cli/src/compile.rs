//! The options of a session, as several commands take them, and the session that they ask for.

use crate::failure::Failure;
use crate::store::StoreArgs;
use clap::{Args, ValueEnum};
use std::num::NonZeroUsize;
use std::str::FromStr;
use worldage::{Linking, OptLevel, Session, SessionOptions, Shard};

/// How programs are compiled.
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    /// How hard the code generator tries
    #[arg(long, value_enum, default_value = "speed")]
    pub(crate) opt: Opt,
    /// What a redefinition means for linked code
    #[arg(long, value_enum, default_value = "pinned")]
    linking: LinkingArg,
    /// Threads of the code generator [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Opt {
    /// Compile quickly
    None,
    /// Make fast code
    Speed,
    /// Make the fastest code, through LLVM
    Aggressive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LinkingArg {
    /// Running code never sees a later definition
    Pinned,
    /// Running code picks up new bodies at its next call
    Live,
}

impl Opt {
    /// The level, if this build has it.
    pub(crate) fn level(self) -> Result<OptLevel, Failure> {
        match self {
            Opt::None => Ok(OptLevel::None),
            Opt::Speed => Ok(OptLevel::Speed),
            #[cfg(feature = "llvm")]
            Opt::Aggressive => Ok(OptLevel::Aggressive),
            #[cfg(not(feature = "llvm"))]
            Opt::Aggressive => Err(Failure::Missing(
                "--opt aggressive needs the LLVM code generator, which is not in this build"
                    .to_string(),
                "use --opt speed".to_string(),
            )),
        }
    }
}

impl CompileArgs {
    /// A new session as these options say.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        let mut options = SessionOptions {
            opt: self.opt.level()?,
            store: self.store.open()?,
            linking: match self.linking {
                LinkingArg::Pinned => Linking::Pinned,
                LinkingArg::Live => Linking::Live,
            },
            log_limit: 1 << 22,
            ..SessionOptions::default()
        };
        if let Some(threads) = self.threads {
            options.threads = threads.get();
        }
        let session = Session::new(options)?;
        session.set_strict(self.store.strict);
        Ok(session)
    }
}

/// What code is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Host,
    Interpreter,
    OpenCl,
    Cuda,
    Ptx(Ptx),
}

/// What PTX is made for.
#[cfg(feature = "llvm")]
pub(crate) type Ptx = worldage::PtxTarget;
#[cfg(not(feature = "llvm"))]
pub(crate) type Ptx = String;

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        match text {
            "host" => return Ok(Target::Host),
            "interpreter" => return Ok(Target::Interpreter),
            "opencl" => return Ok(Target::OpenCl),
            "cuda" => return Ok(Target::Cuda),
            _ => {}
        }
        let Some(arch) = text.strip_prefix("ptx:") else {
            return Err("host, opencl, cuda or ptx:sm_NN, such as ptx:sm_90".to_string());
        };
        ptx_target(arch).map(Target::Ptx)
    }
}

/// The target that text names: `sm_90`.
pub(crate) fn ptx_target(text: &str) -> Result<Ptx, String> {
    let name = text.strip_prefix("ptx:").unwrap_or(text);
    let number = name.strip_prefix("sm_").unwrap_or_default();
    let digits = number.trim_end_matches(['a', 'f']);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{text}` is no target such as sm_90"));
    }
    #[cfg(feature = "llvm")]
    return name
        .parse()
        .map_err(|unknown: worldage::llvm::target::UnknownTarget| unknown.to_string());
    #[cfg(not(feature = "llvm"))]
    Ok(name.to_string())
}

impl Target {
    /// The shard of a device, which is looked for where code depends on it; `None` for what runs
    /// here.
    pub(crate) fn shard_in(
        &self,
        session: &Session,
        opt: OptLevel,
    ) -> Result<Option<Shard>, Failure> {
        let _ = session;
        match self {
            #[cfg(feature = "cuda")]
            Target::Cuda => {
                let shard = session.cuda_shard(opt);
                shard.map(Some).map_err(|error| Failure::no_device(&error))
            }
            target => Ok(target.shard(opt)),
        }
    }

    /// The shard of code that can be made without the device; `None` for what runs here.
    pub(crate) fn shard(&self, opt: OptLevel) -> Option<Shard> {
        let _ = opt;
        match self {
            #[cfg(feature = "opencl")]
            Target::OpenCl => Some(Shard::OpenCl),
            #[cfg(feature = "llvm")]
            Target::Ptx(target) => Some(Shard::Ptx(*target, opt)),
            _ => None,
        }
    }

    /// Why this build cannot make code for it, if it cannot.
    pub(crate) fn missing(&self) -> Option<Failure> {
        match self {
            Target::Host | Target::Interpreter => None,
            #[cfg(feature = "opencl")]
            Target::OpenCl => None,
            #[cfg(not(feature = "opencl"))]
            Target::OpenCl => Some(not_in_this_build("OpenCL", "opencl")),
            #[cfg(feature = "cuda")]
            Target::Cuda => None,
            #[cfg(not(feature = "cuda"))]
            Target::Cuda => Some(Failure::Missing(
                "launches on CUDA devices are not in this build: its feature `cuda` is off"
                    .to_string(),
                "--target ptx:sm_90 compiles kernels for one; --target host runs them here"
                    .to_string(),
            )),
            #[cfg(feature = "llvm")]
            Target::Ptx(_) => None,
            #[cfg(not(feature = "llvm"))]
            Target::Ptx(_) => Some(not_in_this_build("PTX", "llvm")),
        }
    }
}

#[cfg(not(all(feature = "opencl", feature = "llvm")))]
fn not_in_this_build(what: &str, feature: &str) -> Failure {
    Failure::Missing(
        format!("code for {what} is not in this build: its feature `{feature}` is off"),
        "use --target host; `worldage devices` shows what this machine offers".to_string(),
    )
}
