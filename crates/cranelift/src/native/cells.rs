//! Direct calls made calls through cells: what calls a function names it by number, and no
//! address appears before link.

use super::NativeError;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    AbiParam, ExternalName, FuncRef, Function, GlobalValue, GlobalValueData, Inst, InstBuilder,
    InstructionData, MemFlagsData, Opcode, Signature, Type, UserExternalName, UserFuncName,
};
use rustc_hash::FxHashMap;

/// The namespace of cells among external names: [`call_through_cells`] names the n-th callee
/// `CELLS:n`.
pub const CELLS: u32 = u32::MAX;

/// A function that another one names: by its reference there, and by what it is called.
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
/// # use cranelift_codegen::ir::{ExtFuncData, ExternalName};
/// # let of = cursor.func.import_signature(signature.clone());
/// # let imported = cursor.func.import_function(ExtFuncData {
/// #     name: ExternalName::testcase("half"), signature: of, colocated: false, patchable: false,
/// # });
/// # let call = cursor.ins().call(imported, &[x]);
/// # let result = cursor.func.dfg.inst_results(call)[0];
/// # cursor.ins().return_(&[result]);
/// // `double` is a function in CLIF that calls `%half`.
/// let callees = callees_of(&double);
/// assert_eq!(instance_name(&callees[0].name, &callees[0].signature), "%half(i64)");
/// assert!(callees[0].reaches(&signature).is_ok());
/// assert!(callees[0].reaches(&Signature::new(CallConv::SystemV)).is_err());
///
/// // Called through a cell, it is found where the cell says.
/// call_through_cells(&mut double, [callees[0].reference], I64);
/// extern "C" fn half(x: i64) -> i64 { x / 2 }
/// let cell: *const u8 = half as *const u8;
/// let isa = host_isa(&[], None)?;
/// let code = NativeCode::compile(&isa, double)?;
/// let installed = code.install(&isa, |name| {
///     assert_eq!((name.namespace, name.index), (CELLS, 0));
///     (&raw const cell).cast()
/// })?;
/// let entry: extern "C" fn(i64) -> i64 = unsafe { std::mem::transmute(installed.entry()) };
/// assert_eq!(entry(84), 42);
/// # Ok::<(), NativeError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Callee {
    /// The reference, for [`call_through_cells`].
    pub reference: FuncRef,
    /// Its name.
    pub name: UserFuncName,
    /// The signature that it is called with.
    pub signature: Signature,
}

impl Callee {
    /// Whether the call reaches a function that is defined with this signature: one in the same
    /// convention with values of the same types.
    ///
    /// # Errors
    /// [`NativeError::Refused`], which shows both.
    pub fn reaches(&self, defined: &Signature) -> Result<(), NativeError> {
        let types = |params: &[AbiParam]| params.iter().map(|p| p.value_type).collect::<Vec<_>>();
        let (name, called) = (&self.name, &self.signature);
        if called.call_conv == defined.call_conv
            && types(&called.params) == types(&defined.params)
            && types(&called.returns) == types(&defined.returns)
        {
            return Ok(());
        }
        let why = format!("{name}{called} is called, and {name} is {defined}");
        Err(NativeError::Refused(why.into()))
    }
}

/// The functions that a function calls or takes the address of (see [`Callee`]), in the order of the text; library
/// functions are not among them.
#[must_use]
pub fn callees_of(function: &Function) -> Vec<Callee> {
    let mut callees: Vec<Callee> = Vec::new();
    let blocks = function.layout.blocks();
    for inst in blocks.flat_map(|block| function.layout.block_insts(block)) {
        let Some(reference) = named_by(function, inst) else {
            continue;
        };
        let named = &function.dfg.ext_funcs[reference];
        let name = match &named.name {
            ExternalName::TestCase(name) => UserFuncName::Testcase(name.clone()),
            ExternalName::User(name) => {
                UserFuncName::User(function.params.user_named_funcs()[*name].clone())
            }
            ExternalName::LibCall(_) | ExternalName::KnownSymbol(_) => continue,
        };
        if !callees.iter().any(|known| known.reference == reference) {
            callees.push(Callee {
                reference,
                name,
                signature: function.dfg.signatures[named.signature].clone(),
            });
        }
    }
    callees
}

fn named_by(function: &Function, inst: Inst) -> Option<FuncRef> {
    match function.dfg.insts[inst] {
        InstructionData::Call { func_ref, .. }
        | InstructionData::TryCall { func_ref, .. }
        | InstructionData::FuncAddr { func_ref, .. } => Some(func_ref),
        _ => None,
    }
}

/// Turns each call of these functions (see [`Callee`]), and each place that takes their address, into a load of
/// the callee's cell and an indirect call.
pub fn call_through_cells(
    function: &mut Function,
    callees: impl IntoIterator<Item = FuncRef>,
    pointer: Type,
) {
    let cells: FxHashMap<FuncRef, GlobalValue> = (0u32..)
        .zip(callees)
        .map(|(index, callee)| {
            let name = UserExternalName::new(CELLS, index);
            let cell = GlobalValueData::Symbol {
                name: ExternalName::user(function.declare_imported_user_function(name)),
                offset: 0.into(),
                colocated: false,
                tls: false,
            };
            (callee, function.create_global_value(cell))
        })
        .collect();
    let mut cursor = FuncCursor::new(function);
    while cursor.next_block().is_some() {
        while let Some(inst) = cursor.next_inst() {
            let callee = named_by(cursor.func, inst);
            let Some((callee, cell)) = callee.and_then(|f| Some((f, *cells.get(&f)?))) else {
                continue;
            };
            let cell = cursor.ins().symbol_value(pointer, cell);
            let entry = cursor.ins().load(pointer, MemFlagsData::trusted(), cell, 0);
            let data = cursor.func.dfg.insts[inst];
            let sig = cursor.func.dfg.ext_funcs[callee].signature;
            let args = data.arguments(&cursor.func.dfg.value_lists).to_vec();
            let with = cursor.func.replace(inst);
            match data {
                InstructionData::FuncAddr { .. } => {
                    with.iadd_imm_u(entry, 0);
                }
                InstructionData::TryCall { exception, .. } => {
                    with.try_call_indirect(entry, &args, exception);
                }
                _ if data.opcode() == Opcode::ReturnCall => {
                    with.return_call_indirect(sig, entry, &args);
                }
                _ => {
                    with.call_indirect(sig, entry, &args);
                }
            }
        }
    }
}
