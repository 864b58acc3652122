//! Worlds, stages, edges, invalidation and cells: the incremental engine.
//!
//! Reading order: [`compiler`] and [`summary`] (what an embedder implements, with [`fingerprint`]), [`cx`] (what a stage may ask),
//! [`engine`] (the façade; `memo` keeps its answers) and `entered` (worlds that are kept), `definitions` and `answers` (what is defined, and memoised lookup),
//! `graph` (units and edges), `edit` (marking), `settle` and `solve`
//! (inference), `generate` (codegen and
//! link), `older` (calls in older worlds), `retire` (what no callable world sees), `explain`,
//! `twin` (everything again from nothing), [`tool`] (compilers outside of the process), [`persist`] (results from a store).

mod answers;
mod chunks;
pub mod code_instance;
pub mod compiler;
pub mod cx;
mod definitions;
pub mod edit;
pub mod engine;
mod entered;
pub mod error;
pub mod events;
pub mod explain;
pub mod fingerprint;
mod generate;
mod graph;
mod holds;
pub mod ids;
mod instances;
#[cfg(all(test, feature = "shuttle"))]
mod interleavings;
mod link;
mod mark;
mod memo;
mod names;
mod older;
pub mod persist;
pub mod record;
mod recorded;
mod retire;
mod ripple;
mod settle;
mod solve;
pub mod summary;
mod sync;
pub mod tool;
mod twin;
mod walk;

pub use code_instance::{CodeInstance, Front, FrontReader};
pub use compiler::{Compiler, Fact, Linked, OneShard, Part, PartDigest, ShardKey, Target, Text};
pub use cx::{Candidate, Candidates, CodegenCx, ExternalKey, InferCx, LinkCx, Resolved};
pub use definitions::MethodInfo;
pub use edit::{Commit, Committed, Edit, EditError};
pub use engine::{CallDemandError, DemandError, Engine, Options};
pub use entered::{Entered, Pin, WorldGuard};
pub use error::{Failed, StageFault, Stop, Unresolved};
pub use events::{Origin, Stage, StageEvent};
pub use explain::{Cause, ChangeKind, Explanation, StageExplanation};
pub use fingerprint::{StableHasher, digest_of, fingerprint_of};
pub use generate::StageFailed;
pub use holds::PINS;
pub use ids::{Linking, Mi, MiKey, ShardId, TableId, ViewId};
pub use record::Record;
pub use summary::{Expose, Exposed, Summarize, Whole};
pub use tool::{Tool, ToolError};
