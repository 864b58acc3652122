//! Writing to the local layer: batches become chunks, replaced artifacts die, the least recently
//! used chunks go.
//!
//! Every function here runs inside one transaction of the writer's connection.

use crate::artifact::{Artifact, Kind};
use crate::chunk;
use crate::fingerprint::Fingerprint;
use crate::layer::LayerError;
use crate::trust::Secret;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use rustc_hash::FxHashSet;

/// Payload after which a new chunk is begun: large enough that reading one is cheap per artifact,
/// small enough that a single artifact does not cost much to get.
const CHUNK_BYTES: usize = 128 << 10;
/// Chunks below this size are small; so many of them are merged into one.
const SMALL_BYTES: i64 = 16 << 10;
const SMALL_CHUNKS: i64 = 32;
/// Chunks that are evicted in one transaction: others can write in between.
const EVICT_AT_ONCE: i64 = 64;
/// A chunk that was used within this many writing sessions need not be marked as used again.
const RECENT: i64 = 2;

/// What finds an artifact: the first eight bytes of its name, apart for each kind. SQLite's
/// integers are signed; the bits are the same.
pub(super) fn prefix(kind: Kind, name: &Fingerprint) -> i64 {
    (name.prefix() ^ kind as u64).cast_signed()
}

pub(super) fn prefix_of(artifact: &Artifact) -> i64 {
    prefix(artifact.kind, &artifact.name)
}

/// The mark that chunks get which are written or used now.
pub(super) fn next_tick(connection: &Connection) -> Result<i64, LayerError> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(used) FROM chunk", [], |row| row.get(0))?;
    Ok(newest.unwrap_or(0).saturating_add(1))
}

/// About how many artifacts there are, without counting them.
pub(super) fn items(connection: &Connection) -> Result<u64, LayerError> {
    let sum: i64 =
        connection.query_row("SELECT coalesce(sum(items), 0) FROM chunk", [], |row| {
            row.get(0)
        })?;
    Ok(sum.unsigned_abs())
}

/// The prefixes of everything that can be found.
pub(super) fn prefixes(connection: &Connection) -> Result<FxHashSet<i64>, LayerError> {
    let mut query = connection.prepare_cached("SELECT prefix FROM item")?;
    let prefixes = query.query_map([], |row| row.get(0))?;
    Ok(prefixes.collect::<Result<_, _>>()?)
}

/// Writes a batch, of which `absent` is surely not there.
pub(super) fn put(
    tx: &Transaction<'_>,
    artifacts: &[Artifact],
    absent: &FxHashSet<i64>,
    secret: Option<&Secret>,
    tick: i64,
) -> Result<(), LayerError> {
    let mut batch = Vec::with_capacity(artifacts.len());
    let mut in_batch = FxHashSet::default();
    let mut thinned = Vec::new();
    // The last of several artifacts of one name counts.
    for artifact in artifacts.iter().rev() {
        if !in_batch.insert((artifact.name, artifact.kind)) {
            continue;
        }
        if absent.contains(&prefix_of(artifact)) {
            batch.push(artifact.clone());
        } else if artifact.kind.is_replaced() {
            thinned.append(&mut kill(tx, artifact.kind, &artifact.name)?);
            batch.push(artifact.clone());
        } else if !is_there(tx, artifact)? {
            batch.push(artifact.clone());
        }
    }
    batch.reverse();
    if batch.is_empty() {
        return Ok(());
    }
    thinned.sort_unstable();
    thinned.dedup();
    for id in thinned {
        if let Some((items, dead)) = population(tx, id)?
            && dead * 2 >= items
        {
            batch.append(&mut take_out(tx, id, secret)?);
        }
    }
    merge_small(tx, &mut batch, secret)?;
    insert(tx, &batch, secret, tick)
}

