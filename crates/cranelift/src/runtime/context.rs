//! A context: one heap and one stack, in which the host calls compiled code.
//!
//! Invariants: a context is used by one thread at a time; after an error it can go on; values
//! that leave it are copies, or handles that keep them.

use super::host::{Callee, Host, TargetCache, no_ways};
use super::launch::Launch;
use super::raise::{RaiseKind, Raised};
use super::stack::Stack;
use super::values::{Exporter, Importer};
use super::{Activation, VmCtx, asm};
use crate::generate::ThunkKey;
use crate::heap::{DynVal, Heap, HeapStats};
use crate::load::{LoadError, Loaded, Loader};
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use worldage_wir::value::Value;

/// Limits of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of compiled stack. The smallest frame of a recursion takes 16 bytes: with the
    /// default of 128 MiB, ten million levels never fit.
    pub stack_size: usize,
    /// Bytes of heap.
    pub memory_limit: usize,
    /// Whether run-time dispatched calls of running code see the newest world (live linking).
    pub live: bool,
}

impl Default for Options {
    fn default() -> Options {
        let info = rustix::system::sysinfo();
        let physical = (info.totalram as usize).saturating_mul(info.mem_unit as usize);
        Options {
            stack_size: 128 << 20,
            memory_limit: physical / 4 * 3,
            live: false,
        }
    }
}

/// See the module's documentation.
pub struct Context {
    pub(super) vm: NonNull<VmCtx>,
    owned: bool,
    /// Not shared between threads; may move from one to another between calls.
    _one_thread: PhantomData<*mut ()>,
}

// SAFETY: everything in a context is its own or `Send`; while code runs, the context is borrowed.
unsafe impl Send for Context {}

/// A value that is kept in a context's heap.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Handle(usize);

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("heap", &self.heap_stats())
            .finish_non_exhaustive()
    }
}

impl Context {
    /// An empty context; fails if the system has no address space for the stack.
    pub fn new(loader: &Loader, host: Arc<dyn Host>, options: Options) -> io::Result<Context> {
        let stack = Stack::new(options.stack_size)?;
        let stack_top = stack.top();
        let targets = TargetCache::new();
        // In live linking every call asks which world is the newest.
        let recent = match options.live {
            true => no_ways(),
            false => targets.recent(),
        };
        let vm = VmCtx {
            stack_limit: stack.limit(),
            world: 0,
            compiled_sp: stack.top(),
            host_sp: 0,
            pc: 0,
            fp: 0,
            entry: 0,
            recent,
            grid: [[0; 3], [1; 3], [0; 3], [1; 3], [0; 3], [1; 3]],
            heap: Heap::new(options.memory_limit),
            stack,
            targets,
            loader: loader.clone(),
            host,
            live: options.live,
            activations: Vec::new(),
            stack_top,
            launch: Launch::default(),
        };
        let vm = NonNull::from(Box::leak(Box::new(vm)));
        Ok(Context {
            vm,
            owned: true,
            _one_thread: PhantomData,
        })
    }

    /// The context of running code, for a host function.
    ///
    /// # Safety
    /// `vm` is the running context, and no other borrow of it is used while the result is.
    pub(crate) unsafe fn borrowed(vm: *mut VmCtx) -> Context {
        // SAFETY: never null, as the caller says.
        let vm = unsafe { NonNull::new_unchecked(vm) };
        Context {
            vm,
            owned: false,
            _one_thread: PhantomData,
        }
    }

    /// The loader whose code runs here.
    #[must_use]
    pub fn loader(&self) -> &Loader {
        // SAFETY: the context is alive, and its loader never changes.
        unsafe { &(*self.vm.as_ptr()).loader }
    }

    /// What the heap holds.
    #[must_use]
    pub fn heap_stats(&self) -> HeapStats {
        // SAFETY: the context is alive and no helper is running.
        unsafe { (*self.vm.as_ptr()).heap.stats() }
    }

