//! Questions that run nothing of the program: lookup, inference, validity, explanations, stages.

use crate::backend::{Scheduled, level};
use crate::edits::EditFailure;
use crate::options::OptLevel;
use crate::session::{Inner, Session};
use worldage_dispatch::{Symbol, Ty, World};
use worldage_engine::{Explanation, Mi, Resolved, TableId, ViewId};
#[cfg(feature = "llvm")]
use worldage_llvm::PtxTarget;
use worldage_wir::ast::{ItemKind, NodeId};
use worldage_wir::diag::{Code, Diagnostic, Place};
use worldage_wir::error::Site;
use worldage_wir::ir::{Body, Failure, Op};
use worldage_wir::schedule::Schedule;
use worldage_wir::source::Source;
use worldage_wir::syntax;

/// The answer of a lookup.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let found = session.lookup("f(Int64)", None, None).unwrap();
/// assert_eq!(found, LookupReport::Method("f(Any)".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupReport {
    /// The chosen method's signature as it was defined.
    Method(String),
    /// No method takes these arguments.
    NoMethod,
    /// The candidates that no other match beats, sorted.
    Ambiguous(Vec<String>),
}

/// What the code of an instance is made of. Each list is sorted by name and method, each instance once.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let f = session.instance("f(Int64)").unwrap();
/// let made = session.composition(f).unwrap();
/// assert!(made.inlined.is_empty());
/// assert_eq!(session.name(made.called[0]), "g(Int64)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composition {
    /// Instances that its typed SSA calls, before inlining.
    pub callees: Vec<Mi>,
    /// Instances that were inlined.
    pub inlined: Vec<Mi>,
    /// Instances that are called through their cells.
    pub called: Vec<Mi>,
}

/// A stage that can be shown.
///
/// ```
/// # use worldage::*;
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
/// let text = session.emit("f(Int64)", EmitStage::Inferred, OptLevel::Speed).unwrap();
/// assert!(text.contains("g(Int64)"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitStage {
    /// The method as the printer writes it.
    Source,
    /// Typed SSA after inference.
    Inferred,
    /// Typed SSA with callees inlined, optimised: what backends are given.
    Inlined,
    /// Typed SSA after inlining and optimisation, in Cranelift's text.
    Clif,
    /// Machine code as text.
    Asm,
    /// A kernel in OpenCL C.
    #[cfg(feature = "opencl")]
    OpenCl,
    /// A kernel in PTX.
    #[cfg(feature = "llvm")]
    Ptx(PtxTarget),
    /// LLVM's text, after optimisation: of a kernel for a target, else of this host's code.
    #[cfg(feature = "llvm")]
    Llvm(Option<PtxTarget>),
}

impl EmitStage {
    /// The shard of a device that only this stage is of.
    fn shard(self, opt: OptLevel) -> Option<crate::Shard> {
        let _ = opt;
        match self {
            #[cfg(feature = "opencl")]
            EmitStage::OpenCl => Some(crate::Shard::OpenCl),
            #[cfg(feature = "llvm")]
            EmitStage::Ptx(target) | EmitStage::Llvm(Some(target)) => {
                Some(crate::Shard::Ptx(target, opt))
            }
            _ => None,
        }
    }
}

impl Session {
    /// Which method takes these argument types: `f(Int64, Float64)`.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("g.wir", "fn g(x: Int64) { 0 }", None).unwrap();
    /// let found = |sig: &str| session.lookup(sig, None, None).unwrap();
    /// assert_eq!(found("g(Int64)"), LookupReport::Method("g(Int64)".into()));
    /// assert_eq!(found("g()"), LookupReport::NoMethod);
    /// ```
    ///
    /// # Errors
    /// If the signature is wrong.
    pub fn lookup(
        &self,
        sig: &str,
        view: Option<&str>,
        world: Option<World>,
    ) -> Result<LookupReport, EditFailure> {
        let inner = &*self.inner;
        let world = world.unwrap_or(inner.engine.world());
        let (function, args) = inner.parse_args(sig, world)?;
        let view = inner.view_id(view)?;
        Ok(match inner.engine.lookup(function, args, view, world) {
            Resolved::Method(mi) => {
                LookupReport::Method(inner.engine.method_name(inner.engine.key(mi).method, world))
            }
            Resolved::NoMethod => LookupReport::NoMethod,
            Resolved::Ambiguous(methods) => {
                let mut names: Vec<_> = methods
                    .iter()
                    .map(|method| inner.engine.method_name(*method, world))
                    .collect();
                names.sort();
                LookupReport::Ambiguous(names)
            }
        })
    }

