//! Kernels for Nvidia devices: PTX of every kernel of `kernels/` for every generation, assembled;
//! which stages an edit runs; what a device cannot do.
//!
//! Trials that assemble are ignored, with the reason, where there is no assembler.

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use worldage::engine::events::Origin;
use worldage::store::Store;
use worldage::store::memory::Memory;
use worldage::{
    CallOptions, DeviceCheck, EmitStage, OptLevel, PtxTarget, Session, SessionOptions, Shard, Stage,
};

/// One target of each generation.
const TARGETS: &[&str] = &["sm_70", "sm_80", "sm_90", "sm_100", "sm_120"];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(root).expect("the project has a root");
    let mut trials = Vec::new();
    for file in kernels() {
        for target in TARGETS {
            let (file, name) = (file.clone(), file.display().to_string());
            let target = target.parse().expect("a known target");
            trials.push(Trial::ignorable_test(
                format!("{name} {target}"),
                move || match assembled(&file, target) {
                    Ok(true) => Ok(Completion::Completed),
                    Ok(false) => Ok(Completion::ignored_with("there is no ptxas")),
                    Err(error) => Err(Failed::from(error)),
                },
            ));
        }
    }
    type Check = fn() -> Result<(), String>;
    let checks: &[(&str, Check)] = &[
        ("every operation is assembled", every_operation),
        ("the text of a kernel", text),
        ("opt levels are shards", opt_levels),
        ("a host's opt level recompiles nothing", host_opt_level),
        ("a redefinition recompiles its kernels alone", redefinition),
        ("what a device cannot do", refusals),
        ("another session takes PTX from the store", stored),
        ("elementary functions need libdevice", no_libdevice),
    ];
    for (name, check) in checks {
        let check = *check;
        trials.push(Trial::test(*name, move || check().map_err(Failed::from)));
    }
    libtest_mimic::run(&args, trials).exit_code()
}

fn kernels() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("kernels").expect("the project has kernels");
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|ext| ext == "wir"))
        .collect();
    files.sort();
    files
}

fn session(text: &str) -> Result<Session, String> {
    let session = Session::new(SessionOptions::default()).map_err(|error| error.to_string())?;
    define(&session, text)?;
    Ok(session)
}

fn define(session: &Session, text: &str) -> Result<(), String> {
    let defined = session.define("k.wir", text, None);
    defined.map(drop).map_err(|failure| {
        let shown = failure.diagnostics.iter().map(|d| session.render(d));
        shown.collect()
    })
}

/// Whether every kernel of a file was assembled; `false` where nothing assembles.
fn assembled(file: &Path, target: PtxTarget) -> Result<bool, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let session = session(&text)?;
    let kernels = session.kernels();
    if kernels.is_empty() {
        return Err("the file has no kernel".to_string());
    }
    let has_libdevice = session.cuda_toolkit().libdevice.is_some();
    for kernel in kernels {
        match session.check_kernel(&kernel, Shard::Ptx(target, OptLevel::Speed)) {
            Ok(DeviceCheck::Built(_)) => {}
            Ok(_) => return Ok(false),
            Err(_) if !has_libdevice => return Ok(false),
            Err(failure) => return Err(failure.log_line()),
        }
    }
    Ok(true)
}

fn sm_90(opt: OptLevel) -> Shard {
    Shard::Ptx("sm_90".parse().expect("a known target"), opt)
}

/// Every operation on every scalar type, unoptimised too: what LLVM cannot make ends the process.
fn every_operation() -> Result<(), String> {
    let ints = [
        "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64",
    ];
    let int = [
        "a + b",
        "a - b",
        "a * b",
        "a & b",
        "a | b",
        "xor(a, b)",
        "~a",
        "-a",
        "abs(a)",
        "min(a, b)",
        "max(a, b)",
        "a << 3",
        "a >> n",
        "a << n",
        "rem(a, b)",
        "div(a, b)",
        "pow(a, n)",
    ];
    let float = [
        "a + b",
        "a - b",
        "a * b",
        "a / b",
        "-a",
        "abs(a)",
        "min(a, b)",
        "max(a, b)",
        "sqrt(a)",
        "floor(a)",
        "ceil(a)",
        "round(a)",
        "trunc(a)",
    ];
    let mut text = String::new();
    let mut kernel = |name: &str, ty: &str, body: &str| {
        text.push_str(&format!(
            "kernel fn {name}(xs: Array{{{ty}}}, ys: Array{{{ty}}}, n: Int64) {{\n    \
             var i = global_id(0)\n    var a = xs[i]\n    var b = ys[i]\n{body}}}\n"
        ));
    };
    for ty in ints {
        let mut body: String = int.iter().map(|op| format!("    xs[i] = {op}\n")).collect();
        for other in ints {
            body.push_str(&format!("    xs[i] = {ty}({other}(a))\n"));
        }
        body.push_str(&format!("    xs[i] = {ty}(trunc(Int32, float(a)) > n)\n"));
        body.push_str("    if a < 1.5 || n <= a || a == n { ys[i] = a }\n");
        if ["Int32", "Int64", "UInt32", "UInt64"].contains(&ty) {
            body.push_str("    atomic_add(xs, i, b)\n    atomic_min(xs, i, b)\n");
            body.push_str("    atomic_max(xs, i, b)\n    atomic_cas(xs, i, a, b)\n");
        }
        kernel(&format!("of_{}", ty.to_lowercase()), ty, &body);
    }
    for ty in ["Float32", "Float64"] {
        let mut body: String = float
            .iter()
            .map(|op| format!("    xs[i] = {op}\n"))
            .collect();
        body.push_str(&format!(
            "    xs[i] = {ty}(Int64(a))\n    xs[i] = {ty}(trunc(UInt8, a))\n"
        ));
        body.push_str("    if a < n || n <= a || a == UInt64(n) { ys[i] = a }\n");
        body.push_str("    atomic_add(xs, i, b)\n    atomic_min(xs, i, b)\n");
        body.push_str("    atomic_max(xs, i, b)\n    atomic_cas(xs, i, a, b)\n");
        kernel(&format!("of_{}", ty.to_lowercase()), ty, &body);
    }
    let session = session(&text)?;
    for opt in [OptLevel::None, OptLevel::Speed, OptLevel::Aggressive] {
        for kernel in session.kernels() {
            for target in ["sm_70", "sm_120"] {
                let shard = Shard::Ptx(target.parse().expect("a known target"), opt);
                let checked = session.check_kernel(&kernel, shard);
                checked.map_err(|failure| format!("{kernel} {shard}: {}", failure.log_line()))?;
            }
        }
    }
    Ok(())
}

