//! The contexts through which stages learn everything; each question records its edge.

use crate::compiler::{Compiler, Part};
use crate::error::Stop;
use crate::ids::{Mi, MiKey, ShardId, ViewId};
use std::marker::PhantomData;
use std::sync::Arc;
use worldage_dispatch::{MethodId, Symbol, Ty, Types, World};

/// The answer to "which method takes this call?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// One method; the instance for these argument types.
    Method(Mi),
    /// No method takes them.
    NoMethod,
    /// Several do, none most specific: the candidates that no other match beats.
    Ambiguous(Arc<[MethodId]>),
}

/// One method that may take a call with abstract argument types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The method.
    pub method: MethodId,
    /// The argument types for which it is asked: its intersection with the call (a tuple type).
    pub args: Ty,
    /// The instance, where `args` is concrete.
    pub mi: Option<Mi>,
}

/// The answer to "which methods may take a call with these abstract argument types?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidates {
    /// At most the limit: the matches, whether together they cover every argument, and whether
    /// some argument would be ambiguous.
    Few {
        /// The matches.
        matches: Vec<Candidate>,
        /// Whether every argument is taken by one of them.
        covered: bool,
        /// Whether some arguments would be ambiguous.
        ambiguous: bool,
    },
    /// More than the limit.
    TooMany,
}

/// An external fact's name: its kind (for logs: `external`, `struct`, …) and key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalKey {
    /// `external`, `struct`, `abstract type`, …
    pub kind: &'static str,
    /// The name within the kind.
    pub name: Arc<str>,
}

/// What a stage `infer` may ask.
pub struct InferCx<'a, C: Compiler> {
    _todo: PhantomData<&'a C>,
}

#[expect(unused_variables, clippy::todo, missing_docs, reason = "being written")]
impl<'a, C: Compiler> InferCx<'a, C> {
    /// The lattice.
    pub fn types(&self) -> &'a Types {
        todo!()
    }
    /// The view that this instance is inferred in.
    pub fn view(&self) -> ViewId {
        todo!()
    }
    /// The world that is asked.
    pub fn world(&self) -> World {
        todo!()
    }
    /// What an instance stands for. No edge: an instance never changes its meaning.
    pub fn key(&self, mi: Mi) -> MiKey {
        todo!()
    }
    /// The values of the method's type variables for this instance (static parameters).
    pub fn bindings(&self, mi: Mi) -> Vec<worldage_dispatch::Arg> {
        todo!()
    }
    /// The embedder's number of an intrinsic method, if the instance's method is one. Intrinsics
    /// never change, have no stages and never appear in logs. No edge.
    pub fn intrinsic(&self, mi: Mi) -> Option<u32> {
        todo!()
    }
    /// Whether a table above the base has (or had) methods of this function in this view; while
    /// false, protected intrinsics need no lookup. An edge of its own.
    pub fn overlaid(&mut self, function: Symbol) -> Result<bool, Stop> {
        todo!()
    }
    /// The method for concrete argument types (a tuple type). *Lookup* edge.
    pub fn lookup(&mut self, function: Symbol, args: Ty) -> Result<Resolved, Stop> {
        todo!()
    }
    /// The methods for abstract argument types. *Lookup* edge.
    pub fn find_all(
        &mut self,
        function: Symbol,
        args: Ty,
        limit: usize,
    ) -> Result<Candidates, Stop> {
        todo!()
    }
    /// The method that answers an explicit signature, instantiated for concrete argument types.
    /// *Lookup* edge on the signature.
    pub fn invoke(&mut self, function: Symbol, sig: Ty, args: Ty) -> Result<Resolved, Stop> {
        todo!()
    }
    /// A part of a callee's summary. *Summary* edge on that part.
    pub fn read<V>(&mut self, callee: Mi, part: &Part<C::Summary, V>) -> Result<V, Stop> {
        todo!()
    }
    /// The value of an external fact; `None` if there is none. *External* edge, also on absence.
    pub fn external(&mut self, key: &ExternalKey) -> Result<Option<Arc<[u8]>>, Stop> {
        todo!()
    }
    /// An edge on an instance that the IR hides.
    pub fn depends_on(&mut self, callee: Mi) -> Result<(), Stop> {
        todo!()
    }
}

/// What a stage `codegen` may ask.
pub struct CodegenCx<'a, C: Compiler> {
    _todo: PhantomData<&'a C>,
}

#[expect(unused_variables, clippy::todo, missing_docs, reason = "being written")]
impl<'a, C: Compiler> CodegenCx<'a, C> {
    /// The lattice.
    pub fn types(&self) -> &'a Types {
        todo!()
    }
    /// The shard that code is made for.
    pub fn shard(&self) -> &'a C::Shard {
        todo!()
    }
    /// What an instance stands for.
    pub fn key(&self, mi: Mi) -> MiKey {
        todo!()
    }
    /// The embedder's number of an intrinsic method.
    pub fn intrinsic(&self, mi: Mi) -> Option<u32> {
        todo!()
    }
    /// A part of a callee's summary. *Summary* edge on that part.
    pub fn read<V>(&mut self, callee: Mi, part: &Part<C::Summary, V>) -> Result<V, Stop> {
        todo!()
    }
    /// A callee's body, to inline or fold it. *Body* edge.
    pub fn inferred(&mut self, callee: Mi) -> Result<Arc<C::Inferred>, Stop> {
        todo!()
    }
    /// Declares that the code calls this instance through its cell. *Code* edge; link may then
    /// ask for the cell.
    pub fn calls(&mut self, callee: Mi) {
        todo!()
    }
}

/// What a stage `link` may ask.
pub struct LinkCx<'a, C: Compiler> {
    _todo: PhantomData<&'a C>,
}

#[expect(unused_variables, clippy::todo, missing_docs, reason = "being written")]
impl<'a, C: Compiler> LinkCx<'a, C> {
    /// The shard.
    pub fn shard(&self) -> (&'a C::Shard, ShardId) {
        todo!()
    }
    /// The world that this code instance starts in.
    pub fn world(&self) -> World {
        todo!()
    }
    /// The address of the cell of a callee that codegen declared with [`CodegenCx::calls`]: a
    /// word that holds the entry to call, stable as long as this code instance lives.
    pub fn cell(&mut self, callee: Mi) -> *const usize {
        todo!()
    }
    /// What an instance stands for.
    pub fn key(&self, mi: Mi) -> MiKey {
        todo!()
    }
}
