//! Isomorphic graphs have one digest, others have others, and what is too symmetric is refused.

use petgraph::graph::{DiGraph, NodeIndex, UnGraph};
use proptest::prelude::*;
use worldage_fingerprint::{
    Fingerprint, TooSymmetric, fingerprint, fingerprint_within, fingerprints,
};

fn label(number: &u8) -> Fingerprint {
    *blake3::hash(&[*number]).as_bytes()
}

fn digest(graph: &UnGraph<u8, u8>) -> Fingerprint {
    fingerprint(graph, label, label).expect("it is small")
}

fn undirected(nodes: u32, edges: impl IntoIterator<Item = (u32, u32)>) -> UnGraph<u8, u8> {
    let mut graph = UnGraph::default();
    for _ in 0..nodes {
        graph.add_node(0);
    }
    for (a, b) in edges {
        graph.add_edge(NodeIndex::new(a as usize), NodeIndex::new(b as usize), 0);
    }
    graph
}

/// The same graph with its nodes and edges in another order.
fn shuffled<Ty: petgraph::EdgeType>(
    graph: &petgraph::Graph<u8, u8, Ty>,
    order: &[usize],
) -> petgraph::Graph<u8, u8, Ty> {
    let mut other = petgraph::Graph::with_capacity(0, 0);
    let mut names = vec![NodeIndex::end(); order.len()];
    for old in order {
        names[*old] = other.add_node(graph[NodeIndex::new(*old)]);
    }
    for edge in graph.edge_indices().rev() {
        let (a, b) = graph.edge_endpoints(edge).expect("an edge");
        other.add_edge(names[a.index()], names[b.index()], graph[edge]);
    }
    other
}

fn directed() -> impl Strategy<Value = (DiGraph<u8, u8>, Vec<usize>)> {
    (1usize..24).prop_flat_map(|nodes| {
        let labels = proptest::collection::vec(0u8..3, nodes);
        let edges = proptest::collection::vec((0..nodes, 0..nodes, 0u8..2), 0..3 * nodes);
        let order = Just((0..nodes).collect::<Vec<_>>()).prop_shuffle();
        (labels, edges, order).prop_map(|(labels, edges, order)| {
            let mut graph = DiGraph::new();
            for label in labels {
                graph.add_node(label);
            }
            for (a, b, label) in edges {
                graph.add_edge(NodeIndex::new(a), NodeIndex::new(b), label);
            }
            (graph, order)
        })
    })
}

proptest! {
    #[test]
    fn isomorphic_graphs_are_equal((graph, order) in directed()) {
        let other = shuffled(&graph, &order);
        prop_assert_eq!(fingerprint(&graph, label, label), fingerprint(&other, label, label));
    }

    #[test]
    fn regular_graphs_are_equal_in_any_order(
        steps in proptest::collection::btree_set(1u32..9, 1..3),
        order in Just((0..18).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let edges = steps.iter().flat_map(|step| (0..18).map(move |a| (a, (a + step) % 18)));
        let graph = undirected(18, edges);
        prop_assert_eq!(digest(&graph), digest(&shuffled(&graph, &order)));
    }

    #[test]
    fn one_change_is_seen((graph, _) in directed(), at in any::<proptest::sample::Index>()) {
        let before = fingerprint(&graph, label, label);
        let mut labelled = graph.clone();
        let node = NodeIndex::new(at.index(graph.node_count()));
        labelled[node] += 3;
        prop_assert_ne!(&before, &fingerprint(&labelled, label, label));
        let mut linked = graph.clone();
        linked.add_edge(node, NodeIndex::new(0), 7);
        prop_assert_ne!(&before, &fingerprint(&linked, label, label));
    }
}

#[test]
fn graphs_that_refinement_cannot_tell_apart_are_told_apart() {
    // Two triangles and a hexagon; the prism and K3,3.
    let triangles = undirected(6, [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]);
    let hexagon = undirected(6, (0..6).map(|a| (a, (a + 1) % 6)));
    assert_ne!(digest(&triangles), digest(&hexagon));
    let rungs = [(0, 3), (1, 4), (2, 5)];
    let prism = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]
        .into_iter()
        .chain(rungs);
    let bipartite = (0..3).flat_map(|a| (3..6).map(move |b| (a, b)));
    assert_ne!(
        digest(&undirected(6, prism)),
        digest(&undirected(6, bipartite))
    );
}

