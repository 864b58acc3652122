//! `--stats`: what a session did, as one JSON line or a table, on standard error.

use crate::terminal;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Write;
#[cfg(feature = "opencl")]
use std::time::Duration;
use std::time::Instant;
#[cfg(feature = "opencl")]
use worldage::Chosen;
use worldage::{Session, StageStats, TunedReport};

/// How numbers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Text,
    /// One object on the last line
    Json,
}

#[derive(Debug, Serialize)]
struct Line {
    world: u64,
    instances: usize,
    stages: Stages,
    store: Store,
    #[serde(skip_serializing_if = "Option::is_none")]
    launch: Option<Launch>,
    total_us: u64,
}

/// How a kernel was launched.
#[derive(Debug, Serialize)]
pub(crate) struct Launch {
    schedule: String,
    chosen: String,
    kernel_us: f64,
}

impl Launch {
    /// Of a kernel without schedules.
    #[cfg(feature = "opencl")]
    pub(crate) fn took(took: Duration) -> Launch {
        Launch {
            schedule: String::new(),
            chosen: Chosen::OnlyOne.to_string(),
            kernel_us: took.as_secs_f64() * 1e6,
        }
    }

    /// What a launch says of itself.
    pub(crate) fn of(tuned: &TunedReport) -> Launch {
        Launch {
            schedule: tuned.schedule.to_string(),
            chosen: tuned.chosen.to_string(),
            kernel_us: tuned.took.as_secs_f64() * 1e6,
        }
    }
}

#[derive(Debug, Serialize)]
struct Stages {
    infer: StageLine,
    codegen: StageLine,
    link: StageLine,
}

#[derive(Debug, Serialize)]
struct StageLine {
    ran: u64,
    reused: u64,
    stored: u64,
    us: u64,
}

#[derive(Debug, Default, Serialize)]
struct Store {
    hits: u64,
    misses: u64,
    bytes_read: u64,
    bytes_written: u64,
}

/// Shows what a session has done since its stages were last taken.
pub(crate) fn show(session: &Session, format: Format, begun: Instant, launch: Option<Launch>) {
    let total_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let stats = session.stats(&session.take_stages());
    // What is up to date now and did not run was reused.
    let valid = session.valid().len() as u64;
    let stage = |stage: StageStats| StageLine {
        ran: stage.ran,
        reused: valid.saturating_sub(stage.ran + stage.stored),
        stored: stage.stored,
        us: stage.ns / 1000,
    };
    let [infer, codegen, link] = stats.stages.map(stage);
    let line = Line {
        world: stats.world,
        instances: stats.instances,
        stages: Stages {
            infer,
            codegen,
            link,
        },
        store: session.store().map_or(Store::default(), |store| {
            let stats = store.stats();
            Store {
                hits: stats.hits,
                misses: stats.misses,
                bytes_read: stats.bytes_read,
                bytes_written: stats.bytes_written,
            }
        }),
        launch,
        total_us,
    };
    let text = match format {
        Format::Json => serde_json::to_string(&line).unwrap_or_default() + "\n",
        Format::Text => line.table(stats.code_live_bytes),
    };
    terminal::say(&text);
}

impl Line {
    fn table(&self, code_bytes: usize) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "world {}, {} instances, {code_bytes} bytes of code, {:.1} ms in all",
            self.world,
            self.instances,
            self.total_us as f64 / 1000.0
        );
        let _ = writeln!(
            out,
            "{:<8} {:>8} {:>8} {:>8} {:>10}",
            "stage", "ran", "reused", "stored", "us"
        );
        let stages = [
            ("infer", &self.stages.infer),
            ("codegen", &self.stages.codegen),
            ("link", &self.stages.link),
        ];
        for (name, stage) in stages {
            let _ = writeln!(
                out,
                "{name:<8} {:>8} {:>8} {:>8} {:>10}",
                stage.ran, stage.reused, stage.stored, stage.us
            );
        }
        if let Some(launch) = &self.launch {
            let schedule = match &*launch.schedule {
                "" => "no schedule",
                schedule => schedule,
            };
            let (chosen, us) = (&launch.chosen, launch.kernel_us);
            let _ = writeln!(out, "launched with {schedule} ({chosen}) in {us:.1} us");
        }
        out
    }
}
