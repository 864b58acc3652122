//! `worldage watch`: runs a program, and runs it again at each save; only what changed is compiled.
//!
//! The program runs on a thread of its own, so that a save reaches the session while it runs: with
//! `--linking live` running loops pick it up, otherwise the next run does.

use crate::compile::CompileArgs;
use crate::failure::{Done, Failure};
use crate::summary::{self, Work};
use crate::{files, run, terminal};
use notify::{RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};
use worldage::{EditReport, Session};

/// The arguments of `worldage watch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of one program
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The function that is called
    #[arg(long, value_name = "NAME", default_value = "main")]
    entry: String,
    #[command(flatten)]
    compile: CompileArgs,
    /// Arguments of the entry: 12 is an Int64, 1.5 a Float64, true a Bool, others are Strings
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// How long a save may take: editors write in several steps.
const SETTLE: Duration = Duration::from_millis(30);

/// Stack of the thread that runs the program: the main thread's usual size.
const STACK: usize = 8 << 20;

enum Event {
    /// Something happened in a folder of a watched file.
    Touched,
    /// The program has ended.
    Ended(Ran),
}

/// A run that has ended.
struct Ran {
    /// How often infer, codegen and link ran for it.
    stages: [usize; 3],
    done: Done,
}

/// An edit that is committed.
struct Edited {
    report: EditReport,
    time: Duration,
}

/// The program's files as they were read last.
type Texts = Vec<(String, Vec<u8>)>;

/// Runs the command; ends only by an error or a signal.
pub(crate) fn run(args: &Args) -> Done {
    if args.files.iter().any(|file| file.as_os_str() == "-") {
        let message = "standard input cannot be watched: name a file";
        return Err(Failure::Usage(message.to_string()));
    }
    let mut texts: Texts = files::read_all(&args.files)?;
    let session = args.compile.session()?;
    session.on_print(Box::new(terminal::program_output));
    let (send, events) = mpsc::channel();
    // Lives as long as the loop: dropping it ends the watch.
    let _watcher = watcher(&args.files, &send)?;
    let mut next = edit(&session, &texts);
    let mut running: Option<Edited> = None;
    loop {
        if running.is_none()
            && let Some(edited) = next.take()
        {
            start(&session, args, &edited, &send)?;
            running = Some(edited);
        }
        let Ok(event) = events.recv() else {
            return Ok(());
        };
        let ended = match event {
            Event::Ended(ran) => Some(ran),
            Event::Touched => {
                let ended = settle(&events);
                // A file that is gone for a moment is being saved; its end is another event.
                if let Ok(new) = files::read_all(&args.files)
                    && new != texts
                {
                    texts = new;
                    next = edit(&session, &texts).or(next);
                }
                ended
            }
        };
        if let Some(ran) = ended
            && let Some(edited) = running.take()
        {
            finish(&session, &edited, ran)?;
        }
    }
}

/// Tells of everything that happens in the folders of the files: editors replace files.
fn watcher(files: &[PathBuf], send: &Sender<Event>) -> Result<impl Watcher, Failure> {
    let cannot = |error: notify::Error| {
        let hint = "raise the system's limit of watches (fs.inotify.max_user_watches)";
        Failure::Missing(format!("cannot watch files: {error}"), hint.to_string())
    };
    let send = send.clone();
    let told = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = send.send(Event::Touched);
        }
    };
    let mut watcher = notify::recommended_watcher(told).map_err(cannot)?;
    let mut folders: Vec<&Path> = files
        .iter()
        .map(|file| match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        })
        .collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        watcher
            .watch(folder, RecursiveMode::NonRecursive)
            .map_err(cannot)?;
    }
    Ok(watcher)
}

/// Waits until nothing happens for a moment; the run that ended meanwhile, if it did.
fn settle(events: &Receiver<Event>) -> Option<Ran> {
    let mut ended = None;
    while let Ok(event) = events.recv_timeout(SETTLE) {
        if let Event::Ended(ran) = event {
            ended = Some(ran);
        }
    }
    ended
}

/// Makes the session's program what the files say; says what is wrong with them.
fn edit(session: &Session, texts: &Texts) -> Option<Edited> {
    let begun = Instant::now();
    match session.replace_program(texts.clone()) {
        Ok(report) => {
            for warning in &report.warnings {
                terminal::say(&session.render(warning));
            }
            let time = begun.elapsed();
            Some(Edited { report, time })
        }
        Err(failure) => {
            Failure::edit(session, &failure).say();
            None
        }
    }
}

/// Calls the entry on a thread of its own.
fn start(session: &Session, args: &Args, edited: &Edited, send: &Sender<Event>) -> Done {
    let (session, send) = (session.clone(), send.clone());
    let (entry, values) = (args.entry.clone(), args.args.clone());
    let files = edited.report.files.clone();
    let work = move || {
        let (stages, done) = run::call_entry(&session, &files, &entry, &values);
        let _ = send.send(Event::Ended(Ran { stages, done }));
    };
    let spawned = std::thread::Builder::new().stack_size(STACK).spawn(work);
    spawned.map(drop).map_err(|error| {
        let hint = "end other processes, or raise their limit".to_string();
        Failure::Missing(format!("cannot start a thread: {error}"), hint)
    })
}

/// Says how a run ended and what was compiled for it.
fn finish(session: &Session, edited: &Edited, ran: Ran) -> Done {
    if let Err(failure) = ran.done {
        failure.say();
    }
    terminal::flush()?;
    let stages = session.take_stages();
    let compiled: u64 = stages.iter().map(|event| event.ns).sum();
    let work = Work {
        ran: ran.stages,
        reused: session.valid().len().saturating_sub(ran.stages[2]),
        time: edited.time + Duration::from_nanos(compiled),
    };
    terminal::say(&summary::line(&edited.report, &work));
    Ok(())
}
