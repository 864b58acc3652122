//! `worldage run`: one program from files, its entry called with the command line's arguments.

use crate::compile::{CompileArgs, Target};
use crate::failure::{Done, Failure};
use crate::{check, files, foreign, stats, terminal};
use std::path::PathBuf;
use std::time::Instant;
use worldage::wir::ast::{ExprKind, Span};
use worldage::wir::syntax::parse_value_arg;
use worldage::{CallFailure, CallOptions, CallReport, Code, FileId, Session, Stage, Value};

/// The arguments of `worldage run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of one program; `-` is standard input. Or a file of OpenCL C: its kernels are built
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The function that is called
    #[arg(long, value_name = "NAME", default_value = "main")]
    entry: String,
    /// host, opencl, cuda or ptx:sm_NN [default: host; of OpenCL C: opencl]
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<Target>,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    overlays: files::Overlays,
    /// Show what was compiled, on standard error
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) stats: Option<stats::Format>,
    /// Arguments of the entry: 12 is an Int64, 1.5 a Float64, true a Bool, others are Strings
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    if foreign::is_foreign(&args.files) {
        return foreign::check(args);
    }
    let begun = Instant::now();
    let target = args.target.clone().unwrap_or(Target::Host);
    if target == Target::Interpreter {
        return Err(Failure::Usage(
            "--target interpreter is for `worldage launch`; `run` takes host, opencl, cuda or \
             ptx:sm_NN"
                .to_string(),
        ));
    }
    if let Some(missing) = target.missing() {
        return Err(missing);
    }
    let session = args.compile.session()?;
    session.on_print(Box::new(terminal::program_output));
    if let Some(shard) = target.shard_in(&session, args.compile.opt.level()?)? {
        files::define(&session, &args.files)?;
        args.overlays.define(&session)?;
        return check::kernels(&session, shard);
    }
    let done = call(&session, args);
    // The numbers are the last line, also below an error.
    let mut done = done.map_err(|failure| failure.say());
    if let Some(folder) = &args.compile.store.dump_dir {
        let dumped = session.dump(folder, args.compile.opt.level()?);
        let dumped = dumped.map_err(|error| Failure::dump(&session, error).say());
        done = done.and(dumped.map(drop));
    }
    if let Some(format) = args.stats {
        stats::show(&session, format, begun, None);
    }
    done
}

/// Defines the program and calls its entry.
fn call(session: &Session, args: &Args) -> Done {
    let report = files::define(session, &args.files)?;
    args.overlays.define(session)?;
    call_entry(session, &report.files, &args.entry, &args.args).1
}

/// Calls the entry of a program and shows its value; how often infer, codegen and link ran.
pub(crate) fn call_entry(
    session: &Session,
    files: &[FileId],
    entry: &str,
    args: &[String],
) -> ([usize; 3], Done) {
    let values = args.iter().map(|arg| value(arg)).collect();
    let called = session.call_values(entry, values, &CallOptions::default());
    let ran = stages_ran(&called);
    let done = match called.result {
        Ok(value) => show_value(session, &value),
        Err(failure) => {
            let failure = explain_entry(session, entry, files, failure);
            Err(Failure::call(session, &failure))
        }
    };
    (ran, done)
}

/// How often infer, codegen and link ran for a call.
pub(crate) fn stages_ran(report: &CallReport) -> [usize; 3] {
    [Stage::Infer, Stage::Codegen, Stage::Link].map(|stage| {
        let of_stage = report.stages.iter().find(|(of, _)| *of == stage);
        let ran = |names: &[String]| {
            names
                .iter()
                .filter(|name| !name.starts_with("stored:"))
                .count()
        };
        of_stage.map_or(0, |(_, names)| ran(names))
    })
}

/// The value of a command line argument.
pub(crate) fn value(text: &str) -> Value {
    match parse_value_arg(text) {
        ExprKind::Int(x) => Value::int(x),
        ExprKind::Float(x) => Value::float(x),
        ExprKind::Bool(x) => Value::bool(x),
        _ => Value::str(text),
    }
}

/// The entry's value on a line of its own, unless there is none.
pub(crate) fn show_value(session: &Session, value: &Value) -> Done {
    match value {
        Value::Nothing => Ok(()),
        value => terminal::line(&value.print(session.universe()).to_string()),
    }
}

/// Adds to a call that no entry takes where the entries are, or that there are none.
fn explain_entry(
    session: &Session,
    entry: &str,
    files: &[FileId],
    mut failure: CallFailure,
) -> CallFailure {
    let diagnostic = &mut *failure.diagnostic;
    if diagnostic.code != Code::NoMatchingMethod || !diagnostic.trace.is_empty() {
        return failure;
    }
    let entries = session.definitions(entry);
    if let Some((_, place)) = entries.iter().find(|(_, place)| place.is_some()) {
        diagnostic.place = *place;
        diagnostic.hint = Some("give other arguments after `--`".to_string());
    } else if let [first, ..] = files {
        *diagnostic = diagnostic.clone().at(*first, Span { lo: 0, hi: 0 });
        diagnostic.message = format!("nothing to run: the program has no function `{entry}`");
        diagnostic.hint = Some(format!(
            "define `fn {entry}() {{ … }}`, or name another function with --entry"
        ));
    }
    failure
}
