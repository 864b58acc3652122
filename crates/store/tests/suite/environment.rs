//! What the system refuses: a full disk, folders that cannot be written or read, a clock that
//! jumps, files of other versions. The answer is right all the same, and there is one warning.

use super::fixture::{code, codes, hits, local, name, origin, store};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};
use worldage_store::layer::Layer as _;
use worldage_store::local::Local;
use worldage_store::shared::Shared;
use worldage_store::{Kind, LayerError, Store};

const FOLDER: &str = "WORLDAGE_TEST_FOLDER_OF_ENVIRONMENT";

/// In a child: its folder.
fn child() -> Option<std::path::PathBuf> {
    std::env::var_os(FOLDER).map(Into::into)
}

#[track_caller]
fn succeeded(child: std::io::Result<Output>) {
    let child = child.unwrap();
    assert!(child.status.success(), "{child:?}");
}

/// This test again, in a process whose files cannot grow beyond so many blocks (of 512 or 1024
/// bytes, as the shell likes); it ignores the signal that goes with it.
fn limited(test: &str, folder: &Path, blocks: u32) -> std::io::Result<Output> {
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact {test}");
    Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe()?)
        .env(FOLDER, folder)
        .output()
}

/// The disk is full after so many bytes, for many numbers of them.
#[test]
fn a_full_disk() {
    const ALL: u32 = 600;
    if let Some(folder) = child() {
        let (store, told) = store(&folder);
        codes(0..ALL).into_iter().for_each(|code| store.put(code));
        store.flush();
        let _what_fits = hits(&store, 0..ALL);
        drop(store);
        assert!(told.lock().len() <= 1, "{told:?}");
        return;
    }
    let test = "suite::environment::a_full_disk";
    for blocks in (0..=24).map(|n| n * 12).chain([400, 600, 1000, 2500]) {
        for filled in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            if filled {
                local(folder.path()).put(&codes(0..10)).unwrap();
            }
            succeeded(limited(test, folder.path(), blocks));
            let (next, told) = store(folder.path());
            if filled {
                assert_eq!(hits(&next, 0..10), 10, "{blocks} blocks");
            }
            codes(0..ALL).into_iter().for_each(|code| next.put(code));
            next.flush();
            assert_eq!(hits(&next, 0..ALL), ALL as usize, "{blocks} blocks");
            assert!(told.lock().is_empty(), "{blocks} blocks: {told:?}");
        }
    }
}

/// What another user of the machine sees of a folder: they can read it, or not even that.
#[cfg(unix)]
#[test]
fn folders_of_another_user() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65534;
    if let Some(folder) = child() {
        let (store, told) = store(&folder);
        let readable = fs::read_dir(&folder).is_ok();
        assert_eq!(hits(&store, 0..20), if readable { 10 } else { 0 });
        store.put(code(11));
        store.flush();
        drop(store);
        assert_eq!(told.lock().len(), usize::from(!readable), "{told:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    local(folder.path()).put(&codes(0..10)).unwrap();
    let this = std::env::current_exe().unwrap();
    // As root there is no folder that cannot be written, but others can be asked to try; what
    // they run must be theirs to read.
    let test_is_readable = this.ancestors().skip(1).all(|folder| {
        let mode = folder.metadata().map(|found| found.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o005 == 0o005)
    });
    let root = folder
        .path()
        .metadata()
        .is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0);
    for mode in [0o555, 0o500, 0o000] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(&this);
        command
            .args(["--exact", "suite::environment::folders_of_another_user"])
            .env(FOLDER, folder.path());
        if root && test_is_readable {
            command.uid(NOBODY).gid(NOBODY);
        }
        if !root || test_is_readable {
            succeeded(command.output());
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let (next, told) = store(folder.path());
        assert_eq!(hits(&next, 0..10), 10);
        assert!(told.lock().is_empty(), "{told:?}");
    }
}

/// Times of files are nothing to go by: no clock is asked, and none of these is an error.
#[test]
fn a_clock_that_jumps() {
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shared = || Shared::open(far.path(), None, false).unwrap();
    local(near.path()).put(&codes(0..20)).unwrap();
    shared().put(&codes(0..20)).unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    let times = [
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + 365 * 130 * day,
        SystemTime::UNIX_EPOCH + 365 * 56 * day,
    ];
    for (round, time) in (0u32..).zip(times) {
        set_times(near.path(), time);
        set_times(far.path(), time);
        let (sink, told) = super::fixture::sink();
        let layers: Vec<Box<dyn worldage_store::Layer>> =
            vec![Box::new(local(near.path())), Box::new(shared())];
        let both = Store::with_layers(layers, sink);
        let new = 20 + round;
        assert_eq!(hits(&both, 0..new), new as usize);
        both.put(code(new));
        drop(both);
        assert!(told.lock().is_empty(), "{told:?}");
        assert!(shared().get(Kind::Code, &name(new)).unwrap().is_some());
        assert!(local(near.path()).verify().unwrap().bad.is_empty());
    }
}

fn set_times(folder: &Path, time: SystemTime) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => set_times(&path, time),
            false => {
                let file = fs::File::options().append(true).open(&path).unwrap();
                file.set_modified(time).unwrap();
            }
        }
    }
}

/// A later version's files are left as they are, beside ours.
#[test]
fn files_of_a_later_version() {
    let folder = tempfile::tempdir().unwrap();
    let later = folder.path().join("worldage-v2-1.db");
    fs::write(&later, b"what a later version wrote").unwrap();
    let (one, told) = store(folder.path());
    codes(0..10).into_iter().for_each(|code| one.put(code));
    drop(one);
    let (two, _) = store(folder.path());
    assert_eq!(hits(&two, 0..10), 10);
    assert!(told.lock().is_empty(), "{told:?}");
    assert_eq!(fs::read(&later).unwrap(), b"what a later version wrote");

    // A single artifact of a later version: a miss that says so, and it stays.
    let shared = Shared::open(&folder.path().join("shared"), None, false).unwrap();
    shared.put(&codes(1..2)).unwrap();
    let file = only_file(&folder.path().join("shared"));
    let mut bytes = fs::read(&file).unwrap();
    bytes[4] = 2;
    fs::write(&file, &bytes).unwrap();
    let (sink, told) = super::fixture::sink();
    let store = Store::with_layers(vec![Box::new(shared)], sink);
    assert_eq!(store.get(Kind::Code, &name(1), &origin()), None);
    assert!(told.lock()[0].contains("version 2"), "{told:?}");
}

fn only_file(folder: &Path) -> std::path::PathBuf {
    let mut all = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let file = all.find_map(|path| match path.is_dir() {
        true => fs::read_dir(&path)
            .unwrap()
            .next()
            .map(|_| only_file(&path)),
        false => Some(path),
    });
    file.expect("there is one")
}

/// Without a writable folder there is nothing to make a database in.
#[test]
fn an_empty_folder_that_is_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Local::open_read_only(folder.path(), None);
    assert!(matches!(refused, Err(LayerError::Io(_))), "{refused:?}");
}
