//! Kernel launches on the host: the work-items of a group run one after another on one thread,
//! each until it ends or waits at a barrier, where it keeps its own small stack.
//!
//! Invariant: a work-item is resumed from the same place of the host's stack where it was begun
//! (see [`asm::enter`]): that is why begin and resume are one call in one loop.

use super::context::{CallError, Context};
use super::host::Callee;
use super::raise::Raised;
use super::stack::Stack;
use super::values::Exporter;
use super::{VmCtx, asm};
use crate::generate::ThunkKey;
use crate::heap::DynVal;
use crate::load::LoadError;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use worldage_wir::value::Value;

/// Bytes of stack of a work-item that waits, without the helpers' reserve.
const ITEM_STACK: usize = 1 << 20;

/// The index space of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Work-items in each dimension.
    pub global: [u32; 3],
    /// Work-items of a group in each dimension; divides `global`.
    pub local: [u32; 3],
}

/// The launch that a context runs, if any.
#[derive(Default)]
pub(crate) struct Launch {
    running: bool,
    waits: bool,
    /// The stacks of waiting work-items, and the context's own.
    waiting: Vec<Range<usize>>,
    /// Shared arrays of the group: the place in the code, and the root.
    shared: Vec<(usize, usize)>,
}

impl Launch {
    /// Called at a barrier: whether the work-item is to be suspended.
    pub(super) fn suspends(&mut self) -> bool {
        self.waits = self.running;
        self.running
    }

    /// The stacks that do not run but hold values.
    pub(super) fn stacks(&self) -> Vec<Range<usize>> {
        self.waiting.clone()
    }

    pub(super) fn shared(&self, place: usize) -> Option<usize> {
        self.shared
            .iter()
            .find(|(at, _)| *at == place)
            .map(|(_, root)| *root)
    }

    pub(super) fn share(&mut self, place: usize, root: usize) {
        self.shared.push((place, root));
    }
}

/// A work-item of the running group.
struct Item {
    grid: [[i64; 3]; 6],
    /// Where its stack stands, if it waits.
    sp: Option<usize>,
    stack: usize,
}

impl Context {
    /// Runs a kernel on every work-item and gives the arguments as they are afterwards. A
    /// work-item that fails stops; the others go on, and the first error is given.
    ///
    /// # Panics
    /// If the local size does not divide the global size, or within another call.
    pub fn launch(
        &mut self,
        world: u64,
        callee: &Callee,
        args: &[Value],
        grid: Grid,
    ) -> Result<Vec<Value>, CallError> {
        let key = ThunkKey {
            convention: callee.convention,
            params: callee.params.clone(),
            ret: callee.ret,
        };
        let thunk = self.loader().thunk(&key)?;
        let converted = self.import(args)?;
        let vm = self.vm.as_ptr();
        // SAFETY: the context is alive; while items run, the raw pointer is the only way to it.
        unsafe {
            assert_eq!((*vm).host_sp, 0, "a launch does not stand in another call");
            let roots: Vec<usize> = converted
                .iter()
                .map(|&value| (*vm).heap.roots.insert(value))
                .collect();
            (*vm).targets.enter(world);
            (*vm).world = world;
            let saved = (
                (*vm).compiled_sp,
                (*vm).stack_limit,
                (*vm).stack_top,
                (*vm).grid,
            );
            // Arguments and one result that nobody reads, on the context's own stack.
            let slots = ((saved.0 - (args.len() + 1) * size_of::<DynVal>()) & !15) as *mut DynVal;
            slots.write(DynVal::default());
            slots
                .add(1)
                .copy_from_nonoverlapping(converted.as_ptr(), converted.len());
            (*vm).launch.running = true;
            (*vm).launch.waiting.push(slots as usize..saved.2);
            let entry = [
                thunk.entry(),
                *callee.cell,
                slots.add(1) as usize,
                slots as usize,
            ];
            let mut stacks = Vec::new();
            let outcome = catch_unwind(AssertUnwindSafe(|| groups(vm, entry, grid, &mut stacks)));
            (*vm).launch.running = false;
            (*vm).launch.waiting.clear();
            (
                (*vm).compiled_sp,
                (*vm).stack_limit,
                (*vm).stack_top,
                (*vm).grid,
            ) = saved;
            ((*vm).host_sp, (*vm).world) = (0, 0);
            (*vm).activations.clear();
            let values = outcome.map(|outcome| {
                outcome.map(|()| {
                    let mut exporter = Exporter::new(&(*vm).loader);
                    converted
                        .iter()
                        .map(|&value| exporter.dynamic(value))
                        .collect()
                })
            });
            for root in roots {
                (*vm).heap.roots.remove(root);
            }
            values.unwrap_or_else(|panic| resume_unwind(panic))
        }
    }
}

