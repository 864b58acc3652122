//! What is let go of: results, code, questions and instances that no callable world can see.
//!
//! Whatever is superseded is queued under the last world that could see it, and let go of when
//! that world has expired: the work is proportional to what changed, never to the program.
//!
//! Instances of a method that exists in no callable world are dropped with their edges, once
//! nothing that stays reads them; their places are used again. Interned names, types and
//! instances (a few words each) are immortal.

use crate::compiler::Compiler;
use crate::cx::ExternalKey;
use crate::explain::Why;
use crate::graph::{CallId, CodeId, Graph, InferEdge, InferId, Shared, State};
use rustc_hash::FxHashSet;
use std::sync::Arc;
use worldage_dispatch::{MethodId, World};

/// Something that was superseded, and may be let go of when its last world has expired.
#[derive(Clone, Debug)]
pub(crate) enum Retired {
    /// Past results of inference.
    Infer(InferId),
    /// Past code and code instances.
    Code(CodeId),
    /// A question that nobody reads any more.
    Call(CallId),
    /// The history of a method: its source, its place in the table, perhaps its instances.
    Method(MethodId),
    /// The history of an external fact.
    External(ExternalKey),
}

impl<C: Compiler> Graph<C> {
    /// Queues something whose last world is `last`.
    pub(crate) fn retire(&mut self, last: World, what: Retired) {
        self.retired.entry(last).or_default().push(what);
    }

    /// Lets go of everything whose last world has expired.
    pub(crate) fn expire(&mut self, shared: &Shared<C>) {
        while let Some(first) = self.retired.first_entry()
            && *first.key() < self.oldest
        {
            for what in first.remove() {
                self.let_go(shared, what);
            }
        }
        if !self.doomed.is_empty() && self.doomed_grew {
            self.doomed_grew = false;
            self.drop_doomed(shared);
        }
    }

    fn let_go(&mut self, shared: &Shared<C>, what: Retired) {
        let oldest = self.oldest;
        match what {
            Retired::Infer(id) => self
                .infer_mut(id)
                .past
                .retain(|(range, _)| range.last >= oldest),
            Retired::Code(id) => {
                let unit = self.code_mut(id);
                unit.past.retain(|(range, _)| range.last >= oldest);
                unit.past_code.retain(|(range, _)| range.last >= oldest);
            }
            Retired::Call(id) => self.drop_call(shared, id),
            Retired::Method(method) => {
                shared.definitions.write().forget_method(method, oldest);
                let mut sources = shared.sources.write();
                sources.forget(method, oldest);
                if !sources.exists(method) && self.units_of(method).next().is_some() {
                    self.doomed.push(method);
                    self.doomed_grew = true;
                }
            }
            Retired::External(key) => shared.definitions.write().forget_external(&key, oldest),
        }
    }

    /// Drops a question that nobody reads, so that no edit asks it again.
    fn drop_call(&mut self, shared: &Shared<C>, id: CallId) {
        let record = &self.calls[id.ix()];
        if !record.readers.is_empty() || !self.forget_call(shared, id) {
            return;
        }
        self.free_calls.push(id);
    }

    /// Drops the instances of methods that are gone, as far as nothing that stays reads them.
    fn drop_doomed(&mut self, shared: &Shared<C>) {
        let sources = shared.sources.read();
        self.doomed.retain(|method| !sources.exists(*method));
        drop(sources);
        let units = self.doomed.iter().flat_map(|method| self.units_of(*method));
        let mut dropped: FxHashSet<InferId> = units.collect();
        // The largest set whose members are read by members only.
        loop {
            let kept: FxHashSet<InferId> = dropped
                .iter()
                .copied()
                .filter(|id| !self.is_read_within(*id, &dropped))
                .collect();
            if kept.is_empty() {
                break;
            }
            dropped.retain(|id| !kept.contains(id));
        }
        for id in &dropped {
            self.vacate(shared, *id);
        }
        let mut doomed = std::mem::take(&mut self.doomed);
        doomed.retain(|method| self.units_of(*method).next().is_some());
        self.doomed = doomed;
    }

    fn is_read_within(&self, id: InferId, units: &FxHashSet<InferId>) -> bool {
        let unit = self.infer(id);
        let own_code = |code: &CodeId| {
            let code = self.code(*code);
            units.contains(&code.infer)
                && code
                    .front
                    .as_ref()
                    .is_none_or(|front| Arc::strong_count(front) == 1)
                && code.past.is_empty()
                && code.past_code.is_empty()
                && code
                    .callers
                    .iter()
                    .all(|caller| units.contains(&self.code(*caller).infer))
        };
        unit.state != State::Active
            && unit.past.is_empty()
            && unit.readers.iter().all(|reader| units.contains(reader))
            && unit.code_readers.iter().all(own_code)
    }

    fn vacate(&mut self, shared: &Shared<C>, id: InferId) {
        self.set_edges(id, Box::default());
        let (mi, view) = (self.infer(id).mi, self.infer(id).view);
        for code in std::mem::take(&mut self.infer_mut(id).code_readers) {
            if self.code(code).infer == id {
                self.vacate_code(code);
            }
        }
        let unit = self.infer_mut(id);
        unit.state = State::New;
        (unit.outcome, unit.source, unit.fresh, unit.superseded) = (None, None, None, None);
        (unit.marked, unit.interrupted, unit.why) = (None, false, Why::FirstCall);
        unit.loaded = false;
        unit.readers = Default::default();
        let method = shared.instances.key(mi).method;
        self.forget_infer(mi, view, method, id);
    }

    fn vacate_code(&mut self, id: CodeId) {
        let unit = self.code_mut(id);
        let (reads, calls) = (
            std::mem::take(&mut unit.reads),
            std::mem::take(&mut unit.calls),
        );
        let (mi, shard) = (unit.mi, unit.shard);
        unit.state = State::New;
        (unit.code, unit.inferred, unit.ci, unit.marked) = (None, None, None, None);
        unit.front = None;
        unit.callers = Default::default();
        for read in &reads {
            let readers = &mut self.infer_mut(read.unit()).code_readers;
            readers.retain(|reader| *reader != id);
        }
        for callee in calls {
            let callers = &mut self.code_mut(callee).callers;
            callers.retain(|caller| *caller != id);
        }
        self.forget_code(mi, shard, id);
    }
}

/// The question of an edge, if it is one.
pub(crate) fn question(edge: &InferEdge) -> Option<CallId> {
    match edge {
        InferEdge::Call { call, .. } => Some(*call),
        _ => None,
    }
}
