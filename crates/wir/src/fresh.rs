//! The bodies that inference made last, for codegen that follows at once: it need not unpack them.

use crate::inferred::Inferred;
use crate::ir::Body;
use parking_lot::Mutex;

/// How many bodies wait for codegen.
const KEPT: usize = 64;

/// The newest bodies, the oldest of which gives way.
#[derive(Default)]
pub(crate) struct Fresh(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    bodies: Vec<(u64, Option<Body>)>,
    next: usize,
}

impl Fresh {
    /// Keeps the body that a result was packed from.
    pub(crate) fn keep(&self, inferred: &Inferred, body: Body) {
        let mut ring = self.0.lock();
        let (entry, place) = ((inferred.number(), Some(body)), ring.next);
        match ring.bodies.get_mut(place) {
            Some(old) => *old = entry,
            None => ring.bodies.push(entry),
        }
        ring.next = (place + 1) % KEPT;
    }

    /// Gives the body away, if it is still there.
    pub(crate) fn take(&self, inferred: &Inferred) -> Option<Body> {
        let number = inferred.number();
        let mut ring = self.0.lock();
        let found = ring.bodies.iter_mut().find(|(of, _)| *of == number);
        let body = found.and_then(|(_, body)| body.take());
        debug_assert!(
            body.as_ref().is_none_or(|body| *body == inferred.body()),
            "packing changed a body"
        );
        body
    }
}
