//! A layer that lives as long as the process: for tests, and for sessions that follow one another.

use crate::artifact::{Artifact, Kind};
use crate::fingerprint::Fingerprint;
use crate::layer::{Layer, LayerError, Verified};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Artifacts in memory. It grows with what is put there: nothing is evicted.
#[derive(Debug, Default)]
pub struct Memory {
    artifacts: Mutex<BTreeMap<(Kind, Fingerprint), Artifact>>,
}

impl Layer for Memory {
    fn name(&self) -> String {
        "the store in memory".to_owned()
    }

    fn get(&self, kind: Kind, name: &Fingerprint) -> Result<Option<Artifact>, LayerError> {
        Ok(self.artifacts.lock().get(&(kind, *name)).cloned())
    }

    fn put(&self, artifacts: &[Artifact]) -> Result<(), LayerError> {
        let mut held = self.artifacts.lock();
        for artifact in artifacts {
            let key = (artifact.kind, artifact.name);
            if artifact.kind.is_replaced() || !held.contains_key(&key) {
                held.insert(key, artifact.clone());
            }
        }
        Ok(())
    }

    fn forget(&self, kind: Kind, name: &Fingerprint) -> Result<(), LayerError> {
        self.artifacts.lock().remove(&(kind, *name));
        Ok(())
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn each(
        &self,
        visit: &mut dyn FnMut(&Artifact) -> Result<(), LayerError>,
    ) -> Result<(), LayerError> {
        self.artifacts.lock().values().try_for_each(visit)
    }

    fn verify(&self) -> Result<Verified, LayerError> {
        Ok(Verified {
            good: self.artifacts.lock().len() as u64,
            bad: Vec::new(),
        })
    }

    fn clear(&self) -> Result<(), LayerError> {
        self.artifacts.lock().clear();
        Ok(())
    }
}
