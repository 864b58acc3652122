//! OpenCL: a launch beside the same calls through opencl3 alone, and the time to the first launch of
//! a new process, without and with what an earlier one has kept.
//!
//! `cargo bench -p worldage-benches --features opencl --bench opencl`
//!
//! PoCL keeps binaries of its own; that is turned off, so that what is measured is ours.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(unsafe_code, reason = "opencl3's own calls are unsafe")]

use opencl3::command_queue::CommandQueue;
use opencl3::context::Context;
use opencl3::device::{CL_DEVICE_TYPE_ALL, Device, get_all_devices};
use opencl3::kernel::Kernel;
use opencl3::memory::{Buffer, CL_MEM_COPY_HOST_PTR, CL_MEM_READ_WRITE, ClMem};
use opencl3::program::Program;
use opencl3::types::CL_NON_BLOCKING;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use worldage::store::{Options, Store};
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::wir::value::{ArrayRef, Elems};
use worldage::{CallOptions, EmitStage, Grid, OptLevel, Session, SessionOptions, Shard, Value};

const SAXPY: &str = include_str!("../../kernels/saxpy.wir");
const SIG: &str = "saxpy(Float32, Array{Float32}, Array{Float32})";
/// In a process of its own: the folder of what is kept.
const CHILD: &str = "WORLDAGE_BENCH_CHILD";
/// Of large arrays; of small ones more, since their times vary more.
const ROUNDS: usize = 101;
/// Rounds before those that are measured.
const WARM: usize = 5;

fn main() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let took = first_launch(Path::new(&folder));
        println!("{}", took.as_nanos());
        return;
    }
    let session = session(None);
    if let Err(error) = session.opencl_device() {
        println!("skipped: {error}");
        return;
    }
    println!("elements     ours us  opencl3 us   ratio   (medians; target 1.05)");
    for n in [1 << 10, 1 << 16, 1 << 20, 1 << 22] {
        beside_opencl3(&session, n);
    }
    let folder = std::env::temp_dir().join(format!("worldage-bench-{}", std::process::id()));
    let (first, second) = (child(&folder), child(&folder));
    let again = child(&folder).min(second);
    println!(
        "first launch of a process: {:.1} ms; of the next ones: {:.1} ms ({:.1} times as fast; target 10)",
        first.as_secs_f64() * 1e3,
        again.as_secs_f64() * 1e3,
        first.as_secs_f64() / again.as_secs_f64()
    );
    std::fs::remove_dir_all(&folder).expect("the folder was made by the children");
}

fn session(folder: Option<&Path>) -> Session {
    let store = folder.map(|folder| {
        let options = Options {
            folder: Some(folder.join("store")),
            ..Options::default()
        };
        Arc::new(Store::open(
            &options,
            Box::new(|warning| println!("{warning}")),
        ))
    });
    let session = Session::new(SessionOptions {
        store,
        ..SessionOptions::default()
    });
    let session = session.expect("a host");
    let defined = session.define("saxpy.wir", SAXPY, None);
    defined.expect("the kernel is right");
    session
}

fn args(session: &Session, n: usize) -> Vec<Value> {
    let u = session.universe();
    let elem = u.scalar_ty(Scalar::F32);
    let array = |x: f32| {
        let mut elems = Elems::scalars(Scalar::F32, n).expect("memory");
        for ix in 0..n {
            elems.set(ix, Value::Scalar(ScalarValue::F32(x)));
        }
        let ty = u.array_ty(elem).expect("an array type");
        Value::Array(ArrayRef::new(ty, elem, elems))
    };
    vec![Value::Scalar(ScalarValue::F32(2.0)), array(3.0), array(1.0)]
}

fn grid(n: usize) -> Grid {
    let items = u32::try_from(n).expect("a grid");
    Grid {
        global: [items, 1, 1],
        local: [64, 1, 1],
    }
}

