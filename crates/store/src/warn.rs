//! Warnings: each kind of trouble is told once, however often it happens.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;

/// Where warnings go.
pub type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Tells each kind of trouble once, and counts the rest.
pub struct Warnings {
    sink: Sink,
    told: Mutex<BTreeMap<String, u64>>,
}

impl Warnings {
    /// Warnings that go to `sink`.
    #[must_use]
    pub fn new(sink: Sink) -> Warnings {
        Warnings {
            sink,
            told: Mutex::default(),
        }
    }

    /// Tells `message` unless something of this topic was told before.
    pub fn warn(&self, topic: &str, message: &dyn fmt::Display) {
        let first = {
            let mut told = self.told.lock();
            let count = told.entry(topic.to_owned()).or_default();
            *count += 1;
            *count == 1
        };
        if first {
            (self.sink)(&message.to_string());
        }
    }

    /// How often something happened that was worth a warning.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.told.lock().values().sum()
    }
}

impl fmt::Debug for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&*self.told.lock()).finish()
    }
}
