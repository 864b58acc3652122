//! Typed SSA (being written).
