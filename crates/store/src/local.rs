//! The local layer: one SQLite file in a private folder, for many processes at once.
//!
//! SQLite in WAL mode: readers never wait for a writer, a killed process loses at most what it
//! was writing, and nobody waits for the disk (`synchronous = NORMAL`). Artifacts lie in chunks
//! (see `chunk`): the first get of a chunk reads all of it. Least recently used chunks are
//! evicted after a put that passed the limit; use is counted in writing sessions, not by a clock.
//!
//! Invariant: an artifact that is given out was verified; a corrupt file is replaced by an empty
//! one, never repaired in place.

mod database;
mod loaded;
mod write;

use crate::artifact::{Artifact, Kind};
use crate::fingerprint::Fingerprint;
use crate::layer::{Layer, LayerError, Verified};
use crate::trust::{self, Secret, TrustError};
use crate::usage::{self, Usage};
use database::{Database, Role};
use loaded::Loaded;
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::io;
use std::path::{Path, PathBuf};

/// What the local layer may take, by default.
pub const DEFAULT_LIMIT_BYTES: u64 = 2 << 30;

/// After an eviction so much of the limit is in use, in percent.
const EVICT_TO_PERCENT: u64 = 90;

/// The local layer.
#[derive(Debug)]
pub struct Local {
    folder: PathBuf,
    limit_bytes: u64,
    secret: Option<Secret>,
    writable: bool,
    reader: Mutex<Reader>,
    writer: Mutex<Option<Database>>,
}

#[derive(Debug, Default)]
struct Reader {
    database: Option<Database>,
    loaded: Loaded,
}

/// Figures of the local layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalStats {
    /// Bytes on disk that hold something.
    pub used_bytes: u64,
    /// Chunks.
    pub chunks: u64,
    /// Per kind: artifacts and the bytes of their payloads.
    pub kinds: [(u64, u64); Kind::ALL.len()],
}

impl Local {
    /// Opens the store in this folder, which is made (for us alone) if it is missing.
    ///
    /// A folder that others can write is used only with a secret; a folder or file that we cannot
    /// write is only read.
    ///
    /// # Errors
    /// When there is no folder and none can be made, or it must not be trusted. A corrupt or
    /// locked file is no error here.
    pub fn open(
        folder: &Path,
        limit_bytes: u64,
        secret: Option<Secret>,
    ) -> Result<Local, LayerError> {
        trust::create_private(folder)?;
        Local::over(folder, limit_bytes, secret, is_writable(folder))
    }

    /// Opens the store in this folder, and never writes there.
    ///
    /// # Errors
    /// As [`Local::open`], and when there is none.
    pub fn open_read_only(folder: &Path, secret: Option<Secret>) -> Result<Local, LayerError> {
        Local::over(folder, u64::MAX, secret, false)
    }

