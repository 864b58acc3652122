//! Forwards through a body: copies, constants, fields of what was just made, tests and changes of
//! representation of values whose type is known, ways that are never taken.
//!
//! What becomes unread is left for `tidy`.

use crate::infer::lattice::scalar_const;
use crate::ir::{Body, Const, Op, Target, Term, Val, Vals};
use crate::prim::{Prim, Scalar, ScalarValue};
use crate::universe::Universe;
use smallvec::SmallVec;
use worldage_dispatch::Ty;

/// How a value was made, as far as others can use it.
#[derive(Clone, Copy)]
enum Made {
    Otherwise,
    Scalar(ScalarValue),
    /// From these of [`Simplifier::parts`].
    Parts(u32, u32),
    Widen(Val),
    Narrow(Val),
    Not(Val),
    /// An array of this length.
    Array(Val),
}

/// What an operation turned out to be.
enum Found {
    Itself,
    Value(Val),
    Op(Op),
}

/// The ways that lead into a block.
#[derive(Clone, Copy, Default)]
struct Ways {
    /// Those that may be taken.
    open: u32,
    /// Those of them that come from blocks which are done.
    done: u32,
}

struct Simplifier<'a> {
    u: &'a Universe,
    /// What each value is known as.
    known: Vec<Val>,
    made: Vec<Made>,
    parts: Vec<Val>,
    ways: Vec<Ways>,
    /// For each block parameter the only argument that was met: itself if none was, or several.
    only: Vec<Only>,
    /// Whether anything was found.
    changed: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Only {
    None,
    One(Val),
    Several,
}

/// Simplifies the blocks of a body in this order; every use of a value that is another one becomes
/// that one. True if something may be unread or unreachable now.
pub(super) fn simplify(u: &Universe, body: &mut Body, order: &[u32]) -> bool {
    let mut ways = vec![Ways::default(); body.blocks.len()];
    for block in order {
        let term = &body.blocks[*block as usize].term;
        term.each_target(|to| ways[to.block.0 as usize].open += 1);
    }
    ways[0].open += 1;
    let count = body.vals.len();
    let mut simplifier = Simplifier {
        u,
        known: (0..count as u32).map(Val).collect(),
        made: vec![Made::Otherwise; count],
        parts: Vec::new(),
        ways,
        only: vec![Only::None; count],
        changed: false,
    };
    for block in order {
        simplifier.block(body, *block as usize);
    }
    simplifier.changed
}

