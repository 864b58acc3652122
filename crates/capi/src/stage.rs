//! The stage that runs on this thread: its context, and what it gives.
//!
//! A context is valid on its thread while its stage runs and no stage inside of it does: a
//! question may run other stages, which have contexts of their own.

use crate::compiler::{Foreign, StageFunction, Summary, Written};
use crate::mention::Mentions;
use crate::names::{self, Context, Instance, Name};
use crate::status::{self, Error, Status, give, guard, slice, text};
use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;
use worldage::dispatch::Ty;
use worldage::engine::{CodegenCx, InferCx, LinkCx, Mi, Part, Stop};

/// What a stage gave.
pub(crate) enum Given {
    Nothing,
    Inferred {
        body: Arc<[u8]>,
        summary: Arc<[u8]>,
    },
    Code(Arc<[u8]>),
    Entry {
        entry: *const c_void,
        data: *mut c_void,
    },
}

/// The context of a stage, its lifetime erased.
#[derive(Clone, Copy)]
enum Cx {
    Infer(*mut InferCx<'static, Foreign>),
    Codegen(*mut CodegenCx<'static, Foreign>),
    Link(*mut LinkCx<'static, Foreign>),
}

/// A stage that runs on this thread.
pub(crate) struct Running {
    id: u64,
    cx: Cx,
    /// The instance that is compiled.
    own: Mi,
    /// What its input mentions; a source mentions nothing.
    input: Option<Arc<Mentions>>,
    compiler: *const Foreign,
    pub(crate) given: Given,
    /// What the bytes that it gives mention.
    pub(crate) mentions: Mentions,
    pub(crate) summary_types: Vec<Ty>,
    stop: Option<Stop>,
    /// What C was shown; it stays while the stage runs.
    shown: Vec<Arc<[u8]>>,
}

thread_local! {
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

impl Running {
    fn new(cx: Cx, own: Mi, input: Option<&Written>) -> Running {
        Running {
            id: names::fresh(),
            cx,
            own,
            input: input.map(|written| Arc::clone(&written.mentions)),
            compiler: ptr::null(),
            given: Given::Nothing,
            mentions: Mentions::default(),
            summary_types: Vec::new(),
            stop: None,
            shown: Vec::new(),
        }
    }

    pub(crate) fn infer(cx: &mut InferCx<'_, Foreign>, own: Mi) -> Running {
        Running::new(Cx::Infer(ptr::from_mut(cx).cast()), own, None)
    }

    pub(crate) fn codegen(cx: &mut CodegenCx<'_, Foreign>, own: Mi, input: &Written) -> Running {
        Running::new(Cx::Codegen(ptr::from_mut(cx).cast()), own, Some(input))
    }

    pub(crate) fn link(cx: &mut LinkCx<'_, Foreign>, own: Mi, input: &Written) -> Running {
        Running::new(Cx::Link(ptr::from_mut(cx).cast()), own, Some(input))
    }
}

/// Takes the innermost stage off also on a panic.
struct Innermost;

impl Innermost {
    fn take(self) -> Running {
        std::mem::forget(self);
        RUNNING.with_borrow_mut(|running| running.pop().expect("it was put there"))
    }
}

impl Drop for Innermost {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Vec::pop);
    }
}

/// Runs a stage in C.
pub(crate) fn run(
    compiler: &Foreign,
    stage: StageFunction,
    mut running: Running,
    input: &[u8],
) -> Result<Running, Stop> {
    let Some(stage) = stage else {
        return Err(Stop::failed("the stage's function is null".to_string()));
    };
    let context = Context { id: running.id };
    let instance = compiler.instances.name(running.own.0);
    running.compiler = compiler;
    RUNNING.with_borrow_mut(|stack| stack.push(running));
    let innermost = Innermost;
    status::forget();
    // SAFETY: C gave the function for this; the input lives during the call.
    let status = unsafe {
        stage(
            compiler.stages.user,
            context,
            instance,
            input.as_ptr(),
            input.len(),
        )
    };
    let mut running = innermost.take();
    match (running.stop.take(), status) {
        // Whatever the stage made of it: a question that stopped it stops it.
        (Some(stop), _) => Err(stop),
        (None, Status::Ok) => Ok(running),
        (None, status) => {
            let why = format!("the stage returned {status:?}: {}", status::message());
            Err(Stop::failed(why.trim_end_matches(": ").to_string()))
        }
    }
}

/// Why a question has no answer.
pub(crate) enum Refusal {
    /// It is not one that this stage can ask.
    Mistake(Error),
    /// The stage ends here.
    Stopped(Stop),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Mistake(error)
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Refusal {
        Refusal::Stopped(stop)
    }
}

/// What one question is asked with.
pub(crate) struct Asked {
    cx: Cx,
    pub(crate) own: Mi,
    pub(crate) input: Option<Arc<Mentions>>,
    pub(crate) compiler: &'static Foreign,
}

/// Answers a question of the innermost stage. A question that stops the stage is remembered.
pub(crate) fn ask<T>(
    context: Context,
    question: impl FnOnce(&Asked) -> Result<T, Refusal>,
) -> Result<T, Error> {
    let asked = RUNNING.with_borrow(|stack| match stack.last() {
        Some(running) if running.id == context.id() => Ok(Asked {
            cx: running.cx,
            own: running.own,
            input: running.input.clone(),
            // SAFETY: the compiler outlives the stage that it runs.
            compiler: unsafe { &*running.compiler },
        }),
        _ => Err(Error::invalid(format!(
            "context {}: its stage has ended, runs on another thread, or waits for another",
            context.id()
        ))),
    })?;
    question(&asked).map_err(|refusal| {
        let stop = match refusal {
            Refusal::Mistake(error) => return error,
            Refusal::Stopped(stop) => stop,
        };
        let error = match &stop {
            Stop::Failed(failed) => Error::new(Status::StageFailed, failed),
            Stop::Suspended | Stop::Cancelled => {
                Error::new(Status::Stop, "the stage will run again: return this status")
            }
        };
        innermost(|running| running.stop = Some(stop));
        error
    })
}

/// Changes the stage that asks, which is the innermost one.
pub(crate) fn innermost<R>(change: impl FnOnce(&mut Running) -> R) -> R {
    RUNNING.with_borrow_mut(|stack| change(stack.last_mut().expect("a stage runs")))
}

/// Shows bytes to C until the stage ends.
pub(crate) fn show(
    bytes: Arc<[u8]>,
    data: *mut *const u8,
    length: *mut usize,
) -> Result<(), Error> {
    give(data, bytes.as_ptr())?;
    give(length, bytes.len())?;
    innermost(|running| running.shown.push(bytes));
    Ok(())
}

pub(crate) fn not_here(question: &str, stages: &str) -> Error {
    Error::invalid(format!("{question} is for {stages}"))
}

impl Asked {
    pub(crate) fn mi(&self, instance: Instance) -> Result<Mi, Error> {
        self.compiler.instances.index(instance).map(Mi)
    }

    /// The context of infer.
    ///
    /// SAFETY (of the bodies of these): the engine's context lives while its stage runs, which
    /// is now, and the stage has only this reference to it.
    #[expect(clippy::mut_from_ref, reason = "one question at a time, on one thread")]
    pub(crate) fn infer(&self, question: &str) -> Result<&mut InferCx<'static, Foreign>, Error> {
        match self.cx {
            // SAFETY: see above.
            Cx::Infer(cx) => Ok(unsafe { &mut *cx }),
            _ => Err(not_here(question, "infer")),
        }
    }

    #[expect(clippy::mut_from_ref, reason = "one question at a time, on one thread")]
    pub(crate) fn codegen(
        &self,
        question: &str,
    ) -> Result<&mut CodegenCx<'static, Foreign>, Error> {
        match self.cx {
            // SAFETY: see above.
            Cx::Codegen(cx) => Ok(unsafe { &mut *cx }),
            _ => Err(not_here(question, "codegen")),
        }
    }

