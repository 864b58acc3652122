//! The folder of `--dump-dir`: what is in it, and that its scripts make the same again.

use expect_test::expect;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const WORLDAGE: &str = env!("CARGO_BIN_EXE_worldage");

const PROGRAM: &str = "abstract type Shape
struct Square <: Shape { side: Float64 }
noinline fn area(s: Square) { s.side * s.side }
noinline fn twice(x) { x + x }
fn main() { print(twice(area(Square(1.5)))) }
";

const KERNEL: &str = "kernel fn scale(x: Array{Int64}) {
    tune(by, [2, 3])
    x[global_id(0)] = div(x[global_id(0)] * by, by)
}
";

const ARGS: &str = r#"{"kernel": "scale", "global_size": [2], "local_size": [1], "args": [
    {"name": "x", "type": "Array{Int64}", "value": [1, 2]}]}"#;

fn worldage(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(WORLDAGE);
    command.current_dir(folder).args(args).arg("--no-store");
    command.output().expect("the command runs")
}

/// All files below a folder, sorted, as paths within it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut work = vec![folder.to_owned()];
    while let Some(next) = work.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => work.push(path),
                false => found.push(path.strip_prefix(folder).expect("below it").to_owned()),
            }
        }
    }
    found.sort();
    found
}

/// Runs every `rebuild.sh`; gives how many there are.
fn rebuild_all(folder: &Path) -> usize {
    let scripts = files(folder);
    let scripts = scripts.iter().filter(|path| path.ends_with("rebuild.sh"));
    let ran = scripts.map(|script| {
        let mut sh = Command::new("sh");
        let output = sh
            .arg(folder.join(script))
            .env("WORLDAGE", WORLDAGE)
            .output();
        let output = output.expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.stdout, b"same\n", "{}: {said}", script.display());
    });
    ran.count()
}

#[test]
fn a_program_is_made_again_from_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.wir"), PROGRAM).expect("a file");
    let output = worldage(folder.path(), &["run", "a.wir", "--dump-dir", "out"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "4.5\n");
    let out = folder.path().join("out");
    let listed: String = files(&out)
        .iter()
        .map(|path| format!("{}\n", path.display()))
        .filter(|path| !path.contains("main") && !path.contains("twice"))
        .collect();
    expect![[r#"
        methods/area/area(Square)/opt-speed/1-inferred.txt
        methods/area/area(Square)/opt-speed/2-inlined.txt
        methods/area/area(Square)/opt-speed/3-clif.clif
        methods/area/area(Square)/opt-speed/4-asm.asm
        methods/area/area(Square)/opt-speed/edges.txt
        methods/area/area(Square)/opt-speed/key.txt
        methods/area/area(Square)/opt-speed/options.txt
        methods/area/area(Square)/opt-speed/rebuild.sh
        methods/area/area(Square)/source.wir
        program.wir
    "#]]
    .assert_eq(&listed);
    let text = |file: &str| std::fs::read_to_string(out.join(file)).expect("a text");
    expect![[r#"
        abstract type Shape
        struct Square <: Shape { side: Float64 }
        fn main() {
            print(twice(area(Square(1.5))))
        }
        noinline fn area(s: Square) {
            s.side * s.side
        }
        noinline fn twice(x) {
            x + x
        }
    "#]]
    .assert_eq(&text("program.wir"));
    expect![[r#"
        infer source main()
        infer lookup Square(Float64): Square(Float64)
        infer lookup area(Square): area(Square)
        infer type area(Square)
        infer lookup twice(Float64): twice(Any)
        infer type twice(Float64)
        codegen inline area(Square)
        codegen inline twice(Float64)
        codegen abi area(Square)
        codegen abi twice(Float64)
        link code area(Square)
        link code twice(Float64)
    "#]]
    .assert_eq(&text("methods/main/main()/opt-speed/edges.txt"));
    let key = text("methods/area/area(Square)/opt-speed/key.txt");
    let part = |name: &str| key.lines().any(|line| line.contains(name));
    assert!(part("inferred") && part("area(Square)"), "{key}");
    assert_eq!(rebuild_all(&out), 3);
}

#[test]
fn schedules_of_a_kernel_are_numbered() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("k.wir"), KERNEL).expect("a file");
    std::fs::write(folder.path().join("k.json"), ARGS).expect("a file");
    let args = ["launch", "k.wir", "--args", "k.json", "--dump-dir", "out"];
    let output = worldage(folder.path(), &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let out = folder
        .path()
        .join("out/methods/scale/scale(Array{Int64})/opt-speed");
    assert!(out.join("1.by=2/3-clif.clif").exists());
    assert!(out.join("2.by=3/edges.txt").exists());
    assert_eq!(rebuild_all(&folder.path().join("out")), 2);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.wir"), PROGRAM).expect("a file");
    let output = worldage(folder.path(), &["run", "a.wir", "--dump-dir", "a.wir"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot write a.wir"), "{said}");
}
