//! What a launch copies back: the arrays that its kernel may write, and no other.

use super::launch::{array, session};
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::{CallOptions, Grid, Shard, Universe, Value};

/// A check by its name.
pub(crate) type Check = (&'static str, fn() -> Result<(), String>);

/// What needs a device.
pub(crate) const CHECKS: &[Check] = &[
    ("what is only read is not copied back", only_read),
    ("callees write for their callers", in_callees),
    ("an array that is passed twice is copied back", twice),
    ("atomics write", atomics),
];

/// Launches a kernel and tells which arrays of the arguments are the given ones afterwards.
fn same(program: &str, args: &dyn Fn(&Universe) -> Vec<Value>) -> Result<Vec<bool>, String> {
    let session = session();
    let defined = session.define("program.wir", program, None);
    defined.map_err(|failure| format!("{:?}", failure.diagnostics))?;
    let args = args(session.universe());
    let grid = Grid {
        global: [2, 1, 1],
        local: [2, 1, 1],
    };
    let options = CallOptions::default();
    let report = session.launch_on(Shard::OpenCl, "k", args.clone(), grid, &options);
    let Ok(Value::Tuple(after)) = report.result else {
        return Err("the launch fails".to_string());
    };
    let pairs = args.iter().zip(after.parts());
    Ok(pairs
        .filter_map(|pair| match pair {
            (Value::Array(before), Value::Array(after)) => Some(before.is(after)),
            _ => None,
        })
        .collect())
}

fn ints(u: &Universe) -> Value {
    array(u, Scalar::I64, &[ScalarValue::I64(1), ScalarValue::I64(2)])
}

fn expect(found: Vec<bool>, expected: &[bool]) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found:?}, and {expected:?} is expected")),
    }
}

fn only_read() -> Result<(), String> {
    let program = "kernel fn k(xs: Array{Int64}, ys: Array{Int64}) {
        ys[global_id(0)] = xs[global_id(0)] + length(xs) }";
    expect(same(program, &|u| vec![ints(u), ints(u)])?, &[true, false])
}

fn in_callees() -> Result<(), String> {
    // The second array goes through a struct, a choice and two calls.
    let program = "struct Two { a: Array{Int64}, b: Array{Int64} }
        noinline fn second(two: Two, flip: Bool) { if flip { two.b } else { two.b } }
        noinline fn put(xs: Array{Int64}, i: Int64) { xs[i] = 7 }
        kernel fn k(xs: Array{Int64}, ys: Array{Int64}, zs: Array{Int64}) {
            var i = global_id(0)
            put(second(Two(xs, ys), zs[i] > 1), i) }";
    let args = |u: &Universe| vec![ints(u), ints(u), ints(u)];
    expect(same(program, &args)?, &[true, false, true])
}

fn twice() -> Result<(), String> {
    let program = "kernel fn k(xs: Array{Int64}, ys: Array{Int64}) {
        ys[global_id(0)] = xs[global_id(0)] + 1 }";
    let args = |u: &Universe| {
        let xs = ints(u);
        vec![xs.clone(), xs]
    };
    expect(same(program, &args)?, &[false, false])
}

fn atomics() -> Result<(), String> {
    let program = "kernel fn k(xs: Array{Int32}, ys: Array{Int32}) {
        atomic_add(xs, 0, ys[global_id(0)]) }";
    let args = |u: &Universe| {
        let ints = || array(u, Scalar::I32, &[ScalarValue::I32(1), ScalarValue::I32(2)]);
        vec![ints(), ints()]
    };
    expect(same(program, &args)?, &[false, true])
}
