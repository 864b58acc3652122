//! Structs and tuples: an exact type and the values of the fields.

use super::{Value, count_bytes, drop_all};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use worldage_dispatch::Ty;

/// The contents of a struct or a tuple.
#[derive(Clone)]
pub struct Record {
    ty: Ty,
    parts: Parts,
}

/// The values of the fields in order.
#[derive(Clone)]
pub struct Parts(Arc<[Value]>);

impl Record {
    /// From an exact type and values of its field types.
    #[must_use]
    pub fn new(ty: Ty, values: Vec<Value>) -> Record {
        let parts = Parts(values.into());
        count_bytes(parts.bytes());
        Record { ty, parts }
    }

    /// The exact type.
    #[must_use]
    pub fn ty(&self) -> Ty {
        self.ty
    }

    /// The values of the fields.
    #[must_use]
    pub fn parts(&self) -> &[Value] {
        &self.parts.0
    }

    pub(super) fn take_nested(&mut self, work: &mut Vec<Value>) {
        if let Some(values) = Arc::get_mut(&mut self.parts.0) {
            take_nested(values, work);
        }
    }
}

/// Moves the values that own others out.
pub(super) fn take_nested(values: &mut [Value], work: &mut Vec<Value>) {
    for value in values {
        if value.nests() {
            work.push(std::mem::replace(value, Value::Nothing));
        }
    }
}

impl Parts {
    fn bytes(&self) -> i64 {
        let bytes = 16 + size_of_val::<[Value]>(&self.0);
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

impl Deref for Parts {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if Arc::strong_count(&self.0) > 1 {
            return;
        }
        count_bytes(-self.bytes());
        if !self.0.iter().any(Value::nests) {
            return;
        }
        if let Some(values) = Arc::get_mut(&mut self.0) {
            let mut work = Vec::new();
            take_nested(values, &mut work);
            drop_all(work);
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{:?}", self.ty, self.parts())
    }
}
