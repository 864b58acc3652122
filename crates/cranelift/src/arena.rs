//! Code memory: memory files mapped twice, writable here and executable there.
//!
//! Invariants: no page is ever writable and executable through one mapping; a block is reused
//! only by blocks of its size class; one unwind registration covers a whole chunk, because every
//! frame in it is found by the frame pointer.

use crate::unwind::Registration;
use parking_lot::Mutex;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::io;
use std::ptr;
use std::sync::Arc;

/// Bytes of a chunk; pages of it that were never written take no memory.
const CHUNK: usize = 16 << 20;
/// Blocks are multiples of this and aligned to it.
const GRAIN: usize = 64;

/// Live and free bytes of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeMemory {
    /// Bytes of blocks in use, rounded to their size classes.
    pub live: usize,
    /// Bytes of blocks that were freed and wait for reuse.
    pub free: usize,
    /// Bytes that were ever handed out: what the arena takes from the system.
    pub touched: usize,
}

/// The arena; shared.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Arc<Chunk>>,
    /// Bytes handed out of the last chunk.
    filled: usize,
    /// Freed blocks by size class, in grains.
    free: rustc_hash::FxHashMap<usize, Vec<Free>>,
    memory: CodeMemory,
}

#[derive(Debug)]
struct Free {
    chunk: Arc<Chunk>,
    offset: usize,
}

#[derive(Debug)]
struct Chunk {
    writable: *mut u8,
    executable: *const u8,
    len: usize,
    _unwind: Registration,
}

// SAFETY: the pointers are to shared mappings that live as long as the chunk; blocks of them are
// written only by the thread that was handed the block, before it publishes an address in it.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

/// Executable memory of one piece of code; given back when dropped.
#[derive(Debug)]
pub(crate) struct Block {
    arena: Arc<Arena>,
    chunk: Arc<Chunk>,
    offset: usize,
    len: usize,
}

impl Arena {
    /// Copies code to executable memory; `patch` sees the bytes at their writable address before
    /// they can be executed.
    pub(crate) fn install(
        self: &Arc<Self>,
        bytes: &[u8],
        patch: impl FnOnce(&mut [u8], usize),
    ) -> io::Result<Block> {
        let len = size_class(bytes.len().max(1));
        let (chunk, offset) = self.state.lock().allocate(len)?;
        let block = Block {
            arena: Arc::clone(self),
            chunk,
            offset,
            len,
        };
        // SAFETY: the block is `len` bytes inside of the chunk's mapping and nobody else has it.
        let memory = unsafe {
            std::slice::from_raw_parts_mut(block.chunk.writable.add(offset), bytes.len())
        };
        memory.copy_from_slice(bytes);
        patch(memory, block.address());
        crate::runtime::asm::code_written(block.address(), bytes.len());
        Ok(block)
    }

    pub(crate) fn memory(&self) -> CodeMemory {
        self.state.lock().memory
    }
}

impl State {
    fn allocate(&mut self, len: usize) -> io::Result<(Arc<Chunk>, usize)> {
        if let Some(Free { chunk, offset }) = self.free.get_mut(&len).and_then(Vec::pop) {
            self.memory.free -= len;
            self.memory.live += len;
            return Ok((chunk, offset));
        }
        let fits = self
            .chunks
            .last()
            .is_some_and(|chunk| self.filled + len <= chunk.len);
        if !fits {
            self.chunks.push(Arc::new(Chunk::new(len.max(CHUNK))?));
            self.filled = 0;
        }
        let chunk = self.chunks.last().expect("just made");
        let offset = self.filled;
        self.filled += len;
        self.memory.live += len;
        self.memory.touched += len;
        Ok((Arc::clone(chunk), offset))
    }
}

