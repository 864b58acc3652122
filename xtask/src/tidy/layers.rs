//! Who may import whom: the arrows between our own packages, and who may name salsa.
//!
//! Normal, build and dev dependencies obey the same table: a test that reaches around a layer
//! ties the layers together as firmly as code does.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Violation;

/// A folder and the folders under `crates/` that it may depend on.
///
/// A folder that has no line here is a violation, so a new crate begins with a decision.
const ALLOWED: &[(&str, &[&str])] = &[
    ("crates/dispatch", &[]),
    ("crates/engine", &["dispatch"]),
    ("crates/store", &[]),
    ("crates/fingerprint", &[]),
    ("crates/wir", &["dispatch", "engine"]),
    ("crates/cranelift", &["dispatch", "engine", "wir"]),
    (
        "crates/llvm",
        &["dispatch", "engine", "wir", "cranelift", "cuda"],
    ),
    ("crates/opencl", &["dispatch", "engine", "wir"]),
    ("crates/cuda", &[]),
    (
        "crates/worldage",
        &[
            "dispatch",
            "engine",
            "store",
            "fingerprint",
            "wir",
            "cranelift",
            "llvm",
            "opencl",
            "cuda",
        ],
    ),
    ("crates/testing", &["worldage"]),
    ("crates/capi", &["worldage"]),
    ("crates/cli", &["worldage", "testing"]),
    ("examples/*", &["worldage", "testing"]),
    ("tests", &["worldage", "testing"]),
    // The dispatch bench measures lookup alone, which the façade does not show.
    ("benches", &["worldage", "testing", "dispatch"]),
    // Fuzzing reaches below the façade for the same reason.
    ("tests/fuzz", &["worldage", "testing", "dispatch"]),
    ("tests/book", &[]),
    ("xtask", &[]),
];

/// The one package that may name salsa.
const SALSA_OWNER: &str = "crates/engine";

/// A workspace package: its folder and what it depends on directly.
#[derive(Clone, Debug)]
pub(super) struct Package {
    name: String,
    /// Relative to the project root, with `/` between folders.
    folder: String,
    dependencies: Vec<String>,
}

impl Package {
    /// The workspace packages in the output of `cargo metadata --no-deps`.
    ///
    /// # Errors
    /// When the text is not that.
    pub(super) fn parse_all(metadata: &str) -> Result<Vec<Package>> {
        let metadata: Value =
            serde_json::from_str(metadata).context("cargo metadata is not JSON")?;
        let root = text_of(&metadata, "workspace_root")?.replace('\\', "/");
        let packages = metadata["packages"]
            .as_array()
            .context("cargo metadata has no packages")?;
        packages
            .iter()
            .map(|package| {
                let manifest = text_of(package, "manifest_path")?.replace('\\', "/");
                let folder = manifest
                    .strip_prefix(&root)
                    .and_then(|path| path.strip_suffix("/Cargo.toml"))
                    .with_context(|| format!("{manifest} is not under {root}"))?;
                let dependencies = package["dependencies"]
                    .as_array()
                    .context("a package has no dependencies")?
                    .iter()
                    .map(|dependency| text_of(dependency, "name").map(str::to_owned))
                    .collect::<Result<_>>()?;
                Ok(Package {
                    name: text_of(package, "name")?.to_owned(),
                    folder: folder.trim_start_matches('/').to_owned(),
                    dependencies,
                })
            })
            .collect()
    }
}

fn text_of<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key]
        .as_str()
        .with_context(|| format!("cargo metadata has no text `{key}`"))
}

/// The arrows between `packages` that the table does not draw.
pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        let place = format!("{}/Cargo.toml", package.folder);
        if package.dependencies.iter().any(|name| name == "salsa") && package.folder != SALSA_OWNER
        {
            violations.push(Violation::new(
                &place,
                format!("only {SALSA_OWNER} may depend on salsa"),
            ));
        }
        let Some(allowed) = allowed_for(&package.folder) else {
            violations.push(Violation::new(
                &place,
                format!(
                    "`{}` has no line in the table of layers: decide what it may import and \
                     write it into xtask/src/tidy/layers.rs",
                    package.name
                ),
            ));
            continue;
        };
        for name in &package.dependencies {
            let Some(target) = packages.iter().find(|other| other.name == *name) else {
                continue;
            };
            let is_drawn = allowed
                .iter()
                .any(|short| target.folder == format!("crates/{short}"));
            if !is_drawn {
                violations.push(Violation::new(
                    &place,
                    format!(
                        "{} may not depend on {}: it may import {}",
                        package.folder,
                        target.folder,
                        if allowed.is_empty() {
                            "none of ours".to_owned()
                        } else {
                            allowed.join(", ")
                        }
                    ),
                ));
            }
        }
    }
    violations
}

