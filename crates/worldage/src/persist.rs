//! The store of a session: the engine's questions to the layers of `worldage-store`.

use std::sync::Arc;
use worldage_engine::persist::{ArtifactKind, ArtifactStore, Malformed};
use worldage_store::{Artifact, Fingerprint, Kind, Origin, Reject, Store};

/// The compiler, down to the build: results of another one are never used.
pub const PRODUCER: &str = concat!(
    "worldage ",
    env!("CARGO_PKG_VERSION"),
    " ",
    env!("WORLDAGE_BUILD")
);

/// A store as the engine sees it.
pub(crate) struct Shelf(pub(crate) Arc<Store>);

fn kind_of(kind: ArtifactKind) -> Kind {
    match kind {
        ArtifactKind::Trace => Kind::Trace,
        ArtifactKind::Code => Kind::Code,
        ArtifactKind::Keys => Kind::Keys,
    }
}

fn origin(target: &str) -> Origin {
    Origin {
        producer: PRODUCER.into(),
        target: target.into(),
    }
}

impl ArtifactStore for Shelf {
    fn producer(&self) -> &str {
        PRODUCER
    }

    fn get(
        &self,
        kind: ArtifactKind,
        name: &[u8; 32],
        target: &str,
        read: &mut dyn FnMut(&[u8]),
    ) -> bool {
        let name = Fingerprint::from_bytes(*name);
        match self.0.get(kind_of(kind), &name, &origin(target)) {
            Some(payload) => {
                read(&payload);
                true
            }
            None => false,
        }
    }

    fn put(&self, kind: ArtifactKind, name: &[u8; 32], target: &str, payload: Vec<u8>) {
        self.0.put(Artifact {
            name: Fingerprint::from_bytes(*name),
            kind: kind_of(kind),
            origin: Arc::new(origin(target)),
            payload: payload.into(),
        });
    }

    fn reject(&self, kind: ArtifactKind, name: &[u8; 32], why: &Malformed) {
        let name = Fingerprint::from_bytes(*name);
        let why = Reject::Payload(why.to_string());
        self.0.reject(kind_of(kind), &name, &why);
    }
}
