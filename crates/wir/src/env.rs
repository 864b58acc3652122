//! Names in a world: from the types and signatures that a program writes to those of the lattice.
//!
//! Invariants: resolving is a function of the definitions alone — the same definitions, with names
//! that mean the same, give the same declarations in every table over one [`Universe`], so an edit
//! that is taken back brings the old types back, and a program built from scratch shares its types
//! with the session it is compared with. A struct with another definition, or one whose parts
//! changed, is another declaration with the same printed name.

mod table;

pub(crate) use table::TypeMemo;
pub use table::{TypeDef, TypeDefError, TypeTable};

use crate::ast::{Block, Expr, ExprKind, MethodDef, Stmt, StmtKind};
use crate::ast::{Name, NodeId, Param, TypeArg, TypeExpr, TypeParam};
use crate::diag::Code;
use crate::universe::Universe;
use worldage_dispatch::{Arg, DeclId, Sig, Ty, TypeError, TypeVar};

/// What the names of declared types mean in one world. Built-in names are not asked for.
pub trait TypeScope {
    /// The declaration that the name means, if any.
    fn decl(&self, name: &str) -> Option<DeclId>;
}

/// A scope without declared types.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTypes;

impl TypeScope for NoTypes {
    fn decl(&self, _name: &str) -> Option<DeclId> {
        None
    }
}

/// Why a type or a signature cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    /// Its kind.
    pub code: Code,
    /// The node to point at.
    pub node: NodeId,
    /// One sentence without a final point.
    pub message: String,
    /// The name it is about.
    pub subject: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ResolveError {
    fn unknown(u: &Universe, node: NodeId, name: &str) -> ResolveError {
        let near = u
            .reserved_types()
            .find(|known| known.eq_ignore_ascii_case(name));
        ResolveError {
            code: Code::UnknownType,
            node,
            message: format!("the type `{name}` is not defined"),
            subject: Some(name.to_owned()),
            hint: near.map(|known| format!("the built-in type is spelled `{known}`")),
        }
    }

    fn wrong(node: NodeId, message: String) -> ResolveError {
        ResolveError {
            code: Code::TypeMismatch,
            node,
            message,
            subject: None,
            hint: None,
        }
    }

    fn from_type_error(node: NodeId, error: &TypeError) -> ResolveError {
        let code = match error {
            TypeError::TooDeep { .. } | TypeError::TooLarge { .. } => Code::TypeLimit,
            _ => Code::TypeMismatch,
        };
        let hint = match error {
            TypeError::WrongArity { name, expected, .. } => Some(match expected {
                0 => format!("write `{name}` alone"),
                1 => format!("write `{name}{{…}}` with one type, or let a variable stand for it"),
                n => format!("write `{name}{{…}}` with {n} types, or let variables stand for them"),
            }),
            _ => None,
        };
        ResolveError {
            code,
            hint,
            ..ResolveError::wrong(node, error.to_string())
        }
    }
}

/// A type as written, over the variables `vars` (the i-th is `Var(i)`).
///
/// # Errors
/// An unknown name, a wrong number of arguments, an argument out of its bound, or a type beyond
/// the limits of the lattice.
pub fn resolve_type(
    u: &Universe,
    scope: &dyn TypeScope,
    vars: &[Name],
    expr: &TypeExpr,
) -> Result<Ty, ResolveError> {
    let bindings = None;
    let resolver = Resolver {
        u,
        scope,
        vars,
        bindings,
    };
    resolver.ty(expr)
}

/// A type as written in the body of a method instance, closed: the i-th of `vars` means the i-th of
/// `bindings`. Unlike a substitution into [`resolve_type`], this checks bounds.
///
/// # Errors
/// As [`resolve_type`].
pub fn resolve_bound(
    u: &Universe,
    scope: &dyn TypeScope,
    vars: &[Name],
    bindings: &[Arg],
    expr: &TypeExpr,
) -> Result<Ty, ResolveError> {
    let bindings = Some(bindings);
    let resolver = Resolver {
        u,
        scope,
        vars,
        bindings,
    };
    resolver.ty(expr)
}

struct Resolver<'a> {
    u: &'a Universe,
    scope: &'a dyn TypeScope,
    vars: &'a [Name],
    bindings: Option<&'a [Arg]>,
}

