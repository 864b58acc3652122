//! Bodies of callees into their callers (placeholder until the inliner lands).

use crate::inferred::Inferred;
use crate::ir::Body;
use crate::universe::Universe;
use std::sync::Arc;
use worldage_engine::{Mi, Stop};

/// What inlining may ask.
pub trait AskBodies {
    /// Whether the callee's body may be inlined.
    ///
    /// # Errors
    /// The stage ends early.
    fn inlinable(&mut self, callee: Mi) -> Result<bool, Stop>;
    /// The callee's body.
    ///
    /// # Errors
    /// The stage ends early.
    fn inferred(&mut self, callee: Mi) -> Result<Arc<Inferred>, Stop>;
}

/// The body of an instance with callees inlined.
///
/// # Errors
/// Whatever a question answers.
pub fn inline(
    _: &Universe,
    _: &mut dyn AskBodies,
    _: Mi,
    inferred: &Arc<Inferred>,
) -> Result<Body, Stop> {
    Ok(inferred.body.clone())
}
