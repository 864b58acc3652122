//! Inferred methods to CLIF.
//!
//! Every method is `fn(context, value…) -> value` in the convention that has tail calls. A value
//! is one word (see `runtime`); 0 is none of them: an error, which the context has, on its way
//! out. A call in tail position leaves no frame.

use crate::compiler::{Constant, Inferred, Kind, Lisp, Node, OP, Op};
use crate::runtime::{self, Context, HostFunction};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    AbiParam, Block, ExternalName, Function, GlobalValueData, InstBuilder, MemFlagsData, SigRef,
    Signature, UserExternalName, UserFuncName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use worldage::embed::{CodegenCx, Mi, Stop, Ty};

/// Namespaces of what code names: cells of callees, constants, the host's function, helpers.
pub(crate) const CELL: u32 = 0;
pub(crate) const CONSTANT: u32 = 1;
pub(crate) const HOST: u32 = 2;
pub(crate) const HELPER: u32 = 3;

/// A function, and what its names mean.
pub(crate) struct Built {
    pub(crate) function: Function,
    pub(crate) callees: Vec<Mi>,
    pub(crate) constants: Vec<Constant>,
    pub(crate) host: Option<HostFunction>,
}

/// The signature of a method with so many parameters.
pub(crate) fn signature(params: usize) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params = vec![AbiParam::new(types::I64); params + 1];
    signature.returns = vec![AbiParam::new(types::I64)];
    signature
}

pub(crate) fn build(
    lisp: &Lisp,
    cx: &mut CodegenCx<'_, Lisp>,
    inferred: &Inferred,
) -> Result<Built, Stop> {
    let signature = signature(inferred.params.len());
    let mut function = Function::with_name_signature(UserFuncName::default(), signature);
    let mut context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut function, &mut context);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let params = b.block_params(entry).to_vec();
    let locals = (0..inferred.places).map(|_| b.declare_var(types::I64));
    let locals: Vec<Variable> = locals.collect();
    for (place, value) in inferred.params.iter().zip(&params[1..]) {
        b.def_var(locals[*place], *value);
    }
    let failed = b.create_block();
    b.set_cold_block(failed);
    let mut lower = Lower {
        lisp,
        cx,
        b,
        vm: params[0],
        failed,
        locals,
        callees: Vec::new(),
        constants: Vec::new(),
        host: None,
    };
    lower.check_stack();
    if let Some(value) = lower.tail(&inferred.body)? {
        lower.b.ins().return_(&[value]);
    }
    lower.b.switch_to_block(failed);
    let none = lower.int(0);
    lower.b.ins().return_(&[none]);
    let Lower {
        mut b,
        callees,
        constants,
        host,
        ..
    } = lower;
    b.seal_all_blocks();
    b.finalize(lisp.isa.frontend_config());
    Ok(Built {
        function,
        callees,
        constants,
        host,
    })
}

/// A piece of code that takes its arguments from the context and calls its target with them: how
/// calls go whose arity only the callee knows.
pub(crate) fn thunk(lisp: &Lisp, params: usize) -> Function {
    let mut function = Function::with_name_signature(UserFuncName::default(), signature(0));
    let mut context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut function, &mut context);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let vm = b.block_params(entry)[0];
    let flags = MemFlagsData::trusted();
    let target = b.ins().load(types::I64, flags, vm, Context::TARGET);
    let arg = |ix| Context::ARGS + 8 * i32::try_from(ix).unwrap_or(0);
    let args = (0..params).map(|ix| b.ins().load(types::I64, flags, vm, arg(ix)));
    let args: Vec<Value> = std::iter::once(vm)
        .chain(args.collect::<Vec<_>>())
        .collect();
    let called = b.import_signature(signature(params));
    b.ins().return_call_indirect(called, target, &args);
    b.seal_all_blocks();
    b.finalize(lisp.isa.frontend_config());
    function
}

/// Where the host enters: calls the target without arguments, and returns what it gives.
pub(crate) fn entry(lisp: &Lisp) -> Function {
    let mut own = Signature::new(lisp.isa.default_call_conv());
    own.params = vec![AbiParam::new(types::I64)];
    own.returns = vec![AbiParam::new(types::I64)];
    let mut function = Function::with_name_signature(UserFuncName::default(), own);
    let mut context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut function, &mut context);
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    let vm = b.block_params(block)[0];
    let target = b
        .ins()
        .load(types::I64, MemFlagsData::trusted(), vm, Context::TARGET);
    let called = b.import_signature(signature(0));
    let call = b.ins().call_indirect(called, target, &[vm]);
    let result = b.inst_results(call)[0];
    b.ins().return_(&[result]);
    b.seal_all_blocks();
    b.finalize(lisp.isa.frontend_config());
    function
}

