//! Why a stage ran: the edge that differed, followed down to the edit.

use crate::compiler::Compiler;
use crate::definitions::Question;
use crate::engine::Engine;
use crate::events::Stage;
use crate::graph::{CallId, CodeId, Env, ExternalId, Graph, InferId, Shared};
use crate::ids::{Mi, ShardId};
use crate::names::instance_name;
use worldage_dispatch::{MethodId, TyKind, World, display_sig};

/// Why a stage last ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It had never run.
    FirstCall,
    /// Its method's source.
    Source(MethodId),
    /// The answer to a question.
    Call(CallId),
    /// An external fact.
    External(ExternalId),
    /// A part of a callee's summary.
    Part(InferId, u8),
    /// A body that was inlined or folded.
    Body(InferId),
    /// The unit's own earlier stage.
    Own,
    /// The code instance of a callee.
    Code(CodeId),
}

/// The edit behind a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What was done.
    pub change: ChangeKind,
    /// The method, unless an external fact changed.
    pub method: Option<MethodId>,
    /// The world that the edit made.
    pub world: World,
}

/// What an edit did to one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// A new method or fact.
    Inserted,
    /// A method with a type-equal signature, or a fact's value.
    Replaced,
    /// A method or fact was taken away.
    Deleted,
}

impl std::fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ChangeKind::Inserted => "inserted",
            ChangeKind::Replaced => "replaced",
            ChangeKind::Deleted => "deleted",
        })
    }
}

/// What bringing one instance up to date after the newest edit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The instance, printed.
    pub name: String,
    /// The three stages in order.
    pub stages: Vec<StageExplanation>,
}

/// One stage of an [`Explanation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageExplanation {
    /// The stage.
    pub stage: Stage,
    /// Whether it ran since the newest edit.
    pub ran: bool,
    /// Whether its result came from the store since then; if neither, it was reused.
    pub stored: bool,
    /// If it ran: the edge that differed, and under it its cause, down to the edit.
    pub because: Vec<String>,
}

/// Longest chain that is printed; cyclic chains end here.
const CHAIN_LIMIT: usize = 64;

impl<C: Compiler> Engine<C> {
    /// What bringing an instance up to date after the newest edit did, and why.
    pub fn explain(&self, mi: Mi, shard: ShardId) -> Option<Explanation> {
        let worlds = self.graphs();
        let unit = worlds.newest.find_code(mi, shard)?;
        Some(explain(&self.shared, &worlds.newest, unit))
    }
}

fn explain<C: Compiler>(shared: &Shared<C>, graph: &Graph<C>, id: CodeId) -> Explanation {
    let code = graph.code(id);
    let infer = graph.infer(code.infer);
    let name = instance_name(shared, code.mi);
    let chain = Chain { shared, graph };
    let stage = |stage, made_in: World, of_store: bool, because: &dyn Fn() -> Vec<String>| {
        let made = made_in == graph.world;
        let (ran, stored) = (made && !of_store, made && of_store);
        StageExplanation {
            stage,
            ran,
            stored,
            because: if ran { because() } else { Vec::new() },
        }
    };
    let stages = vec![
        stage(Stage::Infer, infer.made_in, infer.stored, &|| {
            chain.of_infer(code.infer, infer.why)
        }),
        stage(
            Stage::Codegen,
            code.generated_in,
            code.stored,
            &|| match code.why_codegen {
                why @ (Why::Own | Why::FirstCall) => {
                    let first = why == Why::FirstCall;
                    let env = Env::alone(shared);
                    let differs = first.then(|| crate::persist::differs(env, graph, id));
                    let mut lines = vec![format!("inferred {name}")];
                    lines.extend(differs.flatten());
                    lines
                }
                why => chain.of_infer(code.infer, why),
            },
        ),
        stage(
            Stage::Link,
            code.linked_in,
            false,
            &|| match code.why_link {
                Why::Own | Why::FirstCall => vec![format!("code {name}")],
                why => chain.of_code(why),
            },
        ),
    ];
    Explanation { name, stages }
}

struct Chain<'a, C: Compiler> {
    shared: &'a Shared<C>,
    graph: &'a Graph<C>,
}

