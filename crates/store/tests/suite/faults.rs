//! Every fault costs a miss and a warning; then the store heals.

use super::fixture::{code, codes, hits, local, name, origin, sink, store};
use rusqlite::Connection;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use worldage_store::fault::{Countdown, Failing};
use worldage_store::{Kind, Layer as _, Origin, Reject, Store};

const COUNT: u32 = 300;

/// Fills a store, does something to its folder, and checks that what is got is right, that at
/// most a few warnings are told, and that after one more compile everything is there again.
#[track_caller]
fn check(what: &str, damage: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    local(folder.path()).put(&codes(0..COUNT)).unwrap();
    damage(folder.path());
    let (damaged, told) = store(folder.path());
    // A compile: what is missing is put.
    for n in 0..COUNT {
        if hits(&damaged, n..n + 1) == 0 {
            damaged.put(code(n));
        }
    }
    drop(damaged);
    assert!(told.lock().len() <= 2, "{what}: {told:?}");
    let (next, told) = store(folder.path());
    let found = hits(&next, 0..COUNT);
    if found < COUNT as usize {
        // What was only met while writing heals one session later.
        codes(0..COUNT).into_iter().for_each(|code| next.put(code));
        drop(next);
        let (last, told) = store(folder.path());
        assert_eq!(hits(&last, 0..COUNT), COUNT as usize, "{what}: {told:?}");
    } else {
        drop(next);
        assert!(told.lock().is_empty(), "{what}: {told:?}");
    }
}

fn database(folder: &Path) -> std::path::PathBuf {
    folder.join("worldage-v1-1.db")
}

#[test]
fn a_truncated_database() {
    for len in [0, 1, 99, 100, 4096, 8192, 20_000, 100_000, 200_000] {
        check(&format!("cut to {len}"), |folder| {
            let file = OpenOptions::new().write(true).open(database(folder));
            file.unwrap().set_len(len).unwrap();
        });
    }
}

#[test]
fn garbage_in_place_of_the_database() {
    check("garbage", |folder| {
        fs::write(database(folder), b"not a database".repeat(1000)).unwrap();
    });
    check("garbage in the log", |folder| {
        fs::write(folder.join("worldage-v1-1.db-wal"), [7; 50_000]).unwrap();
    });
    check("a folder", |folder| {
        fs::remove_file(database(folder)).unwrap();
    });
}

#[test]
fn a_database_of_someone_else() {
    check("other tables", |folder| {
        fs::remove_file(database(folder)).unwrap();
        let other = Connection::open(database(folder)).unwrap();
        let tables = "CREATE TABLE other (x); PRAGMA user_version = 7;";
        other.execute_batch(tables).unwrap();
    });
    check("other columns", |folder| {
        let other = Connection::open(database(folder)).unwrap();
        let tables = "DROP TABLE data; CREATE TABLE data (id INTEGER PRIMARY KEY, x TEXT);";
        other.execute_batch(tables).unwrap();
    });
    check("other values", |folder| {
        let other = Connection::open(database(folder)).unwrap();
        other.execute_batch("UPDATE data SET bytes = 'x'").unwrap();
    });
    check("empty values", |folder| {
        let other = Connection::open(database(folder)).unwrap();
        other.execute_batch("UPDATE data SET bytes = x''").unwrap();
    });
    check("no chunks", |folder| {
        let other = Connection::open(database(folder)).unwrap();
        other.execute_batch("DELETE FROM data").unwrap();
    });
}

/// A small generator, so that the same bits flip in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn flipped_bits() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for round in 0..60 {
        check(&format!("round {round}"), |folder| {
            let path = database(folder);
            let mut bytes = fs::read(&path).unwrap();
            // Near the start lie the pages that find all others.
            let span = if round % 2 == 0 { bytes.len() } else { 16_384 };
            for _ in 0..=round % 7 {
                let bit = random(&mut state) as usize % (span * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            fs::write(&path, bytes).unwrap();
        });
    }
}

#[test]
fn verify_finds_and_removes_damage() {
    let folder = tempfile::tempdir().unwrap();
    local(folder.path()).put(&codes(0..COUNT)).unwrap();
    let other = Connection::open(database(folder.path())).unwrap();
    other
        .execute("UPDATE data SET bytes = zeroblob(100) WHERE id = 1", [])
        .unwrap();
    drop(other);
    let local = local(folder.path());
    let found = local.verify().unwrap();
    assert_eq!(found.bad.len(), 1, "{found:?}");
    assert!(found.good > 0);
    let again = local.verify().unwrap();
    assert_eq!((again.good, again.bad), (found.good, vec![]));
}

