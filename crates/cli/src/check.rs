//! Every kernel of a program compiled for a device, and built where there is a device or an
//! assembler.

use crate::failure::{Done, Failure};
use crate::terminal;
use worldage::{DeviceCheck, Session, Shard};

/// Checks the kernels whose parameters all have concrete types: a line for each that passes.
pub(crate) fn kernels(session: &Session, shard: Shard) -> Done {
    let kernels = session.kernels();
    if kernels.is_empty() {
        let message = "the program has no kernel whose parameters all have concrete types";
        return Err(Failure::Usage(message.to_string()));
    }
    terminal::say(&builder(session, shard));
    // On all threads; what fails is told kernel by kernel below.
    let _ = session.prepare_each(&kernels, shard);
    let mut done = Ok(());
    for kernel in &kernels {
        if let Err(failure) = kernel_of(session, kernel, shard) {
            done = Err(failure.say());
        }
    }
    done
}

/// Checks one kernel on concrete types: `saxpy(Float32, Array{Float32}, Array{Float32})`.
#[cfg(feature = "llvm")]
pub(crate) fn kernel(session: &Session, sig: &str, shard: Shard) -> Done {
    terminal::say(&builder(session, shard));
    kernel_of(session, sig, shard)
}

fn kernel_of(session: &Session, sig: &str, shard: Shard) -> Done {
    let checked = session.check_kernel(sig, shard);
    let check = checked.map_err(|failure| Failure::edit(session, &failure))?;
    terminal::line(&format!("ok  {sig}"))?;
    let (how, took) = match check {
        DeviceCheck::Generated => return Ok(()),
        DeviceCheck::Built(took) => ("built", took),
        DeviceCheck::Reloaded(took) => ("reloaded", took),
    };
    let ms = took.as_secs_f64() * 1e3;
    terminal::say(&format!("{how} {sig} in {ms:.1} ms\n"));
    Ok(())
}

/// What builds the kernels, or why nothing does.
fn builder(session: &Session, shard: Shard) -> String {
    let _ = session;
    match shard {
        #[cfg(feature = "opencl")]
        Shard::OpenCl => match session.opencl_device() {
            Ok(device) => format!("device: {device}\n"),
            Err(error) => format!("not built: {error}\n"),
        },
        #[cfg(feature = "llvm")]
        Shard::Ptx(..) => match session.cuda_toolkit().ptxas_version() {
            Ok(version) => format!("ptxas {version}\n"),
            Err(error) => format!("not assembled: {error}\n"),
        },
        // The host, and devices that another part of the build has and this command has not.
        _ => String::new(),
    }
}