    pub(crate) fn link(&self, question: &str) -> Result<&LinkCx<'static, Foreign>, Error> {
        match self.cx {
            // SAFETY: see above.
            Cx::Link(cx) => Ok(unsafe { &*cx }),
            _ => Err(not_here(question, "link")),
        }
    }

    /// That this stage gives bytes.
    pub(crate) fn gives_bytes(&self, question: &str) -> Result<(), Error> {
        match self.cx {
            Cx::Infer(_) | Cx::Codegen(_) => Ok(()),
            Cx::Link(_) => Err(not_here(question, "infer and codegen")),
        }
    }

    /// A part of an instance's summary.
    pub(crate) fn read<V>(
        &self,
        question: &str,
        mi: Mi,
        part: &Part<Summary, V>,
    ) -> Result<V, Refusal> {
        Ok(match self.cx {
            Cx::Infer(_) => self.infer(question)?.read(mi, part)?,
            Cx::Codegen(_) => self.codegen(question)?.read(mi, part)?,
            Cx::Link(_) => return Err(not_here(question, "infer and codegen").into()),
        })
    }

    /// The name of the shard that is compiled for.
    pub(crate) fn shard_name(&self, question: &str) -> Result<Arc<[u8]>, Error> {
        Ok(match self.cx {
            Cx::Codegen(_) => self.codegen(question)?.shard().as_bytes().into(),
            _ => self.link(question)?.shard().0.as_bytes().into(),
        })
    }
}

/// Gives infer's result: bytes for codegen, and the summary, which is all that callers see.
#[unsafe(no_mangle)]
pub extern "C" fn wa_give_inferred(
    context: Context,
    body: *const u8,
    body_length: usize,
    summary: *const u8,
    summary_length: usize,
) -> Status {
    guard(|| {
        let body = slice(body, body_length, "body")?.into();
        let summary = slice(summary, summary_length, "summary")?.into();
        ask(context, |asked| {
            Ok(asked.infer("wa_give_inferred").map(drop)?)
        })?;
        innermost(|running| running.given = Given::Inferred { body, summary });
        Ok(())
    })
}

/// Gives codegen's result.
#[unsafe(no_mangle)]
pub extern "C" fn wa_give_code(context: Context, code: *const u8, length: usize) -> Status {
    guard(|| {
        let code = slice(code, length, "code")?.into();
        ask(context, |asked| {
            Ok(asked.codegen("wa_give_code").map(drop)?)
        })?;
        innermost(|running| running.given = Given::Code(code));
        Ok(())
    })
}

/// Gives link's result: what is called, and anything that `unlink` needs.
#[unsafe(no_mangle)]
pub extern "C" fn wa_give_entry(
    context: Context,
    entry: *const c_void,
    data: *mut c_void,
) -> Status {
    guard(|| {
        ask(context, |asked| {
            Ok(asked.link("wa_give_entry").map(drop)?)
        })?;
        innermost(|running| running.given = Given::Entry { entry, data });
        Ok(())
    })
}

/// Fails the stage: the program is wrong, as the message says. The stage returns what this does.
#[unsafe(no_mangle)]
pub extern "C" fn wa_fail(context: Context, message: *const c_char) -> Status {
    guard(|| {
        let message = text(message, "message")?.to_string();
        ask(context, |_| Err(Stop::failed(message).into()))
    })
}
