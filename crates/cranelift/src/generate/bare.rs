//! The bare code generator: what every figure of compilation is measured beside.
//!
//! It does nothing but what no compiler on Cranelift can leave out: `FunctionBuilder` from
//! finished SSA (the same function that [`Generator::compile`] builds, instruction by
//! instruction) and `Context::compile` with the shared ISA and a reused context. No tables, no
//! relocations, no copy of the code.

use super::{GenerateError, Generator, Scratch, failed};
use crate::code::Convention;
use crate::isa::OptLevel;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::instructions::InstructionMapper;
use cranelift_codegen::ir::{
    self, Block, BlockArg, BlockCall, Function, InstBuilderBase, Type, Value, ValueList, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use smallvec::SmallVec;
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ir::Body;

/// Finished SSA of one function, ready to be compiled as often as one likes.
pub struct Finished {
    function: Function,
    /// Every block in the order of the layout, with its instructions and their controlling types.
    blocks: Vec<(Block, Vec<(ir::Inst, Type)>)>,
}

/// The reused state of one thread.
pub struct Bare {
    context: Context,
    control: ControlPlane,
    builder: FunctionBuilderContext,
    opt: OptLevel,
    values: Vec<Value>,
    blocks: Vec<Block>,
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.function.display(), f)
    }
}

impl std::fmt::Debug for Bare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bare")
            .field("opt", &self.opt)
            .finish_non_exhaustive()
    }
}

impl Finished {
    /// Instructions of the function, before the code generator's optimiser.
    #[must_use]
    pub fn instructions(&self) -> usize {
        self.blocks.iter().map(|(_, insts)| insts.len()).sum()
    }
}

impl Generator {
    /// The finished SSA of a body, for [`Bare`].
    #[must_use]
    pub fn finished(&self, body: &Body, returns: &dyn Fn(Mi) -> Ty) -> Finished {
        let mut scratch = Scratch::default();
        self.build(Convention::Tail, body, returns, &mut scratch);
        let function = std::mem::replace(&mut scratch.context.func, Function::new());
        let insts = |block| {
            let insts = function.layout.block_insts(block);
            insts
                .map(|inst| (inst, controlling_type(&function, inst)))
                .collect()
        };
        let blocks = function.layout.blocks();
        let blocks = blocks.map(|block| (block, insts(block))).collect();
        Finished { function, blocks }
    }
}

fn controlling_type(function: &Function, inst: ir::Inst) -> Type {
    let opcode = function.dfg.insts[inst].opcode();
    if opcode.constraints().is_polymorphic() {
        function.dfg.ctrl_typevar(inst)
    } else {
        types::INVALID
    }
}

