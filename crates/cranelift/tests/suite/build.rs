//! A builder of bodies, and a program of them: the whole engine that these tests need.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use worldage_cranelift::{
    Callee, Context, DynCall, DynTarget, Generator, Host, HostCall, HostIsa, Loaded, Loader,
    OptLevel, Options, RaiseKind,
};
use worldage_dispatch::{Symbol, Ty};
use worldage_engine::Mi;
use worldage_wir::ast::NodeId;
use worldage_wir::ir::{Blk, Block, Body, Const, Frame, Inst, Op, Pos, Target, Term, Val, Vals};
use worldage_wir::layout::Layouts;
use worldage_wir::prim::Scalar;
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

pub(crate) struct Builder {
    pub(crate) body: Body,
    block: usize,
    node: u32,
    pub(crate) frame: u32,
}

impl Builder {
    pub(crate) fn new(params: &[Ty], ret: Ty) -> (Builder, Vec<Val>) {
        let frames = vec![Frame {
            mi: Mi(0),
            call: None,
        }];
        let body = Body {
            vals: Vec::new(),
            blocks: Vec::new(),
            ret,
            frames,
        };
        let mut builder = Builder {
            body,
            block: 0,
            node: 0,
            frame: 0,
        };
        let (_, params) = builder.block(params);
        (builder, params)
    }

    fn val(&mut self, ty: Ty) -> Val {
        self.body.vals.push(ty);
        Val(self.body.vals.len() as u32 - 1)
    }

    pub(crate) fn pos(&self) -> Pos {
        Pos {
            frame: self.frame,
            node: NodeId(self.node),
        }
    }

    pub(crate) fn block(&mut self, params: &[Ty]) -> (Blk, Vec<Val>) {
        let params: Vec<Val> = params.iter().map(|&ty| self.val(ty)).collect();
        let term_pos = self.pos();
        let block = Block {
            params: params.as_slice().into(),
            insts: Vec::new(),
            term: Term::Unreachable,
            term_pos,
        };
        self.body.blocks.push(block);
        (Blk(self.body.blocks.len() as u32 - 1), params)
    }

    pub(crate) fn at(&mut self, block: Blk) {
        self.block = block.0 as usize;
    }

    /// Every operation is a node of its own, numbered from 1.
    pub(crate) fn op(&mut self, ty: Ty, op: Op) -> Val {
        self.node += 1;
        let (result, pos) = (self.val(ty), self.pos());
        self.body.blocks[self.block]
            .insts
            .push(Inst { result, op, pos });
        result
    }

    pub(crate) fn int(&mut self, u: &Universe, value: i64) -> Val {
        self.op(u.prelude().int64, Op::Const(Const::Int(value)))
    }

    pub(crate) fn float(&mut self, u: &Universe, value: f64) -> Val {
        self.op(u.prelude().float64, Op::Const(Const::F64(value.to_bits())))
    }

    pub(crate) fn term(&mut self, term: Term) {
        self.node += 1;
        let pos = self.pos();
        let block = &mut self.body.blocks[self.block];
        (block.term, block.term_pos) = (term, pos);
    }

    pub(crate) fn jump(&mut self, block: Blk, args: &[Val]) {
        self.term(Term::Jump(Target {
            block,
            args: args.into(),
        }));
    }

    pub(crate) fn branch(&mut self, cond: Val, then: Blk, other: Blk) {
        let to = |block| Target {
            block,
            args: Vals::new(),
        };
        self.term(Term::Branch(cond, to(then), to(other)));
    }
}

type HostFn = fn(&mut Context, &[Value]) -> Result<Value, RaiseKind>;

#[derive(Default)]
pub(crate) struct TestHost {
    pub(crate) methods: Mutex<HashMap<(Symbol, Vec<Ty>), Callee>>,
    pub(crate) functions: Mutex<Vec<HostFn>>,
    pub(crate) output: Mutex<String>,
    pub(crate) resolved: AtomicUsize,
}

impl Host for TestHost {
    fn resolve(&self, _: &mut Context, call: DynCall<'_>) -> Result<Callee, RaiseKind> {
        self.resolved.fetch_add(1, Ordering::Relaxed);
        let DynTarget::Function(name) = call.target else {
            return Err(RaiseKind::Unsupported("invoke".into()));
        };
        let methods = self.methods.lock();
        let callee = methods.get(&(name, call.args.to_vec())).cloned();
        callee.ok_or_else(|| RaiseKind::Unsupported("no method".into()))
    }

    fn newest_world(&self) -> u64 {
        1
    }

    fn call_host(&self, cx: &mut Context, call: HostCall<'_>) -> Result<Value, RaiseKind> {
        let function = self.functions.lock()[call.mi.0 as usize];
        function(cx, call.args)
    }

    fn print(&self, text: &str) {
        self.output.lock().push_str(text);
    }
}

