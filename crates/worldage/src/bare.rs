//! The yardstick: the bare code generator on the functions of a session.
//!
//! What a figure of recompilation is measured beside: see [`worldage_cranelift::Bare`].

use crate::backend::level;
use crate::options::OptLevel;
use crate::session::Session;
use std::sync::Arc;
use std::time::{Duration, Instant};
use worldage_cranelift as cranelift;
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_engine::engine::DemandError;
use worldage_wir::ir::{Body, Op};

/// Finished SSA of some instances, and a code generator that does nothing else.
pub struct BareGenerator {
    generator: Arc<cranelift::Generator>,
    bare: cranelift::Bare,
    functions: Vec<cranelift::Finished>,
}

impl Session {
    /// The finished SSA of these instances in the newest world, after inlining.
    ///
    /// ```
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "noinline fn g(x) { x + 1 }\nfn f(x) { g(x) * 2 }", None).unwrap();
    /// session.prepare("f(Int64)", OptLevel::Speed).unwrap();
    /// let instances: Vec<_> = session.take_stages().iter().map(|event| event.mi).collect();
    /// let mut bare = session.bare_generator(&instances, OptLevel::Speed).unwrap();
    /// assert!(bare.instructions() > 0);
    /// let (time, bytes) = bare.compile().unwrap();
    /// assert!(bytes > 0 && !time.is_zero());
    /// ```
    ///
    /// # Errors
    /// If inference of one fails.
    pub fn bare_generator(
        &self,
        instances: &[Mi],
        opt: OptLevel,
    ) -> Result<BareGenerator, DemandError> {
        let inner = &*self.inner;
        let generator = Arc::clone(&inner.engine.compiler().backend().generator);
        let shard = inner.shard(opt, inner.engine.view(&[]));
        let mut functions = Vec::with_capacity(instances.len());
        for mi in instances {
            let (body, rets) =
                inner
                    .engine
                    .with_codegen(*mi, shard, |compiler, cx, inferred| {
                        let body = compiler.optimized(cx, inferred)?;
                        let mut rets: Vec<(Mi, Ty)> = Vec::new();
                        for callee in callees(&body) {
                            rets.push((callee, cx.peek(callee, |summary| summary.ret)?));
                        }
                        Ok((body, rets))
                    })?;
            let ret = |callee: Mi| {
                let known = rets.iter().find(|(mi, _)| *mi == callee);
                known.map_or(Ty::BOTTOM, |(_, ty)| *ty)
            };
            functions.push(generator.finished(&body, &ret));
        }
        Ok(BareGenerator {
            generator,
            bare: cranelift::Bare::new(level(opt)),
            functions,
        })
    }
}

fn callees(body: &Body) -> impl Iterator<Item = Mi> + '_ {
    let insts = body.blocks.iter().flat_map(|block| &block.insts);
    insts.filter_map(|inst| match inst.op {
        Op::Call(callee, _) => Some(callee),
        _ => None,
    })
}

impl BareGenerator {
    /// Compiles all functions, one after the other; how long it took and the bytes of code.
    ///
    /// ```
    /// # use worldage::{OptLevel, Session, SessionOptions};
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "fn f(x) { x * x + 1 }", None).unwrap();
    /// session.prepare("f(Int64)", OptLevel::Speed).unwrap();
    /// let instances: Vec<_> = session.take_stages().iter().map(|event| event.mi).collect();
    /// let mut bare = session.bare_generator(&instances, OptLevel::Speed).unwrap();
    /// let (_time, bytes) = bare.compile().unwrap();
    /// assert!(bytes > 0);
    /// ```
    ///
    /// # Errors
    /// A limit of the code generator.
    pub fn compile(&mut self) -> Result<(Duration, usize), String> {
        let start = Instant::now();
        let mut bytes = 0;
        for function in &self.functions {
            let compiled = self.bare.compile(&self.generator, function);
            bytes += compiled.map_err(|error| error.to_string())?;
        }
        Ok((start.elapsed(), bytes))
    }

    /// Instructions of all functions, before the code generator's optimiser.
    ///
    /// ```
    /// # use worldage::{OptLevel, Session, SessionOptions};
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// # session.define("f.wir", "fn f(x) { x * x + 1 }", None).unwrap();
    /// session.prepare("f(Int64)", OptLevel::Speed).unwrap();
    /// let instances: Vec<_> = session.take_stages().iter().map(|event| event.mi).collect();
    /// let bare = session.bare_generator(&instances, OptLevel::Speed).unwrap();
    /// assert!(bare.instructions() > 2);
    /// ```
    #[must_use]
    pub fn instructions(&self) -> usize {
        let counts = self.functions.iter().map(cranelift::Finished::instructions);
        counts.sum()
    }
}
