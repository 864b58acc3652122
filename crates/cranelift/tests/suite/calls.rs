//! Calls: through cells, at run time, of the host; errors, traces, stacks.

use crate::build::{Builder, LEVELS, Program};
use expect_test::{Expect, expect};
use smallvec::smallvec;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use worldage_cranelift::{OptLevel, RaiseKind};
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ir::{Failure, Frame, Op, Term, Val};
use worldage_wir::prim::{Prim, PrimError, Scalar};
use worldage_wir::value::Value;

const I64: Scalar = Scalar::I64;

/// `fn down(n) { if n < 1 { n } else { down(n - 1) + 1 } }` as instance 0.
fn add_recursion(program: &mut Program) {
    let (int, bool) = (program.u.prelude().int64, program.u.prelude().bool);
    let (mut b, p) = Builder::new(&[int], int);
    let one = b.int(&program.u, 1);
    let end = b.op(bool, Op::Prim(Prim::Lt(I64), smallvec![p[0], one]));
    let ((stop, _), (go, _)) = (b.block(&[]), b.block(&[]));
    b.branch(end, stop, go);
    b.at(stop);
    b.term(Term::Return(p[0]));
    b.at(go);
    let less = b.op(int, Op::Prim(Prim::Sub(I64), smallvec![p[0], one]));
    let below = b.op(int, Op::Call(Mi(0), smallvec![less]));
    let sum = b.op(int, Op::Prim(Prim::Add(I64), smallvec![below, one]));
    b.term(Term::Return(sum));
    program.returns(Mi(0), int);
    program.add(Mi(0), b);
}

#[track_caller]
fn check(mut make: impl FnMut(&mut Program), args: &[Value], expected: &Expect) {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        make(&mut program);
        let mut cx = program.context();
        let mut shown = program.host.output.lock().clone();
        shown.push_str(&program.show(&mut cx, Mi(0), args));
        let printed = std::mem::take(&mut *program.host.output.lock());
        expected.assert_eq(&format!("{printed}{shown}"));
    }
}

#[test]
fn recursion_through_a_cell() {
    check(add_recursion, &[Value::int(1000)], &expect!["1000"]);
}

#[test]
fn endless_recursion_overflows_the_stack_and_the_context_goes_on() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        add_recursion(&mut program);
        let mut cx = program.context();
        for _ in 0..2 {
            let shown = program.show(&mut cx, Mi(0), &[Value::int(10_000_000)]);
            assert!(shown.starts_with("StackOverflow at 0:0 0:"), "{shown}");
            assert!(shown.ends_with('…'), "{shown}");
            assert_eq!(
                program.show(&mut cx, Mi(0), &[Value::int(100_000)]),
                "100000"
            );
        }
    }
}

/// A failing operation of an instance inlined into 1, which 0 calls.
fn add_inlined_failure(program: &mut Program) {
    let int = program.u.prelude().int64;
    let (mut b, p) = Builder::new(&[int], int);
    let zero = b.int(&program.u, 0);
    let call = b.pos();
    b.body.frames.push(Frame {
        mi: Mi(7),
        call: Some(call),
    });
    b.frame = 1;
    let bad = b.op(int, Op::Prim(Prim::Div(I64), smallvec![p[0], zero]));
    b.frame = 0;
    b.term(Term::Return(bad));
    program.add(Mi(1), b);
    let (mut b, p) = Builder::new(&[int], int);
    let below = b.op(int, Op::Call(Mi(1), smallvec![p[0]]));
    let sum = b.op(int, Op::Prim(Prim::Add(I64), smallvec![below, below]));
    b.term(Term::Return(sum));
    program.add(Mi(0), b);
}

#[test]
fn traces_name_inlined_frames() {
    check(
        add_inlined_failure,
        &[Value::int(1)],
        &expect!["Failure(Prim(Division)) at 7:2 1:1 0:1"],
    );
}

#[test]
fn an_unread_result_of_any_abi_is_dropped() {
    check(
        |program| {
            let (int, float) = (program.u.prelude().int64, program.u.prelude().float64);
            let (mut b, _) = Builder::new(&[], float);
            let x = b.float(&program.u, 2.5);
            b.term(Term::Return(x));
            program.add(Mi(1), b);
            let (mut b, _) = Builder::new(&[], int);
            b.op(Ty::ANY, Op::Call(Mi(1), smallvec![]));
            let x = b.int(&program.u, 3);
            b.term(Term::Return(x));
            program.add(Mi(0), b);
        },
        &[],
        &expect!["3"],
    );
}

