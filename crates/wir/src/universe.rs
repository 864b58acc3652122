//! The types that Wir programs live in: the lattice, the built-in types, and what is known about
//! declared structs and functions.
//!
//! Invariants: append-only and shared by reference between the compiler, the interpreter and every
//! backend; an entry, once made, never changes. Which *name* means which declaration is a question
//! of the world and is answered by [`crate::env`], never here.

use crate::ast::{Name, NodeId};
use crate::env::TypeMemo;
use crate::prim::Scalar;
use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use std::sync::Arc;
use worldage_dispatch::{Arg, Decl, DeclId, DeclKind, ParamDecl, Symbol, Ty, TyKind, TypeError};
use worldage_dispatch::{Sig, TypeVar, Types};

/// The built-in types.
#[derive(Clone, Copy, Debug)]
pub struct Prelude {
    /// `Number`
    pub number: Ty,
    /// `Integer`
    pub integer: Ty,
    /// `AbstractFloat`
    pub abstract_float: Ty,
    /// `Function`, above every function's singleton type.
    pub function: Ty,
    /// `Nothing`
    pub nothing: Ty,
    /// `String`
    pub string: Ty,
    /// `Bool`
    pub bool: Ty,
    /// `Int64`
    pub int64: Ty,
    /// `Float64`
    pub float64: Ty,
    /// The declaration of `Array{T}`.
    pub array: DeclId,
}

/// A field of a declared struct.
#[derive(Clone, Debug)]
pub struct FieldInfo {
    /// Its name.
    pub name: Name,
    /// Its declared type, over the parameters of the struct as `Var(i)`.
    pub ty: Ty,
    /// The node of its name.
    pub node: NodeId,
}

/// What is known about a declared struct.
#[derive(Clone, Debug)]
pub struct StructInfo {
    /// The declaration.
    pub decl: DeclId,
    /// The printed name.
    pub name: Name,
    /// How many type parameters it has.
    pub params: usize,
    /// Its fields in order.
    pub fields: Vec<FieldInfo>,
    /// The signature of the default constructor; `None` where the arguments do not determine
    /// every parameter, so that it can only be made with explicit type arguments.
    pub constructor: Option<Sig>,
}

impl StructInfo {
    /// The place of a field.
    #[must_use]
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| &*field.name == name)
    }
}

/// The fields of one closed struct or tuple type.
#[derive(Clone, Debug)]
pub struct Fields {
    /// The declaration; `None` for tuples.
    pub info: Option<Arc<StructInfo>>,
    /// The field types, closed.
    pub tys: Arc<[Ty]>,
}

/// See the module's documentation.
pub struct Universe {
    types: Arc<Types>,
    prelude: Prelude,
    /// The handle of `Bool`; the other scalars follow in the order of [`Scalar::ALL`].
    first_scalar: usize,
    scalars: [Ty; 11],
    prelude_names: Vec<(&'static str, DeclId)>,
    structs: DashMap<DeclId, Arc<StructInfo>, FxBuildHasher>,
    fields: DashMap<Ty, Fields, FxBuildHasher>,
    functions: DashMap<Symbol, Ty, FxBuildHasher>,
    function_names: DashMap<DeclId, Symbol, FxBuildHasher>,
    memo: TypeMemo,
}

impl std::fmt::Debug for Universe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Universe")
            .field("types", &self.types)
            .field("structs", &self.structs.len())
            .field("functions", &self.functions.len())
            .finish_non_exhaustive()
    }
}

impl Default for Universe {
    fn default() -> Self {
        Self::new()
    }
}

impl Universe {
    /// The built-in types in a lattice of their own.
    #[must_use]
    pub fn new() -> Universe {
        Universe::in_types(Arc::new(Types::new()))
    }

