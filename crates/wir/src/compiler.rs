//! Wir as a `Compiler`: how the engine's stages are answered by this crate and by a backend.

use crate::ast::{Block, Call, Expr, ExprKind, Inlining};
use crate::ast::{MethodDef, Name, NodeId, Param, Stmt, StmtKind};
use crate::define::{decl_of_bytes, type_fact};
use crate::fresh::Fresh;
use crate::infer::{Ask, Intrinsic, Intrinsics};
use crate::inferred::{ABI, INLINE, Inferred, Inline, RETURNS, Summary, TYPE};
use crate::inline::AskBodies;
use crate::ir::{Body, Const, Op};
use crate::lower::recent::Recent;
use crate::module::{Function, Module};
use crate::portable;
use crate::schedule::Schedule;
use crate::source::{MethodSource, Source};
use crate::syntax;
use crate::universe::Universe;
use std::fmt;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;
use worldage_dispatch::{Arg, DeclId, Symbol, Ty};
use worldage_engine::persist::{Malformed, Portable as _, Reader, Writer};
use worldage_engine::{
    Candidates, CodegenCx, Compiler, ExternalKey, Fact, InferCx, LinkCx, Linked, Mi, MiKey,
    Resolved, Stop, Target, Text,
};

/// The half of the compiler below typed SSA.
pub trait Backend: Sized + Send + Sync + 'static {
    /// The portable artifact.
    type Code: PartialEq + Send + Sync + 'static;
    /// What is called.
    type Linked: Linked;
    /// What partitions code: opt level, device, …
    type Shard: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static;

    /// Code of a body, into which callees have been inlined. `ret` tells the type that a callee
    /// returns. Law: pure.
    ///
    /// # Errors
    /// A limit of the backend.
    fn codegen(
        &self,
        shard: &Self::Shard,
        body: &Body,
        ret: &dyn Fn(Mi) -> Ty,
    ) -> Result<Self::Code, Stop>;

    /// Whether code of a shard holds its callees, since nothing can be called there through a cell.
    fn is_device(&self, shard: &Self::Shard) -> bool {
        let _ = shard;
        false
    }

    /// What the tuning parameters of kernels are in a shard.
    fn schedule(&self, shard: &Self::Shard) -> Schedule {
        let _ = shard;
        Schedule::default()
    }

    /// Code of a kernel with everything that it calls, for a shard of a device. Law: pure.
    ///
    /// # Errors
    /// What the device cannot do: an [`crate::module::Unsupported`].
    fn codegen_module(&self, shard: &Self::Shard, module: &Module) -> Result<Self::Code, Stop> {
        let _ = module;
        Err(Stop::failed(format!("{shard} is no shard of a device")))
    }

    /// The callable thing; `cell` gives the address of the cell of a callee.
    ///
    /// # Errors
    /// The environment failed: no memory for code.
    fn link(
        &self,
        code: &Arc<Self::Code>,
        cell: &mut dyn FnMut(Mi) -> *const usize,
    ) -> Result<Self::Linked, Stop>;

    /// As [`Compiler::target`].
    fn target(&self, _shard: &Self::Shard) -> Option<Target> {
        None
    }

    /// As [`Compiler::write_code`].
    fn write_code(&self, _code: &Self::Code, w: &mut Writer<'_>) {
        w.unnamed();
    }

    /// As [`Compiler::read_code`].
    ///
    /// # Errors
    /// [`Malformed`]: then codegen runs.
    fn read_code(&self, _r: &mut Reader<'_>) -> Result<Self::Code, Malformed> {
        Err(Malformed("code is not stored"))
    }
}

/// Wir over a backend.
pub struct Wir<B> {
    intrinsics: Intrinsics,
    recent: Recent,
    fresh: Fresh,
    backend: B,
}

/// The external fact that a program reads as `external("KEY")`.
#[must_use]
pub fn external_fact(key: &str) -> ExternalKey {
    ExternalKey {
        kind: "external",
        name: key.into(),
    }
}

