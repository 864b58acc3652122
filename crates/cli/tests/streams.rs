//! What a snapshot cannot show: pipes that close, files that change, colours, completions.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn worldage(args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worldage"));
    command
        .args(args)
        .current_dir(folder)
        .env("WORLDAGE_NO_CACHE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn folder_with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(name), text).expect("a file");
    folder
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let folder = folder_with("a.wir", "fn main() { while true { print(\"again\") } }");
    let mut child = worldage(&["run", "a.wir"], folder.path())
        .spawn()
        .expect("the command");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("a line");
    drop(stdout);
    let output = child.wait_with_output().expect("an end");
    assert_eq!((line.as_str(), output.status.code()), ("again\n", Some(0)));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn output_is_seen_while_the_program_runs() {
    let text = "fn main() { print(\"first\"); while true { } }";
    let folder = folder_with("a.wir", text);
    let mut child = worldage(&["run", "a.wir"], folder.path())
        .spawn()
        .expect("the command");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    child.kill().expect("it runs");
    child.wait().expect("an end");
    assert_eq!(line, "first\n");
}

#[test]
fn a_full_disk_is_an_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = folder_with("a.wir", "fn main() { print(1) }");
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let output = worldage(&["run", "a.wir"], folder.path())
        .stdout(full)
        .output()
        .expect("the command");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.starts_with("error: cannot write to standard output"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_wrong_usage() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder_with("a.wir", "fn main() { 1 }");
    let path = folder.path().join("a.wir");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("permissions");
    if std::fs::read(&path).is_ok() {
        // This user may read everything.
        return;
    }
    let output = worldage(&["run", "a.wir"], folder.path())
        .output()
        .expect("the command");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: cannot read a.wir: permission denied\n"
    );
}

#[test]
fn there_are_no_colours_where_no_terminal_is() {
    let folder = folder_with("a.wir", "fn main( {");
    let output = worldage(&["run", "a.wir"], folder.path())
        .output()
        .expect("the command");
    assert!(!output.stderr.contains(&0x1b));
    let mut coloured = worldage(&["run", "a.wir"], folder.path());
    let output = coloured
        .env_remove("NO_COLOR")
        .env("CLICOLOR_FORCE", "1")
        .output()
        .expect("the command");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("\x1b[1;31merror[syntax]\x1b[0m"), "{said}");
}

/// Waits for a line that begins so.
fn line_with(lines: &mut impl Iterator<Item = std::io::Result<String>>, start: &str) -> String {
    for line in lines {
        let line = line.expect("text");
        if line.starts_with(start) {
            return line;
        }
    }
    panic!("it ended before `{start}`");
}

/// Ends a command that does not end by itself.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watch_runs_again_at_each_save_and_compiles_what_changed() {
    let program = |n: &str| {
        format!(
            "noinline fn f() {{ {n} }}\nnoinline fn g() {{ 2 }}\nfn main() {{ print(f() + g()) }}"
        )
    };
    let folder = folder_with("a.wir", &program("1"));
    let path = folder.path().join("a.wir");
    let mut child = worldage(&["watch", "a.wir"], folder.path())
        .spawn()
        .expect("the command");
    let mut out = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    let _ends = Ends(child);
    assert_eq!(line_with(&mut out, ""), "3");
    let first = line_with(&mut said, "f() defined");
    assert!(
        first.contains("3 inferred, 3 generated, 3 relinked, 0 reused"),
        "{first}"
    );

    std::fs::write(&path, program("40")).expect("a save");
    assert_eq!(line_with(&mut out, ""), "42");
    let second = line_with(&mut said, "f() replaced");
    assert!(
        second.contains("1 inferred, 1 generated, 2 relinked, 1 reused"),
        "{second}"
    );

    // A mistake is told; the next save mends it. The file is replaced, as editors do.
    std::fs::write(&path, "fn main( {").expect("a save");
    line_with(&mut said, "a.wir:1:10: error[syntax]");
    let new = folder.path().join("new");
    std::fs::write(&new, program("50")).expect("a save");
    std::fs::rename(&new, &path).expect("a save");
    assert_eq!(line_with(&mut out, ""), "52");
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let folder = folder_with("a.wir", "");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = worldage(&["completions", shell], folder.path())
            .output()
            .expect("the command");
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            script.contains("worldage") && script.contains("emit"),
            "{shell}"
        );
    }
}

#[test]
fn devices_tells_of_every_kind_and_how_to_get_it() {
    let folder = folder_with("a.wir", "");
    let output = worldage(&["devices", "--json"], folder.path())
        .output()
        .expect("the command");
    assert_eq!(output.status.code(), Some(0));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["host"]["available"], true);
    for kind in ["cuda", "opencl", "llvm"] {
        let found = &found[kind];
        let there = found["available"].as_bool().expect("a Bool");
        let explained = found["reason"].is_string() && found["install"].is_string();
        assert!(there != explained, "{kind}: {found}");
    }
    let mut text = String::new();
    let mut child = worldage(&["devices"], folder.path())
        .spawn()
        .expect("the command");
    let stdout = child.stdout.as_mut().expect("piped");
    stdout.read_to_string(&mut text).expect("text");
    assert!(child.wait().expect("an end").success());
    for kind in ["host ", "cuda ", "opencl ", "llvm "] {
        assert!(text.lines().any(|line| line.starts_with(kind)), "{text}");
    }
}
