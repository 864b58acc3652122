//! Which stages run after which edit, with a compiler that only knows calls: the engine's own
//! behaviour, independent of any language.
//!
//! A source is words: `type:T` (its summary), `call:g` (reads g's type), `ignore:g` (reads only
//! whether g returns), `inline:g` (reads g's body in codegen), `body:B` (anything), `read:K` (an
//! external fact), `same:g` (its type is that of g: recursion), `panic`, `edit` and `late-edit` (asks
//! the session for an edit and a demand, in infer and in codegen).
//!
//! Long because every case is a program, its edits and all that they run, side by side.

use expect_test::{Expect, expect};
use std::fmt::Write;
use std::sync::{Arc, OnceLock, Weak};
use worldage_dispatch::{Sig, Types, World};
use worldage_engine::{
    CodegenCx, Compiler, Edit, Engine, ExternalKey, InferCx, LinkCx, Linked, Mi, Options, Part,
    PartDigest, Resolved, ShardId, Stage, Stop, Summarize, TableId, digest_of,
};

#[derive(Default)]
struct Toy {
    /// The session that runs it, for stages that come back to it.
    engine: OnceLock<Weak<Engine<Toy>>>,
}

impl Toy {
    /// What the session says to a stage that comes back to it.
    fn come_back(&self, mi: Mi) -> String {
        let engine = self.engine.get().and_then(Weak::upgrade);
        let engine = engine.expect("the session lives while a stage runs");
        let edit = engine.commit(Edit::new()).map(drop);
        let demand = engine.demand(mi, ShardId(0), None).map(drop);
        let edit = edit.expect_err("a stage runs");
        let demand = demand.expect_err("a stage runs");
        format!("{edit} | {demand}")
    }
}

#[derive(Clone, PartialEq)]
struct Summary {
    ty: String,
}

#[derive(PartialEq)]
struct Inferred {
    ty: String,
    body: String,
    calls: Vec<Mi>,
    inlines: Vec<Mi>,
    late_edit: bool,
}

struct Entry(usize);

impl Linked for Entry {
    fn entry(&self) -> usize {
        self.0
    }
}

const RETURNS: Part<Summary, bool> = Part {
    index: 0,
    name: "returns",
    get: |summary| summary.ty != "bottom",
};
const TYPE: Part<Summary, String> = Part {
    index: 1,
    name: "type",
    get: |summary| summary.ty.clone(),
};

impl Summarize<Inferred> for Summary {
    const PARTS: &'static [PartDigest<Summary>] = &[
        PartDigest {
            name: "returns",
            digest: |summary| u64::from((RETURNS.get)(summary)),
        },
        PartDigest {
            name: "type",
            digest: |summary| digest_of(&summary.ty),
        },
    ];

    fn of(inferred: &Inferred) -> Summary {
        Summary {
            ty: inferred.ty.clone(),
        }
    }

    fn bottom() -> Summary {
        Summary {
            ty: "bottom".into(),
        }
    }
}

impl Compiler for Toy {
    type Source = String;
    type Inferred = Inferred;
    type Summary = Summary;
    type Code = String;
    type Linked = Entry;
    type Shard = String;

