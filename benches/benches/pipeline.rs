//! From parsed source to callable code, beside the bare code generator; parsing and inference of
//! large files.
//!
//! `cargo bench -p worldage-benches --bench pipeline`

use std::fmt::Write as _;
use std::time::Instant;
use worldage::engine::{Mi, Stage};
use worldage::{CallOptions, OptLevel, Session, SessionOptions, Value};
use worldage_benches::figures::{figure, median, us};

/// Functions that are compiled one after the other, each once, before the bare code generator
/// compiles the same: both are measured as they are when they have been running for a while.
const BATCH: usize = 25;
const BATCHES: usize = 12;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn small(k: usize) -> String {
    format!("noinline fn g{k}(x, y) {{ var a = x * {k}.5 + y; var b = a - x; a * b + 3.0 }}\n")
}

fn nested_loop(k: usize) -> String {
    format!(
        "noinline fn g{k}(n) {{
    var s = 0.0
    var c = {k}.0
    var i = 1
    while i <= n {{
        var x = float(i) * 0.5 + c
        if i % 3 == 0 {{ s = s + x * x }} else if i % 5 == 0 {{ s = s - x / float(i + 1) }} else {{ s = s + sqrt(x) }}
        var j = 0
        while j < 4 {{ s = s + float(j) * x; j = j + 1 }}
        i = i + 1
    }}
    s
}}
"
    )
}

fn main() {
    if std::env::var_os("LOOP").is_some() {
        beside_bare(
            "nested loop",
            OptLevel::None,
            ("n", "Int64"),
            &[Value::int(10)],
            "1.3",
            &nested_loop,
        );
        return;
    }
    for opt in [OptLevel::None, OptLevel::Speed] {
        let args = [Value::float(1.5), Value::int(2)];
        beside_bare(
            "small function",
            opt,
            ("x, y", "Float64, Int64"),
            &args,
            "at most 1.6",
            &small,
        );
        let args = [Value::int(10)];
        beside_bare(
            "nested loop",
            opt,
            ("n", "Int64"),
            &args,
            "at most 1.3",
            &nested_loop,
        );
    }
    for lines in [1_000, 10_000, 100_000] {
        large_file(lines);
    }
}

/// Inference, codegen and link of each variant, and the bare code generator on the same
/// functions: in batches that take turns, the median over batches of the time of one function.
fn beside_bare(
    what: &str,
    opt: OptLevel,
    (names, types): (&str, &str),
    args: &[Value],
    target: &str,
    text: &dyn Fn(usize) -> String,
) {
    let one_thread = SessionOptions {
        threads: 1,
        ..SessionOptions::default()
    };
    let session = Session::new(one_thread).expect("a host");
    // Each batch has one function that calls its others: one demand compiles them all.
    let mut program: String = (0..BATCHES * BATCH).map(text).collect();
    for batch in 0..BATCHES {
        let calls = (batch * BATCH..(batch + 1) * BATCH).map(|k| format!("g{k}({names})"));
        let sum = calls.collect::<Vec<_>>().join(" + ");
        let _ = writeln!(program, "fn all{batch}({names}) {{ {sum} }}");
    }
    session
        .define("pipeline.wir", &program, None)
        .expect("a program");
    let options = CallOptions {
        opt: Some(opt),
        ..CallOptions::default()
    };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for batch in 0..BATCHES {
        let start = Instant::now();
        session
            .prepare(&format!("all{batch}({types})"), opt)
            .expect("it compiles");
        ours.push(us(start.elapsed()) / BATCH as f64);
        let events = session.take_stages();
        let generated = events.iter().filter(|event| event.stage == Stage::Codegen);
        let instances: Vec<Mi> = generated.map(|event| event.mi).collect();
        assert_eq!(instances.len(), BATCH + 1, "each was generated once");
        let mut generator = session
            .bare_generator(&instances, opt)
            .expect("it compiles");
        // Ours has been running for a while; so has the other one, the second time.
        generator.compile().expect("it compiles");
        bare.push(us(generator.compile().expect("it compiles").0) / BATCH as f64);
        let report = session.value_of(&format!("all{batch}"), args, &options);
        assert!(report.expect("it runs").as_scalar().is_some());
    }
    let (ours, bare) = (median(ours), median(bare));
    figure(
        &format!("{what}, {opt}: parsed source to code"),
        ours,
        "us",
        "",
    );
    figure("  the bare code generator", bare, "us", "");
    figure("  ratio", ours / bare, "x", target);
}

/// A file of about so many lines, parsed, defined and inferred.
fn large_file(lines: usize) {
    let methods = lines / 10;
    let mut text = String::new();
    for ix in 0..methods {
        let _ = writeln!(
            text,
            "noinline fn f{ix}(x: Int64) {{\n    var y = x * {ix} + 7"
        );
        for step in 0..5 {
            let _ = writeln!(text, "    y = xor(y, y >> {}) + {ix}", step + 1);
        }
        let callees = [2 * ix + 1, 2 * ix + 2].map(|callee| match callee < methods {
            true => format!("f{callee}(y)"),
            false => "1".to_string(),
        });
        let _ = writeln!(
            text,
            "    if y > 0 {{ y = {} }}\n    y + {}\n}}",
            callees[0], callees[1]
        );
    }
    let session = Session::new(SessionOptions::default()).expect("a host");
    let start = Instant::now();
    session.define("large.wir", &text, None).expect("a program");
    let parsed = start.elapsed();
    let ty = session.infer("f0(Int64)", None).expect("it is inferred");
    let all = start.elapsed();
    assert_eq!(ty, "Int64");
    let speed = |time: std::time::Duration| text.len() as f64 / 1e6 / time.as_secs_f64();
    figure(
        &format!("{lines} lines: parse and define"),
        speed(parsed),
        "MB/s",
        "",
    );
    figure(
        &format!("{lines} lines: parse, define, infer"),
        speed(all),
        "MB/s",
        "above 1, linear",
    );
}
