//! `worldage cache`: what the store holds, and its upkeep.

use crate::compile::{Opt, Target};
use crate::failure::{Done, Failure};
use crate::progress::Progress;
use crate::store::{StorePlace, warn};
use crate::{files, terminal};
use clap::{Subcommand, ValueEnum as _};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use worldage::store::layer::Layer;
use worldage::store::local::Local;
use worldage::store::shared::Shared;
use worldage::store::usage::{Average, Usage};
use worldage::store::{Artifact, Kind, LayerError, Options, Store, archive};
use worldage::{DispatchTable, OptLevel, Session, SessionOptions, Shard, keys_of};

/// The arguments of `worldage cache`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: StorePlace,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How much there is, by kind
    Stats,
    /// Every artifact: kind, name, bytes, who made it
    List,
    /// One artifact by the first digits of its name, with the parts of its key
    Show {
        /// At least the first four digits
        key: String,
    },
    /// Check every artifact, and remove what is damaged
    Verify,
    /// Bring the store below its limit, and give unused space back
    Gc,
    /// Remove everything
    Clear,
    /// Write everything into one file
    Export {
        /// Usually named .tar.zst
        file: PathBuf,
    },
    /// Add everything from one file, if all of it is as it was written
    Import {
        /// As `export` wrote it
        file: PathBuf,
    },
    /// Compile ahead, without running anything
    Prewarm {
        /// Files of one program
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// An instance, such as 'f(Int64)'; can be given several times
        #[arg(long = "for", value_name = "INSTANCE", required = true)]
        instances: Vec<String>,
        /// Shards, such as opt:speed,opt:none,opencl,ptx:sm_90
        #[arg(
            long,
            value_name = "SHARDS",
            value_delimiter = ',',
            default_value = "opt:speed"
        )]
        shard: Vec<String>,
    },
    /// Exchange everything with a shared folder, in both directions
    Sync {
        /// The shared folder
        dir: PathBuf,
    },
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Done {
    let options = args.place.options(false)?;
    match &args.command {
        Command::Stats => stats(&options),
        Command::List => list(&options),
        Command::Show { key } => show(&options, key),
        Command::Verify => verify(&options),
        Command::Gc => {
            let _progress = Progress::new("shrinking");
            local(&options)?.vacuum().map_err(broken)
        }
        Command::Clear => each_layer(&options, |layer| layer.clear().map_err(broken)),
        Command::Export { file } => {
            let layer = local(&options)?;
            let secret = options.secret.as_ref();
            let progress = Progress::new("exporting");
            let mut at = |done, all| progress.at(done, all);
            let count = archive::export(&layer, file, secret, &mut at);
            drop(progress);
            let count = count.map_err(|error| archive_failure(file, &error))?;
            terminal::say(&format!("{count} artifacts are in {}\n", file.display()));
            Ok(())
        }
        Command::Import { file } => {
            let layer = local(&options)?;
            let secret = options.secret.as_ref();
            let progress = Progress::new("importing");
            let mut at = |done, all| progress.at(done, all);
            let count = archive::import(&layer, file, secret, &mut at);
            drop(progress);
            let count = count.map_err(|error| archive_failure(file, &error))?;
            terminal::say(&format!("{count} artifacts were added\n"));
            Ok(())
        }
        Command::Prewarm {
            files,
            instances,
            shard,
        } => prewarm(&options, files, instances, shard),
        Command::Sync { dir } => sync(&options, dir),
    }
}

fn broken(error: impl std::fmt::Display) -> Failure {
    let hint = "check the folder and its permissions, or name another one with --store";
    Failure::Missing(format!("the store: {error}"), hint.to_string())
}

fn archive_failure(file: &Path, error: &archive::ArchiveError) -> Failure {
    let damaged = match error {
        archive::ArchiveError::Wrong(_) | archive::ArchiveError::Rejected { .. } => true,
        archive::ArchiveError::Io(error) => !matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::StorageFull
        ),
        archive::ArchiveError::Layer(_) => false,
    };
    match error {
        error if damaged => Failure::Program(format!(
            "{}:1:1: error: {error}\n  = hint: export it again\n",
            file.display()
        )),
        error => broken(format!("{}: {error}", file.display())),
    }
}

