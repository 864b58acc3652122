//! Wir source files: never a panic; positions lie in the text; what is right is printed and read
//! back as the same tree.

use worldage::Sources;
use worldage::wir::ast::{File, ItemKind};
use worldage::wir::syntax::{parse_file, print_file};

/// Checks one file.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let mut sources = Sources::new();
    let file = sources.add_bytes("fuzz.wir", data.to_vec());
    let parsed = parse_file(&sources, file);
    let text = sources.text(file);
    let is_place = |lo: u32, hi: u32| {
        let (lo, hi) = (lo as usize, hi as usize);
        lo <= hi && text.is_char_boundary(lo) && text.is_char_boundary(hi)
    };
    for diagnostic in &parsed.diagnostics {
        let place = diagnostic.place.expect("an error of a file has a place");
        assert!(
            is_place(place.span.lo, place.span.hi),
            "{}",
            diagnostic.message
        );
        assert!(!diagnostic.render(&sources).is_empty());
    }
    for item in &parsed.file.items {
        assert!(item.spans.iter().all(|span| is_place(span.lo, span.hi)));
    }
    let printed = print_file(&parsed.file);
    let file = sources.add("printed.wir", printed.as_str());
    let again = parse_file(&sources, file);
    if let Some(diagnostic) = again.diagnostics.first() {
        panic!("{printed}\n{}", diagnostic.render(&sources));
    }
    assert!(kinds(&again.file) == kinds(&parsed.file), "{printed}");
    assert_eq!(print_file(&again.file), printed);
}

fn kinds(file: &File) -> Vec<&ItemKind> {
    file.items.iter().map(|item| &item.kind).collect()
}
