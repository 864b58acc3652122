//! Decisions read from bytes: the end of the bytes decides everything with 0.

/// What is left of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// Whether nothing is left to decide with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// The next two bytes as a number.
    pub fn short(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// A number below `end`, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        let number = match end {
            0..=0x100 => usize::from(self.byte()),
            _ => self.short(),
        };
        number % end
    }

    /// One of `items`, which are not empty.
    pub fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }

    /// The next bytes, at most 255.
    pub fn run(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (run, rest) = self.0.split_at(len);
        self.0 = rest;
        run
    }
}
