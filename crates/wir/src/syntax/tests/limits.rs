//! Texts that are large or deep: an answer or a diagnostic, never a stack overflow.

use super::parse;
use crate::syntax::{MAX_ERRORS, MAX_HEIGHT, MAX_NESTING, print_file};

/// Stack for a text within the limits: less than a test thread has, in a build without
/// optimisation, so that a program at the limits leaves room for its callers.
const STACK: usize = 1536 << 10;

/// Parses, compares, prints and drops a body on a small stack. Returns its first error.
fn run(body: String) -> Option<String> {
    let work = move || {
        let (_, parsed) = parse(&format!("fn f() {{ {body} }}"));
        let copy = parsed.file.clone();
        for (a, b) in parsed.file.items.iter().zip(&copy.items) {
            assert!(a.kind == b.kind);
        }
        if !copy.items.is_empty() {
            let (_, again) = parse(&print_file(&copy));
            assert!(again.diagnostics.is_empty(), "the printed text is wrong");
            assert!(again.file.items[0].kind == copy.items[0].kind);
        }
        parsed.diagnostics.first().map(|d| d.message.clone())
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
    thread.unwrap().join().unwrap()
}

/// `before` and `after` nested `n` times around `middle`.
fn nest(n: u32, before: &str, middle: &str, after: &str) -> String {
    let n = n as usize;
    format!("{}{middle}{}", before.repeat(n), after.repeat(n))
}

const FORMS: &[(&str, &str, &str)] = &[
    ("(", "1", ")"),
    ("(", "1", ",)"),
    ("f(", "1", ")"),
    ("a[", "1", "]"),
    ("P{A}(", "1", ")"),
    ("if a { ", "1", " }"),
    ("if ", "a", " { 1 }"),
    ("while a { ", "1", " }"),
    ("for i in 0..n { ", "1", " }"),
    ("-(1 + 2 * ", "x", ")"),
    ("a || b == c + -d(", "1", ")"),
    ("if a { 1 } else { ", "2", " }"),
    ("x = if f(a) { ", "2", " }"),
];

#[test]
fn nesting_within_the_limit() {
    for (before, middle, after) in FORMS {
        // One level is the method's body, and some forms need two for each turn.
        for n in [MAX_NESTING / 2 - 1, 64] {
            assert_eq!(run(nest(n, before, middle, after)), None, "{before}");
        }
    }
    let ty = nest(MAX_NESTING - 3, "P{", "A", "}");
    assert_eq!(run(format!("f({ty})")), None);
}

#[test]
fn nesting_beyond_the_limit() {
    let limit = format!("this nests more than {MAX_NESTING} deep");
    for (before, middle, after) in FORMS {
        for n in [MAX_NESTING, 100_000] {
            let closed = nest(n, before, middle, after);
            assert_eq!(run(closed).as_ref(), Some(&limit), "{before}");
            let open = nest(n, before, middle, "");
            assert_eq!(run(open).as_ref(), Some(&limit), "{before}");
        }
    }
    let ty = nest(100_000, "P{", "A", "}");
    assert_eq!(run(format!("f({ty})")).as_ref(), Some(&limit));
    assert!(run(format!("if a < {ty} {{ }}")).is_some());
}

#[test]
fn chains() {
    let high = format!("this expression is more than {MAX_HEIGHT} levels high");
    for (first, link) in [
        ("a", " + a"),
        ("a", " && a"),
        ("a", " || a"),
        ("a", ".b"),
        ("a", "(b)"),
        ("a", "[b]"),
        ("if a { 1 }", " else if b { 2 }"),
    ] {
        let chain = |n: u32| format!("{first}{}", link.repeat(n as usize));
        assert_eq!(run(chain(MAX_HEIGHT - 2)), None, "{link}");
        assert_eq!(run(chain(100_000)).as_ref(), Some(&high), "{link}");
    }
    let signs = |n: u32| format!("{}a", "-!~".repeat(n as usize / 3));
    assert_eq!(run(signs(MAX_HEIGHT - 2)), None);
    assert_eq!(run(signs(100_000)).as_ref(), Some(&high));
    // Chains in brackets in chains: the tree counts, not one chain.
    let inner = "a".to_string() + &" + a".repeat(600);
    assert_eq!(
        run(format!("({inner}){}", " * b".repeat(600))).as_ref(),
        Some(&high)
    );
}

#[test]
fn brackets_that_do_not_match() {
    for text in [
        "(", "[", "{", ")", "]", "}", "([{", ")]}", "(((]", "if a{", "f(\n", "\"", "fn f(", "-",
        "n{",
    ] {
        assert!(run(text.repeat(30_000)).is_some(), "{text}");
    }
    let crossed = "(".repeat(50_000) + &"]}".repeat(50_000);
    assert!(run(crossed).is_some());
}

#[test]
fn many_errors_end_early() {
    let (_, parsed) = parse(&"fn f( { }\n".repeat(10_000));
    assert_eq!(parsed.diagnostics.len(), MAX_ERRORS + 1);
    let (_, parsed) = parse(&format!("fn f() {{ {} }}", "1 2;".repeat(10_000)));
    assert_eq!(parsed.diagnostics.len(), MAX_ERRORS + 1);
}

#[test]
fn long_lines() {
    let (sources, parsed) = parse(&format!("fn f() {{ {} x y }}", "x = 1; ".repeat(300_000)));
    assert_eq!(parsed.diagnostics.len(), 1);
    let rendered = parsed.diagnostics[0].render(&sources);
    assert!(rendered.len() < 1000, "{}", rendered.len());
    let name = "x".repeat(2_000_000);
    let (sources, parsed) = parse(&format!("fn f() {{ {name} {name} }}"));
    let rendered = parsed.diagnostics[0].render(&sources);
    assert!(rendered.len() < 2000, "{}", rendered.len());
}
