//! Several compilers in one process, several sessions of each, sessions on several threads.

use crate::odd::{PLAIN, Script, define, read, session, value};
use std::sync::Arc;
use worldage::embed::*;

/// Another language beside `Odd`: texts.
struct Texts;

impl Compiler for Texts {
    type Source = String;
    type Inferred = String;
    type Summary = ();
    type Code = String;
    type Linked = Arc<String>;
    type Shard = ShardKey<Case>;

    fn infer(&self, _: &mut InferCx<'_, Self>, _: Mi, source: &String) -> Result<String, Stop> {
        Ok(source.clone())
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        _: Mi,
        text: &Arc<String>,
    ) -> Result<String, Stop> {
        Ok(match cx.shard().0 {
            Case::Lower => text.to_lowercase(),
            Case::Upper => text.to_uppercase(),
        })
    }

    fn link(
        &self,
        _: &mut LinkCx<'_, Self>,
        _: Mi,
        code: &Arc<String>,
    ) -> Result<Arc<String>, Stop> {
        Ok(Arc::clone(code))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Case {
    #[default]
    Lower,
    Upper,
}

#[test]
fn compilers_and_sessions_do_not_see_one_another() {
    let texts = Session::new(Texts);
    texts
        .edit(|e| e.define("f", &[], "Hello".into()))
        .expect("a valid edit");
    let (one, two) = (session(&[("f", PLAIN)]), session(&[("f", PLAIN)]));
    let two_then = Script {
        infer: |_, _| Ok(2),
        number: 1,
        ..PLAIN
    };
    define(&two, &[("f", two_then)]);
    let text = |case| {
        let target = texts.on(ShardKey(case));
        target
            .call("f", &[], |text| text.to_string())
            .expect("a text")
    };
    assert_eq!(
        (text(Case::Lower).as_str(), text(Case::Upper).as_str()),
        ("hello", "HELLO")
    );
    // Two shards share inference.
    assert_eq!(texts.take_stages().counts(), [1, 2, 2]);
    assert_eq!(value(&one, "f").expect("a value"), 1);
    assert_eq!(value(&two, "f").expect("a value"), 2);
    assert_eq!((one.world(), two.world()), (World(1), World(2)));
}

#[test]
fn tables_lie_over_the_base_in_their_views_only() {
    let session = session(&[("f", PLAIN)]);
    session.table("device");
    let on_device = Script {
        infer: |_, _| Ok(5),
        number: 1,
        ..PLAIN
    };
    let edited = session.edit(|e| {
        e.in_table(Some("device"))?;
        e.define("f", &[], on_device)
    });
    edited.expect("a valid edit");
    let over = session
        .on(OneShard)
        .over(&["device"])
        .expect("the table is there");
    assert_eq!(over.call("f", &[], |x| **x).expect("a value"), 5);
    assert_eq!(value(&session, "f").expect("a value"), 1);
    assert_eq!(over.valid(), ["f()"]);
}

#[test]
fn a_handle_follows_every_edit_and_a_scope_stays_in_its_world() {
    let session = session(&[("f", PLAIN)]);
    let handle = session.handle("f", &[]).expect("f is there");
    let call = || handle.call(|x| **x);
    assert_eq!(call().expect("a value"), 1);
    session.enter(|scope| {
        let redefined = Script {
            infer: |_, _| Ok(7),
            number: 1,
            ..PLAIN
        };
        define(&session, &[("f", redefined)]);
        let version = scope.get(&handle).expect("the old one");
        assert_eq!(**version.linked(), 1);
        assert_eq!(
            session.enter(|new| **new.get(&handle).expect("the new one").linked()),
            7
        );
        assert_eq!(**scope.get(&handle).expect("still the old one").linked(), 1);
    });
    assert_eq!(call().expect("a value"), 7);
    session.edit(|e| e.delete("f", &[])).expect("it is there");
    assert!(matches!(call(), Err(Error::Unresolved { .. })));
}

#[test]
fn a_scope_keeps_its_world_over_a_hundred_edits() {
    let session = session(&[("f", PLAIN)]);
    let handle = session.handle("f", &[]).expect("f is there");
    session.enter(|scope| {
        for number in 1..200 {
            define(
                &session,
                &[(
                    "f",
                    Script {
                        infer: |_, _| Ok(2),
                        number,
                        ..PLAIN
                    },
                )],
            );
            value(&session, "f").expect("a value");
        }
        let other = session.on(OneShard).in_world(scope.world());
        assert_eq!(other.call("f", &[], |x| **x).expect("it is pinned"), 1);
        assert_eq!(**scope.get(&handle).expect("it is pinned").linked(), 1);
    });
    let first = session.on(OneShard).in_world(World(1)).compile("f", &[]);
    assert!(matches!(
        first,
        Err(Error::Demand(DemandError::WorldExpired(World(1))))
    ));
}

#[test]
fn threads_edit_and_call_one_session_and_others() {
    let sum = Script {
        infer: |cx, _| Ok(read(cx, "a")? + read(cx, "b")?),
        number: 1,
        ..PLAIN
    };
    let shared = session(&[("a", PLAIN), ("b", PLAIN), ("sum", sum)]);
    let handle = shared.handle("sum", &[]).expect("sum is there");
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let (shared, handle) = (shared.clone(), &handle);
            scope.spawn(move || {
                let own = session(&[("f", PLAIN)]);
                for round in 0..50 {
                    // Both are always edited together: a call sees both, or neither.
                    let number = 2 + thread * 50 + round;
                    let two = Script {
                        infer: |_, _| Ok(2),
                        number,
                        ..PLAIN
                    };
                    let one = Script { number, ..PLAIN };
                    let script = if round % 2 == 0 { two } else { one };
                    define(&shared, &[("a", script), ("b", script)]);
                    let seen = handle.call(|x| **x).expect("a value");
                    assert!(seen == 2 || seen == 4, "{seen}");
                    assert_eq!(value(&own, "f").expect("a value"), 1);
                }
            });
        }
    });
    assert_eq!(shared.world(), World(201));
}

/// Each function is the number of the world times its own: code that a scope borrowed is that of
/// the scope's world however often others redefine it meanwhile, and lives as long.
#[test]
fn scopes_on_threads_keep_what_they_borrowed() {
    const HANDLES: i64 = 20;
    let texts = Session::new(Texts);
    let define = |world: i64| {
        let edited = texts.edit(|e| {
            (0..HANDLES).try_for_each(|n| e.define(&format!("f{n}"), &[], (world * n).to_string()))
        });
        assert_eq!(edited.expect("a valid edit").world, World(world as u64));
    };
    define(1);
    let handles: Vec<Handle<Texts>> = (0..HANDLES)
        .map(|n| texts.handle(&format!("f{n}"), &[]).expect("a function"))
        .collect();
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..60 {
                    texts.enter(|scope| {
                        let get = |handle| scope.get(handle).expect("a function");
                        let first: Vec<&CodeInstance<Texts>> = handles.iter().map(get).collect();
                        for (n, (handle, before)) in handles.iter().zip(&first).enumerate() {
                            assert!(std::ptr::eq(get(handle), *before));
                            let expected = scope.world().0 * n as u64;
                            assert_eq!(**before.linked(), expected.to_string());
                        }
                    });
                }
            });
        }
        // More worlds than are callable without a scope.
        (2..100).for_each(define);
    });
}
