//! Colour refinement: an ordered partition of the nodes, split until nodes of one cell see the
//! same of every cell.
//!
//! Invariant: which cells there are, and their order, depends on the graph up to isomorphism and
//! on what was individualised; the order of nodes within a cell means nothing.

use crate::Fingerprint;
use std::collections::{BTreeMap, BTreeSet};

/// A node's neighbour: the node, and how it is reached (label and direction).
pub(crate) type Link = (u32, u32);

/// The links of every node, in one array.
pub(crate) struct Adjacency {
    starts: Vec<u32>,
    links: Vec<Link>,
}

impl Adjacency {
    pub(crate) fn new(
        nodes: usize,
        edges: impl Iterator<Item = (u32, u32, u32)>,
        directed: bool,
    ) -> Adjacency {
        let mut of_nodes = vec![Vec::new(); nodes];
        for (from, to, label) in edges {
            of_nodes[from as usize].push((to, label * 2));
            of_nodes[to as usize].push((from, label * 2 + u32::from(directed)));
        }
        let (mut starts, mut links) = (vec![0], Vec::new());
        for mut of_node in of_nodes {
            of_node.sort_unstable();
            links.extend(of_node);
            starts.push(links.len() as u32);
        }
        Adjacency { starts, links }
    }

    pub(crate) fn links(&self, node: u32) -> &[Link] {
        let node = node as usize;
        &self.links[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

/// Nodes in order, cell by cell. A cell is named by where it starts.
#[derive(Clone)]
pub(crate) struct Partition {
    pub(crate) order: Vec<u32>,
    place: Vec<u32>,
    cell_of: Vec<u32>,
    /// The length of the cell that starts there; 0 where none does.
    lengths: Vec<u32>,
    queue: BTreeSet<u32>,
    /// Nodes and edges that were looked at.
    pub(crate) work: u64,
}

impl Partition {
    /// Cells of nodes with equal labels, in the order of the labels.
    pub(crate) fn new(labels: &[Fingerprint]) -> Partition {
        let count = labels.len();
        let mut order: Vec<u32> = (0..count as u32).collect();
        order.sort_unstable_by_key(|node| labels[*node as usize]);
        let mut partition = Partition {
            place: vec![0; count],
            cell_of: vec![0; count],
            lengths: vec![0; count],
            queue: BTreeSet::new(),
            work: 0,
            order,
        };
        let mut start = 0;
        for at in 0..count {
            let node = partition.order[at] as usize;
            if labels[node] != labels[partition.order[start] as usize] {
                start = at;
            }
            partition.place[node] = at as u32;
            partition.cell_of[node] = start as u32;
            partition.lengths[start] += 1;
        }
        partition
    }

    /// The nodes of a cell.
    pub(crate) fn cell(&self, start: u32) -> &[u32] {
        let start = start as usize;
        &self.order[start..start + self.lengths[start] as usize]
    }

    /// The first of the smallest cells with more than one node.
    pub(crate) fn ambiguous(&self) -> Option<u32> {
        let mut best = None;
        let mut start = 0;
        while start < self.order.len() {
            let length = self.lengths[start];
            if length > 1 && best.is_none_or(|(shortest, _)| length < shortest) {
                best = Some((length, start as u32));
            }
            start += length as usize;
        }
        best.map(|(_, start)| start)
    }

    pub(crate) fn place(&self, node: u32) -> u32 {
        self.place[node as usize]
    }

    /// Refines by every cell.
    pub(crate) fn refine_all(&mut self, graph: &Adjacency) {
        let starts = (0..self.order.len() as u32).filter(|at| self.lengths[*at as usize] > 0);
        self.queue = starts.collect();
        self.refine(graph);
    }

    /// Puts a node before the others of its cell.
    pub(crate) fn individualize(&mut self, node: u32) {
        let start = self.cell_of[node as usize] as usize;
        let length = self.lengths[start];
        let (place, first) = (self.place[node as usize], self.order[start]);
        self.order.swap(start, place as usize);
        self.place[first as usize] = place;
        self.place[node as usize] = start as u32;
        self.lengths[start] = 1;
        self.lengths[start + 1] = length - 1;
        for at in start + 1..start + length as usize {
            self.cell_of[self.order[at] as usize] = start as u32 + 1;
        }
        self.queue.insert(start as u32);
    }

    /// Splits cells until none of the queue splits another.
    pub(crate) fn refine(&mut self, graph: &Adjacency) {
        while let Some(splitter) = self.queue.pop_first() {
            // How every node next to the splitter is linked to it.
            let mut seen: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            let cell = self.cell(splitter).to_vec();
            for node in cell {
                let links = graph.links(node);
                self.work += 1 + links.len() as u64;
                for (next, how) in links {
                    seen.entry(*next).or_default().push(*how);
                }
            }
            let mut cells: BTreeMap<u32, Vec<(Vec<u32>, u32)>> = BTreeMap::new();
            for (node, mut how) in seen {
                let cell = self.cell_of[node as usize];
                if self.lengths[cell as usize] > 1 {
                    how.sort_unstable();
                    cells.entry(cell).or_default().push((how, node));
                }
            }
            for (cell, mut members) in cells {
                members.sort_unstable();
                self.split(cell, &members);
            }
        }
    }

    /// Splits a cell by what its members see; members that are not named see nothing, and stay in
    /// front. O(members).
    fn split(&mut self, cell: u32, members: &[(Vec<u32>, u32)]) {
        let length = self.lengths[cell as usize];
        let untouched = length - members.len() as u32;
        let same = members.windows(2).all(|pair| pair[0].0 == pair[1].0);
        if untouched == 0 && same {
            return;
        }
        // The named members go to the end of the cell, the last one last.
        let end = cell + length;
        for (back, (_, node)) in members.iter().rev().enumerate() {
            let to = end - 1 - back as u32;
            let (from, other) = (self.place[*node as usize], self.order[to as usize]);
            self.order.swap(from as usize, to as usize);
            self.place[other as usize] = from;
            self.place[*node as usize] = to;
        }
        let mut parts = Vec::new();
        if untouched > 0 {
            parts.push((untouched, cell));
        }
        let mut at = cell + untouched;
        for group in members.chunk_by(|a, b| a.0 == b.0) {
            for (_, node) in group {
                self.cell_of[*node as usize] = at;
            }
            parts.push((group.len() as u32, at));
            at += group.len() as u32;
        }
        for (length, start) in &parts {
            self.lengths[*start as usize] = *length;
        }
        // Hopcroft: what the whole cell splits, all parts but one split too.
        let waits = self.queue.contains(&cell);
        let largest = parts
            .iter()
            .max_by_key(|(length, start)| (*length, u32::MAX - *start));
        let largest = largest.map(|(_, start)| *start);
        let starts = parts.iter().map(|(_, start)| *start);
        self.queue
            .extend(starts.filter(|start| waits || Some(*start) != largest));
    }
}
