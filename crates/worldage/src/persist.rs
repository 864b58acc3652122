//! The store of a session: the engine's questions to the layers of `worldage-store`.

use parking_lot::RwLock;
use std::sync::Arc;
use worldage_engine::persist::{ArtifactKind, ArtifactStore, Bytes, Malformed};
use worldage_store::{Artifact, Fingerprint, Key, Kind, Origin, Reject, Store};

/// The compiler, down to the build: results of another one are never used.
///
/// ```
/// assert!(worldage::PRODUCER.starts_with("worldage "));
/// ```
pub const PRODUCER: &str = concat!(
    "worldage ",
    env!("CARGO_PKG_VERSION"),
    " ",
    env!("WORLDAGE_BUILD")
);

/// The keys of an artifact of kind [`Kind::Keys`], the newest first: each names code by its
/// fingerprint. What cannot be read is left out.
///
/// ```
/// // What is no list of keys has none.
/// assert!(worldage::keys_of(b"").is_empty());
/// ```
#[must_use]
pub fn keys_of(payload: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = payload;
    while let Some((len, after)) = rest.split_first_chunk() {
        let len = u32::from_le_bytes(*len) as usize;
        let Some((one, after)) = after.split_at_checked(len) else {
            break;
        };
        rest = after;
        keys.extend(key_in(one));
    }
    keys
}

/// The payload of an artifact of kind [`Kind::Keys`] that names one thing.
#[cfg(feature = "opencl")]
pub(crate) fn list_of(key: &Key) -> Vec<u8> {
    let mut one = Vec::new();
    let mut len = key.bytes().len();
    while len >= 0x80 {
        one.push((len & 0x7f) as u8 | 0x80);
        len >>= 7;
    }
    one.push(len as u8);
    one.extend_from_slice(key.bytes());
    one.extend_from_slice(key.fingerprint().as_bytes());
    let len = u32::try_from(one.len()).expect("a key is short");
    let mut payload = len.to_le_bytes().to_vec();
    payload.extend_from_slice(&one);
    payload
}

/// The key that a remembered one begins with: its length, seven bits per byte, and its bytes.
fn key_in(remembered: &[u8]) -> Option<Key> {
    let mut len = 0usize;
    for (ix, byte) in remembered.iter().enumerate().take(5) {
        len |= usize::from(byte & 0x7f) << (7 * ix);
        if *byte < 0x80 {
            let bytes = remembered.get(ix + 1..)?.get(..len)?;
            return Key::from_bytes(bytes).ok();
        }
    }
    None
}

/// A store as the engine sees it.
pub(crate) struct Shelf {
    store: Arc<Store>,
    /// Whose results these are.
    producer: Arc<str>,
    /// The origins of artifacts by target; there are few.
    origins: RwLock<Vec<Arc<Origin>>>,
}

impl Shelf {
    pub(crate) fn new(store: &Arc<Store>, producer: &str) -> Arc<Shelf> {
        Arc::new(Shelf {
            store: Arc::clone(store),
            producer: producer.into(),
            origins: RwLock::default(),
        })
    }

    fn origin(&self, target: &str) -> Arc<Origin> {
        let of = |known: &&Arc<Origin>| *known.target == *target;
        if let Some(known) = self.origins.read().iter().find(of) {
            return Arc::clone(known);
        }
        let origin = Arc::new(Origin {
            producer: (*self.producer).into(),
            target: target.into(),
        });
        self.origins.write().push(Arc::clone(&origin));
        origin
    }
}

fn kind_of(kind: ArtifactKind) -> Kind {
    match kind {
        ArtifactKind::Trace => Kind::Trace,
        ArtifactKind::Code => Kind::Code,
        ArtifactKind::Keys => Kind::Keys,
        ArtifactKind::Image => Kind::Image,
        ArtifactKind::Part => Kind::Part,
    }
}

impl ArtifactStore for Shelf {
    fn producer(&self) -> &str {
        &self.producer
    }

    fn get(
        &self,
        kind: ArtifactKind,
        name: &[u8; 32],
        target: &str,
        read: &mut dyn FnMut(&[u8]),
    ) -> bool {
        match self.get_whole(kind, name, target) {
            Some(payload) => {
                read(&payload);
                true
            }
            None => false,
        }
    }

    fn get_whole(&self, kind: ArtifactKind, name: &[u8; 32], target: &str) -> Option<Bytes> {
        let (kind, name) = (kind_of(kind), Fingerprint::from_bytes(*name));
        let found = self.store.get(kind, &name, &self.origin(target));
        match &found {
            Some(payload) => {
                let bytes = payload.len();
                tracing::debug!(target: "worldage::store", "found {kind} {name}, {bytes} bytes");
            }
            None => tracing::debug!(target: "worldage::store", "there is no {kind} {name}"),
        }
        found
    }

    fn put(&self, kind: ArtifactKind, name: &[u8; 32], target: &str, payload: Vec<u8>) {
        let (kind, name, bytes) = (kind_of(kind), Fingerprint::from_bytes(*name), payload.len());
        tracing::debug!(target: "worldage::store", "keep {kind} {name}, {bytes} bytes");
        self.store.put(Artifact {
            name,
            kind,
            origin: self.origin(target),
            payload: payload.into(),
        });
    }

    fn reject(&self, kind: ArtifactKind, name: &[u8; 32], why: &Malformed) {
        let name = Fingerprint::from_bytes(*name);
        let why = Reject::Payload(why.to_string());
        self.store.reject(kind_of(kind), &name, &why);
    }
}
