//! One body out of many: every inlined call is replaced by the callee's operations.
//!
//! Work is a stack of stretches of source blocks. A stretch is copied operation by operation; at
//! a call that is inlined the rest of the stretch is put back, and the callee's blocks on top of
//! it. So everything is copied once, and nesting takes no stack of ours.

use super::{AskBodies, MAX_DEPTH, MAX_OPS, ROOM};
use crate::inferred::Inline;
use crate::ir::{Blk, Block, Body, Frame, Inst, Op, Pos, Target, Term, Val, Vals};
use smallvec::smallvec;
use std::rc::Rc;
use worldage_engine::{Mi, Stop};

/// A body that stands in the result, and where its values and blocks went.
struct Copy {
    source: Rc<Body>,
    vals: u32,
    blocks: u32,
    frame: u32,
    ret: Ret,
}

/// What becomes of a return.
#[derive(Clone, Copy)]
enum Ret {
    /// It is the result's own.
    Return,
    /// To the rest of the caller, which takes the value if `true`.
    Jump(Blk, bool),
    /// The rest of the caller follows in the same block, and knows the value as this one.
    Value(Val),
}

/// A stretch of a source block that is to be copied.
struct Stretch {
    copy: usize,
    block: usize,
    /// The first operation.
    at: usize,
    into: usize,
}

struct Splicer<'a> {
    ask: &'a mut dyn AskBodies,
    out: Body,
    /// What each value of the result is known as; itself, unless it was the result of a call.
    known: Vec<Val>,
    copies: Vec<Copy>,
    work: Vec<Stretch>,
    /// Operations that small callees may still bring in.
    room: usize,
    /// Operations in all.
    ops: usize,
}

/// The body with callees in place of calls; blocks in any order, some of them unreachable.
pub(super) fn spliced(ask: &mut dyn AskBodies, root: Body) -> Result<Body, Stop> {
    let own: usize = root.blocks.iter().map(|b| b.insts.len()).sum();
    let mut splicer = Splicer {
        ask,
        out: Body {
            vals: Vec::new(),
            blocks: Vec::new(),
            ret: root.ret,
            frames: vec![root.frames[0]],
        },
        known: Vec::new(),
        copies: Vec::new(),
        work: Vec::new(),
        room: ROOM + 2 * own,
        ops: 0,
    };
    let blocks = root.blocks.len();
    splicer.add(Rc::new(root), 0, Ret::Return);
    for block in (0..blocks).rev() {
        splicer.push(0, block, block);
        splicer.params(0, block);
    }
    while let Some(stretch) = splicer.work.pop() {
        splicer.stretch(stretch)?;
    }
    Ok(splicer.out)
}

