//! Arrays, boxes, the collector, memory limits.

use crate::build::{Builder, LEVELS, Program};
use smallvec::smallvec;
use worldage_cranelift::Options;
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ir::{Blk, Op, Term, Val};
use worldage_wir::prim::{Prim, Scalar};
use worldage_wir::value::Value;

const I64: Scalar = Scalar::I64;

/// `for i in 0..n { body }` with one value carried along; leaves the builder after the loop.
pub(crate) fn add_loop(
    program: &Program,
    b: &mut Builder,
    n: Val,
    start: Val,
    carried: Ty,
    body: impl FnOnce(&mut Builder, Val, Val) -> Val,
) -> Val {
    let (int, bool) = (program.u.prelude().int64, program.u.prelude().bool);
    let zero = b.int(&program.u, 0);
    let (head, head_params) = b.block(&[int, carried]);
    let ((inside, _), (after, _)): ((Blk, _), (Blk, _)) = (b.block(&[]), b.block(&[]));
    b.jump(head, &[zero, start]);
    b.at(head);
    let (i, x) = (head_params[0], head_params[1]);
    let more = b.op(bool, Op::Prim(Prim::Lt(I64), smallvec![i, n]));
    b.branch(more, inside, after);
    b.at(inside);
    let next = body(b, i, x);
    let one = b.int(&program.u, 1);
    let i = b.op(int, Op::Prim(Prim::Add(I64), smallvec![i, one]));
    b.jump(head, &[i, next]);
    b.at(after);
    x
}

#[test]
fn arrays_are_zeroed_written_read_and_checked() {
    for opt in LEVELS {
        for scalar in Scalar::ALL {
            let mut program = Program::new(opt);
            let (int, elem) = (program.u.prelude().int64, program.scalar(scalar));
            let array = program.array(elem);
            // Writes x at i of a fresh array of n, gives the array.
            let (mut b, p) = Builder::new(&[int, int, elem], array);
            let xs = b.op(array, Op::ArrayNew(p[0]));
            b.op(program.u.prelude().nothing, Op::ArraySet(xs, p[1], p[2]));
            b.term(Term::Return(xs));
            program.add(Mi(0), b);
            let mut cx = program.context();
            let x = worldage_wir::prim::ScalarValue::wrap(scalar, 1);
            let zero = Value::Scalar(worldage_wir::prim::ScalarValue::zero(scalar));
            let zero = zero.show(&program.u).to_string();
            let args = |n, i| [Value::int(n), Value::int(i), Value::Scalar(x)];
            let one = Value::Scalar(x).show(&program.u).to_string();
            let shown = program.show(&mut cx, Mi(0), &args(3, 1));
            assert_eq!(shown, format!("[{zero}, {one}, {zero}]"));
            for i in [3, -1, i64::MAX, i64::MIN] {
                let shown = program.show(&mut cx, Mi(0), &args(3, i));
                assert_eq!(shown, format!("Bounds {{ index: {i}, length: 3 }} at 0:2"));
            }
            assert_eq!(
                program.show(&mut cx, Mi(0), &args(-2, 0)),
                "Length(-2) at 0:1"
            );
            let absurd = program.show(&mut cx, Mi(0), &args(1 << 62, 0));
            assert_eq!(absurd, "OutOfMemory at 0:1");
        }
    }
}

/// A chain `(((nothing, 0), 1), …)` through dynamic fields, then its length.
fn add_chain(program: &mut Program) {
    let u = std::sync::Arc::clone(&program.u);
    let (int, any) = (u.prelude().int64, Ty::ANY);
    let cell = u.array_ty(any).expect("shallow");
    let (mut b, p) = Builder::new(&[int], int);
    let nothing = b.op(
        u.prelude().nothing,
        Op::Const(worldage_wir::ir::Const::Unit),
    );
    let start = b.op(any, Op::Widen(nothing));
    let two = b.int(&u, 2);
    let chain = add_loop(program, &mut b, p[0], start, any, |b, i, below| {
        let array = b.op(cell, Op::ArrayNew(two));
        let (zero, one) = (b.int(&u, 0), b.int(&u, 1));
        b.op(u.prelude().nothing, Op::ArraySet(array, zero, below));
        let i = b.op(any, Op::Widen(i));
        b.op(u.prelude().nothing, Op::ArraySet(array, one, i));
        b.op(any, Op::Widen(array))
    });
    // Walk down again, adding up the numbers.
    let zero = b.int(&u, 0);
    let pair = u.types().tuple(&[int, any]);
    let start = b.op(pair, Op::Make(smallvec![zero, chain]));
    let walked = add_loop(program, &mut b, p[0], start, pair, |b, _, state| {
        let sum = b.op(int, Op::Field(state, 0));
        let chain = b.op(any, Op::Field(state, 1));
        let array = b.op(cell, Op::Check(chain));
        let (zero, one) = (b.int(&u, 0), b.int(&u, 1));
        let below = b.op(any, Op::ArrayGet(array, zero));
        let number = b.op(any, Op::ArrayGet(array, one));
        let number = b.op(int, Op::Check(number));
        let sum = b.op(int, Op::Prim(Prim::Add(I64), smallvec![sum, number]));
        b.op(pair, Op::Make(smallvec![sum, below]))
    });
    let sum = b.op(int, Op::Field(walked, 0));
    b.term(Term::Return(sum));
    program.add(Mi(0), b);
}

