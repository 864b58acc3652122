//! The store as a compiler sees it: gets that never fail, puts that never wait.
//!
//! Writes go to one thread, which gathers them into batches and writes them behind the compile.
//! Dropping the store (or [`Store::flush`]) waits for it.

use crate::artifact::{Artifact, Kind, Origin, Reject};
use crate::fault::Countdown;
use crate::fingerprint::Fingerprint;
use crate::layer::{Layer, LayerError};
use crate::layered::Layered;
use crate::local::{DEFAULT_LIMIT_BYTES, Local};
use crate::shared::Shared;
use crate::trust::Secret;
use crate::usage::Usage;
use crate::warn::{Sink, Warnings};
use bytes::Bytes;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// Which layers are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The local one alone.
    Local,
    /// The shared one alone.
    Shared,
    /// Both: the local one is filled from the shared one, and writes go to both.
    #[default]
    Layered,
}

/// Where and how artifacts are kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the local layer.
    pub folder: Option<PathBuf>,
    /// The folder of the shared layer.
    pub shared: Option<PathBuf>,
    /// Whether the shared layer is only read.
    pub shared_read_only: bool,
    /// Which of them are used.
    pub strategy: Strategy,
    /// What the local layer may take.
    pub limit_bytes: u64,
    /// For folders that others can write.
    pub secret: Option<Secret>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            folder: None,
            shared: None,
            shared_read_only: false,
            strategy: Strategy::Layered,
            limit_bytes: DEFAULT_LIMIT_BYTES,
            secret: None,
        }
    }
}

impl Options {
    /// Opens the layers that these options ask for; one that cannot be opened is told and left
    /// out.
    #[must_use]
    pub fn layers(&self, warnings: &Warnings) -> Vec<Box<dyn Layer>> {
        let mut layers: Vec<Box<dyn Layer>> = Vec::new();
        let folder = self.folder.as_ref();
        if let Some(folder) = folder.filter(|_| self.strategy != Strategy::Shared) {
            match Local::open(folder, self.limit_bytes, self.secret.clone()) {
                Ok(layer) => layers.push(Box::new(layer)),
                Err(error) => warn_unopened(warnings, "local store", folder, &error),
            }
        }
        let shared = self.shared.as_ref();
        if let Some(folder) = shared.filter(|_| self.strategy != Strategy::Local) {
            match Shared::open(folder, self.secret.clone(), self.shared_read_only) {
                Ok(layer) => layers.push(Box::new(layer)),
                Err(error) => warn_unopened(warnings, "shared folder", folder, &error),
            }
        }
        layers
    }
}

fn warn_unopened(warnings: &Warnings, what: &str, folder: &std::path::Path, error: &LayerError) {
    let message = format!(
        "the {what} {} is not used, going on without: {error}",
        folder.display()
    );
    warnings.warn(what, &message);
}

/// What the store did in this session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Artifacts that were found.
    pub hits: u64,
    /// Artifacts that were not.
    pub misses: u64,
    /// Artifacts that were found and not used.
    pub rejected: u64,
    /// Payload bytes of hits.
    pub bytes_read: u64,
    /// Artifacts that were handed to the writer.
    pub puts: u64,
    /// Their payload bytes.
    pub bytes_written: u64,
    /// Artifacts that could not be written, or not everywhere.
    pub unwritten: u64,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    rejected: AtomicU64,
    bytes_read: AtomicU64,
    puts: AtomicU64,
    bytes_written: AtomicU64,
    unwritten: AtomicU64,
}

fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

