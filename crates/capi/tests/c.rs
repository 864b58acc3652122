//! The C example, built with the C compiler of this machine against the shared and the static
//! library, and run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where cargo put the libraries of this build.
fn libraries() -> PathBuf {
    let this = std::env::current_exe().expect("this test is a program");
    this.parent().expect("it is in a folder").to_path_buf()
}

fn library(ending: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(libraries())
        .expect("a folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name.starts_with("libworldage_capi") && name.ends_with(ending)
        })
        .collect();
    // Of several builds the newest.
    found.sort_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    found
        .pop()
        .unwrap_or_else(|| panic!("no libworldage_capi…{ending} in {}", libraries().display()))
}

/// Builds the example with a library and gives what it prints.
fn run(library: &Path) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = tempfile::tempdir().expect("a folder");
    let program = out.path().join("calc");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-o"])
        .arg(&program)
        .arg("-I")
        .arg(folder.join("include"))
        .arg(folder.join("examples/calc.c"))
        .arg(library)
        .args(["-lpthread", "-ldl", "-lm"]);
    let built = cc.output().expect("`cc`, a C compiler, is needed");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let ran = Command::new(program)
        .output()
        .expect("it was built just now");
    let (out, err) = (
        ran.stdout,
        String::from_utf8_lossy(&ran.stderr).into_owned(),
    );
    assert!(ran.status.success(), "{}\n{err}", ran.status);
    String::from_utf8(out).expect("text")
}

fn check(library: &Path) {
    let expected = expect_test::expect_file!["calc.txt"];
    expected.assert_eq(&run(library));
}

#[test]
#[cfg(unix)]
fn the_example_runs_with_the_shared_library() {
    check(&library(".so"));
}

#[test]
#[cfg(unix)]
fn the_example_runs_with_the_static_library() {
    check(&library(".a"));
}
