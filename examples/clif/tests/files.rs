//! The command on the files beside this test: what it says is compared with what it said.

use expect_test::{ExpectFile, expect_file};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the command and gives its exit status, standard output and standard error.
fn clif(files: &[PathBuf]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worldage-clif"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    let output = command.args(files).output().expect("it was built just now");
    let mut said = String::from_utf8(output.stdout).expect("text");
    said.push_str(&String::from_utf8(output.stderr).expect("text"));
    (output.status.code(), said)
}

/// The files of a folder, by name.
fn files(folder: &str) -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let entries = std::fs::read_dir(tests.join(folder)).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut files: Vec<PathBuf> = names.map(|name| Path::new(folder).join(name)).collect();
    files.sort();
    files
}

#[track_caller]
fn check(folder: &str, status: i32, expected: ExpectFile) {
    let mut said = String::new();
    for file in files(folder) {
        let (code, of_file) = clif(std::slice::from_ref(&file));
        assert_eq!(code, Some(status), "{}:\n{of_file}", file.display());
        let _ = writeln!(said, "{of_file}");
    }
    expected.assert_eq(&said);
}

// What is skipped, and how a process ends, depends on the machine.
#[test]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn good_files_hold() {
    check("files", 0, expect_file!["files.txt"]);
}

#[test]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn bad_files_are_errors_with_places() {
    check("bad", 1, expect_file!["bad.txt"]);
}

#[test]
fn what_is_no_text_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("binary.clif");
    std::fs::write(&file, b"test run\n\x7fELF\xff\x00\x01").expect("written");
    let (code, said) = clif(&[file]);
    assert_eq!(code, Some(1));
    assert!(said.contains("binary.clif:2: error: not UTF-8"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let (code, said) = clif(&["nowhere.clif".into()]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("nowhere.clif:1: error: cannot be read"),
        "{said}"
    );
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let all = ["bad/wrong.clif".into(), "files/interpreted.clif".into()];
    let (code, said) = clif(&all);
    assert_eq!(code, Some(1));
    assert!(said.contains("2 files, 1 failed"), "{said}");
}

#[test]
fn it_stays_small() {
    let sources = [
        include_str!("../src/main.rs"),
        include_str!("../src/file.rs"),
        include_str!("../src/compiler.rs"),
        include_str!("../src/check.rs"),
    ];
    let lines: usize = sources.map(|source| source.lines().count()).iter().sum();
    assert!(lines <= 600, "{lines} lines");
}
