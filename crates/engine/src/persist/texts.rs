//! Digests of sources by the texts that they were read from.
//!
//! One digest of a file says that nothing in it changed, at a fraction of what the digests of its
//! methods cost; where it changed, those say which of them did.

use super::bytes::{Malformed, Reader, Writer};
use crate::compiler::{Compiler, Text};
use crate::graph::Env;
use crate::ids::Mi;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Weak};
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
pub(super) enum SourceThen {
    /// It stood in a text: the digest of that, where it stood there, and the digest of its part.
    Read {
        text: Digest,
        start: u64,
        own: Digest,
    },
    /// Its text was gone, or it had none: its identity.
    Named(Digest),
}

impl SourceThen {
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        match self {
            SourceThen::Read { text, start, own } => {
                w.byte(0);
                w.raw(text);
                w.number(*start);
                w.raw(own);
            }
            SourceThen::Named(identity) => {
                w.byte(1);
                w.raw(identity);
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match r.byte()? {
            0 => SourceThen::Read {
                text: r.array()?,
                start: r.number()?,
                own: r.array()?,
            },
            1 => SourceThen::Named(r.array()?),
            _ => return Err(Malformed("no such kind of source")),
        })
    }
}

/// Digests of whole texts that were computed before, by where they are; no other text can be
/// there as long as they are known here.
#[derive(Default)]
pub(super) struct Texts(FxHashMap<usize, (Weak<Box<str>>, Digest)>);

impl Texts {
    fn of(&mut self, text: &Text) -> Digest {
        let known = self.0.entry(Arc::as_ptr(text).addr());
        let (_, digest) = known.or_insert_with(|| (Arc::downgrade(text), digest(text.as_bytes())));
        *digest
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
        match env.compiler.source_text(&source) {
            Some((text, range)) => Some(SourceThen::Read {
                text: self.of(&text),
                start: range.start as u64,
                own: digest(text.get(range)?.as_bytes()),
            }),
            None => identity(env, &source).map(SourceThen::Named),
        }
    }

    /// The source of an instance's method, if it is known to be this one still.
    pub(super) fn same<C: Compiler>(
        &mut self,
        env: Env<'_, C>,
        mi: Mi,
        world: World,
        then: &SourceThen,
    ) -> Option<Arc<C::Source>> {
        let source = source(env, mi, world)?;
        let same = match then {
            SourceThen::Read { text, start, own } => {
                let (now, range) = env.compiler.source_text(&source)?;
                let same_place = self.of(&now) == *text && range.start as u64 == *start;
                let part = || now.get(range).map(|part| digest(part.as_bytes()));
                same_place || part() == Some(*own)
            }
            SourceThen::Named(then) => identity(env, &source) == Some(*then),
        };
        same.then_some(source)
    }
}

fn identity<C: Compiler>(env: Env<'_, C>, source: &C::Source) -> Option<Digest> {
    env.compiler.source_identity(source)?.first_chunk().copied()
}

fn source<C: Compiler>(env: Env<'_, C>, mi: Mi, world: World) -> Option<Arc<C::Source>> {
    let method = env.instances.key(mi).method;
    env.sources.read().at(method, world).cloned()
}
