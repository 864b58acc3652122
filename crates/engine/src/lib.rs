//! Worlds, stages, edges, invalidation and cells: the incremental engine.
//!
//! Reading order: [`compiler`] (what an embedder implements), [`cx`] (what a stage may ask),
//! [`engine`] (the façade), `definitions` and `answers` (what is defined, and memoised lookup),
//! `graph` (units and edges), `edit` (marking), `settle` and `solve`
//! (inference), `generate` (codegen and
//! link), `older` (calls in older worlds), `retire` (what no callable world sees), `explain`,
//! `twin` (everything again from nothing), [`persist`] (results from a store).

mod answers;
pub mod code_instance;
pub mod compiler;
pub mod cx;
mod definitions;
pub mod edit;
pub mod engine;
pub mod error;
pub mod events;
pub mod explain;
mod generate;
mod graph;
pub mod ids;
mod instances;
mod names;
mod older;
pub mod persist;
mod retire;
mod settle;
mod solve;
mod twin;
mod walk;

pub use code_instance::{CodeInstance, Front};
pub use compiler::{Compiler, Fact, Linked, Part, PartDigest, Target};
pub use cx::{Candidate, Candidates, CodegenCx, ExternalKey, InferCx, LinkCx, Resolved};
pub use definitions::MethodInfo;
pub use edit::{Commit, Committed, Edit, EditError};
pub use engine::{DemandError, Engine, Options, WorldGuard};
pub use error::{Failed, Stop};
pub use events::{Origin, Stage, StageEvent};
pub use explain::{Cause, ChangeKind, Explanation, StageExplanation};
pub use generate::StageFailed;
pub use ids::{Linking, Mi, MiKey, ShardId, TableId, ViewId};
