//! Scenario files: never a panic; what is right is printed and read back.

use worldage_testing::block::{Piece, parse, print};

/// Checks one file.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let pieces = match parse(text) {
        Ok(pieces) => pieces,
        Err((line, why)) => {
            assert!(
                line >= 1 && line <= text.lines().count() + 1,
                "{line}: {why}"
            );
            return;
        }
    };
    let printed = print(&pieces);
    let again = parse(&printed);
    let again = again.unwrap_or_else(|(line, why)| panic!("{printed}\nline {line}: {why}"));
    assert_eq!(blocks(&again), blocks(&pieces), "{printed}");
    assert_eq!(print(&again), printed);
}

/// What the blocks say, without where they stand.
fn blocks(pieces: &[Piece]) -> Vec<[&str; 4]> {
    let mut said = Vec::new();
    for piece in pieces {
        if let Piece::Block(block) = piece {
            said.push([
                &*block.session,
                &block.command,
                &block.body,
                &block.expected,
            ]);
        }
    }
    said
}
