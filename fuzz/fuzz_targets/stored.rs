//! Bodies of stored inference and code.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| worldage_fuzz_targets::stored::check(data));
