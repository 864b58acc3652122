//! The bodies that were lowered last.
//!
//! Inference asks for a method's untyped SSA once per run; most methods have one instance and run
//! once. So it is kept for as many methods as an edit is likely to run again, not for all.

use super::{Lowered, lower};
use crate::source::MethodSource;
use parking_lot::Mutex;
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use worldage_dispatch::Types;

/// How many bodies are kept: about a megabyte of them.
const KEPT: usize = 512;

/// Bodies that were lowered lately.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    slots: Vec<(Weak<MethodSource>, Arc<Lowered>)>,
    /// How many gave way.
    gone: u64,
}

impl Kept {
    /// Where the next body goes, once all places are taken: anywhere, for a program that is run
    /// through in the same order again and again would miss what gives way by age every time.
    fn any_place(&mut self) -> usize {
        self.gone += 1;
        (rustc_hash::FxBuildHasher.hash_one(self.gone) % KEPT as u64) as usize
    }
}

impl Recent {
    /// The untyped SSA of a method's body, the same for every instance.
    pub(crate) fn lowered(&self, types: &Types, method: &Arc<MethodSource>) -> Arc<Lowered> {
        let mut kept = self.0.lock();
        let place = method.lowered_at.load(Ordering::Relaxed);
        if let Some((of, lowered)) = kept.slots.get(place as usize)
            && Weak::as_ptr(of) == Arc::as_ptr(method)
        {
            return Arc::clone(lowered);
        }
        let lowered = Arc::new(lower(types, &method.def));
        let entry = (Arc::downgrade(method), Arc::clone(&lowered));
        let place = match kept.slots.len() {
            KEPT => kept.any_place(),
            free => free,
        };
        match kept.slots.get_mut(place) {
            Some(slot) => *slot = entry,
            None => kept.slots.push(entry),
        }
        method.lowered_at.store(place as u32, Ordering::Relaxed);
        lowered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::ItemKind;
    use crate::diag::Sources;
    use crate::syntax::parse_file;

    fn methods(count: usize) -> Vec<Arc<MethodSource>> {
        let text: String = (0..count)
            .map(|n| format!("fn f{n}(x) {{ x + {n} }}\n"))
            .collect();
        let mut sources = Sources::new();
        let file = sources.add("f.wir", text);
        let parsed = parse_file(&sources, file);
        assert!(parsed.diagnostics.is_empty());
        let defs = parsed.file.items.into_iter().map(|item| match item.kind {
            ItemKind::Method(def) => Arc::new(MethodSource::new(def)),
            other => unreachable!("{other:?}"),
        });
        defs.collect()
    }

    #[test]
    fn what_gave_way_is_lowered_again_the_same() {
        let (types, recent) = (Types::new(), Recent::default());
        let methods = methods(KEPT + 10);
        let first: Vec<_> = methods.iter().map(|m| recent.lowered(&types, m)).collect();
        for (method, first) in methods.iter().zip(&first).rev() {
            let again = recent.lowered(&types, method);
            assert_eq!(format!("{again:?}"), format!("{first:?}"));
        }
        assert_eq!(recent.0.lock().slots.len(), KEPT);
        let once = recent.lowered(&types, &methods[20]);
        assert!(Arc::ptr_eq(&recent.lowered(&types, &methods[20]), &once));
    }

    #[test]
    fn places_of_another_compiler_mean_nothing() {
        let types = Types::new();
        let methods = methods(2);
        let (one, two) = (Recent::default(), Recent::default());
        one.lowered(&types, &methods[0]);
        let right = one.lowered(&types, &methods[1]);
        two.lowered(&types, &methods[1]);
        two.lowered(&types, &methods[0]);
        assert_eq!(
            format!("{:?}", two.lowered(&types, &methods[1])),
            format!("{right:?}")
        );
    }
}