/// The local layer, which most of these commands are about.
fn local(options: &Options) -> Result<Local, Failure> {
    let Some(folder) = &options.folder else {
        return Err(broken("there is no folder for it"));
    };
    Local::open(folder, options.limit_bytes, options.secret.clone()).map_err(broken)
}

/// The layers that there are; a shared one only if it is asked for.
fn each_layer(options: &Options, mut work: impl FnMut(&dyn Layer) -> Done) -> Done {
    work(&local(options)?)?;
    match &options.shared {
        Some(folder) => {
            let shared = Shared::open(folder, options.secret.clone(), false).map_err(broken)?;
            work(&shared)
        }
        None => Ok(()),
    }
}

/// Calls `visit` with every artifact of a layer.
fn visit(layer: &dyn Layer, mut visit: impl FnMut(&Artifact)) -> Done {
    let progress = Progress::new("reading");
    let mut each = |artifact: &Artifact| -> Result<(), LayerError> {
        progress.step();
        visit(artifact);
        Ok(())
    };
    layer.each(&mut each).map_err(broken)
}

fn stats(options: &Options) -> Done {
    each_layer(options, |layer| {
        let mut kinds: BTreeMap<Kind, (u64, u64)> = BTreeMap::new();
        visit(layer, |artifact| {
            let (count, bytes) = kinds.entry(artifact.kind).or_default();
            *count += 1;
            *bytes += artifact.payload.len() as u64;
        })?;
        terminal::line(&layer.name())?;
        terminal::line(&format!(
            "{:<8} {:>10} {:>14}",
            "kind", "artifacts", "bytes"
        ))?;
        for (kind, (count, bytes)) in kinds {
            let kind = kind.to_string();
            terminal::line(&format!("{kind:<8} {count:>10} {bytes:>14}"))?;
        }
        Ok(())
    })?;
    let layer = local(options)?;
    let stats = layer.stats().map_err(broken)?;
    terminal::line(&format!(
        "{} of at most {} bytes, in {} pieces",
        stats.used_bytes, options.limit_bytes, stats.chunks
    ))?;
    usage(&layer.usage().map_err(broken)?)
}

/// Rows that are shown of what the store was good for.
const SHOWN: usize = 10;

/// What the store was good for so far: by shard, and the functions that it saved most of; then
/// those that were compiled most often and longest, which are worth compiling ahead.
fn usage(all: &[Usage]) -> Done {
    if all.is_empty() {
        return Ok(());
    }
    let average = Average::of(all);
    let mut shards: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut functions: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    let is_all = |usage: &&Usage| usage.instance.is_empty() && usage.shard.is_empty();
    for usage in all.iter().filter(|usage| !is_all(usage)) {
        let function = usage.instance.split('(').next().unwrap_or_default();
        shards.entry(&usage.shard).or_default().add(usage, &average);
        if !function.is_empty() {
            let of = functions.entry((function, &usage.shard)).or_default();
            of.add(usage, &average);
        }
    }
    if let Some(total) = all.iter().find(is_all) {
        terminal::line(&format!(
            "so far {} artifacts of {} that were asked for were there, {} bytes",
            total.hits,
            total.hits + total.misses,
            total.read_bytes
        ))?;
    }
    terminal::line("")?;
    terminal::line(&format!("{:<30} {}", "code by shard, so far", Sum::HEAD))?;
    for (shard, sum) in &shards {
        terminal::line(&format!("{shard:<30} {}", sum.text()))?;
    }
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by_key(|(_, sum)| Reverse(sum.saved_ns));
    terminal::line("")?;
    terminal::line(&format!(
        "{:<30} {}",
        "code by function and shard",
        Sum::HEAD
    ))?;
    for ((function, shard), sum) in functions.iter().take(SHOWN) {
        let name = format!("{function} {shard}");
        terminal::line(&format!("{name:<30} {}", sum.text()))?;
    }
    let mut again: Vec<&Usage> = all
        .iter()
        .filter(|usage| usage.misses > 1 && !usage.instance.is_empty())
        .collect();
    again.sort_by_key(|usage| Reverse(usage.made_ns));
    if !again.is_empty() {
        terminal::line("")?;
        terminal::line(
            "compiled more than once; if not for edits, worth `worldage cache prewarm FILE`:",
        )?;
        for usage in again.into_iter().take(SHOWN) {
            terminal::line(&format!(
                "  --for '{}' --shard {}  ({} times, {} in all)",
                usage.instance,
                usage.shard,
                usage.misses,
                milliseconds(usage.made_ns)
            ))?;
        }
    }
    Ok(())
}

