//! The three stages: types of expressions on the types of arguments, machine code in which what
//! is known is decided, and memory for it.
//!
//! A call whose argument types are all known is resolved by inference and goes through a cell;
//! any other is dispatched when it is reached. Constructors, fields and arithmetic are methods
//! too, of one operation each, which codegen puts in place of their calls.

use crate::codegen;
use crate::runtime::{self, HostFunction, Objects};
use crate::syntax::{Expr, Method};
use cranelift_codegen::ir::UserExternalName;
use cranelift_codegen::isa::OwnedTargetIsa;
use std::sync::Arc;
use worldage::embed::native::{NativeCode, NativeFunction};
use worldage::embed::*;

/// The compiler of the language.
pub struct Lisp {
    pub(crate) isa: OwnedTargetIsa,
    pub(crate) objects: Arc<Objects>,
    pub(crate) thunks: crate::Thunks,
}

/// A method's body.
#[derive(Clone, PartialEq)]
pub enum Source {
    /// As it is written.
    Method(Arc<Method>),
    /// One operation on the parameters.
    Op(Op),
    /// A function of the host.
    Host(HostFunction),
}

/// An operation on values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Arithmetic, comparison and the like, by its place in [`PRIMITIVES`].
    Primitive(usize),
    /// A record of this type with all its fields.
    Make(Ty),
    /// A field of a record by its number.
    Field(usize),
}

/// What a primitive gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// An integer of integers, a float otherwise.
    Number,
    /// Always a value of this type, by its number in [`runtime::TYPES`].
    Type(usize),
}

/// Primitives: name, parameter types, result.
pub const PRIMITIVES: [(&str, &[&str], Gives); 11] = [
    ("+", &["Number", "Number"], Gives::Number),
    ("-", &["Number", "Number"], Gives::Number),
    ("*", &["Number", "Number"], Gives::Number),
    ("<", &["Number", "Number"], Gives::Type(runtime::BOOL)),
    ("=", &["Any", "Any"], Gives::Type(runtime::BOOL)),
    ("/", &["Number", "Number"], Gives::Type(runtime::FLOAT)),
    ("div", &["Int", "Int"], Gives::Type(runtime::INT)),
    ("rem", &["Int", "Int"], Gives::Type(runtime::INT)),
    ("str", &["Any"], Gives::Type(runtime::STR)),
    ("join", &["Str", "Str"], Gives::Type(runtime::STR)),
    ("print", &["Any"], Gives::Type(runtime::NIL)),
];

/// An expression whose type is known, or `Any`.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub(crate) ty: Ty,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Constant(Constant),
    Local(usize),
    If(Box<[Node; 3]>),
    Let(usize, Box<[Node; 2]>),
    Do(Vec<Node>),
    /// A call of a method that is known.
    Call(Mi, Vec<Node>),
    /// A call by name that is dispatched when it is reached.
    Dynamic(Arc<str>, Vec<Node>),
    /// A call of a value.
    Apply(Box<Node>, Vec<Node>),
    Closure(Arc<str>, Vec<Node>),
    Op(Op, Vec<Node>),
    Host(HostFunction, Vec<Node>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    Nil,
    Bool(bool),
    Int(i64),
    Float(u64),
    Str(Arc<str>),
    Function(Arc<str>),
}

/// A method on concrete types.
#[derive(PartialEq)]
pub struct Inferred {
    /// Its name, for errors.
    pub(crate) name: Arc<str>,
    /// The places of the parameters.
    pub(crate) params: Vec<usize>,
    pub(crate) places: usize,
    pub(crate) body: Node,
}

/// What callers rely on.
#[derive(Clone, PartialEq)]
pub struct Summary {
    ty: Ty,
    op: Option<Op>,
}

/// The type of the result.
const TYPE: Part<Summary, Ty> = Part {
    index: 0,
    name: "type",
    get: |summary| summary.ty,
};
/// The operation that the method is, if it is one.
pub(crate) const OP: Part<Summary, Option<Op>> = Part {
    index: 1,
    name: "op",
    get: |summary| summary.op,
};

