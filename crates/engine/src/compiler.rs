//! The extension point: everything that an embedder implements, in pipeline order.
//!
//! Law of every stage: it is a pure function of what its context told it. It may be called on
//! any thread, more than once, and may be cancelled at any question to its context (the error
//! is passed on with `?`).

use crate::cx::{CodegenCx, InferCx, LinkCx};
use crate::error::Stop;
use crate::ids::Mi;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

/// A language or an IR: how a method instance becomes a callable thing.
pub trait Compiler: Sized + Send + Sync + 'static {
    /// A method's body in the embedder's own IR. Equality decides whether a redefinition is one.
    type Source: PartialEq + Send + Sync + 'static;
    /// The result of `infer`. Equality is what early cutoff rests on: if it is equal, codegen
    /// does not run.
    type Inferred: PartialEq + Send + Sync + 'static;
    /// The only thing that callers see of a callee unless they ask for its body. Read in parts
    /// (see [`Part`]), so that a caller depends only on the parts that it read.
    type Summary: PartialEq + Clone + Send + Sync + 'static;
    /// The portable artifact: no address, no pointer, nothing of this session.
    type Code: PartialEq + Send + Sync + 'static;
    /// The session-bound thing that is called; dropped when no callable world reaches it.
    type Linked: Linked;
    /// What partitions the cache of code: opt level, device, … Printed in logs and keys.
    type Shard: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static;

    /// The parts of a summary that callers may read separately, at most four.
    /// Law: constant for a compiler.
    fn parts(&self) -> &[PartDigest<Self::Summary>];

    /// The summary that a recursive call sees before anything is known: the least one.
    fn bottom(&self, mi: Mi) -> Self::Summary;

    /// Stage 1: from source to inferred, on concrete argument types.
    /// Law: monotone in the summaries it reads; if it is not, the engine widens and says so.
    fn infer(
        &self,
        cx: &mut InferCx<'_, Self>,
        mi: Mi,
        source: &Self::Source,
    ) -> Result<Self::Inferred, Stop>;

    /// What callers may rely on. Law: a function of `inferred` alone.
    fn summary(&self, inferred: &Self::Inferred) -> Self::Summary;

    /// An upper bound of both, used when a recursive component does not settle in time.
    fn widen(&self, mi: Mi, old: &Self::Summary, new: &Self::Summary) -> Self::Summary;

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
}

/// What linking gives: something with an entry that cells can point at.
pub trait Linked: Send + Sync + 'static {
    /// The address that a cell of this code instance holds (0 if it is not machine code).
    fn entry(&self) -> usize;
}

/// A part of a summary: a named projection. `index` is its place in [`Compiler::parts`].
#[derive(Debug)]
pub struct Part<S, V> {
    /// Place in [`Compiler::parts`].
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
