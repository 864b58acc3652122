//! Lines of C with their indentation, and labels that are written only where something jumps.

use std::collections::BTreeSet;
use worldage_wir::ir::Blk;

#[derive(Clone, Debug)]
enum Line {
    Code(usize, String),
    Label(Blk),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    lines: Vec<Line>,
    indent: usize,
}

impl Text {
    /// An empty piece of text that will stand one level deeper.
    pub(super) fn deeper(&self) -> Text {
        Text {
            lines: Vec::new(),
            indent: self.indent + 1,
        }
    }

    pub(super) fn line(&mut self, text: impl Into<String>) {
        self.lines.push(Line::Code(self.indent, text.into()));
    }

    pub(super) fn label(&mut self, blk: Blk) {
        self.lines.push(Line::Label(blk));
    }

    pub(super) fn open(&mut self, text: impl Into<String>) {
        self.line(text);
        self.indent += 1;
    }

    pub(super) fn close(&mut self, text: &str) {
        self.indent -= 1;
        self.line(text);
    }

    /// Appends a piece at the depth that it was made for.
    pub(super) fn append(&mut self, piece: Text) {
        self.lines.extend(piece.lines);
    }

    /// Appends a piece one level less deep than it was made for.
    pub(super) fn append_outdented(&mut self, piece: Text) {
        self.lines.extend(piece.lines.into_iter().map(|line| match line {
            Line::Code(depth, text) => Line::Code(depth - 1, text),
            label => label,
        }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether the piece is one statement.
    pub(super) fn is_only(&self, statement: &str) -> bool {
        matches!(&self.lines[..], [Line::Code(_, text)] if text == statement)
    }

    /// Writes everything, with the labels that something jumps to.
    pub(super) fn render(&self, jumped: &BTreeSet<Blk>, out: &mut String) {
        for line in &self.lines {
            match line {
                Line::Code(depth, text) => {
                    out.extend(std::iter::repeat_n("    ", *depth));
                    out.push_str(text);
                    out.push('\n');
                }
                Line::Label(blk) if jumped.contains(blk) => {
                    out.push_str(&format!("L{}:;\n", blk.0));
                }
                Line::Label(_) => {}
            }
        }
    }
}
