//! `worldage emit`: one stage of one method instance, as text.

use crate::compile::{self, Opt};
use crate::failure::{Done, Failure};
use crate::{files, foreign};
use clap::ValueEnum;
use std::path::PathBuf;
use worldage::wir::syntax::parse_sig;
use worldage::{EmitStage, Schedule, Session, SessionOptions};

/// The arguments of `worldage emit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of one program; `-` is standard input. Or a file of OpenCL C, with --stage opencl:
    /// its text with everything that it includes
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The instance: a function on concrete argument types, such as 'f(Int64)'
    #[arg(long = "fn", value_name = "INSTANCE")]
    function: Option<String>,
    /// The stage
    #[arg(long, value_enum)]
    stage: Stage,
    /// How hard the code generator tries
    #[arg(long, value_enum, default_value = "speed")]
    opt: Opt,
    /// For which device, with --stage ptx or llvm: sm_90, …; without it, llvm is this host's code
    #[arg(long, value_name = "TARGET", value_parser = compile::ptx_target)]
    target: Option<compile::Ptx>,
    /// The schedule of a kernel with a tuning space, such as block=64 [default: the first]
    #[arg(long, value_name = "SCHEDULE")]
    schedule: Option<Schedule>,
    /// The table that the program is seen through, with --stage inferred or inlined: opencl or ptx
    #[arg(long, value_name = "TABLE")]
    view: Option<String>,
    #[command(flatten)]
    overlays: files::Overlays,
    /// Write there instead of to standard output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The method as it was written
    Source,
    /// Typed SSA after inference
    Inferred,
    /// Typed SSA with callees inlined
    Inlined,
    /// What Cranelift is given
    Clif,
    /// Machine code of this host
    Asm,
    /// LLVM's text
    Llvm,
    /// Code for Nvidia devices
    Ptx,
    /// OpenCL C
    #[value(name = "opencl")]
    OpenCl,
    /// A WebAssembly module
    Wasm,
    /// An object file
    Object,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    if foreign::is_foreign(&args.files) {
        return match args.stage {
            Stage::OpenCl => foreign::emit(&args.files, args.output.as_deref()),
            _ => Err(Failure::Usage(
                "of a file of OpenCL C there is --stage opencl".to_string(),
            )),
        };
    }
    let Some(function) = &args.function else {
        let message = "--fn is needed: an instance such as 'f(Int64)'";
        return Err(Failure::Usage(message.to_string()));
    };
    let stage = match args.stage {
        Stage::Source => EmitStage::Source,
        Stage::Inferred => EmitStage::Inferred,
        Stage::Inlined => EmitStage::Inlined,
        Stage::Clif => EmitStage::Clif,
        Stage::Asm => EmitStage::Asm,
        #[cfg(feature = "opencl")]
        Stage::OpenCl => EmitStage::OpenCl,
        #[cfg(not(feature = "opencl"))]
        Stage::OpenCl => return Err(Failure::no_feature("OpenCL", "opencl")),
        #[cfg(feature = "llvm")]
        Stage::Ptx => {
            let target = args.target.ok_or_else(|| {
                Failure::Usage("--stage ptx needs --target, such as sm_90".to_string())
            })?;
            EmitStage::Ptx(target)
        }
        #[cfg(feature = "llvm")]
        Stage::Llvm => EmitStage::Llvm(args.target),
        #[cfg(not(feature = "llvm"))]
        Stage::Ptx | Stage::Llvm => return Err(Failure::no_feature("LLVM", "llvm")),
        other => {
            let value = other.to_possible_value();
            let name = value.as_ref().map_or("", |value| value.get_name());
            return Err(Failure::later(&format!("--stage {name}")));
        }
    };
    if args.target.is_some() && !matches!(args.stage, Stage::Ptx | Stage::Llvm) {
        let message = "--target is for --stage ptx and --stage llvm";
        return Err(Failure::Usage(message.to_string()));
    }
    let opt = args.opt.level()?;
    if let Err(error) = parse_sig(function) {
        let message = format!("--fn '{function}' is no signature\n{error}");
        return Err(Failure::Usage(message));
    }
    let session = Session::new(SessionOptions::default())?;
    files::define(&session, &args.files)?;
    args.overlays.define(&session)?;
    let schedule = args.schedule.clone().unwrap_or_default();
    let shown = session.emit_in(function, stage, opt, &schedule, args.view.as_deref());
    let mut shown = shown.map_err(|failure| Failure::edit(&session, &failure))?;
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    files::write(args.output.as_deref(), &shown)
}
