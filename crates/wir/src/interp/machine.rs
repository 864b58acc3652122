//! Evaluation: expressions, statements, frames.
//!
//! Invariants: a frame's variables are a run of one stack of values; every error gets exactly one
//! trace frame per running instance, where it leaves the failing (or calling) node; recursion of
//! the host follows that of the program, on stacks that grow, and is bounded by [`Limits`].

use super::call::{Instance, Run, Target, Tys};
use super::code::{Body, Call, Code, Kind, Node, St, TyIx};
use super::cycles::Arrays;
use super::fast::Fast;
use super::grid::Item;
use super::program::Program;
use crate::ast::{Expr, NodeId};
use crate::diag::Code as ErrorCode;
use crate::error::{RunError, Site};
use crate::prim::{PrimError, ScalarValue};
use crate::schedule::Schedule;
use crate::universe::Universe;
use crate::value::{Value, live_bytes};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use std::cell::Cell;
use std::rc::Rc;
use worldage_dispatch::{Methods, Symbol, Ty};

/// What a call may use before it fails.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deep calls may nest: `stack-overflow`.
    pub depth: usize,
    /// How many bytes arrays, structs and tuples may take: `out-of-memory`.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            depth: 150_000,
            bytes: 4 << 30,
        }
    }
}

/// Why an evaluation ends early.
pub(super) enum Stop {
    Error(Box<RunError>),
    /// `return`; the value is in [`Interp::returned`].
    Return,
    Break,
    Continue,
}

pub(super) type Eval<T = Value> = Result<T, Stop>;
pub(super) type Args = SmallVec<[Value; 4]>;

/// A running instance.
pub(super) struct Frame<'a> {
    pub(super) inst: &'a Instance,
    code: &'a Code,
    pub(super) base: usize,
}

/// Runs calls of one program in one view. Keeps what it found out about methods between calls.
pub struct Interp<'a> {
    pub(super) p: &'a Program,
    pub(super) u: &'a Universe,
    /// For a program of an older world: the newest one, the view, and the number of its world.
    pub(super) newest: Option<(&'a Program, Option<&'a str>, u64)>,
    /// The tables of the view, top down.
    pub(super) stack: Vec<&'a FxHashMap<Symbol, Methods>>,
    pub(super) targets: FxHashMap<(Symbol, Tys), Rc<Target>>,
    pub(super) codes: FxHashMap<usize, Rc<Code>>,
    pub(super) print: &'a mut (dyn FnMut(&str) + 'a),
    pub(super) locals: Vec<Value>,
    depth: usize,
    pub(super) arrays: Arrays,
    pub(super) returned: Value,
    /// What the thread held when the call began.
    bytes_before: i64,
    pub(super) equal: Symbol,
    /// The work-item that a launch runs.
    pub(super) item: Option<Item<'a>>,
    /// What the tuning parameters of kernels are.
    pub(super) schedule: Schedule,
}

/// Below this much stack a new piece is taken; it must hold the deepest expression
/// ([`crate::syntax::MAX_HEIGHT`]) of one method.
const RED_ZONE: usize = 8 << 20;
const PIECE: usize = 128 << 20;

