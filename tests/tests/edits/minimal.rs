//! Which stages may run: a stage whose inputs are those of its last run must not run again.
//!
//! The inputs come from sessions from scratch, one for the world of each call: for every instance
//! that the call reaches, its method, the methods that its functions have, what its callees
//! return, and its typed SSA. Nothing here asks the session under test for more than the names of
//! the stages that ran. An instance is known by its name and its method, for `invoke` calls
//! methods that its argument types alone do not mean.
//!
//! A call that fails is held to the same: its error is a value of the program, and what it is
//! compiled to is known. One that ends before that (no method takes it, its arguments cannot be
//! made) runs no stage at all. Only where a stage itself fails is everything forgotten and nothing
//! claimed.
//!
//! A redefined struct is another type of the same name: what is written with that name (the
//! instance, its method, its typed SSA, what its callees return) counts as changed, and nothing
//! else. What `semantics.md` leaves open, and this therefore allows: running again what mentions a
//! struct that got its old fields back before the next call (R1 speaks of methods only).

use std::collections::{BTreeMap, BTreeSet};
use worldage::engine::Mi;
use worldage::{CallOptions, EmitStage, OptLevel, Session, Stage};

/// What the stages of an instance read and made in one world.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    /// Its method, with what tells it from an earlier one of the same signature, and its text.
    method: String,
    /// The methods that lookups of it chose among, and the external facts.
    asked: String,
    /// What it calls, with the method that is meant and what that returns.
    callees: BTreeMap<String, String>,
    /// Its typed SSA.
    inferred: String,
    /// Instances whose bodies are in its code.
    inlined: Vec<String>,
    /// Instances that its code calls.
    called: Vec<String>,
}

/// The facts of everything that a call reaches, by [`instance`].
pub(crate) type Reached = BTreeMap<String, Facts>;

/// What identifies a method and what its lookups depend on, from the plain model of the program.
pub(crate) trait Program {
    /// What tells a method from an earlier one of the same signature.
    fn identity(&self, signature: &str) -> String;
    /// What lookups in a method with this text can choose among.
    fn asked(&self, signature: &str) -> String;
    /// What tells the types that a text names from earlier ones of the same names.
    fn types_in(&self, text: &str) -> String;
}

/// What a call of the host means in a session from scratch.
pub(crate) enum Meant {
    /// No instance: no stage may run.
    Nothing,
    /// An instance by [`instance`], and the facts of what it reaches.
    Call(String, Reached),
    /// A stage has no answer.
    Unknown,
}

/// The name of an instance and its method: what it is called by here.
pub(crate) fn instance(session: &Session, mi: Mi) -> String {
    format!("{} of {}", session.name(mi), session.method_of(mi))
}

/// What a call of the host means, whose instance is `call` if there is one: from a session that has
/// compiled nothing before.
pub(crate) fn meant(
    scratch: &Session,
    expr: &str,
    call: &str,
    options: &CallOptions,
    program: &impl Program,
) -> Meant {
    // No method takes it, or its arguments cannot be made: it ends before any stage.
    scratch.call(expr, options);
    if scratch.take_stages().is_empty() {
        return Meant::Nothing;
    }
    let Ok(root) = scratch.instance(call) else {
        return Meant::Unknown;
    };
    match reached(scratch, root, program) {
        Some(reached) => Meant::Call(instance(scratch, root), reached),
        None => Meant::Unknown,
    }
}

fn reached(scratch: &Session, root: Mi, program: &impl Program) -> Option<Reached> {
    let mut reached = Reached::new();
    let mut todo = vec![root];
    while let Some(mi) = todo.pop() {
        let name = instance(scratch, mi);
        if reached.contains_key(&name) {
            continue;
        }
        let with_types = |text: String| {
            let types = program.types_in(&text);
            text + &types
        };
        let emit = |stage| scratch.emit_of(mi, stage, OptLevel::Speed).ok();
        let signature = scratch.method_of(mi);
        let composition = scratch.composition(mi).ok()?;
        let mut callees = BTreeMap::new();
        for callee in &composition.callees {
            let method = scratch.method_of(*callee);
            let meant = format!(
                "{} {}",
                program.identity(&method),
                returns(scratch, *callee)?
            );
            callees.insert(instance(scratch, *callee), with_types(meant));
        }
        let method = format!(
            "{name} {} {}",
            program.identity(&signature),
            emit(EmitStage::Source)?
        );
        let names = |mis: &[Mi]| mis.iter().map(|mi| instance(scratch, *mi)).collect();
        let facts = Facts {
            method: with_types(method),
            asked: with_types(program.asked(&signature)),
            callees,
            inferred: with_types(emit(EmitStage::Inferred)?),
            inlined: names(&composition.inlined),
            called: names(&composition.called),
        };
        todo.extend(composition.callees);
        reached.insert(name, facts);
    }
    Some(reached)
}

