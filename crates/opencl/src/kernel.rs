//! A kernel that can be launched.

use crate::code::Code;
use std::sync::Arc;

/// A kernel of this session; its program is built when it is first launched.
#[derive(Debug)]
pub struct Kernel {
    code: Arc<Code>,
}

impl Kernel {
    /// A kernel that was not built yet.
    #[must_use]
    pub fn new(code: &Arc<Code>) -> Kernel {
        Kernel {
            code: Arc::clone(code),
        }
    }

    /// The artifact.
    #[must_use]
    pub fn code(&self) -> &Arc<Code> {
        &self.code
    }
}
