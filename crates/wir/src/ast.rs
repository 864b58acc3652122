//! The abstract syntax of Wir: plain data, comparable, without positions.
//!
//! Invariant: two definitions whose text differs only in white space and comments have equal
//! ASTs. Positions live beside the tree: every node carries a [`NodeId`] that indexes the
//! spans of its item, so compiled code names nodes and stays valid when a definition moves.

pub use crate::schedule::Choice;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

/// An identifier or an operator used as a function name (`+`, `==`, `!`).
pub type Name = Arc<str>;

/// Pre-order number of a node within its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// Half-open byte range in the text of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub lo: u32,
    /// One past the last byte.
    pub hi: u32,
}

/// A parsed file: its items in source order.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Definitions, in source order.
    pub items: Vec<Item>,
}

/// A definition and where it stands.
#[derive(Clone, Debug)]
pub struct Item {
    /// What is defined.
    pub kind: ItemKind,
    /// The whole definition.
    pub span: Span,
    /// The text of its file, if it was read from one and as long as somebody keeps that.
    pub text: Weak<Box<str>>,
    /// The span of every node of the item, indexed by [`NodeId`].
    pub spans: Arc<[Span]>,
    /// Equal definitions have equal ones, others hardly ever.
    pub checksum: u64,
}

/// The three kinds of definition.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `abstract type A <: B`
    Abstract(Arc<AbstractDef>),
    /// `struct P{T} <: A { x: T }`
    Struct(Arc<StructDef>),
    /// `fn f(x: T) where T <: Number { … }`
    Method(Arc<MethodDef>),
}

/// `abstract type NAME{PARAMS} <: PARENT`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AbstractDef {
    /// The node of the name.
    pub id: NodeId,
    /// The declared name.
    pub name: Name,
    /// Type parameters with their upper bounds.
    pub params: Vec<TypeParam>,
    /// Declared parent; `None` is `Any`.
    pub parent: Option<TypeExpr>,
}

/// `struct NAME{PARAMS} <: PARENT { FIELDS }`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructDef {
    /// The node of the name.
    pub id: NodeId,
    /// The declared name.
    pub name: Name,
    /// Type parameters with their upper bounds.
    pub params: Vec<TypeParam>,
    /// Declared parent; `None` is `Any`.
    pub parent: Option<TypeExpr>,
    /// Fields in declaration order; an untyped field is `Any`.
    pub fields: Vec<Param>,
}

/// A type variable with an optional upper bound (`None` is `Any`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypeParam {
    /// The node of the variable.
    pub id: NodeId,
    /// The variable's name.
    pub name: Name,
    /// Its upper bound.
    pub upper: Option<TypeExpr>,
}

/// A parameter of a method or a field of a struct.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    /// The node of the name.
    pub id: NodeId,
    /// The name.
    pub name: Name,
    /// The annotation; `None` is `Any`. `Vararg{T}` is allowed for the last parameter of a method.
    pub ty: Option<TypeExpr>,
}

/// What `inline fn`, `noinline fn` or nothing says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Inlining {
    /// The compiler decides.
    #[default]
    Auto,
    /// `inline fn`: always, except at recursive and run-time-dispatched calls.
    Always,
    /// `noinline fn`: never.
    Never,
}

/// One method of a generic function.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct MethodDef {
    /// The node of the name.
    pub id: NodeId,
    /// The generic function's name (an operator for `fn +(…)`).
    pub name: Name,
    /// Parameters in order.
    pub params: Vec<Param>,
    /// The variables of the `where` clause.
    pub vars: Vec<TypeParam>,
    /// The result annotation (`-> T`): checked, not converted.
    pub ret: Option<TypeExpr>,
    /// `inline` or `noinline`.
    pub inlining: Inlining,
    /// `kernel fn`.
    pub kernel: bool,
    /// The body.
    pub body: Block,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypeExpr {
    /// This node.
    pub id: NodeId,
    /// The constructor: a declared type, a variable, `Union`, `Tuple`, `Array`, `Vararg`, …
    pub name: Name,
    /// Arguments, where `{…}` was written (`Some(vec![])` for `Tuple{}`).
    pub args: Option<Vec<TypeArg>>,
}

/// An argument of a type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeArg {
    /// A type.
    Type(TypeExpr),
    /// An integer constant.
    Int(NodeId, i64),
}

/// Statements in braces; the value is that of the last statement if it is an expression.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Block {
    /// This node.
    pub id: NodeId,
    /// The statements.
    pub stmts: Vec<Stmt>,
}

