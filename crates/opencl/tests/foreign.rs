//! Files of OpenCL C as foreign IR: built for the device that is there, kept, reloaded.
//!
//! Without a device each test says so and passes.
#![expect(
    unsafe_code,
    clippy::print_stderr,
    reason = "foreign kernels promise by themselves to stay in bounds; what is skipped is said"
)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use worldage_opencl::cache::{BinaryCache, Recipe};
use worldage_opencl::foreign::{self, File, Foreign, Sources, messages, shipped_programs};
use worldage_opencl::{Device, Error, Grid};
use worldage_wir::prim::{Scalar, ScalarValue};
use worldage_wir::universe::Universe;
use worldage_wir::value::{ArrayRef, Elems, Value};

fn blur() -> Sources {
    Sources::shipped("blur.cl").expect("it is shipped")
}

fn build(device: &Arc<Device>, sources: &Sources, cache: Option<&Memory>) -> Foreign {
    built(device, sources, "", cache).unwrap()
}

fn built(
    device: &Arc<Device>,
    sources: &Sources,
    own: &str,
    cache: Option<&Memory>,
) -> Result<Foreign, Error> {
    let options = foreign::options(device, own)?;
    let cache = cache.map(|cache| cache as &dyn BinaryCache);
    Foreign::build(device, sources, &options, cache)
}

