//! Why a stage did not give a result.

use crate::events::Stage;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A stage stops early. Pass it on with `?`; only [`Stop::Failed`] is ever made by an embedder.
#[derive(Clone, Debug)]
pub enum Stop {
    /// The program is wrong in a way that the stage reports (deterministic, memoised).
    Failed(Failed),
    /// The engine needs something else first and will run the stage again.
    Suspended,
    /// An edit came in between; the stage runs again in the new world.
    Cancelled,
}

/// The deterministic failure of a stage: the embedder's own error value.
#[derive(Clone)]
pub struct Failed(pub Arc<dyn StageError>);

/// An embedder's error value; equality is what early cutoff rests on.
pub trait StageError: std::any::Any + fmt::Display + fmt::Debug + Send + Sync {}
impl<T: fmt::Display + fmt::Debug + Send + Sync + 'static> StageError for T {}

impl Stop {
    /// A failure with the embedder's error.
    pub fn failed(error: impl StageError) -> Stop {
        Stop::Failed(Failed(Arc::new(error)))
    }

    /// The failure that it is for a stage which is never suspended by the engine.
    pub(crate) fn into_failed(self, stage: Stage) -> Failed {
        match self {
            Stop::Failed(failed) => failed,
            Stop::Suspended | Stop::Cancelled => Failed(Arc::new(StageFault::GaveUp { stage })),
        }
    }
}

impl Failed {
    /// The embedder's error, if it is of this type.
    pub fn downcast_ref<E: StageError>(&self) -> Option<&E> {
        let error: &dyn std::any::Any = &*self.0;
        error.downcast_ref()
    }

    /// The engine's own sentence.
    pub(crate) fn message(message: &str) -> Failed {
        Failed(Arc::new(EngineError(message.into())))
    }

    /// A panic of an embedder's stage.
    pub(crate) fn panicked(stage: Stage, panic: &(dyn std::any::Any + Send)) -> Failed {
        // Questions that have no error of their own say by a panic what is wrong with them.
        if let Some(fault) = panic.downcast_ref::<StageFault>() {
            return Failed(Arc::new(fault.clone()));
        }
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("(no message)");
        let message = message.into();
        Failed(Arc::new(StageFault::Panicked { stage, message }))
    }

    /// Equal errors give equal digests.
    pub(crate) fn digest(&self) -> u64 {
        let hash = blake3::hash(self.0.to_string().as_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"))
    }
}

/// What an embedder's stage did wrong, as the engine tells it: found in a failure by
/// [`Failed::downcast_ref`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageFault {
    /// It panicked.
    #[error("stage `{stage}` panicked: {message}")]
    Panicked {
        /// The stage.
        stage: Stage,
        /// What it said.
        message: Arc<str>,
    },
    /// It gave another result, or asked other questions, when it was run a second time
    /// ([`crate::Engine::set_checking`]).
    #[error("stage `{stage}` is impure: run twice on the same inputs, its {what} differ")]
    Impure {
        /// The stage.
        stage: Stage,
        /// `results` or `questions`.
        what: &'static str,
    },
    /// It stopped with [`Stop::Suspended`] or [`Stop::Cancelled`] though its context did not.
    #[error("stage `{stage}` was given up by itself: pass on only what the context returned")]
    GaveUp {
        /// The stage.
        stage: Stage,
    },
    /// Inference of a recursive component changes from round to round.
    #[error("inference does not settle: `widen` must reach an upper bound")]
    DoesNotSettle,
    /// It asked without end.
    #[error("stage `{stage}` asked more than {limit} questions: it loops")]
    TooManyQuestions {
        /// The stage.
        stage: Stage,
        /// The bound.
        limit: u32,
    },
    /// One demand reached ever more instances.
    #[error(
        "more than {limit} instances are reached by one demand: bound the recursion on types, or \
         raise `Options::max_instances`"
    )]
    TooManyInstances {
        /// The bound.
        limit: usize,
    },
    /// It asked about an instance that this session does not have.
    #[error("stage `{stage}` asked about instance {number}, which this session does not have")]
    UnknownInstance {
        /// The stage.
        stage: Stage,
        /// Its number.
        number: u32,
    },
    /// It read a part that is not among [`crate::Summarize::PARTS`].
    #[error("stage `{stage}` read part {index} `{name}` of a summary, which has no such part")]
    UnknownPart {
        /// The stage.
        stage: Stage,
        /// The part's index.
        index: usize,
        /// The part's name.
        name: &'static str,
    },
    /// Link asked for the cell of an instance that codegen did not declare.
    #[error("link asked for the cell of {callee}, which codegen did not declare with `calls`")]
    UndeclaredCallee {
        /// The callee, printed.
        callee: Arc<str>,
    },
    /// Link asked for what is linked of a callee that is reached through its cell only.
    #[error("{callee} can be called through its cell only: it calls back, or linking is live")]
    NeedsCell {
        /// The callee, printed.
        callee: Arc<str>,
    },
}

/// A call in a stage that no method takes, or several.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No method takes these arguments.
    #[error("no-matching-method: {call}")]
    NoMethod {
        /// The call: `f(Int64)`.
        call: Arc<str>,
    },
    /// Several do, and none is the most specific.
    #[error("ambiguous-call: {call}: candidates {}", .candidates.join(", "))]
    Ambiguous {
        /// The call: `f(Int64)`.
        call: Arc<str>,
        /// The candidates' signatures, sorted.
        candidates: Arc<[String]>,
    },
}

/// Runs embedder's code outside of a stage: an equality, a digest. A panic means "not equal", the
/// safe answer: then something runs that need not.
pub(crate) fn equal<T: PartialEq + ?Sized>(a: &T, b: &T) -> bool {
    catch_unwind(AssertUnwindSafe(|| a == b)).unwrap_or(false)
}

/// A failure that the engine itself reports.
#[derive(Debug)]
struct EngineError(Arc<str>);

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl PartialEq for Failed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.to_string() == other.0.to_string()
    }
}
