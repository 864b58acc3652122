//! Values that are kept for long and seldom read, as bytes.

use super::names::Names;
use super::{Bytes, Malformed, Portable, Reader, Writer};
use crate::ids::Mi;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use worldage_dispatch::{MethodId, Symbol, Ty};

/// A value in a fraction of its memory: written as a [`Portable`] value is, but with a list of
/// what it mentions beside it, in which the bytes give places.
///
/// Making and reading it cost one pass over the value. Equal values are equal when packed, as
/// long as `write` of equal values gives equal bytes. Beyond the session the list is written by
/// what is on it and the bytes as they are, so that a value from a store is unpacked only when
/// somebody asks for it.
pub struct Packed<T> {
    bytes: Bytes,
    names: Names,
    of: PhantomData<fn() -> T>,
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<T: Portable> Packed<T> {
    /// Packs a value.
    #[must_use]
    pub fn new(value: &T) -> Packed<T> {
        let mut buffer = BUFFER.take();
        buffer.clear();
        let mut w = Writer::of_mentions(buffer);
        value.write(&mut w);
        let (buffer, names) = w.into_written();
        let bytes = Bytes::copy_from_slice(&buffer);
        BUFFER.set(buffer);
        Packed {
            bytes,
            names,
            of: PhantomData,
        }
    }

    /// The value.
    ///
    /// # Panics
    /// If `read` of what `write` wrote fails: a broken law of [`Portable`].
    #[must_use]
    pub fn get(&self) -> T {
        let mut r = Reader::of_names(&self.names, &self.bytes);
        let value = T::read(&mut r).expect("what was written can be read");
        r.finish().expect("what was written is read to its end");
        value
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len() + self.names.size()
    }
}

impl<T> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Packed {
            bytes: self.bytes.clone(),
            names: self.names.clone(),
            of: PhantomData,
        }
    }
}

impl<T> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.names == other.names
    }
}

impl<T> Eq for Packed<T> {}

impl<T: Portable + fmt::Debug> fmt::Debug for Packed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Law: whoever verified what the bytes come from has verified that they can be read.
impl<T: Portable> Portable for Packed<T> {
    fn write(&self, w: &mut Writer<'_>) {
        write_list(
            self.names.symbols(),
            |ix| Symbol::from_index(ix as usize),
            w,
        );
        write_list(self.names.types(), |ix| Ty::from_index(ix as usize), w);
        write_list(self.names.methods(), MethodId, w);
        write_list(self.names.instances(), Mi, w);
        w.bytes(&self.bytes);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let symbols: SmallVec<[Symbol; 8]> = SmallVec::read(r)?;
        let types: SmallVec<[Ty; 8]> = SmallVec::read(r)?;
        let methods: SmallVec<[MethodId; 8]> = SmallVec::read(r)?;
        let instances: SmallVec<[Mi; 8]> = SmallVec::read(r)?;
        Ok(Packed {
            names: Names::new(&symbols, &types, &methods, &instances),
            bytes: r.shared_bytes()?,
            of: PhantomData,
        })
    }
}

pub(super) fn write_list<T: Portable>(list: &[u32], of: fn(u32) -> T, w: &mut Writer<'_>) {
    w.number(list.len() as u64);
    list.iter().for_each(|ix| of(*ix).write(w));
}
