//! Builds the book: `cargo run -p worldage-book [FOLDER]`, by default into `target/book`.

use anyhow::Result;
use std::path::PathBuf;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from("target/book"));
    worldage_book::build(&folder)?;
    eprintln!("the book is in {}", folder.join("index.html").display());
    Ok(())
}
