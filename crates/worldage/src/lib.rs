//! worldage gives a custom-language compiler what Julia's runtime gives Julia: generic functions
//! with multiple dispatch, method instances, three lazy stages per instance (infer → codegen →
//! link) and automatic transitive invalidation.
//!
//! This crate is the façade: a [`Session`] over the built-in language Wir and the host code
//! generator, and the engine for embedders in [`engine`].
//!
//! ```
//! use worldage::{CallOptions, Session, SessionOptions};
//!
//! let session = Session::new(SessionOptions::default()).unwrap();
//! session
//!     .define("demo.wir", "noinline fn g(x: Int64) { x + 1 }\nfn f(x) { g(x) * 2 }", None)
//!     .unwrap();
//! let first = session.call("f(20)", &CallOptions::default());
//! assert_eq!(first.shown(&session), "42");
//!
//! // Redefine the callee: only what depends on it is compiled again.
//! session.define("demo.wir", "noinline fn g(x: Int64) { x + 2 }", None).unwrap();
//! let second = session.call("f(20)", &CallOptions::default());
//! assert_eq!(second.shown(&session), "44");
//! let (stage, names) = &second.stages[0];
//! assert_eq!((stage.to_string().as_str(), names.join(" ").as_str()), ("infer", "g(Int64)"));
//! ```
//!
//! Reading order: [`Session`] in `session`, `edits` (text to worlds), `calls` (an expression to a
//! value), `launch` (kernels), `tuning` (their schedules), `typed` (handles of Rust's function types), `host` (Rust closures as methods), `updates` (what an edit
//! makes of compiled code), `questions`
//! (lookup, inference, explanations, stages as text), `backend` (the shards), `devices`
//! (launches there), `dispatcher` (calls that running code asks for), `failure` (errors in words), `persist` (the store),
//! [`embed`] (sessions over an embedder's own compiler), [`oracle`] (the interpreter with the same questions), `bare` (what figures are measured beside).

mod backend;
mod bare;
mod calls;
mod devices;
mod dispatcher;
mod dump;
mod edits;
pub mod embed;
mod failure;
mod host;
mod launch;
mod options;
pub mod oracle;
mod persist;
mod places;
mod questions;
mod session;
mod tally;
mod tuning;
mod typed;
mod updates;

#[cfg(feature = "llvm")]
pub use backend::PtxKernel;
pub use backend::{Backends, Scheduled, Shard, ShardCode, ShardLinked};
pub use bare::BareGenerator;
pub use calls::{CallFailure, CallOptions, CallReport};
pub use devices::{DeviceCheck, DeviceError};
#[cfg(feature = "opencl")]
pub use devices::{ForeignLaunch, ForeignProgram};
pub use dump::DumpError;
pub use edits::{EditFailure, EditReport};
pub use failure::log_lines;
pub use host::{HostCallable, HostResult, HostValue};
pub use launch::{MAX_LOCAL_SIZE, MAX_WORK_ITEMS};
pub use options::{OptLevel, SessionOptions};
pub use persist::{PRODUCER, keys_of};
pub use questions::{Composition, EmitStage, LookupReport};
pub use session::{Session, StageStats, StartError, Stats};
pub use tuning::table::{DispatchTable, MeasuredSchedule, TunedSize};
pub use tuning::{Chosen, Extent, LaunchSize, TunedReport};
pub use typed::{CallError, FnHandle, FnScope, FnVersion, HandleOptions};
pub use updates::Update;
pub use worldage_cranelift::{Grid, HostFn, HostScalar};
#[cfg(feature = "cuda")]
pub use worldage_cuda as cuda;
pub use worldage_dispatch as dispatch;
pub use worldage_dispatch::World;
pub use worldage_engine as engine;
pub use worldage_engine::{Explanation, Linking, Stage, StageEvent};
#[cfg(feature = "llvm")]
pub use worldage_llvm::{self as llvm, PtxTarget};
#[cfg(feature = "opencl")]
pub use worldage_opencl as opencl;
pub use worldage_store as store;
pub use worldage_wir as wir;
pub use worldage_wir::diag::{Code, Diagnostic, FileId, LineCol, Place, Severity, Sources};
pub use worldage_wir::host::HostError;
pub use worldage_wir::schedule::{Choice, Schedule, Space};
pub use worldage_wir::universe::Universe;
pub use worldage_wir::value::Value;

/// The examples of the project's first page.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The code of the book.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../docs/book/src/embed.md")]
    struct Embed;
    #[doc = include_str!("../../../docs/book/src/foreign.md")]
    struct Foreign;
    #[doc = include_str!("../../../docs/book/src/host.md")]
    struct Host;
    #[doc = include_str!("../../../docs/book/src/shards.md")]
    struct Shards;
    #[doc = include_str!("../../../docs/book/src/worlds.md")]
    struct Worlds;
    #[doc = include_str!("../../../docs/book/src/store.md")]
    struct Store;
    #[doc = include_str!("../../../docs/book/src/measuring.md")]
    struct Measuring;
}
