//! Where the store lies unless the user says otherwise: the platform's cache folder.

use std::env;
use std::path::PathBuf;

/// The folder of the local layer: `WORLDAGE_CACHE_DIR`, or `worldage` in the user's cache folder
/// (`XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`). `None` if there is no
/// such folder.
#[must_use]
pub fn default_folder() -> Option<PathBuf> {
    if let Some(folder) = set("WORLDAGE_CACHE_DIR") {
        return Some(folder.into());
    }
    user_caches().map(|caches| caches.join("worldage"))
}

/// The folder of the shared layer: `WORLDAGE_SHARED_DIR`.
#[must_use]
pub fn shared_folder() -> Option<PathBuf> {
    set("WORLDAGE_SHARED_DIR").map(PathBuf::from)
}

/// Whether `WORLDAGE_NO_CACHE` turns the store off.
#[must_use]
pub fn is_disabled() -> bool {
    set("WORLDAGE_NO_CACHE").is_some_and(|value| value != "0")
}

/// An environment variable that is set to something.
fn set(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(target_os = "macos")]
fn user_caches() -> Option<PathBuf> {
    env::home_dir().map(|home| home.join("Library/Caches"))
}

#[cfg(windows)]
fn user_caches() -> Option<PathBuf> {
    set("LOCALAPPDATA").map(PathBuf::from)
}

#[cfg(not(any(target_os = "macos", windows)))]
fn user_caches() -> Option<PathBuf> {
    // The convention says that a relative path there is ignored.
    let set = set("XDG_CACHE_HOME").map(PathBuf::from);
    set.filter(|folder| folder.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .filter(|folder| folder.is_absolute())
}
