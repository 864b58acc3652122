//! What a running stage may ask; each answer is an edge.

use crate::compiler::{Foreign, SUMMARY};
use crate::names::{Context, Instance, Type};
use crate::stage::{ask, show};
use crate::status::{Error, Status, give, guard, slice, text};
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use worldage::engine::{ExternalKey, Resolved};

/// Infer: the instance that a call of `function` with these concrete argument types reaches.
///
/// `NoMethod` and `Ambiguous` are answers, on which the stage depends as on any other.
#[unsafe(no_mangle)]
pub extern "C" fn wa_lookup(
    context: Context,
    function: *const c_char,
    args: *const Type,
    count: usize,
    instance: *mut Instance,
) -> Status {
    guard(|| {
        let (function, args) = (text(function, "function")?, slice(args, count, "args")?);
        let found = ask(context, |asked| {
            let cx = asked.infer("wa_lookup")?;
            let args = asked.compiler.tuple(args)?;
            let found = cx.lookup(cx.types().symbol(function), args)?;
            Ok(resolved(asked.compiler, function, found))
        })?;
        give(instance, found?)
    })
}

/// The instance that a look-up found, or why it found none.
pub(crate) fn resolved(
    compiler: &Foreign,
    function: &str,
    found: Resolved,
) -> Result<Instance, Error> {
    match found {
        Resolved::Method(mi) => Ok(compiler.instances.name(mi.0)),
        Resolved::NoMethod => {
            let message = format!("no method of {function} takes these arguments");
            Err(Error::new(Status::NoMethod, message))
        }
        Resolved::Ambiguous(methods) => {
            let message = format!("{} methods of {function} are ambiguous here", methods.len());
            Err(Error::new(Status::Ambiguous, message))
        }
    }
}

/// Infer and codegen: the summary of an instance. `data` is null while it is being inferred
/// (recursion). What is shown stays until the stage ends.
#[unsafe(no_mangle)]
pub extern "C" fn wa_summary(
    context: Context,
    instance: Instance,
    data: *mut *const u8,
    length: *mut usize,
) -> Status {
    guard(|| {
        let summary = ask(context, |asked| {
            asked.read("wa_summary", asked.mi(instance)?, &SUMMARY)
        })?;
        match summary {
            Some(summary) => show(summary, data, length),
            None => {
                give(data, ptr::null())?;
                give(length, 0)
            }
        }
    })
}

/// Infer: says that the result depends on an instance although the source does not call it.
#[unsafe(no_mangle)]
pub extern "C" fn wa_depends_on(context: Context, instance: Instance) -> Status {
    guard(|| {
        ask(context, |asked| {
            let mi = asked.mi(instance)?;
            Ok(asked.infer("wa_depends_on")?.depends_on(mi)?)
        })
    })
}

/// Infer: an external fact. `data` is null if there is none, on which the stage depends too.
#[unsafe(no_mangle)]
pub extern "C" fn wa_external(
    context: Context,
    key: *const c_char,
    data: *mut *const u8,
    length: *mut usize,
) -> Status {
    guard(|| {
        let key = external_key(text(key, "key")?);
        let value = ask(context, |asked| {
            Ok(asked.infer("wa_external")?.external(&key)?)
        })?;
        match value {
            Some(value) => show(value, data, length),
            None => {
                give(data, ptr::null())?;
                give(length, 0)
            }
        }
    })
}

/// The one kind of external facts.
pub(crate) const EXTERNAL: &str = "external";

pub(crate) fn external_key(name: &str) -> ExternalKey {
    ExternalKey {
        kind: EXTERNAL,
        name: name.into(),
    }
}

/// Codegen: what infer gave for an instance, to inline or fold it.
#[unsafe(no_mangle)]
pub extern "C" fn wa_body(
    context: Context,
    instance: Instance,
    data: *mut *const u8,
    length: *mut usize,
) -> Status {
    guard(|| {
        let inferred = ask(context, |asked| {
            let mi = asked.mi(instance)?;
            Ok(asked.codegen("wa_body")?.inferred(mi)?)
        })?;
        show(Arc::clone(&inferred.body.bytes), data, length)
    })
}

/// Codegen: says that the code calls an instance, so that link may ask for its cell.
#[unsafe(no_mangle)]
pub extern "C" fn wa_calls(context: Context, instance: Instance) -> Status {
    guard(|| {
        ask(context, |asked| {
            let mi = asked.mi(instance)?;
            let cx = asked.codegen("wa_calls")?;
            // What infer did not ask for is inferred first.
            cx.peek(mi, |_| ())?;
            cx.calls(mi);
            Ok(())
        })
    })
}

/// Link: the cell of an instance that codegen said it calls: a word that holds the entry, stable
/// as long as what is being linked lives.
#[unsafe(no_mangle)]
pub extern "C" fn wa_cell(
    context: Context,
    instance: Instance,
    cell: *mut *const *const c_void,
) -> Status {
    guard(|| {
        let address = ask(context, |asked| {
            let mi = asked.mi(instance)?;
            let cx = asked.link("wa_cell")?;
            // The engine answers this mistake with a panic, which here is an argument's fault.
            let cell = catch_unwind(AssertUnwindSafe(|| cx.cell(mi)));
            Ok(cell.map_err(|_| Error::invalid("codegen did not say `wa_calls` of it"))?)
        })?;
        give(cell, address.cast())
    })
}

/// Codegen and link: the shard that is compiled for.
#[unsafe(no_mangle)]
pub extern "C" fn wa_shard_name(
    context: Context,
    data: *mut *const u8,
    length: *mut usize,
) -> Status {
    guard(|| {
        let name = ask(context, |asked| Ok(asked.shard_name("wa_shard_name")?))?;
        show(name, data, length)
    })
}
