//! A computation graph as foreign IR: every layer is a method, what it reads are the layers
//! before it, and linking the last layer links the graph into one callable.
//!
//! Two shards make kernels: closures, and C that an external compiler translates. Weights are no
//! part of a kernel: another weight compiles nothing.

mod kernel;

pub use kernel::Kernel;
use kernel::Object;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{EdgeRef, IntoNodeReferences};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use worldage::embed::graph::{Fingerprints, TooSymmetric, fingerprints};
use worldage::embed::*;

/// What a layer does with vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The input of the graph, so wide.
    Input(usize),
    /// Every element by a weight of its own.
    Scale,
    /// Negative elements become zero.
    Relu,
    /// Two vectors, element by element.
    Add,
}

/// A node of the graph.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its name: the name of its method.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// What [`Op::Scale`] scales by.
    pub weights: Vec<f64>,
}

/// Weights by layer, given at every call.
pub type Weights = BTreeMap<String, Vec<f64>>;

/// What is linked: the graph up to a layer.
pub type Callable = Arc<dyn Fn(&[f64], &Weights) -> Vec<f64> + Send + Sync>;

/// Which kernels are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Made {
    /// Closures of this program.
    #[default]
    Here,
    /// C, by the tool `cc`.
    ByTool,
}

/// A method's body: a layer and the layers that it reads.
#[derive(Clone, PartialEq)]
pub struct Source {
    op: Op,
    reads: Vec<String>,
}

/// What inference makes: a layer of known width.
#[derive(Clone, PartialEq)]
pub struct Inferred {
    op: Op,
    width: usize,
    reads: Vec<Mi>,
    tool: Option<Tool>,
}

/// What the layers after it rely on is its width.
impl Expose for Inferred {
    type Value = usize;

    fn expose(&self) -> usize {
        self.width
    }
}

/// A graph that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The layer reads so many others, and should read so many.
    Reads(usize, usize),
    /// It reads vectors of different widths.
    Widths,
    /// It reads itself.
    Cycle,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The compiler.
pub struct Layers;

impl Compiler for Layers {
    type Source = Source;
    type Inferred = Inferred;
    type Summary = Exposed<usize>;
    type Code = (Inferred, Kernel);
    type Linked = Callable;
    type Shard = ShardKey<Made>;

    fn infer(&self, cx: &mut InferCx<'_, Self>, _: Mi, source: &Source) -> Result<Inferred, Stop> {
        let (mut reads, mut widths) = (Vec::new(), Vec::new());
        for name in &source.reads {
            let layer = cx.callee(name, &[])?;
            let width = cx.read(layer, &Exposed::VALUE)?;
            widths.push(width.ok_or_else(|| Stop::failed(Wrong::Cycle))?);
            reads.push(layer);
        }
        let (expected, width) = match source.op {
            Op::Input(width) => (0, width),
            Op::Scale | Op::Relu => (1, widths.first().copied().unwrap_or(0)),
            Op::Add => (2, widths.first().copied().unwrap_or(0)),
        };
        if reads.len() != expected {
            return Err(Stop::failed(Wrong::Reads(reads.len(), expected)));
        }
        if widths.iter().any(|read| *read != width) {
            return Err(Stop::failed(Wrong::Widths));
        }
        // Only a layer with a kernel depends on the tool, and on its absence.
        let tool = match source.op {
            Op::Input(_) => None,
            _ => cx
                .external(&Tool::fact("cc"))?
                .and_then(|b| Tool::from_bytes(&b)),
        };
        let op = source.op;
        Ok(Inferred {
            op,
            width,
            reads,
            tool,
        })
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        _: Mi,
        layer: &Arc<Inferred>,
    ) -> Result<Self::Code, Stop> {
        layer.reads.iter().for_each(|read| cx.calls(*read));
        let kernel = match (cx.shard().0, layer.op) {
            (Made::Here, _) | (_, Op::Input(_)) => Kernel::Here,
            (Made::ByTool, op) => {
                let tool = layer.tool.as_ref();
                let tool = tool.ok_or_else(|| Stop::failed(ToolError::Unknown("cc".into())))?;
                let text = kernel::c_text(op, layer.width);
                let args = ["-O2", "-shared", "-fPIC", "-o", "kernel.so", "kernel.c"];
                let inputs = [("kernel.c", text.as_bytes())];
                Kernel::Object(cx.run_tool(tool, &args, &inputs, "kernel.so")?)
            }
        };
        Ok((Inferred::clone(layer), kernel))
    }