/// Instances by number, compiled at one level, each callable through its cell.
pub(crate) struct Program {
    pub(crate) u: Arc<Universe>,
    pub(crate) loader: Loader,
    pub(crate) host: Arc<TestHost>,
    opt: OptLevel,
    cells: Arc<[AtomicUsize; 32]>,
    loaded: Vec<Arc<Loaded>>,
    rets: HashMap<Mi, Ty>,
    params: HashMap<Mi, Box<[Ty]>>,
}

impl Program {
    pub(crate) fn new(opt: OptLevel) -> Program {
        let u = Arc::new(Universe::new());
        let layouts = Arc::new(Layouts::new(Arc::clone(&u)));
        let isa = HostIsa::detect().expect("a host that Cranelift knows");
        let loader = Loader::new(Arc::new(Generator::new(isa, layouts)));
        Program {
            u,
            loader,
            host: Arc::default(),
            opt,
            cells: Arc::new([const { AtomicUsize::new(0) }; 32]),
            loaded: Vec::new(),
            rets: HashMap::new(),
            params: HashMap::new(),
        }
    }

    /// Says what an instance that is added later returns.
    pub(crate) fn returns(&mut self, mi: Mi, ret: Ty) {
        self.rets.insert(mi, ret);
    }

    pub(crate) fn add(&mut self, mi: Mi, builder: Builder) {
        let mut body = builder.body;
        body.frames[0].mi = mi;
        self.rets.insert(mi, body.ret);
        let params = body.blocks[0]
            .params
            .iter()
            .map(|p| body.vals[p.0 as usize])
            .collect();
        self.params.insert(mi, params);
        let returns = |mi| self.rets[&mi];
        let generator = self.loader.generator();
        let code = Arc::new(
            generator
                .compile(self.opt, &body, &returns)
                .expect("compiles"),
        );
        let again = generator
            .compile(self.opt, &body, &returns)
            .expect("compiles");
        assert_eq!(*code, again, "the same input gives the same artifact");
        let cells = Arc::clone(&self.cells);
        let mut cell = |mi: Mi| cells[mi.0 as usize].as_ptr().cast_const();
        let loaded = self.loader.load(&code, &mut cell).expect("loads");
        self.cells[mi.0 as usize].store(loaded.entry(), Ordering::Release);
        self.loaded.push(Arc::new(loaded));
    }

    /// The code that an instance's cell holds.
    pub(crate) fn loaded_as(&self, mi: Mi) -> Option<&Loaded> {
        let entry = self.cells[mi.0 as usize].load(Ordering::Acquire);
        let mut loaded = self.loaded.iter().map(|loaded| &**loaded);
        loaded.find(|loaded| loaded.entry() == entry)
    }

    pub(crate) fn callee(&self, mi: Mi) -> Callee {
        Callee {
            cell: self.cells[mi.0 as usize].as_ptr().cast_const(),
            params: self.params[&mi].clone(),
            ret: self.rets[&mi],
            convention: worldage_cranelift::Convention::Tail,
            leaf: self.loaded_as(mi).and_then(|loaded| loaded.leaf()),
            keep: Arc::new((Arc::clone(&self.cells), self.loaded.clone())),
        }
    }

    pub(crate) fn method(&self, name: &str, mi: Mi) -> Symbol {
        let name = self.u.types().symbol(name);
        let key = (name, self.params[&mi].to_vec());
        self.host.methods.lock().insert(key, self.callee(mi));
        name
    }

    pub(crate) fn context(&self) -> Context {
        self.context_with(Options {
            memory_limit: 1 << 30,
            ..Options::default()
        })
    }

    pub(crate) fn context_with(&self, options: Options) -> Context {
        let host = Arc::clone(&self.host) as Arc<dyn Host>;
        Context::new(&self.loader, host, options).expect("address space for a stack")
    }

    /// Calls and shows the value, or the error with its trace.
    pub(crate) fn show(&self, cx: &mut Context, mi: Mi, args: &[Value]) -> String {
        match cx.call(1, &self.callee(mi), args) {
            Ok(value) => value.show(&self.u).to_string(),
            Err(worldage_cranelift::CallError::Raised(raised)) => {
                let trace: Vec<String> = raised
                    .trace
                    .iter()
                    .map(|f| format!("{}:{}", f.mi.0, f.node.0))
                    .collect();
                let more = if raised.more > 0 { " …" } else { "" };
                format!("{:?} at {}{more}", raised.kind, trace.join(" "))
            }
            Err(other) => other.to_string(),
        }
    }

    pub(crate) fn scalar(&self, scalar: Scalar) -> Ty {
        self.u.scalar_ty(scalar)
    }

    pub(crate) fn array(&self, elem: Ty) -> Ty {
        self.u.array_ty(elem).expect("a shallow type")
    }
}

pub(crate) const LEVELS: [OptLevel; 2] = [OptLevel::None, OptLevel::Speed];
