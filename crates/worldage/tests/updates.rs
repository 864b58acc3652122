//! Whole programs in place of one another: what is edited, what runs again, what is gone.

use expect_test::{Expect, expect};
use std::fmt::Write;
use worldage::{CallOptions, Session, SessionOptions};

/// Replaces the whole program by each text in turn; prints what the edits and their updates did.
#[track_caller]
fn check_programs(texts: &[&str], expected: Expect) {
    let session = Session::new(SessionOptions::default()).expect("a host");
    let mut out = String::new();
    for text in texts {
        let files = vec![("test.wir".to_string(), text.as_bytes().to_vec())];
        match session.update(None, |session| session.replace_program(files)) {
            Ok(update) => {
                let _ = writeln!(out, "world {}", update.edit.world);
                for line in &update.edit.lines {
                    let _ = writeln!(out, "  {line}");
                }
                let _ = writeln!(out, "ran {:?} reused {}", update.ran, update.reused);
                for name in &update.gone {
                    let _ = writeln!(out, "gone {name}");
                }
            }
            Err(failure) => {
                let _ = writeln!(out, "{}", failure.log_line());
            }
        }
        let report = session.call("main()", &CallOptions::default());
        let _ = writeln!(out, "=> {}", report.shown(&session));
    }
    expected.assert_eq(&out);
}

#[test]
fn a_whole_program_is_replaced_by_its_differences() {
    check_programs(
        &[
            "noinline fn g() { 1 }\nnoinline fn h() { 2 }\nfn main() { g() + h() }",
            "# Only the text moves.\nnoinline fn h() { 2 }\nnoinline fn g() { 1 }\nfn main() { g() + h() }",
            "noinline fn g() { 3 }\nnoinline fn h() { 2 }\nfn main() { g() + h() }",
            "noinline fn g() { 3 }\nfn main() { g() + h() }",
            "noinline fn g() { 3 ",
            "noinline fn g() { 3 }\nnoinline fn h() { 4 }\nfn main() { g() + h() }",
        ],
        expect![[r#"
            world 1
              + g()
              + h()
              + main()
            ran [0, 0, 0] reused 0
            => 3
            world 1
            ran [0, 0, 0] reused 3
            => 3
            world 2
              ~ g()
            ran [1, 1, 2] reused 1
            => 5
            world 3
              - h()
            ran [1, 1, 1] reused 1
            gone h()
            => error: no-matching-method: h() in world 3
            error: syntax
            => error: no-matching-method: h() in world 3
            world 4
              + h()
            ran [2, 2, 2] reused 1
            => 7
        "#]],
    );
}

#[test]
fn types_of_a_program_are_replaced_and_deleted() {
    check_programs(
        &[
            "struct P { x: Int64 }\nnoinline fn get(p: P) { p.x }\nfn main() { get(P(1)) }",
            "struct P { x: Float64 }\nnoinline fn get(p: P) { p.x }\nfn main() { get(P(1.5)) }",
            "struct P { x: Float64 }\nnoinline fn P(x: Int64) { P(float(x) + 1.0) }\nnoinline fn get(p: P) { p.x }\nfn main() { get(P(1)) }",
            "fn main() { P(1.5) }",
            "struct P { x: Float64 }\nfn main() { P(1.5) }",
        ],
        expect![[r#"
            world 1
              + get(P)
              + main()
              + struct P
            ran [0, 0, 0] reused 0
            => 1
            world 2
              ~ main()
              ~ struct P
            ran [2, 2, 2] reused 0
            gone get(P)
            => 1.5
            world 3
              + P(Int64)
              ~ main()
            ran [2, 2, 2] reused 1
            => 2.0
            world 4
              - P(Int64)
              - get(P)
              ~ main()
              - struct P
            ran [1, 1, 1] reused 0
            gone P(Int64)
            gone get(P)
            => error: no-matching-method: P(Float64) in world 4
            world 5
              + struct P
            ran [1, 1, 1] reused 0
            => P(1.5)
        "#]],
    );
}

#[test]
fn positions_follow_methods_whose_text_moves() {
    let session = Session::new(SessionOptions::default()).expect("a host");
    let program = |text: &str| vec![("a.wir".to_string(), text.as_bytes().to_vec())];
    let text = "fn main() { div(1, 0) }";
    session.replace_program(program(text)).expect("a program");
    let moved = format!("\n\n  {text}");
    session.replace_program(program(&moved)).expect("a program");
    let failure = session.call("main()", &CallOptions::default()).result;
    let shown = session.render(&failure.expect_err("a division by zero").diagnostic);
    assert!(
        shown.starts_with("a.wir:3:15: error[division-error]"),
        "{shown}"
    );
}
