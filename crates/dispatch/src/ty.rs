//! The words of the type lattice: handles of interned types, their structure, declarations.

/// An interned type. Equal handles are equal types; unequal handles may still be type-equal where
/// unions of tuples are involved (`Tuple{Union{A, B}}` and `Union{Tuple{A}, Tuple{B}}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ty(pub(crate) u32);

impl Ty {
    /// The empty type, `Union{}`.
    pub const BOTTOM: Ty = Ty(0);
    /// The type of all values.
    pub const ANY: Ty = Ty(1);

    /// A dense number, for side tables. It depends on the order of interning: never store it.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The type of this number, in the interner that gave the number.
    ///
    /// # Panics
    /// If no interner can have given it.
    #[must_use]
    #[inline]
    pub fn from_index(index: usize) -> Ty {
        Ty(u32::try_from(index).expect("an interned type has a smaller number"))
    }
}

/// A nominal declaration. A redefinition is another declaration, with another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeclId(pub u32);

impl DeclId {
    /// A dense number, for side tables.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An interned string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(pub(crate) u32);

impl Symbol {
    /// A dense number, for side tables. It depends on the order of interning: never store it.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The symbol of this number, in the interner that gave the number.
    ///
    /// # Panics
    /// If no interner can have given it.
    #[must_use]
    #[inline]
    pub fn from_index(index: usize) -> Symbol {
        Symbol(u32::try_from(index).expect("an interned symbol has a smaller number"))
    }
}

/// An invariant argument of a nominal type: a type or a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arg {
    /// A type, `Array{Int64}`.
    Ty(Ty),
    /// An integer constant, `Vec{3}`.
    Int(i64),
    /// A symbol constant, `Unit{:metre}`.
    Symbol(Symbol),
}

/// The structure of a type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TyKind {
    /// The empty type.
    Bottom,
    /// The type of all values.
    Any,
    /// A declared type with its invariant arguments.
    Nominal {
        /// The declaration.
        decl: DeclId,
        /// One argument per declared parameter.
        args: Box<[Arg]>,
    },
    /// A covariant tuple. No element is empty: a tuple with an empty element is `Bottom`.
    Tuple {
        /// The fixed elements.
        elems: Box<[Ty]>,
        /// `Vararg{T}`: any number of further elements of this type.
        tail: Option<Ty>,
    },
    /// At least two members, flattened, none a subtype of another, sorted by printed name.
    Union(Box<[Ty]>),
    /// The i-th variable of the enclosing signature, or the i-th parameter of the enclosing declaration.
    Var(u32),
}

/// Whether values can have exactly this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeclKind {
    /// No value has exactly this type; others may be declared under it.
    Abstract,
    /// Values have exactly this type; nothing can be declared under it.
    Concrete,
}

/// A nominal declaration: `struct Array{T} <: AbstractArray{T}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decl {
    /// The printed name. Names need not be unique here: who is meant is the session's business.
    pub name: Symbol,
    /// Abstract or concrete.
    pub kind: DeclKind,
    /// The type parameters, all invariant.
    pub params: Vec<ParamDecl>,
    /// The supertype, [`Ty::ANY`] if none. It may mention `Var(i)`, the i-th parameter.
    pub parent: Ty,
}

impl Decl {
    /// A declaration without parameters.
    #[must_use]
    pub fn leaf(name: Symbol, kind: DeclKind, parent: Ty) -> Self {
        Decl {
            name,
            kind,
            params: Vec::new(),
            parent,
        }
    }
}

/// A type parameter of a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamDecl {
    /// The printed name.
    pub name: Symbol,
    /// The upper bound of a type argument; it may mention earlier parameters. Constants need [`Ty::ANY`].
    pub upper: Ty,
}
