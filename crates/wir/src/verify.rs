//! The invariants of typed SSA, checked: after inference and after every pass in debug builds.

use crate::ir::{Blk, Body, Op, Target, Term, Val};
use crate::prim::Scalar;
use crate::universe::Universe;
use worldage_dispatch::Ty;

/// Checks a body.
///
/// # Errors
/// A sentence that names the first block and value at fault.
pub fn verify(u: &Universe, body: &Body) -> Result<(), String> {
    let mut verifier = Verifier {
        u,
        body,
        defined_in: vec![None; body.vals.len()],
    };
    verifier.definitions()?;
    verifier.dominance()?;
    for ix in 0..body.blocks.len() {
        verifier
            .block(ix)
            .map_err(|error| format!("block {ix}: {error}"))?;
    }
    Ok(())
}

struct Verifier<'a> {
    u: &'a Universe,
    body: &'a Body,
    /// Block and place of the definition of every value; parameters stand at 0.
    defined_in: Vec<Option<(usize, usize)>>,
}

impl Verifier<'_> {
    fn ty(&self, val: Val) -> Result<Ty, String> {
        self.body
            .vals
            .get(val.0 as usize)
            .copied()
            .ok_or_else(|| format!("no value {}", val.0))
    }

    fn definitions(&mut self) -> Result<(), String> {
        let body = self.body;
        for (ix, block) in body.blocks.iter().enumerate() {
            let results = block
                .insts
                .iter()
                .enumerate()
                .map(|(at, inst)| (inst.result, at + 1));
            for (val, at) in block.params.iter().map(|val| (*val, 0)).chain(results) {
                self.ty(val)?;
                if self.defined_in[val.0 as usize].replace((ix, at)).is_some() {
                    return Err(format!("value {} is defined twice", val.0));
                }
            }
        }
        Ok(())
    }

    /// Every use is dominated by its definition: blocks are walked along a dominator tree that is
    /// computed here by simple iteration.
    fn dominance(&self) -> Result<(), String> {
        let dominators = dominators(self.body);
        for (ix, block) in self.body.blocks.iter().enumerate() {
            if dominators[ix].is_none() {
                continue;
            }
            let check = |val: Val, at: usize| -> Result<(), String> {
                let Some(Some((def, def_at))) = self.defined_in.get(val.0 as usize) else {
                    return Err(format!("block {ix}: value {} has no definition", val.0));
                };
                let fine = if *def == ix {
                    *def_at <= at
                } else {
                    dominates(&dominators, *def, ix)
                };
                match fine {
                    true => Ok(()),
                    false => Err(format!("block {ix}: value {} is used before it is", val.0)),
                }
            };
            for (at, inst) in block.insts.iter().enumerate() {
                let mut wrong = Ok(());
                inst.op.each_operand(|val| {
                    if wrong.is_ok() {
                        wrong = check(val, at);
                    }
                });
                wrong?;
            }
            let end = block.insts.len() + 1;
            match &block.term {
                Term::Jump(target) => target.args.iter().try_for_each(|val| check(*val, end))?,
                Term::Branch(cond, yes, no) => {
                    check(*cond, end)?;
                    let mut args = yes.args.iter().chain(&no.args);
                    args.try_for_each(|val| check(*val, end))?;
                }
                Term::Return(val) => check(*val, end)?,
                Term::Fail(_) | Term::Unreachable => {}
            }
        }
        Ok(())
    }

    fn block(&self, ix: usize) -> Result<(), String> {
        let block = &self.body.blocks[ix];
        for inst in &block.insts {
            self.op(&inst.op, self.ty(inst.result)?)
                .map_err(|error| format!("value {}: {error}: {:?}", inst.result.0, inst.op))?;
        }
        match &block.term {
            Term::Jump(target) => self.target(target),
            Term::Branch(cond, yes, no) => {
                self.same(self.ty(*cond)?, self.u.prelude().bool)?;
                self.target(yes)?;
                self.target(no)
            }
            Term::Return(val) => self.same(self.ty(*val)?, self.body.ret),
            Term::Fail(_) | Term::Unreachable => Ok(()),
        }
    }

    fn target(&self, target: &Target) -> Result<(), String> {
        let Blk(ix) = target.block;
        let Some(block) = self.body.blocks.get(ix as usize) else {
            return Err(format!("no block {ix}"));
        };
        if block.params.len() != target.args.len() {
            return Err(format!("block {ix} takes {} arguments", block.params.len()));
        }
        for (param, arg) in block.params.iter().zip(&target.args) {
            self.same(self.ty(*arg)?, self.ty(*param)?)?;
        }
        Ok(())
    }

    fn same(&self, found: Ty, expected: Ty) -> Result<(), String> {
        if found == expected {
            return Ok(());
        }
        let types = self.u.types();
        Err(format!(
            "type {} where {} is needed",
            types.display(found),
            types.display(expected)
        ))
    }

    fn is_dynamic(&self, ty: Ty) -> bool {
        ty != Ty::BOTTOM && !self.u.types().is_concrete(ty)
    }

    fn dynamic(&self, ty: Ty) -> Result<(), String> {
        match self.is_dynamic(ty) {
            true => Ok(()),
            false => Err(format!("{} is not dynamic", self.u.types().display(ty))),
        }
    }

    fn op(&self, op: &Op, result: Ty) -> Result<(), String> {
        let (p, types) = (self.u.prelude(), self.u.types());
        match op {
            Op::Const(_) => Ok(()),
            Op::Prim(prim, args) => {
                let (first, second) = prim.operands();
                let operands: Vec<Scalar> = std::iter::once(first).chain(second).collect();
                if operands.len() != args.len() {
                    return Err(format!(
                        "{} operands, {} needed",
                        args.len(),
                        operands.len()
                    ));
                }
                for (arg, scalar) in args.iter().zip(operands) {
                    self.same(self.ty(*arg)?, self.u.scalar_ty(scalar))?;
                }
                self.same(result, self.u.scalar_ty(prim.result()))
            }
            Op::Make(args) => {
                let Some(fields) = self.u.fields(result) else {
                    return Err(format!("{} has no fields", types.display(result)));
                };
                if fields.tys.len() != args.len() {
                    return Err(format!("{} fields", fields.tys.len()));
                }
                let mut pairs = args.iter().zip(fields.tys.iter());
                pairs.try_for_each(|(arg, ty)| self.same(self.ty(*arg)?, *ty))
            }
            Op::Field(a, ix) => {
                let fields = self.u.fields(self.ty(*a)?).ok_or("no fields")?;
                let ty = fields.tys.get(*ix as usize).ok_or("no such field")?;
                self.same(result, *ty)
            }
            Op::Widen(a) => {
                self.dynamic(result)?;
                match types.subtype(self.ty(*a)?, result) {
                    true => Ok(()),
                    false => Err("widening to a type that is not wider".into()),
                }
            }
            Op::Narrow(a) | Op::Check(a) => self.dynamic(self.ty(*a)?),
            Op::IsA(a, _) => {
                self.dynamic(self.ty(*a)?)?;
                self.same(result, p.bool)
            }
            Op::ArrayNew(n) => {
                self.same(self.ty(*n)?, p.int64)?;
                self.u
                    .array_elem(result)
                    .map(|_| ())
                    .ok_or_else(|| "not an array".into())
            }
            Op::ArrayLen(a) => {
                self.u.array_elem(self.ty(*a)?).ok_or("not an array")?;
                self.same(result, p.int64)
            }
            Op::ArrayGet(a, ix) => {
                self.same(self.ty(*ix)?, p.int64)?;
                self.same(
                    result,
                    self.u.array_elem(self.ty(*a)?).ok_or("not an array")?,
                )
            }
            Op::ArraySet(a, ix, value) => {
                self.same(self.ty(*ix)?, p.int64)?;
                let elem = self.u.array_elem(self.ty(*a)?).ok_or("not an array")?;
                self.same(self.ty(*value)?, elem)?;
                self.same(result, p.nothing)
            }
            Op::TupleIndex(a, ix) => {
                self.u.tuple_elems(self.ty(*a)?).ok_or("not a tuple")?;
                self.same(self.ty(*ix)?, p.int64)
            }
            Op::StrEq(a, b) => {
                self.same(self.ty(*a)?, p.string)?;
                self.same(self.ty(*b)?, p.string)?;
                self.same(result, p.bool)
            }
            Op::StrLen(a) => {
                self.same(self.ty(*a)?, p.string)?;
                self.same(result, p.int64)
            }
            Op::Grid(_, d) => {
                self.same(self.ty(*d)?, p.int64)?;
                self.same(result, self.u.scalar_ty(Scalar::I64))
            }
            _ => {
                let mut wrong = Ok(());
                op.each_operand(|val| {
                    if wrong.is_ok() {
                        wrong = self.ty(val).map(|_| ());
                    }
                });
                wrong
            }
        }
    }
}