fn device() -> Option<Arc<Device>> {
    match Device::open(None) {
        Ok(device) => Some(device),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A cache in memory.
#[derive(Default)]
struct Memory {
    kept: Mutex<HashMap<String, Vec<u8>>>,
}

fn key(recipe: &Recipe<'_>) -> String {
    format!("{recipe:?}")
}

impl Memory {
    fn len(&self) -> usize {
        self.kept.lock().unwrap().len()
    }
}

impl BinaryCache for Memory {
    fn get(&self, recipe: &Recipe<'_>) -> Option<Vec<u8>> {
        self.kept.lock().unwrap().get(&key(recipe)).cloned()
    }

    fn put(&self, recipe: &Recipe<'_>, binary: &[u8]) {
        let binary = binary.to_vec();
        self.kept.lock().unwrap().insert(key(recipe), binary);
    }

    fn refuse(&self, recipe: &Recipe<'_>, _why: &str) {
        self.kept.lock().unwrap().remove(&key(recipe));
    }
}

fn floats(u: &Universe, xs: &[f32]) -> Value {
    let elem = u.scalar_ty(Scalar::F32);
    let ty = u.array_ty(elem).unwrap();
    Value::Array(ArrayRef::new(ty, elem, Elems::F32(xs.to_vec())))
}

fn blurred(foreign: &Foreign) -> Vec<f32> {
    let u = Universe::new();
    let from: Vec<f32> = (0..20u8).map(f32::from).collect();
    let int = |x: i32| Value::Scalar(ScalarValue::I32(x));
    let args = [floats(&u, &from), floats(&u, &[0.0; 20]), int(5), int(4)];
    let grid = Grid {
        global: [8, 4, 1],
        local: [4, 4, 1],
    };
    // SAFETY: the kernel checks its points against width and height, which are the arrays' own.
    let launched = unsafe { foreign.launch("blur", &u, &args, grid) }.unwrap();
    // What the kernel only reads is not copied back.
    let (Value::Array(from), Value::Array(same)) = (&args[0], &launched.args[0]) else {
        panic!("an array stays one")
    };
    assert!(from.is(same));
    let Value::Array(to) = &launched.args[1] else {
        panic!("an array stays one")
    };
    match &*to.elems() {
        Elems::F32(xs) => xs.clone(),
        other => panic!("floats stay floats: {other:?}"),
    }
}

#[test]
fn runs_and_is_reloaded() {
    let Some(device) = device() else { return };
    let cache = Memory::default();
    let first = build(&device, &blur(), Some(&cache));
    let names: Vec<String> = first.kernels().map(ToString::to_string).collect();
    let expected = "blur(__global const float* from, __global float* to, int width, int height)";
    assert_eq!(names, [expected]);
    assert!(!first.built().from_cache);
    let expected: Vec<f32> = (0..20u8).map(f32::from).collect();
    // The mean of a plane that rises evenly is its middle.
    assert_eq!(blurred(&first), expected);
    let again = build(&device, &blur(), Some(&cache));
    assert!(again.built().from_cache);
    assert_eq!(blurred(&again), expected);
    assert_eq!(cache.len(), 1);
    assert!(!build(&device, &blur(), None).built().from_cache);
}

#[test]
fn what_is_shipped_builds() {
    let Some(device) = device() else { return };
    for name in shipped_programs() {
        let sources = Sources::shipped(name).expect("it is shipped");
        assert!(
            build(&device, &sources, None).kernels().count() > 0,
            "{name}"
        );
    }
}

#[test]
fn what_is_included_and_the_options_are_in_the_key() {
    let Some(device) = device() else { return };
    let cache = Memory::default();
    let plane = "#define AT(x, y, width) ((width) * (y) + (x))\n";
    let main = blur().files()[0].clone();
    let other = Sources::new(main, &[File::new("plane.h", plane)]).unwrap();
    for (sources, options) in [
        (&blur(), ""),
        (&other, ""),
        (&blur(), "-DFAST=1"),
        (&blur(), ""),
    ] {
        built(&device, sources, options, Some(&cache)).unwrap();
    }
    assert_eq!(cache.len(), 3);
}

#[test]
fn a_binary_that_the_driver_refuses_is_made_again() {
    let Some(device) = device() else { return };
    let cache = Memory::default();
    build(&device, &blur(), Some(&cache));
    for binary in cache.kept.lock().unwrap().values_mut() {
        *binary = b"the binary of another driver, whole and foreign".to_vec();
    }
    assert!(!build(&device, &blur(), Some(&cache)).built().from_cache);
    assert!(build(&device, &blur(), Some(&cache)).built().from_cache);
}

#[test]
fn a_folder_of_includes_is_refused() {
    let Some(device) = device() else { return };
    let error = built(&device, &blur(), "-DA -I/usr/include", None).unwrap_err();
    assert!(error.to_string().starts_with("-I is not taken"), "{error}");
}

#[test]
fn a_wrong_text_is_an_error_with_its_position() {
    let Some(device) = device() else { return };
    let text =
        "#include \"plane.h\"\n__kernel void f(__global int *x)\n{\n    x[0] = nothing;\n}\n";
    let plane = File::new("plane.h", "int at(int x);\n\n");
    let wrong = Sources::new(File::new("wrong.cl", text), &[plane]).unwrap();
    let error = built(&device, &wrong, "", None).unwrap_err();
    let Error::Build { name, log } = &error else {
        panic!("{error}")
    };
    assert_eq!(name, "wrong.cl");
    let first = &messages(log)[0];
    assert_eq!((&*first.file, first.line, first.col), ("wrong.cl", 4, 12));
    assert!(first.text.contains("nothing"), "{log}");
    assert!(error.is_deterministic());
}

#[test]
fn wrong_arguments_are_errors() {
    let Some(device) = device() else { return };
    let u = Universe::new();
    let foreign = build(&device, &blur(), None);
    let results = RefCell::new(Vec::new());
    let launch = |kernel: &str, args: &[Value], global: u32| {
        let grid = Grid {
            global: [global, 1, 1],
            local: [4, 1, 1],
        };
        // SAFETY: none of these launches begins.
        let result = unsafe { foreign.launch(kernel, &u, args, grid) };
        results.borrow_mut().push(result.unwrap_err().to_string());
    };
    let xs = floats(&u, &[0.0; 4]);
    let int = Value::Scalar(ScalarValue::I32(2));
    launch("unknown", &[], 4);
    launch("blur", std::slice::from_ref(&xs), 4);
    launch(
        "blur",
        &[xs.clone(), Value::str("a"), int.clone(), int.clone()],
        4,
    );
    launch(
        "blur",
        &[xs.clone(), xs.clone(), xs.clone(), int.clone()],
        4,
    );
    launch("blur", &[xs.clone(), xs.clone(), Value::int(1), int], 4);
    launch("blur", &[], 6);
    let expected = [
        "there is no kernel `unknown`; there are: blur",
        "the kernel has 4 parameters, and 1 arguments were given",
        "foreign kernels take numbers and arrays",
        "argument 3 is for `int width`: Array{Float32} does not fit",
        "argument 3 is for `int width`: it takes Int32, and Int64 was given",
        "the local size 4 does not divide the global size 6 of dimension 0",
    ];
    assert_eq!(results.into_inner(), expected);
}

#[test]
fn groups_of_another_size_than_the_kernel_asks_for_are_an_error() {
    let Some(device) = device() else { return };
    let u = Universe::new();
    let filter = build(&device, &Sources::shipped("filter.cl").unwrap(), None);
    let xs = floats(&u, &[0.0; 64]);
    let int = Value::Scalar(ScalarValue::I32(8));
    let grid = Grid {
        global: [8, 8, 1],
        local: [4, 4, 1],
    };
    // SAFETY: the launch does not begin.
    let launched =
        unsafe { filter.launch("transpose", &u, &[xs.clone(), xs, int.clone(), int], grid) };
    let error = launched.unwrap_err();
    assert!(matches!(error, Error::Arguments(_)), "{error:?}");
    assert!(
        error.to_string().ends_with("its groups are of [8, 8, 1]"),
        "{error}"
    );
}
