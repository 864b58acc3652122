//! One SQLite file of the local layer: how it is found, opened, judged corrupt and replaced.
//!
//! The file's name carries the schema's version and a generation, `worldage-v1-3.db`. A corrupt
//! file is never renamed under those who use it before its successor exists: healing makes
//! generation n + 1 under a lock file, and everyone who meets the corruption moves on to it.

use crate::layer::LayerError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Changes whenever the tables or the chunks in them do: another version is another file.
const SCHEMA: i32 = 1;

/// `chunk` is small and scanned for eviction; `data` holds the bytes; `item` finds the chunks by
/// the first eight bytes of an artifact's name. Numbers of chunks are never used again, since
/// other processes remember which they have read. `dead` lists the prefixes of artifacts that later
/// chunks replaced.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS chunk (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        used INTEGER NOT NULL,
        size INTEGER NOT NULL,
        items INTEGER NOT NULL,
        dead BLOB NOT NULL
    );
    CREATE TABLE IF NOT EXISTS data (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS item (
        prefix INTEGER NOT NULL,
        chunk INTEGER NOT NULL,
        PRIMARY KEY (prefix, chunk)
    ) WITHOUT ROWID;
";

/// Whether, and how long, a connection waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads must not hold up a compile.
    Reader,
    /// Writes happen behind it.
    Writer,
}

/// A connection and the generation of the file that it is open on.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) generation: u64,
}

/// Opens the newest file of the folder; makes one if there is none and the folder is writable.
pub(super) fn open(folder: &Path, role: Role, writable: bool) -> Result<Database, LayerError> {
    let generation = newest(folder)?.unwrap_or(1);
    let path = file(folder, generation);
    let connection = match writable {
        true => create(folder, &path, role)?,
        false => open_read_only(&path)?,
    };
    Ok(Database {
        connection,
        generation,
    })
}

fn create(folder: &Path, path: &Path, role: Role) -> Result<Connection, LayerError> {
    let connection = connect(path, role)?;
    if version(&connection)? == 0 {
        // One process makes the tables; others that come meanwhile wait for it here.
        let _until_made = lock(folder)?;
        if version(&connection)? == 0 {
            make_tables(&connection)?;
        }
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}

fn connect(path: &Path, role: Role) -> Result<Connection, LayerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(match role {
        Role::Reader => Duration::from_millis(250),
        Role::Writer => Duration::from_secs(2),
    })?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn version(connection: &Connection) -> Result<i32, LayerError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn make_tables(connection: &Connection) -> Result<(), LayerError> {
    // These two only have an effect before the first table is made.
    connection.pragma_update(None, "page_size", 8192)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;"
    ))?;
    Ok(())
}

/// Held while a file is made or replaced; the kernel releases it if we are killed.
fn lock(folder: &Path) -> Result<File, LayerError> {
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn open_read_only(path: &Path) -> Result<Connection, LayerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(250))?;
    let readable = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match readable {
        Ok(()) => Ok(connection),
        // In a folder that we cannot write, a file in WAL mode can only be read as one that
        // nobody changes. Chunks carry checksums, so if someone does, that is a miss.
        Err(_) => {
            let path = path.display().to_string();
            let path = path
                .replace('%', "%25")
                .replace('?', "%3f")
                .replace('#', "%23");
            let uri = format!("file:{path}?immutable=1");
            Ok(Connection::open_with_flags(uri, flags)?)
        }
    }
}

/// Replaces a corrupt file by a new one, unless somebody did so already.
///
/// The corrupt file stays under another name, so that it can be looked at; one of them is kept.
pub(super) fn replace(folder: &Path, corrupt: u64) -> Result<(), LayerError> {
    let _until_replaced = lock(folder)?;
    if newest(folder)?.is_some_and(|newest| newest > corrupt) {
        return Ok(());
    }
    for old in entries(folder)? {
        if old.extension().is_some_and(|ext| ext == "corrupt") {
            let _gone = std::fs::remove_file(old);
        }
    }
    make_tables(&connect(&file(folder, corrupt + 1), Role::Writer)?)?;
    for suffix in ["", "-wal", "-shm"] {
        let from = with_suffix(&file(folder, corrupt), suffix);
        let to = with_suffix(&from, ".corrupt");
        let _may_be_missing = std::fs::rename(from, to);
    }
    Ok(())
}

/// Whether the file itself is broken: then it is replaced. All other failures are the
/// environment's, and pass.
pub(super) fn is_corrupt(error: &LayerError) -> bool {
    let LayerError::Database(error) = error else {
        return false;
    };
    match error {
        // A plain `SQLITE_ERROR` is a mistake in a query, and so is the next: ours are right, so
        // these are someone else's tables under our name.
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(
                failure.code,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase
            ) || failure.extended_code == rusqlite::ffi::SQLITE_ERROR
        }
        rusqlite::Error::SqlInputError { .. } => true,
        rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..) => {
            true
        }
        _ => false,
    }
}

pub(super) fn file(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("worldage-v{SCHEMA}-{generation}.db"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn newest(folder: &Path) -> Result<Option<u64>, LayerError> {
    let prefix = format!("worldage-v{SCHEMA}-");
    let generations = entries(folder)?.into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        let number = name.strip_prefix(&prefix)?.strip_suffix(".db")?;
        number.parse::<u64>().ok()
    });
    Ok(generations.max())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, LayerError> {
    let entries = std::fs::read_dir(folder)?;
    Ok(entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?)
}
