//! `bench recompile`: a program of many instances, an edit, a call, again and again.
//!
//! Every answer is checked against `program`, and every set of stages against `minimal`.

use super::alloc::live_bytes;
use super::graph::{Graph, Random, Shape};
use super::limit;
use super::minimal::{Edit, Model, Stages};
use super::program::{Answer, Program};
use super::report::{Counts, Report, Series, round};
use crate::compile::Opt;
use crate::failure::{Done, Failure};
use crate::terminal;
use std::time::{Duration, Instant};
use worldage::engine::Mi;
use worldage::{CallOptions, Linking, OptLevel, Session, SessionOptions, Stage, StageEvent, Value};

/// What went wrong and must not: a mistake of ours, in words.
pub(super) type Wrong = String;

/// What is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EditKind {
    /// Another constant.
    Body,
    /// Int64 to Float64 and back.
    Type,
    /// An unrelated method of the edited function.
    AddMethod,
    /// A shadowing method, which is then defined again.
    Delete,
    /// The root's body.
    Root,
}

/// What a redefinition means for linked code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LinkingKind {
    /// Running code never sees a later definition.
    Pinned,
    /// Running code picks up new bodies at its next call.
    Live,
}

/// Recompilation after an edit, beside its limit.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Method instances of the program.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=4_000_000))]
    instances: u32,
    /// How they call one another.
    #[arg(long, value_enum, default_value = "tree")]
    shape: Shape,
    /// What is edited.
    #[arg(long, value_enum, default_value = "body")]
    edit: EditKind,
    /// What a redefinition means for linked code.
    #[arg(long, value_enum, default_value = "pinned")]
    linking: LinkingKind,
    /// How hard the code generator tries.
    #[arg(long, value_enum, default_value = "speed")]
    opt: Opt,
    /// How many edits; by default 200, or as many as fit into ten seconds.
    #[arg(long, value_name = "N")]
    edits: Option<usize>,
    /// Threads of the compiler.
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// The same program in every run.
const SEED: u64 = 20_241_121;
/// Different instances that edits aim at.
const TARGETS: usize = 48;
/// Beyond so many functions the limit is measured for the first edits only.
const LIMIT_OFTEN: usize = 64;
const LIMIT_TIMES: usize = 3;
const DEFAULT_EDITS: usize = 200;
const DEFAULT_TIME: Duration = Duration::from_secs(10);

/// Runs the bench and prints what it found.
pub(crate) fn run(args: &Args) -> Done {
    let opt = args.opt.level()?;
    let bug = |error: Wrong| {
        terminal::say(&format!("error: {error}\n"));
        Failure::Said(70)
    };
    if args.linking == LinkingKind::Live && !live_works(args, opt).map_err(bug)? {
        return Err(Failure::Missing(
            "live linking is not in this build".to_string(),
            "use --linking pinned".to_string(),
        ));
    }
    let graph = Graph::new(args.shape, args.instances as usize, SEED);
    let report = measure(args, opt, &graph).map_err(bug)?;
    let text = match args.json {
        true => serde_json::to_string(&report).expect("a report is JSON"),
        false => report.text(),
    };
    terminal::line(&text)?;
    match report.not_minimal {
        0 => Ok(()),
        differ => Err(Failure::Program(format!(
            "error: after {differ} of {} edits the stages that ran were not the minimal set\n",
            report.edits
        ))),
    }
}

fn session(args: &Args, opt: OptLevel) -> Result<Session, Wrong> {
    let options = SessionOptions {
        threads: args.threads.max(1),
        opt,
        linking: match args.linking {
            LinkingKind::Pinned => Linking::Pinned,
            LinkingKind::Live => Linking::Live,
        },
        log_limit: usize::MAX,
        ..SessionOptions::default()
    };
    Session::new(options).map_err(|error| error.to_string())
}

/// Whether an edited leaf leaves its caller alone.
fn live_works(args: &Args, opt: OptLevel) -> Result<bool, Wrong> {
    let session = session(args, opt)?;
    let define = |text: &str| {
        let defined = session.define("probe.wir", text, None);
        defined.map_err(|failure| failure.to_string())
    };
    define("noinline fn g(x: Int64) { x + 1 }\nnoinline fn f(x: Int64) { g(x) * 2 }")?;
    let call = || {
        let value = session.value_of("f", &[Value::int(20)], &CallOptions::default());
        value.map_err(|failure| failure.to_string())
    };
    call()?;
    define("noinline fn g(x: Int64) { x + 2 }")?;
    session.take_stages();
    call()?;
    let events = session.take_stages();
    let linked = events.iter().filter(|event| event.stage == Stage::Link);
    Ok(linked.count() == 1)
}

