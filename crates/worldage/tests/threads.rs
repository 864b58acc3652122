//! One session, many threads: an instance is compiled once, and every answer is one that its
//! world allows while another thread edits.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use worldage::{CallOptions, Linking, Session, SessionOptions, World};

fn session(linking: Linking) -> Session {
    let options = SessionOptions {
        threads: 2,
        linking,
        stack_bytes: 1 << 20,
        ..SessionOptions::default()
    };
    Session::new(options).expect("a host")
}

#[test]
fn threads_that_ask_for_one_instance_compile_it_once() {
    const CALLERS: usize = 8;
    let session = session(Linking::Pinned);
    let mut text = String::from("noinline fn f0(x: Int64) { x }\n");
    for ix in 1..60 {
        let _ = writeln!(text, "noinline fn f{ix}(x: Int64) {{ f{}(x) + 1 }}", ix - 1);
    }
    session.define("chain.wir", &text, None).expect("it parses");
    let begin = Barrier::new(CALLERS);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                begin.wait();
                let report = session.call("f59(1)", &CallOptions::default());
                assert_eq!(report.shown(&session), "60");
            });
        }
    });
    let mut ran: BTreeMap<(String, String), usize> = BTreeMap::new();
    for event in session.take_stages() {
        let name = session.name(event.mi);
        if name.starts_with('f') {
            *ran.entry((event.stage.to_string(), name)).or_default() += 1;
        }
    }
    assert_eq!(ran.len(), 3 * 60, "every instance, every stage");
    let repeated: Vec<_> = ran.iter().filter(|(_, times)| **times != 1).collect();
    assert!(repeated.is_empty(), "{repeated:?}");
}

/// One edit of the series, and what the program means after it.
struct Edit {
    text: Option<String>,
    deleted: Option<&'static str>,
    leaf: i64,
    is_float: bool,
    mid: i64,
}

/// `top(1)` with the `leaf` of one world and the `mid` of another.
fn answer(leaf: &Edit, mid: &Edit) -> String {
    let point = if leaf.is_float { ".0" } else { "" };
    format!("{}{point}", 2 * (leaf.leaf + mid.mid))
}

/// Bodies, types, a more specific method that comes and goes; with a plain model of the answer.
fn series(rounds: i64) -> Vec<Edit> {
    let mut edits = Vec::new();
    let (mut added, mut is_float, mut is_special) = (0, false, false);
    let mut push = |text, deleted, added: i64, is_float, is_special| {
        edits.push(Edit {
            text,
            deleted,
            leaf: 1 + added,
            is_float,
            mid: if is_special { 100 } else { 1 },
        });
    };
    let base = "
        noinline fn leaf(x) { x }
        noinline fn mid(x) { leaf(x) + 1 }
        noinline fn top(x) { mid(x) * 2 }
    ";
    push(Some(base.to_owned()), None, added, is_float, is_special);
    for round in 1..=rounds {
        (added, is_float) = (round, false);
        let text = format!("noinline fn leaf(x) {{ x + {added} }}");
        push(Some(text), None, added, is_float, is_special);
        is_special = true;
        let text = "noinline fn mid(x: Int64) { leaf(x) + 100 }".to_owned();
        push(Some(text), None, added, is_float, is_special);
        is_float = true;
        let text = format!("noinline fn leaf(x) {{ float(x + {added}) }}");
        push(Some(text), None, added, is_float, is_special);
        is_special = false;
        push(None, Some("mid(Int64)"), added, is_float, is_special);
    }
    edits
}

