//! The engine's own code under every kind of interleaving that shuttle comes up with: pins and
//! holds against commits, one instance that many ask for, fronts that an edit closes.
//!
//! Shuttle decides at each lock and atomic of `sync` which thread goes on, at random and by
//! priorities (PCT, which finds a bug that takes `DEPTH` switches with a known probability). It
//! knows sequential consistency only: what weaker orderings allow is for miri. A failure prints the
//! schedule, which `shuttle::replay` runs again. `cargo nextest run -p worldage-engine --features
//! shuttle interleavings` runs these tests and nothing else.

use crate::compiler::{Compiler, Linked};
use crate::cx::{CodegenCx, InferCx, LinkCx, Resolved};
use crate::edit::Edit;
use crate::engine::{DemandError, Engine, Options};
use crate::error::Stop;
use crate::events::Stage;
use crate::holds::Holds;
use crate::ids::{Linking, Mi, ShardId, TableId};
use crate::{OneShard, Whole};
use shuttle::sync::atomic::AtomicU64;
use shuttle::thread;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use worldage_dispatch::{Sig, Types, World};

/// How many switches of threads PCT puts where they hurt.
const DEPTH: usize = 3;

/// Runs a test under so many schedules of each kind.
fn explore(schedules: usize, test: impl Fn() + Send + Sync + Clone + 'static) {
    let mut config = shuttle::Config::new();
    // Stages and queries run on a thread's stack, in a build that hardly optimises.
    config.stack_size = 1 << 20;
    let random = shuttle::scheduler::RandomScheduler::new(schedules);
    shuttle::Runner::new(random, config.clone()).run(test.clone());
    let by_priority = shuttle::scheduler::PctScheduler::new(DEPTH, schedules);
    shuttle::Runner::new(by_priority, config).run(test);
}

/// Two callers, twice each, beside a thread that commits three worlds. They are given their number
/// and the oldest world that was not let go of.
fn explore_commits(caller: impl Fn(&Holds, usize, &AtomicU64) + Send + Sync + Clone + 'static) {
    explore(5_000, move || {
        let holds = Arc::new(Holds::new(1));
        holds.advance(World(1));
        let oldest = Arc::new(AtomicU64::new(1));
        let callers: Vec<_> = (0..2)
            .map(|number| {
                let (holds, oldest) = (Arc::clone(&holds), Arc::clone(&oldest));
                let caller = caller.clone();
                thread::spawn(move || (0..2).for_each(|_| caller(&holds, number, &oldest)))
            })
            .collect();
        for world in 2..=4 {
            let callable = holds.advance(World(world));
            oldest.fetch_max(callable.0, SeqCst);
        }
        callers
            .into_iter()
            .for_each(|caller| caller.join().expect("it ends"));
        // Nothing stays behind.
        assert_eq!(holds.advance(World(5)), World(5));
    });
}

#[test]
fn a_pinned_world_is_not_let_go_of() {
    explore_commits(|holds, slot, oldest| {
        let world = holds.pin(slot).expect("the slot is this thread's");
        assert!(holds.is_callable(world));
        assert!(oldest.load(SeqCst) <= world.0, "let go of while pinned");
        holds.unpin(slot);
    });
}

#[test]
fn a_held_world_is_not_let_go_of() {
    explore_commits(|holds, _, oldest| {
        let world = holds.newest();
        if holds.hold(world) {
            assert!(oldest.load(SeqCst) <= world.0, "let go of while held");
            holds.release(world);
        }
    });
}

#[test]
fn a_slot_has_one_pin_at_a_time() {
    explore(5_000, || {
        let holds = Arc::new(Holds::new(1));
        holds.advance(World(1));
        let inside = Arc::new(AtomicU64::new(0));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (holds, inside) = (Arc::clone(&holds), Arc::clone(&inside));
                thread::spawn(move || {
                    for _ in 0..2 {
                        if holds.pin(0).is_some() {
                            assert_eq!(inside.fetch_add(1, SeqCst), 0, "two in one slot");
                            inside.fetch_sub(1, SeqCst);
                            holds.unpin(0);
                        }
                    }
                })
            })
            .collect();
        holds.advance(World(2));
        callers
            .into_iter()
            .for_each(|caller| caller.join().expect("it ends"));
        assert!(holds.pin(0).is_some(), "it is free again");
    });
}

/// A method is a number and, maybe, a function whose number is added.
struct Sums;

struct Sum(u64);

impl Linked for Sum {
    fn entry(&self) -> usize {
        self.0 as usize
    }
}

