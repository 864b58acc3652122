//! arrays.