    /// The world that running code is in; 0 outside of a call.
    #[must_use]
    pub fn world(&self) -> u64 {
        // SAFETY: the context is alive.
        unsafe { (*self.vm.as_ptr()).world }
    }

    /// Calls an instance in a world with copies of values, and copies its result out.
    pub fn call(
        &mut self,
        world: u64,
        callee: &Callee,
        args: &[Value],
    ) -> Result<Value, CallError> {
        let kept = self.call_kept(world, callee, args)?;
        let value = self.value(&kept);
        self.release(kept);
        Ok(value)
    }

    /// Like [`Context::call`], but the result stays in the heap.
    pub fn call_kept(
        &mut self,
        world: u64,
        callee: &Callee,
        args: &[Value],
    ) -> Result<Handle, CallError> {
        let key = ThunkKey {
            convention: callee.convention,
            params: callee.params.clone(),
            ret: callee.ret,
        };
        let thunk = self.loader().thunk(&key)?;
        let converted = self.import(args)?;
        // SAFETY: the arguments are of the callee's types: the engine resolved the callee by
        // them. They are copied to the compiled stack before anything is allocated.
        let result = unsafe { self.run(world, &thunk, callee.cell, &converted) }?;
        // SAFETY: the context is alive.
        Ok(Handle(unsafe {
            (*self.vm.as_ptr()).heap.roots.insert(result)
        }))
    }

    /// Copies values into the heap. Nothing keeps them: allocate nothing before something does.
    pub(super) fn import(&mut self, args: &[Value]) -> Result<Vec<DynVal>, CallError> {
        let vm = self.vm.as_ptr();
        // SAFETY: the context is alive and nothing else borrows its heap; conversions call
        // nothing that could.
        let converted: Result<Vec<DynVal>, _> = unsafe {
            let loader = (*vm).loader.clone();
            (*vm).heap.pause();
            let mut importer = Importer::new(&loader, &mut (*vm).heap);
            let converted = args.iter().map(|arg| importer.dynamic(arg)).collect();
            (*vm).heap.resume();
            converted
        };
        converted.map_err(|_| CallError::out_of_memory())
    }

    /// The value that a handle keeps, copied out.
    #[must_use]
    pub fn value(&self, handle: &Handle) -> Value {
        let vm = self.vm.as_ptr();
        // SAFETY: the context is alive; a kept value is live, and copying allocates nothing here.
        unsafe {
            let value = (*vm).heap.roots.get(handle.0);
            Exporter::new(&(*vm).loader).dynamic(value)
        }
    }

    /// Lets the value go.
    pub fn release(&mut self, handle: Handle) {
        // SAFETY: the context is alive.
        unsafe { (*self.vm.as_ptr()).heap.roots.remove(handle.0) };
    }

    /// Frees everything that neither handles nor running code reach.
    pub fn collect(&mut self) {
        let vm = self.vm.as_ptr();
        // SAFETY: the context is alive; the stack above `compiled_sp` holds running frames.
        unsafe {
            let stack = (*vm).compiled_sp..(*vm).stack_top;
            let mut stacks = (*vm).launch.stacks();
            stacks.push(stack);
            (*vm).heap.collect(&stacks);
        }
    }