impl Compiler for Sums {
    type Source = (u64, Option<&'static str>);
    type Inferred = (u64, Option<Mi>);
    type Summary = Whole<Self::Inferred>;
    type Code = (u64, Option<Mi>);
    type Linked = Sum;
    type Shard = OneShard;

    fn infer(
        &self,
        cx: &mut InferCx<'_, Self>,
        _: Mi,
        (number, callee): &Self::Source,
    ) -> Result<Self::Inferred, Stop> {
        let Some(callee) = callee else {
            return Ok((*number, None));
        };
        let types = cx.types();
        let (function, args) = (types.symbol(callee), types.tuple(&[]));
        match cx.lookup(function, args)? {
            Resolved::Method(mi) => Ok((*number, Some(mi))),
            other => Err(Stop::failed(format!("{callee}: {other:?}"))),
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

/// A session in which `f` is one more than [`g_in`]: pinned it calls `g`, and an edit is one of
/// `g`; live it has the number itself, for what it is linked with would be a word to follow.
struct Session {
    engine: Engine<Sums>,
    shard: ShardId,
    f: Mi,
}

/// What `g` is in a world.
fn g_in(world: World) -> u64 {
    world.0 * 10
}

fn define_number(
    edit: &mut Edit<(u64, Option<&'static str>)>,
    types: &Types,
    linking: Linking,
    world: World,
) {
    let (name, number) = match linking {
        Linking::Pinned => ("g", g_in(world)),
        Linking::Live => ("f", 1 + g_in(world)),
    };
    let nothing = Sig::closed(types, &[]);
    edit.define(TableId::BASE, types.symbol(name), nothing, (number, None));
}

impl Session {
    fn new(linking: Linking) -> Arc<Session> {
        let options = Options {
            threads: 1,
            callable_worlds: 1,
            linking,
            ..Options::default()
        };
        let types = Arc::new(Types::new());
        let engine = Engine::new(Sums, types, options, Edit::new()).expect("an empty prelude");
        let shard = engine.shard(OneShard, engine.view(&[]));
        let mut edit = Edit::new();
        let name = |name| engine.types().symbol(name);
        if linking == Linking::Pinned {
            let nothing = Sig::closed(engine.types(), &[]);
            edit.define(TableId::BASE, name("f"), nothing, (1, Some("g")));
        }
        let first = World(engine.world().0 + 1);
        define_number(&mut edit, engine.types(), linking, first);
        engine.commit(edit).expect("a right edit");
        let args = engine.types().tuple(&[]);
        let found = engine.lookup(name("f"), args, engine.view(&[]), engine.world());
        let Resolved::Method(f) = found else {
            unreachable!("f is defined")
        };
        Arc::new(Session { engine, shard, f })
    }

    /// Redefines what makes the number of the next world.
    fn edit(&self) {
        let world = World(self.engine.world().0 + 1);
        let mut edit = Edit::new();
        let linking = self.engine.linking();
        define_number(&mut edit, self.engine.types(), linking, world);
        let commit = self.engine.commit(edit).expect("a right edit");
        assert_eq!(commit.world, world, "one thread edits");
    }

    /// What `f` gives in a world.
    fn call(&self, world: Option<World>) -> Result<u64, DemandError> {
        let ci = self.engine.demand(self.f, self.shard, world)?;
        Ok(ci.linked().0)
    }
}

#[test]
fn an_instance_is_compiled_once() {
    explore(500, || {
        let session = Session::new(Linking::Pinned);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let session = Arc::clone(&session);
                thread::spawn(move || session.call(None).expect("it is right"))
            })
            .collect();
        let expected = 1 + g_in(session.engine.world());
        for caller in callers {
            assert_eq!(caller.join().expect("it ends"), expected);
        }
        let mut ran: BTreeMap<(Stage, Mi), usize> = BTreeMap::new();
        for event in session.engine.take_log() {
            *ran.entry((event.stage, event.mi)).or_default() += 1;
        }
        assert_eq!(ran.len(), 6, "three stages of f and of g");
        assert!(ran.values().all(|times| *times == 1), "{ran:?}");
    });
}

/// Callers in worlds that they pin, while another thread edits.
fn callers_see_their_world(linking: Linking) {
    explore(500, move || {
        let session = Session::new(linking);
        session.call(None).expect("it is right");
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let session = Arc::clone(&session);
                thread::spawn(move || {
                    let entered = session.engine.enter();
                    let world = entered.world();
                    let found = session.call(Some(world)).expect("the world is pinned");
                    assert_eq!(found, 1 + g_in(world), "in world {world}");
                })
            })
            .collect();
        session.edit();
        session.edit();
        callers
            .into_iter()
            .for_each(|caller| caller.join().expect("it ends"));
        session.edit();
        // No pin is left: all older worlds are gone.
        assert_eq!(session.engine.oldest_callable(), session.engine.world());
    });
}

#[test]
fn pinned_callers_see_their_world() {
    callers_see_their_world(Linking::Pinned);
}

#[test]
fn live_callers_see_their_world() {
    callers_see_their_world(Linking::Live);
}

/// A front names code of the newest world or nothing: whatever it gives was right at some moment
/// of the question.
#[test]
fn a_front_never_gives_what_was_over_before() {
    explore(500, || {
        let session = Session::new(Linking::Pinned);
        session.call(None).expect("it is right");
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let session = Arc::clone(&session);
                thread::spawn(move || {
                    let front = session.engine.front(session.f, session.shard);
                    let before = session.engine.world();
                    let found = match front.get() {
                        Some(ci) => ci.linked().0,
                        None => session.call(None).expect("it is right"),
                    };
                    let after = session.engine.world();
                    let allowed = (before.0..=after.0).map(|world| 1 + g_in(World(world)));
                    assert!(
                        allowed.clone().any(|sum| sum == found),
                        "{found} in worlds {before} to {after}"
                    );
                })
            })
            .collect();
        session.edit();
        session.call(None).expect("it is right");
        session.edit();
        callers
            .into_iter()
            .for_each(|caller| caller.join().expect("it ends"));
    });
}
