//! `worldage explain`: what an edit of a file invalidates, why, and what each stage does.

use crate::compile::{Opt, Target};
use crate::failure::{Done, Failure};
use crate::summary::{self, Work};
use crate::{files, foreign, terminal};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use worldage::engine::StageExplanation;
use worldage::{EditFailure, Explanation, Session, SessionOptions, Shard, Update};

/// The arguments of `worldage explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program before the edit
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The program after the edit
    #[arg(long, value_name = "EDITED_FILE")]
    after: PathBuf,
    /// Only this instance, such as 'f(Int64)', and what it calls [default: every method that
    /// takes concrete types only]
    #[arg(long = "fn", value_name = "INSTANCE")]
    function: Option<String>,
    /// For which target: host, opencl or ptx:sm_NN; of a device, every kernel in every schedule
    #[arg(long, default_value = "host", value_name = "TARGET")]
    target: Target,
    /// How hard the code generator tries
    #[arg(long, value_enum, default_value = "speed")]
    opt: Opt,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    world: u64,
    edit: &'a [String],
    instances: Vec<Instance<'a>>,
    gone: &'a [String],
    ran: Ran,
    reused: usize,
    us: u64,
}

#[derive(Debug, Serialize)]
struct Instance<'a> {
    name: &'a str,
    stages: Vec<StageLine<'a>>,
}

#[derive(Debug, Serialize)]
struct StageLine<'a> {
    stage: String,
    did: &'static str,
    because: &'a [String],
}

#[derive(Debug, Serialize)]
struct Ran {
    infer: usize,
    codegen: usize,
    link: usize,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    if foreign::is_foreign(std::slice::from_ref(&args.file)) {
        return foreign::explain(&args.file, &args.after, args.json);
    }
    if matches!(args.target, Target::Interpreter | Target::Cuda) {
        let message = "--target is host, opencl or ptx:sm_NN here";
        return Err(Failure::Usage(message.to_string()));
    }
    if let Some(missing) = args.target.missing() {
        return Err(missing);
    }
    let session = Session::new(SessionOptions {
        opt: args.opt.level()?,
        ..SessionOptions::default()
    })?;
    files::define(&session, std::slice::from_ref(&args.file))?;
    let edited = files::read(&args.after)?;
    let (opt, target) = (args.opt.level()?, &args.target);
    let device = target.shard(opt);
    let shard = device.unwrap_or(Shard::Host(opt));
    let failed = |failure: EditFailure| Failure::edit(&session, &failure);
    match (&args.function, device) {
        (Some(function), None) => session.compile(function).map_err(failed)?,
        (Some(function), Some(_)) => session.prepare_on(function, shard).map_err(failed)?,
        (None, Some(_)) => {
            let kernels = session.kernels();
            if kernels.is_empty() {
                let message = "the program has no kernel whose parameters all have concrete types";
                return Err(Failure::Usage(message.to_string()));
            }
            session.prepare_each(&kernels, shard).map_err(failed)?;
        }
        (None, None) if session.compile_all().is_empty() => {
            return Err(Failure::Usage(format!(
                "no method of {} takes concrete types only: name an instance with --fn",
                args.file.display()
            )));
        }
        (None, None) => {}
    }
    let update = session.update_on(shard, args.function.as_deref(), |session| {
        session.replace_program(vec![edited])
    });
    let update = update.map_err(|failure| Failure::edit(&session, &failure))?;
    for warning in &update.edit.warnings {
        terminal::say(&session.render(warning));
    }
    match args.json {
        true => terminal::line(&json(&update)),
        false => terminal::out(&text(&update)),
    }
}

fn did(stage: &StageExplanation) -> &'static str {
    match (stage.ran, stage.stored) {
        (true, _) => "ran",
        (_, true) => "stored",
        _ => "reused",
    }
}

fn text(update: &Update) -> String {
    let mut out = format!("world {}\n", update.edit.world);
    for line in &update.edit.lines {
        let _ = writeln!(out, "  {line}");
    }
    for explanation in &update.explanations {
        out.push('\n');
        out.push_str(&instance(explanation));
    }
    for name in &update.gone {
        let _ = write!(
            out,
            "\n{name}\n  gone: its method is not defined any more\n"
        );
    }
    out.push('\n');
    out.push_str(&summary::line(&update.edit, &Work::from(update)));
    out
}

/// An instance and what its stages did, as scenarios show it.
pub(crate) fn instance(explanation: &Explanation) -> String {
    let mut out = format!("{}\n", explanation.name);
    for stage in &explanation.stages {
        let _ = writeln!(out, "  {:<8} {}", stage.stage, did(stage));
        for (depth, line) in stage.because.iter().enumerate() {
            let _ = writeln!(out, "{:indent$}{line}", "", indent = 4 + 2 * depth);
        }
    }
    out
}

fn json(update: &Update) -> String {
    let instances = update.explanations.iter().map(|explanation| Instance {
        name: &explanation.name,
        stages: explanation
            .stages
            .iter()
            .map(|stage| StageLine {
                stage: stage.stage.to_string(),
                did: did(stage),
                because: &stage.because,
            })
            .collect(),
    });
    let [infer, codegen, link] = update.ran;
    let report = Report {
        world: update.edit.world.0,
        edit: &update.edit.lines,
        instances: instances.collect(),
        gone: &update.gone,
        ran: Ran {
            infer,
            codegen,
            link,
        },
        reused: update.reused,
        us: update.ns / 1000,
    };
    serde_json::to_string(&report).unwrap_or_default()
}
