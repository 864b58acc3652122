//! The three stages: types of trees on columns' types, a loop over rows with users' functions
//! inlined, and memory for it.

use crate::kernel;
use crate::parse::{Expr, Function, Operator, Select};
use cranelift_codegen::isa::OwnedTargetIsa;
use std::fmt;
use std::sync::Arc;
use worldage::dispatch::{Decl, DeclKind, Symbol, Ty, TyKind, Types};
use worldage::embed::native::{NativeCode, NativeFunction};
use worldage::engine::{CodegenCx, Compiler, Expose, Exposed, InferCx, LinkCx, Mi, Resolved, Stop};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `Int64`, wrapping.
    Int,
    /// `Float64`.
    Float,
    /// `Bool`.
    Bool,
}

impl Kind {
    /// All, in the order of [`Queries`]' types.
    pub const ALL: [Kind; 3] = [Kind::Int, Kind::Float, Kind::Bool];

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Int => "Int64",
            Kind::Float => "Float64",
            Kind::Bool => "Bool",
        }
    }
}

/// The compiler of queries and of users' functions.
pub struct Queries {
    isa: OwnedTargetIsa,
    types: [Ty; 3],
}

/// A method's body.
#[derive(Debug, PartialEq)]
pub enum Source {
    /// A user's function.
    Function(Function),
    /// A query.
    Select(Select),
}

/// An expression whose types and callees are known. Calls have all they need: a body is inlined.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    pub(crate) kind: Kind,
    pub(crate) node: Node,
}

/// What a typed expression is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Param(usize),
    Int(i64),
    /// The bits, so that equality is that of the text.
    Float(u64),
    Bool(bool),
    Not(Box<Typed>),
    Negate(Box<Typed>),
    ToFloat(Box<Typed>),
    Binary(Operator, Box<Typed>, Box<Typed>),
    Call(Mi, Vec<Typed>),
}

/// A method on columns' types.
#[derive(Debug, PartialEq)]
pub struct Inferred {
    /// Of the parameters.
    pub(crate) params: Vec<Kind>,
    /// Its value.
    pub(crate) value: Typed,
    /// Of a query: which rows.
    pub(crate) filter: Option<Typed>,
}

/// Machine code that needs nothing else.
#[derive(PartialEq)]
pub struct Code {
    /// What its values are.
    pub(crate) returns: Kind,
    native: NativeCode,
}

/// All that callers see: what a function returns.
impl Expose for Inferred {
    type Value = Kind;

    fn expose(&self) -> Kind {
        self.value.kind
    }
}

impl Compiler for Queries {
    type Source = Source;
    type Inferred = Inferred;
    type Summary = Exposed<Kind>;
    type Code = Code;
    type Linked = NativeFunction;
    type Shard = String;

    fn infer(&self, cx: &mut InferCx<'_, Self>, mi: Mi, source: &Source) -> Result<Inferred, Stop> {
        let types = cx.types();
        let TyKind::Tuple { elems: args, .. } = types.kind(cx.key(mi).args) else {
            return wrong("arguments are a tuple");
        };
        let params = args.iter().map(|ty| self.kind(types, *ty));
        let params: Vec<Kind> = params.collect::<Result<_, Stop>>()?;
        let mut inference = Inference {
            compiler: self,
            cx,
            params: &params,
        };
        let (value, filter) = match source {
            Source::Function(function) => (inference.expr(&function.body)?, None),
            Source::Select(select) => {
                let filter = select.filter.as_ref().map(|filter| inference.expr(filter));
                (inference.expr(&select.value)?, filter.transpose()?)
            }
        };
        if let Some(filter) = filter.as_ref().filter(|filter| filter.kind != Kind::Bool) {
            return wrong(format!("`where` takes a Bool, not {}", filter.kind.name()));
        }
        Ok(Inferred {
            params,
            value,
            filter,
        })
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        _: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<Code, Stop> {
        let function = kernel::build(&self.isa, inferred, &mut |callee| cx.inferred(callee))?;
        Ok(Code {
            returns: inferred.value.kind,
            native: NativeCode::compile(&self.isa, function)?,
        })
    }

    fn link(
        &self,
        _: &mut LinkCx<'_, Self>,
        _: Mi,
        code: &Arc<Code>,
    ) -> Result<NativeFunction, Stop> {
        // Everything is inlined: it names nothing.
        Ok(code.native.install(&self.isa, |_| std::ptr::null())?)
    }
}

fn wrong<T>(why: impl fmt::Display) -> Result<T, Stop> {
    Err(Stop::failed(why.to_string()))
}

impl Queries {
    /// A compiler for an ISA; declares its types.
    pub fn new(isa: OwnedTargetIsa, types: &Types) -> Queries {
        let types = Kind::ALL.map(|kind| {
            let decl = Decl::leaf(types.symbol(kind.name()), DeclKind::Concrete, Ty::ANY);
            types.leaf(types.declare(decl).expect("a type under Any"))
        });
        Queries { isa, types }
    }

