//! Typed calls: from Rust to an instance of scalars without a thunk and without values in memory.
//!
//! A leaf is called as a function of the host is, on the host's stack. What the call of any other
//! instance costs beyond the instance itself is one trampoline: it changes to the compiled stack
//! and keeps the registers that unwinding does not find.

use super::context::{CallError, Context};
use super::host::Callee;
use super::raise::{RaiseKind, Raised};
use super::{VmCtx, asm};
use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};
use worldage_dispatch::Ty;
use worldage_wir::prim::Scalar;
use worldage_wir::universe::Universe;

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that compiled code holds in one register, as a Wir type is.
pub trait HostScalar: sealed::Sealed + Copy + 'static {
    /// The Wir type.
    fn ty(u: &Universe) -> Ty;
}

macro_rules! scalars {
    ($($rust:ty => $scalar:ident),* $(,)?) => {$(
        impl sealed::Sealed for $rust {}
        impl HostScalar for $rust {
            fn ty(u: &Universe) -> Ty {
                u.scalar_ty(Scalar::$scalar)
            }
        }
    )*};
}

scalars!(
    i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    f32 => F32, f64 => F64, bool => Bool,
);

impl sealed::Sealed for () {}
impl HostScalar for () {
    fn ty(u: &Universe) -> Ty {
        u.prelude().nothing
    }
}

/// The signature of a typed call: a `fn` pointer type of at most five scalars.
pub trait HostFn: sealed::Sealed + 'static {
    /// The arguments.
    type Args;
    /// The result.
    type Ret: HostScalar;

    /// The Wir types of the parameters.
    fn params(u: &Universe) -> Vec<Ty>;

    /// Calls the entry that the context was given.
    ///
    /// # Safety
    /// `vm` is an idle context whose entry is an instance of this signature.
    #[doc(hidden)]
    unsafe fn call(vm: *mut VmCtx, args: Self::Args) -> Self::Ret;

    /// Calls a leaf.
    ///
    /// # Safety
    /// `vm` is an idle context, and `entry` that of a leaf of this signature.
    #[doc(hidden)]
    unsafe fn call_leaf(entry: usize, vm: *mut VmCtx, args: Self::Args) -> Self::Ret;
}

macro_rules! host_fns {
    ($(($($arg:ident $ty:ident),*)),* $(,)?) => {$(
        impl<R: HostScalar, $($ty: HostScalar),*> sealed::Sealed for fn($($ty),*) -> R {}
        impl<R: HostScalar, $($ty: HostScalar),*> HostFn for fn($($ty),*) -> R {
            type Args = ($($ty,)*);
            type Ret = R;

            fn params(u: &Universe) -> Vec<Ty> {
                let _ = u;
                vec![$($ty::ty(u)),*]
            }

            #[inline]
            unsafe fn call(vm: *mut VmCtx, ($($arg,)*): Self::Args) -> R {
                // SAFETY: the trampoline passes the argument registers on as they are, and what
                // the instance returns back.
                unsafe { Self::call_leaf(asm::call as *const () as usize, vm, ($($arg,)*)) }
            }

            #[inline]
            unsafe fn call_leaf(entry: usize, vm: *mut VmCtx, ($($arg,)*): Self::Args) -> R {
                // SAFETY: instances take their arguments and give their result in the registers
                // of the host's convention, where these are scalars and so few.
                unsafe {
                    let function: unsafe extern "C-unwind" fn(*mut VmCtx, $($ty),*) -> R =
                        std::mem::transmute(entry);
                    function(vm, $($arg),*)
                }
            }
        }
    )*};
}

host_fns!((), (a A), (a A, b B), (a A, b B, c C), (a A, b B, c C, d D), (a A, b B, c C, d D, e E));

/// An instance whose types are those of a Rust function type.
pub struct TypedCallee<F> {
    callee: Callee,
    of: PhantomData<fn() -> F>,
}

impl<F: HostFn> TypedCallee<F> {
    /// Checks the types of an instance.
    ///
    /// # Errors
    /// The instance, if they are others.
    pub fn new(callee: Callee, u: &Universe) -> Result<TypedCallee<F>, Callee> {
        // What never returns may be called as anything.
        let returns = callee.ret == F::Ret::ty(u) || callee.ret == Ty::BOTTOM;
        match returns && *callee.params == *F::params(u) {
            true => Ok(TypedCallee {
                callee,
                of: PhantomData,
            }),
            false => Err(callee),
        }
    }
}

impl Context {
    /// Makes the context ready for typed calls in a world. It is idle: nothing runs in it.
    #[inline]
    pub fn enter(&mut self, world: u64) {
        let vm = self.vm.as_ptr();
        // SAFETY: the context is alive and idle; what a target cache keeps does not run.
        unsafe {
            if (*vm).world != world {
                (*vm).targets.enter(world);
                (*vm).world = world;
            }
        }
    }

