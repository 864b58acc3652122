//! Lookup and insert in functions of 10 to 10,000 methods.
//!
//! `cargo bench -p worldage-benches --bench dispatch`

#![expect(missing_docs, reason = "criterion's macro makes public functions")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use worldage::engine::Resolved;
use worldage::{CallOptions, Session, SessionOptions};
use worldage_dispatch::{
    CallIndex, Decl, DeclKind, MethodId, Methods, Sig, Ty, Types, World, find_all, lookup,
};

/// Calls go round over the table, so that a lookup seldom finds its method in the processor's cache.
const STRIDE: usize = 7919;

/// A function with one method per type, and a general one.
struct Function {
    types: Types,
    methods: Methods,
    /// The abstract type of each method.
    shapes: Vec<Ty>,
    /// A concrete subtype of each.
    leaves: Vec<Ty>,
    number: Ty,
}

impl Function {
    fn new(count: usize) -> Self {
        let types = Types::new();
        let declare = |name: &str, kind, parent| {
            types.leaf(
                types
                    .declare(Decl::leaf(types.symbol(name), kind, parent))
                    .expect("a fresh name"),
            )
        };
        let number = declare("Number", DeclKind::Abstract, Ty::ANY);
        let mut function = Function {
            methods: Methods::new(),
            shapes: Vec::new(),
            leaves: Vec::new(),
            number,
            types: Types::new(),
        };
        for ix in 0..count {
            let shape = declare(&format!("Shape{ix}"), DeclKind::Abstract, number);
            function.shapes.push(shape);
            function
                .leaves
                .push(declare(&format!("Leaf{ix}"), DeclKind::Concrete, shape));
        }
        function.types = types;
        for ix in 0..count {
            function.define(&[function.shapes[ix], Ty::ANY], ix as u32);
        }
        function.define(&[Ty::ANY, Ty::ANY], count as u32);
        function
    }

    fn define(&mut self, params: &[Ty], id: u32) {
        let sig = Sig::closed(&self.types, params);
        self.methods
            .insert(&self.types, sig, MethodId(id), World(1));
    }

    fn calls(&self) -> Vec<Ty> {
        self.leaves
            .iter()
            .map(|leaf| self.types.tuple(&[*leaf, *leaf]))
            .collect()
    }
}

fn lookups(c: &mut Criterion) {
    let mut group = c.benchmark_group("lookup");
    for count in [10, 1_000, 10_000] {
        let mut function = Function::new(count);
        let calls = function.calls();
        let mut next = 0;
        group.bench_function(BenchmarkId::new("by supertype", count), |b| {
            b.iter(|| {
                next = (next + STRIDE) % calls.len();
                lookup(
                    &function.types,
                    &[&function.methods],
                    black_box(calls[next]),
                    World(1),
                )
            });
        });
        for ix in 0..count {
            let leaf = function.leaves[ix];
            function.define(&[leaf, leaf], (count + 1 + ix) as u32);
        }
        group.bench_function(BenchmarkId::new("exact", count), |b| {
            b.iter(|| {
                next = (next + STRIDE) % calls.len();
                lookup(
                    &function.types,
                    &[&function.methods],
                    black_box(calls[next]),
                    World(1),
                )
            });
        });
        let call = function.types.tuple(&[function.shapes[0], function.number]);
        group.bench_function(BenchmarkId::new("abstract", count), |b| {
            b.iter(|| {
                find_all(
                    &function.types,
                    &[&function.methods],
                    black_box(call),
                    4,
                    World(1),
                )
            });
        });
    }
    group.finish();
}

/// A session that has been asked before: the answer of the newest world is remembered.
fn memoised(c: &mut Criterion) {
    let mut group = c.benchmark_group("lookup");
    for count in [10, 1_000, 10_000] {
        let session = Session::new(SessionOptions::default()).expect("a host");
        let mut text = String::from("abstract type Shape\nfn f(s: Shape) { 0 }\n");
        for ix in 0..count {
            let _ = writeln!(
                text,
                "struct S{ix} <: Shape {{ }}\nfn f(s: S{ix}) {{ {ix} }}"
            );
        }
        session
            .define("shapes.wir", &text, None)
            .expect("a right program");
        let (engine, world) = (session.engine(), session.world());
        let types = engine.types();
        let (function, view) = (types.symbol("f"), engine.view(&[]));
        let scope = session.universe();
        let calls: Vec<Ty> = (0..count)
            .map(|ix| {
                let args = session.call(&format!("S{ix}()"), &CallOptions::default());
                types.tuple(&[args.result.expect("a struct").ty(scope)])
            })
            .collect();
        let asked = |call: Ty| engine.lookup(function, call, view, world);
        for call in &calls {
            assert!(matches!(asked(*call), Resolved::Method(_)));
        }
        let mut next = 0;
        group.bench_function(BenchmarkId::new("memoised", count), |b| {
            b.iter(|| {
                next = (next + STRIDE) % calls.len();
                asked(black_box(calls[next]))
            });
        });
    }
    group.finish();
}

fn inserts(c: &mut Criterion) {
    let mut group = c.benchmark_group("insert");
    let mut function = Function::new(10_000);
    let fresh = function.types.declare(Decl::leaf(
        function.types.symbol("Fresh"),
        DeclKind::Concrete,
        function.number,
    ));
    let fresh = function.types.leaf(fresh.expect("a fresh name"));
    let mut index = CallIndex::new();
    for call in 0..100_000 {
        let (a, b) = (function.leaves[call % 10_000], function.leaves[call / 10]);
        index.insert(&function.types, function.types.tuple(&[a, b]), call as u32);
    }
    let sig = Sig::closed(&function.types, &[fresh, function.number]);
    group.bench_function("affects none of 100,000 calls", |b| {
        let mut world = World(1);
        let mut id = 1_000_000;
        b.iter(|| {
            (world, id) = (world.next(), id + 1);
            let replaced =
                function
                    .methods
                    .insert(&function.types, sig.clone(), MethodId(id), world);
            function.methods.forget_before(world);
            (replaced, index.affected(&function.types, black_box(&sig)))
        });
    });
    let sig = Sig::closed(&function.types, &[function.leaves[5], Ty::ANY]);
    group.bench_function("affects 10 of 100,000 calls", |b| {
        b.iter(|| index.affected(&function.types, black_box(&sig)));
    });
    group.bench_function("the first method of a table", |b| {
        b.iter_batched(
            Methods::new,
            |mut methods| methods.insert(&function.types, sig.clone(), MethodId(0), World(1)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, lookups, memoised, inserts);
criterion_main!(benches);