#[test]
fn deep_chains_survive_collections() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        add_chain(&mut program);
        let mut cx = program.context();
        let n = 500_000i64;
        let shown = program.show(&mut cx, Mi(0), &[Value::int(n)]);
        assert_eq!(shown, (n * (n - 1) / 2).to_string());
        assert!(cx.heap_stats().collections > 0);
        cx.collect();
        assert_eq!(
            cx.heap_stats().live,
            0,
            "nothing is reachable after the call"
        );
    }
}

#[test]
fn a_chain_that_does_not_fit_is_out_of_memory_and_the_context_goes_on() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        add_chain(&mut program);
        let mut cx = program.context_with(Options {
            memory_limit: 16 << 20,
            ..Options::default()
        });
        for _ in 0..2 {
            let shown = program.show(&mut cx, Mi(0), &[Value::int(5_000_000)]);
            assert!(shown.starts_with("OutOfMemory at 0:"), "{shown}");
            assert_eq!(program.show(&mut cx, Mi(0), &[Value::int(1000)]), "499500");
        }
    }
}

#[test]
fn temporary_arrays_take_bounded_memory() {
    for opt in LEVELS {
        for (length, rounds) in [(128, 300_000), (20_000, 2_000)] {
            let mut program = Program::new(opt);
            let u = std::sync::Arc::clone(&program.u);
            let (int, float) = (u.prelude().int64, u.prelude().float64);
            let array = program.array(float);
            let (mut b, p) = Builder::new(&[int, int], float);
            let start = b.float(&u, 0.0);
            let sum = add_loop(&program, &mut b, p[0], start, float, |b, _, sum| {
                let xs = b.op(array, Op::ArrayNew(p[1]));
                let one = b.int(&u, 1);
                let y = b.op(float, Op::ArrayGet(xs, one));
                let half = b.float(&u, 0.5);
                b.op(u.prelude().nothing, Op::ArraySet(xs, one, half));
                let x = b.op(float, Op::ArrayGet(xs, one));
                let x = b.op(float, Op::Prim(Prim::Add(Scalar::F64), smallvec![x, y]));
                b.op(float, Op::Prim(Prim::Add(Scalar::F64), smallvec![sum, x]))
            });
            b.term(Term::Return(sum));
            program.add(Mi(0), b);
            let mut cx = program.context_with(Options {
                memory_limit: 32 << 20,
                ..Options::default()
            });
            let shown = program.show(&mut cx, Mi(0), &[Value::int(rounds), Value::int(length)]);
            assert_eq!(shown, format!("{:?}", rounds as f64 / 2.0));
            assert!(cx.heap_stats().touched <= 32 << 20, "{:?}", cx.heap_stats());
        }
    }
}

#[test]
fn unwritten_elements_without_a_zero_are_errors() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let (int, string) = (program.u.prelude().int64, program.u.prelude().string);
        let pair = program.u.types().tuple(&[int, string]);
        for elem in [string, Ty::ANY, pair] {
            let array = program.array(elem);
            let (mut b, p) = Builder::new(&[int], elem);
            let xs = b.op(array, Op::ArrayNew(p[0]));
            let zero = b.int(&program.u, 0);
            let x = b.op(elem, Op::ArrayGet(xs, zero));
            b.term(Term::Return(x));
            program.add(Mi(0), b);
            let mut cx = program.context();
            let shown = program.show(&mut cx, Mi(0), &[Value::int(1)]);
            assert_eq!(shown, "Uninitialized at 0:3");
        }
    }
}

#[test]
fn handles_keep_values() {
    let mut program = Program::new(LEVELS[1]);
    let int = program.u.prelude().int64;
    let array = program.array(int);
    let (mut b, p) = Builder::new(&[int], array);
    let xs = b.op(array, Op::ArrayNew(p[0]));
    b.term(Term::Return(xs));
    program.add(Mi(0), b);
    let mut cx = program.context();
    let kept = cx
        .call_kept(1, &program.callee(Mi(0)), &[Value::int(2)])
        .expect("an array");
    cx.collect();
    assert_eq!(cx.value(&kept).show(&program.u).to_string(), "[0, 0]");
    cx.release(kept);
    cx.collect();
    assert_eq!(cx.heap_stats().live, 0);
}

#[test]
fn cycles_are_reclaimed_during_a_call() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let u = std::sync::Arc::clone(&program.u);
        let int = u.prelude().int64;
        let array = program.array(Ty::ANY);
        let (mut b, p) = Builder::new(&[int], int);
        let zero = b.int(&u, 0);
        let length = b.int(&u, 100);
        let last = add_loop(&program, &mut b, p[0], zero, int, |b, i, _| {
            let xs = b.op(array, Op::ArrayNew(length));
            let zero = b.int(&u, 0);
            let own = b.op(Ty::ANY, Op::Widen(xs));
            b.op(u.prelude().nothing, Op::ArraySet(xs, zero, own));
            i
        });
        b.term(Term::Return(last));
        program.add(Mi(0), b);
        let mut cx = program.context_with(Options {
            memory_limit: 16 << 20,
            ..Options::default()
        });
        assert_eq!(program.show(&mut cx, Mi(0), &[Value::int(50_000)]), "49999");
    }
}
