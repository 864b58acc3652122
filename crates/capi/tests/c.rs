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

/// The example, built with a library.
struct Example {
    folder: tempfile::TempDir,
}

impl Example {
    fn build(library: &Path) -> Example {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().expect("a folder");
        let example = Example { folder };
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-o"])
            .arg(example.program())
            .arg("-I")
            .arg(sources.join("include"))
            .arg(sources.join("examples/calc.c"))
            .arg(library)
            .args(["-lpthread", "-ldl", "-lm"]);
        let built = cc.output().expect("`cc`, a C compiler, is needed");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        example
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("calc")
    }

    /// What a new process prints.
    fn run(&self, args: &[&str]) -> String {
        let mut process = Command::new(self.program());
        let ran = process.args(args).output().expect("it was built just now");
        let err = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{}\n{err}", ran.status);
        assert_eq!(err, "", "no warning");
        String::from_utf8(ran.stdout).expect("text")
    }

    /// What a new process on the example's store prints after its definitions.
    fn stored(&self, square: &str, others: &str) -> String {
        let store = self.folder.path().join("store");
        let printed = self.run(&[store.to_str().expect("text"), square, others]);
        let lines = printed.lines().filter(|line| !line.starts_with("world"));
        lines.map(|line| format!("{line}\n")).collect()
    }
}

fn check(library: &Path) {
    let expected = expect_test::expect_file!["calc.txt"];
    expected.assert_eq(&Example::build(library).run(&[]));
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

#[test]
#[cfg(unix)]
fn another_process_takes_what_one_has_stored() {
    let example = Example::build(&library(".so"));
    expect_test::expect![[r#"
          infer f(Int)
          infer cube(Int)
          infer square(Int)
          codegen f(Int)
          codegen square(Int)
          codegen cube(Int)
          link square(Int)
          link cube(Int)
          link f(Int)
          => 37
        why f:
          infer ran: first call
        store  nothing is stored for its source
          codegen ran: inferred f(Int)
          link ran: code f(Int)
        rejected 0
        off: error 1: the session has no store: see wa_store_on
    "#]]
    .assert_eq(&example.stored("x x *", "0"));
    // Everything has another number here.
    expect_test::expect![[r#"
          infer stored:f(Int)
          codegen stored:f(Int)
          infer stored:square(Int)
          codegen stored:square(Int)
          infer stored:cube(Int)
          codegen stored:cube(Int)
          link square(Int)
          link cube(Int)
          link f(Int)
          => 37
        why f:
          infer stored
          codegen stored
          link ran: code f(Int)
        rejected 0
        off: error 1: the session has no store: see wa_store_on
    "#]]
    .assert_eq(&example.stored("x x *", "5"));
    // One function is another one: what did not read its source is stored.
    expect_test::expect![[r#"
          infer stored:f(Int)
          codegen stored:f(Int)
          infer square(Int)
          infer stored:cube(Int)
          codegen stored:cube(Int)
          codegen square(Int)
          link square(Int)
          link cube(Int)
          link f(Int)
          => 73
        why f:
          infer stored
          codegen stored
          link ran: code f(Int)
        rejected 0
        off: error 1: the session has no store: see wa_store_on
    "#]]
    .assert_eq(&example.stored("x x * 2 *", "2"));
}

/// The C of the book's chapter says what the header does.
#[test]
#[cfg(unix)]
fn the_code_of_the_book_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = std::fs::read_to_string(folder.join("../../docs/book/src/c.md"));
    let chapter = chapter.expect("the chapter");
    let snippets: Vec<&str> = chapter
        .split("```c\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(!snippets.is_empty(), "the chapter shows some");
    let stage = "(void *, WaContext, WaInstance, const uint8_t *, size_t);";
    let mut text = format!(
        "#include \"worldage.h\"\n\
         extern void *user;\n\
         WaStatus infer{stage}\nWaStatus codegen{stage}\nWaStatus link{stage}\n\
         void unlink(void *, const void *, void *);\n"
    );
    for (number, snippet) in snippets.iter().enumerate() {
        text += &format!("void snippet{number}(void) {{\n{snippet}}}\n");
    }
    let out = tempfile::tempdir().expect("a folder");
    let source = out.path().join("book.c");
    std::fs::write(&source, text).expect("a file");
    let checked = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
            "-I",
        ])
        .arg(folder.join("include"))
        .arg(source)
        .output();
    let checked = checked.expect("`cc`, a C compiler, is needed");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
