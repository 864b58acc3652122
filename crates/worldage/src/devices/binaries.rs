//! What OpenCL drivers made of programs, kept in the session's store under everything that it was
//! made from. The store verifies what it gives out before a driver sees it.

use std::sync::Arc;
use worldage_opencl::cache::{BinaryCache, Recipe};
use worldage_store::{Artifact, Fingerprint, Key, Kind, Origin, Reject, Store};

/// The store as a cache of program binaries.
pub(super) struct Binaries(pub(super) Arc<Store>);

/// What a program binary is made from.
pub(super) fn key_of(recipe: &Recipe<'_>) -> Key {
    let mut key = begin("opencl program 1", recipe);
    key.text("version", &recipe.device.version)
        .text("platform version", &recipe.device.platform_version)
        .text("driver", &recipe.device.driver)
        .text("options", recipe.options)
        .digest("source", Fingerprint::of(recipe.source.as_bytes()));
    key
}

/// The program on a device, whatever its text and the driver.
fn begin(what: &str, recipe: &Recipe<'_>) -> Key {
    let mut key = Key::new();
    key.text("what", what)
        .text("instance", recipe.name)
        .text("shard", &format!("opencl {}", recipe.device.name))
        .text("platform", &recipe.device.platform)
        .text("vendor", &recipe.device.vendor);
    key
}

/// A driver has made it, whichever worldage asked for it.
fn origin(recipe: &Recipe<'_>) -> Origin {
    let device = recipe.device;
    Origin {
        producer: format!("{} {}", device.platform, device.driver).into(),
        target: device.name.as_str().into(),
    }
}

/// The origin of the list of keys, which outlives a driver.
fn list_origin(recipe: &Recipe<'_>) -> Origin {
    let device = recipe.device;
    Origin {
        producer: device.platform.as_str().into(),
        target: device.name.as_str().into(),
    }
}

impl Binaries {
    /// In what a program differs from the one of its name that was built last for the device: the
    /// first part of its key. `None`, if none was or it is the same.
    pub(super) fn difference(&self, recipe: &Recipe<'_>) -> Option<String> {
        let list = begin("opencl program keys 1", recipe).fingerprint();
        let payload = self.0.get(Kind::Keys, &list, &list_origin(recipe))?;
        let last = crate::persist::keys_of(&payload).into_iter().next()?;
        let key = key_of(recipe);
        let (part, _) = key.first_difference(&last)?;
        Some(part.name.to_string())
    }
}

impl BinaryCache for Binaries {
    fn get(&self, recipe: &Recipe<'_>) -> Option<Vec<u8>> {
        let name = key_of(recipe).fingerprint();
        let payload = self.0.get(Kind::Code, &name, &origin(recipe))?;
        Some(payload.to_vec())
    }

    fn put(&self, recipe: &Recipe<'_>, binary: &[u8]) {
        let key = key_of(recipe);
        self.0.put(Artifact {
            name: key.fingerprint(),
            kind: Kind::Code,
            origin: Arc::new(origin(recipe)),
            payload: binary.to_vec().into(),
        });
        self.0.put(Artifact {
            name: begin("opencl program keys 1", recipe).fingerprint(),
            kind: Kind::Keys,
            origin: Arc::new(list_origin(recipe)),
            payload: crate::persist::list_of(&key).into(),
        });
    }

    fn refuse(&self, recipe: &Recipe<'_>, why: &str) {
        let why = Reject::Payload(format!("the driver does not take it: {why}"));
        self.0
            .reject(Kind::Code, &key_of(recipe).fingerprint(), &why);
    }
}
