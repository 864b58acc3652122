//! The garbage-collected heap of one context.
//!
//! Non-moving mark and sweep: precise in the heap (descriptors), conservative on the compiled
//! stack, where interior pointers count. Small objects live in 64 KiB blocks of one size class
//! with a bitmap of slots beside them; sweeping is replacing the bitmap by the marks, and
//! allocation bumps through runs of free slots. Larger objects take whole pages.
//!
//! Invariants: a slot whose bit is set and that is not in the unused part of its class's current
//! run has a valid header; memory is zeroed when it is allocated; host code that keeps object
//! addresses outside of the compiled stack and the roots must hold a [`Heap::pause`].

mod mark;
pub(crate) mod object;
mod pages;

pub use object::DynVal;
use object::{DATA, Descriptor, LENGTH};
use pages::{PAGE, Pages};

/// Never collect before this many bytes were allocated: fits a cache, so that temporary objects
/// reuse warm memory.
const MIN_THRESHOLD: usize = 4 << 20;
/// The largest small object.
const SMALL: usize = 32 << 10;
/// Four classes for every doubling, from 16 bytes on.
const CLASSES: usize = 48;

/// Live and used bytes of a heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// Bytes that the last collection found reachable.
    pub live: usize,
    /// Bytes allocated since.
    pub since: usize,
    /// Collections so far.
    pub collections: u64,
    /// Bytes of address space that were ever used.
    pub touched: usize,
}

/// Memory is used up: the limit, or the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfMemory;

/// The free slots that a class allocates from.
#[derive(Clone, Default)]
struct Class {
    bump: usize,
    end: usize,
    /// The block of the run, and the slot after it.
    page: usize,
    cursor: usize,
    /// Other blocks with free slots.
    available: Vec<usize>,
}

pub(crate) struct Heap {
    pages: Pages,
    classes: Vec<Class>,
    live: usize,
    since: usize,
    threshold: usize,
    limit: usize,
    collections: u64,
    paused: u32,
    mark_stack: Vec<usize>,
    /// Values that host handles keep.
    pub(crate) roots: Roots,
}

/// Values that the host holds.
#[derive(Default)]
pub(crate) struct Roots {
    values: Vec<DynVal>,
    free: Vec<usize>,
}

impl Roots {
    pub(crate) fn insert(&mut self, value: DynVal) -> usize {
        match self.free.pop() {
            Some(ix) => {
                self.values[ix] = value;
                ix
            }
            None => {
                self.values.push(value);
                self.values.len() - 1
            }
        }
    }

    pub(crate) fn get(&self, ix: usize) -> DynVal {
        self.values[ix]
    }

    pub(crate) fn remove(&mut self, ix: usize) {
        self.values[ix] = DynVal::default();
        self.free.push(ix);
    }
}

/// The size class of a small object, and the bytes of its slots.
fn class_of(size: usize) -> (usize, usize) {
    if size <= 64 {
        let class = size.div_ceil(16).max(1);
        return (class - 1, class * 16);
    }
    let doubling = (usize::BITS - 1 - (size - 1).leading_zeros()) as usize;
    let step = 1 << (doubling - 2);
    let quarter = (size - 1 - (1 << doubling)) / step;
    (
        (doubling - 6) * 4 + 4 + quarter,
        (1 << doubling) + (quarter + 1) * step,
    )
}

impl Heap {
    pub(crate) fn new(limit: usize) -> Heap {
        Heap {
            pages: Pages::new(limit),
            classes: vec![Class::default(); CLASSES],
            live: 0,
            since: 0,
            threshold: MIN_THRESHOLD.min(limit),
            limit,
            collections: 0,
            paused: 0,
            mark_stack: Vec::new(),
            roots: Roots::default(),
        }
    }

    pub(crate) fn stats(&self) -> HeapStats {
        HeapStats {
            live: self.live,
            since: self.since,
            collections: self.collections,
            touched: self.pages.len() * PAGE,
        }
    }

    /// Whether as much was allocated that collecting is worth it.
    pub(crate) fn wants_collection(&self) -> bool {
        self.paused == 0 && self.since >= self.threshold
    }

    /// No collection until the matching [`Heap::resume`].
    pub(crate) fn pause(&mut self) {
        self.paused += 1;
    }

    pub(crate) fn resume(&mut self) {
        self.paused -= 1;
    }

    /// A zeroed box.
    pub(crate) fn new_box(
        &mut self,
        descriptor: &Descriptor,
        collect: impl FnMut(&mut Heap),
    ) -> Result<usize, OutOfMemory> {
        let object = self.allocate(8 + descriptor.size, collect)?;
        // SAFETY: fresh memory of at least eight bytes.
        unsafe { (object as *mut usize).write(std::ptr::from_ref(descriptor) as usize) };
        Ok(object)
    }

