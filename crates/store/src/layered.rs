//! Layers behind one another: reads fall through to the first that has it, failures are told once.
//!
//! Invariant: a layer that fails costs a miss and a warning, never an error; after repeated
//! failures it is left alone for the rest of the session.

use crate::artifact::{Artifact, Kind};
use crate::fingerprint::Fingerprint;
use crate::layer::{Layer, LayerError};
use crate::usage::Usage;
use crate::warn::Warnings;
use std::sync::atomic::{AtomicU32, Ordering};

/// Failures in a row after which a layer is given up.
const PATIENCE: u32 = 3;

/// The layers, the nearest first.
pub(crate) struct Layered {
    places: Vec<Place>,
}

struct Place {
    layer: Box<dyn Layer>,
    name: String,
    failures: AtomicU32,
}

impl Place {
    /// Does something with the layer unless it is given up; tells failures.
    fn run<R>(
        &self,
        warnings: &Warnings,
        what: &str,
        work: impl FnOnce(&dyn Layer) -> Result<R, LayerError>,
    ) -> Option<R> {
        if self.failures.load(Ordering::Relaxed) >= PATIENCE {
            return None;
        }
        match work(&*self.layer) {
            Ok(done) => {
                self.failures.store(0, Ordering::Relaxed);
                Some(done)
            }
            Err(error) => {
                // Bad bytes say nothing about the layer's health.
                if !matches!(error, LayerError::Rejected(_)) {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                }
                let name = &self.name;
                let message = format!("{name} cannot be {what}, going on without: {error}");
                warnings.warn(name, &message);
                None
            }
        }
    }
}

/// An artifact that was found, and in which layer.
pub(crate) struct Found {
    pub(crate) artifact: Artifact,
    pub(crate) layer: usize,
}

impl Layered {
    pub(crate) fn new(layers: Vec<Box<dyn Layer>>) -> Layered {
        let place = |layer: Box<dyn Layer>| Place {
            name: layer.name(),
            layer,
            failures: AtomicU32::new(0),
        };
        Layered {
            places: layers.into_iter().map(place).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn layers(&self) -> impl Iterator<Item = &dyn Layer> {
        self.places.iter().map(|place| &*place.layer)
    }

    pub(crate) fn get(&self, kind: Kind, name: &Fingerprint, warnings: &Warnings) -> Option<Found> {
        self.places.iter().enumerate().find_map(|(layer, place)| {
            let found = place.run(warnings, "read", |it| match it.get(kind, name) {
                Err(LayerError::Rejected(why)) => {
                    // Removed, so that what is compiled instead takes its place.
                    if it.is_writable() {
                        it.forget(kind, name)?;
                    }
                    Err(why.into())
                }
                other => other,
            });
            let artifact = found??;
            Some(Found { artifact, layer })
        })
    }

    /// Puts into the first `layers` layers, those that can be written.
    pub(crate) fn put(&self, artifacts: &[Artifact], layers: usize, warnings: &Warnings) -> bool {
        let places = self.places.iter().take(layers);
        let mut all = true;
        for place in places.filter(|place| place.layer.is_writable()) {
            all &= place
                .run(warnings, "written", |layer| layer.put(artifacts))
                .is_some();
        }
        all
    }

    pub(crate) fn forget(&self, kind: Kind, name: &Fingerprint, warnings: &Warnings) {
        for place in self.places.iter().filter(|place| place.layer.is_writable()) {
            place.run(warnings, "written", |layer| layer.forget(kind, name));
        }
    }

    pub(crate) fn note(&self, usage: &[Usage], warnings: &Warnings) {
        for place in self.places.iter().filter(|place| place.layer.is_writable()) {
            place.run(warnings, "written", |layer| layer.note(usage));
        }
    }

    pub(crate) fn tidy(&self, warnings: &Warnings) {
        for place in self.places.iter().filter(|place| place.layer.is_writable()) {
            place.run(warnings, "tidied", |layer| layer.tidy());
        }
    }
}