    fn over(
        folder: &Path,
        limit_bytes: u64,
        secret: Option<Secret>,
        writable: bool,
    ) -> Result<Local, LayerError> {
        let exposed = trust::others_can_write(folder)?;
        if exposed && secret.is_none() {
            let error = TrustError::Exposed(folder.into());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error).into());
        }
        if !writable && database::newest(folder)?.is_none() {
            let error = "it is empty and cannot be written";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error).into());
        }
        Ok(Local {
            folder: folder.into(),
            limit_bytes,
            // In a folder of our own, what we wrote before there was a key stays good.
            secret: secret.filter(|_| exposed),
            writable,
            reader: Mutex::default(),
            writer: Mutex::default(),
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a query. If the file turns out to be corrupt, it is replaced: this query fails, the
    /// next one finds an empty file.
    fn read<R>(
        &self,
        query: impl FnOnce(&Connection, &mut Loaded) -> Result<R, LayerError>,
    ) -> Result<R, LayerError> {
        let mut reader = self.reader.lock();
        let Reader { database, loaded } = &mut *reader;
        let result = match database {
            Some(open) => query(&open.connection, loaded),
            None => database::open(&self.folder, Role::Reader, self.writable).and_then(|opened| {
                let open = database.insert(opened);
                query(&open.connection, loaded)
            }),
        };
        if let Err(error) = &result
            && database::is_corrupt(error)
            && self.writable
        {
            self.heal(&mut reader)?;
        }
        result
    }

    /// Runs a write transaction; if the file is corrupt, replaces it.
    fn write<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, LayerError>,
    ) -> Result<R, LayerError> {
        let mut writer = self.writer.lock();
        let result = self.transaction(&mut writer, work);
        if let Err(error) = &result
            && database::is_corrupt(error)
        {
            *writer = None;
            drop(writer);
            self.heal(&mut self.reader.lock())?;
        }
        result
    }

    fn transaction<R>(
        &self,
        writer: &mut Option<Database>,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, LayerError>,
    ) -> Result<R, LayerError> {
        if !self.writable {
            let error = io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
            return Err(error.into());
        }
        // Another process may have replaced a corrupt file.
        if let Some(open) = writer
            && database::newest(&self.folder)? != Some(open.generation)
        {
            *writer = None;
        }
        let open = match writer {
            Some(open) => open,
            None => writer.insert(database::open(&self.folder, Role::Writer, true)?),
        };
        let tx = open
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&tx)?;
        tx.commit()?;
        Ok(result)
    }

    /// Replaces the newest file, which turned out to be corrupt, unless it is sound after all:
    /// then another process replaced it.
    fn heal(&self, reader: &mut Reader) -> Result<(), LayerError> {
        reader.loaded = Loaded::default();
        let met = reader.database.take().map(|open| open.generation);
        let corrupt = match met {
            Some(generation) => generation,
            None => database::newest(&self.folder)?.unwrap_or(0),
        };
        database::replace(&self.folder, corrupt)
    }

    /// Removes the chunks that were used longest ago until the limit holds.
    fn evict(&self) -> Result<(), LayerError> {
        let used = |writer: &Option<Database>| match writer {
            Some(open) => write::used_bytes(&open.connection),
            None => Ok(0),
        };
        let mut writer = self.writer.lock();
        if used(&writer)? <= self.limit_bytes {
            return Ok(());
        }
        let goal = self.limit_bytes / 100 * EVICT_TO_PERCENT;
        let mut evicted = false;
        loop {
            let excess = used(&writer)?.saturating_sub(goal);
            let secret = self.secret.as_ref();
            let evict = |tx: &Transaction<'_>| write::evict(tx, excess, secret);
            if excess == 0 || !self.transaction(&mut writer, evict)? {
                break;
            }
            evicted = true;
        }
        if evicted && let Some(open) = &*writer {
            shrink(&open.connection)?;
        }
        Ok(())
    }

    /// Figures; reads everything.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stats(&self) -> Result<LocalStats, LayerError> {
        let mut stats = self.read(|connection, _| {
            Ok(LocalStats {
                used_bytes: write::used_bytes(connection)?,
                ..LocalStats::default()
            })
        })?;
        self.each_chunk(&mut |_, artifacts| {
            stats.chunks += 1;
            let artifacts = artifacts?;
            for (sum, kind) in stats.kinds.iter_mut().zip(Kind::ALL) {
                let (count, bytes) = write::count(&artifacts, kind);
                *sum = (sum.0 + count, sum.1 + bytes);
            }
            Ok(())
        })?;
        Ok(stats)
    }

    /// What the store was good for in the sessions so far, by instance and shard.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn usage(&self) -> Result<Vec<Usage>, LayerError> {
        self.read(|connection, _| usage::all(connection))
    }

    /// Gives unused space back to the file system and checks the limit.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn vacuum(&self) -> Result<(), LayerError> {
        self.write(|_| Ok(()))?;
        self.evict()?;
        match &*self.writer.lock() {
            Some(open) => shrink(&open.connection),
            None => Ok(()),
        }
    }

    fn chunk_ids(&self) -> Result<Vec<i64>, LayerError> {
        self.read(|connection, _| {
            let mut query = connection.prepare_cached("SELECT id FROM chunk ORDER BY id")?;
            let ids = query.query_map([], |row| row.get(0))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// Calls `visit` with what every chunk holds, or why it cannot be read.
    fn each_chunk(&self, visit: &mut VisitChunk<'_>) -> Result<(), LayerError> {
        for id in self.chunk_ids()? {
            let chunk = self.read(|connection, _| {
                match write::read_chunk(connection, id, self.secret.as_ref()) {
                    Ok(found) => Ok(found.map(|(_, artifacts)| Ok(artifacts))),
                    Err(LayerError::Rejected(why)) => Ok(Some(Err(why.into()))),
                    Err(other) => Err(other),
                }
            })?;
            if let Some(chunk) = chunk {
                visit(id, chunk)?;
            }
        }
        Ok(())
    }
}

type VisitChunk<'a> =
    dyn FnMut(i64, Result<Vec<Artifact>, LayerError>) -> Result<(), LayerError> + 'a;

fn shrink(connection: &Connection) -> Result<(), LayerError> {
    let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Whether files can be made in a folder: only trying tells.
fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(format!("probe-{}", std::process::id()));
    let made = std::fs::File::create(&probe).is_ok();
    let _may_be_missing = std::fs::remove_file(&probe);
    made
}

impl Layer for Local {
    fn name(&self) -> String {
        format!("the local store {}", self.folder.display())
    }

    fn get(&self, kind: Kind, name: &Fingerprint) -> Result<Option<Artifact>, LayerError> {
        let mut bad = None;
        let found = self.read(|connection, loaded| {
            if let Some(artifact) = loaded.get(kind, name) {
                return Ok(Some(artifact));
            }
            if loaded.is_absent(connection, write::prefix(kind, name))? {
                return Ok(None);
            }
            for id in write::chunks_of(connection, kind, name)? {
                if loaded.holds(id) {
                    continue;
                }
                match write::read_chunk(connection, id, self.secret.as_ref()) {
                    Ok(Some((size, artifacts))) => loaded.add(id, size, artifacts),
                    // Evicted since it was found.
                    Ok(None) => continue,
                    Err(error) => {
                        bad = matches!(error, LayerError::Rejected(_)).then_some(id);
                        return Err(error);
                    }
                }
                if let Some(artifact) = loaded.get(kind, name) {
                    return Ok(Some(artifact));
                }
            }
            loaded.missed(connection)?;
            Ok(None)
        });
        if let Some(id) = bad
            && self.writable
        {
            self.write(|tx| write::remove_bad(tx, id))?;
        }
        found
    }

    fn put(&self, artifacts: &[Artifact]) -> Result<(), LayerError> {
        if artifacts.is_empty() {
            return Ok(());
        }
        let secret = self.secret.as_ref();
        let absent = self.reader.lock().loaded.absent(artifacts);
        self.write(|tx| {
            let tick = write::next_tick(tx)?;
            write::put(tx, artifacts, &absent, secret, tick)
        })?;
        {
            let mut reader = self.reader.lock();
            let Reader { database, loaded } = &mut *reader;
            let connection = database.as_ref().map(|open| &open.connection);
            loaded.written(connection, artifacts)?;
        }
        self.evict()
    }

    fn forget(&self, kind: Kind, name: &Fingerprint) -> Result<(), LayerError> {
        self.reader.lock().loaded.forget(kind, name);
        self.write(|tx| write::kill(tx, kind, name).map(|_| ()))
    }

    fn note(&self, usage: &[Usage]) -> Result<(), LayerError> {
        self.write(|tx| usage::add(tx, usage))
    }

    fn is_writable(&self) -> bool {
        self.writable
    }

    fn tidy(&self) -> Result<(), LayerError> {
        if !self.writable {
            return Ok(());
        }
        let (stale, tick) = {
            let mut reader = self.reader.lock();
            let Reader { database, loaded } = &mut *reader;
            let Some(open) = database else { return Ok(()) };
            let touched = std::mem::take(&mut loaded.touched);
            let tick = write::next_tick(&open.connection)?;
            (write::stale(&open.connection, &touched, tick)?, tick)
        };
        match stale.is_empty() {
            true => Ok(()),
            false => self.write(|tx| write::touch(tx, &stale, tick)),
        }
    }

    fn each(
        &self,
        visit: &mut dyn FnMut(&Artifact) -> Result<(), LayerError>,
    ) -> Result<(), LayerError> {
        self.each_chunk(&mut |_, artifacts| match artifacts {
            Ok(artifacts) => artifacts.iter().try_for_each(&mut *visit),
            Err(_) => Ok(()),
        })
    }

    fn verify(&self) -> Result<Verified, LayerError> {
        let mut verified = Verified::default();
        let sound = self.read(|connection, _| {
            let check = "PRAGMA integrity_check(1)";
            Ok(connection.query_row(check, [], |row| row.get::<_, String>(0))?)
        });
        let broken = match sound {
            Ok(answer) if answer == "ok" => None,
            Ok(answer) => {
                self.heal(&mut self.reader.lock())?;
                Some(answer)
            }
            // Replaced by `read`.
            Err(error) if database::is_corrupt(&error) => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        if let Some(why) = broken {
            let line = format!("the database was corrupt and was replaced: {why}");
            verified.bad.push(line);
        }
        let mut bad = Vec::new();
        self.each_chunk(&mut |id, artifacts| {
            match artifacts {
                Ok(artifacts) => verified.good += artifacts.len() as u64,
                Err(why) => {
                    verified.bad.push(format!("chunk {id}: {why}"));
                    bad.push(id);
                }
            }
            Ok(())
        })?;
        if self.writable {
            self.write(|tx| {
                bad.iter().try_for_each(|id| write::remove_bad(tx, *id))?;
                let dangling = "DELETE FROM item WHERE chunk NOT IN (SELECT id FROM chunk)";
                tx.execute(dangling, [])?;
                Ok(())
            })?;
        }
        Ok(verified)
    }

    fn clear(&self) -> Result<(), LayerError> {
        self.write(|tx| {
            tx.execute_batch("DELETE FROM item; DELETE FROM chunk; DELETE FROM data;")?;
            usage::clear(tx)
        })?;
        self.reader.lock().loaded = Loaded::default();
        match &*self.writer.lock() {
            Some(open) => shrink(&open.connection),
            None => Ok(()),
        }
    }
}
