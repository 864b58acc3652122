//! Overlay tables of devices: what is inferred, generated and computed with them, and what an edit
//! of one reruns.

use super::launch::{array, session};
use std::fmt::Debug;
use std::sync::Arc;
use worldage::oracle::InterpreterSession;
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::{CallOptions, EmitStage, Grid, OptLevel, Schedule, Session, Shard, Universe, Value};

type Check = fn() -> Result<(), String>;

/// Without a device.
pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("an edit reruns one device's shards", one_device),
    ("the chosen method is shown", shown),
    ("a function of another device is refused", other_device),
];

/// With a device.
pub(crate) const ON_DEVICE: &[(&str, Check)] = &[("what a program has in place of sin", on_device)];

const PROGRAM: &str = "kernel fn waves(xs: Array{Float64}) { var i = global_id(0)\n xs[i] = sin(xs[i]) }\n\
                       kernel fn steps(xs: Array{Float64}) { var i = global_id(0)\n xs[i] = xs[i] + 1.0 }\n";
const WAVES: &str = "waves(Array{Float64})";
const STEPS: &str = "steps(Array{Float64})";

fn text(error: impl Debug) -> String {
    format!("{error:?}")
}

fn define(session: &Session, program: &str, table: Option<&str>) -> Result<(), String> {
    session
        .define("k.wir", program, table)
        .map(drop)
        .map_err(text)
}

fn shards() -> Vec<Shard> {
    vec![
        Shard::Host(OptLevel::Speed),
        Shard::OpenCl,
        #[cfg(feature = "llvm")]
        Shard::Ptx("sm_90".parse().expect("a known target"), OptLevel::Speed),
    ]
}

/// The stages that it takes to bring both kernels up to date in every shard.
fn prepare(session: &Session) -> Result<Vec<String>, String> {
    session.take_stages();
    let mut ran = Vec::new();
    for shard in shards() {
        for kernel in [WAVES, STEPS] {
            session.prepare_on(kernel, shard).map_err(text)?;
        }
        let events = session.take_stages();
        let named = |event: &worldage::StageEvent| {
            format!("{shard}: {} {}", event.stage, session.name(event.mi))
        };
        ran.extend(events.iter().map(named));
    }
    Ok(ran)
}

fn one_device() -> Result<(), String> {
    let session = session();
    // Without libdevice there is no PTX of `sin`; the rest holds there, too.
    #[cfg(feature = "llvm")]
    if session.cuda_toolkit().libdevice.is_none() {
        define(&session, "inline fn sin(x: Float64) { x }", Some("ptx"))?;
    }
    define(&session, PROGRAM, None)?;
    prepare(&session)?;
    let again = prepare(&session)?;
    if !again.is_empty() {
        return Err(text(again));
    }
    for body in ["0.5 * x", "0.25 * x"] {
        let overlay = format!("inline fn sin(x: Float64) {{ {body} }}");
        define(&session, &overlay, Some("opencl"))?;
        let mut ran = prepare(&session)?;
        // The first time the call moves to another method; then only this method's body differs.
        let moved = format!("opencl: infer {WAVES}");
        let has_moved = ran.contains(&moved);
        ran.retain(|line| *line != moved);
        let expected = [
            "opencl: infer sin(Float64)".to_string(),
            format!("opencl: codegen {WAVES}"),
            format!("opencl: link {WAVES}"),
        ];
        if has_moved != (body == "0.5 * x") || ran != expected {
            return Err(format!("{body}: {ran:?}"));
        }
    }
    Ok(())
}

