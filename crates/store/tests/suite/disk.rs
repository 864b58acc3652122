//! A disk that fails below SQLite: an I/O error at the n-th operation, a disk that is full from
//! the n-th write on, for every n that happens.
//!
//! A VFS stands between SQLite and the one of this machine and counts what is read, written and
//! synchronised of files in folders of its own name.
#![expect(unsafe_code, reason = "a VFS is a table of C functions")]

use super::fixture::{code, codes, hits, local, store};
use rusqlite::ffi;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering::SeqCst};
use worldage_store::Layer as _;

/// What the names of folders contain whose files fail.
const FAILING: &str = "failing-disk";

/// Operations until one fails; negative once it has.
static LEFT: AtomicI64 = AtomicI64::new(i64::MAX);
/// Which operations count.
static COUNTED: AtomicI32 = AtomicI32::new(0);
/// Whether those after the first that failed fail, too.
static FOREVER: AtomicI32 = AtomicI32::new(0);

const READS: c_int = 1;
const WRITES: c_int = 2;

/// One operation: what SQLite is told, if it fails.
fn operation(kind: c_int, failure: c_int) -> Option<c_int> {
    if COUNTED.load(SeqCst) & kind == 0 {
        return None;
    }
    let left = LEFT.fetch_sub(1, SeqCst);
    let fails = left == 0 || (left < 0 && FOREVER.load(SeqCst) != 0);
    let failure = match FOREVER.load(SeqCst) {
        0 => failure,
        _ => ffi::SQLITE_FULL,
    };
    fails.then_some(failure)
}

/// A file: its methods, and the file of the machine's VFS, which stands behind it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    is_counted: bool,
    real: *mut ffi::sqlite3_file,
}

/// Calls a method of the machine's VFS.
macro_rules! forward {
    ($file:expr, $method:ident $(, $arg:expr)*) => {{
        // SAFETY: SQLite calls methods of a file that is open, and the machine's has all of them.
        unsafe {
            let real = (*$file.cast::<File>()).real;
            ((*(*real).pMethods).$method.expect("the machine's VFS has it"))(real $(, $arg)*)
        }
    }};
}

macro_rules! methods {
    ($($name:ident = $method:ident($($arg:ident: $ty:ty),*) $(fails $kind:ident $failure:ident)?;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $arg: $ty)*) -> c_int {
            $(
                // SAFETY: the file is one of ours.
                let is_counted = unsafe { (*file.cast::<File>()).is_counted };
                let failed = operation($kind, ffi::$failure).filter(|_| is_counted);
                if let Some(failure) = failed {
                    return failure;
                }
            )?
            forward!(file, $method $(, $arg)*)
        }
    )*};
}

methods! {
    close = xClose();
    read = xRead(to: *mut c_void, len: c_int, at: ffi::sqlite3_int64) fails READS SQLITE_IOERR_READ;
    write = xWrite(of: *const c_void, len: c_int, at: ffi::sqlite3_int64)
        fails WRITES SQLITE_IOERR_WRITE;
    truncate = xTruncate(len: ffi::sqlite3_int64) fails WRITES SQLITE_IOERR_TRUNCATE;
    sync = xSync(flags: c_int) fails WRITES SQLITE_IOERR_FSYNC;
    file_size = xFileSize(len: *mut ffi::sqlite3_int64) fails READS SQLITE_IOERR_FSTAT;
    lock = xLock(level: c_int);
    unlock = xUnlock(level: c_int);
    check_reserved = xCheckReservedLock(out: *mut c_int);
    control = xFileControl(op: c_int, arg: *mut c_void);
    sector_size = xSectorSize();
    characteristics = xDeviceCharacteristics();
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void);
    shm_lock = xShmLock(offset: c_int, n: c_int, flags: c_int);
    shm_unmap = xShmUnmap(delete: c_int);
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    forward!(file, xShmBarrier);
}