/// What an instance returns: the last line of its typed SSA, `-> Int64`.
fn returns(scratch: &Session, mi: Mi) -> Option<String> {
    let inferred = scratch
        .emit_of(mi, EmitStage::Inferred, OptLevel::Speed)
        .ok()?;
    inferred.lines().next_back().map(str::to_owned)
}

/// What every instance last ran with, in the default view.
#[derive(Default)]
pub(crate) struct Minimal {
    inferred: Reached,
    /// By instance and opt level: what its code was made of.
    generated: BTreeMap<(String, bool), Vec<Facts>>,
    /// How often code was made.
    versions: BTreeMap<(String, bool), u64>,
    /// By instance and opt level: the versions that it was linked to.
    linked: BTreeMap<(String, bool), BTreeMap<String, u64>>,
}

impl Minimal {
    /// Forgets everything: nothing is claimed of the next call.
    pub(crate) fn forget(&mut self) {
        *self = Minimal::default();
    }

    /// Checks the stages that a call ran, and remembers what they read.
    ///
    /// # Errors
    /// A stage that ran with the inputs that it had run with before.
    pub(crate) fn check(
        &mut self,
        root: &str,
        is_quick: bool,
        ran: &[(Stage, String)],
        reached: &Reached,
    ) -> Result<(), String> {
        for (_, name) in ran.iter().filter(|(stage, _)| *stage == Stage::Infer) {
            if reached.contains_key(name) && !self.may_infer(name, reached) {
                return Err(format!(
                    "infer {name} ran, and nothing that it read changed"
                ));
            }
        }
        for (_, name) in ran.iter().filter(|(stage, _)| *stage == Stage::Codegen) {
            let key = (name.clone(), is_quick);
            *self.versions.entry(key.clone()).or_default() += 1;
            let before = self.generated.get(&key);
            if let Some(inputs) = inputs_of_code(name, reached)
                && before == Some(&inputs)
            {
                return Err(format!(
                    "codegen {name} ran, and nothing that it read changed"
                ));
            }
        }
        for (_, name) in ran.iter().filter(|(stage, _)| *stage == Stage::Link) {
            let before = self.linked.get(&(name.clone(), is_quick));
            if reached.contains_key(name) && before == Some(&self.links(name, is_quick, reached)) {
                return Err(format!("link {name} ran, and no code below it changed"));
            }
        }
        self.remember(root, is_quick, ran, reached);
        Ok(())
    }

    /// Only what ran is known to have been made: a call that was left to run time stays so when the
    /// methods become few (`semantics.md`: it has no lookup edge), and then the session reaches
    /// less than one from scratch.
    fn remember(&mut self, root: &str, is_quick: bool, ran: &[(Stage, String)], reached: &Reached) {
        for (_, name) in ran.iter().filter(|(_, name)| !reached.contains_key(name)) {
            // It was asked for at run time, or by an earlier iteration.
            self.inferred.remove(name);
            self.generated.remove(&(name.clone(), is_quick));
            self.linked.remove(&(name.clone(), is_quick));
        }
        let did = |stage: Stage, name: &str| ran.contains(&(stage, name.to_owned()));
        for (name, facts) in reached {
            let but_asked = |facts: &Facts| Facts {
                asked: String::new(),
                ..facts.clone()
            };
            let before = self.inferred.get(name);
            // Where lookups chose among other methods and answered the same, the answers were read.
            let same = before.is_some_and(|before| but_asked(before) == but_asked(facts));
            if same || did(Stage::Infer, name) {
                self.inferred.insert(name.clone(), facts.clone());
            }
        }
        for name in called_from(root, reached) {
            let key = (name.clone(), is_quick);
            if did(Stage::Link, &name) {
                let links = self.links(&name, is_quick, reached);
                self.linked.insert(key.clone(), links);
            }
            if did(Stage::Codegen, &name)
                && let Some(inputs) = inputs_of_code(&name, reached)
            {
                self.generated.insert(key, inputs);
            }
        }
    }

    /// Whether inference of an instance may run: it was not inferred before, what it read changed,
    /// or that of another member of its recursive component did.
    fn may_infer(&self, name: &str, reached: &Reached) -> bool {
        let changed = |name: &String| match (self.inferred.get(name), reached.get(name)) {
            (Some(before), Some(now)) => {
                before.method != now.method
                    || before.asked != now.asked
                    || before.callees != now.callees
            }
            _ => true,
        };
        let below = self.below(name, reached);
        let in_component = |other: &&String| self.below(other, reached).contains(name);
        changed(&name.to_owned()) || below.iter().filter(in_component).any(changed)
    }