    fn link(
        &self,
        cx: &mut LinkCx<'_, Self>,
        mi: Mi,
        code: &Arc<Self::Code>,
    ) -> Result<Callable, Stop> {
        let (layer, kernel) = &**code;
        let read = layer.reads.iter().map(|read| cx.linked(*read).cloned());
        let read = read.collect::<Result<Vec<Callable>, Stop>>()?;
        let name = cx.types().symbol_str(cx.key(mi).function).to_owned();
        let (op, width) = (layer.op, layer.width);
        let object = match kernel {
            Kernel::Here => None,
            Kernel::Object(bytes) => Some(Object::load(bytes).map_err(Stop::failed)?),
        };
        Ok(Arc::new(move |input, weights| {
            if let Op::Input(width) = op {
                return input
                    .iter()
                    .copied()
                    .chain(std::iter::repeat(0.0))
                    .take(width)
                    .collect();
            }
            let values: Vec<Vec<f64>> = read.iter().map(|layer| layer(input, weights)).collect();
            let second = match op {
                Op::Add => values[1].clone(),
                _ => weights.get(&name).cloned().unwrap_or_default(),
            };
            // A weight that is not given is one.
            let second: Vec<f64> = second
                .into_iter()
                .chain(std::iter::repeat(1.0))
                .take(width)
                .collect();
            match &object {
                Some(object) => object.run(&values[0], &second),
                None => kernel::run(op, &values[0], &second),
            }
        }))
    }
}

/// A graph in a session: its layers as methods, its weights beside them.
pub struct Model {
    session: Session<Layers>,
    weights: Weights,
    loaded: Option<Fingerprints>,
}

impl Model {
    /// No graph yet. `cc` makes kernels of the shard [`Made::ByTool`].
    ///
    /// # Errors
    /// Never, unless a session cannot be edited.
    pub fn new(cc: Option<&Tool>) -> Result<Model, Error> {
        let session = Session::new(Layers);
        if let Some(cc) = cc {
            session.edit(|edit| {
                edit.tool("cc", cc);
                Ok(())
            })?;
        }
        let (weights, loaded) = (Weights::new(), None);
        Ok(Model {
            session,
            weights,
            loaded,
        })
    }

    /// The session below.
    pub fn session(&self) -> &Session<Layers> {
        &self.session
    }

    /// Makes the model what a graph says; edges go from a layer to the one that reads it. A graph
    /// with the same structure edits nothing.
    ///
    /// # Errors
    /// A graph too symmetric to be fingerprinted: its layers have names, so there is none.
    pub fn load(&mut self, graph: &DiGraph<Layer, ()>) -> Result<(), Error> {
        let label = |layer: &Layer| fingerprint_of(&(&layer.name, layer.op));
        let bits = |layer: &Layer| {
            layer
                .weights
                .iter()
                .map(|w| w.to_bits())
                .collect::<Vec<_>>()
        };
        let found = fingerprints(
            graph,
            label,
            |layer| fingerprint_of(&bits(layer)),
            |()| [0; 32],
        );
        let found = found.map_err(|error: TooSymmetric| Error::refused(error))?;
        if self
            .loaded
            .is_none_or(|loaded| loaded.weighted != found.weighted)
        {
            let layers = graph.node_weights();
            self.weights = layers
                .map(|l| (l.name.clone(), l.weights.clone()))
                .collect();
        }
        if self
            .loaded
            .is_none_or(|loaded| loaded.structure != found.structure)
        {
            self.session.edit(|edit| {
                for (node, layer) in graph.node_references() {
                    let source = Source {
                        op: layer.op,
                        reads: reads(graph, node),
                    };
                    edit.define(&layer.name, &[], source)?;
                }
                Ok(())
            })?;
        }
        self.loaded = Some(found);
        Ok(())
    }

    /// The value of a layer.
    ///
    /// # Errors
    /// The graph makes no sense, or the tool failed.
    pub fn run(&self, made: Made, layer: &str, input: &[f64]) -> Result<Vec<f64>, Error> {
        let target = self.session.on(ShardKey(made));
        target.call(layer, &[], |graph| graph(input, &self.weights))
    }
}

/// The layers that a layer reads, in the order in which their edges were added.
fn reads(graph: &DiGraph<Layer, ()>, node: NodeIndex) -> Vec<String> {
    let mut edges: Vec<_> = graph
        .edges_directed(node, petgraph::Direction::Incoming)
        .map(|edge| (edge.id(), edge.source()))
        .collect();
    edges.sort_unstable();
    edges
        .into_iter()
        .map(|(_, layer)| graph[layer].name.clone())
        .collect()
}
