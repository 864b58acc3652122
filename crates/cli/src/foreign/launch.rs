//! `worldage launch FILE.cl`: one kernel of OpenCL C over a grid.
#![expect(
    unsafe_code,
    reason = "a kernel of foreign text stays in bounds only by its author's promise"
)]

use super::build;
use crate::compile::{Opt, Target};
use crate::failure::{Done, Failure};
use crate::launch::{Args, json};
use crate::{files, stats, terminal};
use std::path::Path;
use std::time::Instant;
use worldage::opencl::foreign::{self, KernelInfo};
use worldage::{ForeignLaunch, ForeignProgram, Grid, Schedule, Session, SessionOptions, Value};

/// Runs the command.
pub(super) fn run(args: &Args) -> Done {
    let begun = Instant::now();
    check_target(args.target.as_ref())?;
    let wir_only = [
        ("--schedule", args.schedule.is_some()),
        ("--view", args.view.is_some()),
        ("--overlay", !args.overlays.is_empty()),
        ("--dump-dir", args.store.dump_dir.is_some()),
    ];
    if let Some((option, _)) = wir_only.iter().find(|(_, given)| *given) {
        return Err(Failure::Usage(format!("{option} is for programs in Wir")));
    }
    let path = super::only(&args.files)?;
    let sources = build::sources(path)?;
    let (name, bytes) = files::read(&args.args)?;
    let launch = json::Launch::read(&name, &bytes).map_err(Failure::Program)?;
    let session = Session::new(SessionOptions {
        store: args.store.open()?,
        ..SessionOptions::default()
    })?;
    let options = options(args.build_options.as_deref(), args.opt);
    let program = build::program(&session, path, &sources, &options)?;
    let kernel = kernel(
        &program,
        args.kernel.as_deref().or(launch.kernel.as_deref()),
        &name,
    )?;
    let on = Launching {
        session: &session,
        program: &program,
        sources: &sources,
        path,
    };
    let launched = on.launch(kernel, &name, launch)?;
    let done = terminal::line(&launched.answer);
    if let Some(format) = args.stats {
        let used = stats::Launch::took(launched.took);
        stats::show(&session, format, begun, Some(used));
    }
    done
}

/// OpenCL C runs on OpenCL devices.
pub(super) fn check_target(target: Option<&Target>) -> Done {
    match target {
        None | Some(Target::OpenCl) => Ok(()),
        Some(_) => Err(Failure::Usage(
            "a file of OpenCL C runs on OpenCL devices: --target opencl".to_string(),
        )),
    }
}

/// The options of a build as the command line asks for it.
pub(super) fn options(own: Option<&str>, opt: Opt) -> String {
    let own = own.unwrap_or_default();
    match (opt, own) {
        (Opt::None, "") => "-cl-opt-disable".to_string(),
        (Opt::None, own) => format!("-cl-opt-disable {own}"),
        _ => own.to_string(),
    }
}

/// The kernel that is asked for, or the only one.
fn kernel<'a>(
    program: &'a ForeignProgram,
    asked: Option<&str>,
    name: &str,
) -> Result<&'a KernelInfo, Failure> {
    let kernels: Vec<&KernelInfo> = program.kernels().collect();
    let names: Vec<&str> = kernels.iter().map(|kernel| &*kernel.name).collect();
    match (asked, &kernels[..]) {
        (None, [one]) => Ok(one),
        (None, _) => Err(Failure::Usage(format!(
            "no kernel is named: give --kernel NAME, or \"kernel\" in {name}; there are: {}",
            names.join(", ")
        ))),
        (Some(asked), _) => {
            let found = kernels.iter().find(|kernel| kernel.name == asked);
            found.copied().ok_or_else(|| {
                let names = names.join(", ");
                Failure::Program(format!(
                    "error[no-matching-method]: there is no kernel `{asked}`\n  = hint: there \
                     are: {names}\n"
                ))
            })
        }
    }
}

/// A program whose kernels are launched.
pub(super) struct Launching<'a> {
    pub(super) session: &'a Session,
    pub(super) program: &'a ForeignProgram,
    pub(super) sources: &'a foreign::Sources,
    pub(super) path: &'a Path,
}

/// What a launch did.
pub(super) struct Answered {
    /// The arguments afterwards.
    pub(super) after: Vec<Value>,
    /// The same, as the command prints them.
    pub(super) answer: String,
    pub(super) took: std::time::Duration,
}

impl Launching<'_> {
    /// Launches a kernel as JSON says, whose name is for messages.
    pub(super) fn launch(
        &self,
        kernel: &KernelInfo,
        name: &str,
        mut launch: json::Launch,
    ) -> Result<Answered, Failure> {
        let params = kernel.params.as_deref().unwrap_or_default();
        launch.complete(params.iter().map(foreign::Param::wir_type));
        let size = launch.size(name).map_err(Failure::Program)?;
        let grid = size.grid(&Schedule::default());
        let grid: Grid = grid
            .map_err(|message| Failure::Program(format!("error[invalid-argument]: {message}\n")))?;
        let values = launch.values(name, self.session.universe());
        let values = values.map_err(Failure::Program)?;
        // SAFETY: whoever launches a file of OpenCL C vouches for it, as for any program that is
        // run; worldage checks what the driver tells of its parameters.
        let launched = unsafe {
            let (session, kernel) = (self.session, &kernel.name);
            session.launch_foreign(self.program, kernel, &values, grid)
        };
        let launched = launched.map_err(|error| build::failure(self.path, self.sources, &error));
        let ForeignLaunch { args: after, took } = launched?;
        Ok(Answered {
            answer: launch.answer(&after),
            after,
            took,
        })
    }
}