impl Resolver<'_> {
    /// What a name means as a variable.
    fn var(&self, name: &Name) -> Option<Arg> {
        let ix = self.vars.iter().position(|var| var == name)?;
        let open = || Arg::Ty(self.u.types().var(u32::try_from(ix).unwrap_or(u32::MAX)));
        Some(match self.bindings {
            Some(bindings) => bindings.get(ix).copied().unwrap_or_else(open),
            None => open(),
        })
    }

    fn ty(&self, expr: &TypeExpr) -> Result<Ty, ResolveError> {
        let none = |ty: Ty| match &expr.args {
            None => Ok(ty),
            Some(_) => Err(ResolveError::wrong(
                expr.id,
                format!("`{}` takes no type arguments", expr.name),
            )),
        };
        match self.var(&expr.name) {
            Some(Arg::Ty(ty)) => return none(ty),
            Some(_) => {
                let message = format!("`{}` is a constant here, not a type", expr.name);
                return Err(ResolveError::wrong(expr.id, message));
            }
            None => {}
        }
        let types = self.u.types();
        let error = |error: TypeError| ResolveError::from_type_error(expr.id, &error);
        match &*expr.name {
            "Any" => none(Ty::ANY),
            "Union" => types.try_union(&self.members(expr)?).map_err(error),
            "Tuple" => {
                let (elems, tail) = self.elems(expr)?;
                types.try_tuple(&elems, tail).map_err(error)
            }
            "Vararg" => Err(ResolveError::wrong(
                expr.id,
                "`Vararg` stands only as the type of the last parameter, or last in a `Tuple`"
                    .into(),
            )),
            "typeof" if let Some([TypeArg::Type(function)]) = expr.args.as_deref() => {
                Ok(self.u.function_ty(types.symbol(&function.name)))
            }
            name => {
                let decl = self.u.prelude_decl(name).or_else(|| self.scope.decl(name));
                let decl = decl.ok_or_else(|| ResolveError::unknown(self.u, expr.id, name))?;
                let args = expr.args.iter().flatten().map(|arg| self.arg(arg));
                let args = args.collect::<Result<Vec<Arg>, _>>()?;
                types.nominal(decl, &args).map_err(error)
            }
        }
    }

    /// An argument of a declared type.
    fn arg(&self, arg: &TypeArg) -> Result<Arg, ResolveError> {
        match arg {
            TypeArg::Int(_, n) => Ok(Arg::Int(*n)),
            TypeArg::Type(ty) => match self.var(&ty.name) {
                Some(constant @ (Arg::Int(_) | Arg::Symbol(_))) if ty.args.is_none() => {
                    Ok(constant)
                }
                _ => Ok(Arg::Ty(self.ty(ty)?)),
            },
        }
    }

    /// An argument that must be a type.
    fn type_arg(&self, arg: &TypeArg) -> Result<Ty, ResolveError> {
        match arg {
            TypeArg::Type(ty) => self.ty(ty),
            TypeArg::Int(node, n) => {
                Err(ResolveError::wrong(*node, format!("`{n}` is not a type")))
            }
        }
    }

    fn members(&self, expr: &TypeExpr) -> Result<Vec<Ty>, ResolveError> {
        let args = expr.args.as_deref().ok_or_else(|| {
            let message = "`Union` needs its members: `Union{A, B}`".to_owned();
            ResolveError::wrong(expr.id, message)
        })?;
        args.iter().map(|arg| self.type_arg(arg)).collect()
    }

    /// The elements of `Tuple{A, B}`, `Tuple{A, Vararg{T}}`, `Tuple{Vararg{T, 3}}`.
    fn elems(&self, expr: &TypeExpr) -> Result<(Vec<Ty>, Option<Ty>), ResolveError> {
        let Some(args) = expr.args.as_deref() else {
            // Plain `Tuple`: any tuple.
            return Ok((Vec::new(), Some(Ty::ANY)));
        };
        let mut elems = Vec::with_capacity(args.len());
        for (ix, arg) in args.iter().enumerate() {
            match arg {
                TypeArg::Type(ty) if &*ty.name == "Vararg" && ix + 1 == args.len() => {
                    let tail = self.vararg(ty, &mut elems)?;
                    return Ok((elems, tail));
                }
                _ => elems.push(self.type_arg(arg)?),
            }
        }
        Ok((elems, None))
    }

    /// `Vararg{T}` gives the tail; `Vararg{T, n}` adds n elements; plain `Vararg` is `Vararg{Any}`.
    fn vararg(&self, expr: &TypeExpr, elems: &mut Vec<Ty>) -> Result<Option<Ty>, ResolveError> {
        match expr.args.as_deref() {
            None => Ok(Some(Ty::ANY)),
            Some([elem]) => Ok(Some(self.type_arg(elem)?)),
            Some([elem, TypeArg::Int(node, n)]) => {
                let elem = self.type_arg(elem)?;
                let n = usize::try_from(*n).ok();
                let n = n
                    .filter(|n| *n <= worldage_dispatch::MAX_PARAMS)
                    .ok_or_else(|| {
                        let message = "this is no possible number of elements".to_owned();
                        ResolveError::wrong(*node, message)
                    })?;
                elems.extend(std::iter::repeat_n(elem, n));
                Ok(None)
            }
            Some(_) => Err(ResolveError::wrong(
                expr.id,
                "`Vararg` is written `Vararg{T}` or `Vararg{T, 3}`".into(),
            )),
        }
    }
}