impl Splicer<'_> {
    /// Makes room for a body's values and blocks.
    fn add(&mut self, source: Rc<Body>, frame: u32, ret: Ret) -> usize {
        let (vals, blocks) = (self.out.vals.len() as u32, self.out.blocks.len() as u32);
        self.out.vals.extend_from_slice(&source.vals);
        let all = vals..self.out.vals.len() as u32;
        self.known.extend(all.map(Val));
        for _ in 0..source.blocks.len() {
            self.block();
        }
        self.ops += source.vals.len();
        self.copies.push(Copy {
            source,
            vals,
            blocks,
            frame,
            ret,
        });
        self.copies.len() - 1
    }

    fn block(&mut self) -> usize {
        let nowhere = Pos {
            frame: 0,
            node: crate::ast::NodeId(0),
        };
        self.out.blocks.push(Block {
            params: Vals::new(),
            insts: Vec::new(),
            term: Term::Unreachable,
            term_pos: nowhere,
        });
        self.out.blocks.len() - 1
    }

    fn push(&mut self, copy: usize, block: usize, into: usize) {
        self.work.push(Stretch {
            copy,
            block,
            at: 0,
            into,
        });
    }

    /// Gives a copied block its parameters.
    fn params(&mut self, copy: usize, block: usize) {
        let copy = &self.copies[copy];
        let params = &copy.source.blocks[block].params;
        let into = copy.blocks as usize + block;
        self.out.blocks[into].params = params.iter().map(|v| Val(copy.vals + v.0)).collect();
    }

    fn stretch(&mut self, stretch: Stretch) -> Result<(), Stop> {
        let Stretch {
            copy: ix,
            block,
            at,
            into,
        } = stretch;
        let copy = &self.copies[ix];
        let source = Rc::clone(&copy.source);
        let (vals, frame, blocks, ret) = (copy.vals, copy.frame, copy.blocks, copy.ret);
        let block = &source.blocks[block];
        for (n, inst) in block.insts.iter().enumerate().skip(at) {
            let mut op = inst.op.clone();
            op.map_operands(|v| self.known[(vals + v.0) as usize]);
            let result = Val(vals + inst.result.0);
            let pos = Pos {
                frame,
                node: inst.pos.node,
            };
            if let Op::Call(callee, args) = &op
                && self.wants(*callee, frame)?
            {
                let rest = Stretch {
                    at: n + 1,
                    ..stretch
                };
                return self.begin(*callee, args, result, pos, rest);
            }
            self.out.blocks[into].insts.push(Inst { result, op, pos });
        }
        let mut term = block.term.clone();
        term.map_operands(|v| self.known[(vals + v.0) as usize]);
        term.each_target_mut(|target| target.block.0 += blocks);
        if let Term::Return(val) = term {
            match ret {
                Ret::Return => {}
                Ret::Jump(block, takes) => {
                    let args = if takes { smallvec![val] } else { Vals::new() };
                    term = Term::Jump(Target { block, args });
                }
                Ret::Value(result) => {
                    self.known[result.0 as usize] = val;
                    let rest = self.work.last_mut().expect("the caller's stretch");
                    rest.into = into;
                    return Ok(());
                }
            }
        }
        let end = &mut self.out.blocks[into];
        end.term = term;
        end.term_pos = Pos {
            frame,
            node: block.term_pos.node,
        };
        Ok(())
    }

    /// Whether a call from a frame is inlined.
    fn wants(&mut self, callee: Mi, frame: u32) -> Result<bool, Stop> {
        if self.ops > MAX_OPS {
            return Ok(false);
        }
        let (mut depth, mut at) = (0, Some(frame));
        while let Some(ix) = at {
            let frame = self.out.frames[ix as usize];
            if frame.mi == callee {
                return Ok(false);
            }
            depth += 1;
            at = frame.call.map(|pos| pos.frame);
        }
        Ok(match self.ask.inlinable(callee)? {
            Inline::Never => false,
            Inline::Always => true,
            Inline::Small => depth <= MAX_DEPTH && self.room > 0,
        })
    }

    /// Puts a callee in the place of a call; `rest` is what follows the call.
    fn begin(
        &mut self,
        callee: Mi,
        args: &[Val],
        result: Val,
        pos: Pos,
        rest: Stretch,
    ) -> Result<(), Stop> {
        let inferred = self.ask.inferred(callee)?;
        let body = Rc::new(inferred.body());
        if inferred.inline == Inline::Small {
            self.room = self.room.saturating_sub(body.vals.len());
        }
        self.out.frames.push(Frame {
            mi: callee,
            call: Some(pos),
        });
        let frame = (self.out.frames.len() - 1) as u32;
        let into = rest.into;
        let straight = matches!(&body.blocks[..], [only] if matches!(only.term, Term::Return(_)));
        let copy = if straight {
            self.work.push(rest);
            self.add(Rc::clone(&body), frame, Ret::Value(result))
        } else {
            let used = self.out.vals[result.0 as usize] == body.ret;
            let next = self.block();
            let copy = self.add(Rc::clone(&body), frame, Ret::Jump(Blk(next as u32), used));
            if used {
                self.out.blocks[next].params.push(result);
            }
            self.work.push(Stretch { into: next, ..rest });
            copy
        };
        let base = self.copies[copy].blocks;
        let entered_again = body.blocks.iter().any(|block| {
            let mut again = false;
            block.term.each_target(|to| again |= to.block == Blk(0));
            again
        });
        for block in (1..body.blocks.len()).rev() {
            self.push(copy, block, base as usize + block);
            self.params(copy, block);
        }
        if entered_again {
            self.push(copy, 0, base as usize);
            self.params(copy, 0);
            let end = &mut self.out.blocks[into];
            end.term = Term::Jump(Target {
                block: Blk(base),
                args: args.into(),
            });
            end.term_pos = pos;
        } else {
            let vals = self.copies[copy].vals;
            for (param, arg) in body.blocks[0].params.iter().zip(args) {
                self.known[(vals + param.0) as usize] = *arg;
            }
            self.push(copy, 0, into);
        }
        Ok(())
    }
}
