//! The C interface of worldage: a compiler whose stages are C functions, with sessions, tables,
//! types, edits, handles and worlds.
//!
//! Everything is named by a number that is never reused, so a thing that was released, that
//! belongs to another session or that never was is an error and not a crash. Every function
//! gives a [`Status`](status::Status) and leaves a message for
//! [`wa_last_error`](status::wa_last_error); no panic leaves this crate.
//!
//! Reading order: [`status`] (errors as codes with messages), [`names`] (numbers for things),
//! [`compiler`] (stages that are C functions), [`stage`] (what those give), [`question`] (what
//! they may ask), [`mention`] (what bytes call instances and types), [`session`] (sessions, types,
//! tables, views, shards), [`edit`] (edits and worlds), [`handle`] (look-up and code),
//! [`history`] (what ran, and why), [`store`] (results beyond the process).
#![expect(unsafe_code, reason = "pointers come from C")]
#![expect(
    clippy::not_unsafe_ptr_arg_deref,
    reason = "who calls from C promises what the header says"
)]

pub mod compiler;
pub mod edit;
pub mod handle;
pub mod history;
pub mod mention;
pub mod names;
pub mod question;
pub mod session;
pub mod stage;
pub mod status;
pub mod store;