fn text() -> Result<(), String> {
    let session = session(
        "kernel fn scale(xs: Array{Float32}, a: Float32) {\n    var i = global_id(0)\n    \
         if i < length(xs) { xs[i] = a * xs[i] + a }\n}\n",
    )?;
    let target = "sm_80".parse().expect("a known target");
    let sig = "scale(Array{Float32}, Float32)";
    let emit = |stage| {
        let emitted = session.emit(sig, stage, OptLevel::Speed);
        emitted.map_err(|failure| failure.log_line())
    };
    let (llvm, ptx) = (
        emit(EmitStage::Llvm(Some(target)))?,
        emit(EmitStage::Ptx(target))?,
    );
    for (text, part) in [
        (&llvm, "define ptx_kernel void @wir_scale(ptr addrspace(1)"),
        (&ptx, ".target sm_80"),
        (&ptx, ".visible .entry wir_scale("),
        // Rounded twice: nothing is fused unless asked.
        (&ptx, "mul.rn.f32"),
        (&ptx, "add.rn.f32"),
        (&ptx, "ld.global"),
    ] {
        if !text.contains(part) {
            return Err(format!("`{part}` is missing in\n{text}"));
        }
    }
    Ok(())
}

/// How often codegen ran since this was last asked, by instance.
fn generated(session: &Session) -> Vec<String> {
    let events = session.take_stages();
    let ran = events.iter().filter(|event| event.stage == Stage::Codegen);
    let mut names: Vec<String> = ran.map(|event| session.name(event.mi)).collect();
    names.sort();
    names
}

fn expect(found: &[String], expected: &[&str]) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found:?}, and {expected:?} is right"))
}

const TWO: &str = "noinline fn twice(x: Float64) { x * 2.0 }\n\
                   noinline fn half(x: Float64) { x / 2.0 }\n\
                   kernel fn a(xs: Array{Float64}) { xs[global_id(0)] = twice(xs[global_id(0)]) }\n\
                   kernel fn b(xs: Array{Float64}) { xs[global_id(0)] = half(xs[global_id(0)]) }\n";

fn check_all(session: &Session, shard: Shard) -> Result<(), String> {
    for kernel in session.kernels() {
        let checked = session.check_kernel(&kernel, shard);
        checked.map_err(|failure| failure.log_line())?;
    }
    Ok(())
}

fn opt_levels() -> Result<(), String> {
    let session = session(TWO)?;
    for opt in [OptLevel::None, OptLevel::Speed, OptLevel::Aggressive] {
        check_all(&session, sm_90(opt))?;
        expect(
            &generated(&session),
            &["a(Array{Float64})", "b(Array{Float64})"],
        )?;
        check_all(&session, sm_90(opt))?;
        expect(&generated(&session), &[])?;
    }
    Ok(())
}

fn host_opt_level() -> Result<(), String> {
    let session = session(&format!("{TWO}noinline fn main() {{ twice(2.0) }}\n"))?;
    check_all(&session, sm_90(OptLevel::Speed))?;
    generated(&session);
    for opt in OptLevel::ALL {
        let options = CallOptions {
            opt: Some(*opt),
            ..CallOptions::default()
        };
        let called = session.call("main()", &options);
        if called.shown(&session) != "4.0" {
            return Err(called.shown(&session));
        }
        expect(&generated(&session), &["main()", "twice(Float64)"])?;
        check_all(&session, sm_90(OptLevel::Speed))?;
        expect(&generated(&session), &[])?;
    }
    Ok(())
}

