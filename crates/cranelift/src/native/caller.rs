//! Calls of native code with values that are known at run time only.

use super::{NativeCode, NativeError, NativeFunction};
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::{
    AbiParam, Endianness, Function, InstBuilder, MemFlagsData, Signature, UserFuncName, types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Calls native code with values, through one piece of glue per signature.
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
/// let caller = NativeCaller::new(host_isa(&[], None)?);
/// let code = NativeCode::compile(caller.isa(), double)?;
/// let double = code.install(caller.isa(), |_| std::ptr::null())?;
/// let values = unsafe { caller.call(double.entry(), &signature, &[DataValue::I64(21)]) }?;
/// assert_eq!(values, [DataValue::I64(42)]);
/// # Ok::<(), NativeError>(())
/// ```
pub struct NativeCaller {
    isa: OwnedTargetIsa,
    glue: Mutex<FxHashMap<Signature, Arc<NativeFunction>>>,
}

impl NativeCaller {
    /// Calls code that was made for this ISA.
    #[must_use]
    pub fn new(isa: OwnedTargetIsa) -> NativeCaller {
        let glue = Mutex::default();
        NativeCaller { isa, glue }
    }

    /// The ISA whose code is called.
    #[must_use]
    pub fn isa(&self) -> &OwnedTargetIsa {
        &self.isa
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
        &self,
        entry: usize,
        signature: &Signature,
        args: &[DataValue],
    ) -> Result<Vec<DataValue>, NativeError> {
        let glue = self.glue(signature)?;
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
        // SAFETY: the glue has this type.
        let through: extern "C" fn(usize, *mut u128) = unsafe { std::mem::transmute(glue.entry) };
        through(entry, slots.as_mut_ptr());
        let returns = signature.returns.iter().zip(&slots);
        // SAFETY: the glue wrote a value of this type into the slot.
        let read = |ty, slot| unsafe { DataValue::read_value_from(slot, ty) };
        Ok(returns
            .map(|(returned, slot)| read(returned.value_type, slot))
            .collect())
    }
}

impl NativeCaller {
    fn glue(&self, signature: &Signature) -> Result<Arc<NativeFunction>, NativeError> {
        let mut known = self.glue.lock();
        if let Some(glue) = known.get(signature) {
            return Ok(Arc::clone(glue));
        }
        let code = NativeCode::compile(&self.isa, glue(signature, &self.isa))?;
        let glue = Arc::new(code.install(&self.isa, |_| std::ptr::null())?);
        known.insert(signature.clone(), Arc::clone(&glue));
        Ok(glue)
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
