//! The run-time system of compiled code: contexts, stacks, errors, dispatch, values.
//!
//! Reading order: this file (what compiled code sees), [`context`] (calls from the host),
//! [`host`] (what the run-time system asks of the engine), [`helpers`] (what compiled code
//! calls), [`raise`] (errors and traces), [`launch`] (kernels), [`typed`] (calls of scalars), [`stack`], [`asm`].

pub(crate) mod asm;
pub mod context;
pub(crate) mod helpers;
pub mod host;
pub mod launch;
pub mod raise;
pub(crate) mod stack;
pub mod typed;
pub mod values;

use crate::heap::Heap;
use crate::load::Loader;
use host::{Host, TargetCache, Ways};
use launch::Launch;
use stack::Stack;
use std::mem::offset_of;
use std::sync::Arc;

/// What compiled code is passed first: the fields that it reads by offset, then the rest of the
/// run-time state of one context.
///
/// Compiled code and helpers reach it through a raw pointer; no Rust reference to it as a whole
/// is ever made while compiled code runs.
#[repr(C)]
pub struct VmCtx {
    /// Below this stack pointer a function does not begin.
    stack_limit: usize,
    /// The world that calls are dispatched in.
    world: u64,
    /// Where the compiled stack goes on while the host runs.
    compiled_sp: usize,
    /// Where the host stack goes on while compiled code runs; 0 while none does.
    host_sp: usize,
    /// Return address into the compiled code that called a helper last.
    pc: usize,
    /// The frame pointer there.
    fp: usize,
    /// What a typed call enters.
    entry: usize,
    /// Where compiled code looks for the targets of its run-time dispatched calls.
    recent: *const Ways,
    /// The work-item of a kernel: global id and size, local id and size, group id and count.
    grid: [[i64; 3]; 6],

    heap: Heap,
    stack: Stack,
    targets: TargetCache,
    loader: Loader,
    host: Arc<dyn Host>,
    /// Run-time dispatch sees the newest world.
    live: bool,
    /// Compiled frames that called the host, for traces that cross it.
    activations: Vec<Activation>,
    /// The end of the stack that runs.
    stack_top: usize,
    /// The kernel launch that runs.
    launch: Launch,
}

/// Where compiled code left for the host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Activation {
    pub(crate) pc: usize,
    pub(crate) fp: usize,
}

impl VmCtx {
    pub(crate) const STACK_LIMIT: i32 = offset_of!(VmCtx, stack_limit) as i32;
    pub(crate) const WORLD: i32 = offset_of!(VmCtx, world) as i32;
    pub(crate) const GRID: i32 = offset_of!(VmCtx, grid) as i32;
    pub(crate) const COMPILED_SP: usize = offset_of!(VmCtx, compiled_sp);
    pub(crate) const HOST_SP: usize = offset_of!(VmCtx, host_sp);
    pub(crate) const PC: usize = offset_of!(VmCtx, pc);
    pub(crate) const FP: usize = offset_of!(VmCtx, fp);
    pub(crate) const ENTRY: usize = offset_of!(VmCtx, entry);
    pub(crate) const RECENT: i32 = offset_of!(VmCtx, recent) as i32;
}
