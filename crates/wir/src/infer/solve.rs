//! The solver: sparse conditional propagation over untyped SSA.
//!
//! Blocks are visited in their order (a reverse postorder), the first one that has something to
//! do first, so an inner loop settles before what comes after it. An operation is evaluated when
//! its block is first reached and again whenever an operand has changed. Values only ever go up
//! the lattice; what the join limit does not bound (tuples that nest deeper each time round a
//! loop) is widened after a few rises, so the work is linear.

use super::ask::Ask;
use super::emit::Room;
use super::intrinsics::Intrinsics;
use super::lattice::{JOIN_LIMIT, Lat};
use super::plan::Plan;
use crate::ast::{MethodDef, Name};
use crate::ir::Failure;
use crate::lower::untyped::{Lowered, TERM, UOp, UTarget, UTerm, UVal};
use crate::schedule::Schedule;
use crate::universe::Universe;
use smallvec::SmallVec;
use worldage_dispatch::{Arg, Symbol, Ty, Types};
use worldage_engine::{Mi, Stop};

/// A block parameter that rises more often than this is Any: a constant, its type, and unions up
/// to the join limit are fewer.
const MAX_RISES: u8 = 8;

/// What is known about a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BlockState {
    pub(crate) reached: bool,
    dirty: bool,
    /// Its first value that was not evaluated yet.
    next: u32,
    /// Whether the terminator was evaluated, and must be again.
    ended: bool,
    term_dirty: bool,
    /// Which ways out of it are taken.
    pub(crate) taken: [bool; 2],
}

/// The solver's state, kept between inferences for its memory.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) lat: Vec<Lat>,
    /// Per value: its plan in `plans`.
    pub(crate) plan: Vec<u32>,
    pub(crate) plans: Vec<Plan>,
    dirty: Vec<bool>,
    /// How often a block parameter has risen.
    rises: Vec<u8>,
    pub(crate) blocks: Vec<BlockState>,
    pub(crate) tys: Vec<Option<Result<Ty, Failure>>>,
    overlaid: SmallVec<[(Symbol, bool); 8]>,
    bindings: Option<(Vec<Name>, Vec<Arg>)>,
    pub(crate) emit: Room,
}

impl State {
    fn reset(&mut self, low: &Lowered) {
        let values = low.ops.len();
        self.lat.clear();
        self.lat.resize(values, Lat::BOTTOM);
        self.plan.clear();
        self.plan.resize(values, 0);
        self.plans.clear();
        self.plans.push(Plan::Plain);
        self.dirty.clear();
        self.dirty.resize(values, false);
        self.rises.clear();
        self.rises.resize(values, 0);
        self.blocks.clear();
        self.blocks.resize(low.blocks.len(), BlockState::default());
        self.tys.clear();
        self.tys.resize(low.types.len(), None);
        self.overlaid.clear();
        self.bindings = None;
    }
}

/// Infers one method instance.
pub(crate) struct Solver<'a> {
    pub(crate) intr: &'a Intrinsics,
    pub(crate) u: &'a Universe,
    pub(crate) types: &'a Types,
    pub(crate) ask: &'a mut dyn Ask,
    pub(crate) mi: Mi,
    pub(crate) def: &'a MethodDef,
    pub(crate) low: &'a Lowered,
    /// What the tuning parameters are.
    pub(crate) schedule: Schedule,
    pub(crate) state: &'a mut State,
    /// The join of what is returned.
    pub(crate) ret: Ty,
    /// No block before this one has anything to do.
    cursor: usize,
}

