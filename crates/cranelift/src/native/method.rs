//! Functions in CLIF as method instances: the types that they take, and code whose callees are
//! instances, called through their cells.

use super::{CELLS, NativeCode, NativeError, NativeFunction, call_through_cells};
use cranelift_codegen::ir::{
    self, AbiParam, FuncRef, Function, Signature, UserExternalName, UserFuncName,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use worldage_dispatch::{Decl, DeclKind, Ty, Types};
use worldage_engine::{CodegenCx, Compiler, LinkCx, Mi};

/// CLIF's types as concrete types of a session, each declared under its name when it is met.
///
/// ```
/// use cranelift_codegen::ir::{AbiParam, types};
/// use worldage_cranelift::native::ValueTypes;
/// let (types, known) = (worldage_dispatch::Types::new(), ValueTypes::default());
/// let tys = known.of(&types, &[AbiParam::new(types::I64), AbiParam::new(types::F32X4)]);
/// assert_eq!(types.display(types.tuple(&tys)).to_string(), "Tuple{i64, f32x4}");
/// ```
#[derive(Default)]
pub struct ValueTypes(Mutex<FxHashMap<ir::Type, Ty>>);

impl ValueTypes {
    /// The types of parameters.
    pub fn of(&self, types: &Types, params: &[AbiParam]) -> Vec<Ty> {
        let mut known = self.0.lock();
        let mut of_param = |param: &AbiParam| {
            *known.entry(param.value_type).or_insert_with(|| {
                let name = types.symbol(&param.value_type.to_string());
                let decl = types.declare(Decl::leaf(name, DeclKind::Concrete, Ty::ANY));
                types.leaf(decl.expect("a leaf under `Any` can always be declared"))
            })
        };
        params.iter().map(&mut of_param).collect()
    }
}

/// The name that sessions show for the instance of a function that is defined by its name on its
/// [`ValueTypes`].
///
/// ```
/// use cranelift_codegen::ir::{AbiParam, Signature, UserFuncName, types};
/// use cranelift_codegen::isa::CallConv;
/// use worldage_cranelift::native::instance_name;
/// let mut signature = Signature::new(CallConv::Tail);
/// signature.params = vec![AbiParam::new(types::I64), AbiParam::new(types::F32)];
/// assert_eq!(instance_name(&UserFuncName::testcase("f"), &signature), "%f(i64, f32)");
/// ```
#[must_use]
pub fn instance_name(name: &UserFuncName, signature: &Signature) -> String {
    let params = signature.params.iter();
    let params: Vec<String> = params.map(|param| param.value_type.to_string()).collect();
    format!("{name}({})", params.join(", "))
}

/// Machine code of a function that calls method instances through their cells: what a compiler
/// over CLIF has for code.
///
/// ```
/// use cranelift_codegen::ir::{FuncRef, Function};
/// use cranelift_codegen::isa::OwnedTargetIsa;
/// use worldage_cranelift::native::{NativeError, NativeFunction, NativeMethod};
/// use worldage_engine::{CodegenCx, Compiler, LinkCx, Mi};
///
/// /// The middle of a `codegen`, for a body whose callees inference has found.
/// fn codegen<C: Compiler>(
///     cx: &mut CodegenCx<'_, C>,
///     isa: &OwnedTargetIsa,
///     (body, callees): &(Function, Vec<(FuncRef, Mi)>),
/// ) -> Result<NativeMethod, NativeError> {
///     NativeMethod::compile(cx, isa, body, callees)
/// }
///
/// /// And of a `link`, where the code names nothing but its callees.
/// fn link<C: Compiler>(
///     cx: &LinkCx<'_, C>,
///     isa: &OwnedTargetIsa,
///     code: &NativeMethod,
/// ) -> Result<NativeFunction, NativeError> {
///     code.install(cx, isa, |_| std::ptr::null())
/// }
/// ```
#[derive(PartialEq)]
pub struct NativeMethod {
    code: NativeCode,
    callees: Vec<Mi>,
}

impl NativeMethod {
    /// Machine code of a function in which these references stand for these instances; each of
    /// them is declared as called.
    ///
    /// # Errors
    /// As [`NativeCode::compile`].
    pub fn compile<C: Compiler>(
        cx: &mut CodegenCx<'_, C>,
        isa: &OwnedTargetIsa,
        function: &Function,
        callees: &[(FuncRef, Mi)],
    ) -> Result<NativeMethod, NativeError> {
        let references = callees.iter().map(|(reference, _)| *reference);
        let mut function = function.clone();
        call_through_cells(&mut function, references, isa.pointer_type());
        let callees: Vec<Mi> = callees.iter().map(|(_, mi)| *mi).collect();
        callees.iter().for_each(|mi| cx.calls(*mi));
        let code = NativeCode::compile(isa, function)?;
        Ok(NativeMethod { code, callees })
    }

    /// Puts the code into memory; `address` gives what each name stands for that is no callee.
    ///
    /// # Errors
    /// As [`NativeCode::install`].
    pub fn install<C: Compiler>(
        &self,
        cx: &LinkCx<'_, C>,
        isa: &OwnedTargetIsa,
        address: impl Fn(&UserExternalName) -> *const u8,
    ) -> Result<NativeFunction, NativeError> {
        self.code.install(isa, |name| match name.namespace {
            CELLS => cx.cell(self.callees[name.index as usize]).cast(),
            _ => address(name),
        })
    }
}
