//! Values of Wir as the host holds them: what an engine is given and what it gives back, and how
//! they are printed.
//!
//! Structs, tuples and strings are immutable and shared; arrays are references, so a clone of an
//! array is the same array. Every value knows its exact type.
//!
//! Invariant: dropping, comparing and printing do not overflow the host's stack, however deep
//! values nest.

mod array;
mod print;
mod record;

pub(crate) use array::WeakArray;
pub use array::{ArrayRef, Elems};
pub use print::Shown;
pub use record::{Parts, Record};

use crate::prim::{Scalar, ScalarValue};
use crate::universe::Universe;
use std::cell::Cell;
use std::sync::Arc;
use worldage_dispatch::{Symbol, Ty};

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// `nothing`
    Nothing,
    /// A number or a Bool.
    Scalar(ScalarValue),
    /// A string.
    Str(Arc<str>),
    /// A generic function, by name.
    Function(Symbol),
    /// A struct.
    Struct(Record),
    /// A tuple.
    Tuple(Record),
    /// An array.
    Array(ArrayRef),
}

impl Value {
    /// An Int64.
    #[must_use]
    pub const fn int(x: i64) -> Value {
        Value::Scalar(ScalarValue::I64(x))
    }

    /// A Float64.
    #[must_use]
    pub const fn float(x: f64) -> Value {
        Value::Scalar(ScalarValue::F64(x))
    }

    /// A Bool.
    #[must_use]
    pub const fn bool(x: bool) -> Value {
        Value::Scalar(ScalarValue::Bool(x))
    }

    /// A string.
    #[must_use]
    pub fn str(s: &str) -> Value {
        Value::Str(s.into())
    }

    /// A tuple of values, typed by them.
    #[must_use]
    pub fn tuple(u: &Universe, values: Vec<Value>) -> Value {
        let tys: Vec<Ty> = values.iter().map(|value| value.ty(u)).collect();
        Value::Tuple(Record::new(u.types().tuple(&tys), values))
    }

    /// A struct of a closed struct type; the values must be of its field types.
    #[must_use]
    pub fn record(ty: Ty, values: Vec<Value>) -> Value {
        Value::Struct(Record::new(ty, values))
    }

    /// Its exact type.
    #[must_use]
    pub fn ty(&self, u: &Universe) -> Ty {
        match self {
            Value::Nothing => u.prelude().nothing,
            Value::Scalar(x) => u.scalar_ty(x.scalar()),
            Value::Str(_) => u.prelude().string,
            Value::Function(name) => u.function_ty(*name),
            Value::Struct(record) | Value::Tuple(record) => record.ty(),
            Value::Array(array) => array.ty(),
        }
    }

    /// The scalar, if it is one.
    #[must_use]
    pub fn as_scalar(&self) -> Option<ScalarValue> {
        match self {
            Value::Scalar(x) => Some(*x),
            _ => None,
        }
    }

    /// The scalars that it holds: itself, or the elements of an array that are scalars.
    #[must_use]
    pub fn scalars(&self) -> Vec<ScalarValue> {
        match self {
            Value::Scalar(x) => vec![*x],
            Value::Array(array) => {
                let elems = array.elems();
                let all = (0..elems.len()).filter_map(|ix| elems.get(ix)?.as_scalar());
                all.collect()
            }
            _ => Vec::new(),
        }
    }

    /// The truth value of a Bool.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Scalar(ScalarValue::Bool(x)) => Some(*x),
            _ => None,
        }
    }

    /// The number, if it is of an integer type.
    #[must_use]
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Value::Scalar(x) if x.scalar() != Scalar::Bool => x.as_int(),
            _ => None,
        }
    }

    /// The all-zero value of a type; `None` if it has none (see [`Universe::has_zero`]).
    #[must_use]
    pub fn zero(u: &Universe, ty: Ty) -> Option<Value> {
        if let Some(scalar) = u.scalar_of(ty) {
            return Some(Value::Scalar(ScalarValue::zero(scalar)));
        }
        if ty == u.prelude().nothing {
            return Some(Value::Nothing);
        }
        if let Some(function) = u.function_of(ty) {
            return Some(Value::Function(function));
        }
        let fields = u.fields(ty)?;
        let values: Option<Vec<Value>> = fields.tys.iter().map(|ty| Value::zero(u, *ty)).collect();
        let record = Record::new(ty, values?);
        Some(match fields.info {
            Some(_) => Value::Struct(record),
            None => Value::Tuple(record),
        })
    }

    /// Whether it owns values that may own values.
    fn nests(&self) -> bool {
        matches!(self, Value::Struct(_) | Value::Tuple(_) | Value::Array(_))
    }

    /// As it is shown after `=>` and inside of other values: strings quoted.
    pub fn show<'a>(&'a self, u: &'a Universe) -> Shown<'a> {
        Shown::quoted(u, self)
    }

    /// As `print` writes it: a string bare.
    pub fn print<'a>(&'a self, u: &'a Universe) -> Shown<'a> {
        Shown::bare(u, self)
    }
}

impl From<ScalarValue> for Value {
    fn from(x: ScalarValue) -> Value {
        Value::Scalar(x)
    }
}

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// The bytes of arrays, structs and tuples that this thread has made and not dropped. A value that
/// another thread drops shifts the count: measure differences, over one call.
#[must_use]
pub fn live_bytes() -> i64 {
    LIVE.with(Cell::get)
}

fn count_bytes(bytes: i64) {
    // At a thread's end the counter is gone, and nobody asks for it.
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
}

/// Drops values that may own others, without recursion.
fn drop_all(mut work: Vec<Value>) {
    while let Some(value) = work.pop() {
        match value {
            Value::Struct(mut record) | Value::Tuple(mut record) => record.take_nested(&mut work),
            Value::Array(mut array) => array.take_nested(&mut work),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
