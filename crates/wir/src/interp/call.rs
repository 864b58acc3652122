//! From a call to what is run: dispatch on the types of the values, instances, constructors.

use super::code::{Body, Code, Node, St, compile, compile_expr};
use super::machine::{Args, Interp};
use super::program::{self, NOW};
use crate::ast::{self, Expr, MethodDef};
use crate::builtins::{Recipe, recipe};
use crate::env::{ResolveError, resolve_bound, var_names};
use crate::error::RunError;
use crate::host::HostBody;
use crate::value::{Record, Value};
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::Arc;
use worldage_dispatch::{Arg, Lookup, MethodId, Methods, Sig, Symbol, Ty, TyKind};
use worldage_dispatch::{invoke, lookup, sig_bindings};

pub(super) type Run<T = Value> = Result<T, Box<RunError>>;
pub(super) type Tys = SmallVec<[Ty; 4]>;

/// What a call with certain argument types runs.
#[derive(Debug)]
pub(super) enum Target {
    Method(Instance),
    Builtin(Recipe),
    Constructor(Ty),
    Host(HostMethod),
}

/// A method of the host on concrete argument types.
#[derive(Debug)]
pub(super) struct HostMethod {
    function: Symbol,
    args: Tys,
    body: Arc<HostBody>,
    /// What it must return; `None`: anything.
    ret: Option<Ty>,
}

/// A method on concrete argument types.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) function: Symbol,
    /// `None`: the host's own expression.
    pub(super) method: Option<MethodId>,
    pub(super) args: Tys,
    pub(super) code: Rc<Code>,
    /// The types written in the body.
    pub(super) types: Vec<Result<Ty, ResolveError>>,
}