    /// Runs a thunk on the compiled stack.
    ///
    /// # Safety
    /// The thunk fits the cell's instance, and the arguments are of its types.
    unsafe fn run(
        &mut self,
        world: u64,
        thunk: &Loaded,
        cell: *const usize,
        args: &[DynVal],
    ) -> Result<DynVal, CallError> {
        let vm = self.vm.as_ptr();
        let mut result = DynVal::default();
        // SAFETY: the context is alive. The raw pointer is the only way to it while code runs.
        let outcome = unsafe {
            let saved = (
                (*vm).compiled_sp,
                (*vm).host_sp,
                (*vm).world,
                (*vm).activations.len(),
            );
            let outermost = saved.1 == 0;
            if outermost {
                (*vm).targets.enter(world);
            }
            // Arguments and result stand on the compiled stack, where the collector sees them.
            let words = (args.len() + 1) * size_of::<DynVal>();
            let at = ((*vm).compiled_sp - words) & !15;
            if at < (*vm).stack_limit {
                return Err(CallError::Raised(Box::new(Raised {
                    kind: RaiseKind::StackOverflow,
                    trace: Vec::new(),
                    more: 0,
                    world,
                })));
            }
            let slots = at as *mut DynVal;
            slots.write(DynVal::default());
            slots
                .add(1)
                .copy_from_nonoverlapping(args.as_ptr(), args.len());
            (*vm).compiled_sp = at;
            (*vm).world = world;
            let (entry, code) = (*cell, thunk.entry());
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                asm::enter(vm, code, entry, slots.add(1) as usize, slots as usize);
            }));
            result = if outcome.is_ok() {
                slots.read()
            } else {
                result
            };
            ((*vm).compiled_sp, (*vm).host_sp, (*vm).world) = (saved.0, saved.1, saved.2);
            (*vm).activations.truncate(saved.3);
            if outermost {
                self.left(&outcome);
            }
            outcome
        };
        match outcome {
            Ok(()) => Ok(result),
            Err(payload) => match payload.downcast::<Raised>() {
                Ok(raised) => Err(CallError::Raised(raised)),
                Err(panic) => resume_unwind(panic),
            },
        }
    }

    /// After the outermost call: deep stacks go back to the system.
    unsafe fn left(&mut self, outcome: &std::thread::Result<()>) {
        let vm = self.vm.as_ptr();
        let overflowed = outcome.as_ref().err().and_then(|payload| {
            payload
                .downcast_ref::<Raised>()
                .map(|r| matches!(r.kind, RaiseKind::StackOverflow))
        });
        if overflowed == Some(true) {
            // SAFETY: nothing runs on the stack.
            unsafe { (*vm).stack.release() };
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.owned {
            // SAFETY: leaked from a box in `new`; borrowed contexts do not outlive a call.
            drop(unsafe { Box::from_raw(self.vm.as_ptr()) });
        }
    }
}

/// Why a call gave no value.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The program failed.
    #[error("the program failed: {:?}", .0.kind)]
    Raised(Box<Raised>),
    /// The environment failed.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl CallError {
    fn out_of_memory() -> CallError {
        let kind = RaiseKind::OutOfMemory;
        CallError::Raised(Box::new(Raised {
            kind,
            trace: Vec::new(),
            more: 0,
            world: 0,
        }))
    }
}

/// Runs a closure on the host's stack, from a helper that compiled code called.
///
/// # Safety
/// On the compiled stack of the running context.
pub(crate) unsafe fn on_host_stack<T>(vm: *mut VmCtx, f: impl FnOnce() -> T) -> T {
    struct Task<F, T> {
        f: Option<F>,
        result: Option<T>,
    }
    unsafe extern "C-unwind" fn run<F: FnOnce() -> T, T>(data: *mut u8) {
        // SAFETY: the task below, which nothing else touches meanwhile.
        let task = unsafe { &mut *data.cast::<Task<F, T>>() };
        task.result = task.f.take().map(|f| f());
    }
    fn shim<F: FnOnce() -> T, T>(_: &Task<F, T>) -> unsafe extern "C-unwind" fn(*mut u8) {
        run::<F, T>
    }
    let mut task = Task {
        f: Some(f),
        result: None,
    };
    // SAFETY: the context is running, so its host stack pointer is that of its entry.
    unsafe {
        let saved = ((*vm).compiled_sp, (*vm).host_sp);
        let activation = Activation {
            pc: (*vm).pc,
            fp: (*vm).fp,
        };
        (*vm).activations.push(activation);
        let shim = shim(&task);
        asm::leave(vm, shim, (&raw mut task).cast());
        // A panic that passes here is cleaned up after by the entry that catches it.
        (*vm).activations.pop();
        ((*vm).compiled_sp, (*vm).host_sp) = saved;
        ((*vm).pc, (*vm).fp) = (activation.pc, activation.fp);
    }
    task.result.expect("the task has run")
}
