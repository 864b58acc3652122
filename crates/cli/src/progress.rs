//! Progress on a terminal, of what takes over half a second.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is over sooner is not told.
const PATIENCE: Duration = Duration::from_millis(500);

/// A line that appears after a while and is gone when this is dropped; nothing where standard
/// error is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Shows the line, unless the sender is dropped before.
    waiting: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Of something with a name such as `verifying`.
    pub(crate) fn new(what: &'static str) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_message(what);
        bar.set_style(style("{spinner} {msg} {elapsed} {pos}"));
        let waiting = std::io::stderr().is_terminal().then(|| {
            let (over, wait) = mpsc::channel();
            let shown = bar.clone();
            let show = move || {
                if wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    shown.set_draw_target(ProgressDrawTarget::stderr());
                    shown.enable_steady_tick(PATIENCE / 5);
                }
            };
            (over, std::thread::spawn(show))
        });
        Progress { bar, waiting }
    }

    /// So many steps of so many are done.
    pub(crate) fn at(&self, done: u64, all: u64) {
        if self.bar.length() != Some(all) {
            self.bar.set_length(all);
            self.bar
                .set_style(style("{msg} {elapsed} [{bar:40}] {pos}/{len}"));
        }
        self.bar.set_position(done);
    }

    /// One more step, of nobody knows how many.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((over, thread)) = self.waiting.take() {
            drop(over);
            let _panicked = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}
