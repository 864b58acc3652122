//! The shared layer: a folder of plain files that many machines read and write.
//!
//! One file per artifact, `v1/<first two digits>/<other digits>.<kind>`, holding the container of
//! `artifact`. A file is written under a temporary name and renamed into place, which every file
//! system (network ones too) does at once or not at all; nothing is locked and nothing waits for
//! another machine. Two that write the same code write the same bytes.
//!
//! Invariant: what lies in a folder that others can write is used only with a valid tag.

use crate::artifact::{Artifact, FORMAT_VERSION, Kind, Reject};
use crate::fingerprint::Fingerprint;
use crate::layer::{Layer, LayerError, Verified};
use crate::trust::{self, Secret, TrustError};
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The shared layer.
#[derive(Debug)]
pub struct Shared {
    /// The folder that the user named.
    folder: PathBuf,
    /// The folder of our format version in it.
    root: PathBuf,
    secret: Option<Secret>,
    writable: bool,
}

/// A name for a temporary file that no other process on any machine uses.
fn temporary_name() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}-{}-{number}", *PROCESS, std::process::id())
}

impl Shared {
    /// Opens a shared folder, which is made if it is missing; if `read_only` (or not ours to
    /// write), nothing is put there.
    ///
    /// # Errors
    /// When it cannot be read or made, or when others can write it and there is no secret.
    pub fn open(
        folder: &Path,
        secret: Option<Secret>,
        read_only: bool,
    ) -> Result<Shared, LayerError> {
        if !folder.exists() {
            if read_only {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            trust::create_private(folder)?;
        }
        let root = folder.join(format!("v{FORMAT_VERSION}"));
        let temporary = root.join("tmp");
        let writable = !read_only && make_folder(folder, &temporary).is_ok();
        // Whoever can write the folder or what we keep in it can put files there.
        let folders = [folder, &root].into_iter().filter(|folder| folder.exists());
        let mut exposed = false;
        for folder in folders {
            exposed |= trust::others_can_write(folder)?;
        }
        if exposed && secret.is_none() {
            let error = TrustError::Exposed(folder.into());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error).into());
        }
        fs::read_dir(folder)?;
        Ok(Shared {
            folder: folder.into(),
            root,
            secret,
            writable,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, kind: Kind, name: &Fingerprint) -> PathBuf {
        let digits = name.to_string();
        let (two, others) = digits.split_at(2);
        self.root.join(two).join(format!("{others}.{kind}"))
    }

    fn put_one(&self, artifact: &Artifact) -> Result<(), LayerError> {
        let path = self.path(artifact.kind, &artifact.name);
        if !artifact.kind.is_replaced() && path.exists() {
            return Ok(());
        }
        let temporary = self.root.join("tmp").join(temporary_name());
        let bytes = artifact.to_bytes(self.secret.as_ref());
        let written = write_new(&temporary, &bytes).and_then(|()| {
            if let Some(parent) = path.parent()
                && !parent.exists()
            {
                make_folder(&self.folder, parent)?;
            }
            fs::rename(&temporary, &path)
        });
        if let Err(error) = written {
            let _may_be_missing = fs::remove_file(&temporary);
            return Err(error.into());
        }
        Ok(())
    }

    fn read(&self, kind: Kind, name: Fingerprint) -> Result<Option<Artifact>, LayerError> {
        let bytes = match fs::read(self.path(kind, &name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let artifact = Artifact::from_bytes(name, bytes, self.secret.as_ref())?;
        if artifact.kind != kind {
            return Err(Reject::Kind.into());
        }
        Ok(Some(artifact))
    }

    /// Calls `visit` with the kind and name of every file that has such a name.
    fn each_file(
        &self,
        visit: &mut dyn FnMut(Kind, Fingerprint) -> Result<(), LayerError>,
    ) -> Result<(), LayerError> {
        for folder in sorted(&self.root)? {
            let two = folder.file_name().unwrap_or_default().to_string_lossy();
            if two.len() != 2 {
                continue;
            }
            for file in sorted(&folder)? {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                let Some((others, kind)) = name.split_once('.') else {
                    continue;
                };
                let kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
                let name = format!("{two}{others}").parse();
                if let (Some(kind), Ok(name)) = (kind, name) {
                    visit(kind, name)?;
                }
            }
        }
        Ok(())
    }
}

/// What lies in a folder, in order; nothing if there is no such folder.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>, LayerError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    // Not synced: a file that a power cut leaves short is refused by its checksum and written
    // again.
    file.write_all(bytes)
}

/// Makes a folder with the permissions of the user's own, so that those who share it can write.
fn make_folder(like: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        let permissions = like.metadata()?.permissions();
        // Another owner's folder may be right as it is.
        for folder in folder.ancestors().take_while(|folder| *folder != like) {
            let _not_ours = fs::set_permissions(folder, permissions.clone());
        }
    }
    let probe = folder.join(format!("probe-{}", std::process::id()));
    File::create(&probe)?;
    fs::remove_file(&probe)
}

impl Layer for Shared {
    fn name(&self) -> String {
        format!("the shared folder {}", self.folder.display())
    }

    fn get(&self, kind: Kind, name: &Fingerprint) -> Result<Option<Artifact>, LayerError> {
        self.read(kind, *name)
    }

    fn put(&self, artifacts: &[Artifact]) -> Result<(), LayerError> {
        if !self.writable {
            return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into());
        }
        artifacts.iter().try_for_each(|one| self.put_one(one))
    }

    fn forget(&self, kind: Kind, name: &Fingerprint) -> Result<(), LayerError> {
        match fs::remove_file(self.path(kind, name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn is_writable(&self) -> bool {
        self.writable
    }

    fn each(
        &self,
        visit: &mut dyn FnMut(&Artifact) -> Result<(), LayerError>,
    ) -> Result<(), LayerError> {
        self.each_file(&mut |kind, name| match self.read(kind, name) {
            Ok(Some(artifact)) => visit(&artifact),
            Ok(None) | Err(_) => Ok(()),
        })
    }

    fn verify(&self) -> Result<Verified, LayerError> {
        let mut verified = Verified::default();
        self.each_file(&mut |kind, name| {
            match self.read(kind, name) {
                Ok(_) => verified.good += 1,
                Err(why) => {
                    let damaged = matches!(&why, LayerError::Rejected(why) if why.is_damage());
                    verified.bad.push(format!("{kind} {name}: {why}"));
                    if damaged && self.writable {
                        self.forget(kind, &name)?;
                    }
                }
            }
            Ok(())
        })?;
        Ok(verified)
    }

    fn clear(&self) -> Result<(), LayerError> {
        self.each_file(&mut |kind, name| self.forget(kind, &name))?;
        for left_over in sorted(&self.root.join("tmp"))? {
            let _in_use = fs::remove_file(left_over);
        }
        Ok(())
    }
}
