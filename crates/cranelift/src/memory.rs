//! Where code is put: our own arena, or with feature `portable` the memory of `cranelift-jit`.

#[cfg(not(feature = "portable"))]
mod own {
    use crate::arena::Arena;
    use crate::code::Code;
    use std::io;
    use std::sync::Arc;

    pub(crate) use crate::arena::Block;
    pub use crate::arena::CodeMemory;

    /// Executable memory.
    #[derive(Debug, Default)]
    pub(crate) struct Memory {
        arena: Arc<Arena>,
    }

    impl Memory {
        pub(crate) fn stats(&self) -> CodeMemory {
            self.arena.memory()
        }

        pub(crate) fn install(
            &self,
            code: &Code,
            patch: impl FnOnce(&mut [u8], usize),
        ) -> io::Result<Block> {
            self.arena.install(&code.bytes, patch)
        }
    }
}

#[cfg(feature = "portable")]
mod jit;

#[cfg(feature = "portable")]
pub use jit::CodeMemory;
#[cfg(feature = "portable")]
pub(crate) use jit::{Block, Memory};
#[cfg(not(feature = "portable"))]
pub use own::CodeMemory;
#[cfg(not(feature = "portable"))]
pub(crate) use own::{Block, Memory};