/// A running measurement.
struct Bench<'g> {
    session: Session,
    graph: &'g Graph,
    program: Program<'g>,
    targets: Vec<u32>,
    ways: Vec<Vec<u8>>,
    random: Random,
    /// The instance's number in the graph by the engine's number.
    numbers: Vec<Option<u32>>,
    calls: i64,
}

fn measure(args: &Args, opt: OptLevel, graph: &Graph) -> Result<Report, Wrong> {
    let targets = match args.edit {
        EditKind::Root => vec![0],
        _ => graph.targets(TARGETS, SEED),
    };
    let ways = match args.edit {
        // The root itself is edited; the call goes some way all the same.
        EditKind::Root => graph.ways(&graph.targets(1, SEED)),
        _ => graph.ways(&targets),
    };
    let program = Program::new(graph, SEED);
    let shadowed = match args.edit {
        EditKind::Delete => targets.clone(),
        _ => Vec::new(),
    };
    let text = program.text(&shadowed);
    let mut bench = Bench {
        session: session(args, opt)?,
        graph,
        program,
        targets,
        ways,
        random: Random::new(SEED, 4),
        numbers: Vec::new(),
        calls: 0,
    };
    let start = Instant::now();
    let before = live_bytes();
    bench.define(text)?;
    let (define, source) = (start.elapsed(), live_bytes());
    bench.check(0)?;
    let scratch = start.elapsed();
    let events = bench.session.take_stages();
    let instances: Vec<Mi> = stage(&events, Stage::Codegen).collect();
    drop(events);
    let compiled = live_bytes();
    let code_bytes = bench.session.stats(&[]).code_live_bytes;
    let scratch_limit = limit::time(&bench.session, &instances, opt)?;
    let warm = bench.warm_call()?;
    let edits = edits(args, opt, &mut bench)?;

    let n = graph.len();
    let first_call = scratch - define;
    let recompile_us = Series::of(edits.recompile);
    let limit_us = (!edits.limit.is_empty()).then(|| Series::of(edits.limit).median);
    let per_instance = |bytes: f64| round(bytes / n as f64);
    Ok(Report {
        instances: n,
        shape: args.shape.name(),
        edit: edit_name(args.edit),
        linking: match args.linking {
            LinkingKind::Pinned => "pinned",
            LinkingKind::Live => "live",
        },
        opt: opt.name(),
        edits: edits.count,
        ran: edits.ran,
        minimal: edits.minimal,
        edit_us: Series::of(edits.edit),
        recompile_us,
        limit_us,
        ratio_to_limit: limit_us.map(|limit| round(recompile_us.median / limit)),
        scratch_ms: ms(scratch),
        bytes_per_instance: per_instance((compiled - source) as f64),
        not_minimal: edits.not_minimal,
        threads: args.threads.max(1),
        define_ms: ms(define),
        first_call_ms: ms(first_call),
        scratch_limit_ms: ms(scratch_limit),
        first_call_ratio: round(first_call.as_secs_f64() / scratch_limit.as_secs_f64()),
        warm_call_us: warm,
        source_bytes_per_instance: per_instance((source - before) as f64),
        code_bytes_per_instance: per_instance(code_bytes as f64),
    })
}

fn ms(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1e3)
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn edit_name(edit: EditKind) -> &'static str {
    match edit {
        EditKind::Body => "body",
        EditKind::Type => "type",
        EditKind::AddMethod => "add-method",
        EditKind::Delete => "delete",
        EditKind::Root => "root",
    }
}

/// What the edits found.
#[derive(Default)]
struct Edits {
    count: usize,
    edit: Vec<f64>,
    recompile: Vec<f64>,
    limit: Vec<f64>,
    ran: Counts,
    minimal: Counts,
    not_minimal: usize,
}

