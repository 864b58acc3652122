//! Launches on CUDA devices, with a driver that has none: what is kept in the store, what a kernel
//! is given, what comes back. On a real device `kernels` runs everything.

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use worldage::cuda::Device;
use worldage::cuda::driver::Properties;
use worldage::cuda::twin::{Run, Twin};
use worldage::store::memory::Memory;
use worldage::store::{Artifact, Kind, Store};
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::wir::value::{ArrayRef, Elems};
use worldage::{
    CallOptions, Grid, LaunchSize, OptLevel, Session, SessionOptions, Shard, TunedReport, Value,
};

fn main() -> ExitCode {
    type Check = fn() -> Result<(), String>;
    let checks: &[(&str, Check)] = &[
        ("arguments go there and come back", arguments),
        ("device code is kept under device and driver", kept),
        ("what is no device code never reaches the driver", damaged),
        ("a work-item that fails is an error with its place", faults),
        ("schedules are measured by the device's clock", schedules),
        ("what does not fit is an error", misfits),
    ];
    let trials = checks.iter().map(|(name, check)| {
        let check = *check;
        Trial::test(*name, move || check().map_err(Failed::from))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// `x + k` is written by the twin: what the kernel says in PTX is not run.
const PROGRAM: &str = "
kernel fn add(xs: Array{Int64}, k: Int64, on: Bool) {
    tune(n, [1, 2])
    if on { xs[global_id(0)] = xs[global_id(0)] + div(k * n, n) }
}";

/// Adds `k` to every element; writes the error words if it is negative.
fn add() -> Run {
    Box::new(|launched, memory| {
        let [xs, length, k, on, errors] = launched.args[..] else {
            panic!("five parameters, and {:?} were given", launched.args);
        };
        let k = k.cast_signed();
        if k < 0 {
            // The first site, without calls; index 7 of a length of 3.
            let words = memory.get_mut(&errors).expect("the error words");
            for (at, word) in [(0, 1u32), (2, 7), (4, 3)] {
                words[at * 4..at * 4 + 4].copy_from_slice(&word.to_le_bytes());
            }
            return Ok(());
        }
        assert_eq!(memory[&errors].iter().max(), Some(&0), "zero before");
        let bytes = memory.get_mut(&xs).expect("the array");
        assert_eq!((bytes.len() as u64, on), (length * 8, 1));
        for word in bytes.chunks_exact_mut(8) {
            let x = i64::from_le_bytes((&*word).try_into().expect("eight bytes"));
            word.copy_from_slice(&(x + k).to_le_bytes());
        }
        Ok(())
    })
}

fn session(twin: &Arc<Twin>, store: Option<&Arc<Store>>) -> Session {
    let options = SessionOptions {
        store: store.cloned(),
        ..SessionOptions::default()
    };
    let session = Session::new(options).expect("this host has a code generator");
    let device = Device::open_on(twin.clone(), 0).expect("the twin has a device");
    session.set_cuda_device(device);
    let defined = session.define("add.wir", PROGRAM, None);
    defined.expect("the program is right");
    session
}

fn args(session: &Session, numbers: &[i64], k: i64) -> Vec<Value> {
    let u = session.universe();
    let mut elems = Elems::scalars(Scalar::I64, numbers.len()).expect("a little memory");
    for (ix, x) in numbers.iter().enumerate() {
        elems.set(ix, Value::Scalar(ScalarValue::I64(*x)));
    }
    let elem = u.scalar_ty(Scalar::I64);
    let xs = ArrayRef::new(u.array_ty(elem).expect("an array type"), elem, elems);
    vec![Value::Array(xs), Value::int(k), Value::bool(true)]
}

const GRID: Grid = Grid {
    global: [3, 1, 1],
    local: [3, 1, 1],
};

fn shard(session: &Session) -> Shard {
    session.cuda_shard(OptLevel::Speed).expect("a device")
}

fn launch(session: &Session, k: i64) -> TunedReport {
    let (args, size) = (args(session, &[1, 2, 3], k), LaunchSize::from(GRID));
    let (schedule, options) = (Default::default(), CallOptions::default());
    session.launch_in(shard(session), "add", args, &size, &schedule, &options)
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found:?}, and {expected:?} is right")),
    }
}

/// How often the driver compiled and loaded.
fn built(twin: &Twin) -> (usize, usize) {
    let calls = twin.take_calls();
    let count = |name: &str| calls.iter().filter(|call| *call == name).count();
    (count("link"), count("load"))
}

fn arguments() -> Result<(), String> {
    let twin = Arc::new(Twin::hopper(add()));
    let session = session(&twin, None);
    same(
        shard(&session).to_string(),
        "ptx:sm_90 opt:speed".to_string(),
    )?;
    let report = launch(&session, 5).report;
    same(report.shown(&session), "([6, 7, 8], 5, true)".to_string())?;
    // What was loaded is launched again.
    twin.take_calls();
    let report = launch(&session, 6).report;
    same(report.shown(&session), "([7, 8, 9], 6, true)".to_string())?;
    same(built(&twin), (0, 0))?;
    drop(session);
    same(twin.held(), 0)
}

fn kept() -> Result<(), String> {
    let store = Arc::new(Store::with_layers(
        vec![Box::new(Memory::default())],
        Box::new(|_| {}),
    ));
    let run = |twin: &Arc<Twin>| {
        let session = session(twin, Some(&store));
        let shown = launch(&session, 5).report.shown(&session);
        store.flush();
        same(shown, "([6, 7, 8], 5, true)".to_string())
    };
    let twin = Arc::new(Twin::hopper(add()));
    run(&twin)?;
    // Loaded once to learn its bounds, and once to launch it.
    same(built(&twin), (1, 2))?;
    run(&twin)?;
    same(built(&twin), (0, 1))?;
    let other = |version, name: &str| {
        let properties = Properties {
            name: name.to_string(),
            capability: (9, 0),
            group_size: 1024,
        };
        Arc::new(Twin::new(version, properties, add()))
    };
    for twin in [other(12_090, "twin"), other(12_080, "another")] {
        run(&twin)?;
        same(built(&twin), (1, 2))?;
    }
    Ok(())
}

fn damaged() -> Result<(), String> {
    let store = Arc::new(Store::with_layers(
        vec![Box::new(Memory::default())],
        Box::new(|_| {}),
    ));
    let twin = Arc::new(Twin::hopper(add()));
    let one = session(&twin, Some(&store));
    launch(&one, 5);
    drop(one);
    store.flush();
    // Well-formed artifacts whose payload is no device code: a checksum does not tell.
    let mut found = Vec::new();
    for layer in store.layers() {
        let each = layer.each(&mut |artifact: &Artifact| {
            if artifact.kind == Kind::Code && artifact.origin.producer.starts_with("CUDA") {
                found.push(artifact.clone());
            }
            Ok(())
        });
        each.map_err(|error| error.to_string())?;
    }
    let [cubin] = &mut found[..] else {
        return Err(format!("{} artifacts", found.len()));
    };
    for payload in [&b""[..], b"wacubi01", &cubin.payload[..40]] {
        let other = Store::with_layers(vec![Box::new(Memory::default())], Box::new(|_| {}));
        let other = Arc::new(other);
        other.put(Artifact {
            payload: payload.to_vec().into(),
            ..cubin.clone()
        });
        other.flush();
        twin.take_calls();
        let session = session(&twin, Some(&other));
        let shown = launch(&session, 5).report.shown(&session);
        same(shown, "([6, 7, 8], 5, true)".to_string())?;
        same(built(&twin), (1, 2))?;
    }
    Ok(())
}

fn faults() -> Result<(), String> {
    let twin = Arc::new(Twin::hopper(add()));
    let session = session(&twin, None);
    let failure = launch(&session, -1).report.result;
    let failure = failure.err().ok_or("the launch gave a value")?;
    let message = "index 7 is out of bounds for length 3".to_string();
    same(failure.diagnostic.message.clone(), message)?;
    let at = failure
        .diagnostic
        .place
        .map(|place| session.line_col(place));
    same(at.map(|at| at.line), Some(4))
}

fn schedules() -> Result<(), String> {
    let twin = Arc::new(Twin::hopper(add()));
    let session = session(&twin, None);
    let (args, size) = (args(&session, &[1, 2, 3], 5), LaunchSize::from(GRID));
    let (at, options) = (shard(&session), CallOptions::default());
    let tuned = session.launch_tuned(at, "add", args, &size, &options);
    same(
        tuned.report.shown(&session),
        "([6, 7, 8], 5, true)".to_string(),
    )?;
    // Two schedules, built apart.
    same(built(&twin), (2, 4))?;
    same(tuned.took.as_micros(), 10)
}

fn misfits() -> Result<(), String> {
    let twin = Arc::new(Twin::hopper(add()));
    let session = session(&twin, None);
    let shown = |global, local, k: Vec<Value>| {
        let (at, options) = (shard(&session), CallOptions::default());
        let grid = Grid { global, local };
        let report = session.launch_on(at, "add", k, grid, &options);
        report.shown(&session)
    };
    let right = || args(&session, &[1, 2, 3], 5);
    let invalid = || "error: invalid-argument".to_string();
    same(shown([3, 1, 1], [2, 1, 1], right()), invalid())?;
    same(shown([1, 65_536, 1], [1, 1, 1], right()), invalid())?;
    same(shown([2048, 1, 1], [2048, 1, 1], right()), invalid())?;
    let none = shown([3, 1, 1], [3, 1, 1], vec![Value::int(1)]);
    same(
        none,
        "error: no-matching-method: add(Int64) in world 1".to_string(),
    )
}
