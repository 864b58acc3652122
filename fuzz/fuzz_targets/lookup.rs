//! Lookup and its kin against the definition.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| worldage_fuzz_targets::lookup::check(data));
