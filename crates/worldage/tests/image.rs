//! Starts from the image of an earlier session, verified by signatures and sources;
//! and what becomes of it when the program, or the session after the start, is edited.

use std::fmt::Write as _;
use std::sync::Arc;
use worldage::store::{Fingerprint, Kind, Layer, Store, memory::Memory};
use worldage::{CallOptions, Session, SessionOptions};

const PROGRAM: &str = "
    struct P { x: Int64 }
    noinline fn leaf(x) { x + external(\"k\") }
    noinline fn pick(x) { 1 }
    noinline fn even(n: Int64) { if n == 0 { true } else { odd(n - 1) } }
    noinline fn odd(n: Int64) { if n == 0 { false } else { even(n - 1) } }
    inline fn twice(x) { x + x }
    noinline fn mid(p: P) { twice(leaf(p.x)) + pick(p) }
    fn top(x: Int64) { if even(x) { mid(P(x)) } else { mid(P(-x)) } }
";

/// A store in memory, and what a session on it left behind.
struct Kept {
    store: Arc<Store>,
}

impl Kept {
    fn new() -> Kept {
        let layers: Vec<Box<dyn Layer>> = vec![Box::new(Memory::default())];
        let store = Store::with_layers(layers, Box::new(|line| panic!("{line}")));
        let kept = Kept {
            store: Arc::new(store),
        };
        let first = kept.start(PROGRAM, "10");
        assert_eq!(
            first.ran("top(4)"),
            ["even", "leaf", "mid", "odd", "pick", "top", "twice"]
        );
        drop(first);
        kept.store.flush();
        kept
    }

    /// A new session on the store, and one without that answers beside it.
    fn start(&self, program: &str, k: &str) -> Beside {
        let session = |store: Option<&Arc<Store>>| {
            let session = Session::new(SessionOptions {
                store: store.cloned(),
                image_from: 1,
                ..SessionOptions::default()
            });
            let session = session.expect("a host");
            session.set_external("k", k).unwrap();
            session.define("p.wir", program, None).unwrap();
            session
        };
        Beside {
            with: session(Some(&self.store)),
            without: session(None),
        }
    }

    /// How many artifacts the store gave meanwhile.
    fn given<R>(&self, work: impl FnOnce() -> R) -> (u64, R) {
        let before = self.store.stats().hits;
        let result = work();
        (self.store.stats().hits - before, result)
    }
}

struct Beside {
    with: Session,
    without: Session,
}

impl Beside {
    fn define(&self, text: &str) {
        for session in [&self.with, &self.without] {
            session.define("edit.wir", text, None).unwrap();
        }
    }

    /// Which functions ran infer; the answer is that of the other session and of one from scratch.
    #[track_caller]
    fn ran(&self, call: &str) -> Vec<String> {
        let report = self.with.call(call, &CallOptions::default());
        let fresh = self.without.call(call, &CallOptions::default());
        assert_eq!(report.shown(&self.with), fresh.shown(&self.without));
        let differ = self.with.differences_from_scratch();
        assert!(differ.is_empty(), "{differ:?}");
        let infer = report
            .stages
            .iter()
            .find(|(stage, _)| stage.to_string() == "infer");
        let names = infer.map_or(&[][..], |(_, names)| names);
        let ran = names.iter().filter(|name| !name.starts_with("stored:"));
        let functions = ran.filter_map(|name| name.split('(').next());
        functions.map(str::to_string).collect()
    }
}

#[test]
fn an_unchanged_program_starts_from_an_image_and_its_part() {
    let kept = Kept::new();
    let session = kept.start(PROGRAM, "10");
    session.with.set_strict(true);
    let (given, ran) = kept.given(|| session.ran("top(4)"));
    assert_eq!((given, ran.len()), (2, 0));
    // What an image lacks is made as ever, and is in the next one.
    session.with.set_strict(false);
    assert_eq!(session.ran("mid(P(1)) + pick(2.5)"), ["pick"]);
    drop(session);
    kept.store.flush();
    let session = kept.start(PROGRAM, "10");
    let (given, ran) = kept.given(|| session.ran("pick(2.5)"));
    assert_eq!((given, ran.len()), (2, 0));
    let (given, ran) = kept.given(|| session.ran("top(3)"));
    assert_eq!((given, ran.len()), (0, 0));
}

#[test]
fn comments_elsewhere_in_the_file_do_not_matter() {
    let kept = Kept::new();
    let session = kept.start(&format!("# A new first line.\n{PROGRAM}"), "10");
    let (given, ran) = kept.given(|| session.ran("top(4)"));
    assert_eq!((given, ran.len()), (2, 0));
}

#[test]
fn an_edited_body_runs_what_it_must() {
    let kept = Kept::new();
    // The same result: callers only wait for it.
    let session = kept.start(&PROGRAM.replace("{ 1 }", "{ 2 }"), "10");
    assert_eq!(session.ran("top(4)"), ["pick"]);
    drop(session);
    let session = kept.start(&PROGRAM.replace("{ 1 }", "{ 2.5 }"), "10");
    assert_eq!(session.ran("top(4)"), ["mid", "pick", "top"]);
    drop(session);
    // One member of a recursive component.
    let session = kept.start(&PROGRAM.replace("{ false }", "{ n == 1 }"), "10");
    assert_eq!(session.ran("even(4)"), ["even", "odd"]);
}

#[test]
fn another_external_fact_is_seen() {
    let kept = Kept::new();
    let session = kept.start(PROGRAM, "11");
    assert_eq!(session.ran("top(4)"), ["leaf"]);
}

#[test]
fn another_struct_of_the_name_is_seen() {
    let kept = Kept::new();
    let changed = PROGRAM
        .replace("struct P { x: Int64 }", "struct P { x: Float64 }")
        .replace("mid(P(x))", "mid(P(float(x)))")
        .replace("mid(P(-x))", "mid(P(float(-x)))");
    let session = kept.start(&changed, "10");
    let ran = session.ran("top(4)");
    assert_eq!(ran, ["leaf", "mid", "pick", "top", "twice"]);
}

#[test]
fn a_session_that_began_from_an_image_can_be_edited() {
    let kept = Kept::new();
    let session = kept.start(PROGRAM, "10");
    let (given, ran) = kept.given(|| session.ran("top(4)"));
    assert_eq!((given, ran.len()), (2, 0));
    // A question whose answer came with the image has another one now.
    session.define("noinline fn pick(p: P) { 2 }");
    assert_eq!(session.ran("top(4)"), ["mid", "pick"]);
    session.define("noinline fn leaf(x) { float(x) }");
    assert_eq!(session.ran("top(4)"), ["leaf", "mid", "top", "twice"]);
    for session in [&session.with, &session.without] {
        session.delete("pick(P)", None).unwrap();
        session.set_external("k", "12").unwrap();
    }
    assert_eq!(session.ran("top(5)"), ["mid"]);
}

#[test]
fn what_the_session_ended_with_is_what_the_next_one_finds() {
    let kept = Kept::new();
    let session = kept.start(PROGRAM, "10");
    session.define("noinline fn leaf(x) { x - 1 }");
    session.define("noinline fn mid(p: P) { leaf(p.x) }");
    assert_eq!(session.ran("top(4)"), ["leaf", "mid"]);
    drop(session);
    kept.store.flush();
    let edited = PROGRAM
        .replace("{ x + external(\"k\") }", "{ x - 1 }")
        .replace("{ twice(leaf(p.x)) + pick(p) }", "{ leaf(p.x) }");
    let session = kept.start(&edited, "10");
    assert_eq!(session.ran("top(4)"), [""; 0]);
}

#[test]
fn what_a_session_does_not_ask_for_stays() {
    let kept = Kept::new();
    let session = kept.start(PROGRAM, "10");
    assert_eq!(session.ran("pick(2.5)"), ["pick"]);
    drop(session);
    kept.store.flush();
    let session = kept.start(PROGRAM, "10");
    let (given, ran) = kept.given(|| [session.ran("pick(2.5)"), session.ran("top(4)")].concat());
    assert_eq!((given, ran.len()), (2, 0));
}

#[test]
fn what_stays_is_verified_against_what_came_later() {
    let kept = Kept::new();
    let edited = PROGRAM.replace("{ 1 }", "{ 2.5 }");
    let session = kept.start(&edited, "10");
    // Its callers are not asked for, and stay as they were with another result of it.
    assert_eq!(session.ran("pick(P(1))"), ["pick"]);
    drop(session);
    kept.store.flush();
    let session = kept.start(&edited, "10");
    assert_eq!(session.ran("top(4)"), ["mid", "top"]);
}

/// `f0(1)` is the number of functions; each calls the next one.
fn chain(functions: usize) -> String {
    let mut text = String::new();
    let long = "(x * x - 3) * x + ".repeat(12);
    for ix in 0..functions {
        let (next, x) = (ix + 1, format!("if x > 1 {{ {long} 1 }} else {{ x }}"));
        let _infallible = writeln!(text, "noinline fn f{ix}(x: Int64) {{ f{next}({x}) + 1 }}");
    }
    let _infallible = writeln!(text, "noinline fn f{functions}(x: Int64) {{ x - 1 }}");
    text
}

#[test]
fn a_part_is_read_when_one_of_its_results_is_asked_for_and_may_be_lost() {
    const FUNCTIONS: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let options = worldage::store::Options {
            folder: Some(folder.path().into()),
            ..worldage::store::Options::default()
        };
        Arc::new(Store::open(&options, Box::new(|line| panic!("{line}"))))
    };
    let start = |store: &Arc<Store>| {
        let session = Session::new(SessionOptions {
            store: Some(Arc::clone(store)),
            ..SessionOptions::default()
        });
        let session = session.expect("a host");
        session
            .define("chain.wir", &chain(FUNCTIONS), None)
            .unwrap();
        session.set_strict(true);
        session
    };
    let answer = |session: &Session, call: &str| {
        let report = session.call(call, &CallOptions::default());
        report.shown(session).to_string()
    };
    let store = open();
    let first = start(&store);
    first.set_strict(false);
    assert_eq!(answer(&first, "f0(1)"), FUNCTIONS.to_string());
    drop(first);
    store.flush();
    drop(store);
    let parts = || {
        let mut parts: Vec<Fingerprint> = Vec::new();
        let options = worldage::store::Options {
            folder: Some(folder.path().into()),
            ..worldage::store::Options::default()
        };
        let warnings = worldage::store::warn::Warnings::new(Box::new(|line| panic!("{line}")));
        let layer = options.layers(&warnings).remove(0);
        let each = layer.each(&mut |artifact| {
            parts.extend((artifact.kind == Kind::Part).then_some(artifact.name));
            Ok(())
        });
        each.unwrap();
        (layer, parts)
    };
    let (layer, all) = parts();
    assert!(all.len() > 1, "{} parts", all.len());
    // The image, and the part that has the function.
    let store = open();
    let last = start(&store);
    assert_eq!(answer(&last, &format!("f{FUNCTIONS}(1)")), "0");
    assert_eq!(store.stats().hits, 2);
    drop((last, store));
    // Its results come from traces then; the next image has them again.
    layer.forget(Kind::Part, &all[0]).unwrap();
    let store = open();
    let session = start(&store);
    assert_eq!(answer(&session, "f0(1)"), FUNCTIONS.to_string());
    drop(session);
    store.flush();
    drop((store, layer));
    assert_eq!(parts().1.len(), all.len());
    let store = open();
    let session = start(&store);
    assert_eq!(answer(&session, "f0(1)"), FUNCTIONS.to_string());
    assert_eq!(store.stats().hits, 1 + all.len() as u64);
}
