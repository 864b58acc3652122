//! Whole programs through every stage but the call: a text makes one world or none, and no stage
//! panics on what the parser lets through.

use worldage::oracle::InterpreterSession;
use worldage::{Session, SessionOptions, Universe};

/// The longest program that is tried.
const LONGEST: usize = 2048;

/// Checks a series of edits: texts with a zero byte between.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if text.len() > LONGEST {
        return;
    }
    let options = SessionOptions {
        threads: 1,
        ..SessionOptions::default()
    };
    let session = Session::new(options).expect("a host");
    let mut interpreter = InterpreterSession::new(std::sync::Arc::new(Universe::new()));
    for text in text.split('\0') {
        let before = session.world();
        let defined = session.define("fuzz.wir", text, None);
        let again = interpreter.define("fuzz.wir", text, None);
        match &defined {
            Ok(report) => {
                // A text without definitions is no edit.
                let is_edit = !report.lines.is_empty();
                let made = before.0 + u64::from(is_edit);
                assert_eq!((report.world.0, session.world().0), (made, made));
                for warning in &report.warnings {
                    assert!(!session.render(warning).is_empty());
                }
            }
            Err(failure) => {
                assert_eq!(session.world(), before, "a failed edit makes no world");
                assert!(!failure.diagnostics.is_empty(), "a failure says why");
                for diagnostic in &failure.diagnostics {
                    assert!(!session.render(diagnostic).is_empty());
                }
            }
        }
        match (&defined, &again) {
            (Ok(_), Ok(())) | (Err(_), Err(_)) => {}
            (Ok(_), Err(refused)) => panic!("only the interpreter refuses it: {refused:?}"),
            (Err(refused), Ok(())) => panic!("only the session refuses it: {refused:?}"),
        }
        assert_eq!(interpreter.world(), session.world());
        session.compile_all();
    }
}