#[test]
fn a_locked_database() {
    let folder = tempfile::tempdir().unwrap();
    local(folder.path()).put(&codes(0..10)).unwrap();
    let holder = Connection::open(database(folder.path())).unwrap();
    holder
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM item;")
        .unwrap();
    let (locked, told) = store(folder.path());
    assert_eq!(hits(&locked, 0..10), 0);
    assert_eq!(told.lock().len(), 1, "{told:?}");
    locked.put(code(11));
    drop(locked);
    assert_eq!(told.lock().len(), 1, "{told:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    let (free, told) = store(folder.path());
    assert_eq!(hits(&free, 0..10), 10);
    assert!(told.lock().is_empty(), "{told:?}");
}

#[test]
fn a_writer_that_holds_the_lock_does_not_stop_readers() {
    let folder = tempfile::tempdir().unwrap();
    local(folder.path()).put(&codes(0..10)).unwrap();
    let holder = Connection::open(database(folder.path())).unwrap();
    holder
        .execute_batch("BEGIN IMMEDIATE; DELETE FROM item;")
        .unwrap();
    let (reader, told) = store(folder.path());
    assert_eq!(hits(&reader, 0..10), 10);
    assert!(told.lock().is_empty(), "{told:?}");
}

#[test]
fn a_folder_that_is_none() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"").unwrap();
    for folder in [file.clone(), file.join("below"), "/proc/none/here".into()] {
        let (none, told) = store(&folder);
        assert!(none.is_empty());
        assert_eq!(hits(&none, 0..3), 0);
        none.put(code(1));
        none.flush();
        assert_eq!(told.lock().len(), 1, "{told:?}");
    }
}

#[test]
fn another_compilers_artifact() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = Arc::new(Origin {
        target: "aarch64".into(),
        ..origin()
    });
    let mut artifact = code(1);
    artifact.origin = foreign;
    local(folder.path()).put(&[artifact]).unwrap();
    let (store, told) = store(folder.path());
    assert_eq!(store.get(Kind::Code, &name(1), &origin()), None);
    assert!(told.lock()[0].contains("test 1 for aarch64"), "{told:?}");
    store.put(code(1));
    store.flush();
    assert_eq!(hits(&store, 1..2), 1);
    assert_eq!(store.stats().rejected, 1);
}

#[test]
fn a_payload_that_does_not_decode_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = store(folder.path());
    let mut wrong = code(1);
    wrong.payload = vec![1, 2, 3].into();
    store.put(wrong);
    store.flush();
    assert!(store.get(Kind::Code, &name(1), &origin()).is_some());
    let why = Reject::Payload("it is too short".into());
    store.reject(Kind::Code, &name(1), &why);
    store.put(code(1));
    store.flush();
    assert_eq!(hits(&store, 1..2), 1);
    assert_eq!(told.lock().len(), 1, "{told:?}");
}

/// The n-th operation fails, for every n that happens.
#[test]
fn one_operation_fails() {
    for n in 1..45 {
        let folder = tempfile::tempdir().unwrap();
        local(folder.path()).put(&codes(0..10)).unwrap();
        let countdown = Arc::new(Countdown::default());
        let layer = Failing {
            layer: local(folder.path()),
            countdown: Arc::clone(&countdown),
        };
        let (to, told) = sink();
        let store = Store::with_layers(vec![Box::new(layer)], to);
        countdown.set(n);
        let found = hits(&store, 0..20);
        assert!((9..=10).contains(&found), "{found} with {n}");
        codes(0..20).into_iter().for_each(|code| store.put(code));
        store.flush();
        drop(store);
        assert!(told.lock().len() <= 1, "{told:?}");
        let (next, told) = super::fixture::store(folder.path());
        codes(0..20).into_iter().for_each(|code| next.put(code));
        next.flush();
        assert_eq!(hits(&next, 0..20), 20);
        assert!(told.lock().is_empty(), "{told:?}");
    }
}

#[test]
fn operations_of_the_store_fail_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    local(folder.path()).put(&codes(0..10)).unwrap();
    let (store, told) = store(folder.path());
    store.fail_io(3);
    assert_eq!(hits(&store, 0..10), 9);
    store.fail_io(1);
    store.put(code(10));
    store.put(code(11));
    store.flush();
    assert_eq!(hits(&store, 10..12), 1);
    assert_eq!(told.lock().len(), 1, "both are of one kind: {told:?}");
    assert_eq!(store.stats().unwritten, 1);
}

#[test]
fn a_layer_that_always_fails_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let countdown = Arc::new(Countdown::default());
    let layer = Failing {
        layer: local(folder.path()),
        countdown: Arc::clone(&countdown),
    };
    let (to, told) = sink();
    let store = Store::with_layers(vec![Box::new(layer)], to);
    countdown.fail_always();
    assert_eq!(hits(&store, 0..100), 0);
    countdown.set(0);
    assert_eq!(hits(&store, 0..100), 0);
    assert_eq!(told.lock().len(), 1, "{told:?}");
    assert_eq!(store.warnings(), 3, "then it was no longer asked");
}