impl<C: Compiler> Chain<'_, C> {
    /// The chain below a stage that read something of an infer unit.
    fn of_infer(&self, unit: InferId, why: Why) -> Vec<String> {
        let (mut lines, mut unit, mut why) = (Vec::new(), unit, why);
        while lines.len() < CHAIN_LIMIT {
            match why {
                Why::Part(callee, _) | Why::Body(callee) => {
                    let edge = if matches!(why, Why::Part(..)) {
                        "summary"
                    } else {
                        "body"
                    };
                    lines.push(format!("{edge} {}", self.infer_name(callee)));
                    (unit, why) = (callee, self.graph.infer(callee).why);
                }
                Why::Own => why = self.graph.infer(unit).why,
                last => {
                    lines.extend(self.last(unit, last));
                    break;
                }
            }
        }
        lines
    }

    /// The chain below a link that followed a callee's code.
    fn of_code(&self, why: Why) -> Vec<String> {
        let (mut lines, mut why) = (Vec::new(), why);
        while let Why::Code(callee) = why {
            if lines.len() >= CHAIN_LIMIT {
                return lines;
            }
            let unit = self.graph.code(callee);
            lines.push(format!("code {}", instance_name(self.shared, unit.mi)));
            match unit.why_link {
                Why::Code(_) => why = unit.why_link,
                _ => {
                    let below = match unit.why_codegen {
                        Why::Own | Why::FirstCall => self.graph.infer(unit.infer).why,
                        other => other,
                    };
                    lines.extend(self.of_infer(unit.infer, below));
                    return lines;
                }
            }
        }
        lines
    }

    /// The end of a chain: an edge to a definition and its edit.
    fn last(&self, unit: InferId, why: Why) -> Vec<String> {
        match why {
            Why::Source(method) => match self.graph.source_changed.get(&method) {
                Some(cause) => vec![self.cause(*cause)],
                None => vec![format!("source {}", self.infer_name(unit))],
            },
            Why::Call(call) => {
                let record = &self.graph.calls[call.ix()];
                let edge = match record.key.question {
                    Question::Invoke => "invoke",
                    _ => "lookup",
                };
                let function = self.shared.types.symbol_str(record.key.function);
                let mut lines = vec![format!("{edge} {function}({})", self.args(record.key.args))];
                let changed = self.graph.answer_changed.get(&call);
                lines.extend(changed.map(|cause| self.cause(*cause)));
                lines
            }
            Why::External(external) => {
                let record = &self.graph.externals[external.ix()];
                let name = format!("{} {}", record.key.kind, record.key.name);
                match record.changed {
                    Some(cause) if record.key.kind == "external" => {
                        vec![format!("{name}  changed in world {}", cause.world)]
                    }
                    Some(cause) => {
                        vec![format!("{name}  {} in world {}", cause.change, cause.world)]
                    }
                    None => vec![name],
                }
            }
            _ => {
                let mut lines = vec!["first call".to_string()];
                lines.extend(self.graph.stored.miss(unit, self.graph.world));
                lines
            }
        }
    }

    fn cause(&self, cause: Cause) -> String {
        let method = cause
            .method
            .expect("a cause of a lookup or source is a method");
        let definitions = self.shared.definitions.read();
        let info = definitions.method(method);
        let name = self.shared.types.symbol_str(info.function);
        let sig = definitions.sig_at(method, cause.world);
        let sig = definitions.in_table(display_sig(&self.shared.types, name, sig), method);
        format!("source {sig}  {} in world {}", cause.change, cause.world)
    }

    fn infer_name(&self, unit: InferId) -> String {
        instance_name(self.shared, self.graph.infer(unit).mi)
    }

    fn args(&self, args: worldage_dispatch::Ty) -> String {
        match self.shared.types.kind(args) {
            TyKind::Tuple { elems, .. } => {
                let names: Vec<_> = elems
                    .iter()
                    .map(|ty| self.shared.types.display(*ty).to_string())
                    .collect();
                names.join(", ")
            }
            _ => self.shared.types.display(args).to_string(),
        }
    }
}