    /// The methods of a function that programs have defined in the base table, sorted, each with
    /// the place of its definition.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let definitions = session.definitions("f");
    /// assert_eq!(definitions[0].0, "f(Any)");
    /// assert_eq!(session.line_col(definitions[0].1.unwrap()).line, 2);
    /// ```
    pub fn definitions(&self, function: &str) -> Vec<(String, Option<Place>)> {
        let inner = &*self.inner;
        let symbol = inner.universe.types().symbol(function);
        let world = inner.engine.world();
        let mut found = inner.engine.with_methods(TableId::BASE, symbol, |methods| {
            methods.map_or(Vec::new(), |methods| {
                methods.iter(world).map(|entry| entry.id).collect()
            })
        });
        found.retain(|method| inner.engine.method(*method).intrinsic.is_none());
        let mut named: Vec<_> = found
            .into_iter()
            .map(|method| {
                let node = NodeId(0);
                let place = inner.place(Site { method, node }, world);
                (inner.engine.method_name(method, world), place)
            })
            .collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named
    }

    /// The inferred return type of an instance, printed.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// assert_eq!(session.infer("f(Float64)", None).unwrap(), "Float64");
    /// ```
    ///
    /// # Errors
    /// If the signature is wrong or no method takes it.
    pub fn infer(&self, sig: &str, world: Option<World>) -> Result<String, EditFailure> {
        let inner = &*self.inner;
        let at = world.unwrap_or(inner.engine.world());
        let view = inner.view_id(None)?;
        let mi = inner.instance(sig, view, at)?;
        let inferred = inner.engine.inferred(mi, view, world);
        // The question is no demand of the program: its stages are not reported.
        let _ = inner.engine.take_log();
        let inferred = inferred.map_err(|error| {
            EditFailure::of(Diagnostic::error(
                Code::UnsupportedOnTarget,
                error.to_string(),
            ))
        })?;
        Ok(inner.universe.types().display(inferred.ret).to_string())
    }

    /// Compiled instances (default shard and view) whose next call would run no stage, sorted.
    /// One that no call reaches any more, because another method takes its calls, is not listed.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.call("f(1)", &CallOptions::default());
    /// session.define("g.wir", "noinline fn g(x) { 0 }", None).unwrap();
    /// assert!(session.valid().is_empty());
    /// session.call("f(1)", &CallOptions::default());
    /// assert_eq!(session.valid(), ["f(Int64)", "g(Int64)"]);
    /// ```
    pub fn valid(&self) -> Vec<String> {
        let inner = &*self.inner;
        let view = inner.engine.view(&[]);
        let shard = inner.shard(inner.options.opt, view);
        let world = inner.engine.world();
        let is_called = |mi: Mi| {
            let key = inner.engine.key(mi);
            let found = inner.engine.lookup(key.function, key.args, view, world);
            found == Resolved::Method(mi)
        };
        let valid = inner.engine.valid(shard).into_iter();
        let mut names: Vec<String> = valid
            .filter(|mi| !inner.is_intrinsic(*mi) && is_called(*mi))
            .map(|mi| inner.engine.name(mi))
            .collect();
        names.sort();
        names
    }

    /// Bytes of machine code of what is up to date in the session's own shard, constants included.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// assert_eq!(session.machine_code_bytes(), 0);
    /// session.compile("f(Int64)").unwrap();
    /// assert!(session.machine_code_bytes() > 0);
    /// ```
    pub fn machine_code_bytes(&self) -> usize {
        let inner = &*self.inner;
        let shard = inner.base;
        let code = |mi: &Mi| inner.engine.demand(*mi, shard, None).ok();
        let valid = inner.engine.valid(shard);
        let bytes = valid.iter().filter_map(code);
        bytes.map(|ci| ci.code().host().bytes.len()).sum()
    }

    /// Makes everything that is up to date again from nothing and compares: names what differs.
    /// For tests and for finding mistakes in a compiler's stages.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.compile("f(Int64)").unwrap();
    /// assert!(session.differences_from_scratch().is_empty());
    /// ```
    pub fn differences_from_scratch(&self) -> Vec<String> {
        self.inner.engine.differences_from_scratch()
    }

