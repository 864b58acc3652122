//! Questions to the method tables that inference asked: their answers, and who is to be marked when
//! one changes.
//!
//! Invariant: of the newest world, every question is found by the edits that can change its answer.

use crate::answers::Call;
use crate::compiler::Compiler;
use crate::definitions::{Answer, CallKey, Question};
use crate::graph::{CallId, Graph, Readers, Shared, place};
use smallvec::SmallVec;
use thin_vec::ThinVec;
use worldage_dispatch::{CallIndex, World};

/// A recorded question, its answer, and who asked.
pub(crate) struct CallRecord {
    pub(crate) key: CallKey,
    /// The memo in the database, once it was asked there; older worlds have none.
    pub(crate) call: Option<Call>,
    /// Every answer that was ever given, once; an edge names one by its number.
    answers: (Answer, ThinVec<Answer>),
    /// The number of the answer in the graph's world.
    pub(crate) current: u32,
    pub(crate) readers: Readers,
    /// The current answer is known to hold since this world.
    pub(crate) since: World,
}

/// The questions recorded about one function.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) index: CallIndex,
    /// Questions that any change of the function's methods can affect.
    pub(crate) flags: ThinVec<CallId>,
}

impl CallRecord {
    pub(crate) fn answer(&self) -> &Answer {
        self.given(self.current)
    }

    /// The answer of a number.
    pub(crate) fn given(&self, number: u32) -> &Answer {
        match number.checked_sub(1) {
            None => &self.answers.0,
            Some(later) => &self.answers.1[later as usize],
        }
    }

    /// Takes over an answer; false if it is the current one.
    pub(crate) fn set_answer(&mut self, answer: Answer) -> bool {
        if answer == *self.answer() {
            return false;
        }
        let (first, later) = &mut self.answers;
        let mut all = std::iter::once(&*first).chain(later.iter());
        let number = all.position(|known| *known == answer).unwrap_or_else(|| {
            later.push(answer);
            later.len()
        });
        self.current = u32::try_from(number).expect("fewer than 2^32 answers");
        true
    }
}

impl<C: Compiler> Graph<C> {
    /// The record of a question, asked now if it is new.
    pub(crate) fn call(&mut self, shared: &Shared<C>, key: CallKey) -> CallId {
        if let Some(id) = self.call_ix.get(&key) {
            return *id;
        }
        // A record whose question was dropped is used again, with its place in the database.
        let free = self.free_calls.pop();
        let (call, answer) = match &mut self.answers {
            Some(answers) => {
                let answers = answers.get_mut();
                let free = free.and_then(|id| self.calls[id.ix()].call);
                let call = match free {
                    Some(call) => answers.change(call, key),
                    None => answers.call(key),
                };
                let answer = answers.get(call).clone();
                (Some(call), answer)
            }
            None => (None, shared.definitions.read().answer(&key, self.world)),
        };
        self.record(shared, key, call, answer, free)
    }

    /// The record of a question with an answer that is known.
    pub(crate) fn call_with(&mut self, shared: &Shared<C>, key: CallKey, answer: Answer) -> CallId {
        if let Some(id) = self.call_ix.get(&key) {
            return *id;
        }
        self.record(shared, key, None, answer, None)
    }

    /// Records a new question, in the place of a free record if there is one.
    fn record(
        &mut self,
        shared: &Shared<C>,
        key: CallKey,
        call: Option<Call>,
        answer: Answer,
        free: Option<CallId>,
    ) -> CallId {
        let record = CallRecord {
            key,
            call,
            answers: (answer, ThinVec::new()),
            current: 0,
            readers: SmallVec::new(),
            since: self.world,
        };
        let mut free: Vec<CallId> = free.into_iter().collect();
        let id = CallId(place(&mut self.calls, &mut free, record, |id| id.0));
        self.call_ix.insert(key, id);
        if self.answers.is_some() {
            let asked = self.asked.entry(key.function).or_default();
            match key.question {
                Question::Overlaid | Question::Defined => asked.flags.push(id),
                _ => asked.index.insert(&shared.types, key.args, id.0),
            }
        }
        id
    }

    /// Takes a question out of the indices; false if it is not there.
    pub(crate) fn forget_call(&mut self, shared: &Shared<C>, id: CallId) -> bool {
        let key = self.calls[id.ix()].key;
        if self.call_ix.get(&key) != Some(&id) {
            return false;
        }
        self.call_ix.remove(&key);
        self.answer_changed.remove(&id);
        if let Some(asked) = self.asked.get_mut(&key.function) {
            match key.question {
                Question::Overlaid | Question::Defined => asked.flags.retain(|flag| *flag != id),
                _ => drop(asked.index.remove(&shared.types, key.args, id.0)),
            }
        }
        true
    }
}
