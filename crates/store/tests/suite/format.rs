//! What was committed in an older format is still read.

use std::path::Path;
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

/// Written by the first version that had a store; `UPDATE_EXPECT=1` writes a missing file, and
/// never a file that is there.
#[track_caller]
fn check(file: &str, secret: Option<&Secret>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file);
    if !path.exists() && std::env::var_os("UPDATE_EXPECT").is_some() {
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
