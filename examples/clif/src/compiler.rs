//! The three stages over CLIF: resolve what a function calls, generate its code, put it in place.
//! No edge is recorded here by hand: what a stage asks its context is one.

use cranelift_codegen::ir::{FuncRef, Function, Signature, UserFuncName};
use std::collections::BTreeMap;
use std::sync::Arc;
use worldage::embed::native::{
    NativeCaller, NativeError, NativeFunction, NativeMethod, ValueTypes, callees_of,
};
use worldage::embed::*;

/// What code is made for and called in, by name.
pub(crate) type Targets = BTreeMap<String, NativeCaller>;

/// Functions in CLIF as methods: named by their name, on the types of their parameters. A shard
/// is the name of a target.
pub(crate) struct Clif {
    pub(crate) targets: Arc<Targets>,
    /// What parameters are.
    pub(crate) types: ValueTypes,
}

/// A method's body.
pub(crate) type Body = Arc<Function>;

/// A function whose callees are known.
#[derive(PartialEq)]
pub(crate) struct Resolution {
    body: Body,
    callees: Vec<(FuncRef, Mi)>,
}

/// All that callers rely on is the signature.
impl Expose for Resolution {
    type Value = Signature;

    fn expose(&self) -> Signature {
        self.body.signature.clone()
    }
}

impl Compiler for Clif {
    type Source = Body;
    type Inferred = Resolution;
    type Summary = Exposed<Signature>;
    type Code = NativeMethod;
    type Linked = NativeFunction;
    type Shard = String;

    fn infer(&self, cx: &mut InferCx<'_, Self>, _: Mi, body: &Body) -> Result<Resolution, Stop> {
        let mut callees = Vec::new();
        for callee in callees_of(body) {
            if callee.name == UserFuncName::testcase("__cranelift_throw") {
                let why = "%__cranelift_throw: the host throws nothing";
                return Err(NativeError::Unsupported(why).into());
            }
            let args = self.types.of(cx.types(), &callee.signature.params);
            let mi = cx.callee(&callee.name.to_string(), &args)?;
            // Of a function that calls itself nothing is known before it is resolved.
            if let Some(defined) = cx.read(mi, &Exposed::VALUE)? {
                callee.reaches(&defined)?;
            }
            callees.push((callee.reference, mi));
        }
        let body = Arc::clone(body);
        Ok(Resolution { body, callees })
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        _: Mi,
        inferred: &Arc<Resolution>,
    ) -> Result<NativeMethod, Stop> {
        let isa = self.targets[cx.shard()].isa();
        Ok(NativeMethod::compile(
            cx,
            isa,
            &inferred.body,
            &inferred.callees,
        )?)
    }

    fn link(
        &self,
        cx: &mut LinkCx<'_, Self>,
        _: Mi,
        code: &Arc<NativeMethod>,
    ) -> Result<NativeFunction, Stop> {
        Ok(code.install(cx, self.targets[cx.shard().0].isa(), |_| std::ptr::null())?)
    }
}
