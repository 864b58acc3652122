//! A method made ready to run: names resolved to slots, special forms recognised.
//!
//! The rules of names: a variable in scope comes first; else a form, where it is called as one; else
//! a function. Scope is the block; a variable exists from its `var` on.

use crate::ast::{self, Block, Choice, Expr, ExprKind, MethodDef, Name, NodeId, Stmt, StmtKind};
use crate::ast::{TypeArg, TypeExpr};
use crate::value::Value;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use worldage_dispatch::{Symbol, Ty, Types};

use super::call::{Target, Tys};
use super::fast::Fast;

/// A method with slots.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) def: Arc<MethodDef>,
    pub(super) slots: usize,
    pub(super) vararg: bool,
    pub(super) body: Body,
    /// The types written in the body, resolved once per instance.
    pub(super) types: Vec<TypeExpr>,
    pub(super) ret: Option<TyIx>,
}

/// A place in [`Code::types`].
#[derive(Clone, Copy, Debug)]
pub(super) struct TyIx(pub(super) usize);

/// A block.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) stmts: Box<[St]>,
}

/// A statement.
#[derive(Debug)]
pub(super) enum St {
    Set(usize, Node),
    /// The schedule's choice for a parameter.
    Tune(usize, Name, Box<[Choice]>),
    /// An assignment to a name that is no variable.
    Unknown(Name, Node, NodeId),
    SetIndex(NodeId, Box<[Node; 3]>),
    Expr(Node),
    While(Node, Body),
    For(usize, Box<[Node; 2]>, Body),
    Return(NodeId, Option<Node>),
    Break,
    Continue,
}

/// An expression.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Const(Value),
    Local(usize),
    /// A name that is no variable: a function, if there is one.
    Function(Symbol),
    Call(Box<Call>),
    CallValue(Box<Node>, Box<[Node]>),
    /// `T(x)` with a type variable of the method.
    CallType(TyIx, Box<[Node]>),
    New(TyIx, Box<[Node]>),
    Array(TyIx, Box<Node>),
    /// `shared(T, n)`
    Shared(TyIx, Box<Node>),
    TruncTo(TyIx, Box<Node>),
    IsA(Box<Node>, TyIx),
    Invoke(Box<Node>, TyIx, Box<[Node]>),
    Latest(Box<[Node]>),
    External(Arc<str>),
    Tuple(Box<[Node]>),
    /// With the type and place that it last had.
    Field(Box<Node>, Name, Cell<Option<(Ty, usize)>>),
    Index(Box<[Node; 2]>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<Node>, Body, Option<Body>),
}

/// A call by name, with what its last call found.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Symbol,
    pub(super) args: Box<[Node]>,
    /// The short way for scalars.
    pub(super) fast: Cell<Option<Fast>>,
    pub(super) last: RefCell<Option<(Tys, Rc<Target>)>>,
}

impl Call {
    pub(super) fn new(function: Symbol, args: Box<[Node]>) -> Call {
        Call {
            function,
            args,
            fast: Cell::new(None),
            last: RefCell::new(None),
        }
    }
}

/// Makes a method ready.
pub(super) fn compile(types: &Types, def: &Arc<MethodDef>) -> Code {
    let mut compiler = Compiler {
        interner: types,
        vars: &def.vars,
        scope: def
            .params
            .iter()
            .map(|param| param.name.clone())
            .zip(0..)
            .collect(),
        slots: def.params.len(),
        types: Vec::new(),
    };
    let ret = def.ret.as_ref().map(|ty| compiler.ty(ty.clone()));
    let body = compiler.block(&def.body);
    Code {
        def: def.clone(),
        slots: compiler.slots,
        vararg: crate::env::has_vararg(def),
        body,
        types: compiler.types,
        ret,
    }
}

