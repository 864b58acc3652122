//! Code memory of `cranelift-jit`: one module per piece of code, for systems where the arena is
//! not supported. Slower to load, and nothing of a chunk is shared.

use crate::code::{Code, Target};
use crate::unwind::Registration;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Live bytes of code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeMemory {
    /// Bytes of code that is loaded.
    pub live: usize,
    /// Always 0: nothing is kept for reuse.
    pub free: usize,
    /// Always 0: the system's allocator is not asked.
    pub touched: usize,
}

/// Executable memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    live: Arc<AtomicUsize>,
}

/// Executable memory of one piece of code; freed when dropped.
pub(crate) struct Block {
    module: Option<JITModule>,
    address: usize,
    len: usize,
    live: Arc<AtomicUsize>,
    _unwind: Registration,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

// SAFETY: the module is only touched again when the block is dropped; its memory may be executed
// by any thread.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Memory {
    pub(crate) fn stats(&self) -> CodeMemory {
        CodeMemory {
            live: self.live.load(Ordering::Relaxed),
            ..CodeMemory::default()
        }
    }

    /// Absolute relocations are filled in before the module copies the bytes, so that it has
    /// none to resolve.
    pub(crate) fn install(
        &self,
        code: &Code,
        patch: impl FnOnce(&mut [u8], usize),
    ) -> io::Result<Block> {
        if code.relocs.iter().any(|reloc| reloc.target == Target::Own) {
            return Err(io::Error::other("code that names its own address"));
        }
        let mut bytes = code.bytes.to_vec();
        patch(&mut bytes, 0);
        let builder = JITBuilder::new(default_libcall_names()).map_err(io::Error::other)?;
        let mut module = JITModule::new(builder);
        let signature = module.make_signature();
        let id = module
            .declare_anonymous_function(&signature)
            .map_err(io::Error::other)?;
        module
            .define_function_bytes(id, u64::from(code.align), &bytes, &[])
            .map_err(io::Error::other)?;
        module.finalize_definitions().map_err(io::Error::other)?;
        let address = module.get_finalized_function(id) as usize;
        self.live.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(Block {
            module: Some(module),
            address,
            len: bytes.len(),
            live: Arc::clone(&self.live),
            _unwind: Registration::new(address, bytes.len()),
        })
    }
}

impl Block {
    /// Where the code is executed.
    pub(crate) fn address(&self) -> usize {
        self.address
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.live.fetch_sub(self.len, Ordering::Relaxed);
        if let Some(module) = self.module.take() {
            // SAFETY: whoever calls the code holds this block, so nothing runs in it now.
            unsafe { module.free_memory() };
        }
    }
}