impl Bare {
    /// For one thread at one opt level.
    #[must_use]
    pub fn new(opt: OptLevel) -> Bare {
        Bare {
            context: Context::new(),
            control: ControlPlane::default(),
            builder: FunctionBuilderContext::new(),
            opt,
            values: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Compiles one function; gives the bytes of its code.
    ///
    /// # Errors
    /// A limit of the code generator.
    pub fn compile(
        &mut self,
        generator: &Generator,
        finished: &Finished,
    ) -> Result<usize, GenerateError> {
        self.context.clear();
        self.build(generator, finished);
        let isa = &**generator.isa.get(self.opt);
        let compiled = self.context.compile(isa, &mut self.control);
        let compiled = compiled.map_err(|error| failed(&error.inner))?;
        Ok(compiled.code_buffer().len())
    }

    /// The function through `FunctionBuilder`.
    fn build(&mut self, generator: &Generator, finished: &Finished) {
        let from = &finished.function;
        let func = &mut self.context.func;
        func.signature = from.signature.clone();
        // The same entities in the same order, so that their numbers need no map.
        for name in from.params.user_named_funcs().values() {
            func.declare_imported_user_function(name.clone());
        }
        let mut builder = FunctionBuilder::new(func, &mut self.builder);
        for signature in from.dfg.signatures.values() {
            builder.import_signature(signature.clone());
        }
        for function in from.dfg.ext_funcs.values() {
            builder.import_function(function.clone());
        }
        for global in from.global_values.values() {
            builder.create_global_value(global.clone());
        }
        for slot in from.sized_stack_slots.values() {
            builder.create_sized_stack_slot(slot.clone());
        }
        self.values.clear();
        self.values
            .resize(from.dfg.num_values(), Value::from_u32(0));
        self.blocks.clear();
        self.blocks
            .resize(from.dfg.num_blocks(), Block::from_u32(0));
        for (block, _) in &finished.blocks {
            let made = builder.create_block();
            self.blocks[block.as_u32() as usize] = made;
            if from.layout.is_cold(*block) {
                builder.set_cold_block(made);
            }
            for param in from.dfg.block_params(*block) {
                let ty = from.dfg.value_type(*param);
                self.values[param.as_u32() as usize] = builder.append_block_param(made, ty);
            }
        }
        for (block, insts) in &finished.blocks {
            builder.switch_to_block(self.blocks[block.as_u32() as usize]);
            for (inst, ty) in insts {
                builder.set_srcloc(from.srcloc(*inst));
                let mapper = Mapper {
                    from,
                    to: builder.func,
                    values: &self.values,
                    blocks: &self.blocks,
                };
                let data = from.dfg.insts[*inst].map(mapper);
                let (made, dfg) = builder.ins().build(data, *ty);
                let results = from.dfg.inst_results(*inst);
                for (old, new) in results.iter().zip(dfg.inst_results(made)) {
                    self.values[old.as_u32() as usize] = *new;
                }
            }
        }
        builder.seal_all_blocks();
        builder.finalize(generator.isa.get(self.opt).frontend_config());
    }
}

/// From the entities of the finished function to those of the one under construction.
struct Mapper<'a> {
    from: &'a Function,
    to: &'a mut Function,
    values: &'a [Value],
    blocks: &'a [Block],
}

impl InstructionMapper for Mapper<'_> {
    fn map_value(&mut self, value: Value) -> Value {
        let value = self.from.dfg.resolve_aliases(value);
        self.values[value.as_u32() as usize]
    }

    fn map_value_list(&mut self, list: ValueList) -> ValueList {
        let values = list.as_slice(&self.from.dfg.value_lists);
        let values: SmallVec<[Value; 8]> = values.iter().map(|v| self.map_value(*v)).collect();
        ValueList::from_slice(&values, &mut self.to.dfg.value_lists)
    }

    fn map_global_value(&mut self, global: ir::GlobalValue) -> ir::GlobalValue {
        global
    }

    fn map_jump_table(&mut self, table: ir::JumpTable) -> ir::JumpTable {
        table
    }

    fn map_exception_table(&mut self, table: ir::ExceptionTable) -> ir::ExceptionTable {
        table
    }

    fn map_block_call(&mut self, call: BlockCall) -> BlockCall {
        let block = self.map_block(call.block(&self.from.dfg.value_lists));
        let args = call.args(&self.from.dfg.value_lists);
        let args: SmallVec<[BlockArg; 8]> = args
            .map(|arg| match arg {
                BlockArg::Value(value) => self.map_value(value).into(),
                other => other,
            })
            .collect();
        BlockCall::new(block, args, &mut self.to.dfg.value_lists)
    }

    fn map_block(&mut self, block: Block) -> Block {
        self.blocks[block.as_u32() as usize]
    }

    fn map_func_ref(&mut self, function: ir::FuncRef) -> ir::FuncRef {
        function
    }

    fn map_sig_ref(&mut self, signature: ir::SigRef) -> ir::SigRef {
        signature
    }

    fn map_stack_slot(&mut self, slot: ir::StackSlot) -> ir::StackSlot {
        slot
    }

    fn map_dynamic_stack_slot(&mut self, slot: ir::DynamicStackSlot) -> ir::DynamicStackSlot {
        slot
    }

    fn map_constant(&mut self, constant: ir::Constant) -> ir::Constant {
        self.to
            .dfg
            .constants
            .insert(self.from.dfg.constants.get(constant).clone())
    }

    fn map_mem_flags(&mut self, flags: ir::MemFlags) -> ir::MemFlags {
        // Lowering names no alias regions.
        let flags = self.from.dfg.mem_flags[flags];
        let made = self.to.dfg.mem_flags.insert(flags);
        made.expect("as many as in the finished function")
    }

    fn map_immediate(&mut self, immediate: ir::Immediate) -> ir::Immediate {
        self.to
            .dfg
            .immediates
            .push(self.from.dfg.immediates[immediate].clone())
    }
}
