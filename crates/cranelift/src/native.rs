//! Native code of an embedder's own functions: CLIF to machine code, machine code into memory,
//! and calls with values that are known at run time only.
//!
//! A function names what it needs by number ([`UserExternalName`]): cells of callees, functions
//! of a run-time system, data. The code says the numbers too, so it is the same in every session;
//! an address appears only when it is put in place.
//!
//! Reading order: this file (code, and code in memory), `cells` (direct calls through cells),
//! `method` (functions as method instances), `caller` (calls with values), `host` (the machine's
//! code generator).
//!
//! Invariant: the code has no unwind tables, so no panic may pass through it: what it calls
//! returns its errors.

mod caller;
mod cells;
mod host;
mod method;

pub use caller::NativeCaller;
pub use cells::{CELLS, Callee, call_through_cells, callees_of};
pub use host::{host_isa, host_isa_as};
pub use method::{NativeMethod, ValueTypes, instance_name};

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, Function, LibCall, UserExternalName};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{CodegenError, Context, FinalizedRelocTarget};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, FuncOrDataId, Linkage, Module, ModuleError, ModuleReloc};
use cranelift_module::{ModuleRelocTarget, default_libcall_names};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use worldage_engine::{Linked, Stop};

/// Why a function did not become native code.
///
/// ```
/// use worldage_cranelift::native::{NativeError, host_isa};
/// let error = host_isa(&[("opt_level", "most")], None).map(drop).unwrap_err();
/// assert!(matches!(error, NativeError::Machine(_)));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// The machine's backend lacks something that the function asks for.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The code generator refused the function.
    #[error("{0}")]
    Refused(Arc<str>),
    /// There is no code generator for this machine, or the machine is not as asked for.
    #[error("{0}")]
    Machine(Arc<str>),
    /// There is no memory for code.
    #[error("no memory for code: {0}")]
    Memory(Arc<str>),
}

/// The failure of a stage; whoever is told of it finds the error by its type.
impl From<NativeError> for Stop {
    fn from(error: NativeError) -> Stop {
        Stop::failed(error)
    }
}

/// Machine code of one function; of equal functions it is equal.
///
/// ```
/// # use cranelift_codegen::cursor::{Cursor, FuncCursor};
/// # use cranelift_codegen::data_value::DataValue;
/// # use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, Signature, UserFuncName, types::I64};
/// # use cranelift_codegen::isa::CallConv;
/// # use worldage_cranelift::native::*;
/// # use worldage_engine::Linked;
/// # let mut signature = Signature::new(CallConv::SystemV);
/// # signature.params = vec![AbiParam::new(I64)];
/// # signature.returns = vec![AbiParam::new(I64)];
/// # let mut double = Function::with_name_signature(UserFuncName::testcase("double"), signature.clone());
/// # let block = double.dfg.make_block();
/// # let x = double.dfg.append_block_param(block, I64);
/// # let mut cursor = FuncCursor::new(&mut double);
/// # cursor.insert_block(block);
/// # let sum = cursor.ins().iadd(x, x);
/// # cursor.ins().return_(&[sum]);
/// // `double` is a function in CLIF that adds its parameter to itself.
/// let isa = host_isa(&[("opt_level", "speed")], None)?;
/// let code = NativeCode::compile(&isa, double)?;
/// let installed = code.install(&isa, |name| unreachable!("it names nothing: {name:?}"))?;
/// let entry: extern "C" fn(i64) -> i64 = unsafe { std::mem::transmute(installed.entry()) };
/// assert_eq!(entry(21), 42);
/// # Ok::<(), NativeError>(())
/// ```
pub struct NativeCode {
    function: Function,
    bytes: Vec<u8>,
    align: u64,
    relocations: Vec<ModuleReloc>,
}

impl PartialEq for NativeCode {
    fn eq(&self, other: &NativeCode) -> bool {
        self.function == other.function
    }
}