/// Type variables in order; a bound may mention earlier ones.
pub(crate) fn resolve_vars(
    u: &Universe,
    scope: &dyn TypeScope,
    params: &[TypeParam],
) -> Result<(Vec<Name>, Vec<TypeVar>), ResolveError> {
    let mut names: Vec<Name> = Vec::with_capacity(params.len());
    let mut vars = Vec::with_capacity(params.len());
    for param in params {
        if names.contains(&param.name) {
            return Err(ResolveError {
                code: Code::DuplicateDefinition,
                subject: Some(param.name.to_string()),
                ..ResolveError::wrong(
                    param.id,
                    format!("the type variable `{}` is introduced twice", param.name),
                )
            });
        }
        let upper = match &param.upper {
            Some(upper) => resolve_type(u, scope, &names, upper)?,
            None => Ty::ANY,
        };
        names.push(param.name.clone());
        vars.push(TypeVar {
            name: u.types().symbol(&param.name),
            upper,
        });
    }
    Ok((names, vars))
}

/// The names of a method's type variables; `Var(i)` is the i-th.
#[must_use]
pub fn var_names(def: &MethodDef) -> Vec<Name> {
    def.vars.iter().map(|var| var.name.clone()).collect()
}

/// The signature of a method.
///
/// # Errors
/// As [`resolve_type`]; a parameter or type variable that is introduced twice; a `Vararg` that is
/// not last.
pub fn resolve_sig(
    u: &Universe,
    scope: &dyn TypeScope,
    def: &MethodDef,
) -> Result<Sig, ResolveError> {
    let (names, vars) = resolve_vars(u, scope, &def.vars)?;
    check_distinct(&def.params, "parameter")?;
    let mut params = Vec::with_capacity(def.params.len());
    let mut tail = None;
    for (ix, param) in def.params.iter().enumerate() {
        match &param.ty {
            None => params.push(Ty::ANY),
            Some(ty) if &*ty.name == "Vararg" && ix + 1 == def.params.len() => {
                let resolver = Resolver {
                    u,
                    scope,
                    vars: &names,
                    bindings: None,
                };
                tail = resolver.vararg(ty, &mut params)?;
            }
            Some(ty) => params.push(resolve_type(u, scope, &names, ty)?),
        }
    }
    Sig::new(u.types(), &params, tail, vars)
        .map_err(|error| ResolveError::from_type_error(def.id, &error))
}

/// Everything that is wrong with a signature, each parameter by itself; at least the error of
/// [`resolve_sig`].
#[must_use]
pub fn sig_errors(u: &Universe, scope: &dyn TypeScope, def: &MethodDef) -> Vec<ResolveError> {
    let first = match resolve_sig(u, scope, def) {
        Ok(_) => return Vec::new(),
        Err(error) => error,
    };
    let Ok((vars, _)) = resolve_vars(u, scope, &def.vars) else {
        return vec![first];
    };
    let resolver = Resolver {
        u,
        scope,
        vars: &vars,
        bindings: None,
    };
    let mut errors = vec![first];
    for (ix, param) in def.params.iter().enumerate() {
        let wrong = match &param.ty {
            None => None,
            Some(ty) if &*ty.name == "Vararg" && ix + 1 == def.params.len() => {
                resolver.vararg(ty, &mut Vec::new()).err()
            }
            Some(ty) => resolver.ty(ty).err(),
        };
        errors.extend(wrong.filter(|wrong| *wrong != errors[0]));
    }
    errors
}

/// Whether the last parameter of a method binds a tuple of the remaining arguments.
#[must_use]
pub fn has_vararg(def: &MethodDef) -> bool {
    let last = def.params.last().and_then(|param| param.ty.as_ref());
    last.is_some_and(|ty| &*ty.name == "Vararg")
}

pub(crate) fn check_distinct(params: &[Param], what: &str) -> Result<(), ResolveError> {
    for (ix, param) in params.iter().enumerate() {
        if params[..ix]
            .iter()
            .any(|earlier| earlier.name == param.name)
        {
            return Err(ResolveError {
                code: Code::DuplicateDefinition,
                subject: Some(param.name.to_string()),
                ..ResolveError::wrong(
                    param.id,
                    format!("the {what} `{}` is introduced twice", param.name),
                )
            });
        }
    }
    Ok(())
}

