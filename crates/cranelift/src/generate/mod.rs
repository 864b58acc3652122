//! Typed SSA to machine code: the pipeline of one instance.
//!
//! Reading order: this file (the pipeline), [`lower`] (blocks and operations), [`prim`] (scalar
//! operations), [`select`] (choices), [`memory`] (arrays, structs, boxes), [`dynamic`] (tags, run-time dispatch),
//! [`thunk`] (the uniform entry), [`bare`] (what figures are measured beside).

pub mod bare;
mod dynamic;
pub mod finished;
mod loops;
mod lower;
mod memory;
mod names;
mod prim;
mod select;
mod thunk;

use crate::code::{Code, Convention};
use crate::isa::{HOST_CONV, HostIsa, INSTANCE_CONV, OptLevel};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{self, AbiParam, Signature, types};
use cranelift_codegen::{CodegenError, Context};
use names::Names;
use parking_lot::Mutex;
use std::sync::Arc;
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ir::{Body, Op};
use worldage_wir::layout::{Layouts, Leaf};

/// Makes code; shared by all threads.
pub struct Generator {
    isa: HostIsa,
    layouts: Arc<Layouts>,
    pool: Mutex<Vec<Box<Scratch>>>,
}

/// What is reused from one compilation to the next.
struct Scratch {
    context: Context,
    control: ControlPlane,
    names: Names,
    lower: lower::Buffers,
}

/// Why a body has no code: a limit of the code generator, never the program's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("code generator: {0}")]
pub struct GenerateError(pub String);

/// The parameter types and the result type of a thunk's callee.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThunkKey {
    /// How the callee is called.
    pub convention: Convention,
    /// The argument types of the instance, one by one; all concrete.
    pub params: Box<[Ty]>,
    /// The result type of the instance.
    pub ret: Ty,
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator")
            .field("isa", &self.isa)
            .finish_non_exhaustive()
    }
}

impl Generator {
    /// A generator for a universe's types.
    #[must_use]
    pub fn new(isa: HostIsa, layouts: Arc<Layouts>) -> Generator {
        Generator {
            isa,
            layouts,
            pool: Mutex::default(),
        }
    }

    /// The target.
    #[must_use]
    pub fn isa(&self) -> &HostIsa {
        &self.isa
    }

    /// How types are held.
    #[must_use]
    pub fn layouts(&self) -> &Arc<Layouts> {
        &self.layouts
    }

    /// Compiles a body; `returns` tells the result type of the callees that [`unread_calls`]
    /// names. Law: a pure function of its arguments.
    pub fn compile(
        &self,
        opt: OptLevel,
        body: &Body,
        returns: &dyn Fn(Mi) -> Ty,
    ) -> Result<Code, GenerateError> {
        self.with_scratch(|scratch| {
            let tables = self.build(Convention::Tail, body, returns, scratch);
            self.finish(opt, scratch, tables)
        })
    }

    /// Compiles the uniform entry of instances of one type: `(vmctx, entry, args, result)`, in
    /// the host's calling convention.
    pub fn compile_thunk(&self, key: &ThunkKey) -> Result<Code, GenerateError> {
        self.with_scratch(|scratch| {
            let tables = thunk::build(self, key, scratch);
            self.finish(OptLevel::None, scratch, tables)
        })
    }

    /// The body in Cranelift's own text, before its optimiser.
    #[must_use]
    pub fn clif(&self, body: &Body, returns: &dyn Fn(Mi) -> Ty) -> String {
        self.with_scratch(|scratch| {
            self.build(Convention::Tail, body, returns, scratch);
            let text = scratch.context.func.display().to_string();
            scratch.clear();
            text
        })
    }

    /// The machine code of a body as text.
    pub fn disassemble(
        &self,
        opt: OptLevel,
        body: &Body,
        returns: &dyn Fn(Mi) -> Ty,
    ) -> Result<String, GenerateError> {
        self.with_scratch(|scratch| {
            self.build(Convention::Tail, body, returns, scratch);
            scratch.context.set_disasm(true);
            let isa = &**self.isa.get(opt);
            let compiled = scratch.context.compile(isa, &mut scratch.control);
            let text = match compiled {
                Ok(code) => Ok(code.vcode.clone().unwrap_or_default()),
                Err(error) => Err(failed(&error.inner)),
            };
            scratch.context.set_disasm(false);
            scratch.clear();
            text
        })
    }