/// The immediate dominator of every reachable block (Cooper, Harvey and Kennedy); the entry's is
/// itself.
pub(crate) fn dominators(body: &Body) -> Vec<Option<usize>> {
    let count = body.blocks.len();
    let (mut order, mut seen) = (Vec::with_capacity(count), vec![false; count]);
    let mut stack = vec![(0usize, 0usize)];
    if count > 0 {
        seen[0] = true;
    }
    while let Some((block, next)) = stack.pop() {
        let targets = successors(&body.blocks[block].term);
        match targets.get(next) {
            Some(target) => {
                stack.push((block, next + 1));
                if *target < count && !std::mem::replace(&mut seen[*target], true) {
                    stack.push((*target, 0));
                }
            }
            None => order.push(block),
        }
    }
    order.reverse();
    let mut number = vec![usize::MAX; count];
    for (n, block) in order.iter().enumerate() {
        number[*block] = n;
    }
    let mut preds: Vec<Vec<usize>> = vec![Vec::new(); count];
    for block in &order {
        for target in successors(&body.blocks[*block].term) {
            if target < count {
                preds[target].push(*block);
            }
        }
    }
    let mut idom: Vec<Option<usize>> = vec![None; count];
    if count > 0 {
        idom[0] = Some(0);
    }
    let mut changed = true;
    while changed {
        changed = false;
        for block in order.iter().skip(1) {
            let mut new: Option<usize> = None;
            for pred in preds[*block]
                .iter()
                .copied()
                .filter(|pred| idom[*pred].is_some())
            {
                new = Some(match new {
                    None => pred,
                    Some(mut a) => {
                        let mut b = pred;
                        while a != b {
                            while number[a] > number[b] {
                                a = idom[a].expect("processed");
                            }
                            while number[b] > number[a] {
                                b = idom[b].expect("processed");
                            }
                        }
                        a
                    }
                });
            }
            if new.is_some() && idom[*block] != new {
                idom[*block] = new;
                changed = true;
            }
        }
    }
    idom
}

fn successors(term: &Term) -> Vec<usize> {
    match term {
        Term::Jump(target) => vec![target.block.0 as usize],
        Term::Branch(_, yes, no) => vec![yes.block.0 as usize, no.block.0 as usize],
        _ => Vec::new(),
    }
}

pub(crate) fn dominates(idom: &[Option<usize>], a: usize, mut b: usize) -> bool {
    loop {
        if a == b {
            return true;
        }
        match idom[b] {
            Some(up) if up != b => b = up,
            _ => return false,
        }
    }
}
