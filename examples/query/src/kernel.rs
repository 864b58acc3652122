//! A loop over rows: `fn(columns, out, from, to) -> count`.
//!
//! `columns` points at the columns' first values, `out` at the place for results; rows from
//! `from` to before `to` are computed. Without a filter row i's value goes to `out[i - from]`;
//! with one, selected values stand next to each other and `count` says how many there are.
//!
//! Invariant: nothing branches on a value, so a row costs the same whatever is in it. A value is
//! written before it is known whether its row is selected: `out` has a place for every row.

use crate::compiler::{Inferred, Kind, Node, Typed};
use crate::parse::Operator;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, Type, UserFuncName, Value, types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::sync::Arc;
use worldage::engine::{Mi, Stop};

/// Gives the body of a callee.
type Bodies<'a> = &'a mut dyn FnMut(Mi) -> Result<Arc<Inferred>, Stop>;

/// Builds the loop of a query.
pub(crate) fn build(
    isa: &OwnedTargetIsa,
    query: &Inferred,
    bodies: Bodies<'_>,
) -> Result<Function, Stop> {
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params = vec![AbiParam::new(types::I64); 4];
    signature.returns = vec![AbiParam::new(types::I64)];
    let mut function = Function::with_name_signature(UserFuncName::default(), signature);
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    rows(&mut builder, query, bodies)?;
    builder.seal_all_blocks();
    builder.finalize(isa.frontend_config());
    Ok(function)
}

fn rows(b: &mut FunctionBuilder<'_>, query: &Inferred, bodies: Bodies<'_>) -> Result<(), Stop> {
    let (entry, head, body, exit) = (
        b.create_block(),
        b.create_block(),
        b.create_block(),
        b.create_block(),
    );
    b.append_block_params_for_function_params(entry);
    let &[columns, out, from, to] = b.block_params(entry) else {
        unreachable!("a kernel has four parameters");
    };
    // Row and place of the next result.
    b.append_block_param(head, types::I64);
    b.append_block_param(head, types::I64);
    let (row, place) = (b.block_params(head)[0], b.block_params(head)[1]);

    b.switch_to_block(entry);
    let flags = MemFlagsData::trusted();
    let starts: Vec<Value> = (0i32..)
        .zip(&query.params)
        .map(|(ix, _)| b.ins().load(types::I64, flags, columns, ix * 8))
        .collect();
    let size = machine_type(query.value.kind).bytes();
    let size = b.ins().iconst(types::I64, i64::from(size));
    b.ins().jump(head, &[from.into(), out.into()]);

    b.switch_to_block(head);
    let more = b.ins().icmp(IntCC::UnsignedLessThan, row, to);
    b.ins().brif(more, body, &[], exit, &[]);

    b.switch_to_block(body);
    let offset = b.ins().ishl_imm_u(row, 3);
    let params: Vec<Value> = starts
        .iter()
        .zip(&query.params)
        .map(|(start, kind)| match kind {
            Kind::Bool => {
                let at = b.ins().iadd(*start, row);
                b.ins().load(types::I8, flags, at, 0)
            }
            Kind::Int | Kind::Float => {
                let at = b.ins().iadd(*start, offset);
                b.ins().load(machine_type(*kind), flags, at, 0)
            }
        })
        .collect();
    let mut inlining = Inlining { bodies, depth: 0 };
    let value = inlining.expr(b, &query.value, &params)?;
    b.ins().store(flags, value, place, 0);
    let step = match &query.filter {
        None => size,
        Some(filter) => {
            let selected = inlining.expr(b, filter, &params)?;
            let selected = b.ins().uextend(types::I64, selected);
            b.ins().imul(selected, size)
        }
    };
    let place = b.ins().iadd(place, step);
    let row = b.ins().iadd_imm_u(row, 1);
    b.ins().jump(head, &[row.into(), place.into()]);

    b.switch_to_block(exit);
    let place = b.block_params(head)[1];
    let bytes = b.ins().isub(place, out);
    let count = b.ins().udiv(bytes, size);
    b.ins().return_(&[count]);
    Ok(())
}