    /// What bringing an instance up to date after the newest edit did, and why.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.call("f(1)", &CallOptions::default());
    /// session.define("g.wir", "noinline fn g(x) { x + 2 }", None).unwrap();
    /// session.call("f(1)", &CallOptions::default());
    /// let why = session.explain("g(Int64)").unwrap();
    /// assert_eq!(why.stages[0].because, ["source g(Any)  replaced in world 2"]);
    /// ```
    ///
    /// # Errors
    /// If the signature is wrong, no method takes it, or it was never compiled.
    pub fn explain(&self, sig: &str) -> Result<Explanation, EditFailure> {
        self.explain_on(sig, crate::Shard::Host(self.inner.options.opt))
    }

    /// The same of a shard of any kind; of a kernel, in its first schedule.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.prepare("f(Int64)", OptLevel::None).unwrap();
    /// let none = session.explain_on("f(Int64)", Shard::Host(OptLevel::None)).unwrap();
    /// assert_eq!(none.stages.len(), 3);
    /// assert!(session.explain_on("f(Int64)", Shard::Host(OptLevel::Speed)).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Session::explain`].
    pub fn explain_on(&self, sig: &str, shard: crate::Shard) -> Result<Explanation, EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_on(shard, inner.view_id(None)?);
        let mi = inner.instance(sig, view, inner.engine.world())?;
        let schedule = inner.space(mi, inner.engine.world()).schedule(0);
        let shard = inner.engine.shard(Scheduled { shard, schedule }, view);
        inner.engine.explain(mi, shard).ok_or_else(|| {
            EditFailure::of(
                Diagnostic::error(Code::NoMatchingMethod, format!("{sig} was never compiled"))
                    .subject(sig)
                    .hint("call it first"),
            )
        })
    }

    /// The instance that a call with these argument types means: `f(Int64, Float64)`.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let mi = session.instance("f(Float64)").unwrap();
    /// assert_eq!(session.name(mi), "f(Float64)");
    /// ```
    ///
    /// # Errors
    /// If the signature is wrong or no method takes it.
    pub fn instance(&self, sig: &str) -> Result<Mi, EditFailure> {
        let inner = &*self.inner;
        inner.instance(sig, inner.view_id(None)?, inner.engine.world())
    }

    /// The signature of an instance's method. It tells instances of one name apart: `invoke`
    /// calls methods that a lookup of the same argument types does not find.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let mi = session.instance("f(Float64)").unwrap();
    /// assert_eq!(session.method_of(mi), "f(Any)");
    /// ```
    pub fn method_of(&self, mi: Mi) -> String {
        let engine = &self.inner.engine;
        engine.method_name(engine.key(mi).method, engine.world())
    }

    /// What an instance calls, and what its code is made of.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.define("h.wir", "inline fn h(x) { x }\nfn k(x) { h(x) }", None).unwrap();
    /// let k = session.instance("k(Int64)").unwrap();
    /// let made = session.composition(k).unwrap();
    /// assert_eq!(session.name(made.inlined[0]), "h(Int64)");
    /// ```
    ///
    /// # Errors
    /// If a stage fails.
    pub fn composition(&self, mi: Mi) -> Result<Composition, EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_id(None)?;
        let shard = inner.shard(inner.options.opt, view);
        let unsupported = |error: &dyn std::fmt::Display| {
            EditFailure::of(Diagnostic::error(
                Code::UnsupportedOnTarget,
                error.to_string(),
            ))
        };
        let called_in = |body: &Body| -> Vec<Mi> {
            let insts = body.blocks.iter().flat_map(|block| &block.insts);
            let called = insts.filter_map(|inst| match inst.op {
                Op::Call(callee, _) => Some(callee),
                _ => None,
            });
            called.collect()
        };
        let inferred = inner.engine.inferred(mi, view, None);
        let inferred = inferred.map_err(|error| unsupported(&error))?;
        let asked = inner
            .engine
            .with_codegen(mi, shard, |compiler, cx, inferred| {
                let body = compiler.optimized(cx, inferred)?;
                let inlined: Vec<Mi> = body.frames[1..].iter().map(|frame| frame.mi).collect();
                Ok((inlined, called_in(&body)))
            });
        let (inlined, called) = asked.map_err(|error| unsupported(&error))?;
        let sorted = |mut mis: Vec<Mi>| {
            mis.sort_by_cached_key(|mi| (self.name(*mi), self.method_of(*mi), *mi));
            mis.dedup();
            mis
        };
        Ok(Composition {
            callees: sorted(called_in(&inferred.body())),
            inlined: sorted(inlined),
            called: sorted(called),
        })
    }

    /// One stage of an instance as text.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// let source = session.emit("f(Int64)", EmitStage::Source, OptLevel::Speed).unwrap();
    /// assert!(source.starts_with("fn f(x)"));
    /// ```
    ///
    /// # Errors
    /// If the signature is wrong or no method takes it, or a stage fails.
    pub fn emit(&self, sig: &str, stage: EmitStage, opt: OptLevel) -> Result<String, EditFailure> {
        self.emit_of(self.instance(sig)?, stage, opt)
    }

    /// As [`Session::emit`], of a kernel in a schedule and as a view sees it, such as `opencl`; code
    /// for a device is shown as that device's view sees it, if none is named.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let text = "kernel fn k(n: Int64) { tune(a, [5, 6])\n div(n, a) }";
    /// session.define("k.wir", text, None).unwrap();
    /// let schedule = "a=6".parse().unwrap();
    /// let text = session.emit_in("k(Int64)", EmitStage::Inlined, OptLevel::Speed, &schedule, None);
    /// assert!(text.unwrap().contains('6'));
    /// // On an OpenCL device `sin` is that of OpenCL C.
    /// session.define("s.wir", "fn s(x: Float64) { sin(x) }", None).unwrap();
    /// let (stage, opt, none) = (EmitStage::Inlined, OptLevel::Speed, Schedule::default());
    /// let text = session.emit_in("s(Float64)", stage, opt, &none, Some("opencl")).unwrap();
    /// assert!(text.contains("cl_sin"));
    /// ```
    ///
    /// # Errors
    /// As [`Session::emit`].
    pub fn emit_in(
        &self,
        sig: &str,
        stage: EmitStage,
        opt: OptLevel,
        schedule: &Schedule,
        view: Option<&str>,
    ) -> Result<String, EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_id(view)?;
        let view = stage
            .shard(opt)
            .map_or(view, |shard| inner.view_on(shard, view));
        let mi = inner.instance(sig, view, inner.engine.world())?;
        self.emit_scheduled(mi, stage, opt, schedule, view)
    }

    /// As [`Session::emit`], of an instance that is known.
    ///
    /// # Errors
    /// If a stage fails.
    pub fn emit_of(&self, mi: Mi, stage: EmitStage, opt: OptLevel) -> Result<String, EditFailure> {
        let inner = &*self.inner;
        let view = inner.view_id(None)?;
        let view = stage
            .shard(opt)
            .map_or(view, |shard| inner.view_on(shard, view));
        self.emit_scheduled(mi, stage, opt, &Schedule::default(), view)
    }

    pub(crate) fn emit_scheduled(
        &self,
        mi: Mi,
        stage: EmitStage,
        opt: OptLevel,
        schedule: &Schedule,
        view: ViewId,
    ) -> Result<String, EditFailure> {
        let inner = &*self.inner;
        let world = inner.engine.world();
        let method = inner.engine.key(mi).method;
        if stage == EmitStage::Source {
            return Ok(match inner.engine.source(method, world).as_deref() {
                Some(Source::Method(source)) if source.host.is_some() => {
                    let name = inner.engine.method_name(method, world);
                    format!("# run by the host: {name}\n")
                }
                Some(Source::Method(source)) => {
                    syntax::print_item(&ItemKind::Method(source.def.clone()))
                }
                _ => format!("# built in: {}\n", inner.engine.method_name(method, world)),
            });
        }
        let at = |shard: crate::Shard| Scheduled {
            shard,
            schedule: schedule.clone(),
        };
        let unsupported =
            |error: String| EditFailure::of(Diagnostic::error(Code::UnsupportedOnTarget, error));
        if stage == EmitStage::Inferred {
            let inferred = inner.engine.inferred(mi, view, None);
            let inferred = inferred.map_err(|error| unsupported(error.to_string()))?;
            let name = |mi: Mi| inner.engine.name(mi);
            return Ok(worldage_wir::print::print_body(
                &inner.universe,
                &inferred.body_of(schedule),
                &name,
            ));
        }
        #[cfg(feature = "opencl")]
        if stage == EmitStage::OpenCl {
            let code = inner.device_code(mi, at(crate::Shard::OpenCl), view)?;
            return Ok(code.opencl().text.clone());
        }
        #[cfg(feature = "llvm")]
        if let EmitStage::Ptx(target) = stage {
            let code = inner.device_code(mi, at(crate::Shard::Ptx(target, opt)), view)?;
            return Ok(code.ptx().ptx.clone());
        }
        #[cfg(feature = "llvm")]
        if let EmitStage::Llvm(Some(target)) = stage {
            return inner.device_llvm(mi, (target, opt), schedule, view);
        }
        let shard = inner.engine.shard(at(crate::Shard::Host(opt)), view);
        if stage == EmitStage::Inlined {
            let body = inner
                .engine
                .with_codegen(mi, shard, |compiler, cx, inferred| {
                    compiler.optimized(cx, inferred)
                });
            let body = body.map_err(|error| unsupported(error.to_string()))?;
            let name = |mi: Mi| inner.engine.name(mi);
            return Ok(worldage_wir::print::print_body(
                &inner.universe,
                &body,
                &name,
            ));
        }
        let generator = &inner.engine.compiler().backend().generator;
        let shown = inner
            .engine
            .with_codegen(mi, shard, |compiler, cx, inferred| {
                let body = compiler.optimized(cx, inferred)?;
                let mut rets = Vec::new();
                for inst in body.blocks.iter().flat_map(|block| &block.insts) {
                    if let Op::Call(callee, _) = &inst.op {
                        rets.push((*callee, cx.peek(*callee, |summary| summary.ret)?));
                    }
                }
                let ret = |callee: Mi| {
                    rets.iter()
                        .find(|(mi, _)| *mi == callee)
                        .map_or(Ty::BOTTOM, |(_, ty)| *ty)
                };
                Ok(match stage {
                    #[cfg(feature = "llvm")]
                    EmitStage::Llvm(_) => {
                        worldage_llvm::host::llvm(&generator.in_clif(&body, &ret))
                    }
                    #[cfg(feature = "llvm")]
                    EmitStage::Asm if opt == OptLevel::Aggressive => {
                        let clif = generator.in_clif(&body, &ret);
                        let text = worldage_llvm::host::disassemble(&clif);
                        text.map_err(worldage_engine::Stop::failed)?
                    }
                    EmitStage::Asm => {
                        let text = generator.disassemble(level(opt), &body, &ret);
                        text.map_err(worldage_engine::Stop::failed)?
                    }
                    _ => generator.clif(&body, &ret),
                })
            });
        shown.map_err(|error| unsupported(error.to_string()))
    }
}