#[test]
fn many_leaves_go_in_and_out() {
    for count in [3, 9, 16, 17, 40] {
        for opt in LEVELS {
            let mut program = Program::new(opt);
            let (int, float) = (program.u.prelude().int64, program.u.prelude().float64);
            let i8 = program.scalar(Scalar::I8);
            let kinds = [int, float, i8];
            let types: Vec<Ty> = (0..count).map(|ix| kinds[ix % 3]).collect();
            let tuple = program.u.types().tuple(&types);
            // Takes the tuple apart and makes it again with the first field doubled.
            let (mut b, p) = Builder::new(&[tuple], tuple);
            let mut fields: Vec<Val> = (0..count)
                .map(|ix| b.op(types[ix], Op::Field(p[0], ix as u32)))
                .collect();
            fields[0] = b.op(
                int,
                Op::Prim(Prim::Add(I64), smallvec![fields[0], fields[0]]),
            );
            let made = b.op(tuple, Op::Make(fields.into()));
            b.term(Term::Return(made));
            program.add(Mi(1), b);
            let (mut b, p) = Builder::new(&[tuple], tuple);
            let once = b.op(tuple, Op::Call(Mi(1), smallvec![p[0]]));
            b.term(Term::Return(once));
            program.add(Mi(0), b);
            let field = |ix: usize| match ix % 3 {
                0 => Value::int(ix as i64 + 1),
                1 => Value::float(ix as f64),
                _ => Value::Scalar(worldage_wir::prim::ScalarValue::I8(-(ix as i8))),
            };
            let mut cx = program.context();
            let value = Value::tuple(&program.u, (0..count).map(field).collect());
            let shown = value.show(&program.u).to_string();
            let expected = shown.replacen("(1,", "(2,", 1);
            assert_eq!(program.show(&mut cx, Mi(0), &[value]), expected);
        }
    }
}

/// 0 calls `name` dynamically with its arguments, which are dynamic.
fn add_dynamic_caller(program: &mut Program, mi: Mi, name: &str, args: usize) {
    let name = program.u.types().symbol(name);
    let (mut b, p) = Builder::new(&vec![program.u.prelude().int64; args], Ty::ANY);
    let any: Vec<Val> = p.iter().map(|&v| b.op(Ty::ANY, Op::Widen(v))).collect();
    let result = b.op(Ty::ANY, Op::CallDyn(name, any.into()));
    b.term(Term::Return(result));
    program.add(mi, b);
}

#[test]
fn dynamic_calls_resolve_once_and_trace() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        add_inlined_failure(&mut program);
        add_dynamic_caller(&mut program, Mi(2), "f", 1);
        let mut cx = program.context();
        let missing = program.show(&mut cx, Mi(2), &[Value::int(1)]);
        expect![[r#"Unsupported("no method") at 2:2"#]].assert_eq(&missing);
        program.method("f", Mi(0));
        for _ in 0..3 {
            let shown = program.show(&mut cx, Mi(2), &[Value::int(1)]);
            expect!["Failure(Prim(Division)) at 7:2 1:1 0:1 2:2"].assert_eq(&shown);
        }
        let resolved = program
            .host
            .resolved
            .load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(resolved, 2, "one failure and one answer, which is kept");
    }
}

#[test]
fn printing_boxes_and_shows_like_the_interpreter() {
    check(
        |program| {
            let (int, nothing) = (program.u.prelude().int64, program.u.prelude().nothing);
            let tuple = program.u.types().tuple(&[int, program.u.prelude().string]);
            let (mut b, p) = Builder::new(&[int], nothing);
            let text = worldage_wir::ir::Const::Str("a text".into());
            let text = b.op(program.u.prelude().string, Op::Const(text));
            let pair = b.op(tuple, Op::Make(smallvec![p[0], text]));
            let done = b.op(nothing, Op::Print(smallvec![p[0], text, pair]));
            b.term(Term::Return(done));
            program.add(Mi(0), b);
        },
        &[Value::int(-4)],
        &expect![[r#"
            -4 a text (-4, "a text")
            nothing"#]],
    );
}

/// 0 calls host function 0 with its argument.
fn add_host_call(program: &mut Program) {
    let int = program.u.prelude().int64;
    let (mut b, p) = Builder::new(&[int], int);
    let result = b.op(int, Op::CallHost(Mi(0), smallvec![p[0]]));
    b.term(Term::Return(result));
    program.add(Mi(0), b);
}

#[test]
fn host_functions_are_called_on_the_hosts_stack() {
    check(
        |program| {
            add_host_call(program);
            program.host.functions.lock().push(|_, args| {
                // More than the reserve of the compiled stack.
                let big = [1u8; 300 << 10];
                let sum: i64 = std::hint::black_box(big)
                    .iter()
                    .map(|&b| i64::from(b))
                    .sum();
                Ok(Value::int(sum + args[0].as_int().unwrap_or(0) as i64))
            });
        },
        &[Value::int(1)],
        &expect!["307201"],
    );
}

#[test]
fn errors_of_host_functions_are_raised_where_they_were_called() {
    check(
        |program| {
            add_host_call(program);
            program
                .host
                .functions
                .lock()
                .push(|_, _| Err(RaiseKind::Failure(Failure::Prim(PrimError::Conversion))));
        },
        &[Value::int(1)],
        &expect!["Failure(Prim(Conversion)) at 0:1"],
    );
}

#[test]
fn panics_of_host_functions_pass_through_compiled_frames() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        add_host_call(&mut program);
        program
            .host
            .functions
            .lock()
            .push(|_, _| std::panic::resume_unwind(Box::new("the host's own")));
        let mut cx = program.context();
        let callee = program.callee(Mi(0));
        let panic = catch_unwind(AssertUnwindSafe(|| {
            drop(cx.call(1, &callee, &[Value::int(1)]));
        }));
        let message = panic.expect_err("the panic arrives");
        assert_eq!(message.downcast_ref::<&str>(), Some(&"the host's own"));
        program.host.functions.lock()[0] = |_, args| Ok(args[0].clone());
        assert_eq!(
            program.show(&mut cx, Mi(0), &[Value::int(5)]),
            "5",
            "the context goes on"
        );
    }
}

