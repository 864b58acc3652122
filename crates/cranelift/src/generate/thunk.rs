//! The uniform entry: from dynamic values in memory to an instance's leaves and back.
//!
//! `(vmctx, entry, args: *const DynVal, result: *mut DynVal)` in the host's calling convention;
//! the arguments are known to be of exactly the parameter types.

use super::lower::Lower;
use super::lower::trusted;
use super::names::Tables;
use super::{Generator, Scratch, ThunkKey};
use crate::isa::HOST_CONV;
use cranelift_codegen::cursor::Cursor;
use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature, Value, types};
use smallvec::SmallVec;
use worldage_dispatch::Ty;
use worldage_wir::ir::Body;

pub(super) fn build(generator: &Generator, key: &ThunkKey, scratch: &mut Scratch) -> Tables {
    scratch.clear();
    let Scratch {
        context,
        names,
        lower,
        ..
    } = scratch;
    let body = Body {
        vals: Vec::new(),
        blocks: Vec::new(),
        ret: key.ret,
        frames: Vec::new(),
    };
    let returns = |_| Ty::ANY;
    let func = &mut context.func;
    let mut lower = Lower::new(&generator.layouts, &body, func, names, lower, &returns);
    lower.cur.func.signature = {
        let mut sig = Signature::new(HOST_CONV);
        sig.params.extend([AbiParam::new(types::I64); 4]);
        sig
    };
    let block = lower.new_block();
    let params: SmallVec<[Value; 4]> = (0..4)
        .map(|_| lower.cur.func.dfg.append_block_param(block, types::I64))
        .collect();
    lower.cur.goto_bottom(block);
    let &[vmctx, entry, args, result] = &*params else {
        unreachable!("four parameters")
    };
    lower.vmctx = vmctx;

    let mut values: SmallVec<[Value; 16]> = SmallVec::new();
    for (ix, &ty) in key.params.iter().enumerate() {
        let tag = lower
            .cur
            .ins()
            .load(types::I64, trusted(), args, ix as i32 * 16);
        let payload = lower
            .cur
            .ins()
            .load(types::I64, trusted(), args, ix as i32 * 16 + 8);
        values.extend(lower.narrow_leaves(tag, payload, ty));
    }
    let leaves = lower.call_instance(key.convention, entry, &key.params, key.ret, &values);
    if key.ret != Ty::BOTTOM {
        let dynamic = lower.widen_leaves(key.ret, leaves, Ty::ANY);
        for (ix, &word) in dynamic.iter().enumerate() {
            lower
                .cur
                .ins()
                .store(trusted(), word, result, ix as i32 * 8);
        }
    }
    lower.cur.ins().return_(&[]);
    std::mem::take(&mut lower.tables)
}