fn edits(args: &Args, opt: OptLevel, bench: &mut Bench<'_>) -> Result<Edits, Wrong> {
    let mut model = Model::new(bench.graph, args.linking == LinkingKind::Live);
    let mut edits = Edits::default();
    let begin = Instant::now();
    let wanted = args.edits.unwrap_or(DEFAULT_EDITS);
    while edits.count < wanted {
        // An edit that is taken back comes with its partner.
        let whole = edits.count.is_multiple_of(2);
        if args.edits.is_none() && whole && edits.count > 4 && begin.elapsed() > DEFAULT_TIME {
            break;
        }
        let (edit, ix) = bench.choose(args.edit, edits.count);
        let text = bench.apply(edit, edits.count);
        let start = Instant::now();
        match &text {
            Change::Define(text) => bench.define_small(text)?,
            Change::Delete(sig) => bench.delete(sig)?,
        }
        let edit_time = start.elapsed();
        let answer = bench.call(ix)?;
        let recompile = start.elapsed();
        bench.compare(ix, answer)?;
        let events = bench.session.take_stages();
        let ran = bench.stages(&events);
        let minimal = model.after(edit);
        if ran != minimal {
            edits.not_minimal += 1;
            if edits.not_minimal == 1 {
                terminal::say(&format!("{edit:?}: ran {}\n", difference(&ran, &minimal)));
            }
        }
        widest(&mut edits.ran, &ran);
        widest(&mut edits.minimal, &minimal);
        edits.edit.push(us(edit_time));
        edits.recompile.push(us(recompile));
        let generated: Vec<Mi> = stage(&events, Stage::Codegen).collect();
        let often = generated.len() <= LIMIT_OFTEN || edits.limit.len() < LIMIT_TIMES;
        if !generated.is_empty() && often {
            let time = limit::time(&bench.session, &generated, opt)?;
            edits.limit.push(us(time));
        }
        edits.count += 1;
    }
    Ok(edits)
}

fn stage(events: &[StageEvent], stage: Stage) -> impl Iterator<Item = Mi> {
    let of_stage = events.iter().filter(move |event| event.stage == stage);
    of_stage.map(|event| event.mi)
}

fn widest(counts: &mut Counts, stages: &Stages) {
    counts.infer = counts.infer.max(stages.infer.len());
    counts.codegen = counts.codegen.max(stages.codegen.len());
    counts.link = counts.link.max(stages.link.len());
}

/// Which stages differ, in few words.
fn difference(ran: &Stages, minimal: &Stages) -> String {
    let of = |name: &str, ran: &[u32], minimal: &[u32]| {
        let more: Vec<_> = ran
            .iter()
            .filter(|i| !minimal.contains(i))
            .take(8)
            .collect();
        let less: Vec<_> = minimal
            .iter()
            .filter(|i| !ran.contains(i))
            .take(8)
            .collect();
        format!(
            "{name} {} of {}, too many {more:?}, too few {less:?}; ",
            ran.len(),
            minimal.len()
        )
    };
    of("infer", &ran.infer, &minimal.infer)
        + &of("codegen", &ran.codegen, &minimal.codegen)
        + &of("link", &ran.link, &minimal.link)
}

/// What an edit does to the session.
enum Change {
    Define(String),
    Delete(String),
}

