//! `worldage launch`: one kernel over a grid, with arguments from a JSON file and back to JSON.

pub(crate) mod json;

#[cfg(feature = "llvm")]
use crate::check;
use crate::compile::{Opt, Target};
use crate::failure::{Done, Failure};
use crate::store::StoreArgs;
use crate::{files, foreign, stats, terminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use worldage::oracle::InterpreterSession;
use worldage::{
    CallOptions, Grid, LaunchSize, Schedule, Session, SessionOptions, Shard, TunedReport, Value,
};

/// The arguments of `worldage launch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of one program, or a file of OpenCL C: on disk, or one that worldage ships (blur.cl)
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The kernel [default: the one that the JSON file names]
    #[arg(long, value_name = "NAME")]
    pub(crate) kernel: Option<String>,
    /// Sizes and arguments of the launch
    #[arg(long, value_name = "FILE.json")]
    pub(crate) args: PathBuf,
    /// host, interpreter, opencl, cuda or ptx:sm_NN [default: host; of OpenCL C: opencl]
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<Target>,
    /// The schedule of a kernel with a tuning space, such as block=64 [default: the fastest]
    #[arg(long, value_name = "SCHEDULE")]
    pub(crate) schedule: Option<Schedule>,
    /// The table that the program is seen through: on a device it is that device's
    #[arg(long, value_name = "TABLE")]
    pub(crate) view: Option<String>,
    /// Options of the driver's compiler for OpenCL C, such as '-DFAST=1'
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub(crate) build_options: Option<String>,
    #[command(flatten)]
    pub(crate) overlays: files::Overlays,
    /// How hard the code generator tries
    #[arg(long, value_enum, default_value = "speed")]
    pub(crate) opt: Opt,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Show the schedule and what was compiled, on standard error
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) stats: Option<stats::Format>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    if foreign::is_foreign(&args.files) {
        return foreign::launch(args);
    }
    let begun = Instant::now();
    let target = args.target.clone().unwrap_or(Target::Host);
    if let Some(missing) = target.missing() {
        return Err(missing);
    }
    if args.build_options.is_some() {
        let message = "--build-options is for files of OpenCL C";
        return Err(Failure::Usage(message.to_string()));
    }
    let session = Session::new(SessionOptions {
        opt: args.opt.level()?,
        store: args.store.open()?,
        ..SessionOptions::default()
    })?;
    session.set_strict(args.store.strict);
    session.on_print(Box::new(terminal::program_output));
    files::define(&session, &args.files)?;
    args.overlays.define(&session)?;
    let (name, bytes) = files::read(&args.args)?;
    let launch = json::Launch::read(&name, &bytes).map_err(Failure::Program)?;
    let kernel = args.kernel.as_ref().or(launch.kernel.as_ref());
    let Some(kernel) = kernel else {
        let message = format!("no kernel is named: give --kernel NAME, or \"kernel\" in {name}");
        return Err(Failure::Usage(message));
    };
    let size = launch.size(&name).map_err(Failure::Program)?;
    let values = launch.values(&name, session.universe());
    let values = values.map_err(Failure::Program)?;
    let opt = args.opt.level()?;
    let launching = Launching {
        session: &session,
        launch: &launch,
        kernel,
        size: &size,
    };
    if target == Target::Interpreter {
        return launching.interpret(args, &values);
    }
    let shard = target.shard_in(&session, opt)?;
    let shard = shard.unwrap_or(Shard::Host(opt));
    #[cfg(feature = "llvm")]
    if matches!(target, Target::Ptx(_)) {
        let grid = launching.grid(args, &values)?;
        let checked = session.check_launch(kernel, &values, grid);
        checked.map_err(|failure| Failure::call(&session, &failure))?;
        return check::kernel(&session, &launch.signature(kernel), shard);
    }
    #[cfg(feature = "opencl")]
    if shard == Shard::OpenCl {
        let device = session.opencl_device();
        device.map_err(|error| Failure::no_device(&error))?;
    }
    let tuned = launching.launch(args, shard, values)?;
    let used = stats::Launch::of(&tuned);
    let mut done = match tuned.report.result {
        Ok(Value::Tuple(after)) => terminal::line(&launch.answer(after.parts())),
        Ok(_) => unreachable!("a launch gives the tuple of its arguments"),
        Err(failure) => Err(Failure::call(&session, &failure)),
    };
    // The numbers are the last line, also below an error.
    done = done.map_err(|failure| failure.say());
    if let Some(folder) = &args.store.dump_dir {
        let sig = launch.signature(kernel);
        let dumped = session.dump_kernel(folder, &sig, shard, opt);
        done = done.and(dumped.map_err(|error| Failure::dump(&session, error).say()));
    }
    if let Some(format) = args.stats {
        stats::show(&session, format, begun, Some(used));
    }
    done
}