fn callers_see_only_what_their_world_allows(linking: Linking) {
    const CALLERS: usize = 3;
    let session = session(linking);
    let edits = series(20);
    // Pinned code never mixes worlds; live code calls the newest method at every call.
    let allowed = |found: &str, first: World, last: World| {
        let worlds = &edits[first.0 as usize - 1..last.0 as usize];
        let mut mids = worlds.iter().enumerate();
        mids.any(|(ix, mid)| match linking {
            Linking::Pinned => answer(mid, mid) == found,
            Linking::Live => worlds[ix..].iter().any(|leaf| answer(leaf, mid) == found),
        })
    };
    let apply = |edit: &Edit| {
        let report = match (&edit.text, edit.deleted) {
            (Some(text), _) => session.define("edit.wir", text, None),
            (None, Some(sig)) => session.delete(sig, None),
            (None, None) => unreachable!("an edit does something"),
        };
        report.err().map(|failure| failure.to_string())
    };
    assert_eq!(apply(&edits[0]), None);
    let (is_done, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let wrong: OnceLock<String> = OnceLock::new();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                // One round more after the last edit.
                loop {
                    let was_done = is_done.load(Ordering::Acquire);
                    let before = session.world();
                    let newest = session.call("top(1)", &CallOptions::default());
                    let newest = newest.shown(&session);
                    let after = session.world();
                    if !allowed(&newest, before, after) {
                        let _ = wrong.set(format!("{newest} in worlds {before} to {after}"));
                    }
                    let held = session.hold(None).expect("the newest world is callable");
                    for _ in 0..2 {
                        let options = CallOptions {
                            world: Some(held.world),
                            ..CallOptions::default()
                        };
                        let found = session.call("top(1)", &options).shown(&session);
                        let last = match linking {
                            Linking::Pinned => held.world,
                            Linking::Live => session.world(),
                        };
                        if !allowed(&found, held.world, last) {
                            let _ = wrong.set(format!("{found} in world {}", held.world));
                        }
                    }
                    calls.fetch_add(3, Ordering::Relaxed);
                    if was_done {
                        break;
                    }
                }
            });
        }
        let mut seen = 0;
        for edit in &edits[1..] {
            // Some call comes between any two edits.
            while calls.load(Ordering::Relaxed) == seen && wrong.get().is_none() {
                std::thread::yield_now();
            }
            seen = calls.load(Ordering::Relaxed);
            if let Some(failure) = apply(edit) {
                // A panic would leave the callers waiting for the end.
                let _ = wrong.set(failure);
                break;
            }
        }
        is_done.store(true, Ordering::Release);
    });
    if let Some(wrong) = wrong.get() {
        panic!("{wrong}");
    }
    assert_eq!(session.world(), World(edits.len() as u64));
}

#[test]
fn pinned_callers_see_only_what_their_world_allows() {
    callers_see_only_what_their_world_allows(Linking::Pinned);
}

#[test]
fn live_callers_see_only_what_their_world_allows() {
    callers_see_only_what_their_world_allows(Linking::Live);
}

/// What a loop prints whose callee is redefined while it runs, after its first line.
fn loop_under_edit(linking: Linking) -> Vec<String> {
    let session = session(linking);
    let text = "
        noinline fn step(i: Int64) { i }
        fn run(n: Int64) { for i in 0..n { print(step(i)) } }
    ";
    session.define("loop.wir", text, None).expect("it parses");
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (runs, has_begun) = sync_channel(0);
    let (edited, is_edited) = sync_channel(0);
    session.on_print(Box::new({
        let lines = Arc::clone(&lines);
        move |line| {
            let mut lines = lines.lock().expect("nobody panics");
            lines.push(line.trim_end().to_owned());
            if lines.len() == 1 {
                runs.send(()).expect("somebody edits");
                is_edited.recv().expect("somebody edits");
            }
        }
    }));
    std::thread::scope(|scope| {
        scope.spawn(|| session.call("run(3)", &CallOptions::default()));
        has_begun.recv().expect("the loop prints");
        let text = "noinline fn step(i: Int64) { i + 10 }";
        let report = session.define("edit.wir", text, None);
        assert_eq!(report.expect("it parses").world, World(2));
        edited.send(()).expect("the loop waits");
    });
    let lines = lines.lock().expect("nobody panics");
    lines.clone()
}

#[test]
fn a_pinned_loop_keeps_its_world() {
    assert_eq!(loop_under_edit(Linking::Pinned), ["0", "1", "2"]);
}

#[test]
fn a_live_loop_calls_the_new_body() {
    assert_eq!(loop_under_edit(Linking::Live), ["0", "11", "12"]);
}