struct Lower<'a, 'b, 'c> {
    lisp: &'a Lisp,
    cx: &'a mut CodegenCx<'b, Lisp>,
    b: FunctionBuilder<'c>,
    /// The context.
    vm: Value,
    /// Returns that there is an error.
    failed: Block,
    locals: Vec<Variable>,
    callees: Vec<Mi>,
    constants: Vec<Constant>,
    host: Option<HostFunction>,
}

impl Lower<'_, '_, '_> {
    fn int(&mut self, value: i64) -> Value {
        self.b.ins().iconst(types::I64, value)
    }

    /// The address of something that code names by number.
    fn symbol(&mut self, namespace: u32, index: usize) -> Value {
        let index = u32::try_from(index).expect("few names in one function");
        let name = UserExternalName::new(namespace, index);
        let name = self.b.func.declare_imported_user_function(name);
        let data = self.b.create_global_value(GlobalValueData::Symbol {
            name: ExternalName::user(name),
            offset: 0.into(),
            colocated: false,
            tls: false,
        });
        self.b.ins().symbol_value(types::I64, data)
    }

    fn constant(&mut self, constant: &Constant) -> Value {
        match constant {
            Constant::Int(x) => self.int(runtime::word_of_int(*x)),
            Constant::Float(bits) => {
                let bits = self.int(bits.cast_signed());
                self.object(runtime::FLOAT, &[bits])
            }
            other => {
                let known = self.constants.iter().position(|known| known == other);
                let index = known.unwrap_or_else(|| {
                    self.constants.push(other.clone());
                    self.constants.len() - 1
                });
                self.symbol(CONSTANT, index)
            }
        }
    }

    /// Leaves the function if a value is none.
    fn checked(&mut self, value: Value) -> Value {
        let next = self.b.create_block();
        self.b.ins().brif(value, next, &[], self.failed, &[]);
        self.b.switch_to_block(next);
        value
    }

    /// Calls the run-time system.
    fn helper(&mut self, name: &str, args: &[Value]) -> Value {
        let helper = runtime::HELPERS
            .iter()
            .position(|helper| helper.name == name);
        let callee = self.symbol(HELPER, helper.expect("a helper of the run-time system"));
        let mut signature = Signature::new(self.lisp.isa.default_call_conv());
        signature.params = vec![AbiParam::new(types::I64); args.len() + 1];
        signature.returns = vec![AbiParam::new(types::I64)];
        let signature = self.b.import_signature(signature);
        let args: Vec<Value> = std::iter::once(self.vm)
            .chain(args.iter().copied())
            .collect();
        let call = self.b.ins().call_indirect(signature, callee, &args);
        let result = self.b.inst_results(call)[0];
        self.checked(result)
    }

    fn check_stack(&mut self) {
        let flags = MemFlagsData::trusted();
        let limit = self
            .b
            .ins()
            .load(types::I64, flags, self.vm, Context::STACK_LIMIT);
        let pointer = self.b.ins().get_stack_pointer(types::I64);
        let low = self.b.ins().icmp(IntCC::UnsignedLessThan, pointer, limit);
        let (full, room) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(full);
        self.b.ins().brif(low, full, &[], room, &[]);
        self.b.switch_to_block(full);
        self.helper("stack_overflow", &[]);
        self.b.ins().jump(self.failed, &[]);
        self.b.switch_to_block(room);
    }

    /// An object of a type by its number.
    fn object(&mut self, ty: usize, words: &[Value]) -> Value {
        let [ty, count] = [ty, words.len()].map(|n| self.int(i64::try_from(n).expect("small")));
        let object = self.helper("alloc", &[ty, count]);
        for (offset, word) in (8..).step_by(8).zip(words) {
            self.b
                .ins()
                .store(MemFlagsData::trusted(), *word, object, offset);
        }
        object
    }

    fn all(&mut self, nodes: &[Node]) -> Result<Vec<Value>, Stop> {
        nodes.iter().map(|node| self.expr(node)).collect()
    }

    /// An expression whose value is used.
    fn expr(&mut self, node: &Node) -> Result<Value, Stop> {
        Ok(match &node.kind {
            Kind::Constant(constant) => self.constant(constant),
            Kind::Local(place) => self.b.use_var(self.locals[*place]),
            Kind::If(parts) => {
                let [condition, then, or] = &**parts;
                let (then_block, or_block) = self.branch(condition)?;
                let join = self.b.create_block();
                let value = self.b.append_block_param(join, types::I64);
                for (block, part) in [(then_block, then), (or_block, or)] {
                    self.b.switch_to_block(block);
                    let value = self.expr(part)?;
                    self.b.ins().jump(join, &[value.into()]);
                }
                self.b.switch_to_block(join);
                value
            }
            Kind::Let(place, parts) => {
                let value = self.expr(&parts[0])?;
                self.b.def_var(self.locals[*place], value);
                self.expr(&parts[1])?
            }
            Kind::Do(parts) => self.all(parts)?.pop().expect("never empty"),
            Kind::Closure(name, outer) => {
                let mut words = vec![self.constant(&Constant::Function(name.clone()))];
                words.extend(self.all(outer)?);
                self.object(runtime::FN, &words)
            }
            Kind::Op(op, args) => {
                let tys: Vec<Ty> = args.iter().map(|arg| arg.ty).collect();
                let args = self.all(args)?;
                self.op(*op, &args, &tys)
            }
            Kind::Host(function, args) => {
                self.host = Some(function.clone());
                let args = self.all(args)?;
                self.pass(&args);
                let function = self.symbol(HOST, 0);
                let count = self.int(args.len() as i64);
                self.helper("host", &[function, count])
            }
            Kind::Call(..) | Kind::Dynamic(..) | Kind::Apply(..) => match self.callee(node)? {
                Callee::Op(value) => value,
                Callee::Code(signature, entry, args) => {
                    let call = self.b.ins().call_indirect(signature, entry, &args);
                    let result = self.b.inst_results(call)[0];
                    self.checked(result)
                }
            },
        })
    }

    /// An expression whose value is that of the method; `None` if it was left by a tail call.
    fn tail(&mut self, node: &Node) -> Result<Option<Value>, Stop> {
        match &node.kind {
            Kind::If(parts) => {
                let [condition, then, or] = &**parts;
                let (then_block, or_block) = self.branch(condition)?;
                self.b.switch_to_block(then_block);
                if let Some(value) = self.tail(then)? {
                    self.b.ins().return_(&[value]);
                }
                self.b.switch_to_block(or_block);
                self.tail(or)
            }
            Kind::Let(place, parts) => {
                let value = self.expr(&parts[0])?;
                self.b.def_var(self.locals[*place], value);
                self.tail(&parts[1])
            }
            Kind::Do(parts) => {
                let (last, before) = parts.split_last().expect("never empty");
                self.all(before)?;
                self.tail(last)
            }
            Kind::Call(..) | Kind::Dynamic(..) | Kind::Apply(..) => match self.callee(node)? {
                Callee::Op(value) => Ok(Some(value)),
                Callee::Code(signature, entry, args) => {
                    self.b.ins().return_call_indirect(signature, entry, &args);
                    Ok(None)
                }
            },
            _ => self.expr(node).map(Some),
        }
    }

    /// Evaluates the arguments of a call and finds what it enters.
    fn callee(&mut self, node: &Node) -> Result<Callee, Stop> {
        let (callee, args) = match &node.kind {
            Kind::Call(mi, args) => {
                let op = self.cx.read(*mi, &OP)?;
                let tys: Vec<Ty> = args.iter().map(|arg| arg.ty).collect();
                let args = self.all(args)?;
                return Ok(match op {
                    Some(op) => Callee::Op(self.op(op, &args, &tys)),
                    None => self.known(*mi, &args),
                });
            }
            Kind::Dynamic(name, args) => {
                let args = self.all(args)?;
                (self.constant(&Constant::Function(name.clone())), args)
            }
            Kind::Apply(callee, args) => (self.expr(callee)?, self.all(args)?),
            _ => unreachable!("only calls have callees"),
        };
        self.pass(&args);
        let count = self.int(args.len() as i64);
        let thunk = self.helper("resolve", &[callee, count]);
        let signature = self.b.import_signature(signature(0));
        Ok(Callee::Code(signature, thunk, vec![self.vm]))
    }

    /// A callee that inference has found, through its cell.
    fn known(&mut self, mi: Mi, args: &[Value]) -> Callee {
        self.cx.calls(mi);
        let known = self.callees.iter().position(|known| *known == mi);
        let index = known.unwrap_or_else(|| {
            self.callees.push(mi);
            self.callees.len() - 1
        });
        let cell = self.symbol(CELL, index);
        let entry = self
            .b
            .ins()
            .load(types::I64, MemFlagsData::trusted(), cell, 0);
        let signature = self.b.import_signature(signature(args.len()));
        let args = std::iter::once(self.vm).chain(args.iter().copied());
        Callee::Code(signature, entry, args.collect())
    }

    /// Puts arguments into the context.
    fn pass(&mut self, args: &[Value]) {
        for (offset, arg) in (Context::ARGS..).step_by(8).zip(args) {
            self.b
                .ins()
                .store(MemFlagsData::trusted(), *arg, self.vm, offset);
        }
    }

    /// Where a condition leads: `false` and `nil` to the second block, all else to the first.
    fn branch(&mut self, condition: &Node) -> Result<(Block, Block), Stop> {
        let value = self.expr(condition)?;
        let blocks = (self.b.create_block(), self.b.create_block());
        let [no, nil] = [Constant::Bool(false), Constant::Nil].map(|c| self.constant(&c));
        let is_no = self.b.ins().icmp(IntCC::Equal, value, no);
        let is_nil = self.b.ins().icmp(IntCC::Equal, value, nil);
        let either = self.b.ins().bor(is_no, is_nil);
        self.b.ins().brif(either, blocks.1, &[], blocks.0, &[]);
        Ok(blocks)
    }

    fn op(&mut self, op: Op, args: &[Value], tys: &[Ty]) -> Value {
        let objects = &self.lisp.objects;
        let number = match op {
            Op::Make(ty) => return self.object(objects.number(ty), args),
            Op::Field(ix) => {
                let at = 8 + 8 * i32::try_from(ix).expect("few fields");
                let flags = MemFlagsData::trusted();
                return self.b.ins().load(types::I64, flags, args[0], at);
            }
            Op::Primitive(number) => number,
        };
        let all = |ty: usize| tys.iter().all(|known| *known == objects.ty(ty));
        let fast = match number {
            0..=4 if all(runtime::INT) => Some(self.integer(number, args[0], args[1])),
            0..=3 | 5 if all(runtime::FLOAT) => Some(self.float(number, args[0], args[1])),
            _ => None,
        };
        fast.unwrap_or_else(|| {
            let number = self.int(number as i64);
            let second = args.get(1).copied().unwrap_or(args[0]);
            self.helper("primitive", &[number, args[0], second])
        })
    }

    /// `+ - * < =` on integers, in their tagged form.
    fn integer(&mut self, number: usize, x: Value, y: Value) -> Value {
        let ins = |this: &mut Self, add: i64, v| this.b.ins().iadd_imm_u(v, add);
        let (result, overflow) = match number {
            0 => {
                let y = ins(self, -1, y);
                self.b.ins().sadd_overflow(x, y)
            }
            1 => {
                let y = ins(self, -1, y);
                self.b.ins().ssub_overflow(x, y)
            }
            2 => {
                let (x, y) = (ins(self, -1, x), self.b.ins().sshr_imm_u(y, 1));
                let (product, overflow) = self.b.ins().smul_overflow(x, y);
                (ins(self, 1, product), overflow)
            }
            3 => {
                let less = self.b.ins().icmp(IntCC::SignedLessThan, x, y);
                return self.bool(less);
            }
            _ => {
                let equal = self.b.ins().icmp(IntCC::Equal, x, y);
                return self.bool(equal);
            }
        };
        let (bad, good) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(bad);
        self.b.ins().brif(overflow, bad, &[], good, &[]);
        self.b.switch_to_block(bad);
        self.helper("overflow", &[]);
        self.b.ins().jump(self.failed, &[]);
        self.b.switch_to_block(good);
        result
    }

    /// `+ - * < /` on floats.
    fn float(&mut self, number: usize, x: Value, y: Value) -> Value {
        let flags = MemFlagsData::trusted();
        let [x, y] = [x, y].map(|v| self.b.ins().load(types::F64, flags, v, 8));
        let result = match number {
            0 => self.b.ins().fadd(x, y),
            1 => self.b.ins().fsub(x, y),
            2 => self.b.ins().fmul(x, y),
            3 => {
                let less = self.b.ins().fcmp(FloatCC::LessThan, x, y);
                return self.bool(less);
            }
            _ => self.b.ins().fdiv(x, y),
        };
        self.object(runtime::FLOAT, &[result])
    }

    fn bool(&mut self, value: Value) -> Value {
        let [yes, no] = [true, false].map(|x| self.constant(&Constant::Bool(x)));
        self.b.ins().select(value, yes, no)
    }
}

/// What a call enters: nothing if it is an operation, which is in place.
enum Callee {
    Op(Value),
    Code(SigRef, Value, Vec<Value>),
}
