//! Fingerprints of values: the same in every session and on every machine.
//!
//! `#[derive(Hash)]` is the derive: a value is fed to BLAKE3 through [`StableHasher`], which
//! writes every number as explicit little-endian bytes of a fixed width. Maps without an order do
//! not implement `Hash`; pointers do, by address, and have no place in what is fingerprinted.

use std::hash::{Hash, Hasher};

/// A [`Hasher`] over BLAKE3 whose result depends on the values alone.
#[derive(Clone, Debug, Default)]
pub struct StableHasher(blake3::Hasher);

impl StableHasher {
    /// The digest of all that was written.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

macro_rules! little_endian {
    ($($name:ident: $ty:ty as $wide:ty),* $(,)?) => {
        $(fn $name(&mut self, x: $ty) {
            self.write(&(x as $wide).to_le_bytes());
        })*
    };
}

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    little_endian!(
        write_u16: u16 as u16, write_u32: u32 as u32, write_u64: u64 as u64,
        write_u128: u128 as u128, write_usize: usize as u64,
        write_i16: i16 as i16, write_i32: i32 as i32, write_i64: i64 as i64,
        write_i128: i128 as i128, write_isize: isize as i64,
    );

    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.fingerprint()[..8]);
        u64::from_le_bytes(first)
    }
}

/// The fingerprint of a value: for sources and keys. O(size).
///
/// ```
/// use worldage_engine::fingerprint_of;
/// #[derive(Hash)]
/// struct Layer { name: &'static str, width: usize }
/// let one = fingerprint_of(&Layer { name: "dense", width: 64 });
/// let other = fingerprint_of(&Layer { name: "dense", width: 65 });
/// assert_ne!(one, other);
/// ```
#[must_use]
pub fn fingerprint_of<T: Hash + ?Sized>(value: &T) -> [u8; 32] {
    let mut hasher = StableHasher::default();
    value.hash(&mut hasher);
    hasher.fingerprint()
}

/// The first 64 bits of [`fingerprint_of`]: for the parts of a summary.
#[must_use]
pub fn digest_of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = StableHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Hash)]
    enum Node {
        Leaf(u16),
        Named(&'static str, usize),
    }

    #[test]
    fn bytes_do_not_depend_on_the_machine() {
        // The bytes of `Leaf(1)`: its discriminant as 64 bits, then two bytes.
        let mut expected = StableHasher::default();
        expected.write(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(fingerprint_of(&Node::Leaf(1)), expected.fingerprint());
        assert_ne!(digest_of(&Node::Leaf(1)), digest_of(&Node::Named("", 1)));
    }
}