/// The line of the table for `folder`; `examples/*` stands for every package under `examples`.
fn allowed_for(folder: &str) -> Option<&'static [&'static str]> {
    ALLOWED
        .iter()
        .find(|(pattern, _)| match pattern.strip_suffix('*') {
            Some(parent) => folder.starts_with(parent),
            None => *pattern == folder,
        })
        .map(|(_, allowed)| *allowed)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `arrows`: a folder and the names of what it depends on. Package names follow the
    /// project's scheme, so `crates/wir` is `worldage-wir`.
    #[track_caller]
    fn check_arrows(arrows: &[(&str, &[&str])], expected: Expect) {
        let packages: Vec<Package> = arrows
            .iter()
            .map(|(folder, dependencies)| Package {
                name: match folder.rsplit('/').next().expect("a folder") {
                    "worldage" => "worldage".to_owned(),
                    short => format!("worldage-{short}"),
                },
                folder: (*folder).to_owned(),
                dependencies: dependencies.iter().map(|s| (*s).to_owned()).collect(),
            })
            .collect();
        let lines: Vec<String> = check(&packages).iter().map(ToString::to_string).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn drawn_arrows_pass() {
        check_arrows(
            &[
                ("crates/dispatch", &["smallvec"]),
                ("crates/engine", &["worldage-dispatch", "salsa"]),
                ("crates/wir", &["worldage-engine", "worldage-dispatch"]),
                ("crates/worldage", &["worldage-wir"]),
                ("crates/testing", &["worldage"]),
                ("examples/calc", &["worldage"]),
                ("benches", &["worldage-dispatch", "worldage-testing"]),
            ],
            expect![""],
        );
    }

    #[test]
    fn the_engine_does_not_know_the_language() {
        check_arrows(
            &[
                ("crates/engine", &["worldage-wir"]),
                ("crates/wir", &["worldage-engine"]),
            ],
            expect![
                "crates/engine/Cargo.toml: crates/engine may not depend on crates/wir: it may import dispatch"
            ],
        );
    }

    #[test]
    fn tests_use_the_facade_only() {
        check_arrows(
            &[("crates/dispatch", &[]), ("tests", &["worldage-dispatch"])],
            expect![
                "tests/Cargo.toml: tests may not depend on crates/dispatch: it may import worldage, testing"
            ],
        );
    }

    #[test]
    fn salsa_has_one_owner() {
        check_arrows(
            &[("crates/dispatch", &["salsa"])],
            expect!["crates/dispatch/Cargo.toml: only crates/engine may depend on salsa"],
        );
    }

    #[test]
    fn a_new_crate_needs_a_decision() {
        check_arrows(
            &[("crates/wasm", &[])],
            expect![
                "crates/wasm/Cargo.toml: `worldage-wasm` has no line in the table of layers: decide what it may import and write it into xtask/src/tidy/layers.rs"
            ],
        );
    }

    #[test]
    fn metadata_is_read() {
        let packages = Package::parse_all(
            r#"{
                "workspace_root": "/somewhere",
                "packages": [{
                    "name": "worldage-dispatch",
                    "manifest_path": "/somewhere/crates/dispatch/Cargo.toml",
                    "dependencies": [
                        {"name": "smallvec", "kind": null},
                        {"name": "expect-test", "kind": "dev"}
                    ]
                }]
            }"#,
        )
        .expect("the text is what cargo prints");
        expect![[r#"
            [
                Package {
                    name: "worldage-dispatch",
                    folder: "crates/dispatch",
                    dependencies: [
                        "smallvec",
                        "expect-test",
                    ],
                },
            ]
        "#]]
        .assert_debug_eq(&packages);
    }
}
