//! Typed SSA as bytes: what a body says again and again takes no room.
//!
//! Nearly every operation defines the value after the last one, stands near the last one in the
//! source, and computes with values that were defined shortly before. So an operation begins
//! with a byte that says whether it is so, values are written as differences, and types as runs.
//! `docs/artifact-format.md` draws the bytes.

use crate::ast::NodeId;
use crate::ir::{Blk, Block, Body, Const, Inst, Op, Pos, Target, Term, Val, Vals};
use crate::prim::Prim;
use worldage_dispatch::Ty;
use worldage_engine::persist::{Malformed, Portable, Reader, Writer};

/// Room that a list is given before it is read.
const MAX_RESERVED: usize = 1 << 12;
/// Most values of a run: what is read takes memory in proportion to its bytes.
const MAX_RUN: usize = 127;

/// The kinds of operations, the lowest two bits of their first byte.
const PRIM: u8 = 0;
const INT: u8 = 1;
const OTHER: u8 = 2;
const KINDS: u8 = 3;
/// It defines another value than the next one.
const FAR_RESULT: u8 = 1 << 2;
/// The other bits: how many nodes behind the last position, and eight; or that it stands
/// elsewhere.
const NODES: u32 = 3;
const BEFORE: i64 = 8;
const FAR_POS: u8 = 31;

/// Where a body is being written or read.
struct Cursor {
    /// The value after the one that was defined last.
    next: u32,
    pos: Pos,
}

impl Cursor {
    fn new() -> Cursor {
        let (frame, node) = (0, NodeId(0));
        Cursor {
            next: 0,
            pos: Pos { frame, node },
        }
    }

    /// A value by its distance from the next one.
    fn write(&self, val: Val, w: &mut Writer<'_>) {
        (i64::from(self.next) - i64::from(val.0)).write(w);
    }

    #[inline]
    fn read(&self, r: &mut Reader<'_>) -> Result<Val, Malformed> {
        let distance = i64::read(r)?;
        let val = i64::from(self.next).checked_sub(distance);
        let val = val.and_then(|val| u32::try_from(val).ok());
        val.map(Val).ok_or(Malformed("no such value"))
    }

    /// That a value was defined.
    fn define(&mut self, val: Val) -> Result<Val, Malformed> {
        let next = val.0.checked_add(1);
        self.next = next.ok_or(Malformed("too many values"))?;
        Ok(val)
    }

    fn write_all(&self, vals: &[Val], w: &mut Writer<'_>) {
        w.number(vals.len() as u64);
        vals.iter().for_each(|val| self.write(*val, w));
    }

    fn read_all(&self, r: &mut Reader<'_>) -> Result<Vals, Malformed> {
        let count = r.count()?;
        self.read_some(count, r)
    }

