//! A folder that a person can read: what was compiled, every stage of it, what it was made from,
//! and a script that makes it again.
//!
//! ```text
//! program.wir                        the program, as the printer writes it
//! methods/g/g(Int64)/source.wir      the method
//! methods/g/g(Int64)/opt-speed/
//!     1-inferred.txt 2-inlined.txt   the IR after each pass
//!     3-clif.clif    4-asm.asm       what the code generator was given, and what it made
//!     options.txt edges.txt key.txt  what they were made with, from, and by which name stores know it
//!     rebuild.sh                     makes the last stage again from the program, and compares
//! ```
//!
//! A kernel with a tuning space has a folder per schedule below the shard's, numbered: `2.depth=16`.

use crate::backend::{Scheduled, Shard};
use crate::edits::EditFailure;
use crate::options::OptLevel;
use crate::persist::PRODUCER;
use crate::questions::EmitStage;
use crate::session::Session;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use worldage_engine::{Linking, Mi, TableId};
use worldage_store::key::Key;
use worldage_wir::schedule::Schedule;

/// Why a folder was not written whole; what was written stays.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// let file = tempfile::NamedTempFile::new().unwrap();
/// let error = session.dump(file.path(), OptLevel::Speed).unwrap_err();
/// assert!(matches!(error, DumpError::Io { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// A file or folder could not be made.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The signature is wrong, or a stage failed.
    #[error(transparent)]
    Failed(#[from] EditFailure),
}

/// Longest file name without its ending, bytes: what file systems take, less some room.
const LONGEST: usize = 200;

impl Session {
    /// Writes what is compiled and up to date at an opt level into a folder, which is made if it
    /// is not there: `program.wir`, and for each instance `methods/g/g(Int64)/opt-speed/` with the IR
    /// after each pass, CLIF, assembly, options, edges, key, and `rebuild.sh`, which makes the
    /// assembly again and compares. Gives the number of instances.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.call("f(20)", &CallOptions::default());
    /// let folder = tempfile::tempdir().unwrap();
    /// assert_eq!(session.dump(folder.path(), OptLevel::Speed).unwrap(), 2);
    /// let edges = folder.path().join("methods/f/f(Int64)/opt-speed/edges.txt");
    /// assert!(std::fs::read_to_string(edges).unwrap().contains("lookup g(Int64): g(Any)"));
    /// ```
    ///
    /// # Errors
    /// [`DumpError`]
    pub fn dump(&self, folder: &Path, opt: OptLevel) -> Result<usize, DumpError> {
        let engine = &self.inner.engine;
        let at = Scheduled {
            shard: Shard::Host(opt),
            schedule: Schedule::default(),
        };
        let shard = engine.shard(at, engine.view(&[]));
        self.write_program(folder)?;
        let mut compiled = engine.valid(shard);
        compiled.retain(|mi| !self.inner.is_intrinsic(*mi));
        compiled.sort_by_cached_key(|mi| engine.name(*mi));
        for mi in &compiled {
            self.write_instance(folder, *mi, Shard::Host(opt), opt, &[Schedule::default()])?;
        }
        Ok(compiled.len())
    }

    /// The same of one kernel in a shard, in each of its schedules; compiles what is missing.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "kernel fn k(n: Int64) { tune(a, [5, 6])\n div(n, a) }";
    /// session.define("k.wir", text, None).unwrap();
    /// let folder = tempfile::tempdir().unwrap();
    /// let shard = Shard::Host(OptLevel::None);
    /// session.dump_kernel(folder.path(), "k(Int64)", shard, OptLevel::None).unwrap();
    /// assert!(folder.path().join("methods/k/k(Int64)/opt-none/2.a=6/4-asm.asm").exists());
    /// ```
    ///
    /// # Errors
    /// [`DumpError`]
    pub fn dump_kernel(
        &self,
        folder: &Path,
        sig: &str,
        shard: Shard,
        opt: OptLevel,
    ) -> Result<(), DumpError> {
        let schedules = self.schedules(sig)?;
        self.write_program(folder)?;
        self.write_instance(folder, self.instance(sig)?, shard, opt, &schedules)
    }

    fn write_program(&self, folder: &Path) -> Result<(), DumpError> {
        let text = self.inner.written.lock().text(TableId::BASE);
        write(&folder.join("program.wir"), &text)
    }

    fn write_instance(
        &self,
        folder: &Path,
        mi: Mi,
        shard: Shard,
        opt: OptLevel,
        schedules: &[Schedule],
    ) -> Result<(), DumpError> {
        let engine = &self.inner.engine;
        let view = self.inner.view_on(shard, engine.view(&[]));
        let function = engine.types().symbol_str(engine.key(mi).function);
        let instance = engine.name(mi);
        let folder = folder.join("methods").join(file_name(function));
        let folder = folder.join(file_name(&instance));
        let source = self.emit_of(mi, EmitStage::Source, opt)?;
        write(&folder.join("source.wir"), &source)?;
        let folder = folder.join(file_name(&shard.to_string()).replace("%3a", "-"));
        for (number, schedule) in schedules.iter().enumerate() {
            let (folder, depth) = match schedule.values() {
                [] => (folder.clone(), 4),
                _ => {
                    let name = format!("{}.{}", number + 1, file_name(&schedule.to_string()));
                    (folder.join(name), 5)
                }
            };
            let mut last = String::new();
            let stages = stages_of(shard);
            for (number, (stage, ending)) in stages.iter().enumerate() {
                let text = self.emit_scheduled(mi, *stage, opt, schedule, view)?;
                last = format!("{}-{ending}", number + 1);
                write(&folder.join(&last), &text)?;
            }
            let at = Scheduled {
                shard,
                schedule: schedule.clone(),
            };
            self.write_record(&folder, mi, &at, opt)?;
            let made = Made {
                instance: &instance,
                shard,
                opt,
                schedule,
                depth,
            };
            write(&folder.join("rebuild.sh"), &made.script(&last))?;
        }
        Ok(())
    }

