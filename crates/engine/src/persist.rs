//! Results beyond the session: what stages made before, taken from a store instead of run again.
//!
//! Inference is stored as *verifying traces* (`trace`): a result with everything that it was
//! decided on, used only if all of that still holds. Code is stored under a key of everything
//! that it was generated from (`code`). An *image* (`image`) has both of a whole session, so that
//! the next start of an unchanged program verifies and reads them in one go. All are written by
//! what things are called (`bytes`), never by the session's numbers; `identity` says what they
//! are called.
//!
//! Invariants: what comes from a store is what running the stage would give; only the graph of
//! the newest world asks; failures are never stored.

mod bytes;
mod code;
mod identity;
mod image;
mod key;
mod names;
mod packed;
mod takeover;
mod texts;
mod trace;
mod values;

pub use self::bytes::{Malformed, Portable, Reader, Writer};
pub use ::bytes::Bytes;
pub(crate) use code::{code_key, differs, find_code, save_code};
pub(crate) use identity::Identities;
pub(crate) use image::{Images, open as open_image, save as save_images};
pub use packed::Packed;
use texts::Texts;
pub(crate) use trace::{load, log, save};

use crate::compiler::Compiler;
use crate::error::Failed;
use crate::graph::{CodeId, Env, Graph, InferId};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use worldage_dispatch::World;

/// Part of every key: changes whenever what is written by this module does.
const FORMAT: u64 = 3;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArtifactKind {
    /// A result of inference with what it was decided on. A later one replaces an earlier one.
    Trace,
    /// Code, named by everything that it was made from.
    Code,
    /// The newest keys of an instance's code in a shard. A later one replaces an earlier one.
    Keys,
    /// What a session had of a shard when it ended. A later one replaces an earlier one.
    Image,
    /// Some of the results of an image, named by what they are.
    Part,
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

    /// As `get`, all of it, to be kept and read in parts: what is read shares its memory.
    fn get_whole(&self, kind: ArtifactKind, name: &[u8; 32], target: &str) -> Option<Bytes> {
        let mut whole: Option<Bytes> = None;
        self.get(kind, name, target, &mut |payload| {
            whole = Some(Bytes::copy_from_slice(payload));
        });
        whole
    }

    /// Keeps an artifact.
    fn put(&self, kind: ArtifactKind, name: &[u8; 32], target: &str, payload: Vec<u8>);

    /// Says that what was found cannot be read: it is to be forgotten.
    fn reject(&self, kind: ArtifactKind, name: &[u8; 32], why: &Malformed);
}

/// What a graph remembers about the store.
pub(crate) struct Stored<C: Compiler> {
    /// The world that `asked` is about.
    world: Option<World>,
    /// What the store was asked for in this world, and why it was not used.
    asked: FxHashMap<InferId, Option<String>>,
    /// Results to be put there.
    pub(crate) unsaved: Vec<InferId>,
    /// The keys that were found for code that has to be generated now.
    keys: FxHashMap<CodeId, Vec<u8>>,
    /// What earlier sessions left for this start.
    images: Images<C>,
    texts: Texts,
}

impl<C: Compiler> Default for Stored<C> {
    fn default() -> Self {
        Stored {
            world: None,
            asked: FxHashMap::default(),
            unsaved: Vec::new(),
            keys: FxHashMap::default(),
            images: Images::default(),
            texts: Texts::default(),
        }
    }
}

impl<C: Compiler> Stored<C> {
    /// Why a result of inference was not taken from the store, if it was asked for one in this
    /// world.
    pub(crate) fn miss(&self, id: InferId, world: World) -> Option<String> {
        let asked = self.asked.get(&id).filter(|_| self.world == Some(world))?;
        let why = asked.as_deref()?;
        Some(format!("store  {why}"))
    }
}

/// In strict mode, what an infer that would run fails with.
pub(crate) fn strict_infer<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    id: InferId,
) -> Option<Failed> {
    if !is_strict(env, graph) {
        return None;
    }
    // The deepest unit says what differs.
    let below = takeover::callees(graph, id).find_map(|callee| {
        let outcome = graph.infer(callee).outcome.as_ref();
        outcome.and_then(|outcome| outcome.inferred.as_ref().err().cloned())
    });
    if below.is_some() {
        return below;
    }
    let name = crate::names::instance_name(&env, graph.infer(id).mi);
    let why = match graph.stored.asked.get(&id) {
        Some(Some(why)) => why.as_str(),
        Some(None) => "what it read of a callee differs",
        None if env.shared.store.read().is_none() => "there is no store",
        None => "it was changed in this session",
    };
    let key = env
        .shared
        .store
        .read()
        .as_ref()
        .and_then(|store| trace::slot(env, graph, store.producer(), id));
    Some(Failed::message(&format!(
        "strict: infer of {name}: {why}{}",
        shown_key("trace", key)
    )))
}

/// In strict mode, what a codegen that would run fails with.
pub(crate) fn strict_codegen<C: Compiler>(
    env: Env<'_, C>,
    graph: &Graph<C>,
    id: CodeId,
) -> Option<Failed> {
    let infer = graph.infer(graph.code(id).infer).outcome.as_ref();
    // A failure of inference is told as such.
    let inferred = infer.is_some_and(|outcome| outcome.inferred.is_ok());
    if !is_strict(env, graph) || !inferred {
        return None;
    }
    let name = crate::names::instance_name(&env, graph.code(id).mi);
    let (why, key) = code::miss(env, graph, id);
    Some(Failed::message(&format!(
        "strict: codegen of {name}: {why}{}",
        shown_key("keys", key)
    )))
}

fn is_strict<C: Compiler>(env: Env<'_, C>, graph: &Graph<C>) -> bool {
    env.shared.strict.load(Ordering::Relaxed) && graph.answers.is_some()
}

fn shown_key(kind: &str, key: Option<[u8; 32]>) -> String {
    let Some(key) = key else {
        return String::new();
    };
    // Enough to find it by; all of it would bury the sentence.
    let digits = key.iter().take(8).map(|byte| format!("{byte:02x}"));
    format!(" ({kind} {})", digits.collect::<String>())
}

/// The store, if this graph uses one: that of the newest world does, older ones and those that
/// are made to compare with do not.
fn artifacts<C: Compiler>(env: Env<'_, C>, graph: &Graph<C>) -> Option<Arc<dyn ArtifactStore>> {
    match graph.answers {
        Some(_) => env.shared.store.read().clone(),
        None => None,
    }
}
