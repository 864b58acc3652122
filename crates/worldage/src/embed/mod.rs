//! Sessions over an embedder's own compiler: what a language needs beside its three stages.
//!
//! A [`Compiler`] says how a method becomes a callable thing; a [`Session`] of it has functions,
//! types, tables and views by name, takes transactional edits, and compiles what is called.
//! Handles follow the newest world without a lock.
//!
//! ```
//! use std::sync::Arc;
//! use worldage::embed::*;
//!
//! /// A method's body is a number, or the sum of two functions.
//! #[derive(Clone, PartialEq)]
//! enum Body { Number(i64), Sum(&'static str, &'static str) }
//! struct Sums;
//!
//! impl Compiler for Sums {
//!     type Source = Body;
//!     type Inferred = i64;
//!     type Summary = Whole<i64>;
//!     type Code = i64;
//!     type Linked = Arc<i64>;
//!     type Shard = OneShard;
//!
//!     fn infer(&self, cx: &mut InferCx<'_, Self>, _: Mi, body: &Body) -> Result<i64, Stop> {
//!         let mut value = |f| {
//!             let callee = cx.callee(f, &[])?;
//!             Ok::<_, Stop>(cx.read(callee, &Whole::VALUE)?.unwrap_or(0))
//!         };
//!         Ok(match body {
//!             Body::Number(x) => *x,
//!             Body::Sum(a, b) => value(a)? + value(b)?,
//!         })
//!     }
//!     fn codegen(&self, _: &mut CodegenCx<'_, Self>, _: Mi, value: &Arc<i64>) -> Result<i64, Stop> {
//!         Ok(**value)
//!     }
//!     fn link(&self, _: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<i64>) -> Result<Arc<i64>, Stop> {
//!         Ok(Arc::clone(code))
//!     }
//! }
//!
//! let session = Session::new(Sums);
//! session.edit(|e| {
//!     e.define("one", &[], Body::Number(1))?;
//!     e.define("two", &[], Body::Sum("one", "one"))
//! })?;
//! assert_eq!(session.call("two", &[], |value| **value)?, 2);
//! session.edit(|e| e.define("one", &[], Body::Number(21)))?;
//! assert_eq!(session.call("two", &[], |value| **value)?, 42);
//! # Ok::<(), Error>(())
//! ```
//!
//! Reading order: [`session`], `edit`, `target` (shards, views, worlds), `handle` and `scope`
//! (calls without a lock), `stages` (what ran), `error`; [`graph`] has digests of graphs.

/// Canonical digests of labelled graphs.
pub use worldage_fingerprint as graph;

/// Machine code of functions in CLIF: made, put into memory, called (feature `native`).
#[cfg(feature = "native")]
pub use worldage_cranelift::native;

mod edit;
mod error;
pub mod example;
mod handle;
mod known;
mod scope;
pub mod session;
mod stages;
mod target;

pub use edit::Edit;
pub use error::Error;
pub use handle::Handle;
pub use scope::Scope;
pub use session::{Session, shelf};
pub use stages::Stages;
pub use target::Target;
pub use worldage_dispatch::{
    Arg, Decl, DeclId, DeclKind, MethodId, ParamDecl, Sig, Symbol, Ty, TyKind, TypeError, TypeVar,
    Types, World,
};
pub use worldage_engine::compiler::Target as MachineTarget;
pub use worldage_engine::persist::{Malformed, Portable, Reader, Writer};
pub use worldage_engine::{
    Candidate, Candidates, CodeInstance, CodegenCx, Commit, Committed, Compiler, DemandError,
    EditError, Explanation, Expose, Exposed, ExternalKey, Fact, Failed, InferCx, LinkCx, Linked,
    Linking, Mi, MiKey, OneShard, Options, Part, PartDigest, Resolved, ShardId, ShardKey,
    StableHasher, Stage, StageEvent, StageFailed, StageFault, Stop, Summarize, TableId, Tool,
    ToolError, Unresolved, ViewId, Whole, WorldGuard, digest_of, fingerprint_of,
};
