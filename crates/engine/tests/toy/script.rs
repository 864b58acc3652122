//! Commands to a session, one per line, and what they did.

use crate::language::{Toy, key};
use expect_test::Expect;
use std::fmt::Write;
use std::sync::Arc;
use worldage_dispatch::{Sig, Types, World};
use worldage_engine::{Edit, Engine, Mi, Options, Resolved, ShardId, Stage, TableId};

/// Runs a script of `name = source`, `delete name`, `set K V`, `name()`, `name()@WORLD`,
/// `valid`, `explain name` lines and prints what they did.
#[track_caller]
pub(crate) fn check(script: &str, expected: Expect) {
    expected.assert_eq(&run(script));
}

pub(crate) fn run(script: &str) -> String {
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
