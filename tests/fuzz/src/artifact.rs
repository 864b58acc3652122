//! What travels between machines: any bytes are refused with a reason, and damage is found.

use crate::bytes::Bytes;
use std::sync::Arc;
use worldage::store::layer::Layer as _;
use worldage::store::memory::Memory;
use worldage::store::trust::Secret;
use worldage::store::{Artifact, Fingerprint, Key, Kind, Origin, archive, chunk, codec};

/// Reads the bytes as everything that a store reads, then damages what a store has written.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let name = Fingerprint::from_bytes([7; 32]);
    let secret = Secret::new(b"a secret");
    for secret in [None, Some(&secret)] {
        let _ = Artifact::from_bytes(name, data.to_vec(), secret);
        let _ = chunk::decode(data.to_vec(), secret);
    }
    let _ = codec::decode::<(String, Vec<(u64, bool)>, Option<i32>)>(data);
    let _ = worldage::keys_of(data);
    if let Ok(key) = Key::from_bytes(data) {
        assert_eq!(key.bytes(), data);
        key.parts().for_each(drop);
    }
    import(data);
    damage(&mut Bytes(data), &secret);
}

/// Nothing is imported of a file that is not whole.
fn import(data: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for a file");
    let file = folder.path().join("archive");
    std::fs::write(&file, data).expect("the file can be written");
    let layer = Memory::default();
    let imported = archive::import(&layer, &file, None, &mut |_, _| ());
    let held = layer.verify().expect("memory can be read").good;
    match imported {
        Ok(count) => assert!(held <= count, "more is there than was imported"),
        Err(_) => assert_eq!(held, 0, "nothing is imported of a wrong file"),
    }
}

/// Artifacts as the bytes say come back equal from a container, a chunk and an archive; and not
/// at all once a bit is flipped.
fn damage(bytes: &mut Bytes<'_>, secret: &Secret) {
    let secret = (bytes.byte() & 1 == 1).then_some(secret);
    let (at, bit) = (bytes.short(), bytes.byte() % 8);
    let mut artifacts = Vec::new();
    while !bytes.is_empty() && artifacts.len() < 4 {
        let kind = *bytes.pick(&Kind::ALL);
        let name = Fingerprint::from_bytes([bytes.byte(); 32]);
        let text = |run: &[u8]| String::from_utf8_lossy(run).into_owned().into_boxed_str();
        let origin = Arc::new(Origin {
            producer: text(bytes.run()),
            target: text(bytes.run()),
        });
        let payload = bytes.run().to_vec().into();
        artifacts.push(Artifact {
            name,
            kind,
            origin,
            payload,
        });
    }
    let flipped = |mut written: Vec<u8>| {
        let at = at % written.len();
        written[at] ^= 1 << bit;
        written
    };
    for artifact in &artifacts {
        let written = artifact.to_bytes(secret);
        let read = Artifact::from_bytes(artifact.name, written.clone(), secret);
        assert_eq!(read.as_ref().ok(), Some(artifact));
        let read = Artifact::from_bytes(artifact.name, flipped(written), secret);
        assert!(read.is_err(), "damage is found");
    }
    let written = chunk::encode(&artifacts, secret);
    let read = chunk::decode(written.clone(), secret);
    assert_eq!(read.ok(), Some(artifacts));
    assert!(chunk::decode(flipped(written), secret).is_err());
}