impl Simplifier<'_> {
    fn block(&mut self, body: &mut Body, ix: usize) {
        let Body { vals, blocks, .. } = body;
        if self.ways[ix].open == 0 {
            let term = std::mem::replace(&mut blocks[ix].term, Term::Unreachable);
            term.each_target(|to| self.ways[to.block.0 as usize].open -= 1);
            return;
        }
        if ix != 0 && self.ways[ix].open == self.ways[ix].done {
            for param in &blocks[ix].params {
                if let Only::One(arg) = self.only[param.0 as usize] {
                    self.known[param.0 as usize] = arg;
                    self.changed = true;
                }
            }
        }
        let block = &mut blocks[ix];
        for inst in &mut block.insts {
            inst.op.map_operands(|v| self.known[v.0 as usize]);
            let result = inst.result.0 as usize;
            match self.op(vals, &inst.op, vals[result]) {
                Found::Itself => {}
                Found::Value(val) => {
                    self.known[result] = val;
                    self.changed = true;
                }
                Found::Op(op) => {
                    inst.op = op;
                    self.changed = true;
                }
            }
            self.made[result] = self.made(&inst.op, vals[result]);
        }
        block.term.map_operands(|v| self.known[v.0 as usize]);
        self.changed |= self.term(&mut block.term);
        let mut targets: SmallVec<[&Target; 2]> = SmallVec::new();
        match &blocks[ix].term {
            Term::Jump(to) => targets.push(to),
            Term::Branch(_, then, other) => targets.extend([then, other]),
            Term::Return(_) | Term::Fail(_) | Term::Unreachable => {}
        }
        for to in targets {
            let at = to.block.0 as usize;
            self.ways[at].done += 1;
            for (param, arg) in blocks[at].params.iter().zip(&to.args) {
                let only = &mut self.only[param.0 as usize];
                *only = match *only {
                    Only::None => Only::One(*arg),
                    Only::One(known) if known == *arg => Only::One(known),
                    _ => Only::Several,
                };
            }
        }
    }

    fn made(&mut self, op: &Op, ty: Ty) -> Made {
        match op {
            Op::Const(value) => match scalar_of(self.u, value, ty) {
                Some(value) => Made::Scalar(value),
                None => Made::Otherwise,
            },
            Op::Make(args) => {
                let first = self.parts.len() as u32;
                self.parts.extend_from_slice(args);
                Made::Parts(first, args.len() as u32)
            }
            Op::Widen(val) => Made::Widen(*val),
            Op::Narrow(val) => Made::Narrow(*val),
            Op::Prim(Prim::Not, args) => Made::Not(args[0]),
            Op::ArrayNew(length) => Made::Array(*length),
            _ => Made::Otherwise,
        }
    }

    fn made_of(&self, val: Val) -> Made {
        self.made[val.0 as usize]
    }

    fn part(&self, of: Val, at: usize) -> Option<Val> {
        match self.made_of(of) {
            Made::Parts(first, count) if at < count as usize => {
                Some(self.parts[first as usize + at])
            }
            _ => None,
        }
    }

    fn op(&self, vals: &[Ty], op: &Op, ty: Ty) -> Found {
        let types = self.u.types();
        let ty_of = |v: Val| vals[v.0 as usize];
        match op {
            Op::Prim(prim, args) => self.prim(*prim, args),
            Op::Field(of, at) => match self.part(*of, *at as usize) {
                Some(part) if ty_of(part) == ty => Found::Value(part),
                _ => Found::Itself,
            },
            Op::TupleIndex(of, index) => {
                let Made::Scalar(ScalarValue::I64(at)) = self.made_of(*index) else {
                    return Found::Itself;
                };
                let elems = self.u.tuple_elems(ty_of(*of)).unwrap_or_default();
                match usize::try_from(at).ok().and_then(|at| elems.get(at)) {
                    Some(elem) if *elem == ty => Found::Op(Op::Field(*of, at as u32)),
                    _ => Found::Itself,
                }
            }
            Op::Narrow(val) | Op::Check(val) => match self.made_of(*val) {
                _ if ty_of(*val) == ty => Found::Value(*val),
                Made::Widen(inner) if ty_of(inner) == ty => Found::Value(inner),
                Made::Widen(inner) if !types.is_concrete(ty) && types.subtype(ty_of(inner), ty) => {
                    Found::Op(Op::Widen(inner))
                }
                _ => Found::Itself,
            },
            Op::Widen(val) => match self.made_of(*val) {
                _ if ty_of(*val) == ty => Found::Value(*val),
                Made::Widen(inner) | Made::Narrow(inner) if ty_of(inner) == ty => {
                    Found::Value(inner)
                }
                Made::Widen(inner) => Found::Op(Op::Widen(inner)),
                _ => Found::Itself,
            },
            Op::IsA(val, of) => match self.made_of(*val) {
                Made::Widen(inner) if types.is_concrete(ty_of(inner)) => {
                    let holds = types.subtype(ty_of(inner), *of);
                    Found::Op(Op::Const(Const::Bool(holds)))
                }
                _ => Found::Itself,
            },
            Op::ArrayLen(array) => match self.made_of(*array) {
                Made::Array(length) => Found::Value(length),
                _ => Found::Itself,
            },
            _ => Found::Itself,
        }
    }

    fn prim(&self, prim: Prim, args: &[Val]) -> Found {
        let mut operands: SmallVec<[ScalarValue; 2]> = SmallVec::new();
        for arg in args {
            match self.made_of(*arg) {
                Made::Scalar(value) => operands.push(value),
                Made::Not(inner) if prim == Prim::Not => return Found::Value(inner),
                _ => return Found::Itself,
            }
        }
        match prim.eval(&operands) {
            Ok(value) => Found::Op(Op::Const(scalar_const(value))),
            // It fails when it gets there.
            Err(_) => Found::Itself,
        }
    }

    /// True if it found something.
    fn term(&mut self, term: &mut Term) -> bool {
        let Term::Branch(cond, then, other) = term else {
            return false;
        };
        match self.made_of(*cond) {
            Made::Scalar(ScalarValue::Bool(value)) => {
                let (taken, left) = if value { (then, other) } else { (other, then) };
                self.ways[left.block.0 as usize].open -= 1;
                let nowhere = Target {
                    block: taken.block,
                    args: Vals::new(),
                };
                *term = Term::Jump(std::mem::replace(taken, nowhere));
            }
            Made::Not(inner) => {
                *cond = inner;
                std::mem::swap(then, other);
            }
            _ if then == other => {
                self.ways[then.block.0 as usize].open -= 1;
                let nowhere = Target {
                    block: then.block,
                    args: Vals::new(),
                };
                *term = Term::Jump(std::mem::replace(then, nowhere));
            }
            _ => return false,
        }
        true
    }
}

/// The scalar that a constant of a type is.
fn scalar_of(u: &Universe, value: &Const, ty: Ty) -> Option<ScalarValue> {
    Some(match value {
        Const::Bool(b) => ScalarValue::Bool(*b),
        Const::F32(bits) => ScalarValue::F32(f32::from_bits(*bits)),
        Const::F64(bits) => ScalarValue::F64(f64::from_bits(*bits)),
        Const::Int(x) => match u.scalar_of(ty)? {
            // Held as the bits of a signed word.
            Scalar::U64 => ScalarValue::U64(*x as u64),
            scalar => ScalarValue::wrap(scalar, i128::from(*x)),
        },
        Const::Str(_) | Const::Unit => return None,
    })
}
