//! Foreign IR: bodies of any type, an expensive preparation cached apart from cheap instances,
//! dependencies that the IR hides.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use worldage::embed::*;

/// A body is anything that is compared by address.
#[derive(Clone)]
enum Body {
    /// A model, to be prepared once: the expensive part.
    Model(Arc<dyn Any + Send + Sync>),
    /// The prepared model with the parameter of this name: the cheap part.
    Instance(&'static str, &'static str),
    /// A value beside which others are used without being called.
    Hidden(&'static [&'static str]),
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        match (self, other) {
            (Body::Model(a), Body::Model(b)) => Arc::ptr_eq(a, b),
            (Body::Instance(a, b), Body::Instance(c, d)) => (a, b) == (c, d),
            (Body::Hidden(a), Body::Hidden(b)) => a == b,
            _ => false,
        }
    }
}

#[derive(Default)]
struct Models {
    prepared: AtomicU64,
    instantiated: AtomicU64,
}

fn parameter(name: &str) -> ExternalKey {
    ExternalKey {
        kind: "parameter",
        name: name.into(),
    }
}

impl Compiler for Models {
    type Source = Body;
    type Inferred = Vec<u64>;
    type Summary = Whole<Vec<u64>>;
    type Code = Vec<u64>;
    type Linked = Arc<Vec<u64>>;
    type Shard = OneShard;

    fn infer(&self, cx: &mut InferCx<'_, Self>, _: Mi, body: &Body) -> Result<Vec<u64>, Stop> {
        match body {
            Body::Model(model) => {
                self.prepared.fetch_add(1, Ordering::Relaxed);
                let model = model.downcast_ref::<Vec<u64>>();
                let model = model.ok_or_else(|| Stop::failed("not a model"))?;
                Ok(model.iter().map(|x| x * x).collect())
            }
            Body::Instance(model, name) => {
                self.instantiated.fetch_add(1, Ordering::Relaxed);
                let model = cx.callee(model, &[])?;
                let prepared = cx.read(model, &Whole::VALUE)?.unwrap_or_default();
                let bytes = cx.external(&parameter(name))?;
                let factor = bytes.map_or(1, |bytes| u64::from(bytes[0]));
                Ok(prepared.iter().map(|x| x * factor).collect())
            }
            Body::Hidden(used) => {
                for name in *used {
                    let callee = cx.callee(name, &[])?;
                    cx.depends_on(callee)?;
                }
                Ok(Vec::new())
            }
        }
    }

    fn codegen(
        &self,
        _: &mut CodegenCx<'_, Self>,
        _: Mi,
        values: &Arc<Vec<u64>>,
    ) -> Result<Vec<u64>, Stop> {
        Ok(Vec::clone(values))
    }

    fn link(
        &self,
        _: &mut LinkCx<'_, Self>,
        _: Mi,
        code: &Arc<Vec<u64>>,
    ) -> Result<Arc<Vec<u64>>, Stop> {
        Ok(Arc::clone(code))
    }
}

fn counts(session: &Session<Models>) -> (u64, u64) {
    let models = session.compiler();
    (
        models.prepared.load(Ordering::Relaxed),
        models.instantiated.load(Ordering::Relaxed),
    )
}

fn values(session: &Session<Models>, function: &str) -> Vec<u64> {
    session
        .call(function, &[], |values| Vec::clone(values))
        .expect("values")
}

#[test]
fn another_parameter_runs_only_the_cheap_part() {
    let session = Session::new(Models::default());
    let model = |values: &[u64]| Body::Model(Arc::new(values.to_vec()));
    let edited = session.edit(|e| {
        e.define("model", &[], model(&[1, 2, 3]))?;
        e.define("run", &[], Body::Instance("model", "factor"))
    });
    edited.expect("a valid edit");
    assert_eq!(values(&session, "run"), [1, 4, 9]);
    assert_eq!(counts(&session), (1, 1));
    for factor in 2..6 {
        let edited = session.edit(|e| {
            e.external(parameter("factor"), Some(&[factor]));
            Ok(())
        });
        edited.expect("a valid edit");
        assert_eq!(values(&session, "run")[1], 4 * u64::from(factor));
        assert_eq!(counts(&session), (1, u64::from(factor)));
    }
    // A parameter that nobody read runs nothing; another model with the same preparation runs
    // the expensive part only.
    let edited = session.edit(|e| {
        e.external(parameter("other"), Some(&[9]));
        e.define("model", &[], model(&[1, 2, 3]))
    });
    edited.expect("a valid edit");
    assert_eq!(values(&session, "run"), [5, 20, 45]);
    assert_eq!(counts(&session), (2, 5));
}

#[test]
fn hidden_dependencies_invalidate_like_others() {
    let session = Session::new(Models::default());
    let model = |values: &[u64]| Body::Model(Arc::new(values.to_vec()));
    let edited = session.edit(|e| {
        e.define("table", &[], model(&[1]))?;
        e.define("top", &[], Body::Hidden(&["table"]))
    });
    edited.expect("a valid edit");
    values(&session, "top");
    session.take_stages();
    session
        .edit(|e| e.define("table", &[], model(&[2])))
        .expect("a valid edit");
    values(&session, "top");
    assert_eq!(
        session.take_stages().to_string(),
        "infer    table() top()\n"
    );
    session
        .edit(|e| e.define("table", &[], Body::Model(Arc::new("text"))))
        .expect("an edit");
    let error = session
        .call("top", &[], |_| ())
        .expect_err("the table is no model");
    assert_eq!(error.stage_error::<&str>(), Some(&"not a model"));
}
