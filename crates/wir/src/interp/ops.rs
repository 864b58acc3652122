//! Built-in operations: recipes, indexing, arrays, printing, what a lone work-item sees of a grid.

use super::call::Run;
use super::machine::{Args, Interp};
use crate::builtins::{Operand, Recipe, Step, promote};
use crate::diag::Code;
use crate::error::{RunError, Site};
use crate::ir::{Atomic, Const, GridQuery};
use crate::prim::{Prim, PrimError, Scalar, ScalarValue};
use crate::value::{ArrayRef, Elems, Value};
use smallvec::{SmallVec, smallvec};
use worldage_dispatch::Ty;

type Scalars = SmallVec<[ScalarValue; 4]>;

impl Interp<'_> {
    /// Runs a built-in function.
    pub(super) fn builtin(&mut self, recipe: &Recipe, mut args: Args) -> Run {
        match recipe {
            Recipe::Scalar {
                casts,
                swap,
                op,
                negate,
            } => {
                let result = scalar(&scalars(&args), casts, *swap, *op, *negate);
                result
                    .map(Value::Scalar)
                    .map_err(|error| self.prim_error(error))
            }
            Recipe::Steps(steps) => {
                let result = run_steps(&scalars(&args), steps);
                result
                    .map(Value::Scalar)
                    .map_err(|error| self.prim_error(error))
            }
            Recipe::Identity => Ok(args.swap_remove(0)),
            Recipe::FieldsEq { negate } => {
                let equal = self.fields_equal(&args[0], &args[1])?;
                Ok(Value::bool(equal != *negate))
            }
            Recipe::Const(constant) => Ok(constant_value(constant)),
            Recipe::Via {
                function,
                swap,
                negate,
            } => {
                if *swap {
                    args.swap(0, 1);
                }
                let result = self.call_function(self.u.types().symbol(function), args)?;
                if !negate {
                    return Ok(result);
                }
                Ok(Value::bool(!self.truth(&result)?))
            }
            Recipe::StrEq { negate } => match (&args[0], &args[1]) {
                (Value::Str(a), Value::Str(b)) => Ok(Value::bool((a == b) != *negate)),
                _ => unreachable!("dispatched on two strings"),
            },
            Recipe::StrLen => match &args[0] {
                Value::Str(s) => Ok(length(s.len())),
                _ => unreachable!("dispatched on a string"),
            },
            Recipe::ArrayLen => match &args[0] {
                Value::Array(array) => Ok(length(array.len())),
                _ => unreachable!("dispatched on an array"),
            },
            Recipe::TupleLen(n) => Ok(Value::int(i64::from(*n))),
            Recipe::Print => {
                let shown: Vec<String> = args
                    .iter()
                    .map(|arg| arg.print(self.u).to_string())
                    .collect();
                (self.print)(&format!("{}\n", shown.join(" ")));
                Ok(Value::Nothing)
            }
            Recipe::Grid(query) => {
                let dimension = args[0].as_int().and_then(|d| i64::try_from(d).ok());
                Ok(Value::int(self.coordinate(*query, dimension.unwrap_or(-1))))
            }
            Recipe::Barrier => {
                if let Some(item) = &self.item {
                    item.wait();
                }
                Ok(Value::Nothing)
            }
            Recipe::Atomic(atomic) => self.atomic(*atomic, &args),
        }
    }

    fn truth(&self, value: &Value) -> Run<bool> {
        let bool = self.u.prelude().bool;
        let mismatch = || self.mismatch("the result of a comparison", bool, value.ty(self.u));
        value.as_bool().ok_or_else(mismatch)
    }

    /// `==` field by field, by the generic function.
    fn fields_equal(&mut self, a: &Value, b: &Value) -> Run<bool> {
        let (Value::Struct(a) | Value::Tuple(a), Value::Struct(b) | Value::Tuple(b)) = (a, b)
        else {
            unreachable!("dispatched on structs or tuples")
        };
        for (a, b) in a.parts().iter().zip(b.parts()) {
            let result = self.call_function(self.equal, smallvec![a.clone(), b.clone()])?;
            if !self.truth(&result)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn atomic(&mut self, atomic: Atomic, args: &Args) -> Run {
        let old = self.load(&args[0], &args[1])?;
        let new = match (atomic, &old, &args[2]) {
            (Atomic::Cas, Value::Scalar(x), Value::Scalar(expected)) => {
                (x == expected).then(|| args[3].clone())
            }
            (_, Value::Scalar(x), Value::Scalar(y)) => {
                let ty = x.scalar();
                let op = match atomic {
                    Atomic::Add => Prim::Add(ty),
                    Atomic::Min => Prim::Min(ty),
                    Atomic::Max | Atomic::Cas => Prim::Max(ty),
                };
                let result = op.eval(&[*x, *y]);
                Some(Value::Scalar(
                    result.map_err(|error| self.prim_error(error))?,
                ))
            }
            _ => unreachable!("dispatched on numbers"),
        };
        if let Some(new) = new {
            self.store(&args[0], &args[1], new)?;
        }
        Ok(old)
    }

    /// A place in something of a length.
    fn index(&self, index: &Value, length: usize) -> Run<usize> {
        let wrong = || self.mismatch("an index", self.u.prelude().integer, index.ty(self.u));
        let ix = index.as_int().ok_or_else(wrong)?;
        match usize::try_from(ix) {
            Ok(ix) if ix < length => Ok(ix),
            _ => Err(self.fail(
                Code::IndexOutOfBounds,
                &format!("index {ix} is out of bounds: there are {length} elements"),
            )),
        }
    }

    /// `xs[i]`
    pub(super) fn load(&self, object: &Value, index: &Value) -> Run {
        match object {
            Value::Array(array) => {
                let elems = array.elems();
                let ix = self.index(index, elems.len())?;
                elems.get(ix).ok_or_else(|| self.undefined_element(ix))
            }
            Value::Tuple(record) => {
                let ix = self.index(index, record.parts().len())?;
                Ok(record.parts()[ix].clone())
            }
            _ => Err(self.no_indexing(object, "indexed")),
        }
    }

    /// `xs[i] = v`
    pub(super) fn store(&self, object: &Value, index: &Value, value: Value) -> Run<()> {
        let Value::Array(array) = object else {
            return Err(self.no_indexing(object, "written by index"));
        };
        if index.as_int().is_none() {
            return Err(self.mismatch("an index", self.u.prelude().integer, index.ty(self.u)));
        }
        let (elem, ty) = (array.elem_ty(), value.ty(self.u));
        if ty != elem && !self.u.types().subtype(ty, elem) {
            return Err(self.mismatch("an element", elem, ty));
        }
        let mut elems = array.elems();
        let ix = self.index(index, elems.len())?;
        let replaced = elems.set(ix, value);
        // What was replaced may own arrays: drop it when this one is unlocked.
        drop(elems);
        drop(replaced);
        Ok(())
    }

    /// `array(T, n)`
    /// A coordinate of the work-item; a lone one is the whole grid.
    fn coordinate(&self, query: GridQuery, dimension: i64) -> i64 {
        match &self.item {
            Some(item) => item.coordinate(query, dimension),
            None => match query {
                GridQuery::GlobalId | GridQuery::LocalId | GridQuery::GroupId => 0,
                GridQuery::GlobalSize | GridQuery::LocalSize | GridQuery::NumGroups => 1,
            },
        }
    }

    /// `shared(T, n)`: one array for each place and group.
    pub(super) fn shared_array(&mut self, place: Option<Site>, elem: Ty, length: &Value) -> Run {
        let (Some(item), Some(place)) = (self.item.take(), place) else {
            return self.new_array(elem, length);
        };
        let shared = item.shared(place, || match self.new_array(elem, length)? {
            // The group holds it: no call of one item may reclaim it.
            Value::Array(array) => {
                self.arrays.forget(&array);
                Ok(array)
            }
            other => Err(self.mismatch("a shared array", elem, other.ty(self.u))),
        });
        self.item = Some(item);
        shared.map(Value::Array)
    }

    pub(super) fn new_array(&mut self, elem: Ty, length: &Value) -> Run {
        let int = self.u.prelude().integer;
        let wrong = || self.mismatch("a length", int, length.ty(self.u));
        let length = length.as_int().ok_or_else(wrong)?;
        let Ok(length) = usize::try_from(length) else {
            let message = format!("the length {length} is negative");
            return Err(self.fail(Code::InvalidArgument, &message));
        };
        let ty = self
            .u
            .array_ty(elem)
            .map_err(|error| self.bad_type(&error))?;
        let bytes = Elems::bytes_for(self.u, elem, length);
        self.reserve(bytes)?;
        match ArrayRef::zeroed(self.u, ty, elem, length) {
            Some(array) => {
                self.arrays.add(&array);
                Ok(Value::Array(array))
            }
            None => Err(self.out_of_memory(bytes)),
        }
    }

    /// `trunc(T, x)`
    pub(super) fn trunc_to(&self, ty: Ty, x: &Value) -> Run {
        let (Some(to), Some(value)) = (self.u.scalar_of(ty), x.as_scalar()) else {
            return Err(self.no_trunc(ty, x));
        };
        if to == Scalar::Bool || value.scalar() == Scalar::Bool {
            return Err(self.no_trunc(ty, x));
        }
        let result = Prim::TruncTo(value.scalar(), to).eval(&[value]);
        result
            .map(Value::Scalar)
            .map_err(|error| self.prim_error(error))
    }

    /// The number of one bound of a loop, and the type of the loop's variable (of that bound alone
    /// for the second).
    pub(super) fn bound(&self, first: &Value, last: &Value, which: usize) -> Run<(i128, Scalar)> {
        let scalar = |value: &Value| {
            let wrong = || {
                self.mismatch(
                    "a bound of `for`",
                    self.u.prelude().integer,
                    value.ty(self.u),
                )
            };
            let scalar = value.as_scalar().filter(|x| x.scalar().is_int());
            scalar.ok_or_else(wrong)
        };
        if which == 1 {
            let last = scalar(last)?;
            return Ok((last.as_int().unwrap_or(0), last.scalar()));
        }
        let first = scalar(first)?;
        // A second bound of a wrong type is reported where it stands.
        let common = match scalar(last) {
            Ok(last) => promote(first.scalar(), last.scalar()),
            Err(_) => first.scalar(),
        };
        let first_value = first.as_int().unwrap_or(0);
        let first_value = convert_bound(first_value, first.scalar(), common)?;
        Ok((first_value, common))
    }
}

/// A bound in the type of the loop's variable.
pub(super) fn convert_bound(x: i128, from: Scalar, to: Scalar) -> Run<i128> {
    if from == to {
        return Ok(x);
    }
    let (lo, hi) = to.int_range().unwrap_or((0, 0));
    if (lo..=hi).contains(&x) {
        return Ok(x);
    }
    let message = format!("{x} does not fit {to}");
    Err(Box::new(RunError::new(Code::ConversionError, message)))
}

fn scalars(args: &Args) -> Scalars {
    let scalar = |arg: &Value| arg.as_scalar().expect("dispatched on scalars");
    args.iter().map(scalar).collect()
}

fn scalar(
    args: &Scalars,
    casts: &[Option<Prim>],
    swap: bool,
    op: Prim,
    negate: bool,
) -> Result<ScalarValue, PrimError> {
    let mut operands = Scalars::new();
    for (arg, cast) in args.iter().zip(casts) {
        operands.push(match cast {
            Some(cast) => cast.eval(&[*arg])?,
            None => *arg,
        });
    }
    if swap {
        operands.swap(0, 1);
    }
    let result = op.eval(&operands)?;
    if negate {
        Prim::Not.eval(&[result])
    } else {
        Ok(result)
    }
}

fn run_steps(args: &Scalars, steps: &[Step]) -> Result<ScalarValue, PrimError> {
    let mut results = Scalars::new();
    for step in steps {
        let operand = |operand: &Operand| match *operand {
            Operand::Arg(n) => args[n],
            Operand::Step(n) => results[n],
            Operand::Const(value) => value,
        };
        let operands: Scalars = step.operands.iter().map(operand).collect();
        results.push(step.op.eval(&operands)?);
    }
    Ok(results.pop().expect("a recipe has at least one step"))
}

fn constant_value(constant: &Const) -> Value {
    match constant {
        Const::Bool(x) => Value::bool(*x),
        Const::Int(x) => Value::int(*x),
        Const::F32(bits) => Value::Scalar(ScalarValue::F32(f32::from_bits(*bits))),
        Const::F64(bits) => Value::Scalar(ScalarValue::F64(f64::from_bits(*bits))),
        Const::Str(s) => Value::Str(s.clone()),
        Const::Unit => Value::Nothing,
    }
}

fn length(n: usize) -> Value {
    Value::int(i64::try_from(n).unwrap_or(i64::MAX))
}
