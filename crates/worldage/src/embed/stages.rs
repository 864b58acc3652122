//! What ran: the stages since somebody asked last, as counters and in words.

use std::collections::BTreeSet;
use std::fmt;
use worldage_engine::events::Origin;
use worldage_engine::{Compiler, Engine, Stage, StageEvent};

/// In pipeline order.
const STAGES: [Stage; 3] = [Stage::Infer, Stage::Codegen, Stage::Link];

/// The stages that ran, by stage and instance.
///
/// Printed as one line per stage, the names sorted: `infer    f(Int64) g(Int64)`; `stored:` stands
/// before those whose result came from the store.
///
/// ```
/// # use worldage::embed::{example::{Sum, Sums}, *};
/// # let session = Session::new(Sums);
/// # session.edit(|e| {
/// #     e.define("one", &[], Sum::Number(1))?;
/// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
/// # })?;
/// session.call("one", &[], |value| **value)?;
/// assert_eq!(session.take_stages().to_string(), "infer    one()\ncodegen  one()\nlink     one()\n");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// By stage in pipeline order, the instances by name; stages that did not run are left out.
    pub names: Vec<(Stage, Vec<String>)>,
    /// The events in the order in which they ended.
    pub events: Vec<StageEvent>,
}

impl Stages {
    pub(super) fn of<C: Compiler>(engine: &Engine<C>, events: Vec<StageEvent>) -> Stages {
        let named = |stage: Stage| {
            let of_stage = events.iter().filter(|event| event.stage == stage);
            let mut names: Vec<(String, bool)> = of_stage
                .map(|event| (engine.name(event.mi), event.origin == Origin::Stored))
                .collect();
            // What ran after all is not listed as stored too.
            names.sort();
            names.dedup_by(|later, earlier| later.0 == earlier.0);
            let shown = |(name, stored)| match stored {
                true => format!("stored:{name}"),
                false => name,
            };
            (stage, names.into_iter().map(shown).collect::<Vec<_>>())
        };
        let names = STAGES.map(named);
        let names = names.into_iter().filter(|(_, names)| !names.is_empty());
        Stages {
            names: names.collect(),
            events,
        }
    }

    /// Stages to compare with those that ran: the names of the instances of infer, codegen and
    /// link, without events.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.call("two", &[], |value| **value)?;
    /// let expected = Stages::of_names([&["two()", "one()"][..], &["two()"], &["two()"]]);
    /// assert_eq!(session.take_stages().names, expected.names);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn of_names<N: ToString>(names: [impl IntoIterator<Item = N>; 3]) -> Stages {
        let sorted = |names: BTreeSet<String>| names.into_iter().collect();
        let names = names.map(|names| sorted(names.into_iter().map(|n| n.to_string()).collect()));
        let names = STAGES.into_iter().zip::<[Vec<String>; 3]>(names);
        Stages {
            names: names.filter(|(_, names)| !names.is_empty()).collect(),
            events: Vec::new(),
        }
    }

    /// How often a stage ran; results that came from the store do not count.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.call("two", &[], |value| **value)?;
    /// assert_eq!(session.take_stages().ran(Stage::Infer), 2);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn ran(&self, stage: Stage) -> usize {
        let ran = |event: &&StageEvent| event.stage == stage && event.origin == Origin::Ran;
        self.events.iter().filter(ran).count()
    }

    /// How often infer, codegen and link ran.
    ///
    /// ```
    /// # use worldage::embed::{example::{Sum, Sums}, *};
    /// # let session = Session::new(Sums);
    /// # session.edit(|e| {
    /// #     e.define("one", &[], Sum::Number(1))?;
    /// #     e.define("two", &[], Sum::Of(vec!["one", "one"]))
    /// # })?;
    /// session.call("two", &[], |value| **value)?;
    /// assert_eq!(session.take_stages().counts(), [2, 1, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        STAGES.map(|stage| self.ran(stage))
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (stage, names) in &self.names {
            writeln!(f, "{stage:<8} {}", names.join(" "))?;
        }
        Ok(())
    }
}