/// Strongly regular graphs with the same parameters: 16 nodes, degree 6, 2 and 2.
fn rook_and_shrikhande() -> [UnGraph<u8, u8>; 2] {
    let pairs = || (0..16u32).flat_map(|a| (0..a).map(move |b| (a, b)));
    let rook = pairs().filter(|(a, b)| a / 4 == b / 4 || a % 4 == b % 4);
    let shrikhande = pairs().filter(|(a, b)| {
        let (dx, dy) = ((a / 4 + 4 - b / 4) % 4, (a % 4 + 4 - b % 4) % 4);
        matches!((dx, dy), (0, 1 | 3) | (1 | 3, 0) | (1, 1) | (3, 3))
    });
    [undirected(16, rook), undirected(16, shrikhande)]
}

#[test]
fn strongly_regular_graphs_are_told_apart() {
    let [rook, shrikhande] = rook_and_shrikhande();
    assert_ne!(digest(&rook), digest(&shrikhande));
    let order: Vec<usize> = (0..16).map(|a| a * 5 % 16).collect();
    assert_eq!(digest(&rook), digest(&shuffled(&rook, &order)));
    assert_eq!(digest(&shrikhande), digest(&shuffled(&shrikhande, &order)));
}

/// The graphs of Cai, Fürer and Immerman over the complete graph of four nodes.
fn cfi(twisted: bool) -> UnGraph<u8, u8> {
    let base: Vec<(u32, u32)> = (0..4).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let mut graph = undirected(2 * base.len() as u32, []);
    for vertex in 0..4 {
        let own = base
            .iter()
            .enumerate()
            .filter(|(_, (a, b))| *a == vertex || *b == vertex);
        let own: Vec<usize> = own.map(|(edge, _)| edge).collect();
        let parity = u32::from(twisted && vertex == 0);
        for set in (0..8u32).filter(|set| set.count_ones() % 2 == parity) {
            let node = graph.add_node(1);
            for (bit, edge) in own.iter().enumerate() {
                let side = (set >> bit & 1) as usize;
                graph.add_edge(node, NodeIndex::new(2 * edge + side), 0);
            }
        }
    }
    graph
}

#[test]
fn the_graphs_that_defeat_refinement_are_told_apart() {
    let (plain, twisted) = (cfi(false), cfi(true));
    assert_ne!(digest(&plain), digest(&twisted));
    let count = plain.node_count();
    let order: Vec<usize> = (0..count).map(|a| (a * 5 + 3) % count).collect();
    assert_eq!(digest(&plain), digest(&shuffled(&plain, &order)));
    assert_eq!(digest(&twisted), digest(&shuffled(&twisted, &order)));
}

#[test]
fn what_is_too_symmetric_is_refused() {
    let [rook, _] = rook_and_shrikhande();
    let refused = fingerprint_within(&rook, label, label, 200);
    assert_eq!(
        refused,
        Err(TooSymmetric {
            nodes: 16,
            limit: 200
        })
    );
}

#[test]
fn ten_thousand_equal_layers_are_no_symmetry_to_search() {
    // A star of twins, and a chain with labels.
    let star = undirected(10_001, (1..10_001).map(|leaf| (0, leaf)));
    let moved: Vec<usize> = (0..10_001).rev().collect();
    assert_eq!(digest(&star), digest(&shuffled(&star, &moved)));
}

#[test]
fn another_weight_changes_no_structure() {
    let graph = |weights: [(u8, u8); 3]| {
        let mut graph = DiGraph::new();
        let nodes = weights.map(|weight| graph.add_node(weight));
        graph.add_edge(nodes[0], nodes[1], 0u8);
        graph.add_edge(nodes[1], nodes[2], 0);
        let of = fingerprints(&graph, |node| label(&node.0), |node| label(&node.1), label);
        of.expect("it is small")
    };
    let one = graph([(1, 10), (2, 20), (3, 30)]);
    let other = graph([(1, 10), (2, 21), (3, 30)]);
    assert_eq!(one.structure, other.structure);
    assert_ne!(one.weighted, other.weighted);
    let exchanged = graph([(1, 20), (2, 10), (3, 30)]);
    assert_ne!(one.weighted, exchanged.weighted);
    assert_ne!(one.structure, graph([(1, 10), (3, 20), (2, 30)]).structure);
}
