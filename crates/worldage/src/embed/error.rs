//! What can be wrong between an embedder and a session, as values.

use std::sync::Arc;
use worldage_dispatch::{TypeError, World};
use worldage_engine::{DemandError, EditError, Failed, Stage, StageFailed, Unresolved};

/// Why a session refused something.
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
    pub fn refused(why: impl std::fmt::Display) -> Error {
        Error::Refused(why.to_string().into())
    }

    /// The stage that failed, and what it failed with.
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
    #[must_use]
    pub fn stage_error<E: worldage_engine::error::StageError>(&self) -> Option<&E> {
        self.stage()?.1.downcast_ref()
    }
}
