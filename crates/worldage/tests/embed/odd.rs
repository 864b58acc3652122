//! A compiler whose stages do what each method says, for good and for bad.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use worldage::embed::*;

pub(crate) struct Odd;

/// What the stages of a method do. Two of one number are equal.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    pub(crate) number: u32,
    pub(crate) infer: fn(&mut InferCx<'_, Odd>, Mi) -> Result<i64, Stop>,
    pub(crate) codegen: fn(&mut CodegenCx<'_, Odd>, Mi, i64) -> Result<i64, Stop>,
    pub(crate) link: fn(&mut LinkCx<'_, Odd>, Mi, i64) -> Result<i64, Stop>,
}

/// Stages that give on what they are given, from 1.
pub(crate) const PLAIN: Script = Script {
    number: 0,
    infer: |_, _| Ok(1),
    codegen: |_, _, x| Ok(x),
    link: |_, _, x| Ok(x),
};

/// A value and the script that its later stages follow. -13 cannot be compared, -14 has no digest.
#[derive(Clone)]
pub(crate) struct Made(i64, Script);

impl PartialEq for Script {
    fn eq(&self, other: &Script) -> bool {
        self.number == other.number
    }
}

impl PartialEq for Made {
    fn eq(&self, other: &Made) -> bool {
        assert!(self.0 != -13, "-13 is not compared");
        self.0 == other.0 && self.1 == other.1
    }
}

impl Hash for Made {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        assert!(self.0 != -14, "-14 has no digest");
        (self.0, self.1.number).hash(hasher);
    }
}

impl Compiler for Odd {
    type Source = Script;
    type Inferred = Made;
    type Summary = Whole<Made>;
    type Code = Made;
    type Linked = Arc<i64>;
    type Shard = OneShard;

    fn infer(&self, cx: &mut InferCx<'_, Self>, mi: Mi, source: &Script) -> Result<Made, Stop> {
        Ok(Made((source.infer)(cx, mi)?, *source))
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        made: &Arc<Made>,
    ) -> Result<Made, Stop> {
        Ok(Made((made.1.codegen)(cx, mi, made.0)?, made.1))
    }

    fn link(&self, cx: &mut LinkCx<'_, Self>, mi: Mi, code: &Arc<Made>) -> Result<Arc<i64>, Stop> {
        (code.1.link)(cx, mi, code.0).map(Arc::new)
    }
}

/// The value of a callee without arguments, 0 while it is not known.
pub(crate) fn read(cx: &mut InferCx<'_, Odd>, callee: &str) -> Result<i64, Stop> {
    let callee = cx.callee(callee, &[])?;
    Ok(cx.read(callee, &Whole::VALUE)?.map_or(0, |made| made.0))
}

/// A session with these methods without parameters.
pub(crate) fn session(methods: &[(&str, Script)]) -> Session<Odd> {
    let session = Session::new(Odd);
    define(&session, methods);
    session
}

pub(crate) fn define(session: &Session<Odd>, methods: &[(&str, Script)]) {
    let edited = session.edit(|edit| {
        let mut methods = methods.iter();
        methods.try_for_each(|(name, script)| edit.define(name, &[], *script))
    });
    edited.expect("a valid edit");
}

pub(crate) fn value(session: &Session<Odd>, function: &str) -> Result<i64, Error> {
    session.call(function, &[], |value| **value)
}
