//! What every place that keeps artifacts can do.

use crate::artifact::{Artifact, Kind, Reject};
use crate::fingerprint::Fingerprint;
use crate::usage::Usage;
use std::io;

/// A place that keeps artifacts: each call is safe from any thread and any number of processes.
///
/// Laws: `get` gives only verified bytes that were put under this name and kind; a put that failed
/// or was cut short leaves either the old artifact or none; `put` twice is `put` once.
pub trait Layer: Send + Sync {
    /// For messages: what it is and where, e.g. `the local store /home/me/.cache/worldage`.
    fn name(&self) -> String;

    /// The artifact of this name and kind.
    ///
    /// # Errors
    /// When the layer cannot be read, or what lies there must not be used.
    fn get(&self, kind: Kind, name: &Fingerprint) -> Result<Option<Artifact>, LayerError>;

    /// Keeps these artifacts. What is there already under an immutable kind stays.
    ///
    /// # Errors
    /// When they could not all be written; some may have been.
    fn put(&self, artifacts: &[Artifact]) -> Result<(), LayerError>;

    /// Removes an artifact that turned out to be wrong, so that the next put replaces it.
    ///
    /// # Errors
    /// When the layer cannot be written.
    fn forget(&self, kind: Kind, name: &Fingerprint) -> Result<(), LayerError>;

    /// Whether artifacts are put here.
    fn is_writable(&self) -> bool;

    /// Bounded clean-up that may run when nothing else is to be written.
    ///
    /// # Errors
    /// When the layer cannot be written.
    fn tidy(&self) -> Result<(), LayerError> {
        Ok(())
    }

    /// Takes note of what the store was good for in a session; a place that keeps no account
    /// forgets it.
    ///
    /// # Errors
    /// When the layer cannot be written.
    fn note(&self, _usage: &[Usage]) -> Result<(), LayerError> {
        Ok(())
    }

    /// Calls `visit` with every artifact, as far as they can be read.
    ///
    /// # Errors
    /// When the layer cannot be read, and those of `visit`.
    fn each(
        &self,
        visit: &mut dyn FnMut(&Artifact) -> Result<(), LayerError>,
    ) -> Result<(), LayerError>;

    /// Checks every artifact; removes what is damaged, and says what is bad.
    ///
    /// # Errors
    /// When the layer cannot be read or written.
    fn verify(&self) -> Result<Verified, LayerError>;

    /// Removes everything.
    ///
    /// # Errors
    /// When the layer cannot be written.
    fn clear(&self) -> Result<(), LayerError>;
}

/// What [`Layer::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Artifacts that are as they were written.
    pub good: u64,
    /// A line for everything that is not used. What is damaged was removed; what others may be
    /// able to use (another key) stays.
    pub bad: Vec<String>,
}

/// Why a layer could not do what it was asked to. Never the fault of the program that is
/// compiled: the store warns and goes on without.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The database cannot be read or written.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    /// What lies there must not be used.
    #[error("an artifact there is not used: {0}")]
    Rejected(#[from] Reject),
    /// The layer is given up after repeated failures.
    #[error("it failed repeatedly and is not used any more")]
    GivenUp,
}