    fn infer(&self, cx: &mut InferCx<'_, Self>, mi: Mi, source: &String) -> Result<Inferred, Stop> {
        let mut inferred = Inferred {
            ty: "T".into(),
            body: String::new(),
            calls: vec![],
            inlines: vec![],
            late_edit: false,
        };
        for word in source.split_whitespace() {
            let (verb, name) = word.split_once(':').unwrap_or((word, ""));
            let types = cx.types();
            let args = types.tuple(&[]);
            let callee = |cx: &mut InferCx<'_, Self>| match cx.lookup(types.symbol(name), args)? {
                Resolved::Method(mi) => Ok(mi),
                other => Err(Stop::failed(format!("{name}: {other:?}"))),
            };
            match verb {
                "type" => inferred.ty = name.into(),
                "body" => inferred.body.push_str(name),
                "call" => {
                    let mi = callee(cx)?;
                    let ty = cx.read(mi, &TYPE)?;
                    inferred.calls.push(mi);
                    let _ = write!(inferred.body, "({ty})");
                }
                "ignore" => {
                    let mi = callee(cx)?;
                    cx.read(mi, &RETURNS)?;
                    inferred.calls.push(mi);
                }
                "inline" => {
                    let mi = callee(cx)?;
                    cx.read(mi, &TYPE)?;
                    inferred.inlines.push(mi);
                }
                "same" => {
                    let mi = callee(cx)?;
                    let ty = cx.read(mi, &TYPE)?;
                    if ty != "bottom" {
                        inferred.ty = ty;
                    }
                    inferred.calls.push(mi);
                }
                "read" => {
                    let value = cx.external(&key(name))?;
                    let _ = write!(inferred.body, "[{value:?}]");
                }
                "edit" => inferred.body = self.come_back(mi),
                "late-edit" => inferred.late_edit = true,
                "panic" => panic!("toy panic"),
                other => return Err(Stop::failed(format!("no verb {other}"))),
            }
        }
        Ok(inferred)
    }

    fn widen(&self, _: Mi, _: &Summary, _: &Summary) -> Summary {
        Summary { ty: "top".into() }
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<String, Stop> {
        let mut code = format!("{} {}", inferred.ty, inferred.body);
        for mi in &inferred.calls {
            cx.calls(*mi);
            let _ = write!(code, " call {}", mi.0);
        }
        for mi in &inferred.inlines {
            let body = cx.inferred(*mi)?;
            let _ = write!(code, " inlined {}", body.body);
        }
        if inferred.late_edit {
            let _ = write!(code, " {}", self.come_back(mi));
        }
        Ok(code)
    }

    fn link(&self, cx: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<String>) -> Result<Entry, Stop> {
        let _ = cx.own_cell();
        Ok(Entry(code.len()))
    }
}

fn key(name: &str) -> ExternalKey {
    ExternalKey {
        kind: "external",
        name: name.into(),
    }
}

/// Runs a script of `name = source`, `delete name`, `set K V`, `name()`, `name()@WORLD`,
/// `valid`, `explain name` lines and prints what they did.
#[track_caller]
fn check(script: &str, expected: Expect) {
    expected.assert_eq(&run(script));
}

fn run(script: &str) -> String {
    let types = Arc::new(Types::new());
    let options = Options {
        threads: 2,
        ..Options::default()
    };
    let engine = Engine::new(Toy::default(), types, options, Edit::new());
    let engine = Arc::new(engine.expect("an empty prelude"));
    let handle = engine.compiler().engine.set(Arc::downgrade(&engine));
    handle.expect("it is set once");
    let shard = engine.shard("opt:speed".into(), engine.view(&[]));
    let mut out = String::new();
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let _ = writeln!(out, "> {line}");
        command(&engine, shard, line, &mut out);
    }
    out
}

fn command(engine: &Engine<Toy>, shard: ShardId, line: &str, out: &mut String) {
    let types = engine.types();
    let sig = || Sig::closed(types, &[]);
    if let Some((name, source)) = line.split_once(" = ") {
        let mut edit = Edit::new();
        for (name, source) in name.split(',').zip(source.split(',')) {
            edit.define(
                TableId::BASE,
                types.symbol(name),
                sig(),
                source.trim().into(),
            );
        }
        let commit = engine.commit(edit).expect("a valid edit");
        let _ = writeln!(out, "world {}", commit.world);
    } else if let Some(name) = line.strip_prefix("delete ") {
        let mut edit = Edit::new();
        edit.delete(TableId::BASE, types.symbol(name), sig());
        match engine.commit(edit) {
            Ok(commit) => writeln!(out, "world {}", commit.world),
            Err(error) => writeln!(out, "error: {error}"),
        }
        .expect("a string");
    } else if let Some(rest) = line.strip_prefix("set ") {
        let (name, value) = rest.split_once(' ').expect("set K V");
        let mut edit = Edit::new();
        edit.external(key(name), Some(value.as_bytes().into()));
        let commit = engine.commit(edit).expect("a valid edit");
        let _ = writeln!(out, "world {}", commit.world);
    } else if line == "valid" {
        let mut names: Vec<_> = engine
            .valid(shard)
            .into_iter()
            .map(|mi| engine.name(mi))
            .collect();
        names.sort();
        let _ = writeln!(out, "{}", names.join(" "));
    } else if let Some(name) = line.strip_prefix("explain ") {
        let mi = resolve(engine, name, engine.world()).expect("it exists");
        for stage in engine.explain(mi, shard).expect("it was compiled").stages {
            let how = if stage.ran { "ran" } else { "reused" };
            let _ = writeln!(
                out,
                "  {:<8} {how} {}",
                stage.stage,
                stage.because.join(" / ")
            );
        }
    } else {
        let (name, world) = line.split_once("()").expect("a call");
        let world = world
            .strip_prefix('@')
            .map(|w| World(w.parse().expect("a world")));
        match resolve(engine, name, world.unwrap_or(engine.world())) {
            Some(mi) => call(engine, shard, mi, world, out),
            None => writeln!(out, "no method").expect("a string"),
        }
    }
}