impl Summarize<Inferred> for Summary {
    const PARTS: &'static [PartDigest<Summary>] = &[
        PartDigest {
            name: TYPE.name,
            digest: |summary| summary.ty.index() as u64,
        },
        PartDigest {
            name: OP.name,
            digest: |summary| digest_of(&summary.op),
        },
    ];

    fn of(inferred: &Inferred) -> Summary {
        let op = match &inferred.body.kind {
            Kind::Op(op, _) => Some(*op),
            _ => None,
        };
        let ty = inferred.body.ty;
        Summary { ty, op }
    }

    /// It never returns.
    fn bottom() -> Summary {
        Summary {
            ty: Ty::BOTTOM,
            op: None,
        }
    }

    fn widen(_: &Summary, new: &Summary) -> Summary {
        Summary {
            ty: Ty::ANY,
            op: new.op,
        }
    }
}

/// Machine code and what it names by number.
#[derive(PartialEq)]
pub struct Code {
    pub(crate) native: NativeCode,
    pub(crate) callees: Vec<Mi>,
    pub(crate) constants: Vec<Constant>,
    pub(crate) host: Option<HostFunction>,
}

/// Code in memory, and the function of the host that it calls.
pub struct Installed {
    native: NativeFunction,
    _host: Option<HostFunction>,
}

impl Linked for Installed {
    fn entry(&self) -> usize {
        self.native.entry()
    }
}

impl Compiler for Lisp {
    type Source = Source;
    type Inferred = Inferred;
    type Summary = Summary;
    type Code = Code;
    type Linked = Installed;
    type Shard = OneShard;

    fn infer(&self, cx: &mut InferCx<'_, Self>, mi: Mi, source: &Source) -> Result<Inferred, Stop> {
        let (types, key) = (cx.types(), cx.key(mi));
        let args = match types.kind(key.args) {
            TyKind::Tuple { elems, .. } => elems.to_vec(),
            _ => Vec::new(),
        };
        let name = types.symbol_str(key.function).into();
        let places = || args.iter().enumerate();
        let locals = || {
            places()
                .map(|(ix, ty)| node(*ty, Kind::Local(ix)))
                .collect()
        };
        let (params, places, body) = match source {
            Source::Op(op) => {
                let ty = self.gives(*op, &args);
                let body = node(ty, Kind::Op(*op, locals()));
                (places().map(|(ix, _)| ix).collect(), args.len(), body)
            }
            Source::Host(function) => {
                let body = node(Ty::ANY, Kind::Host(function.clone(), locals()));
                (places().map(|(ix, _)| ix).collect(), args.len(), body)
            }
            Source::Method(method) => {
                let params: Vec<usize> = method.params.iter().map(|(_, place)| *place).collect();
                let mut tys = vec![Ty::ANY; method.places];
                params
                    .iter()
                    .zip(&args)
                    .for_each(|(place, ty)| tys[*place] = *ty);
                let mut inference = Inference {
                    lisp: self,
                    cx,
                    tys,
                };
                let body = inference.expr(&method.body)?;
                (params, method.places, body)
            }
        };
        Ok(Inferred {
            name,
            params,
            places,
            body,
        })
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        _: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<Code, Stop> {
        let built = codegen::build(self, cx, inferred)?;
        let native = NativeCode::compile(&self.isa, built.function)?;
        Ok(Code {
            native,
            callees: built.callees,
            constants: built.constants,
            host: built.host,
        })
    }

    fn link(&self, cx: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<Code>) -> Result<Installed, Stop> {
        let address = |name: &UserExternalName| {
            let ix = name.index as usize;
            match name.namespace {
                codegen::CELL => cx.cell(code.callees[ix]).cast(),
                codegen::CONSTANT => self.objects.constant(&code.constants[ix]),
                codegen::HOST => code.host.as_ref().map_or(std::ptr::null(), |f| f.address()),
                _ => runtime::HELPERS[ix].address(),
            }
        };
        Ok(Installed {
            native: code.native.install(&self.isa, address)?,
            _host: code.host.clone(),
        })
    }
}

fn node(ty: Ty, kind: Kind) -> Node {
    Node { ty, kind }
}

impl Lisp {
    /// The type of what an operation gives on arguments of these types.
    fn gives(&self, op: Op, args: &[Ty]) -> Ty {
        let builtin = |number| self.objects.ty(number);
        match op {
            Op::Make(ty) => ty,
            Op::Field(_) => Ty::ANY,
            Op::Primitive(ix) => match PRIMITIVES[ix].2 {
                Gives::Type(number) => builtin(number),
                Gives::Number if args.iter().all(|ty| *ty == builtin(runtime::INT)) => {
                    builtin(runtime::INT)
                }
                Gives::Number => builtin(runtime::FLOAT),
            },
        }
    }
}

struct Inference<'a, 'b> {
    lisp: &'a Lisp,
    cx: &'a mut InferCx<'b, Lisp>,
    /// The type of the variable in each place.
    tys: Vec<Ty>,
}

impl Inference<'_, '_> {
    fn constant(&self, number: usize, constant: Constant) -> Node {
        node(self.lisp.objects.ty(number), Kind::Constant(constant))
    }

