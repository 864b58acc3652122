//! Benches, and the peers they are compared with.

pub mod counting;
pub mod figures;
pub mod twins;
