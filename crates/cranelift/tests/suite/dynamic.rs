//! Dynamic values: tests, narrowing, fields, indices, tuples, nested entries.

use crate::build::{Builder, LEVELS, Program};
use smallvec::smallvec;
use std::sync::Arc;
use worldage_cranelift::{Callee, RaiseKind};
use worldage_dispatch::Ty;
use worldage_engine::Mi;
use worldage_wir::ir::{Const, Op, Term, Val};
use worldage_wir::prim::{Prim, Scalar};
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

/// A one-argument instance of `Any` arguments cannot exist: the argument comes as a field of a
/// one-element array, as a value of unknown type.
#[track_caller]
fn check(
    ret: Ty,
    values: impl Fn(&Universe) -> Vec<Value>,
    make: impl Fn(&Program, &mut Builder, Val) -> Val,
    expected: &[&str],
) {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let u = Arc::clone(&program.u);
        let any = program.array(Ty::ANY);
        let (mut b, p) = Builder::new(&[any], ret);
        let zero = b.int(&u, 0);
        let x = b.op(Ty::ANY, Op::ArrayGet(p[0], zero));
        let result = make(&program, &mut b, x);
        b.term(Term::Return(result));
        program.add(Mi(0), b);
        let mut cx = program.context();
        let shown: Vec<String> = values(&u)
            .iter()
            .map(|value| {
                use worldage_wir::value::{ArrayRef, Elems};
                let elems = Elems::Values(vec![Some(value.clone())]);
                let array = Value::Array(ArrayRef::new(any, Ty::ANY, elems));
                let shown = program.show(&mut cx, Mi(0), &[array]);
                // Types print as numbers of this session.
                shown.split(" at ").next().unwrap_or_default().to_owned()
            })
            .collect();
        assert_eq!(shown, expected, "{opt:?}");
    }
}

fn samples(u: &Universe) -> Vec<Value> {
    let pair = Value::tuple(u, vec![Value::int(1), Value::str("b")]);
    vec![
        Value::int(-7),
        Value::float(0.5),
        Value::str("text"),
        Value::Nothing,
        pair,
    ]
}

fn bool_ty() -> Ty {
    Universe::new().prelude().bool
}

#[test]
fn isa_of_concrete_abstract_and_union_types() {
    check(
        bool_ty(),
        samples,
        |p, b, x| b.op(p.u.prelude().bool, Op::IsA(x, p.u.prelude().int64)),
        &["true", "false", "false", "false", "false"],
    );
    check(
        bool_ty(),
        samples,
        |p, b, x| b.op(p.u.prelude().bool, Op::IsA(x, p.u.prelude().number)),
        &["true", "true", "false", "false", "false"],
    );
    check(
        bool_ty(),
        samples,
        |p, b, x| {
            let members = [p.u.prelude().string, p.u.prelude().nothing];
            let union = p.u.types().union(&members);
            b.op(p.u.prelude().bool, Op::IsA(x, union))
        },
        &["false", "false", "true", "true", "false"],
    );
}

#[test]
fn checks_narrow_or_fail() {
    let int = Universe::new().prelude().int64;
    let shown = |x: &str| if x == "-7" { "-14" } else { "TypeMismatch" }.to_owned();
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let u = Arc::clone(&program.u);
        let any = program.array(Ty::ANY);
        let (mut b, p) = Builder::new(&[any], int);
        let zero = b.int(&u, 0);
        let x = b.op(Ty::ANY, Op::ArrayGet(p[0], zero));
        let x = b.op(int, Op::Check(x));
        let x = b.op(int, Op::Prim(Prim::Add(Scalar::I64), smallvec![x, x]));
        b.term(Term::Return(x));
        program.add(Mi(0), b);
        let mut cx = program.context();
        for value in samples(&u) {
            use worldage_wir::value::{ArrayRef, Elems};
            let elems = Elems::Values(vec![Some(value.clone())]);
            let array = Value::Array(ArrayRef::new(any, Ty::ANY, elems));
            let found = program.show(&mut cx, Mi(0), &[array]);
            assert!(
                found.starts_with(&shown(&value.show(&u).to_string())),
                "{found}"
            );
        }
    }
}

#[test]
fn tuples_of_unknown_types() {
    // (x, 2) and its fields again.
    check(
        Ty::ANY,
        samples,
        |p, b, x| {
            let int = p.u.prelude().int64;
            let tuple = p.u.types().tuple(&[Ty::ANY, int]);
            let two = b.int(&p.u, 2);
            b.op(tuple, Op::Make(smallvec![x, two]))
        },
        &[
            "(-7, 2)",
            "(0.5, 2)",
            "(\"text\", 2)",
            "(nothing, 2)",
            "((1, \"b\"), 2)",
        ],
    );
    check(
        Ty::ANY,
        samples,
        |p, b, x| {
            let int = p.u.prelude().int64;
            let tuple = p.u.types().tuple(&[Ty::ANY, int]);
            let two = b.int(&p.u, 2);
            let tuple = b.op(tuple, Op::Make(smallvec![x, two]));
            b.op(Ty::ANY, Op::Field(tuple, 0))
        },
        &["-7", "0.5", "\"text\"", "nothing", "(1, \"b\")"],
    );
}

#[test]
fn indices_of_unknown_values() {
    let u = Universe::new();
    let values = |u: &Universe| {
        let three = vec![Value::float(1.5), Value::Nothing, Value::int(3)];
        let many = (0..40).map(Value::int).collect();
        vec![
            Value::tuple(u, three),
            Value::tuple(u, many),
            Value::int(1),
            Value::str("ab"),
        ]
    };
    check(
        Ty::ANY,
        values,
        |p, b, x| {
            let two = b.int(&p.u, 2);
            b.op(Ty::ANY, Op::IndexDyn(x, two))
        },
        &[
            "3",
            "2",
            "NotIndexable(Ty(10), Ty(10))",
            &format!("NotIndexable(Ty({}), Ty(10))", u.prelude().string.index()),
        ]
        .map(|s| s.replace("Ty(10)", &format!("Ty({})", u.prelude().int64.index())))
        .each_ref()
        .map(String::as_str),
    );
}