/// A launch as the file describes it.
struct Launching<'a> {
    session: &'a Session,
    launch: &'a json::Launch,
    kernel: &'a str,
    size: &'a LaunchSize,
}

impl Launching<'_> {
    /// In the schedule that is asked for, or else in the fastest.
    fn launch(
        &self,
        args: &Args,
        shard: Shard,
        values: Vec<Value>,
    ) -> Result<TunedReport, Failure> {
        let session = self.session;
        let options = CallOptions {
            view: args.view.clone(),
            ..CallOptions::default()
        };
        let checked = session.check_kernel_args(self.kernel, &values);
        checked.map_err(|failure| Failure::call(session, &failure))?;
        Ok(match &args.schedule {
            Some(_) => {
                let schedule = self.schedule(args)?;
                session.launch_in(shard, self.kernel, values, self.size, &schedule, &options)
            }
            None => session.launch_tuned(shard, self.kernel, values, self.size, &options),
        })
    }

    /// The first of the kernel's schedules that says what the command line says.
    fn schedule(&self, args: &Args) -> Result<Schedule, Failure> {
        let asked = args.schedule.clone().unwrap_or_default();
        let all = self
            .session
            .schedules(&self.launch.signature(self.kernel))
            .map_err(|failure| Failure::edit(self.session, &failure))?;
        let says = |schedule: &&Schedule| {
            let mut values = asked.values().iter();
            values.all(|(name, value)| schedule.get(name) == Some(*value))
        };
        all.iter().find(says).cloned().ok_or_else(|| {
            let known: Vec<String> = all.iter().map(ToString::to_string).collect();
            let known = match &known[..] {
                [one] if one.is_empty() => "it has no tuning space".to_string(),
                known => format!("it has {}", known.join("  ")),
            };
            Failure::Usage(format!("the kernel has no schedule {asked}: {known}"))
        })
    }

    /// The sizes in the schedule that is asked for, or else in the first.
    fn grid(&self, args: &Args, values: &[Value]) -> Result<Grid, Failure> {
        let checked = self.session.check_kernel_args(self.kernel, values);
        checked.map_err(|failure| Failure::call(self.session, &failure))?;
        let grid = self.size.grid(&self.schedule(args)?);
        grid.map_err(|message| Failure::Program(format!("error[invalid-argument]: {message}\n")))
    }

    /// Launches on the interpreter; the session has seen the files already, so they are right.
    fn interpret(&self, args: &Args, values: &[Value]) -> Done {
        let session = self.session;
        let grid = self.grid(args, values)?;
        let checked = session.check_launch(self.kernel, values, grid);
        checked.map_err(|failure| Failure::call(session, &failure))?;
        let mut oracle = InterpreterSession::new(Arc::clone(session.universe()));
        for (name, bytes) in files::read_all(&args.files)? {
            let defined = oracle.define(&name, &String::from_utf8_lossy(&bytes), None);
            defined.map_err(|failure| Failure::edit(session, &failure))?;
        }
        for (table, name, bytes) in args.overlays.read()? {
            let defined = oracle.define(&name, &String::from_utf8_lossy(&bytes), Some(table));
            defined.map_err(|failure| Failure::edit(session, &failure))?;
        }
        let (schedule, view) = (self.schedule(args)?, args.view.as_deref());
        let (printed, launched) = oracle.launch_in(self.kernel, values, grid, &schedule, view);
        terminal::program_output(&printed);
        match launched {
            Ok(()) => terminal::line(&self.launch.answer(values)),
            Err(error) => Err(Failure::Program(oracle.render(&error))),
        }
    }
}
