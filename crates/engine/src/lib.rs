//! Worlds, stages, edges, invalidation and cells: the incremental engine.
//!
//! Reading order: [`compiler`] (what an embedder implements), [`cx`] (what a stage may ask),
//! [`ids`], [`error`].

pub mod compiler;
pub mod cx;
pub mod error;
pub mod ids;

pub use compiler::{Compiler, Linked, Part, PartDigest};
pub use cx::{Candidate, Candidates, CodegenCx, ExternalKey, InferCx, LinkCx, Resolved};
pub use error::{Failed, Stop};
pub use ids::{Mi, MiKey, ShardId, TableId, ViewId};
