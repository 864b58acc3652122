//! Artifacts whose bytes follow from a number, stores that collect their warnings.

use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use worldage_store::layer::Layer;
use worldage_store::local::{DEFAULT_LIMIT_BYTES, Local};
use worldage_store::warn::Sink;
use worldage_store::{Artifact, Fingerprint, Kind, Options, Origin, Store};

pub(crate) fn origin() -> Origin {
    Origin {
        producer: "test 1".into(),
        target: "x86_64".into(),
    }
}

pub(crate) fn name(n: u32) -> Fingerprint {
    Fingerprint::of(&n.to_le_bytes())
}

/// From 8 to about 2,000 bytes.
pub(crate) fn payload(n: u32) -> Vec<u8> {
    n.to_le_bytes().repeat(2 + n as usize * 37 % 500)
}

pub(crate) fn code(n: u32) -> Artifact {
    Artifact {
        name: name(n),
        kind: Kind::Code,
        origin: Arc::new(origin()),
        payload: payload(n).into(),
    }
}

pub(crate) fn codes(range: std::ops::Range<u32>) -> Vec<Artifact> {
    range.map(code).collect()
}

pub(crate) fn trace(n: u32, payload: &[u8]) -> Artifact {
    Artifact {
        kind: Kind::Trace,
        payload: payload.to_vec().into(),
        ..code(n)
    }
}

pub(crate) fn local(folder: &Path) -> Local {
    Local::open(folder, DEFAULT_LIMIT_BYTES, None).unwrap()
}

/// What the layer has of `range`, each checked.
#[track_caller]
pub(crate) fn held(layer: &dyn Layer, range: std::ops::Range<u32>) -> Vec<u32> {
    range
        .filter(|n| match layer.get(Kind::Code, &name(*n)).unwrap() {
            Some(artifact) => {
                assert_eq!(artifact, code(*n));
                true
            }
            None => false,
        })
        .collect()
}

pub(crate) type Told = Arc<Mutex<Vec<String>>>;

pub(crate) fn sink() -> (Sink, Told) {
    let told = Told::default();
    let into = Arc::clone(&told);
    let sink: Sink = Box::new(move |line| into.lock().push(line.into()));
    (sink, told)
}

/// A store with only a local layer, and its warnings.
pub(crate) fn store(folder: &Path) -> (Store, Told) {
    let options = Options {
        folder: Some(folder.into()),
        ..Options::default()
    };
    let (sink, told) = sink();
    (Store::open(&options, sink), told)
}

/// How many of `range` the store gives; wrong bytes fail the test.
#[track_caller]
pub(crate) fn hits(store: &Store, range: std::ops::Range<u32>) -> usize {
    let found = range.filter(|n| {
        let found = store.get(Kind::Code, &name(*n), &origin());
        found.is_some_and(|bytes| {
            assert_eq!(*bytes, payload(*n));
            true
        })
    });
    found.count()
}
