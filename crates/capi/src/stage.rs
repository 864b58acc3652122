//! What a running stage may ask and give.
//!
//! A context is valid on its thread while its stage runs and no stage inside of it does: a
//! question may run other stages, which have contexts of their own.

use crate::compiler::{Foreign, SUMMARY, StageFunction};
use crate::names::{self, Context, Instance, Name, Type};
use crate::status::{self, Error, Status, give, guard, slice, text};
use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, PoisonError};
use worldage::dispatch::{Symbol, Ty, Types};
use worldage::engine::{CodegenCx, ExternalKey, InferCx, LinkCx, Mi, Resolved, Stop};

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
    compiler: *const Foreign,
    given: Given,
    stop: Option<Stop>,
    /// What C was shown; it stays while the stage runs.
    shown: Vec<Arc<[u8]>>,
}

thread_local! {
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

impl Running {
    fn new(cx: Cx) -> Running {
        Running {
            id: names::fresh(),
            cx,
            compiler: ptr::null(),
            given: Given::Nothing,
            stop: None,
            shown: Vec::new(),
        }
    }

    pub(crate) fn infer(cx: &mut InferCx<'_, Foreign>) -> Running {
        Running::new(Cx::Infer(ptr::from_mut(cx).cast()))
    }

    pub(crate) fn codegen(cx: &mut CodegenCx<'_, Foreign>) -> Running {
        Running::new(Cx::Codegen(ptr::from_mut(cx).cast()))
    }

    pub(crate) fn link(cx: &mut LinkCx<'_, Foreign>) -> Running {
        Running::new(Cx::Link(ptr::from_mut(cx).cast()))
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
    mi: Mi,
    input: &[u8],
) -> Result<Given, Stop> {
    let Some(stage) = stage else {
        return Err(Stop::failed("the stage's function is null".to_string()));
    };
    let context = Context { id: running.id };
    running.compiler = compiler;
    RUNNING.with_borrow_mut(|stack| stack.push(running));
    let innermost = Innermost;
    let instance = compiler.instances.name(mi.0);
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
    let running = innermost.take();
    match (running.stop, status) {
        // Whatever the stage made of it: a question that stopped it stops it.
        (Some(stop), _) => Err(stop),
        (None, Status::Ok) => Ok(running.given),
        (None, status) => {
            let why = format!("the stage returned {status:?}: {}", status::message());
            Err(Stop::failed(why.trim_end_matches(": ").to_string()))
        }
    }
}

/// What one question is asked with.
struct Asked {
    cx: Cx,
    compiler: &'static Foreign,
}

/// Answers a question of the innermost stage. A question that stops the stage is remembered.
fn ask<T>(
    context: Context,
    question: impl FnOnce(&Asked) -> Result<Result<T, Stop>, Error>,
) -> Result<T, Error> {
    let asked = RUNNING.with_borrow(|stack| match stack.last() {
        Some(running) if running.id == context.id() => Ok(Asked {
            cx: running.cx,
            // SAFETY: the compiler outlives the stage that it runs.
            compiler: unsafe { &*running.compiler },
        }),
        _ => Err(Error::invalid(format!(
            "context {}: its stage has ended, runs on another thread, or waits for another",
            context.id()
        ))),
    })?;
    question(&asked)?.map_err(|stop| {
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

fn innermost<R>(change: impl FnOnce(&mut Running) -> R) -> R {
    RUNNING.with_borrow_mut(|stack| change(stack.last_mut().expect("a stage runs")))
}

/// Shows bytes to C until the stage ends.
fn show(bytes: Arc<[u8]>, data: *mut *const u8, length: *mut usize) -> Result<(), Error> {
    give(data, bytes.as_ptr())?;
    give(length, bytes.len())?;
    innermost(|running| running.shown.push(bytes));
    Ok(())
}

fn not_here<T>(question: &str, stages: &str) -> Result<T, Error> {
    let message = format!("{question} is for {stages}");
    Err(Error::invalid(message))
}

impl Asked {
    fn mi(&self, instance: Instance) -> Result<Mi, Error> {
        self.compiler.instances.index(instance).map(Mi)
    }

    /// The context of infer.
    ///
    /// SAFETY (of the bodies of these): the engine's context lives while its stage runs, which
    /// is now, and the stage has only this reference to it.
    #[expect(clippy::mut_from_ref, reason = "one question at a time, on one thread")]
    fn infer(&self, question: &str) -> Result<&mut InferCx<'static, Foreign>, Error> {
        match self.cx {
            // SAFETY: see above.
            Cx::Infer(cx) => Ok(unsafe { &mut *cx }),
            _ => not_here(question, "infer"),
        }
    }

    #[expect(clippy::mut_from_ref, reason = "one question at a time, on one thread")]
    fn codegen(&self, question: &str) -> Result<&mut CodegenCx<'static, Foreign>, Error> {
        match self.cx {
            // SAFETY: see above.
            Cx::Codegen(cx) => Ok(unsafe { &mut *cx }),
            _ => not_here(question, "codegen"),
        }
    }

    fn link(&self, question: &str) -> Result<&LinkCx<'static, Foreign>, Error> {
        match self.cx {
            // SAFETY: see above.
            Cx::Link(cx) => Ok(unsafe { &*cx }),
            _ => not_here(question, "link"),
        }
    }
}

/// The tuple of these types.
pub(crate) fn tuple(compiler: &Foreign, types: &Types, named: &[Type]) -> Result<Ty, Error> {
    let known = compiler
        .types
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let elems = named.iter().map(|ty| {
        let index = compiler.type_count.index(*ty)?;
        Ok(known[index as usize])
    });
    let elems: Vec<Ty> = elems.collect::<Result<_, Error>>()?;
    types.try_tuple(&elems, None).map_err(Error::invalid)
}

/// Infer: the instance that a call of `function` with these concrete argument types reaches.
///
/// `NoMethod` and `Ambiguous` are answers, on which the stage depends as on any other.
#[unsafe(no_mangle)]
pub extern "C" fn wa_lookup(
    context: Context,
    function: *const c_char,
    args: *const Type,
    count: usize,
    instance: *mut Instance,
) -> Status {
    guard(|| {
        let (function, args) = (text(function, "function")?, slice(args, count, "args")?);
        let found = ask(context, |asked| {
            let cx = asked.infer("wa_lookup")?;
            let symbol: Symbol = cx.types().symbol(function);
            let args = tuple(asked.compiler, cx.types(), args)?;
            Ok(cx
                .lookup(symbol, args)
                .map(|found| resolved(asked.compiler, function, found)))
        })?;
        give(instance, found?)
    })
}

/// The instance that a look-up found, or why it found none.
pub(crate) fn resolved(
    compiler: &Foreign,
    function: &str,
    found: Resolved,
) -> Result<Instance, Error> {
    match found {
        Resolved::Method(mi) => Ok(compiler.instances.name(mi.0)),
        Resolved::NoMethod => {
            let message = format!("no method of {function} takes these arguments");
            Err(Error::new(Status::NoMethod, message))
        }
        Resolved::Ambiguous(methods) => {
            let message = format!("{} methods of {function} are ambiguous here", methods.len());
            Err(Error::new(Status::Ambiguous, message))
        }
    }
}

/// Infer and codegen: the summary of an instance. `data` is null while it is being inferred
/// (recursion). What is shown stays until the stage ends.
#[unsafe(no_mangle)]
pub extern "C" fn wa_summary(
    context: Context,
    instance: Instance,
    data: *mut *const u8,
    length: *mut usize,
) -> Status {
    guard(|| {
        let summary = ask(context, |asked| {
            let mi = asked.mi(instance)?;
            match asked.cx {
                Cx::Infer(_) => Ok(asked.infer("wa_summary")?.read(mi, &SUMMARY)),
                Cx::Codegen(_) => Ok(asked.codegen("wa_summary")?.read(mi, &SUMMARY)),
                Cx::Link(_) => not_here("wa_summary", "infer and codegen"),
            }
        })?;
        match summary {
            Some(summary) => show(summary, data, length),
            None => {
                give(data, ptr::null())?;
                give(length, 0)
            }
        }
    })
}

/// Infer: says that the result depends on an instance although the source does not call it.
#[unsafe(no_mangle)]
pub extern "C" fn wa_depends_on(context: Context, instance: Instance) -> Status {
    guard(|| {
        ask(context, |asked| {
            let mi = asked.mi(instance)?;
            Ok(asked.infer("wa_depends_on")?.depends_on(mi))
        })
    })
}

/// Infer: an external fact. `data` is null if there is none, on which the stage depends too.
#[unsafe(no_mangle)]
pub extern "C" fn wa_external(
    context: Context,
    key: *const c_char,
    data: *mut *const u8,
    length: *mut usize,
) -> Status {
    guard(|| {
        let key = external_key(text(key, "key")?);
        let value = ask(context, |asked| {
            Ok(asked.infer("wa_external")?.external(&key))
        })?;
        match value {
            Some(value) => show(value, data, length),
            None => {
                give(data, ptr::null())?;
                give(length, 0)
            }
        }
    })
}

pub(crate) fn external_key(name: &str) -> ExternalKey {
    ExternalKey {
        kind: "external",
        name: name.into(),
    }
}

/// Codegen: what infer gave for an instance, to inline or fold it.
#[unsafe(no_mangle)]
pub extern "C" fn wa_body(
    context: Context,
    instance: Instance,
    data: *mut *const u8,
    length: *mut usize,
) -> Status {
    guard(|| {
        let inferred = ask(context, |asked| {
            let mi = asked.mi(instance)?;
            Ok(asked.codegen("wa_body")?.inferred(mi))
        })?;
        show(Arc::clone(&inferred.body), data, length)
    })
}

/// Codegen: says that the code calls an instance, so that link may ask for its cell.
#[unsafe(no_mangle)]
pub extern "C" fn wa_calls(context: Context, instance: Instance) -> Status {
    guard(|| {
        ask(context, |asked| {
            let mi = asked.mi(instance)?;
            let cx = asked.codegen("wa_calls")?;
            // What infer did not ask for is inferred first.
            let known = cx.peek(mi, |_| ());
            Ok(known.map(|()| cx.calls(mi)))
        })
    })
}

/// Link: the cell of an instance that codegen said it calls: a word that holds the entry, stable
/// as long as what is being linked lives.
#[unsafe(no_mangle)]
pub extern "C" fn wa_cell(
    context: Context,
    instance: Instance,
    cell: *mut *const *const c_void,
) -> Status {
    guard(|| {
        let address = ask(context, |asked| {
            let mi = asked.mi(instance)?;
            let cx = asked.link("wa_cell")?;
            // The engine answers this mistake with a panic, which here is an argument's fault.
            let cell = catch_unwind(AssertUnwindSafe(|| cx.cell(mi)));
            let cell = cell.map_err(|_| Error::invalid("codegen did not say `wa_calls` of it"))?;
            Ok(Ok(cell))
        })?;
        give(cell, address.cast())
    })
}

/// Codegen and link: the shard that is compiled for.
#[unsafe(no_mangle)]
pub extern "C" fn wa_shard_name(
    context: Context,
    data: *mut *const u8,
    length: *mut usize,
) -> Status {
    guard(|| {
        let name = ask(context, |asked| {
            let name = match asked.cx {
                Cx::Codegen(_) => asked.codegen("wa_shard_name")?.shard().as_bytes().into(),
                _ => asked.link("wa_shard_name")?.shard().0.as_bytes().into(),
            };
            Ok(Ok(name))
        })?;
        show(name, data, length)
    })
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
            asked.infer("wa_give_inferred").map(|_| Ok(()))
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
            asked.codegen("wa_give_code").map(|_| Ok(()))
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
        ask(context, |asked| asked.link("wa_give_entry").map(|_| Ok(())))?;
        innermost(|running| running.given = Given::Entry { entry, data });
        Ok(())
    })
}

/// Fails the stage: the program is wrong, as the message says. The stage returns what this does.
#[unsafe(no_mangle)]
pub extern "C" fn wa_fail(context: Context, message: *const c_char) -> Status {
    guard(|| {
        let message = text(message, "message")?.to_string();
        ask(context, |_| Ok(Err(Stop::failed(message))))
    })
}
