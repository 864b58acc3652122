//! Tuning: what is measured once is known, in the session and beyond it, until the code changes.

use super::launch::array;
use std::sync::Arc;
use worldage::store::memory::Memory;
use worldage::store::{Kind, Store};
use worldage::wir::prim::{Scalar, ScalarValue};
use worldage::{
    CallOptions, Chosen, DispatchTable, Extent, LaunchSize, Session, SessionOptions, Shard, Stage,
    TunedReport, Value,
};

pub(crate) type Check = fn(Shard) -> Result<(), String>;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("each size is measured once", measured_once),
    ("tables outlive the session", outlive),
    ("a redefinition is measured again", redefinition),
    ("what does not fit is left out", left_out),
    ("an error of the program is one", program_fails),
    ("schedules are shards", shards),
];

/// Adds to each element; `step` is another method.
const PROGRAM: &str = "
fn step(x) { x + 1 }
kernel fn add(xs: Array{Int64}) {
    tune(block, [2, 4, 64])
    var own = shared(Int64, block)
    var i = global_id(0)
    own[local_id(0)] = step(xs[i])
    xs[i] = own[local_id(0)]
}";

fn session(store: Option<&Arc<Store>>) -> Session {
    let options = SessionOptions {
        store: store.cloned(),
        ..SessionOptions::default()
    };
    Session::new(options).expect("this host has a code generator")
}

fn define(session: &Session, text: &str) {
    let defined = session.define("program.wir", text, None);
    defined.expect("the program is right");
}

fn launch(session: &Session, shard: Shard, items: u32) -> TunedReport {
    let numbers: Vec<_> = (0..items).map(|x| ScalarValue::I64(x.into())).collect();
    let args = vec![array(session.universe(), Scalar::I64, &numbers)];
    let size = LaunchSize {
        global: [items, 1, 1],
        local: [Extent::Parameter("block".into()), 1.into(), 1.into()],
    };
    session.launch_tuned(shard, "add", args, &size, &CallOptions::default())
}

/// Whether a launch was right and its schedule chosen like this.
fn expect(report: &TunedReport, items: i64, more: i64, chosen: Chosen) -> Result<(), String> {
    let after = match &report.report.result {
        Ok(Value::Tuple(after)) => after.parts()[0].clone(),
        other => return Err(format!("{other:?}")),
    };
    let expected: Vec<_> = (0..items).map(|x| ScalarValue::I64(x + more)).collect();
    if after.scalars() != expected {
        return Err(format!("{} gives something else", report.schedule));
    }
    match report.chosen == chosen {
        true => Ok(()),
        false => Err(format!("{items}: {}, not {chosen}", report.chosen)),
    }
}

fn measured_once(shard: Shard) -> Result<(), String> {
    let session = session(None);
    define(&session, PROGRAM);
    for (items, chosen) in [
        (128, Chosen::Measured),
        (192, Chosen::Known),
        (256, Chosen::Measured),
        (128, Chosen::Known),
    ] {
        expect(&launch(&session, shard, items), items.into(), 1, chosen)?;
    }
    // What has nothing to do with the kernel changes nothing.
    define(&session, "fn other(x) { x }");
    expect(&launch(&session, shard, 128), 128, 1, Chosen::Known)
}

fn outlive(shard: Shard) -> Result<(), String> {
    let store = Store::with_layers(vec![Box::new(Memory::default())], Box::new(|_| {}));
    let store = Arc::new(store);
    let one = session(Some(&store));
    define(&one, PROGRAM);
    let measured = launch(&one, shard, 128);
    expect(&measured, 128, 1, Chosen::Measured)?;
    drop(one);
    store.flush();
    let two = session(Some(&store));
    define(&two, PROGRAM);
    let stored = launch(&two, shard, 128);
    expect(&stored, 128, 1, Chosen::Stored)?;
    if stored.schedule != measured.schedule {
        return Err("another schedule is the best now".to_string());
    }
    for (stage, names) in &stored.report.stages {
        let ran = names.iter().any(|name| !name.starts_with("stored:"));
        if *stage != Stage::Link && ran {
            return Err(format!("{stage} ran again"));
        }
    }
    // People can read it.
    let mut tables = Vec::new();
    for layer in store.layers() {
        let each = layer.each(&mut |artifact| {
            if artifact.kind == Kind::Table {
                tables.push(serde_json::from_slice::<DispatchTable>(&artifact.payload));
            }
            Ok(())
        });
        each.map_err(|error| error.to_string())?;
    }
    match &tables[..] {
        [Ok(table)] if table.kernel == "add(Array{Int64})" && table.sizes.len() == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn redefinition(shard: Shard) -> Result<(), String> {
    let session = session(None);
    define(&session, PROGRAM);
    expect(&launch(&session, shard, 128), 128, 1, Chosen::Measured)?;
    // A callee is a part of the code.
    define(&session, "fn step(x) { x + 2 }");
    expect(&launch(&session, shard, 128), 128, 2, Chosen::Measured)?;
    expect(&launch(&session, shard, 128), 128, 2, Chosen::Known)
}

fn left_out(shard: Shard) -> Result<(), String> {
    let session = session(None);
    define(&session, PROGRAM);
    // Groups of 4 and of 64 do not divide 6.
    let report = launch(&session, shard, 6);
    expect(&report, 6, 1, Chosen::Measured)?;
    if report.schedule.to_string() != "block=2" {
        return Err(format!("{} ran", report.schedule));
    }
    match launch(&session, shard, 7).report.result {
        Err(failure) if failure.to_string().contains("invalid-argument") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn program_fails(shard: Shard) -> Result<(), String> {
    let session = session(None);
    define(&session, PROGRAM);
    define(&session, "fn step(x) { div(x, x) }");
    match launch(&session, shard, 128).report.result {
        Err(failure) if failure.to_string().contains("division-error") => {}
        other => return Err(format!("{other:?}")),
    }
    define(&session, "fn step(x) { x + 1 }");
    expect(&launch(&session, shard, 128), 128, 1, Chosen::Measured)
}

fn shards(shard: Shard) -> Result<(), String> {
    let session = session(None);
    define(&session, PROGRAM);
    let codegens = |name: &str| {
        let stages = session.take_stages();
        let of = stages.iter().filter(|event| event.stage == Stage::Codegen);
        of.filter(|event| session.name(event.mi) == name).count()
    };
    launch(&session, shard, 128);
    let (first, second) = (codegens("add(Array{Int64})"), {
        launch(&session, shard, 1024);
        codegens("add(Array{Int64})")
    });
    match (first, second) {
        (3, 0) => Ok(()),
        other => Err(format!("codegen ran {other:?} times")),
    }
}
