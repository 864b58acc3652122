//! Who may have written what we read: private folders, and keyed tags for all others.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The key of a store that others can write: BLAKE3 tags made with it prove that an artifact was
/// put there by someone who has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

/// Bound to this use, so that the same text used elsewhere gives other tags.
const CONTEXT: &str = "worldage store 2026-11 artifact tag, format 1";

impl Secret {
    /// From what the user set, any bytes.
    #[must_use]
    pub fn new(material: &[u8]) -> Secret {
        Secret(blake3::derive_key(CONTEXT, material))
    }

    /// From a file; white space at its end does not count.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or others can read it.
    pub fn from_file(path: &Path) -> Result<Secret, TrustError> {
        let unreadable = |source| TrustError::KeyFile {
            path: path.into(),
            source,
        };
        let material = std::fs::read(path).map_err(unreadable)?;
        let metadata = path.metadata().map_err(unreadable)?;
        if open_to_others(&metadata, 0o077) {
            return Err(TrustError::KeyExposed(path.into()));
        }
        match material.trim_ascii_end() {
            [] => Err(TrustError::KeyEmpty),
            material => Ok(Secret::new(material)),
        }
    }

    /// The key that the environment sets: `WORLDAGE_CACHE_KEY`, or what is in the file that
    /// `WORLDAGE_CACHE_KEY_FILE` names.
    ///
    /// # Errors
    /// When one of them is set and cannot be used.
    pub fn from_env() -> Result<Option<Secret>, TrustError> {
        if let Some(key) = std::env::var_os("WORLDAGE_CACHE_KEY") {
            return match key.as_encoded_bytes() {
                [] => Ok(None),
                key => Ok(Some(Secret::new(key))),
            };
        }
        match std::env::var_os("WORLDAGE_CACHE_KEY_FILE") {
            Some(path) if !path.is_empty() => Secret::from_file(Path::new(&path)).map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) fn tag(&self, checksum: &[u8; 32]) -> [u8; 32] {
        blake3::keyed_hash(&self.0, checksum).into()
    }

    pub(crate) fn verify(&self, checksum: &[u8; 32], tag: &[u8; 32]) -> bool {
        // `blake3::Hash` compares in constant time.
        blake3::keyed_hash(&self.0, checksum) == blake3::Hash::from(*tag)
    }
}

/// Never printed.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a folder or key is not used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The key file cannot be read.
    #[error("cannot read the key file {}", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the key.
    #[error("others can read the key file {}: run `chmod 600` on it", .0.display())]
    KeyExposed(PathBuf),
    /// Nothing in it.
    #[error("the key is empty")]
    KeyEmpty,
    /// Others can write the folder, and there is no key.
    #[error(
        "others can write {}, so code from there could be anyone's: set WORLDAGE_CACHE_KEY or \
         WORLDAGE_CACHE_KEY_FILE to the same secret on every machine that shares it, or make the \
         folder yours alone (`chmod go-w`)",
        .0.display()
    )]
    Exposed(PathBuf),
}

/// Whether someone else than we (or root) can put files into this folder.
///
/// # Errors
/// When its permissions cannot be read.
pub fn others_can_write(folder: &Path) -> io::Result<bool> {
    Ok(open_to_others(&folder.metadata()?, 0o022))
}

#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata, mask: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let owner = metadata.uid();
    metadata.mode() & mask != 0 || (owner != 0 && owner != rustix::process::geteuid().as_raw())
}

/// Without a way to tell, a folder counts as open.
#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata, _: u32) -> bool {
    true
}

/// Makes a folder, and those above it that are missing, for us alone.
///
/// # Errors
/// When it cannot be made.
pub fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn folders_are_made_private() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        create_private(&folder).unwrap();
        assert!(!others_can_write(&folder).unwrap());
        assert_eq!(
            folder.metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        for mode in [0o720, 0o702, 0o777] {
            std::fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            assert!(others_can_write(&folder).unwrap(), "{mode:o}");
        }
    }

    #[test]
    fn a_key_file_must_be_private_and_not_empty() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("key");
        std::fs::write(&path, "secret\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Secret::from_file(&path),
            Err(TrustError::KeyExposed(_))
        ));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Secret::from_file(&path).unwrap(), Secret::new(b"secret"));
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(
            Secret::from_file(&path),
            Err(TrustError::KeyEmpty)
        ));
        let missing = Secret::from_file(&root.path().join("none"));
        assert!(matches!(missing, Err(TrustError::KeyFile { .. })));
    }
}