impl Inner {
    /// A function and concrete argument types from text.
    pub(crate) fn parse_args(&self, text: &str, world: World) -> Result<(Symbol, Ty), EditFailure> {
        let (function, sig) = self.parse_sig(text, Some(world))?;
        let types = self.universe.types();
        if !sig.vars.is_empty() || !types.is_concrete(sig.params) {
            let message = format!("{text} names no instance: its argument types must be concrete");
            return Err(EditFailure::of(
                Diagnostic::error(Code::TypeMismatch, message)
                    .hint("give types that values can have, such as Int64"),
            ));
        }
        Ok((function, sig.params))
    }

    /// The instance that text names.
    pub(crate) fn instance(
        &self,
        text: &str,
        view: ViewId,
        world: World,
    ) -> Result<Mi, EditFailure> {
        let (function, args) = self.parse_args(text, world)?;
        let failure = match self.engine.lookup(function, args, view, world) {
            Resolved::Method(mi) => return Ok(mi),
            Resolved::NoMethod => Failure::NoMethod(function, args),
            Resolved::Ambiguous(_) => Failure::Ambiguous(function, args),
        };
        let error = crate::failure::of_failure(self, view, world, &failure);
        let mut diagnostic = error.to_diagnostic(|site| self.place(site, world));
        if let Some(subject) = &mut diagnostic.subject {
            subject.push_str(&format!(" in world {world}"));
        }
        Err(EditFailure::of(diagnostic))
    }
}