fn machine_type(kind: Kind) -> Type {
    match kind {
        Kind::Int => types::I64,
        Kind::Float => types::F64,
        Kind::Bool => types::I8,
    }
}

/// How deep calls are inlined.
const DEPTH: u32 = 32;

struct Inlining<'a> {
    bodies: Bodies<'a>,
    depth: u32,
}

impl Inlining<'_> {
    fn expr(
        &mut self,
        b: &mut FunctionBuilder<'_>,
        expr: &Typed,
        params: &[Value],
    ) -> Result<Value, Stop> {
        Ok(match &expr.node {
            Node::Param(ix) => params[*ix],
            Node::Int(value) => b.ins().iconst(types::I64, *value),
            Node::Float(bits) => b.ins().f64const(f64::from_bits(*bits)),
            Node::Bool(value) => b.ins().iconst(types::I8, i64::from(*value)),
            Node::Not(inner) => {
                let inner = self.expr(b, inner, params)?;
                b.ins().bxor_imm_u(inner, 1)
            }
            Node::Negate(inner) => {
                let value = self.expr(b, inner, params)?;
                match inner.kind {
                    Kind::Float => b.ins().fneg(value),
                    _ => b.ins().ineg(value),
                }
            }
            Node::ToFloat(inner) => {
                let inner = self.expr(b, inner, params)?;
                b.ins().fcvt_from_sint(types::F64, inner)
            }
            Node::Binary(operator, left, right) => {
                let kind = left.kind;
                let left = self.expr(b, left, params)?;
                let right = self.expr(b, right, params)?;
                match kind {
                    Kind::Float => float(b, *operator, left, right),
                    Kind::Int | Kind::Bool => integer(b, *operator, left, right),
                }
            }
            Node::Call(callee, args) => {
                if self.depth == DEPTH {
                    return Err(Stop::failed(format!("calls nest deeper than {DEPTH}")));
                }
                let args = args.iter().map(|arg| self.expr(b, arg, params));
                let args: Vec<Value> = args.collect::<Result<_, _>>()?;
                let callee = (self.bodies)(*callee)?;
                self.depth += 1;
                let value = self.expr(b, &callee.value, &args);
                self.depth -= 1;
                value?
            }
        })
    }
}

fn float(b: &mut FunctionBuilder<'_>, operator: Operator, x: Value, y: Value) -> Value {
    let mut compare = |condition| b.ins().fcmp(condition, x, y);
    match operator {
        Operator::Less => compare(FloatCC::LessThan),
        Operator::LessEqual => compare(FloatCC::LessThanOrEqual),
        Operator::Greater => compare(FloatCC::GreaterThan),
        Operator::GreaterEqual => compare(FloatCC::GreaterThanOrEqual),
        Operator::Equal => compare(FloatCC::Equal),
        Operator::NotEqual => compare(FloatCC::NotEqual),
        Operator::Add => b.ins().fadd(x, y),
        Operator::Sub => b.ins().fsub(x, y),
        Operator::Mul => b.ins().fmul(x, y),
        Operator::Div => b.ins().fdiv(x, y),
        Operator::And | Operator::Or => unreachable!("inference lets only Bools to it"),
    }
}

fn integer(b: &mut FunctionBuilder<'_>, operator: Operator, x: Value, y: Value) -> Value {
    let mut compare = |condition| b.ins().icmp(condition, x, y);
    match operator {
        Operator::Less => compare(IntCC::SignedLessThan),
        Operator::LessEqual => compare(IntCC::SignedLessThanOrEqual),
        Operator::Greater => compare(IntCC::SignedGreaterThan),
        Operator::GreaterEqual => compare(IntCC::SignedGreaterThanOrEqual),
        Operator::Equal => compare(IntCC::Equal),
        Operator::NotEqual => compare(IntCC::NotEqual),
        Operator::Add => b.ins().iadd(x, y),
        Operator::Sub => b.ins().isub(x, y),
        Operator::Mul => b.ins().imul(x, y),
        Operator::And => b.ins().band(x, y),
        Operator::Or => b.ins().bor(x, y),
        Operator::Div => unreachable!("inference makes floats of its operands"),
    }
}
