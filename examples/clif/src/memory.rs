//! Code to something that can be called, and calls with values that are known at run time only.
#![expect(unsafe_code, reason = "this file runs generated code")]

use crate::compiler::{Code, compile};
use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::{Signature, Type};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, ModuleError};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use worldage::engine::Linked;

/// Code in memory, until it is dropped.
pub struct Installed {
    module: Mutex<Option<JITModule>>,
    entry: usize,
}

impl Installed {
    pub(crate) fn new(
        isa: &OwnedTargetIsa,
        code: &Code,
        cells: &[*const usize],
    ) -> Result<Installed, String> {
        let libcalls = cranelift_module::default_libcall_names();
        let mut builder = JITBuilder::with_isa(OwnedTargetIsa::clone(isa), libcalls);
        for (index, cell) in cells.iter().enumerate() {
            builder.symbol(format!("cell{index}"), cell.cast());
        }
        builder.symbol_lookup_fn(Box::new(libcall));
        let mut installed = Installed {
            module: Mutex::new(Some(JITModule::new(builder))),
            entry: 0,
        };
        installed
            .fill(code, cells.len())
            .map_err(|error| error.to_string())?;
        Ok(installed)
    }

    /// The code is the module's first function, the cells are its data: so code numbers them.
    fn fill(&mut self, code: &Code, cells: usize) -> Result<(), Box<ModuleError>> {
        let module = self
            .module
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let module = module.as_mut().expect("it is there until this is dropped");
        let id = module.declare_anonymous_function(&module.make_signature())?;
        for index in 0..cells {
            module.declare_data(&format!("cell{index}"), Linkage::Import, false, false)?;
        }
        module.define_function_bytes(id, code.align, &code.bytes, &code.relocations)?;
        module.finalize_definitions()?;
        self.entry = module.get_finalized_function(id) as usize;
        Ok(())
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

impl Linked for Installed {
    fn entry(&self) -> usize {
        self.entry
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let module = self
            .module
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = module.take() {
            // SAFETY: the engine drops what is linked when no code that calls it is left, and
            // nothing here keeps its address.
            unsafe { module.free_memory() };
        }
    }
}

/// Calls code with values, through one piece of glue per signature.
pub struct Caller {
    isa: OwnedTargetIsa,
    glue: HashMap<Signature, Installed>,
}

impl Caller {
    /// Calls code that was made for this ISA.
    pub fn new(isa: OwnedTargetIsa) -> Caller {
        let glue = HashMap::new();
        Caller { isa, glue }
    }

    /// Calls a function and gives what it returns.
    ///
    /// # Errors
    /// If a function of this signature cannot be called from the host.
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
    ) -> Result<Vec<DataValue>, String> {
        if !self.glue.contains_key(signature) {
            let text = glue(signature, &self.isa);
            let glue = cranelift_reader::parse_functions(&text).map_err(|error| error.to_string());
            let code = compile(glue?.remove(0), &self.isa).map_err(|stop| format!("{stop:?}"))?;
            let installed = Installed::new(&self.isa, &code, &[])?;
            self.glue.insert(signature.clone(), installed);
        }
        let size = |ty: Type| ty.bytes();
        let params = signature.params.iter().map(|param| size(param.value_type));
        assert!(params.eq(args.iter().map(|arg| size(arg.ty()))));
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

/// The text of a function that takes an entry and slots of 16 bytes: it loads the arguments from
/// the slots, calls the entry, and stores what that returns.
fn glue(signature: &Signature, isa: &OwnedTargetIsa) -> String {
    // Vectors are little-endian in values.
    let order = |ty: Type| if ty.is_vector() { "little " } else { "" };
    let list = |first: &str, count: usize| -> Vec<String> {
        (0..count).map(|ix| format!("v{first}{ix}")).collect()
    };
    let args = list("1", signature.params.len());
    let results = list("2", signature.returns.len());
    let (pointer, convention) = (isa.pointer_type(), isa.default_call_conv());
    let mut text = format!(
        "function u0:0({pointer}, {pointer}) {convention} {{\n    sig0 = {signature}\n\
         block0(v0: {pointer}, v1: {pointer}):\n"
    );
    for (offset, (arg, param)) in (0..).step_by(16).zip(args.iter().zip(&signature.params)) {
        let (ty, order) = (param.value_type, order(param.value_type));
        let _ = writeln!(text, "    {arg} = load.{ty} notrap {order}v1+{offset}");
    }
    let equals = if results.is_empty() { "" } else { " = " };
    let (called, given) = (results.join(", "), args.join(", "));
    let _ = writeln!(text, "    {called}{equals}call_indirect sig0, v0({given})");
    for (offset, (name, ty)) in (0..)
        .step_by(16)
        .zip(results.iter().zip(&signature.returns))
    {
        let order = order(ty.value_type);
        let _ = writeln!(text, "    store notrap {order}{name}, v1+{offset}");
    }
    text + "    return\n}\n"
}
