//! What ran: the stage log that tests snapshot and statistics are made from.

use crate::ids::{Mi, ShardId, ViewId};

/// One of the three stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Source to inferred.
    Infer,
    /// Inferred to code.
    Codegen,
    /// Code to linked.
    Link,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Stage::Infer => "infer",
            Stage::Codegen => "codegen",
            Stage::Link => "link",
        })
    }
}

/// Where a stage's result came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The stage ran.
    Ran,
    /// The result came from the store.
    Stored,
}

/// A stage of an instance that ran or came from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageEvent {
    /// The stage.
    pub stage: Stage,
    /// The instance.
    pub mi: Mi,
    /// The view that inference saw.
    pub view: ViewId,
    /// The shard; `None` for inference.
    pub shard: Option<ShardId>,
    /// Whether it ran.
    pub origin: Origin,
    /// What it cost, nanoseconds, callees not counted.
    pub ns: u64,
}