/// The names in a type expression, built-in ones and variables included.
pub(crate) fn type_names<'a>(expr: &'a TypeExpr, found: &mut impl FnMut(&'a Name)) {
    found(&expr.name);
    for arg in expr.args.iter().flatten() {
        if let TypeArg::Type(ty) = arg {
            type_names(ty, found);
        }
    }
}

/// The names of types that a method's signature mentions: if one of them is redefined, the
/// signature must be resolved again. Sorted, without duplicates.
#[must_use]
pub fn signature_types(def: &MethodDef) -> Vec<Name> {
    let mut names = Vec::new();
    let params = def.params.iter().filter_map(|param| param.ty.as_ref());
    let bounds = def.vars.iter().filter_map(|var| var.upper.as_ref());
    for ty in params.chain(bounds) {
        type_names(ty, &mut |name| names.push(name.clone()));
    }
    names.retain(|name| def.vars.iter().all(|var| var.name != *name));
    names.sort();
    names.dedup();
    names
}

/// The names that a method's body and result annotation may use as types. Sorted, without
/// duplicates; names in value positions of `isa(x, T)` and the like are included.
#[must_use]
pub fn body_types(def: &MethodDef) -> Vec<Name> {
    let mut names = Vec::new();
    if let Some(ret) = &def.ret {
        type_names(ret, &mut |name| names.push(name.clone()));
    }
    walk_block(&def.body, &mut |expr| match &expr.kind {
        ExprKind::Type(ty) => type_names(ty, &mut |name| names.push(name.clone())),
        ExprKind::New(new) => type_names(&new.ty, &mut |name| names.push(name.clone())),
        ExprKind::Name(name) => names.push(name.clone()),
        _ => {}
    });
    names.retain(|name| def.vars.iter().all(|var| var.name != *name));
    names.sort();
    names.dedup();
    names
}

/// Calls `visit` for every expression of a block, outer ones first.
pub(crate) fn walk_block<'a>(block: &'a Block, visit: &mut impl FnMut(&'a Expr)) {
    enum Work<'a> {
        Block(&'a Block),
        Expr(&'a Expr),
    }
    // A worklist: expressions may nest deeper than the host's stack.
    let mut work = vec![Work::Block(block)];
    while let Some(next) = work.pop() {
        let at = work.len();
        match next {
            Work::Block(block) => {
                for Stmt { kind, .. } in &block.stmts {
                    match kind {
                        StmtKind::Var(_, e) | StmtKind::Assign(_, e) | StmtKind::Expr(e) => {
                            work.push(Work::Expr(e));
                        }
                        StmtKind::AssignIndex(to, value) => {
                            work.extend([&to.0, &to.1, value].map(Work::Expr));
                        }
                        StmtKind::While(c, body) => {
                            work.extend([Work::Expr(c), Work::Block(body)]);
                        }
                        StmtKind::For(_, bounds, body) => {
                            work.extend([&bounds.0, &bounds.1].map(Work::Expr));
                            work.push(Work::Block(body));
                        }
                        StmtKind::Return(e) => work.extend(e.iter().map(Work::Expr)),
                        StmtKind::Tune(..) | StmtKind::Break | StmtKind::Continue => {}
                    }
                }
            }
            Work::Expr(expr) => {
                visit(expr);
                match &expr.kind {
                    ExprKind::Call(call) => work.extend(call.all().iter().map(Work::Expr)),
                    ExprKind::New(new) => work.extend(new.args.iter().map(Work::Expr)),
                    ExprKind::Tuple(elems) => work.extend(elems.iter().map(Work::Expr)),
                    ExprKind::Field(field) => work.push(Work::Expr(&field.0)),
                    ExprKind::Index(both) | ExprKind::And(both) | ExprKind::Or(both) => {
                        work.extend([&both.0, &both.1].map(Work::Expr));
                    }
                    ExprKind::If(parts) => {
                        work.extend([Work::Expr(&parts.cond), Work::Block(&parts.then)]);
                        work.extend(parts.otherwise.iter().map(Work::Block));
                    }
                    ExprKind::Int(_)
                    | ExprKind::Float(_)
                    | ExprKind::Bool(_)
                    | ExprKind::Str(_)
                    | ExprKind::Nothing
                    | ExprKind::Name(_)
                    | ExprKind::Type(_) => {}
                }
            }
        }
        work[at..].reverse();
    }
}

#[cfg(test)]
mod tests;