    fn expr(&mut self, expr: &Expr) -> Result<Node, Stop> {
        Ok(match expr {
            Expr::Nil => self.constant(runtime::NIL, Constant::Nil),
            Expr::Bool(x) => self.constant(runtime::BOOL, Constant::Bool(*x)),
            Expr::Int(x) => self.constant(runtime::INT, Constant::Int(*x)),
            Expr::Float(bits) => self.constant(runtime::FLOAT, Constant::Float(*bits)),
            Expr::Str(text) => self.constant(runtime::STR, Constant::Str(Arc::clone(text))),
            Expr::Function(name) => {
                self.constant(runtime::FN, Constant::Function(Arc::clone(name)))
            }
            Expr::Local(place) => node(self.tys[*place], Kind::Local(*place)),
            Expr::If(parts) => {
                let [condition, then, or] = &**parts;
                let (condition, then) = (self.expr(condition)?, self.expr(then)?);
                let or = self.expr(or)?;
                let ty = match (then.ty, or.ty) {
                    (a, b) if a == b || b == Ty::BOTTOM => a,
                    (Ty::BOTTOM, b) => b,
                    _ => Ty::ANY,
                };
                node(ty, Kind::If(Box::new([condition, then, or])))
            }
            Expr::Let(place, parts) => {
                let value = self.expr(&parts[0])?;
                self.tys[*place] = value.ty;
                let body = self.expr(&parts[1])?;
                node(body.ty, Kind::Let(*place, Box::new([value, body])))
            }
            Expr::Do(parts) => {
                let parts = self.all(parts)?;
                node(
                    parts.last().map_or(Ty::ANY, |last| last.ty),
                    Kind::Do(parts),
                )
            }
            Expr::Call(name, args) => {
                let args = self.all(args)?;
                self.call(name, args)?
            }
            Expr::Apply(callee, args) => {
                let callee = Box::new(self.expr(callee)?);
                node(Ty::ANY, Kind::Apply(callee, self.all(args)?))
            }
            Expr::Closure(name, outer) => {
                let ty = self.lisp.objects.ty(runtime::FN);
                node(ty, Kind::Closure(Arc::clone(name), self.all(outer)?))
            }
        })
    }

    fn all(&mut self, exprs: &[Expr]) -> Result<Vec<Node>, Stop> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn call(&mut self, name: &Arc<str>, args: Vec<Node>) -> Result<Node, Stop> {
        let types = self.cx.types();
        let tys: Vec<Ty> = args.iter().map(|arg| arg.ty).collect();
        if tys.iter().all(|ty| types.is_concrete(*ty)) {
            let found = self.cx.lookup(types.symbol(name), types.tuple(&tys))?;
            if let Resolved::Method(mi) = found {
                return Ok(node(self.cx.read(mi, &TYPE)?, Kind::Call(mi, args)));
            }
        }
        // Also where no method takes it: the error is one of the call that is reached.
        Ok(node(Ty::ANY, Kind::Dynamic(Arc::clone(name), args)))
    }
}
