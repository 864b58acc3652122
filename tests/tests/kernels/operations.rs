//! Every scalar operation on edge values, in a kernel: each engine agrees with the interpreter.

use super::launch::{Engine, array};
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::{Grid, Universe, Value};

type Check = fn(Engine) -> Result<(), String>;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("integers", integers),
    ("floats", floats),
    ("comparisons", comparisons),
    ("conversions", conversions),
    ("mathematics", mathematics),
    ("atomics", atomics),
];

const INTS: [Scalar; 8] = [
    Scalar::I8,
    Scalar::I16,
    Scalar::I32,
    Scalar::I64,
    Scalar::U8,
    Scalar::U16,
    Scalar::U32,
    Scalar::U64,
];

fn edges(scalar: Scalar) -> Vec<ScalarValue> {
    if scalar.is_float() {
        let xs = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.75, 1e10, -1e-10, 1.5e300];
        let special = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let all = xs.into_iter().chain(special);
        return all.map(|x| ScalarValue::from_float(scalar, x)).collect();
    }
    let (low, high) = scalar.int_range().expect("an integer type");
    let all = [
        low,
        low + 1,
        -7,
        -1,
        0,
        1,
        2,
        3,
        31,
        33,
        64,
        high / 2,
        high - 1,
        high,
    ];
    let mut all: Vec<i128> = all
        .into_iter()
        .filter(|x| (low..=high).contains(x))
        .collect();
    all.dedup();
    all.into_iter()
        .map(|x| ScalarValue::wrap(scalar, x))
        .collect()
}

/// All pairs, as two arrays.
fn pairs(a: &[ScalarValue], b: &[ScalarValue]) -> (Vec<ScalarValue>, Vec<ScalarValue>) {
    a.iter()
        .flat_map(|x| b.iter().map(move |y| (*x, *y)))
        .unzip()
}

/// Runs a kernel `k(a, b, out…)` with one work-item for each pair and compares with the
/// interpreter, bit for bit (any NaN is one) or within so many units in the last place.
fn agrees(
    engine: Engine,
    program: &str,
    (s, a): (Scalar, Vec<ScalarValue>),
    (t, b): (Scalar, Vec<ScalarValue>),
    outs: &[Scalar],
    ulp: u64,
) -> Result<(), String> {
    let count = a.len();
    let args = |u: &Universe| -> Vec<Value> {
        let mut args = vec![array(u, s, &a), array(u, t, &b)];
        args.extend(
            outs.iter()
                .map(|out| array(u, *out, &vec![ScalarValue::zero(*out); count])),
        );
        args
    };
    let grid = Grid {
        global: [u32::try_from(count).expect("few pairs"), 1, 1],
        local: [1, 1, 1],
    };
    let found = engine.launch(program, "k", args, grid)?;
    let expected = Engine::Interpreter.launch(program, "k", args, grid)?;
    for (which, (found, expected)) in found.iter().zip(&expected).enumerate().skip(2) {
        for (ix, (x, y)) in found.scalars().iter().zip(expected.scalars()).enumerate() {
            let nan = |v: ScalarValue| v.as_float().is_some_and(f64::is_nan);
            if *x != y && !(nan(*x) && nan(y)) && distance(*x, y) > ulp {
                let (a, b) = (a[ix], b[ix]);
                return Err(format!(
                    "result {} of {a}, {b}: {x}, and {y} is right\n{program}",
                    which - 2
                ));
            }
        }
    }
    Ok(())
}

/// Steps between two floats of one type; 0 for anything that is unequal otherwise is no answer.
fn distance(a: ScalarValue, b: ScalarValue) -> u64 {
    let (Some(_), Some(_)) = (a.as_float(), b.as_float()) else {
        return u64::MAX;
    };
    let sign = 1u64 << (a.scalar().bits() - 1);
    let order = |x: ScalarValue| {
        let bits = x.to_bits();
        if bits & sign == 0 {
            bits | sign
        } else {
            sign - (bits & (sign - 1))
        }
    };
    order(a).abs_diff(order(b))
}

