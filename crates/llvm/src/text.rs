//! LLVM's assembly while it is written: one function, block after block.
//!
//! Invariant: names are counted in the order of writing, so equal input gives equal text.

use std::fmt::{Display, Write};

/// A block under construction.
#[derive(Debug, Default)]
struct Block {
    label: String,
    /// Filled in when all jumps are known.
    phis: Vec<String>,
    lines: Vec<String>,
}

/// The body of a function.
#[derive(Debug, Default)]
pub(crate) struct Text {
    blocks: Vec<Block>,
    current: usize,
    names: u32,
    labels: u32,
}

impl Text {
    /// Begins a block with a name of its own; its index, for [`Text::phis`].
    pub(crate) fn begin(&mut self, label: impl Into<String>) -> usize {
        self.blocks.push(Block {
            label: label.into(),
            ..Block::default()
        });
        self.current = self.blocks.len() - 1;
        self.current
    }

    /// A label that no block has yet.
    pub(crate) fn label(&mut self, kind: &str) -> String {
        self.labels += 1;
        format!("{kind}.{}", self.labels)
    }

    /// The label of the block that is written to.
    pub(crate) fn here(&self) -> &str {
        &self.blocks[self.current].label
    }

    /// An instruction without a result.
    pub(crate) fn line(&mut self, text: impl Into<String>) {
        self.blocks[self.current].lines.push(text.into());
    }

    /// An instruction; the name of its result.
    pub(crate) fn value(&mut self, text: impl Display) -> String {
        let name = self.name();
        self.line(format!("{name} = {text}"));
        name
    }

    /// A name that no value has yet.
    pub(crate) fn name(&mut self) -> String {
        self.names += 1;
        format!("%t{}", self.names)
    }

    /// Adds a phi to a block that was begun before.
    pub(crate) fn phi(&mut self, block: usize, text: String) {
        self.blocks[block].phis.push(text);
    }

    /// Everything, without the braces.
    pub(crate) fn render(&self, out: &mut String) {
        for block in &self.blocks {
            let _ = writeln!(out, "{}:", block.label);
            for line in block.phis.iter().chain(&block.lines) {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
}