fn redefinition() -> Result<(), String> {
    let session = session(TWO)?;
    for opt in [OptLevel::Speed, OptLevel::Aggressive] {
        check_all(&session, sm_90(opt))?;
    }
    generated(&session);
    define(&session, "noinline fn twice(x: Float64) { x + x }\n")?;
    for opt in [OptLevel::Speed, OptLevel::Aggressive] {
        check_all(&session, sm_90(opt))?;
        expect(&generated(&session), &["a(Array{Float64})"])?;
    }
    Ok(())
}

fn refusals() -> Result<(), String> {
    let session = session(
        "kernel fn prints(xs: Array{Int64}) { print(xs[0]) }\n\
         noinline fn down(n: Int64) { if n > 0 { down(n - 1) } else { 0 } }\n\
         kernel fn recurs(xs: Array{Int64}) { xs[0] = down(xs[0]) }\n\
         kernel fn makes(xs: Array{Int64}) { var ys = array(Int64, 4)\n xs[0] = length(ys) }\n\
         fn plain(xs: Array{Int64}) { xs[0] }\n",
    )?;
    let cases = [
        ("prints", "1:38", "a device cannot print"),
        (
            "recurs",
            "2:41",
            "down(Int64) calls itself, and a device has no recursion",
        ),
        ("makes", "4:46", "a device cannot allocate arrays"),
        ("plain", "6:4", "plain(Array{Int64}) is no kernel"),
    ];
    for (name, place, message) in cases {
        let sig = format!("{name}(Array{{Int64}})");
        let Err(failure) = session.check_kernel(&sig, sm_90(OptLevel::Speed)) else {
            return Err(format!("{name} compiles"));
        };
        let diagnostic = &failure.diagnostics[0];
        let at = diagnostic.place.map(|place| session.line_col(place));
        let at = at.map_or(String::new(), |at| format!("{}:{}", at.line, at.col));
        if at != place || !diagnostic.message.starts_with(message) {
            return Err(format!("{name}: {at}: {}", diagnostic.message));
        }
    }
    Ok(())
}

/// Made ahead, without a device, in every schedule; then nothing is inferred or generated.
fn stored() -> Result<(), String> {
    let store = Store::with_layers(vec![Box::new(Memory::default())], Box::new(|_| {}));
    let store = Arc::new(store);
    let text = "noinline fn twice(x: Int64) { x + x }\n\
                kernel fn a(xs: Array{Int64}) { tune(n, [1, 2])\n xs[n] = twice(xs[0]) }\n";
    let emitted = |session: &Session| {
        let target = "sm_90".parse().expect("a known target");
        let (ptx, schedule) = (EmitStage::Ptx(target), "n=2".parse().expect("a schedule"));
        let text = session.emit_in("a(Array{Int64})", ptx, OptLevel::Speed, &schedule, None);
        text.map_err(|failure| failure.diagnostics[0].message.clone())
    };
    let mut first = None;
    for strict in [false, true] {
        let session = Session::new(SessionOptions {
            store: Some(Arc::clone(&store)),
            ..SessionOptions::default()
        });
        let session = session.map_err(|error| error.to_string())?;
        define(&session, text)?;
        session.set_strict(strict);
        for shard in [sm_90(OptLevel::Speed), sm_90(OptLevel::Aggressive)] {
            let prepared = session.prepare_on("a(Array{Int64})", shard);
            prepared.map_err(|failure| failure.diagnostics[0].message.clone())?;
        }
        let events = session.take_stages();
        let codegens = events.iter().filter(|event| event.stage == Stage::Codegen);
        let ran = codegens.filter(|event| event.origin == Origin::Ran).count();
        if ran != if strict { 0 } else { 4 } {
            return Err(format!("strict {strict}: codegen ran {ran} times"));
        }
        session.set_strict(false);
        let emitted = emitted(&session)?;
        if first.get_or_insert_with(|| emitted.clone()) != &emitted {
            return Err("the text is another".to_string());
        }
        drop(session);
        store.flush();
    }
    Ok(())
}

fn no_libdevice() -> Result<(), String> {
    let session = Session::new(SessionOptions {
        cuda_toolkit: Some("no/such/folder".into()),
        ..SessionOptions::default()
    });
    let session = session.map_err(|error| error.to_string())?;
    define(
        &session,
        "kernel fn waves(xs: Array{Float64}) { xs[0] = sin(xs[0]) }\n\
         kernel fn roots(xs: Array{Float64}) { xs[0] = sqrt(xs[0]) }\n",
    )?;
    let checked = session.check_kernel("roots(Array{Float64})", sm_90(OptLevel::Speed));
    if !matches!(checked, Ok(DeviceCheck::Generated)) {
        return Err(format!("{checked:?}"));
    }
    match session.check_kernel("waves(Array{Float64})", sm_90(OptLevel::Speed)) {
        Err(failure)
            if failure.diagnostics[0]
                .message
                .starts_with("`__nv_sin` needs libdevice") =>
        {
            Ok(())
        }
        other => Err(format!("{other:?}")),
    }
}
