//! One layer changes, one kernel is compiled; weights are no part of kernels.

use petgraph::graph::DiGraph;
use worldage::embed::{Tool, ToolError};
use worldage_graph::{Layer, Made, Model, Op, Wrong};

fn chain(ops: &[Op]) -> DiGraph<Layer, ()> {
    let mut graph = DiGraph::new();
    let mut last = None;
    for (number, op) in ops.iter().enumerate() {
        let (name, weights) = (format!("layer{number}"), vec![2.0]);
        let node = graph.add_node(Layer {
            name,
            op: *op,
            weights,
        });
        if let Some(last) = last.replace(node) {
            graph.add_edge(last, node, ());
        }
    }
    graph
}

fn run(model: &Model, made: Made, layer: &str) -> Vec<f64> {
    model.run(made, layer, &[1.0, -2.0]).expect("it runs")
}

#[test]
fn one_layer_changes_and_one_kernel_is_compiled() {
    let mut model = Model::new(None).expect("a session");
    let mut graph = chain(&[Op::Input(2), Op::Scale, Op::Relu, Op::Scale]);
    model.load(&graph).expect("it is small");
    assert_eq!(run(&model, Made::Here, "layer3"), [4.0, 0.0]);
    assert_eq!(model.session().take_stages().counts(), [4, 4, 4]);
    let relu = graph.node_indices().nth(2).expect("four layers");
    graph[relu].op = Op::Scale;
    model.load(&graph).expect("it is small");
    assert_eq!(run(&model, Made::Here, "layer3"), [8.0, -2.0]);
    // The layer, and the link of what reads it.
    assert_eq!(model.session().take_stages().counts(), [1, 1, 2]);
    let world = model.session().world();
    graph[relu].weights = vec![3.0, 3.0];
    model.load(&graph).expect("it is small");
    assert_eq!(run(&model, Made::Here, "layer3"), [12.0, -6.0]);
    assert_eq!(model.session().take_stages().counts(), [0, 0, 0]);
    assert_eq!(model.session().world(), world);
}

#[test]
fn wrong_graphs_are_errors_of_their_layer() {
    let wrong = |ops: &[Op], layer: &str| {
        let mut model = Model::new(None).expect("a session");
        model.load(&chain(ops)).expect("it is small");
        let error = model.run(Made::Here, layer, &[]).expect_err("it is wrong");
        error.stage_error::<Wrong>().cloned()
    };
    assert_eq!(
        wrong(&[Op::Input(1), Op::Add], "layer1"),
        Some(Wrong::Reads(1, 2))
    );
    assert_eq!(wrong(&[Op::Relu], "layer0"), Some(Wrong::Reads(0, 1)));
    let mut model = Model::new(None).expect("a session");
    let mut graph = chain(&[Op::Relu]);
    let node = graph.node_indices().next().expect("a layer");
    graph.add_edge(node, node, ());
    model.load(&graph).expect("it is small");
    let error = model
        .run(Made::Here, "layer0", &[])
        .expect_err("it reads itself");
    assert_eq!(error.stage_error::<Wrong>(), Some(&Wrong::Cycle));
}

#[test]
fn kernels_of_the_external_compiler_agree_and_follow_its_version() {
    let mut model = Model::new(None).expect("a session");
    model
        .load(&chain(&[Op::Input(2), Op::Scale, Op::Relu]))
        .expect("it is small");
    let error = model
        .run(Made::ByTool, "layer2", &[])
        .expect_err("there is no tool");
    assert_eq!(
        error.stage_error::<ToolError>(),
        Some(&ToolError::Unknown("cc".into()))
    );
    let Ok(cc) = Tool::probe("cc", &["--version"]) else {
        eprintln!("skipped: there is no `cc` on this machine");
        return;
    };
    let set = |tool: &Tool| {
        let edited = model.session().edit(|edit| {
            edit.tool("cc", tool);
            Ok(())
        });
        edited.expect("an edit");
    };
    set(&cc);
    assert_eq!(
        run(&model, Made::ByTool, "layer2"),
        run(&model, Made::Here, "layer2")
    );
    model.session().take_stages();
    // The same program says another version: both kernels are compiled again.
    set(&Tool::probe("cc", &["-dumpversion"]).expect("cc is there"));
    assert_eq!(run(&model, Made::ByTool, "layer2"), [2.0, 0.0]);
    assert_eq!(model.session().take_stages().counts(), [2, 2, 2]);
}