    /// Calls an instance in the world that was entered, on the compiled stack.
    #[inline]
    fn call_typed<F: HostFn>(
        &mut self,
        callee: &TypedCallee<F>,
        args: F::Args,
    ) -> Result<F::Ret, CallError> {
        let vm = self.vm.as_ptr();
        // SAFETY: the context is borrowed, so it is idle; the instance is of this signature, and
        // alive. The raw pointer is the only way to the context while code runs.
        unsafe {
            (*vm).entry = *callee.callee.cell;
            match catch_unwind(AssertUnwindSafe(|| F::call(vm, args))) {
                Ok(result) => Ok(result),
                Err(payload) => Err(self.failed(payload)),
            }
        }
    }

    #[cold]
    fn failed(&mut self, payload: Box<dyn Any + Send>) -> CallError {
        let vm = self.vm.as_ptr();
        // SAFETY: the call has ended; its frames are gone.
        unsafe {
            (*vm).host_sp = 0;
            (*vm).compiled_sp = (*vm).stack_top;
            (*vm).activations.clear();
        }
        let error = raised(payload);
        if let CallError::Raised(raised) = &error
            && matches!(raised.kind, RaiseKind::StackOverflow)
        {
            // SAFETY: nothing runs on the stack.
            unsafe { (*vm).stack.release() };
        }
        error
    }
}

/// A context for typed calls. Calls may stand in one another only where the inner one is a leaf.
#[derive(Debug)]
pub struct TypedContext {
    /// Of the context, which is owned here: both end together.
    vm: NonNull<VmCtx>,
    /// Whether what is called is what the cell holds.
    live: bool,
    context: RefCell<Context>,
}

// SAFETY: as of the context.
unsafe impl Send for TypedContext {}

impl TypedContext {
    /// A context that is not of running code.
    #[must_use]
    pub fn new(context: Context) -> TypedContext {
        // SAFETY: the context is alive.
        let (vm, live) = (context.vm, unsafe { (*context.vm.as_ptr()).live });
        let context = RefCell::new(context);
        TypedContext { vm, live, context }
    }

    /// As [`Context::enter`].
    #[inline]
    pub fn enter(&mut self, world: u64) {
        self.context.get_mut().enter(world);
    }

    /// The context.
    #[must_use]
    pub fn into_inner(self) -> Context {
        self.context.into_inner()
    }

    /// Calls an instance in the world that was entered.
    ///
    /// # Errors
    /// The program failed.
    ///
    /// # Panics
    /// In a call of this context, if the instance is no leaf.
    #[inline]
    pub fn call<F: HostFn>(
        &self,
        callee: &TypedCallee<F>,
        args: F::Args,
    ) -> Result<F::Ret, CallError> {
        let vm = self.vm.as_ptr();
        match callee.callee.leaf {
            Some(leaf) if !self.live => {
                // SAFETY: the leaf is of this signature, and alive as long as the callee. It
                // changes nothing of the context, so it does not matter what runs there.
                let called = catch_unwind(AssertUnwindSafe(|| unsafe {
                    F::call_leaf(leaf.get(), vm, args)
                }));
                called.map_err(raised)
            }
            _ => self.context.borrow_mut().call_typed(callee, args),
        }
    }
}

/// The error of the program that ended a call; another panic goes on.
#[cold]
fn raised(payload: Box<dyn Any + Send>) -> CallError {
    match payload.downcast::<Raised>() {
        Ok(raised) => CallError::Raised(raised),
        Err(panic) => resume_unwind(panic),
    }
}

/// Places for idle contexts with what belongs to them, taken and given back without a lock.
pub struct ContextSlots<T>(Box<[AtomicPtr<T>]>);

impl<T> ContextSlots<T> {
    /// So many places, all empty.
    #[must_use]
    pub fn new(slots: usize) -> ContextSlots<T> {
        let empty = || AtomicPtr::new(std::ptr::null_mut());
        ContextSlots(std::iter::repeat_with(empty).take(slots).collect())
    }

    /// Takes what is in a place.
    #[inline]
    pub fn take(&self, slot: usize) -> Option<Box<T>> {
        let taken = self.0[slot].swap(std::ptr::null_mut(), Ordering::Acquire);
        // SAFETY: a pointer in a slot is one of `put`, and only who swaps it out has it.
        (!taken.is_null()).then(|| unsafe { Box::from_raw(taken) })
    }

    /// Puts a context into a place; drops it if another is there. One thread puts into a place at
    /// a time: of two that do, one context is lost.
    #[inline]
    pub fn put(&self, slot: usize, context: Box<T>) {
        let place = &self.0[slot];
        if place.load(Ordering::Relaxed).is_null() {
            place.store(Box::into_raw(context), Ordering::Release);
        }
    }
}

impl<T> Drop for ContextSlots<T> {
    fn drop(&mut self) {
        for slot in 0..self.0.len() {
            drop(self.take(slot));
        }
    }
}

// SAFETY: a slot gives what it holds to one thread at a time.
unsafe impl<T: Send> Send for ContextSlots<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for ContextSlots<T> {}
