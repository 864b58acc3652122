//! Ties: the canonical form of a graph that refinement alone does not order.
//!
//! The form of an order of the nodes is its list of edges; the canonical form is the smallest one
//! that individualisation and refinement reach. Two equal forms are an automorphism: what it maps
//! to something tried already need not be tried.

use crate::partition::{Adjacency, Partition};

/// An order of the nodes, and the edges by places in it.
pub(crate) struct Form {
    pub(crate) order: Vec<u32>,
    pub(crate) words: Vec<u32>,
}

struct Search<'g> {
    graph: &'g Adjacency,
    /// Automorphisms, as images of the nodes, in the order in which they were found.
    found: Vec<Vec<u32>>,
    work: u64,
    limit: u64,
}

/// The canonical form; `None` if the limit is reached.
pub(crate) fn canonical(graph: &Adjacency, partition: Partition, limit: u64) -> Option<Form> {
    let mut search = Search {
        graph,
        found: Vec::new(),
        work: 0,
        limit,
    };
    search.smallest(partition, None)
}

impl Search<'_> {
    /// The smallest form below a partition. A form that equals `known` ends the search: then the
    /// partition is the image of one that was searched, and its own smallest form is the same.
    fn smallest(&mut self, mut partition: Partition, known: Option<&Form>) -> Option<Form> {
        let Some(cell) = self.untie(&mut partition) else {
            let form = self.form(partition);
            return (self.work <= self.limit).then_some(form);
        };
        let first_found = self.found.len();
        let mut tried: Vec<u32> = Vec::new();
        let mut first: Option<Form> = None;
        let mut best: Option<Form> = None;
        for node in partition.cell(cell).to_vec() {
            if self.is_image(node, &tried, first_found) {
                continue;
            }
            tried.push(node);
            let mut child = partition.clone();
            self.work += child.order.len() as u64;
            child.work = 0;
            child.individualize(node);
            child.refine(self.graph);
            self.work += child.work;
            if self.work > self.limit {
                return None;
            }
            let form = self.smallest(child, known.or(first.as_ref()))?;
            if known.is_some_and(|known| known.words == form.words) {
                return Some(form);
            }
            match &first {
                Some(first) if first.words == form.words => {
                    self.automorphism(&first.order, &form.order);
                }
                _ => {}
            }
            if best.as_ref().is_none_or(|best| form.words < best.words) {
                best = Some(Form {
                    order: form.order.clone(),
                    words: form.words.clone(),
                });
            }
            first.get_or_insert(form);
        }
        best
    }

    /// Orders cells of twins, which see exactly the same nodes and can be exchanged freely; gives
    /// the first cell that is ambiguous otherwise.
    fn untie(&mut self, partition: &mut Partition) -> Option<u32> {
        while let Some(cell) = partition.ambiguous() {
            let nodes = partition.cell(cell).to_vec();
            let links = self.graph.links(nodes[0]);
            self.work += (nodes.len() * (1 + links.len())) as u64;
            if nodes.iter().any(|node| self.graph.links(*node) != links) {
                return Some(cell);
            }
            for node in &nodes[1..] {
                partition.individualize(*node);
                partition.refine(self.graph);
            }
        }
        None
    }

    /// Whether an automorphism below this partition maps a node that was tried to this one.
    fn is_image(&self, node: u32, tried: &[u32], first_found: usize) -> bool {
        let found = &self.found[first_found..];
        if found.is_empty() || tried.is_empty() {
            return false;
        }
        let mut orbit = vec![node];
        let mut at = 0;
        while let Some(&member) = orbit.get(at) {
            if tried.contains(&member) {
                return true;
            }
            for image in found.iter().map(|images| images[member as usize]) {
                if !orbit.contains(&image) {
                    orbit.push(image);
                }
            }
            at += 1;
        }
        false
    }

    fn automorphism(&mut self, from: &[u32], to: &[u32]) {
        let mut images = vec![0; from.len()];
        for (from, to) in from.iter().zip(to) {
            images[*from as usize] = *to;
        }
        self.found.push(images);
    }

    fn form(&mut self, partition: Partition) -> Form {
        let mut words = Vec::new();
        for node in &partition.order {
            let start = words.len();
            let links = self.graph.links(*node).iter();
            words.extend(links.flat_map(|(next, how)| [partition.place(*next), *how]));
            let mut pairs: Vec<[u32; 2]> = words[start..]
                .chunks_exact(2)
                .map(|pair| [pair[0], pair[1]])
                .collect();
            pairs.sort_unstable();
            words.truncate(start);
            words.push(pairs.len() as u32);
            words.extend(pairs.into_iter().flatten());
        }
        self.work += words.len() as u64;
        let order = partition.order;
        Form { order, words }
    }
}
