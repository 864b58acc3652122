//! Lines of C with their indentation, and labels that are written only where something jumps.

use std::collections::BTreeSet;
use worldage_wir::ir::Blk;

#[derive(Clone, Debug)]
enum Line {
    Code(usize, String),
    /// Of a block, or of the next round of the loop that it heads.
    Label(Blk, bool),
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
        self.lines.push(Line::Label(blk, false));
    }

    pub(super) fn again(&mut self, header: Blk) {
        self.lines.push(Line::Label(header, true));
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
        self.lines
            .extend(piece.lines.into_iter().map(|line| match line {
                Line::Code(depth, text) => Line::Code(depth - 1, text),
                label => label,
            }));
    }

    /// Whether there is no statement.
    pub(super) fn is_empty(&self) -> bool {
        self.lines
            .iter()
            .all(|line| matches!(line, Line::Label(..)))
    }

    /// Whether the piece is one statement.
    pub(super) fn is_only(&self, statement: &str) -> bool {
        matches!(&self.lines[..], [Line::Code(_, text)] if text == statement)
    }

    /// Writes everything, with the labels that something jumps to.
    pub(super) fn render(&self, jumped: &BTreeSet<(Blk, bool)>, out: &mut String) {
        for line in &self.lines {
            match line {
                Line::Code(depth, text) => {
                    out.extend(std::iter::repeat_n("    ", *depth));
                    out.push_str(text);
                    out.push('\n');
                }
                Line::Label(blk, again) if jumped.contains(&(*blk, *again)) => {
                    let label = if *again { "again" } else { "L" };
                    out.push_str(&format!("{label}{}:;\n", blk.0));
                }
                Line::Label(..) => {}
            }
        }
    }
}