fn launch(session: &Session, args: &[Value], n: usize) {
    let options = CallOptions::default();
    let report = session.launch_on(Shard::OpenCl, "saxpy", args.to_vec(), grid(n), &options);
    let Ok(Value::Tuple(after)) = report.result else {
        panic!("the launch gives its arguments");
    };
    let Value::Array(y) = &after.parts()[2] else {
        panic!("y is an array");
    };
    let last = y.elems().get(n - 1).and_then(|y| y.as_scalar());
    assert_eq!(last, Some(ScalarValue::F32(7.0)));
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Rounds of both in turn, so that a busy machine disturbs both.
fn beside_opencl3(session: &Session, n: usize) {
    let args = args(session, n);
    let bytes = |x: f32| x.to_le_bytes().repeat(n);
    let arrays = (bytes(3.0), bytes(1.0));
    let alone = Alone::new(session);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let rounds = ROUNDS.max((ROUNDS << 15) / n);
    for round in 0..WARM + rounds {
        let begun = Instant::now();
        launch(session, &args, n);
        let own = begun.elapsed();
        let begun = Instant::now();
        alone.launch(&arrays, n);
        let other = begun.elapsed();
        if round >= WARM {
            ours.push(own);
            theirs.push(other);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("{n:>8} {ours:>11.1} {theirs:>11.1} {:>7.2}", ours / theirs);
}

/// The same kernel through opencl3 alone.
struct Alone {
    context: Context,
    queue: CommandQueue,
    kernel: Kernel,
    errors: Buffer<u8>,
}

impl Alone {
    fn new(session: &Session) -> Alone {
        let text = session.emit(SIG, EmitStage::OpenCl, OptLevel::Speed);
        let text = text.expect("OpenCL C");
        let devices = get_all_devices(CL_DEVICE_TYPE_ALL).expect("a device");
        let context = Context::from_device(&Device::new(devices[0])).expect("a context");
        let queue = CommandQueue::create_default(&context, 0).expect("a queue");
        let options = "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt";
        let program = Program::create_and_build_from_source(&context, &text, options);
        let program = program.expect("the text is right");
        let kernel = Kernel::create(&program, program.kernel_names());
        let kernel = kernel.expect("one kernel");
        let flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR;
        let mut zero = [0u8; 104];
        // SAFETY: the bytes are copied by this call.
        let errors = unsafe { Buffer::create(&context, flags, 104, zero.as_mut_ptr().cast()) };
        Alone {
            context,
            queue,
            kernel,
            errors: errors.expect("memory"),
        }
    }

    fn buffer(&self, bytes: &[u8]) -> Buffer<u8> {
        let flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR;
        let host = bytes.as_ptr().cast_mut().cast();
        // SAFETY: the bytes are copied by this call, and nothing is written there.
        let made = unsafe { Buffer::create(&self.context, flags, bytes.len(), host) };
        made.expect("memory")
    }

    /// What one writes who knows the kernel: the error words stay on the device, only `y` and they
    /// are read, into new memory as ours is, and it waits once.
    fn launch(&self, (xs, ys): &(Vec<u8>, Vec<u8>), n: usize) {
        let (x, y) = (self.buffer(xs), self.buffer(ys));
        let mut words = [0u8; 104];
        let mut after = vec![0u8; ys.len()];
        let length = i64::try_from(n).expect("a length");
        let sizes = ([n, 1, 1], [64usize, 1, 1]);
        // SAFETY: the arguments are those of the kernel's parameters, in order; the buffers and
        // what they are read into live until everything has ended.
        unsafe {
            let kernel = &self.kernel;
            kernel.set_arg(0, &2f32).expect("a");
            kernel.set_arg(1, &x.get()).expect("x");
            kernel.set_arg(2, &length).expect("its length");
            kernel.set_arg(3, &y.get()).expect("y");
            kernel.set_arg(4, &length).expect("its length");
            kernel
                .set_arg(5, &self.errors.get())
                .expect("the error words");
            let (global, local) = (sizes.0.as_ptr(), sizes.1.as_ptr());
            let queue = &self.queue;
            let event =
                queue.enqueue_nd_range_kernel(kernel.get(), 3, ptr::null(), global, local, &[]);
            drop(event.expect("a launch"));
            for (buffer, bytes) in [(&y, &mut after[..]), (&self.errors, &mut words[..])] {
                let read = queue.enqueue_read_buffer(buffer, CL_NON_BLOCKING, 0, bytes, &[]);
                drop(read.expect("a copy"));
            }
            queue.finish().expect("the end");
        }
        assert_eq!(&after[..4], 7f32.to_le_bytes());
    }
}

/// From a new session to the end of its first launch.
fn first_launch(folder: &Path) -> Duration {
    let begun = Instant::now();
    let session = session(Some(folder));
    let args = args(&session, 64);
    launch(&session, &args, 64);
    begun.elapsed()
}

/// A first launch in a new process.
fn child(folder: &Path) -> Duration {
    let exe = std::env::current_exe().expect("this bench");
    let output = Command::new(exe)
        .env(CHILD, folder)
        .env("POCL_KERNEL_CACHE", "0")
        .output();
    let output = output.expect("a process");
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    Duration::from_nanos(text.parse().unwrap_or_else(|_| panic!("{output:?}")))
}