#[test]
fn writes_at_unknown_indices_check_the_element_type() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let u = Arc::clone(&program.u);
        let int = u.prelude().int64;
        let array = program.array(int);
        let (mut b, p) = Builder::new(&[array, int], array);
        let xs = b.op(Ty::ANY, Op::Widen(p[0]));
        let one = b.int(&u, 1);
        b.op(u.prelude().nothing, Op::SetIndexDyn(xs, one, p[1]));
        b.term(Term::Return(p[0]));
        program.add(Mi(0), b);
        let mut cx = program.context();
        let zeros = |n| {
            let array = worldage_wir::value::ArrayRef::zeroed(&u, array, int, n);
            Value::Array(array.expect("a small array"))
        };
        let shown = program.show(&mut cx, Mi(0), &[zeros(2), Value::int(9)]);
        assert_eq!(shown, "[0, 9]");
        let shown = program.show(&mut cx, Mi(0), &[zeros(1), Value::int(9)]);
        assert_eq!(shown, "Bounds { index: 1, length: 1 } at 0:3");
    }
}

#[test]
fn large_structs_in_arrays_have_a_zero() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let u = Arc::clone(&program.u);
        let int = u.prelude().int64;
        let big = u.types().tuple(&[int; 20]);
        let array = program.array(big);
        let (mut b, p) = Builder::new(&[int], int);
        let xs = b.op(array, Op::ArrayNew(p[0]));
        let zero = b.int(&u, 0);
        let x = b.op(big, Op::ArrayGet(xs, zero));
        let field = b.op(int, Op::Field(x, 19));
        b.term(Term::Return(field));
        program.add(Mi(0), b);
        let mut cx = program.context();
        assert_eq!(program.show(&mut cx, Mi(0), &[Value::int(1)]), "0");
    }
}

/// 0 calls the host, which calls 1 in the same context, which fails: the trace goes through.
#[test]
fn entries_nest_and_traces_cross_the_host() {
    static INNER: parking_lot::Mutex<Option<Callee>> = parking_lot::Mutex::new(None);
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let u = Arc::clone(&program.u);
        let int = u.prelude().int64;
        let (mut b, p) = Builder::new(&[int], int);
        let zero = b.int(&u, 0);
        let x = b.op(int, Op::Prim(Prim::Div(Scalar::I64), smallvec![p[0], zero]));
        b.term(Term::Return(x));
        program.add(Mi(1), b);
        let (mut b, p) = Builder::new(&[int], int);
        let result = b.op(int, Op::CallHost(Mi(0), smallvec![p[0]]));
        b.term(Term::Return(result));
        program.add(Mi(0), b);
        *INNER.lock() = Some(program.callee(Mi(1)));
        program.host.functions.lock().push(|cx, args| {
            let callee = INNER.lock().clone().expect("set above");
            match cx.call(1, &callee, args) {
                Ok(value) => Ok(value),
                Err(worldage_cranelift::CallError::Raised(raised)) => {
                    let nodes: Vec<u32> = raised.trace.iter().map(|f| f.mi.0).collect();
                    assert_eq!(nodes, [1, 0], "the inner call, then who called the host");
                    Err(raised.kind)
                }
                Err(other) => Err(RaiseKind::Unsupported(other.to_string().into())),
            }
        });
        let mut cx = program.context();
        let shown = program.show(&mut cx, Mi(0), &[Value::int(1)]);
        assert_eq!(shown, "Failure(Prim(Division)) at 0:1");
    }
}

/// `latest` of a function value, which is a dynamic value itself.
#[test]
fn function_values_are_called() {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let u = Arc::clone(&program.u);
        let int = u.prelude().int64;
        let (mut b, p) = Builder::new(&[int], int);
        let sum = b.op(int, Op::Prim(Prim::Add(Scalar::I64), smallvec![p[0], p[0]]));
        b.term(Term::Return(sum));
        program.add(Mi(1), b);
        let name = program.method("double", Mi(1));
        let function = u.function_ty(name);
        for latest in [false, true] {
            let (mut b, p) = Builder::new(&[int], Ty::ANY);
            let f = b.op(function, Op::Const(Const::Unit));
            let f = b.op(Ty::ANY, Op::Widen(f));
            let op = match latest {
                false => Op::CallValue(f, smallvec![p[0]]),
                true => Op::Latest(f, smallvec![p[0]]),
            };
            let result = b.op(Ty::ANY, op);
            b.term(Term::Return(result));
            program.add(Mi(0), b);
            let mut cx = program.context();
            assert_eq!(program.show(&mut cx, Mi(0), &[Value::int(21)]), "42");
            assert_eq!(cx.world(), 0, "the world is left with the call");
        }
    }
}

#[test]
fn contexts_run_on_many_threads() {
    let mut program = Program::new(LEVELS[1]);
    let u = Arc::clone(&program.u);
    let int = u.prelude().int64;
    let array = program.array(int);
    let (mut b, p) = Builder::new(&[int], array);
    let xs = b.op(array, Op::ArrayNew(p[0]));
    b.term(Term::Return(xs));
    program.add(Mi(0), b);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (program, mut cx) = (&program, program.context());
            scope.spawn(move || {
                for _ in 0..100 {
                    let shown = program.show(&mut cx, Mi(0), &[Value::int(n)]);
                    assert_eq!(shown.matches('0').count() as i64, n);
                }
            });
        }
    });
}
