//! What a session would say if it began from nothing: a fresh session with the same edits, and
//! the interpreter.

use worldage::oracle::InterpreterSession;
use worldage::{CallOptions, EditFailure, Session, SessionOptions, World};

/// One step that changes what a program means, to be taken again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Definitions in a table (`None`: the base).
    Define(Option<String>, String),
    /// The deletion of a signature from a table.
    Delete(Option<String>, String),
    /// A new table over another one.
    Table(String, Option<String>),
    /// An external fact.
    External(String, String),
}

impl Step {
    /// Takes the step; the world that it made and its lines.
    ///
    /// # Errors
    /// If the session refuses it.
    pub fn take(&self, session: &Session) -> Result<Option<(World, Vec<String>)>, EditFailure> {
        let report = match self {
            Step::Define(table, body) => session.define("<define>", body, table.as_deref())?,
            Step::Delete(table, sig) => session.delete(sig, table.as_deref())?,
            Step::Table(name, over) => {
                return session.table(name, over.as_deref()).map(|()| None);
            }
            Step::External(key, value) => session.set_external(key, value)?,
        };
        Ok(Some((report.world, report.lines)))
    }

    /// Takes the step in the interpreter.
    ///
    /// # Errors
    /// If it refuses the step.
    pub fn take_interpreted(&self, session: &mut InterpreterSession) -> Result<(), EditFailure> {
        match self {
            Step::Define(table, body) => session.define("<define>", body, table.as_deref()),
            Step::Delete(table, sig) => session.delete(sig, table.as_deref()),
            Step::Table(name, over) => {
                session.table(name, over.as_deref());
                Ok(())
            }
            Step::External(key, value) => {
                session.set_external(key, value);
                Ok(())
            }
        }
    }
}

/// What a call says: what it prints, then `=> value` or the lines of its error.
#[must_use]
pub fn answer(session: &Session, expr: &str, options: &CallOptions) -> (String, bool) {
    let report = session.call(expr, options);
    let mut out = report.printed.clone();
    match &report.result {
        Ok(_) => out.push_str(&format!("=> {}\n", report.shown(session))),
        Err(failure) => failure
            .log_lines
            .iter()
            .for_each(|line| out.push_str(&format!("{line}\n"))),
    }
    (out, report.result.is_err())
}

/// Compares a call's answer with that of a fresh session and of the interpreter.
///
/// # Errors
/// What the other one says, and who it is.
pub fn check(
    steps: &[Step],
    options: &SessionOptions,
    expr: &str,
    call: &CallOptions,
    found: &str,
) -> Result<(), String> {
    let options = SessionOptions {
        store: None,
        ..options.clone()
    };
    let fresh = Session::new(options).map_err(|error| error.to_string())?;
    let mut interpreter = InterpreterSession::new(std::sync::Arc::new(worldage::Universe::new()));
    for step in steps {
        let again = step.take(&fresh).map(drop);
        let again = again.and_then(|()| step.take_interpreted(&mut interpreter));
        again.map_err(|error| format!("a step of the session fails from scratch: {error}"))?;
    }
    let differs = |who: &str, said: &str| {
        Err(format!(
            "{who} says something else:\n{}",
            crate::diff(said, found)
        ))
    };
    let (said, _) = answer(&fresh, expr, call);
    if comparable(&said) != comparable(found) {
        return differs("a session from scratch", &said);
    }
    let said = interpreted(&interpreter, fresh.world(), expr, call);
    if comparable(&said) != comparable(found) {
        return differs("the interpreter", &said);
    }
    Ok(())
}

/// What the interpreter says to a call; `newest` is the session's newest world.
#[must_use]
pub fn interpreted(
    interpreter: &InterpreterSession,
    newest: World,
    expr: &str,
    call: &CallOptions,
) -> String {
    let world = if call.latest { None } else { call.world };
    let (mut said, result) = interpreter.call(expr, world, call.view.as_deref());
    match result {
        Ok(value) => said.push_str(&format!("=> {}\n", value.show(interpreter.universe()))),
        Err(error) => {
            for line in worldage::log_lines(&error, world.unwrap_or(newest)) {
                said.push_str(&format!("{line}\n"));
            }
        }
    }
    said
}

/// The part of an answer in which engines must agree: how deep a stack is differs by
/// engine, so of such an error it is the first line.
#[must_use]
pub fn comparable(answer: &str) -> &str {
    let deep = ["error: stack-overflow\n", "error: out-of-memory\n"];
    let end = deep
        .iter()
        .find_map(|line| Some(answer.find(line)? + line.len()));
    &answer[..end.unwrap_or(answer.len())]
}
