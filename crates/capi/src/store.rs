//! Results beyond the process: the store, on, off, emptied.

use crate::names::Session;
use crate::session::{Open, open};
use crate::status::{Error, Status, give, guard, text};
use std::ffi::{CString, c_char, c_void};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use worldage::embed::shelf;
use worldage::store::{self, Store, folder, trust::Secret};

/// Told of each thing that is wrong with a store, once; the text lives during the call. It may be
/// called on any thread.
pub type WarnFunction = Option<unsafe extern "C" fn(user: *mut c_void, message: *const c_char)>;

/// What happened between a session and its store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct StoreStats {
    /// Artifacts that were found.
    pub hits: u64,
    /// Artifacts that were asked for and not found.
    pub misses: u64,
    /// Artifacts that were found and not used.
    pub rejected: u64,
    /// Bytes of those that were found.
    pub bytes_read: u64,
    /// Artifacts that were put.
    pub puts: u64,
    /// Their bytes.
    pub bytes_written: u64,
}

/// Whom to tell, on any thread.
struct Told {
    warn: WarnFunction,
    user: *mut c_void,
}

// SAFETY: that it may be called on any thread is a law of the interface.
unsafe impl Send for Told {}
// SAFETY: as above.
unsafe impl Sync for Told {}

impl Told {
    fn tell(&self, message: &str) {
        if let Some(warn) = self.warn {
            let message = CString::new(message.replace('\0', " ")).unwrap_or_default();
            // SAFETY: C gave the function for this.
            unsafe { warn(self.user, message.as_ptr()) };
        }
    }
}

/// Keeps results in a folder from here on, instead of in the one before. `folder` null is the
/// default place of this user, which the environment variable `WORLDAGE_CACHE_DIR` moves;
/// `shared` is a folder that machines share, or null. `producer` names the compiler that the
/// stages are, its version, and all else that their results depend on: results of another one
/// are never used. A folder that cannot be used is a warning, and the session goes on without.
#[unsafe(no_mangle)]
pub extern "C" fn wa_store_on(
    session: Session,
    folder: *const c_char,
    shared: *const c_char,
    producer: *const c_char,
    warn: WarnFunction,
    user: *mut c_void,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let producer = text(producer, "producer")?;
        let folder = match path(folder, "folder")? {
            Some(folder) => folder,
            None => folder::default_folder().ok_or_else(|| {
                Error::invalid("this user has no cache folder: set WORLDAGE_CACHE_DIR")
            })?,
        };
        let secret = Secret::from_env().map_err(Error::invalid)?;
        let options = store::Options {
            folder: Some(folder),
            shared: path(shared, "shared")?,
            secret,
            ..store::Options::default()
        };
        let told = Told { warn, user };
        let store = Store::open(&options, Box::new(move |message| told.tell(message)));
        let store = Arc::new(store);
        session.engine.set_store(Some(shelf(&store, producer)));
        put(&session, Some(store));
        Ok(())
    })
}

/// Keeps nothing from here on; what was put before is written when this returns. Without a store
/// this does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn wa_store_off(session: Session) -> Status {
    guard(|| {
        let session = open(session)?;
        session.engine.set_store(None);
        put(&session, None);
        Ok(())
    })
}

/// Forgets everything in the store's folders, which other processes may use, too.
#[unsafe(no_mangle)]
pub extern "C" fn wa_store_clear(session: Session) -> Status {
    guard(|| {
        let cleared = current(&*open(session)?)?.clear();
        cleared.map_err(|error| Error::new(Status::Store, error))
    })
}

/// What happened since the store was turned on, after what was put before is written.
#[unsafe(no_mangle)]
pub extern "C" fn wa_store_stats(session: Session, stats: *mut StoreStats) -> Status {
    guard(|| {
        let store = current(&*open(session)?)?;
        store.flush();
        let found = store.stats();
        let found = StoreStats {
            hits: found.hits,
            misses: found.misses,
            rejected: found.rejected,
            bytes_read: found.bytes_read,
            puts: found.puts,
            bytes_written: found.bytes_written,
        };
        give(stats, found)
    })
}

/// Whether an infer or codegen that would run is an error instead, which says why: for what must
/// be in the store. What was refused may run once it is off.
#[unsafe(no_mangle)]
pub extern "C" fn wa_set_strict(session: Session, strict: bool) -> Status {
    guard(|| {
        open(session)?.engine.set_strict(strict);
        Ok(())
    })
}

fn path(path: *const c_char, what: &str) -> Result<Option<PathBuf>, Error> {
    if path.is_null() {
        return Ok(None);
    }
    text(path, what).map(|path| Some(PathBuf::from(path)))
}

fn current(session: &Open) -> Result<Arc<Store>, Error> {
    let store = session.store.lock().unwrap_or_else(PoisonError::into_inner);
    let store = store.clone();
    store.ok_or_else(|| Error::invalid("the session has no store: see wa_store_on"))
}

/// Remembers a store; that of before is written to its end.
fn put(session: &Open, store: Option<Arc<Store>>) {
    let mut place = session.store.lock().unwrap_or_else(PoisonError::into_inner);
    let before = std::mem::replace(&mut *place, store);
    drop(place);
    if let Some(before) = before {
        before.flush();
    }
}