#[test]
fn redefinitions_do_not_grow_code_memory() {
    let mut program = Program::new(OptLevel::None);
    add_recursion(&mut program);
    let int = program.u.prelude().int64;
    let (mut b, p) = Builder::new(&[int], int);
    let one = b.int(&program.u, 1);
    let sum = b.op(int, Op::Prim(Prim::Add(I64), smallvec![p[0], one]));
    b.term(Term::Return(sum));
    let code = program
        .loader
        .generator()
        .compile(OptLevel::None, &b.body, &|_| int);
    let code = Arc::new(code.expect("compiles"));
    let mut cells = |_| std::ptr::null();
    let first = program.loader.load(&code, &mut cells).expect("loads");
    let before = program.loader.memory();
    drop(first);
    let rounds = if cfg!(feature = "portable") {
        1_000
    } else {
        100_000
    };
    for _ in 0..rounds {
        drop(program.loader.load(&code, &mut cells).expect("loads"));
    }
    assert_eq!(program.loader.memory().touched, before.touched);
    assert!(program.loader.memory().live < before.live);
}

/// A kernel that adds up its group in a shared array, between two barriers, and fails in one
/// work-item.
#[test]
fn kernels_wait_for_their_group() {
    use worldage_cranelift::Grid;
    use worldage_wir::ir::GridQuery;
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let u = Arc::clone(&program.u);
        let (int, nothing) = (u.prelude().int64, u.prelude().nothing);
        let array = program.array(int);
        let (mut b, p) = Builder::new(&[array], nothing);
        let zero = b.int(&u, 0);
        let shared = b.op(array, Op::Shared(4));
        let local = b.op(int, Op::Grid(GridQuery::LocalId, zero));
        let global = b.op(int, Op::Grid(GridQuery::GlobalId, zero));
        b.op(nothing, Op::ArraySet(shared, local, global));
        b.op(nothing, Op::Barrier);
        let mut sum = zero;
        for ix in 0..4 {
            let ix = b.int(&u, ix);
            let x = b.op(int, Op::ArrayGet(shared, ix));
            sum = b.op(int, Op::Prim(Prim::Add(I64), smallvec![sum, x]));
        }
        b.op(nothing, Op::Barrier);
        // Fails where the array is shorter than the index space.
        b.op(nothing, Op::ArraySet(p[0], global, sum));
        let done = b.op(nothing, Op::Const(worldage_wir::ir::Const::Unit));
        b.term(Term::Return(done));
        program.add(Mi(0), b);
        let mut cx = program.context();
        let launch = |cx: &mut worldage_cranelift::Context, length| {
            let zeros = worldage_wir::value::ArrayRef::zeroed(&u, array, int, length);
            let args = [Value::Array(zeros.expect("a small array"))];
            let grid = Grid {
                global: [8, 1, 1],
                local: [4, 1, 1],
            };
            cx.launch(1, &program.callee(Mi(0)), &args, grid)
        };
        let after = launch(&mut cx, 8).expect("every index is inside");
        let shown = after[0].show(&u).to_string();
        assert_eq!(shown, "[6, 6, 6, 6, 22, 22, 22, 22]");
        let error = launch(&mut cx, 7)
            .expect_err("one index is outside")
            .to_string();
        expect!["the program failed: Bounds { index: 7, length: 7 }"].assert_eq(&error);
        let again = launch(&mut cx, 8).expect("the context goes on");
        assert_eq!(again[0].show(&u).to_string(), shown);
    }
}
