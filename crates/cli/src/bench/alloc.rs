//! The counting allocator: live heap bytes of the process.
//!
//! Code memory is mapped and never passes here. A thread keeps its own difference and tells the
//! total when it is large, so that counting costs next to nothing.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; this one passes everything on"
)]

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

/// The allocator with a counter.
pub(crate) struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);
/// A thread's difference may be this far off the total.
const SLACK: isize = 1 << 12;

thread_local! {
    static DIFFERENCE: Cell<isize> = const { Cell::new(0) };
}

fn add(bytes: isize) {
    // A thread that ends has no difference any more: its last frees are told at once.
    let told = DIFFERENCE.try_with(|difference| {
        let sum = difference.get() + bytes;
        if sum.abs() < SLACK {
            difference.set(sum);
            return 0;
        }
        difference.set(0);
        sum
    });
    let sum = told.unwrap_or(bytes);
    if sum != 0 {
        LIVE.fetch_add(sum, Ordering::Relaxed);
    }
}

/// Live heap bytes, as far as this thread and large differences of others go.
pub(crate) fn live_bytes() -> isize {
    let own = DIFFERENCE.with(|difference| difference.replace(0));
    LIVE.fetch_add(own, Ordering::Relaxed) + own
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: every call is passed on to the allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(signed(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(signed(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        add(-signed(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { MiMalloc.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(signed(new_size) - signed(layout.size()));
        // SAFETY: as the caller promised.
        unsafe { MiMalloc.realloc(ptr, layout, new_size) }
    }
}
