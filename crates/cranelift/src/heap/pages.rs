//! Pages of the heap's address space: blocks of small slots, large objects, free ranges.

use super::CLASSES;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ptr;

/// Bytes of a page of the heap.
pub(super) const PAGE: usize = 64 << 10;
/// Freed memory beyond the live size that is kept for reuse before it goes back to the system.
const KEEP: usize = 32 << 20;

/// What a page is used for.
pub(super) enum Page {
    /// Nothing; `dirty` pages are not known to be zero.
    Free {
        /// Whether it was written.
        dirty: bool,
    },
    /// Small objects of one class.
    Block(Box<Bits>),
    /// The first page of a large object.
    Large {
        /// How many pages.
        pages: usize,
        /// Bytes asked for.
        size: usize,
        /// Reached by the running collection.
        marked: bool,
    },
    /// A further page of the large object that starts at this page.
    Rest(usize),
}

/// The slots of a block.
pub(super) struct Bits {
    class: usize,
    slot: usize,
    count: usize,
    allocated: [u64; PAGE / 16 / 64],
    marked: [u64; PAGE / 16 / 64],
}

/// The address space of one heap, reserved at first use.
pub(super) struct Pages {
    base: usize,
    reserve: usize,
    pages: Vec<Page>,
    /// Where the search for free pages goes on.
    cursor: usize,
    free: usize,
    dirty: usize,
}

