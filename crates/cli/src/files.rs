//! Program files, as they are: bytes and the name that positions show.

use crate::failure::Failure;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use worldage::{EditReport, Session};

/// The longest file that is read, bytes: positions are 32-bit.
const LONGEST: u64 = u32::MAX as u64;

/// Reads one file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let name = path.display().to_string();
    let cannot = |why: &str| Failure::Usage(format!("cannot read {name}: {why}"));
    let mut bytes = Vec::new();
    if name == "-" {
        let read = std::io::stdin().read_to_end(&mut bytes);
        read.map_err(|error| cannot(&error.to_string()))?;
        return Ok(("<stdin>".to_string(), bytes));
    }
    let file = std::fs::File::open(path).map_err(|error| cannot(&reason(&error)))?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(cannot("it is a directory"));
    }
    let read = file.take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|error| cannot(&reason(&error)))?;
    Ok((name, bytes))
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_string(),
        ErrorKind::PermissionDenied => "permission denied".to_string(),
        ErrorKind::IsADirectory => "it is a directory".to_string(),
        _ => error.to_string(),
    }
}

/// Reads several files, which are one program.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    paths.iter().map(|path| read(path)).collect()
}

/// Defines a program of several files in a session; warnings go to standard error.
pub(crate) fn define(session: &Session, paths: &[PathBuf]) -> Result<EditReport, Failure> {
    let report = session.define_files(read_all(paths)?);
    let report = report.map_err(|failure| Failure::edit(session, &failure))?;
    for warning in &report.warnings {
        crate::terminal::say(&session.render(warning));
    }
    Ok(report)
}

/// Methods that stand above the program's own where code is made for a kind of device.
#[derive(Debug, clap::Args)]
pub(crate) struct Overlays {
    /// A file of methods that code for a device has instead: opencl=FILE or ptx=FILE
    #[arg(long = "overlay", value_name = "TABLE=FILE", value_parser = overlay)]
    overlays: Vec<(String, PathBuf)>,
}

/// A table, and the name and bytes of a file.
type Overlay<'a> = (&'a str, String, Vec<u8>);

fn overlay(text: &str) -> Result<(String, PathBuf), String> {
    let parts = text.split_once('=');
    let (table, file) = parts
        .filter(|(table, file)| !table.is_empty() && !file.is_empty())
        .ok_or("a table and a file are needed, such as opencl=FILE")?;
    Ok((table.to_owned(), file.into()))
}

impl Overlays {
    /// Whether there are none.
    #[cfg(feature = "opencl")]
    pub(crate) fn is_empty(&self) -> bool {
        self.overlays.is_empty()
    }

    /// What they say: the table, the name of the file, its bytes.
    pub(crate) fn read(&self) -> Result<Vec<Overlay<'_>>, Failure> {
        let each = self.overlays.iter();
        each.map(|(table, path)| {
            let (name, bytes) = read(path)?;
            Ok((&**table, name, bytes))
        })
        .collect()
    }

    /// Defines them in a session.
    pub(crate) fn define(&self, session: &Session) -> Result<(), Failure> {
        for (table, name, bytes) in self.read()? {
            let defined = session.define(&name, &String::from_utf8_lossy(&bytes), Some(table));
            let report = defined.map_err(|failure| Failure::edit(session, &failure))?;
            for warning in &report.warnings {
                crate::terminal::say(&session.render(warning));
            }
        }
        Ok(())
    }
}

/// Writes a result to a file, or to standard output if there is none.
pub(crate) fn write(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    let Some(path) = path else {
        return crate::terminal::out(text);
    };
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        Failure::Usage(format!(
            "cannot write {}: {}",
            path.display(),
            reason(&error)
        ))
    })
}
