//! A compiler whose stages are C functions: sources, results and code are bytes.

use crate::names::{Context, Count, Instance};
use crate::stage::{self, Given, Running};
use crate::status::Status;
use std::ffi::c_void;
use std::sync::{Arc, RwLock};
use worldage::dispatch::Ty;
use worldage::engine::{
    CodegenCx, Compiler, InferCx, LinkCx, Linked, Mi, Part, PartDigest, Stop, Summarize, digest_of,
};

/// A stage: it is given bytes (infer the method's source, codegen what infer gave, link what
/// codegen gave), asks its context for everything else, gives its result with `wa_give_…` or
/// fails with `wa_fail`, and returns `Ok`, or the status of a question that was not `Ok`.
///
/// It may run on any thread, on several at once, more than once, and must be a pure function of
/// its input and what its context told it. It must not leave by `longjmp` or an exception.
pub type StageFunction = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        context: Context,
        instance: Instance,
        input: *const u8,
        length: usize,
    ) -> Status,
>;

/// The stages of a compiler.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Stages {
    /// Given to each function.
    pub user: *mut c_void,
    /// Source to inferred bytes and a summary (`wa_give_inferred`).
    pub infer: StageFunction,
    /// Inferred bytes to code (`wa_give_code`).
    pub codegen: StageFunction,
    /// Code to an entry (`wa_give_entry`).
    pub link: StageFunction,
    /// Told of each entry that nothing calls any more, with what link gave beside it; may be null.
    pub unlink:
        Option<unsafe extern "C" fn(user: *mut c_void, entry: *const c_void, data: *mut c_void)>,
}

// SAFETY: that its functions may run on any thread is a law of the interface.
unsafe impl Send for Stages {}
// SAFETY: as above: several at once.
unsafe impl Sync for Stages {}

/// The stages with what is known of their session.
pub(crate) struct Foreign {
    pub(crate) stages: Stages,
    pub(crate) types: RwLock<Vec<Ty>>,
    pub(crate) type_count: Count,
    pub(crate) instances: Count,
}

/// What infer gave: bytes for codegen, and bytes for callers.
#[derive(PartialEq)]
pub(crate) struct Inferred {
    pub(crate) body: Arc<[u8]>,
    pub(crate) summary: Arc<[u8]>,
}

/// What callers see; nothing is known of an instance that is being inferred.
#[derive(Clone, PartialEq)]
pub(crate) struct Summary(Option<Arc<[u8]>>);

/// All of a summary.
pub(crate) const SUMMARY: Part<Summary, Option<Arc<[u8]>>> = Part {
    index: 0,
    name: "summary",
    get: |summary| summary.0.clone(),
};

impl Summarize<Inferred> for Summary {
    const PARTS: &'static [PartDigest<Summary>] = &[PartDigest {
        name: SUMMARY.name,
        digest: |summary| digest_of(&summary.0),
    }];

    fn of(inferred: &Inferred) -> Summary {
        Summary(Some(Arc::clone(&inferred.summary)))
    }

    fn bottom() -> Summary {
        Summary(None)
    }
}

/// An entry, until nothing calls it.
pub(crate) struct Entry {
    stages: Stages,
    entry: *const c_void,
    data: *mut c_void,
}

// SAFETY: the pointers are C's; what it is told of them it may be told on any thread.
unsafe impl Send for Entry {}
// SAFETY: nothing is read or written through them.
unsafe impl Sync for Entry {}

impl Linked for Entry {
    fn entry(&self) -> usize {
        self.entry as usize
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(unlink) = self.stages.unlink {
            // SAFETY: C gave the function for this.
            unsafe { unlink(self.stages.user, self.entry, self.data) };
        }
    }
}

impl Compiler for Foreign {
    type Source = Arc<[u8]>;
    type Inferred = Inferred;
    type Summary = Summary;
    type Code = Arc<[u8]>;
    type Linked = Entry;
    type Shard = String;

    fn infer(
        &self,
        cx: &mut InferCx<'_, Self>,
        mi: Mi,
        source: &Arc<[u8]>,
    ) -> Result<Inferred, Stop> {
        let running = Running::infer(cx);
        match stage::run(self, self.stages.infer, running, mi, source)? {
            Given::Inferred { body, summary } => Ok(Inferred { body, summary }),
            _ => Err(without_result("infer")),
        }
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<Arc<[u8]>, Stop> {
        let running = Running::codegen(cx);
        match stage::run(self, self.stages.codegen, running, mi, &inferred.body)? {
            Given::Code(code) => Ok(code),
            _ => Err(without_result("codegen")),
        }
    }

    fn link(
        &self,
        cx: &mut LinkCx<'_, Self>,
        mi: Mi,
        code: &Arc<Arc<[u8]>>,
    ) -> Result<Entry, Stop> {
        let running = Running::link(cx);
        match stage::run(self, self.stages.link, running, mi, code)? {
            Given::Entry { entry, data } => Ok(Entry {
                stages: self.stages,
                entry,
                data,
            }),
            _ => Err(without_result("link")),
        }
    }
}

fn without_result(stage: &str) -> Stop {
    Stop::failed(format!(
        "{stage} returned without a result: see the `wa_give_` functions"
    ))
}
