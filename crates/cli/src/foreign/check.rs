//! `worldage run FILE.cl`: every kernel built, and launched as the references say.
//!
//! References of a file on disk lie in the folder `reference` beside it: JSON as `launch` takes it,
//! with `"file"` and `"expected"`, the arguments that must come out; `"within"` is how far floats may
//! be from that, as a part of it or, below 1, of 1.

use super::build;
use super::launch::{Answered, Launching, check_target, options};
use crate::failure::{Done, Failure};
use crate::launch::json;
use crate::{files, stats, terminal};
use std::path::{Path, PathBuf};
use std::time::Instant;
use worldage::Session;
use worldage::opencl::foreign;
use worldage::wir::prim::ScalarValue;

/// Runs the command.
pub(super) fn run(args: &crate::run::Args) -> Done {
    let begun = Instant::now();
    check_target(args.target.as_ref())?;
    if !args.args.is_empty() {
        let message = "a file of OpenCL C has no entry that takes arguments: `worldage launch` runs \
                       one kernel";
        return Err(Failure::Usage(message.to_string()));
    }
    let path = super::only(&args.files)?;
    let sources = build::sources(path)?;
    let session = args.compile.session()?;
    let options = options(None, args.compile.opt);
    let program = build::program(&session, path, &sources, &options)?;
    if program.kernels().next().is_none() {
        let message = "the program has no kernel: a `__kernel` function";
        return Err(Failure::Usage(message.to_string()));
    }
    for kernel in program.kernels() {
        terminal::line(&format!("ok  {kernel}"))?;
    }
    let on = Launching {
        session: &session,
        program: &program,
        sources: &sources,
        path,
    };
    let mut done = Ok(());
    for (name, bytes) in references(path, &sources)? {
        match reference(&session, &on, &name, &bytes) {
            Ok(kernel) => terminal::line(&format!("ok  {kernel}  {name}"))?,
            Err(failure) => done = Err(failure.say()),
        }
    }
    if let Some(format) = args.stats {
        stats::show(&session, format, begun, None);
    }
    done
}

/// The names and contents of the launches that a program is checked by.
fn references(path: &Path, sources: &foreign::Sources) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    if !path.exists() {
        let shipped = foreign::shipped_references(sources.name()).into_iter();
        let named = shipped.map(|(name, json)| (name.to_string(), json.as_bytes().to_vec()));
        return Ok(named.collect());
    }
    let folder = path.parent().unwrap_or(Path::new("")).join("reference");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    let mut own = Vec::new();
    for path in paths {
        let (name, bytes) = files::read(&path)?;
        if json::Expected::read(&bytes).is_some_and(|read| read.file == sources.name()) {
            own.push((name, bytes));
        }
    }
    Ok(own)
}

/// Launches as a reference says and compares; gives the kernel's name.
fn reference(
    session: &Session,
    on: &Launching<'_>,
    name: &str,
    bytes: &[u8],
) -> Result<String, Failure> {
    let launch = json::Launch::read(name, bytes).map_err(Failure::Program)?;
    let wrong =
        |message: String| Failure::Program(format!("{name}: error[invalid-argument]: {message}\n"));
    let expected = json::Expected::read(bytes);
    let expected = expected.ok_or_else(|| wrong("it says nothing of what must come out".into()))?;
    let asked = launch.kernel.clone().unwrap_or_default();
    let kernel = on.program.kernels().find(|kernel| kernel.name == asked);
    let kernel = kernel.ok_or_else(|| wrong(format!("there is no kernel `{asked}`")))?;
    let all = launch.expected(name, session.universe(), &expected);
    let all = all.map_err(Failure::Program)?;
    let within = expected.within;
    let Answered { after, .. } = on.launch(kernel, name, launch)?;
    for (arg, ix, value) in all {
        let (found, expected) = (after[ix].scalars(), value.scalars());
        let differs = (0..found.len().max(expected.len())).find(|at| {
            match (found.get(*at), expected.get(*at)) {
                (Some(a), Some(b)) => !a.is_close(*b, within),
                _ => true,
            }
        });
        if let Some(at) = differs {
            let show = |all: &[ScalarValue]| {
                all.get(at)
                    .map_or("nothing".to_string(), ToString::to_string)
            };
            let (found, expected) = (show(&found), show(&expected));
            return Err(Failure::Program(format!(
                "{name}: error: `{asked}` gives {found} in {arg}[{at}], and {expected} is expected\n"
            )));
        }
    }
    Ok(asked)
}
