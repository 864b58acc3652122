//! The builder: blocks, operations, variables, and how control flow joins.
//!
//! Variables are resolved while lowering. Inside a construct with several ways through, every
//! change of a variable is logged; a way out (an [`Edge`]) carries the changes since the
//! construct's [`Mark`], and a join makes a parameter of each variable on which its edges differ.

use super::scan::Assigned;
use super::untyped::*;
use crate::ast::{MethodDef, NodeId, TypeArg, TypeExpr};
use crate::env::has_vararg;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smallvec::SmallVec;
use std::cell::Cell;
use worldage_dispatch::{Symbol, Types};

/// What the way through a condition says about a variable: its type is (not) the one named.
pub(crate) type Fact = (u32, TyIx, bool);

/// A way out of a construct, not yet connected to where it leads.
#[derive(Debug)]
pub(crate) struct Edge {
    from: u32,
    /// Which target of the terminator: 0 then or jump, 1 else.
    slot: u8,
    /// The variables that changed since the construct began.
    delta: SmallVec<[(u32, UVal); 2]>,
    pub(crate) facts: SmallVec<[Fact; 1]>,
    /// The construct's value on this way.
    pub(crate) value: Option<UVal>,
}

pub(crate) type Edges = SmallVec<[Edge; 2]>;

/// Where a construct begins: changes after it are undone when its next way is lowered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    log: usize,
    vars: usize,
}

/// A loop that is being lowered.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) header: u32,
    /// The variables that are parameters of the header.
    pub(crate) carried: Vec<u32>,
    /// The header's parameter that counts, if it is a `for`.
    pub(crate) counter: Option<UVal>,
    pub(crate) mark: Mark,
    pub(crate) breaks: Edges,
}

/// What a name stands for, as far as it was asked.
#[derive(Clone, Copy, Debug, Default)]
struct Meaning {
    /// The variable in scope.
    var: Option<u32>,
    symbol: Option<Symbol>,
}

/// Names and variables that a body has room for at once.
const MANY: usize = 14;

/// Builds one [`Lowered`].
pub(crate) struct Builder<'a> {
    pub(crate) types: &'a Types,
    pub(crate) def: &'a MethodDef,
    pub(crate) out: Lowered,
    live: bool,
    warned_dead: bool,
    /// The value of every variable that was ever introduced.
    vars: Vec<UVal>,
    names: FxHashMap<&'a str, Meaning>,
    /// What a name meant before the scope that shadows it.
    shadowed: Vec<(&'a str, Option<u32>)>,
    scope: u32,
    log: Vec<(u32, UVal)>,
    marks: u32,
    /// Per variable, the number of the last walk that met it.
    seen: Vec<u32>,
    walk: u32,
    pub(crate) loops: Vec<Loop>,
    /// What loops assign, once there is one.
    assigned: Option<Assigned<'a>>,
    next_loop: usize,
    ret_ty: Option<TyIx>,
    /// How many tuning parameters were met.
    pub(crate) tuned: u32,
}

thread_local! {
    /// The room that the last body took while it was built.
    static SCRATCH: Cell<Lowered> = Cell::default();
}

