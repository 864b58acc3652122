//! What a heap object looks like: a descriptor, for arrays and strings a length, then the data.

use crate::code::Content;
use worldage_dispatch::Ty;
use worldage_wir::layout::Mem;

/// Offset of the length of an array or string.
pub(crate) const LENGTH: i32 = 8;
/// Offset of the elements of an array or the bytes of a string.
pub(crate) const DATA: i32 = 16;

/// How the collector reads an object; immortal, owned by the loader.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// A box, or an array.
    pub(crate) content: Content,
    /// Bytes of the contents, or of one element.
    pub(crate) size: usize,
    /// Offsets of the words that may hold pointers, in the contents or in one element.
    pub(crate) pointers: Box<[u32]>,
}

impl Descriptor {
    pub(crate) fn new(content: Content, mem: &Mem) -> Descriptor {
        Descriptor {
            content,
            size: mem.size as usize,
            pointers: mem.pointers().collect(),
        }
    }
}

/// A dynamic value in memory, as thunks and the run-time system pass them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct DynVal {
    /// The type's tag: never 0 for a value.
    pub tag: u64,
    /// A scalar's bits, or a pointer.
    pub payload: u64,
}

/// The number that stands for a concrete type in compiled code.
pub(crate) fn tag_of(ty: Ty) -> u64 {
    ty.index() as u64 + 1
}
