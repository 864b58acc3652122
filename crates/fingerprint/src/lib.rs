//! Canonical digests of labelled graphs: isomorphic graphs have equal ones, and others others.
//!
//! Colour refinement (Weisfeiler and Leman; the worklist after Hopcroft, see Berkholz, Bonsma and
//! Grohe, "Tight lower and upper bounds for the complexity of canonical colour refinement", 2017)
//! tells most graphs' nodes apart: every edge is looked at log V times, and what a cell sees is
//! sorted, which adds at most another factor of log V. Where it cannot, nodes are told apart by
//! trial (individualisation and refinement, as in McKay and Piperno, "Practical graph
//! isomorphism II", 2014), and the smallest form is the canonical one. That search is exact and
//! bounded: a graph that is too symmetric for its bound is refused, never guessed.
//!
//! Reading order: this file (what is asked), `partition` (refinement), `search` (ties).

mod partition;
mod search;

use partition::{Adjacency, Partition};
use petgraph::visit::EdgeRef;
use petgraph::{EdgeType, Graph};

/// Work that a search may take: nodes and edges visited.
pub const DEFAULT_LIMIT: u64 = 50_000_000;

/// A digest.
pub type Fingerprint = [u8; 32];

/// The graph has more symmetry than can be told apart within the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the graph of {nodes} nodes is too symmetric: after {limit} steps its nodes are not told \
     apart: label some of them, or raise the limit"
)]
pub struct TooSymmetric {
    /// Its nodes.
    pub nodes: usize,
    /// The limit that was reached.
    pub limit: u64,
}

/// Digests of a graph with and without its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprints {
    /// Of the graph with its labels: what kernels are compiled for.
    pub structure: Fingerprint,
    /// Of the graph with labels and weights: what a result depends on.
    pub weighted: Fingerprint,
}

/// The digest of a graph whose nodes and edges are labelled by digests of their own. It depends
/// on neither the order of nodes nor that of edges; parallel edges and loops count.
///
/// O((V + E) log V) looks at edges, sorted as they come, where refinement tells all nodes apart;
/// otherwise at most [`DEFAULT_LIMIT`] beyond that.
///
/// ```
/// use petgraph::graph::DiGraph;
/// use worldage_fingerprint::fingerprint;
/// let label = |name: &&str| *blake3::hash(name.as_bytes()).as_bytes();
/// let mut one = DiGraph::new();
/// let (a, b) = (one.add_node("matmul"), one.add_node("relu"));
/// one.add_edge(a, b, "x");
/// let mut two = DiGraph::new();
/// let (b, a) = (two.add_node("relu"), two.add_node("matmul"));
/// two.add_edge(a, b, "x");
/// assert_eq!(fingerprint(&one, label, label), fingerprint(&two, label, label));
/// two.reverse();
/// assert_ne!(fingerprint(&one, label, label), fingerprint(&two, label, label));
/// ```
///
/// # Errors
/// [`TooSymmetric`].
pub fn fingerprint<N, E, Ty: EdgeType>(
    graph: &Graph<N, E, Ty>,
    node: impl Fn(&N) -> Fingerprint,
    edge: impl Fn(&E) -> Fingerprint,
) -> Result<Fingerprint, TooSymmetric> {
    fingerprint_within(graph, node, edge, DEFAULT_LIMIT)
}

/// [`fingerprint`] with a limit of the caller's.
///
/// # Errors
/// [`TooSymmetric`].
pub fn fingerprint_within<N, E, Ty: EdgeType>(
    graph: &Graph<N, E, Ty>,
    node: impl Fn(&N) -> Fingerprint,
    edge: impl Fn(&E) -> Fingerprint,
    limit: u64,
) -> Result<Fingerprint, TooSymmetric> {
    let nodes: Vec<Fingerprint> = graph.node_weights().map(node).collect();
    let labels: Vec<Fingerprint> = graph.edge_weights().map(edge).collect();
    let mut ranked = labels.clone();
    ranked.sort_unstable();
    ranked.dedup();
    let rank = |label: &Fingerprint| ranked.binary_search(label).unwrap_or(0) as u32;
    let edges = graph.edge_references().zip(&labels).map(|(edge, label)| {
        let (from, to) = (edge.source().index(), edge.target().index());
        (from as u32, to as u32, rank(label))
    });
    let adjacency = Adjacency::new(nodes.len(), edges, graph.is_directed());
    let mut partition = Partition::new(&nodes);
    partition.refine_all(&adjacency);
    let form = search::canonical(&adjacency, partition, limit).ok_or(TooSymmetric {
        nodes: nodes.len(),
        limit,
    })?;

    let mut digest = blake3::Hasher::new();
    digest.update(&[u8::from(graph.is_directed())]);
    digest.update(&(nodes.len() as u64).to_le_bytes());
    digest.update(&(ranked.len() as u64).to_le_bytes());
    form.order.iter().for_each(|node| {
        digest.update(&nodes[*node as usize]);
    });
    ranked.iter().for_each(|label| {
        digest.update(label);
    });
    form.words.iter().for_each(|word| {
        digest.update(&word.to_le_bytes());
    });
    Ok(*digest.finalize().as_bytes())
}

/// Digests of a graph by its labels alone, and by labels and weights of its nodes: another weight
/// changes `weighted` only.
///
/// # Errors
/// [`TooSymmetric`].
pub fn fingerprints<N, E, Ty: EdgeType>(
    graph: &Graph<N, E, Ty>,
    node: impl Fn(&N) -> Fingerprint,
    weight: impl Fn(&N) -> Fingerprint,
    edge: impl Fn(&E) -> Fingerprint,
) -> Result<Fingerprints, TooSymmetric> {
    let structure = fingerprint(graph, &node, &edge)?;
    let both = |n: &N| {
        let mut digest = blake3::Hasher::new();
        digest.update(&node(n)).update(&weight(n));
        *digest.finalize().as_bytes()
    };
    let weighted = fingerprint(graph, both, edge)?;
    Ok(Fingerprints {
        structure,
        weighted,
    })
}
