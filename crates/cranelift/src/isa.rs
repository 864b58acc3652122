//! The target machine: one shared ISA per opt level, for this host.

use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};

/// How hard the code generator tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OptLevel {
    /// Quick compilation.
    None,
    /// Fast code.
    #[default]
    Speed,
}

/// How instances call one another: many results in registers, the rest through an implicit
/// return area.
pub(crate) const INSTANCE_CONV: CallConv = CallConv::Tail;
/// How Rust calls thunks and code calls the run-time system.
pub(crate) const HOST_CONV: CallConv = CallConv::SystemV;

/// The ISA of this host.
#[derive(Clone)]
pub struct HostIsa {
    none: OwnedTargetIsa,
    speed: OwnedTargetIsa,
}

impl std::fmt::Debug for HostIsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.description(OptLevel::Speed))
    }
}

impl HostIsa {
    /// Detects the host; fails with a sentence where Cranelift has no backend for it.
    pub fn detect() -> Result<HostIsa, String> {
        Ok(HostIsa {
            none: build("none")?,
            speed: build("speed")?,
        })
    }

    pub(crate) fn get(&self, opt: OptLevel) -> &OwnedTargetIsa {
        match opt {
            OptLevel::None => &self.none,
            OptLevel::Speed => &self.speed,
        }
    }

    /// Target, flags and features, as readable text: part of every store key.
    #[must_use]
    pub fn description(&self, opt: OptLevel) -> String {
        let isa = self.get(opt);
        let mut text = format!("cranelift {} {}", cranelift_codegen::VERSION, isa.triple());
        for value in isa.flags().iter().chain(isa.isa_flags()) {
            text.push(' ');
            text.push_str(&value.to_string());
        }
        text
    }
}

fn build(opt_level: &str) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    let set = [
        ("opt_level", opt_level),
        ("preserve_frame_pointers", "true"),
        (
            "enable_verifier",
            if cfg!(debug_assertions) {
                "true"
            } else {
                "false"
            },
        ),
        ("enable_multi_ret_implicit_sret", "true"),
        ("enable_probestack", "false"),
        ("unwind_info", "false"),
        ("is_pic", "false"),
    ];
    for (name, value) in set {
        flags.set(name, value).map_err(|e| format!("{name}: {e}"))?;
    }
    let isa = cranelift_native::builder().map_err(str::to_owned)?;
    isa.finish(settings::Flags::new(flags))
        .map_err(|e| e.to_string())
}
