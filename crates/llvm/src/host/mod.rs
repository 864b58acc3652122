//! Host code through LLVM: CLIF of a body to LLVM's assembly, and from the object file to the same
//! artifact that Cranelift makes.
//!
//! Reading order: this file (the pipeline), `function` (CLIF to text: addresses, calls, jumps),
//! `scalars`, `names` (what stands around), `object` (what is taken out of the object file).
//!
//! Invariants: whatever the run-time system relies on is said by CLIF (convention, cells, checks,
//! calls) or here: frame pointers, no tail calls, one position per call; no float operation is
//! fused or reordered; no object of the heap is kept alive by a pointer outside of it alone.

mod function;
mod names;
mod object;
mod scalars;

use crate::passes::{self, OptLevel};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::targets::{FileType, TargetMachine};
use worldage_cranelift::{Clif, Code};

/// Why a body has no code: a limit of the code generator, never the program's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("LLVM: {0}")]
pub struct HostError(pub(crate) String);

/// Compiles a body for this machine, as fast code as LLVM makes. Law: a pure function of its
/// argument and the machine.
///
/// # Errors
/// What the object file has that the loader does not know.
pub fn compile(clif: Clif) -> Result<Code, HostError> {
    let context = Context::create();
    let machine = passes::host();
    let module = optimised(&context, &clif, &machine);
    let buffer = machine.write_to_memory_buffer(&module, FileType::Object);
    let buffer = buffer.map_err(|error| HostError(error.to_string()))?;
    let machine = object::read(&clif, buffer.as_slice())?;
    Ok(clif.finish(machine))
}

/// LLVM's text of a body after optimisation.
#[must_use]
pub fn llvm(clif: &Clif) -> String {
    let context = Context::create();
    let module = optimised(&context, clif, &passes::host());
    module.print_to_string().to_string()
}

/// The machine code of a body as text.
///
/// # Errors
/// If LLVM makes none.
pub fn disassemble(clif: &Clif) -> Result<String, HostError> {
    let context = Context::create();
    let machine = passes::host();
    let module = optimised(&context, clif, &machine);
    let buffer = machine.write_to_memory_buffer(&module, FileType::Assembly);
    let buffer = buffer.map_err(|error| HostError(error.to_string()))?;
    let text = String::from_utf8_lossy(buffer.as_slice());
    Ok(text.trim_end_matches('\0').to_string())
}

/// The code generator and the features of this machine that it uses: part of every store key.
#[must_use]
pub fn description() -> String {
    let (cpu, features) = (
        TargetMachine::get_host_cpu_name(),
        TargetMachine::get_host_cpu_features(),
    );
    let (major, minor, patch) = inkwell::support::get_llvm_version();
    format!(
        "llvm {major}.{minor}.{patch} {} {} {} {}",
        TargetMachine::get_default_triple(),
        cpu.to_string_lossy(),
        features.to_string_lossy(),
        OptLevel::Aggressive.pipeline(),
    )
}

fn optimised<'c>(context: &'c Context, clif: &Clif, machine: &TargetMachine) -> Module<'c> {
    let text = function::text(clif);
    let module = passes::parse(context, &text, "function", machine);
    passes::run(&module, OptLevel::Aggressive.pipeline(), machine);
    module
}
