//! What a method's body is: the engine's `Source` for Wir.
//!
//! Invariant: equality decides whether a redefinition is one, so positions are not part of it.

use crate::ast::{Item, MethodDef, Span};
use crate::builtins::BuiltinId;
use crate::host::HostBody;
use std::ops::Range;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};
use worldage_dispatch::DeclId;

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
    /// Its file's text and where it stands there, if it was read from one.
    text: Option<(Arc<str>, Span)>,
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
            text: None,
            host: None,
            lowered_at: AtomicU32::new(0),
            digest: OnceLock::new(),
        }
    }

    /// The same, read from a text.
    #[must_use]
    pub(crate) fn read_from(item: &Item, def: Arc<MethodDef>) -> MethodSource {
        MethodSource {
            text: item.text.clone().map(|text| (text, item.span)),
            ..MethodSource::new(def)
        }
    }

    /// The text of its file, and where it stands there.
    pub(crate) fn text(&self) -> Option<(&Arc<str>, Range<usize>)> {
        let (text, span) = self.text.as_ref()?;
        Some((text, span.lo as usize..span.hi as usize))
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
        same_host && self.def == other.def
    }
}
