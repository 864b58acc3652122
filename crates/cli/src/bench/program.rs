//! The generated program: one Wir method per instance of the graph, and what it computes.
//!
//! A body is 10 to 40 instructions of integer arithmetic; the root's argument selects the callee
//! at every instance, so that a call visits the way from the root to one instance. The answer is
//! computed here a second time, with Rust's arithmetic.

use super::graph::{Graph, Random, Shape};
use std::fmt::Write;

/// A step of a body: one or two instructions on `y`.
#[derive(Clone, Copy, Debug)]
enum Step {
    Add(i64),
    Sub(i64),
    Mul(i64),
    Mix(u32),
    Mask(i64),
}

impl Step {
    fn instructions(self) -> usize {
        match self {
            Step::Add(_) | Step::Sub(_) | Step::Mul(_) => 1,
            Step::Mix(_) | Step::Mask(_) => 2,
        }
    }

    fn apply(self, y: i64) -> i64 {
        match self {
            Step::Add(c) => y.wrapping_add(c),
            Step::Sub(c) => y.wrapping_sub(c),
            Step::Mul(c) => y.wrapping_mul(c),
            Step::Mix(s) => y ^ (y >> s),
            Step::Mask(c) => (y & c).wrapping_add(y),
        }
    }

    fn write(self, out: &mut String) {
        match self {
            Step::Add(c) => put(out, format_args!("y = y + {c}")),
            Step::Sub(c) => put(out, format_args!("y = y - {c}")),
            Step::Mul(c) => put(out, format_args!("y = y * {c}")),
            Step::Mix(s) => put(out, format_args!("y = xor(y, y >> {s})")),
            Step::Mask(c) => put(out, format_args!("y = (y & {c}) + y")),
        }
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("strings take everything");
}

/// What an edit makes of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    constant: i64,
    float: bool,
}

/// A value of the program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Int(i64),
    Float(f64),
}

/// The program as it is after the edits so far.
pub(crate) struct Program<'g> {
    graph: &'g Graph,
    seed: u64,
    versions: Vec<Version>,
    /// Instances whose own method is deleted at present: the shadowed one answers.
    deleted: Vec<u32>,
}

/// The constant of the method that a deletion brings to light.
const SHADOWED: Version = Version {
    constant: 5150,
    float: false,
};