impl Block {
    /// The node that gives the block's value: the last statement's expression, or what stands for
    /// the lack of one.
    #[must_use]
    pub fn value_node(&self) -> NodeId {
        match self.stmts.last() {
            Some(Stmt {
                kind: StmtKind::Expr(value),
                ..
            }) => value.id,
            Some(stmt) => stmt.id,
            None => self.id,
        }
    }
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Stmt {
    /// This node.
    pub id: NodeId,
    /// What it does.
    pub kind: StmtKind,
}

/// The kinds of statement.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum StmtKind {
    /// `var x = e`
    Var(Name, Expr),
    /// `x = e`
    Assign(Name, Expr),
    /// `xs[i] = e`: array and index, value.
    AssignIndex(Box<(Expr, Expr)>, Expr),
    /// `tune(x, [1, 2])`: a variable whose value is that of the schedule, one of these.
    Tune(Name, Vec<Choice>),
    /// An expression for its effect or as the value of its block.
    Expr(Expr),
    /// `while c { … }`
    While(Expr, Box<Block>),
    /// `for i in a..b { … }`
    For(Name, Box<(Expr, Expr)>, Box<Block>),
    /// `return` or `return e`
    Return(Option<Expr>),
    /// `break`
    Break,
    /// `continue`
    Continue,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Expr {
    /// This node.
    pub id: NodeId,
    /// What it computes.
    pub kind: ExprKind,
}

/// The kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `42`, `0xff`, `-9223372036854775808`
    Int(i64),
    /// `1.5`, `1e-9`; compared by bits.
    Float(f64),
    /// `true`, `false`
    Bool(bool),
    /// `"text"`, unescaped.
    Str(Arc<str>),
    /// `nothing`
    Nothing,
    /// A variable or a function's name (the resolver decides: variables in scope first).
    Name(Name),
    /// `f(a, b)`: a call by name or of any expression's value. Operators are calls of their
    /// name: `a + b` is a call of `+` with `[a, b]`, `-a` one of `-` with `[a]`.
    Call(Call),
    /// `Pair{Int64, Int64}(1, 2)`: a constructor with explicit type arguments.
    New(Box<New>),
    /// A type in a value position, only as an argument of the forms that take one
    /// (`array(T, n)`, `trunc(T, x)`, `isa(x, T)`, `shared(T, n)`); parsed as a type when it
    /// carries `{…}`, otherwise a plain `Name` that the resolver reads as a type there.
    Type(Box<TypeExpr>),
    /// `(Integer, Int64)` as second argument of `invoke`: parsed as a tuple expression, read as
    /// types by the resolver. Everywhere else a tuple value `(a, b)`.
    Tuple(Box<[Expr]>),
    /// `e.field`
    Field(Box<(Expr, Name)>),
    /// `xs[i]`
    Index(Box<(Expr, Expr)>),
    /// `a && b`
    And(Box<(Expr, Expr)>),
    /// `a || b`
    Or(Box<(Expr, Expr)>),
    /// `if c { … } else { … }`; the `else` of an `else if` is a block of that one expression.
    If(Box<If>),
}

/// What a call calls and its arguments, side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Call(Box<[Expr]>);

impl Call {
    /// From the callee and, behind it, the arguments.
    ///
    /// # Panics
    /// If there is no callee.
    #[must_use]
    pub fn new(callee_and_args: Vec<Expr>) -> Call {
        assert!(!callee_and_args.is_empty(), "a call has a callee");
        Call(callee_and_args.into())
    }

    /// What is called.
    #[must_use]
    pub fn callee(&self) -> &Expr {
        &self.0[0]
    }

    /// The arguments.
    #[must_use]
    pub fn args(&self) -> &[Expr] {
        &self.0[1..]
    }

    /// The callee, then the arguments.
    #[must_use]
    pub fn all(&self) -> &[Expr] {
        &self.0
    }

    pub(crate) fn all_mut(&mut self) -> &mut [Expr] {
        &mut self.0
    }
}

/// `Pair{Int64, Int64}(1, 2)`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct New {
    /// The type.
    pub ty: TypeExpr,
    /// The fields.
    pub args: Vec<Expr>,
}

/// `if c { … } else { … }`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct If {
    /// The condition.
    pub cond: Expr,
    /// What happens if it is true.
    pub then: Block,
    /// What happens if it is false.
    pub otherwise: Option<Block>,
}

impl PartialEq for ExprKind {
    fn eq(&self, other: &Self) -> bool {
        use ExprKind::*;
        match (self, other) {
            (Int(a), Int(b)) => a == b,
            (Float(a), Float(b)) => a.to_bits() == b.to_bits(),
            (Bool(a), Bool(b)) => a == b,
            (Str(a), Str(b)) => a == b,
            (Nothing, Nothing) => true,
            // Names of one text, and most of texts that follow one another, are one.
            (Name(a), Name(b)) => Arc::ptr_eq(a, b) || a == b,
            (Call(a), Call(b)) => a == b,
            (New(a), New(b)) => a == b,
            (Type(a), Type(b)) => a == b,
            (Tuple(a), Tuple(b)) => a == b,
            (Field(a), Field(b)) => a == b,
            (Index(a), Index(b)) | (And(a), And(b)) | (Or(a), Or(b)) => a == b,
            (If(a), If(b)) => a == b,
            _ => false,
        }
    }
}

/// Equal kinds have equal hashes: floats count by their bits.
impl Hash for ExprKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        use ExprKind::*;
        std::mem::discriminant(self).hash(state);
        match self {
            Int(x) => x.hash(state),
            Float(x) => x.to_bits().hash(state),
            Bool(x) => x.hash(state),
            Str(s) => s.hash(state),
            Nothing => {}
            Name(name) => name.hash(state),
            Call(call) => (call.callee(), call.args()).hash(state),
            New(new) => new.hash(state),
            Type(ty) => ty.hash(state),
            Tuple(elems) => elems.hash(state),
            Field(field) => field.hash(state),
            Index(both) | And(both) | Or(both) => both.hash(state),
            If(parts) => parts.hash(state),
        }
    }
}
