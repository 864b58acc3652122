//! The limit: the bare code generator's time on exactly the functions whose code changed.

use super::recompile::Wrong;
use std::time::Duration;
use worldage::engine::Mi;
use worldage::{OptLevel, Session};

/// Functions whose finished SSA is held at a time; more would only measure memory.
const CHUNK: usize = 512;

/// How long the bare code generator takes for these instances, one after the other.
pub(crate) fn time(session: &Session, instances: &[Mi], opt: OptLevel) -> Result<Duration, Wrong> {
    let mut total = Duration::ZERO;
    for chunk in instances.chunks(CHUNK) {
        let bare = session.bare_generator(chunk, opt);
        let mut bare = bare.map_err(|error| error.to_string())?;
        let (time, _) = bare.compile()?;
        total += time;
    }
    Ok(total)
}
