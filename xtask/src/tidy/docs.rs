//! Names in documents: a path in backticks must exist.

use super::Violation;

/// Where a name begins that is a path of this project.
const FOLDERS: &[&str] = &[
    "crates/",
    "ir/",
    "kernels/",
    "examples/",
    "tests/",
    "benches/",
    "xtask/",
    "fuzz/",
    "docs/",
];

/// The documents whose names are history: what they speak of may be gone.
const HISTORY: &[&str] = &["CHANGELOG.md"];

/// The paths that the document `path` names in backticks and that `exists` denies.
///
/// A pattern (`crates/*/src`, `ir/<topic>/`) is checked as far as it is plain. Fenced code is
/// not prose and is left alone.
pub(super) fn check(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    if HISTORY.contains(&path) {
        return Vec::new();
    }
    let mut violations = Vec::new();
    let mut in_fence = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
            continue;
        }
        if in_fence {
            continue;
        }
        // Every second piece between backticks is code.
        for name in line.split('`').skip(1).step_by(2) {
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder))
                && !name.contains(char::is_whitespace);
            if is_path && !exists(plain_part(name)) {
                violations.push(Violation::new(
                    format!("{path}:{number}"),
                    format!("`{name}` does not exist"),
                ));
            }
        }
    }
    violations
}

/// `name` up to its first component that is a pattern, without `:line` and the last slash.
fn plain_part(name: &str) -> &str {
    let name = match name.rsplit_once(':') {
        Some((path, line)) if line.bytes().all(|b| b.is_ascii_digit()) => path,
        _ => name,
    };
    let end = match name.find(['*', '<', '{', '…', '?']) {
        Some(pattern) => name[..pattern].rfind('/').unwrap_or(0),
        None => name.len(),
    };
    name[..end].trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, expected: Expect) {
        let present = ["crates/wir", "crates/wir/src/lib.rs", "crates", "ir/run"];
        let violations = check(path, text, |named| present.contains(&named));
        let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn existing_names_pass() {
        check_text(
            "docs/a.md",
            "See `crates/wir/`, `crates/wir/src/lib.rs:12`, `crates/*/src` and `ir/run/<name>.wir`.",
            expect![""],
        );
    }

    #[test]
    fn a_missing_name_has_its_line() {
        check_text(
            "docs/a.md",
            "First.\nSee `crates/base/src/lib.rs` and `ir/gone.wir`.",
            expect![[r#"
                docs/a.md:2: `crates/base/src/lib.rs` does not exist
                docs/a.md:2: `ir/gone.wir` does not exist"#]],
        );
    }

    #[test]
    fn commands_fences_and_history_are_left_alone() {
        check_text(
            "docs/a.md",
            "Run `tests/run all`.\n```\n`ir/gone.wir`\n```\n",
            expect![""],
        );
        check_text("CHANGELOG.md", "Removed `ir/gone.wir`.", expect![""]);
    }
}
