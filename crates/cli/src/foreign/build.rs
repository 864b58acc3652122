//! A file of OpenCL C as a program on the device, and its errors as diagnostics of the file.

use crate::failure::Failure;
use crate::progress::Progress;
use crate::terminal;
use std::path::{Path, PathBuf};
use worldage::opencl::Error;
use worldage::opencl::foreign::{self, Message};
use worldage::wir::ast::Span;
use worldage::{Code, Diagnostic, ForeignProgram, Session};

/// The file on disk, or, where there is none, the one of this name that worldage ships.
pub(super) fn sources(path: &Path) -> Result<foreign::Sources, Failure> {
    if let (false, Some(shipped)) = (path.exists(), shipped(path)) {
        return Ok(shipped);
    }
    foreign::Sources::read(path).map_err(|error| match error {
        Error::Unreadable { .. } if !path.exists() => {
            let (path, known) = (path.display(), foreign::shipped_programs().join(", "));
            Failure::Usage(format!(
                "cannot read {path}: there is no such file (worldage ships {known})"
            ))
        }
        Error::Unreadable { .. } => Failure::Usage(error.to_string()),
        error => Failure::Program(format!("{}\n", include(path, &error))),
    })
}

/// `blur.cl` or `kernels/blur.cl`
pub(super) fn shipped(path: &Path) -> Option<foreign::Sources> {
    let name = path.strip_prefix("kernels").unwrap_or(path);
    foreign::Sources::shipped(name.to_str()?)
}

/// `kernels/blur.cl:3:1: error[build-error]: there is no `plane.h` to include`
fn include(path: &Path, error: &Error) -> String {
    match error {
        Error::Include { file, line, what } => {
            let code = Code::BuildError;
            format!(
                "{}:{line}:1: error[{code}]: {what}",
                beside(path, file).display()
            )
        }
        other => format!("error: {other}"),
    }
}

/// The path of a file of the program, as the command line names its main file.
fn beside(path: &Path, name: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(name)
}

/// Builds the program, or reloads it; tells how long it took.
pub(super) fn program(
    session: &Session,
    path: &Path,
    sources: &foreign::Sources,
    options: &str,
) -> Result<ForeignProgram, Failure> {
    let device = session.opencl_device();
    let device = device.map_err(|error| Failure::no_device(&error))?;
    terminal::say(&format!("device: {device}\n"));
    let progress = Progress::new("building");
    let built = session.build_foreign(sources, options);
    drop(progress);
    let program = built.map_err(|error| failure(path, sources, &error))?;
    let (name, built) = (sources.name(), program.built());
    let how = if built.from_cache {
        "reloaded"
    } else {
        "built"
    };
    let because = program.because();
    let because = because.map_or(String::new(), |part| format!(": its {part} changed"));
    let ms = built.took.as_secs_f64() * 1e3;
    terminal::say(&format!("{how} {name} in {ms:.1} ms{because}\n"));
    Ok(program)
}

/// An error of a build or a launch.
pub(super) fn failure(path: &Path, sources: &foreign::Sources, error: &Error) -> Failure {
    match error {
        Error::Build { log, .. } => Failure::Program(refused(path, sources, log)),
        Error::Arguments(_) | Error::Unsuited { .. } => {
            Failure::Program(format!("error[{}]: {error}\n", Code::InvalidArgument))
        }
        Error::NoDevice(_) | Error::Driver { .. } => Failure::Missing(
            error.to_string(),
            "`worldage devices` shows what this machine offers".to_string(),
        ),
        Error::Unreadable { .. } => Failure::Usage(error.to_string()),
        Error::Include { .. } => Failure::Program(format!("{}\n", include(path, error))),
    }
}

/// What the driver's compiler says, at the places that it names; all of it, if it names none.
fn refused(path: &Path, sources: &foreign::Sources, log: &str) -> String {
    let mut texts = worldage::Sources::new();
    let mut shown = String::new();
    for message in foreign::messages(log)
        .iter()
        .filter(|message| message.is_error)
    {
        let file = sources
            .files()
            .iter()
            .find(|file| file.name == message.file);
        let Some(file) = file else { continue };
        let id = texts.add(beside(path, &file.name).display().to_string(), &*file.text);
        let diagnostic = Diagnostic::error(Code::BuildError, &*message.text);
        let diagnostic = diagnostic.at(id, span(&file.text, message));
        shown += &diagnostic.render(&texts);
    }
    if !shown.is_empty() {
        return shown;
    }
    let code = Code::BuildError;
    format!(
        "{}: error[{code}]: the driver refuses it:\n{log}\n",
        path.display()
    )
}

/// The word at a message's place.
fn span(text: &str, message: &Message) -> Span {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.take(message.line - 1).map(str::len).sum();
    let rest = &text[before..];
    let line = rest.lines().next().unwrap_or("");
    // Columns count bytes.
    let mut from = (message.col - 1).min(line.len());
    while !line.is_char_boundary(from) {
        from -= 1;
    }
    let word = line[from..]
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(line.len() - from);
    let at = |offset: usize| u32::try_from(before + offset).unwrap_or(u32::MAX);
    Span {
        lo: at(from),
        hi: at(from + word.max(1)),
    }
}
