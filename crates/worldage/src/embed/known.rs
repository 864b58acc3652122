//! What handles mean in the world of one scope, found again without a look at what other threads
//! share.
//!
//! A handle keeps what it means in the newest world where every thread finds it; to take it from
//! there is to tell the other threads. A scope keeps what it took, so that asking again is a look
//! at the scope alone, and what it gives is borrowed from the scope.

use arc_swap::Guard;
use std::cell::OnceCell;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lists that the handles of a scope are found in, beside the first.
const LISTS: usize = 8;

/// The number of a handle, which no other handle of this process has or will have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct HandleId(u64);

impl HandleId {
    pub(super) fn fresh() -> HandleId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        HandleId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a handle means, taken from where all threads find it: never nothing.
pub(super) struct Found<T>(Guard<Option<Arc<T>>>);

impl<T> Found<T> {
    /// `None` if there is nothing.
    #[inline]
    pub(super) fn new(guard: Guard<Option<Arc<T>>>) -> Option<Found<T>> {
        guard.is_some().then_some(Found(guard))
    }

    pub(super) fn of(meaning: Arc<T>) -> Found<T> {
        Found(Guard::from_inner(Some(meaning)))
    }
}

impl<T> Deref for Found<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &*self.0 {
            Some(meaning) => meaning,
            None => unreachable!("it is not made of nothing"),
        }
    }
}

/// What was found in a scope. Law: all of it is of the scope's world.
pub(super) struct Known<T> {
    /// The handle that was asked first: most scopes ask no other.
    first: OnceCell<(HandleId, Found<T>)>,
    others: OnceCell<Box<[List<T>; LISTS]>>,
}

type List<T> = OnceCell<Box<Other<T>>>;

struct Other<T> {
    handle: HandleId,
    found: Found<T>,
    next: List<T>,
}

impl<T> Known<T> {
    #[inline]
    pub(super) fn new() -> Known<T> {
        Known {
            first: OnceCell::new(),
            others: OnceCell::new(),
        }
    }

    /// What a handle means, if it was kept.
    #[inline]
    pub(super) fn get(&self, handle: HandleId) -> Option<&T> {
        match self.first.get()? {
            (of, found) if *of == handle => Some(found),
            _ => self.get_other(handle),
        }
    }

    fn get_other(&self, handle: HandleId) -> Option<&T> {
        let mut list = &self.others.get()?[list_of(handle)];
        loop {
            let other = list.get()?;
            if other.handle == handle {
                return Some(&other.found);
            }
            list = &other.next;
        }
    }

    /// Keeps what a handle means until the scope ends. It is not kept yet.
    pub(super) fn keep(&self, handle: HandleId, found: Found<T>) -> &T {
        match self.first.get() {
            None => &self.first.get_or_init(|| (handle, found)).1,
            Some(_) => self.keep_other(handle, found),
        }
    }

    #[cold]
    fn keep_other(&self, handle: HandleId, found: Found<T>) -> &T {
        let lists = || Box::new(std::array::from_fn(|_| List::new()));
        let mut list = &self.others.get_or_init(lists)[list_of(handle)];
        while let Some(other) = list.get() {
            list = &other.next;
        }
        let next = List::new();
        let other = Other {
            handle,
            found,
            next,
        };
        &list.get_or_init(|| Box::new(other)).found
    }
}

/// Handles that were made one after the other are in different lists.
#[inline]
fn list_of(handle: HandleId) -> usize {
    handle.0 as usize % LISTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handle_is_found() {
        let known = Known::new();
        let handles: Vec<HandleId> = (0..3 * LISTS as u64).map(HandleId).collect();
        for handle in &handles {
            assert!(known.get(*handle).is_none());
            let found = Found::of(Arc::new(handle.0));
            assert_eq!(*known.keep(*handle, found), handle.0);
        }
        for handle in &handles {
            assert_eq!(known.get(*handle), Some(&handle.0));
        }
    }

    #[test]
    fn a_scope_keeps_meanings_until_it_ends() {
        let meaning = Arc::new(7);
        let known = Known::new();
        let handle = HandleId::fresh();
        known.keep(handle, Found::of(Arc::clone(&meaning)));
        assert_eq!(known.get(handle), Some(&7));
        assert_eq!(Arc::strong_count(&meaning), 2);
        drop(known);
        assert_eq!(Arc::strong_count(&meaning), 1);
    }
}