    fn read_some(&self, count: usize, r: &mut Reader<'_>) -> Result<Vals, Malformed> {
        let mut vals = Vals::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            vals.push(self.read(r)?);
        }
        Ok(vals)
    }

    fn write_inst(&mut self, inst: &Inst, w: &mut Writer<'_>) {
        let kind = match &inst.op {
            Op::Prim(prim, args) if args.len() == arity(*prim) => PRIM,
            Op::Const(Const::Int(_)) => INT,
            _ => OTHER,
        };
        let far_result = match inst.result.0 == self.next {
            true => 0,
            false => FAR_RESULT,
        };
        let nodes = i64::from(inst.pos.node.0) - i64::from(self.pos.node.0) + BEFORE;
        let near = (0..i64::from(FAR_POS)).contains(&nodes) && inst.pos.frame == self.pos.frame;
        let nodes = if near { nodes as u8 } else { FAR_POS };
        w.byte(kind | far_result | nodes << NODES);
        if far_result != 0 {
            self.write(inst.result, w);
        }
        if !near {
            inst.pos.write(w);
        }
        match &inst.op {
            Op::Prim(prim, args) if kind == PRIM => {
                prim.write(w);
                args.iter().for_each(|arg| self.write(*arg, w));
            }
            Op::Const(Const::Int(x)) => x.write(w),
            op => op.write(w),
        }
        self.pos = inst.pos;
        self.next = inst.result.0.saturating_add(1);
    }

    fn read_inst(&mut self, r: &mut Reader<'_>) -> Result<Inst, Malformed> {
        let head = r.byte()?;
        let result = match head & FAR_RESULT {
            0 => Val(self.next),
            _ => self.read(r)?,
        };
        self.pos = match head >> NODES {
            FAR_POS => Pos::read(r)?,
            nodes => {
                let node = i64::from(self.pos.node.0) + i64::from(nodes) - BEFORE;
                let node = u32::try_from(node).map_err(|_| Malformed("no such node"))?;
                Pos {
                    node: NodeId(node),
                    ..self.pos
                }
            }
        };
        let op = match head & KINDS {
            PRIM => {
                let prim = Prim::read(r)?;
                Op::Prim(prim, self.read_some(arity(prim), r)?)
            }
            INT => Op::Const(Const::Int(i64::read(r)?)),
            OTHER => Op::read(r)?,
            _ => return Err(Malformed("no such kind of operation")),
        };
        let (result, pos) = (self.define(result)?, self.pos);
        Ok(Inst { result, op, pos })
    }

    fn write_target(&self, to: &Target, w: &mut Writer<'_>) {
        to.block.write(w);
        self.write_all(&to.args, w);
    }

    fn read_target(&self, r: &mut Reader<'_>) -> Result<Target, Malformed> {
        let (block, args) = (Blk::read(r)?, self.read_all(r)?);
        Ok(Target { block, args })
    }

    fn write_term(&self, term: &Term, w: &mut Writer<'_>) {
        match term {
            Term::Jump(to) => {
                w.byte(0);
                self.write_target(to, w);
            }
            Term::Branch(val, yes, no) => {
                w.byte(1);
                self.write(*val, w);
                self.write_target(yes, w);
                self.write_target(no, w);
            }
            Term::Return(val) => {
                w.byte(2);
                self.write(*val, w);
            }
            Term::Fail(why) => {
                w.byte(3);
                why.write(w);
            }
            Term::Unreachable => w.byte(4),
        }
    }

    fn read_term(&self, r: &mut Reader<'_>) -> Result<Term, Malformed> {
        Ok(match r.byte()? {
            0 => Term::Jump(self.read_target(r)?),
            1 => Term::Branch(self.read(r)?, self.read_target(r)?, self.read_target(r)?),
            2 => Term::Return(self.read(r)?),
            3 => Term::Fail(Portable::read(r)?),
            4 => Term::Unreachable,
            _ => return Err(Malformed("no such terminator")),
        })
    }

    fn write_block(&mut self, block: &Block, w: &mut Writer<'_>) {
        let Block {
            params,
            insts,
            term,
            term_pos,
        } = block;
        w.number(params.len() as u64);
        for param in params {
            self.write(*param, w);
            self.next = param.0.saturating_add(1);
        }
        w.number(insts.len() as u64);
        insts.iter().for_each(|inst| self.write_inst(inst, w));
        self.write_term(term, w);
        term_pos.write(w);
    }

    fn read_block(&mut self, r: &mut Reader<'_>) -> Result<Block, Malformed> {
        let mut params = Vals::new();
        for _ in 0..r.count()? {
            let param = self.read(r)?;
            params.push(self.define(param)?);
        }
        let count = r.count()?;
        let mut insts = Vec::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            insts.push(self.read_inst(r)?);
        }
        let (term, term_pos) = (self.read_term(r)?, Pos::read(r)?);
        Ok(Block {
            params,
            insts,
            term,
            term_pos,
        })
    }
}

fn arity(prim: Prim) -> usize {
    1 + usize::from(prim.operands().1.is_some())
}

