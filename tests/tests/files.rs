//! Every `.wir` file test and `.scn` scenario of the project, one trial per file.
//!
//! `UPDATE_EXPECT=1` (or `cargo xtask bless`) rewrites what the files expect.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use worldage_testing::{Outcome, find, run_path};

/// Where the files are, from the project's root.
const FOLDERS: &[&str] = &["ir", "tests/scenarios"];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let bless = std::env::var("UPDATE_EXPECT").is_ok_and(|value| value == "1");
    // Files are named from the root, so what a failure prints is the same on every machine.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(root).expect("the project has a root");
    let mut trials = Vec::new();
    for folder in FOLDERS {
        match find(Path::new(folder)) {
            Ok(files) => trials.extend(files.into_iter().map(|file| trial(file, bless))),
            Err(error) => {
                eprintln!("{folder}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    libtest_mimic::run(&args, trials).exit_code()
}

fn trial(file: PathBuf, bless: bool) -> Trial {
    let name = file.display().to_string();
    Trial::ignorable_test(name, move || match run_path(&file, bless) {
        Outcome::Passed => Ok(Completion::Completed),
        Outcome::Ignored(reason) => Ok(Completion::ignored_with(reason)),
        Outcome::Failed(diff) => Err(Failed::from(diff)),
    })
}