    /// A zeroed array.
    pub(crate) fn new_array(
        &mut self,
        descriptor: &Descriptor,
        length: usize,
        collect: impl FnMut(&mut Heap),
    ) -> Result<usize, OutOfMemory> {
        let bytes = length.checked_mul(descriptor.size).ok_or(OutOfMemory)?;
        let bytes = bytes.checked_add(DATA as usize).ok_or(OutOfMemory)?;
        let object = self.allocate(bytes, collect)?;
        // SAFETY: fresh memory of at least sixteen bytes.
        unsafe {
            (object as *mut usize).write(std::ptr::from_ref(descriptor) as usize);
            ((object + LENGTH as usize) as *mut usize).write(length);
        }
        Ok(object)
    }

    #[inline]
    fn allocate(
        &mut self,
        size: usize,
        collect: impl FnMut(&mut Heap),
    ) -> Result<usize, OutOfMemory> {
        if size > SMALL {
            return self.allocate_large(size, collect);
        }
        let (class, slot) = class_of(size);
        let state = &mut self.classes[class];
        let object = if state.bump < state.end {
            let object = state.bump;
            state.bump += slot;
            object
        } else {
            self.next_run(class, slot, collect)?
        };
        // SAFETY: a free slot of `slot >= size` bytes inside of a block of the heap.
        unsafe { std::ptr::write_bytes(object as *mut u8, 0, size.next_multiple_of(8)) };
        Ok(object)
    }

    /// Takes the next run of free slots of a class, and its first slot.
    #[cold]
    fn next_run(
        &mut self,
        class: usize,
        slot: usize,
        mut collect: impl FnMut(&mut Heap),
    ) -> Result<usize, OutOfMemory> {
        if self.wants_collection() {
            collect(self);
        }
        loop {
            let state = &mut self.classes[class];
            if let Some((first, end)) = self.pages.take_run(state.page, class, state.cursor) {
                let base = self.pages.address(state.page);
                state.cursor = end;
                state.bump = base + (first + 1) * slot;
                state.end = base + end * slot;
                self.since += (end - first) * slot;
                return Ok(base + first * slot);
            }
            if let Some(page) = state.available.pop() {
                (state.page, state.cursor) = (page, 0);
                continue;
            }
            self.make_room(PAGE, &mut collect)?;
            let page = self.pages.new_block(class, slot).ok_or(OutOfMemory)?;
            let state = &mut self.classes[class];
            (state.page, state.cursor) = (page, 0);
        }
    }

    #[cold]
    fn allocate_large(
        &mut self,
        size: usize,
        mut collect: impl FnMut(&mut Heap),
    ) -> Result<usize, OutOfMemory> {
        if size > self.limit {
            return Err(OutOfMemory);
        }
        if self.wants_collection() {
            collect(self);
        }
        self.make_room(size, &mut collect)?;
        let object = match self.pages.new_large(size) {
            Some(object) => object,
            None if self.paused == 0 => {
                collect(self);
                self.pages.new_large(size).ok_or(OutOfMemory)?
            }
            None => return Err(OutOfMemory),
        };
        self.since += size;
        Ok(object)
    }

    fn make_room(
        &mut self,
        size: usize,
        collect: &mut impl FnMut(&mut Heap),
    ) -> Result<(), OutOfMemory> {
        if self.live + self.since + size <= self.limit {
            return Ok(());
        }
        if self.paused == 0 {
            collect(self);
        }
        // A heap that is nearly full would collect all the time: that is out of memory, too.
        let room = self.limit / 64;
        if self.live + self.since + size.max(room) <= self.limit {
            Ok(())
        } else {
            Err(OutOfMemory)
        }
    }

    /// Frees what cannot be reached from the roots and the words of the stacks (addresses of
    /// words, ends excluded).
    pub(crate) fn collect(&mut self, stacks: &[std::ops::Range<usize>]) {
        for state in &mut self.classes {
            if state.bump < state.end {
                self.pages.give_back(state.page, state.bump, state.end);
            }
            *state = Class {
                available: std::mem::take(&mut state.available),
                ..Class::default()
            };
            state.page = usize::MAX;
            state.available.clear();
        }
        self.mark(stacks);
        self.live = self
            .pages
            .sweep(|class, page| self.classes[class].available.push(page));
        self.since = 0;
        self.collections += 1;
        let room = self.limit.saturating_sub(self.live);
        // A deep recursion leaves little on the heap and much on the stack, which is read at every
        // collection: what was read pays for itself only by as much allocation.
        let read: usize = stacks.iter().map(std::ops::Range::len).sum();
        let worth = self.live.max(read).max(MIN_THRESHOLD);
        self.threshold = worth.min(room.max(1 << 16));
        self.pages.trim(self.live);
    }
}

impl std::fmt::Debug for Heap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heap")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Heap, MIN_THRESHOLD};

    #[test]
    fn a_deep_stack_is_not_read_again_for_a_little_allocation() {
        let mut heap = Heap::new(1 << 30);
        let stack = vec![0usize; 4 << 20];
        let range = stack.as_ptr_range();
        let read = range.start as usize..range.end as usize;
        heap.collect(std::slice::from_ref(&read));
        assert_eq!(heap.threshold, size_of_val(&stack[..]));
        heap.collect(&[]);
        assert_eq!(heap.threshold, MIN_THRESHOLD);
    }
}
