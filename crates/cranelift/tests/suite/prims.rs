//! Every scalar operation against the reference, on edge values and at random, at both levels.

use crate::build::{Builder, LEVELS, Program};
use proptest::prelude::*;
use smallvec::smallvec;
use worldage_cranelift::{CallError, RaiseKind};
use worldage_engine::Mi;
use worldage_wir::ir::{Failure, Op, Term};
use worldage_wir::prim::{MathFn, Prim, PrimError, Scalar, ScalarValue};
use worldage_wir::value::Value;

fn all_prims() -> Vec<Prim> {
    use Prim::*;
    let mut prims = vec![Not];
    let maths = [
        MathFn::Sin,
        MathFn::Cos,
        MathFn::Tan,
        MathFn::Exp,
        MathFn::Log,
        MathFn::Pow,
    ];
    for s in Scalar::ALL {
        prims.extend([Eq(s)]);
        if s == Scalar::Bool {
            prims.extend([And(s), Or(s), Xor(s)]);
        } else {
            prims.extend([Add(s), Sub(s), Mul(s), Div(s), Rem(s), Neg(s), Abs(s)]);
            prims.extend([Lt(s), Le(s), Min(s), Max(s)]);
        }
        if s.is_int() {
            prims.extend([BitNot(s), And(s), Or(s), Xor(s), Shl(s), Shr(s), PowInt(s)]);
        }
        if s.is_float() {
            prims.extend([Sqrt(s), Floor(s), Ceil(s), Round(s), Trunc(s)]);
            prims.extend(maths.map(|f| Math(f, s)));
        }
        for t in Scalar::ALL {
            prims.push(Convert(s, t));
            if s != Scalar::Bool && t != Scalar::Bool {
                prims.push(TruncTo(s, t));
                if s != t {
                    prims.extend([EqMixed(s, t), LtMixed(s, t), LeMixed(s, t)]);
                }
            }
            let narrows_float = (s, t) == (Scalar::F64, Scalar::F32);
            if s.fits_in(t) || (s.is_int() && t.is_float()) || narrows_float {
                prims.push(Cast(s, t));
            }
        }
    }
    prims
}

