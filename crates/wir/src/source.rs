//! What a method's body is: the engine's `Source` for Wir.
//!
//! Invariant: equality decides whether a redefinition is one, so positions are not part of it.

use crate::ast::{Item, MethodDef, Span};
use crate::builtins::BuiltinId;
use crate::host::HostBody;
use std::ops::Range;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock, Weak};
use worldage_dispatch::DeclId;
use worldage_engine::Text;

/// The source of a method.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A built-in operation: expanded at the call by its recipe, without stages of its own.
    Builtin(BuiltinId),
    /// The default constructor of a struct: an intrinsic like a built-in operation.
    Constructor(DeclId),
    /// A method that the program wrote.
    Method(Arc<MethodSource>),
}

/// A method that the program wrote.
#[derive(Debug)]
pub struct MethodSource {
    /// Its definition.
    pub def: Arc<MethodDef>,
    /// Its file's text and where it stands there, if it was read from one. Whole files are not
    /// kept for the few methods that were edited with them.
    text: (Weak<Box<str>>, Span),
    /// The definition's checksum, if it was read from a text.
    checksum: Option<u64>,
    /// What runs in place of a body, for a method of the host.
    pub host: Option<Arc<HostBody>>,
    /// Where its untyped SSA stood among those that were lowered last.
    pub(crate) lowered_at: AtomicU32,
    /// What it is called beyond the session.
    digest: OnceLock<[u8; 32]>,
}

impl MethodSource {
    /// From a definition.
    #[must_use]
    pub fn new(def: Arc<MethodDef>) -> MethodSource {
        MethodSource {
            def,
            text: (Weak::new(), Span::default()),
            checksum: None,
            host: None,
            lowered_at: AtomicU32::new(0),
            digest: OnceLock::new(),
        }
    }

    /// The same, read from a text.
    #[must_use]
    pub(crate) fn read_from(item: &Item, def: Arc<MethodDef>) -> MethodSource {
        MethodSource {
            text: (Weak::clone(&item.text), item.span),
            checksum: Some(item.checksum),
            ..MethodSource::new(def)
        }
    }

    /// The text of its file, if that is still there, and where it stands in it.
    pub(crate) fn text(&self) -> Option<(Text, Range<usize>)> {
        let (text, span) = &self.text;
        Some((text.upgrade()?, span.lo as usize..span.hi as usize))
    }

    /// A declaration that the host runs.
    #[must_use]
    pub fn of_host(def: Arc<MethodDef>, body: Arc<HostBody>) -> MethodSource {
        MethodSource {
            host: Some(body),
            ..MethodSource::new(def)
        }
    }

    /// Its digest, computed once.
    pub(crate) fn digest(&self, compute: impl FnOnce(&MethodDef) -> [u8; 32]) -> [u8; 32] {
        *self.digest.get_or_init(|| compute(&self.def))
    }
}

impl PartialEq for MethodSource {
    fn eq(&self, other: &Self) -> bool {
        let same_host = match (&self.host, &other.host) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        // The old one was read long ago: what differs is better not looked for in all of it.
        let differ = matches!((self.checksum, other.checksum), (Some(a), Some(b)) if a != b);
        same_host && !differ && self.def == other.def
    }
}

#[cfg(test)]
mod tests {
    use super::MethodSource;
    use crate::ast::ItemKind;
    use crate::diag::Sources;
    use crate::syntax::parse_file;
    use std::sync::Arc;

    fn source(text: &str) -> MethodSource {
        let mut sources = Sources::new();
        let file = sources.add("one.wir", text);
        let item = &parse_file(&sources, file).file.items[0];
        let ItemKind::Method(def) = &item.kind else {
            panic!("it is a method")
        };
        MethodSource::read_from(item, Arc::clone(def))
    }

    #[test]
    fn a_source_is_its_definition_and_not_its_text() {
        let one = source("fn f(x) { var y = x * 1000 + 1\n y }");
        let other = source("fn f(x) {\n  var y = (x * 1_000) + 0x1 # the same\n  (y)\n}");
        assert!(one == other);
        assert!(one == MethodSource::new(Arc::clone(&other.def)));
        for changed in [
            "fn f(x) { var y = x * 1000 + 2\n y }",
            "fn f(x) { var z = x * 1000 + 1\n z }",
            "fn f(x) { var y = x * 1000 - 1\n y }",
            "fn f(x: Int64) { var y = x * 1000 + 1\n y }",
            "inline fn f(x) { var y = x * 1000 + 1\n y }",
        ] {
            assert!(one != source(changed), "{changed}");
        }
    }

    #[test]
    fn a_source_names_its_text_and_does_not_keep_it() {
        let mut sources = Sources::new();
        let text = "# One.\nfn f() { 1 }\nfn g() { 2 }";
        let file = sources.add("two.wir", text);
        let parsed = parse_file(&sources, file);
        let item = &parsed.file.items[1];
        let ItemKind::Method(def) = &item.kind else {
            panic!("it is a method")
        };
        let source = MethodSource::read_from(item, Arc::clone(def));
        let (whole, range) = source.text().expect("it is there");
        assert_eq!((&**whole == text, &whole[range]), (true, "fn g() { 2 }"));
        drop(whole);
        sources.remove(file);
        assert!(source.text().is_none());
    }
}
