//! Failures on demand: what a full disk or a torn cable does, at a chosen operation.

use crate::artifact::{Artifact, Kind};
use crate::fingerprint::Fingerprint;
use crate::layer::{Layer, LayerError, Verified};
use crate::usage::Usage;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts operations down; the one that it was set for fails, or all from there on.
#[derive(Debug, Default)]
pub struct Countdown {
    left: AtomicU64,
}

/// All operations from here on fail.
const ALWAYS: u64 = u64::MAX;

impl Countdown {
    /// The `n`-th operation from here fails, 1 is the next one; 0: none does.
    pub fn set(&self, n: u64) {
        self.left.store(n, Ordering::SeqCst);
    }

    /// All operations fail until something else is set.
    pub fn fail_always(&self) {
        self.set(ALWAYS);
    }

    /// One operation.
    ///
    /// # Errors
    /// When it is the one that fails.
    pub fn operation(&self) -> io::Result<()> {
        let count = |left| match left {
            0 | ALWAYS => None,
            left => Some(left - 1),
        };
        let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
        let fails = match self.left.fetch_update(set, get, count) {
            Ok(before) => before == 1,
            Err(stays) => stays == ALWAYS,
        };
        match fails {
            true => Err(io::Error::other("this failure was asked for")),
            false => Ok(()),
        }
    }
}

/// A layer whose operations fail as the countdown says.
pub struct Failing<L> {
    /// The layer that does the work.
    pub layer: L,
    /// Shared with the test.
    pub countdown: Arc<Countdown>,
}

impl<L: Layer> Layer for Failing<L> {
    fn name(&self) -> String {
        self.layer.name()
    }

    fn get(&self, kind: Kind, name: &Fingerprint) -> Result<Option<Artifact>, LayerError> {
        self.countdown.operation()?;
        self.layer.get(kind, name)
    }

    /// Every artifact is an operation; those before the failing one are written.
    fn put(&self, artifacts: &[Artifact]) -> Result<(), LayerError> {
        for artifact in artifacts {
            self.countdown.operation()?;
            self.layer.put(std::slice::from_ref(artifact))?;
        }
        Ok(())
    }

    fn forget(&self, kind: Kind, name: &Fingerprint) -> Result<(), LayerError> {
        self.countdown.operation()?;
        self.layer.forget(kind, name)
    }

    fn is_writable(&self) -> bool {
        self.layer.is_writable()
    }

    fn note(&self, usage: &[Usage]) -> Result<(), LayerError> {
        self.countdown.operation()?;
        self.layer.note(usage)
    }

    fn tidy(&self) -> Result<(), LayerError> {
        self.countdown.operation()?;
        self.layer.tidy()
    }

    fn each(
        &self,
        visit: &mut dyn FnMut(&Artifact) -> Result<(), LayerError>,
    ) -> Result<(), LayerError> {
        self.countdown.operation()?;
        self.layer.each(visit)
    }

    fn verify(&self) -> Result<Verified, LayerError> {
        self.countdown.operation()?;
        self.layer.verify()
    }

    fn clear(&self) -> Result<(), LayerError> {
        self.countdown.operation()?;
        self.layer.clear()
    }
}
