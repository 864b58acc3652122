//! Lines of a table of figures: what was measured, its value, and the target beside it.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::time::{Duration, Instant};

/// Prints one figure; `target` says what it should be at most or at least.
pub fn figure(what: &str, value: f64, unit: &str, target: &str) {
    println!("{what:<58} {value:>10.2} {unit:<4} target {target}");
}

/// The middle of some numbers.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds of one of `count` repetitions, the fastest of several series.
pub fn ns_each(count: u64, mut work: impl FnMut()) -> f64 {
    let series = (0..7).map(|_| {
        let start = Instant::now();
        (0..count).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e9 / count as f64
    });
    series.fold(f64::INFINITY, f64::min)
}

/// Microseconds.
#[must_use]
pub fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
