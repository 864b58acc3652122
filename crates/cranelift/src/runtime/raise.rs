//! Errors of compiled code: what was wrong, where, and the calls that led there.

use super::VmCtx;
use crate::code::{ErrorTables, Fault};
use crate::load::{Loader, Placed};
use rustc_hash::FxHashMap;
use std::any::Any;
use std::sync::Arc;
use worldage_dispatch::{Symbol, Ty};
use worldage_engine::Mi;
use worldage_wir::ast::NodeId;
use worldage_wir::ir::{Failure, Pos};

/// At most this many calls are named.
const MAX_TRACE: usize = 20;

/// A run-time error of the program.
#[derive(Clone, Debug)]
pub struct Raised {
    /// What was wrong.
    pub kind: RaiseKind,
    /// The failing expression, then the calls that led there, innermost first, inlined ones too.
    pub trace: Vec<TraceFrame>,
    /// How many further calls there were.
    pub more: u64,
    /// The world that the failing code ran in.
    pub world: u64,
}

/// One position of a trace: a node of the method of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceFrame {
    /// The instance.
    pub mi: Mi,
    /// The node in its method.
    pub node: NodeId,
}

/// What was wrong.
#[derive(Clone, Debug)]
pub enum RaiseKind {
    /// What the body or the dispatcher said.
    Failure(Failure),
    /// An index outside of an array, tuple or string of this length.
    Bounds {
        /// The index.
        index: i64,
        /// The length.
        length: i64,
    },
    /// An array element that was never written and has no zero.
    Uninitialized,
    /// `array(T, n)` with this negative length.
    Length(i64),
    /// The stack is used up.
    StackOverflow,
    /// The memory limit was reached.
    OutOfMemory,
    /// A value of the first type where the second was asked for.
    TypeMismatch(Ty, Ty),
    /// A value of this type has no such field.
    MissingField(Ty, Symbol),
    /// A value of the first type cannot be indexed by one of the second.
    NotIndexable(Ty, Ty),
    /// The embedder's own error.
    Host(Arc<dyn Any + Send + Sync>),
    /// Something that this engine cannot do; the sentence says what.
    Unsupported(Arc<str>),
}

/// Ends compiled code with an error, at the place from which it called a helper last.
///
/// # Safety
/// On the compiled stack, called by a helper; `ctx` is the running context.
pub(crate) unsafe fn raise(ctx: *mut VmCtx, kind: RaiseKind) -> ! {
    // SAFETY: as the caller says.
    unsafe { raise_at(ctx, kind, None) }
}

/// Like [`raise`], at a failure that the code numbered.
///
/// # Safety
/// As of [`raise`].
pub(crate) unsafe fn raise_site(
    ctx: *mut VmCtx,
    number: usize,
    kind: impl FnOnce(&Fault) -> RaiseKind,
) -> ! {
    // SAFETY: the context is valid; its loader is only read.
    let (loader, pc) = unsafe { (&(*ctx).loader, (*ctx).pc) };
    let placed = loader
        .code_at(pc - 1)
        .expect("a failure number comes from loaded code");
    let tables = placed.code.tables.get();
    let site = &tables.failures[number];
    let kind = kind(&site.fault);
    let pos = tables.positions[site.pos as usize];
    drop((tables, placed));
    // SAFETY: as the caller says.
    unsafe { raise_at(ctx, kind, Some(pos)) }
}

unsafe fn raise_at(ctx: *mut VmCtx, kind: RaiseKind, pos: Option<Pos>) -> ! {
    // SAFETY: `ctx` is the running context, whose compiled frames stand on its stack.
    let trace = unsafe { collect(ctx, pos) };
    let raised = Raised {
        kind,
        trace: trace.frames,
        more: trace.more,
        // SAFETY: as above.
        world: unsafe { (*ctx).world },
    };
    std::panic::resume_unwind(Box::new(raised))
}

#[derive(Default)]
struct Trace {
    frames: Vec<TraceFrame>,
    more: u64,
}

impl Trace {
    fn push(&mut self, tables: &ErrorTables, pos: Pos) {
        let mut next = Some(pos);
        while let Some(pos) = next {
            let frame = &tables.frames[pos.frame as usize];
            if self.frames.len() < MAX_TRACE {
                self.frames.push(TraceFrame {
                    mi: frame.mi,
                    node: pos.node,
                });
            } else {
                self.more += 1;
            }
            next = frame.call;
        }
    }
}

/// Walks the compiled frames from the last helper call outwards, across the host frames between
/// nested entries.
///
/// Leaves the frames of the innermost entry good for nothing but being unwound: the first is
/// chained to the entry at once, since none of those between has anything to clean up and there
/// may be millions of them.
unsafe fn collect(ctx: *mut VmCtx, first: Option<Pos>) -> Trace {
    let mut trace = Trace::default();
    // SAFETY: fields of the running context; the borrow ends with this function.
    let (loader, activations) = unsafe { (&(*ctx).loader, &(*ctx).activations) };
    // SAFETY: likewise.
    let (mut pc, mut fp) = unsafe { ((*ctx).pc, (*ctx).fp) };
    let mut outer = activations.len();
    let mut first = first;
    let innermost_fp = fp;
    let mut outermost_fp = None;
    let mut entry_fp = fp;
    // How many calls, inlined ones too, each call site stands for: an endless recursion ends
    // with millions of frames of a few sites.
    let mut calls_at: FxHashMap<usize, u64> = FxHashMap::default();
    loop {
        let known = calls_at.get(&pc);
        if let (Some(calls), MAX_TRACE..) = (known, trace.frames.len()) {
            trace.more += calls;
        } else if let Some(placed) = code_at(loader, pc) {
            let offset = u32::try_from(pc - placed.start).expect("code is small");
            let before = trace.more + trace.frames.len() as u64;
            let at_failure = first.take();
            let is_call = at_failure.is_none();
            let tables = placed.code.tables.get();
            if let Some(pos) = at_failure.or_else(|| tables.position_before(offset)) {
                trace.push(&tables, pos);
            }
            if is_call {
                let calls = trace.more + trace.frames.len() as u64 - before;
                calls_at.insert(pc, calls);
            }
        } else {
            // The end of this entry; go on where compiled code left for the host before it.
            outermost_fp.get_or_insert(entry_fp);
            let Some(next) = outer.checked_sub(1) else {
                break;
            };
            outer = next;
            (pc, fp) = (activations[next].pc, activations[next].fp);
            continue;
        }
        entry_fp = fp;
        // SAFETY: compiled frames keep the chain of frame pointers, return address above.
        unsafe {
            pc = *((fp + 8) as *const usize);
            fp = *(fp as *const usize);
        }
    }
    if let Some(outermost_fp) = outermost_fp.filter(|&fp| fp != innermost_fp) {
        // SAFETY: both are frames of the innermost entry, two
        // words each, which nothing returns into any more.
        unsafe {
            std::ptr::copy_nonoverlapping(
                outermost_fp as *const usize,
                innermost_fp as *mut usize,
                2,
            );
        }
    }
    trace
}

fn code_at(loader: &Loader, pc: usize) -> Option<Arc<Placed>> {
    loader.code_at(pc.wrapping_sub(1))
}
