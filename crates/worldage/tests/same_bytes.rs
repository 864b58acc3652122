//! The same program gives the same artifacts, byte for byte: in another folder, with another
//! number of threads, whatever the session did before.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use worldage::store::layer::Layer as _;
use worldage::store::local::Local;
use worldage::store::{Options, Store};
use worldage::{CallOptions, OptLevel, Session, SessionOptions};

/// Everything that a store holds, by kind and name.
type Artifacts = BTreeMap<(String, String), Vec<u8>>;

/// A program and a call of it.
struct Program {
    name: String,
    text: String,
    call: String,
}

/// What compiling a program into an empty store leaves there. `before` is called first: it makes
/// the session number things in another order.
fn compile(
    program: &Program,
    opt: OptLevel,
    threads: usize,
    before: Option<&Program>,
) -> Artifacts {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        folder: Some(folder.path().into()),
        ..Options::default()
    };
    let store = Arc::new(Store::open(&options, Box::new(|line| panic!("{line}"))));
    let session = Session::new(SessionOptions {
        store: None,
        opt,
        threads,
        image_from: 1,
        ..SessionOptions::default()
    })
    .expect("a host");
    let run = |program: &Program| {
        let defined = session.define(&program.name, &program.text, None);
        defined.unwrap_or_else(|failure| panic!("{}: {failure}", program.name));
        let report = session.call(&program.call, &CallOptions::default());
        let shown = report.shown(&session);
        assert!(report.result.is_ok(), "{}: {shown}", program.name);
    };
    if let Some(before) = before {
        run(before);
    }
    session.set_store(Some(&store));
    run(program);
    drop((session, store));
    artifacts(folder.path())
}

fn artifacts(folder: &Path) -> Artifacts {
    let local = Local::open(folder, u64::MAX, None).unwrap();
    let mut all = Artifacts::new();
    local
        .each(&mut |artifact| {
            let key = (artifact.kind.to_string(), artifact.name.to_string());
            all.insert(key, artifact.payload.to_vec());
            Ok(())
        })
        .unwrap();
    all
}

#[track_caller]
fn check(program: &Program) {
    // It defines and calls things of its own, and makes types that the program makes too.
    let other = Program {
        name: "other.wir".into(),
        text: "fn other_first(x: Float64, y: Bool) { (y, x, \"s\") }\n\
               noinline fn other_second(x: Int64) { length(array(Float64, x)) + x }\n\
               fn other_main(n: Int64) { print(other_first(1.5, true))\n other_second(n) }\n"
            .into(),
        call: "other_main(3)".into(),
    };
    for opt in [OptLevel::None, OptLevel::Speed] {
        let one = compile(program, opt, 1, None);
        assert!(one.len() >= 3, "{}: {} artifacts", program.name, one.len());
        for (threads, before) in [(1, None), (2, None), (2, Some(&other))] {
            let again = compile(program, opt, threads, before);
            // An image and its parts are of a whole session, and this one had more.
            let is_of_session = |(kind, _): &(String, String)| kind == "image" || kind == "part";
            let differ = |key: &&(String, String)| {
                one.get(*key) != again.get(*key) && !(before.is_some() && is_of_session(key))
            };
            let keys = one.keys().chain(again.keys());
            let differ: Vec<_> = keys.filter(differ).collect();
            let (name, with) = (&program.name, before.is_some());
            assert!(
                differ.is_empty(),
                "{name}, {opt:?}, {threads} threads, after another program {with}: {differ:?}"
            );
        }
    }
}

#[test]
fn programs_of_the_language() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ir/run");
    let names = [
        "collatz",
        "dual",
        "generics",
        "linked_list",
        "mutual_recursion",
        "nbody",
        "shapes",
        "tuples",
    ];
    for name in names {
        let text = std::fs::read_to_string(folder.join(format!("{name}.wir"))).unwrap();
        let call = text.lines().find_map(|line| line.strip_prefix("# run: "));
        let (call, _) = call.and_then(|call| call.split_once(" => ")).unwrap();
        check(&Program {
            name: format!("{name}.wir"),
            call: call.into(),
            text: text.clone(),
        });
    }
}

/// Enough instances at once for several threads.
#[test]
fn many_instances_at_once() {
    let mut text = String::new();
    let mut sum = String::from("0");
    for n in 0..60 {
        let _ = writeln!(
            text,
            "noinline fn leaf{n}(x, y: Float64) {{ if x > {n} {{ float(x) * y }} else {{ y }} }}\n\
             noinline fn twig{n}(x) {{ leaf{n}(x, 1.5) + leaf{n}(float(x), {n}.5) }}"
        );
        let _ = write!(sum, " + twig{n}(n)");
    }
    let _ = writeln!(text, "fn main(n: Int64) {{ {sum} }}");
    check(&Program {
        name: "wide.wir".into(),
        text,
        call: "main(7)".into(),
    });
}