impl<B> Wir<B> {
    /// For the types of a universe.
    #[must_use]
    pub fn new(universe: Arc<Universe>, backend: B) -> Wir<B> {
        Wir {
            intrinsics: Intrinsics::new(universe),
            recent: Recent::default(),
            fresh: Fresh::default(),
            backend,
        }
    }

    /// The types.
    pub fn universe(&self) -> &Arc<Universe> {
        self.intrinsics.universe()
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }
}

impl<B: Backend> Compiler for Wir<B> {
    type Source = Source;
    type Inferred = Inferred;
    type Summary = Summary;
    type Code = B::Code;
    type Linked = B::Linked;
    type Shard = B::Shard;

    fn infer(&self, cx: &mut InferCx<'_, Self>, mi: Mi, source: &Source) -> Result<Inferred, Stop> {
        let wrapper;
        let method = match source {
            Source::Method(method) => method,
            Source::Builtin(_) | Source::Constructor(_) => {
                let key = cx.key(mi);
                let name = cx.types().symbol_str(key.function);
                let arity = self.universe().tuple_elems(key.args).map_or(0, <[Ty]>::len);
                wrapper = Arc::new(MethodSource::new(Arc::new(forwarding(name, arity))));
                &wrapper
            }
        };
        let lowered = &*self.recent.lowered(self.universe().types(), method);
        let mut ask = Asking { cx };
        let infer = match method.host {
            Some(_) => crate::infer::infer_host,
            None => crate::infer::infer,
        };
        let (inferred, body) = infer(&self.intrinsics, &mut ask, mi, &method.def, lowered)?;
        self.fresh.keep(&inferred, body);
        Ok(inferred)
    }

    fn widen(&self, _: Mi, old: &Summary, new: &Summary) -> Summary {
        Summary::widen(self.universe(), old, new)
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<B::Code, Stop> {
        if self.backend.is_device(cx.shard()) {
            let module = self.module(cx, mi, inferred)?;
            return self.backend.codegen_module(cx.shard(), &module);
        }
        let body = self.optimized(cx, inferred)?;
        let mut rets: Vec<(Mi, Ty)> = Vec::new();
        for op in body
            .blocks
            .iter()
            .flat_map(|block| &block.insts)
            .map(|inst| &inst.op)
        {
            if let Op::Call(callee, _) = op
                && !rets.iter().any(|(mi, _)| mi == callee)
            {
                cx.calls(*callee);
                // Only the shape of what an unused call returns matters; reading the part `abi`
                // keeps a change of the type alone from running codegen.
                let _abi = cx.read(*callee, &ABI)?;
                rets.push((*callee, cx.peek(*callee, |summary| summary.ret)?));
            }
        }
        let ret = |callee: Mi| {
            rets.iter()
                .find(|(mi, _)| *mi == callee)
                .map_or(Ty::BOTTOM, |(_, ty)| *ty)
        };
        self.backend.codegen(cx.shard(), &body, &ret)
    }

    fn link(
        &self,
        cx: &mut LinkCx<'_, Self>,
        _: Mi,
        code: &Arc<B::Code>,
    ) -> Result<B::Linked, Stop> {
        self.backend.link(code, &mut |callee| cx.cell(callee))
    }

    fn type_part(&self, part: usize, summary: &Summary) -> Option<Ty> {
        (part == TYPE.index).then_some(summary.ret)
    }

    fn decl_identity(&self, decl: DeclId) -> Option<u64> {
        portable::decl_identity(self.universe(), decl)
    }

    fn find_decl(&self, name: &str, fact: Fact<'_>) -> Option<DeclId> {
        portable::find_decl(self.universe(), name, fact)
    }

    fn intrinsic_identity(&self, number: u32) -> Option<u64> {
        portable::intrinsic_identity(self.universe(), number)
    }

    fn source_identity(&self, source: &Source) -> Option<[u8; 32]> {
        portable::source_identity(self.universe(), source)
    }

    fn source_text(&self, source: &Source) -> Option<(Text, Range<usize>)> {
        match source {
            Source::Method(method) => method.text(),
            Source::Builtin(_) | Source::Constructor(_) => None,
        }
    }

    fn external_kinds(&self) -> &[&'static str] {
        portable::EXTERNAL_KINDS
    }

    fn external_identity(&self, key: &ExternalKey, value: &[u8]) -> Option<u64> {
        portable::external_identity(self.universe(), key, value)
    }

    fn write_inferred(&self, inferred: &Inferred, w: &mut Writer<'_>) {
        inferred.write(w);
    }

    fn read_inferred(&self, r: &mut Reader<'_>) -> Result<Inferred, Malformed> {
        Inferred::read(r)
    }

    fn target(&self, shard: &B::Shard) -> Option<Target> {
        self.backend.target(shard)
    }

    fn write_code(&self, code: &B::Code, w: &mut Writer<'_>) {
        self.backend.write_code(code, w);
    }

    fn read_code(&self, r: &mut Reader<'_>) -> Result<B::Code, Malformed> {
        self.backend.read_code(r)
    }
}

impl<B: Backend> Wir<B> {
    /// The body with callees inlined, optimised: what the backend reads.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn optimized(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        inferred: &Arc<Inferred>,
    ) -> Result<Body, Stop> {
        let schedule = self.backend.schedule(cx.shard());
        let mut ask = AskingBodies { cx };
        let body = match inferred.space() {
            None => self.fresh.take(inferred),
            Some(_) => None,
        };
        let body = body.unwrap_or_else(|| inferred.body_of(&schedule));
        crate::inline::inline(self.universe(), &mut ask, body)
    }

