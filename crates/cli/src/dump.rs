//! `--dump-dir`: every stage of every compiled instance as a file.

use crate::failure::{Done, Failure};
use crate::files;
use std::path::Path;
use worldage::{EmitStage, OptLevel, Session, Shard};

const STAGES: [(EmitStage, &str); 4] = [
    (EmitStage::Source, "wir"),
    (EmitStage::Inferred, "inferred"),
    (EmitStage::Clif, "clif"),
    (EmitStage::Asm, "asm"),
];

/// Longest file name without its ending, bytes: what file systems take, less some room.
const LONGEST: usize = 200;

/// Writes `f(Int64).clif` and the like into the folder, which is made if it is not there.
pub(crate) fn write(session: &Session, opt: OptLevel, folder: &Path) -> Done {
    make(folder)?;
    for name in session.valid() {
        for (stage, ending) in STAGES {
            // An instance whose name is no signature, as of a function's own type, has no text.
            let Ok(text) = session.emit(&name, stage, opt) else {
                continue;
            };
            let file = format!("{}.{ending}", file_name(&name));
            files::write(Some(&folder.join(file)), &text)?;
        }
    }
    Ok(())
}

/// Writes what is made of a kernel in a shard: of each of its schedules, which are numbered,
/// `matmul(…).2.tile=8.cl` and the like.
pub(crate) fn kernel(
    session: &Session,
    sig: &str,
    shard: Shard,
    opt: OptLevel,
    folder: &Path,
) -> Done {
    make(folder)?;
    let edit = |failure| Failure::edit(session, &failure);
    let source = session.emit(sig, EmitStage::Source, opt).map_err(edit)?;
    let name = file_name(sig);
    files::write(Some(&folder.join(format!("{name}.wir"))), &source)?;
    let schedules = session.schedules(sig).map_err(edit)?;
    for (schedule, number) in schedules.iter().zip(1..) {
        let numbered = match schedule.values() {
            [] => name.clone(),
            _ => format!("{name}.{number}.{}", file_name(&schedule.to_string())),
        };
        for (stage, ending) in stages_of(shard) {
            let text = session.emit_in(sig, stage, opt, schedule).map_err(edit)?;
            files::write(Some(&folder.join(format!("{numbered}.{ending}"))), &text)?;
        }
    }
    Ok(())
}

/// What is shown of code for a shard.
fn stages_of(shard: Shard) -> Vec<(EmitStage, &'static str)> {
    let mut stages = vec![
        (EmitStage::Inferred, "inferred"),
        (EmitStage::Inlined, "inlined"),
    ];
    if let Shard::Host(_) = shard {
        stages.extend([(EmitStage::Clif, "clif"), (EmitStage::Asm, "asm")]);
    }
    match shard {
        #[cfg(feature = "opencl")]
        Shard::OpenCl => stages.push((EmitStage::OpenCl, "cl")),
        #[cfg(feature = "llvm")]
        Shard::Ptx(target, _) => {
            stages.push((EmitStage::Llvm(Some(target)), "ll"));
            stages.push((EmitStage::Ptx(target), "ptx"));
        }
        // The host, and devices that another part of the build has and this command has not.
        _ => {}
    }
    stages
}

fn make(folder: &Path) -> Done {
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::Usage(format!("cannot make {}: {error}", folder.display())))
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
