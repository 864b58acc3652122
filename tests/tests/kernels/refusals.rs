//! What fails in a kernel, what a device cannot do, and what an edit makes of a device's code.

use super::launch::{Engine, array, session};
use expect_test::expect;
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::{CallOptions, EmitStage, Grid, OptLevel, Shard, Stage, Universe, Value};

type OnEngine = fn(Engine) -> Result<(), String>;
type Check = fn() -> Result<(), String>;

/// Launches that fail, each on every engine.
pub(crate) const FAULTS: &[(&str, OnEngine)] = &[
    ("bounds", |e| {
        fails(
            e,
            "ys[xs[i] + 4] = 1",
            "index-out-of-bounds: index 5 is out of bounds for length 4 at 4:5",
        )
    }),
    ("bounds_below", |e| {
        fails(
            e,
            "ys[i - 1] = 1",
            "index-out-of-bounds: index -1 is out of bounds for length 4 at 4:5",
        )
    }),
    ("division", |e| {
        fails(
            e,
            "ys[i] = div(10, xs[i] - 2)",
            "division-error: integer division by zero, or of the least integer by -1 at 4:13",
        )
    }),
    ("conversion", |e| {
        fails(
            e,
            "ys[i] = Int64(UInt8(xs[i] - 2))",
            "conversion-error: the number does not fit the type at 4:19",
        )
    }),
    ("in_callee", |e| {
        fails(
            e,
            "ys[i] = deeper(xs[i])",
            "division-error: integer division by zero, or of the least integer by -1 at 6:32",
        )
    }),
    ("at_barrier", |e| {
        fails(
            e,
            "ys[i] = div(10, xs[i] - 2)\n    barrier()\n    ys[i] = ys[3 - i]",
            "division-error: integer division by zero, or of the least integer by -1 at 4:13",
        )
    }),
];

/// Without a device.
pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("print", || {
        refuses(
            "print(i)",
            "unsupported-on-target: a device cannot print at 4:5",
        )
    }),
    ("allocate", || {
        refuses(
            "ys[i] = length(array(Int64, 3))",
            "unsupported-on-target: a device cannot allocate arrays: pass them, or use `shared(T, n)` for the work-group at 4:20",
        )
    }),
    ("recurse", || {
        refuses(
            "ys[i] = again(i)",
            "unsupported-on-target: again(Int64) calls itself, and a device has no recursion at 7:53",
        )
    }),
    ("dynamic", || {
        refuses(
            "ys[i] = length(unknown(i))",
            "unsupported-on-target: a value of type Union{String, Tuple{Int64, Int64}} is known only at run time, and a device has no dynamic values at 4:20",
        )
    }),
    ("kernel_text", kernel_text),
    ("redefinition", redefinition),
    ("control_flow", control_flow),
];

/// With a device.
pub(crate) const ON_DEVICE: &[(&str, Check)] = &[
    ("launch_after_edit", launch_after_edit),
    ("items_that_fail_stop_alone", items_that_fail_stop_alone),
    ("too_large_a_group", too_large_a_group),
    ("structs", structs),
    ("overlay", overlay),
];

fn program(line: &str) -> String {
    format!(
        "\nkernel fn k(xs: Array{{Int64}}, ys: Array{{Int64}}) {{\n    var i = global_id(0)\n    {line}\n}}\n\
         noinline fn deeper(x: Int64) {{ div(x, x - 2) }}\n\
         noinline fn again(x: Int64) {{ if x < 1 {{ 1 }} else {{ again(x - 1) + 1 }} }}\n\
         noinline fn unknown(x: Int64) {{ if x > 1 {{ (x, x) }} else {{ \"abc\" }} }}\n"
    )
}

fn ints(u: &Universe, xs: &[i64]) -> Value {
    let xs: Vec<ScalarValue> = xs.iter().map(|x| ScalarValue::I64(*x)).collect();
    array(u, Scalar::I64, &xs)
}

const FOUR: Grid = Grid {
    global: [4, 1, 1],
    local: [4, 1, 1],
};