impl Pages {
    pub(super) fn new(limit: usize) -> Pages {
        // Twice the limit, so that fragmentation does not decide.
        let reserve = limit
            .saturating_mul(2)
            .clamp(PAGE * 16, 1 << 44)
            .next_multiple_of(PAGE);
        Pages {
            base: 0,
            reserve,
            pages: Vec::new(),
            cursor: 0,
            free: 0,
            dirty: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    pub(super) fn address(&self, page: usize) -> usize {
        self.base + page * PAGE
    }

    fn reserve(&mut self) -> Option<()> {
        if self.base != 0 {
            return Some(());
        }
        while self.reserve >= PAGE * 16 {
            // SAFETY: a new private mapping at an address of the system's choice.
            let mapped = unsafe {
                mmap_anonymous(
                    ptr::null_mut(),
                    self.reserve,
                    ProtFlags::READ | ProtFlags::WRITE,
                    MapFlags::PRIVATE | MapFlags::NORESERVE,
                )
            };
            if let Ok(base) = mapped {
                self.base = base as usize;
                return Some(());
            }
            self.reserve = (self.reserve / 2).next_multiple_of(PAGE);
        }
        None
    }

    /// The first of `count` consecutive free pages.
    fn find(&mut self, count: usize) -> Option<usize> {
        self.reserve()?;
        if self.free >= count {
            let len = self.pages.len();
            for (from, to) in [(self.cursor, len), (0, (self.cursor + count).min(len))] {
                let mut run = 0;
                for ix in from..to {
                    run = if matches!(self.pages[ix], Page::Free { .. }) {
                        run + 1
                    } else {
                        0
                    };
                    if run == count {
                        self.cursor = ix + 1;
                        return Some(ix + 1 - count);
                    }
                }
            }
        }
        let first = self.pages.len();
        if (first + count) * PAGE > self.reserve {
            return None;
        }
        self.pages
            .resize_with(first + count, || Page::Free { dirty: false });
        self.free += count;
        Some(first)
    }

    fn take(&mut self, page: usize, used: Page) -> bool {
        let dirty = matches!(self.pages[page], Page::Free { dirty: true });
        self.pages[page] = used;
        self.free -= 1;
        self.dirty -= usize::from(dirty);
        dirty
    }

    fn release(&mut self, page: usize) {
        self.pages[page] = Page::Free { dirty: true };
        self.free += 1;
        self.dirty += 1;
    }

    pub(super) fn new_block(&mut self, class: usize, slot: usize) -> Option<usize> {
        debug_assert!(class < CLASSES, "a known class");
        let page = self.find(1)?;
        let bits = Bits {
            class,
            slot,
            count: PAGE / slot,
            allocated: [0; PAGE / 16 / 64],
            marked: [0; PAGE / 16 / 64],
        };
        self.take(page, Page::Block(Box::new(bits)));
        Some(page)
    }

    /// A zeroed large object.
    pub(super) fn new_large(&mut self, size: usize) -> Option<usize> {
        let count = size.div_ceil(PAGE);
        let first = self.find(count)?;
        for page in first..first + count {
            let used = if page == first {
                Page::Large {
                    pages: count,
                    size,
                    marked: false,
                }
            } else {
                Page::Rest(first)
            };
            if self.take(page, used) {
                let bytes = (size - (page - first) * PAGE).min(PAGE);
                // SAFETY: a page of the heap that nothing uses.
                unsafe { ptr::write_bytes(self.address(page) as *mut u8, 0, bytes) };
            }
        }
        Some(self.address(first))
    }

    /// Takes the next run of free slots of a block, from a slot on: first and end.
    pub(super) fn take_run(
        &mut self,
        page: usize,
        class: usize,
        from: usize,
    ) -> Option<(usize, usize)> {
        let Some(Page::Block(bits)) = self.pages.get_mut(page) else {
            return None;
        };
        if bits.class != class {
            return None;
        }
        let first = next_bit(&bits.allocated, from, bits.count, false)?;
        let end = next_bit(&bits.allocated, first, bits.count, true).unwrap_or(bits.count);
        for slot in first..end {
            bits.allocated[slot / 64] |= 1 << (slot % 64);
        }
        Some((first, end))
    }

    /// Gives back the unused part of a run, by addresses.
    pub(super) fn give_back(&mut self, page: usize, from: usize, to: usize) {
        let base = self.address(page);
        let Page::Block(bits) = &mut self.pages[page] else {
            unreachable!("a run is in a block")
        };
        for slot in (from - base) / bits.slot..(to - base) / bits.slot {
            bits.allocated[slot / 64] &= !(1 << (slot % 64));
        }
    }

    pub(super) fn clear_marks(&mut self) {
        for page in &mut self.pages {
            match page {
                Page::Block(bits) => bits.marked.fill(0),
                Page::Large { marked, .. } => *marked = false,
                Page::Free { .. } | Page::Rest(_) => {}
            }
        }
    }

    /// Marks the object that an address points into; `None` if there is none or it is marked.
    #[inline]
    pub(super) fn mark(&mut self, address: usize) -> Option<usize> {
        let offset = address.wrapping_sub(self.base);
        let mut ix = offset / PAGE;
        if let Page::Rest(first) = *self.pages.get(ix)? {
            ix = first;
        }
        match &mut self.pages[ix] {
            Page::Block(bits) => {
                let slot = offset % PAGE / bits.slot;
                let (word, bit) = (slot / 64, 1 << (slot % 64));
                if bits.allocated[word] & bit == 0 || bits.marked[word] & bit != 0 {
                    return None;
                }
                bits.marked[word] |= bit;
                Some(self.base + ix * PAGE + slot * bits.slot)
            }
            Page::Large { marked, .. } => {
                (!std::mem::replace(marked, true)).then_some(self.base + ix * PAGE)
            }
            Page::Free { .. } | Page::Rest(_) => None,
        }
    }

    /// Frees what is not marked; tells the blocks that have free slots; the live bytes.
    pub(super) fn sweep(&mut self, mut available: impl FnMut(usize, usize)) -> usize {
        let mut live = 0;
        // From the last block to the first, so that the lists hand out low addresses first.
        for ix in (0..self.pages.len()).rev() {
            match &mut self.pages[ix] {
                Page::Block(bits) => {
                    bits.allocated = bits.marked;
                    let words = bits.count.div_ceil(64);
                    let used: u32 = bits.allocated[..words].iter().map(|w| w.count_ones()).sum();
                    let used = used as usize;
                    live += used * bits.slot;
                    if used == 0 {
                        self.release(ix);
                    } else if used < bits.count {
                        available(bits.class, ix);
                    }
                }
                Page::Large {
                    marked: true, size, ..
                } => live += *size,
                Page::Large { pages, .. } => {
                    for page in ix..ix + *pages {
                        self.release(page);
                    }
                }
                Page::Free { .. } | Page::Rest(_) => {}
            }
        }
        self.cursor = 0;
        live
    }

    /// Gives memory back to the system if much more is free than live.
    pub(super) fn trim(&mut self, live: usize) {
        if self.dirty * PAGE <= live.max(KEEP) {
            return;
        }
        let mut ix = 0;
        while ix < self.pages.len() {
            let first = ix;
            while matches!(self.pages.get(ix), Some(Page::Free { dirty: true })) {
                self.pages[ix] = Page::Free { dirty: false };
                ix += 1;
            }
            if first == ix {
                ix += 1;
                continue;
            }
            let (address, bytes) = (self.address(first), (ix - first) * PAGE);
            // SAFETY: free pages of this private anonymous mapping; they read as zero after.
            let advised = unsafe { madvise(address as *mut _, bytes, Advice::LinuxDontNeed) };
            if advised.is_err() {
                // SAFETY: the same pages.
                unsafe { ptr::write_bytes(address as *mut u8, 0, bytes) };
            }
        }
        self.dirty = 0;
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.base != 0 {
            // SAFETY: the mapping is our own; the context that used it is gone.
            unsafe { munmap(self.base as *mut _, self.reserve) }.ok();
        }
    }
}

/// The next slot from `from` on whose bit is `set`.
fn next_bit(words: &[u64], from: usize, count: usize, set: bool) -> Option<usize> {
    let mut slot = from;
    while slot < count {
        let word = if set {
            words[slot / 64]
        } else {
            !words[slot / 64]
        };
        let rest = word >> (slot % 64);
        if rest != 0 {
            let found = slot + rest.trailing_zeros() as usize;
            return (found < count).then_some(found);
        }
        slot = (slot / 64 + 1) * 64;
    }
    None
}
