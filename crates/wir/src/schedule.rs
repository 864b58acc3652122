//! Tuning spaces and schedules: what the `tune` statements of a kernel let vary, and one choice of it.
//!
//! A schedule is a part of the shard that code is made for. Inference knows its values as constants,
//! so a kernel has one typed body for each schedule, and callees, which no schedule concerns, have one.

use crate::ast::{MethodDef, Name, StmtKind};
use crate::prim::ScalarValue;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;
use worldage_engine::portable;

/// The most schedules that a kernel may have: each is compiled.
pub const MAX_SCHEDULES: usize = 256;

/// A value of a tuning parameter.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// An Int64.
    Int(i64),
    /// A Float64; compared by bits.
    Float(f64),
    /// A Bool.
    Bool(bool),
}

impl Choice {
    /// The value.
    #[must_use]
    pub fn value(self) -> ScalarValue {
        match self {
            Choice::Int(x) => ScalarValue::I64(x),
            Choice::Float(x) => ScalarValue::F64(x),
            Choice::Bool(x) => ScalarValue::Bool(x),
        }
    }

    /// The name of its type.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        self.value().scalar().name()
    }

    /// Kind and bits: what tells one from another.
    fn bits(self) -> (u8, u64) {
        match self {
            Choice::Int(x) => (0, x.cast_unsigned()),
            Choice::Float(x) => (1, x.to_bits()),
            Choice::Bool(x) => (2, x.into()),
        }
    }
}

impl PartialEq for Choice {
    fn eq(&self, other: &Choice) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Choice {}

impl Hash for Choice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Int(x) => write!(f, "{x}"),
            Choice::Float(x) => write!(f, "{x:?}"),
            Choice::Bool(x) => write!(f, "{x}"),
        }
    }
}

/// A value for each tuning parameter: `block=64,unroll=2`. Without any: what code of a kernel
/// without a tuning space, and of everything else, is made for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule(Option<Arc<[(Name, Choice)]>>);

impl Schedule {
    /// Of values by name.
    #[must_use]
    pub fn new(values: Vec<(Name, Choice)>) -> Schedule {
        Schedule((!values.is_empty()).then(|| values.into()))
    }

    /// The values, in the order in which the kernel declares them.
    #[must_use]
    pub fn values(&self) -> &[(Name, Choice)] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Choice> {
        let found = self.values().iter().find(|(known, _)| &**known == name);
        found.map(|(_, value)| *value)
    }

    /// The choice for a parameter: the first one where the schedule gives it none of these.
    #[must_use]
    pub fn choose(&self, name: &str, choices: &[Choice]) -> Option<Choice> {
        let own = self.get(name).filter(|own| choices.contains(own));
        own.or(choices.first().copied())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (ix, (name, value)) in self.values().iter().enumerate() {
            let comma = if ix == 0 { "" } else { "," };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

/// A text that is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no value of a tuning parameter, such as block=64")]
pub struct NoSchedule(String);

/// ```
/// let schedule: worldage_wir::schedule::Schedule = "block=64,fast=true".parse().unwrap();
/// assert_eq!(schedule.to_string(), "block=64,fast=true");
/// assert!("block".parse::<worldage_wir::schedule::Schedule>().is_err());
/// ```
impl FromStr for Schedule {
    type Err = NoSchedule;

    fn from_str(text: &str) -> Result<Schedule, NoSchedule> {
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        let values = parts.map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((Name::from(name.trim()), choice(value.trim())?))
        });
        let values: Option<Vec<_>> = values.collect();
        let values = values.ok_or_else(|| NoSchedule(text.to_string()))?;
        Ok(Schedule::new(values))
    }
}

fn choice(text: &str) -> Option<Choice> {
    let int = || text.parse().ok().map(Choice::Int);
    let bool = || text.parse().ok().map(Choice::Bool);
    let float = || text.parse().ok().map(Choice::Float);
    int().or_else(bool).or_else(float)
}

/// The tuning parameters of a kernel, each with its choices, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space(Vec<(Name, Vec<Choice>)>);

impl Space {
    /// What a method declares; the parser has checked it.
    #[must_use]
    pub fn of(def: &MethodDef) -> Space {
        let stmts = def.body.stmts.iter().filter(|_| def.kernel);
        Space(
            stmts
                .filter_map(|stmt| match &stmt.kind {
                    StmtKind::Tune(name, choices) => Some((name.clone(), choices.clone())),
                    _ => None,
                })
                .collect(),
        )
    }

