//! Values that are kept for long and seldom read, as bytes of this session.

use super::{Malformed, Portable, Reader, Writer};
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

/// A value in a fraction of its memory: written as a [`Portable`] value is, but with the
/// session's own numbers for types, symbols, methods and instances.
///
/// Making and reading it cost one pass over the value. Equal values are equal when packed, as
/// long as `write` of equal values gives equal bytes.
pub struct Packed<T> {
    bytes: Box<[u8]>,
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
        let mut w = Writer::of_numbers(buffer);
        value.write(&mut w);
        let buffer = w.into_written();
        let bytes = Box::from(&buffer[..]);
        BUFFER.set(buffer);
        Packed {
            bytes,
            of: PhantomData,
        }
    }

    /// The value.
    ///
    /// # Panics
    /// If `read` of what `write` wrote fails: a broken law of [`Portable`].
    #[must_use]
    pub fn get(&self) -> T {
        let mut r = Reader::of_numbers(&self.bytes);
        let value = T::read(&mut r).expect("what was written can be read");
        r.finish().expect("what was written is read to its end");
        value
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl<T> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Packed {
            bytes: self.bytes.clone(),
            of: PhantomData,
        }
    }
}

impl<T> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T: Portable + fmt::Debug> fmt::Debug for Packed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Beyond the session it is written as the value itself.
impl<T: Portable> Portable for Packed<T> {
    fn write(&self, w: &mut Writer<'_>) {
        self.get().write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        T::read(r).map(|value| Packed::new(&value))
    }
}
