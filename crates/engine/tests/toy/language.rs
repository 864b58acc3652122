//! The compiler of these tests.
//!
//! A source is words: `type:T` (its summary), `call:g` (reads g's type), `ignore:g` (reads only
//! whether g returns), `inline:g` (reads g's body in codegen), `body:B` (anything), `read:K` (an
//! external fact), `same:g` (its type is that of g: recursion), `panic`, `edit` and `late-edit` (asks
//! the session for an edit and a demand, in infer and in codegen).

use std::fmt::Write;
use std::sync::{Arc, OnceLock, Weak};
use worldage_engine::{
    CodegenCx, Compiler, Edit, Engine, ExternalKey, InferCx, LinkCx, Linked, Mi, Part, PartDigest,
    Resolved, ShardId, Stop, Summarize, digest_of,
};

#[derive(Default)]
pub(crate) struct Toy {
    /// The session that runs it, for stages that come back to it.
    pub(crate) engine: OnceLock<Weak<Engine<Toy>>>,
}

impl Toy {
    /// What the session says to a stage that comes back to it.
    fn come_back(&self, mi: Mi) -> String {
        let engine = self.engine.get().and_then(Weak::upgrade);
        let engine = engine.expect("the session lives while a stage runs");
        let edit = engine.commit(Edit::new()).map(drop);
        let demand = engine.demand(mi, ShardId(0), None).map(drop);
        let edit = edit.expect_err("a stage runs");
        let demand = demand.expect_err("a stage runs");
        format!("{edit} | {demand}")
    }
}

#[derive(Clone, PartialEq)]
pub(crate) struct Summary {
    ty: String,
}

#[derive(PartialEq)]
pub(crate) struct Inferred {
    ty: String,
    body: String,
    calls: Vec<Mi>,
    inlines: Vec<Mi>,
    late_edit: bool,
}

pub(crate) struct Entry(usize);

impl Linked for Entry {
    fn entry(&self) -> usize {
        self.0
    }
}

const RETURNS: Part<Summary, bool> = Part {
    index: 0,
    name: "returns",
    get: |summary| summary.ty != "bottom",
};
const TYPE: Part<Summary, String> = Part {
    index: 1,
    name: "type",
    get: |summary| summary.ty.clone(),
};

impl Summarize<Inferred> for Summary {
    const PARTS: &'static [PartDigest<Summary>] = &[
        PartDigest {
            name: "returns",
            digest: |summary| u64::from((RETURNS.get)(summary)),
        },
        PartDigest {
            name: "type",
            digest: |summary| digest_of(&summary.ty),
        },
    ];

    fn of(inferred: &Inferred) -> Summary {
        Summary {
            ty: inferred.ty.clone(),
        }
    }

    fn bottom() -> Summary {
        Summary {
            ty: "bottom".into(),
        }
    }
}

impl Compiler for Toy {
    type Source = String;
    type Inferred = Inferred;
    type Summary = Summary;
    type Code = String;
    type Linked = Entry;
    type Shard = String;

    fn infer(&self, cx: &mut InferCx<'_, Self>, mi: Mi, source: &String) -> Result<Inferred, Stop> {
        let mut inferred = Inferred {
            ty: "T".into(),
            body: String::new(),
            calls: vec![],
            inlines: vec![],
            late_edit: false,
        };
        for word in source.split_whitespace() {
            let (verb, name) = word.split_once(':').unwrap_or((word, ""));
            let types = cx.types();
            let args = types.tuple(&[]);
            let callee = |cx: &mut InferCx<'_, Self>| match cx.lookup(types.symbol(name), args)? {
                Resolved::Method(mi) => Ok(mi),
                other => Err(Stop::failed(format!("{name}: {other:?}"))),
            };
            match verb {
                "type" => inferred.ty = name.into(),
                "body" => inferred.body.push_str(name),
                "call" => {
                    let mi = callee(cx)?;
                    let ty = cx.read(mi, &TYPE)?;
                    inferred.calls.push(mi);
                    let _ = write!(inferred.body, "({ty})");
                }
                "ignore" => {
                    let mi = callee(cx)?;
                    cx.read(mi, &RETURNS)?;
                    inferred.calls.push(mi);
                }
                "inline" => {
                    let mi = callee(cx)?;
                    cx.read(mi, &TYPE)?;
                    inferred.inlines.push(mi);
                }
                "same" => {
                    let mi = callee(cx)?;
                    let ty = cx.read(mi, &TYPE)?;
                    if ty != "bottom" {
                        inferred.ty = ty;
                    }
                    inferred.calls.push(mi);
                }
                "read" => {
                    let value = cx.external(&key(name))?;
                    let _ = write!(inferred.body, "[{value:?}]");
                }
                "edit" => inferred.body = self.come_back(mi),
                "late-edit" => inferred.late_edit = true,
                "panic" => panic!("toy panic"),
                other => return Err(Stop::failed(format!("no verb {other}"))),
            }
        }
        Ok(inferred)
    }

    fn widen(&self, _: Mi, _: &Summary, _: &Summary) -> Summary {
        Summary { ty: "top".into() }
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<String, Stop> {
        let mut code = format!("{} {}", inferred.ty, inferred.body);
        for mi in &inferred.calls {
            cx.calls(*mi);
            let _ = write!(code, " call {}", mi.0);
        }
        for mi in &inferred.inlines {
            let body = cx.inferred(*mi)?;
            let _ = write!(code, " inlined {}", body.body);
        }
        if inferred.late_edit {
            let _ = write!(code, " {}", self.come_back(mi));
        }
        Ok(code)
    }

    fn link(&self, cx: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<String>) -> Result<Entry, Stop> {
        let _ = cx.own_cell();
        Ok(Entry(code.len()))
    }
}

pub(crate) fn key(name: &str) -> ExternalKey {
    ExternalKey {
        kind: "external",
        name: name.into(),
    }
}