/// The layers, a writer behind them, and counters.
pub struct Store {
    shared: Arc<Common>,
    jobs: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// What the writer shares with those who ask.
struct Common {
    layers: Layered,
    warnings: Warnings,
    counters: Counters,
    countdown: Countdown,
    /// Payload bytes that wait for the writer.
    waiting: AtomicUsize,
}

enum Job {
    /// Put into the first layers.
    Put(Artifact, usize),
    Forget(Kind, Fingerprint),
    Note(Vec<Usage>),
    Flush(Sender<()>),
}

/// Puts beyond this many waiting bytes are dropped: a disk that cannot keep up must not take the
/// compile's memory.
const WAITING_BYTES: usize = 256 << 20;
/// A batch is written when so many bytes have come, or nothing more for a while.
const BATCH_BYTES: usize = 1 << 20;
const IDLE: Duration = Duration::from_millis(100);

impl Store {
    /// Opens the store that these options ask for; warnings go to `sink`.
    #[must_use]
    pub fn open(options: &Options, sink: Sink) -> Store {
        let warnings = Warnings::new(sink);
        let layers = options.layers(&warnings);
        Store::start(layers, warnings)
    }

    /// A store of these layers, the nearest first.
    #[must_use]
    pub fn with_layers(layers: Vec<Box<dyn Layer>>, sink: Sink) -> Store {
        Store::start(layers, Warnings::new(sink))
    }

    fn start(layers: Vec<Box<dyn Layer>>, warnings: Warnings) -> Store {
        let shared = Arc::new(Common {
            layers: Layered::new(layers),
            warnings,
            counters: Counters::default(),
            countdown: Countdown::default(),
            waiting: AtomicUsize::new(0),
        });
        let (jobs, inbox) = mpsc::channel();
        let common = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("worldage-store".into());
        let writer = match thread.spawn(move || write_behind(&common, &inbox)) {
            Ok(writer) => Some(writer),
            Err(error) => {
                let message = format!("nothing is stored, since no thread can be started: {error}");
                shared.warnings.warn("writer", &message);
                None
            }
        };
        Store {
            shared,
            jobs: writer.is_some().then_some(jobs),
            writer,
        }
    }

    /// Whether there is no layer to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.layers.is_empty()
    }

