//! Several processes at one store, and processes that are killed while they write.

use super::fixture::{code, codes, hits, local, name, store};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use worldage_store::layer::Layer as _;
use worldage_store::shared::Shared;
use worldage_store::{Kind, Store};

const FOLDER: &str = "WORLDAGE_TEST_FOLDER";
const NUMBER: &str = "WORLDAGE_TEST_NUMBER";
/// Rounds of killing: `200` in the nightly profile.
const ROUNDS: &str = "WORLDAGE_KILL_ROUNDS";

fn start(test: &str, folder: &Path, number: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// In a child: its folder and number.
fn child() -> Option<(std::path::PathBuf, u32)> {
    let number = std::env::var(NUMBER).ok()?.parse().ok()?;
    Some((std::env::var_os(FOLDER)?.into(), number))
}

const BATCH: u32 = 20;

/// Writes batches from `number` on; says when each is acknowledged.
fn write_forever(store: &Store, number: u32) {
    let mut out = std::io::stdout();
    for batch in 0.. {
        let first = number + batch * BATCH;
        codes(first..first + BATCH)
            .into_iter()
            .for_each(|c| store.put(c));
        store.flush();
        if writeln!(out, "acknowledged {}", first + BATCH).is_err() {
            return;
        }
    }
}

/// What is acknowledged survives, and nothing that is found is wrong, however often a writer is
/// killed at any point.
#[test]
fn killed_writers_lose_nothing_that_was_acknowledged() {
    let rounds = std::env::var(ROUNDS).map_or(20, |rounds| rounds.parse().unwrap());
    if let Some((folder, number)) = child() {
        write_forever(&store(&folder).0, number);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..rounds {
        let test = "suite::processes::killed_writers_lose_nothing_that_was_acknowledged";
        let mut writer = start(test, folder.path(), acknowledged);
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // Killed at another point in each round: what follows an acknowledgement is the next
        // batch, at some stage of being written.
        let mut left = 1 + round % 5;
        for line in lines {
            let line = line.unwrap();
            if let Some((_, end)) = line.split_once("acknowledged ") {
                acknowledged = end.parse().unwrap();
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        for _ in 0..round * 977 % 5000 {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let (store, told) = store(folder.path());
        assert_eq!(hits(&store, 0..acknowledged), acknowledged as usize);
        // What was being written is there or not, and right.
        hits(&store, acknowledged..acknowledged + 10 * BATCH);
        assert!(told.lock().is_empty(), "round {round}: {told:?}");
    }
    let verified = local(folder.path()).verify().unwrap();
    assert!(verified.bad.is_empty(), "{verified:?}");
    assert!(verified.good >= u64::from(acknowledged));
}

#[test]
fn killed_writers_leave_a_shared_folder_right() {
    let open = |folder: &Path| Shared::open(folder, None, false).unwrap();
    if let Some((folder, number)) = child() {
        let sink = Box::new(|line: &str| panic!("{line}"));
        let store = Store::with_layers(vec![Box::new(open(&folder))], sink);
        write_forever(&store, number);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for _ in 0..5 {
        let test = "suite::processes::killed_writers_leave_a_shared_folder_right";
        let mut writer = start(test, folder.path(), acknowledged);
        for line in BufReader::new(writer.stdout.take().unwrap()).lines() {
            if let Some((_, end)) = line.unwrap().split_once("acknowledged ") {
                acknowledged = end.parse().unwrap();
                break;
            }
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let shared = open(folder.path());
        for n in 0..acknowledged {
            let found = shared.get(Kind::Code, &name(n)).unwrap();
            assert_eq!(found, Some(code(n)));
        }
        assert!(shared.verify().unwrap().bad.is_empty());
    }
}

const PROCESSES: u32 = 4;
const EACH: u32 = 400;

#[test]
fn four_processes_share_one_store() {
    if let Some((folder, number)) = child() {
        let (store, told) = store(&folder);
        let mine = number * EACH..(number + 1) * EACH;
        for n in mine.clone() {
            store.put(code(n));
            // Something of another process: there or not, but right.
            hits(
                &store,
                (n + EACH) % (PROCESSES * EACH)..(n + EACH) % (PROCESSES * EACH) + 1,
            );
            if n % 100 == 0 {
                store.flush();
            }
        }
        store.flush();
        assert_eq!(hits(&store, mine), EACH as usize);
        drop(store);
        assert!(told.lock().is_empty(), "{told:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "suite::processes::four_processes_share_one_store";
    let processes: Vec<_> = (0..PROCESSES)
        .map(|number| start(test, folder.path(), number))
        .collect();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
    let local = local(folder.path());
    let verified = local.verify().unwrap();
    assert_eq!(verified.good, u64::from(PROCESSES * EACH));
    assert!(verified.bad.is_empty(), "{verified:?}");
    let (store, _) = store(folder.path());
    assert_eq!(
        hits(&store, 0..PROCESSES * EACH),
        (PROCESSES * EACH) as usize
    );
}
