//! Native code of an embedder's own functions: CLIF to machine code, machine code into memory,
//! and calls with values that are known at run time only.
//!
//! A function names what it needs by number ([`UserExternalName`]): cells of callees, functions
//! of a run-time system, data. The code says the numbers too, so it is the same in every session;
//! an address appears only when it is put in place.
//!
//! Invariant: the code has no unwind tables, so no panic may pass through it: what it calls
//! returns its errors.

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::{
    AbiParam, Endianness, ExternalName, Function, InstBuilder, LibCall, MemFlagsData, Signature,
    UserExternalName, UserFuncName, types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{CodegenError, Context, FinalizedRelocTarget};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, FuncOrDataId, Linkage, Module, ModuleError, ModuleReloc};
use cranelift_module::{ModuleRelocTarget, default_libcall_names};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use worldage_engine::Linked;

/// Why a function did not become native code.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// The machine's backend lacks something that the function asks for.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The code generator refused the function.
    #[error("{0}")]
    Refused(Arc<str>),
    /// There is no memory for code.
    #[error("no memory for code: {0}")]
    Memory(Arc<str>),
}

/// Machine code of one function; of equal functions it is equal.
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

/// Native code in memory, until it is dropped.
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

/// Calls native code with values, through one piece of glue per signature.
pub struct NativeCaller {
    isa: OwnedTargetIsa,
    glue: FxHashMap<Signature, NativeFunction>,
}

impl NativeCaller {
    /// Calls code that was made for this ISA.
    #[must_use]
    pub fn new(isa: OwnedTargetIsa) -> NativeCaller {
        let glue = FxHashMap::default();
        NativeCaller { isa, glue }
    }

    /// Calls a function and gives what it returns.
    ///
    /// # Errors
    /// A function of this signature cannot be called from the host.
    ///
    /// # Panics
    /// If the arguments are not those of the signature.
    ///
    /// # Safety
    /// `entry` is code of this signature for this caller's ISA, and is right to run.
    pub unsafe fn call(
        &mut self,
        entry: usize,
        signature: &Signature,
        args: &[DataValue],
    ) -> Result<Vec<DataValue>, NativeError> {
        if !self.glue.contains_key(signature) {
            let code = NativeCode::compile(&self.isa, glue(signature, &self.isa))?;
            let installed = code.install(&self.isa, |_| std::ptr::null())?;
            self.glue.insert(signature.clone(), installed);
        }
        let params = signature.params.iter();
        let params = params.map(|param| param.value_type.bytes());
        assert!(
            params.eq(args.iter().map(|arg| arg.ty().bytes())),
            "the arguments are those of the signature"
        );
        let mut slots = vec![0u128; args.len().max(signature.returns.len())];
        for (slot, arg) in slots.iter_mut().zip(args) {
            // SAFETY: no value is wider than a slot.
            unsafe { arg.write_value_to(slot) };
        }
        let glue = self.glue[signature].entry;
        // SAFETY: the glue has this type.
        let glue: extern "C" fn(usize, *mut u128) = unsafe { std::mem::transmute(glue) };
        glue(entry, slots.as_mut_ptr());
        let returns = signature.returns.iter().zip(&slots);
        // SAFETY: the glue wrote a value of this type into the slot.
        let read = |ty, slot| unsafe { DataValue::read_value_from(slot, ty) };
        Ok(returns
            .map(|(returned, slot)| read(returned.value_type, slot))
            .collect())
    }
}

/// Bytes of a slot: the widest value.
const SLOT: i32 = 16;

/// A function that takes an entry and slots: it loads the arguments from the slots, calls the
/// entry, and stores what that returns.
fn glue(of: &Signature, isa: &OwnedTargetIsa) -> Function {
    let pointer = isa.pointer_type();
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params = vec![AbiParam::new(pointer); 2];
    let mut function = Function::with_name_signature(UserFuncName::default(), signature);
    let called = function.import_signature(of.clone());
    let mut cursor = FuncCursor::new(&mut function);
    let block = cursor.func.dfg.make_block();
    let entry = cursor.func.dfg.append_block_param(block, pointer);
    let slots = cursor.func.dfg.append_block_param(block, pointer);
    cursor.insert_block(block);
    // Vectors are little-endian in values.
    let flags = |ty: types::Type| match ty.is_vector() {
        true => MemFlagsData::new()
            .with_notrap()
            .with_endianness(Endianness::Little),
        false => MemFlagsData::new().with_notrap(),
    };
    let offsets = (0..).step_by(SLOT as usize);
    let args: Vec<_> = (offsets.clone().zip(&of.params))
        .map(|(at, param)| {
            let ty = param.value_type;
            cursor.ins().load(ty, flags(ty), slots, at)
        })
        .collect();
    let call = cursor.ins().call_indirect(called, entry, &args);
    let results = cursor.func.dfg.inst_results(call).to_vec();
    for (at, result) in offsets.zip(results) {
        let ty = cursor.func.dfg.value_type(result);
        cursor.ins().store(flags(ty), result, slots, at);
    }
    cursor.ins().return_(&[]);
    function
}