/// What the store was good for, over several instances.
#[derive(Default)]
struct Sum {
    hits: u64,
    misses: u64,
    saved_ns: u64,
}

impl Sum {
    const HEAD: &str = "      hits    misses     rate      saved";

    fn add(&mut self, usage: &Usage, average: &Average) {
        self.hits += usage.hits;
        self.misses += usage.misses;
        self.saved_ns += usage.saved_ns(average);
    }

    fn text(&self) -> String {
        let (hits, misses) = (self.hits, self.misses);
        let rate = (hits * 100).checked_div(hits + misses).unwrap_or(0);
        let saved = milliseconds(self.saved_ns);
        format!("{hits:>10} {misses:>9} {rate:>7}% {saved:>10}")
    }
}

fn milliseconds(ns: u64) -> String {
    format!("{:.1} ms", ns as f64 / 1e6)
}

fn list(options: &Options) -> Done {
    each_layer(options, |layer| {
        let mut lines = Vec::new();
        visit(layer, |artifact| lines.push(line(artifact)))?;
        lines.sort();
        lines.iter().try_for_each(|line| terminal::line(line))
    })
}

fn line(artifact: &Artifact) -> String {
    let subject = match artifact.kind {
        Kind::Keys => keys_of(&artifact.payload)
            .first()
            .map(|key| {
                let part = |name: &str| {
                    let found = key.parts().find(|part| part.name == name);
                    found.map_or(String::new(), |part| part.value.to_string())
                };
                // What a driver builds differs by its options.
                let subject = format!(
                    "  {} {} {}",
                    part("instance"),
                    part("shard"),
                    part("options")
                );
                subject.trim_end().to_string()
            })
            .unwrap_or_default(),
        Kind::Table => serde_json::from_slice(&artifact.payload)
            .map(|table: DispatchTable| format!("  {} {}", table.kernel, table.shard))
            .unwrap_or_default(),
        Kind::Code | Kind::Trace | Kind::Image | Kind::Part => String::new(),
    };
    let (kind, bytes) = (artifact.kind.to_string(), artifact.payload.len());
    format!(
        "{kind:<6} {} {bytes:>8}  {}{subject}",
        artifact.name, artifact.origin
    )
}

fn show(options: &Options, digits: &str) -> Done {
    let is_prefix = digits.len() >= 4 && digits.bytes().all(|c| c.is_ascii_hexdigit());
    if !is_prefix {
        let message = "give at least the first four hexadecimal digits of a name";
        return Err(Failure::Usage(message.to_string()));
    }
    let digits = digits.to_lowercase();
    let mut found = 0;
    each_layer(options, |layer| {
        let mut out = String::new();
        visit(layer, |artifact| {
            if artifact.name.to_string().starts_with(&digits) {
                out += &format!("{}\n", line(artifact));
                if artifact.kind == Kind::Table {
                    out += &String::from_utf8_lossy(&artifact.payload);
                }
                for key in keys_of_kind(artifact) {
                    out += &format!("\ncode {}\n{key}", key.fingerprint());
                }
                found += 1;
            } else {
                // The key of code lies beside it.
                for key in keys_of_kind(artifact) {
                    if key.fingerprint().to_string().starts_with(&digits) {
                        out += &format!("\nkey of code {}\n{key}", key.fingerprint());
                        found += 1;
                    }
                }
            }
        })?;
        terminal::out(&out)
    })?;
    match found {
        0 => Err(Failure::Program(format!(
            "error: nothing in the store is named {digits}…\n  = hint: `worldage cache list` shows \
             the names\n"
        ))),
        _ => Ok(()),
    }
}

