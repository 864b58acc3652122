//! Random programs: whether bodies are inlined changes no answer, no error, no position and no
//! trace, and all engines agree with the interpreter.

use std::fmt::Write;
use std::sync::Arc;
use worldage::oracle::InterpreterSession;
use worldage::{
    CallOptions, Diagnostic, LineCol, OptLevel, Place, Session, SessionOptions, Universe,
};

const PROGRAMS: u64 = 60;
const METHODS: usize = 6;

/// A small deterministic source of choices.
struct Choices(u64);

impl Choices {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

/// Writes methods `f0`, `f1`, …, each of which calls only those before it.
struct Writer {
    choices: Choices,
    out: String,
    /// Calls that the method may still make: the running time is a product of them.
    calls: u32,
    method: usize,
    names: u32,
}

impl Writer {
    fn program(seed: u64, marks: &[&str]) -> String {
        let mut writer = Writer {
            choices: Choices(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            out: "struct P { a: Int64, b: Float64 }\n\
                  fn *(p: P, k: Int64) { P(p.a * k, p.b * float(k)) }\n\
                  fn half(x: Int64) { if x % 2 == 0 { div(x, 2) } else { float(x) / 2.0 } }\n"
                .into(),
            calls: 0,
            method: 0,
            names: 0,
        };
        for method in 0..METHODS {
            let mark = marks[writer.choices.below(marks.len() as u64) as usize];
            let _ = writeln!(
                writer.out,
                "{mark} fn f{method}(i: Int64, x: Float64, p: P, xs: Array{{Int64}}) {{"
            );
            (writer.method, writer.calls) = (method, 3);
            for _ in 0..2 + writer.choices.below(4) {
                writer.statement(1);
            }
            let last = writer.pick_result();
            let _ = writeln!(writer.out, "    {last}\n}}");
        }
        let _ = writeln!(
            writer.out,
            "fn main(n: Int64) {{\n    var xs = array(Int64, 5)\n    for i in 0..5 {{ xs[i] = i * n }}\n    \
             var r = f{}(n, float(n) * 0.75, P(n + 1, 1.5), xs)\n    print(xs)\n    r\n}}",
            METHODS - 1
        );
        writer.out
    }

    fn pick_result(&mut self) -> String {
        match self.choices.below(5) {
            0 => self.float(2),
            1 => format!("P({}, {})", self.int(2), self.float(2)),
            2 => format!("({}, {})", self.int(1), self.float(1)),
            _ => self.int(2),
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.out, "{}{text}", "    ".repeat(depth));
    }

    fn statement(&mut self, depth: usize) {
        let simple = depth > 3;
        match self.choices.below(if simple { 6 } else { 10 }) {
            0 | 1 => {
                let value = self.int(3);
                self.line(depth, &format!("i = {value}"));
            }
            2 => {
                let value = self.float(3);
                self.line(depth, &format!("x = {value}"));
            }
            3 => {
                let (a, b) = (self.int(2), self.float(2));
                self.line(depth, &format!("p = P({a}, {b}) * 3"));
            }
            4 => {
                let (at, value) = (self.index(), self.int(2));
                self.line(depth, &format!("xs[{at}] = {value}"));
            }
            5 => self.call(depth),
            6 => {
                let cond = self.condition();
                self.line(depth, &format!("if {cond} {{"));
                self.statement(depth + 1);
                if self.choices.below(4) == 0 {
                    let value = self.pick_result();
                    self.line(depth + 1, &format!("return {value}"));
                }
                self.line(depth, "} else {");
                self.statement(depth + 1);
                self.line(depth, "}");
            }
            7 => {
                self.names += 1;
                let (k, most) = (format!("k{}", self.names), self.choices.below(4));
                self.line(depth, &format!("for {k} in 0..{most} {{"));
                self.line(depth + 1, &format!("i = i + {k} * {k}"));
                self.statement(depth + 1);
                if self.choices.below(3) == 0 {
                    let cond = self.condition();
                    self.line(depth + 1, &format!("if {cond} {{ break }}"));
                }
                self.line(depth, "}");
            }
            8 => {
                self.names += 1;
                let k = format!("k{}", self.names);
                self.line(
                    depth,
                    &format!("for {k} in 0..length(xs) {{ i = i + xs[{k}] }}"),
                );
            }
            _ => {
                self.names += 1;
                let (h, value) = (format!("h{}", self.names), self.int(2));
                self.line(depth, &format!("var {h} = half({value})"));
                self.line(
                    depth,
                    &format!("if isa({h}, Int64) {{ i = i - {h} }} else {{ x = x + {h} }}"),
                );
            }
        }
    }

    /// A call of an earlier method, whose result may be of any type.
    fn call(&mut self, depth: usize) {
        if self.method == 0 || self.calls == 0 {
            return self.line(depth, "print(i, x, p)");
        }
        self.calls -= 1;
        self.names += 1;
        let callee = self.choices.below(self.method as u64);
        let r = format!("r{}", self.names);
        let (i, x) = (self.int(2), self.float(2));
        let p = self.choices.pick(&["p", "P(i, x)", "p * 2"]);
        let call = format!("f{callee}({i}, {x}, {p}, xs)");
        match self.choices.below(3) {
            0 => self.line(depth, &call),
            1 => self.line(depth, &format!("print({call})")),
            _ => {
                self.line(depth, &format!("var {r} = {call}"));
                self.line(depth, &format!("if isa({r}, Int64) {{ i = xor(i, {r}) }}"));
                self.line(depth, &format!("if isa({r}, P) {{ p = {r} }}"));
            }
        }
    }

    fn index(&mut self) -> String {
        match self.choices.below(8) {
            0 => self.int(2),
            1 => "i % 5".into(),
            _ => format!("({}) & 3", self.int(2)),
        }
    }

    fn condition(&mut self) -> String {
        let how = self.choices.pick(&["<", "==", ">="]);
        match self.choices.below(4) {
            0 => format!("{} {how} {}", self.float(1), self.float(1)),
            1 => format!(
                "{} < {} && {} != {}",
                self.int(1),
                self.int(1),
                self.int(1),
                self.int(1)
            ),
            _ => format!("{} {how} {}", self.int(2), self.int(2)),
        }
    }

    fn int(&mut self, depth: u32) -> String {
        if depth == 0 || self.choices.below(4) == 0 {
            return match self.choices.below(5) {
                0 => (self.choices.below(9) as i64 - 4).to_string(),
                1 => "p.a".into(),
                2 => "length(xs)".into(),
                _ => "i".into(),
            };
        }
        let (a, b) = (self.int(depth - 1), self.int(depth - 1));
        match self.choices.below(12) {
            0..=2 => format!("({a} + {b})"),
            3 | 4 => format!("({a} - {b})"),
            5 => format!("({a} * {b})"),
            6 => format!("xor({a}, {b})"),
            7 => format!("min({a}, {b})"),
            8 => format!("xs[{}]", self.index()),
            9 => format!("div({a}, ({b} & 7) + {})", self.choices.below(2)),
            10 => format!("(if {a} < {b} {{ {a} + 1 }} else {{ {b} }})"),
            _ => format!("trunc(Int64, {})", self.float(depth - 1)),
        }
    }

    fn float(&mut self, depth: u32) -> String {
        if depth == 0 || self.choices.below(4) == 0 {
            return self
                .choices
                .pick(&["x", "p.b", "0.5", "3.25", "float(i)"])
                .into();
        }
        let (a, b) = (self.float(depth - 1), self.float(depth - 1));
        match self.choices.below(6) {
            0 => format!("({a} + {b})"),
            1 => format!("({a} * {b})"),
            2 => format!("({a} - {b})"),
            3 => format!("max({a}, {b})"),
            4 => format!("sqrt(abs({a}))"),
            _ => format!("({a} / {b})"),
        }
    }
}

/// What a call says, with every position.
fn said(printed: &str, result: Result<String, (Diagnostic, Vec<LineCol>)>) -> String {
    match result {
        Ok(value) => format!("{printed}=> {value}"),
        Err((error, places)) => {
            let places: Vec<_> = places
                .iter()
                .map(|at| format!("{}:{}", at.line, at.col))
                .collect();
            format!("{printed}{} at {}", error.code, places.join(" from "))
        }
    }
}

fn places(error: &Diagnostic, at: impl Fn(Place) -> LineCol) -> Vec<LineCol> {
    let outer = error.trace.iter().skip(1).filter_map(|frame| frame.place);
    error.place.into_iter().chain(outer).map(at).collect()
}

fn interpreted(text: &str, call: &str) -> String {
    let mut session = InterpreterSession::new(Arc::new(Universe::new()));
    session.define("random.wir", text, None).expect("a program");
    let (printed, result) = session.call(call, None, None);
    said(
        &printed,
        result
            .map(|value| value.show(session.universe()).to_string())
            .map_err(|error| {
                let error = session.diagnostic(&error);
                let places = places(&error, |place| session.line_col(place));
                (error, places)
            }),
    )
}

fn compiled(text: &str, call: &str, opt: OptLevel) -> String {
    let options = SessionOptions {
        opt,
        ..SessionOptions::default()
    };
    let session = Session::new(options).expect("a host");
    session.define("random.wir", text, None).expect("a program");
    let report = session.call(call, &CallOptions::default());
    let result = match &report.result {
        Ok(_) => Ok(report.shown(&session)),
        Err(failure) => {
            let error = (*failure.diagnostic).clone();
            let places = places(&error, |place| session.line_col(place));
            Err((error, places))
        }
    };
    said(&report.printed, result)
}

#[test]
fn inlining_changes_nothing() {
    let mut failed = 0;
    for seed in 1..=PROGRAMS {
        // Marks of one length, so that positions are those of the same text.
        for marks in [
            &["  inline"][..],
            &["noinline"],
            &["        "],
            &["  inline", "noinline"],
        ] {
            let text = Writer::program(seed, marks);
            for call in ["main(0)", "main(3)", "main(-7)"] {
                let expected = interpreted(&text, call);
                failed += u64::from(expected.contains(" at "));
                for opt in [OptLevel::Speed, OptLevel::None] {
                    let found = compiled(&text, call, opt);
                    assert_eq!(found, expected, "{call} at opt:{opt}, seed {seed}:\n{text}");
                }
            }
        }
    }
    // Errors are part of what is compared.
    let all = PROGRAMS * 4 * 3;
    assert!(failed > all / 20 && failed < all, "{failed} of {all} fail");
}
