//! Changes one layer of a graph after another and prints what was compiled.
#![expect(clippy::print_stdout, reason = "it shows what happens")]

use petgraph::graph::DiGraph;
use worldage::embed::{Error, Tool};
use worldage_graph::{Layer, Made, Model, Op};

fn main() -> Result<(), Error> {
    let cc = Tool::probe("cc", &["--version"]).ok();
    let mut model = Model::new(cc.as_ref())?;
    let made = match &cc {
        Some(_) => Made::ByTool,
        None => Made::Here,
    };
    let mut graph = DiGraph::new();
    let mut layer = |name: &str, op| {
        let (name, weights) = (name.to_owned(), vec![2.0, -2.0]);
        graph.add_node(Layer { name, op, weights })
    };
    let input = layer("input", Op::Input(2));
    let scaled = layer("scaled", Op::Scale);
    let positive = layer("positive", Op::Relu);
    let sum = layer("sum", Op::Add);
    for (from, to) in [
        (input, scaled),
        (scaled, positive),
        (positive, sum),
        (input, sum),
    ] {
        graph.add_edge(from, to, ());
    }
    let mut show = |what: &str, graph: &DiGraph<Layer, ()>| {
        model.load(graph)?;
        let value = model.run(made, "sum", &[1.0, 2.0])?;
        print!("{what}: {value:?}\n{}", model.session().take_stages());
        Ok(())
    };
    show("a graph of four layers", &graph)?;
    graph[scaled].weights = vec![3.0, 3.0];
    show("another weight", &graph)?;
    graph[positive].op = Op::Scale;
    show("another layer", &graph)
}