    /// The type of values of a kind.
    pub fn ty(&self, kind: Kind) -> Ty {
        self.types[kind as usize]
    }

    fn kind(&self, types: &Types, ty: Ty) -> Result<Kind, Stop> {
        let found = Kind::ALL.into_iter().find(|kind| self.ty(*kind) == ty);
        found.ok_or_else(|| Stop::failed(format!("{} is no column's type", types.display(ty))))
    }
}

struct Inference<'a, 'b> {
    compiler: &'a Queries,
    cx: &'a mut InferCx<'b, Queries>,
    params: &'a [Kind],
}

impl Inference<'_, '_> {
    fn expr(&mut self, expr: &Expr) -> Result<Typed, Stop> {
        let (kind, node) = match expr {
            Expr::Param(ix) => (self.params[*ix], Node::Param(*ix)),
            Expr::Int(value) => (Kind::Int, Node::Int(*value)),
            Expr::Float(value) => (Kind::Float, Node::Float(value.to_bits())),
            Expr::Bool(value) => (Kind::Bool, Node::Bool(*value)),
            Expr::Not(inner) => match self.expr(inner)? {
                inner if inner.kind == Kind::Bool => (Kind::Bool, Node::Not(Box::new(inner))),
                inner => return wrong(format!("`not` takes a Bool, not {}", inner.kind.name())),
            },
            Expr::Negate(inner) => match self.expr(inner)? {
                inner if inner.kind == Kind::Bool => return wrong("`-` takes a number, not Bool"),
                inner => (inner.kind, Node::Negate(Box::new(inner))),
            },
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                return binary(*operator, left, right);
            }
            Expr::Call(name, args) => return self.call(name, args),
        };
        Ok(Typed { kind, node })
    }

    fn call(&mut self, name: &str, args: &[Expr]) -> Result<Typed, Stop> {
        let args: Vec<Typed> = args
            .iter()
            .map(|arg| self.expr(arg))
            .collect::<Result<_, _>>()?;
        let types = self.cx.types();
        let tuple: Vec<Ty> = args.iter().map(|arg| self.compiler.ty(arg.kind)).collect();
        let tuple = types.tuple(&tuple);
        let symbol: Symbol = types.symbol(name);
        let shown = || {
            let kinds: Vec<&str> = args.iter().map(|arg| arg.kind.name()).collect();
            format!("{name}({})", kinds.join(", "))
        };
        let mi = match self.cx.lookup(symbol, tuple)? {
            Resolved::Method(mi) => mi,
            Resolved::NoMethod => return wrong(format!("no method takes {}", shown())),
            Resolved::Ambiguous(_) => return wrong(format!("{} is ambiguous", shown())),
        };
        match self.cx.read(mi, &Exposed::VALUE)? {
            Some(kind) => Ok(Typed {
                kind,
                node: Node::Call(mi, args),
            }),
            None => wrong(format!("{} calls itself: it cannot be inlined", shown())),
        }
    }
}

/// An operator on operands of one kind: an integer beside a float becomes one.
fn binary(operator: Operator, left: Typed, right: Typed) -> Result<Typed, Stop> {
    let (a, b) = (left.kind, right.kind);
    let is_logical = operator.is_logical();
    let fits = match (a, b) {
        (Kind::Bool, Kind::Bool) => {
            is_logical || matches!(operator, Operator::Equal | Operator::NotEqual)
        }
        (Kind::Bool, _) | (_, Kind::Bool) => false,
        _ => !is_logical,
    };
    if !fits {
        let (a, b) = (a.name(), b.name());
        return wrong(format!("{operator:?} does not take {a} and {b}"));
    }
    let is_float = a == Kind::Float || b == Kind::Float || operator == Operator::Div;
    let operand = |typed: Typed| match typed.kind {
        Kind::Int if is_float => Typed {
            kind: Kind::Float,
            node: Node::ToFloat(Box::new(typed)),
        },
        _ => typed,
    };
    let (left, right) = (operand(left), operand(right));
    let kind = match operator.is_comparison() {
        true => Kind::Bool,
        false => left.kind,
    };
    let node = Node::Binary(operator, Box::new(left), Box::new(right));
    Ok(Typed { kind, node })
}
