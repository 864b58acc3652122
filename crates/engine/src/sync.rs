//! The locks and atomics that threads of a session meet at. With the feature `shuttle` they are
//! those of shuttle, which decides at each of them who goes on: `interleavings` tests the engine
//! itself so, and nothing else runs with that feature.
//!
//! Not here: counters that order nothing, the word of a cell (compiled code reads it), and the
//! front's pointer (of arc-swap).

use std::time::Duration;

#[cfg(not(feature = "shuttle"))]
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::thread::yield_now;
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::thread_local;

#[cfg(feature = "shuttle")]
pub(crate) use modelled::{Mutex, MutexGuard, RwLock};
#[cfg(feature = "shuttle")]
pub(crate) use per_thread as thread_local;
#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
#[cfg(feature = "shuttle")]
pub(crate) use shuttle::thread::yield_now;

/// The lock, if it is free within some time.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn lock_within<T>(mutex: &Mutex<T>, time: Duration) -> Option<MutexGuard<'_, T>> {
    mutex.try_lock_for(time)
}

/// There is no time in a model: it has passed.
#[cfg(feature = "shuttle")]
pub(crate) fn lock_within<T>(_: &Mutex<T>, _: Duration) -> Option<MutexGuard<'_, T>> {
    None
}

/// [`std::thread_local`] for the threads of shuttle, which are no threads of the system.
#[cfg(feature = "shuttle")]
macro_rules! per_thread {
    ($(#[$attr:meta])* static $name:ident: $ty:ty = const { $first:expr };) => {
        shuttle::thread_local! {
            $(#[$attr])*
            static $name: $ty = $first;
        }
    };
}
#[cfg(feature = "shuttle")]
pub(crate) use per_thread;

/// Shuttle's locks with the methods of parking_lot's: nobody who panics leaves one poisoned.
#[cfg(feature = "shuttle")]
mod modelled {
    use shuttle::sync;
    pub(crate) use shuttle::sync::MutexGuard;
    use shuttle::sync::{RwLockReadGuard, RwLockWriteGuard};
    use std::sync::PoisonError;

    #[derive(Default)]
    pub(crate) struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[derive(Default)]
    pub(crate) struct RwLock<T>(sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            RwLock(sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