impl<'a> Solver<'a> {
    pub(crate) fn new(
        intr: &'a Intrinsics,
        ask: &'a mut dyn Ask,
        mi: Mi,
        def: &'a MethodDef,
        low: &'a Lowered,
        state: &'a mut State,
    ) -> Solver<'a> {
        state.reset(low);
        let u = &**intr.universe();
        let types = u.types();
        Solver {
            intr,
            u,
            types,
            ask,
            mi,
            def,
            low,
            schedule: Schedule::default(),
            state,
            ret: Ty::BOTTOM,
            cursor: 0,
        }
    }

    /// Solves for these argument types, one per parameter of the entry.
    pub(crate) fn solve(&mut self, params: &[Ty]) -> Result<(), Stop> {
        for (lat, ty) in self.state.lat.iter_mut().zip(params) {
            *lat = Lat::of(*ty);
        }
        self.reach(0);
        while let Some(block) = self.next_block() {
            self.visit(block)?;
        }
        Ok(())
    }

    fn next_block(&mut self) -> Option<usize> {
        let blocks = &self.state.blocks;
        let found = blocks[self.cursor..].iter().position(|block| block.dirty)?;
        self.cursor += found;
        Some(self.cursor)
    }

    fn reach(&mut self, block: u32) {
        let state = &mut self.state.blocks[block as usize];
        if !state.reached {
            let info = &self.low.blocks[block as usize];
            state.reached = true;
            state.next = info.start + info.params;
            self.schedule(block);
        }
    }

    fn schedule(&mut self, block: u32) {
        self.state.blocks[block as usize].dirty = true;
        self.cursor = self.cursor.min(block as usize);
    }

    fn visit(&mut self, block: usize) -> Result<(), Stop> {
        self.state.blocks[block].dirty = false;
        let info = self.low.blocks[block];
        for ix in info.start + info.params..info.end {
            let state = &mut self.state.blocks[block];
            let first = ix >= state.next;
            let dirty = std::mem::replace(&mut self.state.dirty[ix as usize], false);
            if first || dirty {
                let lat = self.eval(UVal(ix))?;
                self.raise(UVal(ix), lat);
            }
            if self.state.lat[ix as usize].ty == Ty::BOTTOM {
                return Ok(());
            }
            if first {
                self.state.blocks[block].next = ix + 1;
            }
        }
        let state = &mut self.state.blocks[block];
        if !state.ended || state.term_dirty {
            state.ended = true;
            state.term_dirty = false;
            self.end(block, info.term);
        }
        Ok(())
    }

    /// A value is at least this.
    pub(crate) fn raise(&mut self, v: UVal, lat: Lat) {
        let old = self.state.lat[v.0 as usize];
        let mut new = old.join(lat, self.types);
        if new == old {
            return;
        }
        if let UOp::Param(_) = self.low.ops[v.0 as usize] {
            let rises = &mut self.state.rises[v.0 as usize];
            *rises = rises.saturating_add(1);
            if *rises > MAX_RISES {
                new = Lat::of(Ty::ANY);
            }
        }
        self.state.lat[v.0 as usize] = new;
        for &user in self.low.users(v) {
            if user & TERM != 0 {
                let block = user & !TERM;
                let state = &mut self.state.blocks[block as usize];
                if state.ended {
                    state.term_dirty = true;
                    self.schedule(block);
                }
            } else {
                self.touch(user);
            }
        }
    }

    /// An operand of the value changed.
    fn touch(&mut self, v: u32) {
        // The user's block: the last that starts at or before it.
        let blocks = &self.low.blocks;
        let block = blocks.partition_point(|block| block.start <= v) - 1;
        let state = &self.state.blocks[block];
        if state.reached && v <= state.next {
            self.state.dirty[v as usize] = true;
            self.schedule(block as u32);
        }
    }

    fn end(&mut self, block: usize, term: UTerm) {
        match term {
            UTerm::Jump(target) => self.take(block, 0, target),
            UTerm::Branch(cond, then, other) => {
                let lat = self.lat(cond);
                let may = self.may_be_bool(lat.ty);
                if may && lat.as_bool() != Some(false) {
                    self.take(block, 0, then);
                }
                if may && lat.as_bool() != Some(true) {
                    self.take(block, 1, other);
                }
            }
            UTerm::Return(v) => {
                let ty = self.lat(v).ty;
                self.ret = self.types.join(self.ret, ty, JOIN_LIMIT);
            }
            UTerm::Unknown(..) | UTerm::Dead => {}
        }
    }

    fn take(&mut self, block: usize, way: usize, target: UTarget) {
        self.state.blocks[block].taken[way] = true;
        let first = self.low.blocks[target.block as usize].start;
        for (param, arg) in (first..).zip(self.low.args(target.args)) {
            let lat = self.lat(*arg);
            self.raise(UVal(param), lat);
        }
        self.reach(target.block);
    }

    // What is known.

    pub(crate) fn lat(&self, v: UVal) -> Lat {
        self.state.lat[v.0 as usize]
    }

    pub(crate) fn may_be_bool(&self, ty: Ty) -> bool {
        let bool_ty = self.u.prelude().bool;
        ty == bool_ty
            || (!self.types.is_concrete(ty) && self.types.intersect(ty, bool_ty) != Ty::BOTTOM)
    }

    pub(crate) fn is_overlaid(&mut self, function: Symbol) -> Result<bool, Stop> {
        let known = self
            .state
            .overlaid
            .iter()
            .find(|(known, _)| *known == function);
        if let Some((_, overlaid)) = known {
            return Ok(*overlaid);
        }
        let overlaid = self.ask.overlaid(function)?;
        self.state.overlaid.push((function, overlaid));
        Ok(overlaid)
    }

    /// The method's type variables and their values here.
    pub(crate) fn bindings(&mut self) -> (&[Name], &[Arg]) {
        let (ask, mi, def) = (&*self.ask, self.mi, self.def);
        let (names, args) = self
            .state
            .bindings
            .get_or_insert_with(|| (crate::env::var_names(def), ask.bindings(mi)));
        (names, args)
    }
}