    /// The parameters and their choices.
    #[must_use]
    pub fn parameters(&self) -> &[(Name, Vec<Choice>)] {
        &self.0
    }

    /// How many schedules there are; one without values where nothing varies.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, choices)| choices.len()).product()
    }

    /// Whether nothing varies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The n-th schedule: the last parameter varies fastest, and the first schedule has the first
    /// choice of each.
    #[must_use]
    pub fn schedule(&self, n: usize) -> Schedule {
        let mut rest = n;
        let mut values: Vec<(Name, Choice)> = Vec::with_capacity(self.0.len());
        for (name, choices) in self.0.iter().rev() {
            values.push((name.clone(), choices[rest % choices.len()]));
            rest /= choices.len();
        }
        values.reverse();
        Schedule::new(values)
    }

    /// All schedules, in their order.
    pub fn schedules(&self) -> impl Iterator<Item = Schedule> {
        (0..self.len()).map(|n| self.schedule(n))
    }

    /// The number of the schedule that a shard's schedule means here.
    #[must_use]
    pub fn number(&self, schedule: &Schedule) -> usize {
        self.0.iter().fold(0, |number, (name, choices)| {
            let own = schedule.choose(name, choices);
            let at = choices.iter().position(|choice| Some(*choice) == own);
            number * choices.len() + at.unwrap_or(0)
        })
    }
}

impl worldage_engine::persist::Portable for Choice {
    fn write(&self, w: &mut worldage_engine::persist::Writer<'_>) {
        let (kind, bits) = self.bits();
        w.byte(kind);
        bits.write(w);
    }

    fn read(
        r: &mut worldage_engine::persist::Reader<'_>,
    ) -> Result<Choice, worldage_engine::persist::Malformed> {
        let kind = r.byte()?;
        let bits = u64::read(r)?;
        match kind {
            0 => Ok(Choice::Int(bits.cast_signed())),
            1 => Ok(Choice::Float(f64::from_bits(bits))),
            2 => Ok(Choice::Bool(bits != 0)),
            _ => Err(worldage_engine::persist::Malformed("no such choice")),
        }
    }
}

portable!(newtype Space);

#[cfg(test)]
mod tests {
    use super::{Choice, Schedule, Space};

    fn space() -> Space {
        Space(vec![
            ("block".into(), vec![Choice::Int(64), Choice::Int(128)]),
            (
                "mode".into(),
                vec![
                    Choice::Bool(true),
                    Choice::Bool(false),
                    Choice::Float(f64::NAN),
                ],
            ),
        ])
    }

    #[test]
    fn every_schedule_has_its_number() {
        let space = space();
        assert_eq!(space.len(), 6);
        for (number, schedule) in space.schedules().enumerate() {
            assert_eq!(space.number(&schedule), number, "{schedule}");
        }
        assert_eq!(space.schedule(0).to_string(), "block=64,mode=true");
        assert_eq!(space.schedule(4).to_string(), "block=128,mode=false");
    }

    #[test]
    fn what_a_schedule_does_not_say_is_the_first_choice() {
        let space = space();
        assert_eq!(space.number(&Schedule::default()), 0);
        assert_eq!(space.number(&"block=128".parse().unwrap()), 3);
        assert_eq!(space.number(&"block=5,mode=false".parse().unwrap()), 1);
        // Nothing varies: there is one schedule, and it has no values.
        let none: Vec<Schedule> = Space::default().schedules().collect();
        assert_eq!(none, [Schedule::default()]);
    }
}
