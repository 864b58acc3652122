//! What callers see of a callee: the trait of summaries, and three that small compilers need not
//! write themselves.
//!
//! A compiler whose callers read nothing of a callee takes `()`; one whose callers read the whole
//! result of inference takes [`Whole`]; one whose callers read one value of it (a type, a
//! signature) takes [`Exposed`]; others name the parts that callers read apart, so that a change
//! of one does not run who read another.

use crate::compiler::{Part, PartDigest};
use crate::fingerprint::digest_of;
use std::hash::Hash;

/// The part of a result of inference (`I`) that callers may rely on.
pub trait Summarize<I>: PartialEq + Clone + Send + Sync + 'static {
    /// The parts that callers may read separately, at most four.
    const PARTS: &'static [PartDigest<Self>];

    /// The summary of a result. Law: a function of `inferred` alone.
    fn of(inferred: &I) -> Self;

    /// What a recursive call sees before anything is known: the least summary.
    fn bottom() -> Self;

    /// An upper bound of both, used when a recursive component does not settle in time. What is
    /// given here does not widen: such a component fails after a bounded number of rounds.
    fn widen(_old: &Self, new: &Self) -> Self {
        new.clone()
    }
}

/// Callers rely on nothing but that the callee is there.
impl<I> Summarize<I> for () {
    const PARTS: &'static [PartDigest<Self>] = &[];

    fn of(_: &I) -> Self {}

    fn bottom() -> Self {}
}

/// Callers see the whole result of inference; `None` is a recursive call of which nothing is
/// known yet.
///
/// ```
/// use worldage_engine::{Summarize, Whole};
/// assert_eq!(Whole::of(&42), Whole(Some(42)));
/// assert_eq!((Whole::VALUE.get)(&Whole(Some(42))), Some(42));
/// assert_eq!(<Whole<i64> as Summarize<i64>>::bottom(), Whole(None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Whole<T>(pub Option<T>);

impl<T: Hash + PartialEq + Clone + Send + Sync + 'static> Whole<T> {
    /// The one part: the value.
    pub const VALUE: Part<Whole<T>, Option<T>> = Part {
        index: 0,
        name: "value",
        get: |summary| summary.0.clone(),
    };
}

impl<T: Hash + PartialEq + Clone + Send + Sync + 'static> Summarize<T> for Whole<T> {
    const PARTS: &'static [PartDigest<Self>] = &[PartDigest {
        name: "value",
        digest: |summary| digest_of(&summary.0),
    }];

    fn of(inferred: &T) -> Self {
        Whole(Some(inferred.clone()))
    }

    fn bottom() -> Self {
        Whole(None)
    }
}

/// A result of inference of which callers see one value.
pub trait Expose: Send + Sync + 'static {
    /// What callers see.
    type Value: Hash + PartialEq + Clone + Send + Sync + 'static;

    /// The value. Law: a function of the result alone.
    fn expose(&self) -> Self::Value;
}

/// Callers see the value that a result of inference [exposes](Expose), and no change of the rest
/// concerns them; `None` is a recursive call of which nothing is known yet.
///
/// ```
/// use worldage_engine::{Expose, Exposed, Summarize};
/// struct Typed { body: &'static str, returns: u8 }
/// impl Expose for Typed {
///     type Value = u8;
///     fn expose(&self) -> u8 {
///         self.returns
///     }
/// }
/// let (old, new) = (Typed { body: "1", returns: 64 }, Typed { body: "2", returns: 64 });
/// assert_ne!(old.body, new.body);
/// assert!(Exposed::of(&old) == Exposed::of(&new));
/// assert_eq!((Exposed::VALUE.get)(&Exposed::of(&old)), Some(64));
/// assert_eq!(<Exposed<u8> as Summarize<Typed>>::bottom(), Exposed(None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exposed<V>(pub Option<V>);

impl<V: Hash + PartialEq + Clone + Send + Sync + 'static> Exposed<V> {
    /// The one part: the value.
    pub const VALUE: Part<Exposed<V>, Option<V>> = Part {
        index: 0,
        name: "value",
        get: |summary| summary.0.clone(),
    };
}

impl<I: Expose> Summarize<I> for Exposed<I::Value> {
    const PARTS: &'static [PartDigest<Self>] = &[PartDigest {
        name: "value",
        digest: |summary| digest_of(&summary.0),
    }];

    fn of(inferred: &I) -> Self {
        Exposed(Some(inferred.expose()))
    }

    fn bottom() -> Self {
        Exposed(None)
    }
}