/// Inserts artifacts in chunks, together with what finds them.
fn insert(
    tx: &Transaction<'_>,
    batch: &[Artifact],
    secret: Option<&Secret>,
    tick: i64,
) -> Result<(), LayerError> {
    let mut rest = batch;
    while !rest.is_empty() {
        let mut size = 0;
        let fit = rest
            .iter()
            .take_while(|artifact| {
                let fits = size < CHUNK_BYTES;
                size += artifact.payload.len();
                fits
            })
            .count();
        let (now, later) = rest.split_at(fit);
        rest = later;
        let bytes = chunk::encode(now, secret);
        tx.prepare_cached("INSERT INTO chunk (used, size, items, dead) VALUES (?, ?, ?, x'')")?
            .execute(params![tick, bytes.len() as i64, now.len() as i64])?;
        let id = tx.last_insert_rowid();
        tx.prepare_cached("INSERT OR REPLACE INTO data (id, bytes) VALUES (?, ?)")?
            .execute(params![id, bytes])?;
        let mut prefixes: Vec<i64> = now.iter().map(prefix_of).collect();
        prefixes.sort_unstable();
        let mut item = tx.prepare_cached("INSERT OR IGNORE INTO item VALUES (?, ?)")?;
        for prefix in prefixes {
            item.execute(params![prefix, id])?;
        }
    }
    Ok(())
}

pub(super) fn chunks_of(
    connection: &Connection,
    kind: Kind,
    name: &Fingerprint,
) -> Result<Vec<i64>, LayerError> {
    let mut query =
        connection.prepare_cached("SELECT chunk FROM item WHERE prefix = ? ORDER BY chunk DESC")?;
    let chunks = query.query_map([prefix(kind, name)], |row| row.get(0))?;
    Ok(chunks.collect::<Result<_, _>>()?)
}

/// Whether an artifact is found, and the chunk that it lies in is still there.
fn is_there(tx: &Transaction<'_>, artifact: &Artifact) -> Result<bool, LayerError> {
    let mut query = tx.prepare_cached(
        "SELECT 1 FROM item JOIN data ON data.id = item.chunk JOIN chunk ON chunk.id = item.chunk
         WHERE prefix = ?",
    )?;
    Ok(query.exists([prefix_of(artifact)])?)
}

/// Marks every artifact of this name as dead; gives the chunks that it lay in.
///
/// Names with equal first eight bytes die together: a miss, should it ever happen.
pub(super) fn kill(
    tx: &Transaction<'_>,
    kind: Kind,
    name: &Fingerprint,
) -> Result<Vec<i64>, LayerError> {
    let chunks = chunks_of(tx, kind, name)?;
    let prefix = prefix(kind, name);
    for id in &chunks {
        tx.prepare_cached("DELETE FROM item WHERE prefix = ? AND chunk = ?")?
            .execute(params![prefix, id])?;
        tx.prepare_cached("UPDATE chunk SET dead = CAST(dead || ? AS BLOB) WHERE id = ?")?
            .execute(params![prefix.to_le_bytes(), id])?;
    }
    Ok(chunks)
}

