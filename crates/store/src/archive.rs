//! A store's artifacts as one file: tar, compressed with zstd, with a manifest.
//!
//! The manifest stands first (`manifest.json`) and lists every following file with its length and
//! BLAKE3 digest; the files are containers (see `artifact`). The same artifacts give the same
//! bytes. An import checks everything, to the last file, before it puts anything.

use crate::artifact::{Artifact, Kind, Reject};
use crate::fingerprint::Fingerprint;
use crate::layer::{Layer, LayerError};
use crate::trust::Secret;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

const FORMAT: &str = "worldage archive 1";
const MANIFEST: &str = "manifest.json";
/// No artifact is larger; a header that says otherwise must not make us ask for the memory.
const LARGEST: u64 = 1 << 30;
/// zstd's default: export is limited by the disk.
const LEVEL: i32 = 3;
/// Imported artifacts are put in batches of this many bytes.
const BATCH_BYTES: usize = 8 << 20;

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: String,
    files: Vec<Listed>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    kind: String,
    name: String,
    bytes: u64,
    blake3: String,
}

/// Why an archive could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be written or read, or is cut short.
    #[error("the archive cannot be written or read: {0}")]
    Io(#[from] io::Error),
    /// The store cannot be.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The file is not a whole archive of ours.
    #[error("this is no archive that can be imported: {0}")]
    Wrong(String),
    /// One of its artifacts must not be used.
    #[error("the archive's {kind} {name} must not be used, nothing was imported: {why}")]
    Rejected {
        /// Which kind.
        kind: Kind,
        /// Which.
        name: Fingerprint,
        /// Why.
        why: Reject,
    },
}

/// Writes every artifact of a layer to a file; calls `progress` with how many are done and how
/// many there are. Gives their number.
///
/// # Errors
/// When one of them cannot be read or the file cannot be written.
pub fn export(
    layer: &dyn Layer,
    file: &Path,
    secret: Option<&Secret>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, ArchiveError> {
    let mut files = Vec::new();
    layer.each(&mut |artifact| {
        let bytes = artifact.to_bytes(secret);
        files.push((
            artifact.kind,
            artifact.name,
            bytes.len() as u64,
            blake3::hash(&bytes),
        ));
        Ok(())
    })?;
    files.sort_by_key(|(kind, name, ..)| (*kind, *name));
    files.dedup_by_key(|(kind, name, ..)| (*kind, *name));
    let manifest = Manifest {
        format: FORMAT.into(),
        files: files
            .iter()
            .map(|(kind, name, bytes, digest)| Listed {
                kind: kind.to_string(),
                name: name.to_string(),
                bytes: *bytes,
                blake3: digest.to_string(),
            })
            .collect(),
    };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from)?;
    let out = BufWriter::new(File::create(file)?);
    let mut tar = tar::Builder::new(zstd::Encoder::new(out, LEVEL)?);
    append(&mut tar, MANIFEST, &manifest)?;
    let all = files.len() as u64;
    for (done, (kind, name, _, digest)) in files.into_iter().enumerate() {
        progress(done as u64, all);
        let bytes = layer.get(kind, &name)?.map(|found| found.to_bytes(secret));
        let bytes = bytes.filter(|bytes| blake3::hash(bytes) == digest);
        // Another process replaced or evicted it since it was listed.
        let changed = || ArchiveError::Wrong(format!("{kind} {name} changed meanwhile; try again"));
        append(&mut tar, &path(kind, &name), &bytes.ok_or_else(changed)?)?;
    }
    progress(all, all);
    let mut out = tar.into_inner()?.finish()?;
    out.flush()?;
    Ok(all)
}

fn path(kind: Kind, name: &Fingerprint) -> String {
    format!("{kind}/{name}")
}

fn append(tar: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) -> io::Result<()> {
    // No time and no user: the same artifacts give the same bytes.
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    tar.append_data(&mut header, path, bytes)
}

/// Puts every artifact of a file into a layer; with a secret, only if all are tagged with it.
/// Calls `progress` with how many are done and how many there are. Gives their number.
///
/// # Errors
/// When the file is damaged or incomplete (then nothing was put), or the layer cannot be written.
pub fn import(
    layer: &dyn Layer,
    file: &Path,
    secret: Option<&Secret>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, ArchiveError> {
    each(file, secret, &mut |_, _, _| Ok(()))?;
    let mut batch = Vec::new();
    let mut bytes = 0;
    let all = each(file, secret, &mut |artifact, done, all| {
        bytes += artifact.payload.len();
        batch.push(artifact);
        if bytes >= BATCH_BYTES {
            layer.put(&batch)?;
            batch.clear();
            bytes = 0;
            progress(done, all);
        }
        Ok(())
    })?;
    layer.put(&batch)?;
    progress(all, all);
    Ok(all)
}

type Visit<'a> = dyn FnMut(Artifact, u64, u64) -> Result<(), ArchiveError> + 'a;

/// Calls `visit` with every artifact of an archive, each checked, its place, and how many there
/// are; gives that number.
fn each(file: &Path, secret: Option<&Secret>, visit: &mut Visit<'_>) -> Result<u64, ArchiveError> {
    let mut tar = tar::Archive::new(zstd::Decoder::new(BufReader::new(File::open(file)?))?);
    let mut entries = tar.entries()?;
    let first = entries.next().ok_or_else(|| wrong("it is empty"))??;
    let manifest = read_entry(first, MANIFEST)?;
    let manifest: Manifest = serde_json::from_slice(&manifest)
        .map_err(|error| ArchiveError::Wrong(error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(ArchiveError::Wrong(format!(
            "its format is `{}`, not `{FORMAT}`",
            manifest.format.escape_debug()
        )));
    }
    let all = manifest.files.len() as u64;
    for (done, listed) in manifest.files.iter().enumerate() {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == listed.kind);
        let kind = kind.ok_or_else(|| wrong("it lists an unknown kind of artifact"))?;
        let name: Fingerprint = (listed.name.parse())
            .map_err(|_| wrong("it lists an artifact whose name is no fingerprint"))?;
        let entry = entries.next().ok_or_else(|| wrong("it is cut short"))??;
        let bytes = read_entry(entry, &path(kind, &name))?;
        if bytes.len() as u64 != listed.bytes || blake3::hash(&bytes).to_string() != listed.blake3 {
            let why = Reject::Checksum;
            return Err(ArchiveError::Rejected { kind, name, why });
        }
        let artifact = Artifact::from_bytes(name, bytes, secret)
            .and_then(|artifact| match artifact.kind == kind {
                true => Ok(artifact),
                false => Err(Reject::Kind),
            })
            .map_err(|why| ArchiveError::Rejected { kind, name, why })?;
        visit(artifact, done as u64, all)?;
    }
    match entries.next() {
        Some(_) => Err(wrong("it holds more than it lists")),
        None => Ok(all),
    }
}

fn wrong(why: &str) -> ArchiveError {
    ArchiveError::Wrong(why.into())
}

fn read_entry(
    mut entry: tar::Entry<'_, impl Read>,
    expected: &str,
) -> Result<Vec<u8>, ArchiveError> {
    if entry.path_bytes() != expected.as_bytes() {
        return Err(wrong("its files are not those that it lists"));
    }
    if entry.size() > LARGEST {
        return Err(wrong("it holds a file that is too large"));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    Ok(bytes)
}
