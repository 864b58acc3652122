//! Which arrays a kernel may write, from its typed SSA: what it never writes is not copied back.
//!
//! A value's arrays come from parameters; where two paths meet, from those of both. What a callee
//! writes, it writes for its caller. Errs towards "written".

use super::{Leaf, leaves};
use crate::ir::{Body, Op, Term, Val};
use crate::layout::Layouts;
use crate::module::Module;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use worldage_dispatch::Ty;
use worldage_engine::Mi;

/// For each array among the parameters of the entry, in order, whether it may be written.
///
/// Terminates because nothing in a module calls itself; time linear in the bodies, times the depth
/// of loops that pass arrays on.
#[must_use]
pub fn written(layouts: &Layouts, module: &Module) -> Vec<bool> {
    let mut writes = Writes {
        layouts,
        module,
        known: FxHashMap::default(),
    };
    let entry = module.entry();
    let arrays: usize = entry.params.iter().map(|ty| writes.arrays(*ty)).sum();
    let Effect { written, .. } = writes.function(entry.mi);
    (0..arrays).map(|ix| written.contains(&ix)).collect()
}

/// Arrays of a function's parameters, counted from 0.
type Params = BTreeSet<usize>;

/// What a function does to the arrays of its parameters.
#[derive(Clone, Debug, Default)]
struct Effect {
    written: Params,
    /// For each array of what it returns, where it may come from.
    returned: Vec<Params>,
}

struct Writes<'a> {
    layouts: &'a Layouts,
    module: &'a Module,
    known: FxHashMap<Mi, Effect>,
}

impl Writes<'_> {
    /// How many arrays a value of a type has.
    fn arrays(&self, ty: Ty) -> usize {
        let leaves = leaves(self.layouts, ty).unwrap_or_default();
        let arrays = leaves.iter().filter(|leaf| matches!(leaf, Leaf::Array(_)));
        arrays.count()
    }

    fn function(&mut self, mi: Mi) -> Effect {
        if let Some(effect) = self.known.get(&mi) {
            return effect.clone();
        }
        let function = self.module.function(mi);
        let body = &function.expect("a module holds what it calls").body;
        let effect = self.body(body);
        self.known.insert(mi, effect.clone());
        effect
    }

    fn body(&mut self, body: &Body) -> Effect {
        let mut from: Vec<Vec<Params>> = body
            .vals
            .iter()
            .map(|ty| vec![Params::new(); self.arrays(*ty)])
            .collect();
        let mut effect = Effect {
            written: Params::new(),
            returned: vec![Params::new(); self.arrays(body.ret)],
        };
        let mut count = 0;
        for param in &body.blocks[0].params {
            for slot in &mut from[param.0 as usize] {
                slot.insert(count);
                count += 1;
            }
        }
        if count == 0 {
            return effect;
        }
        loop {
            let mut is_new = false;
            for block in &body.blocks {
                for inst in &block.insts {
                    let found = self.of_op(body, &from, &inst.op, inst.result, &mut effect);
                    is_new |= merge(&mut from[inst.result.0 as usize], &found);
                }
                block.term.each_passed(&body.blocks, |param, arg| {
                    let found = from[arg.0 as usize].clone();
                    is_new |= merge(&mut from[param.0 as usize], &found);
                });
                if let Term::Return(val) = block.term {
                    is_new |= merge(&mut effect.returned, &from[val.0 as usize]);
                }
            }
            if !is_new {
                return effect;
            }
        }
    }

    /// Where the arrays of an operation's result come from; adds what it writes to the effect.
    fn of_op(
        &mut self,
        body: &Body,
        from: &[Vec<Params>],
        op: &Op,
        result: Val,
        effect: &mut Effect,
    ) -> Vec<Params> {
        let of = |val: Val| from[val.0 as usize].iter().cloned();
        let width = from[result.0 as usize].len();
        match op {
            Op::Const(_) | Op::Prim(..) | Op::Grid(..) | Op::Barrier | Op::ArrayLen(_) => {
                vec![Params::new(); width]
            }
            // Its own, and an element holds no array.
            Op::Shared(_) | Op::ArrayGet(..) => vec![Params::new(); width],
            Op::ArraySet(array, ..) => {
                effect.written.extend(of(*array).flatten());
                Vec::new()
            }
            Op::Make(fields) => fields.iter().flat_map(|field| of(*field)).collect(),
            Op::Field(val, n) => {
                let ty = body.vals[val.0 as usize];
                let fields = self.layouts.universe().fields(ty);
                let before = fields.map_or(0, |fields| {
                    let before = fields.tys.iter().take(*n as usize);
                    before.map(|ty| self.arrays(*ty)).sum()
                });
                of(*val).skip(before).take(width).collect()
            }
            Op::Call(callee, args) => {
                let given: Vec<Params> = args.iter().flat_map(|arg| of(*arg)).collect();
                let called = self.function(*callee);
                let here = |there: &Params| -> Params {
                    let each = there.iter().filter_map(|ix| given.get(*ix));
                    each.flatten().copied().collect()
                };
                effect.written.extend(here(&called.written));
                called.returned.iter().map(here).collect()
            }
            // An atomic writes; of anything else nothing is known.
            _ => {
                let mut all = Params::new();
                op.each_operand(|val| all.extend(of(val).flatten()));
                effect.written.extend(&all);
                vec![all; width]
            }
        }
    }
}

/// Adds what was found; whether something is new.
fn merge(known: &mut [Params], found: &[Params]) -> bool {
    let mut is_new = false;
    for (slot, new) in known.iter_mut().zip(found) {
        let before = slot.len();
        slot.extend(new);
        is_new |= slot.len() > before;
    }
    is_new
}
