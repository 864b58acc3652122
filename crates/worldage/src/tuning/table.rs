//! Dispatch tables: which schedule of a kernel is the fastest for which sizes, as JSON.
//!
//! Invariant: the name of a stored table is the digest of the kernel's code in all its schedules
//! and of its environment, and both are in the text: what was measured for other code, another
//! device or driver, or by another build is not found, and if it is found, not used.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use worldage_store::{Artifact, Fingerprint, Key, Kind, Origin, Reject, Store};
use worldage_wir::schedule::{Schedule, Space};

/// What a table is measured for: names and values, for people and for comparison.
pub(crate) type Environment = BTreeMap<String, String>;

/// What is known about a kernel in a shard.
///
/// ```
/// let table: worldage::DispatchTable = serde_json::from_str(
///     r#"{"kernel": "k(Int64)", "shard": "opt:speed", "code": "00", "environment": {},
///         "sizes": {"global 2^10": {"best": "block=64", "measured": []}}}"#,
/// ).unwrap();
/// assert_eq!(table.sizes["global 2^10"].best, "block=64");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchTable {
    /// The kernel on its types.
    pub kernel: String,
    /// The shard, without a schedule.
    pub shard: String,
    /// The digest of the kernel's code in every schedule.
    pub code: String,
    /// The device, its driver, and the build that measured.
    pub environment: Environment,
    /// What was found, by size.
    pub sizes: BTreeMap<String, TunedSize>,
}

/// What is known about launches of a size.
///
/// ```
/// let size: worldage::TunedSize = serde_json::from_str(r#"{"best": "a=1", "measured": []}"#).unwrap();
/// assert!(size.measured.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunedSize {
    /// The fastest schedule.
    pub best: String,
    /// Every schedule, in order.
    pub measured: Vec<MeasuredSchedule>,
}

/// How a schedule did.
///
/// ```
/// let text = r#"{"schedule": "a=1", "refused": "it does not divide"}"#;
/// let measured: worldage::MeasuredSchedule = serde_json::from_str(text).unwrap();
/// assert_eq!(measured.ns, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredSchedule {
    /// The schedule.
    pub schedule: String,
    /// The shortest run, nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns: Option<u64>,
    /// Why the device or the size does not allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl DispatchTable {
    /// Of nothing yet.
    pub(crate) fn new(
        kernel: String,
        shard: String,
        code: Fingerprint,
        environment: Environment,
    ) -> DispatchTable {
        DispatchTable {
            kernel,
            shard,
            code: code.to_string(),
            environment,
            sizes: BTreeMap::new(),
        }
    }

    /// The best schedule for a size, if it is one of the space.
    pub(crate) fn best(&self, size: &str, space: &Space) -> Option<Schedule> {
        let best: Schedule = self.sizes.get(size)?.best.parse().ok()?;
        let found = space.schedule(space.number(&best));
        (found == best).then_some(found)
    }

    fn key(&self) -> Key {
        let mut key = Key::new();
        key.text("what", "dispatch table 1");
        key.text("kernel", &self.kernel).text("shard", &self.shard);
        key.text("code", &self.code);
        for (name, value) in &self.environment {
            key.text(name, value);
        }
        key
    }

    fn origin(&self, producer: &str) -> Origin {
        Origin {
            producer: producer.into(),
            target: self.shard.as_str().into(),
        }
    }

    /// Adds what a store knows for the same code and environment and this table does not.
    pub(crate) fn load(&mut self, store: &Store, producer: &str) {
        let name = self.key().fingerprint();
        let Some(payload) = store.get(Kind::Table, &name, &self.origin(producer)) else {
            return;
        };
        let read: Result<DispatchTable, _> = serde_json::from_slice(&payload);
        match read {
            Ok(stored) if stored.key() == self.key() => {
                for (size, tuned) in stored.sizes {
                    self.sizes.entry(size).or_insert(tuned);
                }
            }
            Ok(_) => {
                let why = Reject::Payload("it is of another kernel or device".to_string());
                store.reject(Kind::Table, &name, &why);
            }
            Err(error) => {
                store.reject(Kind::Table, &name, &Reject::Payload(error.to_string()));
            }
        }
    }

    /// Keeps the table, with what others have put there meanwhile.
    pub(crate) fn keep(&mut self, store: &Store, producer: &str) {
        self.load(store, producer);
        let Ok(mut text) = serde_json::to_vec_pretty(self) else {
            return;
        };
        text.push(b'\n');
        store.put(Artifact {
            name: self.key().fingerprint(),
            kind: Kind::Table,
            origin: self.origin(producer).into(),
            payload: text.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{DispatchTable, Environment, TunedSize};
    use worldage_store::memory::Memory;
    use worldage_store::{Fingerprint, Store};
    use worldage_wir::schedule::Space;

    fn table(device: &str) -> DispatchTable {
        let environment = Environment::from([("device".to_string(), device.to_string())]);
        let code = Fingerprint::of(b"code");
        DispatchTable::new("k()".into(), "opencl".into(), code, environment)
    }

    #[test]
    fn another_environment_or_code_knows_nothing_of_it() {
        let store = Store::with_layers(vec![Box::new(Memory::default())], Box::new(|_| {}));
        let mut here = table("a");
        let tuned = |best: &str| TunedSize {
            best: best.to_string(),
            measured: Vec::new(),
        };
        here.sizes.insert("global 2^3".into(), tuned("block=1"));
        here.keep(&store, "test");
        store.flush();
        // What another process finds out meanwhile is not lost.
        let mut again = table("a");
        again.sizes.insert("global 2^4".into(), tuned("block=2"));
        again.keep(&store, "test");
        store.flush();
        let mut read = table("a");
        read.load(&store, "test");
        assert_eq!(read.sizes.len(), 2);
        let mut others = [table("b"), table("a"), table("a")];
        others[1].code = Fingerprint::of(b"other").to_string();
        others[2].shard = "opt:speed".to_string();
        for mut other in others {
            other.load(&store, "test");
            assert!(other.sizes.is_empty());
        }
        let mut other_build = table("a");
        other_build.load(&store, "another build");
        assert!(other_build.sizes.is_empty());
    }

    #[test]
    fn a_choice_that_the_kernel_does_not_have_is_none() {
        let mut table = table("a");
        for (size, best) in [("1", "gone=1"), ("2", "no schedule")] {
            let (measured, best) = (Vec::new(), best.to_string());
            table
                .sizes
                .insert(size.into(), TunedSize { best, measured });
            assert_eq!(table.best(size, &Space::default()), None);
        }
        assert_eq!(table.best("3", &Space::default()), None);
    }
}
