//! Random programs under random edits: incremental equals from scratch in every world, and what
//! did not change does not run.
//!
//! `WORLDAGE_EDITS=100000` sets the number of edits (2,000 without it), `WORLDAGE_SEED=7` the
//! series (the same ones in every run without it). A failure is shrunk and printed as a scenario:
//! put it under `tests/scenarios`. `WORLDAGE_EDITS_NOTE=1` keeps the scenario of the moment in
//! the target folder, for a failure that ends the process.

mod minimal;
mod program;
mod series;

use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use worldage::Linking;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs series until there were enough edits.
fn run(linking: Linking, edits: u64) {
    let mut seed = [0; 32];
    let number_of_seed = number("WORLDAGE_SEED").unwrap_or(0);
    seed[..8].copy_from_slice(&number_of_seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config {
        failure_persistence: None,
        max_shrink_time: 20_000,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let done = std::cell::Cell::new(0);
    let strategy = program::series();
    while done.get() < edits {
        let case = strategy
            .new_tree(&mut runner)
            .expect("nothing is filtered out");
        let result = runner.run_one(case, |ops| {
            let accepted = series::run(&ops, linking);
            let accepted = accepted.map_err(proptest::test_runner::TestCaseError::fail)?;
            done.set(done.get() + accepted as u64);
            Ok(())
        });
        match result {
            Ok(_) => {}
            Err(TestError::Fail(reason, _)) => panic!("after {} edits:\n{reason}", done.get()),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn pinned_answers_are_those_from_scratch() {
    run(
        Linking::Pinned,
        number("WORLDAGE_EDITS").unwrap_or(2_000) * 3 / 4,
    );
}

#[test]
fn live_answers_are_those_from_scratch() {
    run(Linking::Live, number("WORLDAGE_EDITS").unwrap_or(2_000) / 4);
}
