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
use worldage_opencl::cache::{BinaryCache, Folder, Key};
use worldage_opencl::foreign::{File, Foreign, expand};
use worldage_opencl::{Device, Error, Grid};
use worldage_wir::prim::{Scalar, ScalarValue};
use worldage_wir::universe::Universe;
use worldage_wir::value::{ArrayRef, Elems, Value};

const BLUR: File<'static> = File {
    name: "blur.cl",
    text: include_str!("../../../kernels/blur.cl"),
};
const PLANE: File<'static> = File {
    name: "plane.h",
    text: include_str!("../../../kernels/plane.h"),
};

fn device() -> Option<Arc<Device>> {
    match Device::open(None) {
        Ok(device) => Some(device),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A cache in memory that counts what it was asked.
#[derive(Default)]
struct Memory {
    kept: Mutex<HashMap<Key, Vec<u8>>>,
}

impl Memory {
    fn len(&self) -> usize {
        self.kept.lock().unwrap().len()
    }
}

impl BinaryCache for Memory {
    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        self.kept.lock().unwrap().get(key).cloned()
    }

    fn put(&self, key: &Key, binary: &[u8]) {
        self.kept.lock().unwrap().insert(*key, binary.to_vec());
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
    let after = unsafe { foreign.launch("blur", &u, &args, grid) }.unwrap();
    let Value::Array(to) = &after[1] else {
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
    let build = |main, cache| Foreign::build(&device, main, &[PLANE], "", cache).unwrap();
    let first = build(BLUR, Some(&cache as &dyn BinaryCache));
    assert_eq!(first.kernels(), ["blur"]);
    assert!(!first.built().from_cache);
    let expected: Vec<f32> = (0..20u8).map(f32::from).collect();
    // The mean of a plane that rises evenly is its middle.
    assert_eq!(blurred(&first), expected);
    let again = build(BLUR, Some(&cache));
    assert!(again.built().from_cache);
    assert_eq!(blurred(&again), expected);
    assert_eq!(cache.len(), 1);
    assert!(!build(BLUR, None).built().from_cache);
}

#[test]
fn what_is_included_and_the_options_are_in_the_key() {
    let Some(device) = device() else { return };
    let cache = Memory::default();
    let other = File {
        name: "plane.h",
        text: "#define AT(x, y, width) ((width) * (y) + (x))\n",
    };
    for (include, options) in [(PLANE, ""), (other, ""), (PLANE, "-DFAST=1"), (PLANE, "")] {
        Foreign::build(&device, BLUR, &[include], options, Some(&cache)).unwrap();
    }
    assert_eq!(cache.len(), 3);
}

#[test]
fn a_damaged_binary_is_made_again() {
    let Some(device) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = Folder::new(folder.path());
    let build = || Foreign::build(&device, BLUR, &[PLANE], "", Some(&cache)).unwrap();
    assert!(!build().built().from_cache);
    assert!(build().built().from_cache);
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap();
    let path = file.unwrap().path();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(!build().built().from_cache);
    assert!(build().built().from_cache);
}

#[test]
fn a_wrong_text_is_an_error_with_its_position() {
    let Some(device) = device() else { return };
    let wrong = File {
        name: "wrong.cl",
        text: "#include \"plane.h\"\n__kernel void f(__global int *x)\n{\n    x[0] = nothing;\n}\n",
    };
    let error = Foreign::build(&device, wrong, &[PLANE], "", None).unwrap_err();
    let Error::Build { name, log } = &error else {
        panic!("{error}")
    };
    assert_eq!(name, "wrong.cl");
    assert!(log.contains("wrong.cl:4:12"), "{log}");
    assert!(error.is_deterministic());
}

#[test]
fn wrong_arguments_are_errors() {
    let Some(device) = device() else { return };
    let u = Universe::new();
    let foreign = Foreign::build(&device, BLUR, &[PLANE], "", None).unwrap();
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
    launch("unknown", &[], 4);
    launch("blur", std::slice::from_ref(&xs), 4);
    launch("blur", &[Value::str("a")], 4);
    launch(
        "blur",
        &[xs.clone(), xs.clone(), xs.clone(), xs, Value::int(1)],
        4,
    );
    launch("blur", &[], 6);
    let results = results.into_inner();
    assert_eq!(results.len(), 5);
    assert!(results[0].contains("clCreateKernel"), "{results:?}");
    assert_eq!(
        results[1],
        "the kernel has 4 parameters, and 1 arguments were given"
    );
    assert_eq!(results[2], "foreign kernels take numbers and arrays");
    assert!(results[3].contains("clSetKernelArg"), "{results:?}");
    assert!(results[4].contains("does not divide"), "{results:?}");
}

#[test]
fn a_file_that_includes_itself_is_an_error() {
    let a = File {
        name: "a.h",
        text: "#include \"b.h\"\n",
    };
    let b = File {
        name: "b.h",
        text: "#include \"a.h\"\n",
    };
    let error = expand(a, &[a, b]).unwrap_err();
    assert_eq!(error.to_string(), "`a.h` includes `b.h` includes `a.h`");
}
