//! Methods that the host runs: a Rust closure in place of a body.
//!
//! The method is declared in Wir (`hypot(a: Float64, b: Float64) -> Float64`), so dispatch, edits
//! and invalidation treat it like any other. What callers know of it is the declared result;
//! compiled code finds the closure through the instance when it gets there. So no result of a
//! stage depends on what the closure does: all of them may be stored, under the declaration.

use crate::diag::Code;
use crate::error::RunError;
use crate::value::Value;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// An error that a host function returns: a sentence for the caller.
///
/// ```
/// use worldage_wir::host::HostError;
///
/// fn parse(text: &str) -> Result<i64, HostError> {
///     Ok(text.parse::<i64>()?)
/// }
/// assert_eq!(parse("x").unwrap_err().message(), "invalid digit found in string");
/// assert_eq!(HostError::new("no such file").message(), "no such file");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError(Arc<str>);

impl HostError {
    /// With a sentence.
    #[must_use]
    pub fn new(message: impl fmt::Display) -> HostError {
        HostError(message.to_string().into())
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Like `anyhow`'s, this is no `Error` itself, so that `?` takes every one.
impl<E: std::error::Error> From<E> for HostError {
    fn from(error: E) -> HostError {
        HostError::new(error)
    }
}

/// What stands for the body of a method that the host runs.
pub struct HostBody(Run);

type Run = Box<dyn Fn(&[Value]) -> Result<Value, HostError> + Send + Sync>;

impl HostBody {
    /// A closure over the arguments, one by one; those that a trailing `Vararg` takes too.
    pub fn new(
        run: impl Fn(&[Value]) -> Result<Value, HostError> + Send + Sync + 'static,
    ) -> HostBody {
        HostBody(Box::new(run))
    }

    /// Runs it. A panic ends here.
    ///
    /// # Errors
    /// What it returned, or that it panicked.
    pub fn run(&self, args: &[Value]) -> Result<Value, HostFault> {
        match catch_unwind(AssertUnwindSafe(|| (self.0)(args))) {
            Ok(result) => result.map_err(|error| HostFault::Failed(error.0)),
            Err(payload) => {
                let text = payload.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
                Err(HostFault::Panicked(text.unwrap_or("no message").into()))
            }
        }
    }
}

impl fmt::Debug for HostBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostBody")
    }
}

/// Why a host function gave no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// It returned an error.
    Failed(Arc<str>),
    /// It panicked.
    Panicked(Arc<str>),
}

impl HostFault {
    /// As an error of the call of an instance, `f(Int64)`.
    #[must_use]
    pub fn error(&self, instance: String) -> RunError {
        let message = match self {
            HostFault::Failed(message) => format!("the host function failed: {message}"),
            HostFault::Panicked(message) => format!("the host function panicked: {message}"),
        };
        RunError::new(Code::HostError, message).subject(instance)
    }
}