    /// The payload of an artifact made by `origin`. What cannot be read or must not be used is a
    /// miss.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &Fingerprint, origin: &Origin) -> Option<Bytes> {
        let Common {
            layers,
            warnings,
            counters,
            countdown,
            ..
        } = &*self.shared;
        if let Err(error) = countdown.operation() {
            let message = format!("the store cannot be read, going on without: {error}");
            warnings.warn("operation", &message);
            add(&counters.misses, 1);
            return None;
        }
        let Some(found) = layers.get(kind, name, warnings) else {
            add(&counters.misses, 1);
            return None;
        };
        if *found.artifact.origin != *origin {
            self.reject(
                kind,
                name,
                &Reject::Origin((*found.artifact.origin).clone()),
            );
            return None;
        }
        add(&counters.hits, 1);
        add(&counters.bytes_read, found.artifact.payload.len());
        if found.layer > 0 {
            self.send(Job::Put(found.artifact.clone(), found.layer));
        }
        Some(found.artifact.payload)
    }

    /// Says that an artifact that was found is wrong: it is forgotten, so that the next put takes
    /// its place, and counts as a miss.
    pub fn reject(&self, kind: Kind, name: &Fingerprint, why: &Reject) {
        let message = format!("the stored {kind} {name} is not used: {why}");
        self.shared.warnings.warn("rejected", &message);
        add(&self.shared.counters.rejected, 1);
        add(&self.shared.counters.misses, 1);
        self.send(Job::Forget(kind, *name));
    }

    /// Keeps an artifact, some time later.
    pub fn put(&self, artifact: Artifact) {
        let Common {
            warnings,
            counters,
            countdown,
            ..
        } = &*self.shared;
        if let Err(error) = countdown.operation() {
            let message = format!("the store cannot be written, going on without: {error}");
            warnings.warn("operation", &message);
            add(&counters.unwritten, 1);
            return;
        }
        add(&counters.puts, 1);
        add(&counters.bytes_written, artifact.payload.len());
        self.send(Job::Put(artifact, usize::MAX));
    }

    /// Takes note of what the store was good for, some time later.
    pub fn note(&self, usage: Vec<Usage>) {
        if !usage.is_empty() {
            self.send(Job::Note(usage));
        }
    }

    fn send(&self, job: Job) {
        let Some(jobs) = &self.jobs else { return };
        if let Job::Put(artifact, _) = &job {
            let len = artifact.payload.len();
            let waiting = self.shared.waiting.fetch_add(len, Ordering::Relaxed);
            if waiting + len > WAITING_BYTES {
                self.shared.waiting.fetch_sub(len, Ordering::Relaxed);
                add(&self.shared.counters.unwritten, 1);
                let message = "the store cannot keep up, some artifacts are not stored";
                self.shared.warnings.warn("waiting", &message);
                return;
            }
        }
        // The writer only ends when the sender is dropped.
        let _sent = jobs.send(job);
    }

    /// Waits until everything that was put so far is written.
    pub fn flush(&self) {
        let (done, wait) = mpsc::channel();
        self.send(Job::Flush(done));
        let _writer_gone = wait.recv();
    }

    /// What happened in this session.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        Stats {
            hits: of(&counters.hits),
            misses: of(&counters.misses),
            rejected: of(&counters.rejected),
            bytes_read: of(&counters.bytes_read),
            puts: of(&counters.puts),
            bytes_written: of(&counters.bytes_written),
            unwritten: of(&counters.unwritten),
        }
    }

    /// How often something went wrong that was worth a warning (each kind is told once).
    #[must_use]
    pub fn warnings(&self) -> u64 {
        self.shared.warnings.count()
    }

    /// For tests: the `n`-th get or put from here fails.
    pub fn fail_io(&self, n: u64) {
        self.shared.countdown.set(n);
    }

    /// The layers, the nearest first; what was put before is written first.
    pub fn layers(&self) -> impl Iterator<Item = &dyn Layer> {
        self.flush();
        self.shared.layers.layers()
    }

    /// Empties every layer that can be written.
    ///
    /// # Errors
    /// When one cannot be emptied.
    pub fn clear(&self) -> Result<(), LayerError> {
        let mut writable = self.layers().filter(|layer| layer.is_writable());
        writable.try_for_each(Layer::clear)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _panicked = writer.join();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.shared.layers.layers().map(Layer::name);
        f.debug_list().entries(names).finish()
    }
}

/// The writer: gathers jobs and writes them in order.
fn write_behind(common: &Common, inbox: &Receiver<Job>) {
    let mut batch = Batch::default();
    loop {
        // With nothing gathered there is nothing to be late with.
        let job = match batch.artifacts.is_empty() {
            true => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => inbox.recv_timeout(IDLE),
        };
        match job {
            Ok(Job::Put(artifact, layers)) => {
                if batch.layers != layers {
                    batch.write(common);
                }
                batch.layers = layers;
                batch.bytes += artifact.payload.len();
                batch.artifacts.push(artifact);
                if batch.bytes >= BATCH_BYTES {
                    batch.write(common);
                }
            }
            Ok(Job::Forget(kind, name)) => {
                batch.write(common);
                common.layers.forget(kind, &name, &common.warnings);
            }
            Ok(Job::Note(usage)) => {
                batch.write(common);
                common.layers.note(&usage, &common.warnings);
            }
            Ok(Job::Flush(done)) => {
                batch.write(common);
                let _nobody_waits = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => batch.write(common),
            Err(RecvTimeoutError::Disconnected) => {
                batch.write(common);
                common.layers.tidy(&common.warnings);
                return;
            }
        }
    }
}

#[derive(Default)]
struct Batch {
    artifacts: Vec<Artifact>,
    layers: usize,
    bytes: usize,
}

impl Batch {
    fn write(&mut self, common: &Common) {
        if self.artifacts.is_empty() {
            return;
        }
        let artifacts = std::mem::take(&mut self.artifacts);
        if !common.layers.put(&artifacts, self.layers, &common.warnings) {
            add(&common.counters.unwritten, artifacts.len());
        }
        common.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}
