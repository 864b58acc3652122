//! Where artifacts are kept: the options and the environment of the store.

use crate::failure::Failure;
use crate::terminal;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use worldage::store::trust::Secret;
use worldage::store::{Options, Store, folder};

/// Options of the store, as several commands take them.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Keep artifacts in this folder [default: the user's cache folder]
    #[arg(long, value_name = "DIR", conflicts_with = "no_store")]
    store: Option<PathBuf>,
    /// Keep nothing beyond this process
    #[arg(long)]
    no_store: bool,
    /// Share artifacts through this folder
    #[arg(long, value_name = "DIR")]
    shared: Option<PathBuf>,
    /// Fail where something would be inferred or generated
    #[arg(long)]
    strict: bool,
    /// Write every stage of every compiled instance into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dump_dir: Option<PathBuf>,
}

impl StoreArgs {
    /// Opens the store that is asked for; `None` keeps nothing.
    ///
    /// A folder that cannot be used is told and left out: it costs time, not the answer.
    pub(crate) fn open(&self) -> Result<Option<Arc<Store>>, Failure> {
        if self.strict {
            return Err(Failure::later("--strict"));
        }
        // What the command line names counts also where the environment turns the store off.
        let off = folder::is_disabled();
        let local = match self.no_store || off {
            true => None,
            false => folder::default_folder(),
        };
        let shared = match self.no_store || off {
            true => None,
            false => folder::shared_folder(),
        };
        let options = Options {
            folder: self.store.clone().or(local),
            shared: self.shared.clone().or(shared),
            ..Options::default()
        };
        if options.folder.is_none() && options.shared.is_none() {
            return Ok(None);
        }
        let secret = Secret::from_env().map_err(|error| {
            let hint = "set WORLDAGE_CACHE_KEY, or a WORLDAGE_CACHE_KEY_FILE of yours alone";
            Failure::Missing(error.to_string(), hint.to_string())
        })?;
        let sink = Box::new(|line: &str| terminal::say(&format!("warning: {line}\n")));
        Ok(Some(Arc::new(Store::open(
            &Options { secret, ..options },
            sink,
        ))))
    }
}