fn edges(scalar: Scalar) -> Vec<ScalarValue> {
    const INTS: [i128; 22] = [
        0,
        1,
        2,
        3,
        7,
        8,
        31,
        63,
        64,
        65,
        127,
        128,
        255,
        256,
        32767,
        65535,
        2147483647,
        4294967296,
        9007199254740993,
        9223372036854775807,
        9223372036854774784,
        1 << 63,
    ];
    const FLOATS: [f64; 26] = [
        0.0,
        0.5,
        1.0,
        1.5,
        2.5,
        127.0,
        127.5,
        128.0,
        255.0,
        256.0,
        32768.0,
        2147483647.0,
        2147483648.0,
        4294967295.0,
        4294967296.0,
        9007199254740992.0,
        9007199254740993.0,
        9223372036854775807.0,
        9223372036854774784.0,
        18446744073709551615.0,
        18446744073709549568.0,
        1e300,
        f64::MIN_POSITIVE,
        f64::INFINITY,
        f64::NAN,
        0.1,
    ];
    match scalar {
        Scalar::Bool => vec![ScalarValue::Bool(false), ScalarValue::Bool(true)],
        s if s.is_float() => FLOATS
            .iter()
            .flat_map(|&x| [x, -x])
            .map(|x| ScalarValue::from_float(s, x))
            .collect(),
        s => {
            let mut values: Vec<ScalarValue> = Vec::new();
            for x in INTS.iter().flat_map(|&x| [x, -x, !x]) {
                let value = ScalarValue::wrap(s, x);
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            values
        }
    }
}

fn add_prim(program: &mut Program, prim: Prim) {
    let (first, second) = prim.operands();
    let mut params = vec![program.scalar(first)];
    params.extend(second.map(|s| program.scalar(s)));
    let ret = program.scalar(prim.result());
    let (mut b, params) = Builder::new(&params, ret);
    let result = b.op(ret, Op::Prim(prim, params.into()));
    b.term(Term::Return(result));
    program.add(Mi(0), b);
}

/// The result as it must be; NaNs are all the same.
fn canonical(result: Result<ScalarValue, PrimError>) -> Result<ScalarValue, PrimError> {
    result.map(|value| match value.as_float() {
        Some(x) if x.is_nan() => ScalarValue::F64(f64::NAN),
        _ => value,
    })
}

#[track_caller]
fn check_all(prims: &[Prim], operands: impl Fn(Scalar) -> Vec<ScalarValue>) {
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let mut cx = program.context();
        for &prim in prims {
            add_prim(&mut program, prim);
            let callee = program.callee(Mi(0));
            let (first, second) = prim.operands();
            let seconds = match second {
                Some(s) => operands(s).into_iter().map(Some).collect(),
                None => vec![None],
            };
            for a in operands(first) {
                for &b in &seconds {
                    let mut args = vec![a];
                    args.extend(b);
                    let expected = canonical(prim.eval(&args));
                    let values: Vec<Value> = args.iter().map(|&x| Value::Scalar(x)).collect();
                    let found = match cx.call(1, &callee, &values) {
                        Ok(value) => Ok(value.as_scalar().expect("a scalar")),
                        Err(CallError::Raised(raised)) => match raised.kind {
                            RaiseKind::Failure(Failure::Prim(error)) => Err(error),
                            other => panic!("{prim:?} {args:?}: {other:?}"),
                        },
                        Err(other) => panic!("{prim:?}: {other}"),
                    };
                    assert_eq!(
                        canonical(found),
                        expected,
                        "{prim:?} of {args:?} at {opt:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn operations_agree_with_the_reference_on_edge_values() {
    check_all(&all_prims(), edges);
}

/// With a constant second operand other instructions are chosen.
#[test]
fn constant_operands_agree_with_the_reference() {
    use worldage_wir::ir::Const;
    for opt in LEVELS {
        let mut program = Program::new(opt);
        let mut cx = program.context();
        for s in [
            Scalar::I8,
            Scalar::I32,
            Scalar::I64,
            Scalar::U8,
            Scalar::U64,
        ] {
            let prims = [
                Prim::Div(s),
                Prim::Rem(s),
                Prim::Shl(s),
                Prim::Shr(s),
                Prim::PowInt(s),
            ];
            for prim in prims {
                let Some(second) = prim.operands().1 else {
                    unreachable!("binary")
                };
                for k in [-64, -3, -1, 0, 1, 2, 3, 5, 7, 8, 31, 63, 64] {
                    let k = ScalarValue::wrap(second, k);
                    let int = k.as_int().expect("an integer") as i64;
                    let (ty, second) = (program.scalar(s), program.scalar(second));
                    let (mut b, params) = Builder::new(&[ty], ty);
                    let constant = b.op(second, Op::Const(Const::Int(int)));
                    let result = b.op(ty, Op::Prim(prim, smallvec![params[0], constant]));
                    b.term(Term::Return(result));
                    program.add(Mi(0), b);
                    for a in edges(s) {
                        let found = cx.call(1, &program.callee(Mi(0)), &[Value::Scalar(a)]);
                        let found = found.ok().and_then(|value| value.as_scalar());
                        assert_eq!(found, prim.eval(&[a, k]).ok(), "{prim:?} {a:?} {k:?}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn operations_agree_with_the_reference_at_random(
        bits in proptest::collection::vec(any::<u64>(), 6),
        from in 0usize..200,
    ) {
        let all = all_prims();
        let prims: Vec<Prim> = all.into_iter().skip(from).step_by(17).collect();
        check_all(&prims, |s| bits.iter().map(|&b| match s {
            Scalar::Bool => ScalarValue::Bool(b & 1 == 1),
            Scalar::F32 => ScalarValue::F32(f32::from_bits(b as u32)),
            Scalar::F64 => ScalarValue::F64(f64::from_bits(b)),
            s => ScalarValue::wrap(s, i128::from(b)),
        }).collect());
    }
}
