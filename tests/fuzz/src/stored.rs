//! Bodies of stored inference and code, as a session reads them: whatever the bytes behind the
//! checksum say, reading them ends in a result or in a miss.

use crate::bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use worldage::engine::persist::{ArtifactKind, ArtifactStore, Malformed};
use worldage::{OptLevel, Session, SessionOptions};

const PROGRAM: &str = r#"
abstract type Shape
struct Circle <: Shape { radius: Float64 }
struct Pair{A, B} { first: A; second: B }
noinline fn area(c: Circle) { 3.0 * c.radius * c.radius }
noinline fn area(s) { 0.0 }
noinline fn swap(p: Pair{A, B}) where A, B { Pair(p.second, p.first) }
noinline fn hide(x) { var a = array(Any, 1); a[0] = x; a[0] }
noinline fn sum(xs: Array{Float64}) {
    var total = 0.0
    for i in 0..length(xs) { total = total + xs[i] }
    total
}
noinline fn fib(n: Int64) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
fn f(n: Int64) {
    var xs = array(Float64, n)
    for i in 0..n { xs[i] = sqrt(float(i)) }
    if n > 10 { print("big", n, external("limit")) }
    var p = swap(Pair(n, "text"))
    var u = if n > 3 { 1 } else { 2.5 }
    area(Circle(sum(xs))) + area(hide(p)) + float(fib(n)) + u + invoke(area, (Any,), p)
}
"#;

/// The instances that are asked for.
const INSTANCES: [&str; 3] = ["f(Int64)", "fib(Int64)", "area(Circle)"];

type Name = (u8, [u8; 32], String);

/// A store in memory.
#[derive(Default)]
struct Held {
    held: Mutex<BTreeMap<Name, Vec<u8>>>,
}

fn name_of(kind: ArtifactKind, name: &[u8; 32], target: &str) -> Name {
    let kind = match kind {
        ArtifactKind::Trace => 0,
        ArtifactKind::Code => 1,
        ArtifactKind::Keys => 2,
        ArtifactKind::Image => 3,
        ArtifactKind::Part => 4,
    };
    (kind, *name, target.to_owned())
}

impl ArtifactStore for Held {
    fn producer(&self) -> &str {
        "fuzz"
    }

    fn get(
        &self,
        kind: ArtifactKind,
        name: &[u8; 32],
        target: &str,
        read: &mut dyn FnMut(&[u8]),
    ) -> bool {
        let held = self.held.lock().expect("nobody panics with the lock");
        let found = held.get(&name_of(kind, name, target)).cloned();
        drop(held);
        found.map(|payload| read(&payload)).is_some()
    }

    fn put(&self, kind: ArtifactKind, name: &[u8; 32], target: &str, payload: Vec<u8>) {
        let mut held = self.held.lock().expect("nobody panics with the lock");
        held.insert(name_of(kind, name, target), payload);
    }

    fn reject(&self, _: ArtifactKind, _: &[u8; 32], _: &Malformed) {}
}

/// What was stored, one artifact damaged; counts what was read.
struct Damaged {
    stored: &'static BTreeMap<Name, Vec<u8>>,
    name: &'static Name,
    payload: Vec<u8>,
    reads: AtomicUsize,
}

impl ArtifactStore for Damaged {
    fn producer(&self) -> &str {
        "fuzz"
    }

    fn get(
        &self,
        kind: ArtifactKind,
        name: &[u8; 32],
        target: &str,
        read: &mut dyn FnMut(&[u8]),
    ) -> bool {
        let name = name_of(kind, name, target);
        let payload = match name == *self.name {
            true => Some(&self.payload),
            false => self.stored.get(&name),
        };
        self.reads.fetch_add(1, Ordering::Relaxed);
        payload.map(|payload| read(payload)).is_some()
    }

    fn put(&self, _: ArtifactKind, _: &[u8; 32], _: &str, _: Vec<u8>) {}

    fn reject(&self, _: ArtifactKind, _: &[u8; 32], _: &Malformed) {}
}

fn session(store: Arc<dyn ArtifactStore>) -> Session {
    let options = SessionOptions {
        threads: 1,
        image_from: 1,
        ..SessionOptions::default()
    };
    let session = Session::new(options).expect("a host");
    session.engine().set_store(Some(store));
    session
        .set_external("limit", "12")
        .expect("an external is no mistake");
    session
        .define("fuzz.wir", PROGRAM, None)
        .expect("the program is right");
    session
}

/// What a session leaves in its store, made once.
fn stored() -> &'static BTreeMap<Name, Vec<u8>> {
    static STORED: OnceLock<BTreeMap<Name, Vec<u8>>> = OnceLock::new();
    STORED.get_or_init(|| {
        let held = Arc::new(Held::default());
        let session = session(Arc::clone(&held) as Arc<dyn ArtifactStore>);
        for instance in INSTANCES {
            session
                .prepare(instance, OptLevel::Speed)
                .expect("the program compiles");
        }
        drop(session);
        let all = std::mem::take(&mut *held.held.lock().expect("nobody panics with the lock"));
        assert!(all.len() >= 3, "inference, code and keys are stored");
        all
    })
}

/// Damages one artifact as the bytes say, and reads it.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let stored = stored();
    let mut bytes = Bytes(data);
    let ix = bytes.below(stored.len());
    let (name, payload) = stored.iter().nth(ix).expect("below the length");
    let mut payload = payload.clone();
    for _ in 0..4 {
        if bytes.is_empty() {
            break;
        }
        edit(&mut payload, &mut bytes);
    }
    let store = Arc::new(Damaged {
        stored,
        name,
        payload,
        reads: AtomicUsize::new(0),
    });
    let session = session(Arc::clone(&store) as Arc<dyn ArtifactStore>);
    for instance in INSTANCES {
        let is_right = match name.0 {
            // Behind the checksum the bytes are trusted to be a body, and code is generated of
            // it: it is read, and goes no further.
            0 => session.infer(instance, None).is_ok(),
            _ => session.prepare(instance, OptLevel::Speed).is_ok(),
        };
        assert!(is_right, "damage is a miss");
    }
    assert!(
        store.reads.load(Ordering::Relaxed) > 0,
        "the store is asked"
    );
}

fn edit(payload: &mut Vec<u8>, bytes: &mut Bytes<'_>) {
    let (what, at) = (bytes.byte() % 5, bytes.short());
    let at = at % (payload.len() + 1);
    match what {
        0 => payload.truncate(at),
        1 => {
            let run = bytes.run();
            payload.splice(at..at, run.iter().copied());
        }
        2 => {
            let run = bytes.run();
            let end = (at + run.len()).min(payload.len());
            payload.splice(at..end, run.iter().copied());
        }
        3 => {
            if let Some(byte) = payload.get_mut(at) {
                *byte ^= 1 << (bytes.byte() % 8);
            }
        }
        _ => *payload = bytes.run().to_vec(),
    }
}