    /// The body with everything that it calls: what a device is given.
    ///
    /// # Errors
    /// [`Stop`], to be passed on; a recursion is [`crate::module::Unsupported`].
    pub fn module(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<Module, Stop> {
        let functions = self.functions(cx, mi, inferred)?;
        let module = Module { functions };
        module.check_recursion().map_err(Stop::failed)?;
        Ok(module)
    }

    /// The body with everything that it calls, each once, the instance itself first.
    ///
    /// # Errors
    /// [`Stop`], to be passed on.
    pub fn functions(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<Vec<Function>, Stop> {
        let mut module = Module {
            functions: vec![self.function(cx, mi, inferred)?],
        };
        let mut next = 0;
        while let Some(function) = module.functions.get(next) {
            let insts = function.body.blocks.iter().flat_map(|block| &block.insts);
            let callees: Vec<Mi> = insts
                .filter_map(|inst| match inst.op {
                    Op::Call(callee, _) => Some(callee),
                    _ => None,
                })
                .collect();
            for callee in callees {
                if module.function(callee).is_none() {
                    let inferred = cx.inferred(callee)?;
                    let function = self.function(cx, callee, &inferred)?;
                    module.functions.push(function);
                }
            }
            next += 1;
        }
        Ok(module.functions)
    }

    fn function(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<Function, Stop> {
        let body = self.optimized(cx, inferred)?;
        let (key, types) = (cx.key(mi), cx.types());
        let name = types.symbol_str(key.function).to_string();
        let params = self.universe().tuple_elems(key.args).unwrap_or_default();
        let shown: Vec<String> = params
            .iter()
            .map(|ty| types.display(*ty).to_string())
            .collect();
        Ok(Function {
            mi,
            shown: format!("{name}({})", shown.join(", ")),
            name,
            kernel: inferred.kernel,
            params: params.to_vec(),
            body,
        })
    }
}

/// A method that calls its function with its own arguments: what run-time dispatch calls when the
/// method is an intrinsic. Inference expands the call in it.
fn forwarding(name: &str, arity: usize) -> MethodDef {
    let name: Name = name.into();
    let id = NodeId(0);
    let params: Vec<Name> = (0..arity).map(|ix| format!("x{ix}").into()).collect();
    let callee_and_args = std::iter::once(&name).chain(&params).map(|name| Expr {
        id,
        kind: ExprKind::Name(name.clone()),
    });
    let call = Expr {
        id,
        kind: ExprKind::Call(Call::new(callee_and_args.collect())),
    };
    MethodDef {
        id,
        name,
        params: params
            .into_iter()
            .map(|name| Param { id, name, ty: None })
            .collect(),
        vars: Vec::new(),
        ret: None,
        inlining: Inlining::Never,
        kernel: false,
        body: Block {
            id,
            stmts: vec![Stmt {
                id,
                kind: StmtKind::Expr(call),
            }],
        },
    }
}

struct Asking<'c, 'a, B: Backend> {
    cx: &'c mut InferCx<'a, Wir<B>>,
}

impl<B: Backend> Ask for Asking<'_, '_, B> {
    fn key(&self, mi: Mi) -> MiKey {
        self.cx.key(mi)
    }

    fn bindings(&self, mi: Mi) -> Vec<Arg> {
        self.cx.bindings(mi)
    }

    fn intrinsic(&self, mi: Mi) -> Option<Intrinsic> {
        self.cx.intrinsic(mi).map(Intrinsic::from_number)
    }

    fn overlaid(&mut self, function: Symbol) -> Result<bool, Stop> {
        self.cx.overlaid(function)
    }

    fn lookup(&mut self, function: Symbol, args: Ty) -> Result<Resolved, Stop> {
        self.cx.lookup(function, args)
    }

    fn find_all(&mut self, function: Symbol, args: Ty, limit: usize) -> Result<Candidates, Stop> {
        self.cx.find_all(function, args, limit)
    }

    fn dispatched_at_run_time(&mut self, function: Symbol, args: Ty, limit: usize) {
        self.cx.dispatched_at_run_time(function, args, limit);
    }

    fn invoke(&mut self, function: Symbol, sig: Ty, args: Ty) -> Result<Resolved, Stop> {
        self.cx.invoke(function, sig, args)
    }

    fn returns(&mut self, callee: Mi) -> Result<bool, Stop> {
        self.cx.read(callee, &RETURNS)
    }

    fn ret_type(&mut self, callee: Mi) -> Result<Ty, Stop> {
        self.cx.read(callee, &TYPE)
    }

    fn external(&mut self, key: &str) -> Result<Option<(Ty, Const)>, Stop> {
        let value = self.cx.external(&external_fact(key))?;
        Ok(value.map(|bytes| constant(self.cx, &bytes)))
    }

    fn decl(&mut self, name: &str) -> Result<Option<DeclId>, Stop> {
        let value = self.cx.external(&type_fact(name))?;
        Ok(value.and_then(|bytes| decl_of_bytes(&bytes)))
    }

    fn is_function(&mut self, name: Symbol) -> Result<bool, Stop> {
        self.cx.is_defined(name)
    }
}

/// The value of an external fact, which is written as a literal.
fn constant<B: Backend>(cx: &InferCx<'_, Wir<B>>, text: &[u8]) -> (Ty, Const) {
    let p = cx.compiler().universe().prelude();
    match external_literal(&String::from_utf8_lossy(text)) {
        ExprKind::Int(x) => (p.int64, Const::Int(x)),
        ExprKind::Float(x) => (p.float64, Const::F64(x.to_bits())),
        ExprKind::Bool(x) => (p.bool, Const::Bool(x)),
        ExprKind::Str(s) => (p.string, Const::Str(s)),
        _ => (p.nothing, Const::Unit),
    }
}

/// The literal that the text of an external fact stands for: a quoted string, or as an argument
/// of the command line.
#[must_use]
pub fn external_literal(text: &str) -> ExprKind {
    let quoted = text
        .starts_with('"')
        .then(|| syntax::parse_call(&format!("f({text})")));
    if let Some(Ok(Expr {
        kind: ExprKind::Call(call),
        ..
    })) = quoted
        && let [
            Expr {
                kind: ExprKind::Str(text),
                ..
            },
        ] = call.args()
    {
        return ExprKind::Str(text.clone());
    }
    syntax::parse_value_arg(text)
}

struct AskingBodies<'c, 'a, B: Backend> {
    cx: &'c mut CodegenCx<'a, Wir<B>>,
}

impl<B: Backend> AskBodies for AskingBodies<'_, '_, B> {
    fn inlinable(&mut self, callee: Mi) -> Result<Inline, Stop> {
        self.cx.read(callee, &INLINE)
    }

    fn inferred(&mut self, callee: Mi) -> Result<Arc<Inferred>, Stop> {
        self.cx.inferred(callee)
    }
}
