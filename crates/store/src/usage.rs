//! What the store was good for: per instance and shard, how often it had the code, how often the
//! code had to be made, and what either took; and how many bytes were read instead of made.
//!
//! Sessions add to it as they end. It decides nothing: it is for people who ask what the store
//! saves them, and what would be worth compiling ahead.

use crate::layer::LayerError;
use rusqlite::{Connection, Transaction, params};

/// How often and how long, for one instance in one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// `f(Int64)`; empty for everything that has no row of its own.
    pub instance: String,
    /// `opt:speed`; empty, with an empty instance, for artifacts of all kinds together.
    pub shard: String,
    /// How often the store had its code.
    pub hits: u64,
    /// How often it was made.
    pub misses: u64,
    /// Nanoseconds of taking it from the store, in all.
    pub read_ns: u64,
    /// Nanoseconds of making it, in all.
    pub made_ns: u64,
    /// Bytes that were read, of artifacts of all kinds; 0 for single instances.
    pub read_bytes: u64,
}

impl Usage {
    /// Nanoseconds that hits have saved, as far as is known: what making it took on average, where
    /// it was made, and else on average over all of `others`; less what reading took.
    #[must_use]
    pub fn saved_ns(&self, others: &Average) -> u64 {
        let own = self.made_ns.checked_div(self.misses);
        let made = own.unwrap_or(others.made_ns);
        (self.hits * made).saturating_sub(self.read_ns)
    }
}

/// What making the code of an instance takes on average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Average {
    /// Nanoseconds.
    pub made_ns: u64,
}

impl Average {
    /// Over all of these.
    #[must_use]
    pub fn of(all: &[Usage]) -> Average {
        let made: u64 = all.iter().map(|usage| usage.made_ns).sum();
        let misses: u64 = all.iter().map(|usage| usage.misses).sum();
        Average {
            made_ns: made.checked_div(misses).unwrap_or(0),
        }
    }
}

/// Rows that are kept, those that were added to most recently.
const ROWS: i64 = 20_000;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS usage (
        instance TEXT NOT NULL,
        shard TEXT NOT NULL,
        hits INTEGER NOT NULL,
        misses INTEGER NOT NULL,
        read_ns INTEGER NOT NULL,
        made_ns INTEGER NOT NULL,
        read_bytes INTEGER NOT NULL,
        used INTEGER NOT NULL,
        PRIMARY KEY (instance, shard)
    ) WITHOUT ROWID";

/// Adds to what is known.
pub(crate) fn add(tx: &Transaction<'_>, all: &[Usage]) -> Result<(), LayerError> {
    tx.execute_batch(TABLE)?;
    let newest: Option<i64> = tx.query_row("SELECT max(used) FROM usage", [], |row| row.get(0))?;
    let tick = newest.unwrap_or(0).saturating_add(1);
    let mut add = tx.prepare_cached(
        "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         hits = hits + excluded.hits, misses = misses + excluded.misses,
         read_ns = read_ns + excluded.read_ns, made_ns = made_ns + excluded.made_ns,
         read_bytes = read_bytes + excluded.read_bytes, used = excluded.used",
    )?;
    for usage in all {
        add.execute(params![
            usage.instance,
            usage.shard,
            usage.hits.cast_signed(),
            usage.misses.cast_signed(),
            usage.read_ns.cast_signed(),
            usage.made_ns.cast_signed(),
            usage.read_bytes.cast_signed(),
            tick
        ])?;
    }
    let rows: i64 = tx.query_row("SELECT count(*) FROM usage", [], |row| row.get(0))?;
    if rows > ROWS {
        tx.execute(
            "DELETE FROM usage WHERE (instance, shard) IN
             (SELECT instance, shard FROM usage ORDER BY used LIMIT ?)",
            [rows - ROWS],
        )?;
    }
    Ok(())
}

/// Everything, by instance and shard.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Usage>, LayerError> {
    if !has_table(connection)? {
        return Ok(Vec::new());
    }
    let mut query = connection.prepare(
        "SELECT instance, shard, hits, misses, read_ns, made_ns, read_bytes FROM usage
         ORDER BY instance, shard",
    )?;
    let rows = query.query_map([], |row| {
        let number = |ix| row.get::<_, i64>(ix).map(i64::unsigned_abs);
        Ok(Usage {
            instance: row.get(0)?,
            shard: row.get(1)?,
            hits: number(2)?,
            misses: number(3)?,
            read_ns: number(4)?,
            made_ns: number(5)?,
            read_bytes: number(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets everything.
pub(crate) fn clear(tx: &Transaction<'_>) -> Result<(), LayerError> {
    Ok(tx.execute_batch("DROP TABLE IF EXISTS usage")?)
}

/// A store that no session has ended with has none.
fn has_table(connection: &Connection) -> Result<bool, LayerError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'usage'";
    Ok(connection.prepare(sql)?.exists([])?)
}
