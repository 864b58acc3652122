//! Benches, and the peers they are compared with.

pub mod twins;
