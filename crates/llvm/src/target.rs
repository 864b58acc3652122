//! The Nvidia targets that PTX is made for.
//!
//! LLVM takes an unknown processor with a warning and makes PTX that the assembler refuses, so the
//! table is ours.

use std::fmt;
use std::str::FromStr;
use worldage_engine::persist::{Malformed, Portable, Reader, Writer};

/// A compute capability: `sm_90`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PtxTarget(&'static str);

/// What LLVM and the assembler of CUDA 12.9 both know, from Volta on: work-items that wait at a
/// barrier while others have ended need it.
const TARGETS: &[&str] = &[
    "sm_70", "sm_72", "sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_90a", "sm_100",
    "sm_100a", "sm_101", "sm_101a", "sm_103", "sm_103a", "sm_120", "sm_120a", "sm_121", "sm_121a",
];

/// A name that is none of [`PtxTarget::all`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown target `{0}`: known are {known}", known = TARGETS.join(", "))]
pub struct UnknownTarget(pub String);

impl PtxTarget {
    /// Every target, oldest first.
    pub fn all() -> impl Iterator<Item = PtxTarget> {
        TARGETS.iter().map(|name| PtxTarget(name))
    }

    /// Its name: `sm_90`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The best target for a device of this compute capability: the newest that it can run.
    #[must_use]
    pub fn for_capability(major: u32, minor: u32) -> Option<PtxTarget> {
        let device = major * 10 + minor;
        // Code for an `a` target runs on that very capability only.
        let runs = |name: &str| name[3..].parse::<u32>().is_ok_and(|sm| sm <= device);
        let best = TARGETS.iter().rfind(|name| runs(name));
        best.map(|name| PtxTarget(name))
    }
}

impl fmt::Display for PtxTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for PtxTarget {
    type Err = UnknownTarget;

    fn from_str(name: &str) -> Result<PtxTarget, UnknownTarget> {
        let known = TARGETS.iter().find(|known| **known == name);
        let known = known.ok_or_else(|| UnknownTarget(name.to_string()))?;
        Ok(PtxTarget(known))
    }
}

/// By its name; a name that is not known any more is malformed, so the code is made again.
impl Portable for PtxTarget {
    fn write(&self, w: &mut Writer<'_>) {
        self.0.to_string().write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<PtxTarget, Malformed> {
        let name = String::read(r)?;
        name.parse().map_err(|_| Malformed("no such target"))
    }
}

#[cfg(test)]
mod tests {
    use super::PtxTarget;

    #[track_caller]
    fn check(capability: (u32, u32), expected: Option<&str>) {
        let target = PtxTarget::for_capability(capability.0, capability.1);
        assert_eq!(target.map(PtxTarget::name), expected);
    }

    #[test]
    fn a_device_gets_the_newest_target_that_it_runs() {
        check((9, 0), Some("sm_90"));
        check((8, 8), Some("sm_87"));
        check((12, 0), Some("sm_120"));
        check((6, 1), None);
    }

    #[test]
    fn unknown_names_are_refused() {
        let error = "sm_60".parse::<PtxTarget>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("unknown target `sm_60`: known are sm_70, ")
        );
    }
}