fn keys_of_kind(artifact: &Artifact) -> Vec<worldage::store::Key> {
    match artifact.kind {
        Kind::Keys => keys_of(&artifact.payload),
        _ => Vec::new(),
    }
}

fn verify(options: &Options) -> Done {
    let mut bad = 0;
    each_layer(options, |layer| {
        let progress = Progress::new("verifying");
        let found = layer.verify().map_err(broken)?;
        drop(progress);
        for line in &found.bad {
            terminal::line(&format!("bad: {line}"))?;
        }
        bad += found.bad.len();
        terminal::line(&format!("{}: {} good", layer.name(), found.good))
    })?;
    match bad {
        0 => Ok(()),
        _ => Err(Failure::Program(
            "error: some artifacts were damaged\n  = hint: what is removed is compiled again when \
             it is needed\n"
                .to_string(),
        )),
    }
}

fn prewarm(options: &Options, paths: &[PathBuf], instances: &[String], shards: &[String]) -> Done {
    let shards = shards.iter().map(|shard| shard_of(shard));
    let shards = shards.collect::<Result<Vec<_>, _>>()?;
    let store = std::sync::Arc::new(Store::open(options, Box::new(warn)));
    if store.is_empty() {
        return Err(broken("it cannot be opened"));
    }
    let session = Session::new(SessionOptions {
        store: Some(store),
        ..SessionOptions::default()
    })?;
    files::define(&session, paths)?;
    let progress = Progress::new("compiling");
    let all = (instances.len() * shards.len()) as u64;
    let each = instances
        .iter()
        .flat_map(|instance| shards.iter().map(move |shard| (instance, *shard)));
    for ((instance, shard), done) in each.zip(1..) {
        let prepared = session.prepare_on(instance, shard);
        prepared.map_err(|failure| Failure::edit(&session, &failure))?;
        progress.at(done, all);
    }
    // What was compiled is written now.
    drop(session);
    Ok(())
}

/// The shard that a name stands for.
fn shard_of(name: &str) -> Result<Shard, Failure> {
    if let Some(level) = name.strip_prefix("opt:")
        && let Ok(opt) = Opt::from_str(level, false)
    {
        return Ok(Shard::Host(opt.level()?));
    }
    let unknown = |why: &str| {
        Failure::Usage(format!(
            "`{name}` is no shard that code can be made for ahead: {why}"
        ))
    };
    let known = "opt:none, opt:speed, opt:aggressive, opencl or ptx:sm_NN";
    let target = match name.strip_prefix("ptx:") {
        Some(_) => name.parse::<Target>().map_err(|why| unknown(&why))?,
        None if name == "opencl" => Target::OpenCl,
        None => return Err(unknown(known)),
    };
    if let Some(missing) = target.missing() {
        return Err(missing);
    }
    target.shard(OptLevel::Speed).ok_or_else(|| unknown(known))
}

/// Puts what either has into the other.
fn sync(options: &Options, dir: &Path) -> Done {
    let near = local(options)?;
    let far = Shared::open(dir, options.secret.clone(), false).map_err(broken)?;
    let copy = |what, from: &dyn Layer, to: &dyn Layer| {
        let progress = Progress::new(what);
        let mut count = 0u64;
        let mut batch = Vec::new();
        let mut each = |artifact: &Artifact| {
            batch.push(artifact.clone());
            progress.step();
            count += 1;
            if batch.len() >= 256 {
                to.put(&batch)?;
                batch.clear();
            }
            Ok(())
        };
        from.each(&mut each)?;
        to.put(&batch)?;
        Ok::<u64, LayerError>(count)
    };
    let out = copy("putting", &near, &far).map_err(broken)?;
    let back = copy("getting", &far, &near).map_err(broken)?;
    terminal::say(&format!("{out} artifacts out, {back} back\n"));
    Ok(())
}
