//! Why a stage did not give a result.

use std::fmt;
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
    pub(crate) fn panicked(stage: &str, panic: &(dyn std::any::Any + Send)) -> Failed {
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("(no message)");
        Failed(Arc::new(EngineError(
            format!("stage `{stage}` panicked: {message}").into(),
        )))
    }

    /// Equal errors give equal digests.
    pub(crate) fn digest(&self) -> u64 {
        let hash = blake3::hash(self.0.to_string().as_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"))
    }
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