impl<'a> Builder<'a> {
    pub(crate) fn new(types: &'a Types, def: &'a MethodDef) -> Builder<'a> {
        let mut out = SCRATCH.take();
        out.vararg = has_vararg(def);
        let mut b = Builder {
            types,
            def,
            out,
            live: true,
            warned_dead: false,
            vars: Vec::with_capacity(MANY),
            names: FxHashMap::with_capacity_and_hasher(MANY, FxBuildHasher),
            shadowed: Vec::new(),
            scope: 0,
            log: Vec::new(),
            marks: 0,
            seen: Vec::with_capacity(MANY),
            walk: 0,
            loops: Vec::new(),
            assigned: None,
            next_loop: 0,
            ret_ty: None,
            tuned: 0,
        };
        b.ret_ty = def.ret.as_ref().map(|ty| b.ty(ty));
        b.start(true);
        for param in &def.params {
            let value = b.param(param.id);
            b.declare(&param.name, value);
        }
        b
    }

    pub(crate) fn finish(mut self) -> Lowered {
        // A copy has exactly the room that it needs; it is kept as long as the method.
        let mut lowered = self.out.clone();
        lowered.find_used();
        lowered.index_users();
        self.out.clear();
        SCRATCH.set(self.out);
        lowered
    }

    pub(crate) fn sym(&mut self, name: &'a str) -> Symbol {
        let symbol = &mut self.names.entry(name).or_default().symbol;
        *symbol.get_or_insert_with(|| self.types.symbol(name))
    }

    // Operations.

    pub(crate) fn op(&mut self, op: UOp, node: NodeId) -> UVal {
        let v = UVal(self.out.ops.len() as u32);
        self.out.ops.push(op);
        self.out.nodes.push(node);
        v
    }

    pub(crate) fn args(&mut self, args: &[UVal]) -> Args {
        let start = self.out.pool.len() as u32;
        self.out.pool.extend_from_slice(args);
        Args {
            start,
            len: args.len() as u32,
        }
    }

    pub(crate) fn ty(&mut self, ty: &TypeExpr) -> TyIx {
        let ix = self.out.types.len() as u32;
        self.out.types.push(ty.clone());
        TyIx(ix)
    }

    // Blocks.

    fn block_ix(&self) -> u32 {
        self.out.blocks.len() as u32 - 1
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Begins a block; the one before must have ended.
    pub(crate) fn start(&mut self, live: bool) -> u32 {
        self.live = live;
        let start = self.out.ops.len() as u32;
        let (term, node) = (UTerm::Dead, NodeId(0));
        self.out.blocks.push(UBlock {
            start,
            params: 0,
            end: start,
            term,
            node,
        });
        self.block_ix()
    }

    /// Adds a parameter to the block just begun.
    pub(crate) fn param(&mut self, node: NodeId) -> UVal {
        let block = self.out.blocks.last_mut().expect("a block has begun");
        let ix = block.params;
        block.params += 1;
        self.op(UOp::Param(ix), node)
    }

    /// Ends the block.
    pub(crate) fn end(&mut self, term: UTerm, node: NodeId) {
        let (end, live) = (self.out.ops.len() as u32, self.live);
        let block = self.out.blocks.last_mut().expect("a block has begun");
        block.end = end;
        block.node = node;
        block.term = if live { term } else { UTerm::Dead };
    }

    /// Ends the block and goes on in one that nothing reaches.
    pub(crate) fn end_dead(&mut self, term: UTerm, node: NodeId) {
        self.end(term, node);
        self.start(false);
    }

    /// Returns, checked against the annotation.
    pub(crate) fn ret(&mut self, v: UVal, node: NodeId) {
        let v = match self.ret_ty {
            Some(ty) => self.op(UOp::AsType(v, ty), node),
            None => v,
        };
        self.end(UTerm::Return(v), node);
    }

    /// Says once per method that a statement is never reached.
    pub(crate) fn warn_dead(&mut self, node: NodeId) {
        if !self.live && !self.warned_dead {
            self.warned_dead = true;
            let kind = WarningKind::Unreachable;
            self.out.warnings.push(Warning { node, kind });
        }
    }

    // Variables.

    pub(crate) fn lookup(&self, name: &str) -> Option<u32> {
        self.names.get(name)?.var
    }

    pub(crate) fn value(&self, var: u32) -> UVal {
        self.vars[var as usize]
    }

    pub(crate) fn declare(&mut self, name: &'a str, value: UVal) {
        let var = self.vars.len() as u32;
        let before = self.names.entry(name).or_default().var.replace(var);
        self.vars.push(value);
        self.seen.push(0);
        if self.scope > 0 {
            self.shadowed.push((name, before));
        }
    }

    pub(crate) fn set(&mut self, var: u32, value: UVal) {
        let old = std::mem::replace(&mut self.vars[var as usize], value);
        if self.marks > 0 {
            self.log.push((var, old));
        }
    }

    pub(crate) fn enter(&mut self) -> usize {
        self.scope += 1;
        self.shadowed.len()
    }

    pub(crate) fn leave(&mut self, since: usize) {
        self.scope -= 1;
        for (name, before) in self.shadowed.drain(since..).rev() {
            self.names.entry(name).or_default().var = before;
        }
    }

    // Ways through.

    pub(crate) fn mark(&mut self) -> Mark {
        self.marks += 1;
        Mark {
            log: self.log.len(),
            vars: self.vars.len(),
        }
    }

    fn restore(&mut self, mark: Mark) {
        for (var, old) in self.log.drain(mark.log..).rev() {
            self.vars[var as usize] = old;
        }
    }

    fn delta(&mut self, mark: Mark) -> SmallVec<[(u32, UVal); 2]> {
        self.walk += 1;
        let mut delta = SmallVec::new();
        for &(var, _) in &self.log[mark.log..] {
            let seen = &mut self.seen[var as usize];
            if (var as usize) < mark.vars && *seen != self.walk {
                *seen = self.walk;
                delta.push((var, self.vars[var as usize]));
            }
        }
        delta
    }

    /// Ends the block with a jump that a later join connects.
    pub(crate) fn exit(&mut self, mark: Mark, value: Option<UVal>, node: NodeId) -> Option<Edge> {
        let (from, slot, live) = (self.block_ix(), 0, self.live);
        let delta = self.delta(mark);
        self.end(UTerm::Jump(UTarget::default()), node);
        let facts = SmallVec::new();
        live.then_some(Edge {
            from,
            slot,
            delta,
            facts,
            value,
        })
    }

    /// Ends the block with a branch; gives the edges for true and for false.
    pub(crate) fn branch(&mut self, v: UVal, mark: Mark, node: NodeId) -> (Edges, Edges) {
        let (from, live) = (self.block_ix(), self.live);
        let delta = self.delta(mark);
        let target = UTarget::default();
        self.end(UTerm::Branch(v, target, target), node);
        if !live {
            return (Edges::new(), Edges::new());
        }
        let edge = |slot, delta| Edge {
            from,
            slot,
            delta,
            facts: SmallVec::new(),
            value: None,
        };
        let then = Edges::from_iter([edge(0, delta.clone())]);
        (then, Edges::from_iter([edge(1, delta)]))
    }

    fn connect(&mut self, edge: &Edge, block: u32, args: Args) {
        let target = UTarget { block, args };
        match &mut self.out.blocks[edge.from as usize].term {
            UTerm::Jump(to) => *to = target,
            UTerm::Branch(_, then, other) => *(if edge.slot == 0 { then } else { other }) = target,
            _ => unreachable!("an edge leaves by a jump or a branch"),
        }
    }

    /// A value without the refinements made of it.
    fn strip(&self, mut v: UVal) -> UVal {
        while let UOp::Refine(from, ..) = self.out.ops[v.0 as usize] {
            v = from;
        }
        v
    }

    /// Begins the block where the edges meet, with variables as they are on them. Gives the
    /// construct's value there, if it is wanted.
    pub(crate) fn join(&mut self, edges: Edges, mark: Mark, node: NodeId) -> Option<UVal> {
        self.restore(mark);
        let block = self.start(!edges.is_empty());
        let value = match &edges[..] {
            [] => None,
            [edge] => {
                self.connect(edge, block, Args::default());
                for &(var, value) in &edge.delta {
                    self.set(var, value);
                }
                for &(var, ty, holds) in &edge.facts {
                    let refined = self.op(UOp::Refine(self.value(var), ty, holds), node);
                    self.set(var, refined);
                }
                edge.value
            }
            _ => self.merge(&edges, block, node),
        };
        // A dead end has no value, but whoever asked for one needs something to hold.
        value.or_else(|| edges.is_empty().then(|| self.op(UOp::Nothing, node)))
    }

    fn merge(&mut self, edges: &[Edge], block: u32, node: NodeId) -> Option<UVal> {
        // What each changed variable is on each edge.
        let mut changed: SmallVec<[u32; 8]> = SmallVec::new();
        self.walk += 1;
        for edge in edges {
            let facts = edge.facts.iter().map(|fact| fact.0);
            for var in edge.delta.iter().map(|change| change.0).chain(facts) {
                if self.seen[var as usize] != self.walk {
                    self.seen[var as usize] = self.walk;
                    changed.push(var);
                }
            }
        }
        changed.sort_unstable();
        let ways = edges.len();
        let width = changed.len();
        let mut incoming: Vec<UVal> = Vec::with_capacity(width * ways);
        for edge in edges {
            let row = incoming.len();
            incoming.extend(changed.iter().map(|&var| self.value(var)));
            for &(var, value) in &edge.delta {
                let at = changed.binary_search(&var).expect("collected above");
                incoming[row + at] = value;
            }
        }
        let mut carried: SmallVec<[usize; 8]> = SmallVec::new();
        let mut refined: SmallVec<[(u32, UVal, TyIx); 2]> = SmallVec::new();
        for (at, &var) in changed.iter().enumerate() {
            let column = || (0..ways).map(|way| incoming[way * width + at]);
            let (first, base) = (incoming[at], self.value(var));
            let stripped = self.strip(first);
            if column().any(|v| self.strip(v) != stripped) {
                carried.push(at);
            } else if let Some(ty) = self.common_fact(edges, var) {
                refined.push((var, base, ty));
            } else if column().all(|v| v == first) {
                self.set(var, first);
            } else if stripped != self.strip(base) {
                self.set(var, stripped);
            }
        }
        for &at in &carried {
            let param = self.param(node);
            self.set(changed[at], param);
        }
        let has_value = edges.iter().all(|edge| edge.value.is_some());
        let value = has_value.then(|| self.param(node));
        for (way, edge) in edges.iter().enumerate() {
            let mut args: SmallVec<[UVal; 8]> = carried
                .iter()
                .map(|&at| incoming[way * width + at])
                .collect();
            args.extend(edge.value.filter(|_| has_value));
            let args = self.args(&args);
            self.connect(edge, block, args);
        }
        for (var, base, ty) in refined {
            let v = self.op(UOp::Refine(base, ty, true), node);
            self.set(var, v);
        }
        value
    }

    /// `isa(x, A) || isa(x, B)`: the union of the types that the edges say, if all say one.
    fn common_fact(&mut self, edges: &[Edge], var: u32) -> Option<TyIx> {
        let mut members = Vec::with_capacity(edges.len());
        for edge in edges {
            let fact = edge.facts.iter().find(|fact| fact.0 == var && fact.2)?;
            members.push(self.out.types[fact.1.0 as usize].clone());
        }
        let id = members[0].id;
        let args = Some(members.into_iter().map(TypeArg::Type).collect());
        Some(self.ty(&TypeExpr {
            id,
            name: "Union".into(),
            args,
        }))
    }

    /// The construct is lowered: what changed in it belongs to the one around it.
    pub(crate) fn unmark(&mut self) {
        self.marks -= 1;
        if self.marks == 0 {
            self.log.clear();
        }
    }

    // Loops.

    /// The variables in scope that the next loop (in pre-order) assigns.
    pub(crate) fn carried(&mut self) -> Vec<u32> {
        self.walk += 1;
        let n = self.next_loop;
        self.next_loop += 1;
        let mut carried = Vec::new();
        let assigned = self
            .assigned
            .get_or_insert_with(|| Assigned::scan(self.def));
        for name in assigned.of_loop(n) {
            if let Some(var) = self.names.get(name).and_then(|named| named.var)
                && self.seen[var as usize] != self.walk
            {
                self.seen[var as usize] = self.walk;
                carried.push(var);
            }
        }
        carried
    }

    /// Ends the block with a jump to a loop's header: the counter, then the carried variables.
    pub(crate) fn jump_header(
        &mut self,
        header: u32,
        counter: Option<UVal>,
        carried: &[u32],
        node: NodeId,
    ) {
        let values = carried.iter().map(|&var| self.vars[var as usize]);
        let args: SmallVec<[UVal; 8]> = counter.into_iter().chain(values).collect();
        let args = self.args(&args);
        self.end(
            UTerm::Jump(UTarget {
                block: header,
                args,
            }),
            node,
        );
    }
}
