//! Everything that the crate promises, on typed SSA built by hand.

#[path = "suite/build.rs"]
mod build;
#[path = "suite/calls.rs"]
mod calls;
#[path = "suite/dynamic.rs"]
mod dynamic;
#[path = "suite/heap.rs"]
mod heap;
#[path = "suite/prims.rs"]
mod prims;
#[path = "suite/typed.rs"]
mod typed;
