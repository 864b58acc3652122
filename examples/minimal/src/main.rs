//! A complete compiler: a method is a list of words, and a word is a number or a function's name.
#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::sync::Arc;
use worldage::embed::*;

struct Sums;
/// The sum of the numbers, and what is called for the rest.
type Body = (i64, Vec<Mi>);
type Sum = Arc<dyn Fn() -> i64 + Send + Sync>;

impl Compiler for Sums {
    type Source = String; // the sum of words
    type Inferred = Body;
    type Summary = ();
    type Code = Body;
    type Linked = Sum;
    type Shard = OneShard;

    fn infer(&self, cx: &mut InferCx<'_, Self>, _: Mi, words: &String) -> Result<Body, Stop> {
        let (mut sum, mut calls) = (0, Vec::new());
        for word in words.split_whitespace() {
            match word.parse::<i64>() {
                Ok(number) => sum += number,
                Err(_) => calls.push(cx.callee(word, &[])?),
            }
        }
        Ok((sum, calls))
    }

    fn codegen(&self, cx: &mut CodegenCx<'_, Self>, _: Mi, body: &Arc<Body>) -> Result<Body, Stop> {
        body.1.iter().for_each(|callee| cx.calls(*callee));
        Ok((**body).clone())
    }

    fn link(&self, cx: &mut LinkCx<'_, Self>, _: Mi, code: &Arc<Body>) -> Result<Sum, Stop> {
        let sum = code.0;
        let callees = code.1.iter().map(|mi| cx.linked(*mi).cloned());
        let callees = callees.collect::<Result<Vec<_>, Stop>>()?;
        let rest = move || callees.iter().map(|f| f()).sum::<i64>();
        Ok(Arc::new(move || sum + rest()))
    }
}

fn main() -> Result<(), Error> {
    let session = Session::new(Sums);
    session.edit(|e| {
        e.define("leaf", &[], "1 2".into())?;
        e.define("top", &[], "leaf leaf 10".into())
    })?;
    let call = || {
        let value = session.call("top", &[], |top| top())?;
        println!("top() = {value}\n{}", session.take_stages());
        Ok(())
    };
    call()?;
    session.edit(|e| e.define("leaf", &[], "16".into()))?;
    call()
}
