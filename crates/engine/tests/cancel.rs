//! An edit cancels a demand that runs, and the demand begins again in the new world.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use worldage_dispatch::{Sig, Symbol, Types};
use worldage_engine::compiler::{Compiler, Linked};
use worldage_engine::cx::{CodegenCx, InferCx, LinkCx, Resolved};
use worldage_engine::edit::Edit;
use worldage_engine::engine::{Engine, Options};
use worldage_engine::error::Stop;
use worldage_engine::{Mi, OneShard, ShardId, Stage, TableId, Whole};

/// A method: its number, and what it calls.
type Source = (u64, Option<&'static str>);

/// Every instance is its method's number and those of what it calls, added up.
#[derive(Default)]
struct Slow {
    /// Inference of a method with an odd number asks until it is cancelled.
    waits: AtomicBool,
    waiting: AtomicBool,
    cancelled: AtomicUsize,
}

struct Sum(u64);

impl Linked for Sum {
    fn entry(&self) -> usize {
        self.0 as usize
    }
}

impl Compiler for Slow {
    type Source = Source;
    type Inferred = (u64, Option<Mi>);
    type Summary = Whole<Self::Inferred>;
    type Code = (u64, Option<Mi>);
    type Linked = Sum;
    type Shard = OneShard;

    fn infer(
        &self,
        cx: &mut InferCx<'_, Self>,
        _: Mi,
        (number, callee): &Source,
    ) -> Result<Self::Inferred, Stop> {
        let types = cx.types();
        let args = types.tuple(&[]);
        let function = types.symbol(callee.unwrap_or("leaf"));
        let begin = Instant::now();
        while number % 2 == 1 && self.waits.load(Ordering::SeqCst) {
            self.waiting.store(true, Ordering::SeqCst);
            if let Err(stop) = cx.lookup(function, args) {
                self.cancelled.fetch_add(1, Ordering::SeqCst);
                return Err(stop);
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "nobody edits");
        }
        if callee.is_none() {
            return Ok((*number, None));
        }
        match cx.lookup(function, args)? {
            Resolved::Method(mi) => {
                cx.depends_on(mi)?;
                Ok((*number, Some(mi)))
            }
            other => Err(Stop::failed(format!("{callee:?}: {other:?}"))),
        }
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        _: Mi,
        inferred: &Arc<Self::Inferred>,
    ) -> Result<Self::Code, Stop> {
        inferred.1.iter().for_each(|callee| cx.calls(*callee));
        Ok(**inferred)
    }

    fn link(&self, cx: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<Self::Code>) -> Result<Sum, Stop> {
        let below = match code.1 {
            Some(callee) => cx.linked(callee)?.0,
            None => 0,
        };
        Ok(Sum(code.0 + below))
    }
}

fn define(edit: &mut Edit<Source>, types: &Types, name: &str, source: Source) {
    let nothing = Sig::closed(types, &[]);
    edit.define(TableId::BASE, types.symbol(name), nothing, source);
}

struct Session {
    engine: Engine<Slow>,
    shard: ShardId,
}

impl Session {
    /// `root` calls `middle`, which calls `leaf`.
    fn new() -> Session {
        let types = Arc::new(Types::new());
        let options = Options {
            threads: 1,
            ..Options::default()
        };
        let engine = Engine::new(Slow::default(), types, options, Edit::new());
        let engine = engine.expect("an empty prelude");
        let shard = engine.shard(OneShard, engine.view(&[]));
        let session = Session { engine, shard };
        let mut edit = Edit::new();
        let types = session.engine.types();
        define(&mut edit, types, "root", (100, Some("middle")));
        define(&mut edit, types, "middle", (11, Some("leaf")));
        define(&mut edit, types, "leaf", (2, None));
        session.engine.commit(edit).expect("a right edit");
        session
    }

    fn name(&self, name: &str) -> Symbol {
        self.engine.types().symbol(name)
    }

    /// Demands `root` while `middle` is inferred without end, until this edit is made; gives what
    /// root is afterwards.
    fn demand_beside(&self, name: &str, source: Source, world: bool) -> u64 {
        let engine = &self.engine;
        engine.compiler().waits.store(true, Ordering::SeqCst);
        let args = engine.types().tuple(&[]);
        let first = engine.world();
        let root = engine.lookup(self.name("root"), args, engine.view(&[]), first);
        let Resolved::Method(root) = root else {
            unreachable!("root is defined")
        };
        let held = engine.hold(Some(first)).expect("the newest world");
        std::thread::scope(|scope| {
            let asked = world.then_some(held.world);
            let demand = scope.spawn(move || engine.demand(root, self.shard, asked));
            while !engine.compiler().waiting.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            let mut edit = Edit::new();
            define(&mut edit, engine.types(), name, source);
            scope.spawn(move || {
                // What is cancelled waits no more when it runs again.
                while engine.compiler().cancelled.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
                engine.compiler().waits.store(false, Ordering::SeqCst);
            });
            let commit = engine.commit(edit).expect("a right edit");
            assert_eq!(commit.world.0, first.0 + 1);
            let ci = demand.join().expect("it ends").expect("it is right");
            ci.linked().0
        })
    }

    fn ran(&self, stage: Stage) -> Vec<String> {
        let events = self.engine.take_log();
        let of_stage = events.iter().filter(|event| event.stage == stage);
        let mut names: Vec<_> = of_stage.map(|event| self.engine.name(event.mi)).collect();
        names.sort();
        names
    }
}

#[test]
fn a_demand_of_the_newest_world_begins_again_in_the_new_one() {
    let session = Session::new();
    assert_eq!(session.demand_beside("leaf", (4, None), false), 115);
    assert_eq!(
        session.engine.compiler().cancelled.load(Ordering::SeqCst),
        1
    );
    // What was cancelled is no run.
    assert_eq!(
        session.ran(Stage::Codegen),
        ["leaf()", "middle()", "root()"]
    );
}

#[test]
fn a_demand_of_a_world_goes_on_in_it() {
    let session = Session::new();
    assert_eq!(session.demand_beside("leaf", (4, None), true), 113);
    let args = session.engine.types().tuple(&[]);
    let root = session.name("root");
    let now = session.engine.demand_call(root, args, session.shard);
    assert_eq!(now.expect("it is right").linked().0, 115);
}

#[test]
fn an_edit_of_what_runs_is_seen() {
    let session = Session::new();
    assert_eq!(
        session.demand_beside("middle", (20, Some("leaf")), false),
        122
    );
    assert_eq!(
        session.ran(Stage::Infer),
        ["leaf()", "middle()", "root()"],
        "each once, as it is now"
    );
}

#[test]
fn what_was_compiled_before_is_doubted_and_found_again() {
    let session = Session::new();
    let args = session.engine.types().tuple(&[]);
    let root = session.name("root");
    let whole = session.engine.demand_call(root, args, session.shard);
    assert_eq!(whole.expect("it is right").linked().0, 113);
    session.engine.take_log();
    // The middle is another one, and its run is cancelled by an edit of the leaf.
    let mut edit = Edit::new();
    define(
        &mut edit,
        session.engine.types(),
        "middle",
        (13, Some("leaf")),
    );
    session.engine.commit(edit).expect("a right edit");
    assert_eq!(session.demand_beside("leaf", (4, None), false), 117);
    assert_eq!(session.ran(Stage::Codegen), ["leaf()", "middle()"]);
}