fn kernel(s: Scalar, t: Scalar, outs: &[(Scalar, &str)]) -> String {
    let params = outs.iter().enumerate();
    let params: String = params
        .map(|(n, (ty, _))| format!(", o{n}: Array{{{ty}}}"))
        .collect();
    let lines = outs.iter().enumerate();
    let lines: String = lines
        .map(|(n, (_, text))| format!("    o{n}[i] = {text}\n"))
        .collect();
    format!(
        "kernel fn k(xs: Array{{{s}}}, ys: Array{{{t}}}{params}) {{\n    var i = global_id(0)\n    \
         var a = xs[i]\n    var b = ys[i]\n{lines}}}\n"
    )
}

fn integers(engine: Engine) -> Result<(), String> {
    for s in INTS {
        let outs = [
            (s, "a + b"),
            (s, "a - b"),
            (s, "a * b"),
            (s, "a & b"),
            (s, "a | b"),
            (s, "xor(a, b)"),
            (s, "~a"),
            (s, "-a"),
            (s, "abs(a)"),
            (s, "min(a, b)"),
            (s, "max(a, b)"),
            (s, "a << 3"),
            (s, "a >> 2"),
            (s, "if b == 0 { b } else { rem(a, b) }"),
            (s, "if b == 0 || b + 1 == 0 { b } else { div(a, b) }"),
            (s, "pow(a, 3)"),
        ];
        let edges = edges(s);
        let (a, b) = pairs(&edges, &edges);
        let types: Vec<Scalar> = outs.iter().map(|(ty, _)| *ty).collect();
        agrees(engine, &kernel(s, s, &outs), (s, a), (s, b), &types, 0)?;
        let shifts: Vec<ScalarValue> = [
            -70,
            -64,
            -9,
            -1,
            0,
            1,
            7,
            8,
            31,
            63,
            64,
            100,
            i64::MIN,
            i64::MAX,
        ]
        .map(ScalarValue::I64)
        .to_vec();
        let (a, b) = pairs(&edges, &shifts);
        let outs = [(s, "a << b"), (s, "a >> b")];
        agrees(
            engine,
            &kernel(s, Scalar::I64, &outs),
            (s, a),
            (Scalar::I64, b),
            &[s, s],
            0,
        )?;
    }
    Ok(())
}

fn floats(engine: Engine) -> Result<(), String> {
    for s in [Scalar::F32, Scalar::F64] {
        let outs = [
            (s, "a + b"),
            (s, "a - b"),
            (s, "a * b"),
            (s, "a / b"),
            (s, "rem(a, b)"),
            (s, "-a"),
            (s, "abs(a)"),
            (s, "min(a, b)"),
            (s, "max(a, b)"),
            (s, "sqrt(a)"),
            (s, "floor(a)"),
            (s, "ceil(a)"),
            (s, "round(a)"),
            (s, "trunc(a)"),
            (s, "a * b + a"),
        ];
        let edges = edges(s);
        let (a, b) = pairs(&edges, &edges);
        agrees(engine, &kernel(s, s, &outs), (s, a), (s, b), &[s; 15], 0)?;
    }
    Ok(())
}

fn comparisons(engine: Engine) -> Result<(), String> {
    let pairs_of = [
        (Scalar::I64, Scalar::U64),
        (Scalar::U64, Scalar::I8),
        (Scalar::I32, Scalar::U32),
        (Scalar::I64, Scalar::F64),
        (Scalar::F32, Scalar::I64),
        (Scalar::F64, Scalar::U64),
        (Scalar::U64, Scalar::F32),
        (Scalar::F32, Scalar::F64),
        (Scalar::I16, Scalar::F32),
        (Scalar::F64, Scalar::F64),
    ];
    for (s, t) in pairs_of {
        let mut near = edges(t);
        if t.is_float() {
            let limits = [
                2f64.powi(63),
                2f64.powi(64),
                -(2f64.powi(63)),
                2f64.powi(53),
            ];
            near.extend(limits.map(|x| ScalarValue::from_float(t, x)));
        }
        let (a, b) = pairs(&edges(s), &near);
        let b8 = Scalar::Bool;
        let outs = [
            (b8, "a == b"),
            (b8, "a < b"),
            (b8, "a <= b"),
            (b8, "a > b"),
            (b8, "a != b"),
        ];
        agrees(engine, &kernel(s, t, &outs), (s, a), (t, b), &[b8; 5], 0)?;
    }
    Ok(())
}

