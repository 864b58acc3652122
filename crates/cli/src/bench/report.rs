//! What a run of the bench found, as one JSON object or as text.

use serde::Serialize;

/// Runs of the three stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) infer: usize,
    pub(crate) codegen: usize,
    pub(crate) link: usize,
}

/// A series of times, microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Series {
    pub(crate) median: f64,
    pub(crate) p99: f64,
}

impl Series {
    /// Of times in microseconds; zeros if there are none.
    pub(crate) fn of(mut times: Vec<f64>) -> Series {
        if times.is_empty() {
            return Series::default();
        }
        times.sort_by(f64::total_cmp);
        let at = |part: f64| round(times[((times.len() - 1) as f64 * part).round() as usize]);
        Series {
            median: at(0.5),
            p99: at(0.99),
        }
    }
}

/// Two digits after the point.
pub(crate) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// One run. The keys up to `bytes_per_instance` are the command's contract.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) instances: usize,
    pub(crate) shape: &'static str,
    pub(crate) edit: &'static str,
    pub(crate) linking: &'static str,
    pub(crate) opt: &'static str,
    pub(crate) edits: usize,
    /// Of the edit that ran most.
    pub(crate) ran: Counts,
    pub(crate) minimal: Counts,
    /// The edit alone: text to a new world.
    pub(crate) edit_us: Series,
    /// From the edit to the first correct answer of the root.
    pub(crate) recompile_us: Series,
    /// The bare code generator on the functions whose code changed; nothing if there are none.
    pub(crate) limit_us: Option<f64>,
    pub(crate) ratio_to_limit: Option<f64>,
    /// The whole program from text to its first answer.
    pub(crate) scratch_ms: f64,
    /// Live heap that the first call added, beside the program's text and syntax.
    pub(crate) bytes_per_instance: f64,
    /// Edits after which the stages that ran were not the minimal set.
    pub(crate) not_minimal: usize,
    pub(crate) threads: usize,
    /// Text to the first world.
    pub(crate) define_ms: f64,
    /// The first call: every instance inferred, generated, linked.
    pub(crate) first_call_ms: f64,
    /// The bare code generator on all instances, one thread.
    pub(crate) scratch_limit_ms: f64,
    /// `first_call_ms` beside it.
    pub(crate) first_call_ratio: f64,
    /// A call of the root with nothing to do.
    pub(crate) warm_call_us: f64,
    /// Live heap of text and syntax, per instance.
    pub(crate) source_bytes_per_instance: f64,
    /// Live code memory per instance.
    pub(crate) code_bytes_per_instance: f64,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let counts = |c: Counts| format!("{} / {} / {}", c.infer, c.codegen, c.link);
        let limit = match (self.limit_us, self.ratio_to_limit) {
            (Some(limit), Some(ratio)) => format!("{limit} µs; ratio {ratio}"),
            _ => "nothing to generate".to_string(),
        };
        let lines = [
            format!(
                "{} of {} instances, edit {}, linking {}, opt {}, {} edits, {} threads",
                self.shape,
                self.instances,
                self.edit,
                self.linking,
                self.opt,
                self.edits,
                self.threads
            ),
            format!("  ran      infer / codegen / link {}", counts(self.ran)),
            format!("  minimal  infer / codegen / link {}", counts(self.minimal)),
            format!("  edits that ran another set: {}", self.not_minimal),
            format!(
                "  edit       median {} µs, p99 {} µs",
                self.edit_us.median, self.edit_us.p99
            ),
            format!(
                "  recompile  median {} µs, p99 {} µs (edit to first correct answer)",
                self.recompile_us.median, self.recompile_us.p99
            ),
            format!("  bare code generator {limit}"),
            format!("  warm call  {} µs", self.warm_call_us),
            format!(
                "  from nothing {} ms: {} ms text, {} ms first call, {} × the bare code generator ({} ms)",
                self.scratch_ms,
                self.define_ms,
                self.first_call_ms,
                self.first_call_ratio,
                self.scratch_limit_ms
            ),
            format!(
                "  per instance: {} bytes, beside {} of text and syntax and {} of code",
                self.bytes_per_instance,
                self.source_bytes_per_instance,
                self.code_bytes_per_instance
            ),
        ];
        lines.join("\n")
    }
}
