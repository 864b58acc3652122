//! What ran, and why.

use crate::names::{Instance, Session, Shard};
use crate::session::open;
use crate::status::{Error, Status, guard};
use std::ffi::{CString, c_char, c_void};
use worldage::engine::{self, Mi, Origin};

/// One of the three stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Stage {
    /// Source to inferred.
    Infer = 0,
    /// Inferred to code.
    Codegen = 1,
    /// Code to an entry.
    Link = 2,
}

impl Stage {
    fn of(stage: engine::Stage) -> Stage {
        match stage {
            engine::Stage::Infer => Stage::Infer,
            engine::Stage::Codegen => Stage::Codegen,
            engine::Stage::Link => Stage::Link,
        }
    }
}

/// How a stage's result came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Outcome {
    /// The stage ran.
    Ran = 0,
    /// It came from the store.
    Stored = 1,
    /// It is that of before.
    Reused = 2,
}

fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// Tells each stage that ran, or whose result came from the store, since this was last asked, in
/// the order in which they ended, with the instance's name, which lives during the call.
#[unsafe(no_mangle)]
pub extern "C" fn wa_take_log(
    session: Session,
    each: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            stage: Stage,
            outcome: Outcome,
            name: *const c_char,
        ),
    >,
    user: *mut c_void,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let each = each.ok_or_else(|| Error::invalid("the function to tell is null"))?;
        for event in session.engine.take_log() {
            let outcome = match event.origin {
                Origin::Ran => Outcome::Ran,
                Origin::Stored => Outcome::Stored,
            };
            let name = c_text(&session.engine.name(event.mi));
            // SAFETY: C gave the function for this.
            unsafe { each(user, Stage::of(event.stage), outcome, name.as_ptr()) };
        }
        Ok(())
    })
}

/// Tells what bringing an instance up to date in a shard after the newest edit did: each of the
/// three stages in order and, for one that ran, why: the edge that differed, then on lines of
/// their own what is under it, down to the edit. The text lives during the call.
#[unsafe(no_mangle)]
pub extern "C" fn wa_explain(
    session: Session,
    instance: Instance,
    shard: Shard,
    each: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            stage: Stage,
            outcome: Outcome,
            because: *const c_char,
        ),
    >,
    user: *mut c_void,
) -> Status {
    guard(|| {
        let session = open(session)?;
        let each = each.ok_or_else(|| Error::invalid("the function to tell is null"))?;
        let mi = Mi(session.foreign().instances.index(instance)?);
        let explained = session.engine.explain(mi, session.shard(shard)?);
        let explained = explained.ok_or_else(|| {
            let name = session.engine.name(mi);
            Error::invalid(format!("{name} was never compiled in this shard"))
        })?;
        for stage in explained.stages {
            let outcome = match (stage.ran, stage.stored) {
                (true, _) => Outcome::Ran,
                (false, true) => Outcome::Stored,
                (false, false) => Outcome::Reused,
            };
            let because = c_text(&stage.because.join("\n"));
            // SAFETY: C gave the function for this.
            unsafe { each(user, Stage::of(stage.stage), outcome, because.as_ptr()) };
        }
        Ok(())
    })
}
