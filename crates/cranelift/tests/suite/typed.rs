//! Typed calls: which instances are leaves, which run on the host's stack, and that its registers
//! are as they were whatever runs and however it ends.

use crate::build::{Builder, LEVELS, Program};
use smallvec::smallvec;
use std::hint::black_box;
use worldage_cranelift::{CallError, RaiseKind, TypedCallee, TypedContext};
use worldage_engine::Mi;
use worldage_wir::ir::{Op, Term, Val};
use worldage_wir::prim::{Prim, Scalar};

const I64: Scalar = Scalar::I64;

/// `(a, b) -> div(v0 - (v1 - (… - vn)), b)` with `vi = a * i + b`, all of them alive at once.
fn many_values(program: &Program, count: i64) -> Builder {
    let int = program.u.prelude().int64;
    let (mut b, p) = Builder::new(&[int, int], int);
    let op = |b: &mut Builder, op, x: Val, y: Val| b.op(int, Op::Prim(op, smallvec![x, y]));
    let values: Vec<Val> = (0..count)
        .map(|factor| {
            let factor = b.int(&program.u, factor);
            let product = op(&mut b, Prim::Mul(I64), p[0], factor);
            op(&mut b, Prim::Add(I64), product, p[1])
        })
        .collect();
    let folded = values.into_iter().rev();
    let folded = folded.reduce(|below, value| op(&mut b, Prim::Sub(I64), value, below));
    let result = op(&mut b, Prim::Div(I64), folded.expect("some"), p[1]);
    b.term(Term::Return(result));
    b
}

fn many_values_here(count: i64, a: i64, b: i64) -> Option<i64> {
    let values = (0..count)
        .rev()
        .map(|factor| a.wrapping_mul(factor).wrapping_add(b));
    let folded = values.reduce(|below, value| value.wrapping_sub(below));
    folded?.checked_div(b)
}

#[test]
fn what_calls_nothing_is_a_leaf_while_registers_suffice() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let int = program.u.prelude().int64;
        for (mi, count) in [(0, 1), (1, 2), (2, 40)] {
            let body = many_values(&program, count);
            program.add(Mi(mi), body);
        }
        let (mut b, p) = Builder::new(&[int, int], int);
        let called = b.op(int, Op::Call(Mi(0), smallvec![p[0], p[1]]));
        b.term(Term::Return(called));
        program.add(Mi(3), b);
        let is_leaf = |mi| program.callee(Mi(mi)).leaf.is_some();
        let leaves = [0, 1, 2, 3].map(is_leaf);
        let here = cfg!(target_arch = "x86_64");
        assert_eq!(leaves, [here, here, false, false]);
    }
}

/// Calls with as many values of the caller alive as there are registers, and more.
#[inline(never)]
fn call_among_values(
    cx: &TypedContext,
    callee: &TypedCallee<fn(i64, i64) -> i64>,
    (a, b): (i64, i64),
) -> Result<i64, CallError> {
    let own: [i64; 12] = std::array::from_fn(|ix| black_box(a ^ ix as i64));
    let [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11] = own;
    let floats: [f64; 4] = std::array::from_fn(|ix| black_box(ix as f64));
    let result = cx.call(callee, (a, b));
    let kept = [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11];
    assert!(kept.iter().zip(0..).all(|(value, ix)| *value == a ^ ix));
    assert_eq!(floats, [0.0, 1.0, 2.0, 3.0]);
    result
}

#[test]
fn the_hosts_registers_are_kept_by_leaves_and_others_also_when_they_fail() {
    for opt in LEVELS {
        for count in 1..30 {
            let mut program = Program::new(opt);
            let body = many_values(&program, count);
            program.add(Mi(0), body);
            let mut cx = TypedContext::new(program.context());
            cx.enter(1);
            let callee = |is_leaf: bool| {
                let mut callee = program.callee(Mi(0));
                callee.leaf = callee.leaf.filter(|_| is_leaf);
                TypedCallee::new(callee, &program.u).expect("its types")
            };
            // The same code over the compiled stack is the slow twin of what leaves are called as.
            let (leaf, other) = (callee(true), callee(false));
            for (a, b) in [(3, 7), (i64::MAX, -5), (5, 0), (-9, 1), (0, 0)] {
                let expected = many_values_here(count, a, b);
                for callee in [&leaf, &other] {
                    match call_among_values(&cx, callee, (a, b)) {
                        Ok(value) => assert_eq!(Some(value), expected),
                        Err(CallError::Raised(raised)) => {
                            assert_eq!(expected, None);
                            assert!(matches!(raised.kind, RaiseKind::Failure(_)));
                            let [frame] = &*raised.trace else {
                                panic!("one frame: {:?}", raised.trace)
                            };
                            assert_eq!(frame.mi, Mi(0));
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    }
}
