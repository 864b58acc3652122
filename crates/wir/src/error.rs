//! Errors of running programs: what failed, where, and the calls that led there.
//!
//! Invariant: an error names places by method and node, not by text, so it stays right when a
//! definition moves; whoever has the sources makes a [`Diagnostic`] of it.

use crate::ast::NodeId;
use crate::diag::{Code, Diagnostic, Frame, MAX_TRACE, Place};
use worldage_dispatch::MethodId;

/// A node of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// The method.
    pub method: MethodId,
    /// The node within it.
    pub node: NodeId,
}

/// A running method instance and what it was doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFrame {
    /// The instance, printed: `f(Int64)`.
    pub instance: String,
    /// The expression that failed or called.
    pub site: Site,
}

/// A program failed while it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    /// Its kind.
    pub code: Code,
    /// One sentence without a final point, for people.
    pub message: String,
    /// The call it is about, such as `g(Int64)`, for a missing or ambiguous method; a name for an
    /// unknown one.
    pub subject: Option<String>,
    /// For an ambiguous call, the candidates that no other match beats, sorted.
    pub candidates: Vec<String>,
    /// For an ambiguous call, the signature that would resolve it.
    pub resolved_by: Option<String>,
    /// Facts that help.
    pub notes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The running instances, innermost first: the first one holds the failing expression. Empty
    /// if the host's call itself failed. At most [`MAX_TRACE`].
    pub trace: Vec<TraceFrame>,
    /// How many more there were.
    pub trace_more: u64,
    /// The world that it failed in, where a `latest` call left that of the host's call.
    pub world: Option<u64>,
}

impl RunError {
    /// An error without a trace.
    pub fn new(code: Code, message: impl Into<String>) -> RunError {
        RunError {
            code,
            message: message.into(),
            subject: None,
            candidates: Vec::new(),
            resolved_by: None,
            notes: Vec::new(),
            hint: None,
            trace: Vec::new(),
            trace_more: 0,
            world: None,
        }
    }

    /// Says what it is about.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> RunError {
        self.subject = Some(subject.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> RunError {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the next outer instance: kept up to [`MAX_TRACE`], counted beyond.
    pub fn unwind(&mut self, site: Site, instance: impl FnOnce() -> String) {
        if self.trace.len() < MAX_TRACE {
            let instance = instance();
            self.trace.push(TraceFrame { instance, site });
        } else {
            self.trace_more += 1;
        }
    }

    /// With places, to be shown.
    pub fn to_diagnostic(&self, place: impl Fn(Site) -> Option<Place>) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(self.code, self.message.clone());
        diagnostic.place = self.trace.first().and_then(|frame| place(frame.site));
        diagnostic.subject.clone_from(&self.subject);
        diagnostic.hint.clone_from(&self.hint);
        let candidates = self.candidates.iter().map(|sig| format!("candidate {sig}"));
        diagnostic.notes.extend(candidates);
        let resolved_by = self.resolved_by.iter();
        diagnostic
            .notes
            .extend(resolved_by.map(|sig| format!("resolved by {sig}")));
        diagnostic.notes.extend(self.notes.iter().cloned());
        let frames = self.trace.iter().map(|frame| Frame {
            caller: frame.instance.clone(),
            place: place(frame.site),
        });
        diagnostic.trace.extend(frames);
        diagnostic.trace_more = self.trace_more;
        diagnostic
    }
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)
    }
}

impl std::error::Error for RunError {}
