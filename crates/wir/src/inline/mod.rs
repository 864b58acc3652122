//! Bodies of callees in place of calls, at codegen.
//!
//! Reading order: this file (which calls), `splice` (how a body takes the place of a call); then
//! [`crate::opt`] makes use of what the callee now knows of its arguments.
//!
//! Invariants: `inline fn` is always inlined, except where its instance already stands in the
//! chain of inlined calls; `noinline fn` never is. A body is asked for only once it is certain
//! that it will be inlined, so a caller has no body edge without a body. Decisions depend on the
//! order of operations in bodies and on answers, on nothing else.

mod splice;

use crate::inferred::{Inferred, Inline};
use crate::ir::{Body, Op};
use crate::universe::Universe;
use std::sync::Arc;
use worldage_engine::{Mi, Stop};

/// Small callees are inlined until they have brought in this many operations, and twice as many
/// as the caller has.
const ROOM: usize = 400;
/// Small callees are inlined into inlined ones down to this depth.
const MAX_DEPTH: usize = 8;
/// Beyond this many operations nothing is inlined, whatever its method says: `inline fn`s that
/// call one another twice would fill the memory.
const MAX_OPS: usize = 1 << 17;

/// What inlining may ask.
pub trait AskBodies {
    /// Whether the callee's body may be inlined.
    ///
    /// # Errors
    /// The stage ends early.
    fn inlinable(&mut self, callee: Mi) -> Result<Inline, Stop>;
    /// The callee's body.
    ///
    /// # Errors
    /// The stage ends early.
    fn inferred(&mut self, callee: Mi) -> Result<Arc<Inferred>, Stop>;
}

/// Whether a call of the body itself is inlined.
fn inlines_any(ask: &mut dyn AskBodies, body: &Body) -> Result<bool, Stop> {
    let own = body.frames[0].mi;
    for inst in body.blocks.iter().flat_map(|block| &block.insts) {
        if let Op::Call(callee, _) = inst.op
            && callee != own
            && ask.inlinable(callee)? != Inline::Never
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The body of an instance with callees inlined, optimised.
///
/// # Errors
/// Whatever a question answers.
pub fn inline(u: &Universe, ask: &mut dyn AskBodies, mut body: Body) -> Result<Body, Stop> {
    if inlines_any(ask, &body)? {
        body = splice::spliced(ask, body)?;
        crate::opt::optimize_spliced(u, &mut body);
    } else {
        crate::opt::optimize(u, &mut body);
    }
    debug_assert_eq!(
        crate::verify::verify(u, &body),
        Ok(()),
        "optimisation made an ill-typed body"
    );
    Ok(body)
}
