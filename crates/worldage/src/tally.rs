//! What the store was good for in a session, for its account over time.

use rustc_hash::FxHashMap;
use worldage_engine::events::Origin;
use worldage_engine::{Mi, ShardId, Stage, StageEvent};
use worldage_store::usage::Usage;

/// Instances of a session that get a row of their own, those that took longest: to write one for
/// each would take as long as to compile some.
const ROWS: usize = 256;

/// Codegen of the session, by instance and shard.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: FxHashMap<(Mi, ShardId), Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    hits: u64,
    misses: u64,
    read_ns: u64,
    made_ns: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, events: &[StageEvent]) {
        let codegen = events.iter().filter(|event| event.stage == Stage::Codegen);
        self.counts.reserve(codegen.clone().count());
        for event in codegen {
            let Some(shard) = event.shard else { continue };
            let count = self.counts.entry((event.mi, shard)).or_default();
            match event.origin {
                Origin::Stored => {
                    count.hits += 1;
                    count.read_ns += event.ns;
                }
                Origin::Ran => {
                    count.misses += 1;
                    count.made_ns += event.ns;
                }
            }
        }
    }

    /// The rows to be added to the account, with these names.
    pub(crate) fn usage(
        &mut self,
        instance: impl Fn(Mi) -> String,
        shard: impl Fn(ShardId) -> String,
    ) -> Vec<Usage> {
        let mut all: Vec<((Mi, ShardId), Count)> = self.counts.drain().collect();
        let longest = |count: &Count| std::cmp::Reverse((count.made_ns, count.read_ns));
        all.sort_unstable_by_key(|(of, count)| (longest(count), of.0.0, of.1.0));
        let rest = all.split_off(all.len().min(ROWS));
        let mut others: Vec<(ShardId, Count)> = Vec::new();
        for ((_, shard), count) in rest {
            match others.iter_mut().find(|(of, _)| *of == shard) {
                Some((_, sum)) => sum.add(count),
                None => others.push((shard, count)),
            }
        }
        let named = all
            .into_iter()
            .map(|((mi, of), count)| count.row(instance(mi), shard(of)));
        let others = others
            .into_iter()
            .map(|(of, count)| count.row(String::new(), shard(of)));
        named.chain(others).collect()
    }
}

impl Count {
    fn add(&mut self, other: Count) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.read_ns += other.read_ns;
        self.made_ns += other.made_ns;
    }

    fn row(self, instance: String, shard: String) -> Usage {
        Usage {
            instance,
            shard,
            hits: self.hits,
            misses: self.misses,
            read_ns: self.read_ns,
            made_ns: self.made_ns,
            read_bytes: 0,
        }
    }
}