/// Makes a lone expression ready: its types and its code.
pub(super) fn compile_expr(types: &Types, expr: &Expr) -> (Node, Vec<TypeExpr>) {
    let mut compiler = Compiler {
        interner: types,
        vars: &[],
        scope: Vec::new(),
        slots: 0,
        types: Vec::new(),
    };
    let node = compiler.expr(expr);
    (node, compiler.types)
}

struct Compiler<'a> {
    interner: &'a Types,
    vars: &'a [ast::TypeParam],
    /// The variables in scope, inner ones last.
    scope: Vec<(Name, usize)>,
    slots: usize,
    types: Vec<TypeExpr>,
}

impl Compiler<'_> {
    fn lookup(&self, name: &str) -> Option<usize> {
        let found = self.scope.iter().rev().find(|(known, _)| &**known == name);
        found.map(|(_, slot)| *slot)
    }

    fn declare(&mut self, name: &Name) -> usize {
        let slot = self.slots;
        self.slots += 1;
        self.scope.push((name.clone(), slot));
        slot
    }

    fn ty(&mut self, ty: TypeExpr) -> TyIx {
        self.types.push(ty);
        TyIx(self.types.len() - 1)
    }

    fn block(&mut self, block: &Block) -> Body {
        let outer = self.scope.len();
        let stmts = block.stmts.iter().map(|stmt| self.stmt(stmt)).collect();
        self.scope.truncate(outer);
        Body { stmts }
    }

    fn stmt(&mut self, stmt: &Stmt) -> St {
        match &stmt.kind {
            StmtKind::Var(name, e) => {
                // The variable exists after its first value: `var x = x` reads an outer one.
                let e = self.expr(e);
                St::Set(self.declare(name), e)
            }
            StmtKind::Tune(name, choices) => {
                St::Tune(self.declare(name), name.clone(), choices.as_slice().into())
            }
            StmtKind::Assign(name, e) => {
                let e = self.expr(e);
                match self.lookup(name) {
                    Some(slot) => St::Set(slot, e),
                    None => St::Unknown(name.clone(), e, stmt.id),
                }
            }
            StmtKind::AssignIndex(to, v) => {
                let nodes = [self.expr(&to.0), self.expr(&to.1), self.expr(v)];
                St::SetIndex(stmt.id, Box::new(nodes))
            }
            StmtKind::Expr(e) => St::Expr(self.expr(e)),
            StmtKind::While(c, body) => St::While(self.expr(c), self.block(body)),
            StmtKind::For(name, bounds, body) => {
                let bounds = self.both(bounds);
                let outer = self.scope.len();
                let slot = self.declare(name);
                let body = self.block(body);
                self.scope.truncate(outer);
                St::For(slot, bounds, body)
            }
            StmtKind::Return(e) => {
                let node = e.as_ref().map_or(stmt.id, |e| e.id);
                St::Return(node, e.as_ref().map(|e| self.expr(e)))
            }
            StmtKind::Break => St::Break,
            StmtKind::Continue => St::Continue,
        }
    }

    fn exprs(&mut self, es: &[Expr]) -> Box<[Node]> {
        es.iter().map(|e| self.expr(e)).collect()
    }

    fn boxed(&mut self, e: &Expr) -> Box<Node> {
        Box::new(self.expr(e))
    }

    fn both(&mut self, (a, b): &(Expr, Expr)) -> Box<[Node; 2]> {
        Box::new([self.expr(a), self.expr(b)])
    }

    fn expr(&mut self, e: &Expr) -> Node {
        let kind = match &e.kind {
            ExprKind::Int(x) => Kind::Const(Value::int(*x)),
            ExprKind::Float(x) => Kind::Const(Value::float(*x)),
            ExprKind::Bool(x) => Kind::Const(Value::bool(*x)),
            ExprKind::Str(s) => Kind::Const(Value::Str(s.clone())),
            ExprKind::Nothing => Kind::Const(Value::Nothing),
            ExprKind::Name(name) => match self.lookup(name) {
                Some(slot) => Kind::Local(slot),
                None => Kind::Function(self.interner.symbol(name)),
            },
            // The parser lets a type with braces stand only where a form takes one.
            ExprKind::Type(ty) => Kind::Function(self.interner.symbol(&ty.name)),
            ExprKind::Call(call) => self.call(call.callee(), call.args()),
            ExprKind::New(new) => Kind::New(self.ty(new.ty.clone()), self.exprs(&new.args)),
            ExprKind::Tuple(elems) => Kind::Tuple(self.exprs(elems)),
            ExprKind::Field(field) => {
                let (x, name) = &**field;
                Kind::Field(self.boxed(x), name.clone(), Cell::new(None))
            }
            ExprKind::Index(both) => Kind::Index(self.both(both)),
            ExprKind::And(both) => Kind::And(self.both(both)),
            ExprKind::Or(both) => Kind::Or(self.both(both)),
            ExprKind::If(parts) => {
                let c = self.boxed(&parts.cond);
                let yes = self.block(&parts.then);
                let no = parts.otherwise.as_ref();
                Kind::If(c, yes, no.map(|no| self.block(no)))
            }
        };
        Node { id: e.id, kind }
    }

    fn call(&mut self, callee: &Expr, args: &[Expr]) -> Kind {
        let ExprKind::Name(name) = &callee.kind else {
            return Kind::CallValue(self.boxed(callee), self.exprs(args));
        };
        if let Some(slot) = self.lookup(name) {
            let kind = Kind::Local(slot);
            let callee = Box::new(Node {
                id: callee.id,
                kind,
            });
            return Kind::CallValue(callee, self.exprs(args));
        }
        if let Some(form) = self.form(name, args) {
            return form;
        }
        if self.vars.iter().any(|var| var.name == *name) {
            let ty = self.ty(plain_type(callee.id, name));
            return Kind::CallType(ty, self.exprs(args));
        }
        let function = self.interner.symbol(name);
        Kind::Call(Box::new(Call::new(function, self.exprs(args))))
    }

    /// A call that takes a type, a signature or a key, if it has the shape of one.
    fn form(&mut self, name: &str, args: &[Expr]) -> Option<Kind> {
        Some(match (name, args) {
            ("array", [ty, n]) => Kind::Array(self.form_type(ty)?, self.boxed(n)),
            ("shared", [ty, n]) => Kind::Shared(self.form_type(ty)?, self.boxed(n)),
            ("trunc", [ty, x]) => Kind::TruncTo(self.form_type(ty)?, self.boxed(x)),
            ("isa", [x, ty]) => {
                let ty = self.form_type(ty)?;
                Kind::IsA(self.boxed(x), ty)
            }
            ("invoke", [f, sig, rest @ ..]) => {
                let ExprKind::Tuple(elems) = &sig.kind else {
                    return None;
                };
                let elems = elems.iter().map(|e| as_type(e).map(TypeArg::Type));
                let args = Some(elems.collect::<Option<Vec<TypeArg>>>()?);
                let sig = self.ty(TypeExpr {
                    id: sig.id,
                    name: "Tuple".into(),
                    args,
                });
                Kind::Invoke(self.boxed(f), sig, self.exprs(rest))
            }
            ("latest", [_, ..]) => Kind::Latest(self.exprs(args)),
            (
                "external",
                [
                    Expr {
                        kind: ExprKind::Str(key),
                        ..
                    },
                ],
            ) => Kind::External(key.clone()),
            _ => return None,
        })
    }

    fn form_type(&mut self, e: &Expr) -> Option<TyIx> {
        as_type(e).map(|ty| self.ty(ty))
    }
}

fn plain_type(id: NodeId, name: &Name) -> TypeExpr {
    TypeExpr {
        id,
        name: name.clone(),
        args: None,
    }
}

/// An expression read as a type.
fn as_type(e: &Expr) -> Option<TypeExpr> {
    match &e.kind {
        ExprKind::Type(ty) => Some((**ty).clone()),
        ExprKind::Name(name) => Some(plain_type(e.id, name)),
        _ => None,
    }
}
