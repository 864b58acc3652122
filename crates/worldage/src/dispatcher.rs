//! Calls that running code cannot decide alone: run-time dispatch, output, host functions.

use crate::session::Inner;
use std::sync::{Arc, Weak};
use worldage_cranelift::{Callee, Context, DynCall, DynTarget, Host, HostCall, RaiseKind};
use worldage_dispatch::{Ty, World};
use worldage_engine::{CodeInstance, Mi, Resolved, ShardId};
use worldage_wir::ir::Failure;
use worldage_wir::value::Value;

/// The engine's side of the contexts of one shard.
pub(crate) struct Dispatcher {
    pub(crate) session: Weak<Inner>,
    pub(crate) shard: ShardId,
}

impl Inner {
    /// The compiled instance, ready to be called with values.
    pub(crate) fn callee(
        &self,
        mi: Mi,
        shard: ShardId,
        world: World,
    ) -> Result<Callee, worldage_engine::engine::DemandError> {
        let ci = self.engine.demand(mi, shard, Some(world))?;
        let (ret, convention) = (ci.code().host().ret, ci.code().host().convention);
        let leaf = ci.linked().leaf();
        let args = self.engine.key(mi).args;
        let params: Box<[Ty]> = self.universe.tuple_elems(args).unwrap_or_default().into();
        Ok(Callee {
            cell: ci.cell(),
            params,
            ret,
            convention,
            leaf,
            keep: keep(ci),
        })
    }
}

fn keep(
    ci: Arc<CodeInstance<crate::session::SessionCompiler>>,
) -> Arc<dyn std::any::Any + Send + Sync> {
    ci
}

impl Host for Dispatcher {
    fn resolve(&self, _: &mut Context, call: DynCall<'_>) -> Result<Callee, RaiseKind> {
        let session = self
            .session
            .upgrade()
            .expect("a context does not outlive its session");
        let engine = &session.engine;
        let types = engine.types();
        let args = types.tuple(call.args);
        let world = World(call.world);
        let view = engine.view_of(self.shard);
        let (resolved, missing) = match call.target {
            DynTarget::Function(f) => (
                engine.lookup(f, args, view, world),
                Failure::NoMethod(f, args),
            ),
            DynTarget::Invoke(f, sig) if !types.subtype(args, sig) => {
                return Err(RaiseKind::Failure(Failure::NoInvoke(f, sig)));
            }
            DynTarget::Invoke(f, sig) => (
                engine.invoke(f, sig, args, view, world),
                Failure::NoInvoke(f, sig),
            ),
        };
        let mi = match (resolved, call.target) {
            (Resolved::Method(mi), _) => mi,
            (Resolved::Ambiguous(_), DynTarget::Function(f)) => {
                return Err(RaiseKind::Failure(Failure::Ambiguous(f, args)));
            }
            (Resolved::Ambiguous(_), DynTarget::Invoke(f, sig)) => {
                return Err(RaiseKind::Failure(Failure::Ambiguous(f, sig)));
            }
            (Resolved::NoMethod, _) => return Err(RaiseKind::Failure(missing)),
        };
        session
            .callee(mi, self.shard, world)
            .map_err(|error| RaiseKind::Host(Arc::new(error.to_string())))
    }

    fn newest_world(&self) -> u64 {
        let session = self
            .session
            .upgrade()
            .expect("a context does not outlive its session");
        session.engine.world().0
    }

    fn call_host(&self, _: &mut Context, call: HostCall<'_>) -> Result<Value, RaiseKind> {
        let session = self
            .session
            .upgrade()
            .expect("a context does not outlive its session");
        session.call_host(call)
    }

    fn print(&self, text: &str) {
        let session = self
            .session
            .upgrade()
            .expect("a context does not outlive its session");
        crate::calls::print(&session, text);
    }
}
