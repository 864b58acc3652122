//! Marking: from the roots and the stack through every object's descriptor.

use super::Heap;
use super::object::{DATA, Descriptor, LENGTH};
use crate::code::Content;

impl Heap {
    pub(super) fn mark(&mut self, stacks: &[std::ops::Range<usize>]) {
        self.pages.clear_marks();
        for ix in 0..self.roots.values.len() {
            let word = self.roots.values[ix].payload;
            self.mark_word(word as usize);
        }
        self.drain();
        for stack in stacks {
            for at in (stack.start.next_multiple_of(8)..stack.end).step_by(8) {
                // SAFETY: the caller names ranges of mapped, initialised stack memory.
                let word = unsafe { (at as *const usize).read_volatile() };
                self.mark_word(word);
                self.drain();
            }
        }
    }

    /// Marks the object that a word points into, if it does.
    #[inline]
    fn mark_word(&mut self, word: usize) {
        if let Some(object) = self.pages.mark(word) {
            self.mark_stack.push(object);
        }
    }

    fn drain(&mut self) {
        while let Some(object) = self.mark_stack.pop() {
            // SAFETY: a marked object is allocated, so its header is a descriptor, which lives as
            // long as the loader that the context holds.
            let descriptor = unsafe { &**(object as *const *const Descriptor) };
            if descriptor.pointers.is_empty() {
                continue;
            }
            let (data, count) = match descriptor.content {
                Content::Box => (object + 8, 1),
                Content::Array => {
                    // SAFETY: the length stands behind the header of every array.
                    let length = unsafe { *((object + LENGTH as usize) as *const usize) };
                    (object + DATA as usize, length)
                }
            };
            for ix in 0..count {
                for &offset in &descriptor.pointers {
                    let at = data + ix * descriptor.size + offset as usize;
                    // SAFETY: inside of the object, by its descriptor and length.
                    let word = unsafe { *(at as *const usize) };
                    self.mark_word(word);
                }
            }
        }
    }
}