impl NativeCode {
    /// Machine code of a function.
    ///
    /// # Errors
    /// [`NativeError::Unsupported`], [`NativeError::Refused`].
    pub fn compile(isa: &OwnedTargetIsa, function: Function) -> Result<NativeCode, NativeError> {
        use NativeError::{Refused, Unsupported};
        let mut context = Context::for_function(function);
        let compiled = catch_unwind(AssertUnwindSafe(|| {
            let compiled = context.compile(isa.as_ref(), &mut ControlPlane::default());
            compiled.map(drop).map_err(|error| match &error.inner {
                CodegenError::Unsupported(_) => {
                    Unsupported("this machine's backend has no such instruction")
                }
                inner => Refused(format!("{}: {inner}", error.func.name).into()),
            })
        }));
        // It also panics at some instructions that it lacks.
        compiled.unwrap_or(Err(Unsupported("this machine's backend panics at it")))?;
        let buffer = context.take_compiled_code().map(|code| code.buffer);
        let buffer = buffer.ok_or(Refused("no code came of it".into()))?;
        let function = context.func;
        let known = buffer.relocs().iter().all(|reloc| match &reloc.target {
            FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => {
                *call != LibCall::X86Pshufb
            }
            FinalizedRelocTarget::ExternalName(name) => matches!(name, ExternalName::User(_)),
            FinalizedRelocTarget::Func(_) => true,
        });
        if !known {
            let why = "a symbol beyond functions and this run-time library";
            return Err(Unsupported(why));
        }
        let id = FuncId::from_u32(0);
        let relocations: Vec<ModuleReloc> = buffer
            .relocs()
            .iter()
            .map(|reloc| ModuleReloc::from_mach_reloc(reloc, &function, id))
            .collect();
        Ok(NativeCode {
            bytes: buffer.data().to_vec(),
            align: u64::from(buffer.alignment),
            relocations,
            function,
        })
    }

    /// Puts the code into memory; `address` gives what each name that the function declared
    /// stands for.
    ///
    /// # Errors
    /// [`NativeError::Memory`].
    pub fn install(
        &self,
        isa: &OwnedTargetIsa,
        mut address: impl FnMut(&UserExternalName) -> *const u8,
    ) -> Result<NativeFunction, NativeError> {
        let libcalls = default_libcall_names();
        let mut builder = JITBuilder::with_isa(OwnedTargetIsa::clone(isa), libcalls);
        for name in self.function.params.user_named_funcs().values() {
            builder.symbol(symbol(name), address(name));
        }
        builder.symbol_lookup_fn(Box::new(libcall));
        let mut native = NativeFunction {
            module: Mutex::new(Some(JITModule::new(builder))),
            entry: 0,
        };
        let filled = native.fill(self);
        filled.map_err(|error| NativeError::Memory(error.to_string().into()))?;
        Ok(native)
    }
}

fn symbol(name: &UserExternalName) -> String {
    format!("u{}:{}", name.namespace, name.index)
}

/// Native code in memory, until it is dropped. As [`NativeCode`] shows, its entry is a function of
/// the host, in the convention that it was compiled for.
pub struct NativeFunction {
    module: Mutex<Option<JITModule>>,
    entry: usize,
}

impl NativeFunction {
    fn fill(&mut self, code: &NativeCode) -> Result<(), Box<ModuleError>> {
        let module = self.module.get_mut().as_mut();
        let module = module.expect("it is there until this is dropped");
        let own = module.declare_anonymous_function(&module.make_signature())?;
        let mut relocations = code.relocations.clone();
        for reloc in &mut relocations {
            let ModuleRelocTarget::User { namespace, index } = reloc.name else {
                continue;
            };
            // The module numbers what it knows anew; data is found however it is reached.
            let name = symbol(&UserExternalName { namespace, index });
            let id = match module.get_name(&name) {
                Some(FuncOrDataId::Data(id)) => id,
                _ => module.declare_data(&name, Linkage::Import, false, false)?,
            };
            reloc.name = ModuleRelocTarget::from(id);
        }
        module.define_function_bytes(own, code.align, &code.bytes, &relocations)?;
        module.finalize_definitions()?;
        self.entry = module.get_finalized_function(own) as usize;
        Ok(())
    }
}

impl Linked for NativeFunction {
    fn entry(&self) -> usize {
        self.entry
    }
}

impl Drop for NativeFunction {
    fn drop(&mut self) {
        if let Some(module) = self.module.get_mut().take() {
            // SAFETY: the engine drops what is linked when no code that calls it is left, and
            // nothing here keeps its address.
            unsafe { module.free_memory() };
        }
    }
}

/// The run-time library: what instructions become where the machine lacks them. Other names are
/// looked for in this process.
fn libcall(name: &str) -> Option<*const u8> {
    macro_rules! library {
        ($($name:ident($($arg:ident),+; $ty:ty) = $value:expr;)*) => {{
            $(extern "C" fn $name($($arg: $ty),+) -> $ty { $value })*
            match name { $(stringify!($name) => Some($name as *const u8),)* _ => None }
        }};
    }
    library! {
        ceil(a; f64) = a.ceil(); ceilf(a; f32) = a.ceil();
        floor(a; f64) = a.floor(); floorf(a; f32) = a.floor();
        trunc(a; f64) = a.trunc(); truncf(a; f32) = a.trunc();
        nearbyint(a; f64) = a.round_ties_even(); nearbyintf(a; f32) = a.round_ties_even();
        fma(a, b, c; f64) = a.mul_add(b, c); fmaf(a, b, c; f32) = a.mul_add(b, c);
    }
}
