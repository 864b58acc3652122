//! The stack that compiled code runs on: one per context, reserved, touched on demand.

use rustix::mm::MprotectFlags;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};
use std::io;
use std::ptr;

/// Kept below the limit for helpers of the run-time system, which check nothing.
const RESERVE: usize = 256 << 10;
const GUARD: usize = 64 << 10;

/// A mapped stack.
#[derive(Debug)]
pub(crate) struct Stack {
    base: usize,
    len: usize,
}

impl Stack {
    /// Reserves `size` bytes (at least 1 MiB) for frames.
    pub(crate) fn new(size: usize) -> io::Result<Stack> {
        let len = size.max(1 << 20).next_multiple_of(GUARD) + RESERVE + GUARD;
        // SAFETY: a new private mapping at an address of the system's choice.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }?;
        let stack = Stack {
            base: base as usize,
            len,
        };
        // SAFETY: the lowest pages of the mapping just made.
        unsafe { mprotect(base, GUARD, MprotectFlags::empty()) }?;
        Ok(stack)
    }

    /// The address after the highest word, 16-byte aligned.
    pub(crate) fn top(&self) -> usize {
        self.base + self.len
    }

    /// Below this stack pointer no compiled function begins.
    pub(crate) fn limit(&self) -> usize {
        self.base + GUARD + RESERVE
    }

    /// Gives the pages of deep recursion back; nothing may run on the stack.
    pub(crate) fn release(&self) {
        let keep = 1 << 20;
        let (from, to) = (self.base + GUARD, self.top() - keep);
        // SAFETY: unused pages of our own mapping, which read as zero afterwards. Failure leaves
        // them as they are.
        unsafe { madvise(from as *mut _, to - from, Advice::LinuxDontNeed) }.ok();
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping; the context that ran on it is gone.
        unsafe { munmap(self.base as *mut _, self.len) }.ok();
    }
}
