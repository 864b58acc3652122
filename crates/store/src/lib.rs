//! Fingerprints, artifacts and the layers that keep them.
//!
//! Reading order: [`fingerprint`] and [`key`] (what names things), [`codec`] (plain values as
//! bytes), [`artifact`] (the container), [`chunk`] (many artifacts in one piece), [`trust`] (who
//! may have written it), [`layer`] (what every place can do), [`local`] (SQLite), [`shared`] (a
//! folder of files), [`memory`] (for tests), `layered` (one behind the other), [`store`] (what a compiler sees),
//! [`archive`] (all of it as one file), [`folder`] (where it lies), [`fault`] (failures on
//! demand), [`usage`] (what it was good for), [`warn`].
//!
//! Invariant: nothing here knows what a payload means; what is given out was verified; trouble
//! with a place costs a miss and one warning, never an error of the program.

pub mod archive;
pub mod artifact;
pub mod chunk;
pub mod codec;
pub mod fault;
pub mod fingerprint;
pub mod folder;
pub mod key;
pub mod layer;
mod layered;
pub mod local;
pub mod memory;
pub mod shared;
pub mod store;
pub mod trust;
pub mod usage;
pub mod warn;

pub use artifact::{Artifact, Kind, Origin, Reject};
pub use fingerprint::Fingerprint;
pub use key::Key;
pub use layer::{Layer, LayerError};
pub use store::{Options, Stats, Store, Strategy};
