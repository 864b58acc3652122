//! What has been read so far: chunks whole, so that neighbours of an artifact need no read.

use crate::artifact::{Artifact, Kind};
use crate::fingerprint::Fingerprint;
use rustc_hash::{FxHashMap, FxHashSet};

/// Beyond this many bytes everything is dropped and read again as it is asked for.
const LIMIT_BYTES: usize = 256 << 20;

/// The artifacts of the chunks that were read.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    artifacts: FxHashMap<(Fingerprint, Kind), (i64, Artifact)>,
    chunks: FxHashSet<i64>,
    /// Chunks that were asked for something since they were last marked as used.
    pub(super) touched: FxHashSet<i64>,
    bytes: usize,
}

impl Loaded {
    pub(super) fn get(&self, kind: Kind, name: &Fingerprint) -> Option<Artifact> {
        let (_, artifact) = self.artifacts.get(&(*name, kind))?;
        Some(artifact.clone())
    }

    /// Whether everything that is alive in this chunk is here.
    pub(super) fn holds(&self, chunk: i64) -> bool {
        self.chunks.contains(&chunk)
    }

    /// Takes a chunk's artifacts; what a later chunk has replaced stays as it is.
    pub(super) fn add(&mut self, chunk: i64, size: usize, artifacts: Vec<Artifact>) {
        if self.bytes + size > LIMIT_BYTES {
            self.clear();
        }
        self.bytes += size;
        self.chunks.insert(chunk);
        self.touched.insert(chunk);
        self.artifacts.reserve(artifacts.len());
        for artifact in artifacts {
            let held = self.artifacts.entry((artifact.name, artifact.kind));
            let held = held.or_insert_with(|| (chunk, artifact.clone()));
            if held.0 < chunk {
                *held = (chunk, artifact);
            }
        }
    }

    pub(super) fn forget(&mut self, kind: Kind, name: &Fingerprint) {
        self.artifacts.remove(&(*name, kind));
    }

    /// Forgets what was read, not which chunks were used.
    pub(super) fn clear(&mut self) {
        self.artifacts.clear();
        self.chunks.clear();
        self.bytes = 0;
    }
}