fn fails(engine: Engine, line: &str, expected: &str) -> Result<(), String> {
    let args = |u: &Universe| vec![ints(u, &[1, 2, 3, 4]), ints(u, &[0; 4])];
    // The interpreter says some errors in other words.
    let same = |error: &str| match engine {
        Engine::Interpreter => {
            error.split(':').next() == expected.split(':').next()
                && error.rsplit(" at ").next() == expected.rsplit(" at ").next()
        }
        _ => error == expected,
    };
    match engine.launch(&program(line), "k", args, FOUR) {
        Ok(after) => Err(format!("it ended well: {:?}", after[1].scalars())),
        Err(error) if same(&error) => Ok(()),
        Err(error) => Err(format!("{error}\nand not\n{expected}")),
    }
}

fn refuses(line: &str, expected: &str) -> Result<(), String> {
    let session = session();
    session
        .define("k.wir", &program(line), None)
        .map_err(|failure| format!("{:?}", failure.diagnostics))?;
    let emitted = session.emit(
        "k(Array{Int64}, Array{Int64})",
        EmitStage::OpenCl,
        OptLevel::Speed,
    );
    let failure = emitted.err().ok_or("it was emitted")?;
    let d = &failure.diagnostics[0];
    let place = d.place.map(|place| session.line_col(place));
    let place = place.map_or(String::new(), |at| format!(" at {}:{}", at.line, at.col));
    let found = format!("{}: {}{place}", d.code, d.message);
    match found == expected || expected.is_empty() {
        true => Ok(()),
        false => Err(format!("{found}\nand not\n{expected}")),
    }
}

fn emitted(text: &str, sig: &str) -> Result<String, String> {
    let session = session();
    session
        .define("k.wir", text, None)
        .map_err(|failure| format!("{:?}", failure.diagnostics))?;
    let emitted = session.emit(sig, EmitStage::OpenCl, OptLevel::Speed);
    emitted.map_err(|failure| {
        failure
            .diagnostics
            .iter()
            .map(|d| session.render(d))
            .collect()
    })
}

/// From the kernel on: the functions before it are the same for all.
fn kernel_only(text: &str) -> &str {
    text.find("__kernel").map_or(text, |at| &text[at..])
}

