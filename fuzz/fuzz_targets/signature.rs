//! Signatures, calls and arguments as text.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| worldage_fuzz_targets::signature::check(data));