fn resolve(engine: &Engine<Toy>, name: &str, world: World) -> Option<Mi> {
    let types = engine.types();
    let view = engine.view(&[]);
    match engine.lookup(types.symbol(name), types.tuple(&[]), view, world) {
        Resolved::Method(mi) => Some(mi),
        _ => None,
    }
}

fn call(engine: &Engine<Toy>, shard: ShardId, mi: Mi, world: Option<World>, out: &mut String) {
    let result = engine.demand(mi, shard, world);
    let log = engine.take_log();
    for stage in [Stage::Infer, Stage::Codegen, Stage::Link] {
        let mut names: Vec<_> = log
            .iter()
            .filter(|e| e.stage == stage)
            .map(|e| engine.name(e.mi))
            .collect();
        names.sort();
        names.dedup();
        if !names.is_empty() {
            let _ = writeln!(out, "{stage:<8} {}", names.join(" "));
        }
    }
    match result {
        Ok(ci) => writeln!(out, "=> {}", ci.code()),
        Err(error) => writeln!(out, "error: {error}"),
    }
    .expect("a string");
}

#[test]
fn an_equal_summary_stops_at_the_callee() {
    check(
        "
        g = type:A body:1
        f = call:g
        f()
        f()
        g = type:A body:2
        valid
        f()
        f()@2
        explain f
        g = type:B body:2
        f()
        explain f
        ",
        expect![[r#"
            > g = type:A body:1
            world 1
            > f = call:g
            world 2
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (A) call 1
            > f()
            => T (A) call 1
            > g = type:A body:2
            world 3
            > valid

            > f()
            infer    g()
            codegen  g()
            link     f() g()
            => T (A) call 1
            > f()@2
            => T (A) call 1
            > explain f
              infer    reused 
              codegen  reused 
              link     ran code g() / source g()  replaced in world 3
            > g = type:B body:2
            world 4
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (B) call 1
            > explain f
              infer    ran summary g() / source g()  replaced in world 4
              codegen  ran inferred f()
              link     ran code f()
        "#]],
    );
}

#[test]
fn an_unused_result_reads_only_whether_it_returns() {
    check(
        "
        g = type:A
        f = ignore:g
        f()
        g = type:B
        f()
        g = type:bottom
        f()
        ",
        expect![[r#"
            > g = type:A
            world 1
            > f = ignore:g
            world 2
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T  call 1
            > g = type:B
            world 3
            > f()
            infer    g()
            codegen  g()
            link     f() g()
            => T  call 1
            > g = type:bottom
            world 4
            > f()
            infer    f() g()
            codegen  g()
            link     f() g()
            => T  call 1
        "#]],
    );
}

#[test]
fn an_inlined_body_is_an_edge_of_codegen() {
    check(
        "
        g = body:1
        f = inline:g
        top = call:f
        top()
        g = body:2
        top()
        g = body:3
        g = body:2
        valid
        top()
        top()@6
        ",
        expect![[r#"
            > g = body:1
            world 1
            > f = inline:g
            world 2
            > top = call:f
            world 3
            > top()
            infer    f() g() top()
            codegen  f() top()
            link     f() top()
            => T (T) call 1
            > g = body:2
            world 4
            > top()
            infer    g()
            codegen  f()
            link     f() top()
            => T (T) call 1
            > g = body:3
            world 5
            > g = body:2
            world 6
            > valid
            f() top()
            > top()
            => T (T) call 1
            > top()@6
            => T (T) call 1
        "#]],
    );
}

#[test]
fn recursion_restarts_from_bottom() {
    check(
        "
        a = same:b type:X
        b = same:a
        c = call:a
        c()
        a = same:b type:Y
        c()
        b = same:a body:2
        c()
        ",
        expect![[r#"
            > a = same:b type:X
            world 1
            > b = same:a
            world 2
            > c = call:a
            world 3
            > c()
            infer    a() b() c()
            codegen  a() b() c()
            link     a() b() c()
            => T (X) call 1
            > a = same:b type:Y
            world 4
            > c()
            infer    a() b() c()
            codegen  a() b() c()
            link     a() b() c()
            => T (Y) call 1
            > b = same:a body:2
            world 5
            > c()
            infer    a() b()
            codegen  b()
            link     a() b() c()
            => T (Y) call 1
        "#]],
    );
}

#[test]
fn a_new_edge_can_close_a_cycle() {
    check(
        "
        f = type:A
        g = same:f
        h = call:g call:f
        h()
        f = same:g type:A body:1
        h()
        f = same:g type:C
        h()
        ",
        expect![[r#"
            > f = type:A
            world 1
            > g = same:f
            world 2
            > h = call:g call:f
            world 3
            > h()
            infer    f() g() h()
            codegen  f() g() h()
            link     f() g() h()
            => T (A)(A) call 1 call 2
            > f = same:g type:A body:1
            world 4
            > h()
            infer    f() g()
            codegen  f()
            link     f() g() h()
            => T (A)(A) call 1 call 2
            > f = same:g type:C
            world 5
            > h()
            infer    f() g() h()
            codegen  f() g() h()
            link     f() g() h()
            => T (C)(C) call 1 call 2
        "#]],
    );
}

#[test]
fn what_a_cycle_that_falls_apart_leaves_behind_is_looked_at() {
    check(
        "
        f = same:g type:A
        g = same:f
        h = call:g
        h()
        f = type:A body:1
        h()
        f = type:A body:2
        h()
        f = type:B
        h()
        ",
        expect![[r#"
            > f = same:g type:A
            world 1
            > g = same:f
            world 2
            > h = call:g
            world 3
            > h()
            infer    f() g() h()
            codegen  f() g() h()
            link     f() g() h()
            => T (A) call 1
            > f = type:A body:1
            world 4
            > h()
            infer    f()
            codegen  f()
            link     f() g() h()
            => T (A) call 1
            > f = type:A body:2
            world 5
            > h()
            infer    f()
            codegen  f()
            link     f() g() h()
            => T (A) call 1
            > f = type:B
            world 6
            > h()
            infer    f() g() h()
            codegen  f() g() h()
            link     f() g() h()
            => T (B) call 1
        "#]],
    );
}

#[test]
fn a_missing_method_heals() {
    check(
        "
        f = call:g
        f()
        g = type:A
        f()
        delete g
        valid
        f()
        g = type:A
        f()
        delete nothing
        ",
        expect![[r#"
            > f = call:g
            world 1
            > f()
            infer    f()
            error: infer of f() failed: g: NoMethod
            > g = type:A
            world 2
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (A) call 1
            > delete g
            world 3
            > valid

            > f()
            infer    f()
            error: infer of f() failed: g: NoMethod
            > g = type:A
            world 4
            > f()
            infer    f()
            codegen  f()
            link     f()
            => T (A) call 1
            > delete nothing
            error: no-such-method: nothing() in base in world 4: define it first, or name its table
        "#]],
    );
}

#[test]
fn externals_are_edges() {
    check(
        "
        f = read:K
        f()
        set K 1
        f()
        set K 1
        f()
        set J 1
        f()
        ",
        expect![[r#"
            > f = read:K
            world 1
            > f()
            infer    f()
            codegen  f()
            link     f()
            => T [None]
            > set K 1
            world 2
            > f()
            infer    f()
            codegen  f()
            link     f()
            => T [Some([49])]
            > set K 1
            world 3
            > f()
            => T [Some([49])]
            > set J 1
            world 4
            > f()
            => T [Some([49])]
        "#]],
    );
}

#[test]
fn old_worlds_reuse_what_holds_there() {
    check(
        "
        g = type:A body:1
        f = call:g
        f()
        g = type:A body:2
        g = type:B body:3
        f()
        f()@2
        f()@3
        f()@3
        f()@4
        ",
        expect![[r#"
            > g = type:A body:1
            world 1
            > f = call:g
            world 2
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (A) call 1
            > g = type:A body:2
            world 3
            > g = type:B body:3
            world 4
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (B) call 1
            > f()@2
            => T (A) call 1
            > f()@3
            infer    g()
            codegen  g()
            link     f() g()
            => T (A) call 1
            > f()@3
            => T (A) call 1
            > f()@4
            => T (B) call 1
        "#]],
    );
}

#[test]
fn a_panic_is_the_error_of_its_stage() {
    check(
        "
        g = panic
        f = call:g
        f()
        g = type:A
        f()
        ",
        expect![[r#"
            > g = panic
            world 1
            > f = call:g
            world 2
            > f()
            infer    f() g()
            error: infer of f() failed: stage `infer` panicked: toy panic
            > g = type:A
            world 3
            > f()
            infer    f() g()
            codegen  f() g()
            link     f() g()
            => T (A) call 1
        "#]],
    );
}

#[test]
fn a_stage_cannot_edit_the_session_that_runs_it() {
    check(
        "
        g = type:A
        f = edit
        f()
        g()
        ",
        expect![[r#"
            > g = type:A
            world 1
            > f = edit
            world 2
            > f()
            infer    f()
            codegen  f()
            link     f()
            => T edit-during-stage: a stage may not edit the session that runs it | a stage asked a session: ask the stage's context instead
            > g()
            infer    g()
            codegen  g()
            link     g()
            => A 
        "#]],
    );
}

#[test]
fn nor_can_one_on_another_thread() {
    // So many that codegen uses all threads.
    let mut script = String::new();
    let mut calls = String::new();
    for ix in 0..64 {
        let _ = writeln!(script, "g{ix} = type:A late-edit");
        let _ = write!(calls, " call:g{ix}");
    }
    let _ = writeln!(script, "f ={calls}\nf()\ng0()\ng63()");
    let out = run(&script);
    let refused = "edit-during-stage: a stage may not edit the session that runs it";
    assert_eq!(out.matches(refused).count(), 2, "{out}");
}

#[test]
fn a_batch_is_one_world() {
    check(
        "
        a,b = call:b, type:A
        a()
        a,b = call:b, type:B
        a()
        ",
        expect![[r#"
            > a,b = call:b, type:A
            world 1
            > a()
            infer    a() b()
            codegen  a() b()
            link     a() b()
            => T (A) call 1
            > a,b = call:b, type:B
            world 2
            > a()
            infer    a() b()
            codegen  a() b()
            link     a() b()
            => T (B) call 1
        "#]],
    );
}

#[test]
fn deep_chains_need_no_deep_stack() {
    // Deeper than what is nested, also where miri interprets it.
    let last = if cfg!(miri) { 120 } else { 2999 };
    let call = |ix| format!("f{ix} = same:f{}\n", ix - 1);
    let chain: String = (1..=last).map(call).collect();
    let calls = format!("f{last}()\nf0 = type:B\nf{last}()\n");
    let out = run(&format!("f0 = type:A\n{chain}{calls}"));
    let tail: Vec<_> = out.lines().rev().take(2).collect();
    assert!(tail[0].starts_with("=> B "), "{}", tail[0]);
    assert_eq!(tail[1].split_whitespace().count(), last + 2);
}
