//! The three stages over CLIF: resolve what a function calls, generate its code, put it in place.
//! No edge is recorded here by hand: what a stage asks its context is one.

use cranelift_codegen::ir::{self, FuncRef, Function, Signature, UserExternalName, UserFuncName};
use cranelift_codegen::isa::OwnedTargetIsa;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use worldage::dispatch::{Decl, DeclKind, Ty, Types};
use worldage::embed::native::{
    CELLS, NativeCode, NativeError, NativeFunction, call_through_cells, callees_of,
};
use worldage::engine::{
    CodegenCx, Compiler, InferCx, LinkCx, Mi, Part, PartDigest, Resolved, Stop, Summarize,
    digest_of,
};

/// Functions in CLIF as methods: named by their name, on the types of their parameters. A shard
/// is the name of an ISA with its settings.
pub struct Clif {
    /// The ISAs by shard.
    pub isas: BTreeMap<String, OwnedTargetIsa>,
    types: Mutex<HashMap<ir::Type, Ty>>,
}

/// A function whose callees are known.
#[derive(PartialEq)]
pub struct Resolution {
    function: Arc<Function>,
    callees: Vec<(FuncRef, Mi)>,
}

/// Machine code, and the callees whose cells it names by number.
#[derive(PartialEq)]
pub struct Code {
    native: NativeCode,
    cells: Vec<Mi>,
}

/// What callers rely on; nothing is known of a function that calls itself until it is resolved.
#[derive(Clone, PartialEq)]
pub struct Known(Option<Signature>);

const SIGNATURE: Part<Known, Option<Signature>> = Part {
    index: 0,
    name: "signature",
    get: |known| known.0.clone(),
};

impl Summarize<Resolution> for Known {
    const PARTS: &'static [PartDigest<Known>] = &[PartDigest {
        name: SIGNATURE.name,
        digest: |known| digest_of(&known.0),
    }];

    fn of(inferred: &Resolution) -> Known {
        Known(Some(inferred.function.signature.clone()))
    }

    fn bottom() -> Known {
        Known(None)
    }
}

impl Compiler for Clif {
    type Source = Arc<Function>;
    type Inferred = Resolution;
    type Summary = Known;
    type Code = Code;
    type Linked = NativeFunction;
    type Shard = String;

    fn infer(
        &self,
        cx: &mut InferCx<'_, Self>,
        _: Mi,
        function: &Arc<Function>,
    ) -> Result<Resolution, Stop> {
        let mut callees = Vec::new();
        for (reference, name) in callees_of(function) {
            let types = cx.types();
            let called = &function.dfg.ext_funcs[reference];
            let called = &function.dfg.signatures[called.signature];
            let symbol = types.symbol(&name.to_string());
            let mi = match cx.lookup(symbol, self.args(types, called))? {
                Resolved::Method(mi) => mi,
                _ if name == UserFuncName::testcase("__cranelift_throw") => {
                    let why = "%__cranelift_throw: the host throws nothing";
                    return Err(NativeError::Unsupported(why).into());
                }
                _ => {
                    let why = format!("{} calls {name}{called}: no such function", function.name);
                    return Err(Stop::failed(why));
                }
            };
            let defined = cx.read(mi, &SIGNATURE)?;
            if defined
                .as_ref()
                .is_some_and(|defined| !agree(defined, called))
            {
                let shown = defined
                    .map(|defined| defined.to_string())
                    .unwrap_or_default();
                let why = format!("{} calls {name}{called}: it is {shown}", function.name);
                return Err(Stop::failed(why));
            }
            callees.push((reference, mi));
        }
        let function = Arc::clone(function);
        Ok(Resolution { function, callees })
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        _: Mi,
        inferred: &Arc<Resolution>,
    ) -> Result<Code, Stop> {
        let cells: Vec<Mi> = inferred.callees.iter().map(|(_, mi)| *mi).collect();
        cells.iter().for_each(|mi| cx.calls(*mi));
        let isa = &self.isas[cx.shard()];
        let mut function = (*inferred.function).clone();
        let callees = inferred.callees.iter().map(|(callee, _)| *callee);
        call_through_cells(&mut function, callees, isa.pointer_type());
        let native = NativeCode::compile(isa, function)?;
        Ok(Code { native, cells })
    }

    fn link(
        &self,
        cx: &mut LinkCx<'_, Self>,
        _: Mi,
        code: &Arc<Code>,
    ) -> Result<NativeFunction, Stop> {
        let cell = |name: &UserExternalName| match name.namespace {
            CELLS => cx.cell(code.cells[name.index as usize]).cast(),
            _ => std::ptr::null(),
        };
        Ok(code.native.install(&self.isas[cx.shard().0], cell)?)
    }
}

impl Clif {
    /// A compiler for these ISAs.
    pub fn new(isas: BTreeMap<String, OwnedTargetIsa>) -> Clif {
        let types = Mutex::default();
        Clif { isas, types }
    }

    /// The types of a signature's parameters, as a tuple.
    pub fn args(&self, types: &Types, signature: &Signature) -> Ty {
        let mut known = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        let params = signature.params.iter().map(|param| {
            let ty = param.value_type;
            *known.entry(ty).or_insert_with(|| {
                let name = types.symbol(&ty.to_string());
                let decl = Decl::leaf(name, DeclKind::Concrete, Ty::ANY);
                types.leaf(types.declare(decl).expect("a type under Any"))
            })
        });
        types.tuple(&params.collect::<Vec<_>>())
    }
}

/// Whether a call with one signature reaches a function with the other.
fn agree(defined: &Signature, called: &Signature) -> bool {
    let types = |params: &[ir::AbiParam]| params.iter().map(|p| p.value_type).collect::<Vec<_>>();
    defined.call_conv == called.call_conv
        && types(&defined.params) == types(&called.params)
        && types(&defined.returns) == types(&called.returns)
}
