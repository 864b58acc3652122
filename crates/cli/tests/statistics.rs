//! What `cache stats` tells of a store over several processes.

use expect_test::{Expect, expect};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

fn worldage(args: &[&str], folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worldage"));
    let command = command.args(args).current_dir(folder);
    let output = command.env_remove("WORLDAGE_NO_CACHE").output();
    let output = output.expect("the command");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// Runs a program whose `g` adds this number, on the folder's store.
fn run(folder: &Path, adds: i64) {
    let text = format!(
        "noinline fn g(x: Int64) {{ x + {adds} }}\n\
         noinline fn f(x: Int64) {{ g(x) * 2 }}\n\
         fn main() {{ f(20) }}\n"
    );
    std::fs::write(folder.join("a.wir"), text).expect("a file");
    let value = worldage(&["run", "a.wir", "--store", "kept"], folder);
    assert_eq!(value, format!("{}\n", (20 + adds) * 2));
}

/// The rows behind the heads, without times, which also order them.
#[track_caller]
fn check(folder: &Path, expected: Expect) {
    let stats = worldage(&["cache", "stats", "--store", "kept"], folder);
    let usage = stats.find("code by shard").map(|at| &stats[at..]);
    let usage = usage.expect("what it was good for");
    let mut shown = String::new();
    for part in usage.split("\n\n") {
        let mut lines = part.lines();
        let head = lines.next().unwrap_or_default();
        let mut rows: Vec<String> = lines.map(without_times).collect();
        rows.sort();
        let head = head.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(shown, "{head}\n  {}", rows.join("\n  ")).expect("a string takes all");
    }
    expected.assert_eq(&shown);
}

fn without_times(row: &str) -> String {
    let words: Vec<&str> = row.split_whitespace().collect();
    let is_time = |ix: usize| words.get(ix + 1).is_some_and(|unit| unit.starts_with("ms"));
    let kept = (0..words.len()).filter(|ix| !is_time(*ix));
    kept.map(|ix| words[ix]).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_process_adds_to_what_the_store_was_good_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    run(folder, 1);
    check(
        folder,
        expect![[r#"
        code by shard, so far hits misses rate saved
          opt:speed 0 3 0% ms
        code by function and shard hits misses rate saved
          f opt:speed 0 1 0% ms
          g opt:speed 0 1 0% ms
          main opt:speed 0 1 0% ms
    "#]],
    );
    // Nothing is compiled.
    run(folder, 1);
    run(folder, 1);
    check(
        folder,
        expect![[r#"
        code by shard, so far hits misses rate saved
          opt:speed 6 3 66% ms
        code by function and shard hits misses rate saved
          f opt:speed 2 1 66% ms
          g opt:speed 2 1 66% ms
          main opt:speed 2 1 66% ms
    "#]],
    );
    // One function is.
    run(folder, 2);
    check(
        folder,
        expect![[r#"
        code by shard, so far hits misses rate saved
          opt:speed 8 4 66% ms
        code by function and shard hits misses rate saved
          f opt:speed 3 1 75% ms
          g opt:speed 2 2 50% ms
          main opt:speed 3 1 75% ms
        compiled more than once; if not for edits, worth `worldage cache prewarm FILE`:
          --for 'g(Int64)' --shard opt:speed (2 times, ms in all)
    "#]],
    );
    // What is cleared is compiled again, and what it was good for is forgotten with it.
    worldage(&["cache", "clear", "--store", "kept"], folder);
    run(folder, 2);
    check(
        folder,
        expect![[r#"
        code by shard, so far hits misses rate saved
          opt:speed 0 3 0% ms
        code by function and shard hits misses rate saved
          f opt:speed 0 1 0% ms
          g opt:speed 0 1 0% ms
          main opt:speed 0 1 0% ms
    "#]],
    );
}
