//! The pages of the book: `docs/book` through mdBook, as a library, so that building them needs
//! nothing that must be installed first.

use anyhow::{Context as _, Result};
use mdbook_driver::MDBook;
use std::path::{Path, PathBuf};

/// Where the book's text is.
#[must_use]
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book")
}

/// Builds all pages into a folder, whose first page is `index.html`.
///
/// # Errors
/// A chapter that is not there, or a folder that cannot be written.
pub fn build(into: &Path) -> Result<()> {
    let mut book = MDBook::load(source()).context("the book's summary or settings are wrong")?;
    book.config.build.build_dir = std::path::absolute(into)?;
    book.config.build.create_missing = false;
    book.build().context("the book's pages cannot be made")
}
