//! Where the nodes of methods stand in texts, by world, and which texts are still needed.
//!
//! Invariant: a text stays while a method that a callable world sees stands in it, and for a
//! while after it was refused, so that what is wrong with it can be shown.

use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use worldage_dispatch::{MethodId, World, WorldRange};
use worldage_wir::ast::Span;
use worldage_wir::diag::{FileId, Place, Sources};
use worldage_wir::error::Site;

/// How many texts without a method are kept for their diagnostics.
const UNUSED_TEXTS: usize = 64;

struct Version {
    worlds: WorldRange,
    file: FileId,
    spans: Arc<[Span]>,
}

/// The texts of a session and what stands where in them.
#[derive(Default)]
pub(crate) struct Places {
    pub(crate) sources: Sources,
    /// By method, ascending worlds.
    of: FxHashMap<MethodId, Vec<Version>>,
    /// Versions that stand in each text.
    uses: FxHashMap<FileId, usize>,
    unused: VecDeque<FileId>,
    /// Methods with a version that was superseded, by the last world that sees it.
    retired: VecDeque<(World, MethodId)>,
}

impl Places {
    /// Adds a text.
    pub(crate) fn add_text(&mut self, name: String, bytes: Vec<u8>) -> FileId {
        let file = self.sources.add_bytes(name, bytes);
        self.unused.push_back(file);
        file
    }

    /// Lets go of texts of earlier edits that no method needs, but for the last ones.
    pub(crate) fn trim(&mut self) {
        while self.unused.len() > UNUSED_TEXTS {
            let oldest = self.unused.pop_front().expect("there are some");
            if !self.uses.contains_key(&oldest) {
                self.sources.remove(oldest);
            }
        }
    }

    /// Says where a method stands from a world on.
    pub(crate) fn set(&mut self, method: MethodId, first: World, file: FileId, spans: Arc<[Span]>) {
        self.end(method, first);
        *self.uses.entry(file).or_insert(0) += 1;
        self.of.entry(method).or_default().push(Version {
            worlds: WorldRange {
                first,
                last: World::MAX,
            },
            file,
            spans,
        });
    }

    /// Says that a method does not stand anywhere any more, from a world on.
    pub(crate) fn end(&mut self, method: MethodId, from: World) {
        if let Some(last) = self.of.get_mut(&method).and_then(|all| all.last_mut())
            && last.worlds.last == World::MAX
        {
            last.worlds.last = World(from.0.saturating_sub(1));
            self.retired.push_back((last.worlds.last, method));
        }
    }

    /// Where a node of a method stood in a world.
    pub(crate) fn at(&self, site: Site, world: World) -> Option<Place> {
        let versions = self.of.get(&site.method)?;
        let then = versions
            .iter()
            .rfind(|version| version.worlds.contains(world));
        // What a call in the newest world raised to is newer than the world of the call.
        let version = then.or(versions.last())?;
        Some(Place {
            file: version.file,
            span: *version.spans.get(site.node.0 as usize)?,
        })
    }

    /// Lets go of what no world from `oldest` on sees.
    pub(crate) fn expire(&mut self, oldest: World) {
        while let Some((last, method)) = self.retired.front().copied()
            && last < oldest
        {
            self.retired.pop_front();
            let Some(versions) = self.of.get_mut(&method) else {
                continue;
            };
            for gone in versions.extract_if(.., |version| version.worlds.last < oldest) {
                let uses = self.uses.get_mut(&gone.file).expect("its text is in use");
                *uses -= 1;
                if *uses == 0 {
                    self.uses.remove(&gone.file);
                    // One that is also waiting among the unused goes when its turn comes.
                    if !self.unused.contains(&gone.file) {
                        self.sources.remove(gone.file);
                    }
                }
            }
            if versions.is_empty() {
                self.of.remove(&method);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use worldage_wir::ast::NodeId;

    #[test]
    fn texts_live_as_long_as_a_callable_world_sees_them() {
        let mut places = Places::default();
        let method = MethodId(7);
        let site = Site {
            method,
            node: NodeId(0),
        };
        for world in 1..=1000 {
            places.trim();
            let file = places.add_text(format!("text {world}"), b"fn f() {}".to_vec());
            let spans = Arc::from([Span { lo: 0, hi: 9 }]);
            places.set(method, World(world), file, spans);
            places.expire(World(world.saturating_sub(9).max(1)));
            let oldest = world.saturating_sub(9).max(1);
            for callable in oldest..=world {
                let place = places.at(site, World(callable)).expect("a callable world");
                let name = places.sources.name(place.file);
                assert_eq!(name, format!("text {callable}"));
            }
        }
        assert!(places.sources.len() <= 10 + UNUSED_TEXTS + 1);
    }
}
