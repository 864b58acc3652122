//! The language as the contract words it, sentence by sentence.

mod arithmetic;
mod arrays;
mod dispatch;
mod errors;
mod forms;
mod statements;
mod types;
mod values;

use super::{Limits, Program};
use crate::diag::Sources;
use crate::universe::Universe;
use expect_test::Expect;
use std::sync::Arc;

/// A program from text.
pub(super) fn program(sources: &mut Sources, text: &str) -> Program {
    let file = sources.add("test.wir", text);
    let parsed = crate::syntax::parse_file(sources, file);
    let rendered: Vec<String> = parsed
        .diagnostics
        .iter()
        .map(|d| d.render(sources))
        .collect();
    assert!(rendered.is_empty(), "{}", rendered.concat());
    let mut program = Program::new(Arc::new(Universe::new()));
    program.set_limits(Limits {
        depth: 20_000,
        bytes: 64 << 20,
    });
    program
        .define_file(&parsed.file, file)
        .unwrap_or_else(|error| panic!("{error:?}"));
    program
}

/// What a call prints, then `=> value`, or the error as users see it.
pub(super) fn run(program: &Program, sources: &Sources, view: Option<&str>, call: &str) -> String {
    let expr = crate::syntax::parse_call(call).unwrap_or_else(|error| panic!("{error}"));
    let mut out = String::new();
    let result = program.eval(view, &expr, &mut |text| out.push_str(text));
    match result {
        Ok(value) => out += &format!("=> {}\n", value.show(program.universe())),
        Err(error) => {
            out += &error
                .to_diagnostic(|site| program.place(site))
                .render(sources)
        }
    }
    out
}

/// Runs a call in a program.
#[track_caller]
fn check(text: &str, call: &str, expected: Expect) {
    let mut sources = Sources::new();
    let program = program(&mut sources, text);
    expected.assert_eq(&run(&program, &sources, None, call));
}

/// Runs `fn f() { BODY }`; the value, or the error's code, on one line.
#[track_caller]
fn value(body: &str, expected: &str) {
    values("", body, expected);
}

/// Like [`value`], with definitions before.
#[track_caller]
fn values(definitions: &str, body: &str, expected: &str) {
    let mut sources = Sources::new();
    let program = program(
        &mut sources,
        &format!("{definitions}\nfn f() {{\n{body}\n}}"),
    );
    let mut out = String::new();
    let result = program.call(None, "f", Vec::new(), &mut |text| out.push_str(text));
    match result {
        Ok(value) => out += &value.show(program.universe()).to_string(),
        Err(error) => out += error.code.as_str(),
    }
    assert_eq!(out, expected, "{body}");
}
