//! What embedding costs: the engine over a compiler whose stages do nothing, its memory, and typed
//! calls.
//!
//! `cargo bench -p worldage-benches --bench embed`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use worldage::embed::*;
use worldage::{CallError, SessionOptions};
use worldage_benches::counting::{Counting, live_bytes};
use worldage_benches::figures::{figure, ns_each};

/// All stages are empty.
struct Null;

impl Compiler for Null {
    type Source = u32;
    type Inferred = ();
    type Summary = ();
    type Code = ();
    type Linked = Arc<()>;
    type Shard = OneShard;

    fn infer(&self, _: &mut InferCx<'_, Self>, _: Mi, _: &u32) -> Result<(), Stop> {
        Ok(())
    }

    fn codegen(&self, _: &mut CodegenCx<'_, Self>, _: Mi, _: &Arc<()>) -> Result<(), Stop> {
        Ok(())
    }

    fn link(&self, _: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<()>) -> Result<Arc<()>, Stop> {
        Ok(Arc::clone(code))
    }
}

/// All stages are empty but for what they ask: a method says which two it calls, if any.
struct Tree;

impl Compiler for Tree {
    type Source = Option<[String; 2]>;
    type Inferred = Callees;
    type Summary = Exposed<()>;
    type Code = ();
    type Linked = Arc<()>;
    type Shard = OneShard;

    fn infer(
        &self,
        cx: &mut InferCx<'_, Self>,
        _: Mi,
        source: &Self::Source,
    ) -> Result<Callees, Stop> {
        let Some([left, right]) = source else {
            return Ok(Callees(None));
        };
        let callees = [cx.callee(left, &[])?, cx.callee(right, &[])?];
        for callee in callees {
            cx.read(callee, &Exposed::VALUE)?;
        }
        Ok(Callees(Some(callees)))
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        _: Mi,
        inferred: &Arc<Callees>,
    ) -> Result<(), Stop> {
        for callee in inferred.0.iter().flatten() {
            cx.read(*callee, &Exposed::VALUE)?;
            cx.calls(*callee);
        }
        Ok(())
    }

    fn link(&self, _: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<()>) -> Result<Arc<()>, Stop> {
        Ok(Arc::clone(code))
    }
}

#[derive(PartialEq)]
struct Callees(Option<[Mi; 2]>);

impl Expose for Callees {
    type Value = ();
    fn expose(&self) {}
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    null_compiler();
    memory();
    typed_calls();
}

/// A binary tree, called at its root.
fn memory() {
    let instances = 100_001;
    let session = Session::new(Tree);
    let name = |number: usize| format!("f{number}");
    let edited = session.edit(|edit| {
        (0..instances).try_for_each(|number| {
            let (left, right) = (2 * number + 1, 2 * number + 2);
            let calls = (right < instances).then(|| [name(left), name(right)]);
            edit.define(&name(number), &[], calls)
        })
    });
    edited.expect("a valid edit");
    let before = live_bytes();
    session.call("f0", &[], |_| ()).expect("it does nothing");
    assert_eq!(session.take_stages().counts(), [instances; 3]);
    let each = (live_bytes() - before) as f64 / instances as f64;
    figure(
        "engine, live heap per instance (a tree of them)",
        each,
        "B",
        "at most 1500",
    );
}

fn null_compiler() {
    let instances = 100_000;
    let session = Session::new(Null);
    let names: Vec<String> = (0..instances).map(|number| format!("f{number}")).collect();
    let edited = session.edit(|edit| {
        let mut names = names.iter().enumerate();
        names.try_for_each(|(number, name)| edit.define(name, &[], number as u32))
    });
    edited.expect("a valid edit");
    let start = Instant::now();
    for name in &names {
        session.call(name, &[], |_| ()).expect("it does nothing");
    }
    let cold = start.elapsed().as_secs_f64() * 1e6 / f64::from(instances);
    assert_eq!(session.take_stages().counts(), [instances as usize; 3]);
    figure("null compiler, per instance, cold", cold, "us", "at most 6");

    let handle = session.handle("f0", &[]).expect("compiled above");
    session.enter(|scope| {
        let hit = ns_each(5_000_000, || {
            let version = scope.get(black_box(&handle)).expect("compiled above");
            black_box(version.linked());
        });
        figure(
            "null compiler, hit through a handle in a scope",
            hit,
            "ns",
            "at most 15",
        );
    });
    let entered = ns_each(5_000_000, || {
        handle
            .call(|linked| usize::from(Arc::ptr_eq(linked, black_box(linked))))
            .expect("compiled above");
    });
    figure("  the same with a scope of its own", entered, "ns", "");
}

/// What Rust calls through a pointer that it does not know.
#[inline(never)]
fn step(x: i64) -> i64 {
    black_box(x) + 1
}

fn typed_calls() {
    let session = worldage::Session::new(SessionOptions::default()).expect("a host");
    let program = "noinline fn step(x: Int64) { x + 1 }";
    session
        .define("typed.wir", program, None)
        .expect("a program");
    let handle = session.handle::<fn(i64) -> i64>("step").expect("a method");
    let rounds = 20_000_000;
    let entering = ns_each(5_000_000, || {
        session.enter(|scope| black_box(scope.world()));
    });
    figure("entering a scope", entering, "ns", "at most 15");
    let bound = ns_each(5_000_000, || {
        session
            .enter(|scope| scope.get(&handle).map(|version| drop(black_box(version))))
            .expect("compiled above");
    });
    figure("  with a handle looked at", bound, "ns", "");
    let pointer: fn(i64) -> i64 = black_box(step);
    let mut sum = 0;
    let plain = ns_each(rounds, || sum = pointer(sum));
    assert_eq!(black_box(sum) % rounds as i64, 0);
    let typed = session.enter(|scope| {
        let step = scope.get(&handle)?;
        let mut sum = 0;
        let ns = ns_each(rounds, || sum = step.call((sum,)).unwrap_or(i64::MIN));
        assert!(sum > 0, "no call failed");
        Ok::<_, CallError>(ns)
    });
    let typed = typed.expect("compiled above");
    figure("call through a typed handle", typed, "ns", "");
    figure(
        "  beside an indirect call in Rust",
        typed / plain,
        "x",
        "at most 1.15",
    );
}
