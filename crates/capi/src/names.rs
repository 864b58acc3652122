//! Numbers for things: never reused, and checked at each use.
//!
//! What lives in a session (types, tables, views, shards, instances) carries the session's number
//! in its upper half; what is released by C (sessions, edits, handles, held worlds) is kept in
//! one map.

use crate::status::Error;
use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// One compiler with its definitions, worlds and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Session {
    /// Its number.
    pub id: u64,
}

/// Changes that are committed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Edit {
    /// Its number.
    pub id: u64,
}

/// Code that the host calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Handle {
    /// Its number.
    pub id: u64,
}

/// A world that stays callable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HeldWorld {
    /// Its number.
    pub id: u64,
}

/// A running stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Context {
    /// Its number.
    pub id: u64,
}

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Type {
    /// Its number.
    pub id: u64,
}

/// A table of methods; 0 is the base table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Table {
    /// Its number.
    pub id: u64,
}

/// A stack of tables; 0 is the base table alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct View {
    /// Its number.
    pub id: u64,
}

/// What code is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Shard {
    /// Its number.
    pub id: u64,
}

/// A method on concrete argument types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instance {
    /// Its number.
    pub id: u64,
}

macro_rules! names {
    ($($name:ident)*) => {$(
        impl Name for $name {
            const WHAT: &'static str = stringify!($name);
            fn from_id(id: u64) -> Self {
                $name { id }
            }
            fn id(self) -> u64 {
                self.id
            }
        }
    )*};
}

names! { Session Edit Handle HeldWorld Context Type Table View Shard Instance }

/// A number for a thing of one kind.
pub(crate) trait Name: Copy {
    /// The kind, for messages.
    const WHAT: &'static str;
    fn from_id(id: u64) -> Self;
    fn id(self) -> u64;
}

type Thing = Arc<dyn Any + Send + Sync>;
static THINGS: LazyLock<RwLock<HashMap<u64, Thing>>> = LazyLock::new(RwLock::default);
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A number that nothing has.
pub(crate) fn fresh() -> u64 {
    u64::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Keeps a thing until it is released.
pub(crate) fn keep<N: Name, T: Any + Send + Sync>(id: u64, thing: T) -> N {
    let mut things = THINGS.write().unwrap_or_else(PoisonError::into_inner);
    things.insert(id, Arc::new(thing));
    N::from_id(id)
}

/// The thing with this number.
pub(crate) fn find<T: Any + Send + Sync>(name: impl Name) -> Result<Arc<T>, Error> {
    let things = THINGS.read().unwrap_or_else(PoisonError::into_inner);
    let thing = things.get(&name.id()).cloned();
    thing
        .and_then(|thing| thing.downcast().ok())
        .ok_or_else(|| missing(name))
}

/// Forgets a thing of this type.
pub(crate) fn release<T: Any + Send + Sync>(name: impl Name) -> Result<(), Error> {
    let mut things = THINGS.write().unwrap_or_else(PoisonError::into_inner);
    match things.get(&name.id()) {
        Some(thing) if thing.is::<T>() => {
            let thing = things.remove(&name.id());
            // What it drops may release other things, or run C.
            drop(things);
            drop(thing);
            Ok(())
        }
        _ => Err(missing(name)),
    }
}

fn missing<N: Name>(name: N) -> Error {
    let what = N::WHAT.to_lowercase();
    Error::invalid(format!(
        "{what} {}: it was released or never was",
        name.id()
    ))
}

/// The things of one kind in a session, counted.
pub(crate) struct Count {
    session: u64,
    known: AtomicU32,
}

impl Count {
    /// `known` are there from the start.
    pub(crate) fn new(session: u64, known: u32) -> Count {
        let known = AtomicU32::new(known);
        Count { session, known }
    }

    /// The name of the thing with this index, from here on known.
    pub(crate) fn name<N: Name>(&self, index: u32) -> N {
        self.known.fetch_max(index + 1, Ordering::AcqRel);
        N::from_id(self.session << 32 | u64::from(index))
    }

    /// The index behind a name.
    pub(crate) fn index<N: Name>(&self, name: N) -> Result<u32, Error> {
        let what = N::WHAT.to_lowercase();
        let (session, index) = (name.id() >> 32, name.id() as u32);
        let known = self.known.load(Ordering::Acquire);
        // 0 is the first of those that every session has.
        let session = if name.id() == 0 {
            self.session
        } else {
            session
        };
        match index {
            index if session == self.session && index < known => Ok(index),
            _ if session == self.session => {
                Err(Error::invalid(format!("{what} {index} does not exist")))
            }
            _ => Err(Error::invalid(format!(
                "{what} {index} is of session {session}, this is session {}",
                self.session
            ))),
        }
    }
}
