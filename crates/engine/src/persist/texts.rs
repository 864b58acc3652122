//! Digests of sources by the texts that they were read from.
//!
//! One digest of a file says that nothing in it changed, at a fraction of what the digests of its
//! methods cost; where it changed, those say which of them did.

use super::bytes::{Malformed, Reader, Writer};
use crate::compiler::Compiler;
use crate::graph::Env;
use crate::ids::Mi;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_dispatch::World;

/// Bytes of a digest.
const DIGEST: usize = 16;
type Digest = [u8; DIGEST];

fn digest(bytes: &[u8]) -> Digest {
    let hash = blake3::hash(bytes);
    *hash.as_bytes().first_chunk().expect("a hash is longer")
}

/// What a source was, as another session finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceThen {
    /// Of the whole text that it was read from, and where it stood there.
    text: Digest,
    start: u64,
    /// Of the source itself.
    own: Digest,
}

impl SourceThen {
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.raw(&self.text);
        w.number(self.start);
        w.raw(&self.own);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(SourceThen {
            text: r.array()?,
            start: r.number()?,
            own: r.array()?,
        })
    }
}

/// Digests of whole texts that were computed before, by where the texts are, which are kept.
#[derive(Default)]
pub(super) struct Texts(FxHashMap<usize, (Arc<str>, Digest)>);

impl Texts {
    fn of(&mut self, text: &Arc<str>) -> Digest {
        let known = self.0.entry(text.as_ptr().addr());
        known
            .or_insert_with(|| (Arc::clone(text), digest(text.as_bytes())))
            .1
    }

    /// What the source of an instance's method is in a world; nothing if it has no meaning
    /// outside of this session.
    pub(super) fn source<C: Compiler>(
        &mut self,
        env: Env<'_, C>,
        mi: Mi,
        world: World,
    ) -> Option<SourceThen> {
        let source = source(env, mi, world)?;
        Some(match env.compiler.source_text(&source) {
            Some((text, range)) => SourceThen {
                text: self.of(text),
                start: range.start as u64,
                own: digest(text.get(range)?.as_bytes()),
            },
            None => SourceThen {
                text: Digest::default(),
                start: 0,
                own: *env.compiler.source_identity(&source)?.first_chunk()?,
            },
        })
    }

    /// Whether the source of an instance's method is still this one.
    pub(super) fn is_same<C: Compiler>(
        &mut self,
        env: Env<'_, C>,
        mi: Mi,
        world: World,
        then: &SourceThen,
    ) -> bool {
        let Some(source) = source(env, mi, world) else {
            return false;
        };
        match env.compiler.source_text(&source) {
            Some((text, range)) => {
                let same_place = self.of(text) == then.text && range.start as u64 == then.start;
                same_place
                    || text
                        .get(range)
                        .is_some_and(|text| digest(text.as_bytes()) == then.own)
            }
            None => {
                let identity = env.compiler.source_identity(&source);
                identity.is_some_and(|now| now.first_chunk() == Some(&then.own))
            }
        }
    }
}

fn source<C: Compiler>(env: Env<'_, C>, mi: Mi, world: World) -> Option<Arc<C::Source>> {
    let method = env.instances.key(mi).method;
    env.sources.read().at(method, world).cloned()
}