    /// The built-in types in a given lattice, to which no other universe may belong.
    ///
    /// # Panics
    /// Never: the built-in declarations are well-formed.
    #[must_use]
    pub fn in_types(types: Arc<Types>) -> Universe {
        let mut names = Vec::new();
        let mut declare = |name: &'static str, kind, parent| {
            let decl = Decl::leaf(types.symbol(name), kind, parent);
            let id = types
                .declare(decl)
                .expect("built-in declarations are well-formed");
            names.push((name, id));
            id
        };
        let number = types.leaf(declare("Number", DeclKind::Abstract, Ty::ANY));
        let integer = types.leaf(declare("Integer", DeclKind::Abstract, number));
        let abstract_float = types.leaf(declare("AbstractFloat", DeclKind::Abstract, number));
        let function = types.leaf(declare("Function", DeclKind::Abstract, Ty::ANY));
        let scalars = Scalar::ALL.map(|scalar| {
            let parent = match scalar {
                Scalar::Bool => Ty::ANY,
                s if s.is_int() => integer,
                _ => abstract_float,
            };
            types.leaf(declare(scalar.name(), DeclKind::Concrete, parent))
        });
        let nothing = types.leaf(declare("Nothing", DeclKind::Concrete, Ty::ANY));
        let string = types.leaf(declare("String", DeclKind::Concrete, Ty::ANY));
        let array = types
            .declare(Decl {
                name: types.symbol("Array"),
                kind: DeclKind::Concrete,
                params: vec![ParamDecl {
                    name: types.symbol("T"),
                    upper: Ty::ANY,
                }],
                parent: Ty::ANY,
            })
            .expect("built-in declarations are well-formed");
        names.push(("Array", array));
        let first_scalar = scalars[0].index();
        assert!(
            scalars
                .iter()
                .zip(first_scalar..)
                .all(|(ty, ix)| ty.index() == ix),
            "the scalar types have consecutive handles"
        );
        let prelude = Prelude {
            number,
            integer,
            abstract_float,
            function,
            nothing,
            string,
            bool: scalars[Scalar::Bool as usize],
            int64: scalars[Scalar::I64 as usize],
            float64: scalars[Scalar::F64 as usize],
            array,
        };
        Universe {
            types,
            prelude,
            first_scalar,
            scalars,
            prelude_names: names,
            structs: DashMap::default(),
            fields: DashMap::default(),
            functions: DashMap::default(),
            function_names: DashMap::default(),
            memo: TypeMemo::default(),
        }
    }

    /// The lattice.
    #[must_use]
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// The lattice, to share.
    #[must_use]
    pub fn types_arc(&self) -> &Arc<Types> {
        &self.types
    }

    /// The built-in types.
    #[must_use]
    pub fn prelude(&self) -> &Prelude {
        &self.prelude
    }

    /// The declaration of a built-in type by name (not `Any`, `Union`, `Tuple`, `Vararg`).
    #[must_use]
    pub fn prelude_decl(&self, name: &str) -> Option<DeclId> {
        let found = self.prelude_names.iter().find(|(known, _)| *known == name);
        found.map(|(_, decl)| *decl)
    }

    /// Whether a type name is built in, so that a program cannot define it.
    #[must_use]
    pub fn is_reserved_type(&self, name: &str) -> bool {
        matches!(name, "Any" | "Union" | "Tuple" | "Vararg") || self.prelude_decl(name).is_some()
    }

    /// The names of all built-in types, for suggestions.
    pub fn reserved_types(&self) -> impl Iterator<Item = &'static str> {
        let forms = ["Any", "Union", "Tuple", "Vararg"];
        forms
            .into_iter()
            .chain(self.prelude_names.iter().map(|(name, _)| *name))
    }

    /// The type of a scalar.
    #[must_use]
    pub fn scalar_ty(&self, scalar: Scalar) -> Ty {
        self.scalars[scalar as usize]
    }

    /// The scalar of a type, if it is one. O(1).
    #[must_use]
    pub fn scalar_of(&self, ty: Ty) -> Option<Scalar> {
        let ix = ty.index().checked_sub(self.first_scalar)?;
        Scalar::ALL.get(ix).copied()
    }

    /// `Array{elem}`.
    ///
    /// # Errors
    /// The type nests too deep.
    pub fn array_ty(&self, elem: Ty) -> Result<Ty, TypeError> {
        self.types.nominal(self.prelude.array, &[Arg::Ty(elem)])
    }

    /// The element type, if `ty` is an array type.
    #[must_use]
    pub fn array_elem(&self, ty: Ty) -> Option<Ty> {
        match self.types.kind(ty) {
            TyKind::Nominal { decl, args } if *decl == self.prelude.array => match args[..] {
                [Arg::Ty(elem)] => Some(elem),
                _ => None,
            },
            _ => None,
        }
    }

    /// The elements of a tuple type without a tail.
    #[must_use]
    pub fn tuple_elems(&self, ty: Ty) -> Option<&[Ty]> {
        match self.types.kind(ty) {
            TyKind::Tuple { elems, tail: None } => Some(elems),
            _ => None,
        }
    }

    /// The singleton type of a generic function, printed `typeof(f)`.
    ///
    /// # Panics
    /// Never: `Function` is abstract.
    pub fn function_ty(&self, function: Symbol) -> Ty {
        if let Some(ty) = self.functions.get(&function) {
            return *ty;
        }
        *self.functions.entry(function).or_insert_with(|| {
            let name = format!("typeof({})", self.types.symbol_str(function));
            let decl = Decl::leaf(
                self.types.symbol(&name),
                DeclKind::Concrete,
                self.prelude.function,
            );
            let decl = self
                .types
                .declare(decl)
                .expect("a singleton can stand under Function");
            self.function_names.insert(decl, function);
            self.types.leaf(decl)
        })
    }

    /// The function whose singleton type this is.
    #[must_use]
    pub fn function_of(&self, ty: Ty) -> Option<Symbol> {
        match self.types.kind(ty) {
            TyKind::Nominal { decl, .. } => self.function_names.get(decl).map(|name| *name),
            _ => None,
        }
    }

    /// What is known about a declared struct; `None` for abstract and built-in declarations.
    #[must_use]
    pub fn struct_info(&self, decl: DeclId) -> Option<Arc<StructInfo>> {
        self.structs.get(&decl).map(|info| Arc::clone(&info))
    }

    /// Adds what is known about a struct that was just declared, with its default constructor.
    pub(crate) fn add_struct(&self, decl: DeclId, name: Name, fields: Vec<FieldInfo>) {
        let declared = self.types.decl(decl);
        let vars: Vec<TypeVar> = declared
            .params
            .iter()
            .map(|param| TypeVar {
                name: param.name,
                upper: param.upper,
            })
            .collect();
        let tys: Vec<Ty> = fields.iter().map(|field| field.ty).collect();
        let determined = (0..vars.len()).all(|ix| tys.iter().any(|ty| self.mentions(*ty, ix)));
        let params = vars.len();
        let constructor = if determined {
            Sig::new(&self.types, &tys, None, vars).ok()
        } else {
            None
        };
        let info = StructInfo {
            decl,
            name,
            params,
            fields,
            constructor,
        };
        self.structs.insert(decl, Arc::new(info));
    }

    fn mentions(&self, ty: Ty, var: usize) -> bool {
        let arg = |arg: &Arg| matches!(arg, Arg::Ty(ty) if self.mentions(*ty, var));
        self.types.has_vars(ty)
            && match self.types.kind(ty) {
                TyKind::Var(ix) => *ix as usize == var,
                TyKind::Nominal { args, .. } => args.iter().any(arg),
                TyKind::Tuple { elems, tail } => {
                    elems.iter().chain(tail).any(|ty| self.mentions(*ty, var))
                }
                TyKind::Union(members) => members.iter().any(|ty| self.mentions(*ty, var)),
                TyKind::Bottom | TyKind::Any => false,
            }
    }

    /// The fields of a closed struct type or tuple type; `None` for everything else. Cached.
    #[must_use]
    pub fn fields(&self, ty: Ty) -> Option<Fields> {
        if let Some(fields) = self.fields.get(&ty) {
            return Some(fields.clone());
        }
        let fields = match self.types.kind(ty) {
            TyKind::Nominal { decl, args } => {
                let info = self.struct_info(*decl)?;
                let tys = info.fields.iter();
                let tys = tys
                    .map(|field| self.types.substitute(field.ty, args))
                    .collect();
                Fields {
                    info: Some(info),
                    tys,
                }
            }
            TyKind::Tuple { elems, tail: None } => Fields {
                info: None,
                tys: elems.iter().copied().collect(),
            },
            _ => return None,
        };
        self.fields.insert(ty, fields.clone());
        Some(fields)
    }

    /// Whether the type has exactly one value, which needs no memory: `Nothing`, a function, a
    /// struct or tuple of such.
    #[must_use]
    pub fn is_singleton(&self, ty: Ty) -> bool {
        ty == self.prelude.nothing
            || self.function_of(ty).is_some()
            || self
                .fields(ty)
                .is_some_and(|fields| fields.tys.iter().all(|ty| self.is_singleton(*ty)))
    }

    /// Whether all zero bits are a value of the type, so that `array(T, n)` can be read at once:
    /// scalars, singletons, and structs and tuples of such.
    #[must_use]
    pub fn has_zero(&self, ty: Ty) -> bool {
        self.scalar_of(ty).is_some()
            || ty == self.prelude.nothing
            || self.function_of(ty).is_some()
            || self
                .fields(ty)
                .is_some_and(|fields| fields.tys.iter().all(|ty| self.has_zero(*ty)))
    }

    pub(crate) fn type_memo(&self) -> &TypeMemo {
        &self.memo
    }
}
