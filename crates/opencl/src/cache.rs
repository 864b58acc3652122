//! Program binaries between processes: what a driver made of a source is not made again.
//!
//! Invariant: a driver never sees bytes that are not exactly those that it gave for this recipe
//! (some drivers end the process on a truncated binary): whoever keeps them verifies them.

use crate::device::Identity;

/// Everything that a program binary is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe<'a> {
    /// What people call the program: a kernel, a file. Nothing is made from it.
    pub name: &'a str,
    /// The complete source: includes are a part of the text.
    pub source: &'a str,
    /// The options of the build.
    pub options: &'a str,
    /// The device with its platform and driver.
    pub device: &'a Identity,
}

/// Where program binaries are kept. Law: `get` gives exactly what was `put` under an equal recipe,
/// or nothing; both may fail silently, since a binary can always be made again.
pub trait BinaryCache: Send + Sync {
    /// The binary that was kept.
    fn get(&self, recipe: &Recipe<'_>) -> Option<Vec<u8>>;
    /// Keeps a binary.
    fn put(&self, recipe: &Recipe<'_>, binary: &[u8]);
    /// The driver did not take what `get` gave: it is not given again.
    fn refuse(&self, recipe: &Recipe<'_>, why: &str);
}
