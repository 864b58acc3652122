//! Values to what a kernel is given, and back.
//!
//! Scalars lie in memory as the device wants them: little-endian, a Bool as one byte.

use super::{Elem, Fault, Leaf};
use crate::prim::{Scalar, ScalarValue};
use crate::universe::Universe;
use crate::value::{ArrayRef, Elems, Record, Value};
use std::time::Duration;
use zerocopy::IntoBytes;

/// The arguments of a launch are not those of its kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArgumentError(pub String);

/// What a launch did.
#[derive(Debug)]
pub struct Launched {
    /// The arguments as they are afterwards.
    pub args: Vec<Value>,
    /// The first work-item that failed, if one did.
    pub fault: Option<Fault>,
    /// How long the kernel ran.
    pub took: Duration,
}

/// One argument of a kernel in C.
#[derive(Clone, Debug)]
pub enum Arg {
    /// A number.
    Scalar(ScalarValue),
    /// A buffer, an index into [`Args::arrays`], and how many elements it has.
    Array(usize, i64),
}

/// The arguments of a launch.
#[derive(Debug, Default)]
pub struct Args {
    /// In order, structs taken apart.
    pub args: Vec<Arg>,
    /// Different arrays, each once.
    pub arrays: Vec<Passed>,
}

/// An array that a launch is given.
#[derive(Clone, Debug)]
pub struct Passed {
    array: ArrayRef,
    elem: Elem,
    length: usize,
    /// Whether the kernel may write it through one of its parameters.
    is_written: bool,
}

impl Args {
    /// Takes values apart. `written` says of each array among the leaves whether the kernel may
    /// write it; one that it does not name may be written.
    ///
    /// # Errors
    /// If they are not what the kernel takes.
    pub fn new(
        values: &[Value],
        leaves: &[Vec<Leaf>],
        written: &[bool],
    ) -> Result<Args, ArgumentError> {
        let mut args = Args::default();
        let mut written = written.iter().copied();
        if values.len() != leaves.len() {
            let message = format!("{} arguments for {} parameters", values.len(), leaves.len());
            return Err(ArgumentError(message));
        }
        for (value, leaves) in values.iter().zip(leaves) {
            let mut leaves = leaves.iter();
            args.take(value, &mut leaves, &mut written)?;
        }
        Ok(args)
    }

    fn take<'l>(
        &mut self,
        value: &Value,
        leaves: &mut impl Iterator<Item = &'l Leaf>,
        written: &mut impl Iterator<Item = bool>,
    ) -> Result<(), ArgumentError> {
        match value {
            Value::Nothing | Value::Function(_) => {}
            Value::Scalar(x) => match leaves.next() {
                Some(Leaf::Scalar(scalar)) if *scalar == x.scalar() => {
                    self.args.push(Arg::Scalar(*x));
                }
                _ => return Err(wrong()),
            },
            Value::Struct(record) | Value::Tuple(record) => {
                for part in record.parts() {
                    self.take(part, leaves, written)?;
                }
            }
            Value::Array(array) => {
                let Some(Leaf::Array(elem)) = leaves.next() else {
                    return Err(wrong());
                };
                let known = self.arrays.iter().position(|known| known.array.is(array));
                let ix = known.unwrap_or_else(|| {
                    self.arrays.push(Passed {
                        array: array.clone(),
                        elem: elem.clone(),
                        length: array.len(),
                        is_written: false,
                    });
                    self.arrays.len() - 1
                });
                let passed = &mut self.arrays[ix];
                passed.is_written |= written.next().unwrap_or(true);
                let length = i64::try_from(passed.length).map_err(|_| wrong())?;
                self.args.push(Arg::Array(ix, length));
            }
            Value::Str(_) => return Err(wrong()),
        }
        Ok(())
    }
}

fn wrong() -> ArgumentError {
    ArgumentError("an argument is not of its parameter's type".to_string())
}

/// The elements as they lie in memory, if that is how a device wants them: numbers, where the low
/// byte comes first.
macro_rules! plain {
    ($elems:expr, $bytes:ident) => {
        match $elems {
            _ if cfg!(target_endian = "big") => None,
            Elems::I8(xs) => Some(xs.$bytes()),
            Elems::I16(xs) => Some(xs.$bytes()),
            Elems::I32(xs) => Some(xs.$bytes()),
            Elems::I64(xs) => Some(xs.$bytes()),
            Elems::U8(xs) => Some(xs.$bytes()),
            Elems::U16(xs) => Some(xs.$bytes()),
            Elems::U32(xs) => Some(xs.$bytes()),
            Elems::U64(xs) => Some(xs.$bytes()),
            Elems::F32(xs) => Some(xs.$bytes()),
            Elems::F64(xs) => Some(xs.$bytes()),
            Elems::Bool(_) | Elems::Values(_) => None,
        }
    };
}

impl Args {
    /// Makes a buffer of the bytes of each array, in order. Arrays of numbers are not copied on the
    /// way.
    ///
    /// # Errors
    /// Those of `buffer`.
    pub fn upload<B, E>(&self, mut buffer: impl FnMut(&[u8]) -> Result<B, E>) -> Result<Vec<B>, E> {
        let each = self.arrays.iter();
        each.map(|Passed { array, elem, .. }| {
            let elems = array.elems();
            match plain!(&*elems, as_bytes) {
                Some(bytes) => buffer(bytes),
                None => buffer(&to_bytes(&elems, elem)),
            }
        })
        .collect()
    }

