//! Containers, chunks, archives and keys from other machines.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| worldage_fuzz_targets::artifact::check(data));
