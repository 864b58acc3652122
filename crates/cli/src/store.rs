//! Where artifacts are kept: the options and the environment of the store.

use crate::failure::Failure;
use crate::terminal;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use worldage::store::trust::Secret;
use worldage::store::{Options, Store, folder};

/// Where the store lies.
#[derive(Debug, Args)]
pub(crate) struct StorePlace {
    /// Keep artifacts in this folder [default: the user's cache folder]
    #[arg(long, value_name = "DIR", global = true)]
    store: Option<PathBuf>,
    /// Share artifacts through this folder
    #[arg(long, value_name = "DIR", global = true)]
    shared: Option<PathBuf>,
}

/// Options of the store, as several commands take them.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    #[command(flatten)]
    place: StorePlace,
    /// Keep nothing beyond this process
    #[arg(long, conflicts_with = "store")]
    no_store: bool,
    /// Fail where something would be inferred or generated
    #[arg(long)]
    pub(crate) strict: bool,
    /// Write every stage of every compiled instance into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dump_dir: Option<PathBuf>,
}

impl StorePlace {
    /// What these options and, unless it is `off`, the environment ask for.
    pub(crate) fn options(&self, off: bool) -> Result<Options, Failure> {
        let local = match off {
            true => None,
            false => folder::default_folder(),
        };
        let shared = match off {
            true => None,
            false => folder::shared_folder(),
        };
        let secret = Secret::from_env().map_err(|error| {
            let hint = "set WORLDAGE_CACHE_KEY, or a WORLDAGE_CACHE_KEY_FILE of yours alone";
            Failure::Missing(error.to_string(), hint.to_string())
        })?;
        Ok(Options {
            folder: self.store.clone().or(local),
            shared: self.shared.clone().or(shared),
            secret,
            ..Options::default()
        })
    }
}

impl StoreArgs {
    /// Opens the store that is asked for; `None` keeps nothing.
    ///
    /// A folder that cannot be used is told and left out: it costs time, not the answer.
    pub(crate) fn open(&self) -> Result<Option<Arc<Store>>, Failure> {
        // What the command line names counts also where the environment turns the store off.
        let off = self.no_store || folder::is_disabled();
        if off && self.place.store.is_none() && self.place.shared.is_none() {
            return Ok(None);
        }
        let options = self.place.options(off)?;
        if options.folder.is_none() && options.shared.is_none() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Store::open(&options, Box::new(warn)))))
    }
}

/// Says what the store warns of.
pub(crate) fn warn(message: &str) {
    terminal::say(&format!("warning: {message}\n"));
}