impl<'a> Interp<'a> {
    /// An interpreter of a program in a view (`None`: the base table alone).
    pub fn new(
        p: &'a Program,
        view: Option<&'a str>,
        print: &'a mut (dyn FnMut(&str) + 'a),
    ) -> Interp<'a> {
        Interp {
            p,
            u: p.universe(),
            newest: None,
            stack: p.stack(view),
            targets: FxHashMap::default(),
            codes: FxHashMap::default(),
            print,
            locals: Vec::new(),
            depth: 0,
            arrays: Arrays::default(),
            returned: Value::Nothing,
            bytes_before: live_bytes(),
            equal: p.universe().types().symbol("=="),
            item: None,
            schedule: Schedule::default(),
        }
    }

    /// Calls a value in the newest world.
    fn call_latest(&mut self, callee: &Value, args: Args) -> Result<Value, Box<RunError>> {
        let Some((program, view, world)) = self.newest else {
            return self.call_value(callee, args);
        };
        let mut interp = Interp::new(program, view, &mut *self.print);
        interp.depth = self.depth;
        interp.call_value(callee, args).map_err(|mut error| {
            error.world.get_or_insert(world);
            error
        })
    }

    /// Calls a generic function.
    ///
    /// # Errors
    /// The program's error.
    pub fn call(&mut self, function: Symbol, args: Vec<Value>) -> Result<Value, Box<RunError>> {
        self.bytes_before = live_bytes();
        let given = args.clone();
        let result = stacker::maybe_grow(RED_ZONE, PIECE, || {
            self.call_function(function, args.into())
        });
        self.reset(&given, result.as_ref().ok());
        result
    }

    /// Evaluates a host's expression (see [`Program::eval`]).
    pub(super) fn eval_host(&mut self, expr: &Expr) -> Result<Value, Box<RunError>> {
        self.bytes_before = live_bytes();
        let result = stacker::maybe_grow(RED_ZONE, PIECE, || {
            let inst = self.host_instance(expr);
            let frame = Frame {
                inst: &inst,
                code: &inst.code,
                base: 0,
            };
            match &inst.code.body.stmts[..] {
                [St::Expr(node)] => self.eval(&frame, node),
                _ => Ok(Value::Nothing),
            }
        });
        self.reset(&[], result.as_ref().ok());
        match result {
            Ok(value) => Ok(value),
            Err(Stop::Error(error)) => Err(error),
            Err(_) => Ok(Value::Nothing),
        }
    }

    /// Ends the host's call: nothing is left of it but what the host holds.
    fn reset(&mut self, given: &[Value], result: Option<&Value>) {
        self.locals.clear();
        self.depth = 0;
        self.returned = Value::Nothing;
        let held = given.iter().chain(result).chain(self.p.externals());
        self.arrays.collect(held);
    }

    /// Runs a method instance.
    pub(super) fn run(&mut self, inst: &Instance, args: Args) -> Run {
        let base = self.locals.len();
        self.enter(inst, args)?;
        let code = &*inst.code;
        let frame = Frame { inst, code, base };
        let result = match stacker::remaining_stack() {
            Some(left) if left >= RED_ZONE => self.body(&frame),
            _ => stacker::grow(PIECE, || self.body(&frame)),
        };
        self.leave(base, result)
    }

    /// Makes the variables of a frame.
    #[inline(never)]
    fn enter(&mut self, inst: &Instance, mut args: Args) -> Run<()> {
        if self.depth >= self.p.limits().depth {
            return Err(self.fail(ErrorCode::StackOverflow, "calls nest too deeply"));
        }
        let code = &*inst.code;
        let base = self.locals.len();
        let rest = match code.vararg {
            true => Some(self.tuple(args.drain(code.def.params.len() - 1..).collect())?),
            false => None,
        };
        self.locals.extend(args.into_iter().chain(rest));
        self.locals.resize(base + code.slots, Value::Nothing);
        self.depth += 1;
        Ok(())
    }

    #[inline(never)]
    fn leave(&mut self, base: usize, result: Eval) -> Run {
        self.depth -= 1;
        self.locals.truncate(base);
        match result {
            Ok(value) => Ok(value),
            Err(Stop::Error(error)) => Err(error),
            Err(_) => Ok(std::mem::replace(&mut self.returned, Value::Nothing)),
        }
    }

    #[inline(never)]
    fn body(&mut self, f: &Frame<'_>) -> Eval {
        let value = self.block(f, &f.code.body)?;
        self.check_result(f, f.code.def.body.value_node(), &value)?;
        Ok(value)
    }

    pub(super) fn check_result(&self, f: &Frame<'_>, node: NodeId, value: &Value) -> Eval<()> {
        let Some(ret) = f.code.ret else {
            return Ok(());
        };
        let expected = self.ty(f, ret)?;
        let ty = value.ty(self.u);
        if self.u.types().subtype(ty, expected) {
            return Ok(());
        }
        Err(self.at(f, node, self.mismatch("the result", expected, ty)))
    }

    /// Adds the frame to an error that leaves a node.
    #[cold]
    pub(super) fn at(&self, f: &Frame<'_>, node: NodeId, mut error: Box<RunError>) -> Stop {
        if let Some(method) = f.inst.method {
            let site = Site { method, node };
            error.unwind(site, || self.call_text(f.inst.function, &f.inst.args));
        }
        Stop::Error(error)
    }

    /// A type written in the body.
    fn ty(&self, f: &Frame<'_>, ix: TyIx) -> Eval<Ty> {
        match &f.inst.types[ix.0] {
            Ok(ty) => Ok(*ty),
            Err(error) => {
                let mut run = RunError::new(error.code, error.message.clone());
                run.subject.clone_from(&error.subject);
                run.hint.clone_from(&error.hint);
                Err(self.at(f, error.node, Box::new(run)))
            }
        }
    }

    /// Evaluates an expression.
    ///
    /// The recursion of a deep call goes through here, so the frame is kept small: every case that
    /// needs room has a function of its own.
    pub(super) fn eval(&mut self, f: &Frame<'_>, node: &Node) -> Eval {
        match &node.kind {
            Kind::Const(value) => Ok(value.clone()),
            Kind::Local(slot) => Ok(self.locals[f.base + slot].clone()),
            Kind::Call(call) => self.eval_call(f, node.id, call),
            Kind::Index(nodes) => self.eval_index(f, node.id, nodes),
            Kind::If(condition, yes, no) => match self.eval_if(f, condition, yes, no.as_ref()) {
                Ok(Some(block)) => self.block(f, block),
                Ok(None) => Ok(Value::Nothing),
                Err(stop) => Err(stop),
            },
            Kind::And(nodes) => self.eval_logic(f, nodes, true),
            Kind::Or(nodes) => self.eval_logic(f, nodes, false),
            Kind::Field(object, name, known) => self.eval_field(f, node.id, object, name, known),
            _ => self.eval_rare(f, node),
        }
    }

    /// The block that an `if` goes on with.
    #[inline(never)]
    fn eval_if<'n>(
        &mut self,
        f: &Frame<'_>,
        condition: &Node,
        yes: &'n Body,
        no: Option<&'n Body>,
    ) -> Eval<Option<&'n Body>> {
        Ok(if self.condition(f, condition)? {
            Some(yes)
        } else {
            no
        })
    }

    /// `a && b` if `all`, else `a || b`.
    #[inline(never)]
    fn eval_logic(&mut self, f: &Frame<'_>, nodes: &[Node; 2], all: bool) -> Eval {
        if self.condition(f, &nodes[0])? != all {
            return Ok(Value::bool(!all));
        }
        Ok(Value::bool(self.condition(f, &nodes[1])?))
    }

    #[inline(never)]
    fn eval_field(
        &mut self,
        f: &Frame<'_>,
        id: NodeId,
        object: &Node,
        name: &str,
        known: &Cell<Option<(Ty, usize)>>,
    ) -> Eval {
        let object = self.eval(f, object)?;
        let Value::Struct(record) = &object else {
            return Err(self.at(f, id, self.missing_field(&object, name)));
        };
        if let Some((ty, ix)) = known.get()
            && record.ty() == ty
        {
            return Ok(record.parts()[ix].clone());
        }
        let fields = self.u.fields(record.ty());
        let info = fields.and_then(|fields| fields.info);
        let Some(ix) = info.and_then(|info| info.field_index(name)) else {
            return Err(self.at(f, id, self.missing_field(&object, name)));
        };
        known.set(Some((record.ty(), ix)));
        Ok(record.parts()[ix].clone())
    }

    #[inline(never)]
    fn eval_index(&mut self, f: &Frame<'_>, id: NodeId, nodes: &[Node; 2]) -> Eval {
        let object = self.eval(f, &nodes[0])?;
        let index = self.eval(f, &nodes[1])?;
        self.load(&object, &index)
            .map_err(|error| self.at(f, id, error))
    }

    fn eval_args(&mut self, f: &Frame<'_>, nodes: &[Node]) -> Eval<Args> {
        let mut args = Args::with_capacity(nodes.len());
        for node in nodes {
            args.push(self.eval(f, node)?);
        }
        Ok(args)
    }

    fn eval_call(&mut self, f: &Frame<'_>, id: NodeId, call: &Call) -> Eval {
        if call.args.len() > 2 {
            let args = self.eval_args(f, &call.args)?;
            return self.eval_call_slow(f, id, call, args);
        }
        let Some(first) = call.args.first() else {
            return self.eval_call_slow(f, id, call, Args::new());
        };
        let a = self.eval(f, first)?;
        match call.args.get(1) {
            Some(second) => {
                let b = self.eval(f, second)?;
                self.call2(f, id, call, a, b)
            }
            None => self.call1(f, id, call, a),
        }
    }

    #[inline(never)]
    fn call1(&mut self, f: &Frame<'_>, id: NodeId, call: &Call, a: Value) -> Eval {
        if let (Value::Scalar(x), Some(fast)) = (&a, call.fast.get())
            && fast.operands == (x.scalar(), None)
        {
            return self.fast(f, id, fast.apply1(*x));
        }
        self.eval_call_slow(f, id, call, smallvec![a])
    }

    #[inline(never)]
    fn call2(&mut self, f: &Frame<'_>, id: NodeId, call: &Call, a: Value, b: Value) -> Eval {
        if let (Value::Scalar(x), Value::Scalar(y), Some(fast)) = (&a, &b, call.fast.get())
            && fast.operands == (x.scalar(), Some(y.scalar()))
        {
            return self.fast(f, id, fast.apply2(*x, *y));
        }
        self.eval_call_slow(f, id, call, smallvec![a, b])
    }

    fn fast(&self, f: &Frame<'_>, id: NodeId, result: Result<ScalarValue, PrimError>) -> Eval {
        match result {
            Ok(value) => Ok(Value::Scalar(value)),
            Err(error) => Err(self.at(f, id, self.prim_error(error))),
        }
    }

    #[inline(never)]
    fn eval_call_slow(&mut self, f: &Frame<'_>, id: NodeId, call: &Call, args: Args) -> Eval {
        let result = match self.call_target(call, &args) {
            Ok(target) => self.apply(&target, args),
            Err(error) => Err(error),
        };
        result.map_err(|error| self.at(f, id, error))
    }

    #[inline(never)]
    fn call_target(&mut self, call: &Call, args: &Args) -> Run<Rc<Target>> {
        let tys: Tys = args.iter().map(|arg| arg.ty(self.u)).collect();
        if let Some((known, target)) = &*call.last.borrow()
            && *known == tys
        {
            return Ok(Rc::clone(target));
        }
        let target = self.target(call.function, &tys)?;
        call.fast.set(Fast::of(self.u, &target, &tys));
        *call.last.borrow_mut() = Some((tys, Rc::clone(&target)));
        Ok(target)
    }

    #[inline(never)]
    fn eval_rare(&mut self, f: &Frame<'_>, node: &Node) -> Eval {
        let id = node.id;
        match &node.kind {
            Kind::Function(name) => self
                .function_value(*name)
                .map_err(|error| self.at(f, id, error)),
            Kind::Tuple(nodes) => {
                let args = self.eval_args(f, nodes)?;
                self.tuple(args.into_vec())
                    .map_err(|error| self.at(f, id, error))
            }
            Kind::CallValue(callee, nodes) => {
                let callee = self.eval(f, callee)?;
                let args = self.eval_args(f, nodes)?;
                self.call_value(&callee, args)
                    .map_err(|error| self.at(f, id, error))
            }
            Kind::Latest(nodes) => {
                let mut args = self.eval_args(f, nodes)?;
                let callee = args.remove(0);
                self.call_latest(&callee, args)
                    .map_err(|error| self.at(f, id, error))
            }
            Kind::CallType(ty, nodes) => {
                let args = self.eval_args(f, nodes)?;
                let ty = self.ty(f, *ty)?;
                self.call_type(ty, args)
                    .map_err(|error| self.at(f, id, error))
            }
            Kind::New(ty, nodes) => {
                let args = self.eval_args(f, nodes)?;
                let ty = self.ty(f, *ty)?;
                self.construct(ty, args)
                    .map_err(|error| self.at(f, id, error))
            }
            Kind::Array(ty, length) => {
                let length = self.eval(f, length)?;
                let ty = self.ty(f, *ty)?;
                self.new_array(ty, &length)
                    .map_err(|error| self.at(f, id, error))
            }
            Kind::Shared(ty, length) => {
                let length = self.eval(f, length)?;
                let ty = self.ty(f, *ty)?;
                self.shared_array(
                    f.inst.method.map(|method| Site { method, node: id }),
                    ty,
                    &length,
                )
                .map_err(|error| self.at(f, id, error))
            }
            Kind::TruncTo(ty, x) => {
                let x = self.eval(f, x)?;
                let ty = self.ty(f, *ty)?;
                self.trunc_to(ty, &x).map_err(|error| self.at(f, id, error))
            }
            Kind::IsA(x, ty) => {
                let x = self.eval(f, x)?;
                let ty = self.ty(f, *ty)?;
                Ok(Value::bool(self.u.types().subtype(x.ty(self.u), ty)))
            }
            Kind::Invoke(callee, sig, nodes) => {
                let callee = self.eval(f, callee)?;
                let args = self.eval_args(f, nodes)?;
                let sig = self.ty(f, *sig)?;
                self.invoke(&callee, sig, args)
                    .map_err(|error| self.at(f, id, error))
            }
            Kind::External(key) => match self.p.external(key) {
                Some(value) => Ok(value.clone()),
                None => Err(self.at(f, id, self.unknown_external(key))),
            },
            Kind::Const(_)
            | Kind::Local(_)
            | Kind::Call(_)
            | Kind::Index(_)
            | Kind::If(..)
            | Kind::And(_)
            | Kind::Or(_)
            | Kind::Field(..) => unreachable!("evaluated by `eval`"),
        }
    }

    /// Fails if the call holds more memory than it may, or would with so many bytes more.
    pub(super) fn reserve(&self, bytes: usize) -> Run<()> {
        let held = usize::try_from(live_bytes() - self.bytes_before).unwrap_or(0);
        if held.saturating_add(bytes) <= self.p.limits().bytes {
            return Ok(());
        }
        Err(self.out_of_memory(bytes))
    }
}