unsafe fn groups(
    vm: *mut VmCtx,
    entry: [usize; 4],
    grid: Grid,
    stacks: &mut Vec<Stack>,
) -> Result<(), CallError> {
    let global = grid.global.map(i64::from);
    let local = grid.local.map(i64::from);
    let divides = (0..3).all(|d| local[d] > 0 && global[d] % local[d] == 0);
    assert!(divides, "the local size divides the global size");
    let counts: [i64; 3] = std::array::from_fn(|d| global[d] / local[d]);
    let mut error = None;
    for group in points(counts) {
        let items = points(local).map(|id| {
            let at = std::array::from_fn(|d| group[d] * local[d] + id[d]);
            let grid = [at, global, id, local, group, counts];
            Item {
                grid,
                sp: None,
                stack: 0,
            }
        });
        // SAFETY: as the caller says.
        let outcome = unsafe { run_group(vm, entry, items.collect(), stacks) };
        if let Err(first) = outcome {
            error.get_or_insert(first);
        }
        // SAFETY: the context is alive and no item runs.
        unsafe {
            for (_, root) in (*vm).launch.shared.drain(..) {
                (*vm).heap.roots.remove(root);
            }
        }
    }
    error.map_or(Ok(()), Err)
}

fn points(size: [i64; 3]) -> impl Iterator<Item = [i64; 3]> {
    let [x, y, z] = size;
    (0..x * y * z).map(move |ix| [ix % x, ix / x % y, ix / (x * y)])
}

/// Rounds over the items of a group, until each has ended; the first error.
#[inline(never)]
unsafe fn run_group(
    vm: *mut VmCtx,
    entry: [usize; 4],
    mut items: Vec<Item>,
    stacks: &mut Vec<Stack>,
) -> Result<(), CallError> {
    let mut error = None;
    let mut used = 0;
    while !items.is_empty() {
        for item in &mut items {
            let begins = item.sp.is_none();
            if begins {
                if used == stacks.len() {
                    stacks.push(Stack::new(ITEM_STACK).map_err(LoadError::from)?);
                }
                item.stack = used;
            }
            let stack = &stacks[item.stack];
            // SAFETY: the context is alive; the item's stack is its own.
            let outcome = unsafe {
                (*vm).grid = item.grid;
                (*vm).compiled_sp = item.sp.unwrap_or(stack.top());
                (*vm).stack_limit = stack.limit();
                (*vm).stack_top = stack.top();
                (*vm).launch.waits = false;
                // This item runs now: its words are scanned from where it allocates.
                (*vm)
                    .launch
                    .waiting
                    .retain(|range| range.end != stack.top());
                let [thunk, cell, args, result] = entry;
                let function = if begins { thunk } else { 0 };
                catch_unwind(AssertUnwindSafe(|| {
                    asm::enter(vm, function, cell, args, result)
                }))
            };
            item.sp = None;
            // SAFETY: the context is alive and no item runs.
            unsafe {
                match outcome {
                    Ok(()) if (*vm).launch.waits => {
                        item.sp = Some((*vm).compiled_sp);
                        (*vm).launch.waiting.push((*vm).compiled_sp..stack.top());
                        used += usize::from(begins);
                    }
                    Ok(()) => {}
                    Err(payload) => {
                        (*vm).activations.clear();
                        match payload.downcast::<Raised>() {
                            Ok(raised) => {
                                error.get_or_insert(CallError::Raised(raised));
                            }
                            Err(panic) => resume_unwind(panic),
                        }
                    }
                }
            }
        }
        items.retain(|item| item.sp.is_some());
    }
    error.map_or(Ok(()), Err)
}
