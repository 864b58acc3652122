//! A list that grows without moving what it holds and with little room to spare: units are large,
//! and there are many.

use std::ops::{Index, IndexMut};

/// Items of one allocation. The first chunk grows as a `Vec` does, so a short list is small.
const CHUNK: usize = 256;

pub(crate) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Chunks<T> {
    pub(crate) fn new() -> Self {
        Chunks(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        match self.0.split_last() {
            Some((last, full)) => full.len() * CHUNK + last.len(),
            None => 0,
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(item),
            last => {
                let mut chunk = Vec::with_capacity(if last.is_some() { CHUNK } else { 0 });
                chunk.push(item);
                self.0.push(chunk);
            }
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    #[inline]
    fn index(&self, ix: usize) -> &T {
        &self.0[ix / CHUNK][ix % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    #[inline]
    fn index_mut(&mut self, ix: usize) -> &mut T {
        &mut self.0[ix / CHUNK][ix % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_stays_at_its_place() {
        let mut chunks = Chunks::new();
        for n in 0..3 * CHUNK + 1 {
            assert_eq!(chunks.len(), n);
            chunks.push(n);
        }
        chunks.iter_mut().for_each(|n| *n *= 2);
        chunks[CHUNK] += 1;
        assert!((0..chunks.len()).all(|n| chunks[n] == 2 * n + usize::from(n == CHUNK)));
    }
}