fn shown() -> Result<(), String> {
    let session = session();
    define(&session, PROGRAM, None)?;
    let emit = |view: Option<&str>| {
        let (stage, none) = (EmitStage::Inlined, Schedule::default());
        let text = session.emit_in(WAVES, stage, OptLevel::Speed, &none, view);
        text.map_err(|failure| format!("{:?}", failure.diagnostics))
    };
    let contains = |what: &str, name: &str, text: &str| match text.contains(name) {
        true => Ok(()),
        false => Err(format!("{what} does not show {name}:\n{text}")),
    };
    contains("the host", "sin.Float64", &emit(None)?)?;
    contains("the view", "cl_sin.Float64", &emit(Some("opencl"))?)?;
    contains("the other view", "__nv_sin.Float64", &emit(Some("ptx"))?)?;

    session.prepare_on(WAVES, Shard::OpenCl).map_err(text)?;
    let folder = std::env::temp_dir().join(format!("worldage-overlays-{}", std::process::id()));
    let dumped = session.dump_kernel(&folder, WAVES, Shard::OpenCl, OptLevel::Speed);
    let at = folder.join("methods/waves/waves(Array{Float64})/opencl");
    let edges = std::fs::read_to_string(at.join("edges.txt")).map_err(text);
    let inlined = std::fs::read_to_string(at.join("2-inlined.txt")).map_err(text);
    let removed = std::fs::remove_dir_all(&folder);
    dumped.map_err(text)?;
    contains(
        "the dump",
        "lookup sin(Float64): sin(Float64) in shipped opencl",
        &edges?,
    )?;
    contains("the dump", "cl_sin.Float64", &inlined?)?;
    removed.map_err(text)?;

    define(
        &session,
        "inline fn sin(x: Float64) { 0.5 * x }",
        Some("opencl"),
    )?;
    session.prepare_on(WAVES, Shard::OpenCl).map_err(text)?;
    let why = session.explain_on(WAVES, Shard::OpenCl).map_err(text)?;
    let because = why.stages[0].because.join("\n");
    contains(
        "the explanation",
        "source sin(Float64) in opencl  inserted in world 2",
        &because,
    )
}

fn other_device() -> Result<(), String> {
    let session = session();
    let program = "kernel fn k(xs: Array{Float32}) { xs[0] = __nv_fast_sinf(xs[0]) }";
    define(&session, program, None)?;
    let Err(failure) = session.prepare_on("k(Array{Float32})", Shard::OpenCl) else {
        return Err("it compiles".to_string());
    };
    let diagnostic = &failure.diagnostics[0];
    let at = diagnostic.place.map(|place| session.line_col(place));
    let at = at.map(|at| (at.line, at.col));
    let expected = "`__nv_fast_sinf` is a function of Nvidia devices";
    match diagnostic.message == expected && at == Some((1, 43)) {
        true => Ok(()),
        false => Err(format!("{at:?} {}", diagnostic.message)),
    }
}

fn floats(u: &Universe) -> Vec<Value> {
    let xs = [0.0, 0.5, 1.0, 3.0].map(ScalarValue::F64);
    vec![array(u, Scalar::F64, &xs)]
}

/// A program's method stands in place of the shipped one, and the interpreter agrees.
fn on_device() -> Result<(), String> {
    let overlay = "inline fn sin(x: Float64) { x - x * x * x / 6.0 }";
    let session = session();
    define(&session, PROGRAM, None)?;
    define(&session, overlay, Some("opencl"))?;
    let grid = Grid {
        global: [4, 1, 1],
        local: [2, 1, 1],
    };
    let (args, options) = (floats(session.universe()), CallOptions::default());
    let launched = session.launch_on(Shard::OpenCl, "waves", args, grid, &options);

    let mut oracle = InterpreterSession::new(Arc::clone(session.universe()));
    oracle.define("k.wir", PROGRAM, None).map_err(text)?;
    oracle
        .define("o.wir", overlay, Some("opencl"))
        .map_err(text)?;
    let args = floats(session.universe());
    let none = Schedule::default();
    let (_, interpreted) = oracle.launch_in("waves", &args, grid, &none, Some("opencl"));
    interpreted.map_err(text)?;
    let expected = Value::tuple(session.universe(), args);
    let expected = expected.show(session.universe()).to_string();
    match launched.shown(&session) {
        same if same == expected => Ok(()),
        other => Err(format!("{other} and not {expected}")),
    }
}