    /// The values of the launch with their arrays as they are in the buffers, which are those of
    /// [`Args::upload`]. An array that the kernel does not write is not read: it is the one that
    /// was given.
    ///
    /// `read` may only begin to copy into the bytes: all of them are kept, and nothing else is done
    /// with them, until `wait` has returned, which is called also when a `read` fails.
    ///
    /// # Errors
    /// Those of `read` and `wait`.
    pub fn download<B, E>(
        &self,
        u: &Universe,
        values: &[Value],
        buffers: &[B],
        mut read: impl FnMut(&B, &mut [u8]) -> Result<(), E>,
        wait: impl FnOnce() -> Result<(), E>,
    ) -> Result<Vec<Value>, E> {
        let each = self.arrays.iter();
        let mut places: Vec<Option<Place>> = each
            .map(|passed| passed.is_written.then(|| Place::of(passed, u)))
            .collect();
        let mut begun = Ok(());
        for (place, buffer) in places.iter_mut().zip(buffers) {
            if let (Ok(()), Some(place)) = (&begun, place) {
                begun = read(buffer, place.bytes());
            }
        }
        let waited = wait();
        begun.and(waited)?;
        let each = self.arrays.iter().zip(places);
        let arrays: Vec<Value> = each
            .map(|(passed, place)| match place {
                None => Value::Array(passed.array.clone()),
                Some(place) => place.finish(passed),
            })
            .collect();
        let new = |array: &ArrayRef| {
            let ix = self.arrays.iter().position(|known| known.array.is(array));
            ix.map_or_else(|| Value::Array(array.clone()), |ix| arrays[ix].clone())
        };
        let after = values.iter().map(|value| replace_arrays(value, &new));
        Ok(after.collect())
    }
}

/// Where the contents of a buffer are copied to.
struct Place {
    elems: Elems,
    /// As the device has them, where `elems` are otherwise.
    bytes: Vec<u8>,
}

impl Place {
    fn of(passed: &Passed, u: &Universe) -> Place {
        let (elem, length) = (&passed.elem, passed.length);
        let scalar = u.scalar_of(elem.ty);
        let fresh = scalar.and_then(|scalar| Elems::scalars(scalar, length));
        let mut elems = fresh.unwrap_or_else(|| passed.array.elems().clone());
        let bytes = match plain!(&mut elems, as_mut_bytes) {
            Some(_) => Vec::new(),
            None => vec![0; length * elem.size],
        };
        Place { elems, bytes }
    }

    fn bytes(&mut self) -> &mut [u8] {
        match plain!(&mut self.elems, as_mut_bytes) {
            Some(bytes) => bytes,
            None => &mut self.bytes,
        }
    }

    fn finish(mut self, passed: &Passed) -> Value {
        let Passed { array, elem, .. } = passed;
        if plain!(&self.elems, as_bytes).is_none() {
            from_bytes(&mut self.elems, elem, &self.bytes);
        }
        Value::Array(ArrayRef::new(array.ty(), elem.ty, self.elems))
    }
}

/// The bytes of elements, written one by one.
fn to_bytes(elems: &Elems, elem: &Elem) -> Vec<u8> {
    let mut bytes = vec![0; elems.len() * elem.size];
    for ix in 0..elems.len() {
        let start = ix * elem.size;
        let mut scalars = Vec::new();
        if let Some(value) = elems.get(ix) {
            scalars_of(&value, &mut scalars);
        }
        for (x, (scalar, at)) in scalars.iter().zip(&elem.fields) {
            let from = &x.to_bits().to_le_bytes()[..scalar.bytes()];
            bytes[start + at..start + at + from.len()].copy_from_slice(from);
        }
    }
    bytes
}

fn scalars_of(value: &Value, all: &mut Vec<ScalarValue>) {
    match value {
        Value::Scalar(x) => all.push(*x),
        Value::Struct(record) | Value::Tuple(record) => {
            for part in record.parts() {
                scalars_of(part, all);
            }
        }
        _ => {}
    }
}

/// Writes elements from their bytes, one by one.
fn from_bytes(elems: &mut Elems, elem: &Elem, bytes: &[u8]) {
    if elem.size == 0 {
        return;
    }
    for (ix, from) in bytes.chunks_exact(elem.size).enumerate() {
        let mut fields = elem.fields.iter().map(|(scalar, at)| {
            let mut bits = [0; 8];
            bits[..scalar.bytes()].copy_from_slice(&from[*at..at + scalar.bytes()]);
            let bits = u64::from_le_bytes(bits);
            match scalar {
                Scalar::Bool => ScalarValue::Bool(bits != 0),
                _ => ScalarValue::from_bits(*scalar, bits),
            }
        });
        if let Some(old) = elems.get(ix) {
            let new = rebuild(&old, &mut fields);
            elems.set(ix, new);
        }
    }
}

/// A value of the same shape with other scalars.
fn rebuild(old: &Value, scalars: &mut impl Iterator<Item = ScalarValue>) -> Value {
    match old {
        Value::Scalar(x) => Value::Scalar(scalars.next().unwrap_or(*x)),
        Value::Struct(record) => {
            let parts = record.parts().iter().map(|part| rebuild(part, scalars));
            Value::record(record.ty(), parts.collect())
        }
        Value::Tuple(record) => {
            let parts = record.parts().iter().map(|part| rebuild(part, scalars));
            Value::Tuple(Record::new(record.ty(), parts.collect()))
        }
        other => other.clone(),
    }
}

/// The values with their arrays replaced.
fn replace_arrays(value: &Value, new: &dyn Fn(&ArrayRef) -> Value) -> Value {
    match value {
        Value::Array(array) => new(array),
        Value::Struct(record) => {
            let parts = record.parts().iter().map(|part| replace_arrays(part, new));
            Value::record(record.ty(), parts.collect())
        }
        Value::Tuple(record) => {
            let parts = record.parts().iter().map(|part| replace_arrays(part, new));
            Value::Tuple(Record::new(record.ty(), parts.collect()))
        }
        other => other.clone(),
    }
}
