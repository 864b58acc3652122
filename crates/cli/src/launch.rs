//! `worldage launch`: one kernel over a grid, with arguments from a JSON file and back to JSON.

mod json;

#[cfg(feature = "llvm")]
use crate::check;
use crate::compile::{Opt, Target};
use crate::failure::{Done, Failure};
use crate::{files, terminal};
use std::path::PathBuf;
use std::sync::Arc;
use worldage::oracle::InterpreterSession;
use worldage::{CallOptions, Grid, Session, SessionOptions, Value};

/// The arguments of `worldage launch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of one program
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The kernel [default: the one that the JSON file names]
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Sizes and arguments of the launch
    #[arg(long, value_name = "FILE.json")]
    args: PathBuf,
    /// host, interpreter, opencl, cuda or ptx:sm_NN
    #[arg(long, default_value = "host", value_name = "TARGET")]
    target: Target,
    /// How hard the code generator tries
    #[arg(long, value_enum, default_value = "speed")]
    opt: Opt,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    if let Some(missing) = args.target.missing() {
        return Err(missing);
    }
    let session = Session::new(SessionOptions {
        opt: args.opt.level()?,
        device_cache: worldage::default_device_cache(),
        ..SessionOptions::default()
    })?;
    session.on_print(Box::new(terminal::program_output));
    files::define(&session, &args.files)?;
    let (name, bytes) = files::read(&args.args)?;
    let launch = json::Launch::read(&name, &bytes).map_err(Failure::Program)?;
    let kernel = args.kernel.as_ref().or(launch.kernel.as_ref());
    let Some(kernel) = kernel else {
        let message = format!("no kernel is named: give --kernel NAME, or \"kernel\" in {name}");
        return Err(Failure::Usage(message));
    };
    let grid: Grid = launch.grid(&name).map_err(Failure::Program)?;
    let values = launch.values(&name, session.universe());
    let values = values.map_err(Failure::Program)?;
    if args.target == Target::Interpreter {
        return interpret(args, &session, &launch, kernel, grid, &values);
    }
    #[cfg(feature = "llvm")]
    if let Some(shard @ worldage::Shard::Ptx(..)) = args.target.shard(args.opt.level()?) {
        let checked = session.check_launch(kernel, &values, grid);
        checked.map_err(|failure| Failure::call(&session, &failure))?;
        return check::kernel(&session, &launch.signature(kernel), shard);
    }
    let options = CallOptions::default();
    let launched = match args.target {
        #[cfg(feature = "opencl")]
        Target::OpenCl => {
            let device = session.opencl_device();
            device.map_err(|error| Failure::no_device(&error))?;
            session.launch_on(worldage::Shard::OpenCl, kernel, values, grid, &options)
        }
        _ => session.launch(kernel, values, grid, &options),
    };
    match launched.result {
        Ok(Value::Tuple(after)) => terminal::line(&launch.answer(after.parts())),
        Ok(_) => unreachable!("a launch gives the tuple of its arguments"),
        Err(failure) => Err(Failure::call(&session, &failure)),
    }
}

/// Launches on the interpreter; the session has seen the files already, so they are right.
fn interpret(
    args: &Args,
    session: &Session,
    launch: &json::Launch,
    kernel: &str,
    grid: Grid,
    values: &[Value],
) -> Done {
    let checked = session.check_launch(kernel, values, grid);
    checked.map_err(|failure| Failure::call(session, &failure))?;
    let mut oracle = InterpreterSession::new(Arc::clone(session.universe()));
    for (name, bytes) in files::read_all(&args.files)? {
        let defined = oracle.define(&name, &String::from_utf8_lossy(&bytes), None);
        defined.map_err(|failure| Failure::edit(session, &failure))?;
    }
    let (printed, launched) = oracle.launch(kernel, values, grid);
    terminal::program_output(&printed);
    match launched {
        Ok(()) => terminal::line(&launch.answer(values)),
        Err(error) => Err(Failure::Program(oracle.render(&error))),
    }
}
