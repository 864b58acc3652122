//! Programs: what the parser lets through is planned, inferred and compiled.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| worldage_fuzz_targets::program::check(data));
