//! What LLVM is asked to do with a module.
//!
//! LLVM ends the process on some kinds of wrong input: what is asked here is text of our own, which
//! is verified first.

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{
    CodeModel, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple,
};
use std::sync::Once;

/// How hard LLVM tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OptLevel {
    /// Nothing is optimised.
    None,
    /// Fast code.
    #[default]
    Speed,
    /// Fast code, however long it takes.
    Aggressive,
}

impl OptLevel {
    pub(crate) fn pipeline(self) -> &'static str {
        match self {
            OptLevel::None => "default<O0>",
            OptLevel::Speed => "default<O2>",
            OptLevel::Aggressive => "default<O3>",
        }
    }

    pub(crate) fn of_machine(self) -> OptimizationLevel {
        match self {
            OptLevel::None => OptimizationLevel::None,
            OptLevel::Speed => OptimizationLevel::Default,
            OptLevel::Aggressive => OptimizationLevel::Aggressive,
        }
    }
}

/// A target machine for Nvidia devices.
pub(crate) fn nvptx(cpu: &str, opt: OptLevel) -> TargetMachine {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| Target::initialize_nvptx(&InitializationConfig::default()));
    let triple = TargetTriple::create(NVPTX_TRIPLE);
    let target = Target::from_triple(&triple).expect("the target was initialised");
    let machine = target.create_target_machine(
        &triple,
        cpu,
        "",
        opt.of_machine(),
        RelocMode::Default,
        CodeModel::Default,
    );
    machine.expect("a processor of our table")
}

/// A target machine for this host: every address is absolute and of 64 bits, as the loader fills
/// them in.
pub(crate) fn host() -> TargetMachine {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| Target::initialize_x86(&InitializationConfig::default()));
    let triple = TargetMachine::get_default_triple();
    let target = Target::from_triple(&triple).expect("this host is x86-64");
    let (cpu, features) = (
        TargetMachine::get_host_cpu_name(),
        TargetMachine::get_host_cpu_features(),
    );
    let machine = target.create_target_machine(
        &triple,
        &cpu.to_string_lossy(),
        &features.to_string_lossy(),
        OptimizationLevel::Aggressive,
        RelocMode::Static,
        CodeModel::Large,
    );
    machine.expect("this machine is one that LLVM knows")
}

pub(crate) const NVPTX_TRIPLE: &str = "nvptx64-nvidia-cuda";

/// A module from its text.
///
/// # Panics
/// If LLVM does not take it: the text is ours.
pub(crate) fn parse<'c>(
    context: &'c Context,
    text: &str,
    name: &str,
    machine: &TargetMachine,
) -> Module<'c> {
    let buffer = MemoryBuffer::create_from_memory_range_copy(text.as_bytes(), name);
    let module = match context.create_module_from_ir(buffer) {
        Ok(module) => module,
        Err(error) => panic!("LLVM does not read {name}: {error}\n{text}"),
    };
    module.set_triple(&machine.get_triple());
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    if let Err(error) = module.verify() {
        panic!("LLVM refuses {name}: {error}\n{text}");
    }
    module
}

/// Optimises a module.
///
/// # Panics
/// If LLVM does not know the passes.
pub(crate) fn run(module: &Module<'_>, pipeline: &str, machine: &TargetMachine) {
    run_with(module, pipeline, machine, PassBuilderOptions::create());
}

/// Optimises a module for Nvidia devices, which have no vectors of the types of Wir: passes that
/// look for some find nothing.
///
/// # Panics
/// As [`run`].
pub(crate) fn run_nvptx(module: &Module<'_>, pipeline: &str, machine: &TargetMachine) {
    let options = PassBuilderOptions::create();
    options.set_loop_vectorization(false);
    options.set_loop_slp_vectorization(false);
    options.set_loop_interleaving(false);
    run_with(module, pipeline, machine, options);
}

fn run_with(
    module: &Module<'_>,
    pipeline: &str,
    machine: &TargetMachine,
    options: PassBuilderOptions,
) {
    if let Err(error) = module.run_passes(pipeline, machine, options) {
        panic!("LLVM does not run {pipeline}: {error}");
    }
}