impl Interp<'_> {
    pub(super) fn methods(&self, function: Symbol) -> SmallVec<[&Methods; 4]> {
        self.stack
            .iter()
            .filter_map(|table| table.get(&function))
            .collect()
    }

    /// Whether the view has a method of this name.
    pub(super) fn is_function(&self, name: Symbol) -> bool {
        self.methods(name)
            .iter()
            .any(|methods| methods.iter(NOW).next().is_some())
    }

    /// What a call of a function with these argument types runs.
    pub(super) fn target(&mut self, function: Symbol, tys: &Tys) -> Run<Rc<Target>> {
        if let Some(target) = self.targets.get(&(function, tys.clone())) {
            return Ok(Rc::clone(target));
        }
        let args = self.u.types().tuple(tys);
        if !self.u.types().is_concrete(args) {
            return Err(self.type_limit(function, tys));
        }
        let found = lookup(self.u.types(), &self.methods(function), args, NOW);
        let target = match found {
            Lookup::Method(id) => self.instance(function, id, tys)?,
            Lookup::NoMethod => return Err(self.no_method(function, tys)),
            Lookup::Ambiguous(ids) => return Err(self.ambiguous(function, tys, &ids)),
        };
        let target = Rc::new(target);
        self.targets
            .insert((function, tys.clone()), Rc::clone(&target));
        Ok(target)
    }

    pub(super) fn signature(&self, function: Symbol, id: MethodId) -> Option<Sig> {
        let methods = self.methods(function);
        let entry = methods.iter().find_map(|methods| methods.get(id))?;
        Some(entry.sig.clone())
    }

    fn instance(&mut self, function: Symbol, id: MethodId, tys: &Tys) -> Run<Target> {
        let bindings = || -> Vec<Arg> {
            let args = self.u.types().tuple(tys);
            let sig = self.signature(function, id);
            sig.and_then(|sig| sig_bindings(self.u.types(), args, &sig))
                .unwrap_or_default()
        };
        match self.p.body(id) {
            Some(program::Body::Builtin(builtin)) => match recipe(self.u, *builtin, tys) {
                Some(recipe) => Ok(Target::Builtin(recipe)),
                None => Err(self.no_method(function, tys)),
            },
            Some(program::Body::Constructor(decl)) => {
                let ty = self.u.types().nominal(*decl, &bindings());
                match ty {
                    Ok(ty) => Ok(Target::Constructor(ty)),
                    Err(error) => Err(self.bad_type(&error)),
                }
            }
            Some(program::Body::User(ix)) => {
                let bindings = bindings();
                let method = self.p.method(*ix);
                if let Some(body) = &method.host {
                    let (def, body) = (&method.def, Arc::clone(body));
                    let vars = var_names(def);
                    let ret = def.ret.as_ref();
                    let ret = ret
                        .map(|ty| resolve_bound(self.u, &self.p.types, &vars, &bindings, ty))
                        .transpose()
                        .map_err(|error| Box::new(RunError::new(error.code, error.message)))?;
                    let (function, args) = (function, tys.clone());
                    return Ok(Target::Host(HostMethod {
                        function,
                        args,
                        body,
                        ret,
                    }));
                }
                let code = self.code(*ix);
                let vars = var_names(&code.def);
                let types = code.types.iter();
                let types =
                    types.map(|ty| resolve_bound(self.u, &self.p.types, &vars, &bindings, ty));
                Ok(Target::Method(Instance {
                    function,
                    method: Some(id),
                    args: tys.clone(),
                    types: types.collect(),
                    code,
                }))
            }
            None => unreachable!("every entry of a table has a body"),
        }
    }

    fn code(&mut self, ix: usize) -> Rc<Code> {
        let (p, types) = (self.p, self.u.types());
        let code = self
            .codes
            .entry(ix)
            .or_insert_with(|| Rc::new(compile(types, &p.method(ix).def)));
        Rc::clone(code)
    }

    /// The host's expression as an instance of its own, which no trace shows.
    pub(super) fn host_instance(&self, expr: &Expr) -> Instance {
        let (node, written): (Node, _) = compile_expr(self.u.types(), expr);
        let types = written.iter();
        let types = types
            .map(|ty| resolve_bound(self.u, &self.p.types, &[], &[], ty))
            .collect();
        let def = MethodDef {
            id: expr.id,
            name: "".into(),
            params: Vec::new(),
            vars: Vec::new(),
            ret: None,
            inlining: ast::Inlining::Auto,
            kernel: false,
            body: ast::Block {
                id: expr.id,
                stmts: Vec::new(),
            },
        };
        let code = Code {
            def: Arc::new(def),
            slots: 0,
            vararg: false,
            body: Body {
                stmts: Box::new([St::Expr(node)]),
            },
            types: written,
            ret: None,
        };
        Instance {
            function: self.equal,
            method: None,
            args: Tys::new(),
            code: Rc::new(code),
            types,
        }
    }

    /// Calls a generic function.
    pub(super) fn call_function(&mut self, function: Symbol, args: Args) -> Run {
        let tys: Tys = args.iter().map(|arg| arg.ty(self.u)).collect();
        let target = self.target(function, &tys)?;
        self.apply(&target, args)
    }

    pub(super) fn apply(&mut self, target: &Target, args: Args) -> Run {
        match target {
            Target::Method(instance) => self.run(instance, args),
            Target::Builtin(recipe) => self.builtin(recipe, args),
            Target::Constructor(ty) => self.record(*ty, args),
            Target::Host(method) => self.run_host(method, &args),
        }
    }

    fn run_host(&self, method: &HostMethod, args: &[Value]) -> Run {
        let value = method.body.run(args);
        let instance = || self.call_text(method.function, &method.args);
        let value = value.map_err(|fault| Box::new(fault.error(instance())))?;
        let ty = value.ty(self.u);
        match method.ret {
            Some(ret) if !self.u.types().subtype(ty, ret) => {
                Err(self.mismatch("the result", ret, ty))
            }
            _ => Ok(value),
        }
    }

    /// Calls a value, which must be a function.
    pub(super) fn call_value(&mut self, callee: &Value, args: Args) -> Run {
        match callee {
            Value::Function(function) => self.call_function(*function, args),
            _ => Err(self.no_function(callee)),
        }
    }

    /// `invoke(f, (T…,), …)`: the method that answers the signature, on the arguments' own types.
    pub(super) fn invoke(&mut self, callee: &Value, sig: Ty, args: Args) -> Run {
        let Value::Function(function) = *callee else {
            return Err(self.no_function(callee));
        };
        let tys: Tys = args.iter().map(|arg| arg.ty(self.u)).collect();
        let types = self.u.types();
        if !types.subtype(types.tuple(&tys), sig) {
            return Err(self.no_invoke(function, sig));
        }
        let found = invoke(types, &self.methods(function), sig, NOW);
        let target = match found {
            Lookup::Method(id) => self.instance(function, id, &tys)?,
            Lookup::NoMethod => return Err(self.no_invoke(function, sig)),
            Lookup::Ambiguous(ids) => {
                let elems = self.u.tuple_elems(sig).unwrap_or_default();
                return Err(self.ambiguous(function, &elems.into(), &ids));
            }
        };
        self.apply(&target, args)
    }

    /// A function's name as a value.
    pub(super) fn function_value(&self, name: Symbol) -> Run {
        let text = self.u.types().symbol_str(name);
        if !self.p.is_type(text) && self.is_function(name) {
            return Ok(Value::Function(name));
        }
        Err(self.unknown_name(text))
    }

    /// `T(x)` with a type variable: what the type's own name would mean here.
    pub(super) fn call_type(&mut self, ty: Ty, args: Args) -> Run {
        if let Some(scalar) = self.u.scalar_of(ty) {
            let function = self.u.types().symbol(scalar.name());
            return self.call_function(function, args);
        }
        self.construct(ty, args)
    }

    /// `P{A}(x)`: the default constructor with explicit type arguments.
    pub(super) fn construct(&mut self, ty: Ty, args: Args) -> Run {
        let is_struct = matches!(self.u.types().kind(ty), TyKind::Nominal { .. });
        let fits = self
            .u
            .fields(ty)
            .filter(|_| is_struct)
            .is_some_and(|fields| {
                let mut pairs = args.iter().zip(fields.tys.iter());
                fields.tys.len() == args.len()
                    && pairs.all(|(arg, field)| self.u.types().subtype(arg.ty(self.u), *field))
            });
        if !fits {
            return Err(self.no_constructor(ty, &args));
        }
        self.record(ty, args)
    }

    fn record(&mut self, ty: Ty, args: Args) -> Run {
        let record = Record::new(ty, args.into_vec());
        let value = Value::Struct(record);
        self.reserve(0)?;
        Ok(value)
    }

    pub(super) fn tuple(&mut self, values: Vec<Value>) -> Run {
        let value = Value::tuple(self.u, values);
        if !self.u.types().is_concrete(value.ty(self.u)) {
            return Err(self.type_limit_of_tuple());
        }
        self.reserve(0)?;
        Ok(value)
    }
}
