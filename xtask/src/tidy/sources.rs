//! Rules for one source file: its header, its length, and what may not stand in it.

use super::Violation;

/// Longer files must say why.
const LINES_WITHOUT_A_REASON: usize = 800;

/// The header line that gives the reason.
const REASON: &str = "//! Long because";

/// Text that may stand in no Rust file, and what to do instead. Written in two halves, so
/// that this file passes its own check.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("todo", "!("), "finish it, or return a typed error"),
    (
        concat!("unimplemented", "!("),
        "finish it, or return a typed error",
    ),
    (concat!("dbg", "!("), "remove it"),
    (concat!("\"/ho", "me/"), "a path of one machine"),
    (concat!("\"/ro", "ot/"), "a path of one machine"),
    (concat!("\"/Use", "rs/"), "a path of one machine"),
];

/// Text that may not stand in the files of a test, where it makes the outcome depend on time.
const FORBIDDEN_IN_TESTS: &[(&str, &str)] = &[
    (concat!("thread::", "sleep"), "wait for an event instead"),
    (
        concat!("System", "Time::now"),
        "a test must not read the clock",
    ),
];

/// The places of the Rust file `path` that break a rule.
pub(super) fn check_rust(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !text.starts_with("//!") {
        violations.push(Violation::new(
            format!("{path}:1"),
            "the first line must be `//!` and the file's one job",
        ));
    }
    let length = text.lines().count();
    let gives_reason = text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .any(|line| line.starts_with(REASON));
    if length > LINES_WITHOUT_A_REASON && !gives_reason {
        violations.push(Violation::new(
            path,
            format!("{length} lines: split it by phase, or add a header line `{REASON} …`"),
        ));
    }
    let is_test =
        path.contains("/tests/") || path.starts_with("tests/") || path.ends_with("/tests.rs");
    for (number, line) in (1..).zip(text.lines()) {
        let in_tests = FORBIDDEN_IN_TESTS.iter().filter(|_| is_test);
        for (forbidden, instead) in FORBIDDEN.iter().chain(in_tests) {
            if line.contains(forbidden) {
                violations.push(Violation::new(
                    format!("{path}:{number}"),
                    format!("`{forbidden}` may not stand here: {instead}"),
                ));
            }
        }
    }
    violations
}

/// The places of the manifest `path` that break a rule.
pub(super) fn check_manifest(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let squeezed: String = line.split_whitespace().collect();
        if squeezed.starts_with("panic=\"abort\"") {
            violations.push(Violation::new(
                format!("{path}:{number}"),
                "panics must unwind: an embedder's panic is an error of its stage, and probing \
                 for a GPU driver catches one",
            ));
        }
    }
    if text.contains("[package]") && !text.contains("[lints]") {
        violations.push(Violation::new(
            path,
            "add `[lints]` with `workspace = true`: the lints of the workspace bind every package",
        ));
    }
    violations
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: Expect) {
        let violations = if path.ends_with(".toml") {
            check_manifest(path, text)
        } else {
            check_rust(path, text)
        };
        let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
        // Otherwise the expectation could not stand in this file.
        let shown = lines.join("\n").replace(FORBIDDEN[0].0, "UNFINISHED");
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_file_begins_with_its_job() {
        check("a.rs", "//! Parses.\nfn main() {}\n", expect![""]);
        check(
            "a.rs",
            "fn main() {}\n",
            expect!["a.rs:1: the first line must be `//!` and the file's one job"],
        );
        check(
            "empty.rs",
            "",
            expect!["empty.rs:1: the first line must be `//!` and the file's one job"],
        );
    }

    #[test]
    fn a_long_file_gives_its_reason() {
        let body = "fn f() {}\n".repeat(800);
        check(
            "long.rs",
            &format!("//! Tables.\n{body}"),
            expect![
                "long.rs: 801 lines: split it by phase, or add a header line `//! Long because …`"
            ],
        );
        check(
            "long.rs",
            &format!("//! Tables.\n//! Long because it is one table.\n{body}"),
            expect![""],
        );
    }

    #[test]
    fn a_reason_outside_the_header_does_not_count() {
        let body = "fn f() {}\n".repeat(800);
        check(
            "long.rs",
            &format!("//! Tables.\n{body}//! Long because it is one table.\n"),
            expect![
                "long.rs: 802 lines: split it by phase, or add a header line `//! Long because …`"
            ],
        );
    }

    #[test]
    fn unfinished_code_is_named_with_its_line() {
        let text = format!("//! Runs.\nfn f() {{ {}) }}\n", FORBIDDEN[0].0);
        check(
            "a.rs",
            &text,
            expect!["a.rs:2: `UNFINISHED` may not stand here: finish it, or return a typed error"],
        );
    }

    #[test]
    fn tests_do_not_sleep() {
        let text = format!("//! Waits.\nfn f() {{ {}(d); }}\n", FORBIDDEN_IN_TESTS[0].0);
        check("crates/cli/src/watch.rs", &text, expect![""]);
        check(
            "crates/cli/tests/watch.rs",
            &text,
            expect![
                "crates/cli/tests/watch.rs:2: `thread::sleep` may not stand here: wait for an event instead"
            ],
        );
    }

    #[test]
    fn manifests_unwind_and_take_the_lints() {
        check(
            "crates/x/Cargo.toml",
            "[package]\nname = \"x\"\n[lints]\nworkspace = true\n",
            expect![""],
        );
        check(
            "Cargo.toml",
            "[profile.release]\npanic = \"abort\"\n",
            expect![
                "Cargo.toml:2: panics must unwind: an embedder's panic is an error of its stage, and probing for a GPU driver catches one"
            ],
        );
        check(
            "crates/x/Cargo.toml",
            "[package]\nname = \"x\"\n",
            expect![
                "crates/x/Cargo.toml: add `[lints]` with `workspace = true`: the lints of the workspace bind every package"
            ],
        );
    }
}