/// Version 2: without memory maps.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room of `szOsFile` bytes, which is ours and behind it the machine's;
    // a name is a string or null.
    unsafe {
        let of_machine: *mut ffi::sqlite3_vfs = (*vfs).pAppData.cast();
        let ours = file.cast::<File>();
        let real = ours.add(1).cast::<ffi::sqlite3_file>();
        (*ours).real = real;
        (*ours).base.pMethods = std::ptr::null();
        let name_of: *const c_char = name.cast();
        let is_named = !name_of.is_null();
        (*ours).is_counted =
            is_named && CStr::from_ptr(name_of).to_string_lossy().contains(FAILING);
        let open = (*of_machine).xOpen.expect("every VFS opens");
        let status = open(of_machine, name, real, flags, out);
        if !(*real).pMethods.is_null() {
            (*ours).base.pMethods = &raw const METHODS;
        }
        status
    }
}

/// Puts the VFS before that of the machine, for all connections of this process.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the machine's VFS lives for ever, and so does the copy; what is not replaced in
        // it does not look at the object that it is called for, but for its own data.
        unsafe {
            let of_machine = ffi::sqlite3_vfs_find(std::ptr::null());
            assert!(!of_machine.is_null(), "SQLite has a VFS");
            let own = Box::leak(Box::new(std::ptr::read(of_machine)));
            let room = size_of::<File>() + (*of_machine).szOsFile as usize;
            own.szOsFile = c_int::try_from(room).expect("files are small");
            own.zName = c"failing".as_ptr();
            own.pNext = null_mut();
            own.pAppData = of_machine.cast();
            own.xOpen = Some(open);
            assert_eq!(ffi::sqlite3_vfs_register(own, 1), ffi::SQLITE_OK);
        }
    });
}

/// Fails the n-th operation of a kind, or all from there on; `None` that none.
fn fail(counted: c_int, forever: bool, n: Option<i64>) {
    COUNTED.store(0, SeqCst);
    LEFT.store(n.unwrap_or(i64::MAX), SeqCst);
    FOREVER.store(c_int::from(forever), SeqCst);
    COUNTED.store(n.map_or(0, |_| counted), SeqCst);
}

/// A session on a disk that fails at its n-th operation: how many warnings it told; `None` if it
/// had not so many operations.
#[track_caller]
fn session(counted: c_int, forever: bool, n: i64) -> Option<usize> {
    let folder = tempfile::Builder::new().prefix(FAILING).tempdir().unwrap();
    local(folder.path()).put(&codes(0..10)).unwrap();
    fail(counted, forever, Some(n));
    let (failing, told) = store(folder.path());
    // What is found is right, whatever is found.
    hits(&failing, 0..20);
    codes(0..20).into_iter().for_each(|code| failing.put(code));
    failing.flush();
    drop(failing);
    let reached = LEFT.load(SeqCst) < 0;
    fail(0, false, None);
    let warnings = told.lock().len();
    assert!(warnings <= 1, "operation {n}: {told:?}");
    // The disk is well again: one session, or two, and all is there.
    let (next, _) = store(folder.path());
    (0..20).for_each(|n| next.put(code(n)));
    drop(next);
    let (last, told) = store(folder.path());
    assert_eq!(hits(&last, 0..20), 20, "operation {n}: {told:?}");
    assert!(told.lock().is_empty(), "operation {n}: {told:?}");
    reached.then_some(warnings)
}

/// One test, since the disk is one for the process.
#[test]
fn a_disk_that_fails_costs_a_warning() {
    install();
    for (what, counted, forever) in [
        ("a read fails", READS, false),
        ("a write fails", WRITES, false),
        ("the disk is full", WRITES, true),
    ] {
        let failed = (0..2_000).map_while(|n| session(counted, forever, n));
        let failed: Vec<usize> = failed.collect();
        // What fails after everything is written (a log that is not emptied) costs nothing.
        let told = failed.iter().sum::<usize>();
        assert!((5..2_000).contains(&failed.len()), "{what}: {failed:?}");
        assert!(told > failed.len() / 2, "{what}: {failed:?}");
    }
}
