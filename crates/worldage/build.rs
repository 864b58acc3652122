//! A digest of the compiler's own sources, for the keys of stored artifacts.
//!
//! While worldage is developed its version stays the same and what it generates does not: two
//! builds of different sources must not read each other's artifacts.

use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};

/// What stored results depend on. Where only this crate is there (a published package), its
/// version says which versions of the others it was built with.
const PARTS: &[&str] = &[
    "../dispatch/src",
    "../engine/src",
    "../wir/src",
    "../cranelift/src",
    "../llvm/src",
    "../../Cargo.lock",
    "src",
];

fn main() {
    let mut hasher = DefaultHasher::new();
    for part in PARTS {
        println!("cargo:rerun-if-changed={part}");
        add(Path::new(part), &mut hasher);
    }
    println!("cargo:rustc-env=WORLDAGE_BUILD={:016x}", hasher.finish());
}

fn add(path: &Path, hasher: &mut DefaultHasher) {
    if let Ok(entries) = std::fs::read_dir(path) {
        let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| add(entry, hasher));
    } else if let Ok(bytes) = std::fs::read(path) {
        hasher.write(path.to_string_lossy().as_bytes());
        hasher.write(&bytes);
    }
}