impl Bench<'_> {
    /// The next edit and the number of its target.
    fn choose(&mut self, kind: EditKind, count: usize) -> (Edit, usize) {
        // Two edits in a row have one target: the second takes back what the first did.
        let ix = (count / 2) % self.targets.len();
        let (target, first) = (self.targets[ix], count.is_multiple_of(2));
        let edit = match kind {
            EditKind::Body | EditKind::Root => Edit::Body(target),
            EditKind::Type => Edit::Type(target, first),
            EditKind::AddMethod => Edit::AddMethod(target),
            EditKind::Delete if first => Edit::Delete(target),
            EditKind::Delete => Edit::Define(target),
        };
        (edit, ix)
    }

    /// Takes the edit over into the program, and says it as a change of the session.
    fn apply(&mut self, edit: Edit, count: usize) -> Change {
        let i = match edit {
            Edit::Body(i) => {
                let constant = 100_000 + self.random.below(1 << 30) as i64;
                self.program.set_constant(i, constant);
                i
            }
            Edit::Type(i, float) => {
                self.program.set_float(i, float);
                i
            }
            Edit::AddMethod(i) => return Change::Define(unrelated_method(i, count)),
            Edit::Delete(i) => {
                self.program.set_deleted(i, true);
                return Change::Delete(format!("{}(Int64, Int64)", Program::name(i)));
            }
            Edit::Define(i) => {
                self.program.set_deleted(i, false);
                i
            }
        };
        Change::Define(self.program.method(i))
    }

    fn define(&self, text: String) -> Result<(), Wrong> {
        let defined = self
            .session
            .define_bytes("bench.wir", text.into_bytes(), None);
        defined.map(drop).map_err(|failure| self.refused(&failure))
    }

    fn define_small(&self, text: &str) -> Result<(), Wrong> {
        let defined = self.session.define("edit.wir", text, None);
        defined.map(drop).map_err(|failure| self.refused(&failure))
    }

    fn delete(&self, sig: &str) -> Result<(), Wrong> {
        let deleted = self.session.delete(sig, None);
        deleted.map(drop).map_err(|failure| self.refused(&failure))
    }

    fn refused(&self, failure: &worldage::EditFailure) -> Wrong {
        let shown: Vec<String> = failure
            .diagnostics
            .iter()
            .map(|diagnostic| self.session.render(diagnostic))
            .collect();
        format!("the generated program was refused: {}", shown.join("\n"))
    }

    fn argument(&self) -> i64 {
        self.calls * 7919 + 13
    }

    /// Calls the root on the way to a target.
    fn call(&mut self, ix: usize) -> Result<Value, Wrong> {
        self.calls += 1;
        let selector = self.program.selector(&self.ways[ix % self.ways.len()]);
        let args = [Value::int(selector), Value::int(self.argument())];
        let root = Program::name(0);
        let value = self.session.value_of(&root, &args, &CallOptions::default());
        value.map_err(|failure| format!("the root's call failed: {failure}"))
    }

    /// Compares with what the last call must have answered.
    fn compare(&self, ix: usize, value: Value) -> Result<(), Wrong> {
        let way = &self.ways[ix % self.ways.len()];
        let answer = self.program.answer(way, self.argument());
        let expected = match answer {
            Answer::Int(x) => Value::int(x),
            Answer::Float(x) => Value::float(x),
        };
        if value.as_scalar() != expected.as_scalar() {
            return Err(format!(
                "wrong answer on the way {way:?}: {value:?} instead of {expected:?}"
            ));
        }
        Ok(())
    }

    fn check(&mut self, ix: usize) -> Result<(), Wrong> {
        let value = self.call(ix)?;
        self.compare(ix, value)
    }

    /// Microseconds of a call that has nothing to do; every answer is checked.
    fn warm_call(&mut self) -> Result<f64, Wrong> {
        let mut times = Vec::new();
        for ix in 0..20 {
            let start = Instant::now();
            let value = self.call(ix)?;
            times.push(us(start.elapsed()));
            self.compare(ix, value)?;
        }
        if !self.session.take_stages().is_empty() {
            return Err("a call with nothing to do ran stages".to_string());
        }
        Ok(Series::of(times).median)
    }

    /// Events as numbers of the graph.
    fn stages(&mut self, events: &[StageEvent]) -> Stages {
        let mut stages = Stages::default();
        for event in events {
            let number = self.number(event.mi);
            match event.stage {
                Stage::Infer => stages.infer.push(number),
                Stage::Codegen => stages.codegen.push(number),
                Stage::Link => stages.link.push(number),
            }
        }
        for stage in [&mut stages.infer, &mut stages.codegen, &mut stages.link] {
            stage.sort_unstable();
            // A component may be inferred in several rounds; that counts once.
            stage.dedup();
        }
        stages
    }

    fn number(&mut self, mi: Mi) -> u32 {
        let ix = mi.0 as usize;
        if self.numbers.len() <= ix {
            self.numbers.resize(ix + 1, None);
        }
        *self.numbers[ix].get_or_insert_with(|| {
            // What is no instance of the graph must not run: it counts as one beyond it.
            let number = Program::number(&self.session.name(mi));
            number.unwrap_or(u32::MAX)
        })
    }
}

/// A method that no call of the program can mean; another one for every edit.
fn unrelated_method(i: u32, count: usize) -> String {
    let types = [
        "Bool", "Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32", "UInt64", "Float32",
        "Float64", "String", "Nothing",
    ];
    let digits = (0..3).map(|place| types[count / 12usize.pow(place) % 12]);
    let params: Vec<String> = digits
        .enumerate()
        .map(|(ix, ty)| format!("a{ix}: {ty}"))
        .collect();
    format!("fn f{i}({}) {{ 1 }}\n", params.join(", "))
}