fn kernel_text() -> Result<(), String> {
    let program =
        std::fs::read_to_string("kernels/saxpy.wir").map_err(|error| error.to_string())?;
    let text = emitted(&program, "saxpy(Float32, Array{Float32}, Array{Float32})")?;
    expect![[r#"
        __kernel void wir_saxpy(float p0, __global float *p1, long p1_n, __global float *p2, long p2_n, __global int *wa_error)
        {
            const long v4 = (long)get_global_id(0);
            if (v4 < p2_n) {
                if ((ulong)v4 >= (ulong)p1_n) { wa_bounds(wa_error, 1, v4, p1_n); return; }
                const float v7 = p1[v4];
                const float v9 = p2[v4];
                p2[v4] = (p0 * v7) + v9;
            }
        }
    "#]].assert_eq(kernel_only(&text));
    Ok(())
}

fn control_flow() -> Result<(), String> {
    let program = "kernel fn k(xs: Array{Int64}, n: Int64) {
    for i in 0..n {
        var j = i
        while j > 0 {
            if xs[j] == 3 { break }
            if xs[j] == 4 { return }
            j = j - 1
        }
        xs[i] = if j > 2 { j } else { -j }
    }
}";
    let text = emitted(program, "k(Array{Int64}, Int64)")?;
    expect![[r#"
        __kernel void wir_k(__global long *p0, long p0_n, long p1, __global int *wa_error)
        {
            long v3 = 0;
            long v5 = 0;
            long v20 = 0;
            v3 = 0L;
            for (;;) {
                if (!(v3 < p1))
                    return;
                v5 = v3;
                for (;;) {
                    if (!(0L < v5))
                        break;
                    if ((ulong)v5 >= (ulong)p0_n) { wa_bounds(wa_error, 1, v5, p0_n); return; }
                    const long v8 = p0[v5];
                    if (v8 == 3L) {
                        break;
                    } else {
                        const long v11 = p0[v5];
                        if (v11 == 4L) {
                            return;
                        } else {
                            v5 = (long)((ulong)v5 - (ulong)1L);
                        }
                    }
                }
                if (2L < v5) {
                    v20 = v5;
                } else {
                    v20 = (long)((ulong)0L - (ulong)v5);
                }
                if ((ulong)v3 >= (ulong)p0_n) { wa_bounds(wa_error, 2, v3, p0_n); return; }
                p0[v3] = v20;
                v3 = (long)((ulong)v3 + (ulong)1L);
            }
        }
    "#]]
    .assert_eq(kernel_only(&text));
    Ok(())
}

/// One program, one redefinition: the kernel's code is made again in every shard that has it, and
/// another kernel's in none.
fn redefinition() -> Result<(), String> {
    let session = session();
    let define = |text: &str| {
        session
            .define("k.wir", text, None)
            .map(drop)
            .map_err(|e| format!("{e:?}"))
    };
    define(
        "noinline fn scale(x: Float64) { x * 2.0 }\n\
         kernel fn scaled(xs: Array{Float64}) { xs[global_id(0)] = scale(xs[global_id(0)]) }\n\
         kernel fn other(xs: Array{Float64}) { xs[global_id(0)] = 1.0 }",
    )?;
    let shards = [
        Shard::OpenCl,
        Shard::Host(OptLevel::Speed),
        Shard::Host(OptLevel::None),
    ];
    let compile = || -> Result<Vec<String>, String> {
        let mut ran = Vec::new();
        for shard in shards {
            session.take_stages();
            for kernel in ["scaled(Array{Float64})", "other(Array{Float64})"] {
                session
                    .check_kernel(kernel, shard)
                    .map_err(|e| format!("{e:?}"))?;
            }
            for event in session.take_stages() {
                if event.stage == Stage::Codegen {
                    ran.push(format!("{shard} {}", session.name(event.mi)));
                }
            }
        }
        ran.sort();
        Ok(ran)
    };
    let first = compile()?;
    if first.len() != 8 {
        return Err(format!("{first:?}"));
    }
    if let again @ [_, ..] = &compile()?[..] {
        return Err(format!("nothing has changed: {again:?}"));
    }
    define("noinline fn scale(x: Float64) { x * 3.0 }")?;
    let ran = compile()?.join("\n");
    expect![[r#"
        opencl scaled(Array{Float64})
        opt:none scale(Float64)
        opt:speed scale(Float64)"#]]
    .assert_eq(&ran);
    Ok(())
}

fn launch_after_edit() -> Result<(), String> {
    let session = session();
    let define = |text: &str| {
        session
            .define("k.wir", text, None)
            .map(drop)
            .map_err(|e| format!("{e:?}"))
    };
    define(
        "noinline fn f(x: Int64) { x + 1 }\n\
         kernel fn k(xs: Array{Int64}) { xs[global_id(0)] = f(xs[global_id(0)]) }",
    )?;
    let launch = || {
        let args = vec![ints(session.universe(), &[1, 2, 3, 4])];
        let launched = session.launch_on(Shard::OpenCl, "k", args, FOUR, &CallOptions::default());
        launched.shown(&session)
    };
    let before = launch();
    define("noinline fn f(x: Int64) { x * 10 }")?;
    match (before.as_str(), launch().as_str()) {
        ("([2, 3, 4, 5],)", "([10, 20, 30, 40],)") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn items_that_fail_stop_alone() -> Result<(), String> {
    // The launch fails; a later one on the same kernel is not disturbed.
    let text = program("if xs[i] == 3 { ys[9] = 1 }\n    ys[i] = xs[i]");
    let session = session();
    session
        .define("k.wir", &text, None)
        .map_err(|e| format!("{e:?}"))?;
    let launch = |xs: &[i64]| {
        let u = session.universe();
        let args = vec![ints(u, xs), ints(u, &[0; 4])];
        let launched = session.launch_on(Shard::OpenCl, "k", args, FOUR, &CallOptions::default());
        launched.shown(&session)
    };
    let (failed, well) = (launch(&[1, 2, 3, 4]), launch(&[1, 2, 4, 4]));
    match (failed.as_str(), well.as_str()) {
        ("error: index-out-of-bounds", "([1, 2, 4, 4], [1, 2, 4, 4])") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn too_large_a_group() -> Result<(), String> {
    let args = |u: &Universe| vec![ints(u, &[1, 2, 3, 4]), ints(u, &[0; 4])];
    let grid = Grid {
        global: [1 << 20, 1, 1],
        local: [1 << 20, 1, 1],
    };
    match Engine::OpenCl.launch(&program("ys[0] = 1"), "k", args, grid) {
        Err(error) if error.contains("work-items is larger than") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Structs by value, as arguments and as elements, and loops with structs in variables.
fn structs() -> Result<(), String> {
    let text = "struct P { x: Int32, y: Float64, flag: Bool }
fn +(a: P, b: P) { P(a.x + b.x, a.y + b.y, b.flag) }
kernel fn fill(ps: Array{P}, first: P) {
    var p = first
    for n in 0..global_id(0) { p = p + first }
    ps[global_id(0)] = p
}
kernel fn sum(ps: Array{P}, xs: Array{Float64}) {
    var q = ps[0]
    for n in 1..length(ps) { q = q + ps[n] }
    xs[global_id(0)] = q.y + float(q.x)
}
fn make() { array(P, 4) }
fn one() { P(Int32(2), 0.25, true) }";
    let session = session();
    session
        .define("k.wir", text, None)
        .map_err(|e| format!("{e:?}"))?;
    let options = CallOptions::default();
    let value = |call: &str| {
        session
            .call(call, &options)
            .result
            .map_err(|e| e.to_string())
    };
    let (array, one) = (value("make()")?, value("one()")?);
    let filled = session.launch_on(Shard::OpenCl, "fill", vec![array, one], FOUR, &options);
    let Ok(Value::Tuple(filled)) = filled.result else {
        return Err(format!("{:?}", filled.result));
    };
    let ps = filled.parts()[0].clone();
    let xs = super::launch::array(session.universe(), Scalar::F64, &[ScalarValue::F64(0.0); 4]);
    let summed = session.launch_on(Shard::OpenCl, "sum", vec![ps, xs], FOUR, &options);
    let shown = summed.shown(&session);
    match shown.ends_with("[22.5, 22.5, 22.5, 22.5])") {
        true => Ok(()),
        false => Err(shown),
    }
}

/// A table of methods for the device: its `sin` is another one, and an edit there touches the
/// device's code alone.
fn overlay() -> Result<(), String> {
    let session = session();
    let define = |text: &str, table: Option<&str>| {
        let defined = session.define("k.wir", text, table);
        defined.map(drop).map_err(|e| format!("{e:?}"))
    };
    session
        .table("device", None)
        .map_err(|e| format!("{e:?}"))?;
    define(
        "kernel fn k(xs: Array{Float64}) { xs[global_id(0)] = sin(xs[global_id(0)]) }",
        None,
    )?;
    define("fn sin(x: Float64) { x - x * x * x / 6.0 }", Some("device"))?;
    let launch = |shard: Shard, view: Option<&str>| {
        let xs = [0.0, 0.5, 1.0, 3.0].map(ScalarValue::F64);
        let args = vec![array(session.universe(), Scalar::F64, &xs)];
        let options = CallOptions {
            view: view.map(str::to_string),
            ..CallOptions::default()
        };
        let launched = session.launch_on(shard, "k", args, FOUR, &options);
        let ran: Vec<Stage> = launched.stages.iter().map(|(stage, _)| *stage).collect();
        (launched.shown(&session), ran.contains(&Stage::Codegen))
    };
    let host = Shard::Host(OptLevel::Speed);
    let on_host = launch(host, None);
    let on_device = launch(Shard::OpenCl, Some("device"));
    if on_device.0 != "([0.0, 0.4791666666666667, 0.8333333333333334, -1.5],)" || !on_device.1 {
        return Err(format!("{on_device:?}"));
    }
    define("fn sin(x: Float64) { x }", Some("device"))?;
    let edited = launch(Shard::OpenCl, Some("device"));
    if edited != ("([0.0, 0.5, 1.0, 3.0],)".to_string(), true) {
        return Err(format!("{edited:?}"));
    }
    match launch(host, None) {
        again if again == (on_host.0.clone(), false) => Ok(()),
        again => Err(format!("{on_host:?}, then {again:?}")),
    }
}