    /// With what, from what, and under which key.
    fn write_record(
        &self,
        folder: &Path,
        mi: Mi,
        at: &Scheduled,
        opt: OptLevel,
    ) -> Result<(), DumpError> {
        let engine = &self.inner.engine;
        let options = format!(
            "compiler {PRODUCER}\nshard {at}\nopt {}\nhost {}\nlinking {}\nworld {}\n",
            opt.name(),
            Session::host().unwrap_or_else(|error| error),
            match engine.linking() {
                Linking::Pinned => "pinned",
                Linking::Live => "live",
            },
            engine.world(),
        );
        write(&folder.join("options.txt"), &options)?;
        let view = self.inner.view_on(at.shard, engine.view(&[]));
        let shard = engine.shard(at.clone(), view);
        let Some(record) = engine.record(mi, shard, PRODUCER) else {
            return Ok(());
        };
        let lines = record
            .edges
            .iter()
            .map(|(stage, edge)| format!("{stage} {edge}\n"));
        write(&folder.join("edges.txt"), &lines.collect::<String>())?;
        let key = record.key.and_then(|bytes| Key::from_bytes(&bytes).ok());
        let key = key.map_or_else(
            || "it has no name outside of its session\n".to_owned(),
            |key| key.to_string(),
        );
        write(&folder.join("key.txt"), &key)
    }
}

/// What a script makes again.
struct Made<'a> {
    instance: &'a str,
    shard: Shard,
    opt: OptLevel,
    schedule: &'a Schedule,
    /// Folders between the script and the program.
    depth: usize,
}

impl Made<'_> {
    fn script(&self, last: &str) -> String {
        let stage = match self.shard {
            Shard::Host(_) => "--stage asm",
            #[cfg(feature = "opencl")]
            Shard::OpenCl => "--stage opencl",
            #[cfg(feature = "llvm")]
            Shard::Ptx(target, _) => &format!("--stage ptx --target {target}"),
        };
        let mut options = format!("{stage} --opt {}", self.opt.name());
        if !self.schedule.values().is_empty() {
            let _ = write!(
                options,
                " --schedule {}",
                quoted(&self.schedule.to_string())
            );
        }
        let program = "../".repeat(self.depth) + "program.wir";
        format!(
            "#!/bin/sh\n\
             # Makes {last} again from the program and compares; WORLDAGE names the command.\n\
             set -e\n\
             cd \"$(dirname \"$0\")\"\n\
             \"${{WORLDAGE:-worldage}}\" emit {program} --fn {} {options} -o rebuilt\n\
             cmp rebuilt {last}\n\
             rm rebuilt\n\
             echo same\n",
            quoted(self.instance),
        )
    }
}

/// A word of the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What is shown of code for a shard, in the order of the passes.
fn stages_of(shard: Shard) -> Vec<(EmitStage, &'static str)> {
    let mut stages = vec![
        (EmitStage::Inferred, "inferred.txt"),
        (EmitStage::Inlined, "inlined.txt"),
    ];
    match shard {
        Shard::Host(_) => {
            stages.extend([(EmitStage::Clif, "clif.clif"), (EmitStage::Asm, "asm.asm")]);
        }
        #[cfg(feature = "opencl")]
        Shard::OpenCl => stages.push((EmitStage::OpenCl, "opencl.cl")),
        #[cfg(feature = "llvm")]
        Shard::Ptx(target, _) => {
            stages.push((EmitStage::Llvm(Some(target)), "llvm.ll"));
            stages.push((EmitStage::Ptx(target), "ptx.ptx"));
        }
    }
    stages
}

/// Writes a file; its folder is made if it is not there.
fn write(path: &Path, text: &str) -> Result<(), DumpError> {
    let folder = path.parent().unwrap_or(path);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|error| DumpError::Io {
        path: path.to_owned(),
        error,
    })
}

/// An instance's name without what file systems refuse; a long one is cut and numbered.
fn file_name(instance: &str) -> String {
    let mut name = String::new();
    for c in instance.chars() {
        match c {
            '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*' | '%' => {
                name.push_str(&format!("%{:02x}", u32::from(c)));
            }
            c => name.push(c),
        }
    }
    if name.len() > LONGEST {
        // FNV-1a: tells the cut names apart.
        let hash = instance
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
        let mut end = LONGEST;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
        name.push_str(&format!("-{hash:016x}"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_instances_are_names_of_files() {
        assert_eq!(file_name("f(Int64, P{T})"), "f(Int64, P{T})");
        assert_eq!(file_name("/(P, P)"), "%2f(P, P)");
        let (a, b) = (
            format!("{}a", "x".repeat(500)),
            format!("{}b", "x".repeat(500)),
        );
        assert_ne!(file_name(&a), file_name(&b));
        assert!(file_name(&a).len() < 255);
    }
}
