//! Files of OpenCL C: their references, and what the store keeps of them.
#![expect(
    unsafe_code,
    reason = "foreign kernels promise by themselves to stay in bounds"
)]

use super::launch::{Engine, Launch, session};
use std::path::Path;
use std::sync::Arc;
use worldage::opencl::foreign::{File, Sources};
use worldage::store::layer::Layer;
use worldage::store::local::Local;
use worldage::store::{Kind, Options, Store};
use worldage::{Grid, Schedule, Session, SessionOptions, Shard, keys_of};

/// A check by its name.
pub(crate) type Check = (&'static str, fn() -> Result<(), String>);

/// What needs a device.
pub(crate) const CHECKS: &[Check] = &[
    ("a program is reloaded", reloaded),
    ("what was edited is another program", edited),
    ("a damaged binary is made again", damaged),
    (
        "a binary of another driver is made again",
        of_another_driver,
    ),
    ("kernels of Wir are kept too", of_wir),
];

/// Runs a launch of `kernels/reference` and compares with what is expected.
pub(crate) fn check(launch: &Launch) -> Result<(), String> {
    let session = session();
    let path = Path::new("kernels").join(&launch.file);
    let sources = Sources::read(&path).map_err(|error| error.to_string())?;
    let program = session.build_foreign(&sources, "");
    let program = program.map_err(|error| error.to_string())?;
    let grid: Grid = launch.size().grid(&Schedule::default())?;
    let args = launch.args(session.universe());
    // SAFETY: the references are within the sizes that they pass.
    let launched = unsafe { session.launch_foreign(&program, &launch.kernel, &args, grid) };
    let launched = launched.map_err(|error| error.to_string())?;
    launch.compare_expected(Engine::OpenCl, &launched.args)
}

fn local(folder: &Path) -> Options {
    Options {
        folder: Some(folder.to_path_buf()),
        ..Options::default()
    }
}

fn with_store(options: &Options) -> Session {
    // A damaged artifact is told; here it is made on purpose.
    let store = Arc::new(Store::open(options, Box::new(|_| {})));
    let options = SessionOptions {
        store: Some(store),
        ..SessionOptions::default()
    };
    Session::new(options).expect("this host has a code generator")
}

/// Whether a session with this store builds a program, and in what it differs from the last one.
fn builds(folder: &Path, sources: &Sources, options: &str) -> Result<(bool, String), String> {
    builds_in(local(folder), sources, options)
}

fn builds_in(store: Options, sources: &Sources, options: &str) -> Result<(bool, String), String> {
    let session = with_store(&store);
    let program = session.build_foreign(sources, options);
    let program = program.map_err(|error| error.to_string())?;
    let because = program.because().unwrap_or_default().to_string();
    Ok((!program.built().from_cache, because))
}

fn blur() -> Sources {
    Sources::shipped("blur.cl").expect("it is shipped")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn expect<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found:?}, and {expected:?} is expected")),
    }
}

const NOTHING: &str = "";

fn reloaded() -> Result<(), String> {
    let folder = folder();
    expect(builds(folder.path(), &blur(), "")?, (true, NOTHING.into()))?;
    expect(builds(folder.path(), &blur(), "")?, (false, NOTHING.into()))?;
    // The store tells what it is.
    let local = Local::open_read_only(folder.path(), None).map_err(|error| error.to_string())?;
    let mut shown = Vec::new();
    let each = local.each(&mut |artifact| {
        if artifact.kind == Kind::Keys {
            let keys = keys_of(&artifact.payload);
            shown.extend(
                keys.iter()
                    .flat_map(|key| key.parts().map(|part| part.to_string()).collect::<Vec<_>>()),
            );
        }
        Ok(())
    });
    each.map_err(|error| error.to_string())?;
    let has = |text: &str| shown.iter().any(|line| line.contains(text));
    expect(
        (has("blur.cl"), has("-cl-std=CL1.2"), has("driver")),
        (true, true, true),
    )
}

fn edited() -> Result<(), String> {
    let folder = folder();
    let main = blur().files()[0].clone();
    let plane = File::new("plane.h", "#define AT(x, y, width) ((width) * (y) + (x))\n");
    let other = Sources::new(main, &[plane]).map_err(|error| error.to_string())?;
    expect(builds(folder.path(), &blur(), "")?, (true, NOTHING.into()))?;
    expect(builds(folder.path(), &other, "")?, (true, "source".into()))?;
    expect(
        builds(folder.path(), &other, "-DFAST=1")?,
        (true, "options".into()),
    )?;
    // Earlier ones are still there.
    expect(builds(folder.path(), &blur(), "")?, (false, NOTHING.into()))
}

/// Cuts every file of a folder in half.
fn truncate(folder: &Path) -> std::io::Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            count += truncate(&path)?;
            continue;
        }
        let bytes = std::fs::read(&path)?;
        std::fs::write(&path, &bytes[..bytes.len() / 2])?;
        count += 1;
    }
    Ok(count)
}

fn damaged() -> Result<(), String> {
    let folder = folder();
    // Plain files, which anything may happen to.
    let builds = || {
        let options = Options {
            shared: Some(folder.path().to_path_buf()),
            ..Options::default()
        };
        builds_in(options, &blur(), "")
    };
    expect(builds()?, (true, NOTHING.into()))?;
    expect(builds()?, (false, NOTHING.into()))?;
    let cut = truncate(folder.path()).map_err(|error| error.to_string())?;
    expect(cut >= 2, true)?;
    expect(builds()?.0, true)?;
    expect(builds()?.0, false)
}

fn of_another_driver() -> Result<(), String> {
    let folder = folder();
    expect(builds(folder.path(), &blur(), "")?, (true, NOTHING.into()))?;
    // Whole, of the right name, and nothing that the driver knows.
    let session = with_store(&local(folder.path()));
    let key = session
        .foreign_key(&blur(), "")
        .map_err(|error| error.to_string())?;
    let store = session.store().expect("it has one");
    let mut origin = None;
    for layer in store.layers() {
        let found = layer.get(Kind::Code, &key.fingerprint());
        origin = found
            .map_err(|error| error.to_string())?
            .map(|found| found.origin);
    }
    let why = worldage::store::Reject::Payload("it is replaced".to_string());
    store.reject(Kind::Code, &key.fingerprint(), &why);
    store.put(worldage::store::Artifact {
        name: key.fingerprint(),
        kind: Kind::Code,
        origin: origin.ok_or("the binary is not in the store")?,
        payload: b"a binary of another driver".to_vec().into(),
    });
    store.flush();
    drop(session);
    expect(builds(folder.path(), &blur(), "")?.0, true)?;
    expect(builds(folder.path(), &blur(), "")?.0, false)
}

fn of_wir() -> Result<(), String> {
    let folder = folder();
    let built = || {
        let session = with_store(&local(folder.path()));
        let text = "kernel fn k(xs: Array{Int64}) { xs[global_id(0)] = 1 }";
        session
            .define("k.wir", text, None)
            .map_err(|_| "it is right".to_string())?;
        let check = session.check_kernel("k(Array{Int64})", Shard::OpenCl);
        check.map_err(|failure| format!("{:?}", failure.diagnostics))
    };
    let is_built = |check| matches!(check, worldage::DeviceCheck::Built(_));
    expect(is_built(built()?), true)?;
    expect(is_built(built()?), false)?;
    Ok(())
}