fn conversions(engine: Engine) -> Result<(), String> {
    for s in INTS {
        let outs = [
            (Scalar::F32, "Float32(a)"),
            (Scalar::F64, "Float64(a)"),
            (Scalar::I64, "if a >= 0 && a <= 100 { Int64(a) } else { 0 }"),
            (
                Scalar::U8,
                "if a >= 0 && a <= 100 { UInt8(a) } else { UInt8(0) }",
            ),
            (
                Scalar::I16,
                "if a >= 0 && a <= 100 { Int16(a) } else { Int16(0) }",
            ),
        ];
        let edges = edges(s);
        let types: Vec<Scalar> = outs.iter().map(|(ty, _)| *ty).collect();
        agrees(
            engine,
            &kernel(s, s, &outs),
            (s, edges.clone()),
            (s, edges),
            &types,
            0,
        )?;
    }
    for s in [Scalar::F32, Scalar::F64] {
        let inside = [0.0, -0.0, 0.5, -2.5, 3.75, 100.0, -128.0, 127.9];
        let inside: Vec<ScalarValue> = inside.map(|x| ScalarValue::from_float(s, x)).to_vec();
        let outs = [
            (Scalar::I8, "trunc(Int8, a)"),
            (Scalar::I32, "trunc(Int32, a)"),
            (Scalar::I64, "trunc(Int64, a)"),
            (Scalar::F32, "Float32(a)"),
            (Scalar::F64, "Float64(a)"),
        ];
        let types: Vec<Scalar> = outs.iter().map(|(ty, _)| *ty).collect();
        agrees(
            engine,
            &kernel(s, s, &outs),
            (s, inside.clone()),
            (s, inside),
            &types,
            0,
        )?;
    }
    Ok(())
}

fn mathematics(engine: Engine) -> Result<(), String> {
    for s in [Scalar::F32, Scalar::F64] {
        let xs = (-40..40).map(|n| f64::from(n) * 0.37 + 0.011);
        let xs: Vec<ScalarValue> = xs.map(|x| ScalarValue::from_float(s, x)).collect();
        let ys: Vec<ScalarValue> = [0.5, -1.25, 3.0]
            .map(|x| ScalarValue::from_float(s, x))
            .to_vec();
        let (a, b) = pairs(&xs, &ys);
        let outs = [
            (s, "sin(a)"),
            (s, "cos(a)"),
            (s, "tan(a)"),
            (s, "exp(a)"),
            (s, "log(abs(a))"),
            (s, "pow(abs(a), b)"),
        ];
        agrees(engine, &kernel(s, s, &outs), (s, a), (s, b), &[s; 6], 4)?;
    }
    Ok(())
}

fn atomics(engine: Engine) -> Result<(), String> {
    let numbers = [
        Scalar::I32,
        Scalar::U32,
        Scalar::I64,
        Scalar::U64,
        Scalar::F32,
        Scalar::F64,
    ];
    for s in numbers {
        let program = format!(
            "kernel fn k(xs: Array{{{s}}}, ys: Array{{{s}}}, out: Array{{{s}}}) {{\n    \
             var own = shared({s}, 2)\n    \
             var x = xs[global_id(0)]\n    \
             atomic_add(own, 0, x)\n    \
             atomic_max(own, 1, x)\n    \
             barrier()\n    \
             if local_id(0) == 0 {{\n        \
             atomic_add(out, 0, own[0])\n        \
             atomic_max(out, 1, own[1])\n        \
             atomic_min(out, 2, -own[1] + own[1] - own[1] + own[1])\n        \
             atomic_cas(out, 3, out[3], own[1] - own[1] + x - x)\n    \
             }}\n}}\n"
        );
        // Small whole numbers: their sums are exact in any order.
        let xs: Vec<ScalarValue> = (0..64).map(|x| ScalarValue::wrap(s, x % 10)).collect();
        let count = xs.len();
        let args = |u: &Universe| {
            let zeros = vec![ScalarValue::zero(s); count];
            vec![array(u, s, &xs), array(u, s, &zeros), array(u, s, &zeros)]
        };
        let grid = Grid {
            global: [64, 1, 1],
            local: [16, 1, 1],
        };
        let found = engine.launch(&program, "k", args, grid)?;
        let expected = Engine::Interpreter.launch(&program, "k", args, grid)?;
        let (found, expected) = (found[2].scalars(), expected[2].scalars());
        if found != expected {
            return Err(format!("{s}: {found:?}, and {expected:?} is right"));
        }
    }
    Ok(())
}
