//! `WORLDAGE_LOG`: what happens, as lines on standard error.
//!
//! A comma-separated list of levels, of everything (`debug`) or of one target (`worldage::store=trace`;
//! the targets are `worldage::edit`, `worldage::stage`, `worldage::store`, `worldage::device`).

use crate::failure::{Done, Failure};
use std::io::IsTerminal as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::Layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Begins to log, if that is asked for.
///
/// # Errors
/// If what is asked for is no list of levels.
pub(crate) fn start() -> Done {
    let Some(asked) = std::env::var_os("WORLDAGE_LOG").filter(|asked| !asked.is_empty()) else {
        return Ok(());
    };
    let asked = asked.to_string_lossy();
    let targets = parse(&asked).ok_or_else(|| {
        Failure::Usage(format!(
            "WORLDAGE_LOG is `{asked}`: it takes a level (error, warn, info, debug, trace, off) or \
             levels of targets, such as `info,worldage::store=debug`"
        ))
    })?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = Layer::new()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .without_time();
    tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .init();
    Ok(())
}

/// A level alone is that of worldage; other libraries are named.
fn parse(asked: &str) -> Option<Targets> {
    let mut targets = Targets::new();
    for part in asked.split(',').map(str::trim) {
        let (target, level) = part.split_once('=').unwrap_or(("worldage", part));
        let (target, level) = (target.trim(), level.trim());
        // The parser takes no text at all for `error`.
        if target.is_empty() || level.is_empty() {
            return None;
        }
        let level: LevelFilter = level.parse().ok()?;
        targets = targets.with_target(target, level);
    }
    Some(targets)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use tracing::Level;

    #[test]
    fn levels_of_everything_and_of_targets() {
        let targets = parse("info, worldage::store=debug,salsa=off").unwrap();
        assert!(targets.would_enable("worldage::edit", &Level::INFO));
        assert!(!targets.would_enable("worldage::stage", &Level::DEBUG));
        assert!(targets.would_enable("worldage::store", &Level::DEBUG));
        assert!(!targets.would_enable("salsa", &Level::ERROR));
        for wrong in ["loud", "worldage=", "=info", "info,,", "a=b=c"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