impl<'g> Program<'g> {
    pub(crate) fn new(graph: &'g Graph, seed: u64) -> Program<'g> {
        let mut random = Random::new(seed, 3);
        let versions = (0..graph.len()).map(|_| Version {
            constant: random.below(100_000) as i64,
            float: false,
        });
        Program {
            graph,
            seed,
            versions: versions.collect(),
            deleted: Vec::new(),
        }
    }

    /// The name of an instance's function.
    pub(crate) fn name(i: u32) -> String {
        format!("f{i}")
    }

    /// The number of the instance that a name such as `f12(Int64, Int64)` or `f12` stands for.
    pub(crate) fn number(name: &str) -> Option<u32> {
        let digits = name.strip_prefix('f')?;
        let end = digits.find('(').unwrap_or(digits.len());
        digits[..end].parse().ok()
    }

    /// All methods; `shadowed` instances have a second, less specific one.
    pub(crate) fn text(&self, shadowed: &[u32]) -> String {
        let mut out = String::with_capacity(self.graph.len() * 400);
        for i in 0..self.graph.len() as u32 {
            self.write_method(i, self.versions[i as usize], "Int64", &mut out);
        }
        for i in shadowed {
            self.write_method(*i, SHADOWED, "Any", &mut out);
        }
        out
    }

    /// The method of one instance as it is now.
    pub(crate) fn method(&self, i: u32) -> String {
        let mut out = String::new();
        self.write_method(i, self.versions[i as usize], "Int64", &mut out);
        out
    }

    fn steps(&self, i: u32) -> Vec<Step> {
        let mut random = Random::new(self.seed, 0x1000 + u64::from(i));
        let wanted = 10 + random.below(18) as usize;
        let (mut steps, mut count) = (Vec::new(), 0);
        while count < wanted {
            let c = random.below(1 << 20) as i64;
            let step = match random.below(5) {
                0 => Step::Add(c),
                1 => Step::Sub(c),
                2 => Step::Mul(c | 1),
                3 => Step::Mix(1 + (c % 31) as u32),
                _ => Step::Mask(c),
            };
            count += step.instructions();
            steps.push(step);
        }
        steps
    }

    /// What is added to the result of the callee that was chosen.
    fn after_call(i: u32, choice: usize) -> i64 {
        i64::from(i % 97) + 1 + choice as i64
    }

    fn write_method(&self, i: u32, version: Version, ty: &str, out: &mut String) {
        put(
            out,
            format_args!("noinline fn f{i}(p: {ty}, x: {ty}) {{\n    var y = x\n"),
        );
        for step in self.steps(i) {
            out.push_str("    ");
            step.write(out);
            out.push('\n');
        }
        let mut put = |text: std::fmt::Arguments<'_>| put(out, text);
        put(format_args!("    y = y + {}\n    ", version.constant));
        let own = if version.float {
            "float(y & 65535)"
        } else {
            "y"
        };
        let callees = self.graph.callees(i);
        match self.graph.shape {
            Shape::Chain => match callees {
                [next] => put(format_args!("f{next}(p, y) + {}\n", Self::after_call(i, 0))),
                _ => put(format_args!("{own}\n")),
            },
            Shape::Ring => {
                let (next, plus) = (callees[0], Self::after_call(i, 0));
                put(format_args!(
                    "if p > 0 {{ f{next}(p - 1, y) + {plus} }} else {{ {own} }}\n"
                ));
            }
            Shape::Tree | Shape::Random => {
                for (choice, callee) in callees.iter().enumerate() {
                    let (digit, plus) = (choice + 1, Self::after_call(i, choice));
                    put(format_args!(
                        "if (p & 3) == {digit} {{ f{callee}(p >> 2, y) + {plus} }} else "
                    ));
                }
                match callees {
                    [] => put(format_args!("{own}\n")),
                    _ => put(format_args!("{{ {own} }}\n")),
                }
            }
        }
        out.push_str("}\n");
    }

    /// The root's first argument that leads along a way.
    pub(crate) fn selector(&self, way: &[u8]) -> i64 {
        match self.graph.shape {
            Shape::Chain => 0,
            Shape::Ring => way.len() as i64,
            Shape::Tree | Shape::Random => way
                .iter()
                .rev()
                .fold(0, |p, choice| (p << 2) | (i64::from(*choice) + 1)),
        }
    }

    /// What the root answers for a way and a second argument.
    pub(crate) fn answer(&self, way: &[u8], x: i64) -> Answer {
        let (mut at, mut y) = (0u32, x);
        let mut visited = Vec::with_capacity(way.len());
        let mut version = self.version(at);
        for step in 0..=way.len() {
            version = self.version(at);
            for step in self.steps(at) {
                y = step.apply(y);
            }
            y = y.wrapping_add(version.constant);
            if let Some(choice) = way.get(step) {
                visited.push((at, usize::from(*choice)));
                at = self.graph.callees(at)[usize::from(*choice)];
            }
        }
        let plus = visited.iter().rev().map(|(i, c)| Self::after_call(*i, *c));
        if version.float {
            let own = (y & 65535) as f64;
            Answer::Float(plus.fold(own, |sum, plus| sum + plus as f64))
        } else {
            Answer::Int(plus.fold(y, i64::wrapping_add))
        }
    }

    fn version(&self, i: u32) -> Version {
        match self.deleted.contains(&i) {
            true => SHADOWED,
            false => self.versions[i as usize],
        }
    }

    pub(crate) fn set_constant(&mut self, i: u32, constant: i64) {
        self.versions[i as usize].constant = constant;
    }

    pub(crate) fn set_float(&mut self, i: u32, float: bool) {
        self.versions[i as usize].float = float;
    }

    pub(crate) fn set_deleted(&mut self, i: u32, deleted: bool) {
        self.deleted.retain(|known| *known != i);
        if deleted {
            self.deleted.push(i);
        }
    }
}
