//! What was committed in an older format is still read.

use super::fixture::{code, codes, held, local, trace};
use std::path::{Path, PathBuf};
use worldage_store::archive;
use worldage_store::layer::Layer as _;
use worldage_store::local::Local;
use worldage_store::trust::Secret;
use worldage_store::{Artifact, Fingerprint, Kind};

/// The artifact in `tests/data`: it must be readable for as long as version 1 is.
fn version_1() -> Artifact {
    let origin = worldage_store::Origin {
        producer: "worldage-cranelift 0.1.0".into(),
        target: "x86_64".into(),
    };
    Artifact {
        name: Fingerprint::of(b"the committed artifact"),
        kind: Kind::Code,
        origin: origin.into(),
        payload: (0..=255).collect::<Vec<u8>>().into(),
    }
}

fn committed(file: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    data.join(file)
}

fn is_to_be_written(path: &Path) -> bool {
    !path.exists() && std::env::var_os("UPDATE_EXPECT").is_some()
}

/// Written by the first version that had a store; `UPDATE_EXPECT=1` writes a missing file, and
/// never a file that is there.
#[track_caller]
fn check(file: &str, secret: Option<&Secret>) {
    let path = committed(file);
    if is_to_be_written(&path) {
        std::fs::write(&path, version_1().to_bytes(secret)).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap();
    let name = version_1().name;
    assert_eq!(Artifact::from_bytes(name, bytes, secret), Ok(version_1()));
}

#[test]
fn version_1_is_read() {
    check("v1.code", None);
}

#[test]
fn version_1_with_a_tag_is_read() {
    check("v1-tagged.code", Some(&Secret::new(b"the committed key")));
}

/// What the committed database and archive hold: code, and a trace that replaced another.
#[track_caller]
fn check_content(local: &Local) {
    assert_eq!(held(local, 0..8), [0, 1, 2, 3, 4, 5]);
    let found = local.get(Kind::Trace, &trace(6, b"").name).unwrap();
    assert_eq!(found, Some(trace(6, b"the second")));
}

fn fill(local: &Local) {
    local.put(&codes(0..5)).unwrap();
    local.put(&[trace(6, b"the first")]).unwrap();
    local.put(&[code(5), trace(6, b"the second")]).unwrap();
}

#[test]
fn a_database_of_version_1_is_read_and_written_on() {
    let path = committed("v1.db");
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("worldage-v1-1.db");
    if is_to_be_written(&path) {
        fill(&local(folder.path()));
        std::fs::rename(&database, &path).unwrap();
    }
    std::fs::copy(&path, &database).unwrap();
    check_content(&local(folder.path()));
    local(folder.path()).put(&codes(6..8)).unwrap();
    assert_eq!(held(&local(folder.path()), 0..9).len(), 8);
    assert!(local(folder.path()).verify().unwrap().bad.is_empty());
}

#[test]
fn an_archive_of_version_1_is_read() {
    let path = committed("v1.tar.zst");
    if is_to_be_written(&path) {
        let folder = tempfile::tempdir().unwrap();
        let local = local(folder.path());
        fill(&local);
        archive::export(&local, &path, None, &mut |_, _| ()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let local = local(folder.path());
    assert_eq!(
        archive::import(&local, &path, None, &mut |_, _| ()).unwrap(),
        7
    );
    check_content(&local);
}
