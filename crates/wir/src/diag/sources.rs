//! The texts that programs came from, by file, with positions in lines and columns.
//!
//! Invariants: a [`FileId`] stays valid and its text unchanged until it is removed; a file read
//! again is a new file.
//! A position is found by binary search among the line starts, which the first search finds, plus
//! one walk over its line.

use std::sync::{Arc, OnceLock};
use worldage_engine::Text;

use crate::ast::Span;

/// A file in a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A position for people: both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineCol {
    /// The line.
    pub line: u32,
    /// The column.
    pub col: u32,
}

/// Why a file has no usable text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadText {
    /// The byte at this offset does not continue a UTF-8 text.
    InvalidUtf8(u32),
    /// Byte offsets do not fit 32 bits.
    TooLarge,
}

#[derive(Clone, Debug, Default)]
struct Source {
    name: Arc<str>,
    /// None once it was removed.
    text: Option<Text>,
    bad: Option<BadText>,
    /// The offset of the first byte of every line, once somebody asked for a position.
    line_starts: OnceLock<Arc<[u32]>>,
}

/// A growing set of named texts.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
    /// Removed files: their ids are given out again.
    free: Vec<FileId>,
}

impl Sources {
    /// An empty set.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a text under a name (a path, or something like `<repl 3>`).
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Box<str>>) -> FileId {
        self.insert(name.into(), text.into(), None)
    }

    /// Adds what was read from a file. Bytes that are no UTF-8 are kept, with replacement
    /// characters, so that the parser can report where they stand.
    pub fn add_bytes(&mut self, name: impl Into<Arc<str>>, bytes: Vec<u8>) -> FileId {
        match String::from_utf8(bytes) {
            Ok(text) => self.add(name, text),
            Err(error) => {
                let at = u32::try_from(error.utf8_error().valid_up_to()).unwrap_or(u32::MAX);
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                self.insert(name.into(), text.into(), Some(BadText::InvalidUtf8(at)))
            }
        }
    }

    fn insert(&mut self, name: Arc<str>, text: Box<str>, bad: Option<BadText>) -> FileId {
        // A span is two u32; one value is kept free so that the end of the text is a position too.
        let (text, bad) = if text.len() >= u32::MAX as usize {
            (Box::default(), Some(BadText::TooLarge))
        } else {
            (text, bad)
        };
        let source = Source {
            name,
            text: Some(Arc::new(text)),
            bad,
            line_starts: OnceLock::new(),
        };
        if let Some(id) = self.free.pop() {
            self.files[id.0 as usize] = source;
            return id;
        }
        self.files.push(source);
        FileId(self.files.len() as u32 - 1)
    }

    /// Lets go of a text to which nothing refers any more; its id may be given out again.
    pub fn remove(&mut self, file: FileId) {
        self.files[file.0 as usize] = Source::default();
        self.free.push(file);
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.files.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file's name.
    pub fn name(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].name
    }

    /// The file's text.
    pub fn text(&self, file: FileId) -> &str {
        let text = &self.files[file.0 as usize].text;
        text.as_ref().map_or("", |text| text)
    }

    /// The file's text, to be named without keeping it.
    pub(crate) fn shared_text(&self, file: FileId) -> Text {
        let text = self.files[file.0 as usize].text.as_ref();
        text.map(Arc::clone).unwrap_or_default()
    }

    pub(crate) fn bad(&self, file: FileId) -> Option<BadText> {
        self.files[file.0 as usize].bad
    }

    /// The line and column of a byte offset; an offset past the end is the end.
    pub fn line_col(&self, file: FileId, offset: u32) -> LineCol {
        let (line, start) = self.line_of(file, offset);
        let text = self.text(file);
        let end = floor_boundary(text, offset as usize);
        LineCol {
            line,
            col: text[start as usize..end].chars().count() as u32 + 1,
        }
    }

    /// `name:line:col` of the beginning of a span.
    pub fn position(&self, file: FileId, span: Span) -> String {
        let LineCol { line, col } = self.line_col(file, span.lo);
        format!("{}:{line}:{col}", self.name(file))
    }

    fn line_starts(&self, file: FileId) -> &[u32] {
        self.files[file.0 as usize].line_starts.get_or_init(|| {
            let ends = self.text(file).match_indices('\n');
            let starts = ends.map(|(at, _)| at as u32 + 1);
            std::iter::once(0).chain(starts).collect()
        })
    }

    /// The line (from 1) that holds an offset, and where it starts.
    fn line_of(&self, file: FileId, offset: u32) -> (u32, u32) {
        let starts = self.line_starts(file);
        let line = starts.partition_point(|&start| start <= offset);
        (line as u32, starts[line - 1])
    }

    /// The byte range, without its line end, of the line that holds an offset.
    pub(crate) fn line_range(&self, file: FileId, offset: u32) -> std::ops::Range<usize> {
        let (line, start) = self.line_of(file, offset);
        let text = self.text(file);
        let starts = self.line_starts(file);
        let end = match starts.get(line as usize) {
            Some(&next) => next as usize - 1,
            None => text.len(),
        };
        let start = start as usize;
        let end = if text[start..end].ends_with('\r') {
            end - 1
        } else {
            end
        };
        start..end
    }
}

/// The last character boundary that is not after `offset`.
pub(crate) fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