    fn build(
        &self,
        convention: Convention,
        body: &Body,
        returns: &dyn Fn(Mi) -> Ty,
        scratch: &mut Scratch,
    ) -> names::Tables {
        scratch.clear();
        let Scratch {
            context,
            names,
            lower,
            ..
        } = scratch;
        lower::Lower::new(
            &self.layouts,
            body,
            &mut context.func,
            names,
            lower,
            returns,
        )
        .run(convention)
    }

    fn with_scratch<T>(&self, f: impl FnOnce(&mut Scratch) -> T) -> T {
        let mut scratch = self.pool.lock().pop().unwrap_or_default();
        let result = f(&mut scratch);
        self.pool.lock().push(scratch);
        result
    }

    fn finish(
        &self,
        opt: OptLevel,
        scratch: &mut Scratch,
        tables: names::Tables,
    ) -> Result<Code, GenerateError> {
        let isa = &**self.isa.get(opt);
        let Scratch {
            context,
            control,
            names,
            ..
        } = scratch;
        let result = match context.compile(isa, control) {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(&error.inner)),
        };
        let code = result.and_then(|()| {
            let compiled = context.compiled_code().expect("just compiled");
            names.code(&context.func, compiled, tables)
        });
        scratch.clear();
        code
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch {
            context: Context::new(),
            control: ControlPlane::default(),
            names: Names::default(),
            lower: lower::Buffers::default(),
        }
    }
}

fn failed(error: &CodegenError) -> GenerateError {
    match error {
        // What its own text leaves out.
        CodegenError::Verifier(errors) => GenerateError(errors.to_string()),
        other => GenerateError(other.to_string()),
    }
}

impl Scratch {
    fn clear(&mut self) {
        self.context.clear();
        self.names.clear();
    }
}

/// The type of a leaf in registers.
pub(crate) fn leaf_type(leaf: Leaf) -> ir::Type {
    match leaf {
        Leaf::I8 => types::I8,
        Leaf::I16 => types::I16,
        Leaf::I32 => types::I32,
        Leaf::F32 => types::F32,
        Leaf::F64 => types::F64,
        Leaf::I64 | Leaf::Ptr | Leaf::Box(_) | Leaf::Tag | Leaf::Payload => types::I64,
    }
}

/// The signature of an instance: the context, then all leaves. Gives the words of the place for
/// results that do not fit into registers; the signature has its address as second parameter.
pub(crate) fn instance_signature(
    convention: Convention,
    layouts: &Layouts,
    params: impl Iterator<Item = Ty>,
    ret: Ty,
) -> (Signature, usize) {
    let results = &layouts.rep(ret).leaves;
    let mut area = 0;
    let mut sig = match convention {
        Convention::Tail => Signature::new(INSTANCE_CONV),
        Convention::System => {
            let floats = results.iter().filter(|leaf| leaf_type(**leaf).is_float());
            let floats = floats.count();
            if floats > 2 || results.len() - floats > 2 {
                area = results.len();
            }
            Signature::new(HOST_CONV)
        }
    };
    sig.params.push(AbiParam::new(types::I64));
    if area > 0 {
        sig.params.push(AbiParam::new(types::I64));
    }
    for ty in params {
        sig.params.extend(
            layouts
                .rep(ty)
                .leaves
                .iter()
                .map(|&l| AbiParam::new(leaf_type(l))),
        );
    }
    if area == 0 {
        let results = results.iter().map(|&l| AbiParam::new(leaf_type(l)));
        sig.returns.extend(results);
    }
    (sig, area)
}

/// The callees whose results a body does not use: their result types are asked of `returns`,
/// because the body does not say them.
pub fn unread_calls(body: &Body) -> impl Iterator<Item = Mi> + '_ {
    let insts = body.blocks.iter().flat_map(|block| &block.insts);
    insts.filter_map(|inst| match inst.op {
        Op::Call(mi, _) if body.vals[inst.result.0 as usize] == Ty::ANY => Some(mi),
        _ => None,
    })
}