impl Portable for Body {
    fn write(&self, w: &mut Writer<'_>) {
        let Body {
            vals,
            blocks,
            ret,
            frames,
        } = self;
        let runs = || {
            vals.chunk_by(|a, b| a == b)
                .flat_map(|run| run.chunks(MAX_RUN))
        };
        w.number(runs().count() as u64);
        for run in runs() {
            w.byte(run.len() as u8);
            run[0].write(w);
        }
        w.number(blocks.len() as u64);
        let mut cursor = Cursor::new();
        blocks.iter().for_each(|block| cursor.write_block(block, w));
        ret.write(w);
        frames.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Body, Malformed> {
        let mut vals: Vec<Ty> = Vec::new();
        for _ in 0..r.count()? {
            let (len, ty) = (usize::from(r.byte()?), Ty::read(r)?);
            if len > MAX_RUN {
                return Err(Malformed("a run is too long"));
            }
            vals.resize(vals.len() + len, ty);
        }
        let mut cursor = Cursor::new();
        let blocks = (0..r.count()?).map(|_| cursor.read_block(r));
        let blocks = blocks.collect::<Result<_, _>>()?;
        let (ret, frames) = (Ty::read(r)?, Portable::read(r)?);
        Ok(Body {
            vals,
            blocks,
            ret,
            frames,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Frame;
    use crate::prim::Scalar;
    use smallvec::smallvec;
    use worldage_engine::Mi;
    use worldage_engine::persist::Packed;

    fn pos(frame: u32, node: u32) -> Pos {
        let node = NodeId(node);
        Pos { frame, node }
    }

    fn inst(result: u32, op: Op, pos: Pos) -> Inst {
        let result = Val(result);
        Inst { result, op, pos }
    }

    /// What is near and what is far, in every field.
    fn body() -> Body {
        let add = |a: u32, b: u32| Op::Prim(Prim::Add(Scalar::I64), smallvec![Val(a), Val(b)]);
        let int = |x| Op::Const(Const::Int(x));
        let insts = vec![
            inst(2, int(-5), pos(0, 3)),
            inst(3, add(0, 2), pos(0, 1)),
            inst(9, int(i64::MIN), pos(0, 2000)),
            inst(4, add(9, 1), pos(1, 2001)),
            inst(
                5,
                Op::Prim(Prim::Neg(Scalar::F64), smallvec![Val(4)]),
                pos(1, 1993),
            ),
            // Not as it should be, and still what was written.
            inst(
                6,
                Op::Prim(Prim::Neg(Scalar::F64), smallvec![]),
                pos(1, 2015),
            ),
            inst(
                7,
                Op::Call(Mi(3), smallvec![Val(5), Val(300)]),
                pos(1, 2016),
            ),
            inst(
                u32::MAX - 1,
                Op::Widen(Val(u32::MAX)),
                pos(u32::MAX, u32::MAX),
            ),
        ];
        let to = |args: &[u32]| Target {
            block: Blk(1),
            args: args.iter().copied().map(Val).collect(),
        };
        let block = |params: &[u32], insts, term| Block {
            params: params.iter().copied().map(Val).collect(),
            insts,
            term,
            term_pos: pos(0, 7),
        };
        Body {
            vals: [vec![Ty::ANY; 300], vec![Ty::BOTTOM; 2], vec![Ty::ANY]].concat(),
            blocks: vec![
                block(&[0, 1], insts, Term::Branch(Val(3), to(&[]), to(&[3, 9]))),
                block(&[11, 10], vec![], Term::Jump(to(&[10]))),
                block(
                    &[],
                    vec![inst(12, int(0), pos(0, 0))],
                    Term::Return(Val(12)),
                ),
                block(&[], vec![], Term::Unreachable),
            ],
            ret: Ty::ANY,
            frames: vec![Frame {
                mi: Mi(8),
                call: None,
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Packed::new(&body()).get(), body());
    }

    #[test]
    fn an_operation_on_what_was_defined_last_takes_five_bytes() {
        let add = |n: u32| {
            let args = smallvec![Val(n - 1), Val(n - 2)];
            inst(n, Op::Prim(Prim::Add(Scalar::I64), args), pos(0, n))
        };
        let of = |count: u32| Body {
            blocks: vec![Block {
                params: smallvec![Val(0), Val(1)],
                insts: (2..2 + count).map(add).collect(),
                term: Term::Return(Val(1 + count)),
                term_pos: pos(0, 1),
            }],
            ..body()
        };
        let (few, many) = (Packed::new(&of(10)).size(), Packed::new(&of(110)).size());
        assert_eq!(many - few, 500);
    }
}