/// How many artifacts a chunk was written with, and how many of them are dead.
fn population(tx: &Transaction<'_>, id: i64) -> Result<Option<(i64, i64)>, LayerError> {
    let mut query = tx.prepare_cached("SELECT items, length(dead) / 8 FROM chunk WHERE id = ?")?;
    let found = query.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

/// The prefixes that `dead` lists.
pub(super) fn dead_prefixes(dead: &[u8]) -> Vec<i64> {
    let prefixes = dead.as_chunks::<8>().0.iter();
    prefixes.map(|bytes| i64::from_le_bytes(*bytes)).collect()
}

/// Reads a chunk's artifacts that are alive. `None`: it is gone.
pub(super) fn read_chunk(
    connection: &Connection,
    id: i64,
    secret: Option<&Secret>,
) -> Result<Option<(usize, Vec<Artifact>)>, LayerError> {
    let mut query =
        connection.prepare_cached("SELECT dead FROM data JOIN chunk USING (id) WHERE id = ?")?;
    let mut rows = query.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let dead: Vec<u8> = row.get(0)?;
    // As long as the row is not let go the chunk stays; a query for its bytes would copy them twice.
    let blob = connection.blob_open("main", "data", "bytes", id, true)?;
    let mut bytes = vec![0; blob.len()];
    blob.read_at_exact(&mut bytes, 0)?;
    let size = bytes.len();
    let mut artifacts = chunk::decode(bytes, secret)?;
    let dead = dead_prefixes(&dead);
    if !dead.is_empty() {
        artifacts.retain(|artifact| !dead.contains(&prefix_of(artifact)));
    }
    Ok(Some((size, artifacts)))
}

/// Removes a chunk and gives what was alive in it; nothing if it cannot be read.
fn take_out(
    tx: &Transaction<'_>,
    id: i64,
    secret: Option<&Secret>,
) -> Result<Vec<Artifact>, LayerError> {
    let alive = match read_chunk(tx, id, secret) {
        Ok(found) => Some(found.map_or(Vec::new(), |(_, artifacts)| artifacts)),
        Err(LayerError::Rejected(_)) => None,
        Err(other) => return Err(other),
    };
    remove(tx, id, alive.as_deref())?;
    Ok(alive.unwrap_or_default())
}

/// Removes a chunk, which holds these living artifacts (if they are known).
fn remove(tx: &Transaction<'_>, id: i64, alive: Option<&[Artifact]>) -> Result<(), LayerError> {
    match alive {
        // Slow, and only for chunks that cannot be read.
        None => {
            tx.prepare_cached("DELETE FROM item WHERE chunk = ?")?
                .execute([id])?;
        }
        Some(alive) => {
            let mut delete =
                tx.prepare_cached("DELETE FROM item WHERE prefix = ? AND chunk = ?")?;
            for artifact in alive {
                delete.execute(params![prefix_of(artifact), id])?;
            }
        }
    }
    tx.prepare_cached("DELETE FROM data WHERE id = ?")?
        .execute([id])?;
    tx.prepare_cached("DELETE FROM chunk WHERE id = ?")?
        .execute([id])?;
    Ok(())
}

/// Removes a chunk that turned out to be unreadable.
pub(super) fn remove_bad(tx: &Transaction<'_>, id: i64) -> Result<(), LayerError> {
    remove(tx, id, None)
}

/// Many small chunks, one per session that compiled little, become part of this batch.
fn merge_small(
    tx: &Transaction<'_>,
    batch: &mut Vec<Artifact>,
    secret: Option<&Secret>,
) -> Result<(), LayerError> {
    let small: Vec<i64> = tx
        .prepare_cached("SELECT id FROM chunk WHERE size < ? ORDER BY id")?
        .query_map([SMALL_BYTES], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if (small.len() as i64) < SMALL_CHUNKS {
        return Ok(());
    }
    for id in small {
        batch.append(&mut take_out(tx, id, secret)?);
    }
    Ok(())
}

/// Marks chunks as used, those that have not been for a while.
pub(super) fn touch(tx: &Transaction<'_>, chunks: &[i64], tick: i64) -> Result<(), LayerError> {
    let mut update = tx.prepare_cached("UPDATE chunk SET used = ? WHERE id = ?")?;
    for id in chunks {
        update.execute(params![tick, id])?;
    }
    Ok(())
}

/// Those of the chunks that should be marked as used.
pub(super) fn stale(
    connection: &Connection,
    touched: &FxHashSet<i64>,
    tick: i64,
) -> Result<Vec<i64>, LayerError> {
    let mut query = connection.prepare_cached("SELECT used FROM chunk WHERE id = ?")?;
    let mut stale = Vec::new();
    for id in touched {
        let used: Option<i64> = query.query_row([id], |row| row.get(0)).optional()?;
        if used.is_some_and(|used| used < tick - RECENT) {
            stale.push(*id);
        }
    }
    Ok(stale)
}

/// Bytes in use.
pub(super) fn used_bytes(connection: &Connection) -> Result<u64, LayerError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = number("page_count")? - number("freelist_count")?;
    Ok((pages * number("page_size")?).unsigned_abs())
}

/// Removes the chunks that were used longest ago, until they held `bytes` or there were as many
/// as one transaction should remove; whether it removed any.
pub(super) fn evict(
    tx: &Transaction<'_>,
    bytes: u64,
    secret: Option<&Secret>,
) -> Result<bool, LayerError> {
    let oldest: Vec<(i64, u64)> = tx
        .prepare_cached("SELECT id, size FROM chunk ORDER BY used, id LIMIT ?")?
        .query_map([EVICT_AT_ONCE], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?
        .collect::<Result<_, _>>()?;
    let mut freed = 0;
    for (id, size) in &oldest {
        if freed >= bytes {
            break;
        }
        take_out(tx, *id, secret)?;
        freed += size;
    }
    Ok(!oldest.is_empty())
}

/// What is alive, per kind: how many artifacts, and the bytes of their payloads.
pub(super) fn count(artifacts: &[Artifact], kind: Kind) -> (u64, u64) {
    let of_kind = artifacts.iter().filter(|artifact| artifact.kind == kind);
    of_kind.fold((0, 0), |(count, bytes), artifact| {
        (count + 1, bytes + artifact.payload.len() as u64)
    })
}
