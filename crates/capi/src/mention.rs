//! What instances and types are called in the bytes that stages give: numbers that mean the same
//! in every process.
//!
//! The numbers of [`names`](crate::names) are of one process. Bytes that a stage gives may be kept
//! in a store and be read by another process, so they hold numbers of *mentions* instead: a list
//! beside the bytes, written by what its things are. Numbers begin at 0, in the order of first
//! mention; one thing has one number.

use crate::compiler::SUMMARY_TYPES;
use crate::names::{Context, Instance, Type};
use crate::stage::{Asked, Refusal, ask, innermost, not_here};
use crate::status::{Error, Status, give, guard};
use std::sync::Arc;
use worldage::embed::{Malformed, Mi, Portable, Reader, Ty, TyKind, Writer};

/// What bytes mention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    pub(crate) instances: Vec<Mi>,
    pub(crate) types: Vec<Ty>,
}

impl Portable for Mentions {
    fn write(&self, w: &mut Writer<'_>) {
        self.instances.write(w);
        self.types.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Mentions {
            instances: Vec::read(r)?,
            types: Vec::read(r)?,
        })
    }
}

/// The number of a thing in a list, at its end if it is new.
fn number_in<T: PartialEq>(list: &mut Vec<T>, thing: T) -> u32 {
    let known = list.iter().position(|known| *known == thing);
    let at = known.unwrap_or_else(|| {
        list.push(thing);
        list.len() - 1
    });
    u32::try_from(at).expect("fewer than 2^32 mentions")
}

fn nth<T: Copy>(list: &[T], number: u32, what: &str) -> Result<T, Error> {
    let found = list.get(number as usize).copied();
    found.ok_or_else(|| {
        let count = list.len();
        Error::invalid(format!(
            "{what} {number} is not mentioned: there are {count}"
        ))
    })
}

/// Infer and codegen: the number of an instance in the bytes that this stage gives as its result.
#[unsafe(no_mangle)]
pub extern "C" fn wa_mention_instance(
    context: Context,
    instance: Instance,
    number: *mut u32,
) -> Status {
    guard(|| {
        let mi = ask(context, |asked| {
            asked.gives_bytes("wa_mention_instance")?;
            Ok(asked.mi(instance)?)
        })?;
        let place = innermost(|running| number_in(&mut running.mentions.instances, mi));
        give(number, place)
    })
}

/// Infer and codegen: the number of a type in the bytes that this stage gives as its result.
#[unsafe(no_mangle)]
pub extern "C" fn wa_mention_type(context: Context, ty: Type, number: *mut u32) -> Status {
    guard(|| {
        let ty = ask(context, |asked| {
            asked.gives_bytes("wa_mention_type")?;
            Ok(asked.compiler.ty(ty)?)
        })?;
        let place = innermost(|running| number_in(&mut running.mentions.types, ty));
        give(number, place)
    })
}

/// Infer: the number of a type in the summary that this stage gives. A summary mentions no
/// instances.
#[unsafe(no_mangle)]
pub extern "C" fn wa_mention_in_summary(context: Context, ty: Type, number: *mut u32) -> Status {
    guard(|| {
        let ty = ask(context, |asked| {
            asked.infer("wa_mention_in_summary")?;
            Ok(asked.compiler.ty(ty)?)
        })?;
        let place = innermost(|running| number_in(&mut running.summary_types, ty));
        give(number, place)
    })
}

/// Codegen and link: the instance that a number means in the bytes of `whose`. With the instance
/// that is being compiled these are the stage's input; with another one, in codegen, what
/// `wa_body` shows of it.
#[unsafe(no_mangle)]
pub extern "C" fn wa_mentioned_instance(
    context: Context,
    whose: Instance,
    number: u32,
    instance: *mut Instance,
) -> Status {
    guard(|| {
        let named = ask(context, |asked| {
            let mentions = asked.mentions("wa_mentioned_instance", whose)?;
            let mi = nth(&mentions.instances, number, "instance")?;
            Ok(asked.compiler.instances.name(mi.0))
        })?;
        give(instance, named)
    })
}

/// Codegen and link: the type that a number means in the bytes of `whose`, as for
/// `wa_mentioned_instance`.
#[unsafe(no_mangle)]
pub extern "C" fn wa_mentioned_type(
    context: Context,
    whose: Instance,
    number: u32,
    ty: *mut Type,
) -> Status {
    guard(|| {
        let named = ask(context, |asked| {
            let mentions = asked.mentions("wa_mentioned_type", whose)?;
            let ty = nth(&mentions.types, number, "type")?;
            Ok(asked.compiler.name_of(ty))
        })?;
        give(ty, named)
    })
}

/// Infer and codegen: the type that a number means in the summary of an instance.
#[unsafe(no_mangle)]
pub extern "C" fn wa_mentioned_in_summary(
    context: Context,
    whose: Instance,
    number: u32,
    ty: *mut Type,
) -> Status {
    guard(|| {
        let named = ask(context, |asked| {
            let mi = asked.mi(whose)?;
            let tuple = asked.read("wa_mentioned_in_summary", mi, &SUMMARY_TYPES)?;
            let mentioned = match tuple.map(|tuple| asked.compiler.lattice.kind(tuple)) {
                Some(TyKind::Tuple { elems, .. }) => &elems[..],
                _ => &[],
            };
            let ty = nth(mentioned, number, "type")?;
            Ok(asked.compiler.name_of(ty))
        })?;
        give(ty, named)
    })
}

impl Asked {
    /// What the bytes of an instance that this stage may see mention.
    fn mentions(&self, question: &str, whose: Instance) -> Result<Arc<Mentions>, Refusal> {
        let mi = self.mi(whose)?;
        match &self.input {
            None => Err(not_here(question, "codegen and link: a source mentions nothing").into()),
            Some(input) if mi == self.own => Ok(Arc::clone(input)),
            Some(_) => {
                let cx = self.codegen(&format!("{question} of another instance"))?;
                Ok(Arc::clone(&cx.inferred(mi)?.body.mentions))
            }
        }
    }
}
