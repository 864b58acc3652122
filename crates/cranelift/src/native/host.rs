//! The code generator of this machine with an embedder's settings.

use super::NativeError;
use cranelift_codegen::isa::{Builder, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable, Flags, Value};
use std::fmt;

/// An ISA of this machine with these settings, by name and value as Cranelift says them; later
/// ones replace earlier ones. With `features` it is one that has no others: code of it then runs
/// on every machine that has them.
///
/// ```
/// let isa = worldage_cranelift::native::host_isa(&[("opt_level", "speed")], None).unwrap();
/// assert_eq!(isa.flags().opt_level().to_string(), "speed");
/// ```
///
/// # Errors
/// [`NativeError::Machine`]: there is no code generator for this machine, it has no such setting,
/// or the machine lacks a feature. [`NativeError::Unsupported`]: a setting that code cannot be
/// called with here.
pub fn host_isa(
    settings: &[(&str, &str)],
    features: Option<&[Value]>,
) -> Result<OwnedTargetIsa, NativeError> {
    let mut builder = settings::builder();
    for (name, value) in settings {
        builder.set(name, value).map_err(machine)?;
    }
    let flags = Flags::new(builder);
    if flags.enable_pinned_reg() {
        let why = "enable_pinned_reg, a register that the host does not keep";
        return Err(NativeError::Unsupported(why));
    }
    if flags.is_pic() {
        let why = "is_pic, and code memory here is not position-independent";
        return Err(NativeError::Unsupported(why));
    }
    let finish = |isa: Builder| isa.finish(flags.clone()).map_err(machine);
    let all = finish(cranelift_native::builder().map_err(machine)?)?;
    let Some(features) = features else {
        return Ok(all);
    };
    let has = all.isa_flags();
    let mut builder = cranelift_native::builder_with_options(false).map_err(machine)?;
    for feature in features {
        let here = |has: &Value| has.name == feature.name && has.as_bool() == Some(true);
        if feature.as_bool() == Some(true) && !has.iter().any(here) {
            return Err(machine(format_args!(
                "{} is not on this machine",
                feature.name
            )));
        }
        let value = feature.value_string();
        builder.set(feature.name, &value).map_err(machine)?;
    }
    finish(builder)
}

/// As [`host_isa`], with all the settings of another code generator for the host, such as the one
/// that a file asks for; `changes` replace settings.
///
/// ```
/// use worldage_cranelift::native::{host_isa, host_isa_as};
/// let asked = host_isa(&[("enable_verifier", "false")], None).unwrap();
/// let isa = host_isa_as(asked.flags(), &[("opt_level", "speed")], None).unwrap();
/// assert!(!isa.flags().enable_verifier());
/// assert_eq!(isa.flags().opt_level().to_string(), "speed");
/// ```
///
/// # Errors
/// As there.
pub fn host_isa_as(
    flags: &Flags,
    changes: &[(&str, &str)],
    features: Option<&[Value]>,
) -> Result<OwnedTargetIsa, NativeError> {
    let values: Vec<(&str, String)> = flags.iter().map(|f| (f.name, f.value_string())).collect();
    let settings = values.iter().map(|(name, value)| (*name, value.as_str()));
    let settings: Vec<(&str, &str)> = settings.chain(changes.iter().copied()).collect();
    host_isa(&settings, features)
}

fn machine(why: impl fmt::Display) -> NativeError {
    NativeError::Machine(why.to_string().into())
}
