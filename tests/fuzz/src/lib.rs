//! The bodies of the fuzz targets: each takes any bytes and panics where something does not hold.
//!
//! Reading order: [`bytes`] (decisions from bytes), [`signature`], [`source`], [`program`] (text),
//! [`lookup`] (method tables against the definition), [`scenario`], [`artifact`] (what travels
//! between machines), [`stored`] (what a session reads of a store). `fixture` and `oracle` are the
//! types and the definition that the tests of dispatch use.
//!
//! Invariants: a body depends on its bytes alone; it runs no compiled code, so every input ends.

pub mod artifact;
pub mod bytes;
#[allow(
    dead_code,
    reason = "shared with the tests of dispatch, which use all of it"
)]
#[path = "../../../crates/dispatch/tests/dispatch/fixture.rs"]
mod fixture;
pub mod lookup;
#[allow(
    dead_code,
    reason = "shared with the tests of dispatch, which use all of it"
)]
#[path = "../../../crates/dispatch/tests/dispatch/oracle.rs"]
mod oracle;
pub mod program;
pub mod scenario;
pub mod signature;
pub mod source;
pub mod stored;

/// A target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them; a folder of `fuzz/seeds` has the name of its target.
pub const TARGETS: [Target; 7] = [
    ("signature", signature::check),
    ("source", source::check),
    ("program", program::check),
    ("lookup", lookup::check),
    ("scenario", scenario::check),
    ("artifact", artifact::check),
    ("stored", stored::check),
];
