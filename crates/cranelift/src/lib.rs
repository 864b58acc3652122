//! Wir to host code through Cranelift: typed SSA to machine code, code memory, and the run-time
//! system that the code runs in.
//!
//! Reading order: [`isa`] (the target), [`generate`] (typed SSA to the portable artifact of
//! [`code`]), [`load`] (the artifact into the code memory of `arena`), [`runtime`] (contexts:
//! a heap and a stack in which the host calls loaded code), [`heap`]. Beside all that, `native` is
//! for embedders whose functions are in CLIF.
//!
//! Unsafe code is this crate's job: it makes, links and runs machine code. It is allowed here and
//! nowhere else.

#![expect(unsafe_code, reason = "this crate makes, links and runs machine code")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "addresses, offsets and payload words change their signedness all the time"
)]

#[cfg(not(feature = "portable"))]
mod arena;
pub mod code;
pub mod generate;
pub mod heap;
pub mod isa;
pub mod load;
mod memory;
#[cfg(feature = "native")]
pub mod native;
mod portable;
pub mod runtime;
mod unwind;

pub use code::{Code, Convention};
pub use generate::bare::{Bare, Finished};
pub use generate::finished::{Clif, Machine, Region};
pub use generate::{GenerateError, Generator, unread_calls};
pub use heap::HeapStats;
pub use isa::{HostIsa, OptLevel};
pub use load::{LoadError, Loaded, Loader};
pub use memory::CodeMemory;
pub use runtime::context::{CallError, Context, Handle, Options};
pub use runtime::host::{Callee, DynCall, DynTarget, Host, HostCall};
pub use runtime::launch::Grid;
pub use runtime::raise::{RaiseKind, Raised, TraceFrame};
pub use runtime::typed::{ContextSlots, HostFn, HostScalar, TypedCallee, TypedContext};
