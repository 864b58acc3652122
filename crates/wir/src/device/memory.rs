//! Values to what a kernel is given, and back.
//!
//! Scalars lie in memory as the device wants them: little-endian, a Bool as one byte.

use super::{Elem, Leaf};
use crate::prim::{Scalar, ScalarValue};
use crate::universe::Universe;
use crate::value::{ArrayRef, Elems, Record, Value};

/// The arguments of a launch are not those of its kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArgumentError(pub String);

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
    pub arrays: Vec<(ArrayRef, Elem)>,
}

impl Args {
    /// Takes values apart.
    ///
    /// # Errors
    /// If they are not what the kernel takes.
    pub fn new(values: &[Value], leaves: &[Vec<Leaf>]) -> Result<Args, ArgumentError> {
        let mut args = Args::default();
        if values.len() != leaves.len() {
            let message = format!("{} arguments for {} parameters", values.len(), leaves.len());
            return Err(ArgumentError(message));
        }
        for (value, leaves) in values.iter().zip(leaves) {
            let mut leaves = leaves.iter();
            args.take(value, &mut leaves)?;
        }
        Ok(args)
    }

    fn take<'l>(
        &mut self,
        value: &Value,
        leaves: &mut impl Iterator<Item = &'l Leaf>,
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
                    self.take(part, leaves)?;
                }
            }
            Value::Array(array) => {
                let Some(Leaf::Array(elem)) = leaves.next() else {
                    return Err(wrong());
                };
                let known = self.arrays.iter().position(|(other, _)| other.is(array));
                let ix = known.unwrap_or_else(|| {
                    self.arrays.push((array.clone(), elem.clone()));
                    self.arrays.len() - 1
                });
                let length = i64::try_from(array.len()).map_err(|_| wrong())?;
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

macro_rules! each_scalar {
    ($elems:expr, $xs:ident => $do:expr, $values:ident => $other:expr) => {
        match $elems {
            Elems::I8($xs) => $do,
            Elems::I16($xs) => $do,
            Elems::I32($xs) => $do,
            Elems::I64($xs) => $do,
            Elems::U8($xs) => $do,
            Elems::U16($xs) => $do,
            Elems::U32($xs) => $do,
            Elems::U64($xs) => $do,
            Elems::F32($xs) => $do,
            Elems::F64($xs) => $do,
            $values => $other,
        }
    };
}

/// The bytes of an array.
pub fn to_bytes(array: &ArrayRef, elem: &Elem) -> Vec<u8> {
    let elems = array.elems();
    let mut bytes = Vec::new();
    each_scalar!(&*elems, xs => LittleEndian::write_all(xs, &mut bytes), other => {
        for ix in 0..other.len() {
            let start = bytes.len();
            bytes.resize(start + elem.size, 0);
            let mut scalars = Vec::new();
            if let Some(value) = other.get(ix) {
                scalars_of(&value, &mut scalars);
            }
            for (x, (scalar, at)) in scalars.iter().zip(&elem.fields) {
                let from = &x.to_bits().to_le_bytes()[..scalar.bytes()];
                bytes[start + at..start + at + from.len()].copy_from_slice(from);
            }
        }
    });
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

/// An array like another one, with these bytes.
pub fn from_bytes(u: &Universe, like: &ArrayRef, elem: &Elem, bytes: &[u8]) -> Option<Value> {
    let length = like.len();
    let mut elems = match u.scalar_of(elem.ty) {
        Some(scalar) => Elems::scalars(scalar, length)?,
        None => like.elems().clone(),
    };
    each_scalar!(&mut elems, xs => LittleEndian::read_all(xs, bytes), other => {
        for (ix, from) in bytes.chunks_exact(elem.size).take(length).enumerate() {
            let mut fields = elem.fields.iter().map(|(scalar, at)| {
                let mut bits = [0; 8];
                bits[..scalar.bytes()].copy_from_slice(&from[*at..at + scalar.bytes()]);
                let bits = u64::from_le_bytes(bits);
                match scalar {
                    Scalar::Bool => ScalarValue::Bool(bits != 0),
                    _ => ScalarValue::from_bits(*scalar, bits),
                }
            });
            if let Some(old) = other.get(ix) {
                let new = rebuild(&old, &mut fields);
                other.set(ix, new);
            }
        }
    });
    Some(Value::Array(ArrayRef::new(like.ty(), elem.ty, elems)))
}

/// Whole arrays at once: on a little-endian host this is a copy of memory.
trait LittleEndian: Sized {
    fn write_all(xs: &[Self], bytes: &mut Vec<u8>);
    fn read_all(xs: &mut [Self], bytes: &[u8]);
}

macro_rules! little_endian {
    ($($t:ty)*) => {
        $(impl LittleEndian for $t {
            fn write_all(xs: &[$t], bytes: &mut Vec<u8>) {
                bytes.resize(size_of_val(xs), 0);
                let (words, _) = bytes.as_chunks_mut();
                for (word, x) in words.iter_mut().zip(xs) {
                    *word = x.to_le_bytes();
                }
            }

            fn read_all(xs: &mut [$t], bytes: &[u8]) {
                let (words, _) = bytes.as_chunks();
                for (x, word) in xs.iter_mut().zip(words) {
                    *x = <$t>::from_le_bytes(*word);
                }
            }
        })*
    };
}

little_endian!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

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

/// The values with their arrays as they are afterwards.
pub fn after(values: &[Value], args: &Args, arrays: &[Option<Value>]) -> Vec<Value> {
    let new = |array: &ArrayRef| {
        let ix = args.arrays.iter().position(|(known, _)| known.is(array));
        let new = ix.and_then(|ix| arrays[ix].clone());
        new.unwrap_or_else(|| Value::Array(array.clone()))
    };
    values
        .iter()
        .map(|value| replace_arrays(value, &new))
        .collect()
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
