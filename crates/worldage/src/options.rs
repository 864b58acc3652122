//! How a session behaves.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use worldage_engine::Linking;
use worldage_store::Store;

/// How hard the host code generator tries; a part of the shard.
///
/// ```
/// use worldage::{OptLevel, Session, SessionOptions};
/// let options = SessionOptions { opt: OptLevel::None, ..SessionOptions::default() };
/// assert!(Session::new(options).is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OptLevel {
    /// Quick compilation.
    None,
    /// Fast code.
    #[default]
    Speed,
    /// The fastest code, through LLVM: only in builds with the feature `llvm`.
    Aggressive,
}

impl OptLevel {
    /// Every level of this build.
    ///
    /// ```
    /// assert!(worldage::OptLevel::ALL.contains(&worldage::OptLevel::Speed));
    /// ```
    pub const ALL: &[OptLevel] = &[
        OptLevel::None,
        OptLevel::Speed,
        #[cfg(feature = "llvm")]
        OptLevel::Aggressive,
    ];

    /// Without the prefix: `none`, `speed`.
    ///
    /// ```
    /// assert_eq!(worldage::OptLevel::Speed.name(), "speed");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            OptLevel::None => "none",
            OptLevel::Speed => "speed",
            OptLevel::Aggressive => "aggressive",
        }
    }
}

impl fmt::Display for OptLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "opt:{}", self.name())
    }
}

impl FromStr for OptLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<OptLevel, String> {
        let name = text.strip_prefix("opt:").unwrap_or(text);
        let known = OptLevel::ALL.iter().copied();
        known
            .clone()
            .find(|level| level.name() == name)
            .ok_or_else(|| {
                let names: Vec<&str> = known.map(OptLevel::name).collect();
                format!("unknown opt level `{text}`: known are {}", names.join(", "))
            })
    }
}

/// Options of a [`crate::Session`].
///
/// ```
/// use worldage::{Linking, Session, SessionOptions};
/// let options = SessionOptions {
///     linking: Linking::Live,
///     memory_limit: Some(64 << 20),
///     ..SessionOptions::default()
/// };
/// assert!(Session::new(options).is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Threads for codegen.
    pub threads: usize,
    /// The opt level of calls that name none.
    pub opt: OptLevel,
    /// How redefinitions reach linked code.
    pub linking: Linking,
    /// Keep every world callable, not only the newest 64.
    pub hold_all_worlds: bool,
    /// Address space reserved for the stack of compiled code, bytes.
    pub stack_bytes: usize,
    /// How many of the newest stage events are kept for [`crate::Session::take_stages`].
    pub log_limit: usize,
    /// Limit of the heap of compiled code, bytes; `None` is three quarters of the machine's.
    pub memory_limit: Option<usize>,
    /// Where results are kept beyond the session; `None`: nowhere.
    pub store: Option<Arc<Store>>,
    /// From how many methods and instances on the store keeps an image of the session for the
    /// next start: smaller programs start as fast without one.
    pub image_from: usize,
    /// The folder of CUDA's toolkit (the one that holds `bin` and `nvvm`): libdevice and `ptxas`.
    /// `None`: the environment and the usual places say where.
    pub cuda_toolkit: Option<std::path::PathBuf>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            opt: OptLevel::default(),
            linking: Linking::default(),
            hold_all_worlds: false,
            stack_bytes: 1 << 30,
            log_limit: 1 << 16,
            memory_limit: None,
            store: None,
            image_from: worldage_engine::Options::default().image_from,
            cuda_toolkit: None,
        }
    }
}
