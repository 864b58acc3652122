//! The generated call graph: who calls whom, and the way from the root to an instance.
//!
//! Invariant: instance 0 is the root and reaches every instance; everything here follows from
//! shape, size and seed alone.

use std::collections::VecDeque;

/// How the instances call one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// A binary tree: instance i calls 2i+1 and 2i+2.
    Tree,
    /// Instance i calls i+1.
    Chain,
    /// A chain whose last instance calls the root.
    Ring,
    /// A ring with two random chords per instance: one component.
    Random,
}

impl Shape {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Shape::Tree => "tree",
            Shape::Chain => "chain",
            Shape::Ring => "ring",
            Shape::Random => "random",
        }
    }
}

/// A small generator of random numbers (splitmix64): the same on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// For one purpose; different salts give unrelated series.
    pub(crate) fn new(seed: u64, salt: u64) -> Random {
        Random(seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A call graph, in both directions.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) shape: Shape,
    callees: Vec<Vec<u32>>,
    callers: Vec<Vec<u32>>,
}

impl Graph {
    /// A graph of `n` instances, at least two.
    pub(crate) fn new(shape: Shape, n: usize, seed: u64) -> Graph {
        let count = u32::try_from(n.max(2)).expect("fewer than 2^32 instances");
        let mut random = Random::new(seed, 1);
        let callees = (0..count).map(|i| match shape {
            Shape::Tree => [2 * i + 1, 2 * i + 2]
                .into_iter()
                .filter(|child| *child < count)
                .collect(),
            Shape::Chain => (i + 1..count).take(1).collect(),
            Shape::Ring => vec![(i + 1) % count],
            Shape::Random => {
                let mut callees = vec![(i + 1) % count];
                while callees.len() < 3.min(n - 1) {
                    let chord = random.below(u64::from(count)) as u32;
                    if chord != i && !callees.contains(&chord) {
                        callees.push(chord);
                    }
                }
                callees
            }
        });
        Graph::from_callees(shape, callees.collect())
    }

    /// A graph written out by hand.
    pub(crate) fn from_callees(shape: Shape, callees: Vec<Vec<u32>>) -> Graph {
        let mut callers = vec![Vec::new(); callees.len()];
        for (caller, callees) in callees.iter().enumerate() {
            for callee in callees {
                callers[*callee as usize].push(caller as u32);
            }
        }
        Graph {
            shape,
            callees,
            callers,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.callees.len()
    }

    pub(crate) fn callees(&self, i: u32) -> &[u32] {
        &self.callees[i as usize]
    }

    pub(crate) fn callers(&self, i: u32) -> &[u32] {
        &self.callers[i as usize]
    }

    /// The choice of callee at every instance on the shortest way from the root to each target.
    pub(crate) fn ways(&self, targets: &[u32]) -> Vec<Vec<u8>> {
        let mut from: Vec<Option<(u32, u8)>> = vec![None; self.len()];
        let mut work = VecDeque::from([0u32]);
        while let Some(caller) = work.pop_front() {
            for (choice, callee) in self.callees(caller).iter().enumerate() {
                if *callee != 0 && from[*callee as usize].is_none() {
                    from[*callee as usize] = Some((caller, choice as u8));
                    work.push_back(*callee);
                }
            }
        }
        let way = |target: &u32| {
            let mut way = Vec::new();
            let mut at = *target;
            while let Some((caller, choice)) = from[at as usize] {
                way.push(choice);
                at = caller;
            }
            way.reverse();
            way
        };
        targets.iter().map(way).collect()
    }

    /// Instances that an edit may aim at: leaves of a tree, the end of a chain, what a call
    /// reaches in few steps elsewhere.
    pub(crate) fn targets(&self, most: usize, seed: u64) -> Vec<u32> {
        let n = self.len() as u64;
        let mut random = Random::new(seed, 2);
        let mut pick: Box<dyn FnMut() -> u64> = match self.shape {
            Shape::Chain => return vec![(n - 1) as u32],
            Shape::Tree => Box::new(move || n / 2 + random.below(n - n / 2)),
            Shape::Ring => Box::new(move || 1 + random.below((n - 1).min(63))),
            Shape::Random => Box::new(move || 1 + random.below(n - 1)),
        };
        let mut targets: Vec<u32> = Vec::new();
        for _ in 0..most * 4 {
            let target = pick() as u32;
            if targets.len() < most && !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_reaches_every_instance_on_few_steps() {
        for (shape, longest) in [
            (Shape::Tree, 7),
            (Shape::Chain, 199),
            (Shape::Ring, 199),
            (Shape::Random, 12),
        ] {
            let graph = Graph::new(shape, 200, 7);
            let all: Vec<u32> = (0..200).collect();
            for (target, way) in all.iter().zip(graph.ways(&all)) {
                let end = way
                    .iter()
                    .fold(0, |at, choice| graph.callees(at)[usize::from(*choice)]);
                assert_eq!(end, *target);
                assert!(way.len() <= longest, "{shape:?} {target}: {}", way.len());
            }
        }
    }
}
