//! What has been read so far: chunks whole, so that neighbours of an artifact need no read; and
//! what is known not to be there.

use super::write::{self, prefix};
use crate::artifact::{Artifact, Kind};
use crate::fingerprint::Fingerprint;
use crate::layer::LayerError;
use rusqlite::Connection;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::hash_map::Entry;

/// Beyond this many bytes everything is dropped and read again as it is asked for.
const LIMIT_BYTES: usize = 256 << 20;
/// So many misses that ask the database cost about as much as reading one prefix for each.
const PREFIXES_PER_MISS: u64 = 128;
/// Fewer misses are not worth it.
const MISSES: u64 = 64;
/// After so many misses that asked nobody, other processes may have written something.
const TRUSTED: u32 = 1024;

/// The artifacts of the chunks that were read.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// By the prefix of their names: two of one prefix are one too many, and a miss.
    artifacts: FxHashMap<i64, (i64, Artifact)>,
    chunks: FxHashSet<i64>,
    /// Chunks that were asked for something since they were last marked as used.
    pub(super) touched: FxHashSet<i64>,
    bytes: usize,
    /// Misses that asked the database.
    misses: u64,
    /// The prefixes of everything that is there.
    present: Option<Present>,
}

#[derive(Debug)]
struct Present {
    prefixes: FxHashSet<i64>,
    /// Changes when another connection writes.
    version: i64,
    /// Misses since the version was looked at.
    trusted: u32,
}

impl Loaded {
    pub(super) fn get(&self, kind: Kind, name: &Fingerprint) -> Option<Artifact> {
        let (_, artifact) = self.artifacts.get(&prefix(kind, name))?;
        let same = artifact.kind == kind && artifact.name == *name;
        same.then(|| artifact.clone())
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
            match self.artifacts.entry(prefix(artifact.kind, &artifact.name)) {
                Entry::Vacant(free) => {
                    free.insert((chunk, artifact));
                }
                Entry::Occupied(mut held) if held.get().0 < chunk => {
                    held.insert((chunk, artifact));
                }
                Entry::Occupied(_) => {}
            }
        }
    }

    pub(super) fn forget(&mut self, kind: Kind, name: &Fingerprint) {
        self.artifacts.remove(&prefix(kind, name));
    }

    /// Forgets what was read, not which chunks were used nor what is there.
    pub(super) fn clear(&mut self) {
        self.artifacts.clear();
        self.chunks.clear();
        self.bytes = 0;
    }

    /// Whether the database is known not to have this. What another process wrote a moment ago
    /// may be taken for missing: it is made again.
    pub(super) fn is_absent(
        &mut self,
        connection: &Connection,
        prefix: i64,
    ) -> Result<bool, LayerError> {
        let Some(present) = &mut self.present else {
            return Ok(false);
        };
        present.trusted += 1;
        if present.trusted > TRUSTED {
            present.trusted = 0;
            if data_version(connection)? != present.version {
                (self.present, self.misses) = (None, 0);
                return Ok(false);
            }
        }
        Ok(!present.prefixes.contains(&prefix))
    }

    /// Takes note of a miss. A session with many of them is compiling something new: it learns
    /// what there is, all at once, as soon as that costs no more than it has paid so far.
    pub(super) fn missed(&mut self, connection: &Connection) -> Result<(), LayerError> {
        self.misses += 1;
        if self.misses < MISSES || !self.misses.is_power_of_two() || self.present.is_some() {
            return Ok(());
        }
        if write::items(connection)? <= self.misses * PREFIXES_PER_MISS {
            self.present = Some(Present {
                version: data_version(connection)?,
                prefixes: write::prefixes(connection)?,
                trusted: 0,
            });
        }
        Ok(())
    }

    /// Those of these artifacts that the database surely lacks.
    pub(super) fn absent(&self, artifacts: &[Artifact]) -> FxHashSet<i64> {
        let Some(present) = &self.present else {
            return FxHashSet::default();
        };
        let prefixes = artifacts.iter().map(write::prefix_of);
        prefixes
            .filter(|prefix| !present.prefixes.contains(prefix))
            .collect()
    }

    /// Artifacts were written by this process.
    pub(super) fn written(
        &mut self,
        connection: Option<&Connection>,
        artifacts: &[Artifact],
    ) -> Result<(), LayerError> {
        for artifact in artifacts.iter().filter(|a| a.kind.is_replaced()) {
            self.forget(artifact.kind, &artifact.name);
        }
        if let Some(present) = &mut self.present {
            let prefixes = artifacts.iter().map(write::prefix_of);
            present.prefixes.extend(prefixes);
            if let Some(connection) = connection {
                // So that our own writing is not taken for somebody else's.
                present.version = data_version(connection)?;
            }
        }
        Ok(())
    }
}

fn data_version(connection: &Connection) -> Result<i64, LayerError> {
    Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
}
