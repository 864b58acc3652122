//! The compiler of this documentation's examples: numbers, and sums of functions.

use super::{CodegenCx, Compiler, InferCx, LinkCx, Mi, OneShard, Stop, Whole};
use std::sync::Arc;

/// A method's body.
///
/// ```
/// use worldage::embed::example::Sum;
/// assert_ne!(Sum::Number(2), Sum::Of(vec!["one", "one"]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sum {
    /// A number.
    Number(i64),
    /// The sum of functions without parameters.
    Of(Vec<&'static str>),
}

/// Adds up in inference; what is called is the value.
///
/// ```
/// use worldage::embed::{Error, Session, example::{Sum, Sums}};
/// let session = Session::new(Sums);
/// session.edit(|edit| edit.define("one", &[], Sum::Number(1)))?;
/// assert_eq!(session.call("one", &[], |value| **value)?, 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums;

impl Compiler for Sums {
    type Source = Sum;
    type Inferred = i64;
    type Summary = Whole<i64>;
    type Code = i64;
    type Linked = Arc<i64>;
    type Shard = OneShard;

    fn infer(&self, cx: &mut InferCx<'_, Self>, _: Mi, source: &Sum) -> Result<i64, Stop> {
        let functions = match source {
            Sum::Number(number) => return Ok(*number),
            Sum::Of(functions) => functions,
        };
        let mut sum = 0;
        for function in functions {
            let callee = cx.callee(function, &[])?;
            let value = cx.read(callee, &Whole::VALUE)?;
            sum += value.ok_or_else(|| Stop::failed("a sum of itself"))?;
        }
        Ok(sum)
    }

    fn codegen(&self, _: &mut CodegenCx<'_, Self>, _: Mi, value: &Arc<i64>) -> Result<i64, Stop> {
        Ok(**value)
    }

    fn link(&self, _: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<i64>) -> Result<Arc<i64>, Stop> {
        Ok(Arc::clone(code))
    }
}
