//! Why a stage ran: the edge that differed, followed down to the edit.

use crate::graph::{CallId, CodeId, ExternalId, InferId};
use worldage_dispatch::{MethodId, World};

/// Why a stage last ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It had never run.
    FirstCall,
    /// Its method's source.
    Source(MethodId),
    /// The answer to a question.
    Call(CallId),
    /// An external fact.
    External(ExternalId),
    /// A part of a callee's summary.
    Part(InferId, u8),
    /// A body that was inlined or folded.
    Body(InferId),
    /// The unit's own earlier stage.
    Own,
    /// The code instance of a callee.
    Code(CodeId),
}

/// The edit behind a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What was done.
    pub change: ChangeKind,
    /// The method, unless an external fact changed.
    pub method: Option<MethodId>,
    /// The world that the edit made.
    pub world: World,
}

/// What an edit did to one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// A new method or fact.
    Inserted,
    /// A method with a type-equal signature, or a fact's value.
    Replaced,
    /// A method or fact was taken away.
    Deleted,
}
