//! The extension point: everything that an embedder implements, in pipeline order.
//!
//! Law of every stage: it is a pure function of what its context told it. It may be called on
//! any thread, more than once, and may be cancelled at any question to its context (the error
//! is passed on with `?`).

use crate::cx::{CodegenCx, ExternalKey, InferCx, LinkCx};
use crate::error::Stop;
use crate::ids::Mi;
use crate::persist::{Malformed, Reader, Writer};
use crate::summary::Summarize;
use std::fmt;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;
use worldage_dispatch::{DeclId, Ty};

/// A language or an IR: how a method instance becomes a callable thing.
pub trait Compiler: Sized + Send + Sync + 'static {
    /// A method's body in the embedder's own IR. Equality decides whether a redefinition is one.
    type Source: PartialEq + Send + Sync + 'static;
    /// The result of `infer`. Equality is what early cutoff rests on: if it is equal, codegen
    /// does not run.
    type Inferred: PartialEq + Send + Sync + 'static;
    /// The only thing that callers see of a callee unless they ask for its body. Read in parts
    /// (see [`Part`]), so that a caller depends only on the parts that it read: `()`, a
    /// [`Whole`](crate::Whole) result, one [`Exposed`](crate::Exposed) value of it, or the
    /// embedder's own.
    type Summary: Summarize<Self::Inferred>;
    /// The portable artifact: no address, no pointer, nothing of this session.
    type Code: PartialEq + Send + Sync + 'static;
    /// The session-bound thing that is called; dropped when no callable world reaches it.
    type Linked: Linked;
    /// What partitions the cache of code: opt level, device, … Printed in logs and keys. A
    /// compiler with nothing to choose takes [`OneShard`].
    type Shard: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static;

    /// Stage 1: from source to inferred, on concrete argument types.
    /// Law: monotone in the summaries it reads; if it is not, the engine widens and says so.
    fn infer(
        &self,
        cx: &mut InferCx<'_, Self>,
        mi: Mi,
        source: &Self::Source,
    ) -> Result<Self::Inferred, Stop>;

    /// An upper bound of both summaries, used when a recursive component does not settle in time.
    fn widen(&self, _mi: Mi, old: &Self::Summary, new: &Self::Summary) -> Self::Summary {
        Summarize::widen(old, new)
    }

    /// Stage 2: from inferred (and the bodies that it asks for) to portable code.
    /// Law: no I/O except through the context.
    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Self::Inferred>,
    ) -> Result<Self::Code, Stop>;

    /// Stage 3: from code to the thing that is called, in this session.
    fn link(
        &self,
        cx: &mut LinkCx<'_, Self>,
        mi: Mi,
        code: &Arc<Self::Code>,
    ) -> Result<Self::Linked, Stop>;

    // What follows is for the store. Who implements none of it stores nothing. An identity is
    // the same in every session in which the thing is defined alike, on every machine, and
    // another one where anything differs that a stage may depend on; `None` is a thing without a
    // meaning outside of this session, and whatever mentions it is not stored.

    /// The value of a summary's part where it is a type; its digest is then the type's identity
    /// (a digest of another part must itself be the same in every session).
    fn type_part(&self, _part: usize, _summary: &Self::Summary) -> Option<Ty> {
        None
    }

    /// The identity of a type's declaration with all that it consists of: parent, parameters,
    /// fields, and the declarations that these name.
    fn decl_identity(&self, _decl: DeclId) -> Option<u64> {
        None
    }

    /// The declaration that a name means in the newest world; `fact` gives external facts.
    fn find_decl(&self, _name: &str, _fact: Fact<'_>) -> Option<DeclId> {
        None
    }

    /// The identity of an intrinsic method by the embedder's number.
    fn intrinsic_identity(&self, _number: u32) -> Option<u64> {
        None
    }

    /// The identity of a method's body. Law: equal sources have equal ones, others others.
    fn source_identity(&self, _source: &Self::Source) -> Option<[u8; 32]> {
        None
    }

    /// The text that a source was read from, and where it stands there, if that is all that it
    /// depends on. A digest of it is cheaper than the identity, and of a whole text cheaper
    /// still.
    fn source_text(&self, _source: &Self::Source) -> Option<(Text, Range<usize>)> {
        None
    }

    /// The kinds of external facts that stages ask for.
    fn external_kinds(&self) -> &[&'static str] {
        &[]
    }

    /// The identity of an external fact's value.
    fn external_identity(&self, _key: &ExternalKey, _value: &[u8]) -> Option<u64> {
        None
    }

    /// Writes a result of inference. Law: `read_inferred` of it is equal, and equal results give
    /// equal bytes.
    fn write_inferred(&self, _inferred: &Self::Inferred, w: &mut Writer<'_>) {
        w.unnamed();
    }

    /// Reads a result of inference back.
    ///
    /// # Errors
    /// [`Malformed`]: then inference runs.
    fn read_inferred(&self, _r: &mut Reader<'_>) -> Result<Self::Inferred, Malformed> {
        Err(Malformed("results of inference are not stored"))
    }

    /// What code of a shard is made for: a name for people, and all that it depends on beside
    /// what codegen asked its context for (machine, features, options, versions of libraries).
    fn target(&self, _shard: &Self::Shard) -> Option<Target> {
        None
    }

    /// Writes code. Law: as for [`Compiler::write_inferred`].
    fn write_code(&self, _code: &Self::Code, w: &mut Writer<'_>) {
        w.unnamed();
    }

    /// Reads code back.
    ///
    /// # Errors
    /// [`Malformed`]: then codegen runs.
    fn read_code(&self, _r: &mut Reader<'_>) -> Result<Self::Code, Malformed> {
        Err(Malformed("code is not stored"))
    }
}

/// A text that sources were read from; whoever holds a `Weak` of it does not keep its bytes.
pub type Text = Arc<Box<str>>;

/// Gives external facts in the newest world.
pub type Fact<'a> = &'a dyn Fn(&ExternalKey) -> Option<Arc<[u8]>>;

/// What code is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// For people, and to tell artifacts apart: `x86_64`.
    pub name: String,
    /// Everything, as text.
    pub details: String,
}

/// What linking gives: something with an entry that cells can point at.
pub trait Linked: Send + Sync + 'static {
    /// The address that a cell of this code instance holds; 0 if it is not machine code.
    fn entry(&self) -> usize {
        0
    }
}

/// What is linked is not machine code, and shared: a value, a closure, a tree to be walked.
impl<T: Send + Sync + ?Sized + 'static> Linked for Arc<T> {}

/// The shard of a compiler with nothing to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OneShard;

impl fmt::Display for OneShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("default")
    }
}

/// A shard key that is printed as its value is for debugging: `#[derive(Debug)]` on an enum of
/// opt levels or a tuple of options is all that it needs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ShardKey<T>(pub T);

impl<T: fmt::Debug> fmt::Display for ShardKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A part of a summary: a named projection. `index` is its place in [`Summarize::PARTS`].
#[derive(Debug)]
pub struct Part<S, V> {
    /// Place in [`Summarize::PARTS`].
    pub index: usize,
    /// For logs: `returns`, `type`, `abi`.
    pub name: &'static str,
    /// The projection.
    pub get: fn(&S) -> V,
}

/// A part with its value reduced to a digest, for comparison.
#[derive(Debug)]
pub struct PartDigest<S> {
    /// For logs.
    pub name: &'static str,
    /// Equal values give equal digests, different values different ones.
    pub digest: fn(&S) -> u64,
}
