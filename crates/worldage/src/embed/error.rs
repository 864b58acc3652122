//! What can be wrong between an embedder and a session, as values.

use std::sync::Arc;
use worldage_dispatch::{TypeError, World};
use worldage_engine::{DemandError, EditError, Failed, Stage, StageFailed, Unresolved};

/// Why a session refused something.
///
/// ```
/// # use worldage::embed::{example::{Sum, Sums}, *};
/// # let session = Session::new(Sums);
/// # session.edit(|e| {
/// #     e.define("one", &[], Sum::Number(1))?;
/// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
/// # })?;
/// let error = session.call("three", &[], |x| **x).unwrap_err();
/// assert_eq!(error.to_string(), "no-matching-method: three() in world 1");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No method takes the call, or several do.
    #[error("{error} in world {world}")]
    Unresolved {
        /// Which.
        error: Unresolved,
        /// The world that was asked.
        world: World,
    },
    /// A stage failed, or the world is not callable, or a stage asked a session.
    #[error(transparent)]
    Demand(#[from] DemandError),
    /// An edit was refused.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A type, or a signature, cannot be built.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// A type that nobody declared.
    #[error("unknown-type: `{0}`: declare it with `Session::concrete_type` or `abstract_type`")]
    UnknownType(Arc<str>),
    /// A type that is declared already.
    #[error("duplicate-type: `{0}` is declared already: take another name")]
    DuplicateType(Arc<str>),
    /// A table that nobody made.
    #[error("unknown-table: `{0}`: make it with `Session::table`")]
    UnknownTable(Arc<str>),
    /// A handle that another session gave.
    #[error("foreign-handle: the handle on {0} belongs to another session: ask this one for it")]
    ForeignHandle(Arc<str>),
    /// A refusal of the embedder's own, from inside of an edit.
    #[error("{0}")]
    Refused(Arc<str>),
}

impl Error {
    /// A refusal in the embedder's own words, to leave an edit with.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// let refused = session.edit(|_| Err(Error::refused("line 3 is no definition")));
    /// assert_eq!(refused.unwrap_err().to_string(), "line 3 is no definition");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn refused(why: impl std::fmt::Display) -> Error {
        Error::Refused(why.to_string().into())
    }

    /// The stage that failed, and what it failed with.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.edit(|edit| edit.define("loop", &[], Sum::Of(vec!["loop"])))?;
    /// let error = session.call("loop", &[], |x| **x).unwrap_err();
    /// let (stage, why) = error.stage().unwrap();
    /// assert_eq!((stage, why.to_string().as_str()), (Stage::Infer, "a sum of itself"));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn stage(&self) -> Option<(Stage, &Failed)> {
        match self {
            Error::Demand(DemandError::Stage(StageFailed { stage, error, .. })) => {
                Some((*stage, error))
            }
            _ => None,
        }
    }

    /// What a stage failed with, if it is of this type: the embedder's own, a
    /// [`worldage_engine::StageFault`], an [`Unresolved`] call.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.edit(|edit| edit.delete("one", &[]))?;
    /// let error = session.call("two", &[], |x| **x).unwrap_err();
    /// assert!(matches!(error.stage_error(), Some(Unresolved::NoMethod { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn stage_error<E: worldage_engine::error::StageError>(&self) -> Option<&E> {
        self.stage()?.1.downcast_ref()
    }
}
