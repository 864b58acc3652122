//! Programs of `ir/run` written in Rust, line by line the same algorithm: what generated code is
//! measured against.
//!
//! Arrays are `Vec`s with their bounds checks, structs are `Copy`; nothing is unrolled, blocked
//! or told more than the Wir program tells. Numbers come through `black_box`, as they come from
//! outside in Wir.

#![allow(
    clippy::needless_range_loop,
    clippy::manual_swap,
    clippy::manual_memcpy,
    clippy::excessive_precision,
    clippy::approx_constant,
    clippy::assign_op_pattern,
    reason = "the loops and numbers are those of the Wir programs"
)]

mod arrays;
mod complex;
mod matrices;
mod nbody;
mod numbers;
mod search;

use arrays::{count_primes, crc32_main, floyd_warshall, heapsort_main, levenshtein};
use complex::{fft_main, mandelbrot};
use matrices::{matmul, spectral_norm};
use nbody::nbody;
use numbers::{collatz, tak_main};
use search::{fannkuch, knapsack, queens, queens_bits};
use std::hint::black_box;

/// A program, the call that is measured, and its twin.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The file in `ir/run`, without its ending.
    pub file: &'static str,
    /// The call.
    pub call: &'static str,
    /// The same in Rust: its value as text.
    pub twin: fn() -> String,
}

/// All programs.
pub const PROGRAMS: &[Program] = &[
    program("nbody", "main(500000)", || show(nbody(n(500_000)))),
    program("spectral_norm", "main(700)", || show(spectral_norm(n(700)))),
    program("fannkuch", "main(9)", || {
        let (checksum, most) = fannkuch(n(9));
        format!("Result({checksum}, {most})")
    }),
    program("mandelbrot", "main(1000)", || show(mandelbrot(n(1000)))),
    program("matmul", "main(300)", || show(matmul(n(300)))),
    program("sieve", "count_primes(5000000)", || {
        show(count_primes(n(5_000_000)))
    }),
    program("queens", "queens(12)", || show(queens(n(12)))),
    program("queens", "queens_bits(12)", || show(queens_bits(n(12)))),
    program("heapsort", "main(300000)", || {
        show(heapsort_main(n(300_000)))
    }),
    program("floyd_warshall", "main(300)", || {
        show(floyd_warshall(n(300)))
    }),
    program("levenshtein", "main(4000)", || show(levenshtein(n(4000)))),
    program("fft", "main(65536)", || show(fft_main(n(65_536)))),
    program("collatz", "main(300000)", || {
        let (start, steps) = collatz(n(300_000));
        format!("Longest({start}, {steps})")
    }),
    program("tak", "main(18, 12, 6)", || {
        show(tak_main(n(18), n(12), n(6)))
    }),
    program("knapsack", "main(500, 50000)", || {
        show(knapsack(n(500), n(50_000)))
    }),
    program("crc32", "main(3000000)", || show(crc32_main(n(3_000_000)))),
];

const fn program(file: &'static str, call: &'static str, twin: fn() -> String) -> Program {
    Program { file, call, twin }
}

fn n(n: i64) -> i64 {
    black_box(n)
}

fn show(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}
