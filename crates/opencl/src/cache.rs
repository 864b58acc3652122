//! Program binaries between processes: what a driver made of a source is not made again.
//!
//! Invariant: a driver never sees bytes that are not exactly those that it gave for this key (some
//! drivers end the process on a truncated binary): a checksum comes first.

use crate::device::Identity;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of a program binary: a digest of everything that it was made from.
pub type Key = [u8; 32];

/// Where program binaries are kept. Law: `get` gives exactly what was `put` under the key, or
/// nothing; both may fail silently, since a binary can always be made again.
pub trait BinaryCache: Send + Sync {
    /// The binary that was kept under a key.
    fn get(&self, key: &Key) -> Option<Vec<u8>>;
    /// Keeps a binary.
    fn put(&self, key: &Key, binary: &[u8]);
}

/// The key of a program: its complete source (includes are part of the text), the build options,
/// and the device with its driver.
#[must_use]
pub fn key(source: &str, options: &str, device: &Identity) -> Key {
    let mut hasher = blake3::Hasher::new();
    let parts = [
        "worldage opencl program 1",
        source,
        options,
        &device.platform,
        &device.platform_version,
        &device.vendor,
        &device.name,
        &device.version,
        &device.driver,
    ];
    for part in parts {
        // Lengths keep neighbours apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// One file per binary in a folder: magic, digest of the rest, key, binary.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

const MAGIC: &[u8; 8] = b"waoclb01";

impl Folder {
    /// A cache in a folder, which is made when something is kept.
    #[must_use]
    pub fn new(path: &Path) -> Folder {
        Folder {
            path: path.to_path_buf(),
        }
    }

    fn file(&self, key: &Key) -> PathBuf {
        let name = blake3::Hash::from_bytes(*key).to_hex();
        self.path.join(format!("{name}.clbin"))
    }
}

impl BinaryCache for Folder {
    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let bytes = fs::read(self.file(key)).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        // A constant-time comparison, by the type.
        if blake3::hash(rest) != blake3::Hash::from_bytes(*digest) {
            return None;
        }
        let (own, binary) = rest.split_first_chunk::<32>()?;
        (own == key).then(|| binary.to_vec())
    }

    fn put(&self, key: &Key, binary: &[u8]) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut rest = key.to_vec();
        rest.extend_from_slice(binary);
        let digest = blake3::hash(&rest);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = self
            .path
            .join(format!(".{}.{number}.tmp", std::process::id()));
        let written = fs::create_dir_all(&self.path).and_then(|()| {
            let mut file = fs::File::create(&temporary)?;
            file.write_all(MAGIC)?;
            file.write_all(digest.as_bytes())?;
            file.write_all(&rest)?;
            file.sync_all()?;
            fs::rename(&temporary, self.file(key))
        });
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            platform: "p".into(),
            platform_version: "1".into(),
            vendor: "v".into(),
            name: "n".into(),
            version: "2".into(),
            driver: "3".into(),
        }
    }

    #[test]
    fn every_part_is_in_the_key() {
        let base = key("s", "o", &identity());
        assert_eq!(base, key("s", "o", &identity()));
        assert_ne!(base, key("so", "", &identity()));
        assert_ne!(base, key("s", "o2", &identity()));
        let changes: [fn(&mut Identity) -> &mut String; 6] = [
            |i| &mut i.platform,
            |i| &mut i.platform_version,
            |i| &mut i.vendor,
            |i| &mut i.name,
            |i| &mut i.version,
            |i| &mut i.driver,
        ];
        for change in changes {
            let mut other = identity();
            change(&mut other).push('x');
            assert_ne!(base, key("s", "o", &other));
        }
    }

    #[test]
    fn what_is_damaged_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Folder::new(folder.path());
        let (one, other) = (key("a", "", &identity()), key("b", "", &identity()));
        assert_eq!(cache.get(&one), None);
        cache.put(&one, b"binary");
        assert_eq!(cache.get(&one).as_deref(), Some(&b"binary"[..]));
        let whole = fs::read(cache.file(&one)).unwrap();
        for length in 0..whole.len() {
            fs::write(cache.file(&one), &whole[..length]).unwrap();
            assert_eq!(cache.get(&one), None, "cut to {length} bytes");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(cache.file(&one), &damaged).unwrap();
            assert_eq!(cache.get(&one), None, "byte {at} changed");
        }
        // A binary under another's name is foreign.
        fs::write(cache.file(&other), &whole).unwrap();
        assert_eq!(cache.get(&other), None);
    }
}
