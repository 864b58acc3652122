//! Where the arrays of a function lie: OpenCL C asks it of every pointer.
//!
//! A value's arrays lie where they came from: parameters say it, `shared` is local. A value that is
//! sometimes the one and sometimes the other is refused.

use super::Generator;
use crate::data::{Leaf, Space};
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ir::{Body, Op, Pos, Term, Val};
use worldage_wir::module::{Unsupported, trace};

/// For each value, the spaces of its arrays in order; `None` is not known (never reached).
pub(super) type Spaces = Vec<Vec<Option<Space>>>;

impl Generator<'_> {
    fn array_count(&self, ty: Ty) -> usize {
        let leaves = crate::data::leaves(self.layouts, ty).unwrap_or_default();
        let arrays = leaves.iter().filter(|leaf| matches!(leaf, Leaf::Array(_)));
        arrays.count()
    }

    /// The spaces of all values of a body, and of what it returns.
    pub(super) fn spaces(
        &mut self,
        mi: Mi,
        params: &[Space],
    ) -> Result<(Spaces, Vec<Option<Space>>), Unsupported> {
        let body = &self.callee(mi).body;
        let mut spaces: Spaces = body
            .vals
            .iter()
            .map(|ty| vec![None; self.array_count(*ty)])
            .collect();
        let mut ret = vec![None; self.array_count(body.ret)];
        if spaces.iter().all(Vec::is_empty) {
            return Ok((spaces, ret));
        }
        let mut given = params.iter();
        for param in &body.blocks[0].params {
            for slot in &mut spaces[param.0 as usize] {
                *slot = given.next().copied();
            }
        }
        loop {
            let before = spaces.clone();
            for block in &body.blocks {
                for inst in &block.insts {
                    if spaces[inst.result.0 as usize].is_empty() {
                        continue;
                    }
                    let found = self.of_op(body, &spaces, &inst.op, inst.result)?;
                    merge(body, inst.pos, &mut spaces[inst.result.0 as usize], &found)?;
                }
                let mut jumps = Vec::new();
                let passed = |param, arg| jumps.push((param, arg));
                block.term.each_passed(&body.blocks, passed);
                for (param, arg) in jumps {
                    let found = spaces[arg.0 as usize].clone();
                    merge(body, block.term_pos, &mut spaces[param.0 as usize], &found)?;
                }
                if let Term::Return(val) = block.term
                    && !ret.is_empty()
                {
                    let found = spaces[val.0 as usize].clone();
                    merge(body, block.term_pos, &mut ret, &found)?;
                }
            }
            if before == spaces {
                return Ok((spaces, ret));
            }
        }
    }

    fn of_op(
        &mut self,
        body: &Body,
        spaces: &Spaces,
        op: &Op,
        result: Val,
    ) -> Result<Vec<Option<Space>>, Unsupported> {
        let of = |val: Val| spaces[val.0 as usize].clone();
        let unknown = vec![None; spaces[result.0 as usize].len()];
        Ok(match op {
            Op::Shared(_) => vec![Some(Space::Local)],
            Op::Make(fields) => fields.iter().flat_map(|field| of(*field)).collect(),
            Op::Field(val, n) => {
                let ty = body.vals[val.0 as usize];
                let fields = self.layouts.universe().fields(ty);
                let before = fields.map_or(0, |fields| {
                    let before = fields.tys.iter().take(*n as usize);
                    before.map(|ty| self.array_count(*ty)).sum()
                });
                let all = of(*val).into_iter();
                all.skip(before).take(unknown.len()).collect()
            }
            Op::Call(callee, args) => {
                let given: Option<Vec<Space>> = args.iter().flat_map(|arg| of(*arg)).collect();
                match given {
                    Some(given) => self.spaces(*callee, &given)?.1,
                    None => unknown,
                }
            }
            _ => unknown,
        })
    }
}

fn merge(
    body: &Body,
    pos: Pos,
    known: &mut [Option<Space>],
    found: &[Option<Space>],
) -> Result<(), Unsupported> {
    for (slot, new) in known.iter_mut().zip(found) {
        match (*slot, new) {
            (Some(old), Some(new)) if old != *new => {
                return Err(Unsupported {
                    what: "an array that is now a buffer and now shared by the work-group: a \
                           device must know which"
                        .to_string(),
                    trace: trace(body, pos),
                });
            }
            (None, new) => *slot = *new,
            _ => {}
        }
    }
    Ok(())
}
