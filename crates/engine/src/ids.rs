//! The engine's identities: small copyable numbers, unique within one session.
//!
//! Invariant: an id is never reused, so a stale id is never mistaken for another thing.

use worldage_dispatch::{MethodId, Symbol, Ty};

/// A method instance: a method specialised on concrete argument types. Interned, immortal; a
/// redefinition with a type-equal signature keeps the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mi(pub u32);

/// What a [`Mi`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MiKey {
    /// The generic function's name.
    pub function: Symbol,
    /// The method. A redefinition with a type-equal signature keeps it.
    pub method: MethodId,
    /// The concrete argument types, a tuple type.
    pub args: Ty,
}

/// A method table of the session; `TableId::BASE` is the one that every view ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);

impl TableId {
    /// The base table.
    pub const BASE: TableId = TableId(0);
}

/// What inference may see: a stack of tables (and inference options). Many shards share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewId(pub u32);

/// A shard of the cache: a view and what else partitions code (opt level, device, …).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

/// What a redefinition means for code that is linked already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Linking {
    /// Julia's world age: code calls the code instances of its own world; running code never
    /// sees a later definition. A redefinition re-links transitive callers when they are next
    /// called.
    #[default]
    Pinned,
    /// Hot reload: while an instance keeps its summary, new code takes the place of the old one
    /// in the same cell, and no stage of a caller runs. A call in an older world runs pinned
    /// code of that world.
    Live,
}