/// Classes at most an eighth apart, so that series of redefinitions reuse what they free.
fn size_class(bytes: usize) -> usize {
    let grains = bytes.div_ceil(GRAIN);
    if grains <= 16 {
        return grains * GRAIN;
    }
    let step = grains.next_power_of_two() / 16;
    grains.next_multiple_of(step) * GRAIN
}

impl Chunk {
    fn new(len: usize) -> io::Result<Chunk> {
        let len = len.next_multiple_of(1 << 16);
        let file = memfd_create("code", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, len as u64)?;
        let map = |at: usize, prot, flags| {
            // SAFETY: a new mapping at an address of the system's choice, or where nothing is.
            unsafe { mmap(at as *mut _, len, prot, flags, &file, 0) }
        };
        let writable = map(0, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)?;
        let code = ProtFlags::READ | ProtFlags::EXEC;
        let near = places_near_host(len).find_map(|at| {
            let flags = MapFlags::SHARED | MapFlags::FIXED_NOREPLACE;
            map(at, code, flags).ok()
        });
        let executable = match near.map_or_else(|| map(0, code, MapFlags::SHARED), Ok) {
            Ok(executable) => executable,
            Err(error) => {
                // SAFETY: the mapping made above, not handed out yet.
                unsafe { munmap(writable, len) }.ok();
                return Err(error.into());
            }
        };
        Ok(Chunk {
            writable: writable.cast(),
            executable: executable.cast_const().cast(),
            len,
            _unwind: Registration::new(executable as usize, len),
        })
    }
}

/// Addresses below the host's own code where `len` bytes of code may lie: calls between addresses
/// that differ in their upper half cost a processor's branch predictor half as much again as near
/// ones. Above it the heap of the process may grow.
fn places_near_host(len: usize) -> impl Iterator<Item = usize> {
    const NEAR: usize = 1 << 30;
    let host = Chunk::new as *const () as usize;
    let first = (host & !(CHUNK - 1)).checked_sub(GAP);
    let places = first.into_iter().flat_map(move |first| {
        let below = (1..=NEAR / len).map(move |chunks| first.checked_sub(chunks * len));
        below.map_while(|at| at.filter(|at| *at >= CHUNK))
    });
    places.take(PLACES)
}

/// Left free between the host's code and ours.
const GAP: usize = 64 << 20;
/// So many are tried before code goes where the system puts it.
const PLACES: usize = 32;

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: both mappings are the chunk's own, and every block holds the chunk alive, so no
        // code of it can be running; errors would only leak.
        unsafe {
            munmap(self.writable.cast(), self.len).ok();
            munmap(self.executable.cast_mut().cast(), self.len).ok();
        }
    }
}

impl Block {
    /// Where the code is executed.
    pub(crate) fn address(&self) -> usize {
        self.chunk.executable as usize + self.offset
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            // SAFETY: the block is ours until it is on the free list below. The breakpoint
            // instruction makes a stale call stop at once.
            unsafe { ptr::write_bytes(self.chunk.writable.add(self.offset), 0xcc, self.len) };
        }
        let mut state = self.arena.state.lock();
        state.memory.live -= self.len;
        state.memory.free += self.len;
        let free = Free {
            chunk: Arc::clone(&self.chunk),
            offset: self.offset,
        };
        state.free.entry(self.len).or_default().push(free);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More chunks than there are places near the host's code: all are apart and can be read.
    #[test]
    fn chunks_are_where_there_is_room() {
        let chunk = |_| Chunk::new(CHUNK).expect("there is room");
        let chunks: Vec<Chunk> = (0..PLACES + 4).map(chunk).collect();
        let mut starts: Vec<usize> = chunks.iter().map(|c| c.executable as usize).collect();
        starts.sort_unstable();
        assert!(starts.windows(2).all(|two| two[1] - two[0] >= CHUNK));
        for start in starts {
            // SAFETY: a mapped byte of a chunk that is alive; nothing was written to it.
            assert_eq!(unsafe { *(start as *const u8) }, 0);
        }
    }
}