    /// Everything that an instance reached or reaches through calls.
    fn below(&self, name: &str, reached: &Reached) -> BTreeSet<String> {
        let mut below = BTreeSet::new();
        let mut todo = vec![name.to_owned()];
        while let Some(name) = todo.pop() {
            for facts in [self.inferred.get(&name), reached.get(&name)]
                .into_iter()
                .flatten()
            {
                let callees = facts.callees.keys();
                todo.extend(
                    callees
                        .filter(|callee| below.insert((*callee).clone()))
                        .cloned(),
                );
            }
        }
        below
    }

    /// The versions of the code that an instance is linked to, directly or not.
    fn links(&self, name: &str, is_quick: bool, reached: &Reached) -> BTreeMap<String, u64> {
        let version = |name: String| {
            let version = self.versions.get(&(name.clone(), is_quick));
            (name, version.copied().unwrap_or(0))
        };
        called_from(name, reached)
            .into_iter()
            .map(version)
            .collect()
    }
}

/// What the code of an instance is made of: its own facts and those of what is inlined.
fn inputs_of_code(name: &str, reached: &Reached) -> Option<Vec<Facts>> {
    let own = reached.get(name)?;
    let parts = std::iter::once(Some(own)).chain(own.inlined.iter().map(|name| reached.get(name)));
    parts
        .map(|facts| {
            // What lookups chose among is read by inference alone.
            let asked = String::new();
            let facts = facts?.clone();
            Some(Facts { asked, ..facts })
        })
        .collect()
}

/// What the code of an instance calls, directly or not, and itself.
fn called_from(name: &str, reached: &Reached) -> BTreeSet<String> {
    let mut found = BTreeSet::from([name.to_owned()]);
    let mut todo = vec![name.to_owned()];
    while let Some(name) = todo.pop() {
        let called = reached.get(&name).map_or(&[][..], |facts| &facts.called);
        todo.extend(
            called
                .iter()
                .filter(|name| found.insert((*name).clone()))
                .cloned(),
        );
    }
    found
}

/// `f` calls `g`, whose method returns `returns` and has the text `text`.
fn f_and_g(returns: &str, text: &str) -> Reached {
    let facts = |method: &str, callee: Option<&str>| Facts {
        method: method.into(),
        asked: String::new(),
        callees: callee
            .map(|name| (name.into(), format!("{name} {returns}")))
            .into_iter()
            .collect(),
        inferred: format!("-> {returns}"),
        inlined: Vec::new(),
        called: callee.map(str::to_owned).into_iter().collect(),
    };
    [
        ("f()".to_owned(), facts("f", Some("g()"))),
        ("g()".to_owned(), facts(text, None)),
    ]
    .into()
}

#[test]
fn a_stage_that_runs_for_nothing_is_found() {
    use Stage::{Codegen, Infer, Link};
    let all = |stages: &[Stage], names: &[&str]| -> Vec<(Stage, String)> {
        let pairs = stages
            .iter()
            .flat_map(|stage| names.iter().map(|name| (*stage, (*name).to_owned())));
        pairs.collect()
    };
    let begin = || {
        let mut minimal = Minimal::default();
        let first = all(&[Infer, Codegen, Link], &["f()", "g()"]);
        minimal
            .check("f()", false, &first, &f_and_g("Int64", "1"))
            .expect("everything is new");
        minimal
    };
    for stage in [Infer, Codegen, Link] {
        for name in ["f()", "g()"] {
            let again = begin().check(
                "f()",
                false,
                &all(&[stage], &[name]),
                &f_and_g("Int64", "1"),
            );
            assert!(again.is_err(), "{stage} {name}");
        }
    }
    // Another body of the same type: the callee runs, its caller is linked and no more.
    let edited = f_and_g("Int64", "2");
    let mut ran = all(&[Infer, Codegen], &["g()"]);
    ran.extend(all(&[Link], &["f()", "g()"]));
    assert_eq!(begin().check("f()", false, &ran, &edited), Ok(()));
    for stage in [Infer, Codegen] {
        ran.push((stage, "f()".into()));
        assert!(begin().check("f()", false, &ran, &edited).is_err());
        ran.pop();
    }
    // Another type: the caller too.
    let retyped = f_and_g("Float64", "2");
    let ran = all(&[Infer, Codegen, Link], &["f()", "g()"]);
    assert_eq!(begin().check("f()", false, &ran, &retyped), Ok(()));
}
