//! Results beyond the session: what stages made before, taken from a store instead of run again.
//!
//! Inference is stored as *verifying traces* (`trace`): a result with everything that it was
//! decided on, used only if all of that still holds. Code is stored under a key of everything
//! that it was generated from (`code`). Both are written by what things are called (`bytes`),
//! never by the session's numbers; `identity` says what they are called.
//!
//! Invariants: what comes from a store is what running the stage would give; only the graph of
//! the newest world asks; failures are never stored.

mod bytes;
mod code;
mod identity;
mod key;
mod trace;

pub use bytes::{Malformed, Portable, Reader, Writer};
pub(crate) use code::{find_code, save_code};
pub(crate) use identity::Identities;
pub(crate) use trace::{load, log, save};

use crate::compiler::Compiler;
use crate::graph::{Env, Graph, InferId};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_dispatch::World;

/// Part of every key: changes whenever what is written by this module does.
const FORMAT: u64 = 1;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArtifactKind {
    /// A result of inference with what it was decided on. A later one replaces an earlier one.
    Trace,
    /// Code, named by everything that it was made from.
    Code,
    /// The newest keys of an instance's code in a shard. A later one replaces an earlier one.
    Keys,
}

/// Where results are kept beyond a session.
///
/// Laws: `get` gives bytes that were put under this kind and name by this producer for this
/// target, or nothing; neither call fails or waits for long.
pub trait ArtifactStore: Send + Sync {
    /// The compiler and its version, down to the build: part of every key.
    fn producer(&self) -> &str;

    /// Reads an artifact; whether there was one.
    fn get(
        &self,
        kind: ArtifactKind,
        name: &[u8; 32],
        target: &str,
        read: &mut dyn FnMut(&[u8]),
    ) -> bool;

    /// Keeps an artifact.
    fn put(&self, kind: ArtifactKind, name: &[u8; 32], target: &str, payload: Vec<u8>);

    /// Says that what was found cannot be read: it is to be forgotten.
    fn reject(&self, kind: ArtifactKind, name: &[u8; 32], why: &Malformed);
}

/// What a graph remembers about the store.
#[derive(Default)]
pub(crate) struct Stored {
    /// The world that `asked` is about.
    world: Option<World>,
    /// What the store was asked for in this world, and why it was not used.
    asked: FxHashMap<InferId, Option<String>>,
    /// Results to be put there.
    pub(crate) unsaved: Vec<InferId>,
}

/// The store, if this graph uses one: that of the newest world does, older ones and those that
/// are made to compare with do not.
fn artifacts<C: Compiler>(env: Env<'_, C>, graph: &Graph<C>) -> Option<Arc<dyn ArtifactStore>> {
    match graph.answers {
        Some(_) => env.shared.store.read().clone(),
        None => None,
    }
}
